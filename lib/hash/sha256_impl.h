/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of SHA-256 share; not for other layers.
 *
 * Every compression here is the function of FIPS 180-4, section 6.2.2, and CT in states and blocks;
 * only counts show. Compressions are too short to wipe their stack each time: the calls that
 * started them do it once, with qrt_wipe_stack. */
#ifndef QRT_HASH_SHA256_IMPL_H
#define QRT_HASH_SHA256_IMPL_H

#include "hash/sha256.h"

extern const uint32_t qrt_sha256_k[64];

/* For each v < n: out[v] = the big-endian words of compress(mid, blocks[v]). */
void qrt_sha256_digest_many(const struct qrt_ctx *ctx, uint8_t (*out)[32], const uint32_t mid[8],
                            const uint8_t (*blocks)[64], size_t n);

void qrt_sha256_words_put(uint8_t out[32], const uint32_t state[8]);

/* sha256_portable.c */
void qrt_sha256_portable(uint32_t state[8], const uint8_t *blocks, size_t n);

#endif
