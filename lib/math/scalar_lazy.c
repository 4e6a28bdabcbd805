/* SPDX-License-Identifier: Apache-2.0 */
/* Sums that are reduced late (protocol.md E). What a product takes need only be below 2^256, so a
 * pad is not reduced before it. */
#include "math/scalar_lazy.h"

#include "math/limbs.h"

void qrt_lazy_load(struct qrt_lazy *r, const uint8_t b[32])
{
    load(r->v, b);
}

/* a + b < 2^256 + q. If it is not below 2^256, subtract q, which is: drop the carry and add c. */
void qrt_lazy_load_sum(struct qrt_lazy *r, const uint8_t a[32], const uint8_t b[32], uint64_t mask)
{
    qrt_limb x[QRT_LIMBS], y[QRT_LIMBS];
    qrt_limb m = (qrt_limb)qrt_mask_hide(mask), carry = 0;

    load(x, a);
    load(y, b);
    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        carry = qrt_limb_add(&x[i], x[i], y[i] & m, carry);
    add_c(r->v, x, mask_of(carry));
}

void qrt_lazy_move(struct qrt_sc *r, const struct qrt_sc *c)
{
    struct qrt_sc c_less_1 = {{0}};

    QRT_UNROLL
    for (size_t i = 0; i < C_LIMBS; i++)
        c_less_1.v[i] = fold_c[i];
    c_less_1.v[0] -= 1;
    qrt_sc_sub(r, c, &c_less_1);
}

/* -b = ~b + 1 - 2^256, so all is one sum of three numbers: below 3 2^256, and after the fold below
 * 2^256 + 2 c. */
void qrt_lazy_difference_put(uint8_t out[32], const struct qrt_lazy *a, const uint8_t b[32],
                             const struct qrt_sc *c_moved)
{
    qrt_limb x[QRT_LIMBS], y[QRT_LIMBS];
    qrt_limb carry = 0, above = 0;

    load(y, b);
    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        above = qrt_limb_add(&x[i], a->v[i], ~y[i], above);
    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        carry = qrt_limb_add(&x[i], x[i], c_moved->v[i], carry);
    above += carry;
    carry = fold(x, LIMBS, &above, 1);
    reduce_once(x, x, carry);
    store(out, x);
}

void qrt_lazy_acc_mul(struct qrt_sc_acc *acc, const struct qrt_sc *a, const struct qrt_lazy *b)
{
    acc_mul(acc->v, a->v, b->v);
}

/* The sum is below 2^514, far from the bound of reduce_wide. */
void qrt_lazy_check_put(uint8_t out[32], const struct qrt_sc theta[2], const struct qrt_lazy b[3],
                        const struct qrt_sc *c)
{
    qrt_limb acc[2 * QRT_LIMBS + 1] = {0};
    qrt_limb r[QRT_LIMBS];
    qrt_limb carry = 0;

    QRT_UNROLL
    for (size_t i = 0; i < LIMBS; i++)
        carry = qrt_limb_add(&acc[i], b[2].v[i], c->v[i], carry);
    acc[LIMBS] = carry;
    acc_mul(acc, theta[0].v, b[0].v);
    acc_mul(acc, theta[1].v, b[1].v);
    reduce_wide(r, acc, 2 * LIMBS + 1);
    store(out, r);
}
