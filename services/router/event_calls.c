/* SPDX-License-Identifier: Apache-2.0 */
/* PublishSessionEvent and SubscribeSessionEvents: the coordinator's word to parties, kept for those
 * that are away. What an event says of a session goes into the book; nothing is decided here. */
#include "services/router/router.h"

#include "system/core/buffer.h"
#include "system/core/ids.h"
#include "system/core/log.h"

#include <stdlib.h>
#include <string.h>

/* After the end of a session its messages and invitations are needed a moment longer, by those who
 * still work on theirs. */
enum { LINGER_MS = 2000, RECEIVERS_MAX = 1024, KEEP_MAX_MS = 86400000 };

bool router_is_coordinator(struct rpc_call *call)
{
    if (strcmp(rpc_caller(call), "session-coordinator") == 0)
        return true;
    rpc_fail(call, rpc_error(RPC_DENIED, "not_the_coordinator",
                             "only the session coordinator may call this"));
    return false;
}

static bool is_canonical_id(const char *text)
{
    uint8_t id[16];
    char lower[ID_TEXT_MAX];

    if (!id_parse(id, text))
        return false;
    id_text(lower, id);
    return strcmp(lower, text) == 0;
}

static struct rpc_status check(const Mpc__Router__V1__PublishSessionEventRequest *in)
{
    if (!in->event)
        return rpc_error(RPC_INVALID, "invalid_event", "event is missing");
    if (!is_canonical_id(in->event->session_id))
        return rpc_error(RPC_INVALID, "invalid_event",
                         "event.session_id must be a UUIDv4 in lower case");
    if (in->event->setup && in->event->setup->n_members > RECEIVERS_MAX)
        return rpc_error(RPC_INVALID, "invalid_event", "event.setup has more than %d members",
                         RECEIVERS_MAX);
    if (in->n_to > RECEIVERS_MAX)
        return rpc_error(RPC_INVALID, "invalid_to", "to names more than %d parties", RECEIVERS_MAX);
    for (size_t i = 0; i < in->n_to; i++)
        if (!party_id_is_valid(in->to[i]))
            return rpc_error(RPC_INVALID, "invalid_to",
                             "a party id in to must be 1 to 64 of a-z A-Z 0-9 . _ -");
    return rpc_ok();
}

static const char *join_token_of(const Mpc__Router__V1__PublishSessionEventRequest *in,
                                 const char *party_id)
{
    for (size_t i = 0; i < in->n_join_tokens; i++)
        if (strcmp(in->join_tokens[i]->key, party_id) == 0)
            return in->join_tokens[i]->value;
    return "";
}

/* |to| are here, or nowhere yet. */
struct receivers {
    char **to;
    size_t n;
};

/* The number of receivers whose mailbox is full; |full| gets the last one. */
static size_t put_all(struct router *router, const Mpc__Router__V1__PublishSessionEventRequest *in,
                      struct receivers receivers, int64_t deadline_ms, const char **full)
{
    Mpc__Session__V1__SessionEvent event = *in->event;
    size_t failed = 0;

    for (size_t i = 0; i < receivers.n; i++) {
        event.join_token = (char *)(uintptr_t)join_token_of(in, receivers.to[i]);
        if (mail_put_event(router->mail, receivers.to[i], &event, deadline_ms))
            continue;
        *full = receivers.to[i];
        failed++;
    }
    return failed;
}

static void log_published(const Mpc__Router__V1__PublishSessionEventRequest *in)
{
    const Mpc__Session__V1__SessionEvent *event = in->event;
    bool matters = is_final_event(event->event_type) || event->setup;

    log_event(matters ? LOG_INFO : LOG_DEBUG, "event published",
              LOG_S("session", event->session_id), LOG_S("trace", event->trace_id),
              LOG_S("event", event->event_type), LOG_I("attempt", event->attempt),
              LOG_I("parties", in->n_to));
}

static int64_t keep_until(int64_t deadline_ms, int64_t now_ms)
{
    return deadline_ms > now_ms + KEEP_MAX_MS ? now_ms + KEEP_MAX_MS : deadline_ms;
}

static struct rpc_status publish(struct router *router,
                                 const Mpc__Router__V1__PublishSessionEventRequest *in)
{
    int64_t now_ms = router_now().unix_ms, deadline_ms = keep_until(in->deadline_ms, now_ms);
    struct receivers here;
    const char *full = NULL;
    size_t failed;

    if (!book_take(router->book, in->event, deadline_ms, now_ms + LINGER_MS))
        return rpc_error(RPC_EXHAUSTED, "too_many_sessions", "more than %d sessions are open here",
                         BOOK_SESSIONS_MAX);
    metric_add(router->metrics.events, 1);
    log_published(in);
    here.to = mem_new(in->n_to + 1, sizeof *here.to);
    forward_event(router, in, here.to, &here.n);
    failed = put_all(router, in, here, deadline_ms, &full);
    free(here.to);
    if (!failed)
        return rpc_ok();
    return rpc_error(
        RPC_EXHAUSTED, "mailbox_full",
        "the mailbox of party %s is full (MAILBOX_BYTES, or %d events of one session): "
        "%zu of %zu parties did not get the event",
        full, MAIL_GROUP_ITEMS, failed, in->n_to);
}

/* A full mailbox costs time alone: parties ask the coordinator every second. */
void router_take_event(struct router *router, const Mpc__Router__V1__PublishSessionEventRequest *in)
{
    int64_t now_ms = router_now().unix_ms, deadline_ms = keep_until(in->deadline_ms, now_ms);
    const struct receivers all = {in->to, in->n_to};
    struct rpc_status status = check(in);
    const char *full = NULL;

    if (status.code == RPC_OK &&
        book_take(router->book, in->event, deadline_ms, now_ms + LINGER_MS)) {
        put_all(router, in, all, deadline_ms, &full);
        return;
    }
    log_event(
        LOG_WARN, "another router's event was not taken",
        LOG_S("reason", status.code == RPC_OK ? "too many sessions are open here" : status.text));
}

void router_publish_session_event(struct rpc_call *call, const ProtobufCMessage *request,
                                  void *service)
{
    const Mpc__Router__V1__PublishSessionEventRequest *in = (const void *)request;
    Mpc__Router__V1__PublishSessionEventResponse response =
        MPC__ROUTER__V1__PUBLISH_SESSION_EVENT_RESPONSE__INIT;
    struct rpc_status status;

    if (!router_is_coordinator(call))
        return;
    status = check(in);
    if (status.code == RPC_OK)
        status = publish(service, in);
    if (status.code == RPC_OK)
        rpc_reply(call, &response.base);
    else
        rpc_fail(call, status);
}

void router_subscribe_session_events(struct rpc_call *call, const ProtobufCMessage *request,
                                     void *service)
{
    const Mpc__Router__V1__SubscribeSessionEventsRequest *in = (const void *)request;
    struct router *router = service;

    if (router_caller(router, call, "party_id", in->party_id))
        streams_open(router->streams, call, MAIL_EVENTS, in->party_id, 0);
}
