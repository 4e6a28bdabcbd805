/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on limbs for scalar.c and scalar_lazy.c; not for others.
 *
 * Reduction uses 2^256 = c mod q with c = 2^256 - q, a number of 129 bits: the part above 2^256 is
 * multiplied by c and added to the part below (a fold), until at most one carry is left. Every
 * loop has a fixed number of rounds, so that it unrolls and nothing of its time depends on values;
 * selections are by masks. Products stay in registers and on the stack, which the owner of the
 * secrets wipes (qrt_wipe_stack). */
#ifndef QRT_MATH_LIMBS_H
#define QRT_MATH_LIMBS_H

#include "base/ct.h"

#define LIMBS ((size_t)QRT_LIMBS)
#define C_LIMBS (LIMBS / 2 + 1)
#define LIMB_BYTES ((size_t)QRT_LIMB_BITS / 8)
/* How much above 2^256 the second and the third fold take, see reduce_wide. */
#define FOLD2_LIMBS ((size_t)192 / QRT_LIMB_BITS)
#define FOLD3_LIMBS ((size_t)64 / QRT_LIMB_BITS)

static const qrt_limb order[QRT_LIMBS] = {
    QRT_LIMBS_OF(0xbfd25e8cd0364141u), QRT_LIMBS_OF(0xbaaedce6af48a03bu),
    QRT_LIMBS_OF(0xfffffffffffffffeu), QRT_LIMBS_OF(0xffffffffffffffffu)};
/* c = 2^256 - q */
static const qrt_limb fold_c[QRT_LIMBS / 2 + 1] = {QRT_LIMBS_OF(0x402da1732fc9bebfu),
                                                   QRT_LIMBS_OF(0x4551231950b75fc4u), 1};

/* *r += a b + carry, which fits two limbs; the upper one. */
QRT_INLINE qrt_limb mul_limb(qrt_limb *r, qrt_limb a, qrt_limb b, qrt_limb carry)
{
    qrt_dlimb t = (qrt_dlimb)a * b + *r + carry;

    *r = (qrt_limb)t;
    return (qrt_limb)(t >> QRT_LIMB_BITS);
}

/* r = a - b, the borrow: a + ~b + 1, without a carry. */
QRT_INLINE qrt_limb sub_limbs(qrt_limb *r, const qrt_limb *a, const qrt_limb *b)
{
    qrt_limb carry = 1;

    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        carry = qrt_limb_add(&r[i], a[i], ~b[i], carry);
    return carry ^ 1;
}

QRT_INLINE qrt_limb mask_of(qrt_limb bit)
{
    return (qrt_limb)qrt_mask_bit(bit);
}

/* r = a + c & mask, the carry. */
QRT_INLINE qrt_limb add_c(qrt_limb *r, const qrt_limb *a, qrt_limb mask)
{
    qrt_limb carry = 0;

    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        carry = qrt_limb_add(&r[i], a[i], i < C_LIMBS ? fold_c[i] & mask : 0, carry);
    return carry;
}

/* r = a + carry 2^256, below 2q, reduced: subtract q if the value is not below it, which is when
 * adding c carries. */
QRT_INLINE void reduce_once(qrt_limb *r, const qrt_limb *a, qrt_limb carry)
{
    qrt_limb t[QRT_LIMBS];
    qrt_limb over = add_c(t, a, (qrt_limb)-1);

    add_c(r, a, mask_of(over | carry));
}

/* r += c h for |h_n| limbs h; r has |r_n| limbs. The carry out of r. */
QRT_INLINE qrt_limb fold(qrt_limb *r, size_t r_n, const qrt_limb *h, size_t h_n)
{
    qrt_limb up = 0; /* what row i - 1 carried into limb i + C_LIMBS */

    QRT_UNROLL
    for (size_t i = 0; i < h_n; i++) {
        qrt_limb carry = 0;

        QRT_UNROLL
        for (size_t j = 0; j < C_LIMBS; j++)
            carry = mul_limb(&r[i + j], h[i], fold_c[j], carry);
        up = qrt_limb_add(&r[i + C_LIMBS], r[i + C_LIMBS], carry, up);
    }
    QRT_UNROLL
    for (size_t i = h_n + C_LIMBS; i < r_n; i++)
        up = qrt_limb_add(&r[i], r[i], 0, up);
    return up;
}

/* r = the |n| limbs v mod q, n = 2 LIMBS or one more, v < 2^543.
 * The first fold gives less than 2^543-256+129 + 2^256 < 2^417: 161 bits above 2^256, taken as 192.
 * The second less than 2^291: 35 bits above, taken as 64. The third less than 2^256 + 2^165 < 2q.
 */
QRT_INLINE void reduce_wide(qrt_limb *r, const qrt_limb *v, size_t n)
{
    qrt_limb a[2 * QRT_LIMBS] = {0};
    qrt_limb b[2 * QRT_LIMBS] = {0};
    qrt_limb carry;

    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        a[i] = v[i];
    fold(a, n - LIMBS + C_LIMBS, v + LIMBS, n - LIMBS);
    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        b[i] = a[i];
    fold(b, FOLD2_LIMBS + C_LIMBS, a + LIMBS, FOLD2_LIMBS);
    carry = fold(b, LIMBS, b + LIMBS, FOLD3_LIMBS);
    reduce_once(r, b, carry);
}

/* p = a b, 2 LIMBS. */
QRT_INLINE void mul_wide(qrt_limb *p, const qrt_limb *a, const qrt_limb *b)
{
    QRT_UNROLL
    for (size_t i = 0; i < 2 * LIMBS; i++)
        p[i] = 0;
    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++) {
        qrt_limb carry = 0;

        QRT_UNROLL
        for (size_t j = 0; j < LIMBS; j++)
            carry = mul_limb(&p[i + j], a[i], b[j], carry);
        p[i + LIMBS] = carry;
    }
}

/* acc += a b; acc has 2 LIMBS + 1. */
QRT_INLINE void acc_mul(qrt_limb *acc, const qrt_limb *a, const qrt_limb *b)
{
    qrt_limb p[2 * QRT_LIMBS];
    qrt_limb carry = 0;

    mul_wide(p, a, b);
    QRT_UNROLL
    for (size_t i = 0; i < 2 * LIMBS; i++)
        carry = qrt_limb_add(&acc[i], acc[i], p[i], carry);
    acc[2 * LIMBS] += carry;
}

QRT_INLINE void load(qrt_limb *r, const uint8_t b[32])
{
    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++) {
        const uint8_t *p = b + (LIMBS - 1 - i) * LIMB_BYTES;
        qrt_limb v = 0;

        QRT_UNROLL
        for (size_t k = 0; k < LIMB_BYTES; k++)
            v = (qrt_limb)(v << 8) | p[k];
        r[i] = v;
    }
}

QRT_INLINE void store(uint8_t b[32], const qrt_limb *a)
{
    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++) {
        uint8_t *p = b + (LIMBS - 1 - i) * LIMB_BYTES;
        qrt_limb v = a[i];

        QRT_UNROLL
        for (size_t k = 0; k < LIMB_BYTES; k++)
            p[k] = (uint8_t)(v >> (QRT_LIMB_BITS - 8 - 8 * k));
    }
}

#endif
