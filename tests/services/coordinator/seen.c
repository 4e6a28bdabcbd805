/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing; a key of zeroes is an empty place. Half of the places stay empty. */
#include "seen.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t slot_of(const struct seen *set, const uint64_t key[2])
{
    for (size_t i = (size_t)key[0] & (set->cap - 1);; i = (i + 1) & (set->cap - 1))
        if (!(set->keys[i][0] | set->keys[i][1]) || memcmp(set->keys[i], key, 16) == 0)
            return i;
}

static void grow(struct seen *seen)
{
    struct seen bigger = {.n = seen->n, .cap = seen->cap ? seen->cap * 2 : 1 << 12};

    bigger.keys = calloc(bigger.cap, sizeof *bigger.keys);
    assert_non_null(bigger.keys);
    for (size_t i = 0; i < seen->cap; i++)
        if (seen->keys[i][0] | seen->keys[i][1])
            memcpy(bigger.keys[slot_of(&bigger, seen->keys[i])], seen->keys[i], 16);
    free(seen->keys);
    *seen = bigger;
}

bool seen_add(struct seen *seen, const uint8_t *state, size_t len)
{
    static const uint8_t hash_key[crypto_shorthash_siphashx24_KEYBYTES];
    uint64_t key[2], *slot;

    crypto_shorthash_siphashx24((uint8_t *)key, state, len, hash_key);
    if (seen->n * 2 >= seen->cap)
        grow(seen);
    slot = seen->keys[slot_of(seen, key)];
    if (slot[0] | slot[1])
        return false;
    memcpy(slot, key, sizeof key);
    seen->n++;
    return true;
}

void seen_free(struct seen *seen)
{
    free(seen->keys);
    *seen = (struct seen){0};
}
