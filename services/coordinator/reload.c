/* SPDX-License-Identifier: Apache-2.0 */
/* The events are replayed; the row is not asked. What is only advice (who refused, which pairs do
 * not get along) comes from the reports. An attempt that was under way goes on: its parties do not
 * need the coordinator until they report.
 *
 * Events that nobody waited for may have been told and then lost with the process. Each start
 * therefore leaves a block of numbers out: a number that was told is never given twice. */
#include "services/coordinator/reload.h"

#include "services/coordinator/dispatch.h"
#include "services/coordinator/record.h"
#include "system/core/clock.h"
#include "system/core/log.h"

#include <string.h>

enum { SEQ_BLOCK = 1 << 20 };

static const struct store_attempt *attempt_of(const struct store_session *s, int64_t seq)
{
    for (size_t i = 0; i < s->attempts_n; i++)
        if (s->attempts[i].seq == seq)
            return &s->attempts[i];
    return NULL;
}

static size_t seats_of(uint8_t seats[QRT_PARTIES_MAX], struct record *r,
                       const struct store_attempt *attempt)
{
    Mpc__Session__V1__Setup *setup =
        mpc__session__v1__setup__unpack(NULL, attempt->members.len, attempt->members.b);
    size_t n = 0;

    for (size_t i = 0; setup && i < setup->n_members && n < QRT_PARTIES_MAX; i++) {
        const Mpc__Session__V1__Member *member = setup->members[i];
        uint8_t seat = record_seat(r, member->party_id);

        if (seat == SEAT_NONE)
            continue;
        seats[n++] = seat;
        if (member->boot_id.len == sizeof r->boot_ids[0])
            memcpy(r->boot_ids[seat], member->boot_id.data, sizeof r->boot_ids[0]);
    }
    r->has_presignature = setup && setup->presignature_id.len == sizeof r->presignature;
    if (r->has_presignature)
        memcpy(r->presignature, setup->presignature_id.data, sizeof r->presignature);
    if (setup)
        mpc__session__v1__setup__free_unpacked(setup, NULL);
    return n;
}

static void replay(struct record *r, const struct store_session *s, const struct store_event *event)
{
    const struct session_event e = {event->type, event->attempt, record_seat(r, event->party_id)};
    const struct store_attempt *attempt =
        event->type == EVENT_CREATED ? attempt_of(s, event->seq) : NULL;
    uint8_t seats[QRT_PARTIES_MAX];
    size_t n = attempt ? seats_of(seats, r, attempt) : 0;

    session_replay(&r->state, &e, seats, n);
    if (!attempt)
        return;
    r->state.attempt_deadline_ms = attempt->deadline_ms;
    r->invited_seq = event->seq;
    r->invited_ms = event->at_ms;
    memcpy(r->reason, event->detail, sizeof r->reason);
}

/* Also the result that the present attempt's parties agree on so far. */
static void recall_report(struct record *r, const struct store_report *report)
{
    uint8_t seat = record_seat(r, report->party_id);
    uint8_t culprit = record_seat_of_index(r, report->culprit);

    record_note_report(r, report);
    if (seat == SEAT_NONE)
        return;
    if (report->code[0])
        session_recall(&r->state,
                       &(struct session_failure){
                           .attempt = report->attempt,
                           .seat = seat,
                           .culprit = culprit,
                           .retry = report->retry,
                           .excuse = excuse_of(report->code, report->retry, report->culprit != 0)});
    else if (report->has_result && report->attempt + 1 == r->state.attempts_n) {
        r->state.has_result = true;
        memcpy(r->state.result, report->result, sizeof r->state.result);
    }
}

static bool decode(struct record *r)
{
    return qrt_intent_decode(&r->intent, r->request->intent.data, r->request->intent.len) == QRT_OK;
}

/* A record from what the log says. NULL: the stored request cannot be read. */
static struct record *reload_record(const struct store_session *s)
{
    Mpc__Coordinator__V1__CreateSessionRequest *request =
        mpc__coordinator__v1__create_session_request__unpack(NULL, s->request.len, s->request.b);
    struct record *r;

    if (!request)
        return NULL;
    r = record_new(request);
    store_row_copy(&r->row, &s->row);
    if (!decode(r)) {
        record_free(r);
        return NULL;
    }
    session_init(&r->state, s->row.type, request->n_members, s->row.total, r->intent.attempts,
                 s->row.deadline_ms);
    for (size_t i = 0; i < s->events_n; i++)
        replay(r, s, &s->events[i]);
    for (size_t i = 0; i < s->reports_n; i++)
        recall_report(r, &s->reports[i]);
    for (size_t i = 0; i < s->joins_n; i++)
        record_note_join(r, &s->joins[i]);
    r->started_us = clock_steady_us();
    return r;
}

void reload(struct coordinator *c, const struct store_load *load)
{
    c->seq = c->committed_seq = c->ends_floor = (load->seq / SEQ_BLOCK + 2) * SEQ_BLOCK;
    for (size_t i = 0; i < load->sessions_n; i++) {
        struct record *r = reload_record(&load->sessions[i]);

        if (!r) {
            log_event(LOG_ERROR, "a stored session cannot be read",
                      LOG_S("session", load->sessions[i].row.session_id));
            continue;
        }
        record_open(c, r);
        dispatch_restored(c, r);
        log_event(LOG_INFO, "a session goes on", LOG_S("session", r->row.session_id),
                  LOG_S("trace", r->row.trace_id),
                  LOG_S("status", session_status_name(r->state.status)));
    }
}
