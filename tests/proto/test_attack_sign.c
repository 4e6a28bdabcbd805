/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on signing, presigning and the online round (protocol.md J, M.4): every field of every
 * message, against runs and, sealed and signed by the cheater, against peers. */
#include "cheat.h"
#include "cheats.h"
#include "key/share.h"

#include <stdlib.h>
#include <string.h>

enum { B = QRT_KIND_BROADCAST, P = QRT_KIND_PRIVATE };
enum { E1_U = 32, E1_X = 2592, E1_DIG = 2608 };
enum { E2_A = 32, E2_ETA = 49184, E2_MU = 49216, R2_GU = 49248, R2_GV = 49281, R2_PSI = 49314 };
enum { R2_R = 0, R2_PK = 33, R2_RHO = 66 };

/* Two signers: one message to everybody and one to the other make a round. */
static const struct cheat two_rounds[] = {
    {"R1 echo", 1, B, ECHO_FIELD, FLIP, QRT_E_ECHO, 0},
    {"R1 p echo", 1, P, ECHO_FIELD, FLIP, QRT_E_ECHO, 0},
    {"R1 C", 1, B, 0, FLIP, QRT_E_ECHO, 2},
    {"R1 C, last byte", 1, B, 31, FLIP, QRT_E_ECHO, 2},
    {"E1 nonceB", 1, P, 0, FLIP, QRT_E_SG_EXTENSION, 0},
    {"E1 first U", 1, P, E1_U, FLIP, QRT_E_SG_EXTENSION, 0},
    {"E1 last U", 1, P, E1_X - 1, FLIP, QRT_E_SG_EXTENSION, 0},
    {"E1 x", 1, P, E1_X, FLIP, QRT_E_SG_EXTENSION, 0},
    {"E1 digest", 1, P, E1_DIG, FLIP, QRT_E_SG_EXTENSION, 0},
    {"R2 echo", 2, B, ECHO_FIELD, FLIP, QRT_E_ECHO, 0},
    {"R2 p echo", 2, P, ECHO_FIELD, FLIP, QRT_E_ECHO, 0},
    {"R negated", 2, B, R2_R, NEGATE, QRT_E_SG_COMMITMENT, 0},
    {"R prefix 04", 2, B, R2_R, PREFIX_4, QRT_E_MALFORMED_BROADCAST, 0},
    {"R prefix 06", 2, B, R2_R, PREFIX_6, QRT_E_MALFORMED_BROADCAST, 0},
    {"R off the curve", 2, B, R2_R, OFF_CURVE, QRT_E_MALFORMED_BROADCAST, 0},
    {"R too big", 2, B, R2_R, X_TOO_BIG, QRT_E_MALFORMED_BROADCAST, 0},
    {"pk negated", 2, B, R2_PK, NEGATE, QRT_E_SG_KEY_PRODUCT, 0},
    {"pk prefix 04", 2, B, R2_PK, PREFIX_4, QRT_E_MALFORMED_BROADCAST, 0},
    {"pk off the curve", 2, B, R2_PK, OFF_CURVE, QRT_E_MALFORMED_BROADCAST, 0},
    {"pk too big", 2, B, R2_PK, X_TOO_BIG, QRT_E_MALFORMED_BROADCAST, 0},
    {"rho", 2, B, R2_RHO, FLIP, QRT_E_SG_COMMITMENT, 0},
    {"E2 nonceA", 2, P, 0, FLIP, QRT_E_SG_MULTIPLICATION, 0},
    {"E2 first a", 2, P, E2_A, LAST_BIT, QRT_E_SG_MULTIPLICATION, 0},
    {"E2 a of the key", 2, P, E2_A + 32, LAST_BIT, QRT_E_SG_MULTIPLICATION, 0},
    {"E2 a of the check", 2, P, E2_A + 64, LAST_BIT, QRT_E_SG_MULTIPLICATION, 0},
    {"E2 last a", 2, P, E2_ETA - 32, LAST_BIT, QRT_E_SG_MULTIPLICATION, 0},
    {"E2 a = q", 2, P, E2_A + 96, ORDER, QRT_E_MALFORMED_PRIVATE, 0},
    {"E2 a = q + 1", 2, P, E2_A + 96 * 300, ORDER_1, QRT_E_MALFORMED_PRIVATE, 0},
    {"E2 last a = 2^256 - 1", 2, P, E2_ETA - 32, MAX, QRT_E_MALFORMED_PRIVATE, 0},
    {"E2 eta", 2, P, E2_ETA, LAST_BIT, QRT_E_SG_MULTIPLICATION, 0},
    {"E2 eta = 0", 2, P, E2_ETA, ZERO, QRT_E_SG_MULTIPLICATION, 0},
    {"E2 eta = q", 2, P, E2_ETA, ORDER, QRT_E_MALFORMED_PRIVATE, 0},
    {"E2 eta = 2^256 - 1", 2, P, E2_ETA, MAX, QRT_E_MALFORMED_PRIVATE, 0},
    {"E2 mu", 2, P, E2_MU, FLIP, QRT_E_SG_MULTIPLICATION, 0},
    {"Gamma u negated", 2, P, R2_GU, NEGATE, QRT_E_SG_NONCE_PRODUCT, 0},
    {"Gamma u prefix 04", 2, P, R2_GU, PREFIX_4, QRT_E_MALFORMED_PRIVATE, 0},
    {"Gamma u off the curve", 2, P, R2_GU, OFF_CURVE, QRT_E_MALFORMED_PRIVATE, 0},
    {"Gamma v negated", 2, P, R2_GV, NEGATE, QRT_E_SG_KEY_PRODUCT, 0},
    {"Gamma v prefix 06", 2, P, R2_GV, PREFIX_6, QRT_E_MALFORMED_PRIVATE, 0},
    {"Gamma v too big", 2, P, R2_GV, X_TOO_BIG, QRT_E_MALFORMED_PRIVATE, 0},
    {"psi = q", 2, P, R2_PSI, ORDER, QRT_E_MALFORMED_PRIVATE, 0},
    {"psi = q + 1", 2, P, R2_PSI, ORDER_1, QRT_E_MALFORMED_PRIVATE, 0},
    {"psi = 2^256 - 1", 2, P, R2_PSI, MAX, QRT_E_MALFORMED_PRIVATE, 0},
};

static const struct cheat third_round[] = {
    {"psi", 2, P, R2_PSI, LAST_BIT, QRT_E_SG_ASSEMBLY, 1},
    {"psi = 0", 2, P, R2_PSI, ZERO, QRT_E_SG_ASSEMBLY, 1},
    {"R3 echo", 3, B, ECHO_FIELD, FLIP, QRT_E_ECHO, 0},
    {"w", 3, B, 0, LAST_BIT, QRT_E_SG_ASSEMBLY, 0},
    {"w = 0", 3, B, 0, ZERO, QRT_E_SG_ASSEMBLY, 0},
    {"w = q", 3, B, 0, ORDER, QRT_E_MALFORMED_BROADCAST, 0},
    {"w = 2^256 - 1", 3, B, 0, MAX, QRT_E_MALFORMED_BROADCAST, 0},
    {"u", 3, B, 32, LAST_BIT, QRT_E_SG_ASSEMBLY, 0},
    {"u = 0", 3, B, 32, ZERO, QRT_E_SG_ASSEMBLY, 0},
    {"u = q", 3, B, 32, ORDER, QRT_E_MALFORMED_BROADCAST, 0},
    {"u = q + 1", 3, B, 32, ORDER_1, QRT_E_MALFORMED_BROADCAST, 0},
};

/* Nothing in presigning depends on psi: it shows when the presignature is used. */
static const struct cheat presign_only[] = {
    {"psi", 2, P, R2_PSI, LAST_BIT, QRT_OK, 0},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static struct world world;
static struct keyring two_of_three;
static const uint16_t pair[] = {1, 3};

static int make_key(void **state)
{
    (void)state;
    world_init(&world, 3);
    keyring_make(&two_of_three, &world, 2, 1);
    return 0;
}

static int free_key(void **state)
{
    (void)state;
    keyring_free(&two_of_three);
    return 0;
}

static void bench(struct rig *r, enum qrt_protocol protocol, enum level level, uint16_t victim)
{
    static struct session s;

    session_sign(&s, protocol, &two_of_three, pair, 7);
    s.level = level;
    rig_make(r, &s, victim);
}

static void sign_cheats(enum level level)
{
    for (size_t v = 0; v < 2; v++) {
        struct rig r;

        bench(&r, QRT_SIGN, level, pair[v]);
        cheats_play(&r, two_rounds, COUNT(two_rounds), pair[1 - v]);
        cheats_play(&r, third_round, COUNT(third_round), pair[1 - v]);
        rig_free(&r);
    }
}

static void test_attack_each_field_of_each_signing_message_against_a_run(void **state)
{
    (void)state;
    sign_cheats(RUNS);
}

static void test_attack_each_field_of_each_signing_message_against_a_peer(void **state)
{
    (void)state;
    sign_cheats(PEERS);
}

static void test_attack_each_field_of_each_presigning_message(void **state)
{
    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct rig r;

        bench(&r, QRT_PRESIGN, (enum level)level, 3);
        cheats_play(&r, two_rounds, COUNT(two_rounds), 1);
        cheats_play(&r, presign_only, COUNT(presign_only), 1);
        rig_free(&r);
    }
}

/* Every tree of U, not only its ends: the flipped bit changes the challenge even where the tree's
 * own contribution is masked out. */
static void test_attack_a_flipped_bit_in_any_tree_of_the_extension_burns(void **state)
{
    struct rig r;

    (void)state;
    bench(&r, QRT_SIGN, RUNS, 1);
    for (long tree = 0; tree < 32; tree++) {
        const struct cheat flip = {"U", 1, P, E1_U + 80 * tree + tree, FLIP, QRT_E_SG_EXTENSION, 0};

        cheats_play(&r, &flip, 1, 3);
    }
    rig_free(&r);
}

/* With three signers the accused is the sender, not a place in a list. */
static void test_attack_the_cheater_among_three_signers_is_named(void **state)
{
    static const struct cheat some[] = {
        {"E1 digest", 1, P, E1_DIG, FLIP, QRT_E_SG_EXTENSION, 0},
        {"R1 C", 1, B, 0, FLIP, QRT_E_ECHO, 3},
        {"pk negated", 2, B, R2_PK, NEGATE, QRT_E_SG_KEY_PRODUCT, 0},
        {"rho", 2, B, R2_RHO, FLIP, QRT_E_SG_COMMITMENT, 0},
        {"E2 a", 2, P, E2_A, LAST_BIT, QRT_E_SG_MULTIPLICATION, 0},
        {"E2 eta = q", 2, P, E2_ETA, ORDER, QRT_E_MALFORMED_PRIVATE, 0},
        {"Gamma u negated", 2, P, R2_GU, NEGATE, QRT_E_SG_NONCE_PRODUCT, 0},
        {"psi", 2, P, R2_PSI, LAST_BIT, QRT_E_SG_ASSEMBLY, 1},
        {"w", 3, B, 0, LAST_BIT, QRT_E_SG_ASSEMBLY, 0},
    };
    const uint16_t everybody[] = {1, 2, 3};
    static struct session s;
    struct keyring k;

    (void)state;
    keyring_make(&k, &world, 3, 2);
    session_sign(&s, QRT_SIGN, &k, everybody, 8);
    for (size_t v = 0; v < 3; v++)
        for (size_t c = 0; c < 3; c++) {
            struct rig r;

            if (c == v)
                continue;
            s.level = (v + c) % 2 ? PEERS : RUNS;
            rig_make(&r, &s, everybody[v]);
            cheats_play(&r, some, COUNT(some), everybody[c]);
            rig_free(&r);
        }
    keyring_free(&k);
}

/* ---- bets and echoes in the extension ---- */

static const struct parcel *victims_e1(const struct rig *r)
{
    for (size_t i = 0; i < r->plain.n; i++)
        if (r->plain.p[i].from == 1 && r->plain.p[i].round == 1 && r->plain.p[i].kind == P)
            return &r->plain.p[i];
    fail();
    return NULL;
}

/* M.4a: of the sixteen guesses of one tree's hidden leaf one passes, every other one burns. */
static void test_attack_a_guess_of_the_hidden_leaf_passes_or_burns(void **state)
{
    const struct qrt_share_pair *mine, *his;
    struct rig r;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        bench(&r, QRT_SIGN, (enum level)level, 1);
        mine = qrt_share_pair(keyring_share(&two_of_three, 1), 3);
        his = qrt_share_pair(keyring_share(&two_of_three, 3), 1);
        for (uint8_t guess = 0; guess < 16; guess++) {
            const struct cheat_guess g = {.tree = 9, .bit = 600, .guess = guess};
            struct qrt_rvole_id id = {qrt_run_sid(node_run(&r.node)), 1, 3};
            struct parcel e1 = rig_copy(rig_plain(&r, 1, P, 3), 0);

            cheat_e1_guess(full_ctx(), e1.b + QRT_HEADER_BYTES, &id,
                           (const uint8_t(*)[16][16])his->bob_seeds, &g);
            rig_attack(&r, &e1);
            if (guess == (mine->delta[4] >> 4))
                assert_non_null(rig_said(&r, 2, P));
            else
                rig_expect_failure(&r, QRT_E_SG_EXTENSION, 3);
            free(e1.b);
        }
        rig_free(&r);
    }
}

/* The roles in an extension are named: what the victim sent as Bob comes back to it as Alice. */
static void test_attack_the_victims_own_extension_played_back(void **state)
{
    struct rig r;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct parcel e1;

        bench(&r, QRT_SIGN, (enum level)level, 1);
        e1 = rig_copy(rig_plain(&r, 1, P, 3), 0);
        memcpy(e1.b + 80, victims_e1(&r)->b + 80, QRT_E1_BYTES);
        rig_attack(&r, &e1);
        rig_expect_failure(&r, QRT_E_SG_EXTENSION, 3);
        free(e1.b);
        rig_free(&r);
    }
}

/* ---- set up wrong in keygen, seen in signing ---- */

/* Party 3 signs with a record whose bytes at |at| in the row towards 1 are other ones. */
static void sign_with_spoiled_pair(struct network *net, size_t at)
{
    struct keyring k = two_of_three;
    struct session s;
    uint8_t *record = malloc(k.len[2]);
    size_t row = (size_t)(k.share[2].pairs - k.share[2].record); /* party 1's is the first */

    memcpy(record, k.record[2], k.len[2]);
    record[row + at] ^= 1;
    assert_int_equal(qrt_share_open(&k.share[2], full_ctx(), record, k.len[2]), QRT_OK);
    session_sign(&s, QRT_SIGN, &k, pair, 70);
    network_init(net, 1, &fair_weather);
    session_join(&s, net);
    network_run(net);
    free(record);
}

static void expect_end(struct network *net, size_t i, enum qrt_err error, uint16_t culprit)
{
    assert_string_equal(qrt_err_name(qrt_run_error(node_run(&net->nodes[i]))), qrt_err_name(error));
    assert_int_equal(qrt_run_culprit(node_run(&net->nodes[i])), culprit);
}

static void test_attack_different_zero_share_seeds_show_in_the_sum(void **state)
{
    struct network net;

    (void)state;
    sign_with_spoiled_pair(&net, offsetof(struct qrt_share_pair, zs));
    expect_end(&net, 0, QRT_E_SG_KEY_SUM, 0);
    expect_end(&net, 1, QRT_E_SG_KEY_SUM, 0);
    network_free(&net);
}

/* A leaf that the receiver knows burns; the one it does not know cannot be noticed in the check,
 * and the pads it made are those of another tree. */
static void test_attack_different_tree_leaves_burn_at_their_first_use(void **state)
{
    const struct qrt_share_pair *mine = qrt_share_pair(keyring_share(&two_of_three, 1), 3);
    size_t hidden = mine->delta[0] & 15;
    struct network net;

    (void)state;
    for (size_t leaf = 0; leaf < 16; leaf++) {
        sign_with_spoiled_pair(&net, offsetof(struct qrt_share_pair, bob_seeds) + 16 * leaf);
        if (leaf == hidden) {
            assert_null(node_noted(&net.nodes[0], QRT_RECORD_BURN));
        } else {
            expect_end(&net, 0, QRT_E_SG_EXTENSION, 3);
            assert_non_null(node_noted(&net.nodes[0], QRT_RECORD_BURN));
            assert_int_equal(net.nodes[0].sent, 2);
        }
        network_free(&net);
    }
}

/* ---- the online round ---- */

static const struct cheat online_round[] = {
    {"another message, key or request", 3, B, ECHO_FIELD, FLIP, QRT_E_ECHO, 0},
    {"w", 3, B, 0, LAST_BIT, QRT_E_SG_ASSEMBLY, 0},
    {"w = q", 3, B, 0, ORDER, QRT_E_MALFORMED_BROADCAST, 0},
    {"u", 3, B, 32, LAST_BIT, QRT_E_SG_ASSEMBLY, 0},
    {"u = 0", 3, B, 32, ZERO, QRT_E_SG_ASSEMBLY, 0},
    {"u = q + 1", 3, B, 32, ORDER_1, QRT_E_MALFORMED_BROADCAST, 0},
};

static void online_bench(struct rig *r, enum level level)
{
    static struct session presign, online;
    struct network net;

    session_sign(&presign, QRT_PRESIGN, &two_of_three, pair, 9);
    presign.level = level;
    network_init(&net, 1, &fair_weather);
    session_run(&presign, &net);
    session_take_presigs(&presign, &net, &online);
    network_free(&net);
    rig_make(r, &online, 1);
}

static void test_attack_each_field_of_the_online_message(void **state)
{
    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct rig r;

        online_bench(&r, (enum level)level);
        cheats_play(&r, online_round, COUNT(online_round), 3);
        rig_free(&r);
    }
}

/* ---- what holds for every message ---- */

static void on_every_bench(void (*attack)(struct rig *r), enum level from)
{
    static const enum qrt_protocol protocols[] = {QRT_SIGN, QRT_PRESIGN};
    struct rig r;

    for (unsigned level = from; level <= PEERS; level++) {
        for (size_t i = 0; i < COUNT(protocols); i++) {
            bench(&r, protocols[i], (enum level)level, 1);
            attack(&r);
            rig_free(&r);
        }
        online_bench(&r, (enum level)level);
        attack(&r);
        rig_free(&r);
    }
}

static void test_attack_each_wrong_length_of_each_signing_message(void **state)
{
    (void)state;
    on_every_bench(cheats_lengths, RUNS);
}

static void test_attack_each_header_field_of_each_signing_message(void **state)
{
    (void)state;
    on_every_bench(cheats_headers, RUNS);
}

static void test_attack_each_signed_broadcast_of_signing_said_twice(void **state)
{
    (void)state;
    on_every_bench(cheats_equivocation, RUNS);
}

static void test_attack_bits_and_cuts_of_each_signing_message_in_transit(void **state)
{
    (void)state;
    on_every_bench(cheats_in_transit, PEERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attack_each_field_of_each_signing_message_against_a_run),
        cmocka_unit_test(test_attack_each_field_of_each_signing_message_against_a_peer),
        cmocka_unit_test(test_attack_each_field_of_each_presigning_message),
        cmocka_unit_test(test_attack_a_flipped_bit_in_any_tree_of_the_extension_burns),
        cmocka_unit_test(test_attack_the_cheater_among_three_signers_is_named),
        cmocka_unit_test(test_attack_a_guess_of_the_hidden_leaf_passes_or_burns),
        cmocka_unit_test(test_attack_the_victims_own_extension_played_back),
        cmocka_unit_test(test_attack_different_zero_share_seeds_show_in_the_sum),
        cmocka_unit_test(test_attack_different_tree_leaves_burn_at_their_first_use),
        cmocka_unit_test(test_attack_each_field_of_the_online_message),
        cmocka_unit_test(test_attack_each_wrong_length_of_each_signing_message),
        cmocka_unit_test(test_attack_each_header_field_of_each_signing_message),
        cmocka_unit_test(test_attack_each_signed_broadcast_of_signing_said_twice),
        cmocka_unit_test(test_attack_bits_and_cuts_of_each_signing_message_in_transit),
    };

    return cmocka_run_group_tests_name("attack_sign", tests, make_key, free_key);
}
