/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of messages, and the refusal of a "digest" that is not 32 bytes. */
#include "support.h"

#include "quorate/signature.h"

#include <sodium.h>
#include <string.h>

static void test_messages_are_hashed_as_named(void **state)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    struct qrt_hash h;

    (void)state;
    assert_int_equal(qrt_digest(&h, ctx, QRT_DIGEST_SHA256, (const uint8_t *)"abc", 3), QRT_OK);
    assert_true(
        test_is_hex(h.b, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    assert_int_equal(qrt_digest(&h, ctx, QRT_DIGEST_KECCAK256, (const uint8_t *)"abc", 3), QRT_OK);
    assert_true(
        test_is_hex(h.b, 32, "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"));
}

static void test_a_local_digest_is_taken_as_it_is_and_must_have_32_bytes(void **state)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    uint8_t b[64];
    struct qrt_hash h;

    (void)state;
    memset(b, 0x5a, sizeof b);
    for (size_t len = 0; len <= sizeof b; len++) {
        memset(&h, 0xee, sizeof h);
        assert_int_equal(qrt_digest(&h, ctx, QRT_DIGEST_LOCAL, b, len),
                         len == 32 ? QRT_OK : QRT_E_DIGEST);
        if (len == 32)
            assert_memory_equal(h.b, b, 32);
        else
            assert_true(sodium_is_zero(h.b, 32));
    }
}

static void test_an_unknown_kind_is_refused(void **state)
{
    struct qrt_hash h;

    (void)state;
    assert_int_equal(
        qrt_digest(&h, test_ctx(QRT_CPU_ALL), (enum qrt_digest)3, (const uint8_t *)"abc", 3),
        QRT_E_DIGEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_are_hashed_as_named),
        cmocka_unit_test(test_a_local_digest_is_taken_as_it_is_and_must_have_32_bytes),
        cmocka_unit_test(test_an_unknown_kind_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
