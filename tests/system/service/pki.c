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

struct wish {
    const char *name, *names;
    long from_s, to_s;
};

/* |issuer| NULL: an authority that signs itself. */
static X509 *make(EVP_PKEY *key, const struct wish *wish, X509 *issuer, EVP_PKEY *issuer_key)
{
    static long serial;
    X509 *x = X509_new();
    X509_NAME *subject = X509_get_subject_name(x);

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), wish->from_s);
    X509_gmtime_adj(X509_getm_notAfter(x), wish->to_s);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)wish->name, -1,
                               -1, 0);
    X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : subject);
    X509_set_pubkey(x, key);
    extend(x, NID_basic_constraints, issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (wish->names)
        extend(x, NID_subject_alt_name, wish->names);
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

void pki_renew(struct pki *pki, const char *names, long from_s, long to_s)
{
    const struct wish wish = {"a program", names, from_s, to_s};
    EVP_PKEY *key = EVP_EC_gen("P-256");

    X509_free(pki->leaf);
    pki->leaf = make(key, &wish, pki->issuer, pki->issuer_key);
    write_certificate(pki->certificate, pki->leaf);
    write_key(pki->key, key);
    EVP_PKEY_free(key);
}

void pki_revoke(struct pki *pki, bool is_revoked, long to_s)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = X509_gmtime_adj(NULL, -60), *to = X509_gmtime_adj(NULL, to_s);
    X509_REVOKED *revoked = X509_REVOKED_new();
    FILE *file = fopen(pki->crl, "w");

    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(pki->issuer));
    X509_CRL_set1_lastUpdate(crl, from);
    X509_CRL_set1_nextUpdate(crl, to);
    X509_REVOKED_set_serialNumber(revoked, X509_get_serialNumber(pki->leaf));
    X509_REVOKED_set_revocationDate(revoked, from);
    if (is_revoked)
        assert_int_equal(X509_CRL_add0_revoked(crl, revoked), 1);
    else
        X509_REVOKED_free(revoked);
    assert_true(X509_CRL_sign(crl, pki->issuer_key, EVP_sha256()) > 0);
    assert_non_null(file);
    assert_int_equal(PEM_write_X509_CRL(file, crl), 1);
    fclose(file);
    X509_CRL_free(crl);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
}

void pki_make(struct pki *pki)
{
    static const struct wish wish = {"the authority", NULL, -60, 3600};
    const char *tmp = getenv("TMPDIR");

    *pki = (struct pki){.issuer_key = EVP_EC_gen("P-256")};
    pki->issuer = make(pki->issuer_key, &wish, NULL, NULL);
    snprintf(pki->dir, sizeof pki->dir, "%.40s/qrt-pki-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(pki->dir));
    snprintf(pki->ca, sizeof pki->ca, "%s/ca.pem", pki->dir);
    snprintf(pki->certificate, sizeof pki->certificate, "%s/cert.pem", pki->dir);
    snprintf(pki->key, sizeof pki->key, "%s/key.pem", pki->dir);
    snprintf(pki->crl, sizeof pki->crl, "%s/crl.pem", pki->dir);
    write_certificate(pki->ca, pki->issuer);
    pki_renew(pki, "IP:127.0.0.1", -60, 3600);
    pki_revoke(pki, false, 3600);
}

void pki_remove(const struct pki *pki)
{
    unlink(pki->ca);
    unlink(pki->certificate);
    unlink(pki->key);
    unlink(pki->crl);
    X509_free(pki->issuer);
    X509_free(pki->leaf);
    EVP_PKEY_free(pki->issuer_key);
    assert_int_equal(rmdir(pki->dir), 0);
}
