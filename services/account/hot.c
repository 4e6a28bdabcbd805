/* SPDX-License-Identifier: Apache-2.0 */
/* A minute is six slots of ten seconds, so it is 50 to 60 seconds long. */
#include "services/account/hot.h"

#include "system/core/be.h"
#include "system/core/buffer.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 6, SLOT_MS = 10000 };

struct entry {
    struct hot_name name;
    /* signatures of the slots up to |slot|, which is a time in SLOT_MS */
    uint64_t slot;
    uint32_t signatures[SLOTS];
    bool is_away;
    uint64_t pause_until_ms;
};

struct hot {
    uint32_t per_minute;
    size_t away_n;
    struct entry entries[HOT_PLACES];
};

void hot_name(struct hot_name *out, const char *account_id, const uint32_t *path, size_t path_n)
{
    crypto_hash_sha256_state state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)account_id, strlen(account_id) + 1);
    for (size_t i = 0; i < path_n; i++) {
        uint8_t b[4];

        be_put(b, sizeof b, path[i]);
        crypto_hash_sha256_update(&state, b, sizeof b);
    }
    crypto_hash_sha256_final(&state, out->b);
}

struct hot *hot_new(uint32_t per_minute)
{
    struct hot *hot = mem_new(1, sizeof *hot);

    hot->per_minute = per_minute;
    return hot;
}

void hot_free(struct hot *hot)
{
    free(hot);
}

static struct entry *place_of(struct hot *hot, const struct hot_name *name)
{
    return &hot->entries[(name->b[0] << 8 | name->b[1]) % HOT_PLACES];
}

static bool is_of(const struct entry *entry, const struct hot_name *name)
{
    return memcmp(entry->name.b, name->b, sizeof name->b) == 0;
}

/* What is older than a minute counts no longer. */
static void pass_time(struct entry *entry, uint64_t now_ms)
{
    uint64_t slot = now_ms / SLOT_MS;

    if (slot >= entry->slot + SLOTS)
        memset(entry->signatures, 0, sizeof entry->signatures);
    else
        for (uint64_t i = entry->slot + 1; i <= slot; i++)
            entry->signatures[i % SLOTS] = 0;
    entry->slot = slot;
}

static uint64_t count(const struct entry *entry)
{
    uint64_t n = 0;

    for (size_t i = 0; i < SLOTS; i++)
        n += entry->signatures[i];
    return n;
}

void hot_signed(struct hot *hot, const struct hot_name *name, uint64_t now_ms)
{
    struct entry *entry = place_of(hot, name);

    pass_time(entry, now_ms);
    if (!is_of(entry, name)) {
        if (entry->is_away || count(entry) > 0)
            return;
        *entry = (struct entry){.name = *name, .slot = entry->slot};
    }
    entry->signatures[entry->slot % SLOTS]++;
}

bool hot_begin(struct hot *hot, const struct hot_name *name, uint64_t now_ms)
{
    struct entry *entry = place_of(hot, name);

    if (!is_of(entry, name) || entry->is_away || now_ms < entry->pause_until_ms ||
        hot->away_n >= HOT_AWAY_MAX)
        return false;
    pass_time(entry, now_ms);
    if (count(entry) <= hot->per_minute)
        return false;
    entry->is_away = true;
    hot->away_n++;
    return true;
}

void hot_end(struct hot *hot, const struct hot_name *name, bool ok, uint64_t now_ms)
{
    struct entry *entry = place_of(hot, name);

    entry->is_away = false;
    hot->away_n--;
    if (!ok)
        entry->pause_until_ms = now_ms + HOT_PAUSE_MS;
}
