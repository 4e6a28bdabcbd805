/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that came before the first list of who is there: just after a start, or after this replica
 * took over from another one. What they ask cannot be answered yet, neither with parties nor with
 * "too few": they wait for the list, at most UNLISTED_MS, and at most UNLISTED_MAX of them, and are
 * told then what is missing. A session that was begun before the start waits in the queue
 * (dispatch.h), up to its deadline. */
#ifndef COORDINATOR_UNLISTED_H
#define COORDINATOR_UNLISTED_H

#include "services/coordinator/coordinator.h"

/* less than what account-service gives an answer */
enum { UNLISTED_MS = 5000, UNLISTED_MAX = 1024 };

/* |handle| it with |c| when the list is there; refused if that takes too long, or there is no room.
 * Once there was a list nobody is to wait. */
void unlisted_wait(struct coordinator *c, struct rpc_call *call, const ProtobufCMessage *request,
                   rpc_handler *handle);
/* The list is there. */
void unlisted_pump(struct coordinator *c);
/* Refuse those whose time is over; with INT64_MAX all. */
void unlisted_expire(struct coordinator *c, int64_t now_ms);

#endif
