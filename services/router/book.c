/* SPDX-License-Identifier: Apache-2.0 */
#include "services/router/book.h"

#include "services/router/size_cap.h"
#include "system/core/buffer.h"
#include "system/core/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORGET_MS = 10000 };

struct book {
    struct map *sessions;
    /* of the biggest roster so far */
    size_t payload_max;
    /* nothing is to be done for any session before; unix ms */
    int64_t due_ms;
};

struct book *book_new(void)
{
    struct book *book = mem_new(1, sizeof *book);

    book->sessions = map_new();
    book->payload_max = size_cap_general();
    book->due_ms = INT64_MAX;
    return book;
}

static void free_roster(struct roster *roster)
{
    for (size_t i = 0; i < roster->members_n; i++)
        free(roster->members[i]);
    free(roster->members);
}

static bool free_session(void *value, void *arg)
{
    struct session *session = value;

    (void)arg;
    for (size_t i = 0; i < session->rosters_n; i++)
        free_roster(&session->rosters[i]);
    free(session->rosters);
    free(session);
    return true;
}

void book_free(struct book *book)
{
    if (!book)
        return;
    map_each(book->sessions, free_session, NULL);
    map_free(book->sessions);
    free(book);
}

bool is_final_event(const char *event_type)
{
    static const char *const finals[] = {"session_completed", "session_failed", "session_expired",
                                         "session_cancelled"};

    for (size_t i = 0; i < sizeof finals / sizeof finals[0]; i++)
        if (strcmp(event_type, finals[i]) == 0)
            return true;
    return false;
}

static void fill_roster(struct roster *roster, const Mpc__Session__V1__Setup *setup)
{
    roster->attempt = setup->attempt;
    roster->payload_max = size_cap(setup->session_type, setup->n_members, setup->threshold_t);
    roster->members_n = setup->n_members;
    roster->members = mem_new(setup->n_members + 1, sizeof *roster->members);
    for (size_t i = 0; i < setup->n_members; i++)
        roster->members[i] = text_copy(setup->members[i]->party_id);
}

/* Room for one more: the oldest goes if there are too many. Attempts are few, so each makes the
 * array anew. */
static struct roster *add_roster(struct session *session)
{
    struct roster *rosters = mem_new(session->rosters_n + 1, sizeof *rosters);
    size_t dropped = session->rosters_n == BOOK_ATTEMPTS_MAX;

    if (dropped)
        free_roster(&session->rosters[0]);
    session->rosters_n -= dropped;
    if (session->rosters_n)
        memcpy(rosters, session->rosters + dropped, session->rosters_n * sizeof *rosters);
    free(session->rosters);
    session->rosters = rosters;
    return &rosters[session->rosters_n++];
}

static void take_setup(struct book *book, struct session *session,
                       const Mpc__Session__V1__Setup *setup)
{
    struct roster *roster;

    if (!setup || session_roster(session, setup->attempt))
        return;
    roster = add_roster(session);
    fill_roster(roster, setup);
    if (roster->payload_max > book->payload_max)
        book->payload_max = roster->payload_max;
}

static struct session *add_session(struct book *book, const char *session_id)
{
    struct session *session;

    if (map_n(book->sessions) >= BOOK_SESSIONS_MAX)
        return NULL;
    session = mem_new(1, sizeof *session);
    snprintf(session->id, sizeof session->id, "%s", session_id);
    map_put(book->sessions, session->id, session);
    return session;
}

/* When the session's time comes next. Those that only wait to be forgotten are so together. */
static int64_t due_of(const struct session *session)
{
    if (session->free_ms && session->free_ms < session->deadline_ms)
        return session->free_ms;
    if (!session->has_ended)
        return session->deadline_ms;
    return (session->deadline_ms + FORGET_MS - 1) / FORGET_MS * FORGET_MS;
}

static void note_due(struct book *book, const struct session *session)
{
    if (due_of(session) < book->due_ms)
        book->due_ms = due_of(session);
}

struct session *book_take(struct book *book, const Mpc__Session__V1__SessionEvent *event,
                          int64_t deadline_ms, int64_t free_ms)
{
    struct session *session = book_session(book, event->session_id);

    if (!session)
        session = add_session(book, event->session_id);
    if (!session)
        return NULL;
    if (event->trace_id[0])
        snprintf(session->trace, sizeof session->trace, "%s", event->trace_id);
    if (deadline_ms > session->deadline_ms)
        session->deadline_ms = deadline_ms;
    take_setup(book, session, event->setup);
    if (is_final_event(event->event_type) && !session->has_ended) {
        session->has_ended = true;
        session->free_ms = free_ms;
    }
    note_due(book, session);
    return session;
}

struct session *book_session(const struct book *book, const char *session_id)
{
    return map_get(book->sessions, session_id);
}

const struct roster *session_roster(const struct session *session, uint32_t attempt)
{
    for (size_t i = session->rosters_n; i-- > 0;)
        if (session->rosters[i].attempt == attempt)
            return &session->rosters[i];
    return NULL;
}

bool roster_has(const struct roster *roster, const char *party_id)
{
    for (size_t i = 0; i < roster->members_n; i++)
        if (strcmp(roster->members[i], party_id) == 0)
            return true;
    return false;
}

size_t book_payload_max(const struct book *book)
{
    return book->payload_max;
}

struct tick {
    struct book *book;
    int64_t now_ms;
    void (*ended)(const struct session *session, void *arg);
    void *arg;
    struct session *over;
};

static bool tick_session(void *value, void *arg)
{
    struct session *session = value;
    struct tick *tick = arg;
    bool is_over = session->deadline_ms <= tick->now_ms;

    if (session->free_ms && (is_over || session->free_ms <= tick->now_ms)) {
        session->free_ms = 0;
        tick->ended(session, tick->arg);
    }
    if (is_over) {
        session->next_over = tick->over;
        tick->over = session;
    } else {
        note_due(tick->book, session);
    }
    return true;
}

void book_tick(struct book *book, int64_t now_ms,
               void (*ended)(const struct session *session, void *arg), void *arg)
{
    struct tick tick = {book, now_ms, ended, arg, NULL};

    if (now_ms < book->due_ms)
        return;
    book->due_ms = INT64_MAX;
    map_each(book->sessions, tick_session, &tick);
    while (tick.over) {
        struct session *session = tick.over;

        tick.over = session->next_over;
        map_remove(book->sessions, session->id);
        free_session(session, NULL);
    }
    if (map_n(book->sessions) == 0)
        mem_give_back();
}

size_t book_sessions(const struct book *book)
{
    return map_n(book->sessions);
}
