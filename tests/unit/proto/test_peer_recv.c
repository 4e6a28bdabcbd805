/* SPDX-License-Identifier: Apache-2.0 */
/* A peer's receiving side, in the order of protocol.md B.7: what is dropped leaves no trace, what
 * is early is asked for again, what is said twice is the same or a proof. */
#include "base/bytes.h"
#include "proof.h"
#include "proto/peer.h"
#include "toy.h"

#include <stdlib.h>
#include <string.h>

enum { B = QRT_KIND_BROADCAST, P = QRT_KIND_PRIVATE };

static struct rig keygen, sign;

static int make_rigs(void **state)
{
    (void)state;
    proof_bench(&keygen, PROOF_WEAK_KEYGEN);
    proof_bench(&sign, PROOF_WEAK_SIGN);
    return 0;
}

static int free_rigs(void **state)
{
    (void)state;
    rig_free(&keygen);
    rig_free(&sign);
    keyring_free((struct keyring *)&proof_people()->key);
    return 0;
}

static struct qrt_peer *peer_of(const struct rig *r)
{
    return r->node.memory;
}

static enum qrt_err give(struct rig *r, const struct parcel *p)
{
    return rig_give(r, p->from, p->b, p->len);
}

static bool is_filled(const struct rig *r, uint8_t round, uint8_t kind)
{
    return node_run(&r->node)->slots[round][kind][1].filled;
}

/* Before the first broadcast there are neither keys nor hashes. */
static void test_private_messages_before_the_first_broadcast_are_asked_for_again(void **state)
{
    static const uint8_t rounds[] = {2, 3};

    (void)state;
    rig_rewind(&keygen, 1);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(give(&keygen, rig_parcel(&keygen, rounds[i], P, CHEATER)), QRT_E_AGAIN);
        assert_false(is_filled(&keygen, rounds[i], P));
    }
    assert_int_equal(give(&keygen, rig_parcel(&keygen, 2, B, CHEATER)), QRT_OK); /* signed */
    assert_int_equal(give(&keygen, rig_parcel(&keygen, 1, B, CHEATER)), QRT_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(give(&keygen, rig_parcel(&keygen, rounds[i], P, CHEATER)), QRT_OK);
    rig_rest(&keygen, 4, NULL);
    rig_expect_done(&keygen);

    rig_rewind(&sign, 1);
    assert_int_equal(give(&sign, rig_parcel(&sign, 1, P, CHEATER)), QRT_E_AGAIN);
    assert_int_equal(give(&sign, rig_parcel(&sign, 2, P, CHEATER)), QRT_E_AGAIN);
    assert_false(is_filled(&sign, 1, P));
    rig_rest(&sign, 1, NULL);
    rig_expect_done(&sign);
}

/* ek of small order, or what X25519 makes of it: signed, so it is proven. */
static void test_an_ephemeral_key_of_small_order_is_its_signers_fault(void **state)
{
    static const char *const weak[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};
    struct rig *const rigs[] = {&keygen, &sign};

    (void)state;
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < sizeof weak / sizeof *weak; i++) {
            struct parcel p = rig_copy(rig_parcel(rigs[k], 1, B, CHEATER), 0);

            rig_rewind(rigs[k], 1);
            test_unhex(p.b + QRT_HEADER_BYTES, 32, weak[i]);
            assert_int_equal(give(rigs[k], &p), QRT_E_DROP_UNAUTHENTIC);
            rig_sign_again(rigs[k], &p, k ? 64 : 32);
            assert_int_equal(give(rigs[k], &p), QRT_E_WEAK_EPHEMERAL);
            rig_expect_failure(rigs[k], QRT_E_WEAK_EPHEMERAL, CHEATER);
            free(p.b);
        }
}

static void test_the_same_broadcast_under_any_signature_is_the_same(void **state)
{
    struct parcel p = rig_copy(rig_parcel(&sign, 1, B, CHEATER), 0);

    (void)state;
    rig_rewind(&sign, 1);
    assert_int_equal(give(&sign, &p), QRT_OK);
    p.b[p.len - 1] ^= 1;
    assert_int_equal(give(&sign, &p), QRT_OK);
    memset(p.b + p.len - 64, 0, 64);
    assert_int_equal(give(&sign, &p), QRT_OK);
    rig_expect_recovery(&sign, 1);
    free(p.b);
}

static void test_another_broadcast_must_be_signed_to_count(void **state)
{
    static const size_t places[] = {48, QRT_HEADER_BYTES, QRT_HEADER_BYTES + 33,
                                    QRT_HEADER_BYTES + 64}; /* echo, ek, hash, payload */

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct parcel p = rig_copy(rig_parcel(&sign, 1, B, CHEATER), 0);

        rig_rewind(&sign, 1);
        assert_int_equal(give(&sign, &p), QRT_OK);
        p.b[places[i]] ^= 1;
        assert_int_equal(give(&sign, &p), QRT_E_DROP_UNAUTHENTIC);
        assert_int_equal(qrt_run_phase(node_run(&sign.node)), QRT_PHASE_RUNNING);
        rig_sign_again(&sign, &p, 64);
        assert_int_equal(give(&sign, &p), QRT_E_EQUIVOCATION);
        rig_expect_failure(&sign, QRT_E_EQUIVOCATION, CHEATER);
        free(p.b);
    }
}

/* The host reads the record: the second saying has to come again, and counts then. */
static void test_another_broadcast_waits_while_a_record_is_lent(void **state)
{
    struct qrt_peer *peer = peer_of(&sign);
    struct parcel p = rig_copy(rig_parcel(&sign, 1, B, CHEATER), 0);
    const struct parcel *e1 = rig_parcel(&sign, 1, P, CHEATER);
    size_t len;

    (void)state;
    rig_rewind(&sign, 1);
    assert_int_equal(qrt_peer_recv(peer, p.b, p.len), QRT_OK);
    assert_int_equal(qrt_peer_recv(peer, e1->b, e1->len), QRT_OK);
    assert_non_null(qrt_peer_record(peer));
    p.b[QRT_HEADER_BYTES + 64] ^= 1;
    rig_sign_again(&sign, &p, 64);
    assert_int_equal(qrt_peer_recv(peer, p.b, p.len), QRT_E_AGAIN);
    assert_null(qrt_peer_evidence(peer, &len));
    assert_int_equal(qrt_peer_confirm(peer), QRT_OK);
    assert_int_equal(qrt_peer_recv(peer, p.b, p.len), QRT_E_EQUIVOCATION);
    assert_non_null(qrt_peer_evidence(peer, &len));
    free(p.b);
}

/* A key opens one message; the slot tells that it was used. */
static void test_a_private_message_twice_is_dropped(void **state)
{
    (void)state;
    rig_rewind(&sign, 2);
    assert_int_equal(give(&sign, rig_parcel(&sign, 2, P, CHEATER)), QRT_OK);
    assert_int_equal(give(&sign, rig_parcel(&sign, 2, P, CHEATER)), QRT_E_DROP_DUPLICATE);
    assert_int_equal(give(&sign, rig_parcel(&sign, 1, P, CHEATER)), QRT_E_DROP_DUPLICATE);
    rig_expect_recovery(&sign, 2);
}

static void test_what_does_not_open_leaves_slot_and_key(void **state)
{
    struct parcel p = rig_copy(rig_parcel(&sign, 2, P, CHEATER), 0);

    (void)state;
    rig_rewind(&sign, 2);
    for (size_t i = 0; i < 3; i++) {
        p.b[p.len - 1 - 1000 * i] ^= 1;
        assert_int_equal(give(&sign, &p), QRT_E_DROP_UNAUTHENTIC);
        p.b[p.len - 1 - 1000 * i] ^= 1;
        assert_false(is_filled(&sign, 2, P));
    }
    p.b[50] ^= 1; /* the echo is under the tag */
    assert_int_equal(give(&sign, &p), QRT_E_DROP_UNAUTHENTIC);
    p.b[50] ^= 1;
    assert_int_equal(give(&sign, &p), QRT_OK);
    rig_expect_recovery(&sign, 2);
    free(p.b);
}

static void test_an_open_message_is_the_one_that_was_signed_for(void **state)
{
    struct parcel p = rig_copy(rig_parcel(&sign, 1, P, CHEATER), 0);

    (void)state;
    rig_rewind(&sign, 1);
    assert_int_equal(give(&sign, rig_parcel(&sign, 1, B, CHEATER)), QRT_OK);
    for (size_t at = 48; at < p.len; at += 97) {
        p.b[at] ^= 1;
        assert_int_equal(give(&sign, &p), QRT_E_DROP_UNAUTHENTIC);
        p.b[at] ^= 1;
    }
    assert_int_equal(qrt_run_culprit(node_run(&sign.node)), 0);
    rig_expect_recovery(&sign, 1);
    free(p.b);
}

/* Wrong lengths are not authentic in any way: dropped, not blamed. */
static void test_other_lengths_are_dropped(void **state)
{
    (void)state;
    rig_rewind(&sign, 1);
    for (uint8_t kind = 0; kind < 2; kind++) {
        struct parcel p = rig_copy(rig_parcel(&sign, 1, kind, CHEATER), 2);

        assert_int_equal(rig_give(&sign, CHEATER, p.b, p.len - 1), QRT_E_DROP_UNEXPECTED);
        assert_int_equal(rig_give(&sign, CHEATER, p.b, p.len + 1), QRT_E_DROP_UNEXPECTED);
        assert_int_equal(rig_give(&sign, CHEATER, p.b, QRT_HEADER_BYTES), QRT_E_DROP_UNEXPECTED);
        assert_int_equal(rig_give(&sign, CHEATER, p.b, QRT_HEADER_BYTES - 1), QRT_E_DROP_FOREIGN);
        assert_int_equal(rig_give(&sign, CHEATER, p.b, 0), QRT_E_DROP_FOREIGN);
        qrt_be32_put(p.b + 12, qrt_be32_get(p.b + 12) + 1);
        assert_int_equal(rig_give(&sign, CHEATER, p.b, p.len), QRT_E_DROP_UNEXPECTED);
        assert_int_equal(rig_give(&sign, CHEATER, p.b, p.len + 1), QRT_E_DROP_UNEXPECTED);
        free(p.b);
    }
    rig_expect_recovery(&sign, 1);
}

/* ---- aborts ---- */

static struct parcel abort_by_cheater(const struct rig *r, uint8_t round)
{
    struct parcel p = {.from = CHEATER, .len = QRT_HEADER_BYTES + QRT_ABORT_BYTES + 64};

    p.b = calloc(1, p.len);
    assert_non_null(p.b);
    memcpy(p.b, rig_parcel(r, 1, B, CHEATER)->b, 48);
    p.b[6] = round;
    p.b[7] = QRT_KIND_ABORT;
    qrt_be32_put(p.b + 12, QRT_ABORT_BYTES);
    p.b[82] = round;
    rig_sign_again(r, &p, 0);
    return p;
}

static void test_only_a_signed_abort_ends_the_run(void **state)
{
    struct parcel p = abort_by_cheater(&sign, 1);
    size_t len;

    (void)state;
    rig_rewind(&sign, 1);
    for (size_t at = 48; at < p.len; at++) {
        p.b[at] ^= 1;
        assert_int_equal(give(&sign, &p), QRT_E_DROP_UNAUTHENTIC);
        p.b[at] ^= 1;
    }
    assert_int_equal(qrt_run_phase(node_run(&sign.node)), QRT_PHASE_RUNNING);
    assert_int_equal(give(&sign, &p), QRT_E_PEER_ABORT);
    assert_int_equal(qrt_run_culprit(node_run(&sign.node)), 0);
    assert_int_equal(qrt_run_peer_abort(node_run(&sign.node))->from, CHEATER);
    assert_int_equal(sign.node.aborts, 0);
    assert_null(qrt_peer_evidence(peer_of(&sign), &len));
    assert_int_equal(give(&sign, &p), QRT_E_STATE);
    free(p.b);
}

/* The abort of round 1 has no ext although the broadcast of round 1 has. */
static void test_aborts_of_every_round_are_taken(void **state)
{
    (void)state;
    for (uint8_t round = 1; round <= 4; round++) {
        struct parcel p = abort_by_cheater(&keygen, round);

        rig_rewind(&keygen, 3);
        assert_int_equal(give(&keygen, &p), round < 4 ? QRT_E_PEER_ABORT : QRT_E_DROP_UNEXPECTED);
        free(p.b);
    }
}

static void test_a_done_peer_hears_nothing_new(void **state)
{
    struct parcel p = abort_by_cheater(&sign, 3), b;

    (void)state;
    rig_rewind(&sign, 3);
    rig_round(&sign, 3, NULL);
    rig_expect_done(&sign);
    assert_int_equal(give(&sign, &p), QRT_E_DROP_DUPLICATE);
    b = rig_copy(rig_parcel(&sign, 3, B, CHEATER), 0);
    assert_int_equal(give(&sign, &b), QRT_OK);
    b.b[QRT_HEADER_BYTES] ^= 1;
    rig_sign_again(&sign, &b, 0);
    assert_int_equal(give(&sign, &b), QRT_E_DROP_DUPLICATE);
    rig_expect_done(&sign);
    free(b.b);
    free(p.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_private_messages_before_the_first_broadcast_are_asked_for_again),
        cmocka_unit_test(test_an_ephemeral_key_of_small_order_is_its_signers_fault),
        cmocka_unit_test(test_the_same_broadcast_under_any_signature_is_the_same),
        cmocka_unit_test(test_another_broadcast_must_be_signed_to_count),
        cmocka_unit_test(test_another_broadcast_waits_while_a_record_is_lent),
        cmocka_unit_test(test_a_private_message_twice_is_dropped),
        cmocka_unit_test(test_what_does_not_open_leaves_slot_and_key),
        cmocka_unit_test(test_an_open_message_is_the_one_that_was_signed_for),
        cmocka_unit_test(test_other_lengths_are_dropped),
        cmocka_unit_test(test_only_a_signed_abort_ends_the_run),
        cmocka_unit_test(test_aborts_of_every_round_are_taken),
        cmocka_unit_test(test_a_done_peer_hears_nothing_new),
    };

    return cmocka_run_group_tests_name("peer_recv", tests, make_rigs, free_rigs);
}
