/* SPDX-License-Identifier: Apache-2.0 */
/* What a party has to do for one session, decided without network, clock or heap: facts go in, in
 * whatever order and however often they come, and what is to be done comes out as bits.
 *
 * It keeps these promises, whatever happens (tests/participant/test_front_session.c tries all
 * interleavings of a small session):
 *   - an attempt is opened at most once, attempts are opened in ascending order, and an attempt
 *     that was invited is opened unless a higher one or the end came first;
 *   - one JoinSession at a time, repeated only while its fate is unknown, never after an answer;
 *   - a report (and a delegate's share) leaves only with a session token, is repeated only while
 *     its fate is unknown, and never after it was acknowledged;
 *   - a share of this session is acknowledged before an outcome is reported, so that a key that
 *     counts as made has its share in safety;
 *   - after the end nothing leaves any more.
 *
 * The caller holds setups, tokens, outcomes and time. Whatever asks for a call (JOIN, REPORT,
 * SUBMIT) is counted as under way until the caller tells how it ended. */
#ifndef PARTICIPANT_FRONT_SESSION_H
#define PARTICIPANT_FRONT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

/* Attempts of one session, as intent.h bounds them for everything but presigning; there an
 * acknowledged report makes room for a new one. */
enum { FRONT_ATTEMPTS_MAX = 16 };

enum front_action {
    /* send Open with the setup of |attempt| to the keeper */
    FRONT_OPEN = 1,
    /* call JoinSession for |attempt|; if nothing is known yet, for whatever the token invites to */
    FRONT_JOIN = 2,
    /* call ReportCompletion for every attempt that front_session_next_report gives */
    FRONT_REPORT = 4,
    /* call SubmitDelegateShare */
    FRONT_SUBMIT = 8,
    /* send Close to the keeper and forget what was sent */
    FRONT_CLOSE = 16
};

/* How a call ended. */
enum front_answer {
    FRONT_ANSWER_OK,
    /* nobody knows whether it arrived: it is made again */
    FRONT_ANSWER_LOST,
    /* it arrived and was refused: making it again would change nothing */
    FRONT_ANSWER_REFUSED
};

enum front_call { FRONT_CALL_NONE, FRONT_CALL_DUE, FRONT_CALL_AWAY, FRONT_CALL_DONE };

struct front_report {
    uint32_t attempt;
    enum front_call call;
};

/* All zero is a session of which nothing is known. A plain value: tests copy and compare it. */
struct front_session {
    /* the highest attempt that was invited, if |is_known| */
    uint32_t attempt;
    bool is_known;
    /* that attempt was handed to the keeper */
    bool is_open;
    /* the keeper gets nothing before front_session_release */
    bool is_held, is_asked, is_released;
    bool has_token;
    bool has_ended;
    enum front_call join;
    /* the attempt of the JoinSession that is away, and whether it named one */
    uint32_t join_attempt;
    bool join_is_blind;
    enum front_call share;
    /* the share changed while it was away */
    bool share_again;
    uint32_t reports_n;
    struct front_report reports[FRONT_ATTEMPTS_MAX];
};

/* An invitation to |attempt| came, by event, poll or reply. |held|: the host of this party decides
 * when to take part (a user's share has to be lent first). */
unsigned front_session_invited(struct front_session *session, uint32_t attempt, bool held);
/* A held session: join it, known or not. Nothing if that was done; once more if it was refused (the
 * host brings another token). */
unsigned front_session_ask(struct front_session *session);
/* A held session may open, this attempt and later ones. */
unsigned front_session_release(struct front_session *session);
/* How the JoinSession that is away ended. If its reply carries the setup of an attempt that was not
 * known, front_session_invited comes first. */
unsigned front_session_joined(struct front_session *session, enum front_answer answer);
/* The keeper's outcome of |attempt|; a second one is nothing. */
unsigned front_session_outcome(struct front_session *session, uint32_t attempt);
/* The keeper's sealed share; a second one (other bytes) replaces the first. */
unsigned front_session_share(struct front_session *session);
/* The next report to send, marked as away. False: none. */
bool front_session_next_report(struct front_session *session, uint32_t *attempt);
unsigned front_session_reported(struct front_session *session, uint32_t attempt,
                                enum front_answer answer);
unsigned front_session_submitted(struct front_session *session, enum front_answer answer);
/* Ended for everybody, by event, poll or the party's own clock. */
unsigned front_session_end(struct front_session *session);
/* Calls that were lost and are due again. */
unsigned front_session_retry(struct front_session *session);
bool front_session_has_due(const struct front_session *session);
/* Takes part and has no outcome yet: what a party's load counts. */
bool front_session_is_running(const struct front_session *session);

#endif
