/* SPDX-License-Identifier: Apache-2.0 */
/* Two servers in one loop: the first passes calls on to the second, and the caller must not see the
 * difference. Each test runs the loop until what it waits for has happened. */
#include "system/rpc/relay.h"

#include "echo.pb-c.h"
#include "system/core/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BLOB = 64 * 1024, MANY = 1024 };

struct world {
    uv_loop_t loop;
    struct rpc_server *near, *far;
    /* near's way to far, the caller's way to near */
    struct rpc_channel *onward, *channel;
    /* what far saw */
    struct rpc_call *held;
    unsigned over;
    unsigned sent, cancelled;
    char trace[64], who[64];
    int64_t deadline_ms;
    /* near takes back what ends with this name; what it took */
    const char *takes;
    struct rpc_call *taken;
    const ProtobufCMessage *taken_request;
    /* what the caller got */
    bool is_done, is_slow;
    unsigned messages;
    struct rpc_status status;
    char text[64];
};

/* Far. */

static void far_gone(struct rpc_call *call, void *arg)
{
    struct world *w = arg;

    w->cancelled++;
    w->held = NULL;
    rpc_fail(call, rpc_error(RPC_CANCELLED, "gone", "the caller has gone"));
}

static void far_say(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Test__Echo__Request *in = (const void *)request;
    Test__Echo__Response out = TEST__ECHO__RESPONSE__INIT;
    struct world *w = service;
    struct rpc_status status;

    snprintf(w->trace, sizeof w->trace, "%s", rpc_trace(call));
    snprintf(w->who, sizeof w->who, "%s",
             rpc_header(call, "x-who") ? rpc_header(call, "x-who") : "");
    w->deadline_ms = rpc_deadline_ms(call);
    if (strcmp(in->text, "hold") == 0) {
        w->held = call;
        rpc_on_cancel(call, far_gone, w);
        return;
    }
    if (strcmp(in->text, "fail") == 0) {
        status = rpc_error(RPC_EXHAUSTED, "no_room", "100%% of \"caf\xc3\xa9\" is\nfull");
        strcpy(status.session_id, "8a6f2f6c-9a53-4d8c-8f0c-0d8a6f2f6c9a");
        status.retry_after = 7;
        status.http = 413;
        rpc_fail(call, status);
        return;
    }
    out.text = in->text;
    rpc_reply(call, &out.base);
}

/* As many as the reader takes, MANY in all. */
static void far_go_on(struct rpc_call *call, void *arg)
{
    static uint8_t zeroes[BLOB];
    Test__Echo__Response out = TEST__ECHO__RESPONSE__INIT;
    struct world *w = arg;
    bool has_room = true;

    out.blob = (ProtobufCBinaryData){sizeof zeroes, zeroes};
    while (has_room && w->sent < MANY) {
        out.count = ++w->sent;
        has_room = rpc_send(call, &out.base);
    }
    if (w->sent == MANY)
        rpc_end(call);
}

static void far_count(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct world *w = service;

    (void)request;
    w->held = call;
    rpc_on_cancel(call, far_gone, w);
    rpc_on_drain(call, far_go_on, w);
    far_go_on(call, w);
}

/* Near. */

static bool take_back(void *arg, struct rpc_call *call, const ProtobufCMessage *request,
                      const struct rpc_status *status)
{
    struct world *w = arg;

    if (!w->takes || strcmp(status->name, w->takes) != 0)
        return false;
    w->taken = call;
    w->taken_request = request;
    return true;
}

static void count_over(void *arg)
{
    ((struct world *)arg)->over++;
}

static void near_any(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct world *w = service;
    const struct rpc_metadata who = {"x-who", "somebody"};
    const struct rpc_relay to = {w->onward, &who, 1, take_back, w, count_over};

    rpc_relay(&to, call, request);
}

#define METHODS(say, count)                                                                        \
    {                                                                                              \
        {.path = "test.echo.Echo/Say",                                                             \
         .request = &test__echo__request__descriptor,                                              \
         .response = &test__echo__response__descriptor,                                            \
         .handle = (say)},                                                                         \
            {.path = "test.echo.Echo/Count",                                                       \
             .request = &test__echo__request__descriptor,                                          \
             .response = &test__echo__response__descriptor,                                        \
             .is_stream = true,                                                                    \
             .handle = (count)},                                                                   \
            {.path = NULL},                                                                        \
    }

static const struct rpc_method far_methods[] = METHODS(far_say, far_count);
static const struct rpc_method near_methods[] = METHODS(near_any, near_any);
static const struct rpc_route no_routes[] = {{.verb = NULL}};

static struct rpc_server *serve(struct world *w, const struct rpc_method *methods)
{
    struct rpc_server *server = rpc_server_new(&w->loop, NULL);
    char error[RPC_TEXT_MAX];

    rpc_server_add(server, methods, no_routes, w);
    assert_true(rpc_server_listen(server, "127.0.0.1", 0, NULL, error));
    return server;
}

static struct rpc_channel *dial(struct world *w, struct rpc_server *server)
{
    char target[64];

    snprintf(target, sizeof target, "127.0.0.1:%d", rpc_server_port(server));
    return rpc_channel_new(&w->loop, &(struct rpc_channel_params){
                                         .target = target, .retry = {.step_ms = 10, .cap_ms = 50}});
}

static int set_up(void **state)
{
    struct world *w = mem_new(1, sizeof *w);

    uv_loop_init(&w->loop);
    w->far = serve(w, far_methods);
    w->near = serve(w, near_methods);
    w->onward = dial(w, w->far);
    w->channel = dial(w, w->near);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    rpc_channel_free(w->channel);
    rpc_server_free(w->near);
    rpc_channel_free(w->onward);
    rpc_server_free(w->far);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    free(w);
    return 0;
}

/* The caller. */

static void on_done(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    const Test__Echo__Response *r = (const void *)response;
    struct world *w = arg;

    w->is_done = true;
    w->status = *status;
    if (r)
        snprintf(w->text, sizeof w->text, "%s", r->text);
}

static void on_each(void *arg, const ProtobufCMessage *message)
{
    const Test__Echo__Response *r = (const void *)message;
    struct world *w = arg;

    assert_int_equal(r->count, ++w->messages);
    assert_int_equal(r->blob.len, BLOB);
}

static struct rpc_pending *ask(struct world *w, const char *method, const char *text,
                               unsigned deadline_ms)
{
    Test__Echo__Request message = TEST__ECHO__REQUEST__INIT;
    struct rpc_request request = {.path = method,
                                  .message = &message.base,
                                  .response = &test__echo__response__descriptor,
                                  .deadline_ms = deadline_ms,
                                  .trace = "00112233445566778899aabbccddeeff",
                                  .each = strstr(method, "Count") ? on_each : NULL,
                                  .done = on_done,
                                  .arg = w};

    message.text = (char *)(uintptr_t)text;
    w->is_done = false;
    return rpc_start(w->channel, &request);
}

#define SAY "test.echo.Echo/Say"
#define COUNT "test.echo.Echo/Count"
#define RUN_UNTIL(w, holds)                                                                        \
    while (!(holds))                                                                               \
    uv_run(&(w)->loop, UV_RUN_ONCE)

static void test_an_answer_comes_back(void **state)
{
    struct world *w = *state;

    ask(w, SAY, "hello", 20000);
    RUN_UNTIL(w, w->is_done);
    assert_int_equal(w->status.code, RPC_OK);
    assert_string_equal(w->text, "hello");
    assert_string_equal(w->trace, "00112233445566778899aabbccddeeff");
    assert_string_equal(w->who, "somebody");
    assert_in_range(w->deadline_ms, 1, 20000);
    ask(w, SAY, "again", 0);
    RUN_UNTIL(w, w->is_done);
    assert_string_equal(w->text, "again");
    assert_int_equal(w->deadline_ms, -1);
    assert_int_equal(w->over, 2);
}

static void test_a_refusal_comes_back_with_all_its_parts(void **state)
{
    struct world *w = *state;

    ask(w, SAY, "fail", 0);
    RUN_UNTIL(w, w->is_done);
    assert_int_equal(w->status.code, RPC_EXHAUSTED);
    assert_string_equal(w->status.name, "no_room");
    assert_string_equal(w->status.text, "100% of \"caf\xc3\xa9\" is\nfull");
    assert_string_equal(w->status.session_id, "8a6f2f6c-9a53-4d8c-8f0c-0d8a6f2f6c9a");
    assert_int_equal(w->status.retry_after, 7);
    assert_int_equal(w->status.http, 413);
}

static void test_a_caller_that_goes_is_told_onward(void **state)
{
    struct world *w = *state;
    struct rpc_pending *pending = ask(w, SAY, "hold", 0);

    RUN_UNTIL(w, w->held);
    rpc_cancel(pending);
    RUN_UNTIL(w, w->cancelled);
    assert_false(w->is_done);
    assert_int_equal(w->cancelled, 1);
    assert_int_equal(w->over, 1);
}

/* One that is long enough, on this machine, for the call to arrive. */
static void test_a_deadline_ends_both_calls(void **state)
{
    struct world *w = *state;

    ask(w, SAY, "hello", 0);
    RUN_UNTIL(w, w->is_done);
    for (unsigned deadline_ms = 100; !w->held; deadline_ms *= 2) {
        ask(w, SAY, "hold", deadline_ms);
        RUN_UNTIL(w, w->is_done);
        assert_int_equal(w->status.code, RPC_DEADLINE);
    }
    RUN_UNTIL(w, w->cancelled);
}

static void test_a_server_that_breaks_is_told_to_the_caller(void **state)
{
    struct world *w = *state;

    ask(w, SAY, "hold", 0);
    RUN_UNTIL(w, w->held);
    rpc_channel_free(w->onward);
    w->onward = dial(w, w->far);
    RUN_UNTIL(w, w->is_done);
    assert_int_equal(w->status.code, RPC_CANCELLED);
}

static void test_a_call_can_be_taken_back(void **state)
{
    struct world *w = *state;

    w->takes = "no_room";
    ask(w, SAY, "fail", 20000);
    RUN_UNTIL(w, w->taken);
    assert_false(w->is_done);
    assert_int_equal(w->over, 0);
    /* it is whole: sent once more, and this time passed through */
    w->takes = NULL;
    near_any(w->taken, w->taken_request, w);
    RUN_UNTIL(w, w->is_done);
    assert_string_equal(w->status.name, "no_room");
    assert_int_equal(w->over, 1);
}

static void test_a_stream_comes_through_in_order(void **state)
{
    struct world *w = *state;

    ask(w, COUNT, "", 0);
    RUN_UNTIL(w, w->is_done);
    assert_int_equal(w->status.code, RPC_OK);
    assert_int_equal(w->messages, MANY);
}

struct pause {
    bool is_over;
    unsigned sent;
};

static void on_pause(uv_timer_t *timer)
{
    ((struct pause *)timer->data)->is_over = true;
}

/* What the caller does not read stays at its source: 64 MiB are not buffered on the way. */
static void test_a_stream_that_nobody_reads_is_held_up(void **state)
{
    struct world *w = *state;
    struct rpc_pending *pending = ask(w, COUNT, "", 0);
    struct pause pause = {.sent = UINT32_MAX};
    uv_timer_t timer;

    rpc_pause(pending, true);
    uv_timer_init(&w->loop, &timer);
    timer.data = &pause;
    /* until a while brought nothing more */
    while (w->sent == 0 || pause.sent != w->sent) {
        pause = (struct pause){.sent = w->sent};
        uv_timer_start(&timer, on_pause, 100, 0);
        RUN_UNTIL(w, pause.is_over);
    }
    assert_true(w->sent < MANY / 4);
    rpc_pause(pending, false);
    RUN_UNTIL(w, w->is_done);
    assert_int_equal(w->messages, MANY);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&w->loop, UV_RUN_NOWAIT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_answer_comes_back),
        TEST(test_a_refusal_comes_back_with_all_its_parts),
        TEST(test_a_caller_that_goes_is_told_onward),
        TEST(test_a_deadline_ends_both_calls),
        TEST(test_a_server_that_breaks_is_told_to_the_caller),
        TEST(test_a_call_can_be_taken_back),
        TEST(test_a_stream_comes_through_in_order),
        TEST(test_a_stream_that_nobody_reads_is_held_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
