/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of `quorate up`: members and ports. It is made once; later only parties are added, since
 * those that exist hold shares. */
#define _GNU_SOURCE /* realpath */

#include "up.h"

#include "file.h"
#include "report.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLAN_MAX = 65536, PARTIES_DEFAULT = 3 };

/* Ports by default, and their places above --port-base. None is of those that Linux gives to
 * outgoing connections (32768 and up). */
static const struct {
    enum up_kind kind;
    const char *name;
    int http, grpc, place_http, place_grpc;
} fixed[] = {
    {UP_ROUTER, "message-router", 8082, 15052, 2, 6},
    {UP_COORDINATOR, "session-coordinator", 8081, 15051, 1, 5},
    {UP_PARTY_API, "server-party-api", 8083, 15053, 3, 7},
    {UP_ACCOUNT, "account-service", 4000, 15050, 0, 4},
};
enum {
    FIXED_N = sizeof fixed / sizeof fixed[0],
    PARTY_HTTP = 8090,
    PARTY_GRPC = 15060,
    PARTY_PLACE = 6
};

void up_path(char out[PATH_MAX], const struct up_system *system, const char *a, const char *b)
{
    snprintf(out, PATH_MAX, "%s/%.48s%s%.48s", system->dir, a, b ? "/" : "", b ? b : "");
}

const struct up_member *up_find(const struct up_system *system, enum up_kind kind)
{
    for (size_t i = 0; i < system->n; i++) {
        if (system->members[i].kind == kind)
            return &system->members[i];
    }
    return NULL;
}

static long parties_n(const struct up_system *system)
{
    return (long)system->n - FIXED_N;
}

/* The ports of the member |at|: |base| says from where on. UP_PORTS_FREE: none yet. */
static void set_ports(struct up_system *system, size_t at)
{
    const int base = (int)system->port_base, i = (int)at - FIXED_N + 1;
    struct up_member *m = &system->members[at];

    m->http = m->grpc = 0;
    if (system->port_base == UP_PORTS_FREE)
        return;
    if (at < FIXED_N) {
        m->http = base > 0 ? base + fixed[at].place_http : fixed[at].http;
        m->grpc = base > 0 ? base + fixed[at].place_grpc : fixed[at].grpc;
        return;
    }
    m->http = base > 0 ? base + PARTY_PLACE + 2 * i : PARTY_HTTP + i;
    m->grpc = base > 0 ? base + PARTY_PLACE + 2 * i + 1 : PARTY_GRPC + i;
}

static void add_fixed(struct up_system *system)
{
    for (size_t i = 0; i < FIXED_N; i++) {
        struct up_member *m = &system->members[system->n++];

        m->kind = fixed[i].kind;
        strcpy(m->name, fixed[i].name);
        set_ports(system, i);
    }
}

static void add_party(struct up_system *system)
{
    struct up_member *m = &system->members[system->n++];

    m->kind = UP_PARTY;
    snprintf(m->name, sizeof m->name, "party-%ld", parties_n(system));
    set_ports(system, system->n - 1);
}

static json_t *plan_json(const struct up_system *system)
{
    json_t *members = json_array(), *plan = json_object();

    for (size_t i = 0; i < system->n; i++)
        json_array_append_new(
            members, json_pack("{s:s,s:i,s:i,s:b}", "name", system->members[i].name, "http_port",
                               system->members[i].http, "grpc_port", system->members[i].grpc,
                               "has_run", system->members[i].has_run));
    report_add(plan, "dir", json_string(system->dir));
    report_add(plan, "port_base", json_integer(system->port_base));
    report_add(plan, "tls", json_boolean(system->has_tls));
    report_add(plan, "members", members);
    return plan;
}

bool up_plan_write(const struct up_system *system, struct trouble *trouble)
{
    char path[PATH_MAX];
    json_t *plan = plan_json(system);
    char *text = json_dumps(plan, JSON_INDENT(2));
    bool ok;

    json_decref(plan);
    up_path(path, system, "up.json", NULL);
    if (!text)
        return trouble_set(trouble, "cannot write %s: the directory's name is no UTF-8", path);
    ok = file_update(path, (const uint8_t *)text, strlen(text), trouble);
    free(text);
    return ok;
}

static bool take_member(struct up_system *system, const json_t *json)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    struct up_member *m = &system->members[system->n++];

    if (!name || strlen(name) >= sizeof m->name || strchr(name, '/'))
        return false;
    strcpy(m->name, name);
    m->kind = UP_PARTY;
    for (size_t i = 0; i < FIXED_N; i++) {
        if (strcmp(name, fixed[i].name) == 0)
            m->kind = fixed[i].kind;
    }
    m->http = (int)json_integer_value(json_object_get(json, "http_port"));
    m->grpc = (int)json_integer_value(json_object_get(json, "grpc_port"));
    m->has_run = json_is_true(json_object_get(json, "has_run"));
    return m->http > 0 && m->http < 65536 && m->grpc > 0 && m->grpc < 65536;
}

static bool take_plan(struct up_system *system, const json_t *plan)
{
    const json_t *members = json_object_get(plan, "members");
    size_t n = json_array_size(members);

    if (n < FIXED_N || n > UP_MEMBERS_MAX)
        return false;
    system->port_base = (long)json_integer_value(json_object_get(plan, "port_base"));
    system->has_tls = json_is_true(json_object_get(plan, "tls"));
    for (size_t i = 0; i < n; i++) {
        if (!take_member(system, json_array_get(members, i)))
            return false;
    }
    for (size_t i = 0; i < FIXED_N; i++) {
        if (!up_find(system, fixed[i].kind))
            return false;
    }
    return true;
}

static bool read_plan(struct up_system *system, const char *path, struct trouble *trouble)
{
    struct file file;
    json_t *plan;
    const char *dir;
    bool ok = true;

    if (!file_read(&file, path, PLAN_MAX, trouble))
        return false;
    plan = json_loadb((const char *)file.b, file.len, 0, NULL);
    file_free(&file);
    dir = json_string_value(json_object_get(plan, "dir"));
    if (!dir || !take_plan(system, plan))
        ok = trouble_set(trouble, "%s is damaged: it is not what quorate up wrote", path);
    else if (strcmp(dir, system->dir) != 0)
        ok = trouble_set(trouble,
                         "%s was made as %s, and its env files say so: move it back, or change the "
                         "paths in them and \"dir\" in %s",
                         system->dir, dir, path);
    json_decref(plan);
    return ok;
}

/* Does what was asked for agree with what is there? */
static bool check_wish(const struct up_system *system, const struct up_wish *wish,
                       struct trouble *trouble)
{
    if (wish->tls && !system->has_tls)
        return trouble_set(trouble,
                           "%s was made without TLS, and its env files say so: leave out --tls, or "
                           "use another --dir",
                           system->dir);
    if (wish->parties && wish->parties < parties_n(system))
        return trouble_set(trouble,
                           "%s has %ld parties, which may hold shares: none can be left out by "
                           "--parties %ld",
                           system->dir, parties_n(system), wish->parties);
    return true;
}

static bool find_dir(struct up_system *system, const char *dir, struct trouble *trouble)
{
    char real[PATH_MAX];

    if (!realpath(dir, real))
        return trouble_set(trouble, "cannot use the directory %s: %s", dir, strerror(errno));
    for (const char *c = real; *c; c++) {
        if ((unsigned char)*c < ' ')
            return trouble_set(trouble, "the name of the directory %s has control characters", dir);
    }
    if (strlen(real) >= sizeof system->dir)
        return trouble_set(trouble, "the name of the directory %s is too long", dir);
    strcpy(system->dir, real);
    return true;
}

/* Ports from |base| on; those that an owner changed in an env file stay. */
static bool change_base(struct up_system *system, long base, struct trouble *trouble)
{
    const struct up_system before = *system;

    system->port_base = base;
    for (size_t i = 0; i < system->n; i++)
        set_ports(system, i);
    return up_ports_move(&before, system, trouble);
}

/* The plan of an earlier start, if nothing of it is lost. */
static bool take_earlier(struct up_system *system, const struct up_wish *wish, const char *path,
                         struct trouble *trouble)
{
    return read_plan(system, path, trouble) && check_wish(system, wish, trouble) &&
           up_check_lost(system, trouble) &&
           (!wish->has_port_base || wish->port_base == UP_PORTS_FREE ||
            wish->port_base == system->port_base || change_base(system, wish->port_base, trouble));
}

bool up_plan(struct up_system *system, const struct up_wish *wish, struct trouble *trouble)
{
    char path[PATH_MAX];
    long want = wish->parties;
    size_t first;

    *system = (struct up_system){.port_base = wish->has_port_base ? wish->port_base : 0,
                                 .has_tls = wish->tls};
    if (!find_dir(system, wish->dir, trouble) || !up_check_private(system, trouble))
        return false;
    up_path(path, system, "up.json", NULL);
    if (file_exists(path)) {
        if (!take_earlier(system, wish, path, trouble))
            return false;
    } else {
        if (!up_check_unused(system, trouble))
            return false;
        want = wish->parties ? wish->parties : PARTIES_DEFAULT;
    }
    first = system->n;
    if (first == 0)
        add_fixed(system);
    while (parties_n(system) < want)
        add_party(system);
    if (system->n == first)
        return true;
    if (system->port_base == UP_PORTS_FREE && !up_ports_choose(system, trouble))
        return false;
    if (first == 0 && !wish->prepare && !up_ports_are_free(system, trouble))
        return false;
    return up_plan_write(system, trouble);
}
