/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate doctor": looks over a system on this machine, or one process's configuration and what it
 * depends on. Each finding is one line: what is wrong, and what to do. */
#include "doctor.h"

#include "command.h"
#include "file.h"
#include "option.h"
#include "report.h"
#include "say.h"

#include "system/core/clock.h"
#include "system/core/config_table.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A difference of 30 s is refused by the services. */
enum { SKEW_TOLD_MS = 5000, NAME_SIZE = 64 };

static const struct {
    const char *name;
    enum config_program program;
} programs[] = {
    {"account-service", CONFIG_ACCOUNT},
    {"session-coordinator", CONFIG_COORDINATOR},
    {"message-router", CONFIG_ROUTER},
    {"server-party-api", CONFIG_PARTY_API | CONFIG_KEEPER},
    {"server-party", CONFIG_PARTY | CONFIG_KEEPER},
    {"party-", CONFIG_PARTY | CONFIG_KEEPER},
};

/* By how |name| begins; 0: none. */
static enum config_program program_of(const char *name)
{
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        if (strncmp(name, programs[i].name, strlen(programs[i].name)) == 0)
            return programs[i].program;
    }
    return 0;
}

static void add(struct doctor *doctor, const char *todo, const char *what, va_list args)
{
    json_t *one = json_object();
    char text[768];

    vsnprintf(text, sizeof text, what, args);
    text[strcspn(text, "\r\n")] = '\0';
    report_add_text(one, "where", doctor->where);
    report_add_text(one, "what", text);
    report_add_text(one, "do", todo);
    report_add(one, "kind", json_integer(doctor->kind));
    report_add(one, "port", json_integer(doctor->port));
    json_array_append_new(doctor->findings, one);
}

void doctor_find(struct doctor *doctor, const char *todo, const char *what, ...)
{
    va_list args;

    va_start(args, what);
    add(doctor, todo, what, args);
    va_end(args);
}

void doctor_check(struct doctor *doctor, bool is_well, const char *todo, const char *what, ...)
{
    va_list args;

    doctor->checks++;
    va_start(args, what);
    if (!is_well)
        add(doctor, todo, what, args);
    va_end(args);
}

void doctor_check_clock(struct doctor *doctor, const char *who, int64_t theirs_ms)
{
    int64_t ahead = theirs_ms - clock_unix_ms();

    doctor_check(doctor, ahead < SKEW_TOLD_MS && ahead > -SKEW_TOLD_MS,
                 "let a time service (chrony, systemd-timesyncd) set both: a difference of 30 s is "
                 "refused",
                 "the clock of %s is %lld s %s this machine's", who,
                 (long long)(llabs(ahead) / 1000), ahead > 0 ? "ahead of" : "behind");
}

static bool reads(const struct doctor *doctor, const char *name)
{
    for (size_t i = 0; i < config_rows_n; i++) {
        if (strcmp(config_rows[i].name, name) == 0)
            return (config_rows[i].programs & (unsigned)doctor->program) != 0;
    }
    return false;
}

const char *doctor_text(const struct doctor *doctor, const char *name)
{
    return reads(doctor, name) ? config_text(doctor->config, name) : "";
}

int64_t doctor_int(const struct doctor *doctor, const char *name)
{
    return reads(doctor, name) ? config_int(doctor->config, name) : 0;
}

bool doctor_is(const struct doctor *doctor, const char *name, const char *value)
{
    return strcmp(doctor_text(doctor, name), value) == 0;
}

static void look_at(struct doctor *doctor, const char *where, const char *env_file,
                    enum config_program program)
{
    doctor->where = where;
    doctor->env_file = env_file;
    doctor->program = program;
    if (doctor_config(doctor)) {
        doctor_files(doctor);
        doctor_servers(doctor);
        doctor_peers(doctor);
        doctor_disk(doctor);
    }
    config_free(doctor->config);
    doctor->config = NULL;
}

static int is_env(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 4 && strcmp(entry->d_name + len - 4, ".env") == 0 && program_of(entry->d_name);
}

/* Variables of the environment are for one process: here each has its own file. */
static void forget_environment(void)
{
    for (size_t i = 0; i < config_rows_n; i++)
        unsetenv(config_rows[i].name);
}

static bool look_at_all(struct doctor *doctor, const char *dir)
{
    struct dirent **list = NULL;
    int n = scandir(dir, &list, is_env, alphasort);

    forget_environment();
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX], name[NAME_SIZE];

        snprintf(path, sizeof path, "%s/%s", dir, list[i]->d_name);
        snprintf(name, sizeof name, "%.*s", (int)strlen(list[i]->d_name) - 4, list[i]->d_name);
        look_at(doctor, name, path, program_of(name));
        free(list[i]);
    }
    free(list);
    return n > 0;
}

static int print(struct doctor *doctor, bool as_json)
{
    bool is_well = json_array_size(doctor->findings) == 0;
    size_t i;
    json_t *one, *report;

    doctor_fold(doctor);
    if (as_json) {
        report = json_object();
        report_add(report, "checks", json_integer((json_int_t)doctor->checks));
        report_add(report, "findings", json_incref(doctor->findings));
        return report_print(report, true) && is_well ? EXIT_DONE : EXIT_REFUSED;
    }
    json_array_foreach(doctor->findings, i, one)
    {
        report_line("%s: %s; %s", json_string_value(json_object_get(one, "where")),
                    json_string_value(json_object_get(one, "what")),
                    json_string_value(json_object_get(one, "do")));
    }
    report_line("%zu checks, %zu findings", doctor->checks, i);
    return report_flush() && is_well ? EXIT_DONE : EXIT_REFUSED;
}

struct wish {
    const char *env, *dir, *program;
    bool json;
};

static int run_one(struct doctor *doctor, const struct wish *o)
{
    const char *slash = o->env ? strrchr(o->env, '/') : NULL, *name = o->program ? o->program
                                                                      : slash    ? slash + 1
                                                                      : o->env   ? o->env
                                                                                 : "";
    char where[NAME_SIZE];

    if (o->env && access(o->env, R_OK) != 0)
        return refuse("cannot read %s: %s", o->env, strerror(errno));
    if (!program_of(name))
        return refuse_usage("--program NAME is needed: account-service, session-coordinator, "
                            "message-router, server-party or server-party-api");
    snprintf(where, sizeof where, "%.*s", (int)strcspn(name, "."), name);
    look_at(doctor, where, o->env, program_of(name));
    return EXIT_DONE;
}

static int run(const struct wish *o)
{
    const char *dir = o->dir ? o->dir : "quorate-data";
    struct doctor doctor = {
        .where = "this machine", .findings = json_array(), .ports = json_object()};
    int code = EXIT_DONE;

    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return refuse("libsodium or libcurl cannot start on this machine");
    doctor_machine(&doctor);
    if (o->env || o->program)
        code = run_one(&doctor, o);
    else if (!look_at_all(&doctor, dir))
        code = refuse("%s has no env file of a process: --dir DIR names the directory of a system, "
                      "--env FILE the configuration of one process",
                      dir);
    if (code == EXIT_DONE)
        code = print(&doctor, o->json);
    json_decref(doctor.findings);
    json_decref(doctor.ports);
    curl_global_cleanup();
    return code;
}

int command_doctor(char **argv)
{
    struct wish o = {0};
    const struct option_row rows[] = {
        {"--dir", "DIR", NULL, &o.dir, "a system's directory (default: quorate-data)"},
        {"--env", "FILE", NULL, &o.env, "or the configuration of one process"},
        {"--program", "NAME", NULL, &o.program,
         "which program reads it, if the file's name does not say so"},
        {"--json", NULL, &o.json, NULL, "answer in JSON"},
    };
    const struct options options = {
        "doctor", "",
        "Look over configuration, certificates, clocks, servers, peers, backups and room on the\n"
        "disk. Each finding is one line that says what to do; exit code 1 if there is one. "
        "Nothing\n"
        "is changed.",
        rows, sizeof rows / sizeof rows[0]};
    size_t rest_n;
    enum options_answer answer = options_read(&options, argv, NULL, 0, &rest_n);

    if (answer != OPTIONS_GO)
        return options_code(answer);
    if (o.dir && (o.env || o.program))
        return refuse_usage("--dir is for a whole system, --env for one process");
    return run(&o);
}
