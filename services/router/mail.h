/* SPDX-License-Identifier: Apache-2.0 */
/* What waits for whom: two mailboxes per party on the bus, one of messages, one of events.
 *
 *   messages   until acknowledged, until the session's deadline, or shortly after its end
 *   events     until the session's deadline; those that are no end, shortly after its end
 *
 * A message to a session that the book does not know, or to an attempt of it, is kept for
 * MAIL_STRAY_MS, and one sender may have so many of them under way: the session's event may still
 * be on its way, or this router is new. Of a message only the size is looked at. */
#ifndef ROUTER_MAIL_H
#define ROUTER_MAIL_H

#include "router.pb-c.h"
#include "services/router/registry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MAIL_STRAY_MS = 60000,
    MAIL_STRAY_ITEMS = 16384,
    MAIL_STRAY_BYTES = 64 << 20,
    /* for one session in one mailbox */
    MAIL_GROUP_ITEMS = 4096,
    MAIL_GROUP_BYTES = 32 << 20,
    /* different party ids that ever had mail: a mailbox is never quite forgotten */
    MAIL_RECEIVERS_MAX = 50000,
    /* one batch of a stream; a single longer message is a batch of its own */
    MAIL_BATCH_ITEMS = 64,
    MAIL_BATCH_BYTES = 256 << 10
};

struct mail;

struct mail *mail_new(size_t mailbox_bytes);
void mail_free(struct mail *mail);

/* A message on its way. All lent. */
struct letter {
    const char *from, *session_id;
    uint32_t attempt;
    const uint8_t *payload;
    size_t len;
    /* unix ms */
    int64_t deadline_ms;
};
/* False: |to|'s mailbox is full. */
bool mail_put(struct mail *mail, const char *to, const struct letter *letter);
/* Count a letter to an unknown session against its sender's budget; false if that is used up. */
bool mail_allow_stray(struct party *sender, size_t len, uint64_t now_us);
bool mail_put_event(struct mail *mail, const char *to, const Mpc__Session__V1__SessionEvent *event,
                    int64_t deadline_ms);

/* Messages after |after|, as much as one batch holds. Lent until the mailbox changes. */
struct mail_batch {
    Mpc__Router__V1__MessageBatch message;
    Mpc__Router__V1__IncomingMessage items[MAIL_BATCH_ITEMS];
    Mpc__Router__V1__IncomingMessage *list[MAIL_BATCH_ITEMS];
    size_t bytes;
    /* of the last item, |after| if there is none */
    int64_t last;
    /* more wait behind it */
    bool has_more;
};
void mail_read(struct mail *mail, const char *party_id, int64_t after, struct mail_batch *out);
/* The event after |after|: free_unpacked; NULL if there is none. */
Mpc__Session__V1__SessionEvent *mail_read_event(struct mail *mail, const char *party_id,
                                                int64_t after, int64_t *seq);
void mail_acknowledge(struct mail *mail, const char *party_id, int64_t through);

/* Where mail that does not belong here goes; false: it must wait. All is lent. */
struct mail_way {
    bool (*letter)(void *arg, const char *to, const struct letter *letter);
    bool (*event)(void *arg, const char *to, Mpc__Session__V1__SessionEvent *event,
                  int64_t deadline_ms);
    void *arg;
};
/* Everything that waits for |party_id| goes |way|, oldest first, as far as it is taken. */
void mail_send_on(struct mail *mail, const char *party_id, const struct mail_way *way);

enum mail_box { MAIL_MESSAGES, MAIL_EVENTS };
/* As bus_watch. */
void mail_watch(struct mail *mail, enum mail_box box, const char *party_id, void (*wake)(void *arg),
                void *arg);

/* The session has ended: all but the news of its end is free. */
void mail_forget(struct mail *mail, const char *session_id);
void mail_expire(struct mail *mail, int64_t now_ms);
size_t mail_items(const struct mail *mail);
size_t mail_bytes(const struct mail *mail);

#endif
