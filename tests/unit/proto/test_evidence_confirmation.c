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
static struct story liar;   /* the same, but the victim's confirmation is indeed wrong */
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
    liar = honest;
    liar.r4[R4_CONF] ^= 1;
    sign(liar.r4, sizeof liar.r4, 0, VICTIM);
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

/* The story fails with an honest confirmation and with a wrong one: it is the story that is wrong.
 */
static enum qrt_err tell_either_way(const struct story *s)
{
    struct story other = *s;
    enum qrt_err e = tell(s);

    if (memcmp(s->r4, honest.r4, sizeof s->r4) != 0)
        return e;
    memcpy(other.r4, liar.r4, sizeof other.r4);
    return e == QRT_OK ? QRT_OK : tell(&other);
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
            assert_int_equal(tell_either_way(&s), QRT_E_EVIDENCE);
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
    assert_int_equal(tell_either_way(&s), QRT_E_EVIDENCE);
}

static void test_frame_other_commitments_of_the_colluder(void **state)
{
    struct story s = honest;

    (void)state;
    s.r2[1][QRT_HEADER_BYTES] ^= 1; /* F_0 negated: another key */
    sign(s.r2[1], R2_LEN, 0, CHEATER);
    assert_int_equal(tell_either_way(&s), QRT_E_EVIDENCE);
}

static void test_frame_another_first_round_of_the_colluder(void **state)
{
    struct story s = honest;

    (void)state;
    s.r1[1][QRT_HEADER_BYTES + 32] ^= 1;
    sign(s.r1[1], R1_LEN, 32, CHEATER);
    assert_int_equal(tell_either_way(&s), QRT_E_EVIDENCE);
}

static void test_frame_another_intent_roster_or_threshold(void **state)
{
    struct story s = honest;

    (void)state;
    s.iid[0] ^= 1;
    assert_int_equal(tell_either_way(&s), QRT_E_EVIDENCE);
    for (size_t i = 0; i < N; i++) {
        s = honest;
        s.row[i][X + 31] = 9;
        assert_int_equal(tell_either_way(&s), QRT_E_EVIDENCE);
        s = honest;
        s.row[i][1] = 9;
        assert_int_equal(tell_either_way(&s), QRT_E_EVIDENCE);
    }
    for (uint16_t n = 0; n < 70; n++)
        for (uint16_t t = 0; t < 5; t++) {
            if (n == N && t == T)
                continue;
            s = honest;
            s.n = n;
            s.t = t;
            assert_int_equal(tell_either_way(&s), QRT_E_EVIDENCE);
            s.messages = (uint16_t)(1 + 2 * n);
            assert_int_equal(tell_either_way(&s), QRT_E_EVIDENCE);
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
    assert_int_equal(tell_either_way(&s), QRT_E_EVIDENCE);
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
    assert_int_equal(tell_either_way(&s), QRT_E_EVIDENCE);
    swap(s.row[0], s.row[1], ROW);
    assert_int_equal(tell_either_way(&s), QRT_E_EVIDENCE);
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
        assert_int_equal(tell_either_way(&s), QRT_E_EVIDENCE);
        s = honest;
        s.r2[1][at[i]] = value[i];
        sign(s.r2[1], R2_LEN, 0, CHEATER);
        assert_int_equal(tell_either_way(&s), QRT_E_EVIDENCE);
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

/* ---- made up from nothing ---- */

enum { T_TOO_BIG = 70, R2_MAX = QRT_HEADER_BYTES + 33 * T_TOO_BIG + 129 + QRT_SIG_BYTES };

/* A whole session by two identities that are both the forger's. */
struct tale {
    struct qrt_party parties[N];
    uint8_t openings[N][64], iid[32];
    uint8_t r1[N][R1_LEN], r2[N][R2_MAX], r4[R4_LEN];
    size_t t, r2_len;
    size_t cut1, cut2; /* bytes that the payloads of rounds 1 and 2 are too short */
};

static void put_header(const struct tale *l, uint8_t *wire, uint8_t round, uint16_t from,
                       const uint8_t echo[32])
{
    struct qrt_header h = {.protocol = QRT_KEYGEN, .profile = 1, .round = round, .sender = from};

    h.receiver = QRT_EVERYBODY;
    h.payload_len = (uint32_t)(round == 1   ? 64 - l->cut1
                               : round == 2 ? 33 * l->t + 129 - l->cut2
                                            : 32);
    qrt_keygen_ssid0(full_ctx(), h.sid, l->parties, N, l->t, l->iid);
    memcpy(h.echo, echo, 32);
    qrt_header_encode(wire, &h);
}

static void tell_rounds(struct tale *l, uint8_t bh2[32])
{
    struct qrt_broadcasts r1 = {.n = N, .index = {1, 2}, .len = 64}, r2 = r1;
    uint8_t ssid1[32], none[32] = {0}, *payload;
    struct qrt_sc k;
    struct qrt_pt F;

    r2.len = 33 * l->t + 129;
    l->r2_len = QRT_HEADER_BYTES + r2.len - l->cut2 + QRT_SIG_BYTES;
    for (size_t i = 0; i < N; i++) {
        put_header(l, l->r1[i], 1, (uint16_t)(i + 1), none);
        sign(l->r1[i], R1_LEN - l->cut1, 32, (uint16_t)(i + 1));
        r1.payload[i] = l->r1[i] + QRT_HEADER_BYTES + 32;
    }
    qrt_keygen_ssid1(full_ctx(), ssid1, l->r1[0] + 16, &r1);
    for (size_t i = 0; i < N; i++) {
        payload = l->r2[i] + QRT_HEADER_BYTES;
        put_header(l, l->r2[i], 2, (uint16_t)(i + 1), ssid1);
        for (size_t m = 0; m < l->t; m++) {
            qrt_sc_set_u32(&k, (uint32_t)(1 + i + m));
            qrt_pt_base(full_ctx(), &F, &k);
            qrt_pt_encode(full_ctx(), payload + 33 * m, &F);
        }
        qrt_keygen_chain_hash(full_ctx(), payload + 33 * l->t, l->r1[0] + 16, (uint16_t)(i + 1),
                              l->openings[i]);
        sign(l->r2[i], l->r2_len, 0, (uint16_t)(i + 1));
        r2.payload[i] = payload;
    }
    qrt_broadcasts_hash(full_ctx(), bh2, ssid1, 2, &r2);
}

/* The tale of an empty |l|, which says what is odd; |extra| more messages than the session had. */
static enum qrt_err tell_tale(const struct tale *odd, uint16_t extra)
{
    static struct tale l;
    static uint8_t b[8000];
    const struct world *w = &proof_people()->world;
    struct qrt_wr out = qrt_wr_init(b, sizeof b);
    struct qrt_evidence ev;
    uint8_t bh2[32];

    l = *odd;
    memcpy(l.parties, w->roster, sizeof l.parties);
    tell_rounds(&l, bh2);
    put_header(&l, l.r4, 4, VICTIM, bh2);
    sign(l.r4, R4_LEN, 0, VICTIM);
    qrt_wr_bytes(&out, "DKE1\1\65\0\1", 8);
    qrt_wr_bytes(&out, w->keys[0].idpk, 32);
    qrt_wr_be16(&out, (uint16_t)(1 + 2 * N + extra));
    put_message(&out, l.r4, R4_LEN);
    for (size_t i = 0; i < N; i++) {
        put_message(&out, l.r1[i], R1_LEN - l.cut1);
        put_message(&out, l.r2[i], l.r2_len);
    }
    for (uint16_t i = 0; i < extra; i++)
        put_message(&out, l.r4, R4_LEN);
    qrt_wr_be16(&out, N);
    qrt_wr_be16(&out, (uint16_t)l.t);
    qrt_wr_bytes(&out, l.iid, 32);
    for (size_t i = 0; i < N; i++) {
        qrt_wr_be16(&out, l.parties[i].index);
        qrt_wr_bytes(&out, w->keys[i].idpk, 32);
        qrt_wr_bytes(&out, l.parties[i].x, 32);
        qrt_wr_bytes(&out, l.openings[i], 64);
    }
    assert_false(out.failed);
    return qrt_evidence_verify(&ev, full_ctx(), b, out.len);
}

/* Whoever has identities of his own can sign any threshold: it must not lead beyond our arrays. */
static void test_a_made_up_session_has_a_possible_threshold(void **state)
{
    static const size_t wrong[] = {0, 1, 3, 65, T_TOO_BIG};
    static struct tale odd;

    (void)state;
    odd.t = 2;
    assert_int_equal(tell_tale(&odd, 0), QRT_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        odd.t = wrong[i];
        assert_int_equal(tell_tale(&odd, 0), QRT_E_EVIDENCE);
    }
}

/* The hashes fit if one reads on into the signature. */
static void test_a_made_up_payload_is_as_long_as_its_round_wants(void **state)
{
    static struct tale odd;

    (void)state;
    odd.t = 2;
    odd.cut1 = 1;
    assert_int_equal(tell_tale(&odd, 0), QRT_E_EVIDENCE);
    odd.cut1 = 0;
    odd.cut2 = 1;
    assert_int_equal(tell_tale(&odd, 0), QRT_E_EVIDENCE);
}

static void test_no_message_is_left_over(void **state)
{
    static struct tale odd;

    (void)state;
    odd.t = 2;
    assert_int_equal(tell_tale(&odd, 1), QRT_E_EVIDENCE);
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
        cmocka_unit_test(test_a_made_up_session_has_a_possible_threshold),
        cmocka_unit_test(test_a_made_up_payload_is_as_long_as_its_round_wants),
        cmocka_unit_test(test_no_message_is_left_over),
    };

    return cmocka_run_group_tests_name("evidence_confirmation", tests, make_story, free_story);
}
