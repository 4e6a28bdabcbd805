/* SPDX-License-Identifier: Apache-2.0 */
/* The gRPC client: one HTTP/2 connection to a service, made when needed, made again with growing
 * waits when it breaks, checked by pings when silent. Same loop, same thread, never blocks. */
#ifndef SYSTEM_RPC_CLIENT_H
#define SYSTEM_RPC_CLIENT_H

#include "system/core/retry.h"
#include "system/rpc/status.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct rpc_channel;
struct rpc_pending;

struct rpc_channel_params {
    /* "host:port", or those of several replicas with commas between: one is used until it fails or
     * is silent for some seconds, then the next */
    const char *target;
    /* PEM files; NULL ca: plain text. certificate and key for mTLS, or NULL; revocation list, or
     * NULL. They are read for every connection; while they are broken the last good ones count. */
    const char *ca, *certificate, *key, *crl;
    struct retry retry;
    /* told at every change; may be NULL. |connected| false once more when the last try failed and
     * |gave_up| */
    void (*state)(void *arg, bool connected, bool gave_up);
    void *arg;
};

struct rpc_channel *rpc_channel_new(uv_loop_t *loop, const struct rpc_channel_params *params);
/* Ends all calls with RPC_CANCELLED, inside this call. */
void rpc_channel_free(struct rpc_channel *channel);
/* "Bearer ..." for the authorization of every later call, x-api-key, or NULL for none; copied. */
void rpc_channel_authorize(struct rpc_channel *channel, const char *authorization,
                           const char *api_key);
/* The PEM files have changed: a connection whose server is revoked now ends soon, as one that
 * breaks, and so does one that is still being made, which would believe the old list. */
void rpc_channel_recheck(struct rpc_channel *channel);
bool rpc_channel_is_connected(const struct rpc_channel *channel);

/* The end of a call: |response| is lent for the callback, NULL unless it succeeded (and always NULL
 * at the end of a stream). */
typedef void rpc_done(void *arg, const struct rpc_status *status, const ProtobufCMessage *response);
typedef void rpc_message(void *arg, const ProtobufCMessage *message);

enum { RPC_METADATA_MAX = 4 };
struct rpc_metadata {
    const char *name, *value;
};

struct rpc_request {
    /* "mpc.router.v1.MessageRouter/RouteMessage" */
    const char *path;
    /* encoded inside the call */
    const ProtobufCMessage *message;
    const ProtobufCMessageDescriptor *response;
    /* 0: no deadline (streams) */
    unsigned deadline_ms;
    /* x-request-id; NULL: a fresh one */
    const char *trace;
    /* further metadata, names in lower case; copied. At most RPC_METADATA_MAX */
    const struct rpc_metadata *metadata;
    size_t metadata_n;
    /* streams only: each message; NULL for unary calls */
    rpc_message *each;
    rpc_done *done;
    void *arg;
};

/* Start a call. While there is no connection it waits for one, up to its deadline; then it ends
 * with RPC_UNAVAILABLE (at once if the channel gave up). |done| is called exactly once, never
 * inside rpc_start. Inside rpc_channel_free nothing starts: NULL, and |done| is not called. The
 * name in a status lives as long as the channel. A request or answer has at most 16 MiB; calls
 * that a GOAWAY left out are sent again. */
struct rpc_pending *rpc_start(struct rpc_channel *channel, const struct rpc_request *request);
/* |done| is not called any more. */
void rpc_cancel(struct rpc_pending *pending);
/* A stream whose messages nobody can take now: the server is held up once what it may send ahead
 * (1 MiB) has come; that is still given to |each|. */
void rpc_pause(struct rpc_pending *pending, bool is_paused);

#endif
