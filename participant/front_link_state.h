/* SPDX-License-Identifier: Apache-2.0 */
/* What front_link.c (registration, heartbeat, calls) and front_link_stream.c (events, messages,
 * polls) share. Nobody else includes it. */
#ifndef PARTICIPANT_FRONT_LINK_STATE_H
#define PARTICIPANT_FRONT_LINK_STATE_H

#include "participant/front_link.h"
#include "system/core/retry.h"

enum { LINK_BOOT_BYTES = 16, LINK_NONCE_BYTES = 16, LINK_CALL_MS = 5000 };

/* Unknown, have a proof made, ask the router, wait after a failure, registered. */
enum front_link_phase {
    LINK_SILENT,
    LINK_PROVING,
    LINK_REGISTERING,
    LINK_WAITING,
    LINK_REGISTERED
};

/* One of the two subscriptions: open, or waiting for |again|, or closed. */
struct front_link_stream {
    struct front_link *link;
    struct rpc_pending *pending;
    struct retry retry;
    uv_timer_t again;
    void (*open)(struct front_link *link);
};

struct front_link {
    struct front_link_params params;
    struct front_link_watch watch;
    Mpc__Keeper__V1__Ready *who;
    enum front_link_phase state;
    bool was_registered, is_freed;
    struct retry retry;
    uint8_t nonce[LINK_NONCE_BYTES];
    int64_t proof_ms;
    uint32_t load;
    bool is_beating, is_away;
    /* unix ms of the last word about clocks */
    int64_t skew_told_ms;

    uint8_t router_boot[LINK_BOOT_BYTES];
    bool has_boot;
    /* of the boots of the router seen by this link: the upper part of a mark */
    int64_t generation;
    /* sequence numbers of the present boot */
    int64_t taken, handed, acknowledged;
    bool is_acknowledging, is_full;

    struct front_link_stream events, messages;
    /* |awaits_orders|: events are asked for once a poll was answered */
    bool is_polling, polls_again, has_polled, awaits_orders;
    int64_t cursor, order_cursor;

    uv_timer_t register_timer, beat_timer, poll_timer, ack_timer;
    /* of the six timers; the memory goes with the last */
    unsigned handles;
};

enum front_answer front_link_judge(const struct rpc_status *status);
/* The router does not know this party (any more): register, then subscribe, again. */
void front_link_register(struct front_link *link);
/* A line, once a minute, if |server_ms| differs from this clock by more than 30 s. */
void front_link_compare_clocks(struct front_link *link, const char *who, int64_t server_ms);

/* front_link_stream.c */
void front_link_streams_init(struct front_link *link);
/* Registered: subscribe anew and ask what was missed. */
void front_link_streams_start(struct front_link *link);
void front_link_streams_stop(struct front_link *link);
/* Another boot of the router: sequence numbers begin again. */
void front_link_streams_reset(struct front_link *link);

#endif
