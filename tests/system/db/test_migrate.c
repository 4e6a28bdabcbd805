/* SPDX-License-Identifier: Apache-2.0 */
/* Migrations: once each, whole or not at all, never backwards. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

static struct db_place f;
static char error[DB_ERROR_MAX];

static int set_up(void **state)
{
    (void)state;
    db_place_make(&f);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    db_place_remove(&f);
    return 0;
}

static struct db *open_with(const char *const *migrations)
{
    const struct db_params params = db_place_params(&f, migrations);

    error[0] = '\0';
    return db_open(NULL, &params, error);
}

static enum db_result insert(struct db_tx *tx, void *arg)
{
    (void)arg;
    return db_exec(tx, "INSERT INTO a (x) VALUES (1)", NULL, 0, NULL);
}

static const char *const one[] = {"CREATE TABLE a (x BIGINT); CREATE TABLE b (x BIGINT)", NULL};
static const char *const two[] = {"CREATE TABLE a (x BIGINT); CREATE TABLE b (x BIGINT)",
                                  "ALTER TABLE a ADD COLUMN y BIGINT", NULL};
static const char *const half[] = {"CREATE TABLE a (x BIGINT); CREATE TABLE b (x BIGINT)",
                                   "ALTER TABLE a ADD COLUMN y BIGINT; NONSENSE", NULL};

static void test_runs_each_once(void **state)
{
    struct db *db;

    (void)state;
    for (int i = 0; i < 2; i++) {
        db = open_with(one);
        assert_non_null(db);
        assert_int_equal(db_run(db, DB_DURABLE, insert, NULL), DB_OK);
        db_close(db);
    }
    for (int i = 0; i < 2; i++) {
        db = open_with(two);
        assert_non_null(db);
        assert_int_equal(db_commits(db), 0);
        db_close(db);
    }
}

static void test_newer_database_is_refused(void **state)
{
    (void)state;
    db_close(open_with(two));
    assert_null(open_with(one));
    assert_non_null(strstr(error, "version 2"));
    assert_null(strchr(error, '\n'));
    assert_non_null(strstr(error, "newer program"));
}

/* The first statement of the broken one must be gone, or the good one could not run. */
static void test_half_run_migration_leaves_nothing(void **state)
{
    struct db *db;

    (void)state;
    assert_null(open_with(half));
    assert_non_null(strstr(error, "migration 2"));
    assert_non_null(strstr(error, "NONSENSE"));
    db = open_with(two);
    assert_non_null(db);
    db_close(db);
}

static void test_no_migrations_at_all(void **state)
{
    struct db *db = open_with(NULL);

    (void)state;
    assert_non_null(db);
    db_close(db);
}

static const char *const kinds[] = {
    "CREATE TABLE kind (name TEXT NOT NULL)",
    "--only file:\nINSERT INTO kind VALUES ('file'); CREATE TABLE more (n BLOB);",
    "--only server:\nINSERT INTO kind VALUES ('server'); CREATE TABLE more (n BLOB);", NULL};

static bool take_kind(const struct db_row *row, void *arg)
{
    db_copy_text(arg, 16, row, 0);
    return true;
}

static enum db_result read_kind(struct db_tx *tx, void *arg)
{
    return db_query(tx, "SELECT name FROM kind", NULL, 0, take_kind, arg);
}

static void test_a_migration_for_one_kind_is_nothing_to_the_other(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct db *db = open_with(kinds);
        char name[16] = "";

        assert_non_null(db);
        assert_int_equal(db_run(db, DB_READ, read_kind, name), DB_OK);
        assert_string_equal(name, db_place_is_server() ? "server" : "file");
        db_close(db);
    }
}

static bool take_count(const struct db_row *row, void *arg)
{
    *(int64_t *)arg = db_get_int(row, 0);
    return true;
}

static enum db_result count(struct db_tx *tx, void *arg)
{
    return db_query(tx, "SELECT count(*) FROM a", NULL, 0, take_count, arg);
}

/* Beside the one that has it, and without a change of anything. */
static void test_a_reader_takes_the_database_as_it_is(void **state)
{
    struct db_params params = db_place_params(&f, two);
    struct db *db = open_with(one), *reader;
    int64_t n = 0;

    (void)state;
    assert_non_null(db);
    assert_int_equal(db_run(db, DB_DURABLE, insert, NULL), DB_OK);
    params.reads_only = true;
    reader = db_open(NULL, &params, error);
    assert_non_null(reader);
    assert_int_equal(db_run(reader, DB_READ, count, &n), DB_OK);
    assert_int_equal(n, 1);
    assert_int_equal(db_run(reader, DB_READ, insert, NULL), DB_FAILED);
    db_close(reader);
    db_close(db);
    db = open_with(one); /* still of version 1 */
    assert_non_null(db);
    db_close(db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_runs_each_once),
        TEST(test_newer_database_is_refused),
        TEST(test_half_run_migration_leaves_nothing),
        TEST(test_no_migrations_at_all),
        TEST(test_a_migration_for_one_kind_is_nothing_to_the_other),
        TEST(test_a_reader_takes_the_database_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
