#include "venue.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define DAY_S 86400L

static bool extend(X509* certificate, int kind, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    if (!extension) return false;
    bool added = X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

static bool fill(X509* certificate, EVP_PKEY* key) {
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 30 * DAY_S);
    return X509_set_pubkey(certificate, key) == 1
           && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char*)"bench-venue", -1, -1, 0) == 1
           && X509_set_issuer_name(certificate, name) == 1
           && extend(certificate, NID_basic_constraints, "critical,CA:TRUE")
           && extend(certificate, NID_subject_key_identifier, "hash")
           && extend(certificate, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1")
           && X509_sign(certificate, key, EVP_sha256()) > 0;
}

static int write_certificate(const char* path, X509* certificate) {
    FILE* file = fopen(path, "w");
    if (!file) return -errno;
    bool written = PEM_write_X509(file, certificate) == 1;
    return fclose(file) == 0 && written ? 0 : -EIO;
}

int identity_make(SSL_CTX* tls, const char* ca_file) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    int result = -EINVAL;
    if (key && certificate && fill(certificate, key) && SSL_CTX_use_certificate(tls, certificate) == 1
        && SSL_CTX_use_PrivateKey(tls, key) == 1)
        result = ca_file ? write_certificate(ca_file, certificate) : 0;
    X509_free(certificate);
    EVP_PKEY_free(key);
    return result;
}
