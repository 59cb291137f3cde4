#include "apus_binance_signer.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

static bool plain(const char* text) {
    for (; *text != 0; text++) {
        bool fits = (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z')
                    || *text == '-' || *text == '_';
        if (!fits) return false;
    }
    return true;
}

static int take_api_key(apus_binance_signer* signer, const char* api_key) {
    size_t length = strlen(api_key);
    memset(signer, 0, sizeof *signer);
    if (length == 0 || length >= APUS_BINANCE_KEY_BYTES || !plain(api_key)) return -EINVAL;
    memcpy(signer->api_key, api_key, length);
    signer->api_key_length = (uint32_t)length;
    return 0;
}

int apus_binance_signer_init(apus_binance_signer* signer, const char* api_key, const char* secret) {
    int result = take_api_key(signer, api_key);
    if (result < 0) return result;
    if (secret[0] == 0) return -EINVAL;
    apus_hmac_prepare(&signer->secret, secret, strlen(secret));
    return 0;
}

// An encrypted key is not asked about on the terminal: it is no key.
static int no_password(char* text, int bytes, int for_writing, void* user) {
    (void)text, (void)bytes, (void)for_writing, (void)user;
    return -1;
}

static EVP_PKEY* read_key(const char* pem) {
    BIO* bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY* key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    if (key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) return key;
    EVP_PKEY_free(key);
    return NULL;
}

int apus_binance_signer_init_ed25519(apus_binance_signer* signer, const char* api_key, const char* pem) {
    int result = take_api_key(signer, api_key);
    if (result < 0) return result;
    EVP_PKEY* key = read_key(pem);
    if (key == NULL) {
        ERR_clear_error();
        return -EBADMSG;
    }
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    // The context keeps a reference of its own to the key.
    bool good = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1;
    EVP_PKEY_free(key);
    if (!good) {
        EVP_MD_CTX_free(context);
        ERR_clear_error();
        return -ENOMEM;
    }
    signer->ed25519 = context;
    return 0;
}

void apus_binance_signer_wipe(apus_binance_signer* signer) {
    EVP_MD_CTX_free(signer->ed25519);
    OPENSSL_cleanse(signer, sizeof *signer);
}

static bool sign_once(EVP_MD_CTX* context, const void* text, size_t length, uint8_t signature[64]) {
    size_t bytes = 64;
    return EVP_DigestSign(context, signature, &bytes, text, length) == 1 && bytes == 64;
}

int apus_binance_sign(const apus_binance_signer* signer, const void* text, size_t length, char* out) {
    uint8_t signature[64];
    if (signer->ed25519 == NULL) {
        apus_hmac_sign(&signer->secret, text, length, signature);
        apus_hex32(signature, out);
        return 64;
    }
    EVP_MD_CTX* context = signer->ed25519;
    // Newer versions of OpenSSL want a context to be prepared again before each signature, older ones do not need it.
    if (!sign_once(context, text, length, signature)) {
        ERR_clear_error();
        bool again = EVP_DigestSignInit(context, NULL, NULL, NULL, NULL) == 1;
        if (!again || !sign_once(context, text, length, signature)) {
            ERR_clear_error();
            return -EIO;
        }
    }
    char base64[APUS_BINANCE_SIGNATURE_BYTES + 1];
    EVP_EncodeBlock((unsigned char*)base64, signature, sizeof signature);
    memcpy(out, base64, APUS_BINANCE_SIGNATURE_BYTES);
    return APUS_BINANCE_SIGNATURE_BYTES;
}
