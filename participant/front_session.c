/* SPDX-License-Identifier: Apache-2.0 */
/* Every function states a fact and asks |settle| what follows. A call has four states: none, due
 * (wanted, waits for a token or after a loss), away, done. Only |settle| and
 * front_session_next_report turn due into away, so nothing is under way twice. */
#include "participant/front_session.h"

#include <stddef.h>

static struct front_report *find_report(struct front_session *session, uint32_t attempt)
{
    for (uint32_t i = 0; i < session->reports_n; i++)
        if (session->reports[i].attempt == attempt)
            return &session->reports[i];
    return NULL;
}

static bool has_report_due(const struct front_session *session)
{
    for (uint32_t i = 0; i < session->reports_n; i++)
        if (session->reports[i].call == FRONT_CALL_DUE)
            return true;
    return false;
}

static bool may_report(const struct front_session *session)
{
    return !session->has_ended && session->has_token &&
           (session->share == FRONT_CALL_NONE || session->share == FRONT_CALL_DONE);
}

/* What may leave now. JoinSession is not among it: a lost one waits for its retry. */
static unsigned settle(struct front_session *session)
{
    if (session->has_ended || !session->has_token)
        return 0;
    if (session->share == FRONT_CALL_DUE) {
        session->share = FRONT_CALL_AWAY;
        return FRONT_SUBMIT;
    }
    return may_report(session) && has_report_due(session) ? FRONT_REPORT : 0;
}

static unsigned join_now(struct front_session *session)
{
    if (session->has_ended || session->join == FRONT_CALL_AWAY || session->join == FRONT_CALL_DONE)
        return 0;
    session->join = FRONT_CALL_AWAY;
    session->join_attempt = session->attempt;
    session->join_is_blind = !session->is_known;
    return FRONT_JOIN;
}

static unsigned open_now(struct front_session *session)
{
    if (session->has_ended || session->is_open || !session->is_known)
        return 0;
    if (session->is_held && !session->is_released)
        return 0;
    session->is_open = true;
    return FRONT_OPEN;
}

/* A blind join of an attempt that the invitation now names goes on as that attempt's. Another
 * attempt's that is away goes on too: its reply is a token as well, and the new one waits. */
static void adopt_join(struct front_session *session)
{
    if (session->join_is_blind) {
        session->join_is_blind = false;
        session->join_attempt = session->attempt;
        return;
    }
    if (session->join != FRONT_CALL_AWAY)
        session->join = FRONT_CALL_NONE;
}

unsigned front_session_invited(struct front_session *session, uint32_t attempt, bool held)
{
    bool joins;

    if (session->has_ended || (session->is_known && attempt <= session->attempt))
        return 0;
    session->is_known = true;
    session->attempt = attempt;
    session->is_open = false;
    session->is_held = held;
    adopt_join(session);
    joins = !held || session->is_asked;
    return open_now(session) | (joins ? join_now(session) : 0);
}

unsigned front_session_ask(struct front_session *session)
{
    session->is_asked = true;
    if (session->join == FRONT_CALL_DONE && !session->has_token)
        session->join = FRONT_CALL_NONE;
    return join_now(session);
}

unsigned front_session_release(struct front_session *session)
{
    session->is_released = true;
    return open_now(session);
}

/* The answer is of |join_attempt|; a higher attempt that came meanwhile is joined next. */
unsigned front_session_joined(struct front_session *session, enum front_answer answer)
{
    bool is_current = session->join_is_blind || session->join_attempt == session->attempt;

    if (session->join != FRONT_CALL_AWAY)
        return 0;
    if (answer == FRONT_ANSWER_OK)
        session->has_token = true;
    if (!is_current) {
        session->join = FRONT_CALL_NONE;
        return settle(session) | join_now(session);
    }
    session->join = answer == FRONT_ANSWER_LOST ? FRONT_CALL_DUE : FRONT_CALL_DONE;
    session->join_is_blind = session->join_is_blind && answer == FRONT_ANSWER_LOST;
    return settle(session);
}

/* A place for one more report, NULL if as many as fit are unacknowledged. */
static struct front_report *free_report(struct front_session *session)
{
    if (session->reports_n < FRONT_ATTEMPTS_MAX)
        return &session->reports[session->reports_n++];
    for (uint32_t i = 0; i < session->reports_n; i++)
        if (session->reports[i].call == FRONT_CALL_DONE)
            return &session->reports[i];
    return NULL;
}

unsigned front_session_outcome(struct front_session *session, uint32_t attempt)
{
    struct front_report *report;

    if (session->has_ended || find_report(session, attempt))
        return 0;
    report = free_report(session);
    if (!report)
        return 0;
    report->attempt = attempt;
    report->call = FRONT_CALL_DUE;
    return settle(session);
}

unsigned front_session_share(struct front_session *session)
{
    if (session->has_ended)
        return 0;
    if (session->share == FRONT_CALL_AWAY) {
        session->share_again = true;
        return 0;
    }
    session->share = FRONT_CALL_DUE;
    return settle(session);
}

bool front_session_next_report(struct front_session *session, uint32_t *attempt)
{
    if (!may_report(session))
        return false;
    for (uint32_t i = 0; i < session->reports_n; i++) {
        struct front_report *report = &session->reports[i];

        if (report->call != FRONT_CALL_DUE)
            continue;
        report->call = FRONT_CALL_AWAY;
        *attempt = report->attempt;
        return true;
    }
    return false;
}

unsigned front_session_reported(struct front_session *session, uint32_t attempt,
                                enum front_answer answer)
{
    struct front_report *report = find_report(session, attempt);

    if (report && report->call == FRONT_CALL_AWAY)
        report->call = answer == FRONT_ANSWER_LOST ? FRONT_CALL_DUE : FRONT_CALL_DONE;
    return 0;
}

unsigned front_session_submitted(struct front_session *session, enum front_answer answer)
{
    if (session->share != FRONT_CALL_AWAY)
        return 0;
    session->share = FRONT_CALL_DONE;
    if (session->share_again) {
        session->share_again = false;
        session->share = FRONT_CALL_DUE;
        return settle(session);
    }
    if (answer == FRONT_ANSWER_LOST) {
        session->share = FRONT_CALL_DUE;
        return 0;
    }
    return settle(session);
}

unsigned front_session_end(struct front_session *session)
{
    if (session->has_ended)
        return 0;
    session->has_ended = true;
    return FRONT_CLOSE;
}

unsigned front_session_retry(struct front_session *session)
{
    unsigned actions = session->join == FRONT_CALL_DUE ? join_now(session) : 0;

    return actions | settle(session);
}

bool front_session_has_due(const struct front_session *session)
{
    if (session->has_ended)
        return false;
    return session->join == FRONT_CALL_DUE ||
           (session->has_token && (session->share == FRONT_CALL_DUE || has_report_due(session)));
}

bool front_session_is_running(const struct front_session *session)
{
    if (session->has_ended || !session->is_open)
        return false;
    for (uint32_t i = 0; i < session->reports_n; i++)
        if (session->reports[i].attempt == session->attempt)
            return false;
    return true;
}
