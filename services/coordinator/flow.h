/* SPDX-License-Identifier: Apache-2.0 */
/* From what session.h decided to what is durable, published and answered. Every change of a session
 * in memory goes through here, in three calls: flow_new, flow_say, flow_commit. */
#ifndef COORDINATOR_FLOW_H
#define COORDINATOR_FLOW_H

#include "services/coordinator/coordinator.h"

/* What the steps of one change are collected in. */
struct flow {
    struct coordinator *c;
    struct record *r;
    struct change *change;
    /* what has to be published: now if nobody waits for the disk, otherwise afterwards */
    bool has_begun, has_started, has_ended;
    /* told after the commit; may be NULL */
    void (*done)(void *arg, struct flow *flow, enum db_result result);
    void *arg;
};

/* Heap; flow_commit or flow_drop takes it. */
struct flow *flow_new(struct coordinator *c, struct record *r);
void flow_drop(struct flow *flow);
/* Log what came out of an input. |detail| (may be NULL) goes to the first event that is not about
 * a party's joining. */
void flow_say(struct flow *flow, const struct session_out *out, const char *detail);
/* Write, durably if it begins an attempt or ends the session (or |must|), otherwise along with the
 * next change or a moment later; then publish, tell watchers, and what else has to follow. */
void flow_commit(struct flow *flow, bool must);

/* Write now what flow_commit kept because nobody waits for it. */
void flow_write_held(struct coordinator *c, struct record *r);

/* The error that a session will end with. */
void flow_set_error(struct record *r, const char *code, const char *text);

/* Another replica may lead by now: that a commit is refused is no fault. */
bool flow_has_left(const struct coordinator *c);
/* The answer when the database does not work. */
struct rpc_status flow_database_fault(void);
/* The same to whoever wanted something to be stored: a full disk is told. */
struct rpc_status flow_store_fault(const struct coordinator *c);

#endif
