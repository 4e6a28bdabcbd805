/* SPDX-License-Identifier: Apache-2.0 */
/* A user's key: the initiator's word about this intent and this key, and about nothing else. */
#include "system/access/user_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static uint8_t ca[32], ca_secret[64], party[32], party_secret[64];

static int set_up(void **state)
{
    (void)state;
    if (sodium_init() < 0)
        return 1;
    crypto_sign_keypair(ca, ca_secret);
    crypto_sign_keypair(party, party_secret);
    return 0;
}

static const uint8_t the_intent[] = "intent";
static const uint8_t users[32] = {7};

static bool user_key_is_good(const uint8_t signature[64], const uint8_t *intent, const uint8_t *key)
{
    return user_key_verify((ProtobufCBinaryData){64, (uint8_t *)(uintptr_t)signature},
                           (ProtobufCBinaryData){6, (uint8_t *)(uintptr_t)intent},
                           (ProtobufCBinaryData){32, (uint8_t *)(uintptr_t)key}, party);
}

static void test_users_key_binds_intent_and_key(void **state)
{
    uint8_t signature[64], intent[6], key[32];

    (void)state;
    user_key_sign(signature, the_intent, 6, users, party_secret);
    assert_true(user_key_is_good(signature, the_intent, users));
    assert_false(user_key_verify((ProtobufCBinaryData){64, signature},
                                 (ProtobufCBinaryData){6, (uint8_t *)(uintptr_t)the_intent},
                                 (ProtobufCBinaryData){32, (uint8_t *)(uintptr_t)users}, ca));
    for (size_t bit = 0; bit < sizeof signature * 8; bit++) {
        memcpy(intent, the_intent, 6);
        memcpy(key, users, 32);
        intent[bit / 8 % 6] ^= (uint8_t)(1 << bit % 8);
        assert_false(user_key_is_good(signature, intent, users));
        key[bit / 8 % 32] ^= (uint8_t)(1 << bit % 8);
        assert_false(user_key_is_good(signature, the_intent, key));
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(user_key_is_good(signature, the_intent, users));
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void test_points_of_small_order_are_no_keys(void **state)
{
    static const char *const small[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};
    uint8_t key[32], secret[32];

    (void)state;
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        assert_int_equal(sodium_hex2bin(key, 32, small[i], 64, NULL, NULL, NULL), 0);
        assert_false(user_key_is_sound(key));
    }
    crypto_box_keypair(key, secret);
    assert_true(user_key_is_sound(key));
}

static void test_users_key_of_another_length_is_refused(void **state)
{
    uint8_t signature[64];
    const ProtobufCBinaryData intent = {6, (uint8_t *)(uintptr_t)the_intent};
    const ProtobufCBinaryData key = {32, (uint8_t *)(uintptr_t)users};

    (void)state;
    user_key_sign(signature, the_intent, 6, users, party_secret);
    assert_false(user_key_verify((ProtobufCBinaryData){63, signature}, intent, key, party));
    assert_false(user_key_verify((ProtobufCBinaryData){0, NULL}, intent, key, party));
    assert_false(user_key_verify((ProtobufCBinaryData){64, signature}, intent,
                                 (ProtobufCBinaryData){31, key.data}, party));
    assert_false(user_key_verify((ProtobufCBinaryData){64, signature}, intent,
                                 (ProtobufCBinaryData){0, NULL}, party));
}

/* It is said by the absence of a key and by nothing else. */
static void test_that_nobody_is_named_is_signed_too(void **state)
{
    static const uint8_t none[32];
    uint8_t signature[64];
    const ProtobufCBinaryData intent = {6, (uint8_t *)(uintptr_t)the_intent};
    const ProtobufCBinaryData empty = {0, NULL};

    (void)state;
    user_key_sign(signature, the_intent, 6, NULL, party_secret);
    assert_true(user_key_verify((ProtobufCBinaryData){64, signature}, intent, empty, party));
    assert_false(user_key_verify((ProtobufCBinaryData){64, signature}, intent, empty, ca));
    assert_false(user_key_verify((ProtobufCBinaryData){0, NULL}, intent, empty, party));
    assert_false(user_key_is_good(signature, the_intent, users));
    assert_false(user_key_is_good(signature, the_intent, none));
    user_key_sign(signature, the_intent, 6, none, party_secret);
    assert_false(user_key_is_good(signature, the_intent, none));
}

/* The bytes that session.proto names, written out. */
static void test_users_key_has_the_bytes_of_the_document(void **state)
{
    static const char prefix[] = "quorate/user-key/1";
    uint8_t bytes[sizeof prefix + 64], signature[64];

    (void)state;
    memcpy(bytes, prefix, sizeof prefix);
    crypto_hash_sha256(bytes + sizeof prefix, the_intent, 6);
    memcpy(bytes + sizeof prefix + 32, users, 32);
    user_key_sign(signature, the_intent, 6, users, party_secret);
    assert_int_equal(crypto_sign_verify_detached(signature, bytes, sizeof bytes, party), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points_of_small_order_are_no_keys),
        cmocka_unit_test(test_users_key_binds_intent_and_key),
        cmocka_unit_test(test_users_key_of_another_length_is_refused),
        cmocka_unit_test(test_that_nobody_is_named_is_signed_too),
        cmocka_unit_test(test_users_key_has_the_bytes_of_the_document),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
