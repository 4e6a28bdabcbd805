/* SPDX-License-Identifier: Apache-2.0 */
#include "stub_server.h"

#include "tests/support/port.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct stub_link {
    struct stub_server *stub;
    struct stub_link *next;
    uv_tcp_t tcp;
    nghttp2_session *session;
    char in[65536];
};

struct stub_write {
    uv_write_t request;
    struct buffer b;
};

static void on_written(uv_write_t *request, int error)
{
    struct stub_write *write = (struct stub_write *)request;

    (void)error;
    buffer_free(&write->b);
    free(write);
}

static void flush(struct stub_link *link)
{
    struct stub_write *write = mem_new(1, sizeof *write);
    uv_buf_t buf;
    const uint8_t *b;
    ssize_t n;

    while ((n = nghttp2_session_mem_send(link->session, &b)) > 0)
        buffer_add(&write->b, b, (size_t)n);
    if (write->b.len == 0 || link->stub->is_mute || uv_is_closing((uv_handle_t *)&link->tcp)) {
        on_written(&write->request, 0);
        return;
    }
    buf = uv_buf_init((char *)write->b.b, (unsigned)write->b.len);
    assert_int_equal(uv_write(&write->request, (uv_stream_t *)&link->tcp, &buf, 1, on_written), 0);
}

static struct stub_call *call_of(nghttp2_session *session, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(session, stream);
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct stub_call *call = mem_new(1, sizeof *call);

    call->link = arg;
    call->stream = frame->hd.stream_id;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *arg)
{
    struct stub_call *call = call_of(session, frame->hd.stream_id);

    (void)flags;
    (void)arg;
    assert_in_range(call->headers_n, 0, STUB_HEADERS_MAX - 1);
    call->headers[call->headers_n].name = strndup((const char *)name, name_len);
    call->headers[call->headers_n++].value = strndup((const char *)value, len);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *b,
                   size_t len, void *arg)
{
    (void)flags;
    (void)arg;
    buffer_add(&call_of(session, stream)->body, b, len);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct stub_link *link = arg;
    bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    if (frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & NGHTTP2_FLAG_ACK)) {
        link->stub->pings_n++;
        link->stub->is_mute |= link->stub->is_deaf_to_pings;
    }
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) && is_end)
        link->stub->on_call(link->stub->arg, call_of(session, frame->hd.stream_id));
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *arg)
{
    struct stub_call *call = call_of(session, stream);
    struct stub_server *stub = ((struct stub_link *)arg)->stub;

    if (stub->on_reset != NULL && error != NGHTTP2_NO_ERROR)
        stub->on_reset(stub->arg, error);
    for (size_t i = 0; call != NULL && i < call->headers_n; i++) {
        free(call->headers[i].name);
        free(call->headers[i].value);
    }
    if (call != NULL) {
        buffer_free(&call->body);
        buffer_free(&call->out);
    }
    free(call);
    return 0;
}

static void link_closed(uv_handle_t *handle)
{
    struct stub_link *link = handle->data;

    for (struct stub_link **at = &link->stub->links; *at != NULL; at = &(*at)->next)
        if (*at == link) {
            *at = link->next;
            break;
        }
    /* Streams that are open still have their calls. */
    for (int32_t stream = 1; stream < 100000; stream += 2)
        if (nghttp2_session_get_stream_user_data(link->session, stream) != NULL)
            on_stream_close(link->session, stream, 0, link);
    nghttp2_session_del(link->session);
    free(link);
}

static void link_close(struct stub_link *link)
{
    if (!uv_is_closing((uv_handle_t *)&link->tcp))
        uv_close((uv_handle_t *)&link->tcp, link_closed);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct stub_link *link = handle->data;

    (void)hint;
    *buf = uv_buf_init(link->in, sizeof link->in);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct stub_link *link = stream->data;

    if (n < 0 ||
        nghttp2_session_mem_recv(link->session, (const uint8_t *)buf->base, (size_t)n) != n)
        link_close(link);
    else
        flush(link);
}

static void on_connection(uv_stream_t *listener, int error)
{
    static const nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20};
    struct stub_link *link = mem_new(1, sizeof *link);
    nghttp2_session_callbacks *callbacks;

    assert_int_equal(error, 0);
    link->stub = listener->data;
    link->next = link->stub->links;
    link->stub->links = link;
    link->stub->links_n++;
    link->tcp.data = link;
    uv_tcp_init(link->stub->loop, &link->tcp);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&link->tcp), 0);
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_server_new(&link->session, callbacks, link);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(link->session, 0, &window, 1);
    nghttp2_session_set_local_window_size(link->session, 0, 0, 4 << 20);
    if (link->stub->refuse_n > 0) {
        link->stub->refuse_n--;
        link_close(link);
        return;
    }
    uv_read_start((uv_stream_t *)&link->tcp, on_alloc, on_read);
    flush(link);
}

void stub_open(struct stub_server *stub, uv_loop_t *loop)
{
    struct sockaddr_in address;

    if (stub->port == 0)
        stub->port_holder = port_hold(&stub->port);
    stub->loop = loop;
    stub->is_open = true;
    stub->listener.data = stub;
    uv_ip4_addr("127.0.0.1", stub->port, &address);
    uv_tcp_init(loop, &stub->listener);
    assert_int_equal(uv_tcp_bind(&stub->listener, (struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&stub->listener, 16, on_connection), 0);
    snprintf(stub->target, sizeof stub->target, "127.0.0.1:%d", stub->port);
}

void stub_cut(struct stub_server *stub)
{
    for (struct stub_link *link = stub->links; link != NULL; link = link->next)
        link_close(link);
}

void stub_close(struct stub_server *stub)
{
    stub_cut(stub);
    if (stub->is_open)
        uv_close((uv_handle_t *)&stub->listener, NULL);
    stub->is_open = false;
}

void stub_end(struct stub_server *stub)
{
    stub_close(stub);
    close(stub->port_holder);
}

void stub_goaway(struct stub_server *stub, int32_t last, uint32_t error)
{
    for (struct stub_link *link = stub->links; link != NULL; link = link->next) {
        nghttp2_submit_goaway(link->session, 0, last, error, NULL, 0);
        flush(link);
    }
}

const char *stub_header(const struct stub_call *call, const char *name)
{
    for (size_t i = 0; i < call->headers_n; i++)
        if (strcmp(call->headers[i].name, name) == 0)
            return call->headers[i].value;
    return NULL;
}

static size_t pairs_of(nghttp2_nv *out, const char *const *pairs)
{
    size_t n = 0;

    for (; pairs[2 * n] != NULL; n++)
        out[n] =
            (nghttp2_nv){(uint8_t *)(uintptr_t)pairs[2 * n], (uint8_t *)(uintptr_t)pairs[2 * n + 1],
                         strlen(pairs[2 * n]), strlen(pairs[2 * n + 1]), 0};
    return n;
}

static ssize_t on_body(nghttp2_session *session, int32_t stream, uint8_t *b, size_t len,
                       uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct stub_call *call = call_of(session, stream);
    size_t left = call->out.len - call->sent;
    nghttp2_nv trailers[8];

    (void)source;
    (void)arg;
    if (left == 0 && call->is_open)
        return NGHTTP2_ERR_DEFERRED;
    left = left < len ? left : len;
    if (left > 0)
        memcpy(b, call->out.b + call->sent, left);
    call->sent += left;
    if (call->sent < call->out.len || call->is_open)
        return (ssize_t)left;
    *flags = NGHTTP2_DATA_FLAG_EOF;
    if (call->trailers[0] != NULL) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        nghttp2_submit_trailer(session, stream, trailers, pairs_of(trailers, call->trailers));
    }
    return (ssize_t)left;
}

void stub_answer(struct stub_call *call, const char *http, const char *content_type,
                 const void *body, size_t len, const char *const *trailers)
{
    const char *const head[] = {":status", http, "content-type", content_type, NULL};
    const nghttp2_data_provider provider = {.read_callback = on_body};
    nghttp2_nv pairs[8];

    buffer_add(&call->out, body, len);
    call->is_open = trailers == NULL;
    call->trailers = trailers;
    nghttp2_submit_response(call->link->session, call->stream, pairs, pairs_of(pairs, head),
                            &provider);
    flush(call->link);
}

void stub_refuse(struct stub_call *call, const char *const *trailers)
{
    const char *const head[] = {":status", "200", "content-type", "application/grpc", NULL};
    nghttp2_nv pairs[12];
    size_t n = pairs_of(pairs, head);

    n += pairs_of(pairs + n, trailers);
    nghttp2_submit_response(call->link->session, call->stream, pairs, n, NULL);
    flush(call->link);
}

void stub_reset(struct stub_call *call, uint32_t error)
{
    nghttp2_submit_rst_stream(call->link->session, 0, call->stream, error);
    flush(call->link);
}
