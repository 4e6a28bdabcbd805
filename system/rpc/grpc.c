/* SPDX-License-Identifier: Apache-2.0 */
/* Calls as gRPC and gRPC-Web. Both take one frame and answer with frames; gRPC ends with HTTP/2
 * trailers, gRPC-Web with the trailers as a last frame, and its text form is base64, each frame
 * for itself. Compressed frames are refused (UNIMPLEMENTED): we never announce a coding. */
#include "system/rpc/answer.h"
#include "system/rpc/forms.h"
#include "system/rpc/grpc_wire.h"
#include "system/rpc/message.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool grpc_is_type(struct rpc_call *call, const char *type)
{
    if (!type || strncasecmp(type, "application/grpc", 16) != 0)
        return false;
    if (head_is_type(type, "application/grpc-web-text") ||
        head_is_type(type, "application/grpc-web-text+proto")) {
        call->form = &grpc_web_form;
        call->is_text = true;
    } else if (head_is_type(type, "application/grpc-web") ||
               head_is_type(type, "application/grpc-web+proto")) {
        call->form = &grpc_web_form;
    } else if (head_is_type(type, "application/grpc") ||
               head_is_type(type, "application/grpc+proto")) {
        call->form = &grpc_form;
    }
    return call->form == &grpc_form || call->form == &grpc_web_form;
}

static struct rpc_status plain_refusal(int http, const char *name, const char *text)
{
    struct rpc_status status = rpc_error(RPC_UNIMPLEMENTED, name, "%s", text);

    status.http = http;
    return status;
}

void grpc_begin(struct rpc_call *call)
{
    bool is_web = call->form == &grpc_web_form;

    if (strcmp(call->verb, "POST") != 0 || (!is_web && !call->exchange->has_trailers)) {
        call->form = &json_form;
        if (strcmp(call->verb, "POST") != 0) {
            strcpy(call->allow, "POST");
            rpc_call_fail(call,
                          plain_refusal(405, "method_not_allowed", "gRPC calls are POST requests"));
        } else {
            rpc_call_fail(call, plain_refusal(505, "http2_needed", "gRPC needs HTTP/2"));
        }
        return;
    }
    call->offer = routes_method(&call->conn->server->routes, call->path + 1);
    if (!call->offer) {
        rpc_call_fail(call, rpc_error(RPC_UNIMPLEMENTED, "unknown_method",
                                      "there is no method %.128s", call->path + 1));
        return;
    }
    call->in_max = call->offer->method->request_max;
    if (!call->in_max)
        call->in_max = call->conn->server->limits.body_max;
    call->frame_max = call->in_max;
    /* the frame's head; base64 makes four of three, and a stray group of padding per chunk */
    call->in_max += GRPC_HEAD;
    if (call->is_text)
        call->in_max = call->in_max / 3 * 4 + 64;
    if (rpc_call_is_admitted(call))
        rpc_call_length_is_good(call);
}

/* What can be told before the frame is complete. */
static void check_frame(struct rpc_call *call)
{
    struct grpc_frame frame;
    size_t at = 0;

    if (call->in.len < GRPC_HEAD)
        return;
    if (grpc_frame_next(&frame, &call->in, &at, call->frame_max) == GRPC_TOO_LONG) {
        struct rpc_status status =
            rpc_error(RPC_EXHAUSTED, "body_too_large", "the message is longer than %zu bytes",
                      call->frame_max);
        rpc_call_fail(call, status);
    } else if (frame.flags & GRPC_COMPRESSED) {
        rpc_call_fail(call, rpc_error(RPC_UNIMPLEMENTED, "compressed",
                                      "compressed messages are not taken: send identity"));
    } else if (frame.flags) {
        rpc_call_fail(call, rpc_error(RPC_INVALID, "bad_frame", "unknown flags in a gRPC frame"));
    }
}

static void take(struct rpc_call *call, const uint8_t *b, size_t len)
{
    buffer_add(&call->in, b, len);
    check_frame(call);
}

/* 0..63, 64 for padding, -1 for what is no base64. */
static int sextet(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '=')
        return 64;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters are one to three bytes; padding may end every chunk, not only the last. */
static bool take_group(struct rpc_call *call)
{
    const uint8_t *g = call->group;
    size_t n = g[3] == 64 ? (g[2] == 64 ? 1 : 2) : 3;
    uint8_t b[3];

    if (g[0] == 64 || g[1] == 64 || (g[2] == 64 && g[3] != 64))
        return false;
    b[0] = (uint8_t)(g[0] << 2 | g[1] >> 4);
    b[1] = (uint8_t)(g[1] << 4 | (g[2] & 63) >> 2);
    b[2] = (uint8_t)(g[2] << 6 | (g[3] & 63));
    buffer_add(&call->in, b, n);
    call->group_n = 0;
    return true;
}

static bool take_text(struct rpc_call *call, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int v = sextet(b[i]);

        if (v < 0)
            return false;
        call->group[call->group_n++] = (uint8_t)v;
        if (call->group_n == 4 && !take_group(call))
            return false;
    }
    return true;
}

static void take_web(struct rpc_call *call, const uint8_t *b, size_t len)
{
    if (!call->is_text)
        buffer_add(&call->in, b, len);
    else if (!take_text(call, b, len)) {
        rpc_call_fail(call, rpc_error(RPC_INVALID, "bad_base64", "the body is not base64"));
        return;
    }
    check_frame(call);
}

static void complete(struct rpc_call *call)
{
    struct grpc_frame frame;
    struct rpc_status status;
    ProtobufCMessage *request;
    size_t at = 0;

    if (grpc_frame_next(&frame, &call->in, &at, call->frame_max) != GRPC_FRAME ||
        at != call->in.len || call->group_n) {
        rpc_call_fail(call, rpc_error(RPC_INVALID, "bad_frame", "one whole message is expected"));
        return;
    }
    request = message_of_bytes(call->offer->method->request, frame.b, frame.len, &status);
    if (request)
        rpc_call_run(call, request);
    else
        rpc_call_fail(call, status);
}

static void send_head(struct rpc_call *call, const char *type)
{
    struct answer answer;

    if (call->has_head)
        return;
    call->has_head = true;
    answer_init(&answer, call, type);
    call->exchange->head(call, 200, answer.field, answer.n, -1);
}

static void message(struct rpc_call *call, const ProtobufCMessage *response)
{
    send_head(call, "application/grpc+proto");
    grpc_frame_add(&call->out, response);
    call->exchange->push(call);
}

/* The trailers of |status|; |text| holds what they lend. */
struct end {
    char code[16], retry[16], http[16];
    struct buffer text;
};

static void add_end(struct answer *answer, struct end *end, const struct rpc_status *status)
{
    snprintf(end->code, sizeof end->code, "%d", (int)status->code);
    answer_add(answer, "grpc-status", end->code);
    if (status->code == RPC_OK)
        return;
    grpc_percent_encode(&end->text, status->text);
    answer_add(answer, "grpc-message", end->text.len ? (const char *)end->text.b : "");
    if (status->name)
        answer_add(answer, "x-error-code", status->name);
    if (status->session_id[0])
        answer_add(answer, "x-session-id", status->session_id);
    if (status->http) {
        snprintf(end->http, sizeof end->http, "%d", status->http);
        answer_add(answer, "x-http-status", end->http);
    }
    if (status->retry_after > 0) {
        snprintf(end->retry, sizeof end->retry, "%d", status->retry_after);
        answer_add(answer, "retry-after", end->retry);
    }
}

/* An error without a message before it is one block of header fields. */
static void finish(struct rpc_call *call, const struct rpc_status *status)
{
    struct answer answer = {.n = 0};
    struct end end = {.text = {0}};

    if (!call->has_head)
        answer_init(&answer, call, "application/grpc+proto");
    add_end(&answer, &end, status);
    if (!call->has_head) {
        call->has_head = true;
        answer_send(call, 200, &answer, NULL, 0);
    } else {
        call->exchange->end(call, answer.field, answer.n);
    }
    buffer_free(&end.text);
}

const struct call_form grpc_form = {take, complete, message, finish};

/* One frame, as it is or as base64. */
static void push_web(struct rpc_call *call, const struct buffer *frame)
{
    if (call->is_text) {
        struct buffer text = {0};

        text.cap = text.len = (frame->len + 2) / 3 * 4;
        text.b = mem_new(1, text.cap + 1);
        EVP_EncodeBlock(text.b, frame->b, (int)frame->len);
        buffer_add(&call->out, text.b, text.len);
        buffer_free(&text);
    } else {
        buffer_add(&call->out, frame->b, frame->len);
    }
    call->exchange->push(call);
}

static const char *web_type(const struct rpc_call *call)
{
    return call->is_text ? "application/grpc-web-text+proto" : "application/grpc-web+proto";
}

static void message_web(struct rpc_call *call, const ProtobufCMessage *response)
{
    struct buffer frame = {0};

    send_head(call, web_type(call));
    grpc_frame_add(&frame, response);
    push_web(call, &frame);
    buffer_free(&frame);
}

static void finish_web(struct rpc_call *call, const struct rpc_status *status)
{
    struct answer answer = {.n = 0};
    struct buffer lines = {0}, frame = {0};
    struct end end = {.text = {0}};

    send_head(call, web_type(call));
    add_end(&answer, &end, status);
    for (size_t i = 0; i < answer.n; i++)
        buffer_printf(&lines, "%s:%s\r\n", answer.field[i].name, answer.field[i].value);
    grpc_frame_bytes(&frame, GRPC_TRAILERS, lines.b, lines.len);
    push_web(call, &frame);
    call->exchange->end(call, NULL, 0);
    buffer_free(&lines);
    buffer_free(&frame);
    buffer_free(&end.text);
}

const struct call_form grpc_web_form = {take_web, complete, message_web, finish_web};
