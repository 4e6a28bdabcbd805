/* SPDX-License-Identifier: Apache-2.0 */
/* Keccak-256: published digests, and lengths around the block (key_vectors.py). */
#include "support.h"

#include "base/port.h"
#include "quorate/address.h"

#include <string.h>

static void check(const void *b, size_t len, const char *want)
{
    uint8_t out[32];

    qrt_keccak256(out, b, len);
    assert_true(test_is_hex(out, sizeof out, want));
}

static void test_published_digests_are_met(void **state)
{
    (void)state;
    check(NULL, 0, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    check("abc", 3, "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
}

static void test_lengths_around_the_block_are_padded_right(void **state)
{
    static const struct {
        size_t len;
        const char *want;
    } cases[] = {
        {135, "8ab570337c9a3a773c3605160ca58e3f0546d92d217c908669cc4f35a31933bc"},
        {136, "16b30a6be318a7acbcba7a2194789f628abf68dfbbf55a4d840f22f6a4d29efd"},
        {137, "6a7e8293441d51be41bf4994995b35981f90c07866c7fd0465f405e2b7a8f8dd"},
        {271, "bb02bca6be57f42d131406260c6f1a81fd9922af8bd1c96d78f454b19ae10add"},
        {272, "443464c0c3ac8036d14a6f8647fc93b592d514adefbe88683cbbda3b4b2c4553"},
        {1000, "5cab097db1a529f5b1a15428cc494df950671bc3824340aad89941fa68e151bc"},
    };
    uint8_t b[1000];

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(cases); i++) {
        for (size_t j = 0; j < cases[i].len; j++)
            b[j] = (uint8_t)(7 * j + cases[i].len);
        check(b, cases[i].len, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_digests_are_met),
        cmocka_unit_test(test_lengths_around_the_block_are_padded_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
