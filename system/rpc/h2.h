/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2: many requests at a time per connection, flow control both ways (nghttp2). */
#ifndef SYSTEM_RPC_H2_H
#define SYSTEM_RPC_H2_H

#include "system/rpc/conn.h"

/* From the client's preface on, which is still to be given as input. */
void h2_start(struct conn *conn);

#endif
