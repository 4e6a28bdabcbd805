/* SPDX-License-Identifier: Apache-2.0 */
/* Scalars mod q (protocol.md O.4): 4 limbs of 64 bits or 8 of 32, always fully reduced.
 *
 * Reduction uses 2^256 = c mod q with c = 2^256 - q, a number of 129 bits: the part above 2^256 is
 * multiplied by c and added to the part below (a fold), until at most one carry is left. Every
 * loop has a fixed number of rounds, so that it unrolls and nothing of its time depends on values;
 * selections are by masks. Products stay in registers and on the stack, which the owner of the
 * secrets wipes (qrt_wipe_stack); only the table of qrt_sc_inv is wiped here. */
#include "math/scalar.h"

#include "base/ct.h"
#include "base/wipe.h"

#define LIMBS ((size_t)QRT_LIMBS)
#define C_LIMBS (LIMBS / 2 + 1)
#define LIMB_BYTES ((size_t)QRT_LIMB_BITS / 8)
/* How much above 2^256 the second and the third fold take, see reduce_wide. */
#define FOLD2_LIMBS ((size_t)192 / QRT_LIMB_BITS)
#define FOLD3_LIMBS ((size_t)64 / QRT_LIMB_BITS)

_Static_assert(QRT_LIMBS *QRT_LIMB_BITS == 256, "limbs fill 256 bits");
_Static_assert(sizeof(struct qrt_sc) == 32, "no padding in a scalar");

const struct qrt_sc qrt_sc_zero = {{0}};
const struct qrt_sc qrt_sc_one = {{1}};

static const qrt_limb order[QRT_LIMBS] = {
    QRT_LIMBS_OF(0xbfd25e8cd0364141u), QRT_LIMBS_OF(0xbaaedce6af48a03bu),
    QRT_LIMBS_OF(0xfffffffffffffffeu), QRT_LIMBS_OF(0xffffffffffffffffu)};
/* (q-1)/2 */
static const qrt_limb order_half[QRT_LIMBS] = {
    QRT_LIMBS_OF(0xdfe92f46681b20a0u), QRT_LIMBS_OF(0x5d576e7357a4501du),
    QRT_LIMBS_OF(0xffffffffffffffffu), QRT_LIMBS_OF(0x7fffffffffffffffu)};
/* c = 2^256 - q */
static const qrt_limb fold_c[QRT_LIMBS / 2 + 1] = {QRT_LIMBS_OF(0x402da1732fc9bebfu),
                                                   QRT_LIMBS_OF(0x4551231950b75fc4u), 1};

/* One step of a long addition: *r = low limb of a + b + carry; the new carry. */
QRT_INLINE qrt_limb add_limb(qrt_limb *r, qrt_limb a, qrt_limb b, qrt_limb carry)
{
    qrt_dlimb t = (qrt_dlimb)a + b + carry;

    *r = (qrt_limb)t;
    return (qrt_limb)(t >> QRT_LIMB_BITS);
}

/* One step of a long subtraction; the new borrow, 0 or 1. */
QRT_INLINE qrt_limb sub_limb(qrt_limb *r, qrt_limb a, qrt_limb b, qrt_limb borrow)
{
    qrt_dlimb t = (qrt_dlimb)a - b - borrow;

    *r = (qrt_limb)t;
    return (qrt_limb)(t >> QRT_LIMB_BITS) & 1;
}

/* *r += a b + carry, which fits two limbs; the upper one. */
QRT_INLINE qrt_limb mul_limb(qrt_limb *r, qrt_limb a, qrt_limb b, qrt_limb carry)
{
    qrt_dlimb t = (qrt_dlimb)a * b + *r + carry;

    *r = (qrt_limb)t;
    return (qrt_limb)(t >> QRT_LIMB_BITS);
}

/* r = a - b, the borrow. */
QRT_INLINE qrt_limb sub_limbs(qrt_limb *r, const qrt_limb *a, const qrt_limb *b)
{
    qrt_limb borrow = 0;

    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        borrow = sub_limb(&r[i], a[i], b[i], borrow);
    return borrow;
}

QRT_INLINE qrt_limb mask_of(qrt_limb bit)
{
    return (qrt_limb)qrt_mask_bit(bit);
}

/* r = mask ? a : r. */
QRT_INLINE void select_limbs(qrt_limb *r, const qrt_limb *a, qrt_limb mask)
{
    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        r[i] ^= (r[i] ^ a[i]) & mask;
}

/* r + carry 2^256, below 2q, becomes reduced: subtract q if the value is not below it, which is
 * when adding c carries. */
QRT_INLINE void reduce_once(qrt_limb *r, qrt_limb carry)
{
    qrt_limb t[QRT_LIMBS];
    qrt_limb over = 0;

    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        over = add_limb(&t[i], r[i], i < C_LIMBS ? fold_c[i] : 0, over);
    select_limbs(r, t, mask_of(over | carry));
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
        up = add_limb(&r[i + C_LIMBS], r[i + C_LIMBS], carry, up);
    }
    QRT_UNROLL
    for (size_t i = h_n + C_LIMBS; i < r_n; i++)
        up = add_limb(&r[i], r[i], 0, up);
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
    reduce_once(b, carry);
    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        r[i] = b[i];
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

bool qrt_sc_decode(struct qrt_sc *r, const uint8_t b[32])
{
    qrt_limb v[QRT_LIMBS], t[QRT_LIMBS];
    qrt_limb below;

    load(v, b);
    below = sub_limbs(t, v, order);
    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        r->v[i] = v[i] & mask_of(below);
    qrt_public(&below, sizeof below, "whether an encoding is valid");
    return below != 0;
}

void qrt_sc_reduce(struct qrt_sc *r, const uint8_t b[32])
{
    load(r->v, b);
    reduce_once(r->v, 0);
}

void qrt_sc_encode(uint8_t b[32], const struct qrt_sc *a)
{
    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++) {
        uint8_t *p = b + (LIMBS - 1 - i) * LIMB_BYTES;
        qrt_limb v = a->v[i];

        QRT_UNROLL
        for (size_t k = 0; k < LIMB_BYTES; k++)
            p[k] = (uint8_t)(v >> (QRT_LIMB_BITS - 8 - 8 * k));
    }
}

void qrt_sc_set_u32(struct qrt_sc *r, uint32_t v)
{
    *r = qrt_sc_zero;
    r->v[0] = v;
}

void qrt_sc_add(struct qrt_sc *r, const struct qrt_sc *a, const struct qrt_sc *b)
{
    qrt_limb carry = 0;

    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        carry = add_limb(&r->v[i], a->v[i], b->v[i], carry);
    reduce_once(r->v, carry);
}

void qrt_sc_sub(struct qrt_sc *r, const struct qrt_sc *a, const struct qrt_sc *b)
{
    qrt_limb mask = mask_of(sub_limbs(r->v, a->v, b->v));
    qrt_limb carry = 0;

    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        carry = add_limb(&r->v[i], r->v[i], order[i] & mask, carry);
}

void qrt_sc_neg(struct qrt_sc *r, const struct qrt_sc *a)
{
    qrt_sc_sub(r, &qrt_sc_zero, a);
}

void qrt_sc_mul(struct qrt_sc *r, const struct qrt_sc *a, const struct qrt_sc *b)
{
    qrt_limb p[2 * QRT_LIMBS];

    mul_wide(p, a->v, b->v);
    reduce_wide(r->v, p, 2 * LIMBS);
}

/* 1/a = a^(q-2), four bits of the public exponent at a time. */
static void inv_inner(struct qrt_sc power[16], struct qrt_sc *r, const struct qrt_sc *a)
{
    power[0] = qrt_sc_one;
    for (size_t i = 1; i < 16; i++)
        qrt_sc_mul(&power[i], &power[i - 1], a);
    *r = qrt_sc_one;
    for (size_t i = 256; i > 0; i -= 4) {
        size_t at = i - 4;
        qrt_limb word = order[at / QRT_LIMB_BITS] - (at < QRT_LIMB_BITS ? 2 : 0);

        for (size_t k = 0; k < 4; k++)
            qrt_sc_mul(r, r, r);
        qrt_sc_mul(r, r, &power[word >> at % QRT_LIMB_BITS & 15]);
    }
}

void qrt_sc_inv(struct qrt_sc *r, const struct qrt_sc *a)
{
    struct qrt_sc power[16];
    struct qrt_sc result; /* |r| may be |a| */

    inv_inner(power, &result, a);
    *r = result;
    qrt_wipe(power, sizeof power);
    qrt_wipe(&result, sizeof result);
}

void qrt_sc_select(struct qrt_sc *r, const struct qrt_sc *a, uint64_t mask)
{
    select_limbs(r->v, a->v, (qrt_limb)qrt_mask_hide(mask));
}

void qrt_sc_mask(struct qrt_sc *r, const struct qrt_sc *a, uint64_t mask)
{
    qrt_limb m = (qrt_limb)qrt_mask_hide(mask);

    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        r->v[i] = a->v[i] & m;
}

bool qrt_sc_is_zero(const struct qrt_sc *a)
{
    return qrt_ct_is_zero((const uint8_t *)a->v, sizeof a->v);
}

bool qrt_sc_equal(const struct qrt_sc *a, const struct qrt_sc *b)
{
    return qrt_ct_equal((const uint8_t *)a->v, (const uint8_t *)b->v, sizeof a->v);
}

bool qrt_sc_is_high(const struct qrt_sc *a)
{
    qrt_limb t[QRT_LIMBS];
    qrt_limb high = sub_limbs(t, order_half, a->v);

    qrt_public(&high, sizeof high, "the answer of a comparison");
    return high != 0;
}

void qrt_sc_acc_zero(struct qrt_sc_acc *acc)
{
    *acc = (struct qrt_sc_acc){{0}};
}

void qrt_sc_acc_add(struct qrt_sc_acc *acc, const struct qrt_sc *a)
{
    qrt_limb carry = 0;

    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        carry = add_limb(&acc->v[i], acc->v[i], a->v[i], carry);
    QRT_UNROLL
    for (size_t i = LIMBS; i < 2 * LIMBS + 1; i++)
        carry = add_limb(&acc->v[i], acc->v[i], 0, carry);
}

void qrt_sc_acc_mul(struct qrt_sc_acc *acc, const struct qrt_sc *a, const struct qrt_sc *b)
{
    qrt_limb p[2 * QRT_LIMBS];
    qrt_limb carry = 0;

    mul_wide(p, a->v, b->v);
    QRT_UNROLL
    for (size_t i = 0; i < 2 * LIMBS; i++)
        carry = add_limb(&acc->v[i], acc->v[i], p[i], carry);
    acc->v[2 * LIMBS] += carry;
}

void qrt_sc_acc_get(struct qrt_sc *r, const struct qrt_sc_acc *acc)
{
    reduce_wide(r->v, acc->v, 2 * LIMBS + 1);
}
