/* SPDX-License-Identifier: Apache-2.0 */
/* A list in order of use; capacities are small enough to search it. Loading happens outside the
 * lock; |changes| tells a loader that a burn came between, so that it loads again. */
#include "participant/shares.h"

#include "quorate/certificate.h"
#include "system/core/be.h"
#include "system/core/buffer.h"
#include "system/core/ids.h"
#include "system/core/secret.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Where a share's certificate has its rows (docs/wire.md). */
enum { CERTIFICATE_HEAD = 67 };

struct shares {
    struct shares_params params;
    pthread_mutex_t lock;
    struct share_held *first;
    size_t n;
    uint64_t changes;
};

struct shares *shares_new(const struct shares_params *params)
{
    struct shares *shares = mem_new(1, sizeof *shares);

    shares->params = *params;
    pthread_mutex_init(&shares->lock, NULL);
    return shares;
}

void shares_put(struct share_held *held)
{
    if (!held || atomic_fetch_sub(&held->refs, 1) != 1)
        return;
    secret_free(held->record);
    free(held->keys);
    free(held->roster);
    free(held->roster_text);
    free(held);
}

void shares_free(struct shares *shares)
{
    if (!shares)
        return;
    while (shares->first) {
        struct share_held *held = shares->first;

        shares->first = held->next;
        shares_put(held);
    }
    pthread_mutex_destroy(&shares->lock);
    free(shares);
}

static uint16_t index_of(const struct qrt_share *share, size_t place)
{
    const uint8_t *index = share->parties[place].index;

    return (uint16_t)be_get(index, sizeof share->parties[place].index);
}

size_t share_place(const struct qrt_share *share, uint16_t index)
{
    for (size_t i = 0; i < share->n; i++) {
        if (index_of(share, i) == index)
            return i;
    }
    return share->n;
}

/* Sealing */

/* What a share's row says beside the record: written by whoever can write the database, so it is
 * bound to the record. For a pending one that is also which attempt of which intent made it, which
 * decides who may take it up and whom a delegate gives it to. An active one is found by its key. */
struct binding {
    char kind[9 + 2 * crypto_hash_sha256_BYTES];
    struct vault_binding vault;
};

static void add_origin(crypto_hash_sha256_state *state, const struct store_share *row)
{
    uint8_t attempt[4];

    be_put(attempt, sizeof attempt, row->attempt);
    crypto_hash_sha256_update(state, row->intent_hash, sizeof row->intent_hash);
    crypto_hash_sha256_update(state, (const uint8_t *)row->session_id, sizeof row->session_id);
    crypto_hash_sha256_update(state, attempt, sizeof attempt);
}

static void bind(struct binding *out, const struct shares *shares, const struct store_share *row)
{
    static const uint8_t nobody[32];
    const uint8_t head[2] = {row->purpose, row->has_caller};
    const char *roster = row->roster ? row->roster : "";
    const char *kind = row->status == STORE_PENDING ? "pending " : "share ";
    crypto_hash_sha256_state state;
    uint8_t hash[crypto_hash_sha256_BYTES];

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, row->kgid, sizeof row->kgid);
    crypto_hash_sha256_update(&state, head, sizeof head);
    crypto_hash_sha256_update(&state, row->has_caller ? row->caller_key : nobody, 32);
    if (row->status == STORE_PENDING)
        add_origin(&state, row);
    crypto_hash_sha256_update(&state, (const uint8_t *)roster, strlen(roster));
    crypto_hash_sha256_final(&state, hash);
    memcpy(out->kind, kind, strlen(kind));
    hex_encode(out->kind + strlen(kind), hash, sizeof hash);
    out->vault =
        (struct vault_binding){out->kind, row->account_id, shares->params.party_id, row->epoch};
}

static void refuse_unseal(const struct shares *shares, enum vault_result result,
                          struct refusal *refusal)
{
    if (refusal && result == VAULT_AWAY)
        refuse_for_now(refusal, "STORAGE", "the holder of party %s's wrapping key does not answer",
                       shares->params.party_id);
    else if (refusal)
        refuse_for_now(refusal, "STORAGE", "the share of party %s is damaged: restore it",
                       shares->params.party_id);
}

uint8_t *shares_unseal(const struct shares *shares, const struct store_share *row, size_t *len,
                       struct refusal *refusal)
{
    enum vault_result result = VAULT_DAMAGED;
    struct binding binding;
    uint8_t *record = NULL;

    if (vault_plain_len(len, row->sealed, row->sealed_len) && *len > 0) {
        bind(&binding, shares, row);
        record = secret_new(*len);
        result =
            vault_open(shares->params.vault, record, &binding.vault, row->sealed, row->sealed_len);
    }
    if (result == VAULT_OK)
        return record;
    refuse_unseal(shares, result, refusal);
    secret_free(record);
    return NULL;
}

bool shares_seal(const struct shares *shares, struct store_share *row, const uint8_t *record,
                 size_t len)
{
    struct binding binding;

    bind(&binding, shares, row);
    row->sealed_len = len + VAULT_OVERHEAD;
    row->sealed = mem_new(1, row->sealed_len);
    return vault_seal(shares->params.vault, row->sealed, &binding.vault, record, len) == VAULT_OK;
}

enum vault_result shares_rewrap(const struct shares *shares, const struct store_share *row,
                                uint8_t **sealed, size_t *len)
{
    const struct vault_item item = {row->sealed, row->sealed_len};
    struct binding binding;

    bind(&binding, shares, row);
    *sealed = mem_new(1, row->sealed_len + VAULT_GROWTH);
    return vault_rewrap(shares->params.vault, *sealed, len, &binding.vault, &item);
}

bool shares_reseal(const struct shares *shares, const struct share_held *held,
                   struct store_share *row, const uint8_t *record)
{
    struct buffer roster = {0};

    for (size_t i = 0; held->roster && i < held->share.n; i++)
        buffer_printf(&roster, i ? " %s" : "%s", held->roster[i]);
    *row = (struct store_share){.status = STORE_ACTIVE,
                                .epoch = held->share.epoch,
                                .purpose = held->purpose,
                                .has_caller = held->has_caller,
                                .roster = (char *)roster.b};
    memcpy(row->account_id, held->account_id, sizeof row->account_id);
    memcpy(row->caller_key, held->caller_key, 32);
    memcpy(row->kgid, held->share.kgid, 32);
    return shares_seal(shares, row, record, held->record_len);
}

/* Opening */

/* The identity keys that the certificate was signed with, whose hashes the roster holds. */
static void take_keys(struct share_held *held)
{
    const struct qrt_share *s = &held->share;
    const struct qrt_cert_row *rows = (const void *)(s->certificate + CERTIFICATE_HEAD);
    size_t rows_n = (s->certificate_len - CERTIFICATE_HEAD) / sizeof *rows;

    held->keys = mem_new(s->n, sizeof *held->keys);
    for (size_t i = 0; i < rows_n; i++) {
        uint16_t index = (uint16_t)(rows[i].index[0] << 8 | rows[i].index[1]);
        size_t place = share_place(s, index);

        if (place == s->n)
            continue;
        held->keys[place].index = index;
        memcpy(held->keys[place].idpk, rows[i].idpk, 32);
    }
}

/* False unless the text names as many parties as the key has. */
static bool take_roster(struct share_held *held, const char *text)
{
    char *save = NULL;
    size_t n = 0;

    held->roster = mem_new(held->share.n, sizeof *held->roster);
    held->roster_text = text_copy(text);
    for (char *id = strtok_r(held->roster_text, " ", &save); id; id = strtok_r(NULL, " ", &save)) {
        if (n == held->share.n)
            return false;
        held->roster[n++] = id;
    }
    return n == held->share.n;
}

struct share_held *shares_open(const struct shares *shares, const struct store_share *row,
                               uint8_t *record, size_t len)
{
    struct share_held *held = mem_new(1, sizeof *held);

    atomic_init(&held->refs, 1);
    held->record = record;
    held->record_len = len;
    memcpy(held->account_id, row->account_id, sizeof held->account_id);
    held->purpose = row->purpose;
    held->has_caller = row->has_caller;
    memcpy(held->caller_key, row->caller_key, 32);
    if (qrt_share_open(&held->share, shares->params.ctx, record, len) == QRT_OK) {
        take_keys(held);
        if (!row->roster || take_roster(held, row->roster))
            return held;
    }
    shares_put(held);
    return NULL;
}

bool shares_tombstones(uint64_t *burned, struct store *store, const struct qrt_share *share)
{
    struct store_burn burn = {.epoch = share->epoch, .own = share->own};

    *burned = 0;
    memcpy(burn.kgid, share->kgid, 32);
    for (size_t i = 0; i < share->n; i++) {
        burn.peer = index_of(share, i);
        if (burn.peer == share->own)
            continue;
        switch (store_is_burned(store, &burn)) {
        case STORE_OK:
            *burned |= UINT64_C(1) << i;
            break;
        case STORE_NONE:
            break;
        case STORE_FAILED:
            return false;
        }
    }
    return true;
}

static struct share_held *load(const struct shares *shares, const char *account_id,
                               const uint8_t key_id[32], struct refusal *refusal)
{
    struct store_share row;
    struct share_held *held = NULL;
    enum store_result found = store_get_key(shares->params.store, &row, account_id, key_id);
    uint8_t *record;
    size_t len;

    if (found == STORE_OK && store_is_gone(shares->params.store, row.kgid, row.epoch)) {
        store_share_free(&row);
        found = STORE_NONE;
    }
    if (found == STORE_NONE)
        refuse_for_now(refusal, "NO_SHARE", "party %s has no share of this key",
                       shares->params.party_id);
    else if (found == STORE_FAILED)
        refuse_for_now(refusal, "STORAGE", "party %s cannot read its shares",
                       shares->params.party_id);
    if (found != STORE_OK)
        return NULL;
    record = shares_unseal(shares, &row, &len, refusal);
    held = record ? shares_open(shares, &row, record, len) : NULL;
    if (held && !shares_tombstones(&held->burned, shares->params.store, &held->share)) {
        shares_put(held);
        held = NULL;
    }
    if (!held && record)
        refuse_unseal(shares, VAULT_DAMAGED, refusal);
    store_share_free(&row);
    return held;
}

/* The cache; under the lock */

static struct share_held *find(struct shares *shares, const char *account_id,
                               const uint8_t key_id[32])
{
    for (struct share_held **at = &shares->first; *at; at = &(*at)->next) {
        struct share_held *held = *at;

        if (memcmp(held->share.keyid, key_id, 32) != 0 || strcmp(held->account_id, account_id) != 0)
            continue;
        *at = held->next;
        held->next = shares->first;
        shares->first = held;
        atomic_fetch_add(&held->refs, 1);
        return held;
    }
    return NULL;
}

static void drop_last(struct shares *shares)
{
    struct share_held **at = &shares->first;

    while ((*at)->next)
        at = &(*at)->next;
    shares_put(*at);
    *at = NULL;
    shares->n--;
}

static void insert(struct shares *shares, struct share_held *held)
{
    if (shares->n >= shares->params.capacity)
        drop_last(shares);
    atomic_fetch_add(&held->refs, 1);
    held->next = shares->first;
    shares->first = held;
    shares->n++;
}

/* A cached one, or NULL and the state of changes to load in. */
static struct share_held *look(struct shares *shares, const char *account_id,
                               const uint8_t key_id[32], uint64_t *changes)
{
    struct share_held *held;

    pthread_mutex_lock(&shares->lock);
    held = find(shares, account_id, key_id);
    *changes = shares->changes;
    pthread_mutex_unlock(&shares->lock);
    return held;
}

/* False: something changed while it was loaded. */
static bool offer(struct shares *shares, struct share_held *held, uint64_t changes)
{
    bool fresh;
    struct share_held *twin;

    pthread_mutex_lock(&shares->lock);
    fresh = shares->changes == changes;
    twin = fresh ? find(shares, held->account_id, held->share.keyid) : NULL;
    if (fresh && !twin)
        insert(shares, held);
    pthread_mutex_unlock(&shares->lock);
    shares_put(twin);
    return fresh;
}

struct share_held *shares_get(struct shares *shares, const char *account_id,
                              const uint8_t key_id[32], struct refusal *refusal)
{
    for (;;) {
        uint64_t changes;
        struct share_held *held = look(shares, account_id, key_id, &changes);

        if (held)
            return held;
        held = load(shares, account_id, key_id, refusal);
        if (!held || offer(shares, held, changes))
            return held;
        shares_put(held);
    }
}

void shares_drop(struct shares *shares, const uint8_t kgid[32])
{
    pthread_mutex_lock(&shares->lock);
    shares->changes++;
    for (struct share_held **at = &shares->first; *at;) {
        struct share_held *held = *at;

        if (kgid && memcmp(held->share.kgid, kgid, 32) != 0) {
            at = &held->next;
            continue;
        }
        *at = held->next;
        shares->n--;
        shares_put(held);
    }
    pthread_mutex_unlock(&shares->lock);
}

void shares_clear(struct shares *shares)
{
    shares_drop(shares, NULL);
}
