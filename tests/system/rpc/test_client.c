/* SPDX-License-Identifier: Apache-2.0 */
/* What comes back: answers of every kind, good and bad, streams, long messages, many at once. */
#include "client_world.h"

#include "system/core/buffer.h"
#include "system/core/utf8.h"
#include "system/rpc/grpc_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_unary_call(void **state)
{
    struct fate fate = {0};

    client_start(*state, &fate, "t.T/Echo", 42, 5000);
    client_wait_done(*state, &fate);
    assert_int_equal(fate.status.code, RPC_OK);
    assert_true(fate.had_message);
    assert_int_equal(fate.sum, 42);
    assert_string_equal(fate.name, "n");
}

static void test_refusal_has_all_its_parts(void **state)
{
    struct fate fate = {0};

    client_start(*state, &fate, "t.T/Refuse", 0, 0);
    client_wait_done(*state, &fate);
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
    client_start(w, &both, "t.T/HeadersBack", 0, 0);
    client_wait_done(w, &both);
    assert_string_equal(both.name, "Bearer abc|key");
    assert_int_equal(both.sum, 1);
    rpc_channel_authorize(w->channel, "Bearer new", NULL);
    client_start(w, &none, "t.T/HeadersBack", 0, 0);
    client_wait_done(w, &none);
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
        .done = client_on_done,
        .arg = &fate,
    };
    uint64_t ms;

    fate.pending = rpc_start(w->channel, &request);
    client_wait_count(w, &w->requests, 1);
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

        client_start(*state, &fate, rows[i].path, 0, 5000);
        client_wait_done(*state, &fate);
        if (fate.status.code != rows[i].code || strcmp(fate.status.name, rows[i].name) != 0 ||
            strstr(fate.status.text, rows[i].text) == NULL || fate.had_message ||
            utf8_prefix(fate.status.text, strlen(fate.status.text)) != strlen(fate.status.text))
            fail_msg("%s: %d %s: %s", rows[i].path, fate.status.code, fate.status.name,
                     fate.status.text);
        assert_int_equal(fate.done, 1);
    }
    client_start(*state, &last, "t.T/Echo", 1, 0);
    client_wait_done(*state, &last);
    assert_int_equal(last.status.code, RPC_OK);
    assert_int_equal(((struct world *)*state)->stub.links_n, 1);
}

static void test_streams(void **state)
{
    struct fate three_of = STREAM, fault = STREAM, none = STREAM;

    client_start(*state, &three_of, "t.T/Three", 0, 0);
    client_start(*state, &fault, "t.T/TwoThenFault", 0, 0);
    client_start(*state, &none, "t.T/NoMessage", 0, 0);
    client_wait_done(*state, &three_of);
    client_wait_done(*state, &fault);
    client_wait_done(*state, &none);
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
        client_wait_done(*state, &fate);
        assert_int_equal(fate.status.code, RPC_OK);
        assert_int_equal(fate.sum, sizes[i]);
    }
}

static void test_a_request_over_the_limit_is_refused_here(void **state)
{
    struct fate fate = {0};

    send_big(*state, &fate, 16 << 20);
    assert_int_equal(fate.done, 0);
    client_wait_done(*state, &fate);
    assert_int_equal(fate.status.code, RPC_EXHAUSTED);
    assert_int_equal(((struct world *)*state)->requests, 0);
}

static void test_many_calls_at_once(void **state)
{
    enum { N = 2000 };
    struct fate *fates = mem_new(N, sizeof *fates);

    for (uint32_t i = 0; i < N; i++)
        client_start(*state, &fates[i], "t.T/Echo", i, 60000);
    for (uint32_t i = 0; i < N; i++) {
        client_wait_done(*state, &fates[i]);
        assert_int_equal(fates[i].status.code, RPC_OK);
        assert_int_equal(fates[i].sum, i);
    }
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(fates[i].done, 1);
    assert_int_equal(((struct world *)*state)->stub.links_n, 1);
    free(fates);
}

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
    };

    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
