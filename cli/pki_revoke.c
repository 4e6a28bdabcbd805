/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate pki revoke": certificates of a name, or one by its serial number, go on the list. What
 * has ended already is left out: nobody takes it any more. */
#include "file.h"
#include "pki.h"
#include "pki_command.h"
#include "report.h"

#include "system/core/buffer.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SERIALS_MAX = 256, HEX_MAX = 40 };

struct revoking {
    /* one of them */
    const char *name, *serial;
    const X509_CRL *crl;
    ASN1_INTEGER *found[SERIALS_MAX];
    size_t n;
    json_t *serials;
};

static bool is_wanted(const struct revoking *r, const X509 *certificate, const char *serial)
{
    char name[PKI_NAME_MAX];

    if (r->serial)
        return strcasecmp(r->serial, serial) == 0;
    pki_x509_name(name, certificate);
    return strcmp(name, r->name) == 0 && X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
}

static bool look_at(void *arg, const X509 *certificate)
{
    struct revoking *r = arg;
    char serial[PKI_SERIAL_MAX];

    pki_x509_serial(serial, certificate);
    if (r->n < SERIALS_MAX && is_wanted(r, certificate, serial) &&
        !pki_crl_has(r->crl, X509_get0_serialNumber(certificate))) {
        r->found[r->n++] = ASN1_INTEGER_dup(X509_get0_serialNumber(certificate));
        json_array_append_new(r->serials, json_string(serial));
    }
    return true;
}

static bool write_list(struct pki *pki, const struct revoking *r, struct trouble *trouble)
{
    const ASN1_INTEGER *serials[SERIALS_MAX];
    EVP_PKEY *key = pki_key_authority(pki, trouble);
    char path[PKI_PATH_MAX];
    uint8_t *pem;
    size_t len;
    bool ok;

    if (!key)
        return false;
    for (size_t i = 0; i < r->n; i++)
        serials[i] = r->found[i];
    pem = pki_crl_make(&len, r->crl, serials, r->n, pki->ca, key);
    EVP_PKEY_free(key);
    pki_path(path, pki->dir, "crl.pem", NULL);
    ok = file_replace(path, pem, len, trouble);
    free(pem);
    return ok;
}

static bool nothing_found(const struct revoking *r, struct trouble *trouble)
{
    if (r->serial)
        return trouble_set(trouble,
                           "no certificate of this authority has the serial number %s and is not "
                           "revoked yet; quorate pki show lists them",
                           r->serial);
    return trouble_set(trouble, "no certificate of %s is in force; quorate pki show lists them all",
                       r->name);
}

static json_t *revoke(struct pki *pki, struct revoking *r, struct trouble *trouble)
{
    char path[PKI_PATH_MAX];
    X509_CRL *crl = pki_crl_read(pki, trouble);
    json_t *report = NULL;

    r->crl = crl;
    r->serials = json_array();
    if (crl && pki_each_issued(pki, look_at, r, trouble) &&
        (r->n > 0 || nothing_found(r, trouble)) && write_list(pki, r, trouble)) {
        pki_path(path, pki->dir, "crl.pem", NULL);
        report = json_object();
        report_add_text(report, "name", r->name);
        report_add(report, "revoked", json_incref(r->serials));
        report_add(report, "crl", json_string(path));
    }
    for (size_t i = 0; i < r->n; i++)
        ASN1_INTEGER_free(r->found[i]);
    json_decref(r->serials);
    X509_CRL_free(crl);
    return report;
}

int pki_command_revoke(const struct pki_request *request)
{
    struct pki pki = {.passphrase_file = request->passphrase_file};
    struct revoking r = {.name = request->name, .serial = request->serial};
    struct trouble trouble;
    json_t *report = NULL;

    if (!r.name == !r.serial)
        return refuse_usage("give either a name or --serial; see quorate pki revoke --help");
    if (r.serial && (strlen(r.serial) > HEX_MAX ||
                     strspn(r.serial, "0123456789abcdefABCDEF") != strlen(r.serial)))
        return refuse_usage("--serial must be a serial number in hex, as quorate pki show has it");
    if (pki_open(&pki, request->dir, true, &trouble))
        report = revoke(&pki, &r, &trouble);
    pki_close(&pki);
    if (!report)
        return refuse("%s", trouble.text);
    return report_print(report, request->json) ? EXIT_DONE : EXIT_REFUSED;
}
