/* SPDX-License-Identifier: Apache-2.0 */
/* See tiny.h. */
#include "tiny.h"

#include "system/service/dial.h"
#include "system/service/service.h"
#include "variables.h"

#include "party_api.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The service: ready once /get-ready was asked, at fault once /break was. */
static struct tiny {
    const struct service_host *host;
    bool is_ready;
    struct rpc_channel *channel;
} tiny;

static void get_ready_page(struct rpc_call *call, void *arg)
{
    struct tiny *t = arg;

    t->is_ready = true;
    rpc_page_reply(call, 200, "text/plain", "ok", 2);
}

static void break_page(struct rpc_call *call, void *arg)
{
    (void)arg;
    rpc_page_reply(call, 200, "text/plain", "ok", 2);
    service_fault("the %s is broken: %d", "tiny thing", 42);
    service_fault("and this is its consequence");
}

static void handle(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    Mpc__PartyApi__V1__GetShareKeyResponse out = MPC__PARTY_API__V1__GET_SHARE_KEY_RESPONSE__INIT;

    (void)request;
    (void)service;
    rpc_reply(call, &out.base);
}

static const struct rpc_method methods[] = {
    {.path = "test.Tiny/Do",
     .request = &mpc__party_api__v1__get_share_key_request__descriptor,
     .response = &mpc__party_api__v1__get_share_key_response__descriptor,
     .handle = handle,
     .access = ACCESS_API_KEY},
    {.path = NULL},
};
static const struct rpc_route routes[] = {{"GET", "/do", "test.Tiny/Do", 200}, {.verb = NULL}};

static void *start(const struct service_host *host, char error[RPC_TEXT_MAX])
{
    if (getenv("TINY_FAILS")) {
        snprintf(error, RPC_TEXT_MAX, "the tiny thing is not there");
        return NULL;
    }
    tiny.host = host;
    rpc_server_add(host->server, methods, routes, &tiny);
    rpc_server_page(host->server, "/get-ready", get_ready_page, &tiny);
    rpc_server_page(host->server, "/break", break_page, &tiny);
    if (getenv("TINY_DIALS"))
        tiny.channel = service_dial(host, "ROUTER_ADDR", true);
    return &tiny;
}

static bool is_ready(void *service)
{
    const struct tiny *t = service;

    return t->is_ready && (!t->channel || rpc_channel_is_connected(t->channel));
}

static void stop(void *service, void (*stopped)(void *arg), void *arg)
{
    (void)service;
    stopped(arg);
}

static void end(void *service)
{
    service_hangup(((struct tiny *)service)->channel);
}

static const struct service_def def = {.name = "tiny",
                                       .health = "tiny-service",
                                       .program = CONFIG_COORDINATOR,
                                       .start = start,
                                       .is_ready = is_ready,
                                       .stop = stop,
                                       .free = end};

struct tiny_process child;

void tiny_spawn(const char *option)
{
    char *argv[] = {(char *)(uintptr_t) "quorate-tiny", (char *)(uintptr_t)option, NULL};
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    child.pid = fork();
    if (child.pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        exit(service_main(option ? 2 : 1, argv, &def));
    }
    close(ends[1]);
    child.log = fdopen(ends[0], "r");
    child.said[0] = '\0';
}

static bool read_line(void)
{
    size_t at = strlen(child.said);

    return at + 1 < sizeof child.said &&
           fgets(child.said + at, (int)(sizeof child.said - at), child.log) != NULL;
}

void tiny_start(void)
{
    const char *line;

    tiny_spawn(NULL);
    while (!(line = strstr(child.said, "listening")) || !strchr(line, '\n'))
        if (!read_line())
            fail_msg("%s", child.said);
    assert_int_equal(sscanf(strstr(line, "http="), "http=%d grpc=%d", &child.http, &child.grpc), 2);
}

int tiny_wait(void)
{
    int status;

    while (read_line())
        continue;
    fclose(child.log);
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

int tiny_run(const char *option)
{
    tiny_spawn(option);
    return tiny_wait();
}

int tiny_setup(void **state)
{
    (void)state;
    variables_set();
    unsetenv("TINY_FAILS");
    unsetenv("TINY_DIALS");
    return 0;
}

int tiny_get(struct http_answer *answer, int port, const char *path, const char *headers)
{
    http_ask(answer, &(struct http_request){.port = port, .path = path, .headers = headers});
    return answer->status;
}

void tiny_stop(void)
{
    kill(child.pid, SIGTERM);
    assert_int_equal(tiny_wait(), 0);
    assert_null(strstr(child.said, "not closed"));
}
