/* SPDX-License-Identifier: Apache-2.0 */
/* See conn.h: the socket's side of a connection, and what it is judged by: time without progress,
 * without calls, without an answer to a ping. */
#include "system/rpc/conn.h"

#include "system/core/log.h"
#include "system/rpc/call.h"
#include "system/rpc/h1.h"
#include "system/rpc/h2.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum {
    PREFACE_LEN = sizeof preface - 1,
    /* a buffer that once was larger is given back */
    KEEP_CAP = 64 * 1024,
    TURNS_MAX = 16
};

uint64_t conn_now(const struct conn *conn)
{
    return uv_now(conn->server->loop);
}

static void conn_free(struct conn *conn)
{
    for (struct conn **at = &conn->server->dirty; conn->is_dirty && *at; at = &(*at)->next_dirty) {
        if (*at == conn) {
            *at = conn->next_dirty;
            break;
        }
    }
    due_clear(&conn->server->dues, &conn->due);
    *conn->back = conn->next;
    if (conn->next)
        conn->next->back = conn->back;
    tls_free(conn->tls);
    buffer_free(&conn->first);
    buffer_free(&conn->out);
    buffer_free(&conn->flying);
    free(conn);
}

void conn_add_call(struct conn *conn, struct rpc_call *call)
{
    call->conn = conn;
    call->next = conn->calls;
    call->back = &conn->calls;
    if (conn->calls)
        conn->calls->back = &call->next;
    conn->calls = call;
    conn->calls_n++;
    conn_wake_by(conn, conn_now(conn) + conn->server->limits.ping_ms);
}

void conn_remove_call(struct conn *conn, struct rpc_call *call)
{
    *call->back = call->next;
    if (call->next)
        call->next->back = call->back;
    conn->calls_n--;
    conn->idle_since_ms = conn_now(conn);
    if (conn->calls_n)
        return;
    if (conn->is_closed) {
        conn_free(conn);
        return;
    }
    conn_wake_by(conn, conn->idle_since_ms + conn->server->limits.idle_ms);
    if (conn->is_draining)
        conn_touch(conn);
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;
    struct rpc_server *server = conn->server;

    conn->is_closed = true;
    if (!conn->calls_n)
        conn_free(conn);
    server_conn_gone(server);
}

void conn_orphan(struct conn *conn)
{
    struct rpc_call *call = conn->calls;

    while (call) {
        struct rpc_call *next = call->next;

        due_clear(&conn->server->dues, &call->due);
        call->conn = NULL;
        call->next = NULL;
        call = next;
    }
    conn->calls = NULL;
    conn->calls_n = 0;
    if (conn->is_closed)
        conn_free(conn);
}

/* The only place where a connection ends. Handlers may finish other calls in here. */
void conn_close(struct conn *conn)
{
    struct rpc_call *call;

    if (conn->is_closing)
        return;
    conn->is_closing = true;
    due_clear(&conn->server->dues, &conn->due);
    if (conn->protocol)
        conn->protocol->free(conn);
    conn->session = NULL;
    uv_close((uv_handle_t *)&conn->tcp, on_closed);
    do {
        call = conn->calls;
        while (call && !call->is_carried)
            call = call->next;
        if (call)
            rpc_call_closed(call);
    } while (call);
}

void conn_touch(struct conn *conn)
{
    if (conn->is_dirty || conn->is_closing)
        return;
    conn->is_dirty = true;
    conn->next_dirty = conn->server->dirty;
    conn->server->dirty = conn;
}

void conn_end(struct conn *conn)
{
    conn->is_ending = true;
    conn_touch(conn);
}

void conn_abort(struct conn *conn, const char *why)
{
    if (!conn->is_doomed && !conn->is_closing)
        log_event(LOG_DEBUG, "connection ended", LOG_S("peer", conn->peer), LOG_S("why", why));
    conn->is_doomed = true;
    conn_touch(conn);
}

void conn_send(struct conn *conn, const void *b, size_t len)
{
    buffer_add(&conn->out, b, len);
    conn_touch(conn);
}

bool conn_is_full(const struct conn *conn)
{
    return conn->out.len >= CONN_OUT_FULL;
}

size_t conn_backlog(const struct conn *conn)
{
    return conn->out.len + conn->flying.len;
}

void conn_wake_by(struct conn *conn, uint64_t at_ms)
{
    if (!conn->is_closing && (!due_is_set(&conn->due) || at_ms < conn->due.at_ms))
        due_set(&conn->server->dues, &conn->due, at_ms);
}

/* ---- out ---- */

static void empty(struct buffer *buffer)
{
    buffer->len = 0;
    if (buffer->cap > KEEP_CAP)
        buffer_free(buffer);
}

static void on_written(uv_write_t *writing, int status)
{
    struct conn *conn = writing->handle->data;

    conn->is_flying = false;
    empty(&conn->flying);
    if (conn->is_closing)
        return;
    conn->progress_ms = conn_now(conn);
    if (status < 0)
        conn_abort(conn, uv_strerror(status));
    conn_touch(conn);
}

/* What is collected becomes what flies: encrypted, or just renamed. */
static bool load(struct conn *conn)
{
    struct buffer free_one = conn->flying;

    if (conn->tls) {
        if (conn->out.len && !tls_write(conn->tls, conn->out.b, conn->out.len)) {
            conn_abort(conn, tls_error(conn->tls));
            return false;
        }
        empty(&conn->out);
        tls_take(conn->tls, &conn->flying);
    } else {
        conn->flying = conn->out;
        conn->out = free_one;
    }
    return conn->flying.len > 0;
}

/* True if the kernel took everything. */
static bool launch(struct conn *conn)
{
    uv_buf_t buf = uv_buf_init((char *)conn->flying.b, (unsigned)conn->flying.len);
    int n = uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);

    conn->progress_ms = conn_now(conn);
    if (n == (int)conn->flying.len) {
        empty(&conn->flying);
        return true;
    }
    if (n < 0 && n != UV_EAGAIN) {
        conn_abort(conn, uv_strerror(n));
        return false;
    }
    buf.base += n < 0 ? 0 : n;
    buf.len -= n < 0 ? 0 : (size_t)n;
    conn->is_flying = true;
    conn->queue_len = buf.len;
    conn_wake_by(conn, conn->progress_ms + CONN_STALL_MS);
    n = uv_write(&conn->writing, (uv_stream_t *)&conn->tcp, &buf, 1, on_written);
    if (n < 0) {
        conn->is_flying = false;
        conn_abort(conn, uv_strerror(n));
    }
    return false;
}

static void write_out(struct conn *conn)
{
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        if (conn->protocol && !conn->is_ending && !conn->is_doomed && !conn_is_full(conn))
            conn->protocol->output(conn);
        if (conn->is_doomed || conn->is_flying || !load(conn) || !launch(conn))
            return;
    }
    conn_touch(conn);
}

static void tell_drained(struct conn *conn)
{
    struct rpc_call *call = conn->calls;

    while (call) {
        struct rpc_call *next = call->next;

        if (call->is_full && call->on_drain && !call->is_answered &&
            conn->protocol->waiting(call) < CALL_LOW_WATER) {
            rpc_call_drained(call);
            /* That may have ended any call: look again at the next turn. */
            conn_touch(conn);
            return;
        }
        call = next;
    }
}

/* All is sent: say so, and wait a moment for the peer, or an answer to a request that was not read
 * to its end is lost in a reset. */
static void linger(struct conn *conn)
{
    uv_os_fd_t fd;

    if (conn->is_eof || conn->is_lingering) {
        if (conn->is_eof)
            conn_close(conn);
        return;
    }
    conn->is_lingering = true;
    if (conn->tls) {
        tls_close(conn->tls);
        if (load(conn))
            launch(conn);
    }
    if (!conn->is_flying && uv_fileno((uv_handle_t *)&conn->tcp, &fd) == 0)
        shutdown(fd, SHUT_WR);
    conn_pause(conn, false);
    conn->progress_ms = conn_now(conn);
    conn_wake_by(conn, conn->progress_ms + CONN_LINGER_MS);
}

void conn_flush(struct conn *conn)
{
    if (conn->is_closing)
        return;
    if (!conn->is_lingering)
        write_out(conn);
    if (conn->is_doomed) {
        conn_close(conn);
        return;
    }
    if (conn->is_ending && !conn->is_flying && !conn->out.len)
        linger(conn);
    else if (conn->protocol && !conn->is_ending)
        tell_drained(conn);
}

/* ---- in ---- */

void conn_speak(struct conn *conn, const struct protocol *protocol, void *session)
{
    if (conn->protocol)
        conn->protocol->free(conn);
    conn->protocol = protocol;
    conn->session = session;
    conn->idle_since_ms = conn_now(conn);
    conn_wake_by(conn, conn->idle_since_ms + conn->server->limits.idle_ms);
    conn_touch(conn);
    if (conn->is_draining)
        protocol->drain(conn);
}

/* Plain text: the first bytes tell. */
static void sniff(struct conn *conn, const uint8_t *b, size_t len)
{
    struct buffer first;
    size_t n;

    buffer_add(&conn->first, b, len);
    n = conn->first.len < PREFACE_LEN ? conn->first.len : PREFACE_LEN;
    if (memcmp(conn->first.b, preface, n) != 0)
        h1_start(conn);
    else if (n == PREFACE_LEN)
        h2_start(conn);
    else
        return;
    first = conn->first;
    conn->first = (struct buffer){0};
    conn->protocol->input(conn, first.b, first.len);
    buffer_free(&first);
}

static void take_plain(struct conn *conn, const uint8_t *b, size_t len)
{
    if (conn->is_ending || conn->is_doomed)
        return;
    if (conn->protocol)
        conn->protocol->input(conn, b, len);
    else
        sniff(conn, b, len);
}

bool conn_prove(struct conn *conn)
{
    if (!tls_is_ready(conn->tls))
        return true;
    conn->is_unproven = false;
    if (!listener_revokes(conn->server, conn->tls))
        return true;
    log_event(LOG_WARN, "a connection ends: its certificate is revoked", LOG_S("peer", conn->peer),
              LOG_S("party", tls_peer_party(conn->tls)));
    conn_abort(conn, "the certificate is revoked");
    return false;
}

static void take_tls(struct conn *conn, const uint8_t *b, size_t len)
{
    uint8_t *room = conn->server->scratch;
    ssize_t n;

    tls_feed(conn->tls, b, len);
    conn_touch(conn);
    /* |b| is |room|, but it is in the machine now. */
    while ((n = tls_read(conn->tls, room, SERVER_SCRATCH)) > 0) {
        if (conn->is_unproven && !conn_prove(conn))
            return;
        if (!conn->protocol && strcmp(tls_alpn(conn->tls), "h2") == 0)
            h2_start(conn);
        take_plain(conn, room, (size_t)n);
    }
    if (conn->is_unproven && !conn_prove(conn))
        return;
    if (n < 0 && tls_error(conn->tls)[0])
        log_event(LOG_DEBUG, "TLS fault", LOG_S("peer", conn->peer),
                  LOG_S("error", tls_error(conn->tls)));
    if (n < 0) {
        conn->is_eof = true;
        conn_end(conn);
    } else if (!conn->protocol && tls_is_ready(conn->tls) &&
               strcmp(tls_alpn(conn->tls), "h2") == 0) {
        h2_start(conn);
    }
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct conn *conn = handle->data;

    (void)size;
    *buf = uv_buf_init((char *)conn->server->scratch, SERVER_SCRATCH);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *conn = stream->data;

    if (n == 0 || conn->is_closing)
        return;
    if (n == UV_EOF) {
        conn->is_eof = true;
        conn_end(conn);
        return;
    }
    if (n < 0) {
        conn_abort(conn, uv_strerror((int)n));
        return;
    }
    conn->read_ms = conn_now(conn);
    conn->is_pinged = false;
    if (conn->is_lingering)
        return;
    if (conn->tls)
        take_tls(conn, (const uint8_t *)buf->base, (size_t)n);
    else
        take_plain(conn, (const uint8_t *)buf->base, (size_t)n);
}

void conn_pause(struct conn *conn, bool pause)
{
    if (conn->is_paused == pause || conn->is_closing)
        return;
    conn->is_paused = pause;
    if (pause)
        uv_read_stop((uv_stream_t *)&conn->tcp);
    else
        uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
}

/* ---- time ---- */

void conn_drain(struct conn *conn)
{
    if (conn->is_closing)
        return;
    conn->is_draining = true;
    conn->drain_ms = conn_now(conn);
    if (conn->protocol)
        conn->protocol->drain(conn);
    else
        conn_end(conn);
    conn_wake_by(conn, conn->drain_ms + CONN_DRAIN_MS);
    conn_touch(conn);
}

/* The earliest of the limits that are not reached is left in |*next|. */
static bool is_over(uint64_t since, uint64_t limit, uint64_t now, uint64_t *next)
{
    if (since + limit <= now)
        return true;
    if (since + limit < *next)
        *next = since + limit;
    return false;
}

/* NULL: nothing is wrong. */
static const char *overdue(struct conn *conn, uint64_t now, uint64_t *next)
{
    const struct rpc_limits *limits = &conn->server->limits;
    size_t queue = uv_stream_get_write_queue_size((uv_stream_t *)&conn->tcp);

    if (conn->is_flying && queue < conn->queue_len) {
        conn->queue_len = queue;
        conn->progress_ms = now;
    }
    if (!conn->protocol && is_over(conn->opened_ms, limits->request_ms, now, next))
        return "nothing was asked in time";
    if (conn->head_since_ms && is_over(conn->head_since_ms, limits->request_ms, now, next))
        return "the request did not arrive in time";
    if (conn->is_flying && is_over(conn->progress_ms, CONN_STALL_MS, now, next))
        return "the peer does not read";
    if (conn->is_lingering && is_over(conn->progress_ms, CONN_LINGER_MS, now, next))
        return "closed by us";
    if (conn->is_pinged && is_over(conn->pinged_ms, CONN_STALL_MS, now, next))
        return "a ping was not answered";
    return NULL;
}

static void keep_alive(struct conn *conn, uint64_t now, uint64_t *next)
{
    const struct rpc_limits *limits = &conn->server->limits;

    if (conn->calls_n && conn->protocol->ping && !conn->is_pinged &&
        is_over(conn->read_ms, limits->ping_ms, now, next)) {
        conn->is_pinged = true;
        conn->pinged_ms = now;
        conn->protocol->ping(conn);
        is_over(now, CONN_STALL_MS, now, next);
        is_over(now, limits->ping_ms, now, next);
    }
    if (conn->is_draining && is_over(conn->drain_ms, CONN_DRAIN_MS, now, next))
        conn->protocol->drain(conn);
    if (conn->is_draining)
        return;
    if ((!conn->calls_n && is_over(conn->idle_since_ms, limits->idle_ms, now, next)) ||
        (limits->age_ms && is_over(conn->opened_ms, limits->age_ms, now, next)))
        conn_drain(conn);
}

static void on_due(struct due *due)
{
    struct conn *conn = (struct conn *)(void *)((char *)due - offsetof(struct conn, due));
    uint64_t now = conn_now(conn), next = UINT64_MAX;
    const char *why = overdue(conn, now, &next);

    if (why) {
        conn_abort(conn, why);
        return;
    }
    if (conn->protocol && !conn->is_ending)
        keep_alive(conn, now, &next);
    if (next != UINT64_MAX)
        conn_wake_by(conn, next);
}

/* ---- birth ---- */

/* An IPv4 address that came through an IPv6 socket is told as IPv4. */
static void name_peer(struct conn *conn)
{
    struct sockaddr_storage address;
    int len = sizeof address;

    if (uv_tcp_getpeername(&conn->tcp, (struct sockaddr *)&address, &len) != 0)
        return;
    if (address.ss_family == AF_INET) {
        uv_ip4_name((struct sockaddr_in *)&address, conn->peer, sizeof conn->peer);
    } else if (address.ss_family == AF_INET6) {
        const struct in6_addr *ip = &((struct sockaddr_in6 *)&address)->sin6_addr;

        if (IN6_IS_ADDR_V4MAPPED(ip))
            inet_ntop(AF_INET, ip->s6_addr + 12, conn->peer, sizeof conn->peer);
        else
            uv_ip6_name((struct sockaddr_in6 *)&address, conn->peer, sizeof conn->peer);
    }
}

static void start(struct conn *conn, int fd)
{
    int e = uv_tcp_open(&conn->tcp, fd);

    if (e < 0) {
        close(fd);
        conn_abort(conn, uv_strerror(e));
        return;
    }
    uv_tcp_nodelay(&conn->tcp, 1);
    uv_tcp_keepalive(&conn->tcp, 1, 60);
    name_peer(conn);
    e = uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
    if (e < 0)
        conn_abort(conn, uv_strerror(e));
}

void conn_open(struct rpc_server *server, int fd, struct tls_context *tls)
{
    struct conn *conn = mem_new(1, sizeof *conn);

    conn->server = server;
    conn->next = server->conns;
    conn->back = &server->conns;
    if (conn->next)
        conn->next->back = &conn->next;
    server->conns = conn;
    server->conns_n++;
    uv_tcp_init(server->loop, &conn->tcp);
    conn->tcp.data = conn;
    conn->due.fire = on_due;
    conn->tls = tls ? tls_new(tls, NULL) : NULL;
    conn->opened_ms = conn->read_ms = conn->progress_ms = conn->idle_since_ms = conn_now(conn);
    start(conn, fd);
    conn_wake_by(conn, conn->opened_ms + server->limits.request_ms);
    if (server->limits.age_ms)
        conn_wake_by(conn, conn->opened_ms + server->limits.age_ms);
    metric_set(server->conns_gauge, (int64_t)server->conns_n);
}
