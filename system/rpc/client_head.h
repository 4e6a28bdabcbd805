/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a client's call, as nghttp2 takes it. */
#ifndef SYSTEM_RPC_CLIENT_HEAD_H
#define SYSTEM_RPC_CLIENT_HEAD_H

#include "system/rpc/client_call.h"
#include "system/rpc/client_link.h"
#include "system/rpc/grpc_wire.h"

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>

struct client_head_params {
    bool is_secure;
    const char *authority;
    const struct link_metadata *metadata;
    /* uv_now */
    uint64_t now;
};

/* Lent: it points into itself, its parameters and the call, until nghttp2 has taken it. */
struct client_head {
    nghttp2_nv fields[12 + RPC_METADATA_MAX];
    size_t n;
    char path[PENDING_PATH_MAX + 2], timeout[GRPC_TIMEOUT_MAX];
};

void client_head_fill(struct client_head *out, const struct rpc_pending *call,
                      const struct client_head_params *params);

#endif
