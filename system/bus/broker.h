/* SPDX-License-Identifier: Apache-2.0 */
/* A broker between replicas of one service: short-lived frames to one replica or to all of them.
 *
 * A replica is known by its address, which it gets anew with every connection: what was sent to an
 * older one never arrives. A frame that was taken is delivered at most once, or reported by
 * `refused`, or, if the connection ended meanwhile, lost without a word: whoever publishes sees
 * `down` and must reckon with that. Frames to all are not reported. Nothing is promised about
 * order. The broker is trusted with nothing: what a frame says must prove itself to its reader.
 *
 * One loop, one thread for the user; no call blocks. */
#ifndef SYSTEM_BUS_BROKER_H
#define SYSTEM_BUS_BROKER_H

#include "system/core/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum {
    /* hex */
    BROKER_ADDRESS_MAX = 33,
    BROKER_ERROR_MAX = 256,
    /* one frame */
    BROKER_FRAME_MAX = 20 << 20,
    /* taken and not yet confirmed by the broker, in all */
    BROKER_PENDING_MAX = 64 << 20,
    BROKER_PENDING_FRAMES = 8192,
    /* waiting at the broker for one replica; more is refused there */
    BROKER_WAITING_MAX = 64 << 20,
    /* delivered and not yet acknowledged */
    BROKER_PREFETCH = 64
};

/* All are called from the loop; texts and bytes are lent. */
struct broker_events {
    /* connected, from now on under this address */
    void (*up)(void *arg, const char *address);
    /* not connected any more: what was under way may be lost. |gave_up|: nor will it be again */
    void (*down)(void *arg, bool gave_up, const char *why);
    /* acknowledged to the broker when this returns; |len| 0 also for what is longer than
     * BROKER_FRAME_MAX, which no user of this has sent */
    void (*frame)(void *arg, const uint8_t *b, size_t len);
    /* a frame for |to| did not get there; |is_gone|: there is nobody, otherwise too much waits */
    void (*refused)(void *arg, const char *to, bool is_gone);
    void *arg;
};

struct broker;

/* What a driver is; a struct broker begins with a pointer to one. */
struct broker_driver {
    bool (*publish)(struct broker *broker, const char *to, const uint8_t *b, size_t len);
    void (*free)(struct broker *broker);
};
struct broker {
    const struct broker_driver *driver;
};

/* |b| (copied) goes to the replica |to|, or with NULL to all, the publisher too. False: it is not
 * taken, since there is no connection or too much is under way. */
bool broker_publish(struct broker *broker, const char *to, const uint8_t *b, size_t len);
/* No event comes any more; what was taken is sent if the broker takes it soon. NULL is nothing. */
void broker_free(struct broker *broker);

/* RABBITMQ_HOST is set. */
bool broker_is_configured(const struct config *config);
/* What no single variable can tell. False with one line in |error|. */
bool broker_check(const struct config *config, char error[BROKER_ERROR_MAX]);
/* |family| names the exchanges: "quorate.router" and, to all, "quorate.routers". Connects in the
 * background, for ever, but for RETRY_MAX tries in a row. */
struct broker *broker_open(uv_loop_t *loop, const struct config *config, const char *family,
                           const struct broker_events *events);

#endif
