/* SPDX-License-Identifier: Apache-2.0 */
/* Commits of the database layer: so many writers at a time, each of whose works inserts a row and
 * updates it, for some seconds. One line on stdout. With DB_TEST_URL and DB_TEST_PASSWORD (see
 * tests/support/db_place.h) on that server, else in a file.
 *
 * usage: db_bench WRITERS SECONDS */
#include "system/db/db.h"
#include "system/core/clock.h"
#include "system/core/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WRITERS_MAX = 1024 };

static const char *const migrations[] = {
    "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL, b BLOB)", NULL};

static struct db *db;
static uv_loop_t loop;
static uint64_t until_us, works, running, next_id;

struct writer {
    int64_t id;
};

static enum db_result write_row(struct db_tx *tx, void *arg)
{
    static const uint8_t b[300];
    const struct writer *w = arg;
    const struct db_value row[] = {db_int(w->id), db_text("a name of some length"),
                                   db_blob(b, sizeof b)};
    enum db_result r =
        db_exec(tx, "INSERT INTO item (id, name, b) VALUES ($1, $2, $3)", row, 3, NULL);

    return r == DB_OK ? db_exec(tx, "UPDATE item SET b = NULL WHERE id = $1", row, 1, NULL) : r;
}

static void go_on(struct writer *w);

static void written(void *arg, enum db_result result)
{
    char error[DB_ERROR_MAX];

    if (result != DB_OK) {
        db_error(db, error);
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    works++;
    running--;
    if (clock_steady_us() < until_us)
        go_on(arg);
}

static void go_on(struct writer *w)
{
    w->id = (int64_t)++next_id;
    running++;
    db_submit(db, DB_DURABLE, write_row, written, w);
}

static void measure(int n, uint64_t seconds, const char *where)
{
    static struct writer writers[WRITERS_MAX];
    uint64_t start = clock_steady_us(), took;

    until_us = start + seconds * 1000000;
    for (int i = 0; i < n; i++)
        go_on(&writers[i]);
    while (running > 0)
        uv_run(&loop, UV_RUN_ONCE);
    took = clock_steady_us() - start;
    printf("%-8s %4d writers %8.0f works/s %6.0f commits/s\n", where, n,
           (double)works * 1e6 / (double)took, (double)db_commits(db) * 1e6 / (double)took);
}

int main(int argc, char **argv)
{
    char url[512], dir[] = "/tmp/quorate-db-bench-XXXXXX", error[DB_ERROR_MAX], command[64];
    const char *server = getenv("DB_TEST_URL");
    const struct db_params params = {
        .url = url, .migrations = migrations, .password = getenv("DB_TEST_PASSWORD")};
    int n = argc == 3 ? atoi(argv[1]) : 0, seconds = argc == 3 ? atoi(argv[2]) : 0;

    if (n < 1 || n > WRITERS_MAX || seconds < 1 || uv_loop_init(&loop) != 0 || !mkdtemp(dir))
        return 2;
    log_setup("db_bench", LOG_WARN);
    if (server)
        snprintf(url, sizeof url, "%s options=-csearch_path=bench_%d", server, (int)getpid());
    else
        snprintf(url, sizeof url, "sqlite:%s/bench.db", dir);
    db = db_open(&loop, &params, error);
    if (!db) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    measure(n, (uint64_t)seconds, server ? "postgres" : "sqlite");
    db_close(db);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) == 0 ? 0 : 1;
}
