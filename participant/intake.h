/* SPDX-License-Identifier: Apache-2.0 */
/* What is intended, and what therefore starts, ends or is ignored. No I/O, no clock, no lock.
 *
 * Invariants, whatever the order, repetition or delay of opens, messages and closes:
 *   - one (session, attempt) starts at most once in this process's life, and does start if it is
 *     opened before the session is closed or a higher attempt opened;
 *   - at most one attempt of a session runs: a higher one ends the lower;
 *   - one (intent, attempt) runs in one session only, and attempts of an intent ascend;
 *   - messages that come before their attempt is opened are kept, in their order, within bounds.
 * A session that was opened is remembered until no open of it could be accepted any more. When the
 * table is full new sessions are refused, old ones are not forgotten: forgetting would allow a
 * second start. Sessions that were never opened, which anybody may name, have a small place of
 * their own: the oldest goes when another comes, and no open is ever refused because of them.
 */
#ifndef PARTICIPANT_INTAKE_H
#define PARTICIPANT_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct intake;

/* Of a party's name, with its end. */
enum { INTAKE_FROM_MAX = 65 };

struct intake_limits {
    /* opened sessions, and intents, remembered */
    size_t sessions;
    /* sessions that others named and nobody opened */
    size_t strangers;
    /* kept for a session that has not opened the attempt yet */
    size_t session_messages, session_bytes;
    /* kept for all such sessions; bytes are those of memory, not of messages alone */
    size_t total_bytes;
    /* how long something is kept for a session that was never opened */
    int64_t unknown_ms;
};

/* A message on its way to a run. One heap block, made by intake_message_new, ended by free. */
struct intake_message {
    struct intake_message *next;
    uint32_t attempt;
    /* the party that handed it to the router, as the front says; a longer name than any is cut */
    char from[INTAKE_FROM_MAX];
    size_t len;
    uint8_t b[];
};

struct intake_message *intake_message_new(uint32_t attempt, const char *from, const uint8_t *b,
                                          size_t len);
void intake_messages_free(struct intake_message *list);
/* What it takes of memory. */
size_t intake_message_cost(const struct intake_message *message);

struct intake *intake_new(const struct intake_limits *limits);
void intake_free(struct intake *intake);

enum intake_answer {
    /* start a run */
    INTAKE_START,
    /* opened before: nothing to do */
    INTAKE_REPEAT,
    /* a higher attempt is open, or the session is closed: nothing to do */
    INTAKE_LATE,
    /* this intent has been tried with this attempt, or a higher one, elsewhere */
    INTAKE_USED,
    /* the table is full */
    INTAKE_FULL
};

struct intake_open {
    /* 36 characters */
    const char *session_id;
    uint32_t attempt;
    /* 32 */
    const uint8_t *intent_hash;
    /* no open of this intent is accepted after this */
    int64_t until_ms;
};

/* For INTAKE_START. */
struct intake_start {
    /* the attempt of this session that has to end first */
    bool ends_lower;
    uint32_t lower;
    /* what came before, oldest first; the caller's */
    struct intake_message *kept;
};

/* False: intake_open would answer REPEAT or LATE. */
bool intake_is_new(const struct intake *intake, const char *session_id, uint32_t attempt);
enum intake_answer intake_open(struct intake *intake, struct intake_start *start,
                               const struct intake_open *open);

enum intake_delivery {
    /* the caller gives it to the run */
    INTAKE_TO_RUN,
    /* intake owns it now */
    INTAKE_KEPT,
    /* for nobody, or above a bound: the caller's to free */
    INTAKE_DROPPED
};
enum intake_delivery intake_deliver(struct intake *intake, const char *session_id,
                                    struct intake_message *message, int64_t now_ms);

/* The run of this attempt is over: what still comes for it is dropped. */
void intake_ended(struct intake *intake, const char *session_id, uint32_t attempt);
/* The session is over. True if an attempt runs, which the caller ends: |*attempt|. */
bool intake_close(struct intake *intake, const char *session_id, int64_t now_ms, uint32_t *attempt);
/* The session's end was heard and is not forgotten yet. */
bool intake_is_closed(const struct intake *intake, const char *session_id);
/* Forget what is past its time. */
void intake_expire(struct intake *intake, int64_t now_ms);

size_t intake_sessions(const struct intake *intake);
size_t intake_kept_bytes(const struct intake *intake);

#endif
