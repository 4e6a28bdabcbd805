/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, one stream and many equal-length streams at once; the implementation (SHA-NI, 8 lanes
 * AVX2, 16 lanes AVX-512, portable) is chosen by ctx->cpu. CT in all data. */
#ifndef QRT_HASH_SHA256_H
#define QRT_HASH_SHA256_H

#include "base/ctx.h"

struct qrt_sha256 {
    const struct qrt_ctx *ctx;
    uint32_t state[8];
    uint8_t buf[64];
    uint64_t len; /* bytes so far, a midstate's block included */
};

extern const uint32_t qrt_sha256_iv[8];

void qrt_sha256_start(struct qrt_sha256 *h, const struct qrt_ctx *ctx);
/* Continue after |blocks| whole blocks that led to |state|. */
void qrt_sha256_resume(struct qrt_sha256 *h, const struct qrt_ctx *ctx, const uint32_t state[8],
                       uint64_t blocks);
void qrt_sha256_put(struct qrt_sha256 *h, const void *b, size_t len);
/* Wipes |h|. */
void qrt_sha256_end(struct qrt_sha256 *h, uint8_t out[32]);
void qrt_sha256(const struct qrt_ctx *ctx, uint8_t out[32], const void *b, size_t len);

/* state = compress(state, blocks), |n| blocks of 64 bytes. */
void qrt_sha256_compress(const struct qrt_ctx *ctx, uint32_t state[8], const uint8_t *blocks,
                         size_t n);
/* For each v < n: states[v] = compress(states[v], blocks[v]), one block each, as many at once as
 * the CPU can. */
void qrt_sha256_compress_many(const struct qrt_ctx *ctx, uint32_t (*states)[8],
                              const uint8_t (*blocks)[64], size_t n);

#endif
