/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets. When descriptors run out, or the server is full, accepting stops for a while
 * and callers wait in the kernel's queue; it never spins and never gives up. */
#include "system/core/log.h"
#include "system/rpc/conn.h"
#include "system/rpc/parts.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKLOG = 1024,
    /* accepted in one turn of the loop */
    ACCEPTS_MAX = 64,
    PAUSE_MS = 200,
    PORT_TEXT_MAX = 8
};

static void on_ready(uv_poll_t *poll, int status, int events);

static void resume(struct listener *listener)
{
    listener->is_paused = false;
    uv_poll_start(&listener->poll, UV_READABLE, on_ready);
}

static void pause_for(struct listener *listener, uint64_t ms)
{
    listener->is_paused = true;
    uv_poll_stop(&listener->poll);
    due_set(&listener->server->dues, &listener->resume, uv_now(listener->server->loop) + ms);
}

static void on_resume(struct due *due)
{
    resume((struct listener *)(void *)((char *)due - offsetof(struct listener, resume)));
}

static bool is_full(const struct rpc_server *server)
{
    return server->conns_n >= server->limits.connections_max;
}

/* Room for one more: the connection that is without calls for longest has to go. */
static bool has_room(struct rpc_server *server)
{
    struct conn *oldest = NULL;

    if (!is_full(server))
        return true;
    for (struct conn *conn = server->conns; conn; conn = conn->next) {
        if (!conn->calls_n && !conn->is_closing && !conn->is_doomed &&
            (!oldest || conn->idle_since_ms < oldest->idle_since_ms))
            oldest = conn;
    }
    if (oldest)
        conn_abort(oldest, "the server is full");
    return false;
}

/* False: no more now. */
static bool accept_one(struct listener *listener)
{
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        conn_open(listener->server, fd, listener->tls);
        return true;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return false;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        log_event(LOG_WARN, "cannot accept connections for a moment: raise the limit of open files",
                  LOG_S("error", strerror(errno)), LOG_I("connections", listener->server->conns_n));
        pause_for(listener, PAUSE_MS);
        return false;
    }
    /* ECONNABORTED and the like are the caller's. */
    return true;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;

    (void)events;
    if (status < 0) {
        pause_for(listener, PAUSE_MS);
        return;
    }
    /* Somebody waits, that much is known; of the next ones it is not. */
    if (!has_room(listener->server)) {
        pause_for(listener, PAUSE_MS);
        return;
    }
    for (int i = 0; i < ACCEPTS_MAX && !is_full(listener->server); i++) {
        if (!accept_one(listener))
            return;
    }
}

void listener_resume_all(struct rpc_server *server)
{
    for (struct listener *listener = server->listeners; listener; listener = listener->next) {
        if (!listener->is_paused)
            continue;
        due_clear(&server->dues, &listener->resume);
        resume(listener);
    }
}

static void listener_free(struct listener *listener)
{
    tls_context_free(listener->tls);
    free(listener->certificate);
    free(listener->key);
    free(listener->ca);
    free(listener->crl);
    free(listener);
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    struct rpc_server *server = listener->server;

    close(listener->fd);
    listener_free(listener);
    server_handle_gone(server);
}

void listener_close_all(struct rpc_server *server)
{
    struct listener *listener = server->listeners;

    server->listeners = NULL;
    while (listener) {
        struct listener *next = listener->next;

        due_clear(&server->dues, &listener->resume);
        uv_poll_stop(&listener->poll);
        uv_close((uv_handle_t *)&listener->poll, on_closed);
        listener = next;
    }
}

/* A socket that listens, or -1 with errno. */
static int socket_on(const struct addrinfo *address)
{
    int one = 1, zero = 0;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (address->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    one = errno;
    close(fd);
    errno = one;
    return -1;
}

static int bind_to(const char *host, int port, char error[RPC_TEXT_MAX])
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    char service[PORT_TEXT_MAX];
    int e, fd;

    snprintf(service, sizeof service, "%d", port);
    e = getaddrinfo(host, service, &hints, &addresses);
    if (e != 0) {
        snprintf(error, RPC_TEXT_MAX, "cannot listen on %.120s: %s", host, gai_strerror(e));
        return -1;
    }
    fd = socket_on(addresses);
    if (fd < 0)
        snprintf(error, RPC_TEXT_MAX, "cannot listen on %.120s port %d: %s", host, port,
                 strerror(errno));
    freeaddrinfo(addresses);
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;

    getsockname(fd, (struct sockaddr *)&address, &len);
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
}

/* NULL with |error|: a file is not as it must be. */
static struct tls_context *read_files(const struct listener *listener, char error[RPC_TEXT_MAX])
{
    const struct tls_files files = {listener->certificate, listener->key, listener->ca,
                                    listener->crl};

    return listener->is_open ? tls_context_server_open(&files, error)
                             : tls_context_server(&files, error);
}

static char *copy_or_null(const char *text)
{
    return text ? text_copy(text) : NULL;
}

static bool use_tls(struct listener *listener, const struct rpc_tls *tls, char error[RPC_TEXT_MAX])
{
    listener->certificate = text_copy(tls->certificate);
    listener->key = text_copy(tls->key);
    listener->ca = copy_or_null(tls->client_ca);
    listener->crl = copy_or_null(tls->crl);
    listener->is_open = tls->is_open;
    listener->tls = read_files(listener, error);
    return listener->tls != NULL;
}

static void listen_on(struct rpc_server *server, struct listener *listener)
{
    listener->server = server;
    listener->next = server->listeners;
    listener->port = port_of(listener->fd);
    listener->resume.fire = on_resume;
    uv_poll_init(server->loop, &listener->poll, listener->fd);
    listener->poll.data = listener;
    server->listeners = listener;
    server->handles_n++;
    resume(listener);
}

bool listener_open(struct rpc_server *server, const char *host, int port, const struct rpc_tls *tls,
                   char error[RPC_TEXT_MAX])
{
    struct listener *listener = mem_new(1, sizeof *listener);

    if (!tls || use_tls(listener, tls, error)) {
        listener->fd = bind_to(host, port, error);
        if (listener->fd >= 0) {
            listen_on(server, listener);
            return true;
        }
    }
    listener_free(listener);
    return false;
}

bool listener_revokes(const struct rpc_server *server, const struct tls *tls)
{
    for (const struct listener *l = server->listeners; l; l = l->next)
        if (l->tls && tls_peer_is_revoked(tls, l->tls))
            return true;
    return false;
}

/* Who has not shown a certificate yet is asked when it has. */
static void end_revoked(struct rpc_server *server)
{
    for (struct conn *conn = server->conns; conn; conn = conn->next) {
        if (!conn->tls || conn->is_closing)
            continue;
        conn->is_unproven = !tls_is_ready(conn->tls);
        conn_prove(conn);
    }
}

/* The files of all are read before any of them changes. */
bool listener_reload_all(struct rpc_server *server, char error[RPC_TEXT_MAX])
{
    struct listener *listener;
    bool ok = true;

    for (listener = server->listeners; ok && listener; listener = listener->next) {
        if (listener->tls)
            ok = (listener->fresh = read_files(listener, error)) != NULL;
    }
    for (listener = server->listeners; listener; listener = listener->next) {
        if (ok && listener->fresh) {
            tls_context_free(listener->tls);
            listener->tls = listener->fresh;
        } else {
            tls_context_free(listener->fresh);
        }
        listener->fresh = NULL;
    }
    if (ok)
        end_revoked(server);
    return ok;
}

void listener_recheck_all(struct rpc_server *server)
{
    for (struct listener *l = server->listeners; l; l = l->next)
        if (l->tls && l->crl)
            tls_context_add_crl(l->tls, l->crl);
    end_revoked(server);
}
