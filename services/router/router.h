/* SPDX-License-Identifier: Apache-2.0 */
/* The message router: who is there (registry, presence), what happens in sessions (events), and
 * sealed messages between parties. It reads no payload, keeps nothing on disk, and may lose all it
 * holds at any time: senders resend, watchers re-read (architecture.md sections 4 and 5). */
#ifndef ROUTER_ROUTER_H
#define ROUTER_ROUTER_H

#include "services/router/admission.h"
#include "services/router/book.h"
#include "services/router/mail.h"
#include "services/router/presence.h"
#include "services/router/registry.h"
#include "services/router/streams.h"
#include "system/core/metrics.h"
#include "system/service/service.h"

enum { ROUTER_BOOT_BYTES = 16 };

/* Why messages were refused; the label of a metric. */
enum refusal {
    REFUSED_INVALID,
    REFUSED_STRANGER,
    REFUSED_TOO_LONG,
    REFUSED_FULL,
    REFUSED_STRAY,
    REFUSED_ENDED,
    REFUSED_N
};

struct router_metrics {
    struct metric *registrations, *registrations_refused, *parties_live, *sessions, *streams;
    struct metric *messages, *bytes, *events;
    struct metric *mailbox_items, *mailbox_bytes;
    struct metric *refused[REFUSED_N];
};

struct router {
    const struct service_host *host;
    /* another one with every start: whoever sees it change knows that all was lost */
    uint8_t boot_id[ROUTER_BOOT_BYTES];
    struct admission *admission;
    struct registry *registry;
    struct presence *presence;
    struct book *book;
    struct mail *mail;
    struct streams *streams;
    struct router_metrics metrics;
    uv_timer_t timer;
    int64_t swept_ms;
    /* once stopping: handles that are still in the loop, and whom to tell */
    bool is_stopping, is_freed;
    unsigned closing;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

/* The functions of struct service_def. */
void *router_start(const struct service_host *host, char error[RPC_TEXT_MAX]);
bool router_is_ready(void *service);
void router_stop(void *service, void (*stopped)(void *arg), void *arg);
/* Also without router_stop; memory goes when the loop has let go of it. */
void router_free(void *service);

struct moment router_now(void);

/* False: |call| was finished with a refusal. */
bool router_is_coordinator(struct rpc_call *call);

/* For the handlers. NULL: |call| was finished with a refusal: the token is another party's, or the
 * party is not registered here. */
struct party *router_caller(struct router *router, struct rpc_call *call, const char *field,
                            const char *party_id);

/* party_calls.c */
rpc_handler router_register_party, router_heartbeat, router_get_registered_parties,
    router_watch_presence;
/* message_calls.c */
rpc_handler router_route_message, router_subscribe_messages, router_acknowledge_messages,
    router_pending_messages;
/* event_calls.c */
rpc_handler router_publish_session_event, router_subscribe_session_events;

#endif
