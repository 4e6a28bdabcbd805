/* SPDX-License-Identifier: Apache-2.0 */
/* See h2.h. nghttp2 keeps the protocol's rules; ours are the limits: streams, header bytes, resets
 * (by the peer, or by us for his faults), frames that wait because he does not read.
 *
 * nghttp2 calls back while it reads and while it writes. Handlers run inside its reading; writing
 * happens in conn_flush only, so no callback comes back into it. */
#include "system/rpc/h2.h"

#include "system/rpc/call.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STREAM_WINDOW = 256 * 1024,
    CONN_WINDOW = 1024 * 1024,
    /* resets: so many at once, and so many more each second */
    RESETS_BURST = 200,
    RESETS_PER_S = 20,
    /* frames of nghttp2's own that wait */
    QUEUE_MAX = 4096,
    FIELDS_MAX = 32,
    /* header bytes beyond the limit, in all, before the connection is given up */
    EXCESS_TIMES = 16,
    /* of a body after its answer: who sends more has had windows that came after the answer */
    DROP_MAX = 4 * STREAM_WINDOW
};

struct h2 {
    struct conn *conn;
    nghttp2_session *session;
    uint64_t resets_at_ms;
    unsigned resets;
    size_t excess;
    /* 0, shutdown announced, last stream named */
    int drained;
};

static struct h2 *h2_of(const struct rpc_call *call)
{
    return call->conn->session;
}

static void give_up(struct h2 *h2)
{
    nghttp2_session_terminate_session(h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* A bucket that empties by time. */
static void count_reset(struct h2 *h2)
{
    uint64_t now = conn_now(h2->conn);
    uint64_t gone = (now - h2->resets_at_ms) * RESETS_PER_S / 1000;

    if (gone) {
        h2->resets = gone >= h2->resets ? 0 : h2->resets - (unsigned)gone;
        h2->resets_at_ms = now;
    }
    if (++h2->resets > RESETS_BURST)
        give_up(h2);
}

/* ---- answers ---- */

static nghttp2_nv pair(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void submit_trailers(nghttp2_session *session, const struct rpc_call *call)
{
    nghttp2_nv nv[FIELDS_MAX];
    size_t n = 0;
    const char *at = (const char *)call->trailers.b;
    const char *end = at + call->trailers.len;

    while (at < end && n < FIELDS_MAX) {
        const char *value = at + strlen(at) + 1;

        nv[n++] = pair(at, value);
        at = value + strlen(value) + 1;
    }
    nghttp2_submit_trailer(session, (int32_t)call->id, nv, n);
}

static ssize_t read_answer(nghttp2_session *session, int32_t stream, uint8_t *room, size_t cap,
                           uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct rpc_call *call = source->ptr;
    size_t left = call->out.len - call->out_at;
    size_t n = left < cap ? left : cap;

    (void)stream;
    (void)room;
    (void)arg;
    if (!n && !call->has_ended)
        return NGHTTP2_ERR_DEFERRED;
    if (n)
        *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (call->has_ended && n == left) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (call->trailers.len) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            submit_trailers(session, call);
        }
    }
    return (ssize_t)n;
}

static void submit_head(struct rpc_call *call, nghttp2_nv *nv, size_t n, bool has_body)
{
    nghttp2_data_provider body = {{.ptr = call}, read_answer};

    nghttp2_submit_response(h2_of(call)->session, (int32_t)call->id, nv, n,
                            has_body ? &body : NULL);
}

static void h2_head(struct rpc_call *call, int http, const struct rpc_field *field, size_t n,
                    int64_t length)
{
    nghttp2_nv nv[FIELDS_MAX];
    char status[8], bytes[24];
    size_t i = 0;

    snprintf(status, sizeof status, "%d", http);
    nv[i++] = pair(":status", status);
    for (size_t j = 0; j < n && i < FIELDS_MAX - 1; j++)
        nv[i++] = pair(field[j].name, field[j].value);
    if (length > 0) {
        snprintf(bytes, sizeof bytes, "%lld", (long long)length);
        nv[i++] = pair("content-length", bytes);
    }
    submit_head(call, nv, i, length != 0 && !call->is_head_only);
    conn_touch(call->conn);
}

static void h2_push(struct rpc_call *call)
{
    nghttp2_session_resume_data(h2_of(call)->session, (int32_t)call->id);
    conn_touch(call->conn);
}

static void h2_end(struct rpc_call *call, const struct rpc_field *trailer, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buffer_add(&call->trailers, trailer[i].name, strlen(trailer[i].name) + 1);
        buffer_add(&call->trailers, trailer[i].value, strlen(trailer[i].value) + 1);
    }
    call->has_ended = true;
    h2_push(call);
}

/* Not before our side has ended: the reset would take the answer with it. */
static void h2_cut(struct rpc_call *call)
{
    nghttp2_session *session = h2_of(call)->session;

    if (nghttp2_session_get_stream_local_close(session, (int32_t)call->id) != 1)
        return;
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, (int32_t)call->id, NGHTTP2_NO_ERROR);
    conn_touch(call->conn);
}

static const struct exchange h2_exchange = {h2_head, h2_push, h2_end, h2_cut, true};

/* ---- requests ---- */

static struct rpc_call *call_of(nghttp2_session *session, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(session, stream);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct h2 *h2 = arg;
    struct rpc_call *call;

    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    /* Calls that were reset count until their handlers have finished. */
    if (h2->conn->calls_n >= h2->conn->server->limits.streams_max) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_REFUSED_STREAM);
        return 0;
    }
    call = rpc_call_new(h2->conn, &h2_exchange);
    call->id = frame->hd.stream_id;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
    return 0;
}

static char *text_of(const uint8_t *b, size_t len)
{
    char *text = mem_new(1, len + 1);

    memcpy(text, b, len);
    return text;
}

static void take_path(struct rpc_call *call, const uint8_t *b, size_t len)
{
    const uint8_t *query = memchr(b, '?', len);
    size_t path_len = query ? (size_t)(query - b) : len;

    call->path = text_of(b, path_len);
    if (query)
        call->query = text_of(query + 1, len - path_len - 1);
}

/* nghttp2 sees to it that each comes once. |:scheme| is not needed. */
static bool take_pseudo(struct rpc_call *call, const char *name, const uint8_t *value, size_t len,
                        size_t max)
{
    if (len > max)
        return false;
    if (strcmp(name, ":path") == 0 && !call->path)
        take_path(call, value, len);
    if (strcmp(name, ":method") == 0 && !call->verb)
        call->verb = text_of(value, len);
    return true;
}

static void take_field(struct h2 *h2, struct rpc_call *call, const char *name, const uint8_t *value,
                       size_t len)
{
    size_t max = h2->conn->server->limits.header_max;

    if (strcmp(name, ":authority") == 0)
        name = "host";
    if (*name == ':' ? take_pseudo(call, name, value, len, max)
                     : head_add(&call->head, name, strlen(name), (const char *)value, len))
        return;
    call->is_head_too_large = true;
    h2->excess += strlen(name) + len;
    if (h2->excess > EXCESS_TIMES * max)
        give_up(h2);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
    struct rpc_call *call;

    (void)name_len;
    (void)flags;
    /* Trailers of requests are dropped. */
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    call = call_of(session, frame->hd.stream_id);
    if (call)
        take_field(arg, call, (const char *)name, value, value_len);
    return 0;
}

static void on_request(struct rpc_call *call)
{
    if (!call->verb)
        call->verb = text_copy("");
    if (!call->path)
        call->path = text_copy("");
    call->is_head_only = strcmp(call->verb, "HEAD") == 0;
    rpc_call_begin(call);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct h2 *h2 = arg;
    struct rpc_call *call;

    if (frame->hd.type == NGHTTP2_RST_STREAM)
        count_reset(h2);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    call = call_of(session, frame->hd.stream_id);
    if (!call)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        on_request(call);
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        rpc_call_complete(call);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *b,
                   size_t len, void *arg)
{
    struct rpc_call *call = call_of(session, stream);

    (void)flags;
    (void)arg;
    if (!call)
        return 0;
    rpc_call_data(call, b, len);
    if (call->dropped > DROP_MAX)
        h2_cut(call);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *arg)
{
    struct rpc_call *call = call_of(session, stream);

    (void)error;
    (void)arg;
    nghttp2_session_set_stream_user_data(session, stream, NULL);
    if (call)
        rpc_call_closed(call);
    return 0;
}

/* ---- out ---- */

static ssize_t on_send(nghttp2_session *session, const uint8_t *b, size_t len, int flags, void *arg)
{
    struct h2 *h2 = arg;

    (void)session;
    (void)flags;
    if (conn_is_full(h2->conn))
        return NGHTTP2_ERR_WOULDBLOCK;
    conn_send(h2->conn, b, len);
    return (ssize_t)len;
}

/* What was sent is forgotten when it is the larger part. */
static void drop_sent(struct rpc_call *call)
{
    if (call->out_at == call->out.len) {
        if (call->out.cap > CALL_LOW_WATER)
            buffer_free(&call->out);
        call->out.len = call->out_at = 0;
    } else if (call->out_at > CALL_LOW_WATER && call->out_at > call->out.len / 2) {
        buffer_drop(&call->out, call->out_at);
        call->out_at = 0;
    }
    rpc_call_account(call);
}

static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                        size_t len, nghttp2_data_source *source, void *arg)
{
    struct rpc_call *call = source->ptr;
    struct h2 *h2 = arg;

    (void)session;
    (void)frame;
    if (conn_is_full(h2->conn))
        return NGHTTP2_ERR_WOULDBLOCK;
    conn_send(h2->conn, head, 9);
    conn_send(h2->conn, call->out.b + call->out_at, len);
    call->out_at += len;
    drop_sent(call);
    return 0;
}

/* Our answer is complete but the request is not: the rest is not wanted (RFC 9113, 8.1). A reset at
 * once would be right, but there are clients, curl among them, that show a reset and not the answer
 * if they still send: they get time to see it. A reset that is no farewell is the peer's fault and
 * counts as his. */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    uint8_t type = frame->hd.type;
    struct rpc_call *call;

    if (type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR)
        count_reset(arg);
    if ((type != NGHTTP2_HEADERS && type != NGHTTP2_DATA) ||
        !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    call = call_of(session, frame->hd.stream_id);
    if (call && !call->is_complete)
        due_set(&call->conn->server->dues, &call->due, rpc_call_now(call) + CONN_LINGER_MS);
    return 0;
}

static void output(struct conn *conn)
{
    struct h2 *h2 = conn->session;
    int e = nghttp2_session_send(h2->session);

    if (e != 0)
        conn_abort(conn, nghttp2_strerror(e));
    else if (nghttp2_session_get_outbound_queue_size(h2->session) > QUEUE_MAX)
        conn_abort(conn, "too many frames wait for a peer that does not read");
    else if (!nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session))
        conn_end(conn);
}

static void input(struct conn *conn, const uint8_t *b, size_t len)
{
    struct h2 *h2 = conn->session;
    ssize_t n = nghttp2_session_mem_recv(h2->session, b, len);

    conn_touch(conn);
    if (n < 0)
        conn_abort(conn, nghttp2_strerror((int)n));
}

/* First the announcement, which refuses nothing; what was on its way then has arrived when this is
 * called again. Without calls both come at once. */
static void drain(struct conn *conn)
{
    struct h2 *h2 = conn->session;

    if (h2->drained == 0) {
        nghttp2_submit_shutdown_notice(h2->session);
        h2->drained = 1;
    } else if (h2->drained == 1) {
        nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
                              nghttp2_session_get_last_proc_stream_id(h2->session),
                              NGHTTP2_NO_ERROR, NULL, 0);
        h2->drained = 2;
    }
    conn_touch(conn);
}

static void ping(struct conn *conn)
{
    struct h2 *h2 = conn->session;

    nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);
    conn_touch(conn);
}

static size_t waiting(const struct rpc_call *call)
{
    return call->out.len - call->out_at;
}

static void h2_free(struct conn *conn)
{
    struct h2 *h2 = conn->session;

    nghttp2_session_del(h2->session);
    free(h2);
}

static const struct protocol h2_protocol = {input, output, drain, ping, waiting, h2_free};

/* ---- birth ---- */

static nghttp2_session *session_new(struct h2 *h2)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    nghttp2_option *option;

    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_option_new(&option);
    nghttp2_option_set_max_outbound_ack(option, 256);
    /* A closed stream is forgotten at once: priorities are not used. */
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_session_server_new2(&session, callbacks, h2, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return session;
}

void h2_start(struct conn *conn)
{
    const struct rpc_limits *limits = &conn->server->limits;
    struct h2 *h2 = mem_new(1, sizeof *h2);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->header_max},
    };

    h2->conn = conn;
    h2->session = session_new(h2);
    h2->resets_at_ms = conn_now(conn);
    nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, 3);
    nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW);
    conn_speak(conn, &h2_protocol, h2);
}
