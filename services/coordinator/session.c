/* SPDX-License-Identifier: Apache-2.0 */
/* The only writer of struct session. Every input asks first whether it still matters; |enter| is
 * the one place where a status changes, |say| the one where an event comes out. */
#include "services/coordinator/session.h"

#include <string.h>

_Static_assert(QRT_PARTIES_MAX <= 64 && QRT_PARTIES_MAX < SEAT_NONE, "seats fit their types");

static const char *const type_names[SESSION_TYPES] = {"keygen", "sign", "presign",
                                                      "co_managed_keygen", "co_managed_sign"};
static const char *const status_names[SESSION_STATUSES] = {
    "waiting", "ready", "running", "completed", "failed", "expired", "cancelled"};
static const char *const event_names[EVENT_TYPES] = {
    "session_created",   "party_joined",   "session_ready",   "session_started",  "party_completed",
    "session_completed", "session_failed", "session_expired", "session_cancelled"};

static size_t find(const char *const *names, size_t n, const char *name)
{
    size_t i = 0;

    while (i < n && strcmp(names[i], name) != 0)
        i++;
    return i;
}

const char *session_type_name(enum session_type type)
{
    return type_names[type];
}

enum session_type session_type_of(const char *name)
{
    return (enum session_type)find(type_names, SESSION_TYPES, name);
}

bool session_type_is_keygen(enum session_type type)
{
    return type == SESSION_KEYGEN || type == SESSION_CO_MANAGED_KEYGEN;
}

bool session_type_is_sign(enum session_type type)
{
    return type == SESSION_SIGN || type == SESSION_CO_MANAGED_SIGN;
}

const char *session_status_name(enum session_status status)
{
    return status_names[status];
}

enum session_status session_status_of(const char *name)
{
    return (enum session_status)find(status_names, SESSION_STATUSES, name);
}

bool session_status_is_final(enum session_status status)
{
    return status >= SESSION_COMPLETED;
}

const char *session_event_name(enum session_event_type type)
{
    return event_names[type];
}

enum session_event_type session_event_of(const char *name)
{
    return (enum session_event_type)find(event_names, EVENT_TYPES, name);
}

bool session_is_final(const struct session *s)
{
    return session_status_is_final(s->status);
}

static uint32_t present(const struct session *s)
{
    return s->attempts_n ? s->attempts_n - 1 : 0;
}

static void say(struct session_out *out, enum session_event_type type, uint32_t attempt,
                uint8_t seat)
{
    out->events[out->events_n++] = (struct session_event){type, attempt, seat};
}

/* The one place where a session changes its status. */
static void enter(struct session *s, enum session_status status)
{
    s->status = status;
    if (session_status_is_final(status))
        s->is_open = false;
}

static bool end(struct session *s, struct session_out *out, enum session_status status,
                enum session_event_type event)
{
    enter(s, status);
    say(out, event, present(s), SEAT_NONE);
    out->ended = true;
    return true;
}

static bool is_in(const struct session *s, uint8_t seat)
{
    return seat < s->seats_n && (s->seats[seat] & SEAT_IN);
}

void session_init(struct session *s, enum session_type type, size_t seats_n, size_t needed,
                  uint32_t attempts_max, int64_t deadline_ms)
{
    *s = (struct session){.type = type,
                          .status = SESSION_WAITING,
                          .seats_n = (uint8_t)seats_n,
                          .needed = (uint8_t)needed,
                          .attempts_max = attempts_max,
                          .deadline_ms = deadline_ms};
}

bool session_create(struct session *s, struct session_out *out)
{
    *out = (struct session_out){0};
    say(out, EVENT_CREATED, present(s), SEAT_NONE);
    return true;
}

bool session_wants_attempt(const struct session *s)
{
    return !session_is_final(s) && !s->is_open && s->attempts_n < s->attempts_max;
}

static bool has_unwilling(const struct session *s, const uint8_t *seats, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s->seats[seats[i]] & SEAT_UNWILLING)
            return true;
    return false;
}

static void begin_attempt(struct session *s, const uint8_t *seats, size_t n)
{
    s->again_n += has_unwilling(s, seats, n);
    for (size_t i = 0; i < s->seats_n; i++)
        s->seats[i] &= (uint16_t) ~(SEAT_IN | SEAT_JOINED | SEAT_MARKED | SEAT_DONE);
    for (size_t i = 0; i < n; i++)
        s->seats[seats[i]] |= SEAT_IN | SEAT_EVER;
    s->attempts_n++;
    s->is_open = true;
    s->has_result = false;
    s->joined_n = s->completed_n = 0;
    enter(s, SESSION_WAITING);
}

bool session_attempt(struct session *s, struct session_out *out, const uint8_t *seats,
                     int64_t deadline_ms, bool is_said)
{
    *out = (struct session_out){0};
    if (!session_wants_attempt(s))
        return false;
    begin_attempt(s, seats, s->needed);
    s->attempt_deadline_ms = deadline_ms < s->deadline_ms ? deadline_ms : s->deadline_ms;
    if (!is_said)
        say(out, EVENT_CREATED, present(s), SEAT_NONE);
    return true;
}

bool session_join(struct session *s, struct session_out *out, uint8_t seat)
{
    *out = (struct session_out){0};
    if (!s->is_open || !is_in(s, seat) || (s->seats[seat] & SEAT_JOINED))
        return false;
    s->seats[seat] |= SEAT_JOINED;
    s->joined_n++;
    say(out, EVENT_JOINED, present(s), seat);
    if (s->joined_n == s->needed) {
        enter(s, SESSION_READY);
        say(out, EVENT_READY, present(s), SEAT_NONE);
        enter(s, SESSION_RUNNING);
        say(out, EVENT_STARTED, present(s), SEAT_NONE);
    }
    return true;
}

bool session_mark(struct session *s, uint8_t seat, uint32_t attempt)
{
    if (!s->is_open || !is_in(s, seat) || attempt != present(s) || (s->seats[seat] & SEAT_MARKED))
        return false;
    s->seats[seat] |= SEAT_MARKED;
    return true;
}

/* Count the party among those that have completed, once per attempt. */
static bool complete_seat(struct session *s, struct session_out *out, uint8_t seat,
                          uint32_t attempt)
{
    if (attempt == present(s)) {
        if (!is_in(s, seat) || (s->seats[seat] & SEAT_DONE))
            return false;
        s->seats[seat] |= SEAT_DONE;
        s->completed_n++;
    }
    if (seat < s->seats_n)
        s->seats[seat] &= (uint16_t)~SEAT_UNWILLING;
    say(out, EVENT_PARTY_COMPLETED, attempt, seat);
    return true;
}

bool session_signed(struct session *s, struct session_out *out, uint8_t seat, uint32_t attempt)
{
    *out = (struct session_out){0};
    if (seat >= s->seats_n || !(s->seats[seat] & SEAT_EVER) || attempt >= s->attempts_n)
        return false;
    if (session_is_final(s) && attempt != present(s))
        return false;
    if (!complete_seat(s, out, seat, attempt))
        return false;
    if (!session_is_final(s))
        end(s, out, SESSION_COMPLETED, EVENT_COMPLETED);
    return true;
}

static bool stop_attempt(struct session *s, struct session_out *out)
{
    s->is_open = false;
    out->attempt_over = true;
    return true;
}

bool session_made(struct session *s, struct session_out *out, uint8_t seat, uint32_t attempt,
                  const uint8_t result[32])
{
    *out = (struct session_out){0};
    if (!s->is_open || attempt != present(s) || !is_in(s, seat) || (s->seats[seat] & SEAT_DONE))
        return false;
    if (s->has_result && memcmp(s->result, result, sizeof s->result) != 0)
        return stop_attempt(s, out);
    s->has_result = true;
    memcpy(s->result, result, sizeof s->result);
    (void)complete_seat(s, out, seat, attempt);
    if (s->completed_n == s->needed)
        end(s, out, SESSION_COMPLETED, EVENT_COMPLETED);
    return true;
}

/* In the way of an attempt: |bit| says how. */
static void mark(struct session *s, uint8_t seat, uint16_t bit, uint32_t attempt)
{
    s->seats[seat] |= bit;
    if (s->trouble[seat] <= attempt)
        s->trouble[seat] = attempt + 1;
}

/* A party may err once about what it has: a second time is a refusal. */
static void take_excuse(struct session *s, const struct session_failure *failure)
{
    uint16_t *seat = &s->seats[failure->seat];

    if (!failure->retry || (failure->excuse == EXCUSE_SHARE && (*seat & SEAT_UNWILLING)))
        *seat |= SEAT_REFUSED;
    if (failure->retry && failure->excuse != EXCUSE_NONE)
        mark(s, failure->seat, SEAT_UNWILLING, failure->attempt);
}

static void take_advice(struct session *s, const struct session_failure *failure)
{
    uint8_t seat = failure->seat, culprit = failure->culprit;

    take_excuse(s, failure);
    if (culprit < s->seats_n && culprit != seat) {
        s->bad_pairs[seat] |= UINT64_C(1) << culprit;
        s->bad_pairs[culprit] |= UINT64_C(1) << seat;
    }
}

void session_recall(struct session *s, const struct session_failure *failure)
{
    take_advice(s, failure);
    if (failure->attempt == present(s) && is_in(s, failure->seat) &&
        s->attempts_n < s->attempts_max)
        s->is_open = false;
}

bool session_failed(struct session *s, struct session_out *out,
                    const struct session_failure *failure)
{
    *out = (struct session_out){0};
    if (session_is_final(s) || failure->seat >= s->seats_n ||
        !(s->seats[failure->seat] & SEAT_EVER) || failure->attempt >= s->attempts_n)
        return false;
    /* advice counts also if it comes late; who speaks is there */
    s->seats[failure->seat] &= (uint16_t)~SEAT_DOUBTED;
    for (uint8_t i = 0; i < s->seats_n; i++)
        if (i != failure->seat && (failure->waited >> i & 1))
            mark(s, i, SEAT_SUSPECT, failure->attempt);
    take_advice(s, failure);
    if (!s->is_open || failure->attempt != present(s) || !is_in(s, failure->seat))
        return false;
    return stop_attempt(s, out);
}

bool session_lost(struct session *s, struct session_out *out, uint8_t seat)
{
    *out = (struct session_out){0};
    if (!s->is_open || !is_in(s, seat) || (s->seats[seat] & SEAT_DONE))
        return false;
    mark(s, seat, SEAT_SUSPECT, present(s));
    return stop_attempt(s, out);
}

static bool all_joined(const struct session *s)
{
    return s->joined_n == s->needed;
}

/* Nobody has reported. Who has not even joined was silent; if all have, whoever has not completed
 * may have been. */
static void suspect(struct session *s)
{
    for (uint8_t i = 0; i < s->seats_n; i++) {
        if (!is_in(s, i) || (s->seats[i] & SEAT_DONE))
            continue;
        if (!(s->seats[i] & SEAT_JOINED))
            mark(s, i, SEAT_SUSPECT, present(s));
        else if (all_joined(s))
            s->seats[i] |= SEAT_DOUBTED;
    }
}

static int64_t attempt_ends_ms(const struct session *s)
{
    return s->attempt_deadline_ms + (all_joined(s) ? SESSION_REPORT_MS : 0);
}

bool session_timer(struct session *s, struct session_out *out, int64_t now_ms)
{
    *out = (struct session_out){0};
    if (session_is_final(s))
        return false;
    if (now_ms >= s->deadline_ms)
        return end(s, out, SESSION_EXPIRED, EVENT_EXPIRED);
    if (!s->is_open || now_ms < attempt_ends_ms(s))
        return false;
    suspect(s);
    return stop_attempt(s, out);
}

bool session_fail(struct session *s, struct session_out *out)
{
    *out = (struct session_out){0};
    return !session_is_final(s) && end(s, out, SESSION_FAILED, EVENT_FAILED);
}

bool session_cancel(struct session *s, struct session_out *out)
{
    *out = (struct session_out){0};
    return !session_is_final(s) && end(s, out, SESSION_CANCELLED, EVENT_CANCELLED);
}

uint32_t session_trouble(const struct session *s, uint8_t seat)
{
    return s->seats[seat] & (SEAT_SUSPECT | SEAT_UNWILLING) ? s->trouble[seat] : 0;
}

int64_t session_pause_ms(const struct session *s, const uint8_t *seats, int64_t now_ms)
{
    int64_t left_ms = s->deadline_ms - now_ms, share_ms, pause_ms;

    if (left_ms <= 0 || s->attempts_n >= s->attempts_max || !has_unwilling(s, seats, s->needed))
        return 0;
    share_ms = left_ms / ((int64_t)s->attempts_max - s->attempts_n + 1);
    pause_ms = (int64_t)SESSION_PAUSE_MS << (s->again_n < 20 ? s->again_n : 20);
    return pause_ms < share_ms ? pause_ms : share_ms;
}

int64_t session_next_ms(const struct session *s)
{
    return s->is_open && attempt_ends_ms(s) < s->deadline_ms ? attempt_ends_ms(s) : s->deadline_ms;
}

static void replay_joined(struct session *s, uint8_t seat)
{
    if (seat < s->seats_n && !(s->seats[seat] & SEAT_JOINED)) {
        s->seats[seat] |= SEAT_JOINED;
        s->joined_n++;
    }
}

static void replay_completed(struct session *s, const struct session_event *event)
{
    struct session_out out = {0};

    (void)complete_seat(s, &out, event->seat, event->attempt);
}

void session_replay(struct session *s, const struct session_event *event, const uint8_t *in,
                    size_t in_n)
{
    switch (event->type) {
    case EVENT_CREATED:
        if (in_n > 0) {
            begin_attempt(s, in, in_n);
            s->attempts_n = event->attempt + 1;
        }
        break;
    case EVENT_JOINED:
        replay_joined(s, event->seat);
        break;
    case EVENT_READY:
        enter(s, SESSION_READY);
        break;
    case EVENT_STARTED:
        enter(s, SESSION_RUNNING);
        break;
    case EVENT_PARTY_COMPLETED:
        replay_completed(s, event);
        break;
    case EVENT_COMPLETED:
        enter(s, SESSION_COMPLETED);
        break;
    case EVENT_FAILED:
        enter(s, SESSION_FAILED);
        break;
    case EVENT_EXPIRED:
        enter(s, SESSION_EXPIRED);
        break;
    case EVENT_CANCELLED:
        enter(s, SESSION_CANCELLED);
        break;
    case EVENT_TYPES:
        break;
    }
}
