/* SPDX-License-Identifier: Apache-2.0 */
/* What the coordinator's events told about sessions: who takes part in which attempt, how long a
 * message may be, until when, and whether it has ended. So messages of strangers and messages that
 * no round needs stop here.
 *
 * The book is a filter, not the truth: after a restart of the router it is empty, and parties may
 * know an attempt before its event came through here. What it does not know is judged by general
 * rules (mail.h). */
#ifndef ROUTER_BOOK_H
#define ROUTER_BOOK_H

#include "session.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BOOK_SESSIONS_MAX = 100000, BOOK_ATTEMPTS_MAX = 64 };

struct book;

/* One attempt, as its event said. */
struct roster {
    uint32_t attempt;
    size_t payload_max;
    size_t members_n;
    char **members;
};

struct session {
    char id[37];
    char trace[33];
    /* forgotten then; unix ms */
    int64_t deadline_ms;
    bool has_ended;
    /* what was put for it is freed then; unix ms */
    int64_t free_ms;
    size_t rosters_n;
    struct roster *rosters;
    /* the book's own */
    struct session *next_over;
};

struct book *book_new(void);
void book_free(struct book *book);

/* Take what |event| says; it is kept until |deadline_ms| at least. If it is the end, what was put
 * for the session is needed until |free_ms|. NULL: BOOK_SESSIONS_MAX are open. */
struct session *book_take(struct book *book, const Mpc__Session__V1__SessionEvent *event,
                          int64_t deadline_ms, int64_t free_ms);
struct session *book_session(const struct book *book, const char *session_id);
/* NULL: not known. */
const struct roster *session_roster(const struct session *session, uint32_t attempt);
bool roster_has(const struct roster *roster, const char *party_id);
/* The longest message of a session that is not in the book. */
size_t book_payload_max(const struct book *book);

/* Call |ended| once for sessions whose |free_ms| has come, and forget what is past its deadline. */
void book_tick(struct book *book, int64_t now_ms,
               void (*ended)(const struct session *session, void *arg), void *arg);
size_t book_sessions(const struct book *book);

bool is_final_event(const char *event_type);

#endif
