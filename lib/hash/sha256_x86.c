/* SPDX-License-Identifier: Apache-2.0 */
/* Which compression of SHA-256 runs, by ctx->cpu.
 *
 * Nanoseconds for one compression on a Zen 5, gcc 12: AVX-512 9 (a vector of sixteen: 140), SHA
 * instructions 17 in pairs and 32 alone, AVX2 29 (a vector of eight: 230), plain C 114.
 * A vector costs the same however many of its lanes have work. */
#include "hash/sha256_x86.h"

#include "hash/sha256_impl.h"

#include <stdbool.h>
#include <string.h>

/* The fewest compressions for which a vector is worth it. */
#define X16_MIN_SHANI 9
#define VECTOR_MIN 2

static bool x16_pays(const struct qrt_ctx *ctx, size_t n)
{
    size_t fewest = ctx->cpu & QRT_CPU_SHA_NI ? X16_MIN_SHANI : VECTOR_MIN;

    return ctx->cpu & QRT_CPU_AVX512 && n >= fewest;
}

static bool x8_pays(const struct qrt_ctx *ctx, size_t n)
{
    return !(ctx->cpu & QRT_CPU_SHA_NI) && ctx->cpu & QRT_CPU_AVX2 && n >= VECTOR_MIN;
}

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

void qrt_sha256_compress(const struct qrt_ctx *ctx, uint32_t state[8], const uint8_t *blocks,
                         size_t n)
{
    if (ctx->cpu & QRT_CPU_SHA_NI)
        qrt_sha256_shani(state, blocks, n);
    else
        qrt_sha256_portable(state, blocks, n);
}

/* The first few of |n| > 0, in the best way for that many; answers how many were done. */
static size_t compress_some(const struct qrt_ctx *ctx, uint32_t (*states)[8],
                            const uint8_t (*blocks)[64], size_t n)
{
    size_t done;

    if (x16_pays(ctx, n)) {
        qrt_sha256_x16(states, blocks, done = min(n, 16));
        return done;
    }
    if (x8_pays(ctx, n)) {
        qrt_sha256_x8(states, blocks, done = min(n, 8));
        return done;
    }
    if (ctx->cpu & QRT_CPU_SHA_NI && n >= 2) {
        qrt_sha256_shani_two(states, blocks);
        return 2;
    }
    qrt_sha256_compress(ctx, states[0], blocks[0], 1);
    return 1;
}

void qrt_sha256_compress_many(const struct qrt_ctx *ctx, uint32_t (*states)[8],
                              const uint8_t (*blocks)[64], size_t n)
{
    while (n > 0) {
        size_t done = compress_some(ctx, states, blocks, n);

        states += done;
        blocks += done;
        n -= done;
    }
}

/* As compress_some. */
static size_t digest_some(const struct qrt_ctx *ctx, uint8_t (*out)[32], const uint32_t mid[8],
                          const uint8_t (*blocks)[64], size_t n)
{
    uint32_t states[2][8];
    size_t done;

    if (x16_pays(ctx, n)) {
        qrt_sha256_x16_digest(out, mid, blocks, done = min(n, 16));
        return done;
    }
    if (x8_pays(ctx, n)) {
        qrt_sha256_x8_digest(out, mid, blocks, done = min(n, 8));
        return done;
    }
    done = min(n, 2);
    for (size_t v = 0; v < done; v++)
        memcpy(states[v], mid, sizeof states[v]);
    qrt_sha256_compress_many(ctx, states, blocks, done);
    for (size_t v = 0; v < done; v++)
        qrt_sha256_words_put(out[v], states[v]);
    return done;
}

void qrt_sha256_digest_many(const struct qrt_ctx *ctx, uint8_t (*out)[32], const uint32_t mid[8],
                            const uint8_t (*blocks)[64], size_t n)
{
    while (n > 0) {
        size_t done = digest_some(ctx, out, mid, blocks, n);

        out += done;
        blocks += done;
        n -= done;
    }
}
