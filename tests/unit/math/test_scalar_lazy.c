/* SPDX-License-Identifier: Apache-2.0 */
/* Sums reduced late against the same sums of reduced scalars: every combination of numbers at the
 * edges of 0, c, q and 2^256, and patterned ones. Built twice, with 64-bit and 32-bit limbs. */
#include "support.h"

#include "math/scalar_lazy.h"

#include <string.h>

/* 0, 1, c-1, c, c+1, 2^128, q-c, q-2 .. q+1, 2^256-2, 2^256-1. */
static const char *const edge_hex[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000001",
    "000000000000000000000000000000014551231950b75fc4402da1732fc9bebe",
    "000000000000000000000000000000014551231950b75fc4402da1732fc9bebf",
    "000000000000000000000000000000014551231950b75fc4402da1732fc9bec0",
    "0000000000000000000000000000000100000000000000000000000000000000",
    "fffffffffffffffffffffffffffffffd755db9cd5e9140777fa4bd19a06c8282",
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd036413f",
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142",
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};
#define EDGES QRT_ARRAY_LEN(edge_hex)
#define VALUES (EDGES + 12)

struct values {
    uint8_t b[VALUES][32];
    struct qrt_sc reduced[VALUES];
    struct qrt_lazy lazy[VALUES];
};

static void values_make(struct values *t)
{
    struct test_rng rng = {20};

    for (size_t i = 0; i < VALUES; i++) {
        if (i < EDGES)
            test_unhex(t->b[i], 32, edge_hex[i]);
        else
            test_rng_bytes(&rng, t->b[i], 32);
        if (i >= EDGES + 6) /* long runs of ones, the sources of carries */
            memset(t->b[i] + i % 8, 0xff, 20);
        qrt_sc_reduce(&t->reduced[i], t->b[i]);
        qrt_lazy_load(&t->lazy[i], t->b[i]);
    }
}

static void assert_encoding(const uint8_t got[32], const struct qrt_sc *want)
{
    uint8_t b[32];

    qrt_sc_encode(b, want);
    assert_memory_equal(got, b, 32);
}

/* What a lazy number stands for: 1 times it, reduced. */
static void lazy_reduce(struct qrt_sc *r, const struct qrt_lazy *a)
{
    struct qrt_sc_acc acc;

    qrt_sc_acc_zero(&acc);
    qrt_lazy_acc_mul(&acc, &qrt_sc_one, a);
    qrt_sc_acc_get(r, &acc);
}

static void test_a_sum_adds_where_the_mask_is_ones(void **state)
{
    static struct values t;
    struct qrt_lazy sum;
    struct qrt_sc got, want;

    (void)state;
    values_make(&t);
    for (size_t i = 0; i < VALUES * VALUES; i++) {
        size_t a = i / VALUES, b = i % VALUES;

        qrt_lazy_load_sum(&sum, t.b[a], t.b[b], 0);
        lazy_reduce(&got, &sum);
        assert_true(qrt_sc_equal(&got, &t.reduced[a]));
        if (!qrt_sc_decode(&want, t.b[b]))
            continue;
        qrt_lazy_load_sum(&sum, t.b[a], t.b[b], UINT64_MAX);
        lazy_reduce(&got, &sum);
        qrt_sc_add(&want, &want, &t.reduced[a]);
        assert_true(qrt_sc_equal(&got, &want));
    }
}

static void test_a_difference_is_reduced(void **state)
{
    static struct values t;
    uint8_t out[32];
    struct qrt_sc want, moved;

    (void)state;
    values_make(&t);
    for (size_t i = 0; i < VALUES * VALUES * VALUES; i++) {
        size_t a = i % VALUES, b = i / VALUES % VALUES, c = i / VALUES / VALUES;

        qrt_lazy_move(&moved, &t.reduced[c]);
        qrt_lazy_difference_put(out, &t.lazy[a], t.b[b], &moved);
        qrt_sc_sub(&want, &t.reduced[a], &t.reduced[b]);
        qrt_sc_add(&want, &want, &t.reduced[c]);
        assert_encoding(out, &want);
    }
}

static void test_products_add_up(void **state)
{
    static struct values t;
    struct qrt_sc_acc acc;
    struct qrt_sc got, product, want = qrt_sc_zero;

    (void)state;
    values_make(&t);
    qrt_sc_acc_zero(&acc);
    for (size_t i = 0; i < VALUES * VALUES; i++) {
        size_t a = i / VALUES, b = i % VALUES;

        qrt_lazy_acc_mul(&acc, &t.reduced[a], &t.lazy[b]);
        qrt_sc_mul(&product, &t.reduced[a], &t.reduced[b]);
        qrt_sc_add(&want, &want, &product);
        qrt_sc_acc_get(&got, &acc);
        assert_true(qrt_sc_equal(&got, &want));
    }
}

static void test_a_check_sum_is_reduced_and_may_overwrite_its_row(void **state)
{
    static struct values t;
    struct qrt_sc theta[2], product, want;
    struct qrt_lazy row[3];

    (void)state;
    values_make(&t);
    for (size_t i = 0; i < VALUES * VALUES * VALUES; i++) {
        size_t a = i % VALUES, b = i / VALUES % VALUES, c = i / VALUES / VALUES;

        theta[0] = t.reduced[a];
        theta[1] = t.reduced[VALUES - 1 - c];
        row[0] = t.lazy[b];
        row[1] = t.lazy[c];
        row[2] = t.lazy[(a + b) % VALUES];
        qrt_sc_mul(&want, &theta[0], &t.reduced[b]);
        qrt_sc_mul(&product, &theta[1], &t.reduced[c]);
        qrt_sc_add(&want, &want, &product);
        qrt_sc_add(&want, &want, &t.reduced[(a + b) % VALUES]);
        qrt_sc_add(&want, &want, &t.reduced[a]);
        qrt_lazy_check_put((uint8_t *)row, theta, row, &t.reduced[a]);
        assert_encoding((const uint8_t *)row, &want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sum_adds_where_the_mask_is_ones),
        cmocka_unit_test(test_a_difference_is_reduced),
        cmocka_unit_test(test_products_add_up),
        cmocka_unit_test(test_a_check_sum_is_reduced_and_may_overwrite_its_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
