/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants. A stream's user data is its call, NULL once the call has left. User code runs below
 * nghttp2_session_mem_recv and _send and may close the link there: |is_closed| then
 * stops the session, which is freed by libuv's last close callback, never inside a callback of its
 * own. Faults found while sending are told from the timer: flush has no news for anybody. */
#include "system/rpc/client_link.h"

#include "system/core/buffer.h"
#include "system/rpc/client_head.h"
#include "system/rpc/grpc_wire.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ_MAX = 64 << 10,
    /* bytes that leave in one write */
    WRITE_MAX = 256 << 10,
    STREAM_WINDOW = 1 << 20,
    LINK_WINDOW = 4 << 20,
    FRAME_MAX = 64 << 10,
    HEADERS_MAX = 32 << 10
};

struct rpc_link {
    struct rpc_link_params is;
    nghttp2_session *session;
    struct tls *tls;
    uv_timer_t timer;
    uv_idle_t idle;
    uv_write_t write;
    /* plain text for TLS; bytes for the network; those that libuv holds now */
    struct buffer plain, out, sending;
    uint64_t heard, asked;
    unsigned handles;
    bool is_asked, is_ready, is_up, is_draining, is_writing, is_receiving, is_sending, is_closed;
    /* a fault to be told by the timer; NULL: none */
    const char *fault;
    uint8_t in[READ_MAX];
};

static void flush(struct rpc_link *link);

/* Sending happens before the loop waits the next time: an idle handle also keeps it from waiting if
 * the turn is already past its callbacks. */
static void on_idle(uv_idle_t *idle)
{
    uv_idle_stop(idle);
    flush(idle->data);
}

static void touch(struct rpc_link *link)
{
    if (!link->is_closed)
        uv_idle_start(&link->idle, on_idle);
}

static void down(struct rpc_link *link, const char *why)
{
    if (!link->is_closed)
        link_on_down(link->is.channel, link, why);
}

static void on_timer(uv_timer_t *timer);

static void fault_soon(struct rpc_link *link, const char *why)
{
    if (link->is_closed || link->fault != NULL)
        return;
    link->fault = why;
    uv_timer_start(&link->timer, on_timer, 0, 0);
}

/* --- what nghttp2 asks and tells --- */

static struct rpc_pending *call_of(const struct rpc_link *link, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(link->session, stream);
}

/* A closed link stops reading. Not sending: nghttp2 would lose the memory of the frame in hand. */
static int go_on(const struct rpc_link *link)
{
    return link->is_closed && link->is_receiving ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *arg)
{
    struct rpc_link *link = arg;
    struct rpc_pending *call = call_of(link, frame->hd.stream_id);
    const char *text = (const char *)value;

    (void)session;
    (void)flags;
    if (call == NULL || frame->hd.type != NGHTTP2_HEADERS)
        return go_on(link);
    if (name_len == 12 && memcmp(name, "x-error-code", 12) == 0)
        call->status.name = link_on_name(link->is.channel, text, len);
    else
        pending_header(call, (const char *)name, text, len);
    return go_on(link);
}

/* The call is off its stream. */
static void over(struct rpc_link *link, struct rpc_pending *call, bool refused)
{
    nghttp2_session_set_stream_user_data(link->session, call->stream, NULL);
    call->link = NULL;
    link_on_over(link->is.channel, call, refused);
}

/* The connection's window is everybody's; a paused stream's own closes. */
static void tell_taken(nghttp2_session *session, int32_t stream, struct rpc_pending *call,
                       size_t len)
{
    if (call == NULL || !call->is_paused) {
        nghttp2_session_consume(session, stream, len);
        return;
    }
    nghttp2_session_consume_connection(session, len);
    call->untold += len;
}

void link_resume(struct rpc_pending *call)
{
    nghttp2_session_consume_stream(call->link->session, call->stream, call->untold);
    call->untold = 0;
    touch(call->link);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *b,
                   size_t len, void *arg)
{
    struct rpc_link *link = arg;
    struct rpc_pending *call = call_of(link, stream);

    (void)flags;
    tell_taken(session, stream, call, len);
    if (call != NULL && pending_data(call, b, len) == PENDING_FAULT) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
        over(link, call, false);
    }
    return go_on(link);
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *arg)
{
    struct rpc_link *link = arg;
    struct rpc_pending *call = call_of(link, stream);
    bool refused = error == NGHTTP2_REFUSED_STREAM;

    (void)session;
    if (call != NULL) {
        pending_settle(call, error, link->is.target);
        over(link, call, refused && link->is_draining);
    }
    return go_on(link);
}

/* The server has said all: what it did not want to hear of the request is cut off. */
static void answer_ended(struct rpc_link *link, int32_t stream)
{
    if (nghttp2_session_get_stream_local_close(link->session, stream) == 0)
        nghttp2_submit_rst_stream(link->session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_NO_ERROR);
}

static void on_goaway(struct rpc_link *link, uint32_t error)
{
    if (link->is_draining)
        return;
    link->is_draining = true;
    link_on_draining(link->is.channel, link, error == NGHTTP2_ENHANCE_YOUR_CALM);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct rpc_link *link = arg;
    uint8_t type = frame->hd.type;

    (void)session;
    if (type == NGHTTP2_SETTINGS && !link->is_up && !(frame->hd.flags & NGHTTP2_FLAG_ACK)) {
        link->is_up = true;
        link_on_up(link->is.channel, link);
    } else if (type == NGHTTP2_GOAWAY) {
        on_goaway(link, frame->goaway.error_code);
    } else if ((type == NGHTTP2_HEADERS || type == NGHTTP2_DATA) &&
               (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        answer_ended(link, frame->hd.stream_id);
    }
    return go_on(link);
}

/* The request's bytes are not given to nghttp2 but to on_send_data, which copies them once. */
static ssize_t on_read_source(nghttp2_session *session, int32_t stream, uint8_t *b, size_t len,
                              uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct rpc_pending *call = call_of(arg, stream);
    size_t left;

    (void)session;
    (void)b;
    (void)source;
    if (call == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    left = call->out.len - call->sent;
    *flags = NGHTTP2_DATA_FLAG_NO_COPY;
    if (left <= len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)(left < len ? left : len);
}

static struct buffer *text_for(struct rpc_link *link)
{
    return link->tls != NULL ? &link->plain : &link->out;
}

static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                        size_t len, nghttp2_data_source *source, void *arg)
{
    struct rpc_link *link = arg;
    struct rpc_pending *call = call_of(link, frame->hd.stream_id);
    struct buffer *out = text_for(link);

    (void)session;
    (void)source;
    if (call == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    buffer_add(out, head, 9);
    buffer_add(out, call->out.b + call->sent, len);
    call->sent += len;
    return 0;
}

static ssize_t on_frame_len(nghttp2_session *session, uint8_t type, int32_t stream,
                            int32_t session_window, int32_t stream_window, uint32_t frame_max,
                            void *arg)
{
    (void)session;
    (void)type;
    (void)stream;
    (void)session_window;
    (void)stream_window;
    (void)arg;
    return frame_max < FRAME_MAX ? (ssize_t)frame_max : FRAME_MAX;
}

static nghttp2_session_callbacks *callbacks_new(void)
{
    nghttp2_session_callbacks *callbacks;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        abort();
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, on_frame_len);
    return callbacks;
}

static void session_start(struct rpc_link *link)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_MAX},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADERS_MAX},
    };
    nghttp2_session_callbacks *callbacks = callbacks_new();
    nghttp2_option *option;

    if (nghttp2_option_new(&option) != 0)
        abort();
    nghttp2_option_set_no_auto_window_update(option, 1);
    if (nghttp2_session_client_new2(&link->session, callbacks, link, option) != 0)
        abort();
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(link->session, NGHTTP2_FLAG_NONE, settings,
                            sizeof settings / sizeof settings[0]);
    nghttp2_session_set_local_window_size(link->session, NGHTTP2_FLAG_NONE, 0, LINK_WINDOW);
}

/* --- out --- */

/* Frames of the session, as far as one write goes. */
static bool collect(struct rpc_link *link)
{
    struct buffer *out = text_for(link);
    const uint8_t *b;
    ssize_t n = 0;

    link->is_sending = true;
    while (link->is_ready && out->len < WRITE_MAX &&
           (n = nghttp2_session_mem_send(link->session, &b)) > 0)
        buffer_add(out, b, (size_t)n);
    link->is_sending = false;
    if (n < 0) {
        fault_soon(link, nghttp2_strerror((int)n));
        return false;
    }
    if (link->tls == NULL)
        return true;
    if (link->plain.len > 0 && !tls_write(link->tls, link->plain.b, link->plain.len)) {
        fault_soon(link, "TLS cannot write");
        return false;
    }
    link->plain.len = 0;
    tls_take(link->tls, &link->out);
    return true;
}

static void on_written(uv_write_t *write, int error)
{
    struct rpc_link *link = write->data;

    link->is_writing = false;
    if (error != 0)
        fault_soon(link, uv_strerror(error));
    else
        flush(link);
}

/* What the socket does not take now waits in |sending|. False: no more now. */
static bool push(struct rpc_link *link)
{
    uv_stream_t *stream = (uv_stream_t *)link->is.tcp;
    uv_buf_t buf = uv_buf_init((char *)link->out.b, (unsigned)link->out.len);
    int n = uv_try_write(stream, &buf, 1);
    struct buffer spare;

    if (n == (int)link->out.len) {
        link->out.len = 0;
        return true;
    }
    if (n < 0 && n != UV_EAGAIN) {
        fault_soon(link, uv_strerror(n));
        return false;
    }
    spare = link->sending;
    link->sending = link->out;
    link->out = spare;
    link->out.len = 0;
    n = n < 0 ? 0 : n;
    buf = uv_buf_init((char *)link->sending.b + n, (unsigned)(link->sending.len - (size_t)n));
    link->is_writing = uv_write(&link->write, stream, &buf, 1, on_written) == 0;
    if (!link->is_writing)
        fault_soon(link, "cannot write");
    return false;
}

static void flush(struct rpc_link *link)
{
    if (link->is_closed || link->is_writing || link->fault != NULL)
        return;
    while (collect(link) && !link->is_closed && link->out.len > 0 && push(link))
        ;
}

/* --- in --- */

static void take_plain(struct rpc_link *link, const uint8_t *b, size_t len)
{
    ssize_t n;

    link->is_receiving = true;
    n = nghttp2_session_mem_recv(link->session, b, len);
    link->is_receiving = false;
    if (link->is_closed)
        return;
    touch(link);
    if (n < 0)
        down(link, nghttp2_strerror((int)n));
    else if (!nghttp2_session_want_read(link->session) &&
             !nghttp2_session_want_write(link->session))
        down(link, "the server ended the connection");
}

static bool handshake_is_over(struct rpc_link *link)
{
    if (link->is_ready || !tls_is_ready(link->tls))
        return true;
    if (strcmp(tls_alpn(link->tls), "h2") != 0) {
        down(link, "the server does not speak HTTP/2 (ALPN)");
        return false;
    }
    link->is_ready = true;
    return true;
}

void link_recheck(struct rpc_link *link, const struct tls_context *context)
{
    if (!link->is_ready || tls_peer_is_revoked(link->tls, context))
        fault_soon(link, "the server's certificate is revoked, or was not seen yet");
}

static void take_cipher(struct rpc_link *link, const uint8_t *b, size_t len)
{
    static const char closed[] = "the server ended the connection";
    uint8_t plain[16384];
    ssize_t n = 0;

    tls_feed(link->tls, b, len);
    while (!link->is_closed && (n = tls_read(link->tls, plain, sizeof plain)) > 0)
        if (handshake_is_over(link))
            take_plain(link, plain, (size_t)n);
    if (link->is_closed)
        return;
    if (n < 0)
        down(link, tls_error(link->tls)[0] != 0 ? tls_error(link->tls) : closed);
    else if (handshake_is_over(link))
        touch(link);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct rpc_link *link = handle->data;

    (void)hint;
    *buf = uv_buf_init((char *)link->in, sizeof link->in);
}

static void watch(struct rpc_link *link);

static void hear(struct rpc_link *link)
{
    bool was_asked = link->is_asked;

    link->heard = uv_now(link->is.loop);
    link->is_asked = false;
    if (was_asked)
        watch(link);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct rpc_link *link = stream->data;

    if (n == 0 || link->is_closed)
        return;
    if (n < 0) {
        down(link, n == UV_EOF ? "the server ended the connection" : uv_strerror((int)n));
        return;
    }
    hear(link);
    if (link->tls != NULL)
        take_cipher(link, (const uint8_t *)buf->base, (size_t)n);
    else
        take_plain(link, (const uint8_t *)buf->base, (size_t)n);
}

/* --- keepalive: a ping after silence; silence after a ping is the end --- */

static void watch(struct rpc_link *link)
{
    uint64_t now = uv_now(link->is.loop), due = link->heard + link->is.idle_ms;

    if (link->is_asked && now >= link->asked + link->is.answer_ms) {
        down(link, "no answer to a ping");
        return;
    }
    if (now >= due && link->is_up && !link->is_asked) {
        nghttp2_submit_ping(link->session, NGHTTP2_FLAG_NONE, NULL);
        touch(link);
        link->is_asked = true;
        link->asked = now;
    }
    if (link->is_asked)
        due = link->asked + link->is.answer_ms;
    uv_timer_start(&link->timer, on_timer, due > now ? due - now : link->is.idle_ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct rpc_link *link = timer->data;

    if (link->fault != NULL)
        down(link, link->fault);
    else
        watch(link);
}

/* --- life --- */

static void on_closed(uv_handle_t *handle)
{
    struct rpc_link *link = handle->data;

    if (--link->handles > 0)
        return;
    nghttp2_session_del(link->session);
    tls_free(link->tls);
    buffer_free(&link->plain);
    buffer_free(&link->out);
    buffer_free(&link->sending);
    free(link->is.tcp);
    free(link);
}

struct rpc_link *link_new(const struct rpc_link_params *params)
{
    struct rpc_link *link = mem_new(1, sizeof *link);

    link->is = *params;
    link->is.tcp->data = link->timer.data = link->idle.data = link->write.data = link;
    link->handles = 3;
    uv_timer_init(params->loop, &link->timer);
    uv_idle_init(params->loop, &link->idle);
    uv_tcp_nodelay(params->tcp, 1);
    link->heard = uv_now(params->loop);
    session_start(link);
    link->is_ready = params->tls == NULL;
    if (params->tls != NULL) {
        link->tls = tls_new(params->tls, params->host);
        if (tls_read(link->tls, link->in, sizeof link->in) < 0)
            fault_soon(link, "TLS cannot start");
    }
    if (uv_read_start((uv_stream_t *)params->tcp, on_alloc, on_read) != 0)
        fault_soon(link, "cannot read");
    if (link->fault == NULL)
        watch(link);
    touch(link);
    return link;
}

/* A last word if the socket takes it: GOAWAY, close_notify. Not from inside the session. */
static void say_goodbye(struct rpc_link *link)
{
    uv_buf_t buf;

    if (!link->is_up || link->is_writing || link->is_receiving || link->is_sending ||
        link->fault != NULL)
        return;
    nghttp2_session_terminate_session(link->session, NGHTTP2_NO_ERROR);
    if (!collect(link))
        return;
    if (link->tls != NULL) {
        tls_close(link->tls);
        tls_take(link->tls, &link->out);
    }
    buf = uv_buf_init((char *)link->out.b, (unsigned)link->out.len);
    if (link->out.len > 0)
        uv_try_write((uv_stream_t *)link->is.tcp, &buf, 1);
}

void link_close(struct rpc_link *link, bool is_orderly)
{
    if (link->is_closed)
        return;
    link->is_closed = true;
    if (is_orderly)
        say_goodbye(link);
    uv_close((uv_handle_t *)link->is.tcp, on_closed);
    uv_close((uv_handle_t *)&link->timer, on_closed);
    uv_close((uv_handle_t *)&link->idle, on_closed);
}

/* --- calls --- */

bool link_submit(struct rpc_link *link, struct rpc_pending *call,
                 const struct link_metadata *metadata)
{
    const struct client_head_params params = {.is_secure = link->tls != NULL,
                                              .authority = link->is.target,
                                              .metadata = metadata,
                                              .now = uv_now(link->is.loop)};
    const nghttp2_data_provider body = {.read_callback = on_read_source};
    struct client_head head;

    client_head_fill(&head, call, &params);
    call->stream = nghttp2_submit_request(link->session, NULL, head.fields, head.n, &body, call);
    if (call->stream < 0)
        return false;
    call->link = link;
    touch(link);
    return true;
}

void link_forget(struct rpc_pending *call)
{
    struct rpc_link *link = call->link;

    call->link = NULL;
    nghttp2_session_set_stream_user_data(link->session, call->stream, NULL);
    if (link->is_closed)
        return;
    nghttp2_submit_rst_stream(link->session, NGHTTP2_FLAG_NONE, call->stream, NGHTTP2_CANCEL);
    touch(link);
}
