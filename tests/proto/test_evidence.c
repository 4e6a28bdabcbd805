/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence: what a proven cheat leaves can be verified by anybody, nothing else can be made of it,
 * and no honest party's messages make any. rig_expect_failure verifies the evidence of every cheat
 * of every attack test; here the bytes themselves are attacked. */
#include "base/bytes.h"
#include "cheats.h"
#include "fixture.h"
#include "wire/envelope.h"

#include <stdlib.h>
#include <string.h>

enum { B = QRT_KIND_BROADCAST, P = QRT_KIND_PRIVATE, CHEATER = 2 };

static const uint16_t pair[] = {1, 2};

static enum qrt_err verify(const uint8_t *b, size_t len)
{
    struct qrt_evidence e;

    return qrt_evidence_verify(&e, full_ctx(), b, len);
}

static bool is_good(enum qrt_err e)
{
    return e == QRT_OK || e == QRT_E_EVIDENCE_PRIVATE;
}

/* Every bit of short evidence, every some of long; every cut; a byte more. */
static void expect_fragile(const uint8_t *evidence, size_t len, enum qrt_err good)
{
    uint8_t *b = malloc(len + 1);
    size_t step = len > 1500 ? 13 : 3;

    memcpy(b, evidence, len);
    b[len] = 0;
    assert_int_equal(verify(b, len), good);
    for (size_t at = 0; at < len; at += at < 60 ? 1 : step) {
        b[at] ^= (uint8_t)(1u << (at % 8));
        if (is_good(verify(b, len)))
            fail_msg("byte %zu of %zu may be changed", at, len);
        b[at] ^= (uint8_t)(1u << (at % 8));
    }
    for (size_t cut = 0; cut < len; cut += cut < 60 ? 1 : step)
        assert_false(is_good(verify(b, cut)));
    assert_false(is_good(verify(b, len - 1)));
    assert_false(is_good(verify(b, len + 1)));
    free(b);
}

static void evidence_of(struct rig *r, const struct cheat *cheat)
{
    const uint8_t *b;
    size_t len;

    cheats_play(r, cheat, 1, CHEATER);
    b = qrt_peer_evidence(r->node.memory, &len);
    assert_non_null(b);
    expect_fragile(b, len, cheat->error == QRT_E_SG_EXTENSION ? QRT_E_EVIDENCE_PRIVATE : QRT_OK);
}

static void bench_sign(struct rig *r)
{
    struct session s;

    session_sign(&s, QRT_SIGN, &key, pair, 3);
    rig_make(r, &s, 1);
}

static void bench_keygen(struct rig *r)
{
    struct session s;

    session_keygen(&s, &world, 2, 4);
    rig_make(r, &s, 1);
}

static void test_no_byte_of_the_evidence_of_a_signing_cheat_may_be_changed(void **state)
{
    static const struct cheat cheats[] = {
        {"rho", 2, B, 66, FLIP, QRT_E_SG_COMMITMENT, 0},
        {"R off the curve", 2, B, 0, OFF_CURVE, QRT_E_MALFORMED_BROADCAST, 0},
        {"w = q", 3, B, 0, ORDER, QRT_E_MALFORMED_BROADCAST, 0},
        {"E1 digest", 1, P, 2608, FLIP, QRT_E_SG_EXTENSION, 0},
    };
    struct rig r;

    (void)state;
    bench_sign(&r);
    for (size_t i = 0; i < sizeof cheats / sizeof *cheats; i++)
        evidence_of(&r, &cheats[i]);
    rig_free(&r);
}

static void test_no_byte_of_the_evidence_of_a_keygen_cheat_may_be_changed(void **state)
{
    static const struct cheat cheats[] = {
        {"hcc", 2, B, 66, FLIP, QRT_E_KG_COMMITMENT, 0},
        {"z", 2, B, 163, LAST_BIT, QRT_E_KG_PROOF, 0},
        {"z = 0", 2, B, 163, ZERO, QRT_E_MALFORMED_BROADCAST, 0},
        {"conf", 4, B, 5, FLIP, QRT_E_KG_CONFIRMATION, 0},
    };
    struct rig r;

    (void)state;
    bench_keygen(&r);
    for (size_t i = 0; i < sizeof cheats / sizeof *cheats; i++)
        evidence_of(&r, &cheats[i]);
    rig_free(&r);
}

static void test_no_byte_of_the_evidence_of_equivocation_may_be_changed(void **state)
{
    const struct parcel *taped;
    struct parcel other, wire;
    const uint8_t *b;
    size_t len;
    struct rig r;

    (void)state;
    bench_sign(&r);
    taped = rig_parcel(&r, 1, B, CHEATER);
    other = rig_copy(rig_plain(&r, 1, B, CHEATER), 0);
    other.b[90] ^= 4;
    wire = rig_pack(&r, &other, NULL);
    rig_rewind(&r, 1);
    assert_int_equal(rig_give(&r, CHEATER, taped->b, taped->len), QRT_OK);
    assert_int_equal(rig_give(&r, CHEATER, wire.b, wire.len), QRT_E_EQUIVOCATION);
    b = qrt_peer_evidence(r.node.memory, &len);
    assert_non_null(b);
    expect_fragile(b, len, QRT_OK);
    free(wire.b);
    free(other.b);
    rig_free(&r);
}

/* The first broadcast with an ephemeral key of small order, signed. */
static void weak_broadcast(struct rig *r, size_t ext_len, const uint8_t ek[32])
{
    struct parcel wire = rig_copy(rig_parcel(r, 1, B, CHEATER), 0);

    memcpy(wire.b + QRT_HEADER_BYTES, ek, 32);
    rig_sign_again(r, &wire, ext_len);
    rig_rewind(r, 1);
    (void)rig_give(r, CHEATER, wire.b, wire.len);
    r->what = "weak ephemeral key";
    rig_expect_failure(r, QRT_E_WEAK_EPHEMERAL, CHEATER);
    free(wire.b);
}

static void test_attack_ephemeral_keys_of_small_order_are_proven(void **state)
{
    static const char *const small[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    };
    struct rig sign, keygen;
    const uint8_t *b;
    uint8_t ek[32];
    size_t len;

    (void)state;
    bench_sign(&sign);
    bench_keygen(&keygen);
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        test_unhex(ek, 32, small[i]);
        weak_broadcast(&sign, 64, ek);
        weak_broadcast(&keygen, 32, ek);
    }
    b = qrt_peer_evidence(sign.node.memory, &len);
    expect_fragile(b, len, QRT_OK);
    rig_free(&keygen);
    rig_free(&sign);
}

/* ---- false accusations ---- */

/* "DKE1", version, code, accused, idpk, number of messages, each with its length. */
static size_t accuse(uint8_t *out, enum qrt_err e, const struct parcel *const *messages, size_t n)
{
    struct qrt_wr w = qrt_wr_init(out, 200000);

    qrt_wr_bytes(&w, "DKE1", 4);
    qrt_wr_u8(&w, 1);
    qrt_wr_u8(&w, qrt_err_code(e));
    qrt_wr_be16(&w, messages[0]->from);
    qrt_wr_bytes(&w, world.keys[world_at(&world, messages[0]->from)].idpk, 32);
    qrt_wr_be16(&w, (uint16_t)n);
    for (size_t i = 0; i < n; i++) {
        qrt_wr_be32(&w, (uint32_t)messages[i]->len);
        qrt_wr_bytes(&w, messages[i]->b, messages[i]->len);
    }
    return w.len;
}

static void expect_innocent(const struct parcel *const *messages, size_t n)
{
    static uint8_t b[200000];

    for (unsigned e = 1; e < QRT_E_COUNT; e++) {
        size_t len = accuse(b, (enum qrt_err)e, messages, n);

        if (e == QRT_E_SG_EXTENSION)
            continue; /* not proven by itself: see below */
        if (is_good(verify(b, len)))
            fail_msg("honest messages prove %s", qrt_err_name((enum qrt_err)e));
    }
}

/* All that one honest party ever signs in a session, in any pair and alone. */
static void expect_honest_say_nothing_wrong(const struct rig *r)
{
    const struct parcel *said[8] = {NULL};
    size_t n = 0;

    for (size_t i = 0; i < r->tape.n; i++)
        if (r->tape.p[i].from == CHEATER && r->tape.p[i].kind == B)
            said[n++] = &r->tape.p[i];
    expect_innocent(said, n);
    for (size_t i = 0; i < n; i++) {
        expect_innocent(&said[i], 1);
        for (size_t j = 0; j < n; j++) {
            const struct parcel *two[] = {said[i], said[j]};

            expect_innocent(two, 2);
        }
    }
}

static void test_honest_messages_prove_nothing(void **state)
{
    struct rig r;

    (void)state;
    bench_sign(&r);
    expect_honest_say_nothing_wrong(&r);
    rig_free(&r);
    bench_keygen(&r);
    expect_honest_say_nothing_wrong(&r);
    rig_free(&r);
}

/* One party in two sessions says different things in the same round: that is its job. */
static void test_two_sessions_are_no_equivocation(void **state)
{
    struct session s;
    struct rig a, b;

    (void)state;
    bench_sign(&a);
    session_sign(&s, QRT_SIGN, &key, pair, 33);
    rig_make(&b, &s, 1);
    for (uint8_t round = 1; round <= 3; round++)
        for (uint8_t other = 1; other <= 3; other++) {
            const struct parcel *two[] = {rig_parcel(&a, round, B, CHEATER),
                                          rig_parcel(&b, other, B, CHEATER)};

            expect_innocent(two, 2);
        }
    rig_free(&b);
    rig_free(&a);
}

/* An abort is never evidence, nor are two that differ: a party may end a run and, after a restart
 * from its pending share, end it again for another reason. */
static void test_abort_messages_prove_nothing(void **state)
{
    struct parcel wire[2];
    const struct parcel *both[] = {&wire[0], &wire[1]};
    struct rig r;

    (void)state;
    bench_keygen(&r);
    for (size_t i = 0; i < 2; i++) {
        struct parcel plain = {.from = CHEATER, .to = 1, .round = 4, .kind = QRT_KIND_ABORT};
        uint8_t b[QRT_HEADER_BYTES + 5];
        struct qrt_header h = {.protocol = QRT_KEYGEN, .profile = 1, .round = 4};

        h.kind = QRT_KIND_ABORT;
        h.sender = CHEATER;
        h.receiver = QRT_EVERYBODY;
        h.payload_len = 5;
        memcpy(h.sid, qrt_run_sid(node_run(&r.node)), 32);
        qrt_header_encode(b, &h);
        memcpy(b + QRT_HEADER_BYTES, i ? "\0\2\4\0\0" : "\0\1\4\0\0", 5);
        plain.b = b;
        plain.len = sizeof b;
        wire[i] = rig_pack(&r, &plain, NULL);
    }
    expect_innocent(both, 2);
    expect_innocent(both, 1);
    free(wire[0].b);
    free(wire[1].b);
    rig_free(&r);
}

/* What an extension's evidence says is limited: not proven, and an E1 that its sender never
 * covered with a signature says nothing at all. */
static void test_an_extension_that_was_not_signed_accuses_nobody(void **state)
{
    static uint8_t b[200000];
    struct parcel e1;
    struct rig r;

    (void)state;
    bench_sign(&r);
    e1 = rig_copy(rig_parcel(&r, 1, P, CHEATER), 0);
    for (size_t at = 0; at < e1.len; at += 100) {
        const struct parcel *said[] = {rig_parcel(&r, 1, B, CHEATER), &e1};

        e1.b[at] ^= 1;
        assert_false(is_good(verify(b, accuse(b, QRT_E_SG_EXTENSION, said, 2))));
        e1.b[at] ^= 1;
    }
    free(e1.b);
    rig_free(&r);
}

static void test_noise_is_no_evidence(void **state)
{
    struct test_rng rng = {5};
    uint8_t b[600];

    (void)state;
    for (size_t i = 0; i < 2000; i++) {
        test_rng_bytes(&rng, b, sizeof b);
        if (i % 2)
            memcpy(b, "DKE1\1\66", 6);
        assert_false(is_good(verify(b, (size_t)test_rng_below(&rng, sizeof b))));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_byte_of_the_evidence_of_a_signing_cheat_may_be_changed),
        cmocka_unit_test(test_no_byte_of_the_evidence_of_a_keygen_cheat_may_be_changed),
        cmocka_unit_test(test_no_byte_of_the_evidence_of_equivocation_may_be_changed),
        cmocka_unit_test(test_attack_ephemeral_keys_of_small_order_are_proven),
        cmocka_unit_test(test_honest_messages_prove_nothing),
        cmocka_unit_test(test_two_sessions_are_no_equivocation),
        cmocka_unit_test(test_abort_messages_prove_nothing),
        cmocka_unit_test(test_an_extension_that_was_not_signed_accuses_nobody),
        cmocka_unit_test(test_noise_is_no_evidence),
    };

    return cmocka_run_group_tests_name("evidence", tests, make_key, free_key);
}
