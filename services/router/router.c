/* SPDX-License-Identifier: Apache-2.0 */
#include "services/router/router.h"

#include "services/router/routes.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { SWEEP_MS = 1000, TICK_MAX_MS = 300, EXPIRE_MS = 5000 };

struct moment router_now(void)
{
    return (struct moment){clock_unix_ms(), clock_steady_us()};
}

static void make_cluster_metrics(struct router_metrics *m)
{
    m->routers = metric_new(METRIC_GAUGE, "quorate_router_others", NULL,
                            "Other routers that this one exchanges messages with.");
    m->forwarded = metric_new(METRIC_COUNTER, "quorate_router_messages_forwarded_total", NULL,
                              "Messages sent to other routers.");
    m->from_others = metric_new(METRIC_COUNTER, "quorate_router_messages_from_others_total", NULL,
                                "Messages that other routers sent here.");
    m->epochs = metric_new(METRIC_COUNTER, "quorate_router_epochs_total", NULL,
                           "Times that parties were told to send everything again.");
    m->frames_out = metric_new(METRIC_COUNTER, "quorate_router_broker_frames_total",
                               "direction=\"out\"", "Frames by way of the broker.");
    m->frames_in = metric_new(METRIC_COUNTER, "quorate_router_broker_frames_total",
                              "direction=\"in\"", "Frames by way of the broker.");
    m->frames_refused =
        metric_new(METRIC_COUNTER, "quorate_router_broker_frames_refused_total", NULL,
                   "Frames that were forged, damaged, repeated or for nobody.");
}

static void make_metrics(struct router_metrics *m)
{
    static const char *const reasons[REFUSED_N] = {"reason=\"invalid\"",  "reason=\"stranger\"",
                                                   "reason=\"too_long\"", "reason=\"mailbox_full\"",
                                                   "reason=\"stray\"",    "reason=\"ended\""};

    m->registrations = metric_new(METRIC_COUNTER, "quorate_router_registrations_total", NULL,
                                  "Registrations of parties.");
    m->registrations_refused =
        metric_new(METRIC_COUNTER, "quorate_router_registrations_refused_total", NULL,
                   "Registrations that were refused.");
    m->parties_live = metric_new(METRIC_GAUGE, "quorate_router_parties_live", NULL,
                                 "Parties inside their lease.");
    m->sessions = metric_new(METRIC_GAUGE, "quorate_router_sessions", NULL,
                             "Sessions known from their events.");
    m->streams = metric_new(METRIC_GAUGE, "quorate_router_streams", NULL,
                            "Streams of events and messages that parties hold open.");
    m->messages = metric_new(METRIC_COUNTER, "quorate_router_messages_total", NULL,
                             "Messages put into mailboxes.");
    m->bytes = metric_new(METRIC_COUNTER, "quorate_router_message_bytes_total", NULL,
                          "Payload bytes put into mailboxes.");
    m->events = metric_new(METRIC_COUNTER, "quorate_router_events_total", NULL,
                           "Session events published.");
    m->mailbox_items = metric_new(METRIC_GAUGE, "quorate_router_mailbox_items", NULL,
                                  "Messages and events that wait.");
    m->mailbox_bytes =
        metric_new(METRIC_GAUGE, "quorate_router_mailbox_bytes", NULL, "Bytes that wait.");
    make_cluster_metrics(m);
    for (size_t i = 0; i < REFUSED_N; i++)
        m->refused[i] = metric_new(METRIC_COUNTER, "quorate_router_messages_refused_total",
                                   reasons[i], "Messages that were not put into a mailbox.");
}

static void set_gauges(struct router *router)
{
    struct router_metrics *m = &router->metrics;

    metric_set(m->parties_live, (int64_t)registry_live_n(router->registry));
    metric_set(m->sessions, (int64_t)book_sessions(router->book));
    metric_set(m->streams, (int64_t)streams_n(router->streams));
    metric_set(m->mailbox_items, (int64_t)mail_items(router->mail));
    metric_set(m->mailbox_bytes, (int64_t)mail_bytes(router->mail));
    metric_set(m->routers, (int64_t)cluster_peers_n(router->cluster));
    attendance_measure(router->attendance);
}

static void on_changed(const struct party *party, void *arg)
{
    struct router *router = arg;

    presence_changed(router->presence, party);
    if (is_here(party))
        forward_announce(router, party);
}

void router_new_epoch(struct router *router)
{
    randombytes_buf(router->boot_id, sizeof router->boot_id);
    metric_add(router->metrics.epochs, 1);
    log_line(LOG_WARN, "messages may be lost: parties are told to send again what they keep");
}

static void on_ended(const struct session *session, void *arg)
{
    struct router *router = arg;

    mail_forget(router->mail, session->id);
}

static void tick(uv_timer_t *timer)
{
    struct router *router = timer->data;
    struct moment now = router_now();

    registry_tick(router->registry, now);
    cluster_tick(router->cluster, now);
    /* Also if the wall clock was set back. */
    if (now.unix_ms >= router->swept_ms && now.unix_ms - router->swept_ms < SWEEP_MS)
        return;
    router->swept_ms = now.unix_ms;
    book_tick(router->book, now.unix_ms, on_ended, router);
    /* all that is due within these seconds at once: each look walks through a mailbox */
    mail_expire(router->mail, now.unix_ms - now.unix_ms % EXPIRE_MS);
    set_gauges(router);
}

static void start_timer(struct router *router, unsigned lease_ms)
{
    uint64_t every = lease_ms / 10;

    if (every > TICK_MAX_MS)
        every = TICK_MAX_MS;
    uv_timer_init(router->host->loop, &router->timer);
    router->timer.data = router;
    uv_timer_start(&router->timer, tick, every, every);
}

static void open_broker(struct router *router)
{
    struct broker_events events = cluster_events(router->cluster);
    const struct config *config = router->host->config;

    if (broker_is_configured(config))
        cluster_set_broker(router->cluster,
                           broker_open(router->host->loop, config, "router", &events));
}

void *router_start(const struct service_host *host, char error[RPC_TEXT_MAX])
{
    struct router *router = mem_new(1, sizeof *router);
    unsigned lease_ms = (unsigned)config_int(host->config, "LEASE_MS");

    (void)error;
    router->host = host;
    randombytes_buf(router->boot_id, sizeof router->boot_id);
    make_metrics(&router->metrics);
    router->admission = admission_new(config_key(host->config, "CA_KEY", 32), host->redis);
    router->presence = presence_new();
    router->registry = registry_new(lease_ms, on_changed, router);
    router->attendance = attendance_new(host->loop, host->config, router->registry);
    router->book = book_new();
    router->mail = mail_new((size_t)config_int(host->config, "MAILBOX_BYTES"));
    router->streams = streams_new(host->loop, router->mail, router->boot_id);
    router->cluster = cluster_new(router, lease_ms);
    presence_set_registry(router->presence, router->registry, cluster_instance(router->cluster));
    open_broker(router);
    start_timer(router, lease_ms);
    rpc_server_add(host->server, router_methods, router_routes, router);
    return router;
}

bool router_is_ready(void *service)
{
    const struct router *router = service;

    return cluster_is_ready(router->cluster);
}

static void destroy(struct router *router)
{
    cluster_free(router->cluster);
    streams_free(router->streams);
    mail_free(router->mail);
    book_free(router->book);
    presence_free(router->presence);
    attendance_free(router->attendance);
    registry_free(router->registry);
    admission_free(router->admission);
    free(router);
}

static void closed(void *arg)
{
    struct router *router = arg;

    if (--router->closing)
        return;
    if (router->is_freed)
        destroy(router);
    else
        router->stopped(router->stopped_arg);
}

static void on_timer_closed(uv_handle_t *handle)
{
    closed(handle->data);
}

void router_stop(void *service, void (*stopped)(void *arg), void *arg)
{
    struct router *router = service;

    router->is_stopping = true;
    router->stopped = stopped;
    router->stopped_arg = arg;
    router->closing = 3;
    presence_close(router->presence);
    cluster_close(router->cluster, closed, router);
    uv_close((uv_handle_t *)&router->timer, on_timer_closed);
    streams_close(router->streams, closed, router);
}

void router_free(void *service)
{
    struct router *router = service;

    if (!router)
        return;
    router->is_freed = true;
    if (!router->is_stopping)
        router_stop(router, NULL, NULL);
    else if (!router->closing)
        destroy(router);
}

/* False: |call| was finished with a refusal. */
static bool router_is_caller(struct rpc_call *call, const char *field, const char *party_id)
{
    if (strcmp(rpc_caller(call), party_id) == 0)
        return true;
    rpc_fail(call, rpc_error(RPC_DENIED, "not_the_caller",
                             "%s must be the caller's own party id, %s", field, rpc_caller(call)));
    return false;
}

struct party *router_caller(struct router *router, struct rpc_call *call, const char *field,
                            const char *party_id)
{
    struct party *party;

    if (!router_is_caller(call, field, party_id))
        return NULL;
    party = registry_party(router->registry, party_id);
    if (party && is_here(party))
        return party;
    rpc_fail(call,
             rpc_error(RPC_STATE, "not_registered",
                       "party %s is not registered here: call RegisterParty first", party_id));
    return NULL;
}
