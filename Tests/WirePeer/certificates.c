#include "certificates.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define DAY 86400L

typedef struct identity {
    EVP_PKEY* key;
    X509* certificate;
} identity;

static int extend(X509* certificate, X509* issuer, int kind, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    if (!extension) return 0;
    int result = X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return result;
}

// Makes a key and a certificate for it, signed by `issuer`, or by itself.
static int issue(identity* made, const identity* issuer, const char* name, const char* alternatives, long from,
                 long to) {
    static long serial = 1;
    made->key = EVP_EC_gen("P-256");
    made->certificate = X509_new();
    if (!made->key || !made->certificate) return -ENOMEM;
    X509* it = made->certificate;
    X509* signer = issuer ? issuer->certificate : it;
    X509_NAME* subject = X509_get_subject_name(it);
    X509_set_version(it, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(it), serial++);
    X509_gmtime_adj(X509_getm_notBefore(it), from);
    X509_gmtime_adj(X509_getm_notAfter(it), to);
    X509_set_pubkey(it, made->key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char*)name, -1, -1, 0);
    X509_set_issuer_name(it, X509_get_subject_name(signer));
    int good = extend(it, signer, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE")
               && extend(it, signer, NID_subject_key_identifier, "hash")
               && (!alternatives || extend(it, signer, NID_subject_alt_name, alternatives))
               && X509_sign(it, issuer ? issuer->key : made->key, EVP_sha256()) > 0;
    return good ? 0 : -EINVAL;
}

static int write_certificate(const char* directory, const char* name, X509* certificate) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.pem", directory, name);
    FILE* file = fopen(path, "w");
    if (!file) return -errno;
    int good = PEM_write_X509(file, certificate);
    return fclose(file) == 0 && good ? 0 : -EIO;
}

static int write_key(const char* directory, const char* name, EVP_PKEY* key) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.key", directory, name);
    FILE* file = fopen(path, "w");
    if (!file) return -errno;
    int good = PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    return fclose(file) == 0 && good ? 0 : -EIO;
}

static void forget(identity* it) {
    EVP_PKEY_free(it->key);
    X509_free(it->certificate);
}

static int write_leaf(const char* directory, const identity* authority, const char* name, const char* alternatives,
                      long from, long to) {
    identity leaf = {0};
    int result = issue(&leaf, authority, name, alternatives, from, to);
    if (result == 0) result = write_certificate(directory, name, leaf.certificate);
    if (result == 0) result = write_key(directory, name, leaf.key);
    forget(&leaf);
    return result;
}

int certificates_write(const char* directory) {
    identity authority = {0};
    identity stranger = {0};
    const char* here = "DNS:localhost,IP:127.0.0.1,IP:::1";
    int result = issue(&authority, NULL, "Authority", NULL, -DAY, 30 * DAY);
    if (result == 0) result = issue(&stranger, NULL, "Stranger", NULL, -DAY, 30 * DAY);
    if (result == 0) result = write_certificate(directory, "authority", authority.certificate);
    if (result == 0) result = write_certificate(directory, "stranger", stranger.certificate);
    if (result == 0) result = write_leaf(directory, &authority, "good", here, -DAY, 30 * DAY);
    if (result == 0) result = write_leaf(directory, &authority, "other", "DNS:other.test", -DAY, 30 * DAY);
    if (result == 0) result = write_leaf(directory, &authority, "expired", here, -30 * DAY, -DAY);
    forget(&authority);
    forget(&stranger);
    return result;
}
