/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of sqrt_lanes.h in one lane of plain C: the bounds it states, at their edges. */
#include "support.h"

#include <string.h>

#define LANES 1
typedef uint64_t vec;

static inline vec vec_load(const uint64_t *p)
{
    return *p;
}

static inline void vec_store(uint64_t *p, vec a)
{
    *p = a;
}

static inline vec vec_set(uint32_t v)
{
    return v;
}

static inline vec vec_add(vec a, vec b)
{
    assert_true(a + b >= a); /* nothing may overflow */
    return a + b;
}

static inline vec vec_and(vec a, vec b)
{
    return a & b;
}

static inline vec vec_mul(vec a, vec b)
{
    assert_true(a <= UINT32_MAX && b <= UINT32_MAX);
    return a * b;
}

static inline vec vec_shl(vec a, unsigned n)
{
    assert_true(a << n >> n == a);
    return a << n;
}

static inline vec vec_shr(vec a, unsigned n)
{
    return a >> n;
}

#include "math/sqrt_lanes.h"

static void fe_get(struct fe *r, const char *hex)
{
    uint8_t b[32];
    uint64_t limb[FE_LIMBS][LANES];

    test_unhex(b, sizeof b, hex);
    limbs_get(limb, 0, b);
    for (size_t k = 0; k < FE_LIMBS; k++)
        r->v[k] = limb[k][0];
}

static bool is(const struct fe *a, const char *hex)
{
    uint64_t limb[FE_LIMBS][LANES];
    uint8_t b[32];

    for (size_t k = 0; k < FE_LIMBS; k++)
        limb[k][0] = a->v[k];
    limbs_put(b, limb, 0);
    return test_is_hex(b, sizeof b, hex);
}

static bool is_weakly_reduced(const struct fe *a)
{
    for (size_t k = 0; k < 9; k++)
        if (a->v[k] >= (1u << 26) + (1u << 21))
            return false;
    return a->v[9] < 1u << 22;
}

static struct fe largest(void)
{
    struct fe r;

    for (size_t k = 0; k < 9; k++)
        r.v[k] = (1u << 26) + (1u << 21) - 1;
    r.v[9] = (1u << 22) - 1;
    return r;
}

static void test_encoding_reduces_the_edges(void **state)
{
    static const char *const rows[][2] = {
        {"0000000000000000000000000000000000000000000000000000000000000000",
         "0000000000000000000000000000000000000000000000000000000000000000"},
        {"0000000000000000000000000000000000000000000000000000000000000001",
         "0000000000000000000000000000000000000000000000000000000000000001"},
        {"fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2e",
         "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2e"},
        {"fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
         "0000000000000000000000000000000000000000000000000000000000000000"},
        {"fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30",
         "0000000000000000000000000000000000000000000000000000000000000001"},
        {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
         "00000000000000000000000000000000000000000000000000000001000003d0"}};

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(rows); i++) {
        struct fe a;

        fe_get(&a, rows[i][0]);
        assert_true(is(&a, rows[i][1]));
    }
}

static void test_encoding_reduces_what_is_above_256_bits(void **state)
{
    struct fe a = largest();

    (void)state;
    assert_true(is(&a, "00000020000008000002000000800000200000080000020000008001002003d0"));
    memset(&a, 0, sizeof a);
    for (size_t k = 1; k < 9; k++)
        a.v[k] = LIMB_MASK;
    a.v[9] = TOP_MASK;
    a.v[0] = LIMB_MASK + 1; /* 2^256 */
    assert_true(is(&a, "00000000000000000000000000000000000000000000000000000001000003d1"));
}

static void test_products_of_the_largest_limbs_stay_in_their_bounds(void **state)
{
    struct fe a = largest(), r;

    (void)state;
    fe_mul(&r, &a, &a);
    assert_true(is_weakly_reduced(&r));
    assert_true(is(&r, "24010808005245c018a260072cd4020c44009354c028e6210b3dcbe2dc8f7d40"));
    fe_sqr(&r, &a);
    assert_true(is_weakly_reduced(&r));
    assert_true(is(&r, "24010808005245c018a260072cd4020c44009354c028e6210b3dcbe2dc8f7d40"));
}

static void test_the_largest_columns_are_reduced(void **state)
{
    vec c[2 * FE_LIMBS - 1];
    struct fe r;

    (void)state;
    for (size_t k = 0; k < QRT_ARRAY_LEN(c); k++)
        c[k] = ((uint64_t)1 << 56) - 1;
    reduce(&r, c);
    assert_true(is_weakly_reduced(&r));
    assert_true(is(&r, "10343c03cfff00f3ffc03cfff00f3ffc03cfff00f3ffd03d006e2f40b451a3ef"));
}

static void test_the_exponent_is_a_quarter_of_p_plus_1(void **state)
{
    struct fe x[GROUPS];

    (void)state;
    fe_get(&x[0], "0000000000000000000000000000000000000000000000000000000000000003"); /* 3 */
    fe_get(&x[1], "8000000000000000000000000000000000000000000000000000000000000000"); /* 2^255 */
    root_all(x);
    assert_true(is(&x[0], "0a2d2ba93507f1df233770c2a797962cc61f6d15da14ecd47d8d27ae1cd5f852"));
    assert_true(is(&x[1], "09932a34961ff75bef1d43563023e6bd49fe809387a3cec01c1f14b117600dd5"));
}

static void test_roots_of_an_incomplete_group_of_lanes(void **state)
{
    static const char *const rows[][2] = {
        {"020000000000000000000000000000000000000000000000000000000000000001",
         "4218f20ae6c646b363db68605822fb14264ca8d2587fdd6fbc750d587e76a7ee"},
        {"020000000000000000000000000000000000000000000000000000000000000002",
         "990418d84d45f61f60a56728f5a10317bdb3a05bda4425e3aee079f8a847a8d1"},
        {"020000000000000000000000000000000000000000000000000000000000000003",
         "d0dccc6a374f85c7cb5f1a6425bc6bb4a20c877ad1a9f143f0dd788060b640e4"}};
    uint8_t candidates[3][33], y[4][32];

    (void)state;
    memset(y, 0xee, sizeof y);
    for (size_t i = 0; i < 3; i++)
        test_unhex(candidates[i], 33, rows[i][0]);
    roots(y, (const uint8_t(*)[33])candidates, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(test_is_hex(y[i], 32, rows[i][1]));
    assert_int_equal(y[3][0], 0xee);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encoding_reduces_the_edges),
        cmocka_unit_test(test_encoding_reduces_what_is_above_256_bits),
        cmocka_unit_test(test_products_of_the_largest_limbs_stay_in_their_bounds),
        cmocka_unit_test(test_the_largest_columns_are_reduced),
        cmocka_unit_test(test_the_exponent_is_a_quarter_of_p_plus_1),
        cmocka_unit_test(test_roots_of_an_incomplete_group_of_lanes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
