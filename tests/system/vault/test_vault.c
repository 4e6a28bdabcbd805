/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed items: they open as they were, and nothing else opens. */
#include "system/vault/vault.h"

#include "system/core/ids.h"
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
    size_t plain_len;

    (void)state;
    fill(plain);
    for (size_t len = 0; len <= LEN; len++) {
        vault_seal(vault, sealed, &binding, plain, len);
        memset(out, 0, LEN);
        assert_true(vault_plain_len(&plain_len, sealed, len + VAULT_OVERHEAD));
        assert_int_equal(plain_len, len);
        assert_int_equal(vault_open(again, out, &binding, sealed, len + VAULT_OVERHEAD), VAULT_OK);
        assert_memory_equal(out, plain, len);
    }
    assert_memory_equal(sealed, "QV2\0", 4);
    /* nothing of the plain text is left, and twice the same is never the same */
    vault_seal(vault, other, &binding, plain, LEN);
    assert_memory_not_equal(sealed + sizeof sealed - LEN - 16, plain, LEN);
    assert_memory_not_equal(sealed + 12, other + 12, 12);
    assert_memory_not_equal(sealed + 24, other + 24, 48);
    assert_memory_not_equal(sealed + 84, other + 84, 12);
    assert_memory_not_equal(sealed + 96, other + 96, LEN);
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
    size_t plain_len;

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
        /* without its magic it is none of ours */
        assert_int_equal(vault_plain_len(&plain_len, sealed, sizeof sealed), byte >= 4);
        if (byte >= 4)
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
    memcpy(b + 84, a + 84, sizeof a - 84);
    assert_int_equal(vault_open(vault, out, &binding, b, sizeof b), VAULT_DAMAGED);
    vault_free(vault);
}

/* Two keys */

static struct wrapping *key_of(uint8_t byte)
{
    uint8_t master[32];

    memset(master, byte, sizeof master);
    return wrapping_master(master);
}

static void test_items_of_either_key_open_and_new_ones_have_the_next(void **state)
{
    struct vault *old = vault_of(1), *new = vault_of(2);
    struct vault *both = vault_of_keys(key_of(1), key_of(2));
    uint8_t plain[LEN], a[LEN + VAULT_OVERHEAD], b[LEN + VAULT_OVERHEAD], out[LEN];
    uint8_t check[VAULT_CHECK_BYTES], next[VAULT_CHECK_BYTES];

    (void)state;
    fill(plain);
    vault_check(old, check);
    assert_false(vault_next_check(old, next));
    assert_true(vault_next_check(both, next));
    vault_seal(old, a, &binding, plain, LEN);
    vault_seal(both, b, &binding, plain, LEN);
    assert_memory_equal(a + 4, check, sizeof check);
    assert_memory_equal(b + 4, next, sizeof next);
    assert_int_equal(vault_open(both, out, &binding, a, sizeof a), VAULT_OK);
    assert_int_equal(vault_open(both, out, &binding, b, sizeof b), VAULT_OK);
    assert_int_equal(vault_open(new, out, &binding, b, sizeof b), VAULT_OK);
    assert_int_equal(vault_open(new, out, &binding, a, sizeof a), VAULT_OTHER_KEY);
    assert_int_equal(vault_open(old, out, &binding, b, sizeof b), VAULT_OTHER_KEY);
    vault_free(old);
    vault_free(new);
    vault_free(both);
}

static void test_a_rewrapped_item_is_the_next_keys_and_its_text_is_the_same(void **state)
{
    struct vault *old = vault_of(1), *new = vault_of(2);
    struct vault *both = vault_of_keys(key_of(1), key_of(2));
    uint8_t plain[LEN], a[LEN + VAULT_OVERHEAD], b[LEN + VAULT_OVERHEAD + VAULT_GROWTH], out[LEN];
    size_t len;

    (void)state;
    fill(plain);
    vault_seal(old, a, &binding, plain, LEN);
    assert_int_equal(vault_rewrap(both, b, &len, &binding, &(struct vault_item){a, sizeof a}),
                     VAULT_OK);
    assert_int_equal(len, sizeof a);
    assert_memory_not_equal(a + 12, b + 12, 60);
    assert_memory_equal(a + 72, b + 72, sizeof a - 72);
    assert_int_equal(vault_open(new, out, &binding, b, len), VAULT_OK);
    assert_memory_equal(out, plain, LEN);
    assert_int_equal(vault_open(old, out, &binding, b, len), VAULT_OTHER_KEY);
    /* back again */
    vault_free(both);
    both = vault_of_keys(key_of(2), key_of(1));
    memcpy(a, b, sizeof a);
    assert_int_equal(vault_rewrap(both, b, &len, &binding, &(struct vault_item){a, sizeof a}),
                     VAULT_OK);
    assert_int_equal(vault_open(old, out, &binding, b, len), VAULT_OK);
    vault_free(old);
    vault_free(new);
    vault_free(both);
}

static void test_what_does_not_open_is_not_rewrapped(void **state)
{
    struct vault *old = vault_of(1), *other = vault_of_keys(key_of(3), key_of(2));
    struct vault *both = vault_of_keys(key_of(1), key_of(2));
    static const struct vault_binding elsewhere = {"share", "account-2", "party-1", 7};
    uint8_t plain[LEN], a[LEN + VAULT_OVERHEAD], b[LEN + VAULT_OVERHEAD + VAULT_GROWTH];
    const struct vault_item item = {a, sizeof a}, cut = {a, 80};
    size_t len = 1;

    (void)state;
    fill(plain);
    vault_seal(old, a, &binding, plain, LEN);
    assert_int_equal(vault_rewrap(other, b, &len, &binding, &item), VAULT_OTHER_KEY);
    assert_int_equal(len, 0);
    assert_int_equal(vault_rewrap(both, b, &len, &elsewhere, &item), VAULT_DAMAGED);
    assert_int_equal(vault_rewrap(both, b, &len, &binding, &cut), VAULT_DAMAGED);
    a[30] ^= 1;
    assert_int_equal(vault_rewrap(both, b, &len, &binding, &item), VAULT_DAMAGED);
    assert_int_equal(len, 0);
    vault_free(old);
    vault_free(other);
    vault_free(both);
}

/* A holder of a key that gives back something else than it took. */
static enum vault_result wrap_badly(struct wrapping *self, uint8_t out[WRAPPING_WRAPPED],
                                    const uint8_t plain[WRAPPING_PLAIN],
                                    const struct wrapping_ad *ad)
{
    (void)self;
    (void)ad;
    memset(out, 0, WRAPPING_WRAPPED);
    memcpy(out, plain, WRAPPING_PLAIN - 1);
    return VAULT_OK;
}

static enum vault_result unwrap_badly(struct wrapping *self, uint8_t out[WRAPPING_PLAIN],
                                      const uint8_t wrapped[WRAPPING_WRAPPED],
                                      const struct wrapping_ad *ad)
{
    (void)self;
    (void)ad;
    memcpy(out, wrapped, WRAPPING_PLAIN);
    out[WRAPPING_PLAIN - 1] = 1;
    return VAULT_OK;
}

static void keep(struct wrapping *self)
{
    (void)self;
}

static void test_a_data_key_that_does_not_come_back_is_not_given_up(void **state)
{
    static const struct wrapping_kind kind = {wrap_badly, unwrap_badly, keep};
    struct wrapping bad = {&kind, {9}};
    struct vault *old = vault_of(1), *both = vault_of_keys(key_of(1), &bad);
    uint8_t plain[LEN], a[LEN + VAULT_OVERHEAD], b[LEN + VAULT_OVERHEAD + VAULT_GROWTH];
    size_t len, refused = 0;

    (void)state;
    fill(plain);
    /* one data key of 256 ends as the bad one says */
    for (int i = 0; i < 10; i++) {
        vault_seal(old, a, &binding, plain, LEN);
        refused +=
            vault_rewrap(both, b, &len, &binding, &(struct vault_item){a, sizeof a}) == VAULT_AWAY;
    }
    assert_true(refused > 0);
    vault_free(old);
    vault_free(both);
}

/* Made by the release that knew the first format only: master key 01..01, this file's binding. */
static const char first_format[] =
    "51563100528271538602e9116465666768696a6b6c6d6e6f5f0d294c93570f99084f216bbbd54a4c5b43"
    "701f1c6612cddb11a1fef5a00cfe422f5bee9fbe285cc44b1fef168a7a6fc8c9cacbcccdcecfd0d1d2d3"
    "705812b3e7be9e0007597ed27b62cb7699a798c0614bce4d9fda4fc1a8f4c78cadff4ff8f914e0a6815a"
    "486a91156962332ef4";
static const char first_plain[] = "a share sealed by the first release";
enum { FIRST_BYTES = (sizeof first_format - 1) / 2, FIRST_PLAIN = sizeof first_plain - 1 };

static void test_an_item_of_the_first_format_opens_and_is_rewrapped(void **state)
{
    struct vault *old = vault_of(1), *new = vault_of(2);
    struct vault *both = vault_of_keys(key_of(1), key_of(2));
    uint8_t a[FIRST_BYTES], b[FIRST_BYTES + VAULT_GROWTH], out[FIRST_PLAIN];
    size_t len;

    (void)state;
    assert_true(hex_decode(a, sizeof a, first_format));
    assert_true(vault_plain_len(&len, a, sizeof a));
    assert_int_equal(len, FIRST_PLAIN);
    assert_int_equal(vault_open(old, out, &binding, a, sizeof a), VAULT_OK);
    assert_memory_equal(out, first_plain, FIRST_PLAIN);
    assert_int_equal(vault_open(new, out, &binding, a, sizeof a), VAULT_OTHER_KEY);
    assert_int_equal(vault_rewrap(both, b, &len, &binding, &(struct vault_item){a, sizeof a}),
                     VAULT_OK);
    assert_int_equal(len, sizeof b);
    assert_memory_equal(b, "QV2\0", 4);
    assert_memory_equal(a + 72, b + 84, sizeof a - 72);
    assert_int_equal(vault_open(new, out, &binding, b, len), VAULT_OK);
    assert_memory_equal(out, first_plain, FIRST_PLAIN);
    for (size_t i = 0; i < 8 * sizeof a; i++) {
        a[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_not_equal(vault_open(old, out, &binding, a, sizeof a), VAULT_OK);
        a[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t i = 0; i < sizeof a; i++)
        assert_int_equal(vault_open(old, out, &binding, a, i), VAULT_DAMAGED);
    vault_free(old);
    vault_free(new);
    vault_free(both);
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
        cmocka_unit_test(test_items_of_either_key_open_and_new_ones_have_the_next),
        cmocka_unit_test(test_a_rewrapped_item_is_the_next_keys_and_its_text_is_the_same),
        cmocka_unit_test(test_what_does_not_open_is_not_rewrapped),
        cmocka_unit_test(test_a_data_key_that_does_not_come_back_is_not_given_up),
        cmocka_unit_test(test_an_item_of_the_first_format_opens_and_is_rewrapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
