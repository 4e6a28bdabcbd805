/* SPDX-License-Identifier: Apache-2.0 */
/* Polynomials and Lagrange weights against each other, on arbitrary x-coordinates. */
#include "support.h"

#include "math/poly.h"

static struct qrt_sc any(struct test_rng *rng)
{
    uint8_t b[32];
    struct qrt_sc r;

    test_rng_bytes(rng, b, sizeof b);
    qrt_sc_reduce(&r, b);
    return r;
}

/* Coordinates as they come: small indices, or 256-bit ones of an imported key. */
static void any_coordinates(struct test_rng *rng, struct qrt_sc *xs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (rng->state % 2 == 0)
            xs[i] = any(rng);
        else
            qrt_sc_set_u32(&xs[i], (uint32_t)(65534 - 7 * i));
    }
}

static void test_a_polynomial_of_known_values(void **state)
{
    struct qrt_sc c[3], x, r;

    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        qrt_sc_set_u32(&c[i], i + 5); /* 5 + 6 x + 7 x^2 */
    for (uint32_t v = 0; v < 100; v++) {
        struct qrt_sc expected;

        qrt_sc_set_u32(&x, v);
        qrt_sc_set_u32(&expected, 5 + 6 * v + 7 * v * v);
        qrt_poly_eval(&r, c, 3, &x);
        assert_true(qrt_sc_equal(&r, &expected));
    }
    qrt_poly_eval(&r, c, 0, &x);
    assert_true(qrt_sc_is_zero(&r));
}

static void test_every_subset_of_t_shares_gives_the_secret(void **state)
{
    struct test_rng rng = {7};

    (void)state;
    for (size_t t = 1; t <= 6; t++) {
        struct qrt_sc c[6], xs[6], sum = qrt_sc_zero;

        for (size_t m = 0; m < t; m++)
            c[m] = any(&rng);
        any_coordinates(&rng, xs, t);
        assert_true(qrt_coordinates_valid(xs, t));
        for (size_t i = 0; i < t; i++) {
            struct qrt_sc weight, share;

            qrt_lagrange_at_zero(&weight, xs, t, i);
            qrt_poly_eval(&share, c, t, &xs[i]);
            qrt_sc_mul(&share, &share, &weight);
            qrt_sc_add(&sum, &sum, &share);
        }
        assert_true(qrt_sc_equal(&sum, &c[0]));
    }
}

static void test_fewer_shares_than_coefficients_give_something_else(void **state)
{
    struct test_rng rng = {8};
    struct qrt_sc c[3], xs[2], sum = qrt_sc_zero;

    (void)state;
    for (size_t m = 0; m < 3; m++)
        c[m] = any(&rng);
    any_coordinates(&rng, xs, 2);
    for (size_t i = 0; i < 2; i++) {
        struct qrt_sc weight, share;

        qrt_lagrange_at_zero(&weight, xs, 2, i);
        qrt_poly_eval(&share, c, 3, &xs[i]);
        qrt_sc_mul(&share, &share, &weight);
        qrt_sc_add(&sum, &sum, &share);
    }
    assert_false(qrt_sc_equal(&sum, &c[0]));
}

static void test_weights_of_known_value_on_unusual_coordinates(void **state)
{
    static const char *const rows[4][2] = {
        {"0000000000000000000000000000000000000000000000000000000000000001",
         "e269c7b755b535222561e53ad6b8f6b6536e51a1c587830dd94a1f4362c8a6f2"},
        {"0000000000000000000000000000000000000000000000000000000000000005",
         "154c9a7743209ce10a612e1d76bbfb91777652559433762f2c43d23fcacd3bcb"},
        {"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
         "4933bbefe74b341625cbf42f8b9ad3b5124cdcd671991b63a6696b0e7954fe66"},
        {"00000000000000001234567890abcdef00000000000000000000000000000000",
         "bf15e1e17fdef9e6aa70f87826f03a00982c38ff933d2bd6d3ad6087f981a160"}};
    struct qrt_sc xs[4], weight;
    uint8_t b[32];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        test_unhex(b, sizeof b, rows[i][0]);
        assert_true(qrt_sc_decode(&xs[i], b));
    }
    for (size_t i = 0; i < 4; i++) {
        qrt_lagrange_at_zero(&weight, xs, 4, i);
        qrt_sc_encode(b, &weight);
        assert_true(test_is_hex(b, sizeof b, rows[i][1]));
    }
}

static void test_evaluation_in_the_exponent_agrees(void **state)
{
    const struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    struct test_rng rng = {9};

    (void)state;
    for (size_t n = 0; n <= 5; n++) {
        struct qrt_sc c[5], xs[5], y;
        struct qrt_pt com[5], a, b;

        for (size_t m = 0; m < n; m++) {
            c[m] = m == 2 ? qrt_sc_zero : any(&rng); /* an identity among the commitments */
            qrt_pt_base(ctx, &com[m], &c[m]);
        }
        any_coordinates(&rng, xs, 5);
        xs[4] = qrt_sc_zero;
        for (size_t i = 0; i < 5; i++) {
            qrt_poly_eval_points_vartime(ctx, &a, com, n, &xs[i]);
            qrt_poly_eval(&y, c, n, &xs[i]);
            qrt_pt_base(ctx, &b, &y);
            assert_true(qrt_pt_equal(ctx, &a, &b));
        }
    }
}

static void test_coordinates_are_nonzero_and_distinct(void **state)
{
    struct qrt_sc xs[5];

    (void)state;
    for (uint32_t i = 0; i < 5; i++)
        qrt_sc_set_u32(&xs[i], i + 1);
    assert_true(qrt_coordinates_valid(xs, 5));
    assert_true(qrt_coordinates_valid(xs, 0));
    for (size_t i = 0; i < 5; i++) {
        struct qrt_sc kept = xs[i];

        xs[i] = qrt_sc_zero;
        assert_false(qrt_coordinates_valid(xs, 5));
        for (size_t d = 1; d < 5; d++) {
            xs[i] = xs[(i + d) % 5];
            assert_false(qrt_coordinates_valid(xs, 5));
        }
        xs[i] = kept;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_polynomial_of_known_values),
        cmocka_unit_test(test_every_subset_of_t_shares_gives_the_secret),
        cmocka_unit_test(test_fewer_shares_than_coefficients_give_something_else),
        cmocka_unit_test(test_weights_of_known_value_on_unusual_coordinates),
        cmocka_unit_test(test_evaluation_in_the_exponent_agrees),
        cmocka_unit_test(test_coordinates_are_nonzero_and_distinct),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
