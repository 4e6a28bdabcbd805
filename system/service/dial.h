/* SPDX-License-Identifier: Apache-2.0 */
/* How our programs call each other: a channel with addresses, certificates, waits and the
 * service's own token from the configuration.
 *
 * A program whose peer stays away for all of RETRY_MAX tries in a row ends by service_fault, with a
 * line that names the peer: whoever runs it starts it again. Tries are counted anew after every
 * connection that came about; while there is none the program lives and is not ready. */
#ifndef SYSTEM_SERVICE_DIAL_H
#define SYSTEM_SERVICE_DIAL_H

#include "system/rpc/client.h"
#include "system/service/service.h"

#include <stdbool.h>

/* A channel to the target in |variable| ("COORDINATOR_ADDR"). |with_service_token|: calls carry
 * this service's token, renewed before it ends (only programs that have JWT_SECRET_KEY). Parties
 * take false and set their own by rpc_channel_authorize. Never NULL; the caller's, who ends it by
 * service_hangup, not by rpc_channel_free. */
struct rpc_channel *service_dial(const struct service_host *host, const char *variable,
                                 bool with_service_token);
/* The same to |target|, which is a replica of our own service and may be away for long: nothing
 * ends because of that. |state| as of rpc_channel_params. */
struct service_replica {
    const char *target;
    void (*state)(void *arg, bool connected, bool gave_up);
    void *arg;
};
struct rpc_channel *service_dial_replica(const struct service_host *host,
                                         const struct service_replica *replica);
/* The TLS files of this program have changed: rpc_channel_recheck of every channel. */
void service_dial_recheck(void);
/* Ends the channel and its calls (RPC_CANCELLED, inside this call). NULL is nothing. */
void service_hangup(struct rpc_channel *channel);

#endif
