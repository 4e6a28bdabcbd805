/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an HTTP answer, what browsers of other origins may do with it, and whole answers.
 * Internal to the server. */
#ifndef SYSTEM_RPC_ANSWER_H
#define SYSTEM_RPC_ANSWER_H

#include "system/rpc/call.h"
#include "system/rpc/head.h"

#include <stddef.h>

enum { ANSWER_FIELDS_MAX = 20 };

struct answer {
    struct rpc_field field[ANSWER_FIELDS_MAX];
    size_t n;
};

/* Date, content type (NULL: none), x-request-id, and CORS if the caller's origin is allowed. What
 * it holds is lent from the call. */
void answer_init(struct answer *answer, const struct rpc_call *call, const char *content_type);
void answer_add(struct answer *answer, const char *name, const char *value);

/* All of an answer: head, body, end. */
void answer_send(struct rpc_call *call, int http, const struct answer *answer, const void *body,
                 size_t len);

/* An OPTIONS request of a path that takes the verbs |call->allow|; a preflight of an allowed origin
 * is told of them. */
void answer_options(struct rpc_call *call);

#endif
