/* SPDX-License-Identifier: Apache-2.0 */
/* Reading. One function per table turns a row into its struct; lists grow by one row at a time and
 * are bounded by the queries' LIMIT, or by what one session can have. */
#include "services/coordinator/store_read.h"

#include "system/core/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TAKE_TEXT(field, row, column) db_copy_text((field), sizeof(field), (row), (column))

#define ROW_COLUMNS                                                                                \
    "s.session_id, s.type, s.status, s.t, s.n, s.account_id, s.trace_id, s.keygen_session_id,"     \
    " s.public_key, s.message_hash, s.attempts_n, s.total, s.joined, s.completed, s.signature,"    \
    " s.error_code, s.error, s.created_ms, s.deadline_ms, s.end_seq, s.ended_ms, s.parties,"       \
    " s.everybody, s.version"

/* One more zeroed element of a list. */
static void *grow(void *list, size_t *n, size_t size)
{
    uint8_t *b = list;

    /* capacity doubles at each power of two */
    if ((*n & (*n - 1)) == 0) {
        b = realloc(b, (*n ? *n * 2 : 1) * size);
        if (!b)
            abort();
    }
    memset(b + *n * size, 0, size);
    (*n)++;
    return b;
}

static struct store_bytes take_bytes(const struct db_row *row, int column)
{
    size_t len = 0;
    const uint8_t *b = db_is_null(row, column) ? NULL : db_get_blob(row, column, &len);

    return store_bytes_copy(b, b ? len : 0);
}

static void take_row(struct store_row *out, const struct db_row *row)
{
    TAKE_TEXT(out->session_id, row, 0);
    out->type = session_type_of(db_get_text(row, 1));
    out->status = session_status_of(db_get_text(row, 2));
    out->t = (uint16_t)db_get_int(row, 3);
    out->n = (uint16_t)db_get_int(row, 4);
    TAKE_TEXT(out->account_id, row, 5);
    TAKE_TEXT(out->trace_id, row, 6);
    TAKE_TEXT(out->keygen_session_id, row, 7);
    TAKE_TEXT(out->public_key, row, 8);
    TAKE_TEXT(out->message_hash, row, 9);
    out->attempts_n = (uint32_t)db_get_int(row, 10);
    out->total = (uint16_t)db_get_int(row, 11);
    out->joined = (uint16_t)db_get_int(row, 12);
    out->completed = (uint16_t)db_get_int(row, 13);
    out->has_signature = db_copy_blob(out->signature, sizeof out->signature, row, 14);
    TAKE_TEXT(out->error_code, row, 15);
    TAKE_TEXT(out->error, row, 16);
    out->created_ms = db_get_int(row, 17);
    out->deadline_ms = db_get_int(row, 18);
    out->end_seq = db_get_int(row, 19);
    out->ended_ms = db_get_int(row, 20);
    out->parties = text_copy(db_get_text(row, 21));
    out->everybody = text_copy(db_get_text(row, 22));
    out->version = db_get_int(row, 23);
}

static bool take_event(const struct db_row *row, void *arg)
{
    struct store_session *s = arg;
    struct store_event *e;

    s->events = grow(s->events, &s->events_n, sizeof *s->events);
    e = &s->events[s->events_n - 1];
    e->seq = db_get_int(row, 0);
    e->type = session_event_of(db_get_text(row, 1));
    e->attempt = (uint32_t)db_get_int(row, 2);
    TAKE_TEXT(e->party_id, row, 3);
    TAKE_TEXT(e->detail, row, 4);
    e->at_ms = db_get_int(row, 5);
    return true;
}

static bool take_attempt(const struct db_row *row, void *arg)
{
    struct store_session *s = arg;
    struct store_attempt *a;

    s->attempts = grow(s->attempts, &s->attempts_n, sizeof *s->attempts);
    a = &s->attempts[s->attempts_n - 1];
    a->attempt = (uint32_t)db_get_int(row, 0);
    a->seq = db_get_int(row, 1);
    a->deadline_ms = db_get_int(row, 2);
    a->members = take_bytes(row, 3);
    return true;
}

static bool take_report(const struct db_row *row, void *arg)
{
    struct store_session *s = arg;
    struct store_report *r;

    s->reports = grow(s->reports, &s->reports_n, sizeof *s->reports);
    r = &s->reports[s->reports_n - 1];
    TAKE_TEXT(r->party_id, row, 0);
    r->attempt = (uint32_t)db_get_int(row, 1);
    TAKE_TEXT(r->code, row, 2);
    TAKE_TEXT(r->text, row, 3);
    r->culprit = (uint16_t)db_get_int(row, 4);
    r->retry = db_get_int(row, 5) != 0;
    r->has_result = db_copy_blob(r->result, sizeof r->result, row, 6);
    return true;
}

static bool take_join(const struct db_row *row, void *arg)
{
    struct store_session *s = arg;
    struct store_join *j;

    s->joins = grow(s->joins, &s->joins_n, sizeof *s->joins);
    j = &s->joins[s->joins_n - 1];
    TAKE_TEXT(j->party_id, row, 0);
    TAKE_TEXT(j->token_id, row, 1);
    (void)db_copy_blob(j->key_hash, sizeof j->key_hash, row, 2);
    return true;
}

static bool take_request(const struct db_row *row, void *arg)
{
    struct store_bytes *request = arg;

    *request = take_bytes(row, 0);
    return false;
}

static enum db_result read_request(struct db_tx *tx, const char *session_id,
                                   struct store_bytes *out)
{
    const struct db_value v[] = {db_text(session_id)};

    return db_query(
        tx, "SELECT request FROM session_events WHERE session_id = $1 AND request IS NOT NULL", v,
        1, take_request, out);
}

static enum db_result read_attempts(struct db_tx *tx, struct store_session *s)
{
    const struct db_value v[] = {db_text(s->row.session_id)};

    return db_query(tx,
                    "SELECT attempt, seq, deadline_ms, members FROM session_events"
                    " WHERE session_id = $1 AND members IS NOT NULL ORDER BY seq",
                    v, 1, take_attempt, s);
}

static enum db_result read_events(struct db_tx *tx, struct store_session *s, int64_t after,
                                  int64_t limit)
{
    const struct db_value v[] = {db_text(s->row.session_id), db_int(after), db_int(limit)};

    return db_query(tx,
                    "SELECT seq, type, attempt, party_id, detail, at_ms FROM session_events"
                    " WHERE session_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
                    v, 3, take_event, s);
}

/* All of a session that goes on, its row being there. */
static enum db_result read_session(struct db_tx *tx, struct store_session *s)
{
    const struct db_value v[] = {db_text(s->row.session_id)};
    enum db_result result = read_request(tx, s->row.session_id, &s->request);

    if (result == DB_OK)
        result = read_attempts(tx, s);
    if (result == DB_OK)
        result = read_events(tx, s, 0, INT64_MAX);
    if (result == DB_OK)
        result = db_query(tx,
                          "SELECT party_id, attempt, code, detail, culprit, retry, result"
                          " FROM reports WHERE session_id = $1 UNION ALL"
                          " SELECT party_id, attempt, '', '', 0, 0, result FROM session_events"
                          " WHERE session_id = $1 AND type = 'party_completed'",
                          v, 1, take_report, s);
    if (result == DB_OK)
        result = db_query(tx,
                          "SELECT party_id, token_id, key_hash FROM used_tokens"
                          " WHERE session_id = $1 UNION ALL"
                          " SELECT party_id, token_id, key_hash FROM session_events"
                          " WHERE session_id = $1 AND token_id IS NOT NULL",
                          v, 1, take_join, s);
    return result;
}

static bool take_open(const struct db_row *row, void *arg)
{
    struct store_load *load = arg;

    load->sessions = grow(load->sessions, &load->sessions_n, sizeof *load->sessions);
    take_row(&load->sessions[load->sessions_n - 1].row, row);
    return true;
}

static bool take_order(const struct db_row *row, struct store_order *o)
{
    o->seq = db_get_int(row, 0);
    TAKE_TEXT(o->account_id, row, 1);
    o->serial = (uint64_t)db_get_int(row, 2);
    o->is_freeze = db_get_int(row, 3) != 0;
    return true;
}

static bool take_loaded_order(const struct db_row *row, void *arg)
{
    struct store_load *load = arg;

    load->orders = grow(load->orders, &load->orders_n, sizeof *load->orders);
    return take_order(row, &load->orders[load->orders_n - 1]);
}

static bool take_number(const struct db_row *row, void *arg)
{
    *(int64_t *)arg = db_get_int(row, 0);
    return false;
}

/* The highest number is that of an end or, looked for by the caller, of an open session. */
static enum db_result read_numbers(struct db_tx *tx, struct store_load *load)
{
    enum db_result result = db_query(tx, "SELECT COALESCE(MAX(end_seq), 0) FROM sessions", NULL, 0,
                                     take_number, &load->seq);

    if (result != DB_OK)
        return result;
    return db_query(tx, "SELECT COALESCE(MAX(seq), 0) FROM orders", NULL, 0, take_number,
                    &load->order_seq);
}

static void count_seq(struct store_load *load, const struct store_session *s)
{
    if (s->events_n > 0 && s->events[s->events_n - 1].seq > load->seq)
        load->seq = s->events[s->events_n - 1].seq;
}

enum db_result store_load(struct db_tx *tx, void *arg)
{
    struct store_load *load = arg;
    enum db_result result = read_numbers(tx, load);

    if (result == DB_OK)
        result = db_query(tx,
                          "SELECT " ROW_COLUMNS " FROM sessions s WHERE s.end_seq = 0"
                          " ORDER BY s.created_ms, s.session_id",
                          NULL, 0, take_open, load);
    for (size_t i = 0; result == DB_OK && i < load->sessions_n; i++)
        result = read_session(tx, &load->sessions[i]);
    for (size_t i = 0; i < load->sessions_n; i++)
        count_seq(load, &load->sessions[i]);
    if (result != DB_OK)
        return result;
    return db_query(tx,
                    "SELECT o.seq, o.account_id, o.serial, o.is_freeze FROM orders o"
                    " WHERE o.serial = (SELECT MAX(p.serial) FROM orders p"
                    " WHERE p.account_id = o.account_id)",
                    NULL, 0, take_loaded_order, load);
}

static void store_session_free(struct store_session *s)
{
    store_row_free(&s->row);
    free(s->request.b);
    for (size_t i = 0; i < s->attempts_n; i++)
        free(s->attempts[i].members.b);
    free(s->attempts);
    free(s->events);
    free(s->reports);
    free(s->joins);
}

void store_load_free(struct store_load *load)
{
    for (size_t i = 0; i < load->sessions_n; i++)
        store_session_free(&load->sessions[i]);
    free(load->sessions);
    free(load->orders);
}

static bool take_get(const struct db_row *row, void *arg)
{
    struct store_get *get = arg;

    take_row(&get->row, row);
    get->request = take_bytes(row, 24);
    get->certificate = take_bytes(row, 25);
    get->delegate_share = take_bytes(row, 26);
    get->found = true;
    return false;
}

enum db_result store_get(struct db_tx *tx, void *arg)
{
    struct store_get *get = arg;
    const struct db_value v[] = {db_text(get->session_id)};

    return db_query(tx,
                    "SELECT " ROW_COLUMNS ", q.request, r.certificate, r.delegate_share"
                    " FROM sessions s LEFT JOIN session_events q ON q.session_id = s.session_id"
                    " AND q.request IS NOT NULL"
                    " LEFT JOIN results r ON r.session_id = s.session_id"
                    " WHERE s.session_id = $1",
                    v, COUNT(v), take_get, get);
}

void store_get_free(struct store_get *get)
{
    store_row_free(&get->row);
    free(get->request.b);
    free(get->certificate.b);
    free(get->delegate_share.b);
    free(get);
}

static bool take_session(const struct db_row *row, void *arg)
{
    struct store_events *events = arg;

    take_row(&events->session.row, row);
    events->found = true;
    return false;
}

enum db_result store_events(struct db_tx *tx, void *arg)
{
    struct store_events *events = arg;
    struct store_session *s = &events->session;
    const struct db_value v[] = {db_text(events->session_id)};
    enum db_result result =
        db_query(tx, "SELECT " ROW_COLUMNS " FROM sessions s WHERE s.session_id = $1", v, 1,
                 take_session, events);

    if (result != DB_OK || !events->found)
        return result;
    result = read_request(tx, s->row.session_id, &s->request);
    if (result == DB_OK)
        result = read_attempts(tx, s);
    return result == DB_OK ? read_events(tx, s, events->after, events->limit) : result;
}

void store_events_free(struct store_events *events)
{
    store_session_free(&events->session);
    free(events);
}

static bool take_listed(const struct db_row *row, void *arg)
{
    struct store_list *list = arg;

    list->rows = grow(list->rows, &list->rows_n, sizeof *list->rows);
    take_row(&list->rows[list->rows_n - 1], row);
    return true;
}

static bool take_place(const struct db_row *row, void *arg)
{
    *(int64_t *)arg = db_get_int(row, 0);
    return false;
}

/* The way to the few rows of a state: an open session has no end yet, one that ended otherwise than
 * well is in an index of its own, and most are completed. */
static const char *few(enum session_status status)
{
    if (!session_status_is_final(status))
        return " AND s.end_seq = 0";
    return status == SESSION_COMPLETED ? "" : " AND s.status IN ('failed', 'expired', 'cancelled')";
}

static enum db_result query_list(struct db_tx *tx, struct store_list *list, int64_t place_ms)
{
    struct db_value v[5] = {db_int(place_ms), db_text(list->after), db_int(list->limit)};
    size_t n = 3;
    struct buffer sql = {0};
    enum db_result result;

    buffer_printf(&sql, "SELECT " ROW_COLUMNS " FROM sessions s"
                        " WHERE (s.created_ms, s.session_id) < ($1, $2)");
    if (list->account_id[0]) {
        v[n++] = db_text(list->account_id);
        buffer_printf(&sql, " AND s.account_id = $%zu", n);
    }
    if (list->status[0]) {
        v[n++] = db_text(list->status);
        buffer_printf(&sql, " AND s.status = $%zu%s", n, few(session_status_of(list->status)));
    }
    buffer_printf(&sql, " ORDER BY s.created_ms DESC, s.session_id DESC LIMIT $3");
    result = db_query(tx, (const char *)sql.b, v, n, take_listed, list);
    buffer_free(&sql);
    return result;
}

enum db_result store_list(struct db_tx *tx, void *arg)
{
    struct store_list *list = arg;
    const struct db_value after = db_text(list->after);
    int64_t place_ms = list->after[0] ? -1 : INT64_MAX;
    enum db_result result = DB_OK;

    if (list->after[0])
        result = db_query(tx, "SELECT created_ms FROM sessions WHERE session_id = $1", &after, 1,
                          take_place, &place_ms);
    return result == DB_OK ? query_list(tx, list, place_ms) : result;
}

void store_list_free(struct store_list *list)
{
    for (size_t i = 0; i < list->rows_n; i++)
        store_row_free(&list->rows[i]);
    free(list->rows);
    free(list);
}

static bool take_missed(const struct db_row *row, void *arg)
{
    struct store_missed *missed = arg;

    missed->rows = grow(missed->rows, &missed->rows_n, sizeof *missed->rows);
    take_row(&missed->rows[missed->rows_n - 1], row);
    return true;
}

static bool take_missed_order(const struct db_row *row, void *arg)
{
    struct store_missed *missed = arg;
    struct store_order *o;

    missed->orders = grow(missed->orders, &missed->orders_n, sizeof *missed->orders);
    o = &missed->orders[missed->orders_n - 1];
    take_order(row, o);
    o->body = take_bytes(row, 4);
    o->signature = take_bytes(row, 5);
    return true;
}

static enum db_result read_ends(struct db_tx *tx, struct store_missed *missed)
{
    const struct db_value v[] = {db_text(missed->party_id), db_int(missed->after),
                                 db_int(missed->open_ms), db_int(PAGE_MAX)};

    return db_query(tx,
                    "SELECT " ROW_COLUMNS " FROM sessions s"
                    " WHERE s.end_seq > $2 AND s.deadline_ms >= $3"
                    " AND replace(',' || s.everybody || ',', ',' || $1 || ',', '')"
                    " <> ',' || s.everybody || ','"
                    " ORDER BY s.end_seq LIMIT $4",
                    v, COUNT(v), take_missed, missed);
}

static enum db_result read_orders(struct db_tx *tx, struct store_missed *missed)
{
    const struct db_value v[] = {db_int(missed->after_order), db_int(PAGE_MAX)};

    if (missed->is_freezes)
        return db_query(tx,
                        "SELECT o.seq, o.account_id, o.serial, o.is_freeze, o.body, o.signature"
                        " FROM orders o WHERE o.seq > $1 AND o.is_freeze <> 0"
                        " AND o.serial = (SELECT MAX(p.serial) FROM orders p"
                        " WHERE p.account_id = o.account_id) ORDER BY o.seq LIMIT $2",
                        v, COUNT(v), take_missed_order, missed);
    return db_query(tx,
                    "SELECT seq, account_id, serial, is_freeze, body, signature FROM orders"
                    " WHERE seq > $1 ORDER BY seq LIMIT $2",
                    v, COUNT(v), take_missed_order, missed);
}

enum db_result store_missed(struct db_tx *tx, void *arg)
{
    struct store_missed *missed = arg;
    enum db_result result = missed->want_ends ? read_ends(tx, missed) : DB_OK;

    return result == DB_OK && missed->want_orders ? read_orders(tx, missed) : result;
}

void store_missed_free(struct store_missed *missed)
{
    for (size_t i = 0; i < missed->rows_n; i++)
        store_row_free(&missed->rows[i]);
    free(missed->rows);
    for (size_t i = 0; i < missed->orders_n; i++) {
        free(missed->orders[i].body.b);
        free(missed->orders[i].signature.b);
    }
    free(missed->orders);
    free(missed);
}
