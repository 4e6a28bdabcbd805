/* SPDX-License-Identifier: Apache-2.0 */
/* Signing and presigning: what a start refuses, what makes a session's id, results and when they
 * are given. */
#include "proto/sign.h"
#include "toy.h"

#include <stdlib.h>
#include <string.h>

static struct world world;
static struct keyring key; /* 3 of 4 */
static struct qrt_share share;
static const uint16_t quorum[] = {3, 1, 4};
static struct qrt_sign_params params;
static uint8_t digest[32] = {9};

static int make_key(void **state)
{
    (void)state;
    world_init(&world, 4);
    keyring_make(&key, &world, 3, 1);
    return 0;
}

static int free_key(void **state)
{
    (void)state;
    keyring_free(&key);
    return 0;
}

static int reset(void **state)
{
    (void)state;
    share = *keyring_share(&key, 1);
    params = (struct qrt_sign_params){.share = &share, .signers = quorum, .signers_n = 3};
    params.message = (struct qrt_message){QRT_DIGEST_LOCAL, digest, sizeof digest};
    return 0;
}

static struct qrt_run *room(void)
{
    size_t size = qrt_run_size(QRT_SIGN, 4, 4);
    struct qrt_run *run = aligned_alloc(QRT_ALIGN, size);

    assert_non_null(run);
    memset(run, 0x5A, size);
    return run;
}

static enum qrt_err start_with(enum qrt_err (*f)(struct qrt_run *, const struct qrt_ctx *,
                                                 const struct qrt_sign_params *, uint8_t seed[32]),
                               uint8_t sid[32])
{
    struct qrt_run *run = room();
    uint8_t seed[32];
    enum qrt_err e;

    memset(seed, 0xEE, sizeof seed);
    e = f(run, full_ctx(), &params, seed);
    toy_expect_all(seed, sizeof seed, 0);
    if (e != QRT_OK) {
        toy_expect_all((const uint8_t *)run, qrt_run_size(QRT_SIGN, 4, 4), 0x5A);
    } else {
        if (sid)
            memcpy(sid, qrt_run_sid(run), 32);
        qrt_run_wipe(run);
    }
    free(run);
    return e;
}

/* Both kinds answer |e|, and the seed is gone. */
static void expect_start(enum qrt_err e)
{
    assert_int_equal(start_with(qrt_sign_start, NULL), e);
    assert_int_equal(start_with(qrt_presign_start, NULL), e);
}

static void test_a_good_start_wipes_its_seed(void **state)
{
    (void)state;
    expect_start(QRT_OK);
}

static void test_a_share_must_be_usable(void **state)
{
    (void)state;
    share.flags = QRT_SHARE_PENDING;
    expect_start(QRT_E_PENDING);
    share.flags = QRT_SHARE_REFRESH_REQUIRED;
    expect_start(QRT_E_REFRESH_REQUIRED);
    share.flags = QRT_SHARE_IMPORTED;
    expect_start(QRT_OK);
}

static void test_a_quorum_is_exactly_t_different_parties_with_oneself(void **state)
{
    static const struct {
        uint16_t signers[4];
        size_t n;
        enum qrt_err e;
    } cases[] = {
        {{1, 3}, 2, QRT_E_QUORUM},
        {{1, 2, 3, 4}, 4, QRT_E_QUORUM},
        {{1}, 0, QRT_E_QUORUM},
        {{1, 2, 5}, 3, QRT_E_SIGNER},
        {{1, 2, 0}, 3, QRT_E_SIGNER},
        {{1, 2, 65535}, 3, QRT_E_SIGNER},
        {{1, 3, 3}, 3, QRT_E_SIGNER},
        {{3, 1, 3}, 3, QRT_E_SIGNER},
        {{3, 3, 1}, 3, QRT_E_SIGNER},
        {{1, 1, 2}, 3, QRT_E_SIGNER},
        {{2, 3, 4}, 3, QRT_E_NOT_A_PARTY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        params.signers = cases[i].signers;
        params.signers_n = cases[i].n;
        expect_start(cases[i].e);
    }
}

static void test_signers_in_any_order_are_sorted(void **state)
{
    static const uint16_t orders[][3] = {{1, 2, 4}, {1, 4, 2}, {2, 1, 4},
                                         {2, 4, 1}, {4, 1, 2}, {4, 2, 1}};
    static const uint16_t parties[] = {1, 2, 4};

    (void)state;
    for (size_t p = 0; p < 3; p++)
        for (size_t i = 0; i < 6; i++) {
            uint16_t index[3];
            size_t own = 9;

            assert_int_equal(
                qrt_quorum_check(keyring_share(&key, parties[p]), orders[i], 3, index, &own),
                QRT_OK);
            assert_int_equal(own, p);
            assert_memory_equal(index, parties, sizeof index);
        }
}

/* Whichever of the two said so. */
static void test_a_burned_pair_does_not_sign(void **state)
{
    static const uint8_t bits[] = {QRT_BURN_MINE, QRT_BURN_THEIRS, QRT_BURN_MINE | QRT_BURN_THEIRS};
    uint8_t *record = malloc(key.len[0]);

    (void)state;
    assert_non_null(record);
    for (size_t i = 0; i < sizeof bits; i++) {
        struct qrt_share_pair *pair;

        memcpy(record, key.record[0], key.len[0]);
        share = *keyring_share(&key, 1);
        share.pairs = record + (share.pairs - key.record[0]);
        pair = (struct qrt_share_pair *)(uintptr_t)qrt_share_pair(&share, 4);
        pair->burn = bits[i];
        expect_start(QRT_E_BURNED);
        {
            static const uint16_t others[] = {1, 2, 3};

            params.signers = others;
            expect_start(QRT_OK);
            params.signers = quorum;
        }
    }
    free(record);
}

static void test_paths_and_digests_are_checked_first(void **state)
{
    static const uint32_t hardened[] = {0x80000000u}, longest[QRT_PATH_MAX + 1];

    (void)state;
    params.path = hardened;
    params.path_n = 1;
    expect_start(QRT_E_PATH);
    params.path = longest;
    params.path_n = QRT_PATH_MAX + 1;
    expect_start(QRT_E_PATH);
    params.path_n = QRT_PATH_MAX;
    expect_start(QRT_OK);
    params.path_n = 0;
    params.message.len = 31;
    assert_int_equal(start_with(qrt_sign_start, NULL), QRT_E_DIGEST);
    assert_int_equal(start_with(qrt_presign_start, NULL), QRT_OK); /* it has no message */
}

static void test_the_session_is_the_keys_the_signers_the_intents_and_the_messages(void **state)
{
    static const uint32_t path[] = {1};
    static const uint16_t sorted[] = {1, 3, 4}, other_quorum[] = {1, 2, 3};
    uint8_t base[32], other[32], kgid[32];

    (void)state;
    assert_int_equal(start_with(qrt_sign_start, base), QRT_OK);
    params.signers = sorted;
    assert_int_equal(start_with(qrt_sign_start, other), QRT_OK);
    assert_memory_equal(base, other, 32);
    params.signers = other_quorum;
    assert_int_equal(start_with(qrt_sign_start, other), QRT_OK);
    assert_memory_not_equal(base, other, 32);
    params.signers = quorum;
    params.iid[31] ^= 1;
    assert_int_equal(start_with(qrt_sign_start, other), QRT_OK);
    assert_memory_not_equal(base, other, 32);
    params.iid[31] ^= 1;
    params.path = path;
    params.path_n = 1;
    assert_int_equal(start_with(qrt_sign_start, other), QRT_OK);
    assert_memory_not_equal(base, other, 32);
    params.path_n = 0;
    digest[31] ^= 1;
    assert_int_equal(start_with(qrt_sign_start, other), QRT_OK);
    assert_memory_not_equal(base, other, 32);
    digest[31] ^= 1;
    share.epoch++;
    assert_int_equal(start_with(qrt_sign_start, other), QRT_OK);
    assert_memory_not_equal(base, other, 32);
    share.epoch--;
    memcpy(kgid, share.kgid, 32);
    kgid[0] ^= 1;
    share.kgid = kgid;
    assert_int_equal(start_with(qrt_sign_start, other), QRT_OK);
    assert_memory_not_equal(base, other, 32);
    (void)reset(NULL);
    memset(digest, 0, sizeof digest); /* presigning is a mode, not the message zero */
    assert_int_equal(start_with(qrt_sign_start, base), QRT_OK);
    assert_int_equal(start_with(qrt_presign_start, other), QRT_OK);
    assert_memory_not_equal(base, other, 32);
    digest[0] = 9;
}

/* ---- results ---- */

static void expect_no_signature(const struct qrt_run *run)
{
    struct qrt_sig sig;

    memset(&sig, 0xEE, sizeof sig);
    assert_int_equal(qrt_sign_result(run, &sig, NULL, NULL), QRT_E_STATE);
    toy_expect_all((const uint8_t *)&sig, sizeof sig, 0);
}

static void test_a_signature_is_given_by_signing_runs_that_are_done(void **state)
{
    static struct session s;
    struct network net;
    struct qrt_sig sig;
    uint8_t presig[QRT_PRESIG_BYTES(3)];

    (void)state;
    session_sign(&s, QRT_SIGN, &key, quorum, 2);
    s.level = RUNS;
    network_init(&net, 1, &fair_weather);
    session_join(&s, &net);
    expect_no_signature(node_run(&net.nodes[0]));
    assert_int_equal(qrt_presign_take(net.nodes[0].memory, 1, presig, sizeof presig), QRT_E_STATE);
    assert_null(qrt_keygen_share(node_run(&net.nodes[0])));
    network_run(&net);
    assert_int_equal(qrt_sign_result(node_run(&net.nodes[0]), &sig, NULL, NULL), QRT_OK);
    assert_null(qrt_keygen_share(node_run(&net.nodes[0])));
    assert_int_equal(qrt_presign_take(net.nodes[0].memory, 1, presig, sizeof presig), QRT_E_STATE);
    network_free(&net);
}

static void test_a_presignature_is_given_whole_once_and_by_presigning_runs(void **state)
{
    static struct session s;
    struct network net;
    uint8_t presig[QRT_PRESIG_BYTES(3) + 1];
    struct qrt_presig ps;
    struct qrt_run *run;
    struct qrt_sign *sg;

    (void)state;
    session_sign(&s, QRT_PRESIGN, &key, quorum, 2);
    s.level = RUNS;
    network_init(&net, 1, &fair_weather);
    session_join(&s, &net);
    run = net.nodes[0].memory;
    sg = run->state;
    assert_int_equal(qrt_presign_take(run, 1, presig, QRT_PRESIG_BYTES(3)), QRT_E_STATE);
    network_run(&net);
    expect_no_signature(run);
    assert_int_equal(qrt_presign_take(run, 1, presig, QRT_PRESIG_BYTES(3) - 1), QRT_E_SPACE);
    assert_int_equal(qrt_presign_take(run, 1, presig, QRT_PRESIG_BYTES(3) + 1), QRT_E_SPACE);
    assert_false(qrt_sc_is_zero(&sg->phi));
    assert_int_equal(qrt_presign_take(run, 77, presig, QRT_PRESIG_BYTES(3)), QRT_OK);
    toy_expect_all((const uint8_t *)&sg->phi, sizeof sg->phi, 0);
    toy_expect_all((const uint8_t *)&sg->u, sizeof sg->u, 0);
    toy_expect_all((const uint8_t *)&sg->v, sizeof sg->v, 0);
    assert_int_equal(qrt_presig_decode(&ps, full_ctx(), presig, QRT_PRESIG_BYTES(3)), QRT_OK);
    assert_int_equal(ps.info.created, 77);
    assert_int_equal(ps.info.own, 3);
    assert_memory_equal(ps.info.id, qrt_run_sid(run), 32);
    assert_memory_equal(ps.bh2, run->echo[3], 32);
    assert_int_equal(qrt_presign_take(run, 1, presig, QRT_PRESIG_BYTES(3)), QRT_E_STATE);
    network_free(&net);
}

static void test_the_commitment_binds_session_signer_nonce_and_opening(void **state)
{
    uint8_t sid[32] = {1}, r2[98] = {2}, base[32], other[32];

    (void)state;
    qrt_sign_commitment(full_ctx(), base, sid, 5, r2);
    qrt_sign_commitment(full_ctx(), other, sid, 6, r2);
    assert_memory_not_equal(base, other, 32);
    sid[31] ^= 1;
    qrt_sign_commitment(full_ctx(), other, sid, 5, r2);
    assert_memory_not_equal(base, other, 32);
    sid[31] ^= 1;
    for (size_t i = 0; i < sizeof r2; i++) {
        r2[i] ^= 1;
        qrt_sign_commitment(full_ctx(), other, sid, 5, r2);
        r2[i] ^= 1;
        if (i >= SG_R2_PK && i < SG_R2_RHO) /* pk is not committed to: it depends on round 1 */
            assert_memory_equal(base, other, 32);
        else
            assert_memory_not_equal(base, other, 32);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_good_start_wipes_its_seed, reset),
        cmocka_unit_test_setup(test_a_share_must_be_usable, reset),
        cmocka_unit_test_setup(test_a_quorum_is_exactly_t_different_parties_with_oneself, reset),
        cmocka_unit_test_setup(test_signers_in_any_order_are_sorted, reset),
        cmocka_unit_test_setup(test_a_burned_pair_does_not_sign, reset),
        cmocka_unit_test_setup(test_paths_and_digests_are_checked_first, reset),
        cmocka_unit_test_setup(
            test_the_session_is_the_keys_the_signers_the_intents_and_the_messages, reset),
        cmocka_unit_test(test_a_signature_is_given_by_signing_runs_that_are_done),
        cmocka_unit_test(test_a_presignature_is_given_whole_once_and_by_presigning_runs),
        cmocka_unit_test(test_the_commitment_binds_session_signer_nonce_and_opening),
    };

    return cmocka_run_group_tests_name("sign", tests, make_key, free_key);
}
