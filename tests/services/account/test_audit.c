/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log on a real database: a chain without gaps, whatever becomes of the works that write
 * it, and rows that stay. */
#include "services/account/store.h"

#include "tests/support/db_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define FIRST "0123456789abcdef0123456789abcdef"
#define SECOND "fedcba9876543210fedcba9876543210"

struct place {
    struct db_place where;
    struct db *db;
    /* of the chain that began last */
    struct audit_head head;
};

static int open_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    char error[DB_ERROR_MAX];
    struct db_params params;

    db_place_make(&p->where);
    params = db_place_params(&p->where, store_migrations);
    p->db = db_open(NULL, &params, error);
    *state = p;
    return p->db ? 0 : -1;
}

static int close_place(void **state)
{
    struct place *p = *state;

    db_close(p->db);
    db_place_remove(&p->where);
    free(p);
    return 0;
}

static void begin(struct place *p, const char *chain)
{
    struct audit_opening opening = {.chain = chain, .caller = "test"};

    assert_int_equal(db_run(p->db, DB_DURABLE, audit_open, &opening), DB_OK);
    p->head = opening.head;
}

static enum db_result add(struct place *p, const char *action)
{
    struct audit_entry entry = {.after = p->head, .text = {"alice", "::1", action}};

    return db_run(p->db, DB_DURABLE, audit_store, &entry);
}

/* A chain read from the beginning, every hash made again. */
struct walk {
    const char *chain;
    int64_t n;
    uint8_t hash[AUDIT_HASH];
    char detail[512];
};

static bool take_row(const struct db_row *row, void *arg)
{
    struct walk *walk = arg;
    struct audit_row r = {
        .seq = db_get_int(row, 0), .at_ms = db_get_int(row, 1), .chain = walk->chain};
    uint8_t prev[AUDIT_HASH], hash[AUDIT_HASH], digest[AUDIT_HASH];
    char text[AUDIT_FIELDS][512];

    for (size_t i = 0; i < AUDIT_FIELDS; i++) {
        db_copy_text(text[i], sizeof text[i], row, (int)(4 + i));
        r.text[i] = text[i];
    }
    assert_true(db_copy_blob(prev, sizeof prev, row, 2));
    assert_true(db_copy_blob(hash, sizeof hash, row, 3));
    assert_int_equal(r.seq, ++walk->n);
    assert_memory_equal(prev, walk->hash, sizeof prev);
    audit_digest(digest, &r);
    audit_link(walk->hash, prev, digest);
    assert_memory_equal(hash, walk->hash, sizeof hash);
    if (walk->n == 1)
        strcpy(walk->detail, text[AUDIT_DETAIL]);
    return true;
}

static enum db_result read_chain(struct db_tx *tx, void *arg)
{
    struct walk *walk = arg;
    const struct db_value chain = db_text(walk->chain);

    return db_query(tx,
                    "SELECT seq, at_ms, prev, hash, caller, address, action, object, session_id,"
                    " outcome, request_id, detail FROM audit_log WHERE chain = $1 ORDER BY seq",
                    &chain, 1, take_row, walk);
}

static struct walk walk(struct place *p, const char *chain)
{
    struct walk walk = {.chain = chain};

    assert_int_equal(db_run(p->db, DB_READ, read_chain, &walk), DB_OK);
    return walk;
}

static void test_rows_are_chained(void **state)
{
    begin(*state, FIRST);
    for (int i = 0; i < 20; i++)
        assert_int_equal(add(*state, "Sign"), DB_OK);
    assert_int_equal(walk(*state, FIRST).n, 21);
}

static enum db_result add_and_refuse(struct db_tx *tx, void *arg)
{
    enum db_result r = audit_store(tx, arg);

    return r == DB_OK ? DB_REFUSED : r;
}

static void test_a_work_that_is_taken_back_leaves_no_gap(void **state)
{
    struct place *p = *state;
    struct audit_entry entry = {0};

    begin(p, FIRST);
    entry.after = p->head;
    assert_int_equal(add(p, "one"), DB_OK);
    assert_int_equal(db_run(p->db, DB_DURABLE, add_and_refuse, &entry), DB_REFUSED);
    assert_int_equal(add(p, "two"), DB_OK);
    assert_int_equal(walk(p, FIRST).n, 3);
}

static void test_a_chain_that_never_began_takes_nothing(void **state)
{
    struct place *p = *state;

    begin(p, FIRST);
    strcpy(p->head.chain, SECOND);
    assert_int_equal(add(p, "Sign"), DB_FAILED);
    assert_int_equal(walk(p, FIRST).n, 1);
}

static void test_a_new_chain_names_the_heads_of_the_others(void **state)
{
    struct audit_head head;
    struct walk first, second;
    const char *at;

    begin(*state, FIRST);
    assert_int_equal(add(*state, "Sign"), DB_OK);
    first = walk(*state, FIRST);
    assert_string_equal(first.detail, "");
    begin(*state, SECOND);
    second = walk(*state, SECOND);
    at = second.detail;
    assert_true(audit_head_next(&head, &at));
    assert_string_equal(head.chain, FIRST);
    assert_int_equal(head.seq, 2);
    assert_memory_equal(head.hash, first.hash, sizeof head.hash);
    assert_false(audit_head_next(&head, &at));
}

static enum db_result run_sql(struct db_tx *tx, void *arg)
{
    int64_t changed = 0;

    return db_exec(tx, arg, NULL, 0, &changed);
}

static void test_rows_are_not_changed_and_not_deleted(void **state)
{
    static const char *const wrong[] = {"UPDATE audit_log SET caller = 'eve'",
                                        "DELETE FROM audit_log"};
    struct place *p = *state;

    begin(p, FIRST);
    assert_int_equal(add(p, "Sign"), DB_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(db_run(p->db, DB_DURABLE, run_sql, (void *)(uintptr_t)wrong[i]),
                         DB_FAILED);
    if (db_place_is_server())
        assert_int_equal(db_run(p->db, DB_DURABLE, run_sql, "TRUNCATE audit_log"), DB_FAILED);
    assert_int_equal(walk(p, FIRST).n, 2);
}

static enum db_result look(struct place *p)
{
    return db_run(p->db, DB_READ, audit_look, &p->head);
}

/* As somebody who owns the database. */
static void force(struct place *p, const char *sql)
{
    static const char *const server[] = {"ALTER TABLE audit_log DISABLE TRIGGER USER"},
                             *const file[] = {"DROP TRIGGER IF EXISTS audit_log_no_delete",
                                              "DROP TRIGGER IF EXISTS audit_log_no_update"};
    const char *const *open = db_place_is_server() ? server : file;

    for (size_t i = 0; i < (db_place_is_server() ? 1 : 2); i++)
        assert_int_equal(db_run(p->db, DB_DURABLE, run_sql, (void *)(uintptr_t)open[i]), DB_OK);
    assert_int_equal(db_run(p->db, DB_DURABLE, run_sql, (void *)(uintptr_t)sql), DB_OK);
}

static void test_the_newest_committed_row_is_found(void **state)
{
    struct place *p = *state;
    struct walk walked;

    begin(p, FIRST);
    assert_int_equal(p->head.seq, 1);
    assert_int_equal(look(p), DB_OK);
    assert_int_equal(p->head.seq, 1);
    assert_int_equal(add(p, "one"), DB_OK);
    assert_int_equal(add(p, "two"), DB_OK);
    assert_int_equal(look(p), DB_OK);
    walked = walk(p, FIRST);
    assert_int_equal(p->head.seq, walked.n);
    assert_memory_equal(p->head.hash, walked.hash, sizeof walked.hash);
    assert_int_equal(add(p, "three"), DB_OK);
    assert_int_equal(walk(p, FIRST).n, 4);
}

static void test_a_chain_whose_end_was_cut_off_takes_nothing(void **state)
{
    struct place *p = *state;

    begin(p, FIRST);
    for (int i = 0; i < 3; i++)
        assert_int_equal(add(p, "Sign"), DB_OK);
    assert_int_equal(look(p), DB_OK);
    force(p, "DELETE FROM audit_log WHERE seq >= 3");
    assert_int_equal(add(p, "Sign"), DB_FAILED);
    assert_int_equal(look(p), DB_REFUSED);
    assert_int_equal(p->head.seq, 4);
    assert_int_equal(walk(p, FIRST).n, 2);
}

static void test_a_chain_whose_end_is_another_takes_nothing(void **state)
{
    struct place *p = *state;

    begin(p, FIRST);
    assert_int_equal(add(p, "Sign"), DB_OK);
    assert_int_equal(look(p), DB_OK);
    force(p, "UPDATE audit_log SET hash = prev WHERE seq = 2");
    assert_int_equal(add(p, "Sign"), DB_FAILED);
    assert_int_equal(look(p), DB_REFUSED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rows_are_chained),
        TEST(test_a_work_that_is_taken_back_leaves_no_gap),
        TEST(test_a_chain_that_never_began_takes_nothing),
        TEST(test_a_new_chain_names_the_heads_of_the_others),
        TEST(test_rows_are_not_changed_and_not_deleted),
        TEST(test_the_newest_committed_row_is_found),
        TEST(test_a_chain_whose_end_was_cut_off_takes_nothing),
        TEST(test_a_chain_whose_end_is_another_takes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
