/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate session", "quorate parties", "quorate status": what the system says about itself. */
#include "api.h"
#include "command.h"
#include "report.h"

#include <stdio.h>
#include <string.h>

enum { PATH_TEXT_MAX = 512, SIGNERS_MIN = 2 };

static int ask_and_print(const struct api_options *options, const struct api_call *call)
{
    struct api *api = api_open(options);
    json_t *answer = api ? api_ask(api, call) : NULL;

    api_close(api);
    return answer && report_print(answer, options->json) ? EXIT_DONE : EXIT_REFUSED;
}

struct action {
    const char *name, *verb, *suffix, *help;
};

static const struct action actions[] = {
    {"show", "GET", "", "Show a session."},
    {"events", "GET", "/events", "Show a session's log of events, oldest first."},
    {"cancel", "POST", "/cancel", "End a session that has not ended."},
};

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; name && i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

int command_session(char **argv)
{
    const struct action *action = find_action(argv[1]);
    struct api_options api = {0};
    const struct option_row rows[] = {API_OPTION_ROWS(api)};
    char name[32], path[PATH_TEXT_MAX];
    struct options options = {name, "SESSION_ID", NULL, rows, sizeof rows / sizeof rows[0]};
    const char *id = NULL;
    size_t ids_n;
    enum options_answer answer;

    if (!action)
        return refuse_usage("say what: quorate session show, events or cancel");
    snprintf(name, sizeof name, "session %s", action->name);
    options.help = action->help;
    answer = options_read(&options, argv + 1, &id, 1, &ids_n);
    if (answer != OPTIONS_GO)
        return options_code(answer);
    if (ids_n != 1)
        return refuse_usage("the session's id is missing; see quorate %s --help", name);
    if (!api_is_id(id))
        return refuse_usage("%s is no session id (a UUID)", id);
    snprintf(path, sizeof path, "/api/v1/mpc/sessions/%s%s", id, action->suffix);
    return ask_and_print(&api, &(struct api_call){.verb = action->verb, .path = path});
}

int command_parties(char **argv)
{
    struct api_options api = {0};
    const struct option_row rows[] = {API_OPTION_ROWS(api)};
    const struct options options = {"parties", "", "Show the parties of the pool.", rows,
                                    sizeof rows / sizeof rows[0]};
    size_t rest_n;
    enum options_answer answer = options_read(&options, argv, NULL, 0, &rest_n);

    if (answer != OPTIONS_GO)
        return options_code(answer);
    return ask_and_print(&api, &(struct api_call){.verb = "GET", .path = "/api/v1/parties"});
}

/* |with_delegates|: those that hold users' shares, too. */
static size_t count_live(const json_t *parties, bool with_delegates)
{
    size_t i, live = 0;
    const json_t *party;

    json_array_foreach(parties, i, party)
    {
        if (with_delegates || strcmp(api_text(party, "role"), "delegate") != 0)
            live += json_is_true(json_object_get(party, "live"));
    }
    return live;
}

/* A threshold is never lower than SIGNERS_MIN. */
static int print_status(const json_t *parties, bool as_json)
{
    json_t *report = json_object();
    const size_t servers = count_live(parties, false);
    const bool can_sign = servers >= SIGNERS_MIN;

    report_add(report, "status", json_string("ready"));
    report_add(report, "signing", json_string(can_sign ? "ready" : "not_ready"));
    report_add(report, "parties_live", json_integer((json_int_t)count_live(parties, true)));
    report_add(report, "parties_known", json_integer((json_int_t)json_array_size(parties)));
    if (!report_print(report, as_json))
        return EXIT_REFUSED;
    return can_sign ? EXIT_DONE
                    : refuse("live server parties: %zu, and a signature takes %d or more; "
                             "quorate parties shows them, their logs say why",
                             servers, SIGNERS_MIN);
}

/* Is it there, is it ready, and who takes part? Exit 1 unless it is ready and can sign. */
static int show_status(const struct api_options *options)
{
    struct api *api = api_open(options);
    struct trouble trouble;
    json_t *ready, *answer;
    int code;

    if (!api)
        return EXIT_REFUSED;
    ready = api_try(api, &(struct api_call){.verb = "GET", .path = "/ready"}, &trouble);
    answer =
        ready ? api_ask(api, &(struct api_call){.verb = "GET", .path = "/api/v1/parties"}) : NULL;
    api_close(api);
    if (!ready)
        say("%s", trouble.text);
    json_decref(ready);
    if (!answer)
        return EXIT_REFUSED;
    code = print_status(json_object_get(answer, "parties"), options->json);
    json_decref(answer);
    return code;
}

int command_status(char **argv)
{
    struct api_options api = {0};
    const struct option_row rows[] = {API_OPTION_ROWS(api)};
    const struct options options = {
        "status", "",
        "Is the system ready to work, and are parties there to sign? Exit code "
        "1 unless both are so.",
        rows, sizeof rows / sizeof rows[0]};
    size_t rest_n;
    enum options_answer answer = options_read(&options, argv, NULL, 0, &rest_n);

    return answer == OPTIONS_GO ? show_status(&api) : options_code(answer);
}
