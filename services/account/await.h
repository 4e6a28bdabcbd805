/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for the end of a session: one long poll at the coordinator after the other, also across
 * its restarts, until the session is final or the wait is over. */
#ifndef ACCOUNT_AWAIT_H
#define ACCOUNT_AWAIT_H

#include "services/account/account.h"

/* |response| is lent for the callback. Final or not: look at its status. NULL with |status| if the
 * coordinator knows no such session, could not be asked in time, or answered for another. */
typedef void await_done(void *arg, const Mpc__Coordinator__V1__GetSessionStatusResponse *response,
                        const struct rpc_status *status);

struct await_end {
    await_done *done;
    void *arg;
};

/* Wait up to |wait_ms|; 0: ask once. |end.done| is called exactly once; inside this call only if
 * the service is ending. */
void await_session(struct account_service *s, const char *session_id, unsigned wait_ms,
                   const char *trace, struct await_end end);

/* The service ends: every wait ends, those whose call is away with it. */
void await_end_all(struct account_service *s);

/* completed, failed, expired, cancelled. */
bool await_is_final(const char *status);

/* Faults of the way are worth another try; answers are not. */
bool await_is_passing(enum rpc_code code);

#endif
