/* SPDX-License-Identifier: Apache-2.0 */
/* Our client against a server of interop.proto: `client TARGET [CA [CERT KEY]]` goes through all
 * cases and prints a line for each; `client TARGET ... refused` expects that no connection can be
 * made. Exit 0 if all are as they should be. */
#include "system/rpc/client.h"
#include "interop.pb-c.h"
#include "system/core/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uv_loop_t *loop;
static struct rpc_channel *channel;
static unsigned faults, cancelled_before;

struct outcome {
    unsigned done, messages, cancelled_n;
    struct rpc_status status;
    char text[64], api_key[64], trace[64];
    bool has_deadline, in_order, payload_is_right;
    size_t bytes;
};

#define UNARY "interop.v1.Interop/Unary"
#define STREAM "interop.v1.Interop/Stream"
#define TEXT "gr\xc3\xbc\xc3\x9f dich 100% \xe2\x82\xac"
#define TRACE "00112233445566778899aabbccddeeff"

enum { LATE_MS = 3000 };

static void check(const char *what, bool is_right, const struct outcome *o)
{
    printf("%s %s\n", is_right ? "ok" : "FAULT", what);
    if (is_right)
        return;
    faults++;
    printf("    status %d %s: %s; %u messages, %zu bytes\n", o->status.code,
           o->status.name != NULL ? o->status.name : "", o->status.text, o->messages, o->bytes);
}

static void take(struct outcome *o, const ProtobufCMessage *message)
{
    const Interop__V1__UnaryResponse *m = (const Interop__V1__UnaryResponse *)message;

    snprintf(o->text, sizeof o->text, "%s", m->text);
    snprintf(o->api_key, sizeof o->api_key, "%s", m->api_key);
    snprintf(o->trace, sizeof o->trace, "%s", m->trace);
    o->has_deadline = m->has_deadline != 0;
    o->in_order = (o->in_order || o->messages == 0) && m->index == o->messages;
    o->messages++;
    o->bytes += m->payload.len;
    o->payload_is_right = true;
    for (size_t i = 0; i < m->payload.len; i++)
        o->payload_is_right &= m->payload.data[i] == 0x5a;
}

static void on_done(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct outcome *o = arg;

    o->done++;
    o->status = *status;
    if (response != NULL)
        take(o, response);
}

static void on_each(void *arg, const ProtobufCMessage *message)
{
    take(arg, message);
}

static void on_cancelled(void *arg, const struct rpc_status *status,
                         const ProtobufCMessage *response)
{
    struct outcome *o = arg;

    o->done++;
    o->status = *status;
    if (response != NULL)
        o->cancelled_n = ((const Interop__V1__CancelledResponse *)response)->n;
}

static void finish(const struct outcome *o)
{
    while (o->done == 0)
        uv_run(loop, UV_RUN_ONCE);
}

static struct rpc_pending *start(struct outcome *o, const char *path,
                                 const ProtobufCMessage *message, unsigned deadline_ms)
{
    const struct rpc_request request = {
        .path = path,
        .message = message,
        .response = &interop__v1__unary_response__descriptor,
        .deadline_ms = deadline_ms,
        .trace = TRACE,
        .each = strcmp(path, STREAM) == 0 ? on_each : NULL,
        .done = on_done,
        .arg = o,
    };

    *o = (struct outcome){0};
    return rpc_start(channel, &request);
}

static void ask(struct outcome *o, const char *path, const ProtobufCMessage *message)
{
    start(o, path, message, 120000);
    finish(o);
}

static unsigned count_cancelled(struct outcome *o, const char *path)
{
    Interop__V1__CancelledRequest message = INTEROP__V1__CANCELLED_REQUEST__INIT;
    const struct rpc_request request = {
        .path = path,
        .message = &message.base,
        .response = &interop__v1__cancelled_response__descriptor,
        .deadline_ms = 120000,
        .done = on_cancelled,
        .arg = o,
    };

    *o = (struct outcome){0};
    rpc_start(channel, &request);
    finish(o);
    return o->cancelled_n;
}

/* Asks until the server has noticed; the program's time limit ends it otherwise. */
static void wait_cancelled(unsigned n)
{
    struct outcome o;

    n += cancelled_before;
    while (count_cancelled(&o, "interop.v1.Interop/Cancelled") < n)
        ;
    check("the server saw it", o.cancelled_n == n, &o);
}

static void unary_cases(void)
{
    static const size_t sizes[] = {0, 1000, 60000, 65536, 5 << 20, 15 << 20};
    Interop__V1__UnaryRequest m = INTEROP__V1__UNARY_REQUEST__INIT;
    struct outcome o;

    m.text = (char *)(uintptr_t)TEXT;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        m.payload.data = mem_new(1, m.payload.len = sizes[i]);
        memset(m.payload.data, 0x5a, sizes[i]);
        ask(&o, UNARY, &m.base);
        check("unary",
              o.status.code == RPC_OK && o.bytes == sizes[i] && o.payload_is_right &&
                  strcmp(o.text, TEXT) == 0,
              &o);
        free(m.payload.data);
    }
    check("metadata", strcmp(o.api_key, "key-1") == 0 && strcmp(o.trace, TRACE) == 0, &o);
    check("deadline is told", o.has_deadline, &o);
}

static void error_cases(void)
{
    Interop__V1__UnaryRequest m = INTEROP__V1__UNARY_REQUEST__INIT;
    Interop__V1__StreamRequest s = INTEROP__V1__STREAM_REQUEST__INIT;
    struct outcome o;

    m.text = s.text = (char *)(uintptr_t)TEXT;
    for (m.code = 1; m.code <= 16; m.code++) {
        ask(&o, UNARY, &m.base);
        check("error status",
              o.status.code == (enum rpc_code)m.code && strcmp(o.status.text, TEXT) == 0 &&
                  strcmp(o.status.name, "asked_for") == 0,
              &o);
    }
    s.n = 2;
    s.code = RPC_DATA_LOSS;
    ask(&o, STREAM, &s.base);
    check("error at the end of a stream",
          o.status.code == RPC_DATA_LOSS && o.messages == 2 && strcmp(o.status.text, TEXT) == 0,
          &o);
    count_cancelled(&o, "interop.v1.Interop/Missing");
    check("unknown method", o.status.code == RPC_UNIMPLEMENTED, &o);
    count_cancelled(&o, "no.such.Service/Method");
    check("unknown service", o.status.code == RPC_UNIMPLEMENTED, &o);
}

static void stream_cases(void)
{
    static const struct {
        uint32_t n, size;
    } rows[] = {{0, 0}, {1, 10}, {5000, 100}, {300, 60000}, {3, 5 << 20}};
    Interop__V1__StreamRequest s = INTEROP__V1__STREAM_REQUEST__INIT;
    struct outcome o;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s.n = rows[i].n;
        s.size = rows[i].size;
        ask(&o, STREAM, &s.base);
        check("stream",
              o.status.code == RPC_OK && o.messages == s.n && o.bytes == (size_t)s.n * s.size &&
                  (o.in_order || s.n == 0) && (o.payload_is_right || s.n == 0),
              &o);
    }
}

static void many_case(void)
{
    enum { N = 500 };
    Interop__V1__UnaryRequest m = INTEROP__V1__UNARY_REQUEST__INIT;
    struct outcome *o = mem_new(N, sizeof *o);
    unsigned good = 0;
    char text[16];

    m.text = text;
    for (unsigned i = 0; i < N; i++) {
        snprintf(text, sizeof text, "%u", i);
        start(&o[i], UNARY, &m.base, 120000);
    }
    for (unsigned i = 0; i < N; i++) {
        finish(&o[i]);
        snprintf(text, sizeof text, "%u", i);
        good += o[i].status.code == RPC_OK && strcmp(o[i].text, text) == 0;
    }
    check("500 calls at once", good == N, &o[0]);
    free(o);
}

/* Two that hang have enough time to be heard of; the other cases go on meanwhile. */
static void all_cases(void)
{
    Interop__V1__UnaryRequest m = INTEROP__V1__UNARY_REQUEST__INIT;
    Interop__V1__StreamRequest s = INTEROP__V1__STREAM_REQUEST__INIT;
    struct rpc_pending *pending;
    struct outcome o, late, late_stream;

    cancelled_before = count_cancelled(&o, "interop.v1.Interop/Cancelled");
    m.hang = s.hang = 1;
    s.n = 1;
    start(&late, UNARY, &m.base, LATE_MS);
    start(&late_stream, STREAM, &s.base, LATE_MS);
    unary_cases();
    error_cases();
    stream_cases();
    many_case();
    finish(&late);
    check("deadline", late.status.code == RPC_DEADLINE, &late);
    finish(&late_stream);
    check("deadline of a stream",
          late_stream.status.code == RPC_DEADLINE && late_stream.messages == 1, &late_stream);
    wait_cancelled(2);
    pending = start(&o, STREAM, &s.base, 0);
    while (o.messages == 0)
        uv_run(loop, UV_RUN_ONCE);
    rpc_cancel(pending);
    wait_cancelled(3);
    check("cancel is silent", o.done == 0, &o);
}

static void on_state(void *arg, bool connected, bool gave_up)
{
    (void)connected;
    *(bool *)arg |= gave_up;
}

int main(int argc, char **argv)
{
    bool expects_none = argc > 2 && strcmp(argv[argc - 1], "refused") == 0, gave_up = false;
    int n = expects_none ? argc - 1 : argc;
    const struct rpc_channel_params params = {
        .target = argv[1],
        .ca = n > 2 ? argv[2] : NULL,
        .certificate = n > 4 ? argv[3] : NULL,
        .key = n > 4 ? argv[4] : NULL,
        .retry = {.step_ms = 20, .cap_ms = 20, .max = expects_none ? 2 : 100},
        .state = on_state,
        .arg = &gave_up,
    };

    alarm(900);
    loop = uv_default_loop();
    channel = rpc_channel_new(loop, &params);
    rpc_channel_authorize(channel, "Bearer token", "key-1");
    if (expects_none) {
        while (!gave_up && !rpc_channel_is_connected(channel))
            uv_run(loop, UV_RUN_ONCE);
        check("no connection", gave_up, &(struct outcome){0});
    } else {
        all_cases();
    }
    rpc_channel_free(channel);
    uv_run(loop, UV_RUN_DEFAULT);
    if (uv_loop_close(loop) != 0)
        faults++;
    return faults == 0 ? 0 : 1;
}
