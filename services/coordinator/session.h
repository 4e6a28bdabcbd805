/* SPDX-License-Identifier: Apache-2.0 */
/* How a session moves, decided in one place: facts go in, in whatever order and however often they
 * come; what changed comes out as events. No I/O, no clock, no heap, no names: a party is its seat,
 * the position in the request's list. A struct session is a plain value that tests copy.
 *
 * Promises (tests/services/coordinator/test_session.c tries all interleavings of a small session):
 *   - one final state, and none after it: whatever comes later changes no more than the count of
 *     parties that have completed (a session that failed may so learn that a signature exists; it
 *     stays failed, because its caller was told so);
 *   - attempts ascend; each is started at most once;
 *   - session_replay of the events gives the same session, but for what is only advice (whom to
 *     avoid) and the attempt's deadline;
 *   - at its deadline a session ends, whatever it waits for;
 *   - who said "not now" is asked again when nobody else can do, and after a pause that grows, so
 *     that the attempts last for as long as the session may.
 *
 * Status follows the present attempt: waiting, until its parties have joined; ready; running. A
 * party begins with the protocol when it joins, so ready and running follow each other at once. A
 * new attempt waits again. Between two attempts the session waits for a quorum. */
#ifndef COORDINATOR_SESSION_H
#define COORDINATOR_SESSION_H

#include "quorate/types.h"
#include "services/coordinator/excuse.h"

#include <stdbool.h>
#include <stdint.h>

enum session_type {
    SESSION_KEYGEN,
    SESSION_SIGN,
    SESSION_PRESIGN,
    SESSION_CO_MANAGED_KEYGEN,
    SESSION_CO_MANAGED_SIGN,
    SESSION_TYPES
};
const char *session_type_name(enum session_type type);
/* SESSION_TYPES if there is no such type. */
enum session_type session_type_of(const char *name);
/* Everybody takes part and has to confirm. */
bool session_type_is_keygen(enum session_type type);
/* The first valid signature ends it. */
bool session_type_is_sign(enum session_type type);

enum session_status {
    SESSION_WAITING,
    SESSION_READY,
    SESSION_RUNNING,
    /* final from here */
    SESSION_COMPLETED,
    SESSION_FAILED,
    SESSION_EXPIRED,
    SESSION_CANCELLED,
    SESSION_STATUSES
};
const char *session_status_name(enum session_status status);
enum session_status session_status_of(const char *name);
bool session_status_is_final(enum session_status status);

enum session_event_type {
    EVENT_CREATED,
    EVENT_JOINED,
    EVENT_READY,
    EVENT_STARTED,
    EVENT_PARTY_COMPLETED,
    EVENT_COMPLETED,
    EVENT_FAILED,
    EVENT_EXPIRED,
    EVENT_CANCELLED,
    EVENT_TYPES
};
const char *session_event_name(enum session_event_type type);
enum session_event_type session_event_of(const char *name);

enum { SEAT_NONE = 0xFF };

/* What is known of a seat. The first four are of the present attempt. */
enum seat_bits {
    SEAT_IN = 1,
    SEAT_JOINED = 2,
    SEAT_MARKED = 4,
    SEAT_DONE = 8,
    /* was in some attempt */
    SEAT_EVER = 16,
    /* said no: will not be asked again */
    SEAT_REFUSED = 32,
    /* named: gone, did not join, or a party that reported had waited for it in vain. Asked last */
    SEAT_SUSPECT = 64,
    /* of an attempt that nobody could explain. Asked before those that were named */
    SEAT_DOUBTED = 128,
    /* its last word was "not now". Asked last, and after a pause */
    SEAT_UNWILLING = 256
};

enum {
    /* How long the reports of an attempt's end may be on their way. The parties know whom they
     * waited for; the coordinator, once all have joined, does not. */
    SESSION_REPORT_MS = 500,
    /* the first pause; each later one is twice as long */
    SESSION_PAUSE_MS = 100
};

struct session {
    enum session_type type;
    enum session_status status;
    /* seats of the request; those that take part in an attempt */
    uint8_t seats_n, needed;
    uint16_t seats[QRT_PARTIES_MAX];
    /* SEAT_SUSPECT, SEAT_UNWILLING: how many attempts had begun when it was in the way last */
    uint32_t trouble[QRT_PARTIES_MAX];
    /* pairs that cannot work together, a bit each */
    uint64_t bad_pairs[QRT_PARTIES_MAX];
    /* attempts begun; the present one is |attempts_n| - 1 */
    uint32_t attempts_n, attempts_max;
    /* of them: with a party whose last word was "not now" */
    uint32_t again_n;
    /* the present attempt is under way */
    bool is_open;
    int64_t deadline_ms, attempt_deadline_ms;
    /* keygen, presign: what the first party reported in this attempt */
    bool has_result;
    uint8_t result[32];
    /* counts of the present attempt; completed also of late reports */
    uint8_t joined_n, completed_n;
};

/* What came of one input. */
struct session_event {
    enum session_event_type type;
    uint32_t attempt;
    uint8_t seat;
};
enum { SESSION_EVENTS_MAX = 4 };
struct session_out {
    size_t events_n;
    struct session_event events[SESSION_EVENTS_MAX];
    /* the attempt is over, the session is not: begin another one or fail the session */
    bool attempt_over;
    /* the session has just ended */
    bool ended;
};

/* How a party said that it could not. */
struct session_failure {
    uint32_t attempt;
    uint8_t seat;
    /* who a check accused; SEAT_NONE: nobody */
    uint8_t culprit;
    /* seats, a bit each, whose messages did not come */
    uint64_t waited;
    /* may be asked again */
    bool retry;
    /* what it says of itself */
    enum excuse excuse;
};

void session_init(struct session *s, enum session_type type, size_t seats_n, size_t needed,
                  uint32_t attempts_max, int64_t deadline_ms);

/* Each input below may come at any time; |out| is filled anew. False: it changed nothing. */

/* The session came to be. Once, first. */
bool session_create(struct session *s, struct session_out *out);
/* Begin the next attempt with |seats| (|s->needed| of them); only if session_wants_attempt. With
 * |is_said| session_create's event, of the same moment, speaks of it too: there is no other. */
bool session_attempt(struct session *s, struct session_out *out, const uint8_t *seats,
                     int64_t deadline_ms, bool is_said);
bool session_join(struct session *s, struct session_out *out, uint8_t seat);
/* The party says that it is ready. Recorded only: nobody waits for it. */
bool session_mark(struct session *s, uint8_t seat, uint32_t attempt);
/* A verified signature, of any attempt. */
bool session_signed(struct session *s, struct session_out *out, uint8_t seat, uint32_t attempt);
/* A verified key certificate or a presignature; |result| is its hash. A result that differs from
 * another party's is the attempt's end. */
bool session_made(struct session *s, struct session_out *out, uint8_t seat, uint32_t attempt,
                  const uint8_t result[32]);
bool session_failed(struct session *s, struct session_out *out,
                    const struct session_failure *failure);
/* The party went away, or came back as another process. */
bool session_lost(struct session *s, struct session_out *out, uint8_t seat);
/* Whatever is due at |now_ms|. An attempt that a party did not join is over at its deadline; one
 * that all have joined gets SESSION_REPORT_MS more, in which a report says who was silent. */
bool session_timer(struct session *s, struct session_out *out, int64_t now_ms);
/* No way on: failed. Cancelled by a caller. */
bool session_fail(struct session *s, struct session_out *out);
bool session_cancel(struct session *s, struct session_out *out);

/* How much speaks against asking the party: 0 if it was never in the way, otherwise the more the
 * shorter ago that was. They take turns so, if nobody else is left. */
uint32_t session_trouble(const struct session *s, uint8_t seat);
/* How long to wait before the next attempt, with |seats|. 0 unless one of them said "not now". The
 * attempts that are left fit before the deadline. */
int64_t session_pause_ms(const struct session *s, const uint8_t *seats, int64_t now_ms);

/* No attempt is under way, the session has not ended, and one more is allowed. */
bool session_wants_attempt(const struct session *s);
bool session_is_final(const struct session *s);
/* When session_timer has something to do. */
int64_t session_next_ms(const struct session *s);

/* Apply one logged event, in order, to a session fresh from session_init. |in| are the seats of the
 * attempt of an EVENT_CREATED that began one, |in_n| 0 if it began none. */
void session_replay(struct session *s, const struct session_event *event, const uint8_t *in,
                    size_t in_n);

/* A failure that was reported before: its advice (who refused, who does not get along), and that
 * the attempt is over if it is the present one. */
void session_recall(struct session *s, const struct session_failure *failure);

#endif
