/* SPDX-License-Identifier: Apache-2.0 */
/* Opened shares: a bounded cache in guarded memory, least recently used out first. A held share is
 * immutable: after a burn the next one that asks gets a new one, runs keep what they have.
 *
 * Also the way of a share to the store and back: sealing by the vault, bound to account, party,
 * epoch and to who may use it for what; each share that comes back is validated in full
 * (qrt_share_open). */
#ifndef PARTICIPANT_SHARES_H
#define PARTICIPANT_SHARES_H

#include "participant/refusal.h"
#include "participant/store.h"
#include "quorate/peer.h"
#include "quorate/share.h"
#include "system/vault/vault.h"

#include <stdatomic.h>

struct shares;

struct share_held {
    atomic_int refs;
    /* |share| leads into it; guarded */
    uint8_t *record;
    size_t record_len;
    struct qrt_share share;
    char account_id[37];
    uint8_t purpose;
    bool has_caller;
    uint8_t caller_key[32];
    /* by place in the roster; names are NULL for a lent share */
    struct qrt_peer_key *keys;
    char **roster;
    char *roster_text;
    /* pairs that tombstones name, by place: whatever the record says, which may be an old one */
    uint64_t burned;
    /* handed in by its owner for one session: never written to the store */
    bool is_lent;
    /* the cache's list */
    struct share_held *next;
};

struct shares_params {
    const struct qrt_ctx *ctx;
    const struct vault *vault;
    struct store *store;
    const char *party_id;
    size_t capacity;
};

/* |params| is copied, what it points to outlives this. */
struct shares *shares_new(const struct shares_params *params);
void shares_free(struct shares *shares);

/* The active share of this key of this account: NO_SHARE, STORAGE. Ended by shares_put. */
struct share_held *shares_get(struct shares *shares, const char *account_id,
                              const uint8_t key_id[32], struct refusal *refusal);
void shares_put(struct share_held *held);
/* Forget what the cache holds of this key. */
void shares_drop(struct shares *shares, const uint8_t kgid[32]);
/* Forget all that the cache holds. */
void shares_clear(struct shares *shares);

/* Open |record| (guarded memory, taken over, also on failure) for a row of the store. */
struct share_held *shares_open(const struct shares *shares, const struct store_share *row,
                               uint8_t *record, size_t len);
/* Unseal a row's record into new guarded memory. NULL with a refusal, if one is wanted: damaged, of
 * another wrapping key, or that does not answer. */
uint8_t *shares_unseal(const struct shares *shares, const struct store_share *row, size_t *len,
                       struct refusal *refusal);
/* Fill row->sealed (heap, the caller's). False: the wrapping key does not answer. */
bool shares_seal(const struct shares *shares, struct store_share *row, const uint8_t *record,
                 size_t len);
/* The row of a held share, for store_put_burn; sealed with |record|, its changed copy. */
bool shares_reseal(const struct shares *shares, const struct share_held *held,
                   struct store_share *row, const uint8_t *record);
/* The row's seal with its data key under the newest wrapping key; |sealed| is the caller's. */
enum vault_result shares_rewrap(const struct shares *shares, const struct store_share *row,
                                uint8_t **sealed, size_t *len);
/* The pairs of this share that were burned here, by place, whatever its record says. False: that
 * cannot be read. */
bool shares_tombstones(uint64_t *burned, struct store *store, const struct qrt_share *share);
/* The place of |index| in the roster; share.n if there is none. */
size_t share_place(const struct qrt_share *share, uint16_t index);

#endif
