/* SPDX-License-Identifier: Apache-2.0 */
/* Admission and attempts: who runs now, with whom, and what follows when an attempt is over.
 *
 * At most running_max sessions of a class run; the others stand in a queue, first come first
 * served. A session without a quorum of live parties stands there as well, blocked: it lets others
 * pass until parties appear, or until its pause before asking the same ones again is over. Places
 * are free only while all that wait are blocked. Presigning has places while no signature waits and
 * few run. */
#ifndef COORDINATOR_DISPATCH_H
#define COORDINATOR_DISPATCH_H

#include "services/coordinator/flow.h"

enum dispatch_result {
    DISPATCH_BEGUN,
    /* in the queue */
    DISPATCH_WAITS,
    /* too many wait */
    DISPATCH_FULL,
    /* too few parties, and none that may come back */
    DISPATCH_IMPOSSIBLE
};

/* A new session, in memory and with session_create's event in |flow|: begin or queue it. |error|
 * gets a sentence if that is impossible. */
enum dispatch_result dispatch_new(struct flow *flow, char error[ERROR_TEXT_MAX]);
/* A session as the database has it, at the start: take its place again, or queue it. */
void dispatch_restored(struct coordinator *c, struct record *r);
/* The attempt is over (session_out.attempt_over): begin another one, wait for a quorum, or fail. */
void dispatch_attempt_over(struct flow *flow, const char *code, const char *reason);
/* The session has ended or is given up: its place goes to the next. */
void dispatch_released(struct coordinator *c, struct record *r);
/* Begin what can begin; with |blocked|, also look at those that had no quorum. */
void dispatch_pump(struct coordinator *c, bool blocked);
/* Pauses that are over at |now_ms|. */
void dispatch_resume(struct coordinator *c, int64_t now_ms);
/* pool_new's: a party went away. */
void dispatch_lost(void *arg, const char *party_id);
/* Of what callers asked for. */
size_t dispatch_waiting(const struct coordinator *c);
/* "2 parties are needed, 1 can be had: party-2 was not seen for 12 s". */
void dispatch_explain(char out[ERROR_TEXT_MAX], const struct coordinator *c,
                      const struct record *r);

#endif
