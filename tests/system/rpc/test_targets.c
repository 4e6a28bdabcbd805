/* SPDX-License-Identifier: Apache-2.0 */
/* A service at several addresses: which one a channel uses, and when it goes on to the next. */
#include "shapes.pb-c.h"
#include "stub_server.h"
#include "system/rpc/client.h"
#include "system/rpc/client_link.h"
#include "system/rpc/targets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONG_MS = 3600000 };

struct world {
    uv_loop_t loop;
    struct stub_server stubs[2];
    struct rpc_channel *channel;
    unsigned requests[2], downs, gave_up;
};

static void answer_zero(struct world *w, size_t i, struct stub_call *call)
{
    static const char *const fine[] = {"grpc-status", "0", NULL};

    w->requests[i]++;
    stub_answer(call, "200", "application/grpc", "\0\0\0\0\0", 5, fine);
}

static void on_first(void *arg, struct stub_call *call)
{
    answer_zero(arg, 0, call);
}

static void on_second(void *arg, struct stub_call *call)
{
    answer_zero(arg, 1, call);
}

static void on_reset(void *arg, uint32_t error)
{
    (void)arg;
    (void)error;
}

static void on_state(void *arg, bool connected, bool gave_up)
{
    struct world *w = arg;

    w->downs += !connected;
    w->gave_up += gave_up;
}

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    alarm(600);
    uv_loop_init(&w->loop);
    for (size_t i = 0; i < 2; i++) {
        w->stubs[i].on_call = i ? on_second : on_first;
        w->stubs[i].on_reset = on_reset;
        w->stubs[i].arg = w;
        stub_open(&w->stubs[i], &w->loop);
    }
    *state = w;
    return 0;
}

/* A wait after a failure would never end. */
static void dial(struct world *w, const char *target, uint32_t step_ms, uint32_t max)
{
    const struct rpc_channel_params params = {
        .target = target,
        .retry = {.step_ms = step_ms, .cap_ms = step_ms, .max = max},
        .state = on_state,
        .arg = w,
    };

    w->channel = rpc_channel_new(&w->loop, &params);
}

static void dial_both(struct world *w)
{
    char both[80];

    snprintf(both, sizeof both, "%s, %s", w->stubs[0].target, w->stubs[1].target);
    dial(w, both, 1, 0);
}

static int close_world(void **state)
{
    struct world *w = *state;

    rpc_channel_free(w->channel);
    for (size_t i = 0; i < 2; i++)
        stub_end(&w->stubs[i]);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    free(w);
    return 0;
}

struct fate {
    bool is_done;
    enum rpc_code code;
};

static void on_done(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct fate *fate = arg;

    (void)response;
    fate->is_done = true;
    fate->code = status->code;
}

static enum rpc_code call(struct world *w)
{
    Test__Shapes__Inner inner = TEST__SHAPES__INNER__INIT;
    struct fate fate = {0};
    const struct rpc_request request = {.path = "t.T/Zero",
                                        .message = &inner.base,
                                        .response = &test__shapes__inner__descriptor,
                                        .done = on_done,
                                        .arg = &fate};

    rpc_start(w->channel, &request);
    while (!fate.is_done)
        uv_run(&w->loop, UV_RUN_ONCE);
    return fate.code;
}

static void test_the_first_is_used_while_it_answers(void **state)
{
    struct world *w = *state;

    dial_both(w);
    for (int i = 0; i < 3; i++)
        assert_int_equal(call(w), RPC_OK);
    assert_int_equal(w->requests[0], 3);
    assert_int_equal(w->requests[1], 0);
}

/* The wait after a failed round would take an hour. */
static void test_where_nobody_listens_the_next_is_tried_at_once(void **state)
{
    struct world *w = *state;
    char both[80];

    stub_close(&w->stubs[0]);
    snprintf(both, sizeof both, "%s,%s", w->stubs[0].target, w->stubs[1].target);
    dial(w, both, LONG_MS, 0);
    assert_int_equal(call(w), RPC_OK);
    assert_int_equal(w->requests[1], 1);
}

static void test_after_a_cut_the_next_is_used(void **state)
{
    struct world *w = *state;

    dial_both(w);
    assert_int_equal(call(w), RPC_OK);
    stub_cut(&w->stubs[0]);
    while (!w->downs)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(call(w), RPC_OK);
    assert_int_equal(w->requests[0], 1);
    assert_int_equal(w->requests[1], 1);
}

/* A process that stands still takes connections and says nothing. */
static void test_one_that_is_mute_is_left(void **state)
{
    struct world *w = *state;

    w->stubs[0].is_mute = true;
    dial_both(w);
    assert_int_equal(call(w), RPC_OK);
    assert_int_equal(w->requests[1], 1);
}

static void test_one_that_falls_silent_is_left(void **state)
{
    struct world *w = *state;

    dial_both(w);
    assert_int_equal(call(w), RPC_OK);
    w->stubs[0].is_deaf_to_pings = true;
    while (!w->downs)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(call(w), RPC_OK);
    assert_int_equal(w->requests[1], 1);
}

/* Whichever is down first ends the wait: the timers of one loop run in the order of their times,
 * however late they are. */
static void test_of_several_a_silent_one_is_left_sooner(void **state)
{
    struct world *w = *state;
    struct world alone = {0};
    const struct rpc_channel_params params = {
        .target = w->stubs[0].target,
        .retry = {.step_ms = LONG_MS, .cap_ms = LONG_MS},
        .state = on_state,
        .arg = &alone,
    };

    dial_both(w);
    alone.channel = rpc_channel_new(&w->loop, &params);
    rpc_channel_keepalive(alone.channel, 5000, 4000);
    assert_int_equal(call(w), RPC_OK);
    while (!rpc_channel_is_connected(alone.channel))
        uv_run(&w->loop, UV_RUN_ONCE);
    w->stubs[0].is_deaf_to_pings = true;
    while (!w->downs && !alone.downs)
        uv_run(&w->loop, UV_RUN_ONCE);
    rpc_channel_free(alone.channel);
    assert_int_equal(w->downs, 1);
}

static void test_it_gives_up_when_all_have_failed_so_often(void **state)
{
    struct world *w = *state;
    char both[80];

    snprintf(both, sizeof both, "%s,%s", w->stubs[0].target, w->stubs[1].target);
    for (size_t i = 0; i < 2; i++)
        stub_close(&w->stubs[i]);
    dial(w, both, 1, 2);
    assert_int_equal(call(w), RPC_UNAVAILABLE);
    assert_int_equal(w->gave_up, 1);
}

static void test_a_list_is_read_as_it_is_written(void **state)
{
    char many[TARGETS_MAX * 4 + 40] = "";
    struct targets t;

    (void)state;
    targets_init(&t, " a:1 ,\tb:2,c:3");
    assert_int_equal(t.n, 3);
    assert_string_equal(targets_one(&t), "a:1");
    assert_false(targets_failed(&t));
    assert_string_equal(targets_one(&t), "b:2");
    assert_false(targets_failed(&t));
    assert_true(targets_failed(&t));
    assert_string_equal(targets_one(&t), "a:1");
    assert_false(targets_failed(&t));
    targets_succeeded(&t);
    assert_false(targets_failed(&t));
    assert_false(targets_failed(&t));
    assert_true(targets_failed(&t));
    targets_free(&t);
    targets_init(&t, "");
    assert_int_equal(t.n, 1);
    assert_true(targets_failed(&t));
    targets_free(&t);
    for (size_t i = 0; i < TARGETS_MAX + 4; i++)
        strcat(many, "a:1,");
    targets_init(&t, many);
    assert_int_equal(t.n, TARGETS_MAX);
    targets_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list_is_read_as_it_is_written),
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)
        WITH_WORLD(test_the_first_is_used_while_it_answers),
        WITH_WORLD(test_where_nobody_listens_the_next_is_tried_at_once),
        WITH_WORLD(test_after_a_cut_the_next_is_used),
        WITH_WORLD(test_one_that_is_mute_is_left),
        WITH_WORLD(test_one_that_falls_silent_is_left),
        WITH_WORLD(test_of_several_a_silent_one_is_left_sooner),
        WITH_WORLD(test_it_gives_up_when_all_have_failed_so_often),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
