/* SPDX-License-Identifier: Apache-2.0 */
/* The client against a server that does what each test tells it: answers of every kind, connections
 * that break, servers that are silent, users that cancel and free in the middle. Each test runs the
 * loop until what it waits for has happened; the program's own time limit ends what never does. */
#include "system/rpc/client.h"

#include "shapes.pb-c.h"
#include "stub_server.h"
#include "system/core/ids.h"
#include "system/core/utf8.h"
#include "system/rpc/client_link.h"
#include "system/rpc/grpc_wire.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const fine[] = {"grpc-status", "0", NULL};

struct world {
    uv_loop_t loop;
    struct stub_server stub;
    struct rpc_channel *channel;
    /* what the channel said */
    unsigned ups, downs, gave_up;
    /* what the stub saw; the last request that it was told to keep */
    unsigned requests, resets;
    uint32_t reset_error;
    struct stub_call *kept;
};

/* What :authority must be. */
static const char *call_target;

/* One call's fate. */
struct fate {
    struct world *world;
    unsigned done, messages;
    struct rpc_status status;
    bool had_message;
    uint64_t sum;
    char name[64];
    struct rpc_pending *pending;
};

static void on_state(void *arg, bool connected, bool gave_up)
{
    struct world *w = arg;

    w->ups += connected;
    w->downs += !connected;
    w->gave_up += gave_up;
}

static void on_done(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct fate *fate = arg;
    const Test__Shapes__Inner *inner = (const Test__Shapes__Inner *)response;

    fate->done++;
    fate->status = *status;
    fate->had_message = response != NULL;
    if (inner != NULL) {
        fate->sum += inner->count;
        snprintf(fate->name, sizeof fate->name, "%s", inner->name);
    }
}

static void on_each(void *arg, const ProtobufCMessage *message)
{
    struct fate *fate = arg;

    fate->messages++;
    fate->sum += ((const Test__Shapes__Inner *)message)->count;
}

static void add_inner(struct buffer *out, const char *name, uint32_t count)
{
    Test__Shapes__Inner inner = TEST__SHAPES__INNER__INIT;

    inner.name = (char *)(uintptr_t)name;
    inner.count = count;
    grpc_frame_add(out, &inner.base);
}

static void answer_inner(struct stub_call *call, const char *name, uint32_t count)
{
    struct buffer out = {0};

    add_inner(&out, name, count);
    stub_answer(call, "200", "application/grpc", out.b, out.len, fine);
    buffer_free(&out);
}

/* --- behaviours of the server, by path --- */

static void echo(struct stub_call *call)
{
    stub_answer(call, "200", "application/grpc+proto", call->body.b, call->body.len, fine);
}

static void refuse(struct stub_call *call)
{
    static const char *const trailers[] = {"grpc-status",
                                           "5",
                                           "grpc-message",
                                           "no account %E2%82%AC 100%25",
                                           "x-error-code",
                                           "account_not_found",
                                           "x-session-id",
                                           "123e4567-e89b-42d3-a456-426614174000",
                                           "retry-after",
                                           "7",
                                           NULL};

    stub_refuse(call, trailers);
}

static void refuse_barely(struct stub_call *call)
{
    static const char *const trailers[] = {"grpc-status", "9", NULL};

    stub_refuse(call, trailers);
}

static void three(struct stub_call *call)
{
    struct buffer out = {0};

    for (uint32_t i = 1; i <= 3; i++)
        add_inner(&out, "x", i);
    stub_answer(call, "200", "application/grpc", out.b, out.len, fine);
    buffer_free(&out);
}

static void two_then_fault(struct stub_call *call)
{
    static const char *const trailers[] = {"grpc-status", "10", "grpc-message", "lost", NULL};
    struct buffer out = {0};

    add_inner(&out, "x", 1);
    add_inner(&out, "x", 2);
    stub_answer(call, "200", "application/grpc", out.b, out.len, trailers);
    buffer_free(&out);
}

static void one_then_open(struct stub_call *call)
{
    struct buffer out = {0};

    add_inner(&out, "x", 1);
    stub_answer(call, "200", "application/grpc", out.b, out.len, NULL);
    buffer_free(&out);
}

static void nothing(struct stub_call *call)
{
    (void)call;
}

static void html(struct stub_call *call)
{
    static const char *const none[] = {NULL};

    stub_answer(call, "503", "text/html", "<p>no", 5, none);
}

static void html_fine(struct stub_call *call)
{
    static const char *const none[] = {NULL};

    stub_answer(call, "200", "text/html", "<p>no", 5, none);
}

static void no_status(struct stub_call *call)
{
    static const char *const none[] = {NULL};

    stub_answer(call, "200", "application/grpc", "", 0, none);
}

static void no_message(struct stub_call *call)
{
    stub_answer(call, "200", "application/grpc", "", 0, fine);
}

static void cut_message(struct stub_call *call)
{
    stub_answer(call, "200", "application/grpc", "\0\0\0\0\5ab", 7, fine);
}

static void compressed(struct stub_call *call)
{
    stub_answer(call, "200", "application/grpc", "\1\0\0\0\1a", 6, fine);
}

/* The first field of the tests' Inner is a string. */
static void no_text(struct stub_call *call)
{
    stub_answer(call, "200", "application/grpc", "\0\0\0\0\4\x0a\2a\xff", 9, fine);
}
/* Half a character at the end. */
static void refuse_in_no_text(struct stub_call *call)
{
    static const char *const trailers[] = {"grpc-status", "9", "grpc-message", "caf%C3", NULL};

    stub_refuse(call, trailers);
}
static void no_protobuf(struct stub_call *call)
{
    stub_answer(call, "200", "application/grpc", "\0\0\0\0\2\xff\xff", 7, fine);
}

static void too_long(struct stub_call *call)
{
    stub_answer(call, "200", "application/grpc", "\0\x01\0\0\1", 5, NULL);
}

static void reset(struct stub_call *call)
{
    stub_reset(call, NGHTTP2_INTERNAL_ERROR);
}

static void calm_down(struct stub_call *call)
{
    stub_reset(call, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void strange_code(struct stub_call *call)
{
    static const char *const trailers[] = {"grpc-status", "77", "x-error-code", "Not A Name", NULL};

    stub_refuse(call, trailers);
}

static void headers_back(struct stub_call *call)
{
    char text[64];

    snprintf(text, sizeof text, "%s|%s", stub_header(call, "authorization"),
             stub_header(call, "x-api-key") ? stub_header(call, "x-api-key") : "none");
    answer_inner(call, text,
                 strlen(stub_header(call, "x-request-id")) == 32 &&
                     strcmp(stub_header(call, "te"), "trailers") == 0 &&
                     strcmp(stub_header(call, ":authority"), call_target) == 0);
}

static const struct {
    const char *path;
    void (*act)(struct stub_call *call);
} acts[] = {
    {"/t.T/Echo", echo},
    {"/t.T/Refuse", refuse},
    {"/t.T/RefuseBarely", refuse_barely},
    {"/t.T/Three", three},
    {"/t.T/TwoThenFault", two_then_fault},
    {"/t.T/OneThenOpen", one_then_open},
    {"/t.T/Nothing", nothing},
    {"/t.T/Html", html},
    {"/t.T/HtmlFine", html_fine},
    {"/t.T/NoStatus", no_status},
    {"/t.T/NoMessage", no_message},
    {"/t.T/CutMessage", cut_message},
    {"/t.T/Compressed", compressed},
    {"/t.T/NoProtobuf", no_protobuf},
    {"/t.T/NoText", no_text},
    {"/t.T/RefuseInNoText", refuse_in_no_text},
    {"/t.T/TooLong", too_long},
    {"/t.T/Reset", reset},
    {"/t.T/CalmDown", calm_down},
    {"/t.T/StrangeCode", strange_code},
    {"/t.T/HeadersBack", headers_back},
};

static void on_call(void *arg, struct stub_call *call)
{
    struct world *w = arg;
    const char *path = stub_header(call, ":path");

    w->requests++;
    w->kept = call;
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        if (strcmp(acts[i].path, path) == 0) {
            acts[i].act(call);
            return;
        }
    fail_msg("no such path: %s", path);
}

static void on_reset(void *arg, uint32_t error)
{
    struct world *w = arg;

    w->resets++;
    w->reset_error = error;
}

/* --- the bench --- */

static void dial(struct world *w, const char *target, uint32_t step_ms, uint32_t max)
{
    const struct rpc_channel_params params = {
        .target = target,
        .retry = {.step_ms = step_ms, .cap_ms = 4 * step_ms, .max = max},
        .state = on_state,
        .arg = w,
    };

    w->channel = rpc_channel_new(&w->loop, &params);
}

static int open_world(void **state)
{
    struct world *w = mem_new(1, sizeof *w);

    alarm(120);
    uv_loop_init(&w->loop);
    w->stub.on_call = on_call;
    w->stub.on_reset = on_reset;
    w->stub.arg = w;
    stub_open(&w->stub, &w->loop, 0);
    call_target = w->stub.target;
    dial(w, w->stub.target, 1, 0);
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;

    rpc_channel_free(w->channel);
    if (w->stub.port != 0)
        stub_close(&w->stub);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    free(w);
    return 0;
}

static void start(struct world *w, struct fate *fate, const char *path, uint32_t count,
                  unsigned deadline_ms)
{
    Test__Shapes__Inner inner = TEST__SHAPES__INNER__INIT;
    struct rpc_request request = {
        .path = path,
        .message = &inner.base,
        .response = &test__shapes__inner__descriptor,
        .deadline_ms = deadline_ms,
        .done = on_done,
        .arg = fate,
    };

    inner.count = count;
    inner.name = (char *)(uintptr_t) "n";
    if (fate->messages == UINT32_MAX) {
        fate->messages = 0;
        request.each = on_each;
    }
    fate->world = w;
    fate->pending = rpc_start(w->channel, &request);
    assert_int_equal(fate->done, 0);
}

#define STREAM                                                                                     \
    {                                                                                              \
        .messages = UINT32_MAX                                                                     \
    }

static void wait_done(struct world *w, const struct fate *fate)
{
    while (fate->done == 0)
        uv_run(&w->loop, UV_RUN_ONCE);
}

static void wait_count(struct world *w, const unsigned *count, unsigned n)
{
    while (*count < n)
        uv_run(&w->loop, UV_RUN_ONCE);
}

/* --- answers --- */

static void test_unary_call(void **state)
{
    struct fate fate = {0};

    start(*state, &fate, "t.T/Echo", 42, 5000);
    wait_done(*state, &fate);
    assert_int_equal(fate.status.code, RPC_OK);
    assert_true(fate.had_message);
    assert_int_equal(fate.sum, 42);
    assert_string_equal(fate.name, "n");
}

static void test_refusal_has_all_its_parts(void **state)
{
    struct fate fate = {0};

    start(*state, &fate, "t.T/Refuse", 0, 0);
    wait_done(*state, &fate);
    assert_int_equal(fate.status.code, RPC_NOT_FOUND);
    assert_string_equal(fate.status.text, "no account \xe2\x82\xac 100%");
    assert_string_equal(fate.status.name, "account_not_found");
    assert_string_equal(fate.status.session_id, "123e4567-e89b-42d3-a456-426614174000");
    assert_int_equal(fate.status.retry_after, 7);
    assert_false(fate.had_message);
}

static void test_what_metadata_a_call_has(void **state)
{
    struct world *w = *state;
    struct fate none = {0}, both = {0};

    rpc_channel_authorize(w->channel, "Bearer abc", "key");
    start(w, &both, "t.T/HeadersBack", 0, 0);
    wait_done(w, &both);
    assert_string_equal(both.name, "Bearer abc|key");
    assert_int_equal(both.sum, 1);
    rpc_channel_authorize(w->channel, "Bearer new", NULL);
    start(w, &none, "t.T/HeadersBack", 0, 0);
    wait_done(w, &none);
    assert_string_equal(none.name, "Bearer new|none");
}

static void test_deadline_and_trace_are_told(void **state)
{
    struct world *w = *state;
    Test__Shapes__Inner inner = TEST__SHAPES__INNER__INIT;
    struct fate fate = {0};
    const struct rpc_request request = {
        .path = "t.T/Nothing",
        .message = &inner.base,
        .response = &test__shapes__inner__descriptor,
        .deadline_ms = 60000,
        .trace = "0123456789abcdef0123456789abcdef",
        .done = on_done,
        .arg = &fate,
    };
    uint64_t ms;

    fate.pending = rpc_start(w->channel, &request);
    wait_count(w, &w->requests, 1);
    assert_string_equal(stub_header(w->kept, "x-request-id"), request.trace);
    assert_true(grpc_timeout_parse(&ms, stub_header(w->kept, "grpc-timeout")));
    assert_in_range(ms, 30000, 60000);
    rpc_cancel(fate.pending);
}

static void test_every_bad_answer_is_a_clear_status(void **state)
{
    static const struct {
        const char *path;
        enum rpc_code code;
        const char *name, *text;
    } rows[] = {
        {"t.T/RefuseBarely", RPC_STATE, "wrong_state", ""},
        {"t.T/Html", RPC_UNAVAILABLE, "unavailable", "HTTP status 503"},
        {"t.T/HtmlFine", RPC_UNKNOWN, "unknown", "HTTP status 200"},
        {"t.T/NoStatus", RPC_UNKNOWN, "unknown", "HTTP status 200"},
        {"t.T/NoMessage", RPC_INTERNAL, "internal", "no answer"},
        {"t.T/CutMessage", RPC_INTERNAL, "internal", "ends inside a message"},
        {"t.T/Compressed", RPC_INTERNAL, "internal", "compressed"},
        {"t.T/NoProtobuf", RPC_INTERNAL, "internal", "cannot be decoded"},
        {"t.T/NoText", RPC_INTERNAL, "internal", "cannot be decoded: name is not valid UTF-8"},
        {"t.T/RefuseInNoText", RPC_STATE, "wrong_state", "caf"},
        {"t.T/TooLong", RPC_EXHAUSTED, "exhausted", "longer than 16 MiB"},
        {"t.T/Three", RPC_INTERNAL, "internal", "more than one answer"},
        {"t.T/Reset", RPC_INTERNAL, "internal", "INTERNAL_ERROR"},
        {"t.T/CalmDown", RPC_EXHAUSTED, "exhausted", "ENHANCE_YOUR_CALM"},
        {"t.T/StrangeCode", RPC_UNKNOWN, "unknown", ""},
    };
    struct fate last = {0};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fate fate = {0};

        start(*state, &fate, rows[i].path, 0, 5000);
        wait_done(*state, &fate);
        if (fate.status.code != rows[i].code || strcmp(fate.status.name, rows[i].name) != 0 ||
            strstr(fate.status.text, rows[i].text) == NULL || fate.had_message ||
            utf8_prefix(fate.status.text, strlen(fate.status.text)) != strlen(fate.status.text))
            fail_msg("%s: %d %s: %s", rows[i].path, fate.status.code, fate.status.name,
                     fate.status.text);
        assert_int_equal(fate.done, 1);
    }
    start(*state, &last, "t.T/Echo", 1, 0);
    wait_done(*state, &last);
    assert_int_equal(last.status.code, RPC_OK);
    assert_int_equal(((struct world *)*state)->stub.links_n, 1);
}

static void test_streams(void **state)
{
    struct fate three_of = STREAM, fault = STREAM, none = STREAM;

    start(*state, &three_of, "t.T/Three", 0, 0);
    start(*state, &fault, "t.T/TwoThenFault", 0, 0);
    start(*state, &none, "t.T/NoMessage", 0, 0);
    wait_done(*state, &three_of);
    wait_done(*state, &fault);
    wait_done(*state, &none);
    assert_int_equal(three_of.status.code, RPC_OK);
    assert_int_equal(three_of.messages, 3);
    assert_int_equal(three_of.sum, 6);
    assert_false(three_of.had_message);
    assert_int_equal(fault.status.code, RPC_ABORTED);
    assert_string_equal(fault.status.text, "lost");
    assert_int_equal(fault.messages, 2);
    assert_int_equal(none.status.code, RPC_OK);
    assert_int_equal(none.messages, 0);
}

static void on_big(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct fate *fate = arg;
    const Test__Shapes__Shapes *m = (const Test__Shapes__Shapes *)response;

    fate->done++;
    fate->status = *status;
    for (size_t i = 0; m != NULL && i < m->blob.len; i++)
        fate->sum += m->blob.data[i] == (uint8_t)(i * 7);
}

static void send_big(struct world *w, struct fate *fate, size_t len)
{
    Test__Shapes__Shapes m = TEST__SHAPES__SHAPES__INIT;
    const struct rpc_request request = {
        .path = "t.T/Echo",
        .message = &m.base,
        .response = &test__shapes__shapes__descriptor,
        .done = on_big,
        .arg = fate,
    };

    m.blob.data = malloc(m.blob.len = len);
    for (size_t i = 0; i < len; i++)
        m.blob.data[i] = (uint8_t)(i * 7);
    rpc_start(w->channel, &request);
    free(m.blob.data);
}

static void test_large_messages_both_ways(void **state)
{
    static const size_t sizes[] = {60000, 65536, 1 << 20, (16 << 20) - 100};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct fate fate = {0};

        send_big(*state, &fate, sizes[i]);
        wait_done(*state, &fate);
        assert_int_equal(fate.status.code, RPC_OK);
        assert_int_equal(fate.sum, sizes[i]);
    }
}

static void test_a_request_over_the_limit_is_refused_here(void **state)
{
    struct fate fate = {0};

    send_big(*state, &fate, 16 << 20);
    assert_int_equal(fate.done, 0);
    wait_done(*state, &fate);
    assert_int_equal(fate.status.code, RPC_EXHAUSTED);
    assert_int_equal(((struct world *)*state)->requests, 0);
}

static void test_many_calls_at_once(void **state)
{
    enum { N = 2000 };
    struct fate *fates = mem_new(N, sizeof *fates);

    for (uint32_t i = 0; i < N; i++)
        start(*state, &fates[i], "t.T/Echo", i, 60000);
    for (uint32_t i = 0; i < N; i++) {
        wait_done(*state, &fates[i]);
        assert_int_equal(fates[i].status.code, RPC_OK);
        assert_int_equal(fates[i].sum, i);
    }
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(fates[i].done, 1);
    assert_int_equal(((struct world *)*state)->stub.links_n, 1);
    free(fates);
}

/* --- the user ends it --- */

static void test_deadline_ends_the_call_and_the_stream(void **state)
{
    struct world *w = *state;
    struct fate late = {0}, stream = STREAM, good = {0};

    start(w, &late, "t.T/Nothing", 0, 50);
    start(w, &stream, "t.T/OneThenOpen", 0, 100);
    start(w, &good, "t.T/Echo", 5, 60000);
    wait_done(w, &late);
    wait_done(w, &stream);
    wait_done(w, &good);
    assert_int_equal(late.status.code, RPC_DEADLINE);
    assert_int_equal(stream.status.code, RPC_DEADLINE);
    assert_int_equal(good.status.code, RPC_OK);
    wait_count(w, &w->resets, 2);
    assert_int_equal(w->reset_error, NGHTTP2_CANCEL);
    assert_int_equal(late.done + stream.done, 2);
}

static void test_cancel_resets_the_stream_and_is_silent(void **state)
{
    struct world *w = *state;
    struct fate open = STREAM, after = {0};

    start(w, &open, "t.T/OneThenOpen", 0, 0);
    wait_count(w, &open.messages, 1);
    rpc_cancel(open.pending);
    wait_count(w, &w->resets, 1);
    assert_int_equal(w->reset_error, NGHTTP2_CANCEL);
    start(w, &after, "t.T/Echo", 0, 0);
    wait_done(w, &after);
    assert_int_equal(after.status.code, RPC_OK);
    assert_int_equal(open.done, 0);
}

static void test_cancel_before_anything_was_sent(void **state)
{
    struct world *w = *state;
    struct fate waiting = {0}, queued = {0}, after = {0};

    start(w, &waiting, "t.T/Echo", 0, 0);
    rpc_cancel(waiting.pending);
    start(w, &after, "t.T/Echo", 0, 0);
    wait_done(w, &after);
    start(w, &queued, "t.T/Echo", 0, 0);
    rpc_cancel(queued.pending);
    after.done = 0;
    start(w, &after, "t.T/Echo", 0, 0);
    wait_done(w, &after);
    assert_int_equal(w->requests, 2);
    assert_int_equal(waiting.done + queued.done, 0);
}

static void cancel_inside(void *arg, const ProtobufCMessage *message)
{
    struct fate *fate = arg;

    on_each(fate, message);
    rpc_cancel(fate->pending);
}

static void start_again(void *arg, const struct rpc_status *status,
                        const ProtobufCMessage *response)
{
    struct fate *fate = arg;

    on_done(fate, status, response);
    if (fate->messages++ < 5) {
        fate->done = 0;
        fate->pending = NULL;
        start(fate->world, fate, "t.T/Echo", 1, 0);
    }
}

static void free_inside_done(void *arg, const struct rpc_status *status,
                             const ProtobufCMessage *response)
{
    struct fate *fate = arg;

    on_done(fate, status, response);
    rpc_channel_free(fate->world->channel);
    fate->world->channel = NULL;
}

static void free_inside_each(void *arg, const ProtobufCMessage *message)
{
    struct fate *fate = arg;

    on_each(fate, message);
    rpc_channel_free(fate->world->channel);
    fate->world->channel = NULL;
}

static struct rpc_request plain_request(const Test__Shapes__Inner *inner, struct fate *fate)
{
    return (struct rpc_request){
        .path = "t.T/Three",
        .message = &inner->base,
        .response = &test__shapes__inner__descriptor,
        .each = on_each,
        .done = on_done,
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
    wait_count(w, &fate.messages, 1);
    start(w, &after, "t.T/Echo", 0, 0);
    wait_done(w, &after);
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
    wait_done(w, &fate);
    assert_int_equal(fate.status.code, RPC_OK);
}

static void check_free_inside(struct world *w, rpc_done *done, rpc_message *each)
{
    Test__Shapes__Inner inner = TEST__SHAPES__INNER__INIT;
    struct fate fate = {.world = w}, other = STREAM;
    struct rpc_request request = plain_request(&inner, &fate);

    start(w, &other, "t.T/OneThenOpen", 0, 0);
    wait_count(w, &other.messages, 1);
    request.done = done;
    request.each = each;
    rpc_start(w->channel, &request);
    wait_done(w, &fate);
    assert_int_equal(other.done, 1);
    assert_int_equal(other.status.code, RPC_CANCELLED);
    assert_int_equal(fate.done, 1);
}

static void test_free_inside_done(void **state)
{
    check_free_inside(*state, free_inside_done, on_each);
}

static void test_free_inside_each(void **state)
{
    check_free_inside(*state, on_done, free_inside_each);
}

static void test_free_ends_all_calls_inside(void **state)
{
    struct world *w = *state;
    struct fate running = STREAM, queued = {0};

    start(w, &running, "t.T/OneThenOpen", 0, 0);
    wait_count(w, &running.messages, 1);
    start(w, &queued, "t.T/Echo", 0, 0);
    rpc_channel_free(w->channel);
    w->channel = NULL;
    assert_int_equal(running.status.code, RPC_CANCELLED);
    assert_int_equal(queued.status.code, RPC_CANCELLED);
    assert_int_equal(running.done + queued.done, 2);
}

/* --- connections --- */

static void test_a_cut_connection_ends_calls_and_is_made_again(void **state)
{
    struct world *w = *state;
    struct fate lost = STREAM, after = {0};

    start(w, &lost, "t.T/OneThenOpen", 0, 0);
    wait_count(w, &lost.messages, 1);
    assert_true(rpc_channel_is_connected(w->channel));
    stub_cut(&w->stub);
    wait_done(w, &lost);
    assert_int_equal(lost.status.code, RPC_UNAVAILABLE);
    assert_string_equal(lost.status.name, "unavailable");
    assert_non_null(strstr(lost.status.text, w->stub.target));
    assert_false(rpc_channel_is_connected(w->channel));
    start(w, &after, "t.T/Echo", 0, 0);
    wait_done(w, &after);
    assert_int_equal(after.status.code, RPC_OK);
    assert_int_equal(w->stub.links_n, 2);
    assert_int_equal(w->ups, 2);
    assert_int_equal(w->downs, 1);
}

static void test_calls_wait_for_a_server_that_comes_later(void **state)
{
    struct world *w = *state;
    struct fate early = {0}, late = {0};
    int port = w->stub.port;

    stub_close(&w->stub);
    start(w, &early, "t.T/Echo", 0, 20);
    start(w, &late, "t.T/Echo", 0, 60000);
    wait_done(w, &early);
    assert_int_equal(early.status.code, RPC_UNAVAILABLE);
    stub_open(&w->stub, &w->loop, port);
    wait_done(w, &late);
    assert_int_equal(late.status.code, RPC_OK);
    assert_int_equal(w->requests, 1);
}

static void test_giving_up_is_told_and_ends_calls(void **state)
{
    struct world *w = *state;
    struct fate waiting = {0}, after = {0};

    rpc_channel_free(w->channel);
    stub_close(&w->stub);
    w->stub.port = 0;
    dial(w, w->stub.target, 1, 3);
    start(w, &waiting, "t.T/Echo", 0, 0);
    wait_done(w, &waiting);
    assert_int_equal(waiting.status.code, RPC_UNAVAILABLE);
    assert_non_null(strstr(waiting.status.text, "connection refused"));
    wait_count(w, &w->gave_up, 1);
    assert_int_equal(w->ups, 0);
    start(w, &after, "t.T/Echo", 0, 0);
    wait_done(w, &after);
    assert_int_equal(after.status.code, RPC_UNAVAILABLE);
    assert_int_equal(w->gave_up, 1);
}

/* Each loss has all tries for itself, however many the losses before it took. */
static void test_tries_are_counted_anew_after_each_loss(void **state)
{
    struct world *w = *state;

    rpc_channel_free(w->channel);
    w->stub.refuse_n = 3;
    dial(w, w->stub.target, 0, 3);
    for (unsigned loss = 1; loss <= 4; loss++) {
        wait_count(w, &w->ups, loss);
        assert_int_equal(w->stub.refuse_n, 0);
        assert_true(rpc_channel_is_connected(w->channel));
        w->stub.refuse_n = loss < 4 ? 3 : 4;
        stub_cut(&w->stub);
    }
    wait_count(w, &w->gave_up, 1);
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
        dial(w, bad[i], 1, 1);
        start(w, &fate, "t.T/Echo", 0, 0);
        wait_done(w, &fate);
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
    start(w, &fate, "t.T/Echo", 0, 0);
    wait_done(w, &fate);
    assert_int_equal(fate.status.code, RPC_UNAVAILABLE);
    assert_non_null(strstr(fate.status.text, "/nowhere/ca.pem"));
}

static void test_a_silent_server_is_dropped_after_a_ping(void **state)
{
    struct world *w = *state;
    struct fate fate = {0};

    rpc_channel_keepalive(w->channel, 30, 30);
    w->stub.is_deaf_to_pings = true;
    start(w, &fate, "t.T/Nothing", 0, 0);
    wait_done(w, &fate);
    assert_int_equal(fate.status.code, RPC_UNAVAILABLE);
    assert_non_null(strstr(fate.status.text, "ping"));
    assert_true(w->stub.pings_n >= 1);
}

static void test_pings_that_are_answered_keep_the_connection(void **state)
{
    struct world *w = *state;
    struct fate fate = {0};

    rpc_channel_keepalive(w->channel, 5, 60000);
    wait_count(w, &w->stub.pings_n, 4);
    start(w, &fate, "t.T/Echo", 0, 0);
    wait_done(w, &fate);
    assert_int_equal(fate.status.code, RPC_OK);
    assert_int_equal(w->stub.links_n, 1);
}

static void test_goaway_lets_calls_end_and_dials_anew(void **state)
{
    struct world *w = *state;
    struct fate open = {0}, after = {0};
    struct stub_call *kept;

    start(w, &open, "t.T/Nothing", 0, 0);
    wait_count(w, &w->requests, 1);
    kept = w->kept;
    stub_goaway(&w->stub, INT32_MAX, NGHTTP2_NO_ERROR);
    wait_count(w, &w->stub.links_n, 2);
    start(w, &after, "t.T/Echo", 3, 0);
    wait_done(w, &after);
    assert_int_equal(after.status.code, RPC_OK);
    assert_int_equal(open.done, 0);
    answer_inner(kept, "late", 9);
    wait_done(w, &open);
    assert_int_equal(open.status.code, RPC_OK);
    assert_int_equal(open.sum, 9);
}

static void test_calls_that_a_goaway_leaves_out_go_elsewhere(void **state)
{
    struct world *w = *state;
    struct fate fate = {0}, first = {0};

    start(w, &first, "t.T/Echo", 0, 0);
    wait_done(w, &first);
    start(w, &fate, "t.T/Nothing", 0, 0);
    wait_count(w, &w->requests, 2);
    stub_goaway(&w->stub, 1, NGHTTP2_NO_ERROR);
    wait_count(w, &w->requests, 3);
    assert_int_equal(w->stub.links_n, 2);
    answer_inner(w->kept, "again", 4);
    wait_done(w, &fate);
    assert_int_equal(fate.status.code, RPC_OK);
    assert_int_equal(fate.sum, 4);
}

static void test_a_server_that_talks_something_else(void **state)
{
    struct world *w = *state;
    struct fate fate = {0};

    /* Not a word of HTTP/2 comes, so the call waits until its deadline. */
    w->stub.is_mute = true;
    start(w, &fate, "t.T/Echo", 0, 100);
    wait_done(w, &fate);
    assert_int_equal(fate.status.code, RPC_UNAVAILABLE);
    assert_false(rpc_channel_is_connected(w->channel));
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_unary_call),
        WORLD_TEST(test_refusal_has_all_its_parts),
        WORLD_TEST(test_what_metadata_a_call_has),
        WORLD_TEST(test_deadline_and_trace_are_told),
        WORLD_TEST(test_every_bad_answer_is_a_clear_status),
        WORLD_TEST(test_streams),
        WORLD_TEST(test_large_messages_both_ways),
        WORLD_TEST(test_a_request_over_the_limit_is_refused_here),
        WORLD_TEST(test_many_calls_at_once),
        WORLD_TEST(test_deadline_ends_the_call_and_the_stream),
        WORLD_TEST(test_cancel_resets_the_stream_and_is_silent),
        WORLD_TEST(test_cancel_before_anything_was_sent),
        WORLD_TEST(test_cancel_inside_each),
        WORLD_TEST(test_start_inside_done),
        WORLD_TEST(test_free_inside_done),
        WORLD_TEST(test_free_inside_each),
        WORLD_TEST(test_free_ends_all_calls_inside),
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

    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
