/* SPDX-License-Identifier: Apache-2.0 */
#include "system/rpc/client_call.h"

#include "system/core/utf8.h"
#include "system/rpc/grpc_wire.h"
#include "system/rpc/message.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct rpc_pending *pending_new(struct rpc_channel *channel, const struct rpc_request *request,
                                uint64_t now)
{
    struct rpc_pending *call = mem_new(1, sizeof *call);

    call->channel = channel;
    call->path = text_copy(request->path);
    call->response = request->response;
    call->each = request->each;
    call->done = request->done;
    call->arg = request->arg;
    call->deadline = request->deadline_ms != 0 ? now + request->deadline_ms : 0;
    if (request->trace != NULL && strlen(request->trace) < sizeof call->trace)
        memcpy(call->trace, request->trace, strlen(request->trace) + 1);
    else
        trace_new(call->trace);
    for (size_t i = 0; i < request->metadata_n && i < RPC_METADATA_MAX; i++)
        call->metadata[call->metadata_n++] = (struct rpc_metadata){
            text_copy(request->metadata[i].name), text_copy(request->metadata[i].value)};
    grpc_frame_add(&call->out, request->message);
    return call;
}

void pending_free(struct rpc_pending *call)
{
    if (call->is_busy) {
        call->is_over = true;
        return;
    }
    if (call->message != NULL)
        protobuf_c_message_free_unpacked(call->message, NULL);
    for (size_t i = 0; i < call->metadata_n; i++) {
        free((void *)(uintptr_t)call->metadata[i].name);
        free((void *)(uintptr_t)call->metadata[i].value);
    }
    buffer_free(&call->out);
    buffer_free(&call->in);
    free(call->path);
    free(call);
}

static void unlink_call(struct rpc_pending *call)
{
    if (call->before != NULL)
        call->before->after = call->after;
    else
        call->list->first = call->after;
    if (call->after != NULL)
        call->after->before = call->before;
    else
        call->list->last = call->before;
    call->before = call->after = NULL;
}

void pending_move(struct rpc_pending *call, struct pending_list *list)
{
    if (call->list != NULL)
        unlink_call(call);
    call->list = list;
    if (list == NULL)
        return;
    call->before = list->last;
    if (list->last != NULL)
        list->last->after = call;
    else
        list->first = call;
    list->last = call;
}

const char *pending_code_name(enum rpc_code code)
{
    static const char *const names[] = {
        "ok",        "cancelled",       "unknown",           "invalid_argument", "deadline",
        "not_found", "already_exists",  "permission_denied", "exhausted",        "wrong_state",
        "aborted",   "impossible",      "unimplemented",     "internal",         "unavailable",
        "data_loss", "unauthenticated",
    };

    return (size_t)code < sizeof names / sizeof names[0] ? names[code] : "unknown";
}

/* A number of at most |digits| digits, -1 if it is none. */
static int number_of(const char *text, size_t len, size_t digits)
{
    int value = 0;

    if (len == 0 || len > digits)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

void pending_header(struct rpc_pending *call, const char *name, const char *value, size_t len)
{
    static const char grpc[] = "application/grpc";
    int number;

    if (strcmp(name, ":status") == 0) {
        call->http = number_of(value, len, 3);
    } else if (strcmp(name, "content-type") == 0) {
        call->is_grpc = len >= sizeof grpc - 1 && strncasecmp(value, grpc, sizeof grpc - 1) == 0;
    } else if (strcmp(name, "grpc-status") == 0) {
        number = number_of(value, len, 3);
        call->has_code = true;
        call->status.code =
            number >= 0 && number <= RPC_UNAUTHENTICATED ? (enum rpc_code)number : RPC_UNKNOWN;
    } else if (strcmp(name, "grpc-message") == 0) {
        grpc_percent_decode(call->status.text, sizeof call->status.text, value, len);
        utf8_mend(call->status.text);
    } else if (strcmp(name, "x-session-id") == 0) {
        if (len < sizeof call->status.session_id && utf8_prefix(value, len) == len)
            memcpy(call->status.session_id, value, len);
    } else if (strcmp(name, "x-http-status") == 0) {
        number = number_of(value, len, 3);
        call->status.http = number >= 400 && number <= 599 ? number : 0;
    } else if (strcmp(name, "retry-after") == 0) {
        number = number_of(value, len, 6);
        call->status.retry_after = number > 0 ? number : 0;
    }
}

static enum pending_took fault(struct rpc_pending *call, enum rpc_code code, const char *text)
{
    call->status = rpc_error(code, pending_code_name(code), "%s: %s", call->path, text);
    call->has_code = true;
    return PENDING_FAULT;
}

/* Hand one message of a stream out; the caller may end the call inside. */
static enum pending_took give(struct rpc_pending *call, ProtobufCMessage *message)
{
    call->is_busy = true;
    call->each(call->arg, message);
    call->is_busy = false;
    protobuf_c_message_free_unpacked(message, NULL);
    if (!call->is_over)
        return PENDING_TOOK;
    pending_free(call);
    return PENDING_GONE;
}

static enum pending_took bad_answer(struct rpc_pending *call, const struct rpc_status *status)
{
    char text[RPC_TEXT_MAX];

    snprintf(text, sizeof text, "the answer cannot be decoded: %.200s", status->text);
    return fault(call, RPC_INTERNAL, text);
}

static enum pending_took take_frame(struct rpc_pending *call, const struct grpc_frame *frame)
{
    struct rpc_status status;
    ProtobufCMessage *message;

    if (frame->flags != 0)
        return fault(call, RPC_INTERNAL, "the answer is compressed, which was not asked for");
    if (call->each == NULL && call->messages_n > 0)
        return fault(call, RPC_INTERNAL, "more than one answer");
    message = message_of_bytes(call->response, frame->b, frame->len, &status);
    if (message == NULL)
        return bad_answer(call, &status);
    call->messages_n++;
    if (call->each != NULL)
        return give(call, message);
    call->message = message;
    return PENDING_TOOK;
}

enum pending_took pending_data(struct rpc_pending *call, const uint8_t *b, size_t len)
{
    struct grpc_frame frame;
    enum grpc_next next;
    size_t at = 0;

    /* A page of an error in HTML is no frame: pending_settle goes by the status. */
    if (!call->is_grpc || call->http != 200)
        return PENDING_TOOK;
    buffer_add(&call->in, b, len);
    while ((next = grpc_frame_next(&frame, &call->in, &at, PENDING_MESSAGE_MAX)) == GRPC_FRAME) {
        enum pending_took took = take_frame(call, &frame);

        if (took != PENDING_TOOK)
            return took;
    }
    if (next == GRPC_TOO_LONG)
        return fault(call, RPC_EXHAUSTED, "the answer is longer than 16 MiB");
    buffer_drop(&call->in, at);
    return PENDING_TOOK;
}

static enum rpc_code code_of_http(int http)
{
    switch (http) {
    case 400:
        return RPC_INTERNAL;
    case 401:
        return RPC_UNAUTHENTICATED;
    case 403:
        return RPC_DENIED;
    case 404:
        return RPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return RPC_UNAVAILABLE;
    default:
        return RPC_UNKNOWN;
    }
}

static enum rpc_code code_of_reset(uint32_t error)
{
    switch (error) {
    case NGHTTP2_REFUSED_STREAM:
        return RPC_UNAVAILABLE;
    case NGHTTP2_CANCEL:
        return RPC_CANCELLED;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return RPC_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return RPC_DENIED;
    default:
        return RPC_INTERNAL;
    }
}

/* No grpc-status came: what HTTP says. */
static void settle_by_http(struct rpc_pending *call, uint32_t error, const char *target)
{
    enum rpc_code code;

    if (error != NGHTTP2_NO_ERROR) {
        code = code_of_reset(error);
        call->status = rpc_error(code, pending_code_name(code), "%s ended the call (%s)", target,
                                 nghttp2_http2_strerror(error));
        return;
    }
    code = call->http == 200 ? RPC_UNKNOWN : code_of_http(call->http);
    call->status =
        rpc_error(code, pending_code_name(code),
                  "%s answered without a gRPC status (HTTP status %d)", target, call->http);
}

void pending_settle(struct rpc_pending *call, uint32_t error, const char *target)
{
    if (!call->has_code) {
        settle_by_http(call, error, target);
    } else if (call->status.code == RPC_OK && call->in.len != 0) {
        fault(call, RPC_INTERNAL, "the answer ends inside a message");
    } else if (call->status.code == RPC_OK && call->each == NULL && call->messages_n == 0) {
        fault(call, RPC_INTERNAL, "no answer");
    } else if (call->status.name == NULL) {
        call->status.name = pending_code_name(call->status.code);
    }
}
