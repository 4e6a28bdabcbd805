/* SPDX-License-Identifier: Apache-2.0 */
/* The tables on a real file: what is written is what is read, and what is old goes. */
#include "services/coordinator/store_read.h"

#include "system/core/buffer.h"

#include "tests/support/db_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct store {
    struct db_place place;
    struct db *db;
    int64_t seq;
};

static void open_db_with(struct store *s, const char *const *migrations)
{
    const struct db_params params = db_place_params(&s->place, migrations);
    char error[DB_ERROR_MAX];

    s->db = db_open(NULL, &params, error);
    if (!s->db)
        fail_msg("%s", error);
}

static void open_db(struct store *s)
{
    open_db_with(s, store_migrations);
}

static int setup(void **state)
{
    struct store *s = mem_new(1, sizeof *s);

    db_place_make(&s->place);
    open_db(s);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct store *s = *state;

    db_close(s->db);
    db_place_remove(&s->place);
    free(s);
    return 0;
}

/* A new session number |n|, with one attempt by party-1 and party-2. */
static struct change *new_session(struct store *s, int n)
{
    struct change *c = mem_new(1, sizeof *c);

    snprintf(c->row.session_id, sizeof c->row.session_id, "session-%02d", n);
    snprintf(c->row.account_id, sizeof c->row.account_id, "account-%d", n % 2);
    snprintf(c->row.trace_id, sizeof c->row.trace_id, "trace-%d", n);
    c->row.version = 1;
    c->row.type = SESSION_SIGN;
    c->row.t = c->row.total = 2;
    c->row.n = 3;
    c->row.attempts_n = 1;
    c->row.created_ms = 1000 + n;
    c->row.deadline_ms = 9000;
    c->row.parties = text_copy("party-1,party-2");
    c->row.everybody = text_copy("party-1,party-2");
    c->is_new = c->has_attempt = true;
    c->request.b = store_bytes_copy("request", 7);
    snprintf(c->request.caller, sizeof c->request.caller, "caller");
    c->request.binding[0] = (uint8_t)n;
    c->events_n = 1;
    c->events[0] = (struct store_event){.seq = ++s->seq, .type = EVENT_CREATED, .at_ms = 1000};
    c->attempt = (struct store_attempt){.seq = s->seq, .deadline_ms = 5000};
    c->attempt.members = store_bytes_copy("members", 7);
    return c;
}

/* The next change of the session that |from| made. */
static struct change *next_change(struct store *s, const struct change *from,
                                  enum session_event_type type, enum session_status status)
{
    struct change *c = mem_new(1, sizeof *c);

    store_row_copy(&c->row, &from->row);
    c->row.version++;
    c->row.status = status;
    c->events_n = 1;
    c->events[0] = (struct store_event){.seq = ++s->seq, .type = type, .at_ms = 2000};
    if (session_status_is_final(status)) {
        c->row.end_seq = s->seq;
        c->row.ended_ms = 2000;
    }
    return c;
}

static void write_change(struct store *s, struct change *c)
{
    assert_int_equal(db_run(s->db, DB_DURABLE, store_change, c), DB_OK);
}

/* The key of a new session was used before: nothing is written, and for which one is there. */
static void expect_existing(struct store *s, struct change *c, const char *session_id)
{
    assert_int_equal(db_run(s->db, DB_DURABLE, store_change, c), DB_REFUSED);
    assert_false(c->existed);
    assert_int_equal(db_run(s->db, DB_READ, store_existing, c), DB_OK);
    assert_true(c->existed);
    assert_string_equal(c->existing_id, session_id);
}

static struct store_load load(struct store *s)
{
    struct store_load out = {0};

    assert_int_equal(db_run(s->db, DB_READ, store_load, &out), DB_OK);
    return out;
}

static void test_open_sessions_come_back_whole(void **state)
{
    struct store *s = *state;
    struct change *a = new_session(s, 1),
                  *joined = next_change(s, a, EVENT_JOINED, SESSION_WAITING);
    struct store_load l;

    snprintf(joined->events[0].party_id, PARTY_ID_MAX, "party-1");
    joined->row.joined = 1;
    joined->has_join = joined->has_report = true;
    snprintf(joined->join.party_id, PARTY_ID_MAX, "party-1");
    snprintf(joined->join.token_id, sizeof joined->join.token_id, "token");
    joined->join.key_hash[5] = 5;
    snprintf(joined->report.party_id, PARTY_ID_MAX, "party-1");
    snprintf(joined->report.code, ERROR_CODE_MAX, "POLICY");
    joined->report.culprit = 2;
    joined->report.retry = true;
    write_change(s, a);
    write_change(s, joined);
    db_close(s->db);
    open_db(s);
    l = load(s);
    assert_int_equal(l.sessions_n, 1);
    assert_int_equal(l.seq, s->seq);
    assert_string_equal(l.sessions[0].row.session_id, "session-01");
    assert_int_equal(l.sessions[0].row.joined, 1);
    assert_string_equal(l.sessions[0].row.parties, "party-1,party-2");
    assert_memory_equal(l.sessions[0].request.b, "request", 7);
    assert_int_equal(l.sessions[0].attempts_n, 1);
    assert_int_equal(l.sessions[0].attempts[0].deadline_ms, 5000);
    assert_int_equal(l.sessions[0].events_n, 2);
    assert_int_equal(l.sessions[0].events[1].type, EVENT_JOINED);
    assert_int_equal(l.sessions[0].joins[0].key_hash[5], 5);
    assert_string_equal(l.sessions[0].reports[0].code, "POLICY");
    assert_int_equal(l.sessions[0].reports[0].culprit, 2);
    assert_true(l.sessions[0].reports[0].retry);
    store_load_free(&l);
    change_free(a);
    change_free(joined);
}

/* Facts that nobody waited for go along with the next change, in their order. */
static void test_a_change_brings_what_was_held(void **state)
{
    struct store *s = *state;
    struct change *a = new_session(s, 1), *first = next_change(s, a, EVENT_JOINED, SESSION_WAITING),
                  *second = next_change(s, a, EVENT_JOINED, SESSION_WAITING),
                  *end = next_change(s, a, EVENT_READY, SESSION_RUNNING);
    struct store_load l;

    first->has_join = second->has_join = true;
    snprintf(first->join.token_id, sizeof first->join.token_id, "one");
    snprintf(second->join.token_id, sizeof second->join.token_id, "two");
    first->row.joined = 7; /* only the last row counts */
    first->later = second;
    end->row.joined = 2;
    end->earlier = first;
    write_change(s, a);
    write_change(s, end);
    l = load(s);
    assert_int_equal(l.sessions[0].row.joined, 2);
    assert_int_equal(l.sessions[0].events_n, 4);
    assert_int_equal(l.sessions[0].events[1].seq, first->events[0].seq);
    assert_int_equal(l.sessions[0].events[2].seq, second->events[0].seq);
    assert_int_equal(l.sessions[0].events[3].type, EVENT_READY);
    assert_int_equal(l.sessions[0].joins_n, 2);
    store_load_free(&l);
    change_free(a);
    change_free(end);
}

/* As the first version of the tables had it: requests and attempts in tables of their own. */
static enum db_result write_first_version(struct db_tx *tx, void *arg)
{
    static const char *const rows[] = {
        "INSERT INTO sessions VALUES ('session-01', 'sign', 'waiting', 2, 3, 'a', 't', '', '', '',"
        " 2, 2, 0, 0, NULL, '', '', 1, 9000, 0, 0, 'party-1', 'party-1')",
        "INSERT INTO requests VALUES ('session-01', 'request')",
        "INSERT INTO session_events VALUES (1, 'session-01', 'session_created', 0, '', '', 1, NULL,"
        " NULL, NULL)",
        "INSERT INTO session_events VALUES (2, 'session-01', 'session_created', 1, '', 'why', 2,"
        " NULL, NULL, NULL)",
        "INSERT INTO attempts VALUES ('session-01', 0, 1, 5000, 'members')",
        "INSERT INTO attempts VALUES ('session-01', 1, 2, 6000, 'others')"};
    enum db_result result = DB_OK;

    (void)arg;
    for (size_t i = 0; result == DB_OK && i < sizeof rows / sizeof rows[0]; i++)
        result = db_exec(tx, rows[i], NULL, 0, NULL);
    return result;
}

static void test_a_database_of_the_first_version_is_read(void **state)
{
    struct store *s = *state;
    const char *const first[] = {store_migrations[0], NULL};
    struct store_load l;

    db_close(s->db);
    db_place_remove(&s->place);
    db_place_make(&s->place);
    open_db_with(s, first);
    assert_int_equal(db_run(s->db, DB_DURABLE, write_first_version, NULL), DB_OK);
    db_close(s->db);
    open_db(s);
    l = load(s);
    assert_int_equal(l.sessions_n, 1);
    assert_int_equal(l.sessions[0].request.len, 7);
    assert_memory_equal(l.sessions[0].request.b, "request", 7);
    assert_int_equal(l.sessions[0].events_n, 2);
    assert_int_equal(l.sessions[0].attempts_n, 2);
    assert_int_equal(l.sessions[0].attempts[0].seq, 1);
    assert_int_equal(l.sessions[0].attempts[1].attempt, 1);
    assert_int_equal(l.sessions[0].attempts[1].deadline_ms, 6000);
    assert_memory_equal(l.sessions[0].attempts[1].members.b, "others", 6);
    store_load_free(&l);
}

static void test_an_idempotency_key_is_claimed_once_for_each_caller(void **state)
{
    struct store *s = *state;
    struct change *first = new_session(s, 1), *repeat = new_session(s, 2),
                  *other = new_session(s, 3), *again = new_session(s, 4);
    struct store_load l;

    snprintf(first->request.idempotency_key, KEY_MAX, "key");
    snprintf(repeat->request.idempotency_key, KEY_MAX, "key");
    snprintf(other->request.idempotency_key, KEY_MAX, "key");
    snprintf(other->request.caller, CALLER_MAX, "another");
    snprintf(again->request.idempotency_key, KEY_MAX, "key");
    snprintf(again->request.caller, CALLER_MAX, "another");
    write_change(s, first);
    expect_existing(s, repeat, "session-01");
    assert_int_equal(repeat->existing_binding[0], 1);
    write_change(s, other);
    expect_existing(s, again, "session-03");
    l = load(s);
    assert_int_equal(l.sessions_n, 2);
    store_load_free(&l);
    change_free(first);
    change_free(repeat);
    change_free(other);
    change_free(again);
}

static size_t missed_since(struct store *s, const char *party_id, int64_t after, int64_t open_ms)
{
    struct store_missed *missed = mem_new(1, sizeof *missed);
    size_t n;

    snprintf(missed->party_id, PARTY_ID_MAX, "%s", party_id);
    missed->want_ends = true;
    missed->after = after;
    missed->open_ms = open_ms;
    assert_int_equal(db_run(s->db, DB_READ, store_missed, missed), DB_OK);
    n = missed->rows_n;
    store_missed_free(missed);
    return n;
}

static size_t missed_by(struct store *s, const char *party_id, int64_t after)
{
    return missed_since(s, party_id, after, 0);
}

static void test_an_end_is_kept_and_its_parties_hear_of_it(void **state)
{
    struct store *s = *state;
    struct change *a = new_session(s, 1),
                  *end = next_change(s, a, EVENT_COMPLETED, SESSION_COMPLETED);
    struct store_get *get = mem_new(1, sizeof *get);
    struct store_load l;

    end->row.has_signature = true;
    memset(end->row.signature, 7, SIGNATURE_LEN);
    snprintf(end->row.public_key, PUBLIC_KEY_MAX, "02aa");
    end->certificate = store_bytes_copy("certificate", 11);
    write_change(s, a);
    write_change(s, end);
    l = load(s);
    assert_int_equal(l.sessions_n, 0);
    store_load_free(&l);
    memcpy(get->session_id, a->row.session_id, sizeof get->session_id);
    assert_int_equal(db_run(s->db, DB_READ, store_get, get), DB_OK);
    assert_true(get->found);
    assert_int_equal(get->row.status, SESSION_COMPLETED);
    assert_true(get->row.has_signature);
    assert_int_equal(get->row.signature[64], 7);
    assert_string_equal(get->row.public_key, "02aa");
    assert_memory_equal(get->certificate.b, "certificate", 11);
    store_get_free(get);
    assert_int_equal(missed_by(s, "party-1", 0), 1);
    assert_int_equal(missed_by(s, "party-1", s->seq), 0);
    assert_int_equal(missed_by(s, "party-3", 0), 0);
    assert_int_equal(missed_by(s, "party", 0), 0);
    assert_int_equal(missed_by(s, "party_1", 0), 0);
    assert_int_equal(missed_since(s, "party-1", 0, 9000), 1); /* the deadline */
    assert_int_equal(missed_since(s, "party-1", 0, 9001), 0);
    change_free(a);
    change_free(end);
}

static size_t count_rows(struct store *s, const char *account, const char *after, uint32_t limit,
                         char *last)
{
    struct store_list *list = mem_new(1, sizeof *list);
    size_t n;

    snprintf(list->account_id, sizeof list->account_id, "%s", account);
    snprintf(list->after, sizeof list->after, "%s", after);
    list->limit = limit;
    assert_int_equal(db_run(s->db, DB_READ, store_list, list), DB_OK);
    n = list->rows_n;
    if (n > 0)
        strcpy(last, list->rows[n - 1].session_id);
    store_list_free(list);
    return n;
}

static void test_lists_come_in_pages_newest_first(void **state)
{
    struct store *s = *state;
    char last[ID_TEXT_MAX] = "";

    for (int i = 0; i < 5; i++) {
        struct change *c = new_session(s, i);

        write_change(s, c);
        change_free(c);
    }
    assert_int_equal(count_rows(s, "", "", 2, last), 2);
    assert_string_equal(last, "session-03");
    assert_int_equal(count_rows(s, "", last, 2, last), 2);
    assert_string_equal(last, "session-01");
    assert_int_equal(count_rows(s, "", last, 2, last), 1);
    assert_int_equal(count_rows(s, "account-1", "", 10, last), 2);
}

static size_t count_state(struct store *s, const char *account, const char *status)
{
    struct store_list *list = mem_new(1, sizeof *list);
    size_t n;

    snprintf(list->account_id, sizeof list->account_id, "%s", account);
    snprintf(list->status, sizeof list->status, "%s", status);
    list->limit = 10;
    assert_int_equal(db_run(s->db, DB_READ, store_list, list), DB_OK);
    n = list->rows_n;
    for (size_t i = 0; i < n; i++)
        assert_string_equal(session_status_name(list->rows[i].status), status);
    store_list_free(list);
    return n;
}

static void test_lists_show_one_state(void **state)
{
    static const enum session_status ends[] = {SESSION_COMPLETED, SESSION_FAILED, SESSION_EXPIRED,
                                               SESSION_CANCELLED};
    struct store *s = *state;

    for (int i = 0; i < 6; i++) {
        struct change *c = new_session(s, i), *end = NULL;

        write_change(s, c);
        if (i < 4) {
            end = next_change(s, c, EVENT_FAILED, ends[i]);
            write_change(s, end);
            change_free(end);
        }
        change_free(c);
    }
    assert_int_equal(count_state(s, "", "waiting"), 2);
    assert_int_equal(count_state(s, "", "running"), 0);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        assert_int_equal(count_state(s, "", session_status_name(ends[i])), 1);
    assert_int_equal(count_state(s, "account-0", "completed"), 1);
    assert_int_equal(count_state(s, "account-0", "failed"), 0);
    assert_int_equal(count_state(s, "account-1", "waiting"), 1);
}

static void test_only_what_is_old_and_has_ended_is_deleted(void **state)
{
    struct store *s = *state;
    struct change *open = new_session(s, 1), *old = new_session(s, 2),
                  *end = next_change(s, old, EVENT_FAILED, SESSION_FAILED);
    struct store_sweep sweep = {.before_ms = 2000};
    struct store_events *events;
    char last[ID_TEXT_MAX] = "";

    snprintf(old->request.idempotency_key, KEY_MAX, "key");
    write_change(s, open);
    write_change(s, old);
    write_change(s, end);
    assert_int_equal(db_run(s->db, DB_DURABLE, store_sweep, &sweep), DB_OK);
    assert_int_equal(sweep.deleted, 0);
    sweep.before_ms = 2001;
    assert_int_equal(db_run(s->db, DB_DURABLE, store_sweep, &sweep), DB_OK);
    assert_int_equal(sweep.deleted, 1);
    assert_int_equal(count_rows(s, "", "", 10, last), 1);
    assert_string_equal(last, "session-01");
    assert_int_equal(missed_by(s, "party-1", 0), 0);
    events = mem_new(1, sizeof *events);
    snprintf(events->session_id, sizeof events->session_id, "session-01");
    events->limit = 10;
    assert_int_equal(db_run(s->db, DB_READ, store_events, events), DB_OK);
    assert_true(events->found);
    assert_int_equal(events->session.events_n, 1);
    store_events_free(events);
    change_free(open);
    change_free(old);
    change_free(end);
}

static void test_a_change_that_fails_leaves_nothing(void **state)
{
    struct store *s = *state;
    struct change *a = new_session(s, 1), *b = new_session(s, 2);
    char last[ID_TEXT_MAX] = "";

    strcpy(b->row.session_id, a->row.session_id);
    write_change(s, a);
    assert_int_equal(db_run(s->db, DB_DURABLE, store_change, b), DB_CONFLICT);
    assert_int_equal(count_rows(s, "", "", 10, last), 1);
    change_free(a);
    change_free(b);
}

/* Whoever read a session before another wrote it does not write over that. */
static void test_a_change_of_an_old_version_is_refused(void **state)
{
    struct store *s = *state;
    struct change *a = new_session(s, 1), *one = next_change(s, a, EVENT_READY, SESSION_READY),
                  *other = next_change(s, a, EVENT_FAILED, SESSION_FAILED), *more;
    struct store_load l;

    write_change(s, a);
    write_change(s, one);
    assert_int_equal(db_run(s->db, DB_DURABLE, store_change, other), DB_REFUSED);
    l = load(s);
    assert_int_equal(l.sessions_n, 1);
    assert_int_equal(l.sessions[0].row.version, 2);
    assert_int_equal(l.sessions[0].row.status, SESSION_READY);
    assert_int_equal(l.sessions[0].events_n, 2);
    store_load_free(&l);
    more = next_change(s, one, EVENT_STARTED, SESSION_RUNNING);
    write_change(s, more);
    change_free(a);
    change_free(one);
    change_free(other);
    change_free(more);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_open_sessions_come_back_whole),
        TEST(test_a_change_brings_what_was_held),
        TEST(test_a_database_of_the_first_version_is_read),
        TEST(test_an_idempotency_key_is_claimed_once_for_each_caller),
        TEST(test_an_end_is_kept_and_its_parties_hear_of_it),
        TEST(test_lists_come_in_pages_newest_first),
        TEST(test_lists_show_one_state),
        TEST(test_only_what_is_old_and_has_ended_is_deleted),
        TEST(test_a_change_that_fails_leaves_nothing),
        TEST(test_a_change_of_an_old_version_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
