/* SPDX-License-Identifier: Apache-2.0 */
/* Callers that wait: streams of a session's changes, and single answers that come with its end.
 * Whoever waits is told of an end after it is durable. */
#ifndef COORDINATOR_WATCH_H
#define COORDINATOR_WATCH_H

#include "services/coordinator/coordinator.h"

/* Answer |call| by |answer| when the session has ended, or at |until_ms| (0: no limit of ours). */
typedef void watch_answer(struct coordinator *c, struct rpc_call *call, struct record *r);
void watch_end(struct coordinator *c, struct record *r, struct rpc_call *call, watch_answer *answer,
               int64_t until_ms);
/* A stream of WatchSessionResponse: the present state, every change, the end. */
void watch_stream(struct coordinator *c, struct record *r, struct rpc_call *call);

/* The session changed, but has not ended. It has ended. */
void watch_changed(struct coordinator *c, struct record *r);
void watch_settled(struct coordinator *c, struct record *r);
/* Answer those whose time is over. */
void watch_expire(struct coordinator *c, int64_t now_ms);
/* The service stops: everybody is told. */
void watch_stop(struct coordinator *c);

#endif
