/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed items: they open as they were, and nothing else opens. */
#include "system/vault/vault.h"

#include "system/core/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { LEN = 100 };

static const struct vault_binding binding = {"share", "account-1", "party-1", 7};

static struct vault *vault_of(uint8_t byte)
{
    uint8_t master[32], zeroes[32] = {0};
    struct vault *vault;

    memset(master, byte, sizeof master);
    vault = vault_new(master);
    /* the caller's copy is gone */
    assert_memory_equal(master, zeroes, sizeof zeroes);
    return vault;
}

static void fill(uint8_t b[LEN])
{
    for (size_t i = 0; i < LEN; i++)
        b[i] = (uint8_t)(i * 7 + 1);
}

static void test_round_trip(void **state)
{
    struct vault *vault = vault_of(1), *again = vault_of(1);
    uint8_t plain[LEN], sealed[LEN + VAULT_OVERHEAD], other[LEN + VAULT_OVERHEAD];
    uint8_t *out = secret_new(LEN);

    (void)state;
    fill(plain);
    for (size_t len = 0; len <= LEN; len++) {
        vault_seal(vault, sealed, &binding, plain, len);
        memset(out, 0, LEN);
        assert_int_equal(vault_open(again, out, &binding, sealed, len + VAULT_OVERHEAD), VAULT_OK);
        assert_memory_equal(out, plain, len);
    }
    assert_memory_equal(sealed, "QV1\0", 4);
    /* nothing of the plain text is left, and twice the same is never the same */
    vault_seal(vault, other, &binding, plain, LEN);
    assert_memory_not_equal(sealed + sizeof sealed - LEN - 16, plain, LEN);
    assert_memory_not_equal(sealed + 12, other + 12, 12);
    assert_memory_not_equal(sealed + 24, other + 24, 48);
    assert_memory_not_equal(sealed + 84, other + 84, LEN);
    secret_free(out);
    vault_free(vault);
    vault_free(again);
    vault_free(NULL);
}

static void assert_zero(const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        assert_int_equal(b[i], 0);
}

static void test_other_master_key(void **state)
{
    struct vault *vault = vault_of(1), *other = vault_of(2);
    uint8_t plain[LEN], sealed[LEN + VAULT_OVERHEAD], out[LEN];
    uint8_t check[VAULT_CHECK_BYTES], other_check[VAULT_CHECK_BYTES];

    (void)state;
    fill(plain);
    vault_seal(vault, sealed, &binding, plain, LEN);
    memset(out, 0xff, LEN);
    assert_int_equal(vault_open(other, out, &binding, sealed, sizeof sealed), VAULT_OTHER_KEY);
    assert_zero(out, LEN);
    vault_check(vault, check);
    vault_check(other, other_check);
    assert_memory_not_equal(check, other_check, sizeof check);
    assert_memory_equal(check, sealed + 4, sizeof check);
    /* with the key check of the right one, the wrong key still does not open it */
    memcpy(sealed + 4, other_check, sizeof other_check);
    assert_int_equal(vault_open(other, out, &binding, sealed, sizeof sealed), VAULT_DAMAGED);
    vault_free(vault);
    vault_free(other);
}

static void test_every_flipped_bit_is_refused(void **state)
{
    struct vault *vault = vault_of(1);
    uint8_t plain[LEN], sealed[LEN + VAULT_OVERHEAD], out[LEN];

    (void)state;
    fill(plain);
    vault_seal(vault, sealed, &binding, plain, LEN);
    for (size_t i = 0; i < 8 * sizeof sealed; i++) {
        size_t byte = i / 8;
        /* a changed key check names another key: nothing else can be said of it */
        enum vault_result want = byte >= 4 && byte < 12 ? VAULT_OTHER_KEY : VAULT_DAMAGED;

        sealed[byte] ^= (uint8_t)(1 << i % 8);
        memset(out, 0xff, LEN);
        assert_int_equal(vault_open(vault, out, &binding, sealed, sizeof sealed), want);
        assert_zero(out, LEN);
        sealed[byte] ^= (uint8_t)(1 << i % 8);
    }
    assert_int_equal(vault_open(vault, out, &binding, sealed, sizeof sealed), VAULT_OK);
    vault_free(vault);
}

static void test_every_length_is_refused(void **state)
{
    struct vault *vault = vault_of(1);
    uint8_t plain[LEN], sealed[LEN + VAULT_OVERHEAD + 1] = {0}, out[LEN + 1];

    (void)state;
    fill(plain);
    vault_seal(vault, sealed, &binding, plain, LEN);
    for (size_t len = 0; len <= sizeof sealed; len++) {
        enum vault_result want = len == LEN + VAULT_OVERHEAD ? VAULT_OK : VAULT_DAMAGED;

        assert_int_equal(vault_open(vault, out, &binding, sealed, len), want);
    }
    vault_free(vault);
}

static void test_attack_item_moved_to_another_row(void **state)
{
    static const struct vault_binding others[] = {
        {"presignature", "account-1", "party-1", 7}, {"share", "account-2", "party-1", 7},
        {"share", "account-1", "party-2", 7},        {"share", "account-1", "party-1", 8},
        {"share", "party-1", "account-1", 7},        {"share", "account-1party-1", "", 7},
        {"share", "account-", "1party-1", 7},        {"shareaccount-1", NULL, "party-1", 7},
        {"", "shareaccount-1", "party-1", 7},        {"share", "account-1", NULL, 7},
    };
    struct vault *vault = vault_of(1);
    uint8_t plain[LEN], sealed[LEN + VAULT_OVERHEAD], out[LEN];

    (void)state;
    fill(plain);
    vault_seal(vault, sealed, &binding, plain, LEN);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        memset(out, 0xff, LEN);
        assert_int_equal(vault_open(vault, out, &others[i], sealed, sizeof sealed), VAULT_DAMAGED);
        assert_zero(out, LEN);
    }
    vault_free(vault);
}

static void test_attack_parts_of_two_items(void **state)
{
    struct vault *vault = vault_of(1);
    uint8_t plain[LEN], a[LEN + VAULT_OVERHEAD], b[LEN + VAULT_OVERHEAD], out[LEN];

    (void)state;
    fill(plain);
    vault_seal(vault, a, &binding, plain, LEN);
    vault_seal(vault, b, &binding, plain, LEN);
    /* b's wrapped key with a's text */
    memcpy(b + 72, a + 72, sizeof a - 72);
    assert_int_equal(vault_open(vault, out, &binding, b, sizeof b), VAULT_DAMAGED);
    vault_free(vault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_other_master_key),
        cmocka_unit_test(test_every_flipped_bit_is_refused),
        cmocka_unit_test(test_every_length_is_refused),
        cmocka_unit_test(test_attack_item_moved_to_another_row),
        cmocka_unit_test(test_attack_parts_of_two_items),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
