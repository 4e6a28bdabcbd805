/* SPDX-License-Identifier: Apache-2.0 */
/* Ports of `quorate up`: which are free, and how a directory gets others. Free ones are taken from
 * below the range that the kernel gives to outgoing connections, so that none of those takes a port
 * between the choice and the start of its process, or while the system is stopped. Two systems that
 * choose at the same moment may still collide: then the later one chooses again (up.c).
 *
 * In an env file only the lines are changed that say the old port as `quorate up` wrote it. */
#include "up.h"

#include "file.h"
#include "signals.h"

#include "system/core/clock.h"
#include "system/core/secret.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    WAIT_MS = 5000,
    STEP_MS = 20,
    FREE_FROM = 10000,
    FREE_TO_DEFAULT = 32768,
    FREE_LEAST = 2000,
    TRIES = 10000,
    ENV_MAX = 1 << 20,
    /* a port is at most as long as 65535 */
    LINE_MORE = 4
};

bool up_port_is_free(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    bool is_free;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    is_free = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return is_free;
}

/* 0: none is taken. */
static int taken_port(const struct up_system *system, const struct up_member **who)
{
    for (size_t i = 0; i < system->n; i++) {
        *who = &system->members[i];
        if (!up_port_is_free((*who)->http))
            return (*who)->http;
        if (!up_port_is_free((*who)->grpc))
            return (*who)->grpc;
    }
    return 0;
}

bool up_ports_are_free(const struct up_system *system, struct trouble *trouble)
{
    int64_t until = clock_steady_ms() + WAIT_MS;
    const struct up_member *who = NULL;
    int port;

    while ((port = taken_port(system, &who)) != 0) {
        if (clock_steady_ms() >= until || signals_came())
            return trouble_set(trouble,
                               "port %d, which %s needs, is in use by another program: end it, or "
                               "give --port-base N or --free-ports",
                               port, who->name);
        signals_poll(NULL, 0, STEP_MS);
    }
    return true;
}

/* The end of the range to choose from: where outgoing connections begin. */
static int free_to(void)
{
    FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
    int first = FREE_TO_DEFAULT;

    if (f) {
        if (fscanf(f, "%6d", &first) != 1)
            first = FREE_TO_DEFAULT;
        fclose(f);
    }
    return first >= FREE_FROM + FREE_LEAST && first < 65536 ? first : 65535;
}

static bool is_ours(const struct up_system *system, int port)
{
    for (size_t i = 0; i < system->n; i++) {
        if (system->members[i].http == port || system->members[i].grpc == port)
            return true;
    }
    return false;
}

static bool choose(int *port, const struct up_system *system, struct trouble *trouble)
{
    const uint32_t span = (uint32_t)(free_to() - FREE_FROM);

    for (int i = 0; i < TRIES; i++) {
        int candidate = FREE_FROM + (int)randombytes_uniform(span);

        if (is_ours(system, candidate) || !up_port_is_free(candidate))
            continue;
        *port = candidate;
        return true;
    }
    return trouble_set(trouble, "there is no free port from %d on", FREE_FROM);
}

bool up_ports_choose(struct up_system *system, struct trouble *trouble)
{
    for (size_t i = 0; i < system->n; i++) {
        struct up_member *m = &system->members[i];

        if ((!m->http || !up_port_is_free(m->http)) && !choose(&m->http, system, trouble))
            return false;
        if ((!m->grpc || !up_port_is_free(m->grpc)) && !choose(&m->grpc, system, trouble))
            return false;
    }
    return true;
}

/* Lines of an env file that name a port. */
struct change {
    const char *format;
    int from, to;
};

/* |line| of |len| bytes, changed if one of |changes| is about it; returns how long it is then. */
static size_t change_line(char *out, const char *line, size_t len, const struct change changes[4])
{
    char old[64];

    for (size_t i = 0; i < 4; i++) {
        snprintf(old, sizeof old, changes[i].format, changes[i].from);
        if (strlen(old) == len && memcmp(line, old, len) == 0)
            return (size_t)sprintf(out, changes[i].format, changes[i].to);
    }
    memcpy(out, line, len);
    return len;
}

/* |out| has room for LINE_MORE bytes more per line. */
static size_t change_text(char *out, const struct file *text, const struct change changes[4])
{
    size_t at = 0, len = 0;

    while (at < text->len) {
        const char *line = (const char *)text->b + at, *end = memchr(line, '\n', text->len - at);
        size_t n = end ? (size_t)(end - line) : text->len - at;

        len += change_line(out + len, line, n, changes);
        if (end)
            out[len++] = '\n';
        at += n + (end != NULL);
    }
    return len;
}

static size_t lines_in(const struct file *text)
{
    size_t n = 1;

    for (size_t i = 0; i < text->len; i++)
        n += text->b[i] == '\n';
    return n;
}

static bool move_env(const struct up_system *from, const struct up_system *to, size_t i,
                     struct trouble *trouble)
{
    const struct change changes[4] = {
        {"HTTP_PORT=%d", from->members[i].http, to->members[i].http},
        {"GRPC_PORT=%d", from->members[i].grpc, to->members[i].grpc},
        {"COORDINATOR_ADDR=127.0.0.1:%d", up_find(from, UP_COORDINATOR)->grpc,
         up_find(to, UP_COORDINATOR)->grpc},
        {"ROUTER_ADDR=127.0.0.1:%d", up_find(from, UP_ROUTER)->grpc, up_find(to, UP_ROUTER)->grpc},
    };
    char path[PATH_MAX], name[UP_NAME_MAX + 8], *text;
    struct file file;
    size_t len;
    bool ok;

    snprintf(name, sizeof name, "%s.env", from->members[i].name);
    up_path(path, from, name, NULL);
    if (!file_exists(path))
        return true;
    if (!file_read(&file, path, ENV_MAX, trouble))
        return false;
    text = secret_new(file.len + LINE_MORE * lines_in(&file));
    len = change_text(text, &file, changes);
    ok = file_update(path, (const uint8_t *)text, len, trouble);
    secret_free(text);
    file_free(&file);
    return ok;
}

bool up_ports_move(const struct up_system *from, const struct up_system *to,
                   struct trouble *trouble)
{
    for (size_t i = 0; i < from->n; i++) {
        if (!move_env(from, to, i, trouble))
            return false;
    }
    return up_plan_write(to, trouble);
}
