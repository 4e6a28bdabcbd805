/* SPDX-License-Identifier: Apache-2.0 */
/* What the table says to people: --help, .env.example and docs/configuration.md. */
#include "system/core/config.h"
#include "system/core/config_form.h"
#include "system/core/config_table.h"

#include <stdio.h>
#include <string.h>

static const struct {
    enum config_program program;
    const char *name;
} programs[] = {
    {CONFIG_ACCOUNT, "account-service"},    {CONFIG_COORDINATOR, "session-coordinator"},
    {CONFIG_ROUTER, "message-router"},      {CONFIG_PARTY, "server-party"},
    {CONFIG_PARTY_API, "server-party-api"}, {CONFIG_KEEPER, "keeper"},
};
enum { PROGRAMS_N = sizeof programs / sizeof programs[0] };

static void programs_text(char *out, size_t max, unsigned mask)
{
    size_t at = 0;

    if (mask == CONFIG_ALL) {
        snprintf(out, max, "all");
        return;
    }
    out[0] = 0;
    for (size_t i = 0; i < PROGRAMS_N && at < max; i++) {
        if (mask & programs[i].program)
            at += (size_t)snprintf(out + at, max - at, "%s%s", at ? ", " : "", programs[i].name);
    }
}

/* "required", "default 8080" or "optional". */
static void need_text(char *out, size_t max, const struct config_row *row)
{
    if (row->flags & CONFIG_REQUIRED)
        snprintf(out, max, "required");
    else if (row->fallback)
        snprintf(out, max, "default %s", row->fallback);
    else
        snprintf(out, max, "optional");
}

static void form_text(char out[CONFIG_FORM_TEXT_MAX], const struct config_row *row)
{
    config_form_text(out, row);
    if (row->form == CONFIG_FORM_TEXT)
        snprintf(out, CONFIG_FORM_TEXT_MAX, "text");
}

void config_print_help(enum config_program program)
{
    char form[CONFIG_FORM_TEXT_MAX], need[128];

    for (size_t i = 0; i < config_rows_n; i++) {
        const struct config_row *row = &config_rows[i];

        if (!(row->programs & program))
            continue;
        form_text(form, row);
        need_text(need, sizeof need, row);
        printf("  %s  (%s; %s%s)\n      %s\n", row->name, form, need,
               row->flags & CONFIG_SECRET ? "; secret" : "", row->help);
    }
}

/* A variable as it stands in a file of examples. */
static void print_row(const struct config_row *row, bool is_set)
{
    const char *shown = row->placeholder ? row->placeholder : row->fallback;
    char form[CONFIG_FORM_TEXT_MAX], who[128];

    form_text(form, row);
    programs_text(who, sizeof who, row->programs);
    printf("\n# %s\n# Form: %s. Read by: %s.\n", row->help, form, who);
    printf("%s%s=%s\n", is_set ? "" : "#", row->name, shown ? shown : "");
}

void config_print_example(void)
{
    printf("# Configuration of Quorate's services. Copy this file to .env and fill it in; every\n"
           "# variable may stand in the environment instead, which wins. Lines that begin with #\n"
           "# show defaults. In production the placeholders below are refused.\n"
           "# This file is made from the services' table of variables: scripts/config-docs.sh.\n");
    for (size_t i = 0; i < config_rows_n; i++)
        print_row(&config_rows[i], config_rows[i].flags & CONFIG_REQUIRED);
}

void config_print_example_prod(void)
{
    printf(
        "# What ./deploy.sh needs to be told in production; the rest it makes or finds. Copy\n"
        "# this file to .env and replace each value: the placeholders are refused. .env.example\n"
        "# lists everything that may stand there.\n"
        "# This file is made from the services' table of variables: scripts/config-docs.sh.\n");
    for (size_t i = 0; i < config_rows_n; i++) {
        if (config_rows[i].placeholder && !(config_rows[i].flags & CONFIG_EXAMPLE))
            print_row(&config_rows[i], true);
    }
}

void config_print_example_party(void)
{
    printf("# Configuration of one party on a host of its own. Copy this file to .env and fill it\n"
           "# in. Lines that begin with # show defaults. In production the placeholders below are\n"
           "# refused.\n"
           "# This file is made from the services' table of variables: scripts/config-docs.sh.\n");
    for (size_t i = 0; i < config_rows_n; i++) {
        if (config_rows[i].programs & (CONFIG_PARTY | CONFIG_KEEPER))
            print_row(&config_rows[i], config_rows[i].flags & CONFIG_REQUIRED);
    }
}

void config_print_reference(void)
{
    char form[CONFIG_FORM_TEXT_MAX], need[128], who[128];

    printf(
        "# Configuration\n\n"
        "Every service reads variables from its environment, or from a file of `NAME=VALUE` "
        "lines: the one\nthat `--env-file` names, else `.env` in the working directory if there "
        "is one. The environment\nwins. `--check` reads everything, says what is wrong and ends; "
        "`--help` lists what the program reads.\n\n"
        "A missing or malformed value stops the service with one line that names the variable. An "
        "unknown\nname in the file is refused, and a file with secrets that others can read: it "
        "must have mode\n0600, or, where it belongs to another user (as a mounted secret does), be "
        "closed to all but its\ngroup; it may be a symbolic link. Secrets are overwritten in the "
        "environment once "
        "they are read. In\nproduction the placeholders of `.env.example` are refused.\n\n"
        "This page and `.env.example` are made from the services' table of variables by\n"
        "`scripts/config-docs.sh`.\n\n"
        "| variable | form | | read by | meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < config_rows_n; i++) {
        const struct config_row *row = &config_rows[i];

        form_text(form, row);
        need_text(need, sizeof need, row);
        programs_text(who, sizeof who, row->programs);
        printf("| `%s` | %s | %s%s | %s | %s |\n", row->name, form, need,
               row->flags & CONFIG_SECRET ? ", secret" : "", who, row->help);
    }
}
