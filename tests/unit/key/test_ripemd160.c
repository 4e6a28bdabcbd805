/* SPDX-License-Identifier: Apache-2.0 */
/* RIPEMD-160: its authors' digests, and lengths around the block (key_vectors.py). */
#include "support.h"

#include "base/port.h"
#include "key/ripemd160.h"

#include <string.h>

static void check(const void *b, size_t len, const char *want)
{
    uint8_t out[20];

    qrt_ripemd160(out, b, len);
    assert_true(test_is_hex(out, sizeof out, want));
}

static void test_the_authors_digests_are_met(void **state)
{
    static const char *const cases[][2] = {
        {"", "9c1185a5c5e9fc54612808977ee8f548b2258d31"},
        {"a", "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe"},
        {"abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"},
        {"message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36"},
        {"abcdefghijklmnopqrstuvwxyz", "f71c27109c692c1b56bbdceb5b9d2865b3708dbc"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "12a053384a9c0c88e405a06c27dcf49ada62eb2b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "b0e20b6e3116640286ed3a87a5713079b21f5189"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "9b752e45573d4b39f4dbd3323cab82bf63326bfb"},
    };

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(cases); i++)
        check(cases[i][0], strlen(cases[i][0]), cases[i][1]);
}

static void test_lengths_around_the_block_are_padded_right(void **state)
{
    static const struct {
        size_t len;
        const char *want;
    } cases[] = {
        {55, "8ce4447e6a334c0d0fd3e0497000d5517b290c6b"},
        {56, "02bbf2b0a77eb8de66c498f16384e495975a36c0"},
        {63, "487308a77bcebfff3ec6a8961aeec6cb37674388"},
        {64, "fdd721c94769fc21316ecff699e63a77ef64fab4"},
        {65, "4f5953456c001a29a93a01b13edfd89a40613606"},
        {119, "24df45a68bf7057239f2b9b0523d1da9cd13f088"},
        {120, "57cb6d761e1c48de60fea795121dbf972f262e5d"},
        {128, "55246fefe2e0f589c3cfd43279f97691117330ef"},
        {1000, "622470226d6a7769ad615d58cdd5297d479a7323"},
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
        cmocka_unit_test(test_the_authors_digests_are_met),
        cmocka_unit_test(test_lengths_around_the_block_are_padded_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
