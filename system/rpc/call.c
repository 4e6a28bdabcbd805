/* SPDX-License-Identifier: Apache-2.0 */
/* See call.h: birth, answers, cancellation and end of a call, and the readers of server.h. */
#include "system/rpc/call.h"

#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/rpc/grpc_wire.h"

#include <stdlib.h>
#include <string.h>

static void on_due(struct due *due);

static void tell_watch(struct rpc_call *call, const struct rpc_status *status)
{
    const struct rpc_server *server = call->conn ? call->conn->server : NULL;

    if (!server || !server->watch || !call->offer || call->is_noted)
        return;
    call->is_noted = true;
    server->watch(call, status, server->watch_arg);
}

struct rpc_call *rpc_call_new(struct conn *conn, const struct exchange *exchange)
{
    struct rpc_call *call = mem_new(1, sizeof *call);

    call->exchange = exchange;
    call->is_carried = true;
    call->head.max = conn->server->limits.header_max;
    call->due.fire = on_due;
    call->started_us = clock_steady_us();
    memcpy(call->peer, conn->peer, sizeof call->peer);
    conn_add_call(conn, call);
    due_set(&conn->server->dues, &call->due, conn_now(conn) + conn->server->limits.request_ms);
    return call;
}

static void call_free(struct rpc_call *call)
{
    if (call->conn) {
        due_clear(&call->conn->server->dues, &call->due);
        call->conn->held -= call->accounted;
        conn_remove_call(call->conn, call);
    }
    if (call->request)
        protobuf_c_message_free_unpacked(call->request, NULL);
    buffer_free(&call->in);
    buffer_free(&call->out);
    buffer_free(&call->trailers);
    free(call->refusal);
    head_free(&call->head);
    free(call->verb);
    free(call->path);
    free(call->query);
    free(call->caller);
    free(call);
}

static void free_if_alone(struct rpc_call *call)
{
    if (!call->is_carried && !call->is_held)
        call_free(call);
}

void rpc_call_closed(struct rpc_call *call)
{
    call->exchange = NULL;
    buffer_free(&call->in);
    buffer_free(&call->out);
    call->out_at = 0;
    rpc_call_account(call);
    if (!call->is_answered) {
        const struct rpc_status gone =
            rpc_error(RPC_CANCELLED, "caller_gone", "the caller is gone");

        call->is_answered = true;
        if (call->is_running)
            tell_watch(call, &gone);
        /* The handler may finish the call in there: it is still carried. */
        rpc_call_cancel(call);
    }
    call->is_carried = false;
    free_if_alone(call);
}

void rpc_call_account(struct rpc_call *call)
{
    size_t now = call->head.text.len + call->in.len + call->out.len - call->out_at;

    if (call->conn)
        call->conn->held = call->conn->held - call->accounted + now;
    call->accounted = now;
}

uint64_t rpc_call_now(const struct rpc_call *call)
{
    return conn_now(call->conn);
}

/* 32 hex digits of either case. */
static bool is_trace(const char *text)
{
    return text && strlen(text) == TRACE_TEXT_MAX - 1 &&
           strspn(text, "0123456789abcdefABCDEF") == TRACE_TEXT_MAX - 1;
}

bool rpc_call_identify(struct rpc_call *call)
{
    const char *given = head_get(&call->head, "x-request-id");
    const char *timeout = head_get(&call->head, "grpc-timeout");
    uint64_t ms;

    if (is_trace(given))
        memcpy(call->trace, given, TRACE_TEXT_MAX);
    else
        trace_new(call->trace);
    if (!timeout)
        return true;
    if (!grpc_timeout_parse(&ms, timeout)) {
        rpc_call_fail(call, rpc_error(RPC_INVALID, "bad_timeout",
                                      "grpc-timeout must be at most eight digits and a unit"));
        return false;
    }
    call->deadline_ms = rpc_call_now(call) + ms;
    call->has_own_deadline = true;
    return true;
}

bool rpc_call_is_admitted(struct rpc_call *call)
{
    struct rpc_server *server = call->conn->server;
    struct rpc_status status;

    if (!server->guard)
        return true;
    status = server->guard(call, server->guard_arg);
    if (status.code == RPC_OK)
        return true;
    rpc_call_fail(call, status);
    return false;
}

void rpc_call_run(struct rpc_call *call, ProtobufCMessage *request)
{
    const struct offer *offer = call->offer;
    struct rpc_server *server = call->conn->server;

    buffer_free(&call->in);
    rpc_call_account(call);
    call->request = request;
    call->is_running = call->is_held = true;
    if (!call->deadline_ms && !offer->method->is_stream)
        call->deadline_ms = rpc_call_now(call) + server->limits.call_ms;
    if (call->deadline_ms)
        due_set(&server->dues, &call->due, call->deadline_ms);
    else
        due_clear(&server->dues, &call->due);
    offer->method->handle(call, request, offer->service);
}

static void note_end(const struct rpc_call *call, const struct rpc_status *status)
{
    uint64_t us = clock_steady_us() - call->started_us;
    const char *what = call->offer ? call->offer->method->path : "";

    if (call->offer) {
        metric_observe_us(call->offer->seconds, us);
        if (status->code != RPC_OK)
            metric_add(call->offer->failed, 1);
    }
    if (status->code == RPC_INTERNAL)
        log_event(LOG_ERROR, "call failed", LOG_S("call", what), LOG_S("error", status->text),
                  LOG_S("trace", call->trace), LOG_S("peer", call->peer));
    else
        log_event(LOG_DEBUG, "call", LOG_S("call", what), LOG_I("code", status->code),
                  LOG_I("us", us), LOG_S("trace", call->trace), LOG_S("peer", call->peer));
}

static void say(struct rpc_call *call, const struct rpc_status *status)
{
    call->form->finish(call, status);
    rpc_call_account(call);
    conn_touch(call->conn);
}

void rpc_call_tell_refusal(struct rpc_call *call)
{
    struct rpc_status *refusal = call->refusal;

    if (!refusal)
        return;
    call->refusal = NULL;
    due_clear(&call->conn->server->dues, &call->due);
    if (call->exchange)
        say(call, refusal);
    free(refusal);
}

/* The last answer: once. There are clients, curl 7.88 among them, that wait without end if their
 * answer is complete before their request is: it is kept until then, or for a while. */
static void finish(struct rpc_call *call, const struct rpc_status *status)
{
    struct due_heap *dues;

    if (call->is_answered)
        return; /* its connection may be gone */
    dues = &call->conn->server->dues;
    call->is_answered = true;
    due_clear(dues, &call->due);
    note_end(call, status);
    tell_watch(call, status);
    buffer_free(&call->in);
    if (call->is_complete || !call->exchange || !call->exchange->cut) {
        say(call, status);
        return;
    }
    call->refusal = mem_copy(status, sizeof *status);
    due_set(dues, &call->due, rpc_call_now(call) + CONN_LINGER_MS);
}

void rpc_call_fail(struct rpc_call *call, struct rpc_status status)
{
    finish(call, &status);
}

void rpc_call_let_go(struct rpc_call *call)
{
    call->is_held = false;
    /* Nobody is told about a call that he has finished. */
    call->on_cancel = NULL;
    call->on_drain = NULL;
    free_if_alone(call);
}

void rpc_reply(struct rpc_call *call, const ProtobufCMessage *response)
{
    struct rpc_status ok = rpc_ok();

    if (!call->is_answered) {
        call->form->message(call, response);
        finish(call, &ok);
    }
    rpc_call_let_go(call);
}

void rpc_fail(struct rpc_call *call, struct rpc_status status)
{
    finish(call, &status);
    rpc_call_let_go(call);
}

void rpc_end(struct rpc_call *call)
{
    struct rpc_status ok = rpc_ok();

    finish(call, &ok);
    rpc_call_let_go(call);
}

/* The handler is inside rpc_send: its cancel callback comes from the loop. */
static void cancel_soon(struct rpc_call *call)
{
    call->is_cancelled = true;
    due_set(&call->conn->server->dues, &call->due, rpc_call_now(call));
}

bool rpc_send(struct rpc_call *call, const ProtobufCMessage *message)
{
    struct conn *conn = call->conn;

    if (call->is_answered)
        return true;
    if (conn->held + conn_backlog(conn) > conn->server->limits.connection_bytes_max) {
        rpc_call_fail(
            call, rpc_error(RPC_EXHAUSTED, "slow_reader", "the answers were not read fast enough"));
        cancel_soon(call);
        return true;
    }
    call->form->message(call, message);
    rpc_call_account(call);
    conn_touch(conn);
    call->is_full = conn->protocol->waiting(call) > CALL_HIGH_WATER;
    return !call->is_full;
}

void rpc_on_drain(struct rpc_call *call, void (*drain)(struct rpc_call *call, void *arg), void *arg)
{
    call->on_drain = drain;
    call->drain_arg = arg;
    if (call->is_full && !call->is_answered)
        conn_touch(call->conn);
}

void rpc_call_drained(struct rpc_call *call)
{
    call->is_full = false;
    call->on_drain(call, call->drain_arg);
}

void rpc_call_cancel(struct rpc_call *call)
{
    void (*tell)(struct rpc_call *, void *) = call->on_cancel;

    call->is_cancelled = true;
    if (!tell || call->is_cancel_told || !call->is_held)
        return;
    call->is_cancel_told = true;
    tell(call, call->cancel_arg);
}

/* Who asks after the caller has gone is told as well, from the loop if it still can. */
void rpc_on_cancel(struct rpc_call *call, void (*cancel)(struct rpc_call *call, void *arg),
                   void *arg)
{
    call->on_cancel = cancel;
    call->cancel_arg = arg;
    if (call->is_cancelled && !call->is_cancel_told && call->conn)
        cancel_soon(call);
}

static void fail_late(struct rpc_call *call)
{
    /* HTTP/2: not even its head is complete, and nothing else can come on the connection. */
    if (!call->form) {
        conn_abort(call->conn, "the head of a request did not arrive in time");
        return;
    }
    if (!call->is_running) {
        struct rpc_status late =
            rpc_error(RPC_DEADLINE, "request_timeout", "the request did not arrive in time");
        late.http = 408;
        rpc_call_fail(call, late);
        return;
    }
    rpc_call_fail(call, rpc_error(RPC_DEADLINE, "deadline_exceeded",
                                  call->has_own_deadline ? "the call's deadline has passed"
                                                         : "the call took too long"));
    rpc_call_cancel(call);
}

static void on_due(struct due *due)
{
    struct rpc_call *call =
        (struct rpc_call *)(void *)((char *)due - offsetof(struct rpc_call, due));

    if (call->is_cancelled)
        rpc_call_cancel(call);
    else if (!call->is_answered)
        fail_late(call);
    else if (call->refusal)
        rpc_call_tell_refusal(call);
    else if (call->exchange && call->exchange->cut)
        call->exchange->cut(call);
}

bool rpc_is_cancelled(const struct rpc_call *call)
{
    return call->is_cancelled;
}

const char *rpc_header(const struct rpc_call *call, const char *name)
{
    return head_get(&call->head, name);
}

const char *rpc_peer(const struct rpc_call *call)
{
    return call->peer;
}

bool rpc_peer_is_certified(const struct rpc_call *call)
{
    return call->conn && call->conn->tls && tls_has_peer(call->conn->tls);
}

const char *rpc_peer_party(const struct rpc_call *call)
{
    return call->conn && call->conn->tls ? tls_peer_party(call->conn->tls) : "";
}

const struct rpc_method *rpc_call_method(const struct rpc_call *call)
{
    return call->offer ? call->offer->method : NULL;
}

const char *rpc_trace(const struct rpc_call *call)
{
    return call->trace;
}

int64_t rpc_deadline_ms(const struct rpc_call *call)
{
    uint64_t now;

    if (!call->has_own_deadline)
        return -1;
    if (!call->conn || call->is_cancelled)
        return 0;
    now = rpc_call_now(call);
    return call->deadline_ms > now ? (int64_t)(call->deadline_ms - now) : 0;
}

void rpc_set_caller(struct rpc_call *call, const char *caller)
{
    free(call->caller);
    call->caller = text_copy(caller);
}

const char *rpc_caller(const struct rpc_call *call)
{
    return call->caller ? call->caller : "";
}

void rpc_set_noted(struct rpc_call *call)
{
    call->is_noted = true;
}

const ProtobufCMessage *rpc_request_of(const struct rpc_call *call)
{
    return call->request;
}

void rpc_set_access(struct rpc_call *call, unsigned bit)
{
    call->access = bit;
}

unsigned rpc_access(const struct rpc_call *call)
{
    return call->access;
}

void rpc_set_peer(struct rpc_call *call, const char *address)
{
    size_t len = strnlen(address, sizeof call->peer - 1);

    memcpy(call->peer, address, len);
    call->peer[len] = '\0';
}
