/* SPDX-License-Identifier: Apache-2.0 */
/* The square root mod p = 2^256 - 2^32 - 977 in LANES lanes; included by one file per vector
 * width, which gives |vec|, LANES and the vec_ functions.
 *
 * An element has ten limbs of 26 bits, the top one of 22, in lanes of 64 bits. "Weakly reduced"
 * means limbs below 2^26 + 2^21 and a top limb below 2^22, which every function takes and gives.
 * The columns of a product keep their carries until it is reduced. */
#ifndef QRT_MATH_SQRT_LANES_H
#define QRT_MATH_SQRT_LANES_H

#include "base/port.h"

#define FE_LIMBS 10
#define LIMB_BITS 26
#define LIMB_MASK 0x3ffffffu
#define TOP_BITS 22
#define TOP_MASK 0x3fffffu
/* 2^256 = 2^32 + 977, in limbs 977 and 2^6; 2^260 = 15632 and 2^10. */
#define FOLD_256 977u
#define FOLD_256_SHIFT 6
#define FOLD_260 15632u
#define FOLD_260_SHIFT 10
/* Independent elements worked on in turn, so that one's latencies are the other's work. */
#define GROUPS 2

struct fe {
    vec v[FE_LIMBS];
};

/* r = the sum of c[k] 2^(26 k), weakly reduced, for c[k] < 2^56.
 * The columns from 10 on, cut to h[k] < 2^26 + 2^30, go down by 2^260 = FOLD_260: t[k] < 2^57. What
 * is above 2^260 in t[9], less than 2^31, goes down the same way. Then one chain of carries leaves
 * limbs of 26 bits and t[9] < 2^26 + 2^31, and what is above 2^256 in it, less than 2^10, goes down
 * by FOLD_256: less than 2^20 more in limb 0, 2^16 in limb 1. */
QRT_INLINE void reduce(struct fe *r, const vec c[2 * FE_LIMBS - 1])
{
    const vec mask = vec_set(LIMB_MASK);
    const vec fold = vec_set(FOLD_260);
    vec h[FE_LIMBS], t[FE_LIMBS], top;

    h[0] = vec_and(c[10], mask);
    QRT_UNROLL
    for (size_t k = 1; k < 9; k++)
        h[k] = vec_add(vec_and(c[10 + k], mask), vec_shr(c[9 + k], LIMB_BITS));
    h[9] = vec_shr(c[18], LIMB_BITS);

    QRT_UNROLL
    for (size_t k = 0; k < FE_LIMBS; k++)
        t[k] = vec_add(c[k], vec_mul(h[k], fold));
    QRT_UNROLL
    for (size_t k = 0; k < 9; k++)
        t[k + 1] = vec_add(t[k + 1], vec_shl(h[k], FOLD_260_SHIFT));
    /* h[9] 2^10 belongs to limb 10 and goes down once more */
    t[0] = vec_add(t[0], vec_mul(h[9], vec_set(FOLD_260 << FOLD_260_SHIFT)));
    t[1] = vec_add(t[1], vec_shl(h[9], 2 * FOLD_260_SHIFT));

    top = vec_shr(t[9], LIMB_BITS);
    t[9] = vec_and(t[9], mask);
    t[0] = vec_add(t[0], vec_mul(top, fold));
    t[1] = vec_add(t[1], vec_shl(top, FOLD_260_SHIFT));
    QRT_UNROLL
    for (size_t k = 0; k < 9; k++) {
        t[k + 1] = vec_add(t[k + 1], vec_shr(t[k], LIMB_BITS));
        r->v[k] = vec_and(t[k], mask);
    }

    top = vec_shr(t[9], TOP_BITS);
    r->v[9] = vec_and(t[9], vec_set(TOP_MASK));
    r->v[0] = vec_add(r->v[0], vec_mul(top, vec_set(FOLD_256)));
    r->v[1] = vec_add(r->v[1], vec_shl(top, FOLD_256_SHIFT));
}

/* r = a b. Column by column: a column has at most ten products of less than 2^52.1, 2^55.5. */
static void fe_mul(struct fe *r, const struct fe *a, const struct fe *b)
{
    vec c[2 * FE_LIMBS - 1];

    QRT_UNROLL
    for (size_t k = 0; k < 2 * FE_LIMBS - 1; k++) {
        size_t first = k < FE_LIMBS ? 0 : k - (FE_LIMBS - 1);
        size_t last = k < FE_LIMBS ? k : FE_LIMBS - 1;

        c[k] = vec_mul(a->v[first], b->v[k - first]);
        QRT_UNROLL
        for (size_t i = first + 1; i <= last; i++)
            c[k] = vec_add(c[k], vec_mul(a->v[i], b->v[k - i]));
    }
    reduce(r, c);
}

/* r = a^2. */
static void fe_sqr(struct fe *r, const struct fe *a)
{
    vec c[2 * FE_LIMBS - 1], twice[FE_LIMBS];

    QRT_UNROLL
    for (size_t i = 0; i < FE_LIMBS; i++)
        twice[i] = vec_add(a->v[i], a->v[i]);
    QRT_UNROLL
    for (size_t k = 0; k < 2 * FE_LIMBS - 1; k++) {
        size_t first = k < FE_LIMBS ? 0 : k - (FE_LIMBS - 1);
        size_t half = (k + 1) / 2; /* pairs i < k - i, then the square in the middle */

        c[k] = k % 2 == 0 ? vec_mul(a->v[k / 2], a->v[k / 2]) : vec_set(0);
        QRT_UNROLL
        for (size_t i = first; i < half; i++)
            c[k] = vec_add(c[k], vec_mul(twice[i], a->v[k - i]));
    }
    reduce(r, c);
}

/* The exponent (p+1)/4 in binary: 223 ones, 0, 22 ones, 0000, 11, 00. Row i makes power[i + 1]
 * from power[from] by |squarings| squarings and a multiplication by power[by]. */
static const struct {
    uint8_t from, squarings, by;
} chain[] = {
    {0, 1, 0},   /* 1: 2 ones */
    {1, 1, 0},   /* 2: 3 ones */
    {2, 2, 1},   /* 3: 5 ones */
    {3, 3, 2},   /* 4: 8 ones */
    {4, 3, 2},   /* 5: 11 ones */
    {5, 11, 5},  /* 6: 22 ones */
    {6, 22, 6},  /* 7: 44 ones */
    {7, 44, 7},  /* 8: 88 ones */
    {8, 88, 8},  /* 9: 176 ones */
    {9, 44, 7},  /* 10: 220 ones */
    {10, 3, 2},  /* 11: 223 ones */
    {11, 23, 6}, /* 12: and 0, 22 ones */
    {12, 6, 1},  /* 13: and 0000, 11 */
};
#define CHAIN_LEN (sizeof chain / sizeof chain[0])
#define LAST_SQUARINGS 2

static void square_all(struct fe x[GROUPS], unsigned times)
{
    for (; times > 0; times--)
        for (size_t g = 0; g < GROUPS; g++)
            fe_sqr(&x[g], &x[g]);
}

/* x = x^((p+1)/4). */
static void root_all(struct fe x[GROUPS])
{
    struct fe power[CHAIN_LEN + 1][GROUPS];

    for (size_t g = 0; g < GROUPS; g++)
        power[0][g] = x[g];
    for (size_t i = 0; i < CHAIN_LEN; i++) {
        for (size_t g = 0; g < GROUPS; g++)
            power[i + 1][g] = power[chain[i].from][g];
        square_all(power[i + 1], chain[i].squarings);
        for (size_t g = 0; g < GROUPS; g++)
            fe_mul(&power[i + 1][g], &power[i + 1][g], &power[chain[i].by][g]);
    }
    for (size_t g = 0; g < GROUPS; g++)
        x[g] = power[CHAIN_LEN][g];
    square_all(x, LAST_SQUARINGS);
}

/* x = x^3 + 7; limb 0 is below 2^26 after a multiplication. */
static void curve_all(struct fe x[GROUPS])
{
    for (size_t g = 0; g < GROUPS; g++) {
        struct fe t;

        fe_sqr(&t, &x[g]);
        fe_mul(&x[g], &t, &x[g]);
        x[g].v[0] = vec_add(x[g].v[0], vec_set(7));
    }
}

/* Lane |lane| of the limbs = the big-endian number |b|. */
static void limbs_get(uint64_t limb[FE_LIMBS][LANES], size_t lane, const uint8_t b[32])
{
    uint64_t acc = 0;
    unsigned bits = 0;
    size_t k = 0;

    for (size_t i = 32; i > 0; i--) {
        acc |= (uint64_t)b[i - 1] << bits;
        bits += 8;
        if (bits >= LIMB_BITS) {
            limb[k++][lane] = acc & LIMB_MASK;
            acc >>= LIMB_BITS;
            bits -= LIMB_BITS;
        }
    }
    limb[k][lane] = acc;
}

/* Carry along the limbs; the top one keeps what arrives. */
static void carry_chain(uint64_t l[FE_LIMBS])
{
    for (size_t k = 0; k + 1 < FE_LIMBS; k++) {
        l[k + 1] += l[k] >> LIMB_BITS;
        l[k] &= LIMB_MASK;
    }
}

/* A weakly reduced element becomes the one below p. After the first fold it is below 2p; then it
 * is not below p exactly if adding 2^256 - p reaches 2^256. */
static void normalize(uint64_t l[FE_LIMBS])
{
    uint64_t s[FE_LIMBS];
    uint64_t top;

    carry_chain(l);
    top = l[9] >> TOP_BITS;
    l[9] &= TOP_MASK;
    l[0] += top * FOLD_256;
    l[1] += top << FOLD_256_SHIFT;
    carry_chain(l);
    for (size_t k = 0; k < FE_LIMBS; k++)
        s[k] = l[k];
    s[0] += FOLD_256;
    s[1] += 1u << FOLD_256_SHIFT;
    carry_chain(s);
    if (s[9] >> TOP_BITS == 0)
        return;
    s[9] &= TOP_MASK;
    for (size_t k = 0; k < FE_LIMBS; k++)
        l[k] = s[k];
}

static void limbs_put(uint8_t b[32], uint64_t limb[FE_LIMBS][LANES], size_t lane)
{
    uint64_t l[FE_LIMBS];
    uint64_t acc = 0;
    unsigned bits = 0;
    size_t k = 0;

    for (size_t i = 0; i < FE_LIMBS; i++)
        l[i] = limb[i][lane];
    normalize(l);
    for (size_t i = 32; i > 0; i--) {
        if (bits < 8) {
            acc |= l[k++] << bits;
            bits += LIMB_BITS;
        }
        b[i - 1] = (uint8_t)acc;
        acc >>= 8;
        bits -= 8;
    }
}

/* As qrt_sqrt_impl.roots for at most GROUPS LANES candidates; idle lanes compute from 0. */
static void roots_once(uint8_t (*y)[32], const uint8_t (*candidates)[33], size_t n)
{
    uint64_t limb[GROUPS][FE_LIMBS][LANES] = {{{0}}};
    struct fe x[GROUPS];

    for (size_t i = 0; i < n; i++)
        limbs_get(limb[i / LANES], i % LANES, candidates[i] + 1);
    for (size_t g = 0; g < GROUPS; g++)
        for (size_t k = 0; k < FE_LIMBS; k++)
            x[g].v[k] = vec_load(limb[g][k]);
    curve_all(x);
    root_all(x);
    for (size_t g = 0; g < GROUPS; g++)
        for (size_t k = 0; k < FE_LIMBS; k++)
            vec_store(limb[g][k], x[g].v[k]);
    for (size_t i = 0; i < n; i++)
        limbs_put(y[i], limb[i / LANES], i % LANES);
}

static void roots(uint8_t (*y)[32], const uint8_t (*candidates)[33], size_t n)
{
    const size_t step = (size_t)GROUPS * LANES;

    for (size_t at = 0; at < n; at += step)
        roots_once(y + at, candidates + at, n - at < step ? n - at : step);
}

#endif
