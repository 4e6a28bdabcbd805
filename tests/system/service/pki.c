/* SPDX-License-Identifier: Apache-2.0 */
/* See pki.h. */
#include "pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void extend(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(extension);
    assert_int_equal(X509_add_ext(x, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* |issuer| NULL: an authority that signs itself. */
static X509 *make(EVP_PKEY *key, const char *name, X509 *issuer, EVP_PKEY *issuer_key)
{
    static long serial;
    X509 *x = X509_new();
    X509_NAME *subject = X509_get_subject_name(x);

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : subject);
    X509_set_pubkey(x, key);
    extend(x, NID_basic_constraints, issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (issuer)
        extend(x, NID_subject_alt_name, "IP:127.0.0.1");
    assert_true(X509_sign(x, issuer ? issuer_key : key, EVP_sha256()) > 0);
    return x;
}

static void write_certificate(const char *path, X509 *x)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, x), 1);
    fclose(file);
}

static void write_key(const char *path, EVP_PKEY *key)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
}

void pki_make(struct pki *pki)
{
    const char *tmp = getenv("TMPDIR");
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = make(ca_key, "the authority", NULL, NULL);
    X509 *leaf = make(key, "a program", ca, ca_key);

    snprintf(pki->dir, sizeof pki->dir, "%.40s/qrt-pki-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(pki->dir));
    snprintf(pki->ca, sizeof pki->ca, "%s/ca.pem", pki->dir);
    snprintf(pki->certificate, sizeof pki->certificate, "%s/cert.pem", pki->dir);
    snprintf(pki->key, sizeof pki->key, "%s/key.pem", pki->dir);
    write_certificate(pki->ca, ca);
    write_certificate(pki->certificate, leaf);
    write_key(pki->key, key);
    X509_free(ca);
    X509_free(leaf);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
}

void pki_remove(const struct pki *pki)
{
    unlink(pki->ca);
    unlink(pki->certificate);
    unlink(pki->key);
    assert_int_equal(rmdir(pki->dir), 0);
}
