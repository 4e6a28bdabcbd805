/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of the client that break, are refused or silent, and ones that the server gives up. */
#include "client_world.h"

#include "system/rpc/client_link.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_a_cut_connection_ends_calls_and_is_made_again(void **state)
{
    struct world *w = *state;
    struct fate lost = STREAM, after = {0};

    client_start(w, &lost, "t.T/OneThenOpen", 0, 0);
    client_wait_count(w, &lost.messages, 1);
    assert_true(rpc_channel_is_connected(w->channel));
    stub_cut(&w->stub);
    client_wait_done(w, &lost);
    assert_int_equal(lost.status.code, RPC_UNAVAILABLE);
    assert_string_equal(lost.status.name, "unavailable");
    assert_non_null(strstr(lost.status.text, w->stub.target));
    assert_false(rpc_channel_is_connected(w->channel));
    client_start(w, &after, "t.T/Echo", 0, 0);
    client_wait_done(w, &after);
    assert_int_equal(after.status.code, RPC_OK);
    assert_int_equal(w->stub.links_n, 2);
    assert_int_equal(w->ups, 2);
    assert_int_equal(w->downs, 1);
}

static void test_calls_wait_for_a_server_that_comes_later(void **state)
{
    struct world *w = *state;
    struct fate early = {0}, late = {0};

    stub_close(&w->stub);
    client_start(w, &early, "t.T/Echo", 0, 20);
    client_start(w, &late, "t.T/Echo", 0, 60000);
    client_wait_done(w, &early);
    assert_int_equal(early.status.code, RPC_UNAVAILABLE);
    stub_open(&w->stub, &w->loop);
    client_wait_done(w, &late);
    assert_int_equal(late.status.code, RPC_OK);
    assert_int_equal(w->requests, 1);
}

static void test_giving_up_is_told_and_ends_calls(void **state)
{
    struct world *w = *state;
    struct fate waiting = {0}, after = {0};

    rpc_channel_free(w->channel);
    stub_close(&w->stub);
    client_dial(w, w->stub.target, 1, 3);
    client_start(w, &waiting, "t.T/Echo", 0, 0);
    client_wait_done(w, &waiting);
    assert_int_equal(waiting.status.code, RPC_UNAVAILABLE);
    assert_non_null(strstr(waiting.status.text, "connection refused"));
    client_wait_count(w, &w->gave_up, 1);
    assert_int_equal(w->ups, 0);
    client_start(w, &after, "t.T/Echo", 0, 0);
    client_wait_done(w, &after);
    assert_int_equal(after.status.code, RPC_UNAVAILABLE);
    assert_int_equal(w->gave_up, 1);
}

/* Each loss has all tries for itself, however many the losses before it took. */
static void test_tries_are_counted_anew_after_each_loss(void **state)
{
    struct world *w = *state;

    rpc_channel_free(w->channel);
    w->stub.refuse_n = 3;
    client_dial(w, w->stub.target, 0, 3);
    for (unsigned loss = 1; loss <= 4; loss++) {
        client_wait_count(w, &w->ups, loss);
        assert_int_equal(w->stub.refuse_n, 0);
        assert_true(rpc_channel_is_connected(w->channel));
        w->stub.refuse_n = loss < 4 ? 3 : 4;
        stub_cut(&w->stub);
    }
    client_wait_count(w, &w->gave_up, 1);
    assert_int_equal(w->stub.refuse_n, 0);
    assert_int_equal(w->ups, 4);
    assert_false(rpc_channel_is_connected(w->channel));
}

static void test_a_name_that_is_none_is_told(void **state)
{
    static const char *const bad[] = {"nowhere", "host:", ":1", "host:x", "a.invalid:1"};
    struct world *w = *state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fate fate = {0};

        rpc_channel_free(w->channel);
        client_dial(w, bad[i], 1, 1);
        client_start(w, &fate, "t.T/Echo", 0, 0);
        client_wait_done(w, &fate);
        assert_int_equal(fate.status.code, RPC_UNAVAILABLE);
        assert_non_null(strstr(fate.status.text, bad[i]));
    }
}

static void test_a_missing_ca_file_is_told(void **state)
{
    struct world *w = *state;
    struct fate fate = {0};
    const struct rpc_channel_params params = {
        .target = w->stub.target,
        .ca = "/nowhere/ca.pem",
        .retry = {.step_ms = 1, .cap_ms = 1, .max = 2},
    };

    rpc_channel_free(w->channel);
    w->channel = rpc_channel_new(&w->loop, &params);
    client_start(w, &fate, "t.T/Echo", 0, 0);
    client_wait_done(w, &fate);
    assert_int_equal(fate.status.code, RPC_UNAVAILABLE);
    assert_non_null(strstr(fate.status.text, "/nowhere/ca.pem"));
}

static void test_a_silent_server_is_dropped_after_a_ping(void **state)
{
    struct world *w = *state;
    struct fate good = {0}, fate = {0};

    client_start(w, &good, "t.T/Echo", 0, 0);
    client_wait_done(w, &good);
    rpc_channel_keepalive(w->channel, 30, 30);
    w->stub.is_deaf_to_pings = true;
    client_start(w, &fate, "t.T/Nothing", 0, 0);
    client_wait_done(w, &fate);
    assert_int_equal(fate.status.code, RPC_UNAVAILABLE);
    assert_non_null(strstr(fate.status.text, "ping"));
    client_wait_count(w, &w->stub.pings_n, 1); /* on its way, it may be */
}

static void test_pings_that_are_answered_keep_the_connection(void **state)
{
    struct world *w = *state;
    struct fate fate = {0};

    rpc_channel_keepalive(w->channel, 5, 60000);
    client_wait_count(w, &w->stub.pings_n, 4);
    client_start(w, &fate, "t.T/Echo", 0, 0);
    client_wait_done(w, &fate);
    assert_int_equal(fate.status.code, RPC_OK);
    assert_int_equal(w->stub.links_n, 1);
}

static void test_goaway_lets_calls_end_and_dials_anew(void **state)
{
    struct world *w = *state;
    struct fate open = {0}, after = {0};
    struct stub_call *kept;

    client_start(w, &open, "t.T/Nothing", 0, 0);
    client_wait_count(w, &w->requests, 1);
    kept = w->kept;
    stub_goaway(&w->stub, INT32_MAX, NGHTTP2_NO_ERROR);
    client_wait_count(w, &w->stub.links_n, 2);
    client_start(w, &after, "t.T/Echo", 3, 0);
    client_wait_done(w, &after);
    assert_int_equal(after.status.code, RPC_OK);
    assert_int_equal(open.done, 0);
    client_answer(kept, "late", 9);
    client_wait_done(w, &open);
    assert_int_equal(open.status.code, RPC_OK);
    assert_int_equal(open.sum, 9);
}

static void test_calls_that_a_goaway_leaves_out_go_elsewhere(void **state)
{
    struct world *w = *state;
    struct fate fate = {0}, first = {0};

    client_start(w, &first, "t.T/Echo", 0, 0);
    client_wait_done(w, &first);
    client_start(w, &fate, "t.T/Nothing", 0, 0);
    client_wait_count(w, &w->requests, 2);
    stub_goaway(&w->stub, 1, NGHTTP2_NO_ERROR);
    client_wait_count(w, &w->requests, 3);
    assert_int_equal(w->stub.links_n, 2);
    client_answer(w->kept, "again", 4);
    client_wait_done(w, &fate);
    assert_int_equal(fate.status.code, RPC_OK);
    assert_int_equal(fate.sum, 4);
}

static void test_a_server_that_talks_something_else(void **state)
{
    struct world *w = *state;
    struct fate fate = {0};

    /* Not a word of HTTP/2 comes, so the call waits until its deadline. */
    w->stub.is_mute = true;
    client_start(w, &fate, "t.T/Echo", 0, 100);
    client_wait_done(w, &fate);
    assert_int_equal(fate.status.code, RPC_UNAVAILABLE);
    assert_false(rpc_channel_is_connected(w->channel));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_a_cut_connection_ends_calls_and_is_made_again),
        WORLD_TEST(test_calls_wait_for_a_server_that_comes_later),
        WORLD_TEST(test_giving_up_is_told_and_ends_calls),
        WORLD_TEST(test_tries_are_counted_anew_after_each_loss),
        WORLD_TEST(test_a_name_that_is_none_is_told),
        WORLD_TEST(test_a_missing_ca_file_is_told),
        WORLD_TEST(test_a_silent_server_is_dropped_after_a_ping),
        WORLD_TEST(test_pings_that_are_answered_keep_the_connection),
        WORLD_TEST(test_goaway_lets_calls_end_and_dials_anew),
        WORLD_TEST(test_calls_that_a_goaway_leaves_out_go_elsewhere),
        WORLD_TEST(test_a_server_that_talks_something_else),
    };

    return cmocka_run_group_tests_name("client_link", tests, NULL, NULL);
}
