/* SPDX-License-Identifier: Apache-2.0 */
/* The revocation list. Each list has everything of the one before; it is good as long as the
 * authority, since a list that ends would let nobody in. */
#include "pki.h"

#include "file.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum { CRL_MAX = 16 << 20 };

static void add_old(X509_CRL *crl, const X509_CRL *old)
{
    STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED((X509_CRL *)(uintptr_t)old);

    for (int i = 0; i < sk_X509_REVOKED_num(all); i++) {
        X509_REVOKED *copy = X509_REVOKED_dup(sk_X509_REVOKED_value(all, i));

        pki_need(copy && X509_CRL_add0_revoked(crl, copy) == 1);
    }
}

static void add_serial(X509_CRL *crl, const ASN1_INTEGER *serial)
{
    X509_REVOKED *revoked = X509_REVOKED_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, 0);

    pki_need(revoked && now &&
             X509_REVOKED_set_serialNumber(revoked, (ASN1_INTEGER *)(uintptr_t)serial) == 1 &&
             X509_REVOKED_set_revocationDate(revoked, now) == 1 &&
             X509_CRL_add0_revoked(crl, revoked) == 1);
    ASN1_TIME_free(now);
}

/* One more than that of |old|. */
static void add_number(X509_CRL *crl, const X509_CRL *old)
{
    ASN1_INTEGER *before = old ? X509_CRL_get_ext_d2i(old, NID_crl_number, NULL, NULL) : NULL;
    ASN1_INTEGER *number = ASN1_INTEGER_new();

    pki_need(number && ASN1_INTEGER_set(number, before ? ASN1_INTEGER_get(before) + 1 : 1) == 1 &&
             X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1);
    ASN1_INTEGER_free(number);
    ASN1_INTEGER_free(before);
}

static void add_issuer_key(X509_CRL *crl, const X509 *ca)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, (X509 *)(uintptr_t)ca, NULL, NULL, crl, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
    pki_need(extension && X509_CRL_add_ext(crl, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

uint8_t *pki_crl_make(size_t *len, const X509_CRL *old, const ASN1_INTEGER *serials[], size_t n,
                      const X509 *ca, EVP_PKEY *ca_key)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = X509_gmtime_adj(NULL, -PKI_EARLY_S);
    uint8_t *out;
    BIO *bio;

    pki_need(crl && from && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
             X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca)) == 1 &&
             X509_CRL_set1_lastUpdate(crl, from) == 1 &&
             X509_CRL_set1_nextUpdate(crl, X509_get0_notAfter(ca)) == 1);
    if (old)
        add_old(crl, old);
    for (size_t i = 0; i < n; i++)
        add_serial(crl, serials[i]);
    add_number(crl, old);
    add_issuer_key(crl, ca);
    pki_need(X509_CRL_sort(crl) == 1 && X509_CRL_sign(crl, ca_key, EVP_sha256()) > 0);
    bio = BIO_new(BIO_s_mem());
    pki_need(bio && PEM_write_bio_X509_CRL(bio, crl) == 1);
    out = pki_text(len, bio);
    ASN1_TIME_free(from);
    X509_CRL_free(crl);
    return out;
}

X509_CRL *pki_crl_read(const struct pki *pki, struct trouble *trouble)
{
    char path[PKI_PATH_MAX];
    struct file file;
    X509_CRL *crl;
    BIO *bio;

    pki_path(path, pki->dir, "crl.pem", NULL);
    if (!file_read(&file, path, CRL_MAX, trouble))
        return NULL;
    bio = BIO_new_mem_buf(file.b, (int)file.len);
    crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
    BIO_free(bio);
    file_free(&file);
    ERR_clear_error();
    if (crl && X509_CRL_verify(crl, X509_get0_pubkey(pki->ca)) == 1)
        return crl;
    ERR_clear_error();
    X509_CRL_free(crl);
    trouble_set(trouble, "%s is damaged: it is no revocation list of this authority", path);
    return NULL;
}

bool pki_crl_has(const X509_CRL *crl, const ASN1_INTEGER *serial)
{
    X509_REVOKED *found = NULL;

    return X509_CRL_get0_by_serial((X509_CRL *)(uintptr_t)crl, &found,
                                   (ASN1_INTEGER *)(uintptr_t)serial) == 1;
}
