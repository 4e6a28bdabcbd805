/* SPDX-License-Identifier: Apache-2.0 */
/* One test for each row of the lessons that is about keys and identifiers: how many sign, which
 * keys seal, what a key generation leaves in every pair. test_lesson_P_R is row R of part P; the
 * other rows are in test_lessons.c, test_lessons_findings.c and test_lessons_state.c. */
#include "fixture.h"
#include "key/share.h"
#include "ot/pprf.h"
#include "rig.h"
#include "wire/envelope.h"

#include <stdlib.h>
#include <string.h>

enum { B = QRT_KIND_BROADCAST, P = QRT_KIND_PRIVATE };

static const uint16_t pair[] = {1, 2};

static void test_lesson_1_13_t_is_how_many_sign_and_nothing_else(void **state)
{
    static const struct {
        size_t n, t;
    } wrong[] = {{3, 0}, {3, 1}, {3, 4}, {1, 1}, {0, 0}, {65, 2}, {65, 65}, {2, SIZE_MAX}};
    void *memory = aligned_alloc(QRT_ALIGN, qrt_peer_size(QRT_KEYGEN, 3, 3));
    struct qrt_peer_params envelope = {world.identity[0], world.keys, world.n};
    struct session s;
    struct network net;
    struct qrt_sig sig;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct qrt_keygen_params p = {.parties = world.roster, .n = wrong[i].n, .t = wrong[i].t};
        struct qrt_entropy entropy = {{1}, {1}};

        p.own = 1;
        assert_int_equal(qrt_run_size(QRT_KEYGEN, wrong[i].n, wrong[i].t), 0);
        assert_int_equal(qrt_peer_size(QRT_KEYGEN, wrong[i].n, wrong[i].t), 0);
        assert_int_equal(qrt_keygen_start(memory, full_ctx(), &p, entropy.seed), QRT_E_THRESHOLD);
        assert_int_equal(qrt_peer_keygen(memory, full_ctx(), &p, &envelope, &entropy),
                         QRT_E_THRESHOLD);
    }
    /* t = 2 of 3: two sign, and the share says two */
    assert_int_equal(key.share[0].t, 2);
    session_sign(&s, QRT_SIGN, &key, pair, 3);
    network_init(&net, 1, &fair_weather);
    session_run(&s, &net);
    session_expect_signature(&s, &net, &sig);
    network_free(&net);
    free(memory);
}

/* The id of a key is fresh with every party's nonce: one new nonce makes another kgid, and with it
 * another id of every later session. */
static void test_lesson_2_12_sessions_are_bound_to_the_key_generation(void **state)
{
    struct keyring again;

    (void)state;
    keyring_make(&again, &world, 2, 2);
    assert_memory_not_equal(again.share[0].kgid, key.share[0].kgid, 32);
    assert_memory_not_equal(again.share[0].cc, key.share[0].cc, 32);
    keyring_free(&again);
}

/* ---- row 11: no key seals twice, nor in both directions ---- */

static void test_lesson_2_11_both_directions_and_all_rounds_have_their_own_keys(void **state)
{
    uint8_t prk[32] = {1}, keys[8][32];
    size_t n = 0;

    (void)state;
    for (uint8_t round = 2; round <= 3; round++)
        for (uint16_t i = 1; i <= 2; i++) {
            qrt_seal_key(keys[n++], prk, round, i, (uint16_t)(3 - i));
            qrt_seal_key(keys[n++], prk, round, i, 3);
        }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(keys[i], keys[j], 32);
}

/* The key stream of a sealed message, from what was said and how it travelled. */
static void stream_of(const struct rig *r, uint8_t out[64])
{
    const uint8_t *plain = rig_plain(r, 2, P, 2)->b + QRT_HEADER_BYTES;
    const uint8_t *wire = rig_parcel(r, 2, P, 2)->b + QRT_HEADER_BYTES;

    for (size_t i = 0; i < 64; i++)
        out[i] = plain[i] ^ wire[i];
}

static void test_lesson_2_11_a_restart_under_the_same_id_uses_other_keys(void **state)
{
    struct session s;
    struct rig r[3];
    uint8_t stream[3][64];

    (void)state;
    session_sign(&s, QRT_SIGN, &key, pair, 11);
    for (size_t i = 0; i < 3; i++) {
        s.restart = i;
        rig_make(&r[i], &s, 1);
        stream_of(&r[i], stream[i]);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(stream[i], stream[j], 64);
        rig_free(&r[i]);
    }
}

/* ---- row 19: what was found in one library ---- */

/* Every ordered pair has its own choice bits, and they look like coins. */
static void test_lesson_2_19_choice_bits_are_fresh_for_each_pair(void **state)
{
    uint8_t delta[20][16];
    struct world five;
    struct keyring k;
    size_t n = 0, ones = 0;

    (void)state;
    world_init(&five, 5);
    keyring_make(&k, &five, 3, 19);
    for (uint16_t i = 1; i <= 5; i++)
        for (uint16_t j = 1; j <= 5; j++)
            if (i != j)
                memcpy(delta[n++], qrt_share_pair(keyring_share(&k, i), j)->delta, 16);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            size_t same = 0;

            for (size_t bit = 0; bit < 128; bit++)
                same += ((delta[i][bit / 8] ^ delta[j][bit / 8]) >> (bit % 8) & 1) == 0;
            assert_true(same > 30 && same < 98); /* six standard deviations around 64 */
        }
        for (size_t bit = 0; bit < 128; bit++)
            ones += delta[i][bit / 8] >> (bit % 8) & 1;
    }
    assert_true(ones > 1280 - 152 && ones < 1280 + 152);
    keyring_free(&k);
}

static enum qrt_err start_roster(const struct qrt_party *parties, size_t n)
{
    struct qrt_keygen_params p = {.parties = parties, .n = n, .t = 2, .own = parties[0].index};
    void *memory = aligned_alloc(QRT_ALIGN, qrt_run_size(QRT_KEYGEN, n, 2));
    uint8_t seed[32] = {1};
    enum qrt_err e = qrt_keygen_start(memory, full_ctx(), &p, seed);

    free(memory);
    return e;
}

/* Zero, the order, and two that are equal modulo the order; indices out of range or order. */
static void test_lesson_2_19_identifiers_are_nonzero_and_distinct_modulo_the_order(void **state)
{
    static const struct {
        const char *x;
        uint16_t index;
        enum qrt_err error;
    } third[] = {
        {"0000000000000000000000000000000000000000000000000000000000000007", 3, QRT_OK},
        {"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140", 3, QRT_OK},
        {"0000000000000000000000000000000000000000000000000000000000000000", 3, QRT_E_ROSTER},
        {"0000000000000000000000000000000000000000000000000000000000000002", 3, QRT_E_ROSTER},
        {"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 3, QRT_E_ROSTER},
        {"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364143", 3, QRT_E_ROSTER},
        {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", 3, QRT_E_ROSTER},
        {"0000000000000000000000000000000000000000000000000000000000000007", 2, QRT_E_ROSTER},
        {"0000000000000000000000000000000000000000000000000000000000000007", 0, QRT_E_ROSTER},
        {"0000000000000000000000000000000000000000000000000000000000000007", 65535, QRT_E_ROSTER},
        {"0000000000000000000000000000000000000000000000000000000000000007", 65534, QRT_OK},
    };
    struct qrt_party parties[3];

    (void)state;
    for (size_t i = 0; i < sizeof third / sizeof *third; i++) {
        memcpy(parties, world.roster, sizeof parties);
        test_unhex(parties[2].x, 32, third[i].x);
        parties[2].index = third[i].index;
        assert_int_equal(start_roster(parties, 3), third[i].error);
    }
}

/* A message of a pair's base OT given to another pair: the pair is in every hash. */
static void test_lesson_2_19_base_ots_of_another_pair_do_not_fit(void **state)
{
    struct session s;
    struct parcel p;
    struct rig r;

    (void)state;
    session_keygen(&s, &world, 2, 20);
    s.level = RUNS;
    rig_make(&r, &s, 1);
    r.what = "the answer of 3 in place of 2's";
    p = rig_copy(rig_plain(&r, 3, P, 2), 0);
    memcpy(p.b + 80 + 128, rig_plain(&r, 3, P, 3)->b + 80 + 128, 33 + QRT_PPRF_BYTES);
    rig_attack(&r, &p);
    rig_expect_failure(&r, QRT_E_OT_TREE, 2);
    free(p.b);
    rig_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lesson_1_13_t_is_how_many_sign_and_nothing_else),
        cmocka_unit_test(test_lesson_2_11_both_directions_and_all_rounds_have_their_own_keys),
        cmocka_unit_test(test_lesson_2_11_a_restart_under_the_same_id_uses_other_keys),
        cmocka_unit_test(test_lesson_2_12_sessions_are_bound_to_the_key_generation),
        cmocka_unit_test(test_lesson_2_19_choice_bits_are_fresh_for_each_pair),
        cmocka_unit_test(test_lesson_2_19_identifiers_are_nonzero_and_distinct_modulo_the_order),
        cmocka_unit_test(test_lesson_2_19_base_ots_of_another_pair_do_not_fit),
    };

    return cmocka_run_group_tests_name("lessons_keys", tests, make_key, free_key);
}
