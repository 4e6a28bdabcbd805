/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of CreateSession, checked against each other and against the intent. Pure: what
 * parties are there does not matter here. */
#ifndef COORDINATOR_REQUEST_H
#define COORDINATOR_REQUEST_H

#include "services/coordinator/coordinator.h"

/* Checks |in| and fills what follows from it: |r->intent|, |r->row| (without id, trace, times but
 * the deadline), |r->state|. False with |status|. */
bool request_check(struct record *r, const struct coordinator *c, int64_t now_ms,
                   struct rpc_status *status);
/* What the same idempotency key has to stand for. */
void request_binding(uint8_t binding[32], const struct record *r);

#endif
