/* SPDX-License-Identifier: Apache-2.0 */
/* TH, FH and LH8 (protocol.md B.1).
 *
 * TH is injective because every field carries its length; |open| keeps a field made of parts from
 * ending early or late. T(L) || T(L) and T(L) || c are whole blocks, so all of them continue from a
 * midstate. */
#include "hash/transcript.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/wipe.h"
#include "hash/sha256_impl.h"
#include "math/scalar.h"

#include <string.h>

void qrt_th_start(struct qrt_th *th, const struct qrt_ctx *ctx, enum qrt_label label)
{
    qrt_assert((unsigned)label < QRT_LABEL_COUNT);
    qrt_sha256_resume(&th->h, ctx, ctx->label_mid[label], 1);
    th->open = 0;
}

void qrt_th_open(struct qrt_th *th, size_t len)
{
    uint8_t b[4];

    qrt_assert(th->open == 0 && len <= UINT32_MAX);
    qrt_be32_put(b, (uint32_t)len);
    qrt_sha256_put(&th->h, b, sizeof b);
    th->open = len;
}

void qrt_th_part(struct qrt_th *th, const void *b, size_t len)
{
    qrt_assert(len <= th->open);
    qrt_sha256_put(&th->h, b, len);
    th->open -= len;
}

void qrt_th_part_be16(struct qrt_th *th, uint16_t v)
{
    uint8_t b[2];

    qrt_be16_put(b, v);
    qrt_th_part(th, b, sizeof b);
}

void qrt_th_field(struct qrt_th *th, const void *b, size_t len)
{
    qrt_th_open(th, len);
    qrt_th_part(th, b, len);
}

void qrt_th_u8(struct qrt_th *th, uint8_t v)
{
    qrt_th_field(th, &v, 1);
}

void qrt_th_be16(struct qrt_th *th, uint16_t v)
{
    qrt_th_open(th, 2);
    qrt_th_part_be16(th, v);
}

void qrt_th_be32(struct qrt_th *th, uint32_t v)
{
    uint8_t b[4];

    qrt_be32_put(b, v);
    qrt_th_field(th, b, sizeof b);
}

void qrt_th_end(struct qrt_th *th, uint8_t out[32])
{
    qrt_assert(th->open == 0);
    qrt_sha256_end(&th->h, out);
    qrt_wipe(th, sizeof *th);
}

void qrt_th_end_scalar(struct qrt_th *th, struct qrt_sc *out)
{
    uint8_t digest[32];

    qrt_th_end(th, digest);
    qrt_sc_reduce(out, digest);
    qrt_wipe(digest, sizeof digest);
}

void qrt_fh_mid(const struct qrt_ctx *ctx, uint32_t mid[8], enum qrt_label label,
                const uint8_t c[32])
{
    uint8_t block[64];

    qrt_assert((unsigned)label < QRT_LABEL_COUNT);
    memcpy(block, ctx->label[label], 32);
    memcpy(block + 32, c, 32);
    memcpy(mid, qrt_sha256_iv, sizeof qrt_sha256_iv);
    qrt_sha256_compress(ctx, mid, block, 1);
    qrt_wipe(block, sizeof block);
}

void qrt_fh(const struct qrt_ctx *ctx, uint8_t out[32], enum qrt_label label, const uint8_t c[32],
            const uint8_t *data, size_t len)
{
    uint32_t mid[8];
    struct qrt_sha256 h;

    qrt_fh_mid(ctx, mid, label, c);
    qrt_sha256_resume(&h, ctx, mid, 1);
    qrt_sha256_put(&h, data, len);
    qrt_sha256_end(&h, out);
    qrt_wipe(mid, sizeof mid);
}

/* block[len..64) = padding[len..64), len <= 56: eight bytes at a time, some of the last eight
 * twice, because a copy of a length unknown to the compiler is slow. */
static void pad(uint8_t block[64], const uint8_t padding[64], size_t len)
{
    for (size_t at = len; at < 56; at += 8)
        memcpy(block + at, padding + at, 8);
    memcpy(block + 56, padding + 56, 8);
}

void qrt_fh_pad(uint8_t (*data)[64], size_t len, size_t n)
{
    uint8_t padding[64] = {0};

    qrt_assert(len <= 55);
    padding[len] = 0x80;
    qrt_be16_put(padding + 62, (uint16_t)(8 * (64 + len)));
    for (size_t v = 0; v < n; v++)
        pad(data[v], padding, len);
}

void qrt_fh_padded(const struct qrt_ctx *ctx, uint8_t (*out)[32], const uint32_t mid[8],
                   const uint8_t (*data)[64], size_t n)
{
    qrt_assert(n <= QRT_FH_MANY_MAX);
    qrt_sha256_digest_many(ctx, out, mid, data, n);
}

void qrt_fh_many(const struct qrt_ctx *ctx, uint8_t (*out)[32], const uint32_t mid[8],
                 uint8_t (*data)[64], size_t len, size_t n)
{
    qrt_fh_pad(data, len, n);
    qrt_fh_padded(ctx, out, mid, (const uint8_t(*)[64])data, n);
}

/* LH8. Lane v is the stream rows[v], rows[v+8], ..., u8(v): byte p of its rows is byte p % row_len
 * of row v + 8 * (p / row_len). */
struct lh8 {
    uint32_t states[8][8];
    uint8_t blocks[8][64];
    uint8_t digests[8][32];
};

struct rows {
    const uint8_t *b;
    size_t len; /* of one row */
    size_t n;
};

/* Pieces of rows are short: sixteen bytes at a time are quicker than a call. */
static void copy_short(uint8_t *dst, const uint8_t *src, size_t len)
{
    for (; len >= 16; len -= 16, dst += 16, src += 16)
        memcpy(dst, src, 16);
    if (len > 0)
        memcpy(dst, src, len);
}

/* Bytes [p, p + 64) of all lanes at once; every lane must have them. */
static void lanes_gather(uint8_t (*blocks)[64], const struct rows *rows, size_t p)
{
    size_t have = 0;

    while (have < 64) {
        size_t at = (p + have) % rows->len, n = rows->len - at;
        const uint8_t *src = rows->b + (p + have) / rows->len * 8 * rows->len + at;

        if (n > 64 - have)
            n = 64 - have;
        for (size_t v = 0; v < 8; v++)
            copy_short(blocks[v] + have, src + v * rows->len, n);
        have += n;
    }
}

/* The rest of lane |v|, from byte |p|, a block boundary. */
static void lane_end(struct lh8 *t, const struct qrt_ctx *ctx, const struct rows *rows, size_t v,
                     size_t p)
{
    size_t end = (rows->n + 7 - v) / 8 * rows->len;
    uint8_t lane = (uint8_t)v;
    struct qrt_sha256 h;

    qrt_sha256_resume(&h, ctx, t->states[v], 1 + p / 64);
    while (p < end) {
        size_t at = p % rows->len, n = rows->len - at;

        qrt_sha256_put(&h, rows->b + (p / rows->len * 8 + v) * rows->len + at, n);
        p += n;
    }
    qrt_sha256_put(&h, &lane, 1);
    qrt_sha256_end(&h, t->digests[v]);
}

static void lh8_lanes(struct lh8 *t, const struct qrt_ctx *ctx, const struct rows *rows)
{
    size_t common = rows->n / 8 * rows->len / 64 * 64; /* whole blocks that all lanes have */

    for (size_t p = 0; p < common; p += 64) {
        lanes_gather(t->blocks, rows, p);
        qrt_sha256_compress_many(ctx, t->states, (const uint8_t(*)[64])t->blocks, 8);
    }
    for (size_t v = 0; v < 8; v++)
        lane_end(t, ctx, rows, v, common);
}

void qrt_lh8(const struct qrt_ctx *ctx, uint8_t out[32], enum qrt_label label, enum qrt_label top,
             const uint8_t c[32], const uint8_t *rows, size_t row_len, size_t rows_n)
{
    const struct rows all = {rows, row_len, rows_n};
    struct lh8 t;
    struct qrt_th th;

    qrt_fh_mid(ctx, t.states[0], label, c);
    for (size_t v = 1; v < 8; v++)
        memcpy(t.states[v], t.states[0], sizeof t.states[0]);
    lh8_lanes(&t, ctx, &all);
    qrt_th_start(&th, ctx, top);
    qrt_th_field(&th, c, 32);
    qrt_th_field(&th, t.digests, sizeof t.digests);
    qrt_th_end(&th, out);
    qrt_wipe(&t, sizeof t);
}
