/* SPDX-License-Identifier: Apache-2.0 */
/* See health.h. Watchers are told of a change within PERIOD_MS: readiness is asked, it does not
 * announce itself. At most WATCHERS_MAX watch at a time. */
#include "system/service/health.h"

#include "system/access/access.h"
#include "system/core/buffer.h"
#include "system/core/log.h"
#include "system/core/metrics.h"

#include "health.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PERIOD_MS = 250, WATCHERS_MAX = 64 };

static const Grpc__Health__V1__HealthCheckResponse__ServingStatus
    unknown_service = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN,
    serving = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING,
    not_serving = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;

struct watcher {
    struct rpc_call *call;
    bool is_known;
    struct watcher *next;
};

struct health {
    struct health_params params;
    uv_timer_t timer;
    struct metric *ready_metric;
    bool was_ready, is_stopped;
    struct watcher *watchers;
    size_t watchers_n;
};

/* The gRPC service of a program, beside health itself. */
static const struct {
    enum config_program program;
    const char *service;
} services[] = {
    {CONFIG_ACCOUNT, "mpc.account.v1.AccountService"},
    {CONFIG_COORDINATOR, "mpc.coordinator.v1.SessionCoordinator"},
    {CONFIG_ROUTER, "mpc.router.v1.MessageRouter"},
    {CONFIG_PARTY_API, "mpc.party_api.v1.ShareService"},
};

static bool is_known(const struct health *h, const char *service)
{
    if (!service[0] || strcmp(service, "grpc.health.v1.Health") == 0)
        return true;
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        if (services[i].program == h->params.program && strcmp(services[i].service, service) == 0)
            return true;
    return false;
}

static bool is_ready(const struct health *h)
{
    return !h->is_stopped && h->params.is_healthy(h->params.arg) &&
           h->params.is_ready(h->params.arg);
}

/* Pages */

static void reply_status(const struct health *h, struct rpc_call *call, int http,
                         const char *status)
{
    char body[160];
    int len = snprintf(body, sizeof body, "{\"service\":\"%.64s\",\"status\":\"%s\"}",
                       h->params.name, status);

    rpc_page_reply(call, http, "application/json", body, (size_t)len);
}

static void health_page(struct rpc_call *call, void *arg)
{
    const struct health *h = arg;
    bool is_healthy = h->params.is_healthy(h->params.arg);

    reply_status(h, call, is_healthy ? 200 : 503, is_healthy ? "healthy" : "unhealthy");
}

static void ready_page(struct rpc_call *call, void *arg)
{
    const struct health *h = arg;

    reply_status(h, call, is_ready(h) ? 200 : 503, is_ready(h) ? "ready" : "not_ready");
}

static void metrics_page(struct rpc_call *call, void *arg)
{
    const struct health *h = arg;
    size_t len;
    char *text;

    metric_set(h->ready_metric, is_ready(h));
    text = metrics_text(&len);
    rpc_page_reply(call, 200, "text/plain; version=0.0.4; charset=utf-8", text, len);
    free(text);
}

/* gRPC */

static const char *service_of(const ProtobufCMessage *request)
{
    const Grpc__Health__V1__HealthCheckRequest *in = (const void *)request;

    return in->service;
}

static void set_status(Grpc__Health__V1__HealthCheckResponse *out, const struct health *h,
                       bool known)
{
    grpc__health__v1__health_check_response__init(out);
    out->status = is_ready(h) ? serving : not_serving;
    if (!known)
        out->status = unknown_service;
}

static void check(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    Grpc__Health__V1__HealthCheckResponse out;

    if (!is_known(service, service_of(request))) {
        rpc_fail(call, rpc_error(RPC_NOT_FOUND, "service_not_found", "no such service here"));
        return;
    }
    set_status(&out, service, true);
    rpc_reply(call, &out.base);
}

static void tell(const struct health *h, const struct watcher *w)
{
    Grpc__Health__V1__HealthCheckResponse out;

    set_status(&out, h, w->is_known);
    (void)rpc_send(w->call, &out.base);
}

static void end_watch(struct rpc_call *call, void *arg)
{
    struct health *h = arg;
    struct watcher **at = &h->watchers;

    while (*at && (*at)->call != call)
        at = &(*at)->next;
    if (*at) {
        struct watcher *gone = *at;

        *at = gone->next;
        h->watchers_n--;
        free(gone);
    }
    rpc_end(call);
}

static void watch(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct health *h = service;
    struct watcher *w;

    if (h->is_stopped || h->watchers_n >= WATCHERS_MAX) {
        rpc_fail(call, rpc_error(RPC_EXHAUSTED, "too_many_watchers", "too many calls of Watch"));
        return;
    }
    w = mem_new(1, sizeof *w);
    *w = (struct watcher){call, is_known(h, service_of(request)), h->watchers};
    h->watchers = w;
    h->watchers_n++;
    rpc_on_cancel(call, end_watch, h);
    tell(h, w);
}

static void look(uv_timer_t *timer)
{
    struct health *h = timer->data;
    bool ready = is_ready(h);

    if (ready == h->was_ready)
        return;
    h->was_ready = ready;
    log_line(LOG_INFO, ready ? "ready" : "not ready");
    for (struct watcher *w = h->watchers; w; w = w->next)
        tell(h, w);
}

static const struct rpc_method methods[] = {
    {.path = "grpc.health.v1.Health/Check",
     .request = &grpc__health__v1__health_check_request__descriptor,
     .response = &grpc__health__v1__health_check_response__descriptor,
     .handle = check,
     .access = ACCESS_OPEN},
    {.path = "grpc.health.v1.Health/Watch",
     .request = &grpc__health__v1__health_check_request__descriptor,
     .response = &grpc__health__v1__health_check_response__descriptor,
     .is_stream = true,
     .handle = watch,
     .access = ACCESS_OPEN},
    {.path = NULL},
};

struct health *health_new(uv_loop_t *loop, struct rpc_server *server,
                          const struct health_params *params)
{
    struct health *h = mem_new(1, sizeof *h);

    h->params = *params;
    h->ready_metric =
        metric_new(METRIC_GAUGE, "quorate_ready", NULL, "1 while /ready says that it can serve.");
    uv_timer_init(loop, &h->timer);
    h->timer.data = h;
    uv_timer_start(&h->timer, look, 0, PERIOD_MS);
    rpc_server_add(server, methods, NULL, h);
    rpc_server_page(server, "/health", health_page, h);
    rpc_server_page(server, "/ready", ready_page, h);
    rpc_server_page(server, "/metrics", metrics_page, h);
    return h;
}

void health_stop(struct health *h)
{
    if (h->is_stopped)
        return;
    h->is_stopped = true;
    look(&h->timer);
    uv_timer_stop(&h->timer);
    while (h->watchers)
        end_watch(h->watchers->call, h);
}

static void free_timer(uv_handle_t *handle)
{
    free(handle->data);
}

void health_free(struct health *h)
{
    health_stop(h);
    uv_close((uv_handle_t *)&h->timer, free_timer);
}
