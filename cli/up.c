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
};

static const char help[] =
    "Start coordinator, router, parties and account service on this machine, wait until they are\n"
    "ready, print URL and API key, start again what dies, and stop all on Ctrl-C. The first start\n"
    "makes keys and configuration in DIR; later ones use them as they are. DIR/NAME.env holds the\n"
    "variables of one process, DIR/log/NAME.log its log. DIR holds every key: back it up, and let\n"
    "nobody read it.\n\n"
    "Ports: HTTP 4000 (API) and 8081 to 8083, parties 8091 and up; gRPC 50050 and up.";

static bool read_wish(struct up_wish *wish, const struct up_options *o)
{
    *wish = (struct up_wish){.dir = o->dir ? o->dir : "quorate-data"};
    wish->tls = o->tls;
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

/* Held until the process ends. The directory is made here if it is missing. */
static bool lock_dir(const char *dir, struct trouble *trouble)
{
    char path[PATH_MAX];
    int fd;

    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return trouble_set(trouble, "cannot make the directory %s: %s", dir, strerror(errno));
    snprintf(path, sizeof path, "%s/lock", dir);
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

struct announcement {
    const struct up_system *system;
    const struct up_access *access;
    bool json, quiet;
};

static bool announce(void *arg)
{
    const struct announcement *a = arg;
    json_t *report = json_object();
    bool ok;

    report_add(report, "url", json_string(a->access->url));
    report_add(report, "api_key", json_string(a->access->api_key));
    report_add(report, "dir", json_string(a->system->dir));
    ok = report_print(report, a->json);
    if (!a->quiet)
        say("%zu processes are ready; Ctrl-C stops them", a->system->n);
    return ok;
}

static int run(struct up_system *system, const struct up_options *o)
{
    struct trouble trouble;
    char services[PATH_MAX];
    struct up_access access;
    const struct up_start start = {system, services, o->log_level};
    struct announcement announcement = {system, &access, o->json, o->quiet};
    struct up_crew *crew;
    bool ok;

    if (!up_services(services, o->services, &trouble) || !up_ports_are_free(system, &trouble) ||
        !up_identities(system, &trouble) || !up_access(&access, system, &trouble))
        return refuse("%s", trouble.text);
    crew = up_crew_new(&start);
    ok = up_crew_run(crew, announce, &announcement, &trouble);
    say_progress_end();
    if (!ok)
        say("%s", trouble.text);
    up_crew_stop(crew);
    up_crew_free(crew);
    up_access_free(&access);
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
    if (!lock_dir(wish.dir, &trouble) || !up_plan(&system, &wish, &trouble) ||
        !up_files(&system, &trouble))
        return refuse("%s", trouble.text);
    return o.prepare ? EXIT_DONE : run(&system, &o);
}
