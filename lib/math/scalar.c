/* SPDX-License-Identifier: Apache-2.0 */
/* Scalars mod q (protocol.md O.4): 4 limbs of 64 bits or 8 of 32, always fully reduced. How, is in
 * limbs.h; only the table of qrt_sc_inv is wiped here. */
#include "math/scalar.h"

#include "base/wipe.h"
#include "math/limbs.h"

#include <string.h>

_Static_assert(QRT_LIMBS *QRT_LIMB_BITS == 256, "limbs fill 256 bits");
_Static_assert(sizeof(struct qrt_sc) == 32, "no padding in a scalar");

const struct qrt_sc qrt_sc_zero = {{0}};
const struct qrt_sc qrt_sc_one = {{1}};

/* (q-1)/2 */
static const qrt_limb order_half[QRT_LIMBS] = {
    QRT_LIMBS_OF(0xdfe92f46681b20a0u), QRT_LIMBS_OF(0x5d576e7357a4501du),
    QRT_LIMBS_OF(0xffffffffffffffffu), QRT_LIMBS_OF(0x7fffffffffffffffu)};
/* r = mask ? a : r. */
QRT_INLINE void select_limbs(qrt_limb *r, const qrt_limb *a, qrt_limb mask)
{
    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        r[i] ^= (r[i] ^ a[i]) & mask;
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
    reduce_once(r->v, r->v, 0);
}

void qrt_sc_encode(uint8_t b[32], const struct qrt_sc *a)
{
    store(b, a->v);
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
        carry = qrt_limb_add(&r->v[i], a->v[i], b->v[i], carry);
    reduce_once(r->v, r->v, carry);
}

void qrt_sc_sub(struct qrt_sc *r, const struct qrt_sc *a, const struct qrt_sc *b)
{
    qrt_limb mask = mask_of(sub_limbs(r->v, a->v, b->v));
    qrt_limb carry = 0;

    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        carry = qrt_limb_add(&r->v[i], r->v[i], order[i] & mask, carry);
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

/* v >>= k, 0 < k < QRT_LIMB_BITS, |n| limbs. */
QRT_INLINE void shift_limbs(qrt_limb *v, size_t n, unsigned k)
{
    for (size_t i = 0; i + 1 < n; i++)
        v[i] = v[i] >> k | v[i + 1] << (QRT_LIMB_BITS - k);
    v[n - 1] >>= k;
}

/* x / 2^k mod q: (x + m q) / 2^k with the m < 2^k that makes it whole, so it is below q again. */
static void divide_by_power(qrt_limb x[QRT_LIMBS], unsigned k)
{
    const qrt_limb minus_inv = (qrt_limb)0x4b0dff665588b13fu; /* -1/q mod 2^64 */
    qrt_limb t[QRT_LIMBS + 1], carry = 0;
    qrt_limb m = x[0] * minus_inv & (((qrt_limb)1 << k) - 1);

    for (size_t i = 0; i < LIMBS; i++) {
        t[i] = x[i];
        carry = mul_limb(&t[i], m, order[i], carry);
    }
    t[LIMBS] = carry;
    shift_limbs(t, LIMBS + 1, k);
    for (size_t i = 0; i < LIMBS; i++)
        x[i] = t[i];
}

/* A number and what it is times |a|, for qrt_sc_inv_vartime. */
struct multiple {
    qrt_limb v[QRT_LIMBS]; /* = x a mod q */
    struct qrt_sc x;
};

static void make_odd(struct multiple *m)
{
    while ((m->v[0] & 1) == 0) {
        uint32_t low = (uint32_t)m->v[0];
        unsigned k = low != 0 ? (unsigned)__builtin_ctz(low) : 31;

        shift_limbs(m->v, LIMBS, k);
        divide_by_power(m->x.v, k);
    }
}

/* The binary algorithm of Euclid: u and v stay odd and without common divisor, the greater is
 * replaced by the odd part of the difference, until both are 1. */
void qrt_sc_inv_vartime(struct qrt_sc *r, const struct qrt_sc *a)
{
    struct multiple m[2] = {{.x = {{1}}}, {.x = {{0}}}};
    struct multiple *u = &m[0], *v = &m[1];

    memcpy(u->v, a->v, sizeof u->v);
    memcpy(v->v, order, sizeof v->v);
    if (qrt_sc_is_zero(a)) {
        *r = qrt_sc_zero;
        return;
    }
    make_odd(u);
    while (memcmp(u->v, v->v, sizeof u->v) != 0) {
        qrt_limb t[QRT_LIMBS];

        if (sub_limbs(t, u->v, v->v)) {
            struct multiple *swap = u;

            u = v;
            v = swap;
            sub_limbs(t, u->v, v->v);
        }
        memcpy(u->v, t, sizeof t);
        qrt_sc_sub(&u->x, &u->x, &v->x);
        make_odd(u);
    }
    *r = u->x;
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
        carry = qrt_limb_add(&acc->v[i], acc->v[i], a->v[i], carry);
    QRT_UNROLL
    for (size_t i = LIMBS; i < 2 * LIMBS + 1; i++)
        carry = qrt_limb_add(&acc->v[i], acc->v[i], 0, carry);
}

void qrt_sc_acc_mul(struct qrt_sc_acc *acc, const struct qrt_sc *a, const struct qrt_sc *b)
{
    acc_mul(acc->v, a->v, b->v);
}

void qrt_sc_acc_get(struct qrt_sc *r, const struct qrt_sc_acc *acc)
{
    reduce_wide(r->v, acc->v, 2 * LIMBS + 1);
}
