/* SPDX-License-Identifier: Apache-2.0 */
/* The server from inside: what its listeners, connections and calls share. Internal to system/rpc.
 */
#ifndef SYSTEM_RPC_PARTS_H
#define SYSTEM_RPC_PARTS_H

#include "system/core/metrics.h"
#include "system/rpc/due.h"
#include "system/rpc/route.h"
#include "system/rpc/server.h"
#include "system/rpc/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct conn;

/* A listening socket. Accepting is ours, not libuv's: its loop spins when descriptors run out. */
struct listener {
    struct rpc_server *server;
    struct listener *next;
    uv_poll_t poll;
    int fd, port;
    /* NULL: plain; its files are ours */
    struct tls_context *tls;
    /* while all are read anew */
    struct tls_context *fresh;
    char *certificate, *key, *ca, *crl;
    /* a client may show no certificate */
    bool is_open;
    /* not accepting until this is due; also while the server is full */
    struct due resume;
    bool is_paused;
};

struct rpc_server {
    uv_loop_t *loop;
    struct rpc_limits limits;
    struct routes routes;
    rpc_guard *guard;
    void *guard_arg;
    rpc_watch *watch;
    void *watch_arg;
    /* allowed origins of browsers */
    char **origins;
    size_t origins_n;
    struct listener *listeners;
    struct due_heap dues;
    uv_prepare_t prepare;
    uv_check_t check;
    /* runs while connections have more to do than one turn allows */
    uv_idle_t again;
    struct conn *conns;
    size_t conns_n;
    struct conn *dirty;
    struct metric *conns_gauge;
    /* one read at a time, so one room for all */
    uint8_t *scratch;
    /* the Date of answers, made once a second */
    char date[40];
    int64_t date_s;
    void (*stopped)(void *arg);
    void *stopped_arg;
    struct due grace;
    bool is_freed;
    /* handles whose close has not been told yet */
    size_t handles_n;
};

enum { SERVER_SCRATCH = 64 * 1024 };

/* RFC 9110's date of now. */
const char *server_date(struct rpc_server *server);
/* A connection was freed: there may be room for another, or the stop may be over. */
void server_conn_gone(struct rpc_server *server);
/* A handle of the server's own is closed. */
void server_handle_gone(struct rpc_server *server);
/* May a page of |origin| read our answers? */
bool server_allows_origin(const struct rpc_server *server, const char *origin);

bool listener_open(struct rpc_server *server, const char *host, int port, const struct rpc_tls *tls,
                   char error[RPC_TEXT_MAX]);
/* Has a listener read a list since that revokes the peer of |tls|? */
bool listener_revokes(const struct rpc_server *server, const struct tls *tls);
/* rpc_server_reload. */
bool listener_reload_all(struct rpc_server *server, char error[RPC_TEXT_MAX]);
/* rpc_server_recheck. */
void listener_recheck_all(struct rpc_server *server);
void listener_resume_all(struct rpc_server *server);
void listener_close_all(struct rpc_server *server);

#endif
