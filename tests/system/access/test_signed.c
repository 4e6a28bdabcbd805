/* SPDX-License-Identifier: Apache-2.0 */
/* A prefix and bytes: what was signed, under its prefix, by its key. */
#include "system/access/signed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static uint8_t own[32], own_secret[64], other[32], other_secret[64];

static int set_up(void **state)
{
    (void)state;
    if (sodium_init() < 0)
        return 1;
    crypto_sign_keypair(own, own_secret);
    crypto_sign_keypair(other, other_secret);
    return 0;
}

static bool is_good(const uint8_t *signature, size_t len, const char *prefix, const char *text,
                    const uint8_t *key)
{
    return signed_check_bytes((ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)signature}, prefix,
                              (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text}, key);
}

static void test_a_signature_is_of_its_prefix_bytes_and_key(void **state)
{
    uint8_t signature[64];
    struct buffer message;

    (void)state;
    signed_begin(&message, "a/1");
    buffer_text(&message, "bytes");
    signed_make(signature, &message, own_secret);
    assert_true(is_good(signature, 64, "a/1", "bytes", own));
    assert_false(is_good(signature, 64, "a/2", "bytes", own));
    assert_false(is_good(signature, 64, "a/1", "byte", own));
    assert_false(is_good(signature, 64, "a/1", "bytes", other));
    assert_false(is_good(signature, 63, "a/1", "bytes", own));
    assert_false(is_good(NULL, 0, "a/1", "bytes", own));
    signed_begin(&message, "a/1");
    assert_false(signed_check(signature, &message, own));
}

/* Where the prefix ends is signed as well. */
static void test_the_prefix_has_its_zero_byte(void **state)
{
    uint8_t signature[64];

    (void)state;
    crypto_sign_detached(signature, NULL, (const uint8_t *)"a/1\0bytes", 9, own_secret);
    assert_true(is_good(signature, 64, "a/1", "bytes", own));
    crypto_sign_detached(signature, NULL, (const uint8_t *)"a/1bytes", 8, own_secret);
    assert_false(is_good(signature, 64, "a/1", "bytes", own));
    assert_false(is_good(signature, 64, "a/1b", "ytes", own));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_signature_is_of_its_prefix_bytes_and_key),
        cmocka_unit_test(test_the_prefix_has_its_zero_byte),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
