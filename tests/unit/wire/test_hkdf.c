/* SPDX-License-Identifier: Apache-2.0 */
/* HKDF-SHA256: RFC 5869, appendix A.1 to A.3. */
#include "support.h"

#include "wire/hkdf.h"

#include <string.h>

static void check(const uint8_t *ikm, size_t ikm_len, const uint8_t *salt, size_t salt_len,
                  const uint8_t *info, size_t info_len, const char *want_prk, const char *want)
{
    uint8_t prk[32], out[82];
    size_t len = strlen(want) / 2;

    qrt_hkdf_extract(prk, salt, salt_len, ikm, ikm_len);
    assert_true(test_is_hex(prk, sizeof prk, want_prk));
    qrt_hkdf_expand(out, len, prk, info, info_len);
    assert_true(test_is_hex(out, len, want));
}

static void fill(uint8_t *out, size_t len, unsigned first)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(first + i);
}

static void test_rfc5869_case_1(void **state)
{
    uint8_t ikm[22], salt[13], info[10];

    (void)state;
    memset(ikm, 0x0b, sizeof ikm);
    fill(salt, sizeof salt, 0);
    fill(info, sizeof info, 0xf0);
    check(ikm, sizeof ikm, salt, sizeof salt, info, sizeof info,
          "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
          "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
}

static void test_rfc5869_case_2_longer_than_one_block(void **state)
{
    uint8_t ikm[80], salt[80], info[80];

    (void)state;
    fill(ikm, sizeof ikm, 0);
    fill(salt, sizeof salt, 0x60);
    fill(info, sizeof info, 0xb0);
    check(ikm, sizeof ikm, salt, sizeof salt, info, sizeof info,
          "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
          "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41"
          "c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
}

static void test_rfc5869_case_3_without_salt_and_info(void **state)
{
    uint8_t ikm[22], none[1] = {0};

    (void)state;
    memset(ikm, 0x0b, sizeof ikm);
    check(ikm, sizeof ikm, none, 0, none, 0,
          "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
          "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

static void test_the_longest_output_is_255_blocks(void **state)
{
    static uint8_t out[255 * 32 + 1], prefix[32];
    const uint8_t prk[32] = {1};

    (void)state;
    out[sizeof out - 1] = 0x5a;
    qrt_hkdf_expand(out, sizeof out - 1, prk, prk, 0);
    qrt_hkdf_expand(prefix, sizeof prefix, prk, prk, 0);
    assert_memory_equal(out, prefix, sizeof prefix);
    assert_memory_not_equal(out + 254 * 32, out + 253 * 32, 32);
    assert_int_equal(out[sizeof out - 1], 0x5a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc5869_case_1),
        cmocka_unit_test(test_rfc5869_case_2_longer_than_one_block),
        cmocka_unit_test(test_rfc5869_case_3_without_salt_and_info),
        cmocka_unit_test(test_the_longest_output_is_255_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
