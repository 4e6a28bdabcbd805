/* SPDX-License-Identifier: Apache-2.0 */
/* The server with our own client, in one loop: unary calls, streams, back-pressure, cancels,
 * deadlines, refusals, stop. Each test runs the loop until what it waits for has happened. */
#include "system/rpc/server.h"

#include "echo.h"
#include "echo.pb-c.h"
#include "system/rpc/client.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world {
    uv_loop_t loop;
    struct rpc_server *server;
    struct rpc_channel *channel;
    struct echo echo;
    unsigned stopped;
};

struct fate {
    struct world *world;
    unsigned done, messages;
    struct rpc_status status;
    char text[64], caller[64], trace[64];
    int64_t deadline_ms;
    uint64_t bytes;
    uint32_t last;
};

static void note(struct fate *fate, const ProtobufCMessage *message)
{
    const Test__Echo__Response *response = (const Test__Echo__Response *)message;

    snprintf(fate->text, sizeof fate->text, "%s", response->text);
    snprintf(fate->caller, sizeof fate->caller, "%s", response->caller);
    snprintf(fate->trace, sizeof fate->trace, "%s", response->trace);
    fate->deadline_ms = response->deadline_ms;
    fate->bytes += response->blob.len;
    fate->last = response->count;
}

static void on_done(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct fate *fate = arg;

    fate->done++;
    fate->status = *status;
    if (response)
        note(fate, response);
}

static void on_each(void *arg, const ProtobufCMessage *message)
{
    struct fate *fate = arg;

    fate->messages++;
    note(fate, message);
}

static struct rpc_channel *dial(struct world *w)
{
    char target[64];
    struct rpc_channel_params params = {.target = target, .retry = {.step_ms = 10, .cap_ms = 50}};

    snprintf(target, sizeof target, "127.0.0.1:%d", rpc_server_port(w->server));
    return rpc_channel_new(&w->loop, &params);
}

static void open_world(struct world *w, const struct rpc_limits *limits)
{
    char error[RPC_TEXT_MAX];

    *w = (struct world){.stopped = 0};
    uv_loop_init(&w->loop);
    w->echo.loop = &w->loop;
    w->server = rpc_server_new(&w->loop, limits);
    echo_add(w->server, &w->echo);
    assert_true(rpc_server_listen(w->server, "127.0.0.1", 0, NULL, error));
    w->channel = dial(w);
}

static void on_stopped(void *arg)
{
    ((struct world *)arg)->stopped++;
}

static void close_world(struct world *w)
{
    if (w->channel)
        rpc_channel_free(w->channel);
    if (w->server)
        rpc_server_free(w->server);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    assert_int_equal(w->echo.running, 0);
}

static struct rpc_pending *start(struct world *w, struct fate *fate, const char *path,
                                 Test__Echo__Request *message, unsigned deadline_ms)
{
    struct rpc_request request = {.path = path,
                                  .message = &message->base,
                                  .response = &test__echo__response__descriptor,
                                  .deadline_ms = deadline_ms,
                                  .trace = "00112233445566778899aabbccddeeff",
                                  .each = strstr(path, "Count") ? on_each : NULL,
                                  .done = on_done,
                                  .arg = fate};

    *fate = (struct fate){.world = w};
    return rpc_start(w->channel, &request);
}

static void turn(struct world *w)
{
    uv_run(&w->loop, UV_RUN_ONCE);
}

static void until_done(struct fate *fate)
{
    while (!fate->done)
        turn(fate->world);
}

static struct fate say(struct world *w, const char *path, const char *text)
{
    Test__Echo__Request request = TEST__ECHO__REQUEST__INIT;
    struct fate fate;

    request.text = (char *)(uintptr_t)text;
    start(w, &fate, path, &request, 60000);
    until_done(&fate);
    return fate;
}

static void test_unary(void **state)
{
    struct world w;
    struct fate fate;

    (void)state;
    open_world(&w, NULL);
    fate = say(&w, "test.echo.Echo/Say", "hello");
    assert_int_equal(fate.status.code, RPC_OK);
    assert_string_equal(fate.text, "hello");
    assert_string_equal(fate.trace, "00112233445566778899aabbccddeeff");
    assert_in_range(fate.deadline_ms, 1, 60000);
    fate = say(&w, "test.echo.Echo/Say", "later");
    assert_int_equal(fate.status.code, RPC_OK);
    close_world(&w);
}

static void test_error_with_details(void **state)
{
    struct world w;
    struct fate fate;

    (void)state;
    open_world(&w, NULL);
    fate = say(&w, "test.echo.Echo/Say", "fail");
    assert_int_equal(fate.status.code, RPC_STATE);
    assert_string_equal(fate.status.name, "wrong_state");
    assert_string_equal(fate.status.text, "100% of \"caf\xc3\xa9\" is\nclosed");
    assert_string_equal(fate.status.session_id, "8a6f2f6c-9a53-4d8c-8f0c-0d8a6f2f6c9a");
    assert_int_equal(fate.status.retry_after, 7);
    fate = say(&w, "test.echo.Echo/Nothing", "x");
    assert_int_equal(fate.status.code, RPC_UNIMPLEMENTED);
    close_world(&w);
}

static void test_guard(void **state)
{
    struct world w;
    struct fate fate;

    (void)state;
    open_world(&w, NULL);
    fate = say(&w, "test.echo.Echo/Secret", "x");
    assert_int_equal(fate.status.code, RPC_UNAUTHENTICATED);
    rpc_channel_authorize(w.channel, NULL, "right");
    fate = say(&w, "test.echo.Echo/Secret", "x");
    assert_int_equal(fate.status.code, RPC_OK);
    assert_string_equal(fate.caller, "tester");
    close_world(&w);
}

static void test_too_long(void **state)
{
    uint8_t zeroes[100] = {0};
    Test__Echo__Request request = TEST__ECHO__REQUEST__INIT;
    struct world w;
    struct fate fate;

    (void)state;
    open_world(&w, NULL);
    request.blob.data = zeroes;
    request.blob.len = 50;
    start(&w, &fate, "test.echo.Echo/SayShort", &request, 60000);
    until_done(&fate);
    assert_int_equal(fate.status.code, RPC_OK);
    request.blob.len = 100;
    start(&w, &fate, "test.echo.Echo/SayShort", &request, 60000);
    until_done(&fate);
    assert_int_equal(fate.status.code, RPC_EXHAUSTED);
    close_world(&w);
}

/* Larger than every window and every buffer, so that the server has to wait for the reader. */
static void test_stream_keeps_pace(void **state)
{
    Test__Echo__Request request = TEST__ECHO__REQUEST__INIT;
    struct world w;
    struct fate fate;

    (void)state;
    open_world(&w, NULL);
    request.count = 400;
    request.size = 100000;
    start(&w, &fate, "test.echo.Echo/Count", &request, 0);
    until_done(&fate);
    assert_int_equal(fate.status.code, RPC_OK);
    assert_int_equal(fate.messages, 400);
    assert_int_equal(fate.bytes, 40000000);
    assert_int_equal(fate.last, 400);
    assert_true(w.echo.drains > 0);
    close_world(&w);
}

/* One answer of 3 MiB: the high-water mark is for streams, not for messages. */
static void test_large_answer(void **state)
{
    Test__Echo__Request request = TEST__ECHO__REQUEST__INIT;
    struct world w;
    struct fate fate;

    (void)state;
    open_world(&w, NULL);
    request.size = 3 * 1024 * 1024;
    start(&w, &fate, "test.echo.Echo/Say", &request, 60000);
    until_done(&fate);
    assert_int_equal(fate.status.code, RPC_OK);
    assert_int_equal(fate.bytes, 3 * 1024 * 1024);
    close_world(&w);
}

static void test_cancel_reaches_the_handler(void **state)
{
    Test__Echo__Request request = TEST__ECHO__REQUEST__INIT;
    struct rpc_pending *pending;
    struct world w;
    struct fate fate;

    (void)state;
    open_world(&w, NULL);
    request.text = (char *)(uintptr_t) "hold";
    pending = start(&w, &fate, "test.echo.Echo/Say", &request, 60000);
    while (!w.echo.running)
        turn(&w);
    rpc_cancel(pending);
    while (!w.echo.cancelled)
        turn(&w);
    assert_int_equal(fate.done, 0);
    request.count = 0;
    request.size = 1000;
    pending = start(&w, &fate, "test.echo.Echo/Count", &request, 0);
    while (fate.messages < 3)
        turn(&w);
    rpc_cancel(pending);
    while (w.echo.cancelled < 2)
        turn(&w);
    close_world(&w);
}

static void test_deadline_is_kept_by_the_server(void **state)
{
    const struct rpc_limits limits = {.call_ms = 60};
    struct world w;
    struct fate fate;

    (void)state;
    /* The client waits for ten seconds, so the answer is the server's. */
    open_world(&w, &limits);
    {
        Test__Echo__Request request = TEST__ECHO__REQUEST__INIT;

        request.text = (char *)(uintptr_t) "hold";
        start(&w, &fate, "test.echo.Echo/Say", &request, 0);
        until_done(&fate);
    }
    assert_int_equal(fate.status.code, RPC_DEADLINE);
    assert_string_equal(fate.status.name, "deadline_exceeded");
    assert_int_equal(w.echo.cancelled, 1);
    close_world(&w);
}

static void test_lost_connection_cancels_all(void **state)
{
    Test__Echo__Request request = TEST__ECHO__REQUEST__INIT;
    struct fate fates[20];
    struct world w;

    (void)state;
    open_world(&w, NULL);
    request.text = (char *)(uintptr_t) "hold";
    for (size_t i = 0; i < 20; i++)
        start(&w, &fates[i], "test.echo.Echo/Say", &request, 60000);
    while (w.echo.running < 20)
        turn(&w);
    rpc_channel_free(w.channel);
    w.channel = NULL;
    while (w.echo.cancelled < 20)
        turn(&w);
    close_world(&w);
}

/* More calls than a connection may have wait at the client or are refused, but all end. */
static void test_many_calls_at_a_time(void **state)
{
    enum { CALLS = 300 };
    const struct rpc_limits limits = {.streams_max = 16};
    Test__Echo__Request request = TEST__ECHO__REQUEST__INIT;
    struct fate *fates = calloc(CALLS, sizeof *fates);
    struct world w;
    unsigned good = 0;

    (void)state;
    open_world(&w, &limits);
    (void)say(&w, "test.echo.Echo/Say", "the client knows the limit now");
    request.text = (char *)(uintptr_t) "later";
    for (size_t i = 0; i < CALLS; i++)
        start(&w, &fates[i], "test.echo.Echo/Say", &request, 60000);
    for (size_t i = 0; i < CALLS; i++) {
        until_done(&fates[i]);
        good += fates[i].status.code == RPC_OK;
    }
    assert_int_equal(good, CALLS);
    free(fates);
    close_world(&w);
}

static void test_stop_waits_for_calls(void **state)
{
    Test__Echo__Request request = TEST__ECHO__REQUEST__INIT;
    struct world w;
    struct fate fate;

    (void)state;
    open_world(&w, NULL);
    request.text = (char *)(uintptr_t) "later";
    request.count = 100; /* ms: a slow turn of the loop may still see it begin and end */
    start(&w, &fate, "test.echo.Echo/Say", &request, 60000);
    while (!w.echo.running && !w.echo.ended)
        turn(&w);
    rpc_server_stop(w.server, 60000, on_stopped, &w);
    until_done(&fate);
    assert_int_equal(fate.status.code, RPC_OK);
    while (!w.stopped)
        turn(&w);
    assert_int_equal(w.stopped, 1);
    close_world(&w);
}

static void test_stop_ends_what_does_not_end(void **state)
{
    Test__Echo__Request request = TEST__ECHO__REQUEST__INIT;
    struct world w;
    struct fate fate;

    (void)state;
    open_world(&w, NULL);
    request.text = (char *)(uintptr_t) "hold";
    start(&w, &fate, "test.echo.Echo/Say", &request, 60000);
    while (!w.echo.running)
        turn(&w);
    rpc_server_stop(w.server, 50, on_stopped, &w);
    while (!w.stopped)
        turn(&w);
    assert_int_equal(w.echo.cancelled, 1);
    rpc_channel_free(w.channel);
    w.channel = NULL;
    close_world(&w);
}

static void keep(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)request;
    *(struct rpc_call **)service = call;
}

static const struct rpc_method keeping[] = {
    {"test.echo.Echo/Keep", &test__echo__request__descriptor, &test__echo__response__descriptor,
     false, keep, 0, 0},
    {NULL, NULL, NULL, false, NULL, 0, 0},
};

/* The handler holds its call longer than the server lives. */
static void test_call_outlives_the_server(void **state)
{
    Test__Echo__Response response = TEST__ECHO__RESPONSE__INIT;
    Test__Echo__Request request = TEST__ECHO__REQUEST__INIT;
    struct rpc_call *kept = NULL;
    struct world w;
    struct fate fate;

    (void)state;
    open_world(&w, NULL);
    rpc_server_add(w.server, keeping, NULL, &kept);
    request.text = (char *)(uintptr_t) "lent";
    start(&w, &fate, "test.echo.Echo/Keep", &request, 60000);
    while (!kept)
        turn(&w);
    rpc_channel_free(w.channel);
    w.channel = NULL;
    while (!rpc_is_cancelled(kept))
        turn(&w);
    rpc_server_free(w.server);
    w.server = NULL;
    uv_run(&w.loop, UV_RUN_DEFAULT);
    assert_int_equal(rpc_deadline_ms(kept), 0);
    assert_string_equal(rpc_peer(kept), "127.0.0.1");
    rpc_reply(kept, &response.base);
    close_world(&w);
}

struct shelf {
    struct rpc_call *call[8];
    unsigned n;
};

static void shelve(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct shelf *shelf = service;

    (void)request;
    shelf->call[shelf->n++] = call;
}

static const struct rpc_method shelving[] = {
    {"test.echo.Echo/Shelve", &test__echo__request__descriptor, &test__echo__response__descriptor,
     false, shelve, 0, 0},
    {NULL, NULL, NULL, false, NULL, 0, 0},
};

/* A caller who resets his calls gets no more of them at a time than one who waits. */
static void test_reset_calls_count_until_they_are_finished(void **state)
{
    const struct rpc_limits limits = {.streams_max = 4};
    Test__Echo__Request request = TEST__ECHO__REQUEST__INIT;
    struct shelf shelf = {.n = 0};
    struct rpc_pending *pending;
    struct world w;
    struct fate fate;

    (void)state;
    open_world(&w, &limits);
    rpc_server_add(w.server, shelving, NULL, &shelf);
    for (unsigned i = 0; i < 4; i++) {
        pending = start(&w, &fate, "test.echo.Echo/Shelve", &request, 60000);
        while (shelf.n < i + 1)
            turn(&w);
        rpc_cancel(pending);
        while (!rpc_is_cancelled(shelf.call[i]))
            turn(&w);
    }
    start(&w, &fate, "test.echo.Echo/Say", &request, 300);
    until_done(&fate);
    assert_int_not_equal(fate.status.code, RPC_OK);
    for (unsigned i = 0; i < 4; i++)
        rpc_fail(shelf.call[i], rpc_error(RPC_CANCELLED, "gone", "gone"));
    assert_int_equal(say(&w, "test.echo.Echo/Say", "again").status.code, RPC_OK);
    assert_int_equal(shelf.n, 4);
    close_world(&w);
}

static void note_cancel(struct rpc_call *call, void *arg)
{
    (void)call;
    ++*(unsigned *)arg;
}

/* Who registers after the caller has gone is told all the same. */
static void test_late_cancel_callback(void **state)
{
    Test__Echo__Request request = TEST__ECHO__REQUEST__INIT;
    struct rpc_call *kept = NULL;
    unsigned cancels = 0;
    struct world w;
    struct fate fate;

    (void)state;
    open_world(&w, NULL);
    rpc_server_add(w.server, keeping, NULL, &kept);
    rpc_cancel(start(&w, &fate, "test.echo.Echo/Keep", &request, 60000));
    rpc_start(w.channel, &(struct rpc_request){.path = "test.echo.Echo/Keep",
                                               .message = &request.base,
                                               .response = &test__echo__response__descriptor,
                                               .done = on_done,
                                               .arg = &fate});
    while (!kept)
        turn(&w);
    rpc_channel_free(w.channel);
    w.channel = NULL;
    while (!rpc_is_cancelled(kept))
        turn(&w);
    rpc_on_cancel(kept, note_cancel, &cancels);
    assert_int_equal(cancels, 0);
    while (!cancels)
        turn(&w);
    rpc_fail(kept, rpc_error(RPC_CANCELLED, "gone", "gone"));
    close_world(&w);
}

static void test_listen_says_what_is_wrong(void **state)
{
    const struct rpc_tls tls = {.certificate = "/no/such/file.pem", .key = "/no/such/key.pem"};
    char error[RPC_TEXT_MAX] = "";
    struct world w;

    (void)state;
    open_world(&w, NULL);
    assert_false(rpc_server_listen(w.server, "127.0.0.1", rpc_server_port(w.server), NULL, error));
    assert_non_null(strstr(error, "127.0.0.1"));
    assert_false(rpc_server_listen(w.server, "127.0.0.1", 0, &tls, error));
    assert_non_null(strstr(error, "/no/such/file.pem"));
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unary),
        cmocka_unit_test(test_error_with_details),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_stream_keeps_pace),
        cmocka_unit_test(test_large_answer),
        cmocka_unit_test(test_cancel_reaches_the_handler),
        cmocka_unit_test(test_deadline_is_kept_by_the_server),
        cmocka_unit_test(test_lost_connection_cancels_all),
        cmocka_unit_test(test_many_calls_at_a_time),
        cmocka_unit_test(test_stop_waits_for_calls),
        cmocka_unit_test(test_stop_ends_what_does_not_end),
        cmocka_unit_test(test_call_outlives_the_server),
        cmocka_unit_test(test_reset_calls_count_until_they_are_finished),
        cmocka_unit_test(test_late_cancel_callback),
        cmocka_unit_test(test_listen_says_what_is_wrong),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
