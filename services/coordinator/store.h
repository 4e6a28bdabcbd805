/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's tables, and the works (system/db/db.h) that write them. Readers: store_read.h.
 *
 * A struct change is all that one step of one session writes, in one transaction: the events, and
 * the row that is their projection. It is a copy: the session goes on while it is being written.
 * Changes are committed in the order they were submitted. */
#ifndef COORDINATOR_STORE_H
#define COORDINATOR_STORE_H

#include "services/coordinator/session.h"
#include "system/core/ids.h"
#include "system/db/db.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    PARTY_ID_MAX = 65,
    CALLER_MAX = 96,
    ERROR_CODE_MAX = 48,
    ERROR_TEXT_MAX = 256,
    KEY_MAX = 256,
    PUBLIC_KEY_MAX = 67,
    HASH_TEXT_MAX = 65,
    SIGNATURE_LEN = 65,
    PAGE_MAX = 1000
};

/* A row of sessions. */
struct store_row {
    char session_id[ID_TEXT_MAX];
    enum session_type type;
    enum session_status status;
    uint16_t t, n;
    char account_id[ID_TEXT_MAX];
    char trace_id[TRACE_TEXT_MAX];
    char keygen_session_id[ID_TEXT_MAX];
    char public_key[PUBLIC_KEY_MAX];
    char message_hash[HASH_TEXT_MAX];
    uint32_t attempts_n;
    uint16_t total, joined, completed;
    bool has_signature;
    uint8_t signature[SIGNATURE_LEN];
    char error_code[ERROR_CODE_MAX];
    char error[ERROR_TEXT_MAX];
    int64_t created_ms, deadline_ms;
    /* of the row, from 1; a change writes over the one before it and no other */
    int64_t version;
    /* 0: has not ended; otherwise the number of the final event */
    int64_t end_seq, ended_ms;
    /* parties of the present attempt, and of all attempts, comma separated; heap */
    char *parties, *everybody;
};
/* A deep copy, and its end. */
void store_row_copy(struct store_row *out, const struct store_row *row);
void store_row_free(struct store_row *row);

struct store_event {
    int64_t seq;
    enum session_event_type type;
    uint32_t attempt;
    char party_id[PARTY_ID_MAX];
    char detail[ERROR_TEXT_MAX];
    int64_t at_ms;
};

/* How many index entries a signature costs is most of what it costs here: the request is kept with
 * the session's first event, an attempt with the event that began it, a join token with the event
 * of its joining, a success with the event that tells it. Only what has no event has a row
 * elsewhere. */

/* Bytes of the change's own, heap; NULL: none. */
struct store_bytes {
    uint8_t *b;
    size_t len;
};

struct store_attempt {
    uint32_t attempt;
    /* the event that began it */
    int64_t seq;
    int64_t deadline_ms;
    /* encoded Setup with nothing but members */
    struct store_bytes members;
};

struct store_report {
    char party_id[PARTY_ID_MAX];
    uint32_t attempt;
    /* "" for success */
    char code[ERROR_CODE_MAX];
    char text[ERROR_TEXT_MAX];
    uint16_t culprit;
    bool retry;
    bool has_result;
    uint8_t result[32];
    struct store_bytes evidence;
};

/* A join token that was used, by which call. */
struct store_join {
    char party_id[PARTY_ID_MAX];
    char token_id[33];
    uint8_t key_hash[32];
};

/* What a new session adds. */
struct store_request {
    /* encoded CreateSessionRequest, with the members' certificates */
    struct store_bytes b;
    char caller[CALLER_MAX];
    /* "" for none */
    char idempotency_key[KEY_MAX];
    uint8_t binding[32];
};

struct change {
    /* whose change this is; the store does not look */
    void *owner;
    struct store_row row;
    size_t events_n;
    struct store_event events[SESSION_EVENTS_MAX + 1];
    bool is_new, has_attempt, has_report, has_join;
    struct store_request request;
    struct store_attempt attempt;
    struct store_report report;
    struct store_join join;
    struct store_bytes certificate, delegate_share;
    /* changes of the same session that nobody waits for, oldest first, linked by |later|; owned.
     * Only what they add is written: the row is this change's */
    struct change *earlier, *later;
    /* out of store_existing: the key was used before, for this session and request */
    bool existed;
    char existing_id[ID_TEXT_MAX];
    uint8_t existing_binding[32];
};
void change_free(struct change *change);
struct store_bytes store_bytes_copy(const void *b, size_t len);

extern const char *const store_migrations[];

/* DB_REFUSED: of a change with |is_new|, its key was used before; of another one, the row is not
 * the one it writes over. */
db_work store_change;
/* Of a struct change that was refused for its key. */
db_work store_existing;

/* A late report: of a session that is not in memory any more. */
struct store_late {
    char session_id[ID_TEXT_MAX];
    struct store_report report;
    int64_t at_ms;
};
db_work store_late;

struct store_order {
    void *owner;
    int64_t seq;
    uint64_t serial;
    char account_id[ID_TEXT_MAX];
    bool is_freeze;
    struct store_bytes body, signature;
};
db_work store_order;

/* Delete what ended before |before_ms|, at most a thousand sessions; |deleted| tells how many. */
struct store_sweep {
    void *owner;
    int64_t before_ms;
    int64_t deleted;
};
db_work store_sweep;

#endif
