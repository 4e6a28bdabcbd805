/* SPDX-License-Identifier: Apache-2.0 */
/* What only a server has: several processes in one schema, reads beside writes, deadlocks, and a
 * transaction that cannot be run again. test_loss.py has the losses themselves. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const many[] = {
    "CREATE TABLE a (x INTEGER)", "CREATE TABLE b (seq INTEGER PRIMARY KEY, y BLOB)",
    "INSERT INTO a (x) VALUES (1)", "CREATE INDEX a_x ON a (x)", NULL};

static struct db_place f;
static char error[DB_ERROR_MAX];

static int set_up(void **state)
{
    (void)state;
    db_place_make(&f);
    error[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    db_place_remove(&f);
    return 0;
}

/* As another client of the server. */
static void sql(const char *format, const char *name)
{
    const char *const words[] = {"dbname", "password", NULL};
    const char *const values[] = {strchr(f.url, ':') + 1, getenv("DB_TEST_PASSWORD"), NULL};
    PGconn *c = PQconnectdbParams(words, values, 1);
    char text[256];
    PGresult *r;

    snprintf(text, sizeof text, format, name);
    r = PQexec(c, text);
    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
        fail_msg("%s", PQerrorMessage(c));
    PQclear(r);
    PQfinish(c);
}

static bool take_int(const struct db_row *row, void *arg)
{
    *(int64_t *)arg = db_get_int(row, 0);
    return false;
}

static enum db_result count_a(struct db_tx *tx, void *arg)
{
    return db_query(tx, "SELECT count(*) FROM a", NULL, 0, take_int, arg);
}

static void test_many_processes_migrate_at_once(void **state)
{
    const struct db_params params = db_place_params(&f, many);
    pid_t children[8];
    int64_t n = 0;
    struct db *db;

    (void)state;
    for (int i = 0; i < 8; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            db = db_open(NULL, &params, error);
            if (!db)
                fprintf(stderr, "%s\n", error);
            _exit(db ? 0 : 1);
        }
    }
    for (int i = 0; i < 8; i++) {
        int status;

        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    db = db_open(NULL, &params, error);
    assert_int_equal(db_run(db, DB_READ, count_a, &n), DB_OK);
    assert_int_equal(n, 1);
    db_close(db);
}

static enum db_result insert_numbered(struct db_tx *tx, void *arg)
{
    return db_query(tx, "INSERT INTO b (y) VALUES ($1) RETURNING seq",
                    (struct db_value[]){db_blob("", 0)}, 1, take_int, arg);
}

static void test_types_mean_what_they_mean_in_sqlite(void **state)
{
    const struct db_params params = db_place_params(&f, many);
    struct db *db = db_open(NULL, &params, error);
    int64_t first = 0, second = 0;

    (void)state;
    assert_non_null(db);
    assert_int_equal(db_run(db, DB_DURABLE, insert_numbered, &first), DB_OK);
    assert_int_equal(db_run(db, DB_DURABLE, insert_numbered, &second), DB_OK);
    assert_int_equal(second, first + 1);
    sql("INSERT INTO a (x) VALUES (9223372036854775807)%s", "");
    db_close(db);
}

static void test_what_is_for_one_process_has_one(void **state)
{
    struct db_params params = db_place_params(&f, many);
    struct db *db;

    (void)state;
    params.is_alone = true;
    db = db_open(NULL, &params, error);
    assert_non_null(db);
    assert_null(db_open(NULL, &params, error));
    assert_non_null(strstr(error, "in use by another process"));
    db_close(db);
    db = db_open(NULL, &params, error);
    assert_non_null(db);
    db_close(db);
}

static PGconn *client(void)
{
    const char *const words[] = {"dbname", "password", NULL};
    const char *const values[] = {strchr(f.url, ':') + 1, getenv("DB_TEST_PASSWORD"), NULL};

    return PQconnectdbParams(words, values, 1);
}

/* Until the server says so of itself. */
static void until_it_says(const char *question, const char *value)
{
    char text[16] = "";

    while (strcmp(text, value) != 0) {
        PGconn *c = client();
        PGresult *r = PQexec(c, question);

        snprintf(text, sizeof text, "%s", PQgetvalue(r, 0, 0));
        PQclear(r);
        PQfinish(c);
    }
}

/* Between the loss of a connection and the next one somebody else has come: this process ends,
 * however many tries it has. */
static void test_what_another_process_took_is_not_taken_back(void **state)
{
    struct db_params params = db_place_params(&f, many);
    struct db *db;
    PGconn *rival;
    PGresult *r;
    int64_t n;

    (void)state;
    params.is_alone = true;
    params.retry = (struct retry){.step_ms = 10, .cap_ms = 10, .max = 100000};
    db = db_open(NULL, &params, error);
    assert_non_null(db);
    rival = client();
    assert_true(PQsendQuery(rival, "SELECT pg_advisory_lock(hashtextextended('quorate alone ' ||"
                                   " current_schema(), 0))"));
    until_it_says("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", "1");
    sql("SELECT pg_terminate_backend(pid, 60000) FROM pg_locks WHERE locktype = 'advisory' AND"
        " granted%s",
        "");
    while ((r = PQgetResult(rival))) {
        assert_int_equal(PQresultStatus(r), PGRES_TUPLES_OK);
        PQclear(r);
    }
    assert_int_not_equal(db_run(db, DB_DURABLE, count_a, &n), DB_OK);
    db_error(db, error);
    assert_non_null(strstr(error, "in use by another process"));
    db_close(db);
    PQfinish(rival);
}

static void note_lost(void *arg, const char *line)
{
    snprintf(arg, DB_ERROR_MAX, "%s", line);
}

/* Claims, says so, waits to be told to go on. 0: it ended because of what came between. */
static int be_stopped(int to_parent)
{
    struct db_params params = db_place_params(&f, many);
    char told[DB_ERROR_MAX] = "";
    struct db *db;
    int64_t n;
    enum db_result result;

    params.lost = note_lost;
    params.lost_arg = told;
    params.is_alone = true;
    params.retry = (struct retry){.step_ms = 10, .cap_ms = 10, .max = 100000};
    db = db_open(NULL, &params, error);
    if (!db || write(to_parent, "x", 1) != 1 || raise(SIGSTOP) != 0)
        return 2;
    result = db_run(db, DB_DURABLE, count_a, &n);
    return result != DB_OK && strstr(told, "by another process meanwhile") ? 0 : 1;
}

/* Nobody holds the schema any more, but somebody did. */
static void test_what_another_process_had_meanwhile_is_not_gone_on_with(void **state)
{
    struct db_params params = db_place_params(&f, many);
    struct db *db;
    int ends[2], status;
    char byte;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0)
        _exit(be_stopped(ends[1]));
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(WIFSTOPPED(status));
    sql("SELECT pg_terminate_backend(pid, 60000) FROM pg_locks WHERE locktype = 'advisory' AND"
        " granted%s",
        "");
    params.is_alone = true;
    db = db_open(NULL, &params, error);
    assert_non_null(db);
    db_close(db);
    assert_int_equal(kill(child, SIGCONT), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(ends[0]);
    close(ends[1]);
}

/* Lost and claimed again, with nobody between. */
static void test_a_claim_that_nobody_took_is_made_again(void **state)
{
    struct db_params params = db_place_params(&f, many);
    struct db *db;
    int64_t n;

    (void)state;
    params.is_alone = true;
    params.retry = (struct retry){.step_ms = 10, .cap_ms = 10, .max = 100000};
    db = db_open(NULL, &params, error);
    assert_non_null(db);
    sql("SELECT pg_terminate_backend(pid, 60000) FROM pg_locks WHERE locktype = 'advisory' AND"
        " granted%s",
        "");
    assert_int_equal(db_run(db, DB_DURABLE, count_a, &n), DB_OK);
    db_close(db);
}

static void set_fsync(const char *value)
{
    sql("ALTER SYSTEM SET fsync = %s", value);
    sql("SELECT pg_reload_conf()%s", "");
    until_it_says("SHOW fsync", value);
}

static void test_a_party_has_no_server_that_loses_commits(void **state)
{
    struct db_params params = db_place_params(&f, many);
    struct db *db;

    (void)state;
    set_fsync("off");
    db = db_open(NULL, &params, error);
    params.is_alone = true;
    assert_null(db_open(NULL, &params, error));
    set_fsync("on");
    assert_non_null(strstr(error, "fsync is off"));
    assert_non_null(db);
    db_close(db);
    db = db_open(NULL, &params, error);
    assert_non_null(db);
    db_close(db);
}

/* Of programs like this one: [0] how many, [1] since when, in microseconds of the server's clock. */
static enum db_result end_sessions(struct db_tx *tx, void *arg)
{
    int64_t *out = arg;
    enum db_result r =
        db_query(tx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint", NULL, 0,
                 take_int, &out[1]);

    if (r != DB_OK)
        return r;
    return db_query(tx,
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE application_name LIKE 'quorate %' AND pid <> pg_backend_pid()",
                    NULL, 0, take_int, &out[0]);
}

static enum db_result count_since(struct db_tx *tx, void *arg)
{
    int64_t *out = arg;
    const struct db_value since = db_int(out[1]);

    return db_query(tx,
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'quorate %'"
                    " AND extract(epoch FROM backend_start) * 1000000 > $1",
                    &since, 1, take_int, &out[0]);
}

/* Nobody submits anything to |idle|: it finds its server again all the same, and would have told
 * meanwhile that it is gone. */
static void test_a_loss_is_seen_without_work(void **state)
{
    const struct db_params params = db_place_params(&f, many);
    struct db *idle, *other;
    int64_t sessions[2] = {0, 0};

    (void)state;
    /* those of the test before may not be gone yet */
    until_it_says("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'quorate %'",
                  "0");
    idle = db_open(NULL, &params, error);
    other = db_open(NULL, &params, error);
    assert_non_null(idle);
    assert_non_null(other);
    assert_int_equal(db_run(other, DB_DURABLE, end_sessions, sessions), DB_OK);
    assert_int_equal(sessions[0], 3); /* both of |idle|, and the other one of |other| */
    do
        assert_int_equal(db_run(other, DB_DURABLE, count_since, sessions), DB_OK);
    while (sessions[0] < 3);
    db_close(idle);
    db_close(other);
}

/* Two threads that wait for each other. */
struct gate {
    pthread_barrier_t both;
    struct db *db;
    const char *first, *second;
    enum db_result result;
    int64_t seen;
};

static enum db_result write_and_wait(struct db_tx *tx, void *arg)
{
    struct gate *g = arg;
    int64_t changed;
    enum db_result r = db_exec(tx, "INSERT INTO a (x) VALUES (2)", NULL, 0, &changed);

    pthread_barrier_wait(&g->both);
    pthread_barrier_wait(&g->both);
    return r;
}

static void test_reads_run_beside_a_write(void **state)
{
    const struct db_params params = db_place_params(&f, many);
    struct db *db = db_open(NULL, &params, error);
    struct gate g = {0};
    int64_t n = 0;

    (void)state;
    pthread_barrier_init(&g.both, NULL, 2);
    db_submit(db, DB_DURABLE, write_and_wait, NULL, &g);
    pthread_barrier_wait(&g.both);
    assert_int_equal(db_run(db, DB_READ, count_a, &n), DB_OK);
    assert_int_equal(n, 1);
    pthread_barrier_wait(&g.both);
    assert_int_equal(db_run(db, DB_DURABLE, count_a, &n), DB_OK);
    assert_int_equal(db_run(db, DB_READ, count_a, &n), DB_OK);
    assert_int_equal(n, 2);
    db_close(db);
    pthread_barrier_destroy(&g.both);
}

static enum db_result read_and_wait(struct db_tx *tx, void *arg)
{
    struct gate *g = arg;
    enum db_result r = count_a(tx, &g->seen);

    pthread_barrier_wait(&g->both);
    pthread_barrier_wait(&g->both);
    return r;
}

static enum db_result insert_a(struct db_tx *tx, void *arg)
{
    (void)arg;
    return db_exec(tx, "INSERT INTO a (x) VALUES (2)", NULL, 0, NULL);
}

static char order[8];

static void note_read(void *arg, enum db_result result)
{
    (void)arg;
    assert_int_equal(result, DB_OK);
    strcat(order, "r");
}

static void note_write(void *arg, enum db_result result)
{
    (void)arg;
    assert_int_equal(result, DB_OK);
    strcat(order, "w");
}

/* The read began before the commit and ends after it: it must not come as news of later. */
static void test_a_read_without_a_write_is_told_before_it(void **state)
{
    const struct db_params params = db_place_params(&f, many);
    struct db *db, *other;
    struct gate g = {0};
    uv_loop_t loop;
    int64_t n = 0;

    (void)state;
    order[0] = '\0';
    assert_int_equal(uv_loop_init(&loop), 0);
    pthread_barrier_init(&g.both, NULL, 2);
    db = db_open(&loop, &params, error);
    other = db_open(NULL, &params, error);
    db_submit(db, DB_READ, read_and_wait, note_read, &g);
    pthread_barrier_wait(&g.both);
    db_submit(db, DB_DURABLE, insert_a, note_write, &g);
    while (n < 2)
        assert_int_equal(db_run(other, DB_READ, count_a, &n), DB_OK);
    pthread_barrier_wait(&g.both);
    while (strlen(order) < 2)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(g.seen, 1);
    assert_string_equal(order, "rw");
    db_close(db);
    db_close(other);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    pthread_barrier_destroy(&g.both);
}

static pthread_barrier_t crossing;

static enum db_result update_two(struct db_tx *tx, void *arg)
{
    const struct gate *g = arg;
    int64_t changed;
    enum db_result r = db_exec(tx, g->first, NULL, 0, &changed);

    pthread_barrier_wait(&crossing);
    return r == DB_OK ? db_exec(tx, g->second, NULL, 0, &changed) : r;
}

static void *cross(void *arg)
{
    struct gate *g = arg;

    g->result = db_run(g->db, DB_DURABLE, update_two, g);
    return NULL;
}

static void test_a_deadlock_is_nobodys_failure(void **state)
{
    static const char one[] = "UPDATE a SET x = x + 10 WHERE x % 10 = 1";
    static const char two[] = "UPDATE a SET x = x + 10 WHERE x % 10 = 2";
    const struct db_params params = db_place_params(&f, many);
    struct gate g[2] = {{.first = one, .second = two}, {.first = two, .second = one}};
    pthread_t threads[2];
    struct db *dbs[2];

    (void)state;
    pthread_barrier_init(&crossing, NULL, 2);
    for (int i = 0; i < 2; i++) {
        dbs[i] = g[i].db = db_open(NULL, &params, error);
        assert_non_null(dbs[i]);
    }
    sql("INSERT INTO a (x) VALUES (2)%s", "");
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, cross, &g[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(g[i].result, DB_OK);
    }
    sql("DO $$ BEGIN IF (SELECT sum(x) FROM a) <> 43 THEN RAISE 'wrong'; END IF; END $$%s", "");
    for (int i = 0; i < 2; i++)
        db_close(dbs[i]);
    pthread_barrier_destroy(&crossing);
}

/* Meanwhile the row that was seen changes, and the connection is lost. */
static enum db_result read_then_lose(struct db_tx *tx, void *arg)
{
    int64_t *n = arg;
    enum db_result r = count_a(tx, n);

    sql("INSERT INTO a (x) VALUES (3)%s", "");
    sql("SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_class ON pg_class.oid = relation"
        " JOIN pg_namespace s ON s.oid = relnamespace WHERE relname = 'a' AND nspname = '%s'",
        f.schema);
    return r == DB_OK ? db_exec(tx, "UPDATE a SET x = 5", NULL, 0, NULL) : r;
}

/* The same without a change. */
static enum db_result lose(struct db_tx *tx, void *arg)
{
    int64_t *n = arg;
    enum db_result r = count_a(tx, n);

    sql("SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_class ON pg_class.oid = relation"
        " JOIN pg_namespace s ON s.oid = relnamespace WHERE relname = 'a' AND nspname = '%s'",
        f.schema);
    return r == DB_OK ? db_exec(tx, "UPDATE a SET x = 5", NULL, 0, NULL) : r;
}

static enum db_result read_then_write(struct db_tx *tx, void *arg)
{
    enum db_result r = count_a(tx, arg);

    return r == DB_OK ? db_exec(tx, "UPDATE a SET x = 5", NULL, 0, NULL) : r;
}

/* Has nothing to say to the server: the next that goes there is the commit. */
static enum db_result change_and_cut(struct db_tx *tx, void *arg)
{
    (void)tx;
    sql("INSERT INTO a (x) VALUES (%s)", arg);
    sql("SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_class ON pg_class.oid = relation"
        " JOIN pg_namespace s ON s.oid = relnamespace WHERE relname = 'a' AND nspname = '%s'",
        f.schema);
    return DB_OK;
}

/* A commit that is sent again after a loss is sent alone. */
static void test_what_was_seen_must_still_be_so_at_the_commit(void **state)
{
    struct db_params params = db_place_params(&f, many);
    struct gate g = {0};
    int64_t n = 0;

    (void)state;
    pthread_barrier_init(&g.both, NULL, 2);
    params.retry = (struct retry){.step_ms = 1, .cap_ms = 10, .max = 100};
    g.db = db_open(NULL, &params, error);
    assert_non_null(g.db);
    db_submit(g.db, DB_DURABLE, read_and_wait, NULL, &g);
    pthread_barrier_wait(&g.both);
    db_submit(g.db, DB_DURABLE, read_then_write, NULL, &n);
    db_submit(g.db, DB_DURABLE, change_and_cut, NULL, "7");
    pthread_barrier_wait(&g.both);
    db_close(g.db);
    assert_int_equal(n, 1);
    sql("DO $$ BEGIN IF EXISTS (SELECT FROM a WHERE x = 5) THEN RAISE 'written'; END IF; END $$%s",
        "");
    pthread_barrier_destroy(&g.both);
}

static enum db_result fence_a(struct db_tx *tx, void *arg)
{
    return db_must(tx, "SELECT 1 FROM a WHERE x = $1 FOR SHARE",
                   (struct db_value[]){db_int(*(int64_t *)arg)}, 1);
}

static enum db_result insert_b(struct db_tx *tx, void *arg)
{
    return db_exec(tx, "INSERT INTO b (y) VALUES ($1)",
                   (struct db_value[]){db_blob(arg, sizeof(int64_t))}, 1, NULL);
}

/* Every work here may be put off: fence, works and commit go to the server together. */
static void test_behind_a_lost_fence_nothing_is_written(void **state)
{
    const struct db_params params = db_place_params(&f, many);
    struct db *db = db_open(NULL, &params, error);
    int64_t fence = 1;

    (void)state;
    assert_non_null(db);
    db_fence(db, fence_a, &fence, "the fence is gone");
    for (int i = 0; i < 3; i++)
        assert_int_equal(db_run(db, DB_DURABLE, insert_b, &fence), DB_OK);
    sql("UPDATE a SET x = 2%s", "");
    assert_int_equal(db_run(db, DB_DURABLE, insert_b, &fence), DB_FAILED);
    db_error(db, error);
    assert_string_equal(error, "the fence is gone");
    /* even if it were there again */
    sql("UPDATE a SET x = 1%s", "");
    assert_int_equal(db_run(db, DB_DURABLE, insert_b, &fence), DB_FAILED);
    db_close(db);
    sql("DO $$ BEGIN IF (SELECT count(*) FROM b) <> 3 THEN RAISE 'written'; END IF; END $$%s", "");
}

static void test_what_was_seen_must_still_be_so(void **state)
{
    struct db_params params = db_place_params(&f, many);
    struct db *db;
    int64_t n = 0;

    (void)state;
    params.retry = (struct retry){.step_ms = 1, .cap_ms = 10, .max = 100};
    db = db_open(NULL, &params, error);
    assert_non_null(db);
    assert_int_equal(db_run(db, DB_DURABLE, lose, &n), DB_OK);
    assert_int_equal(n, 1);
    assert_int_equal(db_run(db, DB_DURABLE, read_then_lose, &n), DB_FAILED);
    db_error(db, error);
    assert_non_null(strstr(error, "changed by others"));
    assert_int_equal(db_run(db, DB_DURABLE, lose, &n), DB_OK);
    assert_int_equal(n, 2);
    db_close(db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_many_processes_migrate_at_once),
        TEST(test_types_mean_what_they_mean_in_sqlite),
        TEST(test_what_is_for_one_process_has_one),
        TEST(test_what_another_process_took_is_not_taken_back),
        TEST(test_what_another_process_had_meanwhile_is_not_gone_on_with),
        TEST(test_a_claim_that_nobody_took_is_made_again),
        TEST(test_a_party_has_no_server_that_loses_commits),
        TEST(test_a_loss_is_seen_without_work),
        TEST(test_reads_run_beside_a_write),
        TEST(test_a_read_without_a_write_is_told_before_it),
        TEST(test_a_deadlock_is_nobodys_failure),
        TEST(test_behind_a_lost_fence_nothing_is_written),
        TEST(test_what_was_seen_must_still_be_so),
        TEST(test_what_was_seen_must_still_be_so_at_the_commit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
