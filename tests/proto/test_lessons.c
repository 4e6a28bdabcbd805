/* SPDX-License-Identifier: Apache-2.0 */
/* One test for each row of the lessons (what hurt others) that concerns sessions, messages, keys
 * and blame: part 1, and the rows of part 2 about who hears what from whom. test_lesson_P_R is row
 * R of part P. Rows about findings in the mathematics and the code are in test_lessons_findings.c;
 * row 2.9's fifty concurrent sessions are in test_records.c; what must be complete, used once or
 * shared by nobody is in test_lessons_state.c. */
#include "base/bytes.h"
#include "cheats.h"
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

static const uint16_t pair[] = {1, 2};

static void expect_end(const struct network *net, uint16_t index, enum qrt_err e, uint16_t culprit)
{
    const struct qrt_run *run = node_run(network_node((struct network *)net, index));

    assert_string_equal(qrt_err_name(qrt_run_error(run)), qrt_err_name(e));
    assert_int_equal(qrt_run_culprit(run), culprit);
    assert_int_equal(qrt_run_phase(run), e ? QRT_PHASE_FAILED : QRT_PHASE_DONE);
}

static void presigned(struct session *online, uint64_t seed)
{
    struct session s;
    struct network net;

    network_init(&net, 1, &fair_weather);
    session_sign(&s, QRT_PRESIGN, &key, pair, seed);
    session_run(&s, &net);
    session_take_presigs(&s, &net, online);
    network_free(&net);
}

/* ---- part 1 ---- */

static void test_lesson_1_10_the_same_presignature_signs_once(void **state)
{
    struct session online;
    struct network net;
    struct qrt_sig sig;
    struct node node;

    (void)state;
    presigned(&online, 1);
    network_init(&net, 1, &fair_weather);
    session_run(&online, &net);
    session_expect_signature(&online, &net, &sig);
    for (int again = 0; again < 80; again++)
        assert_int_equal(session_start(&online, &node, 1), QRT_E_RECORD_FORMAT);
    network_free(&net);
}

static void test_lesson_1_12_ten_thousand_foreign_messages_do_not_end_a_session(void **state)
{
    struct test_rng rng = {12};
    struct session s;
    struct rig r;

    (void)state;
    session_sign(&s, QRT_SIGN, &key, pair, 2);
    rig_make(&r, &s, 1);
    r.what = "foreign messages";
    for (uint8_t round = 1; round <= 3; round++) {
        rig_rewind(&r, round);
        for (size_t i = 0; i < 10000; i++) {
            const struct parcel *p = &r.tape.p[test_rng_below(&rng, r.tape.n)];
            uint8_t b[300];
            size_t len = p->len < sizeof b ? p->len : sizeof b;

            memcpy(b, p->b, len);
            if (i % 3)
                b[test_rng_below(&rng, len < 80 ? len : 80)] ^=
                    (uint8_t)(1 + test_rng_below(&rng, 255));
            else
                test_rng_bytes(&rng, b, len);
            len -= (size_t)test_rng_below(&rng, 2);
            if (len == p->len && memcmp(b, p->b, len) == 0)
                continue;
            assert_int_equal(qrt_err_class(rig_give(&r, p->from, b, len)), QRT_CLASS_DROP);
        }
        rig_expect_recovery(&r, round);
    }
    rig_free(&r);
}

static void test_lesson_1_15_shares_of_two_keys_or_epochs_never_meet(void **state)
{
    struct keyring mixed = key;
    struct session s, online;
    struct network net;
    struct node node;

    (void)state;
    for (unsigned kind = 0; kind < 2; kind++) {
        mixed.share[1] = kind ? other_key.share[1] : key.share[1];
        mixed.share[1].epoch = kind ? 0 : 1;
        session_sign(&s, QRT_SIGN, &mixed, pair, 4 + kind);
        network_init(&net, 1, &fair_weather);
        session_join(&s, &net);
        network_run(&net);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(qrt_run_phase(node_run(&net.nodes[i])), QRT_PHASE_RUNNING);
            assert_int_equal(qrt_run_culprit(node_run(&net.nodes[i])), 0);
            assert_int_equal(net.nodes[i].answers[QRT_E_DROP_FOREIGN], 2);
            assert_int_equal(net.nodes[i].sent, 2); /* the first round, nothing of the second */
        }
        network_free(&net);
        presigned(&online, 6);
        online.key = &mixed;
        online.level = kind ? PEERS : RUNS;
        assert_int_equal(session_start(&online, &node, 2), QRT_E_EPOCH);
    }
}

static void test_lesson_1_19_hardened_paths_are_refused_and_the_path_is_agreed(void **state)
{
    static const uint32_t hardened[] = {44, 60, 0x80000000u}, plain[] = {44, 60, 0};
    uint32_t long_path[QRT_PATH_MAX + 1] = {0};
    struct session s;
    struct network net;
    struct node node;

    (void)state;
    session_sign(&s, QRT_SIGN, &key, pair, 7);
    s.path = hardened;
    s.path_n = 3;
    assert_int_equal(session_start(&s, &node, 1), QRT_E_PATH);
    s.path = long_path;
    s.path_n = QRT_PATH_MAX + 1;
    assert_int_equal(session_start(&s, &node, 1), QRT_E_PATH);
    /* two parties that were told different paths do not meet */
    network_init(&net, 1, &fair_weather);
    net.n = 2;
    s.path = plain;
    s.path_n = 3;
    assert_int_equal(session_start(&s, &net.nodes[0], 1), QRT_OK);
    s.path_n = 2;
    assert_int_equal(session_start(&s, &net.nodes[1], 2), QRT_OK);
    network_run(&net);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(net.nodes[i].answers[QRT_E_DROP_FOREIGN], 2);
        assert_int_equal(net.nodes[i].sent, 2);
    }
    network_free(&net);
}

static void drop_from_two(void *arg, struct network *net, struct parcel *p)
{
    (void)arg;
    (void)net;
    if (p->from == 2 && p->round == 2)
        p->len = 0;
}

static void spoil_from_two(void *arg, struct network *net, struct parcel *p)
{
    (void)arg;
    (void)net;
    if (p->from == 2 && p->round == 2)
        p->b[p->len - 1] ^= 1;
}

/* Silent and inauthentic: nobody is accused, only waited for. Provable: accused, with evidence. */
static void test_lesson_1_23_three_classes_of_misbehaviour(void **state)
{
    void (*const hooks[])(void *, struct network *, struct parcel *) = {drop_from_two,
                                                                        spoil_from_two, cheat_lie};
    struct session s;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct lie lie = {&s, 2, 0, 2, 70}; /* rho */
        struct network net;
        const struct qrt_run *run;
        uint16_t missing[2] = {0};
        size_t len;

        session_sign(&s, QRT_SIGN, &key, pair, 8 + i);
        network_init(&net, 1, &fair_weather);
        net.hook = hooks[i];
        net.hook_arg = &lie;
        session_join(&s, &net);
        network_run(&net);
        run = node_run(&net.nodes[0]);
        if (i == 2) {
            expect_end(&net, 1, QRT_E_SG_COMMITMENT, 2);
            assert_non_null(qrt_peer_evidence(net.nodes[0].memory, &len));
        } else {
            assert_int_equal(qrt_run_phase(run), QRT_PHASE_RUNNING);
            assert_int_equal(qrt_run_culprit(run), 0);
            assert_int_equal(qrt_run_waiting_for(run, missing, 2), 1);
            assert_int_equal(missing[0], 2);
            assert_int_equal(qrt_run_round(run), 2);
            assert_null(qrt_peer_evidence(net.nodes[0].memory, &len));
        }
        network_free(&net);
    }
}

/* Party 3 signs another first broadcast for party 1 than for party 2. */
static void split_first_round(struct network *net, struct session *s, struct lie *lie)
{
    *lie = (struct lie){s, 3, 1, 1, 0};
    network_init(net, 1, &fair_weather);
    net->hook = cheat_lie;
    net->hook_arg = lie;
    session_join(s, net);
    network_run(net);
}

static bool ended_without_blame(const struct network *net, uint16_t index)
{
    const struct qrt_run *run = node_run(network_node((struct network *)net, index));

    return qrt_run_phase(run) == QRT_PHASE_FAILED && qrt_run_culprit(run) == 0 &&
           (qrt_run_error(run) == QRT_E_ECHO || qrt_run_error(run) == QRT_E_PEER_ABORT);
}

static void test_lesson_1_24_a_split_broadcast_is_noticed_and_blames_no_honest_party(void **state)
{
    const uint16_t all[] = {1, 2, 3};
    struct keyring k;
    struct session s;
    struct network net;
    struct lie lie;

    (void)state;
    keyring_make(&k, &world, 3, 9);
    session_sign(&s, QRT_SIGN, &k, all, 10);
    split_first_round(&net, &s, &lie);
    assert_true(ended_without_blame(&net, 1) && ended_without_blame(&net, 2));
    for (size_t i = 0; i < 2; i++)
        assert_null(node_noted(&net.nodes[i], QRT_RECORD_BURN));
    network_free(&net);
    keyring_free(&k);
}

/* ---- part 2: who hears what from whom ---- */

static void test_lesson_2_10_an_equivocated_session_id_bans_no_honest_party(void **state)
{
    struct session s;
    struct network net;
    struct lie lie;

    (void)state;
    session_keygen(&s, &world, 2, 11);
    split_first_round(&net, &s, &lie);
    assert_true(ended_without_blame(&net, 1) && ended_without_blame(&net, 2));
    for (size_t i = 0; i < 2; i++) {
        size_t len;

        assert_null(qrt_peer_evidence(net.nodes[i].memory, &len));
        assert_int_equal(net.nodes[i].sent,
                         1 + 3); /* nothing of round 3: no base OT was answered */
    }
    network_free(&net);
}

/* Both signed broadcasts come together: now it is proven. */
static void test_lesson_2_10_both_broadcasts_together_are_proof(void **state)
{
    const struct parcel *said;
    struct parcel other, wire;
    struct session s;
    struct rig r;

    (void)state;
    session_keygen(&s, &world, 2, 12);
    rig_make(&r, &s, 1);
    r.what = "gossip";
    said = rig_plain(&r, 1, QRT_KIND_BROADCAST, 3);
    other = rig_copy(said, 0);
    other.b[100] ^= 1;
    wire = rig_pack(&r, &other, NULL);
    rig_rewind(&r, 1);
    rig_round(&r, 1, NULL);
    r.may_say = r.node.sent;
    assert_int_equal(rig_give(&r, 3, wire.b, wire.len), QRT_E_EQUIVOCATION);
    rig_expect_failure(&r, QRT_E_EQUIVOCATION, 3);
    free(wire.b);
    free(other.b);
    rig_free(&r);
}

/* The hcc in the second round's broadcast is not the committed one, or its opening differs. */
static void test_lesson_2_13_disagreement_on_the_chain_code_fails_everywhere(void **state)
{
    struct session s;
    struct network net;
    struct lie lie = {&s, 3, 0, 2, 66};

    (void)state;
    session_keygen(&s, &world, 2, 13);
    network_init(&net, 1, &fair_weather);
    net.hook = cheat_lie;
    net.hook_arg = &lie;
    session_join(&s, &net);
    network_run(&net);
    for (uint16_t i = 1; i <= 2; i++) {
        expect_end(&net, i, QRT_E_KG_COMMITMENT, 3);
        assert_null(qrt_keygen_share(node_run(network_node(&net, i))));
        assert_null(node_noted(network_node(&net, i), QRT_RECORD_SHARE_PENDING));
    }
    network_free(&net);
}

static void spoil_everything(void *arg, struct network *net, struct parcel *p)
{
    struct test_rng *rng = arg;
    struct parcel bad = *p;

    (void)net;
    for (int i = 0; i < 3; i++) {
        struct node *node = network_node(net, p->to);
        size_t at = (size_t)test_rng_below(rng, p->len);

        bad.b[at] ^= 0x10;
        assert_true(node_recv(node, p->from, bad.b, bad.len) != QRT_OK);
        bad.b[at] ^= 0x10;
    }
}

/* Before each message three forgeries of it. */
static void test_lesson_2_16_inauthentic_messages_do_not_stop_a_session(void **state)
{
    struct test_rng rng = {16};
    struct session s[2];

    (void)state;
    session_sign(&s[0], QRT_SIGN, &key, pair, 14);
    session_keygen(&s[1], &world, 2, 14);
    for (size_t i = 0; i < 2; i++) {
        struct network net;

        network_init(&net, 1, &fair_weather);
        net.hook = spoil_everything;
        net.hook_arg = &rng;
        session_run(&s[i], &net);
        network_free(&net);
    }
}

static void test_lesson_2_17_the_number_of_signers_is_exactly_the_threshold(void **state)
{
    static const struct {
        uint16_t signers[4];
        size_t n;
        enum qrt_err error;
    } sets[] = {
        {{1}, 1, QRT_E_QUORUM},       {{1, 2, 3}, 3, QRT_E_QUORUM},   {{1, 1}, 2, QRT_E_SIGNER},
        {{1, 9}, 2, QRT_E_SIGNER},    {{2, 3}, 2, QRT_E_NOT_A_PARTY}, {{0, 1}, 2, QRT_E_SIGNER},
        {{1, 2, 2}, 3, QRT_E_QUORUM}, {{1}, 0, QRT_E_QUORUM},
    };
    struct qrt_peer_params envelope = {world.identity[0], world.keys, world.n};
    void *memory = aligned_alloc(QRT_ALIGN, qrt_peer_size(QRT_SIGN, 4, 4));

    (void)state;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        struct qrt_sign_params p = {.share = keyring_share(&key, 1), .signers = sets[i].signers};
        struct qrt_entropy e;

        p.signers_n = sets[i].n;
        p.message = (struct qrt_message){QRT_DIGEST_SHA256, (const uint8_t *)"x", 1};
        assert_int_equal(qrt_sign_start(memory, full_ctx(), &p, e.seed), sets[i].error);
        assert_int_equal(qrt_presign_start(memory, full_ctx(), &p, e.seed), sets[i].error);
        assert_int_equal(qrt_peer_sign(memory, full_ctx(), &p, &envelope, &e), sets[i].error);
        assert_int_equal(qrt_peer_presign(memory, full_ctx(), &p, &envelope, &e), sets[i].error);
    }
    free(memory);
}

/* A dishonest majority may learn the signature although an honest party failed: that one says so,
 * gives out nothing, and the same message can be signed again. */
static void test_lesson_2_24_a_failed_party_does_not_know_whether_a_signature_exists(void **state)
{
    struct session s;
    struct network net;
    struct lie lie = {&s, 2, 1, 3, 31};
    struct qrt_sig sig;

    (void)state;
    session_sign(&s, QRT_SIGN, &key, pair, 15);
    network_init(&net, 1, &fair_weather);
    net.hook = cheat_lie;
    net.hook_arg = &lie;
    session_join(&s, &net);
    network_run(&net);
    expect_end(&net, 1, QRT_E_SG_ASSEMBLY, 0);
    expect_end(&net, 2, QRT_OK, 0);
    assert_int_equal(qrt_sign_result(node_run(&net.nodes[1]), &sig, NULL, NULL), QRT_OK);
    assert_int_equal(qrt_sign_result(node_run(&net.nodes[0]), &sig, NULL, NULL), QRT_E_STATE);
    network_free(&net);
    session_sign(&s, QRT_SIGN, &key, pair, 16);
    network_init(&net, 1, &fair_weather);
    session_run(&s, &net);
    session_expect_signature(&s, &net, &sig);
    network_free(&net);
}

/* A message signed for one purpose is none for another: modes and protocols never share a session.
 */
static void test_lesson_2_25_a_message_of_one_operation_is_none_of_another(void **state)
{
    static const enum qrt_protocol names[] = {QRT_KEYGEN, QRT_SIGN, QRT_PRESIGN, QRT_ONLINE};
    struct session s;
    struct rig r;

    (void)state;
    session_sign(&s, QRT_PRESIGN, &key, pair, 17);
    rig_make(&r, &s, 1);
    r.what = "another operation";
    rig_rewind(&r, 1);
    for (size_t i = 0; i < 4; i++) {
        struct parcel p = rig_copy(rig_plain(&r, 1, QRT_KIND_BROADCAST, 2), 0), wire;

        p.b[4] = (uint8_t)names[i];
        wire = rig_pack(&r, &p, NULL);
        if (names[i] != QRT_PRESIGN)
            assert_int_equal(rig_give(&r, 2, wire.b, wire.len), QRT_E_DROP_FOREIGN);
        free(wire.b);
        free(p.b);
    }
    rig_expect_recovery(&r, 1);
    rig_free(&r);
}

/* Party 3 confirms to 1 and says something else to 2: 1 has the key, 2 keeps its pending share and
 * completes it from 1's certificate. Nobody loses anything. */
static void test_lesson_2_26_a_split_confirmation_loses_no_share(void **state)
{
    struct qrt_peer_params envelope = {world.identity[1], world.keys, world.n};
    struct session s;
    struct network net;
    struct lie lie = {&s, 3, 2, 4, 0};
    const struct note *pending, *full;
    struct qrt_share share, complete;
    uint8_t wire[QRT_CONFIRMATION_BYTES];
    void *memory = aligned_alloc(QRT_ALIGN, qrt_peer_size(QRT_KEYGEN, 3, 2));

    (void)state;
    session_keygen(&s, &world, 2, 18);
    network_init(&net, 1, &fair_weather);
    net.hook = cheat_lie;
    net.hook_arg = &lie;
    session_join(&s, &net);
    network_run(&net);
    expect_end(&net, 1, QRT_OK, 0);
    expect_end(&net, 2, QRT_E_KG_CONFIRMATION, 3);
    pending = node_noted(network_node(&net, 2), QRT_RECORD_SHARE_PENDING);
    full = node_noted(network_node(&net, 1), QRT_RECORD_SHARE);
    assert_non_null(pending);
    assert_non_null(full);
    assert_int_equal(qrt_share_open_pending(&share, full_ctx(), pending->b, pending->len), QRT_OK);
    assert_int_equal(qrt_share_open(&complete, full_ctx(), full->b, full->len), QRT_OK);
    assert_int_equal(qrt_peer_resume(memory, full_ctx(), &share, &envelope), QRT_OK);
    for (uint16_t from = 1; from <= 3; from += 2) {
        assert_int_equal(qrt_share_confirmation(&complete, full_ctx(), from, wire), QRT_OK);
        assert_int_equal(qrt_peer_recv(memory, wire, sizeof wire), QRT_OK);
    }
    assert_non_null(qrt_peer_record(memory));
    assert_int_equal(qrt_peer_record(memory)->kind, QRT_RECORD_SHARE);
    assert_int_equal(qrt_share_open(&share, full_ctx(), qrt_peer_record(memory)->b,
                                    qrt_peer_record(memory)->len),
                     QRT_OK);
    assert_memory_equal(share.pk, complete.pk, 33);
    qrt_peer_wipe(memory);
    free(memory);
    network_free(&net);
}

/* Party 3 signs and seals as itself, with party 2's index in the header. */
static void test_lesson_2_27_nobody_speaks_for_another(void **state)
{
    struct session s;
    struct rig r;

    (void)state;
    session_keygen(&s, &world, 2, 19);
    rig_make(&r, &s, 1);
    for (size_t i = 0; i < r.tape.n; i++) {
        struct parcel p, wire;

        if (r.tape.p[i].from != 2)
            continue;
        r.what = "impersonation";
        p = rig_copy(rig_plain(&r, r.tape.p[i].round, r.tape.p[i].kind, 2), 0);
        p.from = 3; /* whose keys pack it */
        wire = rig_pack(&r, &p, NULL);
        rig_rewind(&r, p.round);
        assert_int_equal(rig_give(&r, 2, wire.b, wire.len), QRT_E_DROP_UNAUTHENTIC);
        assert_int_equal(r.node.aborts, 0);
        rig_expect_recovery(&r, p.round);
        free(wire.b);
        free(p.b);
    }
    rig_free(&r);
}

/* Two messages for one presignature: both parties notice before anything can be assembled. */
static void test_lesson_2_28_a_presignature_signs_one_message_for_one_set(void **state)
{
    struct session online, other;
    struct network net;
    struct node node;

    (void)state;
    presigned(&online, 20);
    other = online;
    other.text = (const uint8_t *)"pay twice";
    other.text_len = 9;
    network_init(&net, 1, &fair_weather);
    net.n = 2;
    assert_int_equal(session_start(&online, &net.nodes[0], 1), QRT_OK);
    assert_int_equal(session_start(&other, &net.nodes[1], 2), QRT_OK);
    network_run(&net);
    assert_true(ended_without_blame(&net, 1) && ended_without_blame(&net, 2));
    network_free(&net);
    presigned(&online, 21);
    online.members[1] = 3; /* party 3 in place of 2, with 2's presignature */
    assert_int_equal(session_start(&online, &node, 3), QRT_E_EPOCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lesson_1_10_the_same_presignature_signs_once),
        cmocka_unit_test(test_lesson_1_12_ten_thousand_foreign_messages_do_not_end_a_session),
        cmocka_unit_test(test_lesson_1_15_shares_of_two_keys_or_epochs_never_meet),
        cmocka_unit_test(test_lesson_1_19_hardened_paths_are_refused_and_the_path_is_agreed),
        cmocka_unit_test(test_lesson_1_23_three_classes_of_misbehaviour),
        cmocka_unit_test(test_lesson_1_24_a_split_broadcast_is_noticed_and_blames_no_honest_party),
        cmocka_unit_test(test_lesson_2_10_an_equivocated_session_id_bans_no_honest_party),
        cmocka_unit_test(test_lesson_2_10_both_broadcasts_together_are_proof),
        cmocka_unit_test(test_lesson_2_13_disagreement_on_the_chain_code_fails_everywhere),
        cmocka_unit_test(test_lesson_2_16_inauthentic_messages_do_not_stop_a_session),
        cmocka_unit_test(test_lesson_2_17_the_number_of_signers_is_exactly_the_threshold),
        cmocka_unit_test(test_lesson_2_24_a_failed_party_does_not_know_whether_a_signature_exists),
        cmocka_unit_test(test_lesson_2_25_a_message_of_one_operation_is_none_of_another),
        cmocka_unit_test(test_lesson_2_26_a_split_confirmation_loses_no_share),
        cmocka_unit_test(test_lesson_2_27_nobody_speaks_for_another),
        cmocka_unit_test(test_lesson_2_28_a_presignature_signs_one_message_for_one_set),
    };

    return cmocka_run_group_tests_name("lessons", tests, make_keys, free_keys);
}
