/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1: one request at a time per connection; what the peer sends ahead waits, bounded. */
#ifndef SYSTEM_RPC_H1_H
#define SYSTEM_RPC_H1_H

#include "system/rpc/call.h"
#include "system/rpc/conn.h"

/* From the first byte on. */
void h1_start(struct conn *conn);
/* Turn the connection of |call| into a WebSocket, or say why not. */
struct rpc_status h1_upgrade(struct rpc_call *call);

#endif
