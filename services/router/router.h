/* SPDX-License-Identifier: Apache-2.0 */
/* The message router: who is there (registry, presence), what happens in sessions (events), and
 * sealed messages between parties. It reads no payload, keeps nothing on disk, and may lose all it
 * holds at any time: senders resend, watchers re-read (architecture.md sections 4 and 5). Several
 * routers, with a broker between them, are one to everybody else (cluster.h, forward.h). */
#ifndef ROUTER_ROUTER_H
#define ROUTER_ROUTER_H

#include "services/router/admission.h"
#include "services/router/attendance.h"
#include "services/router/book.h"
#include "services/router/cluster.h"
#include "services/router/forward.h"
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
    struct metric *routers, *broker_up, *forwarded, *from_others, *epochs;
    struct metric *frames_out, *frames_in, *frames_refused;
};

struct router {
    const struct service_host *host;
    /* another one with every start, and when other routers may have lost something (cluster.h):
     * whoever sees it change sends again what is needed */
    uint8_t boot_id[ROUTER_BOOT_BYTES];
    struct admission *admission;
    struct registry *registry;
    struct attendance *attendance;
    struct presence *presence;
    struct book *book;
    struct mail *mail;
    struct streams *streams;
    struct cluster *cluster;
    struct router_metrics metrics;
    /* where the next repetition of the list of parties begins */
    size_t repeated;
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

/* Parties send everything again. */
void router_new_epoch(struct router *router);
/* What another router was told by the coordinator for parties that are here. */
void router_take_event(struct router *router,
                       const Mpc__Router__V1__PublishSessionEventRequest *in);

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
