/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants. The timer lives as long as the fetch; it carries the deadline and a fault that was
 * found before there was anything to wait for. Once |is_closed| nothing is told; the memory goes
 * when libuv has let go of the timer and of the socket. The caller may cancel inside each of its
 * callbacks, so |is_closed| is looked at after each. */
#include "system/rpc/fetch.h"

#include "system/core/buffer.h"
#include "system/rpc/dial.h"
#include "system/rpc/tls.h"

#include <http_parser.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_MAX = 16384, ALIVE_S = 30 };

struct fetch {
    struct fetch_params is;
    uv_loop_t *loop;
    uv_timer_t timer;
    struct dial *dial;
    uv_tcp_t *tcp;
    struct tls_context *context;
    struct tls *tls;
    /* the head of the request until it is with TLS; it has the bearer's secret */
    struct buffer request;
    http_parser parser;
    int status;
    unsigned handles;
    bool is_complete, is_closed;
    char host[DIAL_HOST_MAX], port[DIAL_PORT_MAX];
    char why[RPC_TEXT_MAX];
    char in[READ_MAX];
};

static void forget_request(struct fetch *fetch)
{
    if (fetch->request.b != NULL)
        sodium_memzero(fetch->request.b, fetch->request.cap);
    buffer_free(&fetch->request);
}

static void handle_gone(struct fetch *fetch)
{
    if (--fetch->handles > 0)
        return;
    tls_free(fetch->tls);
    tls_context_free(fetch->context);
    free(fetch);
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

static void on_tcp_closed(uv_handle_t *handle)
{
    struct fetch *fetch = handle->data;

    free(handle);
    handle_gone(fetch);
}

void fetch_cancel(struct fetch *fetch)
{
    if (fetch->is_closed)
        return;
    fetch->is_closed = true;
    forget_request(fetch);
    if (fetch->dial != NULL)
        dial_cancel(fetch->dial);
    if (fetch->tcp != NULL)
        uv_close((uv_handle_t *)fetch->tcp, on_tcp_closed);
    uv_close((uv_handle_t *)&fetch->timer, on_timer_closed);
}

/* |why| NULL: complete. */
static void finish(struct fetch *fetch, const char *why)
{
    if (fetch->is_closed)
        return;
    fetch_cancel(fetch);
    fetch->is.done(fetch->is.arg, fetch->status, why);
}

static void on_timer(uv_timer_t *timer)
{
    struct fetch *fetch = timer->data;

    finish(fetch, fetch->why[0] != 0 ? fetch->why : "no answer in time");
}

/* --- what the parser finds --- */

static int on_head(http_parser *parser)
{
    struct fetch *fetch = parser->data;

    fetch->status = (int)parser->status_code;
    if (fetch->is.head != NULL)
        fetch->is.head(fetch->is.arg, fetch->status);
    return fetch->is_closed ? -1 : 0;
}

static int on_body(http_parser *parser, const char *b, size_t len)
{
    struct fetch *fetch = parser->data;

    fetch->is.body(fetch->is.arg, (const uint8_t *)b, len);
    return fetch->is_closed ? -1 : 0;
}

static int on_complete(http_parser *parser)
{
    struct fetch *fetch = parser->data;

    fetch->is_complete = true;
    return -1; /* nothing is asked after it, so nothing can follow */
}

static const http_parser_settings settings = {
    .on_headers_complete = on_head, .on_body = on_body, .on_message_complete = on_complete};

static void take_plain(struct fetch *fetch, const char *b, size_t len)
{
    http_parser_execute(&fetch->parser, &settings, b, len);
    if (fetch->is_complete)
        finish(fetch, NULL);
    else if (HTTP_PARSER_ERRNO(&fetch->parser) != HPE_OK)
        finish(fetch, http_errno_description(HTTP_PARSER_ERRNO(&fetch->parser)));
}

/* --- the connection --- */

struct sending {
    uv_write_t write;
    struct buffer bytes;
};

static void on_sent(uv_write_t *write, int error)
{
    struct sending *sending = write->data;

    (void)error; /* reading tells of it, too */
    buffer_free(&sending->bytes);
    free(sending);
}

static void send_cipher(struct fetch *fetch)
{
    struct sending *sending = mem_new(1, sizeof *sending);
    uv_buf_t buf;

    tls_take(fetch->tls, &sending->bytes);
    sending->write.data = sending;
    buf = uv_buf_init((char *)sending->bytes.b, (unsigned)sending->bytes.len);
    if (sending->bytes.len == 0 ||
        uv_write(&sending->write, (uv_stream_t *)fetch->tcp, &buf, 1, on_sent) != 0)
        on_sent(&sending->write, 0);
}

/* Once the handshake is over. */
static void send_request(struct fetch *fetch)
{
    if (fetch->request.len == 0 || !tls_is_ready(fetch->tls))
        return;
    if (!tls_write(fetch->tls, fetch->request.b, fetch->request.len))
        finish(fetch, tls_error(fetch->tls));
    forget_request(fetch);
}

static void take_cipher(struct fetch *fetch, const char *b, size_t len)
{
    char plain[READ_MAX];
    ssize_t n = 0;

    tls_feed(fetch->tls, b, len);
    while (!fetch->is_closed && (n = tls_read(fetch->tls, plain, sizeof plain)) > 0)
        take_plain(fetch, plain, (size_t)n);
    if (fetch->is_closed)
        return;
    if (n < 0) {
        finish(fetch, tls_error(fetch->tls)[0] != 0 ? tls_error(fetch->tls)
                                                    : "the server ended the connection");
        return;
    }
    send_request(fetch);
    if (!fetch->is_closed)
        send_cipher(fetch);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct fetch *fetch = handle->data;

    (void)hint;
    *buf = uv_buf_init(fetch->in, sizeof fetch->in);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct fetch *fetch = stream->data;

    if (fetch->is_closed || n == 0)
        return;
    if (n < 0)
        finish(fetch, n == UV_EOF ? "the server ended the connection" : uv_strerror((int)n));
    else
        take_cipher(fetch, buf->base, (size_t)n);
}

static void on_dialed(void *arg, uv_tcp_t *tcp, const char *why)
{
    struct fetch *fetch = arg;

    fetch->dial = NULL;
    if (tcp == NULL) {
        finish(fetch, why);
        return;
    }
    fetch->tcp = tcp;
    fetch->handles++;
    tcp->data = fetch;
    uv_tcp_keepalive(tcp, 1, ALIVE_S);
    fetch->tls = tls_new(fetch->context, fetch->host);
    uv_read_start((uv_stream_t *)tcp, on_alloc, on_read);
    take_cipher(fetch, "", 0);
}

/* --- the start --- */

/* A line end would begin another header. */
static bool is_one_word(const char *text)
{
    for (; *text != 0; text++)
        if (*text <= ' ' || *text >= 0x7f)
            return false;
    return true;
}

/* In one piece: a buffer that grows would leave the bearer's secret behind. */
static void write_request(struct fetch *fetch, const struct fetch_params *params)
{
    buffer_printf(
        &fetch->request,
        "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: quorate/" QRT_VERSION
        "\r\nAccept: application/json\r\nConnection: close\r\n%s%s%s\r\n",
        params->path, params->target, params->bearer != NULL ? "Authorization: Bearer " : "",
        params->bearer != NULL ? params->bearer : "", params->bearer != NULL ? "\r\n" : "");
}

/* False: |why| says it. */
static bool prepare(struct fetch *fetch, const struct fetch_params *params)
{
    const struct tls_files files = {.ca = params->ca};

    if (!is_one_word(params->path) || (params->bearer != NULL && !is_one_word(params->bearer)))
        snprintf(fetch->why, sizeof fetch->why, "what is asked for is not one word of ASCII");
    else if (!dial_split(params->target, fetch->host, fetch->port))
        snprintf(fetch->why, sizeof fetch->why, "%.120s is not of the form host:port",
                 params->target);
    else
        fetch->context = tls_context_client_http1(&files, fetch->why);
    return fetch->context != NULL;
}

struct fetch *fetch_start(uv_loop_t *loop, const struct fetch_params *params)
{
    struct fetch *fetch = mem_new(1, sizeof *fetch);

    fetch->is = *params;
    fetch->loop = loop;
    fetch->handles = 1;
    uv_timer_init(loop, &fetch->timer);
    fetch->timer.data = fetch;
    http_parser_init(&fetch->parser, HTTP_RESPONSE);
    fetch->parser.data = fetch;
    if (prepare(fetch, params))
        fetch->dial = dial_start(loop, fetch->host, fetch->port, on_dialed, fetch);
    if (fetch->dial != NULL)
        write_request(fetch, params);
    else if (fetch->why[0] == 0)
        snprintf(fetch->why, sizeof fetch->why, "%.200s cannot be looked up", fetch->host);
    uv_timer_start(&fetch->timer, on_timer, fetch->dial != NULL ? params->deadline_ms : 0, 0);
    return fetch;
}
