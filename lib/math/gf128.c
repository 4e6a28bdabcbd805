/* SPDX-License-Identifier: Apache-2.0 */
/* GF(2^128): the choice of the implementation, and the portable one (protocol.md A.1, D.6-4).
 *
 * Portable: Horner's rule over the bits of the multipliers, with masks and no tables. A sum of
 * products shares the multiplications by X, so the universal hash costs little more than one. */
#include "math/gf128.h"

#include "base/ct.h"
#include "math/gf128_impl.h"

struct elem {
    uint64_t lo, hi;
};

static uint64_t word_get(const uint8_t b[8])
{
    uint64_t v = 0;

    for (size_t i = 8; i > 0; i--)
        v = v << 8 | b[i - 1];
    return v;
}

static void word_put(uint8_t b[8], uint64_t v)
{
    for (size_t i = 0; i < 8; i++)
        b[i] = (uint8_t)(v >> (8 * i));
}

static void times_x(struct elem *e)
{
    uint64_t top = qrt_mask_bit(e->hi >> 63);

    e->hi = e->hi << 1 | e->lo >> 63;
    e->lo = e->lo << 1 ^ (top & 0x87);
}

static struct elem elem_get(const uint8_t b[16])
{
    return (struct elem){word_get(b), word_get(b + 8)};
}

/* r = sum of a[m] b[m] over m < n <= 4, elements of 16 bytes one after the other. */
static void mul_sum(uint8_t r[16], const uint8_t *a, const uint8_t *b, size_t n)
{
    struct elem acc = {0, 0}, x[4], y[4];

    for (size_t m = 0; m < n; m++) {
        x[m] = elem_get(a + 16 * m);
        y[m] = elem_get(b + 16 * m);
    }
    for (unsigned i = 128; i > 0; i--) {
        times_x(&acc);
        for (size_t m = 0; m < n; m++) {
            uint64_t word = i > 64 ? y[m].hi : y[m].lo;
            uint64_t mask = qrt_mask_bit(word >> (i - 1) % 64 & 1);

            acc.lo ^= x[m].lo & mask;
            acc.hi ^= x[m].hi & mask;
        }
    }
    word_put(r, acc.lo);
    word_put(r + 8, acc.hi);
}

static bool is_fast(const struct qrt_ctx *ctx)
{
    return qrt_gf128_fast && (qrt_gf128_fast->cpu & ~ctx->cpu) == 0;
}

void qrt_gf128_mul(const struct qrt_ctx *ctx, uint8_t r[16], const uint8_t a[16],
                   const uint8_t b[16])
{
    if (is_fast(ctx))
        qrt_gf128_fast->mul(r, a, b);
    else
        mul_sum(r, a, b, 1);
}

void qrt_gf128_hash(const struct qrt_ctx *ctx, uint8_t (*out)[16], const uint8_t (*rows)[80],
                    size_t n, const uint8_t chi[4][16])
{
    if (is_fast(ctx)) {
        qrt_gf128_fast->hash(out, rows, n, chi);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        mul_sum(out[i], rows[i], chi[0], 4);
        qrt_xor(out[i], rows[i] + 64, 16);
    }
}
