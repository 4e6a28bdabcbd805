/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper's files share: one struct keeper per process, and the requests it answers.
 *
 * Threads: one reads frames (keeper_take, keeper_policy_answer, keeper_tick) and waits for nobody,
 * workers drive runs, and one keeps the database up (participant/upkeep.h).
 * |lock| guards intake and the table of runs; it is never held while a run computes or a frame is
 * written. |burn_lock| makes changes of stored share records one after the other. */
#ifndef PARTICIPANT_KEEPER_STATE_H
#define PARTICIPANT_KEEPER_STATE_H

#include "keeper.pb-c.h"
#include "participant/attempts.h"
#include "participant/backup.h"
#include "participant/blocks.h"
#include "participant/delegate.h"
#include "participant/gate.h"
#include "participant/intake.h"
#include "participant/orders.h"
#include "participant/permit.h"
#include "participant/policy.h"
#include "participant/presigs.h"
#include "participant/rewrap.h"
#include "participant/shares.h"
#include "participant/store.h"
#include "participant/upkeep.h"
#include "participant/workers.h"

#include <pthread.h>
#include <stdatomic.h>

struct run;
struct unsaved_burn;

struct keeper_counts {
    atomic_uint_fast64_t dropped, burned, signatures, signatures_online, failures;
};

struct keeper {
    struct permit_rules rules;
    /* libsodium's 64 bytes, guarded */
    const uint8_t *identity;
    const char *role;
    size_t capacity;
    struct store *store;
    struct attempts *attempts;
    struct shares *shares;
    struct gates *gates;
    struct orders *orders;
    /* NULL: everything is approved */
    struct policy *policy;
    struct workers *workers;
    struct upkeep *upkeep;
    struct blocks *blocks;
    struct delegate *delegate;
    struct presigs *presigs;
    /* NULL: the wrapping key stays */
    struct rewrap *rewrap;
    /* NULL: no backups are made */
    struct backup *backup;
    /* frames to the front; any thread */
    void (*emit)(void *arg, const Mpc__Keeper__V1__FromKeeper *frame);
    void *emit_arg;
    struct keeper_counts counts;

    pthread_mutex_t burn_lock;
    /* burns that could not be stored: changed under both locks, read under one, and the second is
     * never held while the database is waited for; their number, for any thread */
    pthread_mutex_t unsaved_lock;
    struct unsaved_burn *unsaved;
    atomic_size_t unsaved_n;
    pthread_mutex_t lock;
    struct intake *intake;
    struct run *runs;
    /* without those that rest */
    size_t runs_n;
    uint64_t numbers;
    int64_t expired_ms, erased_ms, saved_ms;
};

/* Fields above the line are the caller's to fill before and to free after. */
void keeper_init(struct keeper *keeper);
/* Ends all runs without a word; workers were stopped before. */
void keeper_end(struct keeper *keeper);

/* One request; takes the frame over. */
void keeper_take(struct keeper *keeper, Mpc__Keeper__V1__ToKeeper *frame);
void keeper_policy_answer(struct keeper *keeper, uint64_t number, enum policy_answer answer);
/* End what is past its time. Returns how many milliseconds may pass until the next call. */
int keeper_tick(struct keeper *keeper, int64_t now_ms);
/* To the front. */
void keeper_tell_stats(struct keeper *keeper);

/* For runs. */
void keeper_emit(struct keeper *keeper, const Mpc__Keeper__V1__FromKeeper *frame);
/* The run made its key and stays only to help: it counts no longer. */
void keeper_rest(struct keeper *keeper, struct run *run);
/* The run is over: out of the table; drops the table's reference. */
void keeper_forget(struct keeper *keeper, struct run *run);

#endif
