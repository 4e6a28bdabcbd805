/* SPDX-License-Identifier: Apache-2.0 */
/* What link.c (registration, heartbeat, calls) and link_stream.c (events, messages, polls) share.
 * Nobody else includes it. */
#ifndef PARTICIPANT_LINK_STATE_H
#define PARTICIPANT_LINK_STATE_H

#include "participant/link.h"
#include "system/core/retry.h"

enum { LINK_BOOT_BYTES = 16, LINK_NONCE_BYTES = 16, LINK_CALL_MS = 5000 };

/* Unknown, have a proof made, ask the router, wait after a failure, registered. */
enum link_state { LINK_SILENT, LINK_PROVING, LINK_REGISTERING, LINK_WAITING, LINK_REGISTERED };

/* One of the two subscriptions: open, or waiting for |again|, or closed. */
struct link_stream {
    struct link *link;
    struct rpc_pending *pending;
    struct retry retry;
    uv_timer_t again;
    void (*open)(struct link *link);
};

struct link {
    struct link_params params;
    struct link_watch watch;
    Mpc__Keeper__V1__Ready *who;
    enum link_state state;
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

    struct link_stream events, messages;
    bool is_polling, polls_again, has_polled;
    int64_t cursor, order_cursor;

    uv_timer_t register_timer, beat_timer, poll_timer, ack_timer;
    /* of the six timers; the memory goes with the last */
    unsigned handles;
};

enum front_answer link_judge(const struct rpc_status *status);
/* The router does not know this party (any more): register, then subscribe, again. */
void link_register(struct link *link);
/* A line, once a minute, if |server_ms| differs from this clock by more than 30 s. */
void link_compare_clocks(struct link *link, const char *who, int64_t server_ms);

/* link_stream.c */
void link_streams_init(struct link *link);
/* Registered: subscribe anew and ask what was missed. */
void link_streams_start(struct link *link);
void link_streams_stop(struct link *link);
/* Another boot of the router: sequence numbers begin again. */
void link_streams_reset(struct link *link);

#endif
