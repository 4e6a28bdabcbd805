/* SPDX-License-Identifier: Apache-2.0 */
/* DRBG(seed) of protocol.md B.8: key = SHA-256(seed), block i = SHA-256(key || BE64(i)).
 *
 * A block is one compression of key || BE64(i) || padding, so long draws are hashed in batches. The
 * counter only grows; no block is ever given twice. */
#include "hash/drbg.h"

#include "base/bytes.h"
#include "base/wipe.h"
#include "hash/sha256_impl.h"
#include "math/scalar.h"

#include <string.h>

#define BATCH 16

struct batch {
    uint8_t in[BATCH][64];
    uint8_t last[1][32];
};

void qrt_drbg_start(struct qrt_drbg *d, const struct qrt_ctx *ctx, uint8_t seed[32])
{
    qrt_sha256(ctx, d->key, seed, 32);
    d->counter = 0;
    qrt_wipe(seed, 32);
}

/* The next |n| <= BATCH blocks. */
static void blocks_next(struct qrt_drbg *d, const struct qrt_ctx *ctx, struct batch *t,
                        uint8_t (*out)[32], size_t n)
{
    static const uint8_t padding[24] = {0x80, [22] = 320 >> 8, [23] = 320 & 255};

    for (size_t v = 0; v < n; v++) {
        memcpy(t->in[v], d->key, 32);
        qrt_be64_put(t->in[v] + 32, d->counter++);
        memcpy(t->in[v] + 40, padding, 24);
    }
    qrt_sha256_digest_many(ctx, out, qrt_sha256_iv, (const uint8_t(*)[64])t->in, n);
}

void qrt_drbg_bytes(struct qrt_drbg *d, const struct qrt_ctx *ctx, uint8_t *out, size_t len)
{
    struct batch t;

    while (len >= 32) {
        size_t n = len / 32 < BATCH ? len / 32 : BATCH;

        blocks_next(d, ctx, &t, (uint8_t(*)[32])out, n);
        out += 32 * n;
        len -= 32 * n;
    }
    if (len > 0) {
        blocks_next(d, ctx, &t, t.last, 1);
        memcpy(out, t.last[0], len);
    }
    qrt_wipe(&t, sizeof t);
}

void qrt_drbg_scalar(struct qrt_drbg *d, const struct qrt_ctx *ctx, struct qrt_sc *out)
{
    uint8_t b[32];

    do
        qrt_drbg_bytes(d, ctx, b, sizeof b);
    while (!qrt_sc_decode(out, b) || qrt_sc_is_zero(out));
    qrt_wipe(b, sizeof b);
}
