/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate account": create, list, show, verify. */
#include "account_verify.h"
#include "api.h"
#include "command.h"
#include "report.h"

#include "quorate/types.h"

#include <stdio.h>
#include <string.h>

enum { PATH_TEXT_MAX = 512 };

struct account {
    struct api_options api;
    const char *user, *threshold, *parties, *user_share, *user_public_key, *key, *wait;
    const char *identities, *address;
    const char *id;
};

static int show_answer(const struct account *a, const struct api_call *call)
{
    struct api *api = api_open(&a->api);
    json_t *answer = api ? api_ask(api, call) : NULL;

    if (!api)
        json_decref(call->body);
    api_close(api);
    return answer && report_print(answer, a->api.json) ? EXIT_DONE : EXIT_REFUSED;
}

/* "2/3". */
static bool read_threshold(unsigned *t, unsigned *n, const char *text)
{
    char rest;

    return sscanf(text, "%4u/%4u%c", t, n, &rest) == 2;
}

static int check_create(const struct account *a, unsigned *t, unsigned *n)
{
    long wait;

    if (!a->user)
        return refuse_usage("--user is missing; see quorate account create --help");
    if (a->wait && !option_number(&wait, a->wait, 0, 600))
        return refuse_usage("--wait is a number of seconds up to 600");
    if (a->threshold && !read_threshold(t, n, a->threshold))
        return refuse_usage("--threshold looks like 2/3");
    if (a->threshold && (*t < 2 || *t > *n || *n > QRT_PARTIES_MAX))
        return refuse_usage("--threshold T/N: T is from 2 to N, and N at most %d", QRT_PARTIES_MAX);
    if (a->parties && !api_are_names(a->parties))
        return refuse_usage("--parties takes two names or more with commas between");
    if (a->user_share && strcmp(a->user_share, "none") != 0 &&
        strcmp(a->user_share, "delegate") != 0)
        return refuse_usage("--user-share is none or delegate, not %s", a->user_share);
    return EXIT_DONE;
}

static int create(struct account *a)
{
    char path[PATH_TEXT_MAX];
    unsigned t = 0, n = 0;
    int code = check_create(a, &t, &n);
    json_t *body;

    if (code != EXIT_DONE)
        return code;
    body = json_object();
    if (a->threshold) {
        report_add(body, "threshold_t", json_integer(t));
        report_add(body, "threshold_n", json_integer(n));
    }
    report_add_text(body, "user_id", a->user);
    report_add_text(body, "user_share", a->user_share);
    report_add_text(body, "user_public_key", a->user_public_key);
    report_add_text(body, "idempotency_key", a->key);
    if (a->parties)
        report_add(body, "participants", api_participants(a->parties));
    snprintf(path, sizeof path, "/api/v1/accounts%s%s", a->wait ? "?wait=" : "",
             a->wait ? a->wait : "");
    return show_answer(
        a,
        &(struct api_call){.verb = "POST", .path = path, .body = body, .doing = "making the key"});
}

/* Append one page; |next| gets where the following one begins, "" at the end. */
static bool add_page(json_t *accounts, struct api *api, char next[64])
{
    char path[PATH_TEXT_MAX];
    json_t *page;

    snprintf(path, sizeof path, "/api/v1/accounts%s%s", next[0] ? "?after=" : "", next);
    page = api_ask(api, &(struct api_call){.verb = "GET", .path = path});
    json_array_extend(accounts, json_object_get(page, "accounts"));
    snprintf(next, 64, "%s", api_text(page, "next"));
    json_decref(page);
    return page != NULL;
}

static int list(struct account *a)
{
    struct api *api = api_open(&a->api);
    json_t *report = json_object(), *accounts = json_array();
    char next[64] = "";
    bool ok = api != NULL;

    report_add(report, "accounts", accounts);
    do
        ok = ok && add_page(accounts, api, next);
    while (ok && next[0]);
    api_close(api);
    if (ok)
        return report_print(report, a->api.json) ? EXIT_DONE : EXIT_REFUSED;
    json_decref(report);
    return EXIT_REFUSED;
}

static int show(struct account *a)
{
    char path[PATH_TEXT_MAX];

    snprintf(path, sizeof path, "/api/v1/accounts/%s", a->id);
    return show_answer(a, &(struct api_call){.verb = "GET", .path = path});
}

static int verify(struct account *a)
{
    char path[PATH_TEXT_MAX];
    struct api *api = api_open(&a->api);
    struct account_expected expected = {.account_id = a->id, .address = a->address};
    struct trouble trouble;
    json_t *certificate, *report = NULL;

    snprintf(path, sizeof path, "/api/v1/accounts/%s/certificate", a->id);
    certificate = api ? api_ask(api, &(struct api_call){.verb = "GET", .path = path}) : NULL;
    api_close(api);
    if (!certificate)
        return EXIT_REFUSED;
    snprintf(path, sizeof path, "%s/identities.json", api_dir(&a->api));
    expected.identities = a->identities ? a->identities : path;
    expected.must_compare = a->identities != NULL;
    report = account_verify(certificate, &expected, &trouble);
    json_decref(certificate);
    if (!report)
        return refuse("%s", trouble.text);
    return report_print(report, a->api.json) ? EXIT_DONE : EXIT_REFUSED;
}

struct action {
    const char *name;
    int (*run)(struct account *a);
    bool takes_id;
    const char *help;
};

static const struct action actions[] = {
    {"create", create, false, "Make an account: a key that never exists in one place."},
    {"list", list, false, "Show all accounts."},
    {"show", show, true, "Show one account."},
    {"verify", verify, true,
     "Check the parties' signed certificate of an account's key, here, and that its addresses\n"
     "are those of that key: what to do before money is sent there."},
};

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; name && i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

static enum options_answer read_options(struct account *a, const struct action *action, char **argv,
                                        size_t *ids_n)
{
    const struct option_row create_rows[] = {
        {"--user", "ID", NULL, &a->user, "whose account it is"},
        {"--threshold", "T/N", NULL, &a->threshold, "how many of how many sign (default: 2/3)"},
        {"--parties", "A,B,C", NULL, &a->parties, "these parties (default: the pool chooses)"},
        {"--user-share", "KIND", NULL, &a->user_share, "none or delegate (default: none)"},
        {"--user-public-key", "HEX", NULL, &a->user_public_key,
         "X25519 key the share is sealed to"},
        {"--idempotency-key", "KEY", NULL, &a->key, "the same key gives the same account"},
        {"--wait", "SECONDS", NULL, &a->wait, "how long (default: 60); 0: do not wait"},
        API_OPTION_ROWS(a->api),
    };
    const struct option_row read_rows[] = {API_OPTION_ROWS(a->api)};
    const struct option_row verify_rows[] = {
        {"--address", "TEXT", NULL, &a->address, "must be one of the account's addresses"},
        {"--identities", "FILE", NULL, &a->identities,
         "the parties' identity keys, {\"party-1\": \"hex\"} (default: identities.json in --dir)"},
        API_OPTION_ROWS(a->api),
    };
    char name[32];
    struct options options = {name, action->takes_id ? "ACCOUNT_ID" : "", action->help, read_rows,
                              sizeof read_rows / sizeof read_rows[0]};

    snprintf(name, sizeof name, "account %s", action->name);
    if (action->run == create) {
        options.rows = create_rows;
        options.rows_n = sizeof create_rows / sizeof create_rows[0];
    } else if (action->run == verify) {
        options.rows = verify_rows;
        options.rows_n = sizeof verify_rows / sizeof verify_rows[0];
    }
    return options_read(&options, argv, &a->id, action->takes_id, ids_n);
}

int command_account(char **argv)
{
    const struct action *action = find_action(argv[1]);
    struct account a = {0};
    enum options_answer answer;
    size_t ids_n;

    if (!action)
        return refuse_usage("say what: quorate account create, list, show or verify");
    answer = read_options(&a, action, argv + 1, &ids_n);
    if (answer != OPTIONS_GO)
        return options_code(answer);
    if (action->takes_id && ids_n != 1)
        return refuse_usage("the account's id is missing; see quorate account %s --help",
                            action->name);
    if (a.id && !api_is_id(a.id))
        return refuse_usage("%s is no account id (a UUID)", a.id);
    return action->run(&a);
}
