/* SPDX-License-Identifier: Apache-2.0 */
/* Calls in the envelopes of a WebSocket (server.h). The envelope's metadata stands for headers:
 * authorization, x-api-key, x-request-id and grpc-timeout, nothing else, so that no caller can
 * write what a proxy in front of us writes (x-forwarded-for); the handshake's own headers are seen
 * behind it. */
#include "system/rpc/ws_call.h"

#include "system/rpc/forms.h"
#include "system/rpc/json.h"

#include <stdlib.h>
#include <string.h>

static const char *const metadata_names[] = {"authorization", "x-api-key", "x-request-id",
                                             "grpc-timeout"};

/* ---- out ---- */

static void queue(struct ws *ws, json_t *envelope)
{
    char *text = json_dumps(envelope, JSON_COMPACT);
    struct wslay_event_msg message = {WSLAY_TEXT_FRAME, (const uint8_t *)text, 0};

    if (text && !ws->is_closing) {
        message.msg_length = strlen(text);
        wslay_event_queue_msg(ws->context, &message);
        conn_touch(ws->conn);
    }
    free(text);
    json_decref(envelope);
}

static void message(struct rpc_call *call, const ProtobufCMessage *response)
{
    json_t *envelope = json_object();

    json_object_set_new(envelope, "id", json_integer(call->id));
    json_object_set_new(envelope, "response", json_of_message(response));
    queue(call->conn->session, envelope);
}

static void finish(struct rpc_call *call, const struct rpc_status *status)
{
    struct ws *ws = call->conn->session;
    json_t *envelope = json_object();

    json_object_set_new(envelope, "id", json_integer(call->id));
    if (status->code == RPC_OK)
        json_object_set_new(envelope, "end", json_true());
    else
        json_object_set_new(envelope, "error", json_of_error(call, status));
    if (status->code == RPC_OK && !call->offer->method->is_stream)
        json_decref(envelope);
    else
        queue(ws, envelope);
    call->has_ended = true;
    ws->ended++;
}

const struct call_form ws_form = {NULL, NULL, message, finish};

/* ---- in ---- */

static struct rpc_call *call_with(const struct ws *ws, json_int_t id)
{
    struct rpc_call *call = ws->conn->calls;

    while (call && (!call->is_carried || call->has_ended || call->id != id))
        call = call->next;
    return call;
}

static void cancel(struct ws *ws, json_int_t id)
{
    struct rpc_call *call = call_with(ws, id);

    /* It may have ended meanwhile. */
    if (!call)
        return;
    rpc_call_fail(call, rpc_error(RPC_CANCELLED, "cancelled", "cancelled by the caller"));
    rpc_call_cancel(call);
}

static bool add(struct rpc_call *call, const char *name, const char *value)
{
    return head_add(&call->head, name, strlen(name), value, strlen(value));
}

static bool is_metadata_name(const char *name)
{
    for (size_t i = 0; i < sizeof metadata_names / sizeof metadata_names[0]; i++) {
        if (strcasecmp(metadata_names[i], name) == 0)
            return true;
    }
    return false;
}

static bool take_metadata(struct rpc_call *call, json_t *metadata)
{
    const char *name;
    json_t *value;

    json_object_foreach(metadata, name, value)
    {
        if (!is_metadata_name(name))
            continue;
        if (!json_is_string(value) || !add(call, name, json_string_value(value)))
            return false;
    }
    return true;
}

/* What a call has not itself comes from the handshake, except its own id. */
static void take_handshake(struct rpc_call *call, const struct head *head)
{
    static const char *const names[] = {"authorization",   "x-api-key", "host",
                                        "x-forwarded-for", "forwarded", "x-real-ip",
                                        "user-agent",      "origin"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = head_get(head, names[i]);

        if (value && !head_get(&call->head, names[i]))
            add(call, names[i], value);
    }
}

static void decode(struct rpc_call *call, const json_t *request)
{
    struct rpc_status status;
    ProtobufCMessage *message_in = message_of_json(call->offer->method->request, request, &status);

    if (message_in)
        rpc_call_run(call, message_in);
    else
        rpc_call_fail(call, status);
}

static bool find_method(struct rpc_call *call, const char *path, size_t len)
{
    size_t max = call->conn->server->limits.body_max;

    call->offer = routes_method(&call->conn->server->routes, path + (*path == '/'));
    if (!call->offer) {
        rpc_call_fail(call, rpc_error(RPC_UNIMPLEMENTED, "unknown_method",
                                      "there is no method %.128s", path));
        return false;
    }
    if (call->offer->method->request_max)
        max = call->offer->method->request_max;
    if (len <= max)
        return true;
    rpc_call_fail(call, rpc_error(RPC_EXHAUSTED, "body_too_large",
                                  "the request is longer than %zu bytes", max));
    return false;
}

/* |envelope| has the right form; |len| is its length as text. */
static void begin(struct ws *ws, json_int_t id, json_t *envelope, size_t len)
{
    const char *path = json_string_value(json_object_get(envelope, "method"));
    struct rpc_call *call = rpc_call_new(ws->conn, NULL);

    call->form = &ws_form;
    call->id = id;
    call->is_complete = true;
    if (!take_metadata(call, json_object_get(envelope, "metadata"))) {
        trace_new(call->trace);
        rpc_call_fail(call,
                      rpc_error(RPC_INVALID, "bad_metadata", "metadata must be short strings"));
        return;
    }
    take_handshake(call, &ws->head);
    rpc_call_account(call);
    if (!rpc_call_identify(call))
        return;
    if (ws->conn->calls_n > ws->conn->server->limits.streams_max)
        rpc_call_fail(call, rpc_error(RPC_EXHAUSTED, "too_many_calls",
                                      "too many calls at a time on this connection"));
    else if (ws->is_draining)
        rpc_call_fail(call, rpc_error(RPC_UNAVAILABLE, "stopping", "the server stops"));
    else if (find_method(call, path, len) && rpc_call_is_admitted(call))
        decode(call, json_object_get(envelope, "request"));
}

/* NULL if |envelope| has the members of a call. */
static const char *envelope_fault(const json_t *envelope)
{
    static const char *const names[] = {"id", "method", "metadata", "request"};
    size_t known = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        known += json_object_get(envelope, names[i]) != NULL;
    if (!json_is_string(json_object_get(envelope, "method")))
        return "method must be a string";
    if (json_object_get(envelope, "metadata") &&
        !json_is_object(json_object_get(envelope, "metadata")))
        return "metadata must be an object";
    return known == json_object_size(envelope) ? NULL : "unknown member in the envelope";
}

static void take_envelope(struct ws *ws, json_t *envelope, size_t len)
{
    const json_t *number = json_object_get(envelope, "id");
    json_int_t id = json_integer_value(number);
    const char *fault;

    if (!json_is_integer(number) || id < 0) {
        ws_close(ws, WSLAY_CODE_POLICY_VIOLATION, "id must be a whole number");
        return;
    }
    if (json_is_true(json_object_get(envelope, "cancel"))) {
        cancel(ws, id);
        return;
    }
    fault = envelope_fault(envelope);
    if (fault)
        ws_close(ws, WSLAY_CODE_POLICY_VIOLATION, fault);
    else if (call_with(ws, id))
        ws_close(ws, WSLAY_CODE_POLICY_VIOLATION, "id is in use");
    else
        begin(ws, id, envelope, len);
}

void ws_take(struct ws *ws, const char *text, size_t len)
{
    struct rpc_status status;
    json_t *envelope = json_of_text(text, len, &status);

    if (!envelope) {
        ws_close(ws, WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA, "not a JSON object");
        return;
    }
    take_envelope(ws, envelope, len);
    json_decref(envelope);
}
