/* SPDX-License-Identifier: Apache-2.0 */
/* Calls as JSON over HTTP: routes to methods, and the error that everything gets which has no form
 * of its own. Members, parameters and errors are those of json.h and of the contract. */
#include "system/rpc/answer.h"
#include "system/rpc/forms.h"
#include "system/rpc/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char media_json[] = "application/json";

void json_begin(struct rpc_call *call)
{
    const struct routes *routes = &call->conn->server->routes;
    struct rpc_status status;

    call->route = routes_json(routes, call->verb, call->path, call->allow);
    if (call->route) {
        call->offer = call->route->offer;
        call->in_max = call->offer->method->request_max;
        if (!call->in_max)
            call->in_max = call->conn->server->limits.body_max;
        if (rpc_call_is_admitted(call))
            rpc_call_length_is_good(call);
        return;
    }
    if (call->allow[0]) {
        status = rpc_error(RPC_UNIMPLEMENTED, "method_not_allowed",
                           "%.16s is not for this path; %s is", call->verb, call->allow);
        status.http = 405;
    } else if (routes_method(routes, call->path + 1)) {
        status = rpc_error(RPC_INVALID, "unsupported_media_type",
                           "this path takes application/grpc or application/grpc-web");
        status.http = 415;
    } else {
        status = rpc_error(RPC_NOT_FOUND, "not_found", "there is nothing at this path");
    }
    rpc_call_fail(call, status);
}

static void take(struct rpc_call *call, const uint8_t *b, size_t len)
{
    if (!call->in.len && !head_is_type(head_get(&call->head, "content-type"), media_json)) {
        struct rpc_status status =
            rpc_error(RPC_INVALID, "unsupported_media_type", "the body must be application/json");
        status.http = 415;
        rpc_call_fail(call, status);
        return;
    }
    buffer_add(&call->in, b, len);
}

static ProtobufCMessage *decode(struct rpc_call *call, const json_t *body,
                                struct rpc_status *status)
{
    const struct route_source from = {call->path, call->query, body};
    ProtobufCMessage *message = message_of_json(call->offer->method->request, body, status);

    if (!message || route_fill(call->route->route, &from, message, status))
        return message;
    protobuf_c_message_free_unpacked(message, NULL);
    return NULL;
}

static void complete(struct rpc_call *call)
{
    ProtobufCMessage *request = NULL;
    struct rpc_status status;
    json_t *body = NULL;

    if (call->in.len)
        body = json_of_text((const char *)call->in.b, call->in.len, &status);
    if (body || !call->in.len)
        request = decode(call, body, &status);
    json_decref(body);
    if (request)
        rpc_call_run(call, request);
    else
        rpc_call_fail(call, status);
}

static void send_json(struct rpc_call *call, int http, struct answer *answer, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);

    answer_add(answer, "cache-control", "no-store");
    answer_add(answer, "x-content-type-options", "nosniff");
    answer_send(call, http, answer, text, strlen(text));
    free(text);
    json_decref(json);
}

/* The answer goes out with finish: a JSON call has one message. */
static void message(struct rpc_call *call, const ProtobufCMessage *response)
{
    struct answer answer;

    answer_init(&answer, call, media_json);
    send_json(call, call->route->route->success, &answer, json_of_message(response));
    call->has_head = true;
}

static void finish(struct rpc_call *call, const struct rpc_status *status)
{
    struct answer answer;
    char retry[16];

    if (call->has_head)
        return;
    answer_init(&answer, call, media_json);
    if (status->retry_after > 0) {
        snprintf(retry, sizeof retry, "%d", status->retry_after);
        answer_add(&answer, "retry-after", retry);
    }
    if (call->allow[0])
        answer_add(&answer, "allow", call->allow);
    if (rpc_http_status(status) == 426) {
        answer_add(&answer, "upgrade", "websocket");
        answer_add(&answer, "sec-websocket-version", "13");
    }
    send_json(call, rpc_http_status(status), &answer, json_of_error(call, status));
    call->has_head = true;
}

const struct call_form json_form = {take, complete, message, finish};

/* A sentence that is not UTF-8 is told in ASCII. */
static json_t *text_json(const char *text)
{
    json_t *json = json_string(text);
    char plain[RPC_TEXT_MAX];

    if (json)
        return json;
    snprintf(plain, sizeof plain, "%s", text);
    for (char *c = plain; *c; c++) {
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    }
    return json_string(plain);
}

json_t *json_of_error(const struct rpc_call *call, const struct rpc_status *status)
{
    bool is_key = rpc_http_status(status) == 401;
    json_t *json = json_object();

    json_object_set_new(json, "error", text_json(is_key ? "unauthorized" : status->text));
    json_object_set_new(json, "code", text_json(status->name ? status->name : "error"));
    json_object_set_new(json, "request_id", json_string(call->trace));
    if (status->session_id[0])
        json_object_set_new(json, "session_id", text_json(status->session_id));
    return json;
}
