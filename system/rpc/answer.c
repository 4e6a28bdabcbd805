/* SPDX-License-Identifier: Apache-2.0 */
/* See answer.h. A cross-origin answer is readable only for the origins of rpc_server_origins;
 * credentials of browsers (cookies) are never allowed, so "*" gives no page a user's rights. */
#include "system/rpc/answer.h"

#include <stdio.h>

void answer_add(struct answer *answer, const char *name, const char *value)
{
    answer->field[answer->n++] = (struct rpc_field){name, value};
}

static const char *allowed_origin(const struct rpc_call *call)
{
    const char *origin = head_get(&call->head, "origin");

    return origin && server_allows_origin(call->conn->server, origin) ? origin : NULL;
}

void answer_init(struct answer *answer, const struct rpc_call *call, const char *content_type)
{
    const char *origin = allowed_origin(call);

    answer->n = 0;
    answer_add(answer, "date", server_date(call->conn->server));
    if (content_type)
        answer_add(answer, "content-type", content_type);
    if (call->trace[0])
        answer_add(answer, "x-request-id", call->trace);
    if (call->conn->server->origins_n)
        answer_add(answer, "vary", "origin");
    if (!origin)
        return;
    answer_add(answer, "access-control-allow-origin", origin);
    answer_add(answer, "access-control-expose-headers",
               "grpc-status, grpc-message, retry-after, x-error-code, x-request-id, x-session-id");
}

void answer_send(struct rpc_call *call, int http, const struct answer *answer, const void *body,
                 size_t len)
{
    call->exchange->head(call, http, answer->field, answer->n, (int64_t)len);
    if (len && !call->is_head_only) {
        buffer_add(&call->out, body, len);
        call->exchange->push(call);
    }
    call->exchange->end(call, NULL, 0);
}

void answer_options(struct rpc_call *call)
{
    char allow[ROUTE_ALLOW_MAX + sizeof ", OPTIONS"];
    struct answer answer;

    answer_init(&answer, call, NULL);
    if (allowed_origin(call)) {
        answer_add(&answer, "access-control-allow-methods", call->allow);
        answer_add(&answer, "access-control-allow-headers",
                   "authorization, content-type, grpc-timeout, x-api-key, x-grpc-web, "
                   "x-request-id, x-user-agent");
        answer_add(&answer, "access-control-max-age", "7200");
    }
    snprintf(allow, sizeof allow, "%s, OPTIONS", call->allow);
    answer_add(&answer, "allow", allow);
    call->is_answered = true;
    due_clear(&call->conn->server->dues, &call->due);
    answer_send(call, 204, &answer, NULL, 0);
    conn_touch(call->conn);
}
