/* SPDX-License-Identifier: Apache-2.0 */
/* Mailboxes: what waits for whom. One driver now: this process's memory.
 *
 * A mailbox belongs to one receiver. Items get ascending sequence numbers from 1; they stay until
 * the receiver acknowledges them, until their deadline, or until the process ends. Bounds hold per
 * mailbox and per (mailbox, group), so that one session cannot crowd out another: an item above a
 * bound is refused, never silently dropped. A mailbox, once named, stays as a few bytes, because
 * its numbers must not begin anew: name only receivers that are known. Not thread-safe: one
 * loop. */
#ifndef SYSTEM_BUS_BUS_H
#define SYSTEM_BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus;

struct bus_item {
    int64_t seq;
    /* opaque to the bus */
    const void *b;
    size_t len;
    int64_t deadline_ms;
};

struct bus_limits {
    size_t box_bytes, box_items;
    size_t group_bytes, group_items;
};

enum bus_result { BUS_OK, BUS_FULL };

struct bus *bus_new(const struct bus_limits *limits);
void bus_free(struct bus *bus);

/* Put |b| (copied) into |box|'s mailbox, counted for |group| (a session id), until |deadline_ms|.
 * Tells the reader that waits, if any (bus_watch). |seq| may be NULL. */
enum bus_result bus_put(struct bus *bus, const char *box, const char *group, const void *b,
                        size_t len, int64_t deadline_ms, int64_t *seq);
/* Items after |after|, oldest first, until |each| returns false; lent for the call. |each| must
 * not change the bus. */
void bus_read(struct bus *bus, const char *box, int64_t after,
              bool (*each)(const struct bus_item *item, void *arg), void *arg);
/* Forget everything up to and including |through|. */
void bus_acknowledge(struct bus *bus, const char *box, int64_t through);
/* Forget what was put for |group|, in every mailbox. */
void bus_forget_group(struct bus *bus, const char *group);
/* Call |wake| at every put into |box|; one watcher per mailbox, the last one wins; NULL: nobody. */
void bus_watch(struct bus *bus, const char *box, void (*wake)(void *arg), void *arg);
/* Forget what is past its deadline. */
void bus_expire(struct bus *bus, int64_t now_ms);
size_t bus_items(const struct bus *bus);
size_t bus_bytes(const struct bus *bus);

#endif
