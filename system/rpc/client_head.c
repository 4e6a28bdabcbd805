/* SPDX-License-Identifier: Apache-2.0 */
/* Names are constants. Fields of one call alone stay out of the compression's table: nobody learns
 * by its size whether two calls have the same. */
#include "system/rpc/client_head.h"

#include <stdio.h>
#include <string.h>

enum { SELDOM = NGHTTP2_NV_FLAG_NO_INDEX };

static nghttp2_nv pair(const char *name, const char *value, uint8_t flags)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value),
                        .flags = (uint8_t)(flags | NGHTTP2_NV_FLAG_NO_COPY_NAME)};
}

/* The call may be gone before its head is sent. */
static nghttp2_nv copied_pair(const struct rpc_metadata *metadata)
{
    nghttp2_nv nv = pair(metadata->name, metadata->value, 0);

    nv.flags = SELDOM;
    return nv;
}

static void put(struct client_head *out, nghttp2_nv field)
{
    out->fields[out->n++] = field;
}

static void put_deadline(struct client_head *out, const struct rpc_pending *call, uint64_t now)
{
    if (call->deadline == 0)
        return;
    grpc_timeout_text(out->timeout, call->deadline > now ? call->deadline - now : 1);
    put(out, pair("grpc-timeout", out->timeout, SELDOM));
}

void client_head_fill(struct client_head *out, const struct rpc_pending *call,
                      const struct client_head_params *params)
{
    const struct link_metadata *metadata = params->metadata;

    out->n = 0;
    snprintf(out->path, sizeof out->path, "/%s", call->path);
    put(out, pair(":method", "POST", 0));
    put(out, pair(":scheme", params->is_secure ? "https" : "http", 0));
    put(out, pair(":path", out->path, 0));
    put(out, pair(":authority", params->authority, 0));
    put(out, pair("te", "trailers", 0));
    put(out, pair("content-type", "application/grpc", 0));
    put(out, pair("user-agent", "quorate/" QRT_VERSION, 0));
    put(out, pair("x-request-id", call->trace, SELDOM));
    put_deadline(out, call, params->now);
    if (metadata->authorization != NULL)
        put(out, pair("authorization", metadata->authorization, 0));
    if (metadata->api_key != NULL)
        put(out, pair("x-api-key", metadata->api_key, 0));
    for (size_t i = 0; i < call->metadata_n; i++)
        put(out, copied_pair(&call->metadata[i]));
}
