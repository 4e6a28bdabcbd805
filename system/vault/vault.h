/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing of secrets at rest: AES-256-GCM under a fresh data key for each item, the data key
 * wrapped (AES-256-GCM again) by the master key. Associated data binds what the item is for, so
 * that a row moved to another account does not open.
 *
 *   sealed = "QV1" 00 | key check(8) | wrap nonce(12) | wrapped data key(32+16) | nonce(12) |
 *            ciphertext | tag(16)
 *
 * The key check names the master key without telling anything about it, so that a wrong master key
 * is told from a damaged item. Thread-safe after vault_new. */
#ifndef SYSTEM_VAULT_VAULT_H
#define SYSTEM_VAULT_VAULT_H

#include <stddef.h>
#include <stdint.h>

struct vault;

enum vault_result {
    VAULT_OK,
    /* sealed under another master key */
    VAULT_OTHER_KEY,
    /* altered, cut, or bound to something else */
    VAULT_DAMAGED
};

enum { VAULT_OVERHEAD = 4 + 8 + 12 + 48 + 12 + 16, VAULT_CHECK_BYTES = 8 };

/* What an item belongs to. Texts and numbers are encoded with their lengths. */
struct vault_binding {
    /* "share", "presignature", "identity", ... */
    const char *kind;
    const char *account_id;
    const char *party_id;
    uint32_t epoch;
};

/* |master| is copied into guarded memory and wiped at the caller's. */
struct vault *vault_new(uint8_t master[32]);
void vault_free(struct vault *vault);
/* Names the master key: to be stored beside the data and compared at start. */
void vault_check(const struct vault *vault, uint8_t out[VAULT_CHECK_BYTES]);

/* |out|: len + VAULT_OVERHEAD bytes. */
void vault_seal(const struct vault *vault, uint8_t *out, const struct vault_binding *binding,
                const uint8_t *b, size_t len);
/* |out|: sealed_len - VAULT_OVERHEAD bytes of guarded memory, the caller's; zero on failure. */
enum vault_result vault_open(const struct vault *vault, uint8_t *out,
                             const struct vault_binding *binding, const uint8_t *sealed,
                             size_t sealed_len);

#endif
