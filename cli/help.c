/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate help" and "quorate version". A command of several actions is in the table below. */
#include "command.h"
#include "option.h"
#include "report.h"
#include "say.h"

#include "quorate/context.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Commands whose next word says what to do, each with a page of its own; "" is no such word. */
static const struct several {
    const char *command;
    const char *actions[8];
} several[] = {
    {"account", {"create", "list", "show", "verify"}},
    {"backup", {"key", "verify", "restore", "merge", "drill", "seal", "open"}},
    {"freeze", {"", "list"}},
    {"pki", {"init", "issue", "renew", "revoke", "show"}},
    {"session", {"show", "events", "cancel"}},
};

static const struct several *find_several(const struct command *command)
{
    for (size_t i = 0; i < sizeof several / sizeof several[0]; i++)
        if (strcmp(several[i].command, command->name) == 0)
            return &several[i];
    return NULL;
}

bool command_has_actions(const struct command *command)
{
    return find_several(command) != NULL;
}

/* The page of |action|, "" for none, from the command itself. */
static int page_of(const struct command *command, const char *action)
{
    char flag[] = "--help";
    char *name = (char *)(uintptr_t)command->name, *word = (char *)(uintptr_t)action;
    char *argv[] = {name, action[0] ? word : flag, flag, NULL};

    return command->run(argv);
}

int command_help_of(const struct command *command)
{
    const struct several *more = find_several(command);
    int code = EXIT_DONE;

    if (!more)
        return page_of(command, "");
    for (size_t i = 0; more->actions[i] && code == EXIT_DONE; i++) {
        if (i > 0)
            printf("\n");
        code = page_of(command, more->actions[i]);
    }
    return code;
}

static void print_page(void)
{
    printf("usage: quorate COMMAND [options]\n\n"
           "Threshold ECDSA: keys that never exist in one place.\n\ncommands:\n");
    for (size_t i = 0; i < commands_n; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].help);
    printf("\nquorate help COMMAND shows the options of a command. All take --json.\n"
           "Exit codes: 0 done, 1 refused or failed, 2 wrong usage.\n");
}

static json_t *page_json(void)
{
    json_t *list = json_array(), *page = json_object();

    for (size_t i = 0; i < commands_n; i++)
        json_array_append_new(
            list, json_pack("{s:s,s:s}", "command", commands[i].name, "help", commands[i].help));
    report_add(page, "commands", list);
    return page;
}

static bool has_action(const struct several *more, const char *action)
{
    for (size_t i = 0; more->actions[i]; i++) {
        if (action[0] && strcmp(more->actions[i], action) == 0)
            return true;
    }
    return false;
}

static int help_of_action(const struct command *command, const char *action)
{
    const struct several *more = find_several(command);

    if (more && !has_action(more, action))
        return refuse_usage("there is no %s %s; quorate help %s shows what there is", command->name,
                            action, command->name);
    return page_of(command, action);
}

int command_help(char **argv)
{
    bool json = false;
    const struct option_row rows[] = {
        {"--json", NULL, &json, NULL, "the list of commands in JSON; goes with no COMMAND"}};
    const struct options options = {"help", "[COMMAND [WHAT]]",
                                    "List the commands, or show the options of one.", rows, 1};
    const char *words[2];
    size_t words_n;
    enum options_answer answer = options_read(&options, argv, words, 2, &words_n);

    if (answer != OPTIONS_GO)
        return options_code(answer);
    if (words_n > 0 && json)
        return refuse_usage("--json is for the list of commands; quorate help %s shows its options",
                            words[0]);
    if (words_n > 0 && !command_find(words[0]))
        return refuse_usage("there is no command %s; quorate help lists them", words[0]);
    if (words_n > 0)
        return words_n == 2 ? help_of_action(command_find(words[0]), words[1])
                            : command_help_of(command_find(words[0]));
    if (json)
        return report_print(page_json(), true) ? EXIT_DONE : EXIT_REFUSED;
    print_page();
    return report_flush() ? EXIT_DONE : EXIT_REFUSED;
}

int command_version(char **argv)
{
    bool json = false;
    const struct option_row rows[] = {{"--json", NULL, &json, NULL, "answer in JSON"}};
    const struct options options = {"version", "", "Show the version.", rows, 1};
    size_t rest_n;
    enum options_answer answer = options_read(&options, argv, NULL, 0, &rest_n);

    if (answer != OPTIONS_GO)
        return options_code(answer);
    if (json)
        return report_print(json_pack("{s:s}", "version", qrt_version()), true) ? EXIT_DONE
                                                                                : EXIT_REFUSED;
    printf("quorate %s\n", qrt_version());
    return report_flush() ? EXIT_DONE : EXIT_REFUSED;
}
