/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of a share record, from the reader's side and from the maker's. */
#include "dealer.h"
#include "support.h"

#include "base/bytes.h"
#include "base/port.h"
#include "hash/transcript.h"

#include <string.h>

static void test_a_two_of_three_record_has_33717_bytes(void **state)
{
    (void)state;
    assert_int_equal(qrt_share_size(3, 0, 3), 33717);
    assert_int_equal(qrt_share_size(3, 0, 1), 33717 - 2 * 98);
    assert_int_equal(qrt_share_size(3, 2, 5), 33717 + 2 * 34 + 2 * 98);
    assert_int_equal(qrt_share_size(4, 0, 4), 33717 + 99 + 16435 + 98);
}

static void test_every_field_is_found(void **state)
{
    struct deal *d = deal_plan();
    struct qrt_share s;
    const uint8_t *r = d->record;

    (void)state;
    d->own = 2;
    deal_make(d);
    assert_int_equal(qrt_share_open(&s, d->ctx, r, d->len), QRT_OK);
    assert_ptr_equal(s.record, r);
    assert_int_equal(s.record_len, d->len);
    assert_int_equal(s.suite, 1);
    assert_int_equal(s.profile, 1);
    assert_int_equal(s.flags, 0);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.t, 2);
    assert_int_equal(s.own, 2);
    assert_int_equal(s.dealers_n, 0);
    assert_int_equal(s.epoch, 0);
    assert_true(s.created == 1700000000);
    assert_ptr_equal(s.kgid, r + AT_KGID);
    assert_ptr_equal(s.keyid, r + AT_KEYID);
    assert_ptr_equal(s.pk, r + AT_PK);
    assert_ptr_equal(s.cc, r + AT_CC);
    assert_ptr_equal(s.s, r + AT_S);
    assert_ptr_equal(s.parties, r + AT_PARTIES);
    assert_ptr_equal(s.pairs, r + deal_at_pair(d, 0));
    assert_ptr_equal(s.certificate, r + deal_at_certificate(d));
    assert_int_equal(s.certificate_len, 67 + 3 * 98);
    assert_memory_equal(s.s, d->s[1], 32);
}

static void test_rows_are_found_by_index(void **state)
{
    struct deal *d = deal_plan();
    struct qrt_share s;

    (void)state;
    d->own = d->index[1] = 20;
    d->index[2] = 65534;
    deal_make(d);
    assert_int_equal(qrt_share_open(&s, d->ctx, d->record, d->len), QRT_OK);
    assert_ptr_equal(qrt_share_party(&s, 1), &s.parties[0]);
    assert_ptr_equal(qrt_share_party(&s, 20), &s.parties[1]);
    assert_ptr_equal(qrt_share_party(&s, 65534), &s.parties[2]);
    assert_null(qrt_share_party(&s, 2));
    assert_ptr_equal(qrt_share_pair(&s, 1), s.pairs);
    assert_ptr_equal(qrt_share_pair(&s, 65534), s.pairs + 16435);
    assert_null(qrt_share_pair(&s, 20));
    assert_null(qrt_share_pair(&s, 2));
}

static void test_strangers_are_refused_as_co_signers(void **state)
{
    struct deal *d = deal_plan();
    struct qrt_share s;

    (void)state;
    deal_make(d);
    d->record[deal_at_pair(d, 1) + 2] = QRT_BURN_THEIRS;
    assert_int_equal(qrt_share_open(&s, d->ctx, d->record, d->len), QRT_OK);
    assert_int_equal(qrt_share_burn_bits(&s, 1), 0);
    assert_int_equal(qrt_share_burn_bits(&s, 2), 0);
    assert_int_equal(qrt_share_burn_bits(&s, 3), QRT_BURN_THEIRS);
    assert_int_equal(qrt_share_burn_bits(&s, 4), QRT_BURN_MINE | QRT_BURN_THEIRS);
}

static void test_every_other_length_is_refused(void **state)
{
    struct deal *d = deal_plan();
    struct qrt_share s;

    (void)state;
    deal_make(d);
    for (size_t len = 0; len < d->len; len++)
        assert_int_equal(qrt_share_open(&s, d->ctx, d->record, len), QRT_E_RECORD_FORMAT);
    assert_int_equal(qrt_share_open(&s, d->ctx, d->record, d->len + 1), QRT_E_RECORD_FORMAT);
    assert_int_equal(qrt_share_open(&s, d->ctx, d->record, d->len + 98), QRT_E_RECORD_FORMAT);
    assert_int_equal(qrt_share_open(&s, d->ctx, d->record, d->len), QRT_OK);
}

/* Counts that lie about the length, huge ones too, before any row is read. */
static void test_counts_that_do_not_fit_the_length_are_refused(void **state)
{
    static const uint16_t counts[] = {0, 1, 2, 4, 63, 64, 65, 128, 0x7fff, 0xffff};
    struct deal *d = deal_plan();
    const size_t m = 65;

    (void)state;
    deal_make(d);
    for (size_t i = 0; i < QRT_ARRAY_LEN(counts); i++) {
        enum qrt_err e;

        qrt_be16_put(d->record + AT_N, counts[i]);
        e = deal_open(d);
        assert_true(e == QRT_E_RECORD_FORMAT || e == QRT_E_RECORD_FIELD);
        qrt_be16_put(d->record + AT_N, 3);
        if (counts[i] == 0)
            continue;
        qrt_be16_put(d->record + deal_at_d(d), counts[i]);
        assert_int_equal(deal_open(d), counts[i] <= 64 ? QRT_E_RECORD_FORMAT : QRT_E_RECORD_FIELD);
        qrt_be16_put(d->record + deal_at_d(d), 0);
        qrt_be16_put(d->record + deal_at_certificate(d) + m, counts[i]);
        assert_int_equal(deal_open(d), QRT_E_RECORD_FORMAT);
        qrt_be16_put(d->record + deal_at_certificate(d) + m, 3);
    }
    assert_int_equal(deal_open(d), QRT_OK);
}

/* A maker that fills a draft with the dealer's values makes the dealer's record. */
static void test_a_draft_filled_in_is_the_same_record(void **state)
{
    static uint8_t record[DEAL_RECORD_MAX];
    struct deal *d = deal_plan();
    struct qrt_share_head head = {
        .suite = 1, .profile = 1, .n = 3, .t = 2, .own = 2, .created = 1700000000};
    struct qrt_share_draft draft;
    const uint8_t *r = d->record;

    (void)state;
    d->own = 2;
    deal_make(d);
    memset(record, 0xee, sizeof record);
    qrt_share_draft(&draft, record, &head, d->index);
    assert_int_equal(*draft.flags, 0);
    for (size_t i = 0; i < 3; i++)
        assert_memory_equal(draft.parties[i].index, r + deal_at_party(i), 2);
    for (size_t i = 0; i < 2; i++)
        assert_memory_equal(draft.pairs[i].index, r + deal_at_pair(d, i), 2);
    memcpy(draft.kgid, r + AT_KGID, 32);
    memcpy(draft.keyid, r + AT_KEYID, 32);
    memcpy(draft.pk, r + AT_PK, 33);
    memcpy(draft.cc, r + AT_CC, 32);
    memcpy(draft.s, r + AT_S, 32);
    memcpy(draft.parties, r + AT_PARTIES, 3 * 99);
    memcpy(draft.pairs, r + deal_at_pair(d, 0), 2 * 16435);
    memcpy(draft.certificate, r + deal_at_certificate(d), 67 + 3 * 98);
    assert_memory_equal(record, r, d->len);
    assert_int_equal(record[d->len], 0xee);
}

static void test_a_record_is_viewed_without_its_certificate(void **state)
{
    struct deal *d = deal_plan();
    struct qrt_share s;
    size_t len;

    (void)state;
    deal_make(d);
    len = deal_at_certificate(d);
    qrt_share_view(&s, d->record, len);
    assert_int_equal(s.n, 3);
    assert_ptr_equal(s.certificate, d->record + len);
    assert_int_equal(s.certificate_len, 0);
    qrt_share_view(&s, d->record, d->len);
    assert_int_equal(s.certificate_len, 67 + 3 * 98);
}

static void test_the_key_id_hashes_suite_and_key(void **state)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    uint8_t pk[33], keyid[32], want[32], suite = 1;
    struct qrt_th th;

    (void)state;
    test_unhex(pk, 33, "03915e6abd694e3f51b7cbd6aab54eeee70b889d8393484f617247e51dcf8eccb0");
    qrt_th_start(&th, ctx, QRT_L_KG_KEYID);
    qrt_th_field(&th, &suite, 1);
    qrt_th_field(&th, pk, 33);
    qrt_th_end(&th, want);
    qrt_share_keyid(ctx, keyid, 1, pk);
    assert_memory_equal(keyid, want, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_two_of_three_record_has_33717_bytes),
        cmocka_unit_test(test_every_field_is_found),
        cmocka_unit_test(test_rows_are_found_by_index),
        cmocka_unit_test(test_strangers_are_refused_as_co_signers),
        cmocka_unit_test(test_every_other_length_is_refused),
        cmocka_unit_test(test_counts_that_do_not_fit_the_length_are_refused),
        cmocka_unit_test(test_a_draft_filled_in_is_the_same_record),
        cmocka_unit_test(test_a_record_is_viewed_without_its_certificate),
        cmocka_unit_test(test_the_key_id_hashes_suite_and_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
