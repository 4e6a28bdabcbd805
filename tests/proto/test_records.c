/* SPDX-License-Identifier: Apache-2.0 */
/* Abort rules as state (protocol.md D.8, F.7, G.8): what must be durable first, what happens when
 * it is not, burns and gates across sessions, and single use. Pending shares are in test_pending.c.
 */
#include "base/bytes.h"
#include "fixture.h"
#include "key/share.h"
#include "rig.h"

#include <stdlib.h>
#include <string.h>

static const uint16_t pair[] = {1, 2};

static void expect_records(const struct node *node, const enum qrt_record_kind *kinds, size_t n)
{
    assert_int_equal(node->records_n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(node->records[i].kind, kinds[i]);
}

/* node_settle has asserted for each of them that nothing left while it waited. */
static void test_each_protocol_hands_out_its_records_in_order(void **state)
{
    static const enum qrt_record_kind keygen[] = {QRT_RECORD_SHARE_PENDING, QRT_RECORD_SHARE};
    static const enum qrt_record_kind sign[] = {QRT_RECORD_GATE};
    static const enum qrt_record_kind online[] = {QRT_RECORD_CONSUMED};
    struct session s, later;
    struct network net;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        network_init(&net, 1, &fair_weather);
        session_keygen(&s, &world, 2, 2);
        s.level = (enum level)level;
        session_run(&s, &net);
        expect_records(&net.nodes[0], keygen, level == PEERS ? 2 : 1); /* no envelope, no
                                                                          certificate */
        network_free(&net);
        session_sign(&s, QRT_SIGN, &key, pair, 3);
        s.level = (enum level)level;
        session_run(&s, &net);
        expect_records(&net.nodes[0], sign, 1);
        network_free(&net);
        session_sign(&s, QRT_PRESIGN, &key, pair, 3);
        s.level = (enum level)level;
        session_run(&s, &net);
        expect_records(&net.nodes[1], sign, 1);
        session_take_presigs(&s, &net, &later);
        network_free(&net);
        session_run(&later, &net);
        expect_records(&net.nodes[0], online, 1);
        assert_memory_equal(net.nodes[0].records[0].b, qrt_run_sid(node_run(&net.nodes[0])), 32);
        network_free(&net);
    }
}

static void test_confirm_without_a_record_changes_nothing(void **state)
{
    struct session s;
    struct node node;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        session_sign(&s, QRT_SIGN, &key, pair, 4);
        s.level = (enum level)level;
        assert_int_equal(session_start(&s, &node, 1), QRT_OK);
        if (node.is_peer) {
            assert_int_equal(qrt_peer_confirm(node.memory), QRT_E_STATE);
            qrt_peer_refuse(node.memory);
        } else {
            assert_int_equal(qrt_run_confirm(node.memory), QRT_E_STATE);
            qrt_run_refuse(node.memory);
        }
        assert_int_equal(qrt_run_phase(node_run(&node)), QRT_PHASE_RUNNING);
        assert_non_null(node_say(&node));
        node_free(&node);
    }
}

static struct node *refusing(struct network *net, struct session *s, enum qrt_record_kind kind)
{
    network_init(net, 1, &fair_weather);
    session_join(s, net);
    net->nodes[0].refuse[kind] = true;
    network_run(net);
    return &net->nodes[0];
}

static void expect_refused(const struct node *node, size_t sent)
{
    assert_int_equal(qrt_run_phase(node_run(node)), QRT_PHASE_FAILED);
    assert_int_equal(qrt_run_error(node_run(node)), QRT_E_REFUSED);
    assert_int_equal(qrt_run_culprit(node_run(node)), 0);
    assert_int_equal(node->sent, sent);
    assert_int_equal(node->aborts, 1);
}

static void expect_ended_by_peer(const struct node *node)
{
    assert_int_equal(qrt_run_error(node_run(node)), QRT_E_PEER_ABORT);
    assert_int_equal(qrt_run_culprit(node_run(node)), 0);
    assert_int_equal(node->aborts, 0);
}

static void test_a_closed_gate_lets_no_second_round_out(void **state)
{
    static const enum qrt_protocol protocols[] = {QRT_SIGN, QRT_PRESIGN};

    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (unsigned level = RUNS; level <= PEERS; level++) {
            struct session s;
            struct network net;

            session_sign(&s, protocols[i], &key, pair, 5);
            s.level = (enum level)level;
            expect_refused(refusing(&net, &s, QRT_RECORD_GATE), 2); /* R1: broadcast, E1 */
            expect_ended_by_peer(&net.nodes[1]);
            network_free(&net);
        }
}

static void test_a_pending_share_that_was_not_stored_is_not_confirmed(void **state)
{
    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct session s;
        struct network net;
        struct node *node;

        session_keygen(&s, &world, 2, 6);
        s.level = (enum level)level;
        node = refusing(&net, &s, QRT_RECORD_SHARE_PENDING);
        expect_refused(node, 1 + 3 + 2); /* R1 b; R2 b, p, p; R3 p, p */
        assert_null(qrt_keygen_share(node_run(node)));
        for (size_t i = 1; i < 3; i++) {
            /* they have confirmed: nobody's abort takes that back, and they wait for his signature
             */
            assert_int_equal(qrt_run_phase(node_run(&net.nodes[i])), QRT_PHASE_RUNNING);
            assert_int_equal(qrt_run_round(node_run(&net.nodes[i])), 4);
            assert_null(qrt_keygen_share(node_run(&net.nodes[i])));
            assert_null(node_noted(&net.nodes[i], QRT_RECORD_SHARE));
        }
        network_free(&net);
    }
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

static void test_a_presignature_that_was_not_erased_signs_nothing(void **state)
{
    struct session online;
    struct network net;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        presigned(&online, 7);
        online.level = (enum level)level;
        expect_refused(refusing(&net, &online, QRT_RECORD_CONSUMED), 0);
        expect_ended_by_peer(&net.nodes[1]);
        network_free(&net);
    }
}

/* ---- the gate across sessions (lessons, part 2, row 9) ---- */

/* Which pairs a party's store says are burned. */
struct store {
    uint16_t burned[NODES_MAX];
    size_t n;
    size_t second_rounds; /* messages with E2 that left */
};

static bool names_burned(const struct store *store, const struct qrt_record *record)
{
    struct qrt_burn burn;

    assert_int_equal(qrt_burn_decode(&burn, record->b, record->len), QRT_OK);
    for (size_t i = 0; i < burn.peers_n; i++)
        for (size_t j = 0; j < store->n; j++)
            if (burn.peers[i] == store->burned[j])
                return true;
    return false;
}

/* What every host does with a record, under one lock. */
static void host(struct store *store, struct node *node)
{
    const struct qrt_msg *m;

    for (;;) {
        const struct qrt_record *record = node_record(node);
        struct qrt_burn burn;

        if (!record)
            break;
        node->refuse[QRT_RECORD_GATE] =
            record->kind == QRT_RECORD_GATE && names_burned(store, record);
        if (record->kind == QRT_RECORD_BURN) {
            assert_int_equal(qrt_burn_decode(&burn, record->b, record->len), QRT_OK);
            store->burned[store->n++] = burn.peers[0];
        }
        node_settle(node);
    }
    while ((m = node_say(node)))
        store->second_rounds += m->round == 2 && m->kind != QRT_KIND_ABORT;
}

enum { SESSIONS = 50, CHEATED = 17 };

static void test_lesson_2_9_after_one_burn_the_gate_of_fifty_other_sessions_is_closed(void **state)
{
    static struct rig rigs[SESSIONS];
    struct store store = {.n = 0};

    (void)state;
    for (size_t i = 0; i < SESSIONS; i++) {
        struct session s;

        session_sign(&s, QRT_SIGN, &key, pair, 100 + i);
        rig_make(&rigs[i], &s, 1);
        rig_rewind(&rigs[i], 1);
    }
    /* every session gets its first round; the checks pass everywhere but in one */
    for (size_t i = 0; i < SESSIONS; i++) {
        struct rig *r = &rigs[i];
        struct parcel e1 = rig_copy(rig_plain(r, 1, QRT_KIND_PRIVATE, 2), 0);
        struct parcel b;

        if (i == CHEATED)
            e1.b[e1.len - 1] ^= 1;
        b = rig_pack(r, rig_plain(r, 1, QRT_KIND_BROADCAST, 2), &e1);
        assert_int_equal(node_recv(&r->node, 2, b.b, b.len), QRT_OK);
        assert_int_equal(node_recv(&r->node, 2, e1.b, e1.len),
                         i == CHEATED ? QRT_E_SG_EXTENSION : QRT_OK);
        assert_null(node_next(&r->node));
        free(e1.b);
        free(b.b);
    }
    /* the host comes to the cheated one first, then to the others */
    host(&store, &rigs[CHEATED].node);
    assert_int_equal(store.n, 1);
    for (size_t i = 0; i < SESSIONS; i++)
        host(&store, &rigs[i].node);
    assert_int_equal(store.second_rounds, 0);
    for (size_t i = 0; i < SESSIONS; i++) {
        const struct qrt_run *run = node_run(&rigs[i].node);

        assert_int_equal(qrt_run_error(run), i == CHEATED ? QRT_E_SG_EXTENSION : QRT_E_REFUSED);
        assert_int_equal(qrt_run_culprit(run), i == CHEATED ? 2 : 0);
        assert_int_equal(rigs[i].node.aborts, 1);
        rig_free(&rigs[i]);
    }
}

/* A burn applied to the stored share: every new session with that peer is refused, others work. */
static void test_a_burned_pair_signs_nothing_until_a_refresh(void **state)
{
    struct session s;
    struct rig r;
    struct parcel e1;
    struct qrt_share share;
    struct keyring burned = key;
    struct node node;
    uint8_t *record = malloc(key.len[0]);

    (void)state;
    memcpy(record, key.record[0], key.len[0]);
    session_sign(&s, QRT_SIGN, &key, pair, 8);
    rig_make(&r, &s, 1);
    e1 = rig_copy(rig_plain(&r, 1, QRT_KIND_PRIVATE, 2), 0);
    e1.b[100] ^= 1;
    rig_attack(&r, &e1);
    for (int twice = 0; twice < 2; twice++)
        assert_int_equal(
            qrt_share_burn(record, key.len[0], r.node.records[0].b, r.node.records[0].len), QRT_OK);
    assert_int_equal(qrt_share_open(&share, full_ctx(), record, key.len[0]), QRT_OK);
    assert_int_equal(qrt_share_burn_bits(&share, 2), QRT_BURN_MINE);
    assert_int_equal(qrt_share_burn_bits(&share, 3), 0);
    burned.share[0] = share;
    session_sign(&s, QRT_SIGN, &burned, pair, 9);
    assert_int_equal(session_start(&s, &node, 1), QRT_E_BURNED);
    session_sign(&s, QRT_PRESIGN, &burned, pair, 9);
    s.level = RUNS;
    assert_int_equal(session_start(&s, &node, 1), QRT_E_BURNED);
    session_sign(&s, QRT_SIGN, &burned, (const uint16_t[]){1, 3}, 9);
    assert_int_equal(session_start(&s, &node, 1), QRT_OK);
    node_free(&node);
    free(e1.b);
    rig_free(&r);
    free(record);
}

/* The other side of a burn: the abort says so, and the share can be marked before anybody asks. */
static void test_a_party_that_was_burned_can_note_it(void **state)
{
    struct keyring noted = key;
    struct session s;
    struct network net;
    const struct qrt_peer_abort *heard;
    uint8_t *record = malloc(key.len[1]);
    size_t known = ((qrt_share_pair(&key.share[0], 2)->delta[0] & 15) + 1u) % 16;
    size_t leaf = offsetof(struct qrt_share_pair, bob_seeds) + 16 * known;
    struct node node;

    (void)state;
    memcpy(record, key.record[1], key.len[1]);
    record[(size_t)(key.share[1].pairs - key.share[1].record) + leaf] ^= 1;
    assert_int_equal(qrt_share_open(&noted.share[1], full_ctx(), record, key.len[1]), QRT_OK);
    session_sign(&s, QRT_SIGN, &noted, pair, 45);
    network_init(&net, 1, &fair_weather);
    session_join(&s, &net);
    network_run(&net);
    assert_int_equal(qrt_run_error(node_run(&net.nodes[0])), QRT_E_SG_EXTENSION);
    expect_ended_by_peer(&net.nodes[1]);
    heard = qrt_run_peer_abort(node_run(&net.nodes[1]));
    assert_non_null(heard);
    assert_int_equal(heard->from, 1);
    assert_int_equal(heard->error, QRT_E_SG_EXTENSION);
    assert_int_equal(heard->accused, 2);
    assert_int_equal(qrt_share_note_burn(record, key.len[1], 2), QRT_E_SIGNER);
    assert_int_equal(qrt_share_note_burn(record, key.len[1], heard->from), QRT_OK);
    assert_int_equal(qrt_share_open(&noted.share[1], full_ctx(), record, key.len[1]), QRT_OK);
    assert_int_equal(qrt_share_burn_bits(&noted.share[1], 1), QRT_BURN_THEIRS);
    assert_int_equal(session_start(&s, &node, 2), QRT_E_BURNED);
    network_free(&net);
    free(record);
}

/* Killed between detection and write: the record waits, and nothing has left. */
static void test_a_crash_before_the_burn_is_durable_leaves_no_trace_outside(void **state)
{
    struct session s;
    struct rig r;
    struct parcel e1, b;

    (void)state;
    session_sign(&s, QRT_SIGN, &key, pair, 10);
    rig_make(&r, &s, 1);
    e1 = rig_copy(rig_plain(&r, 1, QRT_KIND_PRIVATE, 2), 0);
    e1.b[100] ^= 1;
    b = rig_pack(&r, rig_plain(&r, 1, QRT_KIND_BROADCAST, 2), &e1);
    rig_rewind(&r, 1);
    assert_int_equal(node_recv(&r.node, 2, b.b, b.len), QRT_OK);
    assert_int_equal(node_recv(&r.node, 2, e1.b, e1.len), QRT_E_SG_EXTENSION);
    for (int i = 0; i < 3; i++) {
        assert_null(node_next(&r.node));
        assert_non_null(node_record(&r.node));
        assert_int_equal(node_record(&r.node)->kind, QRT_RECORD_BURN);
        assert_int_equal(node_recv(&r.node, 2, b.b, b.len), QRT_E_STATE);
    }
    free(b.b);
    free(e1.b);
    rig_free(&r);
}

/* ---- single use (G.8) ---- */

static void test_a_presigning_run_gives_its_presignature_once(void **state)
{
    struct session s;
    struct network net;
    uint8_t presig[QRT_PRESIG_BYTES(2)];
    struct qrt_run *run;

    (void)state;
    session_sign(&s, QRT_PRESIGN, &key, pair, 42);
    s.level = RUNS;
    network_init(&net, 1, &fair_weather);
    session_join(&s, &net);
    run = net.nodes[0].memory;
    assert_int_equal(qrt_presign_take(run, 1, presig, sizeof presig), QRT_E_STATE);
    network_run(&net);
    assert_int_equal(qrt_presign_take(run, 1, presig, sizeof presig - 1), QRT_E_SPACE);
    assert_int_equal(qrt_presign_take(run, 1, presig, sizeof presig), QRT_OK);
    assert_int_equal(qrt_presign_take(run, 1, presig, sizeof presig), QRT_E_STATE);
    network_free(&net);
}

static bool is_zero(const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (b[i])
            return false;
    return true;
}

static void test_a_presignature_is_used_up_by_its_start_whatever_comes_of_it(void **state)
{
    struct session online, spent;
    struct node node;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        presigned(&online, 43);
        online.level = (enum level)level;
        assert_int_equal(session_start(&online, &node, 1), QRT_OK);
        assert_true(is_zero(online.presig[0], QRT_PRESIG_BYTES(2)));
        node_free(&node);
        assert_int_equal(session_start(&online, &node, 1), QRT_E_RECORD_FORMAT);
        spent = online;
        presigned(&online, 44);
        online.level = (enum level)level;
        online.presig[0][3] ^= 1;
        assert_int_equal(session_start(&online, &node, 1), QRT_E_RECORD_FORMAT);
        assert_true(is_zero(online.presig[0], QRT_PRESIG_BYTES(2)));
    }
    assert_true(is_zero(spent.presig[0], QRT_PRESIG_BYTES(2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_protocol_hands_out_its_records_in_order),
        cmocka_unit_test(test_confirm_without_a_record_changes_nothing),
        cmocka_unit_test(test_a_closed_gate_lets_no_second_round_out),
        cmocka_unit_test(test_a_pending_share_that_was_not_stored_is_not_confirmed),
        cmocka_unit_test(test_a_presignature_that_was_not_erased_signs_nothing),
        cmocka_unit_test(test_lesson_2_9_after_one_burn_the_gate_of_fifty_other_sessions_is_closed),
        cmocka_unit_test(test_a_burned_pair_signs_nothing_until_a_refresh),
        cmocka_unit_test(test_a_party_that_was_burned_can_note_it),
        cmocka_unit_test(test_a_crash_before_the_burn_is_durable_leaves_no_trace_outside),
        cmocka_unit_test(test_a_presigning_run_gives_its_presignature_once),
        cmocka_unit_test(test_a_presignature_is_used_up_by_its_start_whatever_comes_of_it),
    };

    return cmocka_run_group_tests_name("records", tests, make_key, free_key);
}
