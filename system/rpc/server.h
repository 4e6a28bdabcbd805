/* SPDX-License-Identifier: Apache-2.0 */
/* The server side of the connection layer. One listener speaks HTTP/1.1, HTTP/2 (by ALPN, or plain
 * by its first bytes), TLS and WebSocket. A method is registered once; gRPC, gRPC-Web (binary and
 * text), JSON routes and the WebSocket are four encodings of the same call.
 *
 * Everything happens on one libuv loop and one thread: handlers must not block. A handler starts
 * what it needs and may answer later, from the same loop; db.h and uv_queue_work take work off it.
 *
 * Order of a call: limits, guard (who may call, before anything of the body is parsed), decoding,
 * handler. Limits: header bytes, body bytes, streams and memory per connection, total time of a
 * request, accept back-off when descriptors run out, rate of resets; connections get GOAWAY and a
 * grace period on stop.
 *
 * WebSocket (path /ws), text frames: {"id":1,"method":"package.Service/Method","metadata":{...},
 * "request":{...}} answered by {"id":1,"response":{...}} any number of times for streams,
 * {"id":1,"end":true} after the last one, or {"id":1,"error":{"error","code","request_id"}};
 * {"id":1,"cancel":true} ends a stream. */
#ifndef SYSTEM_RPC_SERVER_H
#define SYSTEM_RPC_SERVER_H

#include "system/rpc/status.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct rpc_server;
struct rpc_call;

/* Handle |call|. The request is lent until the call is finished. A unary call is finished by
 * rpc_reply or rpc_fail, a stream by rpc_end or rpc_fail; each exactly once, also after the caller
 * has gone (rpc_is_cancelled; answers then go nowhere). */
typedef void rpc_handler(struct rpc_call *call, const ProtobufCMessage *request, void *service);

struct rpc_method {
    /* "mpc.router.v1.MessageRouter/RouteMessage" */
    const char *path;
    const ProtobufCMessageDescriptor *request, *response;
    bool is_stream;
    rpc_handler *handle;
    /* for the guard: who may call; meaning is the guard's */
    unsigned access;
    /* bytes of a request; 0: the server's limit */
    size_t request_max;
};

/* A JSON route to a method. |pattern| has fields of the request in braces:
 * "/api/v1/accounts/{account_id}/sign". Query parameters are fields as well; the body's members are
 * the other fields. An unknown member or parameter is a 400 that names it. */
struct rpc_route {
    const char *verb;
    const char *pattern;
    /* path of the method */
    const char *method;
    /* HTTP status of success: 200 or 201 */
    int success;
};

/* May this call go on? Asked before the body is parsed. RPC_OK or the refusal. */
typedef struct rpc_status rpc_guard(struct rpc_call *call, void *arg);

/* Told of a call's end: answered, refused by the guard, or RPC_CANCELLED if the caller went away
 * before. Of calls of a method only, once each, and not of those with rpc_set_noted. */
typedef void rpc_watch(struct rpc_call *call, const struct rpc_status *status, void *arg);

struct rpc_limits {
    /* 0 takes the default in brackets */
    size_t body_max;             /* [1 MiB] */
    size_t header_max;           /* [32 KiB] */
    unsigned connections_max;    /* [4096] */
    unsigned streams_max;        /* per connection [256] */
    size_t connection_bytes_max; /* buffered per connection [8 MiB] */
    unsigned request_ms;         /* to receive a whole request [15 000] */
    unsigned idle_ms;            /* connection without calls [120 000] */
    unsigned call_ms;            /* longest unary call without a deadline of its own [120 000] */
    unsigned ping_ms;            /* silence before a peer with calls is asked for life [30 000] */
    unsigned age_ms;             /* life of a connection, then it drains [no limit] */
};

struct rpc_tls {
    /* PEM files; a client CA makes client certificates a must (mTLS); |crl|, its revocation list,
     * may be NULL */
    const char *certificate, *key, *client_ca, *crl;
    /* clients may show none; those that do must show a good one, and are the party that it names */
    bool is_open;
};

/* |methods| and |routes| end with a row of NULLs and outlive the server; several tables may be
 * added. |service| is handed to their handlers. */
struct rpc_server *rpc_server_new(uv_loop_t *loop, const struct rpc_limits *limits);
void rpc_server_add(struct rpc_server *server, const struct rpc_method *methods,
                    const struct rpc_route *routes, void *service);
/* Origins ("https://admin.example") whose pages may call and read answers, or "*" for all; copied.
 * None is the default: browsers then only come from the same origin. */
void rpc_server_origins(struct rpc_server *server, const char *const *origins, size_t n);
void rpc_server_guard(struct rpc_server *server, rpc_guard *guard, void *arg);
void rpc_server_watch(struct rpc_server *server, rpc_watch *watch, void *arg);
/* Plain GET pages without key: /health, /ready, /metrics. |page| writes status, content type and
 * body into the call by rpc_page_reply. */
typedef void rpc_page(struct rpc_call *call, void *arg);
void rpc_server_page(struct rpc_server *server, const char *path, rpc_page *page, void *arg);
void rpc_page_reply(struct rpc_call *call, int http, const char *content_type, const char *body,
                    size_t len);
/* Listen; |tls| NULL: plain. Several times for several ports. False with one line in |error|.
 * Port 0 takes a free one; rpc_server_port tells which of the last listen. */
bool rpc_server_listen(struct rpc_server *server, const char *host, int port,
                       const struct rpc_tls *tls, char error[RPC_TEXT_MAX]);
int rpc_server_port(const struct rpc_server *server);
/* Read the TLS files of every listener again. New connections have what they hold now; those that
 * are there go on, but one whose certificate is revoked ends. False with one line in |error|:
 * everything is as it was. */
bool rpc_server_reload(struct rpc_server *server, char error[RPC_TEXT_MAX]);
/* The revocation lists alone, for when the other files cannot be used now: what they have added
 * counts, and connections whose certificate is revoked end. */
void rpc_server_recheck(struct rpc_server *server);
/* No new connections, GOAWAY, |done| when the last call has ended or |grace_ms| are over. */
void rpc_server_stop(struct rpc_server *server, unsigned grace_ms, void (*done)(void *arg),
                     void *arg);
/* Its memory goes when the loop has run once more. Calls that handlers still hold stay good. */
void rpc_server_free(struct rpc_server *server);

/* Finish, or send one message of a stream. Messages are encoded inside the call. rpc_send tells
 * whether the caller keeps up: false means wait for rpc_on_drain before sending more. */
void rpc_reply(struct rpc_call *call, const ProtobufCMessage *response);
bool rpc_send(struct rpc_call *call, const ProtobufCMessage *message);
void rpc_end(struct rpc_call *call);
void rpc_fail(struct rpc_call *call, struct rpc_status status);
void rpc_on_drain(struct rpc_call *call, void (*drain)(struct rpc_call *call, void *arg),
                  void *arg);

/* The caller went away or its deadline passed. The handler still has to finish the call. */
void rpc_on_cancel(struct rpc_call *call, void (*cancel)(struct rpc_call *call, void *arg),
                   void *arg);
bool rpc_is_cancelled(const struct rpc_call *call);

/* Readers, lent until the call is finished. A header's name is lower case; NULL if it is missing.
 */
const char *rpc_header(const struct rpc_call *call, const char *name);
/* The peer's address in text, without port; of the connection, not of X-Forwarded-For. */
const char *rpc_peer(const struct rpc_call *call);
/* The peer has shown a TLS certificate that a listener's client CA vouches for. */
bool rpc_peer_is_certified(const struct rpc_call *call);
/* The party that the peer's TLS certificate names ("quorate:party:ID"); "": none. */
const char *rpc_peer_party(const struct rpc_call *call);
const struct rpc_method *rpc_call_method(const struct rpc_call *call);
/* This request's id: from x-request-id if that is 32 hex digits, otherwise fresh. It is in every
 * answer and in every log line. */
const char *rpc_trace(const struct rpc_call *call);
/* Milliseconds left of the caller's deadline; -1: he has none. */
int64_t rpc_deadline_ms(const struct rpc_call *call);
/* What the guard found out about the caller, for the handler: a string that lives as long as the
 * call, "" before it is set. */
void rpc_set_caller(struct rpc_call *call, const char *caller);
const char *rpc_caller(const struct rpc_call *call);
/* By which bit of rpc_method.access the guard let the caller in; 0 before that. */
void rpc_set_access(struct rpc_call *call, unsigned bit);
unsigned rpc_access(const struct rpc_call *call);
/* The handler has written down itself how the call ends. */
void rpc_set_noted(struct rpc_call *call);
/* What was asked, lent as to the handler; NULL before it was understood. */
const ProtobufCMessage *rpc_request_of(const struct rpc_call *call);
/* For a guard that believes whoever passed this call on: the address it came from, rpc_peer from
 * then on. Cut to what an address can have. */
void rpc_set_peer(struct rpc_call *call, const char *address);

#endif
