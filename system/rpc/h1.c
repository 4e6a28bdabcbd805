/* SPDX-License-Identifier: Apache-2.0 */
/* See h1.h. A head is taken when it is complete, checked by h1_check.h and read by http-parser,
 * which sees nothing else: where a body ends is h1_body.h's. The next request begins when the
 * answer of this one is written.
 *
 * A request whose length two readers could understand differently is refused and the connection
 * closed, as after any head that is not understood. */
#include "system/rpc/h1.h"

#include "system/rpc/answer.h"
#include "system/rpc/forms.h"
#include "system/rpc/h1_body.h"
#include "system/rpc/h1_check.h"
#include "system/rpc/ws.h"

#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    /* bytes ahead of the request in work, then reading stops */
    AHEAD_MAX = 64 * 1024,
    /* of a refused request: read and dropped, so that the connection can go on */
    DISCARD_MAX = 64 * 1024,
    LENGTH_DIGITS_MAX = 18
};

enum h1_state { H1_HEAD, H1_BODY, H1_WAIT };

struct h1 {
    struct conn *conn;
    http_parser parser;
    struct h1_body body;
    bool has_chunks;
    uint64_t length;
    enum h1_state state;
    /* not parsed yet; a whole head was not seen in the first |seen| of it */
    struct buffer in;
    size_t seen;
    struct rpc_call *call;
    /* of the header line that is read */
    const char *name;
    size_t name_len;
    bool is_1_0, keeps_open, is_chunked;
    /* the answer is complete */
    bool has_answered;
    /* the client waits for 100 Continue */
    bool is_expecting;
    bool is_upgrading;
};

/* ---- answers ---- */

static bool has_no_body(int http)
{
    return http == 204 || http == 304 || http < 200;
}

/* May the rest of the request be read and dropped? */
static bool can_discard(const struct h1 *h1)
{
    return !h1->is_expecting && !h1->has_chunks && h1->length <= DISCARD_MAX;
}

static void h1_head(struct rpc_call *call, int http, const struct rpc_field *field, size_t n,
                    int64_t length)
{
    struct h1 *h1 = call->conn->session;
    struct buffer out = {0};

    if (!call->is_complete && !can_discard(h1))
        h1->keeps_open = false;
    h1->is_chunked = length < 0 && !h1->is_1_0;
    if ((length < 0 && h1->is_1_0) || call->conn->is_draining)
        h1->keeps_open = false;
    buffer_printf(&out, "HTTP/1.1 %d %s\r\n", http, http_status_str((enum http_status)http));
    for (size_t i = 0; i < n; i++)
        buffer_printf(&out, "%s: %s\r\n", field[i].name, field[i].value);
    if (length >= 0 && !has_no_body(http))
        buffer_printf(&out, "content-length: %lld\r\n", (long long)length);
    if (h1->is_chunked)
        buffer_text(&out, "transfer-encoding: chunked\r\n");
    if (!h1->keeps_open && http != 101)
        buffer_text(&out, "connection: close\r\n");
    buffer_text(&out, "\r\n");
    conn_send(call->conn, out.b, out.len);
    buffer_free(&out);
}

static void h1_push(struct rpc_call *call)
{
    struct h1 *h1 = call->conn->session;
    char line[24];

    if (call->out.len && !call->is_head_only) {
        snprintf(line, sizeof line, "%zx\r\n", call->out.len);
        if (h1->is_chunked)
            conn_send(call->conn, line, strlen(line));
        conn_send(call->conn, call->out.b, call->out.len);
        if (h1->is_chunked)
            conn_send(call->conn, "\r\n", 2);
    }
    call->out.len = 0;
}

static void h1_end(struct rpc_call *call, const struct rpc_field *trailer, size_t n)
{
    struct h1 *h1 = call->conn->session;

    (void)trailer;
    (void)n;
    if (h1->is_chunked && !call->is_head_only)
        conn_send(call->conn, "0\r\n\r\n", 5);
    h1->has_answered = true;
    /* What is still to come of the request must come in time. */
    if (!call->is_complete) {
        call->conn->head_since_ms = conn_now(call->conn);
        conn_wake_by(call->conn, call->conn->head_since_ms + call->conn->server->limits.request_ms);
    }
    conn_touch(call->conn);
}

static const struct exchange h1_exchange = {h1_head, h1_push, h1_end, NULL, false};

/* ---- requests ---- */

static struct rpc_status bad_request(const char *text)
{
    return rpc_error(RPC_INVALID, "bad_request", "%s", text);
}

/* An answer to what is no request: there is nothing to go on with. */
static void refuse(struct h1 *h1, struct rpc_status status)
{
    struct rpc_call *call = h1->call;

    h1->keeps_open = false;
    if (!call) {
        call = h1->call = rpc_call_new(h1->conn, &h1_exchange);
    }
    if (!call->form) {
        call->form = &json_form;
        trace_new(call->trace);
    }
    h1->state = H1_WAIT;
    call->is_complete = true;
    if (!call->is_answered)
        rpc_call_fail(call, status);
    else if (!h1->has_answered)
        conn_abort(h1->conn, status.text);
}

static int on_url(http_parser *parser, const char *b, size_t len)
{
    struct h1 *h1 = parser->data;
    const char *end = b + len, *query;

    /* http://host/path: the host is what "Host" says. */
    if (len > 7 && strncmp(b, "http://", 7) == 0) {
        b = memchr(b + 7, '/', len - 7);
        if (!b)
            return -1;
    }
    if (*b != '/' && !(end - b == 1 && *b == '*'))
        return -1;
    query = memchr(b, '?', (size_t)(end - b));
    h1->call->path = mem_new(1, (size_t)((query ? query : end) - b) + 1);
    memcpy(h1->call->path, b, (size_t)((query ? query : end) - b));
    if (query) {
        h1->call->query = mem_new(1, (size_t)(end - query));
        memcpy(h1->call->query, query + 1, (size_t)(end - query) - 1);
    }
    return 0;
}

static int on_field(http_parser *parser, const char *b, size_t len)
{
    struct h1 *h1 = parser->data;

    h1->name = b;
    h1->name_len = len;
    return 0;
}

static int on_value(http_parser *parser, const char *b, size_t len)
{
    struct h1 *h1 = parser->data;

    while (len && (b[len - 1] == ' ' || b[len - 1] == '\t'))
        len--;
    if (!head_add(&h1->call->head, h1->name, h1->name_len, b, len))
        h1->call->is_head_too_large = true;
    return 0;
}

/* NULL, or what makes the length or the host of the request doubtful. */
static const char *framing_fault(const struct h1 *h1)
{
    const struct head *head = &h1->call->head;
    const char *coding = head_get(head, "transfer-encoding");
    const char *length = head_get(head, "content-length");
    const char *host = head_get(head, "host");

    if (h1->parser.http_major != 1 || h1->parser.http_minor > 1)
        return "only HTTP/1.0 and HTTP/1.1 are spoken in this form";
    if (coding && length)
        return "both content-length and transfer-encoding";
    if (coding && (h1->is_1_0 || strcasecmp(coding, "chunked") != 0))
        return "transfer-encoding must be chunked";
    if (length &&
        (!*length || strlen(length) > LENGTH_DIGITS_MAX || length[strspn(length, "0123456789")]))
        return "content-length must be one number";
    if (!h1->is_1_0 && !host)
        return "host is missing";
    if (host && strpbrk(host, ", \t/@"))
        return "host must be one name";
    return NULL;
}

static void expect(struct h1 *h1)
{
    const char *expects = head_get(&h1->call->head, "expect");

    if (!expects || h1->is_1_0)
        return;
    h1->is_expecting = strcasecmp(expects, "100-continue") == 0;
    if (!h1->is_expecting) {
        struct rpc_status status = bad_request("expect must be 100-continue");

        status.http = 417;
        refuse(h1, status);
    }
}

/* The parser has read the head; it reads nothing more. */
static void take_head(struct h1 *h1)
{
    struct rpc_call *call = h1->call;
    const char *length = head_get(&call->head, "content-length");
    const char *fault;

    h1->is_1_0 = h1->parser.http_minor == 0;
    h1->keeps_open = http_should_keep_alive(&h1->parser) && !h1->is_1_0;
    h1->has_chunks = head_get(&call->head, "transfer-encoding") != NULL;
    h1->length = length ? strtoull(length, NULL, 10) : 0;
    h1_body_init(&h1->body, h1->has_chunks, h1->length);
    h1->state = H1_BODY;
    call->verb = text_copy(http_method_str((enum http_method)h1->parser.method));
    call->is_head_only = h1->parser.method == HTTP_HEAD;
    fault = call->is_head_too_large ? NULL : framing_fault(h1);
    if (fault)
        refuse(h1, bad_request(fault));
    else
        expect(h1);
    if (!call->is_answered)
        rpc_call_begin(call);
    if (h1->is_expecting && !call->is_answered) {
        h1->is_expecting = false;
        conn_send(h1->conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    }
}

/* An upgrade is what we make one. */
static int on_headers_complete(http_parser *parser)
{
    parser->upgrade = 0;
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
};

static void begin_request(struct h1 *h1, size_t head_len)
{
    const char *fault = h1_head_fault(h1->in.b, head_len);
    uint64_t since = h1->conn->head_since_ms;
    enum http_errno e;

    h1->conn->head_since_ms = 0;
    h1->seen = 0;
    h1->has_answered = h1->is_expecting = false;
    if (fault) {
        refuse(h1, bad_request(fault));
        return;
    }
    http_parser_init(&h1->parser, HTTP_REQUEST);
    h1->parser.data = h1;
    h1->call = rpc_call_new(h1->conn, &h1_exchange);
    due_set(&h1->conn->server->dues, &h1->call->due, since + h1->conn->server->limits.request_ms);
    http_parser_execute(&h1->parser, &settings, (const char *)h1->in.b, head_len);
    e = HTTP_PARSER_ERRNO(&h1->parser);
    buffer_drop(&h1->in, head_len);
    if (e != HPE_OK)
        refuse(h1, bad_request(e == HPE_CB_url ? "the target must be a path"
                                               : http_errno_description(e)));
    else
        take_head(h1);
}

/* Give what has arrived of the body to the call, and tell it the end. */
static void take_body(struct h1 *h1)
{
    enum h1_step step = H1_DATA;
    size_t at = 0;

    while (step == H1_DATA && h1->state == H1_BODY) {
        struct h1_piece piece;

        step = h1_body_next(&h1->body, &piece, h1->in.b + at, h1->in.len - at);
        at += piece.used;
        if (step == H1_DATA)
            rpc_call_data(h1->call, piece.b, piece.n);
    }
    buffer_drop(&h1->in, at);
    if (step == H1_FAULT)
        refuse(h1, bad_request("the chunked body is malformed"));
    if (step != H1_DONE)
        return;
    h1->state = H1_WAIT;
    h1->conn->head_since_ms = 0;
    rpc_call_complete(h1->call);
    conn_touch(h1->conn);
}

/* RFC 9112, 2.2: empty lines before a request are overlooked, a few. */
static void skip_empty_lines(struct h1 *h1)
{
    size_t n = 0;

    while (n < 8 && n + 1 < h1->in.len && h1->in.b[n] == '\r' && h1->in.b[n + 1] == '\n')
        n += 2;
    if (!n)
        return;
    buffer_drop(&h1->in, n);
    h1->seen = 0;
    h1->conn->head_since_ms = 0;
}

static void wait_for_head(struct h1 *h1)
{
    struct conn *conn = h1->conn;
    const char *fault;
    size_t len;

    /* Each time: the two bytes of an empty line may come one by one. */
    skip_empty_lines(h1);
    if (!h1->in.len)
        return;
    fault = h1_first_fault(h1->in.b[0]);
    if (fault) {
        refuse(h1, bad_request(fault));
        return;
    }
    if (!conn->head_since_ms) {
        conn->head_since_ms = conn_now(conn);
        conn_wake_by(conn, conn->head_since_ms + conn->server->limits.request_ms);
    }
    len = h1_head_len(h1->in.b, h1->in.len, &h1->seen);
    if ((len ? len : h1->in.len) > conn->server->limits.header_max) {
        struct rpc_status status =
            rpc_error(RPC_EXHAUSTED, "head_too_large", "the request's header fields are too large");

        status.http = 431;
        conn->head_since_ms = 0;
        refuse(h1, status);
    } else if (len) {
        begin_request(h1, len);
    }
}

/* As far as what has arrived and the state allow. */
static void go_on(struct h1 *h1)
{
    enum h1_state before;
    size_t left;

    do {
        before = h1->state;
        left = h1->in.len;
        if (h1->state == H1_HEAD)
            wait_for_head(h1);
        else if (h1->state == H1_BODY)
            take_body(h1);
    } while (h1->state != before || h1->in.len != left);
    conn_pause(h1->conn, h1->state == H1_WAIT && h1->in.len > AHEAD_MAX);
}

static void input(struct conn *conn, const uint8_t *b, size_t len)
{
    struct h1 *h1 = conn->session;

    buffer_add(&h1->in, b, len);
    go_on(h1);
}

/* ---- between requests ---- */

static void upgrade(struct h1 *h1)
{
    struct conn *conn = h1->conn;
    struct buffer left = h1->in;
    struct rpc_call *call = h1->call;

    h1->in = (struct buffer){0};
    h1->call = NULL;
    /* |h1| is freed by what follows. */
    ws_start(conn, &call->head);
    rpc_call_closed(call);
    if (left.len)
        conn->protocol->input(conn, left.b, left.len);
    buffer_free(&left);
}

static void output(struct conn *conn)
{
    struct h1 *h1 = conn->session;
    struct rpc_call *call = h1->call;

    if (!call || !h1->has_answered || (!call->is_complete && h1->keeps_open))
        return;
    if (h1->is_upgrading) {
        upgrade(h1);
        return;
    }
    h1->call = NULL;
    h1->state = H1_HEAD;
    if (!h1->keeps_open)
        conn_end(conn);
    rpc_call_closed(call);
    if (!conn->is_ending)
        go_on(h1);
}

static void drain(struct conn *conn)
{
    struct h1 *h1 = conn->session;

    h1->keeps_open = false;
    if (!h1->call)
        conn_end(conn);
}

static size_t waiting(const struct rpc_call *call)
{
    return conn_backlog(call->conn);
}

static void h1_free(struct conn *conn)
{
    struct h1 *h1 = conn->session;

    buffer_free(&h1->in);
    free(h1);
}

static const struct protocol h1_protocol = {input, output, drain, NULL, waiting, h1_free};

void h1_start(struct conn *conn)
{
    struct h1 *h1 = mem_new(1, sizeof *h1);

    h1->conn = conn;
    conn_speak(conn, &h1_protocol, h1);
}

/* ---- WebSocket ---- */

struct rpc_status h1_upgrade(struct rpc_call *call)
{
    char accept[WS_ACCEPT_MAX];
    struct rpc_status status = ws_handshake(call, accept);
    struct answer answer = {.n = 0};
    struct h1 *h1;

    if (status.code != RPC_OK)
        return status;
    h1 = call->conn->session;
    if (h1->has_chunks || h1->length)
        return bad_request("a WebSocket's handshake has no body");
    answer_add(&answer, "upgrade", "websocket");
    answer_add(&answer, "connection", "upgrade");
    answer_add(&answer, "sec-websocket-accept", accept);
    answer_add(&answer, "x-request-id", call->trace);
    call->is_answered = true;
    due_clear(&call->conn->server->dues, &call->due);
    h1->is_upgrading = true;
    call->exchange->head(call, 101, answer.field, answer.n, 0);
    call->exchange->end(call, NULL, 0);
    return status;
}
