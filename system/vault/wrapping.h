/* SPDX-License-Identifier: Apache-2.0 */
/* The seam behind which a wrapping key lives: something that wraps and unwraps data keys, and has
 * an id that tells it from others. Two kinds: the master key of the configuration, in this process
 * (wrapping_master), and a key that never leaves its token (hsm.h).
 *
 *   wrapped = nonce(12) | AES-256-GCM of the data key(32) | tag(16), with associated data
 *
 * The id says nothing about the key. All calls are for any thread. */
#ifndef SYSTEM_VAULT_WRAPPING_H
#define SYSTEM_VAULT_WRAPPING_H

#include <stddef.h>
#include <stdint.h>

enum vault_result {
    VAULT_OK,
    /* sealed under another wrapping key */
    VAULT_OTHER_KEY,
    /* altered, cut, or bound to something else */
    VAULT_DAMAGED,
    /* the holder of the wrapping key does not answer; nothing is known of the item */
    VAULT_AWAY
};

enum { WRAPPING_ID = 8, WRAPPING_PLAIN = 32, WRAPPING_WRAPPED = 12 + 32 + 16 };

struct wrapping;

/* What both layers of an item are bound to; lent. */
struct wrapping_ad {
    const uint8_t *b;
    size_t len;
};

struct wrapping_kind {
    enum vault_result (*wrap)(struct wrapping *self, uint8_t out[WRAPPING_WRAPPED],
                              const uint8_t plain[WRAPPING_PLAIN], const struct wrapping_ad *ad);
    /* |out| is zeroes unless VAULT_OK. */
    enum vault_result (*unwrap)(struct wrapping *self, uint8_t out[WRAPPING_PLAIN],
                                const uint8_t wrapped[WRAPPING_WRAPPED],
                                const struct wrapping_ad *ad);
    void (*free)(struct wrapping *self);
};

/* The first member of each kind's own struct. */
struct wrapping {
    const struct wrapping_kind *kind;
    uint8_t id[WRAPPING_ID];
};

/* |master| is copied into guarded memory and wiped at the caller's. */
struct wrapping *wrapping_master(uint8_t master[WRAPPING_PLAIN]);
/* NULL is nothing. */
void wrapping_free(struct wrapping *wrapping);

#endif
