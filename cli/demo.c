/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate demo": a whole system in a fresh directory, an account made over HTTP, an Ethereum
 * transaction signed over HTTP, both checked here, and everything stopped again. */
#include "account_verify.h"
#include "api.h"
#include "command.h"
#include "demo_system.h"
#include "demo_transfer.h"
#include "ethereum.h"
#include "file.h"
#include "hex.h"
#include "library.h"
#include "option.h"
#include "report.h"
#include "signals.h"

#include "quorate/address.h"
#include "quorate/signature.h"
#include "system/core/clock.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TX_FILE_MAX = 1 << 20 };
static const char example[] = "examples/transfer.json";

struct demo {
    const char *dir, *tx_file;
    bool json;
    /* stdout takes what it gets; if not, that was said */
    bool printed;
    char temporary[PATH_MAX];
    struct eth_tx tx;
    struct buffer unsigned_tx;
    struct demo_system system;
    struct api *api;
    json_t *report;
    uint64_t began_us;
};

/* Into the report; as text at once, so that a person sees it happen. */
static void add(struct demo *demo, const char *key, json_t *value)
{
    if (!demo->json && demo->printed) {
        json_t *line = json_object();

        report_add(line, key, json_incref(value));
        demo->printed = report_print(line, false);
    }
    report_add(demo->report, key, value);
}

/* How long the step took that ends here. */
static void add_time(struct demo *demo, const char *key)
{
    uint64_t end = clock_steady_us();

    add(demo, key, json_real((double)(end - demo->began_us) / 1000));
    demo->began_us = clock_steady_us();
}

static bool read_tx(struct demo *demo, struct trouble *trouble)
{
    struct file file;
    bool ok;

    if (!demo->tx_file)
        return eth_tx_read(&demo->tx, example, DEMO_TRANSFER, strlen(DEMO_TRANSFER), trouble);
    if (!file_read(&file, demo->tx_file, TX_FILE_MAX, trouble))
        return false;
    ok = eth_tx_read(&demo->tx, demo->tx_file, (const char *)file.b, file.len, trouble);
    file_free(&file);
    return ok;
}

/* The account, and its certificate checked here before its address is shown. */
static json_t *make_account(struct demo *demo, struct trouble *trouble)
{
    const struct api_call create = {.verb = "POST",
                                    .path = "/api/v1/accounts",
                                    .body = json_pack("{s:s}", "user_id", "demo"),
                                    .doing = "making the key"};
    json_t *account = api_try(demo->api, &create, trouble), *certificate, *checked = NULL;
    char path[256], identities[PATH_MAX];
    struct account_expected expected = {.identities = identities};

    if (!account)
        return NULL;
    expected.account_id = api_text(account, "account_id");
    expected.address = api_text(json_object_get(account, "addresses"), "ethereum");
    snprintf(identities, sizeof identities, "%s/identities.json", demo->dir);
    snprintf(path, sizeof path, "/api/v1/accounts/%s/certificate", expected.account_id);
    certificate = api_try(demo->api, &(struct api_call){.verb = "GET", .path = path}, trouble);
    if (certificate)
        checked = account_verify(certificate, &expected, trouble);
    json_decref(certificate);
    if (!checked) {
        json_decref(account);
        return NULL;
    }
    json_decref(checked);
    return account;
}

/* The signature verifies, and Ethereum would find this account as its sender. */
static bool check_signature(struct qrt_sig *sig, const json_t *answer, const json_t *account,
                            const struct qrt_hash *hash, const struct qrt_ctx *ctx)
{
    const json_t *s = json_object_get(answer, "signature");
    uint8_t compact[64];
    struct qrt_pubkey pk, sender;

    if (!hex_from_json(compact, sizeof compact, s, "compact") ||
        qrt_sig_parse(sig, ctx, compact, sizeof compact) != QRT_OK ||
        !hex_from_json(pk.b, sizeof pk.b, account, "public_key"))
        return false;
    sig->recid = (uint8_t)json_integer_value(json_object_get(s, "recovery_id"));
    return qrt_sig_verify(ctx, sig, hash, &pk) == QRT_OK &&
           qrt_sig_recover(&sender, ctx, sig, hash) == QRT_OK &&
           memcmp(sender.b, pk.b, sizeof pk.b) == 0;
}

static json_t *ask_signature(struct demo *demo, const json_t *account, struct trouble *trouble)
{
    json_t *body = json_object();
    char path[256];

    report_add(body, "message", hex_json(demo->unsigned_tx.b, demo->unsigned_tx.len));
    report_add(body, "hash", json_string("keccak256"));
    snprintf(path, sizeof path, "/api/v1/accounts/%s/sign", api_text(account, "account_id"));
    return api_try(
        demo->api,
        &(struct api_call){.verb = "POST", .path = path, .body = body, .doing = "signing"},
        trouble);
}

static void show_signature(struct demo *demo, const json_t *answer, const struct qrt_sig *sig)
{
    struct buffer raw = {0};
    uint8_t hash[32], compact[64];

    qrt_sig_compact(compact, sig);
    eth_tx_signed(&raw, &demo->tx, sig);
    qrt_keccak256(hash, raw.b, raw.len);
    add(demo, "signed_by", json_incref(json_object_get(answer, "parties")));
    add(demo, "signature", hex_json_0x(compact, sizeof compact));
    add(demo, "recovery_id", json_integer(sig->recid));
    add(demo, "raw_transaction", hex_json_0x(raw.b, raw.len));
    add(demo, "transaction_hash", hex_json_0x(hash, sizeof hash));
    buffer_free(&raw);
}

static bool sign(struct demo *demo, const json_t *account, struct trouble *trouble)
{
    json_t *answer = ask_signature(demo, account, trouble);
    struct library library;
    struct qrt_hash hash;
    struct qrt_sig sig;
    bool ok;

    if (!answer)
        return false;
    add_time(demo, "signing_ms");
    add(demo, "signs", json_string(demo->tx_file ? demo->tx_file : example));
    library_open(&library);
    qrt_keccak256(hash.b, demo->unsigned_tx.b, demo->unsigned_tx.len);
    add(demo, "message_hash", hex_json_0x(hash.b, sizeof hash.b));
    ok = check_signature(&sig, answer, account, &hash, library.ctx);
    library_close(&library);
    if (ok)
        show_signature(demo, answer, &sig);
    else
        trouble_set(trouble, "the system gave a signature that does not verify");
    json_decref(answer);
    return ok;
}

static bool act(struct demo *demo, struct trouble *trouble)
{
    const struct api_options options = {.dir = demo->dir};
    json_t *account;
    bool ok;

    demo->api = api_open(&options);
    if (!demo->api)
        return trouble_set(trouble, "the system's client.json cannot be used");
    demo->began_us = clock_steady_us();
    account = make_account(demo, trouble);
    if (!account)
        return false;
    add_time(demo, "key_generation_ms");
    add(demo, "account_id", json_string(api_text(account, "account_id")));
    add(demo, "public_key", json_string(api_text(account, "public_key")));
    add(demo, "address", json_string(api_text(json_object_get(account, "addresses"), "ethereum")));
    add(demo, "parties", json_incref(json_object_get(account, "parties")));
    demo->began_us = clock_steady_us();
    ok = sign(demo, account, trouble);
    json_decref(account);
    return ok;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static bool enter(struct demo *demo, struct trouble *trouble)
{
    const char *place = getenv("TMPDIR");
    int n;

    if (demo->dir)
        return true;
    if (!place || !place[0])
        place = "/tmp";
    n = snprintf(demo->temporary, sizeof demo->temporary, "%s/quorate-demo-XXXXXX", place);
    if (n > 0 && (size_t)n < sizeof demo->temporary)
        demo->dir = mkdtemp(demo->temporary);
    else
        errno = ENAMETOOLONG;
    return demo->dir || trouble_set(trouble, "cannot make a temporary directory in %s: %s", place,
                                    strerror(errno));
}

/* The system runs from here to demo_system_stop. */
static bool start_and_act(struct demo *demo, struct trouble *trouble)
{
    demo->began_us = clock_steady_us();
    if (!demo_system_start(&demo->system, demo->dir, trouble))
        return false;
    add_time(demo, "system_start_ms");
    return act(demo, trouble);
}

static bool run_system(struct demo *demo, struct trouble *trouble)
{
    struct trouble later;
    bool ok;

    if (!enter(demo, trouble))
        return false;
    ok = start_and_act(demo, trouble);
    api_close(demo->api);
    if (!demo_system_stop(&demo->system, &later) && ok) {
        ok = false;
        *trouble = later;
    }
    if (demo->temporary[0])
        nftw(demo->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return ok;
}

static int run(struct demo *demo)
{
    struct trouble trouble;

    if (!read_tx(demo, &trouble))
        return refuse("%s", trouble.text);
    eth_tx_unsigned(&demo->unsigned_tx, &demo->tx);
    signals_catch();
    if (!run_system(demo, &trouble)) {
        if (signals_came())
            return refuse("stopped by a signal; nothing of the system is left running");
        /* quorate up has said why it could not start */
        return trouble.text[0] ? refuse("%s", trouble.text) : EXIT_REFUSED;
    }
    if (demo->json)
        demo->printed = report_print(json_incref(demo->report), true);
    return demo->printed ? EXIT_DONE : EXIT_REFUSED;
}

int command_demo(char **argv)
{
    struct demo demo = {.report = json_object(), .printed = true};
    const struct option_row rows[] = {
        {"--dir", "DIR", NULL, &demo.dir,
         "keep the system there, for quorate up (default: a temporary one)"},
        {"--tx", "FILE", NULL, &demo.tx_file,
         "sign this transaction (default: a built-in copy of examples/transfer.json)"},
        {"--json", NULL, &demo.json, NULL, "answer in JSON"},
    };
    const struct options options = {
        "demo", "",
        "Start a whole system on this machine, make an account over HTTP, sign an Ethereum\n"
        "transaction with it, check both, and stop everything.",
        rows, sizeof rows / sizeof rows[0]};
    size_t rest_n;
    enum options_answer answer = options_read(&options, argv, NULL, 0, &rest_n);
    int code = answer == OPTIONS_GO ? run(&demo) : options_code(answer);

    eth_tx_free(&demo.tx);
    buffer_free(&demo.unsigned_tx);
    json_decref(demo.report);
    return code;
}
