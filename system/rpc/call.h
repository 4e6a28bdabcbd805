/* SPDX-License-Identifier: Apache-2.0 */
/* A call from inside. It has two holders: the one that carries it (an HTTP exchange, a WebSocket)
 * and the handler. It is freed when both have let go. The carrier tells when nobody listens any
 * more; the handler then is told by its cancel callback, and answers go nowhere.
 *
 * |form| is how a call is written (gRPC, gRPC-Web, JSON, page, WebSocket envelope); |exchange| how
 * HTTP carries it (HTTP/1.1, HTTP/2). */
#ifndef SYSTEM_RPC_CALL_H
#define SYSTEM_RPC_CALL_H

#include "system/core/ids.h"
#include "system/rpc/conn.h"
#include "system/rpc/due.h"
#include "system/rpc/head.h"
#include "system/rpc/route.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* rpc_send says stop above the first, drain is called below the second */
    CALL_HIGH_WATER = 256 * 1024,
    CALL_LOW_WATER = 64 * 1024,
    /* so much of a body is read and dropped before its early refusal is told */
    CALL_DROP_MAX = 256 * 1024
};

struct call_form {
    /* Bytes of the request. May end the call by rpc_call_fail. */
    void (*take)(struct rpc_call *call, const uint8_t *b, size_t len);
    /* The request is complete: rpc_call_run or rpc_call_fail. */
    void (*complete)(struct rpc_call *call);
    void (*message)(struct rpc_call *call, const ProtobufCMessage *message);
    /* The last thing a form does for a call. */
    void (*finish)(struct rpc_call *call, const struct rpc_status *status);
};

struct exchange {
    /* |length| -1: as much as comes; 0: no body. */
    void (*head)(struct rpc_call *call, int http, const struct rpc_field *field, size_t n,
                 int64_t length);
    /* call->out has more */
    void (*push)(struct rpc_call *call);
    /* That was all. Trailers only where |has_trailers|. */
    void (*end)(struct rpc_call *call, const struct rpc_field *trailer, size_t n);
    /* Stop waiting for the rest of a request that is answered; NULL: others see to it. */
    void (*cut)(struct rpc_call *call);
    bool has_trailers;
};

struct rpc_call {
    /* lives as long as its calls; NULL once the server is freed */
    struct conn *conn;
    struct rpc_call *next, **back;
    const struct call_form *form;
    /* NULL: not HTTP, or over */
    const struct exchange *exchange;
    /* HTTP/2's stream or the WebSocket's id */
    int64_t id;
    const struct offer *offer;
    const struct page *page;
    const struct json_route *route;
    /* NULL if the head was not understood, or not HTTP */
    char *verb, *path, *query;
    /* verbs of a 405 */
    char allow[ROUTE_ALLOW_MAX];
    struct head head;
    char trace[TRACE_TEXT_MAX];
    char peer[CONN_PEER_MAX];
    char *caller;
    /* 0: the guard has let nobody in yet */
    unsigned access;
    /* request not decoded yet; answer not taken by the connection yet, from |out_at| */
    struct buffer in, out;
    size_t out_at;
    /* HTTP/2: names and values of the trailers, each with its zero byte */
    struct buffer trailers;
    /* bytes of the body allowed, taken; of a gRPC frame */
    size_t in_max, taken, frame_max;
    /* bytes of the body that came after the answer and were dropped */
    size_t dropped;
    /* the answer to a request that is not complete yet; NULL: told, or there was none */
    struct rpc_status *refusal;
    size_t accounted;
    ProtobufCMessage *request;
    struct due due;
    /* uv_now's; 0: none */
    uint64_t deadline_ms;
    uint64_t started_us;
    void (*on_cancel)(struct rpc_call *call, void *arg);
    void *cancel_arg;
    void (*on_drain)(struct rpc_call *call, void *arg);
    void *drain_arg;
    /* base64 that is not a whole group yet (gRPC-Web text) */
    uint8_t group[4];
    unsigned group_n;
    /* the holders */
    bool is_carried, is_held;
    /* the head of the request was too large to keep */
    bool is_head_too_large;
    bool is_complete;
    bool is_running;
    /* rpc_set_noted, or the watch was told */
    bool is_noted;
    /* head sent; everything said */
    bool has_head, is_answered;
    bool has_ended;
    bool is_cancelled, is_cancel_told;
    bool is_full;
    bool is_text;
    bool is_head_only;
    /* the deadline is the caller's own */
    bool has_own_deadline;
};

/* Carried by |conn|. */
struct rpc_call *rpc_call_new(struct conn *conn, const struct exchange *exchange);
/* The carrier lets go: answered and sent, reset, or the connection is gone. */
void rpc_call_closed(struct rpc_call *call);

/* HTTP: the head is complete; bytes of the body; the end of the body. Any of them may answer. */
void rpc_call_begin(struct rpc_call *call);
void rpc_call_data(struct rpc_call *call, const uint8_t *b, size_t len);
void rpc_call_complete(struct rpc_call *call);

/* Set the trace from x-request-id and the deadline from grpc-timeout. False: it has failed. */
bool rpc_call_identify(struct rpc_call *call);
/* May it go on? False: the call has failed. */
bool rpc_call_is_admitted(struct rpc_call *call);
/* Is the announced body not too long? False: the call has failed. */
bool rpc_call_length_is_good(struct rpc_call *call);
/* Hand |request| (taken) to the method's handler. */
void rpc_call_run(struct rpc_call *call, ProtobufCMessage *request);
/* The answer of somebody who is not the handler. Nothing if there is one already. */
void rpc_call_fail(struct rpc_call *call, struct rpc_status status);
/* What was kept until the request is complete. */
void rpc_call_tell_refusal(struct rpc_call *call);
/* The caller does not listen any more: tell the handler, now. */
void rpc_call_cancel(struct rpc_call *call);
/* Tell |drain| of what has room again. */
void rpc_call_drained(struct rpc_call *call);
/* The handler is done with it. */
void rpc_call_let_go(struct rpc_call *call);
/* Memory of the call has changed. */
void rpc_call_account(struct rpc_call *call);
uint64_t rpc_call_now(const struct rpc_call *call);

#endif
