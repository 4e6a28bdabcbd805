/* SPDX-License-Identifier: Apache-2.0 */
/* Key certificates: the public part of a share, alone. Each change of one field gives the named
 * error; what a forger could sign anew is signed anew here. */
#include "dealer.h"
#include "support.h"

#include "base/bytes.h"
#include "base/port.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { KK_KGID = 7, KK_EPOCH = 39, KK_KEYID = 43, KK_N = 75, KK_T = 77, KK_PK = 79, KK_CC = 112 };
enum { KK_PARTIES = 144, CERT_MAX = 2048 };

/* A key certificate as a test changes it. */
struct cert {
    struct qrt_ctx *ctx;
    uint8_t b[CERT_MAX];
    size_t len;
};

static void export_of(struct cert *c, struct deal *d)
{
    struct qrt_bytes out = {c->b, sizeof c->b, 0};
    struct qrt_share share;

    assert_int_equal(qrt_share_open(&share, d->ctx, d->record, d->len), QRT_OK);
    assert_int_equal(qrt_certificate_export(&out, &share), QRT_OK);
    c->len = out.len;
    c->ctx = d->ctx;
}

static struct cert *valid(void)
{
    static struct cert c;
    struct deal *d = deal_plan();

    deal_make(d);
    export_of(&c, d);
    return &c;
}

static enum qrt_err open_it(const struct cert *c)
{
    struct qrt_key_certificate got;

    return qrt_certificate_open(&got, c->ctx, c->b, c->len);
}

static void replaced(struct cert *c, size_t at, const void *b, size_t len, enum qrt_err want)
{
    uint8_t kept[128];

    memcpy(kept, c->b + at, len);
    memcpy(c->b + at, b, len);
    assert_int_equal(open_it(c), want);
    memcpy(c->b + at, kept, len);
}

static void set_be16(struct cert *c, size_t at, uint16_t value, enum qrt_err want)
{
    uint8_t b[2];

    qrt_be16_put(b, value);
    replaced(c, at, b, 2, want);
}

/* What a record would be whose public part is changed at will: the field-by-field copy of the
 * public part of a deal, whether it would open or not. */
static void forged(struct cert *c, struct deal *d)
{
    const uint8_t *r = d->record;
    size_t all = (size_t)d->n + d->dealers_n, rows = deal_at_pair(d, 0) - AT_PARTIES;
    struct qrt_wr w;

    c->ctx = d->ctx;
    c->len = qrt_certificate_size(d->n, d->dealers_n);
    w = qrt_wr_init(c->b, c->len);
    qrt_wr_bytes(&w, "DKK1\1\1\1", 7);
    qrt_wr_bytes(&w, r + AT_KGID, 32 + 4 + 32);
    qrt_wr_bytes(&w, r + AT_N, 4);
    qrt_wr_bytes(&w, r + AT_PK, 33 + 32);
    qrt_wr_bytes(&w, r + AT_PARTIES, rows);
    qrt_wr_bytes(&w, r + deal_at_certificate(d), 67 + 98 * all);
    qrt_wr_end(&w);
}

static void test_every_active_share_exports_and_opens(void **state)
{
    static const uint16_t shapes[][3] = {{2, 2, 1}, {3, 2, 3}, {3, 3, 2}, {5, 3, 4}, {6, 6, 6}};
    static struct cert c, by_hand;

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(shapes); i++) {
        struct deal *d = deal_plan();

        d->n = shapes[i][0];
        d->t = shapes[i][1];
        d->own = shapes[i][2];
        d->degree = d->t - 1u;
        deal_make(d);
        export_of(&c, d);
        assert_int_equal(c.len, qrt_certificate_size(d->n, 0));
        assert_int_equal(open_it(&c), QRT_OK);
        forged(&by_hand, d);
        assert_memory_equal(c.b, by_hand.b, c.len);
    }
}

static void test_the_view_says_what_the_share_says(void **state)
{
    struct deal *d = deal_plan();
    struct qrt_key_certificate got;
    struct qrt_share share;
    static struct cert c;

    (void)state;
    deal_make(d);
    export_of(&c, d);
    assert_int_equal(c.len, 804);
    assert_int_equal(qrt_share_open(&share, d->ctx, d->record, d->len), QRT_OK);
    assert_int_equal(qrt_certificate_open(&got, c.ctx, c.b, c.len), QRT_OK);
    assert_ptr_equal(got.b, c.b);
    assert_int_equal(got.len, c.len);
    assert_int_equal(got.suite, QRT_SUITE_ECDSA);
    assert_int_equal(got.profile, QRT_PROFILE_1);
    assert_int_equal(got.n, 3);
    assert_int_equal(got.t, 2);
    assert_int_equal(got.epoch, 0);
    assert_int_equal(got.dealers_n, 0);
    assert_memory_equal(got.kgid, share.kgid, 32);
    assert_memory_equal(got.keyid, share.keyid, 32);
    assert_memory_equal(got.pk, share.pk, 33);
    assert_memory_equal(got.cc, share.cc, 32);
    assert_memory_equal(got.parties, share.parties, 3 * sizeof *got.parties);
    assert_int_equal(got.rows_n, 3);
    for (uint16_t i = 1; i <= 3; i++) {
        const struct qrt_cert_row *row = qrt_certificate_row(&got, i);

        assert_ptr_equal(row, &got.rows[i - 1]);
        assert_memory_equal(row->idpk, d->identity[i - 1] + 32, 32);
        assert_memory_equal(row, d->record + deal_at_cert_row(d, i - 1u), 98);
    }
    assert_null(qrt_certificate_row(&got, 4));
}

/* The receiver of the bytes compares them: all parties of a key make the same. */
static void test_every_party_makes_the_same_bytes(void **state)
{
    static struct cert a, b;

    (void)state;
    for (uint16_t own = 1; own <= 3; own++) {
        struct deal *d = deal_plan();

        d->own = own;
        deal_make(d);
        export_of(own == 1 ? &a : &b, d);
    }
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.b, b.b, a.len);
}

static void test_a_pending_share_has_none(void **state)
{
    struct deal *d = deal_plan();
    uint8_t b[CERT_MAX];
    struct qrt_bytes out = {b, sizeof b, 5};
    struct qrt_share share;

    (void)state;
    d->flags = QRT_SHARE_PENDING;
    deal_make(d);
    assert_int_equal(qrt_share_open_pending(&share, d->ctx, d->record, d->len), QRT_OK);
    assert_int_equal(qrt_certificate_export(&out, &share), QRT_E_PENDING);
    assert_int_equal(out.len, 0);
}

static void test_too_little_space_is_said(void **state)
{
    struct deal *d = deal_plan();
    uint8_t b[CERT_MAX];
    struct qrt_bytes out = {b, 803, 5};
    struct qrt_share share;

    (void)state;
    deal_make(d);
    assert_int_equal(qrt_share_open(&share, d->ctx, d->record, d->len), QRT_OK);
    assert_int_equal(qrt_certificate_export(&out, &share), QRT_E_SPACE);
    assert_int_equal(out.len, 0);
    out.cap = 804;
    assert_int_equal(qrt_certificate_export(&out, &share), QRT_OK);
}

/* No secret of the record is in the bytes: not the share, not a window of the pairs. */
static void test_nothing_secret_is_in_it(void **state)
{
    struct deal *d = deal_plan();
    static struct cert c;

    (void)state;
    deal_make(d);
    export_of(&c, d);
    for (size_t at = 0; at + 32 <= c.len; at++)
        assert_true(memcmp(c.b + at, d->s[0], 32) != 0);
    for (size_t pair = deal_at_pair(d, 0); pair + 16 <= deal_at_certificate(d); pair += 16)
        for (size_t at = 0; at + 16 <= c.len; at++)
            assert_true(sodium_is_zero(d->record + pair, 16) ||
                        memcmp(c.b + at, d->record + pair, 16) != 0);
}

static void test_every_bit_is_bound(void **state)
{
    struct cert *c = valid();

    (void)state;
    for (size_t bit = 0; bit < 8 * c->len; bit += bit % 8 == 7 ? 1 : 7) {
        c->b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(open_it(c), QRT_OK);
        c->b[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(open_it(c), QRT_OK);
}

static void test_every_cut_and_one_byte_more_is_refused(void **state)
{
    struct cert *c = valid();
    struct qrt_key_certificate got;
    size_t whole = c->len;

    (void)state;
    for (size_t len = 0; len < whole; len++) {
        uint8_t *exact = malloc(len + !len);

        assert_non_null(exact);
        memcpy(exact, c->b, len);
        assert_int_equal(qrt_certificate_open(&got, c->ctx, exact, len), QRT_E_RECORD_FORMAT);
        free(exact);
    }
    c->b[whole] = 0;
    c->len++;
    assert_int_equal(open_it(c), QRT_E_RECORD_FORMAT);
    assert_int_equal(qrt_certificate_open(&got, c->ctx, NULL, 0), QRT_E_RECORD_FORMAT);
}

static void test_head_and_counts_are_checked(void **state)
{
    struct cert *c = valid();

    (void)state;
    replaced(c, 0, "DKS1", 4, QRT_E_RECORD_FORMAT);
    replaced(c, 4, "\2", 1, QRT_E_RECORD_VERSION);
    replaced(c, 5, "\21", 1, QRT_E_RECORD_VERSION);
    replaced(c, 6, "\2", 1, QRT_E_RECORD_VERSION);
    set_be16(c, KK_N, 65, QRT_E_RECORD_FIELD);
    set_be16(c, KK_N, 65535, QRT_E_RECORD_FIELD);
    set_be16(c, KK_N, 4, QRT_E_RECORD_FIELD); /* d is read from a signature */
    set_be16(c, KK_T, 1, QRT_E_RECORD_FIELD);
    set_be16(c, KK_T, 4, QRT_E_RECORD_FIELD);
    set_be16(c, KK_PARTIES + 3 * 99, 1, QRT_E_RECORD_FORMAT);
    set_be16(c, KK_PARTIES + 3 * 99, 65, QRT_E_RECORD_FIELD);
    set_be16(c, KK_EPOCH, 1, QRT_E_RECORD_FIELD);
    replaced(c, KK_KEYID, c->b + KK_KGID, 32, QRT_E_RECORD_KEY);
    replaced(c, KK_KGID, c->b + KK_CC, 32, QRT_E_RECORD_CERTIFICATE);
    replaced(c, KK_CC, c->b + KK_KGID, 32, QRT_E_RECORD_CERTIFICATE);
}

/* The threshold is in no signature; the public shares alone show it. */
static void test_another_threshold_is_refused(void **state)
{
    struct cert *c = valid();

    (void)state;
    set_be16(c, KK_T, 3, QRT_E_RECORD_KEY);
}

static void test_rosters_are_checked(void **state)
{
    struct cert *c = valid();
    size_t row = KK_PARTIES, x = row + 34, X = row + 66;
    uint8_t zero[32] = {0};

    (void)state;
    set_be16(c, row, 0, QRT_E_RECORD_FIELD);
    set_be16(c, row, 2, QRT_E_RECORD_FIELD);
    set_be16(c, row + 2 * 99, 65535, QRT_E_RECORD_FIELD);
    set_be16(c, row + 2 * 99, 9, QRT_E_RECORD_CERTIFICATE);
    replaced(c, x, zero, 32, QRT_E_RECORD_FIELD);
    replaced(c, x, c->b + x + 99, 32, QRT_E_RECORD_FIELD);
    replaced(c, X, "\4", 1, QRT_E_RECORD_FIELD);
    replaced(c, X, c->b + X + 99, 33, QRT_E_RECORD_KEY);
    replaced(c, row + 2, c->b + row + 99 + 2, 32, QRT_E_RECORD_CERTIFICATE);
}

/* All have signed it, so nothing but the public shares' own equation can tell. */
static void test_signed_nonsense_is_refused(void **state)
{
    struct deal *d = deal_plan();
    static struct cert c;

    (void)state;
    deal_make(d);
    d->record[deal_at_party(2) + 66] ^= 1;
    deal_sign(d);
    forged(&c, d);
    assert_int_equal(open_it(&c), QRT_E_RECORD_KEY);
    deal_make(d);
    memcpy(d->record + AT_PK, d->X[0], 33);
    qrt_share_keyid(d->ctx, d->record + AT_KEYID, 1, d->X[0]);
    deal_sign(d);
    forged(&c, d);
    assert_int_equal(open_it(&c), QRT_E_RECORD_KEY);
}

static void test_another_identity_or_signature_is_refused(void **state)
{
    struct deal *d = deal_plan();
    static struct cert c;
    uint8_t *row;

    (void)state;
    deal_make(d);
    memcpy(d->identity[2], d->identity[5], 64);
    memcpy(d->record + deal_at_cert_row(d, 2) + 2, d->identity[5] + 32, 32);
    deal_sign(d);
    forged(&c, d);
    assert_int_equal(open_it(&c), QRT_E_RECORD_CERTIFICATE);
    deal_make(d);
    forged(&c, d);
    row = c.b + c.len - 98;
    replaced(&c, c.len - 64, row - 64, 64, QRT_E_RECORD_CERTIFICATE);
    replaced(&c, c.len - 98, row - 98, 98, QRT_E_RECORD_CERTIFICATE);
}

static void test_a_reshared_key_names_its_dealers(void **state)
{
    struct deal *d = deal_plan();
    struct qrt_key_certificate got;
    static struct cert c;

    (void)state;
    d->protocol = 2;
    d->epoch = 7;
    d->dealers_n = 2;
    d->flags = QRT_SHARE_IMPORTED;
    deal_make(d);
    export_of(&c, d);
    assert_int_equal(c.len, qrt_certificate_size(3, 2));
    assert_int_equal(qrt_certificate_open(&got, c.ctx, c.b, c.len), QRT_OK);
    assert_int_equal(got.epoch, 7);
    assert_int_equal(got.dealers_n, 2);
    assert_int_equal(got.rows_n, 5);
    assert_memory_equal(got.dealers, d->record + deal_at_d(d) + 2, 2 * 34);
    assert_memory_equal(qrt_certificate_row(&got, 5)->idpk, d->identity[4] + 32, 32);
    set_be16(&c, KK_EPOCH + 2, 0, QRT_E_RECORD_FIELD);
    set_be16(&c, KK_PARTIES + 3 * 99 + 2, 1, QRT_E_RECORD_FIELD);
    set_be16(&c, KK_PARTIES + 3 * 99 + 2, 6, QRT_E_RECORD_FIELD);
}

static void test_what_does_not_open_is_zeroed(void **state)
{
    struct cert *c = valid();
    struct qrt_key_certificate got;

    (void)state;
    c->b[c->len - 1] ^= 1;
    memset(&got, 0xee, sizeof got);
    assert_int_equal(qrt_certificate_open(&got, c->ctx, c->b, c->len), QRT_E_RECORD_CERTIFICATE);
    assert_true(sodium_is_zero((const uint8_t *)&got, sizeof got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_active_share_exports_and_opens),
        cmocka_unit_test(test_the_view_says_what_the_share_says),
        cmocka_unit_test(test_every_party_makes_the_same_bytes),
        cmocka_unit_test(test_a_pending_share_has_none),
        cmocka_unit_test(test_too_little_space_is_said),
        cmocka_unit_test(test_nothing_secret_is_in_it),
        cmocka_unit_test(test_every_bit_is_bound),
        cmocka_unit_test(test_every_cut_and_one_byte_more_is_refused),
        cmocka_unit_test(test_head_and_counts_are_checked),
        cmocka_unit_test(test_another_threshold_is_refused),
        cmocka_unit_test(test_rosters_are_checked),
        cmocka_unit_test(test_signed_nonsense_is_refused),
        cmocka_unit_test(test_another_identity_or_signature_is_refused),
        cmocka_unit_test(test_a_reshared_key_names_its_dealers),
        cmocka_unit_test(test_what_does_not_open_is_zeroed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
