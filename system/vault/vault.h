/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing of secrets at rest: AES-256-GCM under a fresh data key for each item, the data key
 * wrapped by a wrapping key (wrapping.h). Associated data binds what the item is for, so that a row
 * moved to another account does not open.
 *
 *   sealed = "QV2" 00 | wrapping key's id(8) | wrapped data key(60) | origin(12) | text
 *   text   = nonce(12) | ciphertext | tag(16)
 *
 * The id tells an item of another key from a damaged one. |origin| is what the text was bound to
 * when it was sealed: "QV2" 00 and zeroes; so that wrapping the data key again changes nothing from
 * there on. The first format, which is still opened, has no origin: it is "QV1" 00 and the id of
 * the key, and becomes the origin when such an item is rewrapped.
 *
 * A vault has one or two wrapping keys: what is sealed is sealed under the newest, what is opened
 * may be under either. Thread-safe once made. */
#ifndef SYSTEM_VAULT_VAULT_H
#define SYSTEM_VAULT_VAULT_H

#include "system/vault/wrapping.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vault;

enum {
    VAULT_CHECK_BYTES = WRAPPING_ID,
    VAULT_OVERHEAD = 4 + WRAPPING_ID + WRAPPING_WRAPPED + 12 + 12 + 16,
    /* An item of the first format grows by so much when it is rewrapped. */
    VAULT_GROWTH = 12
};

/* What an item belongs to. Texts and numbers are encoded with their lengths. */
struct vault_binding {
    /* "share", "presignature", "identity", ... */
    const char *kind;
    const char *account_id;
    const char *party_id;
    uint32_t epoch;
};

/* A sealed item; lent. */
struct vault_item {
    const uint8_t *b;
    size_t len;
};

/* With one wrapping key that is |master|; wiped at the caller's. */
struct vault *vault_new(uint8_t master[32]);
/* Takes both over. |next|, the newest, may be NULL: then |current| is. */
struct vault *vault_of_keys(struct wrapping *current, struct wrapping *next);
void vault_free(struct vault *vault);
/* Ids of the wrapping keys: to be stored beside the data and compared at start. The second is false
 * if there is no next one. */
void vault_check(const struct vault *vault, uint8_t out[VAULT_CHECK_BYTES]);
bool vault_next_check(const struct vault *vault, uint8_t out[VAULT_CHECK_BYTES]);

/* |out|: len + VAULT_OVERHEAD bytes. VAULT_AWAY: nothing was sealed. */
enum vault_result vault_seal(const struct vault *vault, uint8_t *out,
                             const struct vault_binding *binding, const uint8_t *b, size_t len);
/* How long the secret in an item is. False: it is none of ours. */
bool vault_plain_len(size_t *len, const uint8_t *sealed, size_t sealed_len);
/* |out|: vault_plain_len bytes of guarded memory, the caller's; zero on failure. */
enum vault_result vault_open(const struct vault *vault, uint8_t *out,
                             const struct vault_binding *binding, const uint8_t *sealed,
                             size_t sealed_len);
/* The same item with its data key under the newest wrapping key; its text is copied as it is. Only
 * a wrapped key that was seen to unwrap again is given back. |out|: sealed_len + VAULT_GROWTH
 * bytes, of which |out_len| are used. */
enum vault_result vault_rewrap(const struct vault *vault, uint8_t *out, size_t *out_len,
                               const struct vault_binding *binding, const struct vault_item *item);

#endif
