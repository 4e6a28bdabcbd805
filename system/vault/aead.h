/* SPDX-License-Identifier: Apache-2.0 */
/* AES-256-GCM as the vault uses it: 12 bytes of nonce, 16 of tag after the text. The cipher is
 * fetched once, before any sandbox. What OpenSSL may refuse is memory, or being built without the
 * cipher: both end the process. Thread-safe after aead_new. */
#ifndef SYSTEM_VAULT_AEAD_H
#define SYSTEM_VAULT_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aead;

enum { AEAD_NONCE = 12, AEAD_KEY = 32, AEAD_TAG = 16 };

/* All lent. */
struct aead_layer {
    const uint8_t *key, *nonce;
    const uint8_t *ad;
    size_t ad_len;
};

struct aead *aead_new(void);
void aead_free(struct aead *aead);
/* |out|: len bytes, then the tag. */
void aead_encrypt(const struct aead *aead, uint8_t *out, const struct aead_layer *layer,
                  const uint8_t *b, size_t len);
/* |b|: len bytes, then the tag. False, and |out| is zeroes, unless the tag is right. */
bool aead_decrypt(const struct aead *aead, uint8_t *out, const struct aead_layer *layer,
                  const uint8_t *b, size_t len);

#endif
