/* SPDX-License-Identifier: Apache-2.0 */
/* Every check of protocol.md F.8 and K.3 on loading a share record: one field is changed at a time,
 * and the error is the named one. The certificate has a file of its own. */
#include "dealer.h"
#include "support.h"

#include "base/bytes.h"
#include "base/port.h"

#include <sodium.h>
#include <string.h>

static const char order[] = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

static struct deal *valid(void)
{
    struct deal *d = deal_plan();

    deal_make(d);
    return d;
}

/* With |len| bytes at |at| replaced the record gives |want|; afterwards it is as before. */
static void replaced(struct deal *d, size_t at, const void *b, size_t len, enum qrt_err want)
{
    uint8_t kept[64];

    memcpy(kept, d->record + at, len);
    memcpy(d->record + at, b, len);
    assert_int_equal(deal_open(d), want);
    memcpy(d->record + at, kept, len);
}

static void set_byte(struct deal *d, size_t at, uint8_t value, enum qrt_err want)
{
    replaced(d, at, &value, 1, want);
}

static void set_be16(struct deal *d, size_t at, uint16_t value, enum qrt_err want)
{
    uint8_t b[2];

    qrt_be16_put(b, value);
    replaced(d, at, b, 2, want);
}

static void set_hex(struct deal *d, size_t at, size_t len, const char *hex, enum qrt_err want)
{
    uint8_t b[33];

    test_unhex(b, len, hex);
    replaced(d, at, b, len, want);
}

static void test_valid_records_open(void **state)
{
    static const uint16_t shapes[][3] = {{2, 2, 1}, {3, 2, 3}, {3, 3, 2}, {5, 3, 4}, {6, 6, 6}};

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(shapes); i++) {
        struct deal *d = deal_plan();

        d->n = shapes[i][0];
        d->t = shapes[i][1];
        d->own = shapes[i][2];
        d->degree = d->t - 1u;
        deal_make(d);
        assert_int_equal(deal_open(d), QRT_OK);
    }
}

static void test_magic_version_suite_and_profile_are_checked(void **state)
{
    struct deal *d = valid();

    (void)state;
    for (size_t i = 0; i < 4; i++)
        set_byte(d, i, 'X', QRT_E_RECORD_FORMAT);
    set_byte(d, AT_VERSION, 0, QRT_E_RECORD_VERSION);
    set_byte(d, AT_VERSION, 2, QRT_E_RECORD_VERSION);
    set_byte(d, AT_SUITE, 0, QRT_E_RECORD_VERSION);
    set_byte(d, AT_SUITE, 0x11, QRT_E_RECORD_VERSION);
    set_byte(d, AT_PROFILE, 2, QRT_E_RECORD_VERSION);
    set_byte(d, AT_FLAGS, 8, QRT_E_RECORD_FIELD);
    set_byte(d, AT_FLAGS, 0x80, QRT_E_RECORD_FIELD);
    set_byte(d, AT_FLAGS, QRT_SHARE_REFRESH_REQUIRED, QRT_OK);
}

static void test_threshold_and_own_index_are_checked(void **state)
{
    struct deal *d = valid();

    (void)state;
    set_be16(d, AT_T, 0, QRT_E_RECORD_FIELD);
    set_be16(d, AT_T, 1, QRT_E_RECORD_FIELD);
    set_be16(d, AT_T, 4, QRT_E_RECORD_FIELD);
    set_be16(d, AT_OWN, 0, QRT_E_RECORD_FIELD);
    set_be16(d, AT_OWN, 4, QRT_E_RECORD_FIELD);
    set_be16(d, AT_OWN, 2, QRT_E_RECORD_FIELD); /* the pairs are those of party 1 */
}

/* The public shares of a 2-of-3 lie on a line, those of a 3-of-3 on a parabola: neither passes as
 * the other, whatever the record says. */
static void test_a_threshold_that_is_not_the_degree_plus_one_is_refused(void **state)
{
    struct deal *d = valid();

    (void)state;
    set_be16(d, AT_T, 3, QRT_E_RECORD_KEY);
    d = deal_plan();
    d->degree = 2;
    deal_make(d);
    assert_int_equal(deal_open(d), QRT_E_RECORD_KEY);
    set_be16(d, AT_T, 3, QRT_OK);
}

static void test_the_roster_is_checked(void **state)
{
    struct deal *d = valid();

    (void)state;
    set_be16(d, deal_at_party(0), 0, QRT_E_RECORD_FIELD);
    set_be16(d, deal_at_party(1), 1, QRT_E_RECORD_FIELD);
    set_be16(d, deal_at_party(1), 3, QRT_E_RECORD_FIELD);
    set_be16(d, deal_at_party(1), 9, QRT_E_RECORD_FIELD);
    set_be16(d, deal_at_party(2), 65535, QRT_E_RECORD_FIELD);
    set_be16(d, deal_at_party(2), 4, QRT_E_RECORD_FIELD); /* the pair is still 3's */
}

/* All else fits: pairs in the same order, certificate ascending, signed. */
static void test_a_roster_out_of_order_or_range_is_refused(void **state)
{
    static const uint16_t rosters[][3] = {{1, 3, 2}, {2, 1, 3}, {0, 1, 2}, {1, 2, 65535}};

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(rosters); i++) {
        struct deal *d = deal_plan();

        memcpy(d->index, rosters[i], sizeof rosters[i]);
        d->flags = i == 2 ? QRT_SHARE_PENDING : 0; /* index 0 has no row in a certificate */
        deal_make(d);
        assert_int_equal(deal_open(d), QRT_E_RECORD_FIELD);
    }
}

static void test_coordinates_are_checked(void **state)
{
    struct deal *d = valid();
    size_t x = deal_at_party(1) + 34;

    (void)state;
    set_hex(d, x, 32, "0000000000000000000000000000000000000000000000000000000000000000",
            QRT_E_RECORD_FIELD);
    set_hex(d, x, 32, "0000000000000000000000000000000000000000000000000000000000000001",
            QRT_E_RECORD_FIELD);
    set_hex(d, x, 32, order, QRT_E_RECORD_FIELD);
    set_hex(d, x, 32, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            QRT_E_RECORD_FIELD);
    set_hex(d, x, 32, "0000000000000000000000000000000000000000000000000000000000000004",
            QRT_E_RECORD_KEY);
    x = deal_at_party(2) + 34;
    set_hex(d, x, 32, "0000000000000000000000000000000000000000000000000000000000000004",
            QRT_E_RECORD_KEY);
}

static void test_points_are_checked(void **state)
{
    struct deal *d = valid();
    size_t X = deal_at_party(2) + 66;

    (void)state;
    set_byte(d, X, 4, QRT_E_RECORD_FIELD);
    set_byte(d, X, 0, QRT_E_RECORD_FIELD);
    set_hex(d, X, 33, "02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30",
            QRT_E_RECORD_FIELD);
    set_byte(d, X, d->record[X] ^ 1, QRT_E_RECORD_KEY);
    replaced(d, deal_at_party(0) + 66, d->X[1], 33, QRT_E_RECORD_SHARE);
    replaced(d, deal_at_party(1) + 66, d->X[0], 33, QRT_E_RECORD_KEY);
    replaced(d, X, d->X[0], 33, QRT_E_RECORD_KEY);
    set_byte(d, AT_PK, 6, QRT_E_RECORD_FIELD);
    replaced(d, AT_PK, d->X[0], 33, QRT_E_RECORD_KEY);
    set_byte(d, AT_KEYID, d->record[AT_KEYID] ^ 1, QRT_E_RECORD_KEY);
    set_byte(d, AT_KEYID + 31, d->record[AT_KEYID + 31] ^ 1, QRT_E_RECORD_KEY);
}

/* The key id fits, the public shares do not: the sum itself is checked. */
static void test_another_key_with_its_own_key_id_is_refused(void **state)
{
    struct deal *d = valid();

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        memcpy(d->record + AT_PK, d->X[i], 33);
        qrt_share_keyid(d->ctx, d->record + AT_KEYID, 1, d->X[i]);
        deal_sign(d);
        assert_int_equal(deal_open(d), QRT_E_RECORD_KEY);
    }
}

/* The first t public shares fit the key, the last does not fit them; all have signed it. */
static void test_a_public_share_off_the_polynomial_is_refused(void **state)
{
    struct deal *d = valid();

    (void)state;
    d->record[deal_at_party(2) + 66] ^= 1;
    deal_sign(d);
    assert_int_equal(deal_open(d), QRT_E_RECORD_KEY);
}

static void test_the_secret_is_checked_against_its_public_share(void **state)
{
    struct deal *d = valid();

    (void)state;
    set_hex(d, AT_S, 32, "0000000000000000000000000000000000000000000000000000000000000000",
            QRT_E_RECORD_FIELD);
    set_hex(d, AT_S, 32, order, QRT_E_RECORD_FIELD);
    set_hex(d, AT_S, 32, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            QRT_E_RECORD_FIELD);
    replaced(d, AT_S, d->s[1], 32, QRT_E_RECORD_SHARE);
    set_byte(d, AT_S + 31, d->record[AT_S + 31] ^ 1, QRT_E_RECORD_SHARE);
}

static void test_a_fresh_key_is_epoch_zero_and_not_imported(void **state)
{
    struct deal *d = valid();

    (void)state;
    set_byte(d, AT_EPOCH + 3, 1, QRT_E_RECORD_FIELD);
    set_byte(d, AT_EPOCH, 0x80, QRT_E_RECORD_FIELD);
    set_byte(d, AT_FLAGS, QRT_SHARE_IMPORTED, QRT_E_RECORD_FIELD);
    set_byte(d, deal_at_certificate(d), QRT_SIGN, QRT_E_RECORD_FIELD);
    set_byte(d, deal_at_certificate(d), 2, QRT_E_RECORD_FIELD); /* a reshare makes no epoch 0 */
}

static void test_a_fresh_key_has_no_dealer_that_received_nothing(void **state)
{
    struct deal *d = deal_plan();

    (void)state;
    d->dealers_n = 1;
    deal_make(d);
    assert_int_equal(deal_open(d), QRT_E_RECORD_FIELD);
}

static struct deal *reshared(void)
{
    struct deal *d = deal_plan();

    d->protocol = 2;
    d->epoch = 1;
    d->dealers_n = 2;
    d->index[0] = 1;
    d->index[1] = 4;
    d->index[2] = 9;
    d->index[3] = 2; /* dealers that received nothing */
    d->index[4] = 7;
    d->flags = QRT_SHARE_IMPORTED | QRT_SHARE_REFRESH_REQUIRED;
    deal_make(d);
    return d;
}

static void test_a_reshared_record_opens_with_its_dealers(void **state)
{
    struct deal *d = reshared();
    struct qrt_share s;

    (void)state;
    assert_int_equal(qrt_share_open(&s, d->ctx, d->record, d->len), QRT_OK);
    assert_int_equal(s.dealers_n, 2);
    assert_ptr_equal(s.dealers, d->record + deal_at_d(d) + 2);
    assert_int_equal(s.epoch, 1);
    assert_int_equal(s.flags, QRT_SHARE_IMPORTED | QRT_SHARE_REFRESH_REQUIRED);
    assert_int_equal(s.certificate_len, 67 + 5 * 98);
    set_byte(d, AT_EPOCH + 3, 0, QRT_E_RECORD_FIELD);
}

static void test_dealers_are_checked(void **state)
{
    struct deal *d = reshared();
    size_t at = deal_at_d(d) + 2;

    (void)state;
    set_be16(d, at, 0, QRT_E_RECORD_FIELD);
    set_be16(d, at, 7, QRT_E_RECORD_FIELD);
    set_be16(d, at, 8, QRT_E_RECORD_FIELD);
    set_be16(d, at, 1, QRT_E_RECORD_FIELD); /* a dealer that is a party has no row */
    set_be16(d, at + 34, 9, QRT_E_RECORD_FIELD);
    set_be16(d, at + 34, 65535, QRT_E_RECORD_FIELD);
    set_be16(d, at + 34, 8, QRT_E_RECORD_CERTIFICATE);
    set_byte(d, at + 2, d->record[at + 2] ^ 1, QRT_E_RECORD_CERTIFICATE);
}

static void test_pairs_are_checked(void **state)
{
    struct deal *d = valid();
    size_t row = deal_at_pair(d, 0);

    (void)state;
    set_be16(d, row, 3, QRT_E_RECORD_FIELD);
    set_be16(d, row, 1, QRT_E_RECORD_FIELD);
    set_be16(d, deal_at_pair(d, 1), 2, QRT_E_RECORD_FIELD);
    set_byte(d, row + 2, 4, QRT_E_RECORD_FIELD);
    set_byte(d, row + 2, 0x80, QRT_E_RECORD_FIELD);
    set_byte(d, row + 2, QRT_BURN_THEIRS, QRT_OK);
    set_byte(d, row + 2, QRT_BURN_MINE, QRT_E_RECORD_FIELD); /* burned, not erased */
}

/* Offset of the missing leaf of |tree| in pair row 0. */
static size_t missing_leaf(const struct deal *d, size_t tree)
{
    size_t alice = deal_at_pair(d, 0) + 3 + 32 + 8192;
    uint8_t byte = d->record[alice + 8192 + tree / 2];
    size_t y = tree % 2 ? byte >> 4 : byte & 15;

    return alice + 16 * (16 * tree + y);
}

static void test_the_missing_leaf_of_every_tree_must_be_zero(void **state)
{
    struct deal *d = valid();

    (void)state;
    for (size_t tree = 0; tree < 32; tree++) {
        size_t at = missing_leaf(d, tree);

        assert_true(sodium_is_zero(d->record + at, 16));
        set_byte(d, at + tree % 16, (uint8_t)(1 << tree % 8), QRT_E_RECORD_FIELD);
    }
}

/* A changed nibble of Delta points at a leaf that is known, so not zero. */
static void test_every_nibble_of_delta_is_bound_to_the_seeds(void **state)
{
    struct deal *d = valid();
    size_t delta = deal_at_pair(d, 0) + 3 + 32 + 2 * 8192;

    (void)state;
    for (size_t bit = 0; bit < 128; bit++)
        set_byte(d, delta + bit / 8, (uint8_t)(d->record[delta + bit / 8] ^ 1 << bit % 8),
                 QRT_E_RECORD_FIELD);
}

static void test_a_burned_role_is_erased_and_an_erased_one_is_burned(void **state)
{
    struct deal *d = valid();
    size_t row = deal_at_pair(d, 1);
    uint8_t *alice = d->record + row + 3 + 32 + 8192, *delta = alice + 8192;

    (void)state;
    memset(alice, 0, 8192 + 16);
    assert_int_equal(deal_open(d), QRT_E_RECORD_FIELD);
    d->record[row + 2] = QRT_BURN_MINE;
    assert_int_equal(deal_open(d), QRT_OK);
    set_byte(d, row + 3 + 32 + 8192 + 8191, 1, QRT_E_RECORD_FIELD);
    delta[15] = 0x80;
    assert_int_equal(deal_open(d), QRT_E_RECORD_FIELD);
}

static struct deal *pending(void)
{
    struct deal *d = deal_plan();

    d->own = 2;
    d->flags = QRT_SHARE_PENDING;
    deal_make(d);
    return d;
}

static void test_a_pending_record_opens_as_pending_only(void **state)
{
    struct deal *d = pending();
    struct qrt_share s;

    (void)state;
    assert_int_equal(d->len, qrt_share_size(3, 0, 1));
    assert_int_equal(qrt_share_open_pending(&s, d->ctx, d->record, d->len), QRT_OK);
    assert_int_equal(s.flags, QRT_SHARE_PENDING);
    assert_int_equal(qrt_share_open(&s, d->ctx, d->record, d->len), QRT_E_PENDING);
    assert_null(s.record);
    set_byte(d, AT_S, d->record[AT_S] ^ 1, QRT_E_RECORD_SHARE);
    set_byte(d, AT_CC, d->record[AT_CC] ^ 1, QRT_E_RECORD_CERTIFICATE);
}

static void test_an_active_record_is_not_pending_and_the_flag_alone_makes_none(void **state)
{
    struct deal *d = valid();
    struct qrt_share s;

    (void)state;
    assert_int_equal(qrt_share_open_pending(&s, d->ctx, d->record, d->len), QRT_E_RECORD_FIELD);
    d = pending();
    d->record[AT_FLAGS] = 0; /* without a certificate it is no share */
    assert_int_equal(qrt_share_open(&s, d->ctx, d->record, d->len), QRT_E_RECORD_FORMAT);
}

/* lessons.md part 2, row 23: outputs left filled on failure. */
static void test_lesson_2_23_a_share_that_does_not_open_is_zeroed(void **state)
{
    struct deal *d = valid();
    struct qrt_share s;

    (void)state;
    d->record[AT_S + 31] ^= 1;
    memset(&s, 0xee, sizeof s);
    assert_int_equal(qrt_share_open(&s, d->ctx, d->record, d->len), QRT_E_RECORD_SHARE);
    assert_true(sodium_is_zero((const uint8_t *)&s, sizeof s));
    memset(&s, 0xee, sizeof s);
    assert_int_equal(qrt_share_open_pending(&s, d->ctx, d->record, d->len), QRT_E_RECORD_FIELD);
    assert_true(sodium_is_zero((const uint8_t *)&s, sizeof s));
}

/* Whatever bit of the public part is changed: refused, but for the fields that nothing binds. */
static void test_every_bit_of_the_public_part_is_bound(void **state)
{
    struct deal *d = valid();

    (void)state;
    for (size_t at = 0; at < AT_S; at++) {
        bool is_free = (at >= AT_CREATED && at < AT_N) || at == AT_FLAGS;
        enum qrt_err e;

        d->record[at] ^= 1;
        e = deal_open(d);
        d->record[at] ^= 1;
        assert_true(is_free || e != QRT_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_records_open),
        cmocka_unit_test(test_magic_version_suite_and_profile_are_checked),
        cmocka_unit_test(test_threshold_and_own_index_are_checked),
        cmocka_unit_test(test_a_threshold_that_is_not_the_degree_plus_one_is_refused),
        cmocka_unit_test(test_the_roster_is_checked),
        cmocka_unit_test(test_a_roster_out_of_order_or_range_is_refused),
        cmocka_unit_test(test_coordinates_are_checked),
        cmocka_unit_test(test_points_are_checked),
        cmocka_unit_test(test_another_key_with_its_own_key_id_is_refused),
        cmocka_unit_test(test_a_public_share_off_the_polynomial_is_refused),
        cmocka_unit_test(test_the_secret_is_checked_against_its_public_share),
        cmocka_unit_test(test_a_fresh_key_is_epoch_zero_and_not_imported),
        cmocka_unit_test(test_a_fresh_key_has_no_dealer_that_received_nothing),
        cmocka_unit_test(test_a_reshared_record_opens_with_its_dealers),
        cmocka_unit_test(test_dealers_are_checked),
        cmocka_unit_test(test_pairs_are_checked),
        cmocka_unit_test(test_the_missing_leaf_of_every_tree_must_be_zero),
        cmocka_unit_test(test_every_nibble_of_delta_is_bound_to_the_seeds),
        cmocka_unit_test(test_a_burned_role_is_erased_and_an_erased_one_is_burned),
        cmocka_unit_test(test_a_pending_record_opens_as_pending_only),
        cmocka_unit_test(test_an_active_record_is_not_pending_and_the_flag_alone_makes_none),
        cmocka_unit_test(test_lesson_2_23_a_share_that_does_not_open_is_zeroed),
        cmocka_unit_test(test_every_bit_of_the_public_part_is_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
