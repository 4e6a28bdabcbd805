/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate help" and "quorate version". */
#include "command.h"
#include "option.h"
#include "report.h"
#include "say.h"

#include "quorate/context.h"

#include <stdio.h>

static enum options_answer read_json_flag(const char *name, const char *help, char **argv,
                                          bool *json)
{
    const struct option_row rows[] = {{"--json", NULL, json, NULL, "answer in JSON"}};
    const struct options options = {name, "", help, rows, 1};
    size_t rest_n;

    return options_read(&options, argv, NULL, 0, &rest_n);
}

static void print_page(void)
{
    printf("usage: quorate COMMAND [options]\n\n"
           "Threshold ECDSA: keys that never exist in one place.\n\ncommands:\n");
    for (size_t i = 0; i < commands_n; i++) {
        if (commands[i].help)
            printf("  %-10s %s\n", commands[i].name, commands[i].help);
    }
    printf("\nquorate COMMAND --help shows the options of a command. All take --json.\n"
           "Exit codes: 0 done, 1 refused or failed, 2 wrong usage.\n");
}

static json_t *page_json(void)
{
    json_t *list = json_array(), *page = json_object();

    for (size_t i = 0; i < commands_n; i++) {
        if (commands[i].help)
            json_array_append_new(list, json_pack("{s:s,s:s}", "command", commands[i].name, "help",
                                                  commands[i].help));
    }
    report_add(page, "commands", list);
    return page;
}

int command_help(char **argv)
{
    bool json = false;
    enum options_answer answer = read_json_flag("help", "List the commands.", argv, &json);

    if (answer != OPTIONS_GO)
        return answer == OPTIONS_HELPED ? EXIT_DONE : EXIT_USAGE;
    if (json)
        return report_print(page_json(), true) ? EXIT_DONE : EXIT_REFUSED;
    print_page();
    return report_flush() ? EXIT_DONE : EXIT_REFUSED;
}

int command_version(char **argv)
{
    bool json = false;
    enum options_answer answer = read_json_flag("version", "Show the version.", argv, &json);

    if (answer != OPTIONS_GO)
        return answer == OPTIONS_HELPED ? EXIT_DONE : EXIT_USAGE;
    if (json)
        return report_print(json_pack("{s:s}", "version", qrt_version()), true) ? EXIT_DONE
                                                                                : EXIT_REFUSED;
    printf("quorate %s\n", qrt_version());
    return report_flush() ? EXIT_DONE : EXIT_REFUSED;
}
