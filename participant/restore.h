/* SPDX-License-Identifier: Apache-2.0 */
/* Shares, burns and orders out of backups into a party's own database and ledger, as its settings
 * name them and while its keeper does not run; sealed under its wrapping key. Or burns and orders
 * alone, into a party that has shares: it knows more then, and nothing less. What was checked
 * before (backup_body.h) is not checked here. */
#ifndef PARTICIPANT_RESTORE_H
#define PARTICIPANT_RESTORE_H

#include "participant/backup_body.h"
#include "participant/keys.h"

struct restore;

/* RESTORE_EMPTY: the database must have no share. RESTORE_MERGE: it must have one. */
enum restore_into { RESTORE_EMPTY, RESTORE_MERGE };

/* |config| is a keeper's and outlives it; |program| is keys_open's. NULL with one line in |error|.
 */
struct restore *restore_open(const struct config *config, const char *program, const char *party_id,
                             enum restore_into into, char error[KEYS_ERROR_MAX]);
/* NULL is nothing. */
void restore_close(struct restore *restore);
/* The party's directory has a ledger of before: what is in it counts, backups or not. */
bool restore_kept_ledger(const struct restore *restore);
/* The last failure in words. */
void restore_error(const struct restore *restore, char out[STORE_ERROR_MAX]);

/* Durable when they return; false: not stored. Burns go before the shares they are of. */
bool restore_burn(struct restore *restore, const struct store_burn *burn);
/* As an order that its keeper finds: of one that is not the party's own word only what OPERATOR_KEY
 * signed counts, or that it is a freeze. Merged are what OPERATOR_KEY signed, and the party's own
 * freezes. */
bool restore_order(struct restore *restore, const struct store_order *order);
/* How many of them counted. */
size_t restore_orders(const struct restore *restore);
/* What the party keeps frozen now, "" for the whole system. False: its orders cannot be read. */
bool restore_each_frozen(const struct restore *restore,
                         void (*each)(void *arg, const char *subject), void *arg);
/* Orders can be checked: OPERATOR_KEY is set. */
bool restore_has_operator(const struct restore *restore);
/* The next state of the party has a higher serial. */
bool restore_serial(struct restore *restore, uint64_t serial);
bool restore_share(struct restore *restore, const struct backup_share *share,
                   const uint8_t key_id[32]);

#endif
