/* SPDX-License-Identifier: Apache-2.0 */
/* The server as a whole: what it offers, its turn of the loop, its stop. See server.h and parts.h.
 *
 * prepare runs before the loop waits and check after it: whatever answered in between is written
 * once per connection. */
#include "system/rpc/server.h"

#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/rpc/call.h"
#include "system/rpc/conn.h"
#include "system/rpc/parts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { ROUNDS_MAX = 8 };

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void flush_all(struct rpc_server *server)
{
    for (int round = 0; round < ROUNDS_MAX && server->dirty; round++) {
        struct conn *list = server->dirty;

        server->dirty = NULL;
        while (list) {
            struct conn *conn = list;

            list = conn->next_dirty;
            conn->is_dirty = false;
            conn_flush(conn);
        }
    }
    if (server->dirty && !uv_is_active((uv_handle_t *)&server->again))
        uv_idle_start(&server->again, on_idle);
    else if (!server->dirty)
        uv_idle_stop(&server->again);
}

static void on_prepare(uv_prepare_t *prepare)
{
    flush_all(prepare->data);
}

static void on_check(uv_check_t *check)
{
    flush_all(check->data);
}

static void set_limits(struct rpc_limits *out, const struct rpc_limits *in)
{
    static const struct rpc_limits usual = {
        .body_max = 1024 * 1024,
        .header_max = 32 * 1024,
        .connections_max = 4096,
        .streams_max = 256,
        .connection_bytes_max = 8 * 1024 * 1024,
        .request_ms = 15000,
        .idle_ms = 120000,
        .call_ms = 120000,
        .ping_ms = 30000,
    };

    *out = in ? *in : usual;
    out->body_max = out->body_max ? out->body_max : usual.body_max;
    out->header_max = out->header_max ? out->header_max : usual.header_max;
    out->connections_max = out->connections_max ? out->connections_max : usual.connections_max;
    out->streams_max = out->streams_max ? out->streams_max : usual.streams_max;
    out->connection_bytes_max =
        out->connection_bytes_max ? out->connection_bytes_max : usual.connection_bytes_max;
    out->request_ms = out->request_ms ? out->request_ms : usual.request_ms;
    out->idle_ms = out->idle_ms ? out->idle_ms : usual.idle_ms;
    out->call_ms = out->call_ms ? out->call_ms : usual.call_ms;
    out->ping_ms = out->ping_ms ? out->ping_ms : usual.ping_ms;
}

static void on_grace(struct due *due);

struct rpc_server *rpc_server_new(uv_loop_t *loop, const struct rpc_limits *limits)
{
    struct rpc_server *server = mem_new(1, sizeof *server);

    server->loop = loop;
    set_limits(&server->limits, limits);
    server->scratch = mem_new(1, SERVER_SCRATCH);
    server->grace.fire = on_grace;
    due_init(&server->dues, loop);
    uv_prepare_init(loop, &server->prepare);
    uv_check_init(loop, &server->check);
    uv_idle_init(loop, &server->again);
    server->prepare.data = server->check.data = server->again.data = server;
    uv_prepare_start(&server->prepare, on_prepare);
    uv_check_start(&server->check, on_check);
    /* Alone they do not keep a loop running. */
    uv_unref((uv_handle_t *)&server->prepare);
    uv_unref((uv_handle_t *)&server->check);
    server->handles_n = 4;
    server->conns_gauge =
        metric_new(METRIC_GAUGE, "quorate_rpc_connections", NULL, "Open connections.");
    return server;
}

void rpc_server_add(struct rpc_server *server, const struct rpc_method *methods,
                    const struct rpc_route *routes, void *service)
{
    routes_add(&server->routes, methods, routes, service);
}

void rpc_server_guard(struct rpc_server *server, rpc_guard *guard, void *arg)
{
    server->guard = guard;
    server->guard_arg = arg;
}

void rpc_server_watch(struct rpc_server *server, rpc_watch *watch, void *arg)
{
    server->watch = watch;
    server->watch_arg = arg;
}

void rpc_server_page(struct rpc_server *server, const char *path, rpc_page *page, void *arg)
{
    routes_page(&server->routes, path, page, arg);
}

static void free_origins(struct rpc_server *server)
{
    for (size_t i = 0; i < server->origins_n; i++)
        free(server->origins[i]);
    free(server->origins);
    server->origins = NULL;
    server->origins_n = 0;
}

void rpc_server_origins(struct rpc_server *server, const char *const *origins, size_t n)
{
    free_origins(server);
    server->origins = mem_new(n, sizeof(char *));
    for (size_t i = 0; i < n; i++)
        server->origins[i] = text_copy(origins[i]);
    server->origins_n = n;
}

bool server_allows_origin(const struct rpc_server *server, const char *origin)
{
    for (size_t i = 0; i < server->origins_n; i++) {
        if (strcmp(server->origins[i], "*") == 0 || strcasecmp(server->origins[i], origin) == 0)
            return true;
    }
    return false;
}

bool rpc_server_listen(struct rpc_server *server, const char *host, int port,
                       const struct rpc_tls *tls, char error[RPC_TEXT_MAX])
{
    return listener_open(server, host, port, tls, error);
}

bool rpc_server_reload(struct rpc_server *server, char error[RPC_TEXT_MAX])
{
    return listener_reload_all(server, error);
}

void rpc_server_recheck(struct rpc_server *server)
{
    listener_recheck_all(server);
}

int rpc_server_port(const struct rpc_server *server)
{
    return server->listeners ? server->listeners->port : 0;
}

const char *server_date(struct rpc_server *server)
{
    int64_t now = clock_unix_ms() / 1000;
    time_t t = (time_t)now;
    struct tm tm;

    if (now != server->date_s && gmtime_r(&t, &tm)) {
        strftime(server->date, sizeof server->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        server->date_s = now;
    }
    return server->date;
}

/* ---- end ---- */

static void close_conns(struct rpc_server *server)
{
    struct conn *conn = server->conns;

    /* Closing one may finish calls of others, but frees no connection that is not closed yet. */
    while (conn) {
        if (conn->is_closing) {
            conn = conn->next;
            continue;
        }
        conn_close(conn);
        conn = server->conns;
    }
}

static void tell_stopped(struct rpc_server *server)
{
    void (*stopped)(void *) = server->stopped;

    if (!stopped || server->conns_n)
        return;
    server->stopped = NULL;
    due_clear(&server->dues, &server->grace);
    stopped(server->stopped_arg);
}

static void on_grace(struct due *due)
{
    struct rpc_server *server =
        (struct rpc_server *)(void *)((char *)due - offsetof(struct rpc_server, grace));

    close_conns(server);
    tell_stopped(server);
}

void rpc_server_stop(struct rpc_server *server, unsigned grace_ms, void (*done)(void *arg),
                     void *arg)
{
    server->stopped = done;
    server->stopped_arg = arg;
    listener_close_all(server);
    for (struct conn *conn = server->conns; conn; conn = conn->next)
        conn_drain(conn);
    /* Without connections |done| comes from the loop as well, never from in here. */
    due_set(&server->dues, &server->grace, uv_now(server->loop) + (server->conns_n ? grace_ms : 0));
}

/* The handlers of calls that are left hold nothing of ours any more. */
static void orphan_calls(struct rpc_server *server)
{
    struct conn *conn = server->conns;

    while (conn) {
        struct conn *next = conn->next;

        conn_orphan(conn);
        conn = next;
    }
}

static void free_if_over(struct rpc_server *server)
{
    if (!server->is_freed || server->handles_n || server->conns_n)
        return;
    routes_free(&server->routes);
    free_origins(server);
    free(server->scratch);
    free(server);
}

void server_handle_gone(struct rpc_server *server)
{
    server->handles_n--;
    free_if_over(server);
}

void server_conn_gone(struct rpc_server *server)
{
    server->conns_n--;
    metric_set(server->conns_gauge, (int64_t)server->conns_n);
    listener_resume_all(server);
    tell_stopped(server);
    free_if_over(server);
}

static void on_handle_closed(uv_handle_t *handle)
{
    server_handle_gone(handle->data);
}

static void on_dues_closed(uv_handle_t *handle)
{
    struct due_heap *heap = handle->data;

    server_handle_gone(
        (struct rpc_server *)(void *)((char *)heap - offsetof(struct rpc_server, dues)));
}

void rpc_server_free(struct rpc_server *server)
{
    server->stopped = NULL;
    listener_close_all(server);
    close_conns(server);
    due_clear(&server->dues, &server->grace);
    orphan_calls(server);
    server->is_freed = true;
    due_close(&server->dues, on_dues_closed);
    uv_close((uv_handle_t *)&server->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&server->check, on_handle_closed);
    uv_close((uv_handle_t *)&server->again, on_handle_closed);
}
