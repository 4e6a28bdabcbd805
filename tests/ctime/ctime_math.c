/* SPDX-License-Identifier: Apache-2.0 */
/* Constant time: comparison and selection, scalars, points, GF(2^128), the transpose. */
#include "ctime.h"

#include "base/wipe.h"
#include "math/bits.h"
#include "math/gf128.h"
#include "math/point.h"
#include "math/poly.h"
#include "math/scalar.h"

#include <string.h>

static void compare(const struct qrt_ctx *ctx)
{
    uint8_t a[33], b[33];

    (void)ctx;
    ctime_secret(a, sizeof a);
    ctime_secret(b, sizeof b);
    (void)qrt_ct_equal(a, b, sizeof a);
    (void)qrt_ct_equal(a, a, sizeof a);
    (void)qrt_ct_is_zero(a, sizeof a);
}

static void select_bytes(const struct qrt_ctx *ctx)
{
    uint8_t a[100], b[100], choice[16];

    (void)ctx;
    ctime_secret(a, sizeof a);
    ctime_secret(b, sizeof b);
    ctime_secret(choice, sizeof choice);
    for (size_t i = 0; i < 128; i++) {
        qrt_ct_swap(a, b, sizeof a, qrt_mask_bit(qrt_bit_get(choice, i)));
        qrt_ct_xor_masked(a, b, sizeof a, qrt_mask_eq(choice[3], i));
    }
    qrt_xor(a, b, sizeof a);
    qrt_wipe(a, sizeof a);
    qrt_wipe_stack();
}

static void scalar_arithmetic(const struct qrt_ctx *ctx)
{
    struct qrt_sc a = ctime_secret_scalar(), b = ctime_secret_scalar(), r;

    (void)ctx;
    qrt_sc_add(&r, &a, &b);
    qrt_sc_sub(&r, &r, &b);
    qrt_sc_neg(&r, &r);
    qrt_sc_mul(&r, &r, &a);
    qrt_sc_inv(&r, &r);
    qrt_sc_neg(&r, &qrt_sc_zero);
}

static void scalar_selection(const struct qrt_ctx *ctx)
{
    struct qrt_sc a = ctime_secret_scalar(), b = ctime_secret_scalar();
    uint8_t bit[1];

    (void)ctx;
    ctime_secret(bit, sizeof bit);
    qrt_sc_select(&a, &b, qrt_mask_bit(bit[0] & 1));
    qrt_sc_mask(&a, &b, qrt_mask_bit(bit[0] >> 1 & 1));
    (void)qrt_sc_is_zero(&a);
    (void)qrt_sc_equal(&a, &b);
    (void)qrt_sc_is_high(&b);
}

static void scalar_encoding(const struct qrt_ctx *ctx)
{
    uint8_t b[32], high[32];
    struct qrt_sc r;

    (void)ctx;
    ctime_secret(b, sizeof b);
    qrt_sc_reduce(&r, b);
    qrt_sc_encode(b, &r);
    (void)qrt_sc_decode(&r, b);
    memset(high, 0xff, sizeof high);
    qrt_secret(high, sizeof high);
    (void)qrt_sc_decode(&r, high);
    qrt_sc_reduce(&r, high);
}

static void scalar_sums(const struct qrt_ctx *ctx)
{
    struct qrt_sc a = ctime_secret_scalar(), b = ctime_secret_scalar(), r;
    struct qrt_sc_acc acc;

    (void)ctx;
    qrt_sc_acc_zero(&acc);
    for (int i = 0; i < 20; i++) {
        qrt_sc_acc_mul(&acc, &a, &b);
        qrt_sc_acc_add(&acc, &a);
    }
    qrt_sc_acc_get(&r, &acc);
}

static void polynomial(const struct qrt_ctx *ctx)
{
    struct qrt_sc coeff[4], x, r;

    (void)ctx;
    for (int i = 0; i < 4; i++)
        coeff[i] = ctime_secret_scalar();
    qrt_sc_set_u32(&x, 3);
    qrt_poly_eval(&r, coeff, 4, &x);
}

static void base_multiplication(const struct qrt_ctx *ctx)
{
    struct qrt_sc k = ctime_secret_scalar();
    struct qrt_pt r;

    qrt_pt_base(ctx, &r, &k);
}

static void point_multiplication(const struct qrt_ctx *ctx)
{
    struct qrt_sc k = ctime_secret_scalar();
    struct qrt_pt p;
    uint8_t b[33];

    qrt_pt_base(ctx, &p, &qrt_sc_one);
    (void)qrt_pt_mul_encoded(ctx, b, &p, &k);
}

static void point_sums(const struct qrt_ctx *ctx)
{
    struct qrt_sc k = ctime_secret_scalar();
    struct qrt_pt p, q, r;

    qrt_pt_base(ctx, &p, &qrt_sc_one);
    qrt_pt_base(ctx, &q, &k);
    qrt_pt_add(ctx, &r, &p, &q);
    qrt_pt_neg(ctx, &r, &r);
}

static void field_products(const struct qrt_ctx *ctx)
{
    uint8_t a[16], b[16], rows[3][80], chi[4][16], out[3][16];

    ctime_secret(a, sizeof a);
    ctime_secret(b, sizeof b);
    qrt_gf128_mul(ctx, a, a, b);
    ctime_secret(rows, sizeof rows);
    ctime_bytes(chi, sizeof chi);
    qrt_gf128_hash(ctx, out, (const uint8_t(*)[80])rows, 3, (const uint8_t(*)[16])chi);
}

static void transpose(const struct qrt_ctx *ctx)
{
    static uint8_t cols[128][80], rows[QRT_XI][16];

    ctime_secret(cols, sizeof cols);
    qrt_bits_transpose(ctx, rows, (const uint8_t(*)[80])cols);
}

static const struct ctime_case cases[] = {
    {"comparison of secret bytes", compare},
    {"selection, exchange, wiping", select_bytes},
    {"add, sub, neg, mul, inv mod q", scalar_arithmetic},
    {"select, mask and compare mod q", scalar_selection},
    {"reduce, encode and decode mod q", scalar_encoding},
    {"sums of products mod q", scalar_sums},
    {"polynomial with secret coefficients", polynomial},
    {"k G", base_multiplication},
    {"k P", point_multiplication},
    {"sums of points", point_sums},
    {"GF(2^128) and the universal hash", field_products},
    {"bit transpose", transpose},
};

int main(int argc, char **argv)
{
    return ctime_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
