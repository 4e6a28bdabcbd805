/* SPDX-License-Identifier: Apache-2.0 */
/* Which active shares have no verified backup, beside them in the party's database; and what a
 * backup of the rest is made of. A share is without backup from the transaction that makes it
 * active. As store.h: every write is durable, calls block. */
#ifndef PARTICIPANT_STORE_BACKUPS_H
#define PARTICIPANT_STORE_BACKUPS_H

#include "participant/store.h"

enum { STORE_RECIPIENT_ID = 16, STORE_DIGEST = 32 };

/* A share without verified backup, by which it is found. |is_made|: a file of it was written, which
 * has this digest. */
struct store_unbacked {
    char account_id[37];
    uint8_t kgid[32];
    uint32_t epoch;
    bool is_made;
    uint8_t digest[STORE_DIGEST];
};

/* Backups are made for the recipient |id|. If they were for another one, every active share is
 * without backup from now on. |*is_proven|: store_put_proven was called for this one. */
enum store_result store_take_recipient(struct store *store, const uint8_t id[STORE_RECIPIENT_ID],
                                       bool *is_proven);
enum store_result store_put_proven(struct store *store, const uint8_t id[STORE_RECIPIENT_ID]);

/* For the next state: higher than every one before it, and at least |least|. What the database says
 * is believed up to a day after |now_ms|, by the clock. */
enum store_result store_next_serial(struct store *store, uint64_t least, uint64_t now_ms,
                                    uint64_t *serial);

/* The first share, in an order of its own, behind |after| (NULL: of all), with or without a file.
 */
enum store_result store_next_unbacked(struct store *store, struct store_unbacked *out, bool is_made,
                                      const struct store_unbacked *after);
/* A file of this digest was written; NULL: it is gone. */
enum store_result store_put_made(struct store *store, const struct store_unbacked *share,
                                 const uint8_t *digest);
/* It counts as backed up. */
enum store_result store_put_backed(struct store *store, const struct store_unbacked *share);
/* Active shares without verified backup. */
enum store_result store_count_unbacked(struct store *store, size_t *n);
/* The row itself. */
enum store_result store_get_share(struct store *store, struct store_share *out,
                                  const struct store_unbacked *share);

/* Every burn that the ledger, the reserve or the database knows, some of them twice. False: not
 * all could be read. */
bool store_each_burn(struct store *store, void (*each)(void *arg, const struct store_burn *burn),
                     void *arg);
/* A freeze out of a backup that nobody signed, into the database alone, where it holds until the
 * operator ends it. STORE_NONE: the database has a newer one. */
enum store_result store_put_held_order(struct store *store, const struct store_order *order);
/* Changes when a share becomes active, a pair is burned or an order is stored. Any thread. */
uint64_t store_changes(const struct store *store);
/* Neither a share, pending ones included, nor a delegate's. STORE_NONE: there is one. */
enum store_result store_is_empty(struct store *store);

#endif
