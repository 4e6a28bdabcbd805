/* SPDX-License-Identifier: Apache-2.0 */
#include "echo.h"

#include "system/core/buffer.h"

#include "echo.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void answer(struct rpc_call *call, const Test__Echo__Request *request, uint32_t count,
                   Test__Echo__Response *response)
{
    static uint8_t zeroes[4 * 1024 * 1024];

    test__echo__response__init(response);
    response->id = request->id;
    response->text = request->text;
    response->blob = request->blob;
    response->count = count;
    response->n_tags = request->n_tags;
    response->tags = request->tags;
    response->caller = (char *)(uintptr_t)rpc_caller(call);
    response->trace = (char *)(uintptr_t)rpc_trace(call);
    response->deadline_ms = rpc_deadline_ms(call);
    if (request->size) {
        response->blob.data = zeroes;
        response->blob.len = request->size < sizeof zeroes ? request->size : sizeof zeroes;
    }
}

static void ended(struct echo *echo)
{
    echo->running--;
    echo->ended++;
}

static void held_gone(struct rpc_call *call, void *arg)
{
    struct echo *echo = arg;

    echo->cancelled++;
    ended(echo);
    rpc_fail(call, rpc_error(RPC_CANCELLED, "gone", "the caller has gone"));
}

struct later {
    uv_timer_t timer;
    struct echo *echo;
    struct rpc_call *call;
    const Test__Echo__Request *request;
};

static void free_handle(uv_handle_t *handle)
{
    free(handle->data);
}

static void answer_later(uv_timer_t *timer)
{
    struct later *later = timer->data;
    Test__Echo__Response response;

    answer(later->call, later->request, 0, &response);
    ended(later->echo);
    rpc_reply(later->call, &response.base);
    uv_close((uv_handle_t *)timer, free_handle);
}

static void start_later(struct echo *echo, struct rpc_call *call,
                        const Test__Echo__Request *request)
{
    struct later *later = mem_new(1, sizeof *later);

    *later = (struct later){.echo = echo, .call = call, .request = request};
    uv_timer_init(echo->loop, &later->timer);
    later->timer.data = later;
    uv_timer_start(&later->timer, answer_later, request->count + 1, 0);
}

static struct rpc_status failure(void)
{
    struct rpc_status status =
        rpc_error(RPC_STATE, "wrong_state", "100%% of \"caf\xc3\xa9\" is\nclosed");

    strcpy(status.session_id, "8a6f2f6c-9a53-4d8c-8f0c-0d8a6f2f6c9a");
    status.retry_after = 7;
    return status;
}

static void say(struct rpc_call *call, const ProtobufCMessage *message, void *service)
{
    const Test__Echo__Request *request = (const Test__Echo__Request *)message;
    struct echo *echo = service;
    Test__Echo__Response response;

    echo->running++;
    if (strcmp(request->text, "hold") == 0) {
        rpc_on_cancel(call, held_gone, echo);
    } else if (strcmp(request->text, "later") == 0) {
        start_later(echo, call, request);
    } else if (strcmp(request->text, "fail") == 0) {
        ended(echo);
        rpc_fail(call, failure());
    } else {
        answer(call, request, request->count, &response);
        ended(echo);
        rpc_reply(call, &response.base);
    }
}

struct counting {
    struct echo *echo;
    const Test__Echo__Request *request;
    uint32_t next;
};

static void go_on(struct rpc_call *call, void *arg)
{
    struct counting *counting = arg;
    const Test__Echo__Request *request = counting->request;
    bool is_rude = strcmp(request->text, "rude") == 0;
    Test__Echo__Response response;
    bool has_room = true;

    if (counting->next)
        counting->echo->drains++;
    while ((has_room || is_rude) && (!request->count || counting->next < request->count)) {
        if (rpc_is_cancelled(call))
            return;
        answer(call, request, ++counting->next, &response);
        counting->echo->sent++;
        has_room = rpc_send(call, &response.base);
    }
    if (!request->count || counting->next < request->count)
        return;
    ended(counting->echo);
    free(counting);
    rpc_end(call);
}

static void count_gone(struct rpc_call *call, void *arg)
{
    struct counting *counting = arg;

    counting->echo->cancelled++;
    ended(counting->echo);
    free(counting);
    rpc_end(call);
}

static void count(struct rpc_call *call, const ProtobufCMessage *message, void *service)
{
    struct counting *counting = mem_new(1, sizeof *counting);
    struct echo *echo = service;

    counting->echo = echo;
    counting->request = (const Test__Echo__Request *)message;
    echo->running++;
    rpc_on_cancel(call, count_gone, counting);
    rpc_on_drain(call, go_on, counting);
    go_on(call, counting);
}

static const struct rpc_method methods[] = {
    {"test.echo.Echo/Say", &test__echo__request__descriptor, &test__echo__response__descriptor,
     false, say, 0, 0},
    {"test.echo.Echo/SayShort", &test__echo__request__descriptor, &test__echo__response__descriptor,
     false, say, 0, 64},
    {"test.echo.Echo/Secret", &test__echo__request__descriptor, &test__echo__response__descriptor,
     false, say, 1, 0},
    {"test.echo.Echo/Count", &test__echo__request__descriptor, &test__echo__response__descriptor,
     true, count, 0, 0},
    {NULL, NULL, NULL, false, NULL, 0, 0},
};

static const struct rpc_route routes[] = {
    {"GET", "/api/v1/echo/{id}", "test.echo.Echo/Say", 200},
    {"POST", "/api/v1/echo/{id}", "test.echo.Echo/Say", 201},
    {"POST", "/api/v1/short", "test.echo.Echo/SayShort", 200},
    {"POST", "/api/v1/secret", "test.echo.Echo/Secret", 200},
    {"DELETE", "/api/v1/echo/{id}/tags/{text}", "test.echo.Echo/Say", 200},
    {NULL, NULL, NULL, 0},
};

static struct rpc_status guard(struct rpc_call *call, void *arg)
{
    const char *key = rpc_header(call, "x-api-key");
    const char *forwarded = rpc_header(call, "x-forwarded-for");

    (void)arg;
    if (!rpc_call_method(call)->access)
        return rpc_ok();
    if (!key)
        return rpc_error(RPC_UNAUTHENTICATED, "unauthorized", "x-api-key is missing");
    if (strcmp(key, "right") != 0)
        return rpc_error(RPC_UNAUTHENTICATED, "unauthorized", "x-api-key is wrong");
    rpc_set_caller(call, forwarded ? forwarded : "tester");
    return rpc_ok();
}

static void health(struct rpc_call *call, void *arg)
{
    static const char body[] = "{\"service\":\"echo\",\"status\":\"healthy\"}";

    (void)arg;
    rpc_page_reply(call, 200, "application/json", body, sizeof body - 1);
}

static void stats(struct rpc_call *call, void *arg)
{
    const struct echo *echo = arg;
    char body[200];

    snprintf(body, sizeof body,
             "{\"running\":%u,\"ended\":%u,\"cancelled\":%u,\"sent\":%u,\"drains\":%u}",
             echo->running, echo->ended, echo->cancelled, echo->sent, echo->drains);
    rpc_page_reply(call, 200, "application/json", body, strlen(body));
}

void echo_add(struct rpc_server *server, struct echo *echo)
{
    rpc_server_add(server, methods, routes, echo);
    rpc_server_guard(server, guard, echo);
    rpc_server_page(server, "/health", health, echo);
    rpc_server_page(server, "/stats", stats, echo);
}
