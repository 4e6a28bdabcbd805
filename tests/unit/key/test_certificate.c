/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates: whose signatures, over what, under which key; and the confirmation rebuilt from
 * one. */
#include "dealer.h"
#include "support.h"

#include "base/bytes.h"
#include "quorate/wire.h"
#include "wire/envelope.h"

#include <sodium.h>
#include <string.h>

static struct deal *valid(void)
{
    struct deal *d = deal_plan();

    deal_make(d);
    assert_int_equal(deal_open(d), QRT_OK);
    return d;
}

static void flipped(struct deal *d, size_t at)
{
    d->record[at] ^= 1;
    assert_int_equal(deal_open(d), QRT_E_RECORD_CERTIFICATE);
    d->record[at] ^= 1;
}

/* kgid, chain code: nothing else in the record could tell. lessons.md part 2, row 13. */
static void test_lesson_2_13_what_the_parties_signed_is_what_the_record_says(void **state)
{
    struct deal *d = valid();
    size_t certificate = deal_at_certificate(d);

    (void)state;
    for (size_t i = 0; i < 32; i++) {
        flipped(d, AT_KGID + i);
        flipped(d, AT_CC + i);
        flipped(d, certificate + 1 + i);  /* ssid0 */
        flipped(d, certificate + 33 + i); /* bh_2 */
    }
    for (size_t i = 0; i < 3; i++)
        flipped(d, deal_at_party(i) + 2); /* idk */
}

static void test_every_signature_and_key_is_checked(void **state)
{
    struct deal *d = valid();

    (void)state;
    for (size_t row = 0; row < 3; row++)
        for (size_t i = 2; i < 98; i += 5)
            flipped(d, deal_at_cert_row(d, row) + i);
}

static void test_rows_must_be_every_party_once_in_order(void **state)
{
    struct deal *d = valid();
    uint8_t a[98], *row0 = d->record + deal_at_cert_row(d, 0), *row1 = row0 + 98;

    (void)state;
    memcpy(a, row0, 98);
    memcpy(row0, row1, 98); /* 2, 2, 3: one twice, one missing */
    assert_int_equal(deal_open(d), QRT_E_RECORD_CERTIFICATE);
    memcpy(row1, a, 98); /* 2, 1, 3 */
    assert_int_equal(deal_open(d), QRT_E_RECORD_CERTIFICATE);
    memcpy(row0, a, 98);
    qrt_be16_put(row0, 9); /* a stranger */
    assert_int_equal(deal_open(d), QRT_E_RECORD_CERTIFICATE);
}

/* Rows 2, 3, 9: the last with party 1's key and a signature it made as 9. */
static void test_a_party_under_a_strangers_index_is_refused(void **state)
{
    struct deal *d = valid();
    uint8_t one[98], *row0 = d->record + deal_at_cert_row(d, 0);

    (void)state;
    memcpy(one, row0, 98);
    memmove(row0, row0 + 98, 2 * 98);
    memcpy(row0 + 2 * 98, one, 98);
    qrt_be16_put(row0 + 2 * 98, 9);
    d->index[0] = 9;
    deal_sign(d);
    assert_int_equal(deal_open(d), QRT_E_RECORD_CERTIFICATE);
}

/* Party 2's signature cannot stand for party 3, though both sign the same conf. */
static void test_a_signature_of_another_party_is_refused(void **state)
{
    struct deal *d = valid();

    (void)state;
    memcpy(d->record + deal_at_cert_row(d, 2) + 34, d->record + deal_at_cert_row(d, 1) + 34, 64);
    assert_int_equal(deal_open(d), QRT_E_RECORD_CERTIFICATE);
}

/* Another identity key with a good signature of its own. */
static void test_a_key_that_is_not_the_rosters_is_refused(void **state)
{
    struct deal *d = valid();

    (void)state;
    memcpy(d->identity[2], d->identity[5], 64);
    memcpy(d->record + deal_at_cert_row(d, 2) + 2, d->identity[5] + 32, 32);
    deal_sign(d);
    assert_int_equal(deal_open(d), QRT_E_RECORD_CERTIFICATE);
}

static void test_a_certificate_of_the_other_protocol_is_refused(void **state)
{
    struct deal *d = deal_plan();

    (void)state;
    d->protocol = 2;
    d->epoch = 5;
    deal_make(d);
    assert_int_equal(deal_open(d), QRT_OK);
    d->record[deal_at_certificate(d)] = QRT_KEYGEN;
    memset(d->record + AT_EPOCH, 0, 4);
    assert_int_equal(deal_open(d), QRT_E_RECORD_CERTIFICATE);
}

static void test_a_pending_certificate_must_be_ones_own(void **state)
{
    struct deal *d = deal_plan();
    uint8_t *row;

    (void)state;
    d->own = 2;
    d->flags = QRT_SHARE_PENDING;
    deal_make(d);
    assert_int_equal(deal_open(d), QRT_OK);
    row = d->record + deal_at_cert_row(d, 0);
    flipped(d, deal_at_cert_row(d, 0) + 97);
    qrt_be16_put(row, 3);
    memcpy(row + 2, d->identity[2] + 32, 32);
    deal_sign(d);
    assert_int_equal(deal_open(d), QRT_E_RECORD_CERTIFICATE);
}

static void test_a_confirmation_is_a_valid_fourth_round_broadcast(void **state)
{
    struct deal *d = valid();
    uint8_t wire[QRT_CONFIRMATION_BYTES];
    struct qrt_signed m = {wire, NULL, 0, wire + 80, 32};
    struct qrt_header h;
    struct qrt_share s;

    (void)state;
    assert_int_equal(qrt_share_open(&s, d->ctx, d->record, d->len), QRT_OK);
    assert_int_equal(sizeof wire, qrt_wire_size(QRT_KEYGEN, 4, QRT_KIND_BROADCAST, 3, 2));
    for (uint16_t i = 1; i <= 3; i++) {
        assert_int_equal(qrt_share_confirmation(&s, d->ctx, i, wire), QRT_OK);
        assert_int_equal(qrt_header_decode(&h, wire, sizeof wire), QRT_OK);
        assert_int_equal(h.protocol, QRT_KEYGEN);
        assert_int_equal(h.round, 4);
        assert_int_equal(h.kind, QRT_KIND_BROADCAST);
        assert_int_equal(h.sender, i);
        assert_int_equal(h.receiver, QRT_EVERYBODY);
        assert_int_equal(h.payload_len, 32);
        assert_memory_equal(h.sid, s.certificate + 1, 32);
        assert_memory_equal(h.echo, s.certificate + 33, 32);
        assert_true(qrt_envelope_verify(d->ctx, wire + 112, &m, d->identity[i - 1] + 32));
    }
    assert_int_equal(qrt_share_confirmation(&s, d->ctx, 4, wire), QRT_E_SIGNER);
    assert_true(sodium_is_zero(wire, sizeof wire));
}

static void test_a_pending_record_confirms_for_its_owner_only(void **state)
{
    struct deal *d = deal_plan();
    uint8_t wire[QRT_CONFIRMATION_BYTES];
    struct qrt_share s;

    (void)state;
    d->own = 2;
    d->flags = QRT_SHARE_PENDING;
    deal_make(d);
    assert_int_equal(qrt_share_open_pending(&s, d->ctx, d->record, d->len), QRT_OK);
    assert_int_equal(qrt_share_confirmation(&s, d->ctx, 2, wire), QRT_OK);
    assert_int_equal(qrt_share_confirmation(&s, d->ctx, 1, wire), QRT_E_SIGNER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lesson_2_13_what_the_parties_signed_is_what_the_record_says),
        cmocka_unit_test(test_every_signature_and_key_is_checked),
        cmocka_unit_test(test_rows_must_be_every_party_once_in_order),
        cmocka_unit_test(test_a_party_under_a_strangers_index_is_refused),
        cmocka_unit_test(test_a_signature_of_another_party_is_refused),
        cmocka_unit_test(test_a_key_that_is_not_the_rosters_is_refused),
        cmocka_unit_test(test_a_certificate_of_the_other_protocol_is_refused),
        cmocka_unit_test(test_a_pending_certificate_must_be_ones_own),
        cmocka_unit_test(test_a_confirmation_is_a_valid_fourth_round_broadcast),
        cmocka_unit_test(test_a_pending_record_confirms_for_its_owner_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
