/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite driver: settings, one process per file, damaged, full and unusable files. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

static struct db *open_any(const char *url)
{
    const struct db_params params = {.url = url};

    error[0] = '\0';
    return db_open(NULL, &params, error);
}

static bool take_text(const struct db_row *row, void *arg)
{
    snprintf(arg, 32, "%s", db_get_text(row, 0));
    return false;
}

struct ask {
    const char *sql;
    char answer[32];
};

static enum db_result ask(struct db_tx *tx, void *arg)
{
    struct ask *a = arg;

    return db_query(tx, a->sql, NULL, 0, take_text, a->answer);
}

static void expect(struct db *db, const char *sql, const char *answer)
{
    struct ask a = {.sql = sql};

    assert_int_equal(db_run(db, DB_DURABLE, ask, &a), DB_OK);
    assert_string_equal(a.answer, answer);
}

static void test_settings_make_commits_durable(void **state)
{
    struct db *db = fixture_open(&f, NULL);

    (void)state;
    expect(db, "PRAGMA journal_mode", "wal");
    expect(db, "PRAGMA synchronous", "2");
    expect(db, "PRAGMA foreign_keys", "1");
    db_close(db);
}

static void test_file_is_the_owners_alone(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    mode_t old = umask(0);
    struct db *db = fixture_open(&f, NULL);
    struct stat st;
    char name[96];

    (void)state;
    umask(old);
    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%s", f.path, ends[i]);
        assert_int_equal(stat(name, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    db_close(db);
}

static void test_two_programs_cannot_share_a_file(void **state)
{
    struct db *db = fixture_open(&f, NULL);
    pid_t pid;
    int status;

    (void)state;
    pid = fork();
    if (pid == 0)
        _exit(open_any(f.url) == NULL && strstr(error, "in use by another process") ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_null(open_any(f.url));
    db_close(db);
    db = fixture_open(&f, NULL);
    db_close(db);
}

static void write_file(const char *path, size_t at, const char *b, size_t len)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, b, len, (off_t)at), len);
    close(fd);
}

static void expect_one_line(const char *part)
{
    assert_non_null(strstr(error, part));
    assert_null(strchr(error, '\n'));
}

static void test_damaged_file_is_refused_with_a_line(void **state)
{
    static const char noise[4096] = "this is no database, and it is long enough to be looked at";

    (void)state;
    write_file(f.path, 0, noise, sizeof noise);
    assert_null(open_any(f.url));
    expect_one_line("not a database: restore it from a backup");
    expect_one_line(f.path);
}

/* The table's own page is noise: works fail, the database closes. */
static void test_damage_found_later_fails_works(void **state)
{
    static char noise[4096];
    struct db *db = fixture_open(&f, NULL);
    struct item one = {.id = 1};

    (void)state;
    assert_int_equal(db_run(db, DB_DURABLE, item_insert, &one), DB_OK);
    db_close(db);
    memset(noise, 0x5a, sizeof noise);
    for (size_t page = 1; page < 6; page++)
        write_file(f.path, page * 4096, noise, sizeof noise);
    db = open_any(f.url);
    if (db) {
        one.id = 2;
        assert_int_equal(db_run(db, DB_DURABLE, item_insert, &one), DB_FAILED);
        db_error(db, error);
        db_close(db);
    }
    expect_one_line("malformed");
}

static void test_directory_that_is_not_there(void **state)
{
    char url[128];

    (void)state;
    snprintf(url, sizeof url, "sqlite:%s/none/x.db", f.dir);
    assert_null(open_any(url));
    expect_one_line("No such file or directory (see DATA_DIR)");
}

static enum db_result fill(struct db_tx *tx, void *arg)
{
    char name[64];
    struct item *item = arg;

    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "a name that fills pages %lld", (long long)item->id);
        if (db_exec(tx, "INSERT INTO item (id, name) VALUES ($1, $2)",
                    (struct db_value[]){db_int(item->id++), db_text(name)}, 2, NULL) != DB_OK)
            return DB_FAILED;
    }
    return DB_OK;
}

static void test_full_database_fails_works_and_lives_on(void **state)
{
    struct db *db = fixture_open(&f, NULL);
    struct item many = {.id = 1000}, one = {.id = 1};
    struct ask limit = {.sql = "PRAGMA max_page_count=40"};

    (void)state;
    assert_int_equal(db_run(db, DB_READ, ask, &limit), DB_OK);
    assert_int_equal(db_run(db, DB_DURABLE, fill, &many), DB_FAILED);
    db_error(db, error);
    expect_one_line("make room");
    assert_true(db_is_full(db));
    assert_false(db_is_up(db));
    assert_int_equal(db_run(db, DB_DURABLE, item_insert, &one), DB_OK);
    assert_false(db_is_full(db));
    assert_true(db_is_up(db));
    assert_int_equal(fixture_count(db), 1);
    db_close(db);
}

/* Nobody writes meanwhile: the database finds out by itself. */
static void test_room_is_found_again_without_works(void **state)
{
    struct db *db = fixture_open(&f, NULL);
    struct item many = {.id = 1000};
    struct ask limit = {.sql = "PRAGMA max_page_count=40"};

    (void)state;
    assert_int_equal(db_run(db, DB_READ, ask, &limit), DB_OK);
    assert_int_equal(db_run(db, DB_DURABLE, fill, &many), DB_FAILED);
    assert_true(db_is_full(db));
    while (!db_is_up(db))
        assert_int_equal(fixture_count(db), 0);
    assert_false(db_is_full(db));
    db_close(db);
}

/* No file may grow beyond 200 kB: what a full disk does, write(2) by write(2). */
static int fill_the_disk(void)
{
    const struct rlimit limit = {200000, 200000};
    struct db *db = fixture_open(&f, NULL);
    struct item many = {.id = 1000};
    enum db_result result;

    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 2;
    result = db_run(db, DB_DURABLE, fill, &many);
    db_error(db, error);
    db_close(db);
    return result == DB_FAILED && error[0] && !strchr(error, '\n') ? 0 : 1;
}

static void test_full_disk_takes_the_work_back(void **state)
{
    struct db *db = fixture_open(&f, NULL);
    struct item one = {.id = 1};
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(db_run(db, DB_DURABLE, item_insert, &one), DB_OK);
    db_close(db);
    pid = fork();
    if (pid == 0)
        _exit(fill_the_disk());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    db = fixture_open(&f, NULL);
    assert_int_equal(fixture_count(db), 1);
    db_close(db);
}

/* More texts than are kept, and one that runs inside itself. */
static bool ask_again(const struct db_row *row, void *arg);

struct nested {
    struct db_tx *tx;
    int depth;
};

static const char nested_sql[] = "SELECT 1 FROM item WHERE id = $1";

static bool ask_again(const struct db_row *row, void *arg)
{
    struct nested *n = arg;

    (void)row;
    if (++n->depth < 5)
        assert_int_equal(
            db_query(n->tx, nested_sql, (struct db_value[]){db_int(1)}, 1, ask_again, n), DB_OK);
    return true;
}

static enum db_result run_nested(struct db_tx *tx, void *arg)
{
    struct nested n = {.tx = tx};

    (void)arg;
    assert_int_equal(db_query(tx, nested_sql, (struct db_value[]){db_int(1)}, 1, ask_again, &n),
                     DB_OK);
    return n.depth == 5 ? DB_OK : DB_REFUSED;
}

static enum db_result run_many(struct db_tx *tx, void *arg)
{
    char sql[64], answer[32];

    (void)arg;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 300; i++) {
            snprintf(sql, sizeof sql, "SELECT %d", i);
            if (db_query(tx, sql, NULL, 0, take_text, answer) != DB_OK ||
                strcmp(answer, sql + sizeof "SELECT " - 1) != 0)
                return DB_REFUSED;
        }
    return DB_OK;
}

static void test_statements_are_kept_and_may_nest(void **state)
{
    struct db *db = fixture_open(&f, NULL);
    struct item one = {.id = 1};

    (void)state;
    assert_int_equal(db_run(db, DB_DURABLE, item_insert, &one), DB_OK);
    assert_int_equal(db_run(db, DB_READ, run_nested, NULL), DB_OK);
    assert_int_equal(db_run(db, DB_READ, run_many, NULL), DB_OK);
    db_close(db);
}

static enum db_result two_statements(struct db_tx *tx, void *arg)
{
    (void)arg;
    return db_exec(tx, "DELETE FROM item; DELETE FROM item", NULL, 0, NULL);
}

static void test_one_text_is_one_statement(void **state)
{
    struct db *db = fixture_open(&f, NULL);

    (void)state;
    assert_int_equal(db_run(db, DB_DURABLE, two_statements, NULL), DB_FAILED);
    db_error(db, error);
    expect_one_line("not one statement");
    db_close(db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_settings_make_commits_durable),
        TEST(test_file_is_the_owners_alone),
        TEST(test_two_programs_cannot_share_a_file),
        TEST(test_damaged_file_is_refused_with_a_line),
        TEST(test_damage_found_later_fails_works),
        TEST(test_directory_that_is_not_there),
        TEST(test_full_database_fails_works_and_lives_on),
        TEST(test_room_is_found_again_without_works),
        TEST(test_full_disk_takes_the_work_back),
        TEST(test_statements_are_kept_and_may_nest),
        TEST(test_one_text_is_one_statement),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
