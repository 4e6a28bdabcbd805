/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on key generation (protocol.md J, M.4): every field of every message, against runs and,
 * sealed and signed by the cheater, against peers. */
#include "cheats.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

enum { B = QRT_KIND_BROADCAST, P = QRT_KIND_PRIVATE };
enum { R1_NONCE = 32, F_0 = 0, F_1 = 33, HCC = 66, RHO = 98, T = 130, Z = 163 }; /* t = 2 */
enum { SHARE = 0, CC = 32, RC = 64, ZC = 96, OT_B = 128, PPRF = 161, TREE = 128 };

/* Three parties: a round with private messages is three messages. */
static const struct cheat fields[] = {
    {"R1 echo", 1, B, ECHO_FIELD, FLIP, QRT_E_ECHO, 0},
    {"C", 1, B, 0, FLIP, QRT_E_ECHO, 3},
    {"n", 1, B, R1_NONCE, FLIP, QRT_E_ECHO, 3},
    {"R2 echo", 2, B, ECHO_FIELD, FLIP, QRT_E_ECHO, 0},
    {"R2 p echo", 2, P, ECHO_FIELD, FLIP, QRT_E_ECHO, 0},
    {"F_0 negated", 2, B, F_0, NEGATE, QRT_E_KG_COMMITMENT, 0},
    {"F_0 prefix 04", 2, B, F_0, PREFIX_4, QRT_E_MALFORMED_BROADCAST, 0},
    {"F_0 off the curve", 2, B, F_0, OFF_CURVE, QRT_E_MALFORMED_BROADCAST, 0},
    {"F_1 negated", 2, B, F_1, NEGATE, QRT_E_KG_COMMITMENT, 0},
    {"F_1 prefix 06", 2, B, F_1, PREFIX_6, QRT_E_MALFORMED_BROADCAST, 0},
    {"F_1 too big", 2, B, F_1, X_TOO_BIG, QRT_E_MALFORMED_BROADCAST, 0},
    {"hcc", 2, B, HCC, FLIP, QRT_E_KG_COMMITMENT, 0},
    {"rho", 2, B, RHO, FLIP, QRT_E_KG_COMMITMENT, 0},
    {"T negated", 2, B, T, NEGATE, QRT_E_KG_PROOF, 0},
    {"T prefix 04", 2, B, T, PREFIX_4, QRT_E_MALFORMED_BROADCAST, 0},
    {"T off the curve", 2, B, T, OFF_CURVE, QRT_E_MALFORMED_BROADCAST, 0},
    {"z", 2, B, Z, LAST_BIT, QRT_E_KG_PROOF, 0},
    {"z = 0", 2, B, Z, ZERO, QRT_E_MALFORMED_BROADCAST, 0},
    {"z = q", 2, B, Z, ORDER, QRT_E_MALFORMED_BROADCAST, 0},
    {"z = 2^256 - 1", 2, B, Z, MAX, QRT_E_MALFORMED_BROADCAST, 0},
    {"OT1 first point prefix 04", 2, P, 0, PREFIX_4, QRT_E_MALFORMED_PRIVATE, 0},
    {"OT1 second point off the curve", 2, P, 33, OFF_CURVE, QRT_E_MALFORMED_PRIVATE, 0},
    {"OT1 a point in the middle", 2, P, 66 * 77, PREFIX_6, QRT_E_MALFORMED_PRIVATE, 0},
    {"OT1 last point too big", 2, P, 66 * 127 + 33, X_TOO_BIG, QRT_E_MALFORMED_PRIVATE, 0},
    {"R3 echo", 3, P, ECHO_FIELD, FLIP, QRT_E_ECHO, 0},
    {"share", 3, P, SHARE, LAST_BIT, QRT_E_KG_SHARE, 0},
    {"share = 0", 3, P, SHARE, ZERO, QRT_E_MALFORMED_PRIVATE, 0},
    {"share = q", 3, P, SHARE, ORDER, QRT_E_MALFORMED_PRIVATE, 0},
    {"share = q + 1", 3, P, SHARE, ORDER_1, QRT_E_MALFORMED_PRIVATE, 0},
    {"share = 2^256 - 1", 3, P, SHARE, MAX, QRT_E_MALFORMED_PRIVATE, 0},
    {"cc", 3, P, CC, FLIP, QRT_E_KG_CHAIN_CODE, 0},
    {"rc", 3, P, RC, FLIP, QRT_E_KG_CHAIN_CODE, 0},
    {"B negated", 3, P, OT_B, NEGATE, QRT_E_OT_TREE, 0},
    {"B prefix 04", 3, P, OT_B, PREFIX_4, QRT_E_MALFORMED_PRIVATE, 0},
    {"B off the curve", 3, P, OT_B, OFF_CURVE, QRT_E_MALFORMED_PRIVATE, 0},
    {"T of the first tree", 3, P, PPRF + 96, FLIP, QRT_E_OT_TREE, 0},
    {"T of the last tree", 3, P, PPRF + 32 * TREE - 1, FLIP, QRT_E_OT_TREE, 0},
    {"digest of all leaves", 3, P, PPRF + 32 * TREE, FLIP, QRT_E_OT_TREE, 0},
    {"R4 echo", 4, B, ECHO_FIELD, FLIP, QRT_E_ECHO, 0},
    {"conf", 4, B, 0, FLIP, QRT_E_KG_CONFIRMATION, 0},
    {"conf, last byte", 4, B, 31, FLIP, QRT_E_KG_CONFIRMATION, 0},
};

/* Seen only when the shares are used: an OT1 that was changed harms the sender's own trees, another
 * zero-share seed breaks the sum of a signature's key shares. */
static const struct cheat unseen[] = {
    {"OT1 a point negated", 2, P, 66 * 5, NEGATE, QRT_OK, 0},
    {"zc", 3, P, ZC, FLIP, QRT_OK, 0},
};

static struct world world;

static int make_world(void **state)
{
    (void)state;
    world_init(&world, 3);
    return 0;
}

static void bench(struct rig *r, enum level level, uint16_t victim)
{
    static struct session s;

    session_keygen(&s, &world, 2, 5);
    s.level = level;
    rig_make(r, &s, victim);
}

static void test_attack_each_field_of_each_keygen_message_against_a_run(void **state)
{
    struct rig r;

    (void)state;
    bench(&r, RUNS, 2);
    cheats_play(&r, fields, COUNT(fields), 3);
    cheats_play(&r, unseen, COUNT(unseen), 3);
    rig_free(&r);
}

static void test_attack_each_field_of_each_keygen_message_against_a_peer(void **state)
{
    struct rig r;

    (void)state;
    bench(&r, PEERS, 2);
    cheats_play(&r, fields, COUNT(fields), 1);
    cheats_play(&r, unseen, COUNT(unseen), 1);
    rig_free(&r);
}

/* A wrong correction on one side of one level is noticed if the receiver chose that side: the
 * cheater bets on a choice bit, and the victim's error is the same whatever else he does. */
static void test_attack_a_wrong_correction_is_a_bet_on_a_choice_bit(void **state)
{
    size_t seen = 0, bets = 0;
    struct rig r;

    (void)state;
    bench(&r, RUNS, 2);
    for (long tree = 0; tree < 32; tree += 4)
        for (long level = 0; level < 3; level++) {
            size_t caught = 0;

            for (long side = 0; side < 2; side++) {
                struct parcel p = rig_copy(rig_plain(&r, 3, P, 1), 0);

                p.b[QRT_HEADER_BYTES + PPRF + TREE * tree + 32 * level + 16 * side] ^= 1;
                rig_attack(&r, &p);
                if (qrt_run_phase(node_run(&r.node)) == QRT_PHASE_FAILED) {
                    rig_expect_failure(&r, QRT_E_OT_TREE, 1);
                    caught++;
                }
                free(p.b);
            }
            assert_int_equal(caught, 1); /* one side is chosen, the other is not */
            bets += 2;
            seen += caught;
        }
    assert_int_equal(2 * seen, bets);
    rig_free(&r);
}

static void test_attack_each_wrong_length_of_each_keygen_message(void **state)
{
    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct rig r;

        bench(&r, (enum level)level, 1);
        cheats_lengths(&r);
        rig_free(&r);
    }
}

static void test_attack_each_header_field_of_each_keygen_message(void **state)
{
    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct rig r;

        bench(&r, (enum level)level, 3);
        cheats_headers(&r);
        rig_free(&r);
    }
}

static void test_attack_each_signed_broadcast_of_keygen_said_twice(void **state)
{
    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct rig r;

        bench(&r, (enum level)level, 2);
        cheats_equivocation(&r);
        rig_free(&r);
    }
}

static void test_attack_bits_and_cuts_of_each_keygen_message_in_transit(void **state)
{
    struct rig r;

    (void)state;
    bench(&r, PEERS, 1);
    cheats_in_transit(&r);
    rig_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attack_each_field_of_each_keygen_message_against_a_run),
        cmocka_unit_test(test_attack_each_field_of_each_keygen_message_against_a_peer),
        cmocka_unit_test(test_attack_a_wrong_correction_is_a_bet_on_a_choice_bit),
        cmocka_unit_test(test_attack_each_wrong_length_of_each_keygen_message),
        cmocka_unit_test(test_attack_each_header_field_of_each_keygen_message),
        cmocka_unit_test(test_attack_each_signed_broadcast_of_keygen_said_twice),
        cmocka_unit_test(test_attack_bits_and_cuts_of_each_keygen_message_in_transit),
    };

    return cmocka_run_group_tests_name("attack_keygen", tests, make_world, NULL);
}
