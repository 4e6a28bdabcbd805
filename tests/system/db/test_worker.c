/* SPDX-License-Identifier: Apache-2.0 */
/* Group commit: works share commits, each keeps its own end, and what was told is on the disk. */
#include "fixture.h"
#include "system/db/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* A read that keeps the only thread busy until the gate opens: what is submitted behind it waits
 * together. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool is_entered, is_open;
};

static enum db_result wait_at_gate(struct db_tx *tx, void *arg)
{
    struct gate *g = arg;

    (void)tx;
    pthread_mutex_lock(&g->lock);
    g->is_entered = true;
    pthread_cond_broadcast(&g->moved);
    while (!g->is_open)
        pthread_cond_wait(&g->moved, &g->lock);
    pthread_mutex_unlock(&g->lock);
    return DB_OK;
}

static void enter_gate(struct db *db, struct gate *g)
{
    *g = (struct gate){.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
    db_submit(db, DB_READ, wait_at_gate, NULL, g);
    pthread_mutex_lock(&g->lock);
    while (!g->is_entered)
        pthread_cond_wait(&g->moved, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void open_gate(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->is_open = true;
    pthread_cond_broadcast(&g->moved);
    pthread_mutex_unlock(&g->lock);
}

static void test_works_that_wait_together_share_one_commit(void **state)
{
    struct db *db = fixture_open(&f, &loop);
    struct item items[100] = {{0}};
    struct gate gate;

    (void)state;
    enter_gate(db, &gate);
    for (int i = 0; i < 100; i++) {
        items[i].id = i;
        db_submit(db, i % 2 ? DB_LAZY : DB_DURABLE, item_insert, note, &items[i]);
    }
    assert_int_equal(db_queue(db), 100);
    open_gate(&gate);
    db_close(db);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(items[i].done_n, 1);
        assert_int_equal(items[i].result, DB_OK);
    }
    db = fixture_open(&f, NULL);
    assert_int_equal(fixture_count(db), 100);
    db_close(db);
}

static void test_one_commit_is_counted_for_a_batch(void **state)
{
    struct db *db = fixture_open(&f, NULL);
    struct item items[50] = {{0}}, last = {.id = 1000};
    struct gate gate;

    (void)state;
    enter_gate(db, &gate);
    for (int i = 0; i < 50; i++) {
        items[i].id = i;
        db_submit(db, DB_DURABLE, item_insert, NULL, &items[i]);
    }
    open_gate(&gate);
    assert_int_equal(db_run(db, DB_DURABLE, item_insert, &last), DB_OK);
    assert_in_range(db_commits(db), 1, 2);
    assert_int_equal(fixture_count(db), 51);
    assert_in_range(db_commits(db), 1, 2);
    db_close(db);
}

static void *insert_100(void *arg)
{
    static int64_t next;
    struct db *db = arg;

    for (int i = 0; i < 100; i++) {
        struct item item = {.id = __atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST)};

        if (db_run(db, DB_DURABLE, item_insert, &item) != DB_OK)
            return arg;
    }
    return NULL;
}

static void test_many_threads_share_commits(void **state)
{
    struct db *db = fixture_open(&f, NULL);
    pthread_t threads[32];

    (void)state;
    for (int i = 0; i < 32; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, insert_100, db), 0);
    for (int i = 0; i < 32; i++) {
        void *failed;

        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(fixture_count(db), 3200);
    print_message("3200 works, %llu commits\n", (unsigned long long)db_commits(db));
    assert_true(db_commits(db) < 3200 / 4);
    db_close(db);
}

static void test_work_that_fails_takes_only_itself_back(void **state)
{
    struct db *db = fixture_open(&f, &loop);
    struct item a = {.id = 1}, twice = {.id = 1}, refused = {.id = 2}, b = {.id = 3};
    struct gate gate;

    (void)state;
    enter_gate(db, &gate);
    db_submit(db, DB_DURABLE, item_insert, note, &a);
    db_submit(db, DB_DURABLE, item_insert, note, &twice);
    db_submit(db, DB_DURABLE, item_insert_refuse, note, &refused);
    db_submit(db, DB_DURABLE, item_insert, note, &b);
    open_gate(&gate);
    db_close(db);
    assert_int_equal(a.result, DB_OK);
    assert_int_equal(twice.result, DB_CONFLICT);
    assert_int_equal(refused.result, DB_REFUSED);
    assert_int_equal(b.result, DB_OK);
    db = fixture_open(&f, NULL);
    assert_int_equal(fixture_count(db), 2);
    db_close(db);
}

/* What a work of a mixed batch does. Only the last one asks for anything. */
enum kind { INSERTS, REPEATS, CHANGES, MISSES, BREAKS, REFUSES, COUNTS, KINDS_N };

struct mixed {
    struct item item;
    enum kind kind;
    int64_t seen;
};

static enum db_result insert_nameless(struct db_tx *tx, int64_t id)
{
    return db_exec(tx, "INSERT INTO item (id, name) VALUES ($1, $2)",
                   (struct db_value[]){db_int(id), db_text(NULL)}, 2, NULL);
}

static enum db_result change_name(struct db_tx *tx, int64_t id)
{
    return db_must(tx, "UPDATE item SET name = name WHERE id = $1", (struct db_value[]){db_int(id)},
                   1);
}

/* Each begins with an insertion, which must go if the work does not end well. */
static enum db_result do_mixed(struct db_tx *tx, void *arg)
{
    struct mixed *m = arg;
    enum db_result result = item_insert(tx, &m->item);

    if (result != DB_OK || m->kind == INSERTS)
        return result;
    switch (m->kind) {
    case REPEATS:
        return item_insert(tx, &m->item);
    case CHANGES:
        return change_name(tx, m->item.id);
    case MISSES:
        return change_name(tx, -1);
    case BREAKS:
        return insert_nameless(tx, -1);
    case REFUSES:
        return DB_REFUSED;
    default:
        return item_count(tx, &m->seen);
    }
}

static void note_mixed(void *arg, enum db_result result)
{
    note(&((struct mixed *)arg)->item, result);
}

/* What came about, and what each one saw of it, is as if they had been done one by one. */
static bool is_right(const struct mixed *m, int n, int64_t *count)
{
    static const enum db_result ends[KINDS_N] = {[REPEATS] = DB_CONFLICT,
                                                 [MISSES] = DB_REFUSED,
                                                 [BREAKS] = DB_FAILED,
                                                 [REFUSES] = DB_REFUSED};

    for (int i = 0; i < n; i++) {
        if (m[i].item.done_n != 1 || m[i].item.result != ends[m[i].kind])
            return false;
        *count += ends[m[i].kind] == DB_OK;
        if (m[i].kind == COUNTS && m[i].seen != *count)
            return false;
    }
    return true;
}

static bool run_mixed(struct db *db, unsigned *lots, int64_t *next_id, int64_t *count)
{
    struct mixed m[40];
    int n = 1 + rand_r(lots) % 40, kinds = 1 + rand_r(lots) % KINDS_N;
    struct gate gate;

    enter_gate(db, &gate);
    for (int i = 0; i < n; i++) {
        m[i] = (struct mixed){.item.id = ++*next_id, .kind = (enum kind)(rand_r(lots) % kinds)};
        db_submit(db, DB_DURABLE, do_mixed, note_mixed, &m[i]);
    }
    open_gate(&gate);
    while (m[n - 1].item.done_n == 0)
        uv_run(&loop, UV_RUN_ONCE);
    return is_right(m, n, count);
}

static void test_each_work_of_a_batch_has_its_own_end(void **state)
{
    struct db *db = fixture_open(&f, &loop);
    int64_t next_id = 0, count = 0, found;
    unsigned lots = 11;
    bool ok = true;

    (void)state;
    for (int i = 0; ok && i < 60; i++)
        ok = run_mixed(db, &lots, &next_id, &count);
    found = fixture_count(db);
    db_close(db);
    assert_true(ok);
    assert_true(count > 100);
    assert_int_equal(found, count);
}

/* Foreign keys that are checked at the end make the COMMIT itself fail. */
static enum db_result break_commit(struct db_tx *tx, void *arg)
{
    (void)arg;
    if (db_exec(tx,
                "CREATE TABLE child (id BIGINT REFERENCES item (id) DEFERRABLE INITIALLY DEFERRED)",
                NULL, 0, NULL) != DB_OK)
        return DB_FAILED;
    return db_exec(tx, "INSERT INTO child (id) VALUES (77)", NULL, 0, NULL);
}

static void test_commit_that_fails_fails_the_whole_batch(void **state)
{
    struct db *db = fixture_open(&f, &loop);
    struct item a = {.id = 1}, b = {.id = 2}, bad = {0};
    char error[DB_ERROR_MAX];
    struct gate gate;

    (void)state;
    enter_gate(db, &gate);
    db_submit(db, DB_DURABLE, item_insert, note, &a);
    db_submit(db, DB_DURABLE, break_commit, note, &bad);
    db_submit(db, DB_DURABLE, item_insert, note, &b);
    open_gate(&gate);
    assert_int_equal(fixture_count(db), 0);
    while (b.done_n == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(a.result, DB_FAILED);
    assert_int_equal(bad.result, DB_FAILED);
    assert_int_equal(b.result, DB_FAILED);
    db_error(db, error);
    assert_non_null(strcasestr(error, "FOREIGN KEY"));
    assert_int_equal(db_commits(db), 0);
    /* and the next one works */
    assert_int_equal(db_run(db, DB_DURABLE, item_insert, &a), DB_OK);
    db_close(db);
}

/* The lazy work is not waited for: it is there because the durable one behind it is. */
static void test_lazy_rides_with_durable(void **state)
{
    struct db *db = fixture_open(&f, NULL);
    struct item lazy = {.id = 1}, durable = {.id = 2};
    int64_t n;
    struct gate gate;

    (void)state;
    enter_gate(db, &gate);
    db_submit(db, DB_LAZY, item_insert, NULL, &lazy);
    db_submit(db, DB_DURABLE, item_insert, NULL, &durable);
    open_gate(&gate);
    assert_int_equal(db_run(db, DB_DURABLE, item_count, &n), DB_OK);
    assert_int_equal(fixture_count(db), 2);
    assert_int_equal(db_commits(db), 1);
    db_close(db);
}

static void test_lazy_alone_is_committed_in_the_end(void **state)
{
    struct db *db = fixture_open(&f, &loop);
    struct item lazy = {.id = 1};

    (void)state;
    db_submit(db, DB_LAZY, item_insert, note, &lazy);
    while (lazy.done_n == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(lazy.result, DB_OK);
    assert_int_equal(db_commits(db), 1);
    db_close(db);
}

static void test_queue_is_bounded(void **state)
{
    struct db *db = fixture_open(&f, &loop);
    struct item refused = {.id = -1}, *items = test_calloc(DB_QUEUE_MAX, sizeof *items);
    struct gate gate;

    (void)state;
    enter_gate(db, &gate);
    for (int i = 0; i < DB_QUEUE_MAX; i++) {
        items[i].id = i;
        db_submit(db, DB_LAZY, item_insert, NULL, &items[i]);
    }
    db_submit(db, DB_DURABLE, item_insert, note, &refused);
    uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(refused.done_n, 1);
    assert_int_equal(refused.result, DB_FAILED);
    open_gate(&gate);
    db_close(db);
    test_free(items);
}

/* The child writes each id into the pipe from its done callback, until it is killed. */
struct child {
    struct db *db;
    int pipe;
    struct item item;
};

static enum db_result child_insert(struct db_tx *tx, void *arg)
{
    struct child *c = arg;

    return item_insert(tx, &c->item);
}

static void child_done(void *arg, enum db_result result)
{
    struct child *c = arg;

    if (result != DB_OK || write(c->pipe, &c->item.id, sizeof c->item.id) != sizeof c->item.id)
        _exit(1);
    c->item.id += 64;
    db_submit(c->db, DB_DURABLE, child_insert, child_done, c);
}

static _Noreturn void child_run(int out)
{
    struct child lanes[64];
    uv_loop_t own;
    struct db *db;

    if (uv_loop_init(&own) != 0)
        _exit(1);
    db = fixture_open(&f, &own);
    for (int i = 0; i < 64; i++) {
        lanes[i] = (struct child){.db = db, .pipe = out, .item.id = i};
        db_submit(db, DB_DURABLE, child_insert, child_done, &lanes[i]);
    }
    uv_run(&own, UV_RUN_DEFAULT);
    _exit(1);
}

struct has {
    int64_t id, n;
};

static bool take_n(const struct db_row *row, void *arg)
{
    struct has *has = arg;

    has->n = db_get_int(row, 0);
    return true;
}

static enum db_result has_row(struct db_tx *tx, void *arg)
{
    struct has *has = arg;

    return db_query(tx, "SELECT count(*) FROM item WHERE id = $1",
                    (struct db_value[]){db_int(has->id)}, 1, take_n, has);
}

/* Kills the child after |n| answers; gives back all that it told. */
static size_t kill_after(size_t n, int64_t *told, size_t max)
{
    int ends[2], status;
    size_t told_n = 0;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        child_run(ends[1]);
    }
    close(ends[1]);
    while (told_n < max && read(ends[0], &told[told_n], sizeof *told) == sizeof *told)
        if (++told_n == n)
            kill(pid, SIGKILL);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return told_n;
}

static void test_what_was_told_survives_a_kill(void **state)
{
    static int64_t told[100000];
    size_t n = kill_after(500, told, 100000);
    struct db *db = fixture_open(&f, NULL);

    (void)state;
    assert_true(n >= 500);
    for (size_t i = 0; i < n; i++) {
        struct has has = {.id = told[i]};

        assert_int_equal(db_run(db, DB_READ, has_row, &has), DB_OK);
        assert_int_equal(has.n, 1);
    }
    db_close(db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_works_that_wait_together_share_one_commit),
        TEST(test_one_commit_is_counted_for_a_batch),
        TEST(test_many_threads_share_commits),
        TEST(test_work_that_fails_takes_only_itself_back),
        TEST(test_each_work_of_a_batch_has_its_own_end),
        TEST(test_commit_that_fails_fails_the_whole_batch),
        TEST(test_lazy_rides_with_durable),
        TEST(test_lazy_alone_is_committed_in_the_end),
        TEST(test_queue_is_bounded),
        TEST(test_what_was_told_survives_a_kill),
    };

    fixture_connections = 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
