/* SPDX-License-Identifier: Apache-2.0 */
/* What store.c (shares, what was given) and store_*.c share. Nobody else includes it. */
#ifndef PARTICIPANT_STORE_STATE_H
#define PARTICIPANT_STORE_STATE_H

#include "participant/ledger.h"
#include "participant/reserve.h"
#include "participant/store.h"
#include "system/db/db.h"

#include <stdatomic.h>

struct store {
    struct db *db;
    struct reserve *reserve;
    struct ledger *ledger;
    atomic_uint_fast64_t changes;
    /* Active shares: counted at the start, then by what this process alone makes and erases. */
    atomic_size_t shares_n;
};

enum store_result store_result_of(enum db_result result);
/* The reserve's burns into the database, as far as it takes them. */
void store_move_burns(struct store *store);
/* At the start: what is burned or lent into both the database and the ledger, as far as they take
 * it. False: one of them cannot be read. */
bool store_settle_ledger(struct store *store);
/* Before shares are erased that were given to their owners, in |session_id| or expired by |now_ms|:
 * whatever brings such a row back brings no share. False: not written down. */
bool store_retire(struct store *store, const char *session_id, int64_t now_ms);

/* What the party says of itself under a name; longer values are none of ours and have |len| 0. */
enum { STORE_FACT_MAX = 32 };
struct store_fact {
    bool is_set;
    uint8_t b[STORE_FACT_MAX];
    size_t len;
};
enum db_result store_read_fact(struct db_tx *tx, struct store_fact *out, const char *name);
/* False also for |b| NULL. */
bool store_fact_is(const struct store_fact *fact, const uint8_t *b, size_t len);
/* |b| NULL: no such fact from now on. */
enum db_result store_write_fact(struct db_tx *tx, const char *name, const uint8_t *b, size_t len);

/* store_changes is another from now on. */
void store_changed(struct store *store);
/* In the transaction that makes |share| active: it has no backup. */
enum db_result store_add_unbacked(struct db_tx *tx, const struct store_share *share);

/* Of a row of shares; for store_read_share and store_find_share. */
#define STORE_SHARE_COLUMNS                                                                        \
    "account_id, session_id, attempt, status, kgid, key_id, epoch, own, purpose, caller_key,"      \
    " deadline_ms, roster, sealed, intent_hash"
void store_read_share(struct store_share *out, const struct db_row *row);
/* The first row that |sql| finds, into |out|, which is zeroes if there is none. */
enum store_result store_find_share(struct store *store, struct store_share *out, const char *sql,
                                   const struct db_value *values, size_t n);

#define STORE_BURN_COLUMNS "kgid, epoch, own, peer"
/* Of a row of tombstones. False: it is none of ours. */
bool store_read_burn(struct store_burn *out, const struct db_row *row);

#endif
