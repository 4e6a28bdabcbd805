/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to the coordinator: one way for all of this service's steps.
 *
 * A call ends exactly once. When the service is ending, nothing is asked any more: the call ends
 * with RPC_CANCELLED, inside the asking function, which therefore is a step's last statement. */
#ifndef ACCOUNT_COORDINATOR_H
#define ACCOUNT_COORDINATOR_H

#include "services/account/account.h"
#include "services/account/roster.h"

/* |request| with its path, message, response, trace, done, arg; deadline_ms 0: that of a call which
 * the coordinator answers at once. */
void coordinator_ask(struct account_service *s, struct rpc_request request);

/* |members| as CreateSession wants them; borrowed. */
void coordinator_seat(Mpc__Coordinator__V1__CreateSessionRequest *q,
                      struct roster_members *members);

/* CreateSession; |q|, with its trace id, is borrowed for the call. If it has an idempotency key, a
 * call of which nobody knows what became is made again, a few times, but not after |within_ms|
 * (0: no caller waits, so there is no such end). |done| with RPC_OK has a response that has a
 * session. */
void coordinator_create(struct account_service *s,
                        const Mpc__Coordinator__V1__CreateSessionRequest *q, unsigned within_ms,
                        rpc_done *done, void *arg);

#endif
