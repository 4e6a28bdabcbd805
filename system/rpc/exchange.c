/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP request becomes a call: which form it has, and what is refused before anybody is asked.
 * The order is the one of server.h: limits, guard, decoding, handler. */
#include "system/core/log.h"
#include "system/rpc/answer.h"
#include "system/rpc/forms.h"
#include "system/rpc/h1.h"

#include <string.h>

static void show_page(struct rpc_call *call)
{
    call->is_running = call->is_held = true;
    due_set(&call->conn->server->dues, &call->due,
            rpc_call_now(call) + call->conn->server->limits.call_ms);
    call->page->show(call, call->page->arg);
}

static void drop_bytes(struct rpc_call *call, const uint8_t *b, size_t len)
{
    (void)call;
    (void)b;
    (void)len;
}

static void page_refuse_method(struct rpc_call *call)
{
    struct rpc_status status =
        rpc_error(RPC_UNIMPLEMENTED, "method_not_allowed", "%s is read by GET", call->path);

    status.http = 405;
    strcpy(call->allow, "GET, HEAD");
    rpc_call_fail(call, status);
}

static void page_message(struct rpc_call *call, const ProtobufCMessage *message)
{
    (void)call;
    (void)message;
}

static void page_finish(struct rpc_call *call, const struct rpc_status *status)
{
    json_form.finish(call, status);
}

const struct call_form page_form = {drop_bytes, show_page, page_message, page_finish};

void rpc_page_reply(struct rpc_call *call, int http, const char *content_type, const char *body,
                    size_t len)
{
    struct answer answer;

    if (!call->is_answered) {
        call->is_answered = true;
        due_clear(&call->conn->server->dues, &call->due);
        answer_init(&answer, call, content_type);
        answer_add(&answer, "cache-control", "no-store");
        answer_send(call, http, &answer, body, len);
        rpc_call_account(call);
        conn_touch(call->conn);
    }
    rpc_call_let_go(call);
}

/* WebSockets are born here. */
static void begin_socket(struct rpc_call *call)
{
    struct rpc_status status = h1_upgrade(call);

    if (status.code != RPC_OK)
        rpc_call_fail(call, status);
}

static const char every_verb[] = "GET, HEAD, POST, PUT, PATCH, DELETE";

/* "/..." or "*". HTTP/2 says it for the schemes http and https only, but there may be others. */
static bool is_target(const char *path)
{
    for (const char *c = path; *c; c++) {
        if (*c <= ' ' || *c >= 0x7f || *c == '#')
            return false;
    }
    return path[0] == '/' || strcmp(path, "*") == 0;
}

static bool choose_form(struct rpc_call *call)
{
    const struct routes *routes = &call->conn->server->routes;

    call->form = &json_form;
    if (call->is_head_too_large) {
        struct rpc_status status =
            rpc_error(RPC_EXHAUSTED, "head_too_large", "the request's header fields are too large");
        status.http = 431;
        rpc_call_fail(call, status);
        return false;
    }
    if (!is_target(call->path)) {
        rpc_call_fail(call, rpc_error(RPC_INVALID, "bad_request", "the target must be a path"));
        return false;
    }
    if (grpc_is_type(call, head_get(&call->head, "content-type")))
        return true;
    call->page = routes_find_page(routes, call->path);
    if (call->page)
        call->form = &page_form;
    return true;
}

/* What the call's path may be asked by. False: nothing is there. */
static bool list_verbs(struct rpc_call *call)
{
    const struct routes *routes = &call->conn->server->routes;

    if (strcmp(call->path, "*") == 0)
        strcpy(call->allow, every_verb);
    else if (call->page)
        strcpy(call->allow, "GET, HEAD");
    else if (strcmp(call->path, "/ws") == 0)
        strcpy(call->allow, "GET");
    else if (routes_method(routes, call->path + 1))
        strcpy(call->allow, "POST");
    else
        (void)routes_json(routes, "OPTIONS", call->path, call->allow);
    return call->allow[0];
}

/* A browser that asks before a page's call is let through to any path: the page reads the call's
 * own refusal, which it could not read of this one. */
static void begin_options(struct rpc_call *call)
{
    bool is_there = list_verbs(call);

    if (!is_there && head_get(&call->head, "access-control-request-method")) {
        strcpy(call->allow, every_verb);
        is_there = true;
    }
    if (is_there)
        answer_options(call);
    else
        rpc_call_fail(call, rpc_error(RPC_NOT_FOUND, "not_found", "there is nothing at this path"));
}

void rpc_call_begin(struct rpc_call *call)
{
    trace_new(call->trace);
    rpc_call_account(call);
    if (!choose_form(call) || !rpc_call_identify(call))
        return;
    if (strcmp(call->verb, "OPTIONS") == 0)
        begin_options(call);
    else if (call->form == &page_form && strcmp(call->verb, "GET") != 0 &&
             strcmp(call->verb, "HEAD") != 0)
        page_refuse_method(call);
    else if (call->form == &json_form && strcmp(call->path, "/ws") == 0)
        begin_socket(call);
    else if (call->form == &json_form)
        json_begin(call);
    else if (call->form != &page_form)
        grpc_begin(call);
}

static void refuse_too_large(struct rpc_call *call)
{
    struct rpc_status status = rpc_error(RPC_EXHAUSTED, "body_too_large",
                                         "the request is longer than %zu bytes", call->in_max);

    status.http = 413;
    rpc_call_fail(call, status);
}

bool rpc_call_length_is_good(struct rpc_call *call)
{
    const char *text = head_get(&call->head, "content-length");
    size_t digits = text ? strspn(text, "0123456789") : 0;

    if (!text || (digits <= 18 && strtoull(text, NULL, 10) <= call->in_max))
        return true;
    refuse_too_large(call);
    return false;
}

void rpc_call_data(struct rpc_call *call, const uint8_t *b, size_t len)
{
    struct conn *conn = call->conn;

    if (call->is_answered) {
        call->dropped += len;
        if (call->dropped > CALL_DROP_MAX)
            rpc_call_tell_refusal(call);
        return;
    }
    call->taken += len;
    if (!len)
        return;
    if (call->form != &page_form && call->taken > call->in_max) {
        refuse_too_large(call);
        return;
    }
    if (conn->held + len > conn->server->limits.connection_bytes_max) {
        rpc_call_fail(call, rpc_error(RPC_EXHAUSTED, "connection_full",
                                      "too many bytes wait on this connection"));
        return;
    }
    call->form->take(call, b, len);
    rpc_call_account(call);
}

void rpc_call_complete(struct rpc_call *call)
{
    call->is_complete = true;
    if (!call->is_answered)
        call->form->complete(call);
    else
        rpc_call_tell_refusal(call);
}
