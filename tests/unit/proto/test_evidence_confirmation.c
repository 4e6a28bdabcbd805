/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of a wrong confirmation: a colluder who may sign anything anew, deny his openings or
 * tell another roster cannot make an honest party's confirmation look wrong. */
#include "base/bytes.h"
#include "proof.h"
#include "proto/evidence.h"
#include "proto/keygen.h"
#include "wire/envelope.h"

#include <stdlib.h>
#include <string.h>

enum { N = 2, T = 2, ROW = 130, R2_LEN = QRT_HEADER_BYTES + 33 * T + 129 + QRT_SIG_BYTES };
enum { R1_LEN = QRT_HEADER_BYTES + 32 + 64 + QRT_SIG_BYTES };
enum { R4_LEN = QRT_HEADER_BYTES + 32 + QRT_SIG_BYTES };
enum { R2_HCC = QRT_HEADER_BYTES + 33 * T, R4_CONF = QRT_HEADER_BYTES };
enum { OPENING = 66, X = 34 }; /* in a row */

/* The evidence in parts, all of which the framer may change. */
struct story {
    uint16_t accused, n, t, messages;
    uint8_t idpk[32], iid[32];
    uint8_t r4[R4_LEN], r1[N][R1_LEN], r2[N][R2_LEN];
    uint8_t row[N][ROW];
};

static struct story honest; /* against the victim, with his own honest confirmation */
static struct proof cheat;

static const uint8_t *identity(uint16_t index)
{
    return proof_people()->world.identity[index - 1];
}

static void get_message(struct qrt_rd *rd, uint8_t *out, size_t len)
{
    assert_int_equal(qrt_rd_be32(rd), len);
    qrt_rd_copy(rd, out, len);
}

/* What the victim kept of the cheater, taken apart. */
static void take_apart(struct story *s, const struct proof *p)
{
    struct qrt_rd rd = qrt_rd_init(p->b, p->len);

    (void)qrt_rd_bytes(&rd, 6);
    s->accused = qrt_rd_be16(&rd);
    qrt_rd_copy(&rd, s->idpk, 32);
    s->messages = qrt_rd_be16(&rd);
    get_message(&rd, s->r4, sizeof s->r4);
    for (size_t i = 0; i < N; i++) {
        get_message(&rd, s->r1[i], sizeof s->r1[i]);
        get_message(&rd, s->r2[i], sizeof s->r2[i]);
    }
    s->n = qrt_rd_be16(&rd);
    s->t = qrt_rd_be16(&rd);
    qrt_rd_copy(&rd, s->iid, 32);
    for (size_t i = 0; i < N; i++)
        qrt_rd_copy(&rd, s->row[i], ROW);
    assert_true(qrt_rd_end(&rd));
}

static void put_message(struct qrt_wr *w, const uint8_t *b, size_t len)
{
    qrt_wr_be32(w, (uint32_t)len);
    qrt_wr_bytes(w, b, len);
}

static enum qrt_err tell(const struct story *s)
{
    uint8_t b[4000];
    struct qrt_wr w = qrt_wr_init(b, sizeof b);
    struct qrt_evidence ev;

    qrt_wr_bytes(&w, "DKE1", 4);
    qrt_wr_u8(&w, 1);
    qrt_wr_u8(&w, qrt_err_code(QRT_E_KG_CONFIRMATION));
    qrt_wr_be16(&w, s->accused);
    qrt_wr_bytes(&w, s->idpk, 32);
    qrt_wr_be16(&w, s->messages);
    put_message(&w, s->r4, sizeof s->r4);
    for (size_t i = 0; i < N; i++) {
        put_message(&w, s->r1[i], sizeof s->r1[i]);
        put_message(&w, s->r2[i], sizeof s->r2[i]);
    }
    qrt_wr_be16(&w, s->n);
    qrt_wr_be16(&w, s->t);
    qrt_wr_bytes(&w, s->iid, 32);
    for (size_t i = 0; i < N; i++)
        qrt_wr_bytes(&w, s->row[i], ROW);
    assert_false(w.failed);
    return qrt_evidence_verify(&ev, full_ctx(), b, w.len);
}

static void sign(uint8_t *wire, size_t len, size_t ext_len, uint16_t signer)
{
    struct qrt_signed m = {.header = wire, .ext = wire + QRT_HEADER_BYTES, .ext_len = ext_len};

    m.payload = m.ext + ext_len;
    m.payload_len = len - QRT_HEADER_BYTES - ext_len - QRT_SIG_BYTES;
    qrt_envelope_sign(full_ctx(), wire + len - QRT_SIG_BYTES, &m, identity(signer));
}

static int make_story(void **state)
{
    struct rig r;
    const struct parcel *r4;

    (void)state;
    proof_make(&cheat, PROOF_KG_CONFIRMATION);
    take_apart(&honest, &cheat);
    proof_bench(&r, PROOF_KG_CONFIRMATION);
    rig_rewind(&r, 3);
    rig_round(&r, 3, NULL);
    r4 = rig_said(&r, 4, QRT_KIND_BROADCAST);
    assert_non_null(r4);
    assert_int_equal(r4->len, sizeof honest.r4);
    memcpy(honest.r4, r4->b, r4->len);
    honest.accused = VICTIM;
    memcpy(honest.idpk, proof_people()->world.keys[VICTIM - 1].idpk, 32);
    rig_free(&r);
    return 0;
}

static int free_story(void **state)
{
    (void)state;
    proof_free(&cheat);
    keyring_free((struct keyring *)&proof_people()->key);
    return 0;
}

static void test_the_same_parts_tell_the_same(void **state)
{
    struct story s;

    (void)state;
    take_apart(&s, &cheat);
    assert_int_equal(tell(&s), QRT_OK);
    assert_int_equal(cheat.len, 1692); /* docs/wire.md */
}

static void test_an_honest_confirmation_is_no_evidence(void **state)
{
    (void)state;
    assert_int_equal(tell(&honest), QRT_E_EVIDENCE);
}

/* The stories below fail for their own reason: were it the victim who lied, this one would hold. */
static void test_a_wrong_confirmation_by_the_same_party_is(void **state)
{
    struct story s = honest;

    (void)state;
    s.r4[R4_CONF] ^= 1;
    assert_int_equal(tell(&s), QRT_E_EVIDENCE); /* not signed */
    sign(s.r4, sizeof s.r4, 0, VICTIM);
    assert_int_equal(tell(&s), QRT_OK);
    sign(s.r4, sizeof s.r4, 0, CHEATER);
    assert_int_equal(tell(&s), QRT_E_EVIDENCE);
}

static void test_frame_other_chain_code_openings(void **state)
{
    (void)state;
    for (size_t i = 0; i < N; i++)
        for (size_t at = OPENING; at < ROW; at += 63) {
            struct story s = honest;

            s.row[i][at] ^= 1;
            assert_int_equal(tell(&s), QRT_E_EVIDENCE);
        }
}

/* The colluder's hash fits his other opening, but it is not what the victim's echo says. */
static void test_frame_another_second_round_of_the_colluder(void **state)
{
    struct story s = honest;
    uint8_t ssid0[32];

    (void)state;
    memcpy(ssid0, s.r2[1] + 16, 32);
    s.row[1][OPENING] ^= 1;
    qrt_keygen_chain_hash(full_ctx(), s.r2[1] + R2_HCC, ssid0, CHEATER, s.row[1] + OPENING);
    sign(s.r2[1], R2_LEN, 0, CHEATER);
    assert_int_equal(tell(&s), QRT_E_EVIDENCE);
}

static void test_frame_other_commitments_of_the_colluder(void **state)
{
    struct story s = honest;

    (void)state;
    s.r2[1][QRT_HEADER_BYTES] ^= 1; /* F_0 negated: another key */
    sign(s.r2[1], R2_LEN, 0, CHEATER);
    assert_int_equal(tell(&s), QRT_E_EVIDENCE);
}

static void test_frame_another_first_round_of_the_colluder(void **state)
{
    struct story s = honest;

    (void)state;
    s.r1[1][QRT_HEADER_BYTES + 32] ^= 1;
    sign(s.r1[1], R1_LEN, 32, CHEATER);
    assert_int_equal(tell(&s), QRT_E_EVIDENCE);
    /* another ephemeral key is no part of the story */
    s = honest;
    s.r1[1][QRT_HEADER_BYTES] ^= 1;
    sign(s.r1[1], R1_LEN, 32, CHEATER);
    assert_int_equal(tell(&s), QRT_E_EVIDENCE);
}

static void test_frame_another_intent_roster_or_threshold(void **state)
{
    struct story s = honest;

    (void)state;
    s.iid[0] ^= 1;
    assert_int_equal(tell(&s), QRT_E_EVIDENCE);
    for (size_t i = 0; i < N; i++) {
        s = honest;
        s.row[i][X + 31] = 9;
        assert_int_equal(tell(&s), QRT_E_EVIDENCE);
        s = honest;
        s.row[i][1] = 9;
        assert_int_equal(tell(&s), QRT_E_EVIDENCE);
    }
    for (uint16_t n = 0; n < 70; n++)
        for (uint16_t t = 0; t < 5; t++) {
            s = honest;
            s.n = n;
            s.t = t;
            assert_int_equal(tell(&s), QRT_E_EVIDENCE);
            s.messages = (uint16_t)(1 + 2 * n);
            assert_int_equal(tell(&s), QRT_E_EVIDENCE);
        }
}

/* The colluder under another identity, in the row and in his signatures. */
static void test_frame_another_identity(void **state)
{
    struct story s = honest;

    (void)state;
    memcpy(s.row[1] + 2, proof_people()->world.keys[VICTIM - 1].idpk, 32);
    sign(s.r1[1], R1_LEN, 32, VICTIM);
    sign(s.r2[1], R2_LEN, 0, VICTIM);
    assert_int_equal(tell(&s), QRT_E_EVIDENCE);
}

static void swap(uint8_t *a, uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t x = a[i];

        a[i] = b[i];
        b[i] = x;
    }
}

static void test_frame_parties_in_another_order(void **state)
{
    struct story s = honest;

    (void)state;
    swap(s.r1[0], s.r1[1], R1_LEN);
    swap(s.r2[0], s.r2[1], R2_LEN);
    assert_int_equal(tell(&s), QRT_E_EVIDENCE);
    swap(s.row[0], s.row[1], ROW);
    assert_int_equal(tell(&s), QRT_E_EVIDENCE);
}

/* The colluder's messages with another header, well signed. */
static void test_frame_messages_of_elsewhere(void **state)
{
    static const uint8_t at[] = {4, 6, 9, 16};
    static const uint8_t value[] = {QRT_SIGN, 3, VICTIM, 0xAB};

    (void)state;
    for (size_t i = 0; i < sizeof at; i++) {
        struct story s = honest;

        s.r1[1][at[i]] = value[i];
        sign(s.r1[1], R1_LEN, 32, CHEATER);
        assert_int_equal(tell(&s), QRT_E_EVIDENCE);
        s = honest;
        s.r2[1][at[i]] = value[i];
        sign(s.r2[1], R2_LEN, 0, CHEATER);
        assert_int_equal(tell(&s), QRT_E_EVIDENCE);
    }
}

/* A party that lied in round 4 of one key and was honest in another: only the pair that belongs
 * together counts. */
static void test_a_lie_counts_in_its_own_session_and_round(void **state)
{
    static const struct {
        uint8_t at, value;
    } headers[] = {{4, QRT_SIGN}, {6, 3}, {9, CHEATER}, {16, 0xAB}, {48, 0xCD}};

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct story s = honest;

        s.r4[R4_CONF] ^= 1;
        s.r4[headers[i].at] = headers[i].value;
        sign(s.r4, sizeof s.r4, 0, VICTIM);
        assert_int_equal(tell(&s), QRT_E_EVIDENCE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_parts_tell_the_same),
        cmocka_unit_test(test_an_honest_confirmation_is_no_evidence),
        cmocka_unit_test(test_a_wrong_confirmation_by_the_same_party_is),
        cmocka_unit_test(test_frame_other_chain_code_openings),
        cmocka_unit_test(test_frame_another_second_round_of_the_colluder),
        cmocka_unit_test(test_frame_other_commitments_of_the_colluder),
        cmocka_unit_test(test_frame_another_first_round_of_the_colluder),
        cmocka_unit_test(test_frame_another_intent_roster_or_threshold),
        cmocka_unit_test(test_frame_another_identity),
        cmocka_unit_test(test_frame_parties_in_another_order),
        cmocka_unit_test(test_frame_messages_of_elsewhere),
        cmocka_unit_test(test_a_lie_counts_in_its_own_session_and_round),
    };

    return cmocka_run_group_tests_name("evidence_confirmation", tests, make_story, free_story);
}
