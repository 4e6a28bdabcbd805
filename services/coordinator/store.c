/* SPDX-License-Identifier: Apache-2.0 */
/* Writing. Each table has one function that writes it; store_change calls them in an order that
 * keeps references whole. */
#include "services/coordinator/store.h"

#include "system/core/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SWEEP_MAX = 1000 };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const char *const store_migrations[] = {
    "CREATE TABLE sessions ("
    " session_id TEXT PRIMARY KEY, type TEXT NOT NULL, status TEXT NOT NULL,"
    " t INTEGER NOT NULL, n INTEGER NOT NULL, account_id TEXT NOT NULL, trace_id TEXT NOT NULL,"
    " keygen_session_id TEXT NOT NULL, public_key TEXT NOT NULL, message_hash TEXT NOT NULL,"
    " attempts_n INTEGER NOT NULL, total INTEGER NOT NULL, joined INTEGER NOT NULL,"
    " completed INTEGER NOT NULL, signature BYTEA, error_code TEXT NOT NULL, error TEXT NOT NULL,"
    " created_ms BIGINT NOT NULL, deadline_ms BIGINT NOT NULL, end_seq BIGINT NOT NULL,"
    " ended_ms BIGINT NOT NULL, parties TEXT NOT NULL, everybody TEXT NOT NULL);"
    "CREATE INDEX sessions_by_account ON sessions (account_id, created_ms);"
    "CREATE INDEX sessions_by_time ON sessions (created_ms, session_id);"
    "CREATE INDEX sessions_by_end ON sessions (end_seq);"
    "CREATE TABLE requests (session_id TEXT PRIMARY KEY, body BYTEA NOT NULL);"
    "CREATE TABLE idempotency ("
    " caller TEXT NOT NULL, request_key TEXT NOT NULL, session_id TEXT NOT NULL,"
    " binding BYTEA NOT NULL, PRIMARY KEY (caller, request_key));"
    "CREATE INDEX idempotency_by_session ON idempotency (session_id);"
    "CREATE TABLE session_events ("
    " seq BIGINT NOT NULL, session_id TEXT NOT NULL, type TEXT NOT NULL,"
    " attempt INTEGER NOT NULL, party_id TEXT NOT NULL, detail TEXT NOT NULL,"
    " at_ms BIGINT NOT NULL, token_id TEXT, key_hash BYTEA, result BYTEA,"
    " PRIMARY KEY (session_id, seq));"
    "CREATE TABLE attempts ("
    " session_id TEXT NOT NULL, attempt INTEGER NOT NULL, seq BIGINT NOT NULL,"
    " deadline_ms BIGINT NOT NULL, members BYTEA NOT NULL, PRIMARY KEY (session_id, attempt));"
    "CREATE TABLE reports ("
    " session_id TEXT NOT NULL, party_id TEXT NOT NULL, attempt INTEGER NOT NULL,"
    " code TEXT NOT NULL, detail TEXT NOT NULL, culprit INTEGER NOT NULL, retry INTEGER NOT NULL,"
    " result BYTEA, evidence BYTEA, at_ms BIGINT NOT NULL,"
    " PRIMARY KEY (session_id, party_id, attempt));"
    "CREATE TABLE used_tokens ("
    " token_id TEXT PRIMARY KEY, session_id TEXT NOT NULL, party_id TEXT NOT NULL,"
    " key_hash BYTEA NOT NULL);"
    "CREATE INDEX used_tokens_by_session ON used_tokens (session_id);"
    "CREATE TABLE results ("
    " session_id TEXT PRIMARY KEY, certificate BYTEA, delegate_share BYTEA);"
    "CREATE TABLE orders ("
    " seq BIGINT PRIMARY KEY, account_id TEXT NOT NULL, serial BIGINT NOT NULL,"
    " is_freeze INTEGER NOT NULL, body BYTEA NOT NULL, signature BYTEA NOT NULL);"
    "CREATE INDEX orders_by_account ON orders (account_id, serial);",
    "ALTER TABLE session_events ADD COLUMN request BYTEA;"
    "ALTER TABLE session_events ADD COLUMN members BYTEA;"
    "ALTER TABLE session_events ADD COLUMN deadline_ms BIGINT;"
    "UPDATE session_events SET request = (SELECT body FROM requests"
    "  WHERE requests.session_id = session_events.session_id) WHERE type = 'session_created'"
    " AND seq = (SELECT MIN(e.seq) FROM session_events e"
    "  WHERE e.session_id = session_events.session_id);"
    "UPDATE session_events SET members = (SELECT a.members FROM attempts a"
    "  WHERE a.session_id = session_events.session_id AND a.seq = session_events.seq),"
    " deadline_ms = (SELECT a.deadline_ms FROM attempts a"
    "  WHERE a.session_id = session_events.session_id AND a.seq = session_events.seq)"
    " WHERE type = 'session_created';"
    "DROP TABLE requests;"
    "DROP TABLE attempts;",
    "ALTER TABLE sessions ADD COLUMN version BIGINT NOT NULL DEFAULT 1;"
    "CREATE TABLE leadership ("
    " id INTEGER PRIMARY KEY, replica TEXT NOT NULL, address TEXT NOT NULL,"
    " fence BIGINT NOT NULL, lease_until_ms BIGINT NOT NULL);"
    "INSERT INTO leadership (id, replica, address, fence, lease_until_ms)"
    " VALUES (1, '', '', 0, 0);",
    /* lists: a session that completes is not in the first of these */
    "CREATE INDEX sessions_by_failure ON sessions (status, created_ms, session_id)"
    " WHERE status IN ('failed', 'expired', 'cancelled');"
    "DROP INDEX sessions_by_account;"
    "CREATE INDEX sessions_by_account_and_time ON sessions (account_id, created_ms, session_id);",
    /* who leads has not signed for it, and gives way */
    "ALTER TABLE leadership ADD COLUMN mac BLOB;"
    "UPDATE leadership SET fence = fence + 1, lease_until_ms = 0;",
    NULL};

struct store_bytes store_bytes_copy(const void *b, size_t len)
{
    return (struct store_bytes){len ? mem_copy(b, len) : NULL, len};
}

void store_row_copy(struct store_row *out, const struct store_row *row)
{
    *out = *row;
    out->parties = text_copy(row->parties ? row->parties : "");
    out->everybody = text_copy(row->everybody ? row->everybody : "");
}

void store_row_free(struct store_row *row)
{
    free(row->parties);
    free(row->everybody);
    row->parties = row->everybody = NULL;
}

void change_free(struct change *change)
{
    struct change *next;

    for (struct change *earlier = change->earlier; earlier; earlier = next) {
        next = earlier->later;
        change_free(earlier);
    }
    store_row_free(&change->row);
    free(change->request.b.b);
    free(change->attempt.members.b);
    free(change->report.evidence.b);
    free(change->certificate.b);
    free(change->delegate_share.b);
    free(change);
}

static struct db_value bytes_value(const struct store_bytes *bytes)
{
    return bytes->b ? db_blob(bytes->b, bytes->len) : (struct db_value){.type = DB_NULL};
}

static enum db_result insert_row(struct db_tx *tx, const struct store_row *r)
{
    const struct db_value v[] = {db_text(r->session_id),
                                 db_text(session_type_name(r->type)),
                                 db_text(session_status_name(r->status)),
                                 db_int(r->t),
                                 db_int(r->n),
                                 db_text(r->account_id),
                                 db_text(r->trace_id),
                                 db_text(r->keygen_session_id),
                                 db_text(r->public_key),
                                 db_text(r->message_hash),
                                 db_int(r->attempts_n),
                                 db_int(r->total),
                                 db_int(r->created_ms),
                                 db_int(r->deadline_ms),
                                 db_text(r->parties),
                                 db_text(r->everybody)};

    return db_exec(
        tx,
        "INSERT INTO sessions (session_id, type, status, t, n, account_id, trace_id,"
        " keygen_session_id, public_key, message_hash, attempts_n, total, created_ms,"
        " deadline_ms, parties, everybody, joined, completed, error_code, error, end_seq, ended_ms)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,"
        " $16, 0, 0, '', '', 0, 0)",
        v, COUNT(v), NULL);
}

static enum db_result update_row(struct db_tx *tx, const struct store_row *r)
{
    const struct db_value v[] = {
        db_text(r->session_id),
        db_text(session_status_name(r->status)),
        db_int(r->attempts_n),
        db_int(r->total),
        db_int(r->joined),
        db_int(r->completed),
        r->has_signature ? db_blob(r->signature, sizeof r->signature)
                         : (struct db_value){.type = DB_NULL},
        db_text(r->error_code),
        db_text(r->error),
        db_int(r->end_seq),
        db_int(r->ended_ms),
        db_text(r->parties),
        db_text(r->public_key),
        db_text(r->everybody),
        db_int(r->version),
    };

    return db_must(tx,
                   "UPDATE sessions SET status = $2, attempts_n = $3, total = $4, joined = $5,"
                   " completed = $6, signature = $7, error_code = $8, error = $9, end_seq = $10,"
                   " ended_ms = $11, parties = $12, public_key = $13,"
                   " everybody = $14, version = $15 WHERE session_id = $1 AND version = $15 - 1",
                   v, COUNT(v));
}

static bool take_existing(const struct db_row *row, void *arg)
{
    struct change *c = arg;

    db_copy_text(c->existing_id, sizeof c->existing_id, row, 0);
    (void)db_copy_blob(c->existing_binding, sizeof c->existing_binding, row, 1);
    c->existed = true;
    return false;
}

enum db_result store_existing(struct db_tx *tx, void *arg)
{
    const struct store_request *q = &((struct change *)arg)->request;
    const struct db_value v[] = {db_text(q->caller), db_text(q->idempotency_key)};

    return db_query(tx,
                    "SELECT session_id, binding FROM idempotency WHERE caller = $1 AND"
                    " request_key = $2",
                    v, COUNT(v), take_existing, arg);
}

static enum db_result claim_key(struct db_tx *tx, const struct change *c)
{
    const struct store_request *q = &c->request;
    const struct db_value v[] = {db_text(q->caller), db_text(q->idempotency_key),
                                 db_text(c->row.session_id),
                                 db_blob(q->binding, sizeof q->binding)};

    if (!q->idempotency_key[0])
        return DB_OK;
    return db_must(tx,
                   "INSERT INTO idempotency (caller, request_key, session_id, binding)"
                   " VALUES ($1, $2, $3, $4) ON CONFLICT (caller, request_key) DO NOTHING",
                   v, COUNT(v));
}

/* With what belongs to it: the first one the request, an attempt's beginning its members, a joining
 * its token, a success its result. */
static enum db_result insert_event(struct db_tx *tx, const struct change *c,
                                   const struct store_event *e)
{
    const struct db_value none = {.type = DB_NULL};
    bool joins = e->type == EVENT_JOINED && c->has_join;
    bool has_result = e->type == EVENT_PARTY_COMPLETED && c->report.has_result;
    bool begins = c->has_attempt && e->seq == c->attempt.seq;
    bool is_first = c->is_new && e == c->events;
    const struct db_value v[] = {db_int(e->seq),
                                 db_text(c->row.session_id),
                                 db_text(session_event_name(e->type)),
                                 db_int(e->attempt),
                                 db_text(e->party_id),
                                 db_text(e->detail),
                                 db_int(e->at_ms),
                                 joins ? db_text(c->join.token_id) : none,
                                 joins ? db_blob(c->join.key_hash, sizeof c->join.key_hash) : none,
                                 has_result ? db_blob(c->report.result, sizeof c->report.result)
                                            : none,
                                 is_first ? bytes_value(&c->request.b) : none,
                                 begins ? bytes_value(&c->attempt.members) : none,
                                 begins ? db_int(c->attempt.deadline_ms) : none};

    return db_exec(tx,
                   "INSERT INTO session_events (seq, session_id, type, attempt, party_id, detail,"
                   " at_ms, token_id, key_hash, result, request, members, deadline_ms)"
                   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
                   v, COUNT(v), NULL);
}

/* The first word of a party about an attempt counts. */
static enum db_result insert_report(struct db_tx *tx, const char *session_id,
                                    const struct store_report *r, int64_t at_ms)
{
    const struct db_value v[] = {db_text(session_id),
                                 db_text(r->party_id),
                                 db_int(r->attempt),
                                 db_text(r->code),
                                 db_text(r->text),
                                 db_int(r->culprit),
                                 db_int(r->retry),
                                 r->has_result ? db_blob(r->result, sizeof r->result)
                                               : (struct db_value){.type = DB_NULL},
                                 bytes_value(&r->evidence),
                                 db_int(at_ms)};

    return db_exec(tx,
                   "INSERT INTO reports (session_id, party_id, attempt, code, detail, culprit,"
                   " retry, result, evidence, at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,"
                   " $10) ON CONFLICT (session_id, party_id, attempt) DO NOTHING",
                   v, COUNT(v), NULL);
}

static enum db_result insert_join(struct db_tx *tx, const struct change *c)
{
    const struct db_value v[] = {db_text(c->join.token_id), db_text(c->row.session_id),
                                 db_text(c->join.party_id),
                                 db_blob(c->join.key_hash, sizeof c->join.key_hash)};

    return db_exec(tx,
                   "INSERT INTO used_tokens (token_id, session_id, party_id, key_hash)"
                   " VALUES ($1, $2, $3, $4) ON CONFLICT (token_id) DO NOTHING",
                   v, COUNT(v), NULL);
}

static enum db_result put_result(struct db_tx *tx, const struct change *c)
{
    const struct db_value v[] = {db_text(c->row.session_id), bytes_value(&c->certificate),
                                 bytes_value(&c->delegate_share)};

    return db_exec(tx,
                   "INSERT INTO results (session_id, certificate, delegate_share)"
                   " VALUES ($1, $2, $3) ON CONFLICT (session_id) DO UPDATE SET"
                   " certificate = COALESCE($2, results.certificate),"
                   " delegate_share = COALESCE($3, results.delegate_share)",
                   v, COUNT(v), NULL);
}

static enum db_result write_session(struct db_tx *tx, const struct change *c)
{
    enum db_result result;

    if (!c->is_new)
        return update_row(tx, &c->row);
    result = claim_key(tx, c);
    return result == DB_OK ? insert_row(tx, &c->row) : result;
}

static bool has_event(const struct change *c, enum session_event_type type)
{
    for (size_t i = 0; i < c->events_n; i++)
        if (c->events[i].type == type)
            return true;
    return false;
}

static enum db_result write_parts(struct db_tx *tx, const struct change *c)
{
    enum db_result result = DB_OK;

    for (size_t i = 0; result == DB_OK && i < c->events_n; i++)
        result = insert_event(tx, c, &c->events[i]);
    if (result == DB_OK && c->has_report && !has_event(c, EVENT_PARTY_COMPLETED))
        result =
            insert_report(tx, c->row.session_id, &c->report, c->events_n ? c->events[0].at_ms : 0);
    if (result == DB_OK && c->has_join && !has_event(c, EVENT_JOINED))
        result = insert_join(tx, c);
    if (result == DB_OK && (c->certificate.b || c->delegate_share.b))
        result = put_result(tx, c);
    return result;
}

enum db_result store_change(struct db_tx *tx, void *arg)
{
    const struct change *c = arg;
    enum db_result result = DB_OK;

    for (const struct change *e = c->earlier; result == DB_OK && e; e = e->later)
        result = write_parts(tx, e);
    if (result == DB_OK)
        result = write_session(tx, c);
    return result == DB_OK ? write_parts(tx, c) : result;
}

enum db_result store_late(struct db_tx *tx, void *arg)
{
    const struct store_late *late = arg;

    return insert_report(tx, late->session_id, &late->report, late->at_ms);
}

enum db_result store_order(struct db_tx *tx, void *arg)
{
    const struct store_order *o = arg;
    const struct db_value v[] = {
        db_int(o->seq),       db_text(o->account_id), db_int((int64_t)o->serial),
        db_int(o->is_freeze), bytes_value(&o->body),  bytes_value(&o->signature)};

    return db_exec(tx,
                   "INSERT INTO orders (seq, account_id, serial, is_freeze, body, signature)"
                   " VALUES ($1, $2, $3, $4, $5, $6)",
                   v, COUNT(v), NULL);
}

/* What ended before was created before: the index leads there, and to nothing else. */
#define OLD                                                                                        \
    "(SELECT session_id FROM sessions WHERE created_ms < $1 AND ended_ms > 0 AND ended_ms < $1"    \
    " ORDER BY created_ms, session_id LIMIT $2)"

enum db_result store_sweep(struct db_tx *tx, void *arg)
{
    static const char *const deletes[] = {
        "DELETE FROM idempotency WHERE session_id IN " OLD,
        "DELETE FROM session_events WHERE session_id IN " OLD,
        "DELETE FROM reports WHERE session_id IN " OLD,
        "DELETE FROM used_tokens WHERE session_id IN " OLD,
        "DELETE FROM results WHERE session_id IN " OLD,
        "DELETE FROM sessions WHERE session_id IN " OLD,
    };
    struct store_sweep *sweep = arg;
    const struct db_value v[] = {db_int(sweep->before_ms), db_int(SWEEP_MAX)};
    enum db_result result = DB_OK;

    for (size_t i = 0; result == DB_OK && i < COUNT(deletes); i++)
        result = db_exec(tx, deletes[i], v, COUNT(v), &sweep->deleted);
    return result;
}
