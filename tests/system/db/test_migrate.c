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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_runs_each_once),
        TEST(test_newer_database_is_refused),
        TEST(test_half_run_migration_leaves_nothing),
        TEST(test_no_migrations_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
