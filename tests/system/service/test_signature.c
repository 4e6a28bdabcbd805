/* SPDX-License-Identifier: Apache-2.0 */
/* The forms of a signature: from 65 bytes and back. */
#include "system/core/ids.h"
#include "system/service/library.h"
#include "system/service/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void fill(uint8_t b[SIGNATURE_BYTES], uint8_t recovery_id)
{
    memset(b, 0x11, 32);
    memset(b + 32, 0x22, 32);
    b[64] = recovery_id;
}

static void test_forms_say_the_same(void **state)
{
    struct signature_forms forms;
    uint8_t b[SIGNATURE_BYTES], back[SIGNATURE_BYTES];

    (void)state;
    fill(b, 1);
    assert_true(signature_forms(&forms, library_ctx(), b, sizeof b));
    assert_int_equal(strlen(forms.message.r), 64);
    assert_memory_equal(forms.message.compact, forms.message.r, 64);
    assert_memory_equal(forms.message.compact + 64, forms.message.s, 65);
    assert_memory_equal(forms.message.der, "30440220", 8);
    assert_memory_equal(forms.message.der + 8, forms.message.r, 64);
    assert_memory_equal(forms.message.der + 72, "0220", 4);
    assert_memory_equal(forms.message.der + 76, forms.message.s, 65);
    assert_int_equal(forms.message.recovery_id, 1);
    assert_true(signature_read(back, &forms.message));
    assert_memory_equal(back, b, sizeof b);
}

static void test_what_is_none_is_refused(void **state)
{
    struct signature_forms forms;
    uint8_t b[SIGNATURE_BYTES];

    (void)state;
    fill(b, 0);
    assert_false(signature_forms(&forms, library_ctx(), b, 64));
    b[64] = 4;
    assert_false(signature_forms(&forms, library_ctx(), b, sizeof b));
    memset(b, 0xff, sizeof b);
    assert_false(signature_forms(&forms, library_ctx(), b, sizeof b));
}

static void test_what_cannot_be_read_is_refused(void **state)
{
    Mpc__Session__V1__Signature message = MPC__SESSION__V1__SIGNATURE__INIT;
    uint8_t b[SIGNATURE_BYTES];
    char digits[65], longer[67] = {0};

    (void)state;
    fill(b, 0);
    hex_encode(digits, b, 32);
    memset(longer, '1', 66);
    assert_false(signature_read(b, NULL));
    assert_false(signature_read(b, &message));
    message.r = message.s = digits;
    assert_true(signature_read(b, &message));
    message.recovery_id = 4;
    assert_false(signature_read(b, &message));
    message.recovery_id = 256;
    assert_false(signature_read(b, &message));
    message.recovery_id = 0;
    message.s = longer;
    assert_false(signature_read(b, &message));
    message.s = digits + 1;
    assert_false(signature_read(b, &message));
}

/* A real one, and the same with each of its parts changed. */
static void test_only_the_keys_own_signature_verifies(void **state)
{
    static const char key[] = "02989c0b76cb563971fdc9bef31ec06c3560f3249d6ee9e5d83c57625596e05f6f";
    static const char text[] = "62c0a046dacce86ddd0343c6d3c7c79c2208ba0d9c9cf24a6d046d21d21f90f7"
                               "428bec699a7aba99642ea11cd781e88acc1945d8b0f7f9c79a6ee60e19ff3605"
                               "00";
    uint8_t b[SIGNATURE_BYTES];
    struct qrt_hash hash;
    struct qrt_pubkey pk;

    (void)state;
    assert_true(hex_decode(pk.b, sizeof pk.b, key));
    assert_true(hex_decode(b, sizeof b, text));
    memset(hash.b, 0x2a, sizeof hash.b);
    assert_true(signature_verify(library_ctx(), b, &hash, &pk));
    b[64] = 1; /* leads to another key */
    assert_false(signature_verify(library_ctx(), b, &hash, &pk));
    b[64] = 0;
    b[32] ^= 1;
    assert_false(signature_verify(library_ctx(), b, &hash, &pk));
    b[32] ^= 1;
    hash.b[0] ^= 1;
    assert_false(signature_verify(library_ctx(), b, &hash, &pk));
    hash.b[0] ^= 1;
    pk.b[0] ^= 1;
    assert_false(signature_verify(library_ctx(), b, &hash, &pk));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_say_the_same),
        cmocka_unit_test(test_what_is_none_is_refused),
        cmocka_unit_test(test_what_cannot_be_read_is_refused),
        cmocka_unit_test(test_only_the_keys_own_signature_verifies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
