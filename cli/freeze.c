/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate freeze" and "quorate unfreeze": orders of the operator (freeze list: freeze_list.c). The
 * order is signed here; the services only carry it, and every party checks the signature itself.
 * Its serial is the time, so that of two orders the later one counts. */
#include "api.h"
#include "command.h"
#include "freeze_list.h"
#include "hex.h"
#include "report.h"

#include "system/access/order.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/ids.h"
#include "system/core/key_file.h"
#include "system/core/secret.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REASON_MAX = 1000 };
_Static_assert(sizeof((struct trouble *)0)->text >= KEY_FILE_ERROR_MAX, "takes its sentences");

struct freeze {
    /* "freeze", "unfreeze" */
    const char *action;
    struct api_options api;
    const char *account, *reason, *key;
    /* |account| in lower case, as the system has it */
    char id[ID_TEXT_MAX];
};

static uint8_t *make_order(size_t *len, const struct freeze *f, int64_t now)
{
    Mpc__Session__V1__OrderBody body = MPC__SESSION__V1__ORDER_BODY__INIT;
    uint8_t *b;

    body.action = (char *)(uintptr_t)f->action;
    body.account_id = (char *)(uintptr_t)(f->account ? f->account : "");
    body.reason = (char *)(uintptr_t)(f->reason ? f->reason : "");
    body.serial = (uint64_t)now;
    body.issued_ms = now;
    b = mem_new(1, mpc__session__v1__order_body__get_packed_size(&body));
    *len = mpc__session__v1__order_body__pack(&body, b);
    return b;
}

/* The request's body, or NULL if the key cannot be read. */
static json_t *sign_order(const struct freeze *f, int64_t now, struct trouble *trouble)
{
    uint8_t *pair = secret_new(KEY_FILE_PAIR), *order, signature[64];
    char path[PATH_MAX];
    json_t *body = NULL;
    size_t len;

    snprintf(path, sizeof path, "%s/keys/operator.key", api_dir(&f->api));
    if (key_file_read_pair(pair, f->key ? f->key : path, trouble->text)) {
        order = make_order(&len, f, now);
        order_sign(signature, order, len, pair);
        body = json_object();
        report_add(body, "body", hex_json(order, len));
        report_add(body, "signature", hex_json(signature, sizeof signature));
        free(order);
    }
    secret_free(pair);
    return body;
}

static json_t *make_report(const struct freeze *f, int64_t now)
{
    json_t *report = json_object();

    report_add(report, "action", json_string(f->action));
    report_add(report, "subject", json_string(f->account ? "account" : "system"));
    report_add_text(report, "account_id", f->account);
    report_add_text(report, "reason", f->reason);
    report_add(report, "serial", json_integer(now));
    report_add(report, "obeyed", json_string("by every connected party within about a second"));
    return report;
}

/* The parties obey for any id; one that nobody knows is most likely mistyped. */
static bool is_known(struct api *api, const struct freeze *f)
{
    char path[64];
    json_t *account;

    if (!f->account)
        return true;
    snprintf(path, sizeof path, "/api/v1/accounts/%s", f->account);
    account = api_ask(api, &(struct api_call){.verb = "GET", .path = path});
    if (!account)
        say("the order was given, but this account is not known to be there: is the id right?");
    json_decref(account);
    return account != NULL;
}

static int run(const struct freeze *f)
{
    const int64_t now = clock_unix_ms();
    struct trouble trouble;
    json_t *body = sign_order(f, now, &trouble), *answer;
    struct api *api;
    bool ok;

    if (!body)
        return refuse("%s", trouble.text);
    api = api_open(&f->api);
    if (!api) {
        json_decref(body);
        return EXIT_REFUSED;
    }
    answer =
        api_ask(api, &(struct api_call){.verb = "POST", .path = "/api/v1/orders", .body = body});
    ok = answer && report_print(make_report(f, now), f->api.json) && is_known(api, f);
    json_decref(answer);
    api_close(api);
    return ok ? EXIT_DONE : EXIT_REFUSED;
}

static int command(struct freeze *f, const char *help, char **argv)
{
    const struct option_row rows[] = {
        {"--account", "ID", NULL, &f->account, "this account alone (default: the whole system)"},
        {"--reason", "TEXT", NULL, &f->reason, "why, for the logs"},
        {"--key", "FILE", NULL, &f->key,
         "the operator's key (default: keys/operator.key in --dir)"},
        API_OPTION_ROWS(f->api),
    };
    const struct options options = {f->action, "", help, rows, sizeof rows / sizeof rows[0]};
    uint8_t id[16];
    size_t rest_n;
    enum options_answer answer = options_read(&options, argv, NULL, 0, &rest_n);

    if (answer != OPTIONS_GO)
        return options_code(answer);
    if (f->account && !id_parse(id, f->account))
        return refuse_usage("%s is no account id (a UUID)", f->account);
    if (f->account) {
        id_text(f->id, id);
        f->account = f->id;
    }
    if (f->reason && strlen(f->reason) > REASON_MAX)
        return refuse_usage("--reason is longer than %d bytes", REASON_MAX);
    return run(f);
}

int command_freeze(char **argv)
{
    struct freeze f = {.action = "freeze"};

    if (argv[1] && strcmp(argv[1], "list") == 0)
        return freeze_list(argv + 1);
    return command(
        &f,
        "Order the parties to sign nothing for an account, or for anybody. The order is\n"
        "signed by the operator's key; the parties obey it within about a second, whatever\n"
        "the services say, until an unfreeze.",
        argv);
}

int command_unfreeze(char **argv)
{
    struct freeze f = {.action = "unfreeze"};

    return command(&f,
                   "End the freeze of an account, or that of the whole system. An account that is\n"
                   "frozen itself stays so when the system's freeze ends. The parties obey within\n"
                   "about a second; a signature that is asked for at once waits for that.",
                   argv);
}
