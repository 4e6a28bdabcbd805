/* SPDX-License-Identifier: Apache-2.0 */
/* Checking an account: every party's signature over the same key, the addresses of that key, and,
 * if they are known here, the parties' identity keys. */
#include "account_verify.h"

#include "api.h"
#include "file.h"
#include "hex.h"
#include "library.h"
#include "report.h"

#include "quorate/address.h"
#include "quorate/certificate.h"

#include <sodium.h>
#include <string.h>

enum { CERTIFICATE_MAX = 16384, IDENTITIES_MAX = 1 << 20 };

struct check {
    const json_t *answer;
    const struct account_expected *expected;
    const struct qrt_ctx *ctx;
    uint8_t b[CERTIFICATE_MAX];
    struct qrt_key_certificate key;
    json_t *addresses;
    json_t *identities;
};

static bool open_certificate(struct check *c, struct trouble *trouble)
{
    const char *text = api_text(c->answer, "certificate");
    size_t len;
    enum qrt_err e;

    if (!text[0] || sodium_base642bin(c->b, sizeof c->b, text, strlen(text), NULL, &len, NULL,
                                      sodium_base64_VARIANT_ORIGINAL) != 0)
        return trouble_set(trouble, "the service gave no certificate in base64");
    e = qrt_certificate_open(&c->key, c->ctx, c->b, len);
    return e == QRT_OK || trouble_set(trouble, "the certificate is not valid: %s", qrt_err_text(e));
}

/* Addresses made here have to be those that the service shows, and hold the expected one. */
static bool check_addresses(struct check *c, struct trouble *trouble)
{
    const json_t *shown = json_object_get(c->answer, "addresses");
    bool found = !c->expected->address;
    struct qrt_pubkey pk;

    memcpy(pk.b, c->key.pk, sizeof pk.b);
    for (int kind = 0; kind < QRT_ADDRESS_KINDS; kind++) {
        const char *name = qrt_address_name((enum qrt_address_kind)kind);
        char text[QRT_ADDRESS_MAX];

        if (qrt_address(text, c->ctx, (enum qrt_address_kind)kind, &pk) != QRT_OK)
            return trouble_set(trouble, "the certificate's key has no address");
        if (strcmp(api_text(shown, name), text) != 0)
            return trouble_set(trouble,
                               "the service shows the %s address %s, but the certificate's key has"
                               " %s: do not use it",
                               name, api_text(shown, name), text);
        found = found || strcmp(text, c->expected->address) == 0;
        report_add(c->addresses, name, json_string(text));
    }
    return found || trouble_set(trouble, "%s is no address of this account's key: do not use it",
                                c->expected->address);
}

static bool read_identities(struct check *c, struct trouble *trouble)
{
    struct file file;

    if (!c->expected->must_compare && !file_exists(c->expected->identities))
        return true;
    if (!file_read(&file, c->expected->identities, IDENTITIES_MAX, trouble))
        return false;
    c->identities = json_loadb((const char *)file.b, file.len, 0, NULL);
    file_free(&file);
    return c->identities || trouble_set(trouble, "%s is not valid JSON", c->expected->identities);
}

/* One party as the service names it: it signed, and its identity key is the known one. */
static bool check_party(const struct check *c, const json_t *party, struct trouble *trouble)
{
    const char *id = api_text(party, "party_id");
    json_int_t index = json_integer_value(json_object_get(party, "index"));
    const struct qrt_cert_row *row =
        index > 0 && index <= QRT_INDEX_MAX ? qrt_certificate_row(&c->key, (uint16_t)index) : NULL;
    uint8_t known[32];

    if (!row)
        return trouble_set(trouble, "%s did not sign the certificate", id);
    if (!c->identities)
        return true;
    if (!hex_from_json(known, sizeof known, c->identities, id))
        return trouble_set(trouble, "%s has no identity key of %s", c->expected->identities, id);
    return memcmp(known, row->idpk, sizeof known) == 0 ||
           trouble_set(trouble, "%s signed with another identity key than %s says", id,
                       c->expected->identities);
}

static bool check_parties(const struct check *c, struct trouble *trouble)
{
    const json_t *parties = json_object_get(c->answer, "parties"), *party;
    size_t i;

    if (json_array_size(parties) != c->key.n)
        return trouble_set(trouble, "the service names %zu parties, %u signed",
                           json_array_size(parties), c->key.n);
    json_array_foreach(parties, i, party)
    {
        if (!check_party(c, party, trouble))
            return false;
    }
    return true;
}

static json_t *make_report(const struct check *c)
{
    json_t *report = json_object(), *names = json_array();
    const json_t *parties = json_object_get(c->answer, "parties");

    for (size_t i = 0; i < json_array_size(parties); i++)
        json_array_append_new(names, json_string(api_text(json_array_get(parties, i), "party_id")));
    report_add(report, "account_id", json_string(c->expected->account_id));
    report_add(report, "verified", json_true());
    report_add(report, "public_key", hex_json(c->key.pk, 33));
    report_add(report, "threshold_t", json_integer(c->key.t));
    report_add(report, "threshold_n", json_integer(c->key.n));
    report_add(report, "signed_by", names);
    report_add(report, "identities_compared", json_boolean(c->identities));
    report_add(report, "addresses", json_incref(c->addresses));
    return report;
}

json_t *account_verify(const json_t *answer, const struct account_expected *expected,
                       struct trouble *trouble)
{
    struct library library;
    struct check c = {.answer = answer, .expected = expected, .addresses = json_object()};
    json_t *report = NULL;

    library_open(&library);
    c.ctx = library.ctx;
    if (open_certificate(&c, trouble) && check_addresses(&c, trouble) &&
        read_identities(&c, trouble) && check_parties(&c, trouble))
        report = make_report(&c);
    library_close(&library);
    json_decref(c.addresses);
    json_decref(c.identities);
    return report;
}
