/* SPDX-License-Identifier: Apache-2.0 */
/* One call of a client: the request's bytes, what has come back so far, how it ended. Knows nothing
 * of connections; the link (client_link.h) moves its bytes, the channel (client.c) owns it.
 *
 * A call is in exactly one list of its channel: waiting for a connection, running on a link, or
 * ending with |status| settled. User code runs in `each` and `done` only, and may cancel calls or
 * free the channel there: a call that is inside `each` is freed when `each` returns. */
#ifndef SYSTEM_RPC_CLIENT_CALL_H
#define SYSTEM_RPC_CLIENT_CALL_H

#include "system/core/buffer.h"
#include "system/core/ids.h"
#include "system/rpc/client.h"

enum { PENDING_MESSAGE_MAX = 16 << 20, PENDING_TRACE_MAX = 65, PENDING_PATH_MAX = 200 };

struct rpc_link;

struct pending_list {
    struct rpc_pending *first, *last;
};

struct rpc_pending {
    struct rpc_channel *channel;
    struct rpc_link *link;
    int32_t stream;
    struct pending_list *list;
    struct rpc_pending *before, *after;

    char *path;
    char trace[PENDING_TRACE_MAX];
    struct rpc_metadata metadata[RPC_METADATA_MAX];
    size_t metadata_n;
    const ProtobufCMessageDescriptor *response;
    rpc_message *each;
    rpc_done *done;
    void *arg;
    /* uv_now of the end, 0: none */
    uint64_t deadline;
    unsigned tries;

    /* the request's frame; |sent| bytes of it are on their way */
    struct buffer out;
    size_t sent;
    /* frames that are not complete yet */
    struct buffer in;
    ProtobufCMessage *message;
    size_t messages_n;

    /* a stream that is held up: bytes that the server was not told of as taken */
    bool is_paused;
    size_t untold;

    /* of the answer's headers; 0: not seen */
    int http;
    bool is_grpc, has_code;
    struct rpc_status status;
    /* inside `each`; over, to be freed after it */
    bool is_busy, is_over;
};

struct rpc_pending *pending_new(struct rpc_channel *channel, const struct rpc_request *request,
                                uint64_t now);
/* At once, or when `each` returns. */
void pending_free(struct rpc_pending *call);
/* Out of its list, if it is in one, to the end of |list| (NULL: none). */
void pending_move(struct rpc_pending *call, struct pending_list *list);

/* A header or trailer of the answer. |name| of the code is set by the channel, which owns it. */
void pending_header(struct rpc_pending *call, const char *name, const char *value, size_t len);
/* Bytes of the answer's body. PENDING_FAULT: |status| is settled, the stream must be reset.
 * PENDING_GONE: the call ended inside `each` and must not be touched. */
enum pending_took { PENDING_TOOK, PENDING_FAULT, PENDING_GONE };
enum pending_took pending_data(struct rpc_pending *call, const uint8_t *b, size_t len);
/* The stream is over, |error| its HTTP/2 error code: settle |status|. */
void pending_settle(struct rpc_pending *call, uint32_t error, const char *target);

/* "unavailable": the name of a code that came without one. */
const char *pending_code_name(enum rpc_code code);

#endif
