/* SPDX-License-Identifier: Apache-2.0 */
/* Scalars mod q: small numbers around 0 and q exhaustively, the edges of 256 bits, random and
 * patterned values against libsecp256k1. Built twice, with 64-bit and with 32-bit limbs. */
#include "support.h"

#include "math/scalar.h"

#include <string.h>

#define Q "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
#define Q_MINUS_1 "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140"
#define Q_PLUS_1 "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142"
#define ALL_ONES "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define ALL_ONES_MOD_Q "000000000000000000000000000000014551231950b75fc4402da1732fc9bebe"
#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define ONE "0000000000000000000000000000000000000000000000000000000000000001"
#define HALF "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0"
#define HALF_PLUS_1 "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1"

static struct qrt_sc sc(const char *hex)
{
    uint8_t b[32];
    struct qrt_sc r;

    test_unhex(b, sizeof b, hex);
    assert_true(qrt_sc_decode(&r, b));
    return r;
}

static bool is(const struct qrt_sc *a, const char *hex)
{
    uint8_t b[32];

    qrt_sc_encode(b, a);
    return test_is_hex(b, sizeof b, hex);
}

/* v mod q for a small number of either sign. */
static struct qrt_sc small(int v)
{
    struct qrt_sc r;

    qrt_sc_set_u32(&r, (uint32_t)(v < 0 ? -v : v));
    if (v < 0)
        qrt_sc_neg(&r, &r);
    return r;
}

/* Runs of zeros and ones: they make the carries that uniform numbers do not. */
static void patterned_bytes(struct test_rng *rng, uint8_t b[32])
{
    size_t bit = 0;

    memset(b, 0, 32);
    while (bit < 256) {
        size_t run = 1 + (size_t)test_rng_below(rng, 70);
        unsigned one = (unsigned)test_rng_below(rng, 2);

        for (; run > 0 && bit < 256; run--, bit++)
            b[bit / 8] |= (uint8_t)(one << bit % 8);
    }
}

static struct qrt_sc any(struct test_rng *rng)
{
    uint8_t b[32];
    struct qrt_sc r;

    if (test_rng_below(rng, 2))
        test_rng_bytes(rng, b, sizeof b);
    else
        patterned_bytes(rng, b);
    qrt_sc_reduce(&r, b);
    return r;
}

static void test_decoding_accepts_exactly_what_is_below_q(void **state)
{
    static const struct {
        const char *hex;
        bool valid;
    } rows[] = {{ZERO, true}, {ONE, true},       {Q_MINUS_1, true},
                {Q, false},   {Q_PLUS_1, false}, {ALL_ONES, false}};

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(rows); i++) {
        uint8_t b[32];
        struct qrt_sc r = qrt_sc_one;

        test_unhex(b, sizeof b, rows[i].hex);
        assert_true(qrt_sc_decode(&r, b) == rows[i].valid);
        assert_true(is(&r, rows[i].valid ? rows[i].hex : ZERO));
    }
}

static void test_a_number_above_q_in_one_byte_only_is_refused(void **state)
{
    uint8_t q[32];

    (void)state;
    test_unhex(q, sizeof q, Q_MINUS_1);
    for (size_t i = 0; i < 32; i++) {
        uint8_t b[32];
        struct qrt_sc r;

        memcpy(b, q, sizeof b);
        if (b[i] == 0xff)
            continue;
        b[i]++;
        assert_false(qrt_sc_decode(&r, b));
    }
}

static void test_reduction_of_the_edges(void **state)
{
    static const char *const rows[][2] = {{ZERO, ZERO}, {Q_MINUS_1, Q_MINUS_1},
                                          {Q, ZERO},    {Q_PLUS_1, ONE},
                                          {HALF, HALF}, {ALL_ONES, ALL_ONES_MOD_Q}};

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(rows); i++) {
        uint8_t b[32];
        struct qrt_sc r;

        test_unhex(b, sizeof b, rows[i][0]);
        qrt_sc_reduce(&r, b);
        assert_true(is(&r, rows[i][1]));
    }
}

static void test_encoding_is_the_inverse_of_decoding(void **state)
{
    struct test_rng rng = {1};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct qrt_sc a = any(&rng), b;
        uint8_t bytes[32];

        qrt_sc_encode(bytes, &a);
        assert_true(qrt_sc_decode(&b, bytes));
        assert_true(qrt_sc_equal(&a, &b));
    }
}

static void test_all_small_numbers_around_zero_and_q(void **state)
{
    (void)state;
    for (int i = -40; i <= 40; i++)
        for (int j = -40; j <= 40; j++) {
            struct qrt_sc a = small(i), b = small(j), r, expected;

            qrt_sc_add(&r, &a, &b);
            expected = small(i + j);
            assert_true(qrt_sc_equal(&r, &expected));
            qrt_sc_sub(&r, &a, &b);
            expected = small(i - j);
            assert_true(qrt_sc_equal(&r, &expected));
            qrt_sc_mul(&r, &a, &b);
            expected = small(i * j);
            assert_true(qrt_sc_equal(&r, &expected));
            assert_true(qrt_sc_equal(&a, &b) == (i == j));
        }
}

static void test_small_numbers_and_their_negatives_have_the_right_bytes(void **state)
{
    struct qrt_sc r = small(-1);

    (void)state;
    assert_true(is(&r, Q_MINUS_1));
    qrt_sc_set_u32(&r, 0xfedcba98);
    assert_true(is(&r, "00000000000000000000000000000000000000000000000000000000fedcba98"));
    assert_true(is(&qrt_sc_zero, ZERO));
    assert_true(is(&qrt_sc_one, ONE));
}

static void assert_same(const struct qrt_sc *a, const uint8_t b[32])
{
    uint8_t mine[32];

    qrt_sc_encode(mine, a);
    assert_memory_equal(mine, b, 32);
}

static void test_addition_and_multiplication_agree_with_libsecp256k1(void **state)
{
    const secp256k1_context *secp = secp256k1_context_static;
    struct test_rng rng = {2};

    (void)state;
    for (int i = 0; i < 5000; i++) {
        struct qrt_sc a = any(&rng), b = any(&rng), r;
        uint8_t x[32], y[32], key[32];

        if (qrt_sc_is_zero(&a) || qrt_sc_is_zero(&b))
            continue;
        qrt_sc_encode(x, &a);
        qrt_sc_encode(y, &b);
        memcpy(key, x, sizeof key);
        assert_true(secp256k1_ec_seckey_tweak_mul(secp, key, y));
        qrt_sc_mul(&r, &a, &b);
        assert_same(&r, key);
        memcpy(key, x, sizeof key);
        assert_true(secp256k1_ec_seckey_negate(secp, key));
        qrt_sc_neg(&r, &a);
        assert_same(&r, key);
        memcpy(key, x, sizeof key);
        qrt_sc_add(&r, &a, &b);
        if (secp256k1_ec_seckey_tweak_add(secp, key, y))
            assert_same(&r, key);
        else
            assert_true(qrt_sc_is_zero(&r));
    }
}

static void test_the_laws_of_a_field_hold(void **state)
{
    struct test_rng rng = {3};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct qrt_sc a = any(&rng), b = any(&rng), c = any(&rng), l, r, t;

        qrt_sc_add(&l, &a, &b);
        qrt_sc_mul(&l, &l, &c); /* (a + b) c, in place */
        qrt_sc_mul(&r, &a, &c);
        qrt_sc_mul(&t, &c, &b);
        qrt_sc_add(&r, &r, &t);
        assert_true(qrt_sc_equal(&l, &r));
        qrt_sc_sub(&t, &a, &b);
        qrt_sc_add(&t, &t, &b);
        assert_true(qrt_sc_equal(&t, &a));
        qrt_sc_sub(&t, &a, &a);
        assert_true(qrt_sc_is_zero(&t));
    }
}

static void test_results_may_be_written_over_operands(void **state)
{
    struct qrt_sc a = sc(HALF), r, expected;

    (void)state;
    qrt_sc_mul(&expected, &a, &a);
    r = a;
    qrt_sc_mul(&r, &r, &r);
    assert_true(qrt_sc_equal(&r, &expected));
    r = a;
    qrt_sc_add(&r, &r, &r);
    assert_true(is(&r, Q_MINUS_1));
    qrt_sc_sub(&r, &r, &r);
    assert_true(is(&r, ZERO));
}

static void check_inverses(void (*inv)(struct qrt_sc *, const struct qrt_sc *))
{
    struct test_rng rng = {4};
    struct qrt_sc r = sc("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");

    inv(&r, &r);
    assert_true(is(&r, "2b359de5cfb5937a5610d565dceaef2a760ceeaec96e68140757f0c8371534e0"));
    r = small(2);
    inv(&r, &r);
    assert_true(is(&r, HALF_PLUS_1));
    r = qrt_sc_one;
    inv(&r, &qrt_sc_zero);
    assert_true(qrt_sc_is_zero(&r));
    for (int i = 0; i < 200; i++) {
        struct qrt_sc a = i < 40 ? small(i - 20) : any(&rng);

        if (qrt_sc_is_zero(&a))
            continue;
        inv(&r, &a);
        qrt_sc_mul(&r, &r, &a);
        assert_true(qrt_sc_equal(&r, &qrt_sc_one));
    }
}

static void test_the_inverse_of_everything_but_zero(void **state)
{
    (void)state;
    check_inverses(qrt_sc_inv);
}

static void test_the_inverse_in_variable_time(void **state)
{
    struct qrt_sc power = qrt_sc_one, r;

    (void)state;
    check_inverses(qrt_sc_inv_vartime);
    for (int i = 0; i < 256; i++) { /* up to three limbs of zeros to shift out */
        qrt_sc_inv_vartime(&r, &power);
        qrt_sc_mul(&r, &r, &power);
        assert_true(qrt_sc_equal(&r, &qrt_sc_one));
        qrt_sc_add(&power, &power, &power);
    }
}

static void test_the_upper_half_begins_after_half_of_q_minus_1(void **state)
{
    static const struct {
        const char *hex;
        bool high;
    } rows[] = {{ZERO, false}, {ONE, false}, {HALF, false}, {HALF_PLUS_1, true}, {Q_MINUS_1, true}};

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(rows); i++) {
        struct qrt_sc a = sc(rows[i].hex);

        assert_true(qrt_sc_is_high(&a) == rows[i].high);
    }
}

static void test_of_a_and_minus_a_exactly_one_is_high(void **state)
{
    struct test_rng rng = {5};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct qrt_sc a = any(&rng), b;

        qrt_sc_neg(&b, &a);
        if (!qrt_sc_is_zero(&a))
            assert_true(qrt_sc_is_high(&a) != qrt_sc_is_high(&b));
    }
}

static void test_selection_by_mask(void **state)
{
    struct qrt_sc a = sc(HALF), r = sc(Q_MINUS_1);

    (void)state;
    qrt_sc_select(&r, &a, 0);
    assert_true(is(&r, Q_MINUS_1));
    qrt_sc_select(&r, &a, UINT64_MAX);
    assert_true(is(&r, HALF));
    qrt_sc_mask(&r, &a, 0);
    assert_true(is(&r, ZERO));
    qrt_sc_mask(&r, &a, UINT64_MAX);
    assert_true(is(&r, HALF));
}

static void test_equality_sees_every_limb(void **state)
{
    struct qrt_sc a = sc(HALF);

    (void)state;
    for (size_t i = 0; i < QRT_LIMBS; i++) {
        struct qrt_sc b = a, c = qrt_sc_zero;

        b.v[i] ^= 1;
        assert_false(qrt_sc_equal(&a, &b));
        c.v[i] = 1;
        assert_false(qrt_sc_is_zero(&c));
    }
    assert_true(qrt_sc_is_zero(&qrt_sc_zero));
}

static void test_a_lazy_sum_of_thousands_equals_the_eager_one(void **state)
{
    struct test_rng rng = {6};
    struct qrt_sc_acc acc;
    struct qrt_sc sum = qrt_sc_zero, r;

    (void)state;
    qrt_sc_acc_zero(&acc);
    qrt_sc_acc_get(&r, &acc);
    assert_true(qrt_sc_is_zero(&r));
    for (int i = 0; i < 5000; i++) {
        struct qrt_sc a = any(&rng), b = any(&rng), p;

        qrt_sc_acc_mul(&acc, &a, &b);
        qrt_sc_mul(&p, &a, &b);
        qrt_sc_add(&sum, &sum, &p);
        qrt_sc_acc_add(&acc, &b);
        qrt_sc_add(&sum, &sum, &b);
        if (i % 100 != 0)
            continue;
        qrt_sc_acc_get(&r, &acc);
        assert_true(qrt_sc_equal(&r, &sum));
    }
}

static void test_the_largest_products_add_up(void **state)
{
    struct qrt_sc most = sc(Q_MINUS_1), r;
    struct qrt_sc_acc acc;

    (void)state;
    qrt_sc_acc_zero(&acc);
    for (int i = 0; i < 5000; i++)
        qrt_sc_acc_mul(&acc, &most, &most);
    qrt_sc_acc_get(&r, &acc);
    assert_true(is(&r, "0000000000000000000000000000000000000000000000000000000000001388"));
}

static void test_an_accumulator_is_reduced_right_up_to_its_bound(void **state)
{
    struct qrt_sc_acc acc;
    struct qrt_sc r;

    (void)state;
    memset(&acc, 0xff, sizeof acc);
    acc.v[2 * QRT_LIMBS] = 0x7fffffff; /* 2^543 - 1 */
    qrt_sc_acc_get(&r, &acc);
    assert_true(is(&r, "c0e34de2f34bfaf22de683e39e0d30c7fd9a5ee32989c2ff1278890242e3ed15"));
}

/* Chosen backwards from the third fold, which carries out of 256 bits for one number in 2^127. */
static void test_the_last_carry_of_a_reduction_is_not_lost(void **state)
{
    uint8_t b[64];
    struct qrt_sc_acc acc;
    struct qrt_sc r;

    (void)state;
    test_unhex(b, sizeof b,
               "9e87383ed50ad6e290b6e3cd8d59267604abb7987120e74b951d884b3ed398bf"
               "00000000000000000000000000000000803e4aa9906f95d3ce4bae2cc83a24b7");
    qrt_sc_acc_zero(&acc);
    for (size_t i = 0; i < sizeof b; i++) {
        qrt_limb byte = b[sizeof b - 1 - i];

        acc.v[i * 8 / QRT_LIMB_BITS] |= (qrt_limb)(byte << i * 8 % QRT_LIMB_BITS);
    }
    qrt_sc_acc_get(&r, &acc);
    assert_true(is(&r, "000000000000000000000000000000028aa24632a16ebf88805b42e65f937d7d"));
}

static void test_an_addend_carries_through_the_whole_accumulator(void **state)
{
    struct qrt_sc_acc acc;

    (void)state;
    memset(&acc, 0xff, sizeof acc);
    acc.v[2 * QRT_LIMBS] = 0;
    qrt_sc_acc_add(&acc, &qrt_sc_one);
    for (size_t i = 0; i < 2 * QRT_LIMBS; i++)
        assert_true(acc.v[i] == 0);
    assert_true(acc.v[2 * QRT_LIMBS] == 1);
    memset(&acc, 0xff, sizeof acc);
    acc.v[2 * QRT_LIMBS] = 0;
    qrt_sc_acc_mul(&acc, &qrt_sc_one, &qrt_sc_one);
    assert_true(acc.v[0] == 0 && acc.v[2 * QRT_LIMBS] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoding_accepts_exactly_what_is_below_q),
        cmocka_unit_test(test_a_number_above_q_in_one_byte_only_is_refused),
        cmocka_unit_test(test_reduction_of_the_edges),
        cmocka_unit_test(test_encoding_is_the_inverse_of_decoding),
        cmocka_unit_test(test_all_small_numbers_around_zero_and_q),
        cmocka_unit_test(test_small_numbers_and_their_negatives_have_the_right_bytes),
        cmocka_unit_test(test_addition_and_multiplication_agree_with_libsecp256k1),
        cmocka_unit_test(test_the_laws_of_a_field_hold),
        cmocka_unit_test(test_results_may_be_written_over_operands),
        cmocka_unit_test(test_the_inverse_of_everything_but_zero),
        cmocka_unit_test(test_the_inverse_in_variable_time),
        cmocka_unit_test(test_the_upper_half_begins_after_half_of_q_minus_1),
        cmocka_unit_test(test_of_a_and_minus_a_exactly_one_is_high),
        cmocka_unit_test(test_selection_by_mask),
        cmocka_unit_test(test_equality_sees_every_limb),
        cmocka_unit_test(test_a_lazy_sum_of_thousands_equals_the_eager_one),
        cmocka_unit_test(test_the_largest_products_add_up),
        cmocka_unit_test(test_an_accumulator_is_reduced_right_up_to_its_bound),
        cmocka_unit_test(test_the_last_carry_of_a_reduction_is_not_lost),
        cmocka_unit_test(test_an_addend_carries_through_the_whole_accumulator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
