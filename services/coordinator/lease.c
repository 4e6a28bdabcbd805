/* SPDX-License-Identifier: Apache-2.0 */
/* See lease.h. The taker steps over a row that is locked: its holder is just committing, and is
 * looked for again a moment later. */
#include "services/coordinator/lease.h"

#include "system/core/be.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { MAC = crypto_auth_hmacsha256_BYTES };

struct seen {
    struct lease *lease;
    bool is_there;
};

bool lease_is_possible(int64_t fence)
{
    return fence >= 0 && fence < INT64_MAX / 2;
}

void lease_key(uint8_t key[LEASE_KEY], const char *secret)
{
    static const char label[] = "quorate/lease/1";
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, (const uint8_t *)secret, strlen(secret));
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)label, sizeof label);
    crypto_auth_hmacsha256_final(&state, key);
    sodium_memzero(&state, sizeof state);
}

/* Texts with their zero bytes. */
static void sign(uint8_t mac[MAC], const struct lease *lease, int64_t fence)
{
    crypto_auth_hmacsha256_state state;
    uint8_t number[8];

    be_put(number, sizeof number, (uint64_t)fence);
    crypto_auth_hmacsha256_init(&state, lease->key, LEASE_KEY);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)lease->replica,
                                  strlen(lease->replica) + 1);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)lease->address,
                                  strlen(lease->address) + 1);
    crypto_auth_hmacsha256_update(&state, number, sizeof number);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_memzero(&state, sizeof state);
}

static bool is_signed(const struct lease *lease, const struct db_row *row, int column)
{
    uint8_t mac[MAC], said[MAC];

    if (!lease->key || !db_copy_blob(said, sizeof said, row, column))
        return false;
    sign(mac, lease, lease->fence);
    return sodium_memcmp(mac, said, sizeof mac) == 0;
}

static bool take_row(const struct db_row *row, void *arg)
{
    struct seen *seen = arg;

    db_copy_text(seen->lease->replica, sizeof seen->lease->replica, row, 0);
    db_copy_text(seen->lease->address, sizeof seen->lease->address, row, 1);
    seen->lease->fence = db_get_int(row, 2);
    seen->lease->is_over = db_get_int(row, 3) != 0;
    seen->lease->is_signed = is_signed(seen->lease, row, 4);
    seen->is_there = true;
    return false;
}

#define LOOK                                                                                       \
    "SELECT replica, address, fence, CASE WHEN lease_until_ms <= now_ms() THEN 1 ELSE 0 END, mac"  \
    " FROM leadership WHERE id = 1"

enum db_result lease_look(struct db_tx *tx, void *arg)
{
    struct seen seen = {.lease = arg};
    enum db_result result = db_query(tx, LOOK, NULL, 0, take_row, &seen);

    return result == DB_OK && !seen.is_there ? DB_REFUSED : result;
}

static enum db_result write_row(struct db_tx *tx, const struct lease *lease, const uint8_t mac[MAC])
{
    const struct db_value v[] = {db_text(lease->replica), db_text(lease->address),
                                 db_int(lease->fence), db_int(LEASE_MS), db_blob(mac, MAC)};

    return db_exec(tx,
                   "UPDATE leadership SET replica = $1, address = $2, fence = $3,"
                   " lease_until_ms = now_ms() + $4, mac = $5 WHERE id = 1",
                   v, sizeof v / sizeof v[0], NULL);
}

enum db_result lease_take(struct db_tx *tx, void *arg)
{
    struct lease *lease = arg, found = {0};
    uint8_t mac[MAC];
    struct seen seen = {.lease = &found};
    enum db_result result = db_query(tx, LOOK " FOR UPDATE SKIP LOCKED", NULL, 0, take_row, &seen);

    lease->is_taken = false;
    if (result != DB_OK || !seen.is_there || !found.is_over || !lease_is_possible(found.fence))
        return result;
    lease->fence = found.fence + 1;
    sign(mac, lease, lease->fence);
    result = write_row(tx, lease, mac);
    lease->is_taken = result == DB_OK;
    return result;
}

static enum db_result extend(struct db_tx *tx, const struct lease *lease, int64_t ms)
{
    const struct db_value v[] = {db_int(lease->fence), db_int(ms)};

    return db_must(tx,
                   "UPDATE leadership SET lease_until_ms = now_ms() + $2"
                   " WHERE id = 1 AND fence = $1",
                   v, 2);
}

enum db_result lease_renew(struct db_tx *tx, void *arg)
{
    return extend(tx, arg, LEASE_MS);
}

enum db_result lease_give_up(struct db_tx *tx, void *arg)
{
    return extend(tx, arg, 0);
}

enum db_result lease_fence(struct db_tx *tx, void *arg)
{
    const int64_t *fence = arg;
    const struct db_value v[] = {db_int(*fence)};

    return db_must(tx, "SELECT 1 FROM leadership WHERE id = 1 AND fence = $1 FOR SHARE", v, 1);
}
