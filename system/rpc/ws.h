/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket (RFC 6455, wslay): many calls at a time, each a JSON envelope; see server.h. Text
 * messages only. */
#ifndef SYSTEM_RPC_WS_H
#define SYSTEM_RPC_WS_H

#include "system/rpc/call.h"

enum { WS_ACCEPT_MAX = 32 };

/* May the HTTP request |call| become a WebSocket? The value of sec-websocket-accept, or why not. */
struct rpc_status ws_handshake(const struct rpc_call *call, char accept[WS_ACCEPT_MAX]);
/* The connection is a WebSocket from now on. Takes the handshake's |head| and leaves it empty. */
void ws_start(struct conn *conn, struct head *head);

#endif
