/* SPDX-License-Identifier: Apache-2.0 */
/* See client_world.h. */
#include "client_world.h"

#include "system/core/buffer.h"
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

/* What :authority must be. */
static const char *call_target;

static void on_state(void *arg, bool connected, bool gave_up)
{
    struct world *w = arg;

    w->ups += connected;
    w->downs += !connected;
    w->gave_up += gave_up;
}

void client_on_done(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
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

void client_on_each(void *arg, const ProtobufCMessage *message)
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

void client_answer(struct stub_call *call, const char *name, uint32_t count)
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
    client_answer(call, text,
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

void client_dial(struct world *w, const char *target, uint32_t step_ms, uint32_t max)
{
    const struct rpc_channel_params params = {
        .target = target,
        .retry = {.step_ms = step_ms, .cap_ms = 4 * step_ms, .max = max},
        .state = on_state,
        .arg = w,
    };

    w->channel = rpc_channel_new(&w->loop, &params);
}

int client_world_open(void **state)
{
    struct world *w = mem_new(1, sizeof *w);

    alarm(600);
    uv_loop_init(&w->loop);
    w->stub.on_call = on_call;
    w->stub.on_reset = on_reset;
    w->stub.arg = w;
    stub_open(&w->stub, &w->loop);
    call_target = w->stub.target;
    client_dial(w, w->stub.target, 1, 0);
    *state = w;
    return 0;
}

int client_world_close(void **state)
{
    struct world *w = *state;

    rpc_channel_free(w->channel);
    stub_end(&w->stub);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    free(w);
    return 0;
}

void client_start(struct world *w, struct fate *fate, const char *path, uint32_t count,
                  unsigned deadline_ms)
{
    Test__Shapes__Inner inner = TEST__SHAPES__INNER__INIT;
    struct rpc_request request = {
        .path = path,
        .message = &inner.base,
        .response = &test__shapes__inner__descriptor,
        .deadline_ms = deadline_ms,
        .done = client_on_done,
        .arg = fate,
    };

    inner.count = count;
    inner.name = (char *)(uintptr_t) "n";
    if (fate->messages == UINT32_MAX) {
        fate->messages = 0;
        request.each = client_on_each;
    }
    fate->world = w;
    fate->pending = rpc_start(w->channel, &request);
    assert_int_equal(fate->done, 0);
}

void client_wait_done(struct world *w, const struct fate *fate)
{
    while (fate->done == 0)
        uv_run(&w->loop, UV_RUN_ONCE);
}

void client_wait_count(struct world *w, const unsigned *count, unsigned n)
{
    while (*count < n)
        uv_run(&w->loop, UV_RUN_ONCE);
}
