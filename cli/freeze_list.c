/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate freeze list": what is frozen now. Each order is checked here against the operator's key,
 * if there is one: the services could leave an order out, but they can make none. What parties obey
 * is their own copy of the orders. */
#include "freeze_list.h"

#include "api.h"
#include "file.h"
#include "hex.h"
#include "report.h"

#include "system/access/order.h"
#include "system/core/key_file.h"
#include "system/core/secret.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { ORDER_MAX = 4096, PATH_TEXT_MAX = 64 };
_Static_assert(sizeof((struct trouble *)0)->text >= KEY_FILE_ERROR_MAX, "takes its sentences");

struct freeze_list {
    struct api_options api;
    const char *key;
    bool has_key;
    uint8_t operator_key[32];
};

/* The public half, from the file that is named, or else the usual one if it is there. */
static bool read_key(struct freeze_list *f, struct trouble *trouble)
{
    uint8_t *pair;
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/keys/operator.key", api_dir(&f->api));
    if (!f->key && !file_exists(path))
        return true;
    pair = secret_new(KEY_FILE_PAIR);
    f->has_key = key_file_read_pair(pair, f->key ? f->key : path, trouble->text);
    if (f->has_key)
        memcpy(f->operator_key, pair + KEY_FILE_SEED, sizeof f->operator_key);
    secret_free(pair);
    return f->has_key;
}

static bool is_signed(const struct freeze_list *f, const json_t *freeze)
{
    uint8_t body[ORDER_MAX], signature[64];
    Mpc__Session__V1__Order order = MPC__SESSION__V1__ORDER__INIT;
    Mpc__Session__V1__OrderBody *is;
    size_t len;
    bool is_same;

    if (!hex_read(body, sizeof body, &len, api_text(freeze, "body")) ||
        !hex_from_json(signature, sizeof signature, freeze, "signature"))
        return false;
    order.body = (ProtobufCBinaryData){len, body};
    order.signature = (ProtobufCBinaryData){sizeof signature, signature};
    is = order_verify(&order, f->operator_key);
    if (!is)
        return false;
    is_same = strcmp(is->action, "freeze") == 0 &&
              strcmp(is->account_id, api_text(freeze, "account_id")) == 0;
    mpc__session__v1__order_body__free_unpacked(is, NULL);
    return is_same;
}

static json_t *row_of(const struct freeze_list *f, const json_t *freeze)
{
    const char *account = api_text(freeze, "account_id"), *reason = api_text(freeze, "reason");
    json_t *row = json_object();

    report_add(row, "subject", json_string(account[0] ? "account" : "system"));
    report_add_text(row, "account_id", account[0] ? account : NULL);
    report_add_text(row, "reason", reason[0] ? reason : NULL);
    report_add(row, "issued_at", json_string(api_text(freeze, "issued_at")));
    if (f->has_key)
        report_add(row, "signed_by_operator", json_boolean(is_signed(f, freeze)));
    return row;
}

/* Append one page; |next| gets where the following one begins, 0 at the end. */
static bool add_page(const struct freeze_list *f, json_t *rows, struct api *api, json_int_t *next)
{
    char path[PATH_TEXT_MAX];
    json_t *page;
    const json_t *freeze;
    size_t i;

    snprintf(path, sizeof path, "/api/v1/freezes?after=%lld", (long long)*next);
    page = api_ask(api, &(struct api_call){.verb = "GET", .path = path});
    json_array_foreach(json_object_get(page, "freezes"), i, freeze)
        json_array_append_new(rows, row_of(f, freeze));
    *next = json_integer_value(json_object_get(page, "next"));
    json_decref(page);
    return page != NULL;
}

static int list(const struct freeze_list *f)
{
    struct api *api = api_open(&f->api);
    json_t *report = json_object(), *rows = json_array();
    json_int_t next = 0;
    bool ok = api != NULL;

    report_add(report, "freezes", rows);
    do
        ok = ok && add_page(f, rows, api, &next);
    while (ok && next > 0);
    api_close(api);
    if (ok)
        return report_print(report, f->api.json) ? EXIT_DONE : EXIT_REFUSED;
    json_decref(report);
    return EXIT_REFUSED;
}

int freeze_list(char **argv)
{
    struct freeze_list f = {0};
    const struct option_row rows[] = {
        {"--key", "FILE", NULL, &f.key,
         "the operator's key, to check the orders (default: keys/operator.key in --dir)"},
        API_OPTION_ROWS(f.api),
    };
    const struct options options = {
        "freeze list", "",
        "Show what is frozen now: accounts, or the whole system. Orders are checked against\n"
        "the operator's key if it is here.",
        rows, sizeof rows / sizeof rows[0]};
    struct trouble trouble;
    size_t rest_n;
    enum options_answer answer = options_read(&options, argv, NULL, 0, &rest_n);

    if (answer != OPTIONS_GO)
        return options_code(answer);
    if (!read_key(&f, &trouble))
        return refuse("%s", trouble.text);
    return list(&f);
}
