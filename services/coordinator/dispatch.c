/* SPDX-License-Identifier: Apache-2.0 */
/* The queue and the attempts. */
#include "services/coordinator/dispatch.h"

#include "services/coordinator/presig_stock.h"
#include "services/coordinator/quorum.h"
#include "services/coordinator/record.h"
#include "services/coordinator/view.h"
#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/core/utf8.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* presigning begins while fewer than this part of the signatures that may run do */
enum { QUIET_PART = 4 };

size_t dispatch_waiting(const struct coordinator *c)
{
    return c->queue[CLASS_SIGN].n + c->queue[CLASS_KEYGEN].n;
}

static void count(struct coordinator *c)
{
    size_t running = 0, waiting = 0;

    for (int class = 0; class < CLASSES; class ++) {
        running += c->running[class];
        waiting += c->queue[class].n;
    }
    metric_set(c->running_now, (int64_t)running);
    metric_set(c->waiting_now, (int64_t)waiting);
}

/* Presigning is for idle times: no signature waits, and few run. */
static bool presign_is_time(const struct coordinator *c)
{
    return c->queue[CLASS_SIGN].n == 0 &&
           QUIET_PART * c->running[CLASS_SIGN] < c->running_max[CLASS_SIGN];
}

static bool has_place(const struct coordinator *c, const struct record *r)
{
    int class = coordinator_class(r->state.type);

    if (r->is_running)
        return true;
    return c->running[class] < c->running_max[class] &&
           (class != CLASS_PRESIGN || presign_is_time(c));
}

/* Nobody's request is refused because of what the system does for itself. */
static bool is_full(const struct coordinator *c, const struct record *r)
{
    if (r->state.type == SESSION_PRESIGN)
        return c->queue[CLASS_PRESIGN].n >= PRESIGN_WAITING_MAX;
    return dispatch_waiting(c) >= c->waiting_max;
}

static void take_place(struct coordinator *c, struct record *r)
{
    record_unqueue(c, r);
    if (!r->is_running)
        c->running[coordinator_class(r->state.type)]++;
    r->is_running = true;
    count(c);
}

static void leave_place(struct coordinator *c, struct record *r)
{
    if (r->is_running)
        c->running[coordinator_class(r->state.type)]--;
    r->is_running = false;
    count(c);
}

/* Take along what the parties have to know of each other: certificates, boot ids. */
static void take_member(struct record *r, uint8_t seat, const struct pool_party *party)
{
    Mpc__Session__V1__Member *member = r->request->members[seat];

    memcpy(r->boot_ids[seat], party->boot_id, sizeof r->boot_ids[seat]);
    if (strcmp(party->role, "persistent") != 0)
        r->is_held = true;
    if (member->certificate)
        return;
    member->certificate = mpc__session__v1__party_certificate__unpack(NULL, party->certificate_len,
                                                                      party->certificate);
}

static void give_parties(struct coordinator *c, struct record *r)
{
    for (uint8_t i = 0; i < r->state.seats_n; i++)
        if (r->state.seats[i] & SEAT_IN)
            pool_give(c->pool, record_party(r, i));
    r->has_parties = true;
}

static void take_parties(struct coordinator *c, struct record *r)
{
    for (uint8_t i = 0; r->has_parties && i < r->state.seats_n; i++)
        if (r->state.seats[i] & SEAT_IN)
            pool_take(c->pool, record_party(r, i));
    r->has_parties = false;
}

static void note_attempt(struct flow *flow)
{
    struct record *r = flow->r;
    struct store_attempt *attempt = &flow->change->attempt;
    const struct store_event *event = &flow->change->events[flow->change->events_n - 1];

    r->invited_seq = event->seq;
    r->invited_ms = event->at_ms;
    attempt->attempt = r->state.attempts_n - 1;
    attempt->seq = event->seq;
    attempt->deadline_ms = r->state.attempt_deadline_ms;
    attempt->members = view_members(r);
    flow->change->has_attempt = flow->has_begun = true;
}

static void log_quorum(const struct record *r)
{
    struct store_row row;
    char id[65];
    struct log_field fields[5] = {LOG_S("session", r->row.session_id),
                                  LOG_S("trace", r->row.trace_id),
                                  LOG_I("attempt", r->state.attempts_n - 1)};

    record_project(&row, r);
    hex_encode(id, r->presignature, sizeof r->presignature);
    fields[3] = LOG_S("parties", row.parties);
    fields[4] = LOG_S("presignature", id);
    log_fields(LOG_INFO, "attempt begun", fields, r->has_presignature ? 5 : 4);
    store_row_free(&row);
}

/* With |seats|, or with those whose presignature is ready. |is_said|: the event that speaks of it
 * is in the flow already. */
static void attempt_begin(struct flow *flow, uint8_t seats[QRT_PARTIES_MAX], bool is_said)
{
    struct coordinator *c = flow->c;
    struct record *r = flow->r;
    int64_t now = clock_unix_ms(), deadline;
    struct session_out out;

    presig_stock_take(c, r, seats);
    for (size_t i = 0; i < r->state.needed; i++)
        take_member(r, seats[i], pool_find(c->pool, record_party(r, seats[i])));
    deadline =
        r->is_held ? r->state.deadline_ms : now + c->attempt_ms[coordinator_class(r->state.type)];
    (void)session_attempt(&r->state, &out, seats, deadline, is_said);
    flow_say(flow, &out, r->reason);
    note_attempt(flow);
    r->resume_ms = 0;
    take_place(c, r);
    give_parties(c, r);
    metric_add(c->attempts, 1);
    log_quorum(r);
}

enum dispatch_result dispatch_new(struct flow *flow, char error[ERROR_TEXT_MAX])
{
    struct coordinator *c = flow->c;
    struct record *r = flow->r;
    uint8_t seats[QRT_PARTIES_MAX];
    bool has_quorum = quorum_choose(seats, c, r);

    if (!has_quorum && !quorum_may_come(c, r, clock_unix_ms())) {
        dispatch_explain(error, c, r);
        return DISPATCH_IMPOSSIBLE;
    }
    if (has_quorum && has_place(c, r)) { /* then whoever stands in the queue is blocked */
        attempt_begin(flow, seats, true);
        return DISPATCH_BEGUN;
    }
    if (is_full(c, r))
        return DISPATCH_FULL;
    record_queue(c, r, false);
    r->is_blocked = !has_quorum;
    count(c);
    return DISPATCH_WAITS;
}

void dispatch_restored(struct coordinator *c, struct record *r)
{
    if (r->state.is_open) {
        take_place(c, r);
        give_parties(c, r);
    } else {
        record_queue(c, r, false);
    }
    count(c);
}

void dispatch_explain(char out[ERROR_TEXT_MAX], const struct coordinator *c, const struct record *r)
{
    quorum_explain(out, ERROR_TEXT_MAX, c, r, clock_unix_ms());
}

static void note_reason(struct record *r, const char *code, const char *reason)
{
    size_t i = 0;

    for (; code[i] && i + 1 < sizeof r->reason_code; i++)
        r->reason_code[i] = (char)tolower((unsigned char)code[i]);
    r->reason_code[i] = '\0';
    snprintf(r->reason, sizeof r->reason, "%s", reason);
    utf8_mend(r->reason_code);
    utf8_mend(r->reason);
}

static void fail(struct flow *flow)
{
    struct record *r = flow->r;
    char text[ERROR_TEXT_MAX * 2 + 64], why[ERROR_TEXT_MAX];
    struct session_out out;

    if (r->state.attempts_n >= r->state.attempts_max) {
        snprintf(text, sizeof text, "%s; that was attempt %u of %u", r->reason, r->state.attempts_n,
                 r->state.attempts_max);
    } else {
        dispatch_explain(why, flow->c, r);
        snprintf(text, sizeof text, "%s; %s", r->reason, why);
    }
    flow_set_error(r, r->reason_code, text);
    (void)session_fail(&r->state, &out);
    flow_say(flow, &out, r->row.error);
}

/* Without a quorum, and in a pause, the place is given back: others may have theirs. */
static void wait_for_quorum(struct coordinator *c, struct record *r, const char *what)
{
    leave_place(c, r);
    record_queue(c, r, true);
    r->is_blocked = true;
    log_event(LOG_WARN, what, LOG_S("session", r->row.session_id), LOG_S("trace", r->row.trace_id),
              LOG_S("reason", r->reason));
    dispatch_pump(c, false);
}

/* With |seats|, at once or after a pause. */
static void go_on(struct flow *flow, uint8_t seats[QRT_PARTIES_MAX])
{
    struct record *r = flow->r;
    int64_t now = clock_unix_ms(), pause = session_pause_ms(&r->state, seats, now);

    if (pause == 0) {
        attempt_begin(flow, seats, false);
        return;
    }
    r->resume_ms = now + pause;
    wait_for_quorum(flow->c, r, "a session waits before it asks the same parties again");
}

void dispatch_attempt_over(struct flow *flow, const char *code, const char *reason)
{
    struct coordinator *c = flow->c;
    struct record *r = flow->r;
    uint8_t seats[QRT_PARTIES_MAX];

    take_parties(c, r);
    note_reason(r, code, reason);
    log_event(LOG_WARN, "an attempt failed", LOG_S("session", r->row.session_id),
              LOG_S("trace", r->row.trace_id), LOG_I("attempt", r->state.attempts_n - 1),
              LOG_S("code", code), LOG_S("reason", reason));
    if (!session_wants_attempt(&r->state)) {
        fail(flow);
    } else if (quorum_choose(seats, c, r)) {
        go_on(flow, seats);
    } else if (quorum_may_come(c, r, clock_unix_ms())) {
        wait_for_quorum(c, r, "a session waits for parties");
    } else {
        fail(flow);
    }
}

void dispatch_released(struct coordinator *c, struct record *r)
{
    take_parties(c, r);
    leave_place(c, r);
    record_unqueue(c, r);
    count(c);
    dispatch_pump(c, false);
}

/* A quorum that needs no pause may have come meanwhile. */
static bool is_pausing(const struct record *r, const uint8_t seats[QRT_PARTIES_MAX])
{
    int64_t now = clock_unix_ms();

    return now < r->resume_ms && session_pause_ms(&r->state, seats, now) > 0;
}

/* Begin a session that waited. False: no quorum, or not yet. */
static bool begin_queued(struct coordinator *c, struct record *r)
{
    uint8_t seats[QRT_PARTIES_MAX];
    struct flow *flow;

    if (r->is_new || !quorum_choose(seats, c, r) || is_pausing(r, seats)) {
        r->is_blocked = !r->is_new;
        return false;
    }
    flow = flow_new(c, r);
    attempt_begin(flow, seats, false);
    flow_commit(flow, true);
    return true;
}

void dispatch_pump(struct coordinator *c, bool blocked)
{
    for (int class = 0; class < CLASSES; class ++) {
        struct record *next;

        for (struct record *r = c->queue[class].first; r; r = next) {
            next = r->queue_next;
            if (!has_place(c, r))
                break;
            if (!r->is_blocked || blocked)
                (void)begin_queued(c, r);
        }
    }
    count(c);
}

void dispatch_resume(struct coordinator *c, int64_t now_ms)
{
    bool any = false;

    for (int class = 0; class < CLASSES; class ++) {
        for (struct record *r = c->queue[class].first; r; r = r->queue_next) {
            if (r->resume_ms == 0 || now_ms < r->resume_ms)
                continue;
            r->resume_ms = 0;
            r->is_blocked = false;
            any = true;
        }
    }
    if (any)
        dispatch_pump(c, false);
}

/* The party's part in one session is lost. */
static void lose(struct coordinator *c, struct record *r, const char *party_id)
{
    uint8_t seat = record_seat(r, party_id);
    struct session_out out;
    struct flow *flow;
    char reason[128];

    if (r->is_new || r->is_settling || !session_lost(&r->state, &out, seat))
        return;
    flow = flow_new(c, r);
    snprintf(reason, sizeof reason, "%s went away", party_id);
    dispatch_attempt_over(flow, "SILENT", reason);
    flow_commit(flow, false);
}

void dispatch_lost(void *arg, const char *party_id)
{
    struct coordinator *c = arg;
    struct record *next;

    for (struct record *r = c->open.first; r; r = next) {
        next = r->next;
        lose(c, r, party_id);
    }
}
