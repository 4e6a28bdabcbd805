/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate pki show": the authority, and what it made: in force, expired or revoked. */
#include "file.h"
#include "pki.h"
#include "pki_command.h"
#include "report.h"

#include "system/core/ids.h"

#include <openssl/x509.h>
#include <string.h>

enum { PUBLIC_MAX = 128, KEY_HEX = 64 };

json_t *pki_authority_json(const struct pki *pki, struct trouble *trouble)
{
    char path[PKI_PATH_MAX], text[PKI_TIME_MAX], name[PKI_NAME_MAX];
    uint8_t key[32];
    struct file file;
    json_t *report;

    pki_path(path, pki->dir, "authority.pub", NULL);
    if (!file_read(&file, path, PUBLIC_MAX, trouble))
        return NULL;
    report = json_object();
    pki_x509_name(name, pki->ca);
    pki_time_text(text, X509_get0_notAfter(pki->ca));
    report_add(report, "name", json_string(name));
    report_add(report, "not_after", json_string(text));
    report_add(report, "ca_key",
               json_stringn((const char *)file.b, file.len < KEY_HEX ? file.len : KEY_HEX));
    if (json_string_length(json_object_get(report, "ca_key")) != KEY_HEX ||
        !hex_decode(key, sizeof key, json_string_value(json_object_get(report, "ca_key")))) {
        trouble_set(trouble, "%s is damaged: it must hold 64 hex digits", path);
        json_decref(report);
        report = NULL;
    }
    file_free(&file);
    return report;
}

struct listing {
    const char *name;
    const X509_CRL *crl;
    json_t *list;
};

static const char *status_of(const struct listing *l, const X509 *certificate)
{
    if (pki_crl_has(l->crl, X509_get0_serialNumber(certificate)))
        return "revoked";
    return X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0 ? "expired" : "in force";
}

static bool add_one(void *arg, const X509 *certificate)
{
    const struct listing *l = arg;
    char name[PKI_NAME_MAX];
    json_t *one;

    pki_x509_name(name, certificate);
    if (l->name && strcmp(name, l->name) != 0)
        return true;
    one = pki_x509_json(certificate);
    report_add(one, "status", json_string(status_of(l, certificate)));
    json_array_append_new(l->list, one);
    return true;
}

static json_t *show(const struct pki *pki, const char *name, struct trouble *trouble)
{
    X509_CRL *crl = pki_crl_read(pki, trouble);
    struct listing listing = {name, crl, NULL};
    json_t *authority = crl ? pki_authority_json(pki, trouble) : NULL, *report = NULL;

    if (authority) {
        listing.list = json_array();
        report = json_object();
        report_add(report, "authority", authority);
        report_add(report, "certificates", listing.list);
        if (!pki_each_issued(pki, add_one, &listing, trouble)) {
            json_decref(report);
            report = NULL;
        }
    }
    X509_CRL_free(crl);
    return report;
}

int pki_command_show(const struct pki_request *request)
{
    struct pki pki = {0};
    struct trouble trouble;
    json_t *report = NULL;

    if (pki_open(&pki, request->dir, false, &trouble))
        report = show(&pki, request->name, &trouble);
    pki_close(&pki);
    if (!report)
        return refuse("%s", trouble.text);
    return report_print(report, request->json) ? EXIT_DONE : EXIT_REFUSED;
}
