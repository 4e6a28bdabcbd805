/* SPDX-License-Identifier: Apache-2.0 */
/* Bech32: the address of BIP173, and the ends of the range (key_vectors.py). */
#include "support.h"

#include "key/bech32.h"

#include <string.h>

static void check(const char *hash_hex, const char *want)
{
    char out[QRT_BECH32_MAX];
    uint8_t hash[20];

    test_unhex(hash, sizeof hash, hash_hex);
    memset(out, 'x', sizeof out);
    qrt_bech32_p2wpkh(out, hash);
    assert_string_equal(out, want);
}

static void test_the_address_of_bip173_is_met(void **state)
{
    (void)state;
    check("751e76e8199196d454941c45d1b3a323f1433bd6", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4");
}

static void test_all_zeros_and_all_ones_are_met(void **state)
{
    (void)state;
    check("0000000000000000000000000000000000000000", "bc1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq9e75rs");
    check("ffffffffffffffffffffffffffffffffffffffff", "bc1qllllllllllllllllllllllllllllllllfglmy6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_address_of_bip173_is_met),
        cmocka_unit_test(test_all_zeros_and_all_ones_are_met),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
