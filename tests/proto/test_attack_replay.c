/* SPDX-License-Identifier: Apache-2.0 */
/* Replays (protocol.md M.4 j, k; B.7): every message of every other session, role, receiver, sender
 * and round, given to a peer in every state. Nothing of it is taken, nobody is blamed, and the
 * session ends as if nothing had been. */
#include "base/bytes.h"
#include "fixture.h"
#include "rig.h"

#include <stdlib.h>
#include <string.h>

static const uint16_t pair[] = {1, 2};
static const uint32_t path[] = {44, 60};

static void listen_to(struct network *net, const struct session *s)
{
    static struct session copy;

    copy = *s;
    network_init(net, 1, &fair_weather);
    session_run(&copy, net);
}

static void give_all(struct rig *r, const struct network *net)
{
    for (size_t i = 0; i < net->log.n; i++) {
        const struct parcel *p = &net->log.p[i];
        enum qrt_err e = rig_give(r, p->from, p->b, p->len);

        if (qrt_err_class(e) != QRT_CLASS_DROP)
            fail_msg("%s: round %u, kind %u from %u: %s", r->what, p->round, p->kind, p->from,
                     qrt_err_name(e));
    }
}

/* All that was ever said in |other| is nothing to |r|, in whatever round it is, and when it is
 * done. */
static void expect_deaf(struct rig *r, const struct session *other)
{
    struct network net;

    listen_to(&net, other);
    for (uint8_t round = 1; round <= RIG_ROUNDS + 1; round++) {
        if (!r->image[round])
            continue;
        rig_rewind(r, round);
        give_all(r, &net);
        assert_int_equal(r->node.sent, 0);
        if (round <= RIG_ROUNDS)
            rig_expect_recovery(r, round);
    }
    network_free(&net);
}

static void sign_bench(struct rig *r, enum qrt_protocol protocol)
{
    struct session s;

    session_sign(&s, protocol, &key, pair, 1);
    rig_make(r, &s, 1);
}

static void test_attack_messages_of_every_other_signing_session_are_dropped(void **state)
{
    struct keyring later = key;
    struct session s;
    struct rig r;

    (void)state;
    sign_bench(&r, QRT_SIGN);
    session_sign(&s, QRT_SIGN, &key, pair, 2);
    r.what = "another attempt";
    expect_deaf(&r, &s);
    session_sign(&s, QRT_SIGN, &key, pair, 1);
    s.text = (const uint8_t *)"pay me";
    s.text_len = 6;
    r.what = "another message";
    expect_deaf(&r, &s);
    session_sign(&s, QRT_SIGN, &key, pair, 1);
    s.path = path;
    s.path_n = 2;
    r.what = "another child";
    expect_deaf(&r, &s);
    session_sign(&s, QRT_SIGN, &key, (const uint16_t[]){1, 3}, 1);
    r.what = "another quorum";
    expect_deaf(&r, &s);
    session_sign(&s, QRT_SIGN, &other_key, pair, 1);
    r.what = "another key";
    expect_deaf(&r, &s);
    session_sign(&s, QRT_PRESIGN, &key, pair, 1);
    r.what = "presigning with the same intent";
    expect_deaf(&r, &s);
    for (size_t i = 0; i < 3; i++)
        later.share[i].epoch = 1;
    session_sign(&s, QRT_SIGN, &later, pair, 1);
    r.what = "another epoch";
    expect_deaf(&r, &s);
    rig_free(&r);
}

static void test_attack_messages_of_every_other_keygen_are_dropped(void **state)
{
    struct world moved = world;
    struct session s;
    struct rig r;

    (void)state;
    session_keygen(&s, &world, 2, 1);
    rig_make(&r, &s, 1);
    session_keygen(&s, &world, 2, 2);
    r.what = "another attempt";
    expect_deaf(&r, &s);
    session_keygen(&s, &world, 3, 1);
    r.what = "another threshold";
    expect_deaf(&r, &s);
    moved.roster[2].x[0] = 1;
    session_keygen(&s, &moved, 2, 1);
    r.what = "another x-coordinate";
    expect_deaf(&r, &s);
    session_sign(&s, QRT_SIGN, &key, pair, 1);
    r.what = "a signing session";
    expect_deaf(&r, &s);
    rig_free(&r);
}

static void test_attack_messages_of_presigning_are_nothing_to_signing_online(void **state)
{
    struct session s, online;
    struct network net;
    struct rig r;

    (void)state;
    session_sign(&s, QRT_PRESIGN, &key, pair, 5);
    listen_to(&net, &s);
    session_take_presigs(&s, &net, &online);
    network_free(&net);
    rig_make(&r, &online, 1);
    r.what = "the presigning run, whose sid is the same";
    expect_deaf(&r, &s);
    rig_free(&r);
}

/* What a party said comes back to it, as it was and as if the other had said it. */
static void test_attack_own_messages_reflected_are_dropped(void **state)
{
    static const enum qrt_protocol protocols[] = {QRT_SIGN, QRT_PRESIGN};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct network net;
        struct session s;
        struct rig r;

        session_sign(&s, protocols[i], &key, pair, 6);
        rig_make(&r, &s, 1);
        listen_to(&net, &s);
        rig_rewind(&r, 2);
        for (size_t m = 0; m < net.log.n; m++) {
            struct parcel p = rig_copy(&net.log.p[m], 0);

            if (p.from == 1) {
                assert_int_equal(rig_give(&r, 1, p.b, p.len), QRT_E_DROP_FOREIGN);
                p.b[9] = 2; /* sender */
                if (p.kind == QRT_KIND_PRIVATE)
                    p.b[11] = 1; /* receiver */
                assert_int_equal(qrt_err_class(rig_give(&r, 2, p.b, p.len)), QRT_CLASS_DROP);
            }
            free(p.b);
        }
        rig_expect_recovery(&r, 2);
        network_free(&net);
        rig_free(&r);
    }
}

/* Three signers: what 2 says to 3, and 3 to 2, is not for 1, not even with 1's name on it. */
static void test_attack_messages_for_another_receiver_are_dropped(void **state)
{
    const uint16_t all[] = {1, 2, 3};
    struct keyring k;
    struct network net;
    struct session s;
    struct rig r;

    (void)state;
    keyring_make(&k, &world, 3, 3);
    session_sign(&s, QRT_SIGN, &k, all, 7);
    rig_make(&r, &s, 1);
    listen_to(&net, &s);
    for (uint8_t round = 1; round <= 2; round++) {
        rig_rewind(&r, round);
        for (uint16_t from = 2; from <= 3 && round == 1; from++) {
            const struct parcel *b = rig_parcel(&r, 1, QRT_KIND_BROADCAST, from);

            (void)rig_give(&r, from, b->b, b->len);
        }
        for (size_t m = 0; m < net.log.n; m++) {
            struct parcel p = rig_copy(&net.log.p[m], 0);

            if (p.kind == QRT_KIND_PRIVATE && p.from != 1 && p.to != 1) {
                assert_int_equal(rig_give(&r, p.from, p.b, p.len), QRT_E_DROP_FOREIGN);
                p.b[11] = 1;
                assert_int_equal(qrt_err_class(rig_give(&r, p.from, p.b, p.len)), QRT_CLASS_DROP);
                p.b[9] = (uint8_t)(5 - p.b[9]); /* and from the other */
                assert_int_equal(qrt_err_class(rig_give(&r, 5 - p.from, p.b, p.len)),
                                 QRT_CLASS_DROP);
            }
            free(p.b);
        }
        rig_expect_recovery(&r, round);
    }
    network_free(&net);
    rig_free(&r);
    keyring_free(&k);
}

/* A member of another quorum, a stranger, and index 0. */
static void test_attack_foreign_senders_are_dropped(void **state)
{
    static const uint16_t strangers[] = {0, 3, 4, 999, 65534, 65535};
    struct rig r;

    (void)state;
    sign_bench(&r, QRT_SIGN);
    rig_rewind(&r, 1);
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        for (size_t m = 0; m < r.tape.n; m++) {
            struct parcel p = rig_copy(&r.tape.p[m], 0);

            qrt_be16_put(p.b + 8, strangers[i]);
            assert_int_equal(qrt_err_class(rig_give(&r, strangers[i], p.b, p.len)), QRT_CLASS_DROP);
            free(p.b);
        }
    rig_expect_recovery(&r, 1);
    rig_free(&r);
}

/* Every message twice and three times, and all of the past again in every later round. */
static void test_attack_repetition_changes_nothing(void **state)
{
    struct session keygen;
    struct rig r[2];

    (void)state;
    sign_bench(&r[0], QRT_SIGN);
    session_keygen(&keygen, &world, 2, 8);
    rig_make(&r[1], &keygen, 2);
    for (size_t i = 0; i < 2; i++) {
        rig_rewind(&r[i], 1);
        for (size_t m = 0; m < r[i].tape.n; m++) {
            assert_int_equal(
                rig_give(&r[i], r[i].tape.p[m].from, r[i].tape.p[m].b, r[i].tape.p[m].len), QRT_OK);
            for (size_t past = 0; past <= m; past++) {
                const struct parcel *p = &r[i].tape.p[past];
                enum qrt_err e = rig_give(&r[i], p->from, p->b, p->len);

                assert_true(e == QRT_OK || e == QRT_E_DROP_DUPLICATE);
            }
        }
        rig_expect_done(&r[i]);
        rig_free(&r[i]);
    }
}

/* A party restarts a session under the same sid (which no host does: the attempt number is in it);
 * everything the others ever said in it is played again. Their broadcasts are authentic, but what
 * was sealed for the old ephemeral key opens no more: it stalls, blames nobody, and says no third
 * round. */
static void test_attack_a_whole_session_played_to_a_restarted_party(void **state)
{
    static const enum qrt_protocol protocols[] = {QRT_KEYGEN, QRT_SIGN, QRT_PRESIGN};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct session s;
        struct rig r;
        struct node again;
        const struct qrt_msg *m;
        uint8_t last = 0;

        if (protocols[i] == QRT_KEYGEN)
            session_keygen(&s, &world, 2, 9);
        else
            session_sign(&s, protocols[i], &key, pair, 9);
        rig_make(&r, &s, 1);
        s.restart = 1;
        assert_int_equal(session_start(&s, &again, 1), QRT_OK);
        for (size_t p = 0; p < r.tape.n; p++) {
            (void)node_recv(&again, r.tape.p[p].from, r.tape.p[p].b, r.tape.p[p].len);
            while (node_settle(&again))
                continue;
            while ((m = node_say(&again)))
                last = m->round;
        }
        assert_int_equal(qrt_run_phase(node_run(&again)), QRT_PHASE_RUNNING);
        assert_int_equal(qrt_run_culprit(node_run(&again)), 0);
        assert_int_equal(again.aborts, 0);
        assert_int_equal(last, 2);
        assert_int_equal(again.answers[QRT_E_DROP_UNAUTHENTIC], protocols[i] == QRT_KEYGEN ? 4 : 1);
        node_free(&again);
        rig_free(&r);
    }
}

/* The run alone, without an envelope: the old second round carries the old echo. */
static void test_attack_a_whole_session_played_to_a_restarted_run(void **state)
{
    struct session s;
    struct rig r;
    struct node again;

    (void)state;
    session_sign(&s, QRT_SIGN, &key, pair, 10);
    s.level = RUNS;
    rig_make(&r, &s, 1);
    s.restart = 1;
    assert_int_equal(session_start(&s, &again, 1), QRT_OK);
    for (size_t p = 0; p < r.tape.n; p++) {
        (void)node_recv(&again, r.tape.p[p].from, r.tape.p[p].b, r.tape.p[p].len);
        while (node_settle(&again))
            continue;
        while (node_say(&again))
            continue;
    }
    assert_int_equal(qrt_run_error(node_run(&again)), QRT_E_ECHO);
    assert_int_equal(qrt_run_culprit(node_run(&again)), 0);
    node_free(&again);
    rig_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attack_messages_of_every_other_signing_session_are_dropped),
        cmocka_unit_test(test_attack_messages_of_every_other_keygen_are_dropped),
        cmocka_unit_test(test_attack_messages_of_presigning_are_nothing_to_signing_online),
        cmocka_unit_test(test_attack_own_messages_reflected_are_dropped),
        cmocka_unit_test(test_attack_messages_for_another_receiver_are_dropped),
        cmocka_unit_test(test_attack_foreign_senders_are_dropped),
        cmocka_unit_test(test_attack_repetition_changes_nothing),
        cmocka_unit_test(test_attack_a_whole_session_played_to_a_restarted_party),
        cmocka_unit_test(test_attack_a_whole_session_played_to_a_restarted_run),
    };

    return cmocka_run_group_tests_name("attack_replay", tests, make_keys, free_keys);
}
