/* SPDX-License-Identifier: Apache-2.0 */
/* Our server with the service of interop.proto: `server [CERT KEY CA]` listens on free ports of
 * 127.0.0.1, plain, with TLS and with mTLS, prints them as one line, and ends when stdin ends. */
#include "system/rpc/server.h"
#include "interop.pb-c.h"
#include "system/core/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned cancelled_n;
static struct rpc_server *server;

static char *lend(const char *text)
{
    return (char *)(uintptr_t)(text != NULL ? text : "");
}

static void hang_over(struct rpc_call *call, void *arg)
{
    (void)arg;
    cancelled_n++;
    rpc_fail(call, rpc_error(RPC_CANCELLED, "cancelled", "cancelled"));
}

static struct rpc_status asked_fault(uint32_t code, const char *text)
{
    return rpc_error((enum rpc_code)code, "asked_for", "%s", text);
}

static void unary(struct rpc_call *call, const ProtobufCMessage *message, void *service)
{
    const Interop__V1__UnaryRequest *request = (const Interop__V1__UnaryRequest *)message;
    Interop__V1__UnaryResponse response = INTEROP__V1__UNARY_RESPONSE__INIT;

    (void)service;
    if (request->hang) {
        rpc_on_cancel(call, hang_over, NULL);
        return;
    }
    if (request->code != 0) {
        rpc_fail(call, asked_fault(request->code, request->text));
        return;
    }
    response.text = request->text;
    response.payload = request->payload;
    response.api_key = lend(rpc_header(call, "x-api-key"));
    response.trace = lend(rpc_trace(call));
    response.has_deadline = rpc_deadline_ms(call) >= 0;
    rpc_reply(call, &response.base);
}

struct stream {
    const Interop__V1__StreamRequest *request;
    uint32_t next;
    bool is_cancelled;
    uint8_t *payload;
};

static void stream_cancelled(struct rpc_call *call, void *arg)
{
    struct stream *stream = arg;

    cancelled_n++;
    free(stream->payload);
    free(stream);
    rpc_fail(call, rpc_error(RPC_CANCELLED, "cancelled", "cancelled"));
}

static void stream_end(struct rpc_call *call, struct stream *stream)
{
    const Interop__V1__StreamRequest *request = stream->request;

    if (request->hang)
        return;
    free(stream->payload);
    free(stream);
    if (request->code != 0)
        rpc_fail(call, asked_fault(request->code, request->text));
    else
        rpc_end(call);
}

static void stream_more(struct rpc_call *call, void *arg)
{
    struct stream *stream = arg;
    bool keeps_up = true;

    while (keeps_up && stream->next < stream->request->n) {
        Interop__V1__UnaryResponse response = INTEROP__V1__UNARY_RESPONSE__INIT;

        response.index = stream->next++;
        response.payload.len = stream->request->size;
        response.payload.data = stream->payload;
        keeps_up = rpc_send(call, &response.base);
    }
    if (stream->next == stream->request->n) {
        rpc_on_drain(call, NULL, NULL);
        stream_end(call, stream);
    }
}

static void stream(struct rpc_call *call, const ProtobufCMessage *message, void *service)
{
    struct stream *state = mem_new(1, sizeof *state);

    (void)service;
    state->request = (const Interop__V1__StreamRequest *)message;
    state->payload = mem_new(1, state->request->size);
    memset(state->payload, 0x5a, state->request->size);
    rpc_on_cancel(call, stream_cancelled, state);
    rpc_on_drain(call, stream_more, state);
    stream_more(call, state);
}

static void cancelled(struct rpc_call *call, const ProtobufCMessage *message, void *service)
{
    Interop__V1__CancelledResponse response = INTEROP__V1__CANCELLED_RESPONSE__INIT;

    (void)message;
    (void)service;
    response.n = cancelled_n;
    rpc_reply(call, &response.base);
}

static const struct rpc_method methods[] = {
    {"interop.v1.Interop/Unary", &interop__v1__unary_request__descriptor,
     &interop__v1__unary_response__descriptor, false, unary, 0, 0},
    {"interop.v1.Interop/Stream", &interop__v1__stream_request__descriptor,
     &interop__v1__unary_response__descriptor, true, stream, 0, 0},
    {"interop.v1.Interop/Cancelled", &interop__v1__cancelled_request__descriptor,
     &interop__v1__cancelled_response__descriptor, false, cancelled, 0, 0},
    {NULL, NULL, NULL, false, NULL, 0, 0},
};
static const struct rpc_route routes[] = {
    {"POST", "/unary", "interop.v1.Interop/Unary", 200},
    {NULL, NULL, NULL, 0},
};

static void listen_on(const struct rpc_tls *tls)
{
    char error[RPC_TEXT_MAX];

    if (!rpc_server_listen(server, "127.0.0.1", 0, tls, error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    printf(" %d", rpc_server_port(server));
}

static void stopped(void *arg)
{
    rpc_server_free(arg);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    static char b[64];

    (void)handle;
    (void)hint;
    *buf = uv_buf_init(b, sizeof b);
}

static void on_stdin(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    if (n >= 0)
        return;
    uv_close((uv_handle_t *)stream, NULL);
    rpc_server_stop(server, 1000, stopped, server);
}

int main(int argc, char **argv)
{
    const struct rpc_limits limits = {.body_max = 17 << 20, .connection_bytes_max = 64 << 20};
    uv_loop_t *loop = uv_default_loop();
    const char *const all_origins[] = {"*"};
    uv_pipe_t input;

    server = rpc_server_new(loop, &limits);
    rpc_server_add(server, methods, routes, NULL);
    rpc_server_origins(server, all_origins, 1);
    printf("ports");
    listen_on(NULL);
    if (argc == 4) {
        listen_on(&(struct rpc_tls){.certificate = argv[1], .key = argv[2]});
        listen_on(&(struct rpc_tls){.certificate = argv[1], .key = argv[2], .client_ca = argv[3]});
    }
    printf("\n");
    fflush(stdout);
    uv_pipe_init(loop, &input, 0);
    uv_pipe_open(&input, 0);
    uv_read_start((uv_stream_t *)&input, on_alloc, on_stdin);
    uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop) == 0 ? 0 : 1;
}
