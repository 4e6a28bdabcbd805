/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt of a session at this party: an actor. Anybody hands it messages and reasons to end;
 * one worker at a time drives it. It starts once, says its outcome once, and wipes its memory in
 * the same step. Order within a step: take a message, store what the library wants stored, send
 * what it gives, tell the outcome.
 *
 *   run.c          the actor: inbox, steps, end
 *   run_begin.c    from an invitation to a running peer: permission, share, policy, start
 *   run_record.c   what has to be durable, and the gate
 *   run_resume.c   a key generation that a restart interrupted
 *   outcome.c      what is said to the front */
#ifndef PARTICIPANT_RUN_H
#define PARTICIPANT_RUN_H

#include "participant/keeper_state.h"
#include "quorate/peer.h"

#include <stdatomic.h>
#include <stdbool.h>

enum run_end {
    RUN_GOES_ON,
    /* no word is owed: a higher attempt, the session's end */
    RUN_REPLACED,
    RUN_CLOSED,
    /* told to the coordinator */
    RUN_TIMEOUT,
    RUN_BURNED,
    RUN_FROZEN
};

enum run_state {
    /* not begun, or waiting for the user's share or for the end of a freeze */
    RUN_NEW,
    /* waiting for the policy */
    RUN_ASKING,
    RUN_GOING,
    /* a key was made and told: stays to answer parties that restarted (run_resume.c) */
    RUN_HELPING,
    RUN_OVER
};

/* Messages in their order; |end| is where the next one goes. */
struct run_list {
    struct intake_message *first, **end;
};

struct run {
    struct keeper *keeper;
    atomic_int refs;
    /* keeper's table, under its lock */
    struct run *next;
    bool is_resting;
    uint64_t number;
    int64_t deadline_ms;
    struct task task;
    enum work_kind kind;
    /* owns the setup that |permit| looks into */
    Mpc__Keeper__V1__ToKeeper *frame;
    const Mpc__Session__V1__Setup *setup;
    struct permit permit;

    /* the first reason; any thread */
    atomic_int end;

    pthread_mutex_t lock;
    /* under |lock| */
    bool scheduled, dirty;
    struct run_list inbox;
    /* of memory, for all messages that came and are not done with: inbox, fresh, waiting */
    size_t held_bytes;
    enum policy_answer answer;
    int64_t policy_until_ms;

    /* the driving worker's alone */
    enum run_state state;
    uint64_t began_us;
    struct qrt_peer *peer;
    size_t peer_len;
    enum qrt_protocol protocol;
    struct share_held *share;
    struct gate_seat seat;
    /* messages not offered yet; those to be offered again once another one was taken */
    struct run_list fresh, waiting;
    /* why the host ended the run, if it did */
    struct refusal refusal;
    struct qrt_share pending;
    uint8_t *pending_record;
    struct presig *presig;
    /* its burn is not stored: nothing is told before it is */
    bool owes_burn;
    /* the own fourth-round message of a key generation, and who sent his, for run_resume.c */
    uint8_t confirmation[QRT_CONFIRMATION_BYTES];
    bool has_confirmation, resumed;
    uint64_t confirmed_from;
    uint8_t answers[QRT_PARTIES_MAX];
    /* of the key that was made */
    bool has_key;
    uint8_t key_id[32];
};

/* Takes |frame| over, whose open request |permit| was made from. One reference, the table's. */
struct run *run_new(struct keeper *keeper, Mpc__Keeper__V1__ToKeeper *frame,
                    const struct permit *permit);
void run_unref(struct run *run);

/* Any thread. */

/* Begin; or what it may have waited for has come: the share, or the end of a freeze. */
void run_start(struct run *run);
/* Takes the list over. */
void run_deliver(struct run *run, struct intake_message *list);
void run_end(struct run *run, enum run_end end);
void run_answer(struct run *run, enum policy_answer answer);
/* The policy was asked too long ago. */
bool run_policy_is_late(struct run *run, int64_t now_ms);

/* Between the files of a run; the driving worker only. */

/* Permission, share, policy; then the peer's start, unless an answer is awaited. */
void run_begin(struct run *run);
void run_begin_peer(struct run *run);
/* Store what is to be stored, send what is to be sent. */
void run_settle(struct run *run);
void run_send(struct run *run);
/* False: refused, and the run is over. */
bool run_record(struct run *run, const struct qrt_record *record);
/* A peer said that he burned his side of the pair with this party. */
void run_note_burn(struct run *run, uint16_t peer);
/* Try again to store what could not be, and tell then what those runs owed. False: some is left. */
bool burns_save(struct keeper *keeper);
/* A burn of a pair of this key is not stored: nothing is to be begun with it. */
bool burns_are_owed(struct keeper *keeper, const uint8_t kgid[32]);
void burns_free(struct keeper *keeper);
/* True if this attempt's share is here already and the run needs nothing more from run_begin. */
bool run_resume(struct run *run, struct refusal *refusal, bool *done);
void run_give_confirmations(struct run *run, const struct qrt_share *share, const char *to);
/* A message of a key generation that was taken or known: answer a party that asks again. */
void run_hear_confirmation(struct run *run, const struct intake_message *message);
/* Of a finished presigning: into the pool. */
bool run_keep_presignature(struct run *run, uint8_t id[32]);
/* Tell the outcome, if one is owed, and wipe; leave the table unless there is a key to help
 * with. */
void run_finish(struct run *run);
const char *run_party_of(const struct run *run, uint16_t index);

#endif
