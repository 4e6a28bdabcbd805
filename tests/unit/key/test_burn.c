/* SPDX-License-Identifier: Apache-2.0 */
/* Burn records: their codec, and what applying one leaves of a pair (protocol.md D.8). */
#include "dealer.h"
#include "support.h"

#include "base/bytes.h"

#include <sodium.h>
#include <string.h>

static struct qrt_burn burn_of(const struct deal *d, uint16_t peer)
{
    struct qrt_burn b = {.epoch = d->epoch, .own = d->own, .peers_n = 1, .peers = {peer}};

    memset(b.kgid, 0x77, 32);
    return b;
}

static struct deal *valid(void)
{
    struct deal *d = deal_plan();

    deal_make(d);
    return d;
}

static void test_the_record_has_its_documented_layout(void **state)
{
    struct qrt_burn b = {.epoch = 0x01020304, .own = 0x0506, .peers_n = 2, .peers = {7, 0x0809}};
    uint8_t out[QRT_BURN_MAX];

    (void)state;
    memset(b.kgid, 0xaa, 32);
    assert_int_equal(qrt_burn_encode(out, &b), 49);
    assert_true(test_is_hex(out, 49,
                            "444b423101"
                            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                            "010203040506000200070809"));
}

static void test_what_was_encoded_decodes_to_the_same(void **state)
{
    struct qrt_burn b = {.epoch = 9, .own = 65534, .peers_n = QRT_PARTIES_MAX}, back;
    uint8_t out[QRT_BURN_MAX];

    (void)state;
    for (uint16_t i = 0; i < QRT_PARTIES_MAX; i++)
        b.peers[i] = (uint16_t)(3 * i + 1);
    assert_int_equal(qrt_burn_encode(out, &b), QRT_BURN_MAX);
    assert_int_equal(qrt_burn_decode(&back, out, QRT_BURN_MAX), QRT_OK);
    assert_memory_equal(&back, &b, sizeof b);
}

static void test_every_other_length_is_refused(void **state)
{
    struct qrt_burn b = {.own = 1, .peers_n = 3, .peers = {2, 3, 4}}, back;
    uint8_t out[QRT_BURN_MAX + 1] = {0};
    size_t len = qrt_burn_encode(out, &b);

    (void)state;
    for (size_t cut = 0; cut <= sizeof out; cut++)
        assert_int_equal(qrt_burn_decode(&back, out, cut),
                         cut == len ? QRT_OK : QRT_E_RECORD_FORMAT);
}

static void decoded(size_t at, uint8_t value, enum qrt_err want)
{
    struct qrt_burn b = {.own = 1, .peers_n = 2, .peers = {2, 3}}, back;
    uint8_t out[QRT_BURN_MAX];
    size_t len = qrt_burn_encode(out, &b);

    out[at] = value;
    assert_int_equal(qrt_burn_decode(&back, out, len), want);
}

static void test_fields_out_of_range_are_refused(void **state)
{
    (void)state;
    decoded(0, 'X', QRT_E_RECORD_FORMAT);
    decoded(4, 2, QRT_E_RECORD_VERSION);
    decoded(4, 0, QRT_E_RECORD_VERSION);
    decoded(42, 0, QRT_E_RECORD_FIELD); /* own 0 */
    decoded(42, 2, QRT_E_RECORD_FIELD); /* own among the peers */
    decoded(44, 1, QRT_E_RECORD_FORMAT);
    decoded(46, 0, QRT_E_RECORD_FIELD);
    decoded(46, 3, QRT_E_RECORD_FIELD); /* twice */
    decoded(48, 1, QRT_E_RECORD_FIELD);
    decoded(48, 4, QRT_OK);
}

static void test_a_burn_of_nobody_is_refused(void **state)
{
    struct qrt_burn b = {.own = 1, .peers_n = 1, .peers = {2}}, back;
    uint8_t out[QRT_BURN_MAX];

    (void)state;
    assert_int_equal(qrt_burn_encode(out, &b), 47);
    out[44] = 0;
    assert_int_equal(qrt_burn_decode(&back, out, 45), QRT_E_RECORD_FIELD);
}

/* lessons.md part 2, row 9: the pair is dead in what is stored, nothing else changes. */
static void test_lesson_2_09_burning_erases_alice_towards_that_peer_and_nothing_else(void **state)
{
    static uint8_t before[DEAL_RECORD_MAX];
    struct deal *d = valid();
    struct qrt_burn b = burn_of(d, 3);
    uint8_t burn[QRT_BURN_MAX];
    size_t burn_len = qrt_burn_encode(burn, &b), row = deal_at_pair(d, 1);
    size_t alice = row + 3 + 32 + 8192, end = row + 16435;
    struct qrt_share s;

    (void)state;
    memcpy(before, d->record, d->len);
    assert_int_equal(qrt_share_burn(d->record, d->len, burn, burn_len), QRT_OK);
    assert_int_equal(d->record[row + 2], QRT_BURN_MINE);
    assert_true(sodium_is_zero(d->record + alice, 8192 + 16));
    before[row + 2] = QRT_BURN_MINE;
    assert_memory_equal(d->record, before, alice);
    assert_memory_equal(d->record + end, before + end, d->len - end);
    assert_int_equal(qrt_share_open(&s, d->ctx, d->record, d->len), QRT_OK);
    assert_int_equal(qrt_share_burn_bits(&s, 3), QRT_BURN_MINE);
    assert_int_equal(qrt_share_burn_bits(&s, 2), 0);
}

static void test_burning_twice_changes_nothing_more(void **state)
{
    static uint8_t once[DEAL_RECORD_MAX];
    struct deal *d = valid();
    struct qrt_burn b = burn_of(d, 2);
    uint8_t burn[QRT_BURN_MAX];
    size_t burn_len = qrt_burn_encode(burn, &b);

    (void)state;
    d->record[deal_at_pair(d, 0) + 2] = QRT_BURN_THEIRS;
    assert_int_equal(qrt_share_burn(d->record, d->len, burn, burn_len), QRT_OK);
    memcpy(once, d->record, d->len);
    assert_int_equal(once[deal_at_pair(d, 0) + 2], QRT_BURN_MINE | QRT_BURN_THEIRS);
    assert_int_equal(qrt_share_burn(d->record, d->len, burn, burn_len), QRT_OK);
    assert_memory_equal(d->record, once, d->len);
    assert_int_equal(deal_open(d), QRT_OK);
}

static void test_several_peers_burn_at_once(void **state)
{
    struct deal *d = valid();
    struct qrt_burn b = burn_of(d, 2);
    uint8_t burn[QRT_BURN_MAX];
    size_t len;

    (void)state;
    b.peers_n = 2;
    b.peers[1] = 3;
    len = qrt_burn_encode(burn, &b);
    assert_int_equal(qrt_share_burn(d->record, d->len, burn, len), QRT_OK);
    assert_int_equal(d->record[deal_at_pair(d, 0) + 2], QRT_BURN_MINE);
    assert_int_equal(d->record[deal_at_pair(d, 1) + 2], QRT_BURN_MINE);
    assert_int_equal(deal_open(d), QRT_OK);
}

static void refused(struct qrt_burn b, enum qrt_err want)
{
    static uint8_t before[DEAL_RECORD_MAX];
    struct deal *d = valid();
    uint8_t burn[QRT_BURN_MAX];
    size_t len = qrt_burn_encode(burn, &b);

    memcpy(before, d->record, d->len);
    assert_int_equal(qrt_share_burn(d->record, d->len, burn, len), want);
    assert_memory_equal(d->record, before, d->len);
}

static void test_a_burn_of_another_share_changes_nothing(void **state)
{
    struct deal *d = valid();
    struct qrt_burn b = burn_of(d, 2);

    (void)state;
    b.kgid[31] ^= 1;
    refused(b, QRT_E_EPOCH);
    b = burn_of(d, 2);
    b.epoch = 1;
    refused(b, QRT_E_EPOCH);
    b = burn_of(d, 2);
    b.own = 3;
    refused(b, QRT_E_EPOCH);
    b = burn_of(d, 2);
    b.peers_n = 2;
    b.peers[1] = 9; /* one of the two is a stranger: neither is burned */
    refused(b, QRT_E_RECORD_FIELD);
}

static void test_what_is_no_record_is_not_burned(void **state)
{
    struct deal *d = valid();
    struct qrt_burn b = burn_of(d, 2);
    uint8_t burn[QRT_BURN_MAX];
    size_t len = qrt_burn_encode(burn, &b);

    (void)state;
    assert_int_equal(qrt_share_burn(d->record, d->len - 1, burn, len), QRT_E_RECORD_FORMAT);
    assert_int_equal(qrt_share_burn(d->record, d->len, burn, len - 1), QRT_E_RECORD_FORMAT);
    d->record[AT_VERSION] = 2;
    assert_int_equal(qrt_share_burn(d->record, d->len, burn, len), QRT_E_RECORD_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_record_has_its_documented_layout),
        cmocka_unit_test(test_what_was_encoded_decodes_to_the_same),
        cmocka_unit_test(test_every_other_length_is_refused),
        cmocka_unit_test(test_fields_out_of_range_are_refused),
        cmocka_unit_test(test_a_burn_of_nobody_is_refused),
        cmocka_unit_test(test_lesson_2_09_burning_erases_alice_towards_that_peer_and_nothing_else),
        cmocka_unit_test(test_burning_twice_changes_nothing_more),
        cmocka_unit_test(test_several_peers_burn_at_once),
        cmocka_unit_test(test_a_burn_of_another_share_changes_nothing),
        cmocka_unit_test(test_what_is_no_record_is_not_burned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
