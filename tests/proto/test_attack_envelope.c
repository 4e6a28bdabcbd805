/* SPDX-License-Identifier: Apache-2.0 */
/* The envelope around a run (protocol.md B.7): what is awaited, kept, offered again, and opened
 * with which key; and abort messages. Single bits, lengths and headers of every message are in
 * test_attack_sign.c and test_attack_keygen.c. */
#include "base/bytes.h"
#include "rig.h"
#include "wire/abort.h"
#include "wire/envelope.h"

#include <stdlib.h>
#include <string.h>

enum { B = QRT_KIND_BROADCAST, P = QRT_KIND_PRIVATE };

static struct world world;
static struct keyring key;
static const uint16_t all[] = {1, 2, 3};

static int make_key(void **state)
{
    (void)state;
    world_init(&world, 3);
    keyring_make(&key, &world, 3, 1);
    return 0;
}

static int free_key(void **state)
{
    (void)state;
    keyring_free(&key);
    return 0;
}

static void bench(struct rig *r, enum qrt_protocol protocol, enum level level)
{
    static struct session s;

    if (protocol == QRT_KEYGEN)
        session_keygen(&s, &world, 2, 3);
    else
        session_sign(&s, protocol, &key, all, 3);
    s.level = level;
    rig_make(r, &s, 2);
    r->what = "envelope";
}

static enum qrt_err give(struct rig *r, const struct parcel *p)
{
    return rig_give(r, p->from, p->b, p->len);
}

/* ---- too early ---- */

static void test_a_private_message_before_the_first_broadcast_is_offered_again(void **state)
{
    static const enum qrt_protocol protocols[] = {QRT_SIGN, QRT_PRESIGN, QRT_KEYGEN};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint8_t round = protocols[i] == QRT_KEYGEN ? 2 : 1;
        const struct parcel *private;
        struct rig r;

        bench(&r, protocols[i], PEERS);
        rig_rewind(&r, 1);
        private = rig_parcel(&r, round, P, 3);
        for (int again = 0; again < 3; again++)
            assert_int_equal(give(&r, private), QRT_E_AGAIN);
        assert_int_equal(give(&r, rig_parcel(&r, 1, B, 3)), QRT_OK);
        assert_int_equal(give(&r, private), QRT_OK);
        assert_int_equal(give(&r, private), QRT_E_DROP_DUPLICATE);
        rig_expect_recovery(&r, 1);
        rig_free(&r);
    }
}

/* Rounds backwards: everything that is authentic is kept until its round comes. */
static void test_messages_of_later_rounds_are_kept(void **state)
{
    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++)
        for (unsigned keygen = 0; keygen < 2; keygen++) {
            struct rig r;

            bench(&r, keygen ? QRT_KEYGEN : QRT_SIGN, (enum level)level);
            rig_rewind(&r, 1);
            (void)give(&r, rig_parcel(&r, 1, B, 3));
            for (size_t i = r.tape.n; i-- > 0;)
                if (r.tape.p[i].round > 1 && r.tape.p[i].from == 3)
                    assert_int_equal(give(&r, &r.tape.p[i]), QRT_OK);
            assert_int_equal(r.node.sent, 0);
            assert_int_equal(qrt_run_round(node_run(&r.node)), 1);
            rig_expect_recovery(&r, 1);
            rig_free(&r);
        }
}

/* A cheat that came early is judged in its round, not before. */
static void test_an_early_cheat_waits_for_its_round(void **state)
{
    struct parcel bad;
    struct rig r;

    (void)state;
    bench(&r, QRT_SIGN, RUNS);
    rig_rewind(&r, 1);
    bad = rig_copy(rig_plain(&r, 2, B, 3), 0);
    bad.b[QRT_HEADER_BYTES] = 4;
    assert_int_equal(give(&r, &bad), QRT_OK);
    assert_int_equal(qrt_run_phase(node_run(&r.node)), QRT_PHASE_RUNNING);
    rig_round(&r, 1, NULL);
    r.may_say = 3;
    assert_int_equal(qrt_run_phase(node_run(&r.node)), QRT_PHASE_RUNNING);
    rig_round(&r, 2, rig_parcel(&r, 2, B, 3));
    rig_expect_failure(&r, QRT_E_MALFORMED_BROADCAST, 3);
    free(bad.b);
    rig_free(&r);
}

/* ---- whom the run waits for ---- */

static void test_the_run_says_whom_it_waits_for(void **state)
{
    uint16_t who[4];
    struct rig r;

    (void)state;
    bench(&r, QRT_SIGN, PEERS);
    rig_rewind(&r, 1);
    memset(who, 0, sizeof who);
    assert_int_equal(qrt_run_waiting_for(node_run(&r.node), who, 4), 2);
    assert_int_equal(who[0], 1);
    assert_int_equal(who[1], 3);
    assert_int_equal(who[2], 0);
    memset(who, 0, sizeof who);
    assert_int_equal(qrt_run_waiting_for(node_run(&r.node), who, 1), 2);
    assert_int_equal(who[1], 0);
    assert_int_equal(qrt_run_waiting_for(node_run(&r.node), NULL, 0), 2);
    (void)give(&r, rig_parcel(&r, 1, B, 1)); /* half of what is awaited of 1 */
    assert_int_equal(qrt_run_waiting_for(node_run(&r.node), who, 4), 2);
    (void)give(&r, rig_parcel(&r, 1, P, 1));
    assert_int_equal(qrt_run_waiting_for(node_run(&r.node), who, 4), 1);
    assert_int_equal(who[0], 3);
    rig_rest(&r, 1, NULL);
    assert_int_equal(qrt_run_waiting_for(node_run(&r.node), who, 4), 0);
    rig_free(&r);
}

/* ---- keys ---- */

/* Sealed with the key of another round, direction or pair of the same run. */
static struct parcel sealed_otherwise(const struct rig *r, uint8_t round, uint16_t sender,
                                      uint16_t receiver)
{
    struct parcel wire = rig_copy(rig_plain(r, 2, P, 3), QRT_TAG_BYTES);
    uint8_t esk[32], ek[32], other_ek[32], prk[32], k[32];
    struct qrt_entropy mine, other;
    struct qrt_seal_side own = {3, world.roster[2].idk, ek};
    struct qrt_seal_side peer = {2, world.roster[1].idk, other_ek};

    session_entropy(&r->s, 3, &mine);
    session_entropy(&r->s, 2, &other);
    memcpy(esk, mine.ephemeral, 32);
    qrt_seal_ephemeral(ek, esk);
    qrt_seal_ephemeral(other_ek, other.ephemeral);
    assert_true(qrt_seal_agree(full_ctx(), prk, esk, &own, &peer, qrt_run_sid(node_run(&r->node)),
                               (uint8_t)r->s.protocol));
    qrt_seal_key(k, prk, round, sender, receiver);
    qrt_seal(wire.b, wire.len - QRT_HEADER_BYTES, k);
    wire.len += QRT_TAG_BYTES;
    return wire;
}

static void test_attack_a_seal_of_another_round_or_direction_is_not_opened(void **state)
{
    static const struct {
        uint8_t round;
        uint16_t sender, receiver;
        enum qrt_err answer;
    } keys[] = {{3, 3, 2, QRT_E_DROP_UNAUTHENTIC}, {1, 3, 2, QRT_E_DROP_UNAUTHENTIC},
                {2, 2, 3, QRT_E_DROP_UNAUTHENTIC}, {2, 1, 2, QRT_E_DROP_UNAUTHENTIC},
                {2, 3, 1, QRT_E_DROP_UNAUTHENTIC}, {2, 3, 2, QRT_OK}};

    (void)state;
    for (unsigned keygen = 0; keygen < 2; keygen++) {
        struct rig r;

        bench(&r, keygen ? QRT_KEYGEN : QRT_SIGN, PEERS);
        rig_rewind(&r, 2);
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            struct parcel wire =
                sealed_otherwise(&r, keys[i].round, keys[i].sender, keys[i].receiver);

            assert_int_equal(give(&r, &wire), keys[i].answer);
            free(wire.b);
        }
        rig_expect_recovery(&r, 2);
        rig_free(&r);
    }
}

/* The hash of an open message stands at its receiver's place: exchanged, neither is taken. */
static void test_attack_exchanged_hashes_of_open_messages_cover_nothing(void **state)
{
    struct parcel wire;
    struct rig r;
    uint8_t hash[32];

    (void)state;
    bench(&r, QRT_SIGN, PEERS);
    wire = rig_copy(rig_parcel(&r, 1, B, 3), 0);
    memcpy(hash, wire.b + QRT_HEADER_BYTES + 32, 32);
    memcpy(wire.b + QRT_HEADER_BYTES + 32, wire.b + QRT_HEADER_BYTES + 64, 32);
    memcpy(wire.b + QRT_HEADER_BYTES + 64, hash, 32);
    rig_sign_again(&r, &wire, 96);
    rig_rewind(&r, 1);
    assert_int_equal(give(&r, &wire), QRT_OK);
    assert_int_equal(give(&r, rig_parcel(&r, 1, P, 3)), QRT_E_DROP_UNAUTHENTIC);
    assert_int_equal(qrt_run_phase(node_run(&r.node)), QRT_PHASE_RUNNING);
    free(wire.b);
    rig_free(&r);
}

/* ---- aborts ---- */

/* In the header's round that |a| names. */
static struct parcel abort_by(const struct rig *r, uint16_t from, const struct qrt_abort *a)
{
    uint8_t b[QRT_HEADER_BYTES + QRT_ABORT_BYTES];
    struct parcel plain = {.from = from, .to = 2, .kind = QRT_KIND_ABORT, .b = b, .len = sizeof b};
    struct qrt_header h = {.protocol = (uint8_t)r->s.protocol, .profile = 1, .round = a->round};

    h.kind = QRT_KIND_ABORT;
    h.sender = from;
    h.receiver = QRT_EVERYBODY;
    h.payload_len = QRT_ABORT_BYTES;
    memcpy(h.sid, qrt_run_sid(node_run(&r->node)), 32);
    qrt_header_encode(b, &h);
    qrt_abort_encode(b + QRT_HEADER_BYTES, a);
    return rig_pack(r, &plain, NULL);
}

static void expect_peer_abort(struct rig *r)
{
    const struct qrt_run *run = node_run(&r->node);

    assert_int_equal(qrt_run_phase(run), QRT_PHASE_FAILED);
    assert_int_equal(qrt_run_error(run), QRT_E_PEER_ABORT);
    assert_int_equal(qrt_run_culprit(run), 0);
    assert_int_equal(r->node.aborts, 0); /* one party's abort is enough */
    assert_null(node_next(&r->node));
    assert_null(node_record(&r->node));
}

/* Whatever it says: the run ends, and nobody is believed about anybody. */
static void test_an_abort_ends_the_run_and_accuses_nobody(void **state)
{
    static const struct qrt_abort said[] = {{QRT_ABORT_B0, 1, 1, 0},
                                            {QRT_ABORT_B2, 49, 2, 1},
                                            {QRT_ABORT_B1, 17, 3, 2},
                                            {QRT_ABORT_BURN, 32, 1, 2},
                                            {QRT_ABORT_B3, 64, 2, 0}};
    const struct qrt_peer_abort *heard;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct rig r;

        bench(&r, QRT_SIGN, (enum level)level);
        for (size_t i = 0; i < sizeof said / sizeof *said; i++)
            for (uint8_t round = 1; round <= 3; round++) {
                struct parcel wire = abort_by(&r, 3, &said[i]);

                rig_rewind(&r, round);
                assert_null(qrt_run_peer_abort(node_run(&r.node)));
                assert_int_equal(give(&r, &wire), QRT_E_PEER_ABORT);
                expect_peer_abort(&r);
                heard = qrt_run_peer_abort(node_run(&r.node));
                assert_non_null(heard);
                assert_int_equal(heard->from, 3);
                assert_int_equal(qrt_err_code(heard->error), said[i].code);
                assert_int_equal(heard->round, said[i].round);
                assert_int_equal(heard->accused, said[i].accused);
                assert_int_equal(give(&r, &wire), QRT_E_STATE);
                free(wire.b);
            }
        rig_free(&r);
    }
}

/* F.7: once the share is stored and confirmed, the certificate is worth having whatever is said. */
static void test_an_abort_of_the_last_keygen_round_is_dropped(void **state)
{
    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct rig r;

        bench(&r, QRT_KEYGEN, (enum level)level);
        for (uint8_t round = 1; round <= 4; round++) {
            const struct qrt_abort a = {QRT_ABORT_B0, 1, round, 0};
            struct parcel wire = abort_by(&r, 3, &a);

            rig_rewind(&r, round);
            if (round < 4) {
                assert_int_equal(give(&r, &wire), QRT_E_PEER_ABORT);
                expect_peer_abort(&r);
            } else {
                assert_int_equal(give(&r, &wire), QRT_E_DROP_UNEXPECTED);
                rig_expect_recovery(&r, round);
            }
            free(wire.b);
        }
        rig_free(&r);
    }
}

static void test_an_abort_after_the_end_changes_nothing(void **state)
{
    const struct qrt_abort a = {QRT_ABORT_B0, 1, 3, 0};

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct parcel wire;
        struct rig r;

        bench(&r, QRT_SIGN, (enum level)level);
        wire = abort_by(&r, 3, &a);
        rig_rewind(&r, 3);
        rig_round(&r, 3, NULL);
        assert_int_equal(qrt_err_is_final(give(&r, &wire)), false);
        rig_expect_done(&r);
        free(wire.b);
        rig_free(&r);
    }
}

static void test_attack_aborts_that_nobody_signed_are_dropped(void **state)
{
    const struct qrt_abort a = {QRT_ABORT_B0, 1, 1, 0};
    struct parcel wire, own;
    struct rig r;

    (void)state;
    bench(&r, QRT_SIGN, PEERS);
    wire = abort_by(&r, 3, &a);
    own = abort_by(&r, 2, &a);
    rig_rewind(&r, 1);
    for (size_t bit = 0; bit < 8 * wire.len; bit++) {
        wire.b[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(qrt_err_class(give(&r, &wire)), QRT_CLASS_DROP);
        wire.b[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t len = 0; len < wire.len; len++)
        assert_int_equal(qrt_err_class(rig_give(&r, 3, wire.b, len)), QRT_CLASS_DROP);
    assert_int_equal(give(&r, &own), QRT_E_DROP_FOREIGN);
    rig_expect_recovery(&r, 1);
    free(own.b);
    free(wire.b);
    rig_free(&r);
}

/* An abort between a record and its confirmation waits: what the record is about stays true. It
 * ends the run as soon as the host is through, and takes back what has not been said yet. */
static void test_an_abort_waits_behind_a_record(void **state)
{
    const struct qrt_abort a = {QRT_ABORT_B0, 1, 1, 0};

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct parcel wire;
        struct rig r;

        bench(&r, QRT_SIGN, (enum level)level);
        wire = abort_by(&r, 3, &a);
        rig_rewind(&r, 1);
        for (size_t i = 0; i < r.tape.n; i++)
            if (r.tape.p[i].round == 1)
                (void)node_recv(&r.node, r.tape.p[i].from, r.tape.p[i].b, r.tape.p[i].len);
        assert_non_null(node_record(&r.node));
        assert_int_equal(node_recv(&r.node, 3, wire.b, wire.len), QRT_E_AGAIN);
        assert_non_null(node_record(&r.node));
        assert_null(node_next(&r.node));
        assert_true(node_settle(&r.node));
        assert_int_equal(node_recv(&r.node, 3, wire.b, wire.len), QRT_E_PEER_ABORT);
        expect_peer_abort(&r);
        assert_int_equal(r.node.sent, 0);
        free(wire.b);
        rig_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_private_message_before_the_first_broadcast_is_offered_again),
        cmocka_unit_test(test_messages_of_later_rounds_are_kept),
        cmocka_unit_test(test_an_early_cheat_waits_for_its_round),
        cmocka_unit_test(test_the_run_says_whom_it_waits_for),
        cmocka_unit_test(test_attack_a_seal_of_another_round_or_direction_is_not_opened),
        cmocka_unit_test(test_attack_exchanged_hashes_of_open_messages_cover_nothing),
        cmocka_unit_test(test_an_abort_ends_the_run_and_accuses_nobody),
        cmocka_unit_test(test_an_abort_of_the_last_keygen_round_is_dropped),
        cmocka_unit_test(test_an_abort_after_the_end_changes_nothing),
        cmocka_unit_test(test_attack_aborts_that_nobody_signed_are_dropped),
        cmocka_unit_test(test_an_abort_waits_behind_a_record),
    };

    return cmocka_run_group_tests_name("attack_envelope", tests, make_key, free_key);
}
