/* SPDX-License-Identifier: Apache-2.0 */
/* A program that writes without pause, for test_loss.py: LANES works at a time, one after the other
 * each, until its stdin ends. Each work inserts a row, adds one to a counter and reads it, which
 * finds lost and repeated works alike. A blind work does the same without asking for anything, so
 * that all of it may be put off; each seventh of those must change a row that is not there. Each work
 * that ended is a line on stdout: "ok ID", "refused ID" or "failed ID". Then "end". Where:
 * DB_TEST_URL with a schema, DB_TEST_PASSWORD.
 *
 * usage: lanes LANES [blind] */
#include "system/core/log.h"
#include "system/db/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LANES_MAX = 256 };

static const char *const migrations[] = {
    "CREATE TABLE item (id INTEGER PRIMARY KEY, at INTEGER NOT NULL UNIQUE);"
    "CREATE TABLE counter (n INTEGER NOT NULL); INSERT INTO counter (n) VALUES (0)",
    NULL};

static struct db *db;
static uv_loop_t loop;
static uv_pipe_t input;
static int64_t next_id;
static size_t running;
static bool is_ending, is_blind;

struct lane {
    int64_t id, at;
};

static bool take_at(const struct db_row *row, void *arg)
{
    *(int64_t *)arg = db_get_int(row, 0);
    return false;
}

static enum db_result count_up(struct db_tx *tx, void *arg)
{
    struct lane *lane = arg;
    enum db_result r = db_exec(tx, "UPDATE counter SET n = n + 1", NULL, 0, NULL);

    if (r == DB_OK)
        r = db_query(tx, "SELECT n FROM counter", NULL, 0, take_at, &lane->at);
    if (r != DB_OK)
        return r;
    return db_exec(tx, "INSERT INTO item (id, at) VALUES ($1, $2)",
                   (struct db_value[]){db_int(lane->id), db_int(lane->at)}, 2, NULL);
}

static enum db_result count_up_blindly(struct db_tx *tx, void *arg)
{
    const struct lane *lane = arg;
    const struct db_value id = db_int(lane->id);
    enum db_result r = db_must(tx, "UPDATE counter SET n = n + 1", NULL, 0);

    if (r == DB_OK)
        r = db_exec(tx, "INSERT INTO item (id, at) SELECT $1, n FROM counter", &id, 1, NULL);
    if (r == DB_OK && lane->id % 7 == 0)
        r = db_must(tx, "UPDATE item SET at = 0 WHERE id = -1", NULL, 0);
    return r;
}

static void ended(void *arg, enum db_result result);

static void go_on(struct lane *lane)
{
    lane->id = ++next_id;
    running++;
    db_submit(db, DB_DURABLE, is_blind ? count_up_blindly : count_up, ended, lane);
}

static void ended(void *arg, enum db_result result)
{
    static const char *const words[] = {
        [DB_OK] = "ok", [DB_CONFLICT] = "failed", [DB_REFUSED] = "refused", [DB_FAILED] = "failed"};
    struct lane *lane = arg;

    printf("%s %lld\n", words[result], (long long)lane->id);
    fflush(stdout);
    running--;
    if (!is_ending)
        go_on(lane);
    else if (running == 0)
        uv_close((uv_handle_t *)&input, NULL);
}

static void make_room(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    static char b[64];

    (void)handle, (void)size;
    *buf = uv_buf_init(b, sizeof b);
}

static void on_input(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    if (n >= 0)
        return;
    is_ending = true;
    uv_read_stop(stream);
}

static void on_lost(void *arg, const char *error)
{
    (void)arg;
    printf("lost %s\n", error);
    exit(3);
}

int main(int argc, char **argv)
{
    static struct lane lanes[LANES_MAX];
    const struct db_params params = {.url = getenv("DB_TEST_URL"),
                                     .migrations = migrations,
                                     .password = getenv("DB_TEST_PASSWORD"),
                                     .retry = {.step_ms = 2, .cap_ms = 50, .max = 1000000},
                                     .lost = on_lost};
    char error[DB_ERROR_MAX];
    int n = argc > 1 ? atoi(argv[1]) : 0;

    is_blind = argc == 3 && strcmp(argv[2], "blind") == 0;
    if (n < 1 || n > LANES_MAX || argc > 2 + is_blind || uv_loop_init(&loop) != 0)
        return 2;
    log_setup("lanes", LOG_INFO);
    db = db_open(&loop, &params, error);
    if (!db) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    uv_pipe_init(&loop, &input, 0);
    uv_pipe_open(&input, STDIN_FILENO);
    uv_read_start((uv_stream_t *)&input, make_room, on_input);
    for (int i = 0; i < n; i++)
        go_on(&lanes[i]);
    while (running > 0)
        uv_run(&loop, UV_RUN_ONCE);
    db_close(db);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    puts("end");
    return 0;
}
