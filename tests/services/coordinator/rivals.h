/* SPDX-License-Identifier: Apache-2.0 */
/* Two replicas' connections to one schema at a real server, whose clock is the test's. */
#ifndef TEST_COORDINATOR_RIVALS_H
#define TEST_COORDINATOR_RIVALS_H

#include "services/coordinator/lease.h"
#include "services/coordinator/store.h"
#include "system/core/buffer.h"
#include "tests/support/db_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rivals {
    struct db_place place;
    uv_loop_t loop;
    struct db *a, *b;
    /* what the end of a's database was told with */
    char lost[DB_ERROR_MAX];
};

static inline void rivals_note(void *arg, const char *error)
{
    snprintf(((struct rivals *)arg)->lost, DB_ERROR_MAX, "%s", error);
}

static inline enum db_result rivals_set_clock(struct db_tx *tx, void *arg)
{
    const struct db_value ms = db_int(*(const int64_t *)arg);

    return db_exec(tx, "UPDATE clock SET ms = ms + $1", &ms, 1, NULL);
}

static inline void rivals_wait(struct rivals *r, int64_t ms)
{
    assert_int_equal(db_run(r->b, DB_DURABLE, rivals_set_clock, &ms), DB_OK);
}

static inline enum db_result rivals_make_clock(struct db_tx *tx, void *arg)
{
    static const char now[] = "CREATE OR REPLACE FUNCTION now_ms() RETURNS BIGINT LANGUAGE sql"
                              " VOLATILE AS 'SELECT ms FROM clock'";
    static const char *const words[] = {"CREATE TABLE clock (ms BIGINT NOT NULL)",
                                        "INSERT INTO clock VALUES (1000)", now};
    enum db_result result = DB_OK;

    (void)arg;
    for (size_t i = 0; result == DB_OK && i < sizeof words / sizeof words[0]; i++)
        result = db_exec(tx, words[i], NULL, 0, NULL);
    return result;
}

static inline struct db *rivals_open(struct rivals *r, uv_loop_t *loop, bool notes)
{
    struct db_params params = db_place_params(&r->place, store_migrations);
    char error[DB_ERROR_MAX];
    struct db *db;

    params.lost = notes ? rivals_note : NULL;
    params.lost_arg = r;
    db = db_open(loop, &params, error);
    if (!db)
        fail_msg("%s", error);
    return db;
}

static inline int rivals_setup(void **state)
{
    struct rivals *r = mem_new(1, sizeof *r);

    db_place_make(&r->place);
    uv_loop_init(&r->loop);
    r->a = rivals_open(r, &r->loop, true);
    r->b = rivals_open(r, &r->loop, false);
    assert_int_equal(db_run(r->a, DB_DURABLE, rivals_make_clock, NULL), DB_OK);
    *state = r;
    return 0;
}

static inline int rivals_teardown(void **state)
{
    struct rivals *r = *state;

    db_close(r->a);
    db_close(r->b);
    while (uv_run(&r->loop, UV_RUN_NOWAIT))
        ;
    db_place_remove(&r->place);
    assert_int_equal(uv_loop_close(&r->loop), 0);
    free(r);
    return 0;
}

#endif
