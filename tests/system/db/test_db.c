/* SPDX-License-Identifier: Apache-2.0 */
/* db.h as its callers see it: results, values, done callbacks on the loop, closing. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct db_place f;
static uv_loop_t loop;

static int set_up(void **state)
{
    (void)state;
    db_place_make(&f);
    return uv_loop_init(&loop);
}

static int tear_down(void **state)
{
    (void)state;
    uv_run(&loop, UV_RUN_DEFAULT);
    db_place_remove(&f);
    return uv_loop_close(&loop);
}

static void note(void *arg, enum db_result result)
{
    struct item *item = arg;

    item->result = result;
    item->done_n++;
}

static void test_results_of_works_as_they_ended(void **state)
{
    struct db *db = fixture_open(&f, NULL);
    struct item one = {.id = 1}, two = {.id = 2};

    (void)state;
    assert_int_equal(db_run(db, DB_DURABLE, item_insert, &one), DB_OK);
    assert_int_equal(db_run(db, DB_DURABLE, item_insert, &one), DB_CONFLICT);
    assert_int_equal(db_run(db, DB_DURABLE, item_insert_refuse, &two), DB_REFUSED);
    assert_int_equal(fixture_count(db), 1);
    db_close(db);
}

static enum db_result bad_sql(struct db_tx *tx, void *arg)
{
    (void)arg;
    return db_exec(tx, "INSERT INTO nowhere VALUES (1)", NULL, 0, NULL);
}

/* The work says OK although a statement failed. */
static enum db_result hide_failure(struct db_tx *tx, void *arg)
{
    assert_int_equal(item_insert(tx, arg), DB_OK);
    assert_int_equal(bad_sql(tx, NULL), DB_FAILED);
    return DB_OK;
}

static void test_failure_has_a_line_and_cannot_be_hidden(void **state)
{
    struct db *db = fixture_open(&f, NULL);
    struct item one = {.id = 1};
    char error[DB_ERROR_MAX];

    (void)state;
    assert_int_equal(db_run(db, DB_DURABLE, bad_sql, NULL), DB_FAILED);
    db_error(db, error);
    assert_non_null(strstr(error, "nowhere"));
    assert_int_equal(db_run(db, DB_DURABLE, hide_failure, &one), DB_FAILED);
    assert_int_equal(fixture_count(db), 0);
    db_close(db);
}

struct after {
    enum db_result later;
};

/* The work goes on after a conflict, and says all is well. */
static enum db_result hide_conflict(struct db_tx *tx, void *arg)
{
    struct after *after = arg;
    struct item one = {.id = 1}, two = {.id = 2};
    int64_t changed;
    const struct db_value row[] = {db_int(1), db_text("other")};

    (void)item_insert(tx, &two);
    (void)db_exec(tx, "INSERT INTO item (id, name) VALUES ($1, $2)", row, 2, &changed);
    after->later = item_insert(tx, &one);
    return DB_OK;
}

static void test_conflict_ends_its_work_alone(void **state)
{
    struct db *db = fixture_open(&f, NULL);
    struct item one = {.id = 1}, three = {.id = 3};
    struct after after = {DB_OK};

    (void)state;
    assert_int_equal(db_run(db, DB_DURABLE, item_insert, &one), DB_OK);
    assert_int_equal(db_run(db, DB_DURABLE, hide_conflict, &after), DB_CONFLICT);
    assert_int_equal(after.later, DB_CONFLICT);
    assert_int_equal(db_run(db, DB_DURABLE, item_insert, &three), DB_OK);
    assert_int_equal(fixture_count(db), 2);
    db_close(db);
}

static void test_read_must_not_write(void **state)
{
    struct db *db = fixture_open(&f, NULL);
    struct item one = {.id = 1};
    uint64_t before = db_commits(db);

    (void)state;
    assert_int_equal(db_run(db, DB_READ, item_insert, &one), DB_FAILED);
    assert_int_equal(fixture_count(db), 0);
    assert_int_equal(db_commits(db), before);
    db_close(db);
}

struct values {
    int64_t number;
    char text[16];
    uint8_t blob[4];
    size_t blob_len, empty_len;
    bool null_is_null, empty_is_null;
    char null_text[4];
};

static bool take_values(const struct db_row *row, void *arg)
{
    struct values *v = arg;
    size_t len;

    v->number = db_get_int(row, 0);
    snprintf(v->text, sizeof v->text, "%s", db_get_text(row, 1));
    memcpy(v->blob, db_get_blob(row, 2, &v->blob_len), 4);
    v->null_is_null = db_is_null(row, 3) && !db_get_blob(row, 3, &len) && len == 0;
    snprintf(v->null_text, sizeof v->null_text, "%s", db_get_text(row, 3));
    v->empty_is_null = db_is_null(row, 4) || !db_get_blob(row, 4, &v->empty_len);
    return true;
}

/* $2 stands before $1: numbers count, not places. */
static enum db_result ask_values(struct db_tx *tx, void *arg)
{
    const struct db_value params[] = {db_text("text"), db_int(INT64_MIN), db_blob("\0\1\2\3", 4),
                                      db_text(NULL), db_blob("", 0)};

    return db_query(tx, "SELECT $2, $1, $3, $4, $5", params, 5, take_values, arg);
}

static void test_values_go_in_and_out_by_number(void **state)
{
    struct db *db = fixture_open(&f, NULL);
    struct values v = {.empty_len = 9};

    (void)state;
    assert_int_equal(db_run(db, DB_READ, ask_values, &v), DB_OK);
    assert_true(v.number == INT64_MIN);
    assert_string_equal(v.text, "text");
    assert_int_equal(v.blob_len, 4);
    assert_memory_equal(v.blob, "\0\1\2\3", 4);
    assert_true(v.null_is_null);
    assert_string_equal(v.null_text, "");
    assert_false(v.empty_is_null);
    assert_int_equal(v.empty_len, 0);
    db_close(db);
}

struct copies {
    char whole[5], cut[4];
    uint8_t blob[4], shorter[3], none[2], *taken;
    bool is_whole, is_shorter, is_none, has_null, has_empty;
    size_t taken_len, null_len, empty_len;
};

static bool take_copies(const struct db_row *row, void *arg)
{
    struct copies *c = arg;

    memset(c->shorter, 9, sizeof c->shorter);
    memset(c->none, 9, sizeof c->none);
    db_copy_text(c->whole, sizeof c->whole, row, 1);
    db_copy_text(c->cut, sizeof c->cut, row, 1);
    c->is_whole = db_copy_blob(c->blob, sizeof c->blob, row, 2);
    c->is_shorter = db_copy_blob(c->shorter, sizeof c->shorter, row, 2);
    c->is_none = db_copy_blob(c->none, sizeof c->none, row, 3);
    c->taken = db_take_blob(&c->taken_len, row, 2);
    c->has_null = db_take_blob(&c->null_len, row, 3);
    c->has_empty = db_take_blob(&c->empty_len, row, 4);
    return true;
}

static enum db_result ask_copies(struct db_tx *tx, void *arg)
{
    const struct db_value params[] = {db_int(1), db_text("text"), db_blob("\0\1\2\3", 4),
                                      db_text(NULL), db_blob("", 0)};

    return db_query(tx, "SELECT $1, $2, $3, $4, $5", params, 5, take_copies, arg);
}

static void test_copies_have_their_length_or_are_none(void **state)
{
    struct db *db = fixture_open(&f, NULL);
    struct copies c = {.null_len = 9, .empty_len = 9};

    (void)state;
    assert_int_equal(db_run(db, DB_READ, ask_copies, &c), DB_OK);
    assert_string_equal(c.whole, "text");
    assert_string_equal(c.cut, "tex");
    assert_true(c.is_whole);
    assert_memory_equal(c.blob, "\0\1\2\3", 4);
    assert_false(c.is_shorter);
    assert_memory_equal(c.shorter, "\0\0\0", 3);
    assert_false(c.is_none);
    assert_memory_equal(c.none, "\0\0", 2);
    assert_int_equal(c.taken_len, 4);
    assert_memory_equal(c.taken, "\0\1\2\3", 4);
    assert_false(c.has_null || c.has_empty);
    assert_int_equal(c.null_len + c.empty_len, 0);
    free(c.taken);
    db_close(db);
}

static enum db_result too_few_values(struct db_tx *tx, void *arg)
{
    return db_exec(tx, "INSERT INTO item (id, name) VALUES ($1, $2)",
                   (struct db_value[]){db_int(1)}, 1, arg);
}

static enum db_result change_two(struct db_tx *tx, void *arg)
{
    return db_exec(tx, "UPDATE item SET name = name || '!'", NULL, 0, arg);
}

static void test_statement_counts_values_and_changes(void **state)
{
    struct db *db = fixture_open(&f, NULL);
    struct item one = {.id = 1}, two = {.id = 2};
    int64_t changed = 0;

    (void)state;
    assert_int_equal(db_run(db, DB_DURABLE, too_few_values, NULL), DB_FAILED);
    assert_int_equal(db_run(db, DB_DURABLE, item_insert, &one), DB_OK);
    assert_int_equal(db_run(db, DB_DURABLE, item_insert, &two), DB_OK);
    assert_int_equal(db_run(db, DB_DURABLE, change_two, &changed), DB_OK);
    assert_int_equal(changed, 2);
    db_close(db);
}

struct on_loop {
    struct item item;
    pthread_t loop_thread;
    bool was_on_loop;
    struct db *db;
};

static void note_thread(void *arg, enum db_result result)
{
    struct on_loop *o = arg;

    note(&o->item, result);
    o->was_on_loop = pthread_equal(pthread_self(), o->loop_thread);
    db_close(o->db);
}

static enum db_result insert_of(struct db_tx *tx, void *arg)
{
    struct on_loop *o = arg;

    return item_insert(tx, &o->item);
}

static void test_done_runs_on_the_loop_once(void **state)
{
    struct on_loop o = {.item.id = 1, .loop_thread = pthread_self()};

    (void)state;
    o.db = fixture_open(&f, &loop);
    db_submit(o.db, DB_DURABLE, insert_of, note_thread, &o);
    assert_int_equal(o.item.done_n, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(o.item.done_n, 1);
    assert_int_equal(o.item.result, DB_OK);
    assert_true(o.was_on_loop);
}

struct chain {
    struct db *db;
    struct item items[3];
    size_t at;
};

static enum db_result insert_next(struct db_tx *tx, void *arg)
{
    struct chain *c = arg;

    return item_insert(tx, &c->items[c->at]);
}

static void submit_next(void *arg, enum db_result result)
{
    struct chain *c = arg;

    note(&c->items[c->at], result);
    if (++c->at < 3)
        db_submit(c->db, DB_LAZY, insert_next, submit_next, c);
}

static void test_close_finishes_all_also_what_callbacks_submit(void **state)
{
    struct chain c = {.items = {{.id = 1}, {.id = 2}, {.id = 3}}};

    (void)state;
    c.db = fixture_open(&f, &loop);
    db_submit(c.db, DB_LAZY, insert_next, submit_next, &c);
    db_close(c.db);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(c.items[i].done_n, 1);
        assert_int_equal(c.items[i].result, DB_OK);
    }
    c.db = fixture_open(&f, NULL);
    assert_int_equal(fixture_count(c.db), 3);
    db_close(c.db);
}

static void test_unknown_address_is_refused(void **state)
{
    const struct db_params params = {.url = "mysql:x"};
    char error[DB_ERROR_MAX] = "";

    (void)state;
    assert_null(db_open(NULL, &params, error));
    assert_non_null(strstr(error, "sqlite:PATH"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_results_of_works_as_they_ended),
        TEST(test_failure_has_a_line_and_cannot_be_hidden),
        TEST(test_conflict_ends_its_work_alone),
        TEST(test_read_must_not_write),
        TEST(test_values_go_in_and_out_by_number),
        TEST(test_copies_have_their_length_or_are_none),
        TEST(test_statement_counts_values_and_changes),
        TEST(test_done_runs_on_the_loop_once),
        TEST(test_close_finishes_all_also_what_callbacks_submit),
        TEST(test_unknown_address_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
