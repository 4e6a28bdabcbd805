/* SPDX-License-Identifier: Apache-2.0 */
/* A call passed on: the same method, the same message, at another server of the same service; its
 * answer, its messages and its status come back as they are (code, name, sentence, session,
 * Retry-After, HTTP status). The caller's deadline and trace go along, his going away ends the call
 * there, and a stream that he does not read is held up at its source.
 *
 * Nothing is repeated and nothing waits here: that is for whoever knows who can answer. */
#ifndef SYSTEM_RPC_RELAY_H
#define SYSTEM_RPC_RELAY_H

#include "system/rpc/client.h"
#include "system/rpc/server.h"

struct rpc_relay {
    /* lent until the call's end, as its request is */
    struct rpc_channel *channel;
    /* who the caller is (system/access); copied */
    const struct rpc_metadata *metadata;
    size_t metadata_n;
    /* The call ended with |status| before anything of an answer was passed back. True: it is the
     * owner's again, not finished. May be NULL */
    bool (*take_back)(void *arg, struct rpc_call *call, const ProtobufCMessage *request,
                      const struct rpc_status *status);
    void *arg;
    /* It is over, just before the call is finished; not if it was taken back. May be NULL */
    void (*over)(void *arg);
};

/* |call| with its |request|; finished from here, unless it is taken back. */
void rpc_relay(const struct rpc_relay *relay, struct rpc_call *call,
               const ProtobufCMessage *request);

#endif
