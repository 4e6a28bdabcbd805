/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that the user ends: by a deadline, by a cancel, by freeing the channel, also inside a
 * callback. */
#include "client_world.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The call reaches the server, which does not end it, and ends by its deadline, one that is long
 * enough on this machine. The server hears of that. */
static void run_late(struct world *w, const char *path, struct fate begin)
{
    unsigned before = w->requests, resets = w->resets;

    for (unsigned deadline_ms = 50; w->requests == before; deadline_ms *= 2) {
        struct fate late = begin;

        client_start(w, &late, path, 0, deadline_ms);
        client_wait_done(w, &late);
        assert_int_equal(late.status.code, RPC_DEADLINE);
        assert_int_equal(late.done, 1);
    }
    client_wait_count(w, &w->resets, resets + (w->requests - before));
}

static void test_deadline_ends_the_call_and_the_stream(void **state)
{
    struct world *w = *state;
    struct fate first = {0}, good = {0};

    client_start(w, &first, "t.T/Echo", 0, 0);
    client_wait_done(w, &first);
    run_late(w, "t.T/Nothing", (struct fate){0});
    run_late(w, "t.T/OneThenOpen", (struct fate)STREAM);
    assert_int_equal(w->reset_error, NGHTTP2_CANCEL);
    client_start(w, &good, "t.T/Echo", 5, 60000);
    client_wait_done(w, &good);
    assert_int_equal(good.status.code, RPC_OK);
}

static void test_cancel_resets_the_stream_and_is_silent(void **state)
{
    struct world *w = *state;
    struct fate open = STREAM, after = {0};

    client_start(w, &open, "t.T/OneThenOpen", 0, 0);
    client_wait_count(w, &open.messages, 1);
    rpc_cancel(open.pending);
    client_wait_count(w, &w->resets, 1);
    assert_int_equal(w->reset_error, NGHTTP2_CANCEL);
    client_start(w, &after, "t.T/Echo", 0, 0);
    client_wait_done(w, &after);
    assert_int_equal(after.status.code, RPC_OK);
    assert_int_equal(open.done, 0);
}

static void test_cancel_before_anything_was_sent(void **state)
{
    struct world *w = *state;
    struct fate waiting = {0}, queued = {0}, after = {0};

    client_start(w, &waiting, "t.T/Echo", 0, 0);
    rpc_cancel(waiting.pending);
    client_start(w, &after, "t.T/Echo", 0, 0);
    client_wait_done(w, &after);
    client_start(w, &queued, "t.T/Echo", 0, 0);
    rpc_cancel(queued.pending);
    after.done = 0;
    client_start(w, &after, "t.T/Echo", 0, 0);
    client_wait_done(w, &after);
    assert_int_equal(w->requests, 2);
    assert_int_equal(waiting.done + queued.done, 0);
}

static void cancel_inside(void *arg, const ProtobufCMessage *message)
{
    struct fate *fate = arg;

    client_on_each(fate, message);
    rpc_cancel(fate->pending);
}

static void start_again(void *arg, const struct rpc_status *status,
                        const ProtobufCMessage *response)
{
    struct fate *fate = arg;

    client_on_done(fate, status, response);
    if (fate->messages++ < 5) {
        fate->done = 0;
        fate->pending = NULL;
        client_start(fate->world, fate, "t.T/Echo", 1, 0);
    }
}

static void free_inside_done(void *arg, const struct rpc_status *status,
                             const ProtobufCMessage *response)
{
    struct fate *fate = arg;

    client_on_done(fate, status, response);
    rpc_channel_free(fate->world->channel);
    fate->world->channel = NULL;
}

static void free_inside_each(void *arg, const ProtobufCMessage *message)
{
    struct fate *fate = arg;

    client_on_each(fate, message);
    rpc_channel_free(fate->world->channel);
    fate->world->channel = NULL;
}

static struct rpc_request plain_request(const Test__Shapes__Inner *inner, struct fate *fate)
{
    return (struct rpc_request){
        .path = "t.T/Three",
        .message = &inner->base,
        .response = &test__shapes__inner__descriptor,
        .each = client_on_each,
        .done = client_on_done,
        .arg = fate,
    };
}

static void test_cancel_inside_each(void **state)
{
    struct world *w = *state;
    Test__Shapes__Inner inner = TEST__SHAPES__INNER__INIT;
    struct fate fate = {0}, after = {0};
    struct rpc_request request = plain_request(&inner, &fate);

    request.each = cancel_inside;
    fate.pending = rpc_start(w->channel, &request);
    client_wait_count(w, &fate.messages, 1);
    client_start(w, &after, "t.T/Echo", 0, 0);
    client_wait_done(w, &after);
    assert_int_equal(fate.messages, 1);
    assert_int_equal(fate.done, 0);
}

static void test_start_inside_done(void **state)
{
    struct world *w = *state;
    Test__Shapes__Inner inner = TEST__SHAPES__INNER__INIT;
    struct fate fate = {.world = w};
    struct rpc_request request = plain_request(&inner, &fate);

    request.path = "t.T/Echo";
    request.each = NULL;
    request.done = start_again;
    rpc_start(w->channel, &request);
    client_wait_done(w, &fate);
    assert_int_equal(fate.status.code, RPC_OK);
}

static void check_free_inside(struct world *w, rpc_done *done, rpc_message *each)
{
    Test__Shapes__Inner inner = TEST__SHAPES__INNER__INIT;
    struct fate fate = {.world = w}, other = STREAM;
    struct rpc_request request = plain_request(&inner, &fate);

    client_start(w, &other, "t.T/OneThenOpen", 0, 0);
    client_wait_count(w, &other.messages, 1);
    request.done = done;
    request.each = each;
    rpc_start(w->channel, &request);
    client_wait_done(w, &fate);
    assert_int_equal(other.done, 1);
    assert_int_equal(other.status.code, RPC_CANCELLED);
    assert_int_equal(fate.done, 1);
}

static void test_free_inside_done(void **state)
{
    check_free_inside(*state, free_inside_done, client_on_each);
}

static void test_free_inside_each(void **state)
{
    check_free_inside(*state, client_on_done, free_inside_each);
}

static void test_free_ends_all_calls_inside(void **state)
{
    struct world *w = *state;
    struct fate running = STREAM, queued = {0};

    client_start(w, &running, "t.T/OneThenOpen", 0, 0);
    client_wait_count(w, &running.messages, 1);
    client_start(w, &queued, "t.T/Echo", 0, 0);
    rpc_channel_free(w->channel);
    w->channel = NULL;
    assert_int_equal(running.status.code, RPC_CANCELLED);
    assert_int_equal(queued.status.code, RPC_CANCELLED);
    assert_int_equal(running.done + queued.done, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_deadline_ends_the_call_and_the_stream),
        WORLD_TEST(test_cancel_resets_the_stream_and_is_silent),
        WORLD_TEST(test_cancel_before_anything_was_sent),
        WORLD_TEST(test_cancel_inside_each),
        WORLD_TEST(test_start_inside_done),
        WORLD_TEST(test_free_inside_done),
        WORLD_TEST(test_free_inside_each),
        WORLD_TEST(test_free_ends_all_calls_inside),
    };

    return cmocka_run_group_tests_name("client_end", tests, NULL, NULL);
}
