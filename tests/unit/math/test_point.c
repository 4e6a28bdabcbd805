/* SPDX-License-Identifier: Apache-2.0 */
/* Points: decoding refuses what it must, all multiplications agree, the identity is a value. */
#include "support.h"

#include "../base/panics.h"
#include "math/point.h"
#include "math/scalar.h"

#include <string.h>

#define P_FIELD "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"
#define G_HEX "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
#define G_TWICE "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"

static struct qrt_sc any(struct test_rng *rng)
{
    uint8_t b[32];
    struct qrt_sc r;

    test_rng_bytes(rng, b, sizeof b);
    qrt_sc_reduce(&r, b);
    return r;
}

static struct qrt_sc small(uint32_t v)
{
    struct qrt_sc r;

    qrt_sc_set_u32(&r, v);
    return r;
}

static struct qrt_pt base(const struct qrt_ctx *ctx, uint32_t v)
{
    struct qrt_sc k = small(v);
    struct qrt_pt r;

    qrt_pt_base(ctx, &r, &k);
    return r;
}

static bool decodes(const struct qrt_ctx *ctx, const char *hex)
{
    uint8_t b[33], back[33];
    struct qrt_pt p = base(ctx, 1);
    bool ok;

    test_unhex(b, sizeof b, hex);
    ok = qrt_pt_decode(ctx, &p, b);
    assert_true(p.inf == !ok);
    if (ok) {
        qrt_pt_encode(ctx, back, &p);
        assert_memory_equal(back, b, sizeof b);
    }
    return ok;
}

static void test_decoding_takes_points_of_the_curve_only(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);

    (void)state;
    assert_true(decodes(ctx, G_HEX));
    assert_true(decodes(ctx, "03"
                             "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"));
    /* x = 1 is on the curve, 5 is not, nor is 0 */
    assert_true(decodes(ctx, "020000000000000000000000000000000000000000000000000000000000000001"));
    assert_false(
        decodes(ctx, "020000000000000000000000000000000000000000000000000000000000000005"));
    assert_false(
        decodes(ctx, "020000000000000000000000000000000000000000000000000000000000000000"));
    assert_false(decodes(ctx, "02" P_FIELD));
    /* p + 1 is 1 in another spelling */
    assert_false(
        decodes(ctx, "02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30"));
}

static void test_decoding_refuses_every_prefix_but_02_and_03(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    uint8_t b[33];
    struct qrt_pt p;

    (void)state;
    test_unhex(b, sizeof b, G_HEX);
    for (unsigned prefix = 0; prefix < 256; prefix++) {
        b[0] = (uint8_t)prefix;
        assert_true(qrt_pt_decode(ctx, &p, b) == (prefix == 2 || prefix == 3));
    }
}

static void test_small_multiples_of_the_base_point(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    struct qrt_pt sum = {.inf = true}, g = base(ctx, 1);
    uint8_t b[33];

    (void)state;
    qrt_pt_encode(ctx, b, &g);
    assert_true(test_is_hex(b, sizeof b, G_HEX));
    assert_true(base(ctx, 0).inf);
    for (uint32_t v = 0; v < 20; v++) {
        struct qrt_pt expected = base(ctx, v);

        assert_true(qrt_pt_equal(ctx, &sum, &expected));
        qrt_pt_add(ctx, &sum, &sum, &g);
    }
    sum = base(ctx, 2);
    qrt_pt_encode(ctx, b, &sum);
    assert_true(test_is_hex(b, sizeof b, G_TWICE));
}

static void check_multiplications(const struct qrt_ctx *ctx, const struct qrt_pt *p,
                                  const struct qrt_sc *p_log, const struct qrt_sc *k)
{
    struct qrt_pt a, b;
    struct qrt_sc product;
    uint8_t expected[33] = {0}, got[33];

    qrt_sc_mul(&product, p_log, k);
    qrt_pt_base(ctx, &a, &product);
    qrt_pt_mul_vartime(ctx, &b, p, k);
    assert_true(qrt_pt_equal(ctx, &a, &b));
    if (!a.inf)
        qrt_pt_encode(ctx, expected, &a);
    assert_true(qrt_pt_mul_encoded(ctx, got, p, k) == !a.inf);
    assert_memory_equal(got, expected, 33);
}

static void test_all_multiplications_agree(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    struct test_rng rng = {1};
    struct qrt_sc minus_one;

    (void)state;
    qrt_sc_neg(&minus_one, &qrt_sc_one);
    for (int i = 0; i < 30; i++) {
        struct qrt_sc log = any(&rng), k = any(&rng);
        struct qrt_pt p;

        qrt_pt_base(ctx, &p, &log);
        check_multiplications(ctx, &p, &log, &k);
        check_multiplications(ctx, &p, &log, &qrt_sc_one);
        check_multiplications(ctx, &p, &log, &minus_one);
        check_multiplications(ctx, &p, &log, &qrt_sc_zero);
    }
}

static void test_a_result_may_be_written_over_the_operand(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    struct qrt_sc three = small(3);
    struct qrt_pt p = base(ctx, 2), expected = base(ctx, 13);

    (void)state;
    qrt_pt_mul_vartime(ctx, &p, &p, &three);
    qrt_pt_add(ctx, &p, &p, &p);
    qrt_pt_neg(ctx, &p, &p);
    qrt_pt_neg(ctx, &p, &p);
    qrt_pt_add_base_vartime(ctx, &p, &p, &qrt_sc_one);
    assert_true(qrt_pt_equal(ctx, &p, &expected));
}

static void test_sums_with_and_to_the_identity(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    const struct qrt_pt o = {.inf = true};
    struct qrt_pt p = base(ctx, 5), minus_p, r;
    struct qrt_sc five = small(5), minus_five;

    (void)state;
    qrt_sc_neg(&minus_five, &five);
    qrt_pt_neg(ctx, &minus_p, &p);
    qrt_pt_add(ctx, &r, &p, &minus_p);
    assert_true(r.inf);
    qrt_pt_add(ctx, &r, &p, &o);
    assert_true(qrt_pt_equal(ctx, &r, &p));
    qrt_pt_add(ctx, &r, &o, &p);
    assert_true(qrt_pt_equal(ctx, &r, &p));
    qrt_pt_add(ctx, &r, &o, &o);
    assert_true(r.inf);
    qrt_pt_neg(ctx, &r, &o);
    assert_true(r.inf);
    qrt_pt_mul_vartime(ctx, &r, &o, &five);
    assert_true(r.inf);
    qrt_pt_add_base_vartime(ctx, &r, &p, &minus_five);
    assert_true(r.inf);
    qrt_pt_add_base_vartime(ctx, &r, &o, &five);
    assert_true(qrt_pt_equal(ctx, &r, &p));
    qrt_pt_add_base_vartime(ctx, &r, &o, &qrt_sc_zero);
    assert_true(r.inf);
    qrt_pt_add_base_vartime(ctx, &r, &p, &qrt_sc_zero);
    assert_true(qrt_pt_equal(ctx, &r, &p));
}

static void test_equality_is_of_values_and_knows_the_identity(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    struct qrt_pt o = {.inf = true}, o2, p = base(ctx, 5), q = base(ctx, 6), minus_p;

    (void)state;
    memset(&o2, 0x55, sizeof o2);
    o2.inf = true;
    qrt_pt_neg(ctx, &minus_p, &p);
    assert_true(qrt_pt_equal(ctx, &o, &o2));
    assert_true(qrt_pt_equal(ctx, &p, &p));
    assert_false(qrt_pt_equal(ctx, &p, &q));
    assert_false(qrt_pt_equal(ctx, &p, &minus_p));
    assert_false(qrt_pt_equal(ctx, &p, &o));
    assert_false(qrt_pt_equal(ctx, &o, &p));
}

/* With a valid point beside the mark, so that it is not libsecp256k1 that stops. */
static struct qrt_pt marked_identity(const struct qrt_ctx *ctx)
{
    struct qrt_pt r = base(ctx, 1);

    r.inf = true;
    return r;
}

static void encode_the_identity(void)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    const struct qrt_pt o = marked_identity(ctx);
    uint8_t b[33];

    qrt_pt_encode(ctx, b, &o);
}

static void multiply_the_identity(void)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    const struct qrt_pt o = marked_identity(ctx);
    uint8_t b[33];

    (void)qrt_pt_mul_encoded(ctx, b, &o, &qrt_sc_one);
}

static void test_what_has_no_encoding_is_a_bug(void **state)
{
    (void)state;
    assert_true(panics(encode_the_identity));
    assert_true(panics(multiply_the_identity));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoding_takes_points_of_the_curve_only),
        cmocka_unit_test(test_decoding_refuses_every_prefix_but_02_and_03),
        cmocka_unit_test(test_small_multiples_of_the_base_point),
        cmocka_unit_test(test_all_multiplications_agree),
        cmocka_unit_test(test_a_result_may_be_written_over_the_operand),
        cmocka_unit_test(test_sums_with_and_to_the_identity),
        cmocka_unit_test(test_equality_is_of_values_and_knows_the_identity),
        cmocka_unit_test(test_what_has_no_encoding_is_a_bug),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
