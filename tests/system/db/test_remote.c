/* SPDX-License-Identifier: Apache-2.0 */
/* A database behind another process: the same results, values and errors as without; the other
 * process's end and nonsense from either side. */
#include "fixture.h"
#include "system/db/remote.h"
#include "system/db/remote_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const migrations[] = {
    "CREATE TABLE item (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, b BLOB)", NULL};

static struct db_place f;
static char error[DB_ERROR_MAX], told[DB_ERROR_MAX];
static pid_t other;

static int set_up(void **state)
{
    (void)state;
    db_place_make(&f);
    told[0] = error[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    db_place_remove(&f);
    return 0;
}

/* The other process; our end of its socket. */
static int start_other(void)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    other = fork();
    assert_true(other >= 0);
    if (other == 0) {
        close(ends[0]);
        db_remote_serve(ends[1]);
        _exit(0);
    }
    close(ends[1]);
    return ends[0];
}

static int end_of_other(void)
{
    int status;

    assert_int_equal(waitpid(other, &status, 0), other);
    return status;
}

static void note_lost(void *arg, const char *line)
{
    (void)arg;
    snprintf(told, sizeof told, "%s", line);
}

static struct db *open_remote(const char *url)
{
    struct db_params params = db_place_params(&f, migrations);
    char remote[512];

    snprintf(remote, sizeof remote, "remote:%d:%s", start_other(), url);
    params.url = remote;
    params.lost = note_lost;
    params.erases = true;
    return db_open(NULL, &params, error);
}

static struct db *open_it(void)
{
    struct db *db = open_remote(f.url);

    if (!db)
        fail_msg("%s", error);
    return db;
}

static void close_it(struct db *db)
{
    db_close(db);
    assert_int_equal(end_of_other(), 0);
}

static void test_results_are_the_same(void **state)
{
    struct db *db = open_it();
    struct item one = {.id = 1}, two = {.id = 2};

    (void)state;
    assert_int_equal(db_run(db, DB_DURABLE, item_insert, &one), DB_OK);
    assert_int_equal(db_run(db, DB_DURABLE, item_insert, &one), DB_CONFLICT);
    assert_int_equal(db_run(db, DB_DURABLE, item_insert_refuse, &two), DB_REFUSED);
    assert_int_equal(db_run(db, DB_READ, item_insert, &two), DB_FAILED);
    assert_int_equal(fixture_count(db), 1);
    close_it(db);
}

static enum db_result bad_sql(struct db_tx *tx, void *arg)
{
    return db_exec(tx, "INSERT INTO nowhere VALUES (1)", NULL, 0, arg);
}

static void test_errors_keep_their_lines(void **state)
{
    struct db *db = open_it();

    (void)state;
    assert_int_equal(db_run(db, DB_DURABLE, bad_sql, NULL), DB_FAILED);
    db_error(db, error);
    assert_non_null(strstr(error, "nowhere"));
    close_it(db);
    assert_null(open_remote("mysql:x"));
    assert_non_null(strstr(error, "sqlite:PATH"));
    assert_int_equal(end_of_other(), 0);
    assert_null(open_remote("remote:7:sqlite:x"));
    assert_int_equal(end_of_other(), 0);
}

struct seen {
    struct db_tx *tx;
    int64_t rows, inner, changed;
    bool right;
};

static bool count_inner(const struct db_row *row, void *arg)
{
    struct seen *seen = arg;

    seen->inner += db_get_int(row, 0);
    return true;
}

static bool take(const struct db_row *row, void *arg)
{
    struct seen *seen = arg;
    size_t len, none;
    const uint8_t *b = db_get_blob(row, 2, &len);

    seen->rows++;
    seen->right &=
        db_query(seen->tx, "SELECT count(*) FROM item", NULL, 0, count_inner, seen) == DB_OK;
    seen->right &= db_get_int(row, 0) == INT64_MIN && strcmp(db_get_text(row, 1), "n'\"") == 0;
    seen->right &= len == 3 && memcmp(b, "\0x\0", 3) == 0;
    seen->right &= db_is_null(row, 3) && !db_get_blob(row, 3, &none) && none == 0;
    seen->right &= strcmp(db_get_text(row, 3), "") == 0 && !strcmp(db_get_text(row, 4), "7");
    return true;
}

static enum db_result values(struct db_tx *tx, void *arg)
{
    struct seen *seen = arg;
    const struct db_value row[] = {db_int(INT64_MIN), db_text("n'\""), db_blob("\0x\0", 3)};
    enum db_result r =
        db_exec(tx, "INSERT INTO item (id, name, b) VALUES ($1, $2, $3)", row, 3, &seen->changed);

    seen->tx = tx;
    if (r != DB_OK)
        return r;
    return db_query(tx, "SELECT id, name, b, NULL, 7 FROM item", NULL, 0, take, seen);
}

static void test_values_and_rows_are_the_same(void **state)
{
    struct db *db = open_it();
    struct seen seen = {.right = true};

    (void)state;
    assert_int_equal(db_run(db, DB_DURABLE, values, &seen), DB_OK);
    assert_int_equal(seen.rows, 1);
    assert_int_equal(seen.inner, 1);
    assert_int_equal(seen.changed, 1);
    assert_true(seen.right);
    close_it(db);
}

static void test_end_of_the_other_process_is_told(void **state)
{
    struct db *db = open_it();
    struct item one = {.id = 1};

    (void)state;
    assert_int_equal(kill(other, SIGKILL), 0);
    (void)end_of_other();
    assert_int_equal(db_run(db, DB_DURABLE, item_insert, &one), DB_FAILED);
    assert_non_null(strstr(told, "process has ended"));
    db_close(db);
}

/* Looks until it is so; a look is every second. */
static void await_up(const struct db *db, bool is_up)
{
    while (db_is_up(db) != is_up)
        sched_yield();
}

static void test_a_server_that_is_waited_for_is_seen_without_work(void **state)
{
    struct db *db = open_it();
    struct item one = {.id = 1};

    (void)state;
    assert_int_equal(kill(other, SIGSTOP), 0);
    await_up(db, false);
    assert_int_equal(kill(other, SIGCONT), 0);
    await_up(db, true);
    assert_int_equal(db_run(db, DB_DURABLE, item_insert, &one), DB_OK);
    assert_int_equal(kill(other, SIGKILL), 0);
    (void)end_of_other();
    await_up(db, false);
    db_close(db);
    assert_non_null(strstr(told, "process has ended"));
}

/* Every answer is too short: |cut| numbers of it. */
static void answer_shortly(int fd, unsigned cut)
{
    struct buffer out = {0};
    struct wire question;

    while (wire_receive(fd, &question)) {
        for (unsigned i = 0; i < cut; i++)
            wire_put_int(&out, 0);
        (void)wire_send(fd, &out);
        free(question.b);
    }
    buffer_free(&out);
}

static void test_an_answer_that_is_cut_off_is_no_success(void **state)
{
    (void)state;
    for (unsigned cut = 0; cut < 4; cut++) {
        struct db_params params = db_place_params(&f, migrations);
        char remote[512];
        int ends[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        other = fork();
        if (other == 0) {
            close(ends[0]);
            answer_shortly(ends[1], cut);
            _exit(0);
        }
        close(ends[1]);
        snprintf(remote, sizeof remote, "remote:%d:%s", ends[0], f.url);
        params.url = remote;
        assert_null(db_open(NULL, &params, error));
        assert_string_equal(error, "the database's own process has ended");
        assert_int_equal(end_of_other(), 0);
    }
}

static void test_nonsense_ends_the_other_process(void **state)
{
    struct buffer b = {0};
    int fd;

    (void)state;
    for (int64_t what = -1; what < 12; what++) {
        fd = start_other();
        /* An opening without its fields; anything else before an opening. */
        wire_put_int(&b, what);
        (void)wire_send(fd, &b);
        assert_int_equal(end_of_other(), 0);
        close(fd);
    }
    fd = start_other();
    assert_int_equal(send(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, MSG_NOSIGNAL), 8);
    assert_int_equal(end_of_other(), 0);
    close(fd);
    buffer_free(&b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_results_are_the_same),
        TEST(test_errors_keep_their_lines),
        TEST(test_values_and_rows_are_the_same),
        TEST(test_end_of_the_other_process_is_told),
        TEST(test_a_server_that_is_waited_for_is_seen_without_work),
        TEST(test_an_answer_that_is_cut_off_is_no_success),
        TEST(test_nonsense_ends_the_other_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
