/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 of one stream (FIPS 180-4), over whichever compression sha256_x86.c or sha256_generic.c
 * chooses. Invariant: buf[0 .. len mod 64) holds the bytes that do not fill a block yet. */
#include "hash/sha256.h"

#include "base/bytes.h"
#include "base/wipe.h"
#include "hash/sha256_impl.h"

#include <string.h>

void qrt_sha256_start(struct qrt_sha256 *h, const struct qrt_ctx *ctx)
{
    qrt_sha256_resume(h, ctx, qrt_sha256_iv, 0);
}

void qrt_sha256_resume(struct qrt_sha256 *h, const struct qrt_ctx *ctx, const uint32_t state[8],
                       uint64_t blocks)
{
    h->ctx = ctx;
    memcpy(h->state, state, sizeof h->state);
    h->len = 64 * blocks;
}

void qrt_sha256_put(struct qrt_sha256 *h, const void *b, size_t len)
{
    const uint8_t *p = b;
    size_t have = h->len % 64, fill = 64 - have;

    h->len += len;
    if (len < fill) {
        if (len > 0)
            memcpy(h->buf + have, p, len);
        return;
    }
    if (have > 0) {
        memcpy(h->buf + have, p, fill);
        qrt_sha256_compress(h->ctx, h->state, h->buf, 1);
        p += fill;
        len -= fill;
    }
    qrt_sha256_compress(h->ctx, h->state, p, len / 64);
    memcpy(h->buf, p + len / 64 * 64, len % 64);
}

void qrt_sha256_words_put(uint8_t out[32], const uint32_t state[8])
{
    for (size_t i = 0; i < 8; i++)
        qrt_be32_put(out + 4 * i, state[i]);
}

/* FIPS 180-4, section 5.1.1: a one bit, zeros, the length in bits. */
void qrt_sha256_end(struct qrt_sha256 *h, uint8_t out[32])
{
    size_t have = h->len % 64;

    h->buf[have++] = 0x80;
    if (have > 56) {
        memset(h->buf + have, 0, 64 - have);
        qrt_sha256_compress(h->ctx, h->state, h->buf, 1);
        have = 0;
    }
    memset(h->buf + have, 0, 56 - have);
    qrt_be64_put(h->buf + 56, 8 * h->len);
    qrt_sha256_compress(h->ctx, h->state, h->buf, 1);
    qrt_sha256_words_put(out, h->state);
    qrt_wipe(h, sizeof *h);
}

void qrt_sha256(const struct qrt_ctx *ctx, uint8_t out[32], const void *b, size_t len)
{
    struct qrt_sha256 h;

    qrt_sha256_start(&h, ctx);
    qrt_sha256_put(&h, b, len);
    qrt_sha256_end(&h, out);
}
