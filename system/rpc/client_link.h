/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP/2 connection of a client, from a connected socket to its end: TLS, nghttp2, keepalive.
 * Calls run on it; it tells the channel what becomes of them and of itself by the link_on_*
 * functions, which client.c defines. Writes of one turn of the loop leave together at its end. */
#ifndef SYSTEM_RPC_CLIENT_LINK_H
#define SYSTEM_RPC_CLIENT_LINK_H

#include "system/rpc/client_call.h"
#include "system/rpc/tls.h"

#include <stdbool.h>
#include <uv.h>

struct rpc_link_params {
    uv_loop_t *loop;
    struct rpc_channel *channel;
    /* the connected socket, on the heap: the link's from now on */
    uv_tcp_t *tcp;
    /* "host:port"; lent as long as the link lives */
    const char *target;
    /* NULL: plain text */
    struct tls_context *tls;
    const char *host;
    /* ping after |idle_ms| of silence, give up |answer_ms| later */
    uint64_t idle_ms, answer_ms;
};

struct rpc_link *link_new(const struct rpc_link_params *params);
/* No more events; the memory goes when libuv has let go of the socket. Calls on it are the
 * caller's to end. |is_orderly|: with a GOAWAY; every call has been forgotten before. */
void link_close(struct rpc_link *link, bool is_orderly);

/* Ends soon if its server is revoked by |context|, which is newer than its own, or if nobody knows
 * yet who the server is. */
void link_recheck(struct rpc_link *link, const struct tls_context *context);

/* Metadata of every call, NULL for none; lent during link_submit. */
struct link_metadata {
    const char *authorization, *api_key;
};
/* Send |call|. False: the connection takes no more streams. */
bool link_submit(struct rpc_link *link, struct rpc_pending *call,
                 const struct link_metadata *metadata);
/* |call|, which is on a link, was paused: the server may send on. */
void link_resume(struct rpc_pending *call);
/* |call| leaves its stream, which is reset. */
void link_forget(struct rpc_pending *call);

/* The server answered; calls may be submitted. */
void link_on_up(struct rpc_channel *channel, struct rpc_link *link);
/* GOAWAY: calls that run may end, no new ones. |calm|: the server had too much of us. */
void link_on_draining(struct rpc_channel *channel, struct rpc_link *link, bool calm);
/* Broken or over, |why| in a few words. The channel closes the link. */
void link_on_down(struct rpc_channel *channel, struct rpc_link *link, const char *why);
/* |call| is off the link, |status| settled; |refused|: the server did not look at it. */
void link_on_over(struct rpc_channel *channel, struct rpc_pending *call, bool refused);
/* Other waits than 20 s and 10 s for connections made from now on: for tests. */
void rpc_channel_keepalive(struct rpc_channel *channel, uint64_t idle_ms, uint64_t answer_ms);
/* x-error-code of a call, ends with a zero byte: a name that lives as long as the channel, or
 * NULL. */
const char *link_on_name(struct rpc_channel *channel, const char *name, size_t len);

#endif
