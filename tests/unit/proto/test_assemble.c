/* SPDX-License-Identifier: Apache-2.0 */
/* The last step of a signature: sums, low s, recovery id, against libsecp256k1's own recovery. */
#include "proto/online.h"
#include "session.h"

#include <secp256k1_recovery.h>
#include <stdlib.h>
#include <string.h>

enum { SIGNERS = 3 };

static const char order_hex[] = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
static struct test_rng rng = {7};
static struct qrt_run *run;

static int make_run(void **state)
{
    static const uint16_t index[SIGNERS] = {2, 9, 100};
    struct qrt_run_params p = {.def = &qrt_online_def, .index = index, .n = SIGNERS, .t = SIGNERS};

    (void)state;
    run = aligned_alloc(QRT_ALIGN, qrt_run_size(QRT_ONLINE, SIGNERS, SIGNERS));
    if (!run)
        return -1;
    qrt_run_init(run, full_ctx(), &p);
    return 0;
}

static int free_run(void **state)
{
    (void)state;
    free(run);
    return 0;
}

static void random_scalar(struct qrt_sc *s)
{
    uint8_t b[32];

    test_rng_bytes(&rng, b, sizeof b);
    qrt_sc_reduce(s, b);
}

static uint8_t *payload(size_t i)
{
    return run->slots[3][QRT_KIND_BROADCAST][i].payload;
}

/* |sum| in SIGNERS random parts, at |offset| of each payload. */
static void spread(const struct qrt_sc *sum, size_t offset)
{
    struct qrt_sc rest = *sum, part;

    for (size_t i = 1; i < SIGNERS; i++) {
        random_scalar(&part);
        qrt_sc_sub(&rest, &rest, &part);
        qrt_sc_encode(payload(i) + offset, &part);
    }
    qrt_sc_encode(payload(0) + offset, &rest);
}

/* The key for which (r, s) with nonce point |R| signs |digest|: found by recovery. */
static void key_for(struct qrt_assembly *as, const struct qrt_sc *s, int recid)
{
    const secp256k1_context *secp = full_ctx()->secp;
    secp256k1_ecdsa_recoverable_signature sig;
    secp256k1_pubkey pk;
    uint8_t b[64];
    size_t len = sizeof as->pk.b;

    qrt_sc_encode(b, &as->r);
    qrt_sc_encode(b + 32, s);
    assert_true(secp256k1_ecdsa_recoverable_signature_parse_compact(secp, &sig, b, recid));
    assert_true(secp256k1_ecdsa_recover(secp, &pk, &sig, as->digest.b));
    secp256k1_ec_pubkey_serialize(secp, as->pk.b, &len, &pk, SECP256K1_EC_COMPRESSED);
}

/* An assembly around |R| whose right sums stand in the payloads. */
static void prepare(struct qrt_assembly *as, struct qrt_sc *s, const struct qrt_pt *R,
                    bool overflow)
{
    struct qrt_sc u, w;
    uint8_t b[33];

    *as = (struct qrt_assembly){.R = *R};
    assert_true(qrt_assembly_nonce(full_ctx(), as));
    test_rng_bytes(&rng, as->digest.b, 32);
    qrt_pt_encode(full_ctx(), b, R);
    key_for(as, s, (b[0] & 1) | (overflow ? 2 : 0));
    random_scalar(&u);
    qrt_sc_mul(&w, s, &u);
    spread(&w, SG_R3_W);
    spread(&u, SG_R3_U);
}

static void expect_signature(const struct qrt_assembly *as, const struct qrt_sc *s, bool overflow)
{
    const secp256k1_context *secp = full_ctx()->secp;
    secp256k1_ecdsa_recoverable_signature sig;
    secp256k1_pubkey pk;
    struct qrt_sc low = *s, got;
    uint8_t b[64], key[33], R[33];
    size_t len = sizeof key;

    qrt_pt_encode(full_ctx(), R, &as->R);
    if (qrt_sc_is_high(s))
        qrt_sc_neg(&low, s);
    assert_true(as->done);
    assert_true(qrt_sc_decode(&got, as->sig.s));
    assert_true(qrt_sc_equal(&got, &low));
    assert_int_equal(as->sig.recid, ((R[0] & 1) ^ qrt_sc_is_high(s)) | (overflow ? 2 : 0));
    memcpy(b, as->sig.r, 32);
    memcpy(b + 32, as->sig.s, 32);
    assert_true(secp256k1_ecdsa_recoverable_signature_parse_compact(secp, &sig, b, as->sig.recid));
    assert_true(secp256k1_ecdsa_recover(secp, &pk, &sig, as->digest.b));
    secp256k1_ec_pubkey_serialize(secp, key, &len, &pk, SECP256K1_EC_COMPRESSED);
    assert_memory_equal(key, as->pk.b, sizeof key);
}

static void random_point(struct qrt_pt *R)
{
    struct qrt_sc k;

    random_scalar(&k);
    qrt_pt_base(full_ctx(), R, &k);
}

static void test_random_sums_give_low_signatures_with_their_recovery_id(void **state)
{
    size_t seen[4] = {0};

    (void)state;
    for (size_t i = 0; i < 500; i++) {
        struct qrt_assembly as;
        struct qrt_pt R;
        struct qrt_sc s;

        random_point(&R);
        random_scalar(&s);
        prepare(&as, &s, &R, false);
        assert_int_equal(qrt_assembly_parse(run), QRT_OK);
        assert_int_equal(qrt_assembly_check(run, &as), QRT_OK);
        expect_signature(&as, &s, false);
        seen[2 * qrt_sc_is_high(&s) + (as.sig.recid & 1)]++;
    }
    for (size_t i = 0; i < 4; i++)
        assert_true(seen[i] > 50);
}

/* The |skip|-th point whose x-coordinate is in [q, p), even or odd. */
static void high_point(struct qrt_pt *R, size_t skip, uint8_t parity)
{
    uint8_t b[33] = {0};

    test_unhex(b + 1, 32, order_hex);
    b[0] = (uint8_t)(2 + parity);
    for (unsigned offset = 1; offset < 60; offset++) {
        b[32] = (uint8_t)(0x41 + offset);
        if (qrt_pt_decode(full_ctx(), R, b) && !skip--)
            return;
    }
    fail_msg("no such point");
}

static void test_a_nonce_beyond_the_order_sets_the_second_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < 40; i++) {
        struct qrt_assembly as;
        struct qrt_pt R;
        struct qrt_sc s, small;

        high_point(&R, i / 2, i % 2);
        random_scalar(&s);
        prepare(&as, &s, &R, true);
        qrt_sc_set_u32(&small, 60);
        qrt_sc_sub(&small, &small, &as.r); /* r = x - q is a small number */
        assert_false(qrt_sc_is_high(&small));
        assert_int_equal(qrt_assembly_check(run, &as), QRT_OK);
        expect_signature(&as, &s, true);
        assert_true(as.sig.recid & 2);
    }
}

static void expect_refused(struct qrt_assembly *as)
{
    assert_int_equal(qrt_assembly_check(run, as), QRT_E_SG_ASSEMBLY);
    assert_false(as->done);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(as->sig.s[i] | as->sig.r[i], 0);
}

static void test_sums_that_are_zero_or_wrong_are_no_signature(void **state)
{
    struct qrt_assembly as;
    struct qrt_pt R;
    struct qrt_sc s;

    (void)state;
    random_point(&R);
    random_scalar(&s);
    prepare(&as, &s, &R, false);
    for (size_t i = 0; i < SIGNERS; i++)
        for (size_t at = 31; at < 64; at += 32) {
            payload(i)[at] ^= 1;
            expect_refused(&as);
            payload(i)[at] ^= 1;
        }
    as.digest.b[31] ^= 1;
    expect_refused(&as);
    as.digest.b[31] ^= 1;
    as.pk.b[0] ^= 1;
    expect_refused(&as);
    as.pk.b[0] ^= 1;
    assert_int_equal(qrt_assembly_check(run, &as), QRT_OK);
    prepare(&as, &s, &R, false);
    spread(&qrt_sc_zero, SG_R3_W);
    expect_refused(&as);
    prepare(&as, &s, &R, false);
    spread(&qrt_sc_zero, SG_R3_U);
    expect_refused(&as);
    spread(&qrt_sc_zero, SG_R3_W);
    expect_refused(&as);
}

static void test_every_number_of_everybody_must_be_below_the_order(void **state)
{
    struct qrt_pt R;
    struct qrt_sc s;
    struct qrt_assembly as;

    (void)state;
    random_point(&R);
    random_scalar(&s);
    for (size_t i = 0; i < SIGNERS; i++)
        for (size_t at = 0; at < 64; at += 32) {
            prepare(&as, &s, &R, false);
            test_unhex(payload(i) + at, 32, order_hex);
            run->culprit = 0;
            assert_int_equal(qrt_assembly_parse(run), QRT_E_MALFORMED_BROADCAST);
            assert_int_equal(run->culprit, run->index[i]);
            payload(i)[at + 31]--; /* q - 1 is fine */
            assert_int_equal(qrt_assembly_parse(run), QRT_OK);
            memset(payload(i) + at, 0xFF, 32);
            assert_int_equal(qrt_assembly_parse(run), QRT_E_MALFORMED_BROADCAST);
            memset(payload(i) + at, 0, 32); /* so is zero */
            assert_int_equal(qrt_assembly_parse(run), QRT_OK);
        }
}

static void test_a_nonce_that_vanishes_is_none(void **state)
{
    struct qrt_assembly as = {.R = {.inf = true}};

    (void)state;
    assert_false(qrt_assembly_nonce(full_ctx(), &as));
    random_point(&as.R);
    assert_true(qrt_assembly_nonce(full_ctx(), &as));
    /* r = 0 would need a point with x = q: there is none */
    {
        uint8_t b[33] = {2};
        struct qrt_pt p;

        test_unhex(b + 1, 32, order_hex);
        if (qrt_pt_decode(full_ctx(), &p, b)) {
            as.R = p;
            assert_false(qrt_assembly_nonce(full_ctx(), &as));
        }
    }
}

static void test_the_own_part_is_m_phi_plus_r_v_and_u(void **state)
{
    struct qrt_assembly as = {.done = false};
    struct qrt_sc phi, u, v, got;
    uint8_t p[64];

    (void)state;
    as.digest.b[31] = 2;
    qrt_sc_set_u32(&as.r, 5);
    qrt_sc_set_u32(&phi, 3);
    qrt_sc_set_u32(&u, 11);
    qrt_sc_set_u32(&v, 7);
    qrt_assembly_write(&as, p, &phi, &u, &v);
    assert_true(qrt_sc_decode(&got, p + SG_R3_W));
    qrt_sc_set_u32(&phi, 2 * 3 + 5 * 7);
    assert_true(qrt_sc_equal(&got, &phi));
    assert_true(qrt_sc_decode(&got, p + SG_R3_U));
    assert_true(qrt_sc_equal(&got, &u));
}

static void test_a_digest_beyond_the_order_is_reduced(void **state)
{
    struct qrt_assembly as = {.done = false};
    struct qrt_sc phi, got, nine;
    uint8_t p[64];

    (void)state;
    test_unhex(as.digest.b, 32, order_hex);
    as.digest.b[31] += 3;
    qrt_sc_set_u32(&phi, 3);
    qrt_assembly_write(&as, p, &phi, &qrt_sc_zero, &qrt_sc_zero);
    assert_true(qrt_sc_decode(&got, p + SG_R3_W));
    qrt_sc_set_u32(&nine, 9);
    assert_true(qrt_sc_equal(&got, &nine));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_sums_give_low_signatures_with_their_recovery_id),
        cmocka_unit_test(test_a_nonce_beyond_the_order_sets_the_second_bit),
        cmocka_unit_test(test_sums_that_are_zero_or_wrong_are_no_signature),
        cmocka_unit_test(test_every_number_of_everybody_must_be_below_the_order),
        cmocka_unit_test(test_a_nonce_that_vanishes_is_none),
        cmocka_unit_test(test_the_own_part_is_m_phi_plus_r_v_and_u),
        cmocka_unit_test(test_a_digest_beyond_the_order_is_reduced),
    };

    return cmocka_run_group_tests_name("assemble", tests, make_run, free_run);
}
