/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate up": a whole signing system on this machine, until Ctrl-C. Nothing is reachable from
 * other machines: every process listens on 127.0.0.1. */
#include "up.h"
#include "command.h"
#include "option.h"
#include "report.h"
#include "say.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct up_options {
    const char *dir, *port_base, *parties, *log_level, *services;
    bool free_ports, tls, json, quiet, prepare;
    /* where the services' programs are; they are not needed to |prepare| */
    char programs[PATH_MAX];
};

enum { PORT_TRIES = 5 };

static const char help[] =
    "Start coordinator, router, parties and account service on this machine, wait until they are\n"
    "ready, print URL and API key, start again what dies, and stop all on Ctrl-C. The first start\n"
    "makes keys and configuration in DIR; later ones use them as they are. DIR/NAME.env holds the\n"
    "variables of one process, DIR/log/NAME.log its log. DIR holds every key: back it up, and let\n"
    "nobody read it.\n\n"
    "Ports: HTTP 4000 (API) and 8081 to 8083, parties 8091 and up; gRPC 15050 and up.";

static bool read_wish(struct up_wish *wish, const struct up_options *o)
{
    *wish = (struct up_wish){.dir = o->dir ? o->dir : "quorate-data"};
    wish->tls = o->tls;
    wish->prepare = o->prepare;
    wish->has_port_base = o->free_ports || o->port_base;
    wish->port_base = o->free_ports ? UP_PORTS_FREE : UP_PORTS_DEFAULT;
    if (o->free_ports && o->port_base) {
        say("--port-base and --free-ports cannot both be given");
        return false;
    }
    if (o->port_base && !option_number(&wish->port_base, o->port_base, 1024, 65000)) {
        say("--port-base must be a number from 1024 to 65000");
        return false;
    }
    if (o->parties && !option_number(&wish->parties, o->parties, 2, UP_PARTIES_MAX)) {
        say("--parties must be a number from 2 to %d", UP_PARTIES_MAX);
        return false;
    }
    if (o->log_level && strcmp(o->log_level, "debug") != 0 && strcmp(o->log_level, "info") != 0 &&
        strcmp(o->log_level, "warn") != 0 && strcmp(o->log_level, "error") != 0) {
        say("--log-level must be debug, info, warn or error");
        return false;
    }
    return true;
}

static void lock_path(char path[PATH_MAX], const char *dir)
{
    snprintf(path, PATH_MAX, "%s/lock", dir);
}

/* Held until the process ends. The directory is made here if it is missing. */
static bool lock_dir(const char *dir, bool *is_new, struct trouble *trouble)
{
    char path[PATH_MAX];
    int fd;

    *is_new = mkdir(dir, 0700) == 0;
    if (!*is_new && errno != EEXIST)
        return trouble_set(trouble, "cannot make the directory %s: %s", dir, strerror(errno));
    lock_path(path, dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return trouble_set(trouble, "cannot use the directory %s: %s", dir, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return trouble_set(trouble,
                           "another quorate up runs in %s: use that one, or give this one another "
                           "--dir",
                           dir);
    return true;
}

/* A directory that was made for nothing. */
static void unmake_dir(const char *dir)
{
    char path[PATH_MAX];

    lock_path(path, dir);
    unlink(path);
    rmdir(dir);
}

static bool make_plan(struct up_system *system, const struct up_wish *wish, struct trouble *trouble)
{
    bool is_new;

    if (!lock_dir(wish->dir, &is_new, trouble))
        return false;
    if (up_plan(system, wish, trouble))
        return true;
    if (is_new)
        unmake_dir(wish->dir);
    return false;
}

struct announcement {
    struct up_system *system;
    const struct up_access *access;
    const struct up_crew *crew;
    bool json, quiet;
};

/* From here on a database that is missing is lost. */
static bool note_runs(const struct announcement *a)
{
    struct trouble trouble;
    bool is_news = false;

    for (size_t i = 0; i < a->system->n; i++) {
        struct up_member *m = &a->system->members[i];

        is_news = is_news || (!m->has_run && up_crew_has_run(a->crew, i));
        m->has_run = m->has_run || up_crew_has_run(a->crew, i);
    }
    if (!is_news || up_plan_write(a->system, &trouble))
        return true;
    say("%s", trouble.text);
    return false;
}

static bool announce(void *arg, size_t ready_n)
{
    const struct announcement *a = arg;
    json_t *report;
    bool ok;

    if (!note_runs(a))
        return false;
    report = json_object();
    report_add(report, "url", json_string(a->access->url));
    report_add(report, "api_key", json_string(a->access->api_key));
    report_add(report, "dir", json_string(a->system->dir));
    ok = report_print(report, a->json);
    if (ready_n < a->system->n)
        say("%zu of %zu processes are ready; Ctrl-C stops them", ready_n, a->system->n);
    else if (!a->quiet)
        say("%zu processes are ready; Ctrl-C stops them", ready_n);
    return ok;
}

/* With --free-ports those that are taken give way to others. */
static bool take_ports(struct up_system *system, const struct up_options *o,
                       struct trouble *trouble)
{
    const struct up_system before = *system;

    if (up_ports_are_free(system, trouble))
        return true;
    return o->free_ports && up_ports_choose(system, trouble) &&
           up_ports_move(&before, system, trouble);
}

/* |again|: a port was taken under our hands, before anything was ready. */
static bool run_once(struct up_system *system, const struct up_options *o, bool *again,
                     struct trouble *trouble)
{
    struct up_access access;
    const struct up_start start = {system, o->programs, o->log_level, o->free_ports};
    struct announcement announcement = {system, &access, NULL, o->json, o->quiet};
    struct up_crew *crew;
    bool ok;

    *again = false;
    if (!take_ports(system, o, trouble) || !up_identities(system, trouble) ||
        !up_access(&access, system, trouble))
        return false;
    crew = up_crew_new(&start);
    announcement.crew = crew;
    ok = up_crew_run(crew, announce, &announcement, trouble);
    say_progress_end();
    *again = !ok && o->free_ports && up_crew_lost_port(crew);
    if (!ok && !*again)
        say("%s", trouble->text);
    up_crew_stop(crew);
    up_crew_free(crew);
    up_access_free(&access);
    trouble->text[0] = '\0';
    return ok;
}

/* What `account verify` and the other client commands read. */
static int prepare(const struct up_system *system)
{
    struct trouble trouble;
    struct up_access access;

    if (!up_identities(system, &trouble) || !up_access(&access, system, &trouble))
        return refuse("%s", trouble.text);
    up_access_free(&access);
    return EXIT_DONE;
}

static int run(struct up_system *system, const struct up_options *o)
{
    struct trouble trouble;
    bool again = true, ok = false;

    for (int i = 0; again && i < PORT_TRIES; i++)
        ok = run_once(system, o, &again, &trouble);
    if (!ok && trouble.text[0])
        say("%s", trouble.text);
    else if (again)
        say("other programs take every port that is chosen: use --port-base N");
    return ok ? EXIT_DONE : EXIT_REFUSED;
}

int command_up(char **argv)
{
    struct up_options o = {0};
    const struct option_row rows[] = {
        {"--dir", "DIR", NULL, &o.dir, "where everything is kept (default: quorate-data)"},
        {"--parties", "N", NULL, &o.parties,
         "server parties (default: 3, or as many as there are)"},
        {"--port-base", "N", NULL, &o.port_base, "use the ports from N on; the API is on N"},
        {"--free-ports", NULL, &o.free_ports, NULL, "use whatever ports are free"},
        {"--tls", NULL, &o.tls, NULL, "TLS everywhere, by certificates made in DIR/tls"},
        {"--prepare", NULL, &o.prepare, NULL, "make the files, start nothing"},
        {"--log-level", "LEVEL", NULL, &o.log_level, "debug, info, warn or error"},
        {"--services", "DIR", NULL, &o.services, "where the services' programs are"},
        {"--json", NULL, &o.json, NULL, "print one object: url, api_key, dir"},
        {"--quiet", NULL, &o.quiet, NULL, "say only what goes wrong"},
    };
    const struct options options = {"up", "", help, rows, sizeof rows / sizeof rows[0]};
    struct up_system system;
    struct up_wish wish;
    struct trouble trouble;
    size_t rest_n;
    enum options_answer answer = options_read(&options, argv, NULL, 0, &rest_n);

    if (answer != OPTIONS_GO)
        return options_code(answer);
    if (!read_wish(&wish, &o))
        return EXIT_USAGE;
    umask(077);
    signals_catch();
    /* what is mistyped leaves nothing behind */
    if (!o.prepare && !up_services(o.programs, o.services, &trouble))
        return refuse("%s", trouble.text);
    if (!make_plan(&system, &wish, &trouble) || !up_files(&system, &trouble))
        return refuse("%s", trouble.text);
    return o.prepare ? prepare(&system) : run(&system, &o);
}
