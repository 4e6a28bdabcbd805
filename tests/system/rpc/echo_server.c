/* SPDX-License-Identifier: Apache-2.0 */
/* The echo service as a program, for tests from outside.
 *
 * usage: echo_server NAME=VALUE...
 *
 * certificate, key, client_ca: a second port with TLS. origin: one allowed origin. body, header,
 * connections, streams, bytes, request_ms, idle_ms, call_ms, ping_ms, age_ms: limits. Prints
 * "PLAIN [TLS]", the ports; ends on SIGTERM as services do. */
#include "echo.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rpc_server *server;

static const char *option(char **argv, const char *name)
{
    size_t len = strlen(name);

    for (; *argv; argv++) {
        if (strncmp(*argv, name, len) == 0 && (*argv)[len] == '=')
            return *argv + len + 1;
    }
    return NULL;
}

static unsigned number(char **argv, const char *name)
{
    const char *text = option(argv, name);

    return text ? (unsigned)strtoul(text, NULL, 10) : 0;
}

static int listen_on(const struct rpc_tls *tls)
{
    char error[RPC_TEXT_MAX];

    if (rpc_server_listen(server, "127.0.0.1", 0, tls, error))
        return rpc_server_port(server);
    fprintf(stderr, "%s\n", error);
    exit(1);
}

static void on_stopped(void *arg)
{
    uv_close(arg, NULL);
    rpc_server_free(server);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    (void)signum;
    uv_signal_stop(handle);
    rpc_server_stop(server, 3000, on_stopped, handle);
}

static struct rpc_limits limits_of(char **argv)
{
    return (struct rpc_limits){
        .body_max = number(argv, "body"),
        .header_max = number(argv, "header"),
        .connections_max = number(argv, "connections"),
        .streams_max = number(argv, "streams"),
        .connection_bytes_max = number(argv, "bytes"),
        .request_ms = number(argv, "request_ms"),
        .idle_ms = number(argv, "idle_ms"),
        .call_ms = number(argv, "call_ms"),
        .ping_ms = number(argv, "ping_ms"),
        .age_ms = number(argv, "age_ms"),
    };
}

int main(int argc, char **argv)
{
    struct rpc_limits limits = limits_of(argv);
    const char *origin = option(argv, "origin");
    const struct rpc_tls tls = {.certificate = option(argv, "certificate"),
                                .key = option(argv, "key"),
                                .client_ca = option(argv, "client_ca")};
    struct echo echo = {.loop = uv_default_loop()};
    uv_signal_t term;

    (void)argc;
    signal(SIGPIPE, SIG_IGN);
    server = rpc_server_new(echo.loop, &limits);
    echo_add(server, &echo);
    if (origin)
        rpc_server_origins(server, &origin, 1);
    printf("%d", listen_on(NULL));
    if (tls.certificate)
        printf(" %d", listen_on(&tls));
    printf("\n");
    fflush(stdout);
    uv_signal_init(echo.loop, &term);
    uv_signal_start(&term, on_signal, SIGTERM);
    uv_run(echo.loop, UV_RUN_DEFAULT);
    uv_loop_close(echo.loop);
    return 0;
}
