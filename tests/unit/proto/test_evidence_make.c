/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping evidence: the very bytes that travelled, room for the longest, and none where nothing can
 * be proven. */
#include "base/bytes.h"
#include "proof.h"
#include "proto/evidence.h"
#include "proto/peer.h"

#include <stdlib.h>
#include <string.h>

enum { B = QRT_KIND_BROADCAST, P = QRT_KIND_PRIVATE };

/* ---- room ---- */

static size_t wire(enum qrt_protocol protocol, uint8_t round, uint8_t kind, size_t n, size_t t)
{
    size_t len = qrt_wire_size(protocol, round, kind, n, t);

    return len ? 4 + len : 0;
}

static void expect_room(enum qrt_protocol protocol, size_t n, size_t t)
{
    size_t room = qrt_evidence_room(protocol, n, t), confirmation, pair;

    for (uint8_t round = 1; round <= 4; round++) /* said twice */
        assert_true(room >= QRT_EVIDENCE_HEAD_BYTES + 2 * wire(protocol, round, B, n, t));
    pair = QRT_EVIDENCE_HEAD_BYTES + wire(protocol, 1, B, n, t);
    assert_true(room >= pair + wire(protocol, 2, B, n, t));
    if (protocol != QRT_KEYGEN) {
        assert_true(room >= pair + wire(protocol, 1, P, n, t));
        return;
    }
    confirmation =
        QRT_EVIDENCE_HEAD_BYTES + QRT_EVIDENCE_CONTEXT_BYTES + wire(protocol, 4, B, n, t) +
        n * (wire(protocol, 1, B, n, t) + wire(protocol, 2, B, n, t) + QRT_EVIDENCE_PARTY_BYTES);
    assert_true(room >= confirmation);
}

static void test_there_is_room_for_the_longest_evidence_of_every_run(void **state)
{
    (void)state;
    for (size_t n = 2; n <= 64; n++) {
        for (size_t t = 2; t <= n; t++)
            expect_room(QRT_KEYGEN, n, t);
        expect_room(QRT_SIGN, n, n);
        expect_room(QRT_PRESIGN, n, n);
        expect_room(QRT_ONLINE, n, n);
    }
}

/* ---- contents ---- */

static void expect_message(struct qrt_rd *rd, const struct parcel *p)
{
    const uint8_t *b;

    assert_int_equal(qrt_rd_be32(rd), p->len);
    b = qrt_rd_bytes(rd, p->len);
    assert_non_null(b);
    assert_memory_equal(b, p->b, p->len);
}

static struct qrt_rd evidence_of(const struct rig *r, uint16_t messages)
{
    size_t len;
    const uint8_t *b = qrt_peer_evidence(r->node.memory, &len);
    struct qrt_rd rd = qrt_rd_init(b, len);

    assert_non_null(b);
    assert_true(qrt_rd_expect(&rd, "DKE1", 4));
    assert_int_equal(qrt_rd_u8(&rd), 1);
    assert_int_equal(qrt_rd_u8(&rd), qrt_err_code(qrt_run_error(node_run(&r->node))));
    assert_int_equal(qrt_rd_be16(&rd), CHEATER);
    assert_true(qrt_rd_expect(&rd, proof_people()->world.keys[CHEATER - 1].idpk, 32));
    assert_int_equal(qrt_rd_be16(&rd), messages);
    return rd;
}

/* The cheat |kind| of round |round| said on the wire. */
static struct parcel changed(const struct rig *r, uint8_t round, uint8_t kind, size_t at,
                             enum twist twist)
{
    struct parcel p = rig_copy(rig_plain(r, round, kind, CHEATER), 0), packed;

    cheat_twist(p.b + QRT_HEADER_BYTES + at, twist);
    packed = rig_pack(r, &p, NULL);
    free(p.b);
    return packed;
}

static void test_a_failed_commitment_keeps_both_rounds_as_they_travelled(void **state)
{
    struct rig r;
    struct parcel second;
    struct qrt_rd rd;

    (void)state;
    proof_bench(&r, PROOF_SG_COMMITMENT);
    proof_play(&r, PROOF_SG_COMMITMENT);
    second = changed(&r, 2, B, 0, NEGATE);
    rd = evidence_of(&r, 2);
    expect_message(&rd, rig_parcel(&r, 1, B, CHEATER));
    expect_message(&rd, &second);
    assert_true(qrt_rd_end(&rd));
    free(second.b);
    rig_free(&r);
}

static void test_a_malformed_broadcast_is_kept_alone(void **state)
{
    static const struct {
        enum proof_kind kind;
        uint8_t round;
        size_t at;
        enum twist twist;
    } cases[] = {{PROOF_MALFORMED_KEYGEN, 2, 163, ZERO},
                 {PROOF_MALFORMED_SIGN, 2, 0, OFF_CURVE},
                 {PROOF_MALFORMED_ASSEMBLY, 3, 0, ORDER},
                 {PROOF_MALFORMED_ONLINE, 3, 32, ORDER}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig r;
        struct parcel bad;
        struct qrt_rd rd;

        proof_bench(&r, cases[i].kind);
        proof_play(&r, cases[i].kind);
        bad = changed(&r, cases[i].round, B, cases[i].at, cases[i].twist);
        rd = evidence_of(&r, 1);
        expect_message(&rd, &bad);
        assert_true(qrt_rd_end(&rd));
        free(bad.b);
        rig_free(&r);
    }
}

static void test_two_broadcasts_are_both_kept_the_first_one_first(void **state)
{
    struct rig r;
    struct parcel second;
    struct qrt_rd rd;

    (void)state;
    proof_bench(&r, PROOF_EQUIVOCATION);
    proof_play(&r, PROOF_EQUIVOCATION);
    second = changed(&r, 2, B, 100, FLIP);
    rd = evidence_of(&r, 2);
    expect_message(&rd, rig_parcel(&r, 2, B, CHEATER));
    expect_message(&rd, &second);
    assert_true(qrt_rd_end(&rd));
    free(second.b);
    rig_free(&r);
}

static void test_a_failed_extension_is_kept_with_the_broadcast_that_lists_it(void **state)
{
    struct rig r;
    struct parcel e1, first;
    struct qrt_rd rd;

    (void)state;
    proof_bench(&r, PROOF_SG_EXTENSION);
    proof_play(&r, PROOF_SG_EXTENSION);
    e1 = changed(&r, 1, P, 2608, FLIP);
    first = rig_pack(&r, rig_plain(&r, 1, B, CHEATER), &e1);
    rd = evidence_of(&r, 2);
    expect_message(&rd, &first);
    expect_message(&rd, &e1);
    assert_true(qrt_rd_end(&rd));
    free(first.b);
    free(e1.b);
    rig_free(&r);
}

/* ---- none ---- */

static void expect_none(const struct rig *r)
{
    size_t len = 77;

    assert_null(qrt_peer_evidence(r->node.memory, &len));
    assert_int_equal(len, 0);
}

/* Known to the victim alone, to nobody, or no cheat at all. */
static void test_what_cannot_be_proven_leaves_no_evidence(void **state)
{
    static const struct cheat cheats[] = {
        {"psi = q", 2, P, 49314, ORDER, QRT_E_MALFORMED_PRIVATE, 0},
        {"eta", 2, P, 49184, LAST_BIT, QRT_E_SG_MULTIPLICATION, 0},
        {"pk", 2, B, 33, NEGATE, QRT_E_SG_KEY_PRODUCT, 0},
        {"w", 3, B, 0, LAST_BIT, QRT_E_SG_ASSEMBLY, 0},
        {"echo", 3, B, ECHO_FIELD, FLIP, QRT_E_ECHO, 0},
    };
    struct rig r;

    (void)state;
    proof_bench(&r, PROOF_MALFORMED_SIGN);
    expect_none(&r);
    for (size_t i = 0; i < sizeof cheats / sizeof *cheats; i++) {
        cheats_play(&r, &cheats[i], 1, CHEATER);
        expect_none(&r);
    }
    rig_rewind(&r, 1);
    r.node.refuse[QRT_RECORD_GATE] = true;
    rig_round(&r, 1, NULL);
    assert_int_equal(qrt_run_error(node_run(&r.node)), QRT_E_REFUSED);
    expect_none(&r);
    rig_free(&r);
}

/* What the resumed party stored does not say what the others signed in rounds 1 and 2. */
static void test_a_resumed_party_blames_but_cannot_prove(void **state)
{
    const struct people *people = proof_people();
    struct qrt_peer_params envelope = {people->world.identity[0], people->world.keys, 2};
    const struct note *pending;
    struct qrt_share share;
    struct node node = {.index = VICTIM, .is_peer = true};
    struct parcel bad;
    struct rig r;

    (void)state;
    proof_bench(&r, PROOF_KG_CONFIRMATION);
    rig_rewind(&r, 3);
    rig_round(&r, 3, NULL);
    pending = node_noted(&r.node, QRT_RECORD_SHARE_PENDING);
    assert_non_null(pending);
    assert_int_equal(qrt_share_open_pending(&share, full_ctx(), pending->b, pending->len), QRT_OK);
    node.size = qrt_peer_size(QRT_KEYGEN, 2, 2);
    node.memory = aligned_alloc(QRT_ALIGN, node.size);
    assert_int_equal(qrt_peer_resume(node.memory, full_ctx(), &share, &envelope), QRT_OK);
    bad = changed(&r, 4, B, 31, FLIP);
    assert_int_equal(node_recv(&node, CHEATER, bad.b, bad.len), QRT_E_KG_CONFIRMATION);
    assert_int_equal(qrt_run_culprit(node_run(&node)), CHEATER);
    {
        size_t len;

        assert_null(qrt_peer_evidence(node.memory, &len));
    }
    free(bad.b);
    node_free(&node);
    rig_free(&r);
}

static int free_people(void **state)
{
    (void)state;
    keyring_free((struct keyring *)&proof_people()->key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_is_room_for_the_longest_evidence_of_every_run),
        cmocka_unit_test(test_a_failed_commitment_keeps_both_rounds_as_they_travelled),
        cmocka_unit_test(test_a_malformed_broadcast_is_kept_alone),
        cmocka_unit_test(test_two_broadcasts_are_both_kept_the_first_one_first),
        cmocka_unit_test(test_a_failed_extension_is_kept_with_the_broadcast_that_lists_it),
        cmocka_unit_test(test_what_cannot_be_proven_leaves_no_evidence),
        cmocka_unit_test(test_a_resumed_party_blames_but_cannot_prove),
    };

    return cmocka_run_group_tests_name("evidence_make", tests, NULL, free_people);
}
