/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ct.h"
#include "math/scalar.h"
#include "ot/baseot.h"
#include "setup.h"

#include <stdlib.h>
#include <string.h>

/* One run of the base OT. */
struct run {
    uint8_t sid[32];
    struct qrt_ot_recv recv;
    uint8_t ot1[QRT_OT1_BYTES];
    uint8_t b33[33];
    uint8_t both[QRT_OT_N][2][16];
    uint8_t chosen[QRT_OT_N][16];
};

static void receive(const struct qrt_ctx *ctx, struct run *r)
{
    struct qrt_pt b;

    assert_true(qrt_pt_decode(ctx, &b, r->b33));
    qrt_ot_recv_keys(ctx, r->chosen, &r->recv, r->sid, r->ot1, r->b33, &b);
}

static enum qrt_err send(const struct qrt_ctx *ctx, struct run *r, struct qrt_drbg *rng)
{
    static struct qrt_pt points[2 * QRT_OT_N];
    const struct qrt_ot1 ot1 = {r->sid, r->ot1, points};
    enum qrt_err e = qrt_ot1_decode(ctx, points, r->ot1);

    return e ? e : qrt_ot_send(ctx, r->b33, r->both, &ot1, rng);
}

static void play(const struct qrt_ctx *ctx, struct run *r, const char *recv, const char *sender)
{
    struct qrt_drbg rng;

    setup_sid(ctx, r->sid);
    setup_drbg(ctx, &rng, recv);
    qrt_ot_recv_start(ctx, &r->recv, r->ot1, r->sid, &rng);
    setup_drbg(ctx, &rng, sender);
    assert_int_equal(send(ctx, r, &rng), QRT_OK);
    receive(ctx, r);
}

static void test_base_ot_has_the_known_answers(void **state)
{
    static const unsigned masks[] = {0, ~0u};
    static struct run r;

    (void)state;
    for (size_t v = 0; v < QRT_ARRAY_LEN(masks); v++) {
        const struct qrt_ctx *ctx = test_ctx(masks[v]);

        play(ctx, &r, "kat-ot-recv", "kat-ot-send");
        assert_true(test_is_hex(r.recv.delta, 16, kat_text("baseot", "choice_le")));
        assert_true(test_is_hex(r.ot1, 66, kat_text("baseot", "ot1_first66")));
        assert_sha(ctx, r.ot1, sizeof r.ot1, kat_text("baseot", "ot1_sha"));
        assert_true(test_is_hex(r.b33, 33, kat_text("baseot", "B")));
        assert_sha(ctx, r.both, sizeof r.both, kat_text("baseot", "keys_sha"));
        assert_true(test_is_hex(r.both[0][0], 16, kat_item("baseot", "key0", 0)));
        assert_true(test_is_hex(r.both[0][1], 16, kat_item("baseot", "key0", 1)));
    }
}

static void test_receiver_gets_the_key_of_his_choice_and_not_the_other(void **state)
{
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);

    (void)state;
    play(ctx, &r, "receiver", "sender");
    for (size_t i = 0; i < QRT_OT_N; i++) {
        uint64_t c = qrt_bit_get(r.recv.delta, i);

        assert_memory_equal(r.chosen[i], r.both[i][c], 16);
        assert_memory_not_equal(r.chosen[i], r.both[i][1 ^ c], 16);
    }
}

/* protocol.md C.4: he knows the logarithm of M on the branch of his choice, and the slots do not
 * tell which. */
static void test_chosen_point_plus_its_hash_is_a_times_the_generator(void **state)
{
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    const uint8_t(*points)[33] = (const uint8_t(*)[33])r.ot1;

    (void)state;
    play(ctx, &r, "receiver", "sender");
    for (uint16_t i = 0; i < QRT_OT_N; i++) {
        for (uint8_t j = 0; j < 2; j++) {
            struct qrt_pt m, h, a;

            assert_true(qrt_pt_decode(ctx, &m, points[2 * i + j]));
            qrt_ot_hash_to_curve(ctx, &h, r.sid, i, j, points[2 * i + 1 - j]);
            qrt_pt_add(ctx, &m, &m, &h);
            qrt_pt_base(ctx, &a, &r.recv.a[i]);
            assert_int_equal(qrt_pt_equal(ctx, &m, &a), qrt_bit_get(r.recv.delta, i) == j);
        }
    }
}

/* lessons.md part 2, row 19 (Bron 2): choice bits were reused for all senders. */
static void test_choice_bits_are_fresh_and_independent_for_each_peer(void **state)
{
    enum { PEERS = 12 };
    static uint8_t delta[PEERS][16], ot1[QRT_OT1_BYTES];
    const struct qrt_ctx *ctx = test_ctx(~0u);
    struct qrt_ot_recv recv;
    struct qrt_drbg rng;
    uint8_t sid[32] = {9};

    (void)state;
    setup_drbg(ctx, &rng, "one party, many peers");
    for (size_t p = 0; p < PEERS; p++) {
        qrt_ot_recv_start(ctx, &recv, ot1, sid, &rng);
        memcpy(delta[p], recv.delta, 16);
        for (size_t o = 0; o < p; o++) {
            unsigned differ = 0;

            for (size_t i = 0; i < QRT_OT_N; i++)
                differ += qrt_bit_get(delta[p], i) != qrt_bit_get(delta[o], i);
            /* 64 is expected, with a deviation of 5.7. */
            assert_in_range(differ, 36, 92);
        }
    }
}

static void test_a_new_attempt_shares_no_point_and_no_scalar_with_the_old(void **state)
{
    static struct run r[2];
    const struct qrt_ctx *ctx = test_ctx(~0u);

    (void)state;
    play(ctx, &r[0], "attempt 0", "sender");
    play(ctx, &r[1], "attempt 1", "sender");
    assert_memory_not_equal(r[0].recv.delta, r[1].recv.delta, 16);
    for (size_t i = 0; i < QRT_OT_N; i++) {
        assert_false(qrt_sc_equal(&r[0].recv.a[i], &r[1].recv.a[i]));
        assert_memory_not_equal(r[0].ot1 + 66 * i, r[1].ot1 + 66 * i, 33);
        assert_memory_not_equal(r[0].ot1 + 66 * i + 33, r[1].ot1 + 66 * i + 33, 33);
    }
}

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

/* lessons.md part 2, row 19 (Bron 3): the batch index. All instances use the same points here. */
static void test_equal_points_give_different_keys_in_every_instance_and_branch(void **state)
{
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    struct qrt_drbg rng;

    (void)state;
    play(ctx, &r, "receiver", "sender");
    for (size_t i = 1; i < QRT_OT_N; i++)
        memcpy(r.ot1 + 66 * i, r.ot1, 66);
    setup_drbg(ctx, &rng, "sender");
    assert_int_equal(send(ctx, &r, &rng), QRT_OK);
    qsort(r.both, 2 * QRT_OT_N, 16, compare_keys);
    for (size_t v = 1; v < 2 * QRT_OT_N; v++)
        assert_memory_not_equal(r.both[v / 2][v % 2], r.both[(v - 1) / 2][(v - 1) % 2], 16);
}

/* protocol.md N-3: keys without the session. */
static void test_keys_depend_on_the_session_and_on_every_point_of_the_instance(void **state)
{
    static struct run r;
    static uint8_t old[QRT_OT_N][16];
    const struct qrt_ctx *ctx = test_ctx(~0u);

    (void)state;
    play(ctx, &r, "receiver", "sender");
    memcpy(old, r.chosen, sizeof old);
    r.sid[31] ^= 1;
    receive(ctx, &r);
    for (size_t i = 0; i < QRT_OT_N; i++)
        assert_memory_not_equal(r.chosen[i], old[i], 16);
    r.sid[31] ^= 1;
    r.ot1[66 * 5 + 32] ^= 1;
    r.ot1[66 * 6 + 65] ^= 1;
    receive(ctx, &r);
    for (size_t i = 0; i < QRT_OT_N; i++)
        assert_int_equal(memcmp(r.chosen[i], old[i], 16) != 0, i == 5 || i == 6);
}

static void assert_send_fails(const struct qrt_ctx *ctx, struct run *r, enum qrt_err want)
{
    static const uint8_t zero[sizeof r->both];
    struct qrt_drbg rng;

    setup_drbg(ctx, &rng, "sender");
    assert_int_equal(send(ctx, r, &rng), want);
    if (want != QRT_E_OT_POINT)
        return;
    assert_memory_equal(r->b33, zero, 33);
    assert_memory_equal(r->both, zero, sizeof zero);
}

/* Neither a wrong prefix, nor x >= p, nor an x without a y. */
static void test_points_off_the_curve_are_refused_wherever_they_stand(void **state)
{
    static const size_t places[] = {0, 1, 31, 32, 63, 64, 127, 128, 200, 255};
    static const uint8_t prefixes[] = {0, 1, 4, 5, 6, 7, 255};
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    uint8_t saved[33];

    (void)state;
    play(ctx, &r, "receiver", "sender");
    for (size_t v = 0; v < QRT_ARRAY_LEN(places); v++) {
        uint8_t *point = r.ot1 + 33 * places[v];

        memcpy(saved, point, 33);
        if (v % 3 == 0) {
            point[0] = prefixes[v % QRT_ARRAY_LEN(prefixes)];
        } else if (v % 3 == 1) {
            memset(point + 1, 0xff, 32);
        } else {
            memset(point + 1, 0, 32);
            point[32] = 5; /* 5^3 + 7 is not a square */
        }
        assert_send_fails(ctx, &r, QRT_E_MALFORMED_PRIVATE);
        memcpy(point, saved, 33);
    }
    for (size_t v = 0; v < sizeof prefixes; v++) {
        r.ot1[33 * 77] = prefixes[v];
        assert_send_fails(ctx, &r, QRT_E_MALFORMED_PRIVATE);
    }
}

/* R_j = -H2C(i, j, R_{1-j}): without the check K would be the identity. */
static void test_a_sum_that_is_the_identity_is_refused_on_either_branch(void **state)
{
    static const uint16_t instances[] = {0, 31, 32, 77, 127};
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    uint8_t saved[66];

    (void)state;
    play(ctx, &r, "receiver", "sender");
    for (size_t v = 0; v < QRT_ARRAY_LEN(instances); v++) {
        uint8_t *pair = r.ot1 + 66 * instances[v], j = v % 2;
        struct qrt_pt h;

        memcpy(saved, pair, 66);
        qrt_ot_hash_to_curve(ctx, &h, r.sid, instances[v], j, pair + 33 * (1 - j));
        qrt_pt_neg(ctx, &h, &h);
        qrt_pt_encode(ctx, pair + 33 * j, &h);
        assert_send_fails(ctx, &r, QRT_E_OT_POINT);
        memcpy(pair, saved, 66);
    }
}

static void test_any_bytes_as_ot1_are_refused(void **state)
{
    static struct run r;
    const struct qrt_ctx *ctx = test_ctx(~0u);
    struct test_rng rng = {11};

    (void)state;
    for (int v = 0; v < 20; v++) {
        test_rng_bytes(&rng, r.ot1, sizeof r.ot1);
        for (size_t k = 0; v % 2 && k < 256; k++)
            r.ot1[33 * k] = (uint8_t)(2 | (r.ot1[33 * k] & 1));
        assert_send_fails(ctx, &r, QRT_E_MALFORMED_PRIVATE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_ot_has_the_known_answers),
        cmocka_unit_test(test_receiver_gets_the_key_of_his_choice_and_not_the_other),
        cmocka_unit_test(test_chosen_point_plus_its_hash_is_a_times_the_generator),
        cmocka_unit_test(test_choice_bits_are_fresh_and_independent_for_each_peer),
        cmocka_unit_test(test_a_new_attempt_shares_no_point_and_no_scalar_with_the_old),
        cmocka_unit_test(test_equal_points_give_different_keys_in_every_instance_and_branch),
        cmocka_unit_test(test_keys_depend_on_the_session_and_on_every_point_of_the_instance),
        cmocka_unit_test(test_points_off_the_curve_are_refused_wherever_they_stand),
        cmocka_unit_test(test_a_sum_that_is_the_identity_is_refused_on_either_branch),
        cmocka_unit_test(test_any_bytes_as_ot1_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
