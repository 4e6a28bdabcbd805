/* SPDX-License-Identifier: Apache-2.0 */
/* The online round: a presignature is used up by every start whatever comes of it, serves its own
 * key, epoch and party only, and parties that were asked for different things notice. */
#include "proto/online.h"
#include "toy.h"

#include <stdlib.h>
#include <string.h>

static struct world world;
static struct keyring key, other_key; /* 2 of 3 */
static const uint16_t pair[] = {1, 3};
static uint8_t presig[2][QRT_PRESIG_BYTES(2)], derived[2][QRT_PRESIG_BYTES(2)];
static uint8_t used[QRT_PRESIG_BYTES(2)];
static struct qrt_online_params params;
static const uint32_t path[] = {3}, hardened[] = {0x80000001u};

static void make_presigs(uint8_t out[2][QRT_PRESIG_BYTES(2)], size_t path_n)
{
    static struct session s;
    struct network net;

    session_sign(&s, QRT_PRESIGN, &key, pair, 40 + path_n);
    s.level = RUNS;
    s.path = path;
    s.path_n = path_n;
    network_init(&net, 1, &fair_weather);
    session_run(&s, &net);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(qrt_presign_take(net.nodes[i].memory, 5, out[i], QRT_PRESIG_BYTES(2)),
                         QRT_OK);
    network_free(&net);
}

static int make_key(void **state)
{
    (void)state;
    world_init(&world, 3);
    keyring_make(&key, &world, 2, 1);
    keyring_make(&other_key, &world, 2, 2);
    make_presigs(presig, 0);
    make_presigs(derived, 1);
    return 0;
}

static int free_key(void **state)
{
    (void)state;
    keyring_free(&key);
    keyring_free(&other_key);
    return 0;
}

/* Party 1's, with a fresh copy of its presignature. */
static int reset(void **state)
{
    (void)state;
    memcpy(used, presig[0], sizeof used);
    params = (struct qrt_online_params){.share = keyring_share(&key, 1), .presig = used};
    params.presig_len = sizeof used;
    params.message = (struct qrt_message){QRT_DIGEST_SHA256, (const uint8_t *)"pay", 3};
    return 0;
}

static struct qrt_run *room(void)
{
    struct qrt_run *run = aligned_alloc(QRT_ALIGN, qrt_run_size(QRT_ONLINE, 2, 2));

    assert_non_null(run);
    memset(run, 0x5A, qrt_run_size(QRT_ONLINE, 2, 2));
    return run;
}

static void end(struct qrt_run *run)
{
    qrt_run_wipe(run);
    free(run);
}

static void expect_start(enum qrt_err e)
{
    struct qrt_run *run = room();

    assert_int_equal(qrt_online_start(run, full_ctx(), &params), e);
    toy_expect_all(used, sizeof used, 0);
    if (e != QRT_OK)
        toy_expect_all((const uint8_t *)run, qrt_run_size(QRT_ONLINE, 2, 2), 0x5A);
    else
        qrt_run_wipe(run);
    free(run);
    (void)reset(NULL);
}

static void test_a_good_start_wipes_the_presignature(void **state)
{
    (void)state;
    expect_start(QRT_OK);
}

static void test_a_presignature_serves_its_key_epoch_and_party_only(void **state)
{
    struct qrt_share share = *keyring_share(&key, 1);

    (void)state;
    params.share = keyring_share(&other_key, 1);
    expect_start(QRT_E_EPOCH);
    params.share = keyring_share(&key, 3);
    expect_start(QRT_E_EPOCH);
    share.epoch = 1;
    params.share = &share;
    expect_start(QRT_E_EPOCH);
    share = *keyring_share(&key, 1);
    share.flags = QRT_SHARE_PENDING;
    params.share = &share;
    expect_start(QRT_E_PENDING);
    share.flags = QRT_SHARE_REFRESH_REQUIRED;
    params.share = &share;
    expect_start(QRT_E_REFRESH_REQUIRED);
}

static void test_a_burned_pair_does_not_use_its_presignatures(void **state)
{
    struct qrt_share share = *keyring_share(&key, 1);
    uint8_t *record = malloc(key.len[0]);

    (void)state;
    assert_non_null(record);
    memcpy(record, key.record[0], key.len[0]);
    share.pairs = record + (share.pairs - key.record[0]);
    ((struct qrt_share_pair *)(uintptr_t)qrt_share_pair(&share, 3))->burn = QRT_BURN_MINE;
    params.share = &share;
    expect_start(QRT_E_BURNED);
    free(record);
}

static void test_what_is_no_presignature_is_wiped_too(void **state)
{
    (void)state;
    used[0] ^= 1;
    expect_start(QRT_E_RECORD_FORMAT);
    used[4] ^= 1;
    expect_start(QRT_E_RECORD_VERSION);
    memset(used + sizeof used - 40, 0xFF, 32); /* v */
    expect_start(QRT_E_RECORD_FIELD);
}

/* A record like |made| whose key is |pk|. */
static void forge_key(const uint8_t made[QRT_PRESIG_BYTES(2)], const uint8_t pk[33])
{
    struct qrt_presig ps;

    assert_int_equal(qrt_presig_decode(&ps, full_ctx(), made, QRT_PRESIG_BYTES(2)), QRT_OK);
    assert_memory_not_equal(ps.info.pk.b, pk, 33);
    memcpy(ps.info.pk.b, pk, 33);
    qrt_presig_encode(full_ctx(), used, &ps);
}

/* A damaged record shows here, not as a cheat of the others: its key must be pk + tau G. */
static void test_a_presignature_for_another_key_is_refused_at_its_start(void **state)
{
    struct qrt_presig_info child;
    const struct qrt_share *share = keyring_share(&key, 1);

    (void)state;
    assert_int_equal(qrt_presig_inspect(&child, full_ctx(), derived[0], sizeof derived[0]), QRT_OK);
    forge_key(presig[0], keyring_share(&other_key, 1)->pk);
    expect_start(QRT_E_RECORD_KEY);
    forge_key(presig[0], child.pk.b); /* tau = 0, the key of a child */
    expect_start(QRT_E_RECORD_KEY);
    forge_key(derived[0], share->pk); /* the child's tau, the key itself */
    expect_start(QRT_E_RECORD_KEY);
    forge_key(derived[0], share->parties[0].X);
    expect_start(QRT_E_RECORD_KEY);
}

static void test_a_wrong_length_wipes_as_much_as_was_given(void **state)
{
    struct qrt_run *run = room();

    (void)state;
    params.presig_len--;
    assert_int_equal(qrt_online_start(run, full_ctx(), &params), QRT_E_RECORD_FORMAT);
    toy_expect_all(used, sizeof used - 1, 0);
    assert_int_equal(used[sizeof used - 1], presig[0][sizeof used - 1]);
    free(run);
}

static void test_digests_and_late_paths_are_checked(void **state)
{
    static const uint32_t longest[QRT_PATH_MAX + 1];

    (void)state;
    params.message = (struct qrt_message){QRT_DIGEST_LOCAL, used, 31};
    expect_start(QRT_E_DIGEST);
    params.late_path = hardened;
    params.late_path_n = 1;
    expect_start(QRT_E_PATH);
    params.late_path = longest;
    params.late_path_n = QRT_PATH_MAX + 1;
    expect_start(QRT_E_PATH);
    params.late_path = path;
    params.late_path_n = 1;
    expect_start(QRT_OK);
    memcpy(used, derived[0], sizeof used); /* the chain code at hand is not the child's */
    params.late_path = path;
    params.late_path_n = 1;
    expect_start(QRT_E_PATH);
    memcpy(used, derived[0], sizeof used);
    expect_start(QRT_OK);
}

/* ---- the run ---- */

static struct qrt_run *start(size_t i)
{
    struct qrt_run *run = room();

    memcpy(used, presig[i], sizeof used);
    params.presig = used;
    params.share = keyring_share(&key, pair[i]);
    assert_int_equal(qrt_online_start(run, full_ctx(), &params), QRT_OK);
    return run;
}

static void test_nothing_leaves_before_the_presignature_is_gone(void **state)
{
    struct qrt_run *run = start(0);
    const struct qrt_msg *m;

    (void)state;
    toy_expect_all(run->state, sizeof(struct qrt_online), 0);
    assert_null(qrt_run_next(run));
    assert_int_equal(qrt_run_record(run)->kind, QRT_RECORD_CONSUMED);
    assert_int_equal(qrt_run_record(run)->len, 32);
    assert_memory_equal(qrt_run_record(run)->b, presig[0] + 42, 32);
    assert_int_equal(qrt_run_confirm(run), QRT_OK);
    m = qrt_run_next(run);
    assert_non_null(m);
    assert_int_equal(m->round, 3);
    assert_null(qrt_run_next(run));
    end(run);
}

static void say(struct qrt_run *run, uint8_t out[QRT_HEADER_BYTES + 64])
{
    const struct qrt_msg *m;

    if (qrt_run_record(run))
        assert_int_equal(qrt_run_confirm(run), QRT_OK);
    m = qrt_run_next(run);
    assert_non_null(m);
    assert_int_equal(m->len, QRT_HEADER_BYTES + 64);
    memcpy(out, m->b, m->len);
}

/* Party 1 is asked for what |params| say, party 3 for "pay" under the key itself. */
static void expect_meeting(enum qrt_err e)
{
    uint8_t a[QRT_HEADER_BYTES + 64], b[QRT_HEADER_BYTES + 64];
    struct qrt_run *one = start(0), *three;
    struct qrt_sig sig;

    (void)reset(NULL);
    three = start(1);
    say(one, a);
    say(three, b);
    assert_int_equal(qrt_run_recv(one, 3, b, sizeof b), e);
    assert_int_equal(qrt_run_recv(three, 1, a, sizeof a), e);
    assert_int_equal(qrt_run_culprit(one), 0);
    assert_int_equal(qrt_run_culprit(three), 0);
    assert_int_equal(qrt_sign_result(one, &sig, NULL, NULL), e ? QRT_E_STATE : QRT_OK);
    end(one);
    end(three);
    (void)reset(NULL);
}

static void test_parties_asked_for_different_things_notice(void **state)
{
    (void)state;
    expect_meeting(QRT_OK);
    params.message.b = (const uint8_t *)"lay";
    expect_meeting(QRT_E_ECHO);
    params.message.digest = QRT_DIGEST_KECCAK256;
    expect_meeting(QRT_E_ECHO);
    params.req[0] = 1;
    expect_meeting(QRT_E_ECHO);
    params.req[31] = 1;
    expect_meeting(QRT_E_ECHO);
    params.late_path = path;
    params.late_path_n = 1;
    expect_meeting(QRT_E_ECHO);
}

/* What a party said with this presignature for another request: the echo names the request. */
static void test_an_answer_to_another_request_is_no_answer(void **state)
{
    uint8_t old[QRT_HEADER_BYTES + 64];
    struct qrt_run *three, *one;

    (void)state;
    params.req[5] = 9;
    three = start(1);
    say(three, old);
    end(three);
    (void)reset(NULL);
    one = start(0);
    assert_int_equal(qrt_run_recv(one, 3, old, sizeof old), QRT_OK); /* kept while it waits */
    assert_int_equal(qrt_run_confirm(one), QRT_E_ECHO);
    end(one);
}

/* The offset of the nonce depends on everything that is signed: other requests, other nonces. */
static void test_every_request_has_its_own_nonce(void **state)
{
    struct qrt_sc seen[4];

    (void)state;
    for (size_t k = 0; k < 4; k++) {
        struct qrt_run *run;

        (void)reset(NULL);
        params.req[3] = k == 1;
        if (k == 2)
            params.message.len = 2;
        if (k == 3) {
            params.late_path = path;
            params.late_path_n = 1;
        }
        run = start(0);
        seen[k] = ((const struct qrt_assembly *)run->open)->r;
        for (size_t i = 0; i < k; i++)
            assert_false(qrt_sc_equal(&seen[i], &seen[k]));
        end(run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_good_start_wipes_the_presignature, reset),
        cmocka_unit_test_setup(test_a_presignature_serves_its_key_epoch_and_party_only, reset),
        cmocka_unit_test_setup(test_a_burned_pair_does_not_use_its_presignatures, reset),
        cmocka_unit_test_setup(test_what_is_no_presignature_is_wiped_too, reset),
        cmocka_unit_test_setup(test_a_presignature_for_another_key_is_refused_at_its_start, reset),
        cmocka_unit_test_setup(test_a_wrong_length_wipes_as_much_as_was_given, reset),
        cmocka_unit_test_setup(test_digests_and_late_paths_are_checked, reset),
        cmocka_unit_test_setup(test_nothing_leaves_before_the_presignature_is_gone, reset),
        cmocka_unit_test_setup(test_parties_asked_for_different_things_notice, reset),
        cmocka_unit_test_setup(test_an_answer_to_another_request_is_no_answer, reset),
        cmocka_unit_test_setup(test_every_request_has_its_own_nonce, reset),
    };

    return cmocka_run_group_tests_name("online", tests, make_key, free_key);
}
