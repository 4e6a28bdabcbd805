/* SPDX-License-Identifier: Apache-2.0 */
/* The compressions of SHA-256 on machines for which we have nothing but plain C. */
#include "hash/sha256_impl.h"

#include <string.h>

void qrt_sha256_compress(const struct qrt_ctx *ctx, uint32_t state[8], const uint8_t *blocks,
                         size_t n)
{
    (void)ctx;
    qrt_sha256_portable(state, blocks, n);
}

void qrt_sha256_compress_many(const struct qrt_ctx *ctx, uint32_t (*states)[8],
                              const uint8_t (*blocks)[64], size_t n)
{
    (void)ctx;
    for (size_t v = 0; v < n; v++)
        qrt_sha256_portable(states[v], blocks[v], 1);
}

void qrt_sha256_digest_many(const struct qrt_ctx *ctx, uint8_t (*out)[32], const uint32_t mid[8],
                            const uint8_t (*blocks)[64], size_t n)
{
    uint32_t state[8];

    (void)ctx;
    for (size_t v = 0; v < n; v++) {
        memcpy(state, mid, sizeof state);
        qrt_sha256_portable(state, blocks[v], 1);
        qrt_sha256_words_put(out[v], state);
    }
}
