/* SPDX-License-Identifier: Apache-2.0 */
/* Verifying evidence: each kind of cheat is proven, nothing else is. Above all: out of what an
 * honest party signed, in however many sessions, nobody can make evidence against it. */
#include "base/bytes.h"
#include "proof.h"
#include "proto/evidence.h"
#include "wire/envelope.h"

#include <stdlib.h>
#include <string.h>

enum { B = QRT_KIND_BROADCAST, P = QRT_KIND_PRIVATE };

static struct proof proofs[PROOF_KINDS];

static int make_proofs(void **state)
{
    (void)state;
    for (unsigned k = 0; k < PROOF_KINDS; k++)
        proof_make(&proofs[k], (enum proof_kind)k);
    return 0;
}

static int free_proofs(void **state)
{
    (void)state;
    for (unsigned k = 0; k < PROOF_KINDS; k++)
        proof_free(&proofs[k]);
    keyring_free((struct keyring *)&proof_people()->key);
    return 0;
}

static enum qrt_err verify(struct qrt_evidence *out, const uint8_t *b, size_t len)
{
    static const struct qrt_evidence nothing;
    enum qrt_err e;

    memset(out, 0xEE, sizeof *out);
    e = qrt_evidence_verify(out, full_ctx(), b, len);
    if (e == QRT_OK || e == QRT_E_EVIDENCE_PRIVATE) {
        assert_int_equal(out->proven, e == QRT_OK);
        assert_int_equal(out->error == QRT_E_SG_EXTENSION, e == QRT_E_EVIDENCE_PRIVATE);
        return e;
    }
    assert_true(e == QRT_E_EVIDENCE || e == QRT_E_RECORD_FORMAT);
    if (e == QRT_E_EVIDENCE)
        assert_memory_equal(out, &nothing, sizeof nothing);
    return e;
}

static enum qrt_err answer(const struct proof *p)
{
    return p->error == QRT_E_SG_EXTENSION ? QRT_E_EVIDENCE_PRIVATE : QRT_OK;
}

static bool says_the_same(const struct proof *p, const struct qrt_evidence *ev)
{
    return ev->error == p->error && ev->accused == CHEATER &&
           memcmp(ev->idpk, proof_people()->world.keys[1].idpk, 32) == 0 &&
           memcmp(ev->sid, p->sid, 32) == 0 && ev->proven == (p->error != QRT_E_SG_EXTENSION);
}

static void test_each_cheat_is_proven_by_what_its_victim_keeps(void **state)
{
    struct qrt_evidence ev;

    (void)state;
    for (size_t k = 0; k < PROOF_KINDS; k++) {
        assert_int_equal(verify(&ev, proofs[k].b, proofs[k].len), answer(&proofs[k]));
        if (!says_the_same(&proofs[k], &ev))
            fail_msg("%s", proofs[k].what);
    }
}

/* Every byte of the short ones; of the long ones all of the frame and every seventh. */
static void test_a_changed_byte_proves_nothing_or_the_same(void **state)
{
    struct qrt_evidence ev;

    (void)state;
    for (size_t k = 0; k < PROOF_KINDS; k++) {
        struct proof *p = &proofs[k];

        for (size_t at = 0; at < p->len; at += at < 140 || p->len < 700 ? 1 : 7) {
            p->b[at] ^= (uint8_t)(1 << at % 8);
            if (verify(&ev, p->b, p->len) == answer(p) && !says_the_same(p, &ev))
                fail_msg("%s: byte %zu", p->what, at);
            p->b[at] ^= (uint8_t)(1 << at % 8);
        }
    }
}

static void test_cut_or_longer_evidence_proves_nothing(void **state)
{
    struct qrt_evidence ev;

    (void)state;
    for (size_t k = 0; k < PROOF_KINDS; k++) {
        struct proof *p = &proofs[k];

        p->b[p->len] = 0;
        assert_int_equal(verify(&ev, p->b, p->len + 1), QRT_E_EVIDENCE);
        for (size_t len = 0; len < p->len; len += len < 200 ? 1 : 13) {
            /* a copy of just that length: reading on shows under memory checkers */
            uint8_t *b = malloc(len ? len : 1);

            memcpy(b, p->b, len);
            assert_int_equal(verify(&ev, b, len),
                             len < QRT_EVIDENCE_HEAD_BYTES ? QRT_E_RECORD_FORMAT : QRT_E_EVIDENCE);
            free(b);
        }
        assert_int_equal(verify(&ev, p->b, p->len - 1), QRT_E_EVIDENCE);
    }
}

static void test_other_magic_or_version_is_no_evidence(void **state)
{
    struct proof *p = &proofs[PROOF_KG_PROOF];
    struct qrt_evidence ev;

    (void)state;
    for (size_t at = 0; at < 5; at++) {
        p->b[at]++;
        assert_int_equal(verify(&ev, p->b, p->len), QRT_E_RECORD_FORMAT);
        p->b[at]--;
    }
}

/* The file's own words: another accused, another key, another code, another count. */
static void test_proofs_do_not_hold_against_anybody_else(void **state)
{
    struct qrt_evidence ev;

    (void)state;
    for (size_t k = 0; k < PROOF_KINDS; k++) {
        struct proof *p = &proofs[k];
        uint8_t idpk[32], code = p->b[5], count = p->b[41];

        memcpy(idpk, p->b + 8, 32);
        p->b[7] = VICTIM;
        assert_int_equal(verify(&ev, p->b, p->len), QRT_E_EVIDENCE);
        memcpy(p->b + 8, proof_people()->world.keys[0].idpk, 32);
        assert_int_equal(verify(&ev, p->b, p->len), QRT_E_EVIDENCE);
        p->b[7] = CHEATER;
        assert_int_equal(verify(&ev, p->b, p->len), QRT_E_EVIDENCE);
        memcpy(p->b + 8, idpk, 32);
        for (unsigned c = 0; c < 256; c++) {
            p->b[5] = (uint8_t)c;
            assert_int_equal(verify(&ev, p->b, p->len), c == code ? answer(p) : QRT_E_EVIDENCE);
        }
        p->b[5] = code;
        for (unsigned m = 0; m < 10; m++) {
            p->b[41] = (uint8_t)m;
            assert_int_equal(verify(&ev, p->b, p->len), m == count ? answer(p) : QRT_E_EVIDENCE);
        }
        p->b[41] = count;
    }
}

/* The |which|-th message, signed again by the cheater with another byte in its header. */
static enum qrt_err retell(const struct proof *p, size_t which, size_t at, uint8_t value)
{
    struct qrt_signed m = {0};
    struct qrt_header h;
    struct qrt_evidence ev;
    uint8_t *b = malloc(p->len), *wire = b + QRT_EVIDENCE_HEAD_BYTES;
    size_t len;
    enum qrt_err e;

    assert_non_null(b);
    memcpy(b, p->b, p->len);
    for (size_t i = 0; i < which; i++)
        wire += 4 + qrt_be32_get(wire);
    len = qrt_be32_get(wire);
    wire += 4;
    wire[at] = value;
    assert_int_equal(qrt_header_decode(&h, wire, len), QRT_OK);
    m.header = wire;
    m.ext = wire + QRT_HEADER_BYTES;
    m.ext_len = len - QRT_HEADER_BYTES - h.payload_len - QRT_SIG_BYTES;
    m.payload = m.ext + m.ext_len;
    m.payload_len = h.payload_len;
    qrt_envelope_sign(full_ctx(), wire + len - QRT_SIG_BYTES, &m,
                      proof_people()->world.identity[CHEATER - 1]);
    e = verify(&ev, b, p->len);
    free(b);
    return e;
}

/* What is wrong in one protocol, round or session may be right, or unrelated, in another. */
static void test_messages_count_in_their_own_protocol_round_and_session(void **state)
{
    enum { PROTOCOL = 4, ROUND = 6, SENDER = 9, SID = 16 };
    static const struct {
        enum proof_kind kind;
        uint8_t which, at, value;
    } cases[] = {
        {PROOF_EQUIVOCATION, 1, PROTOCOL, QRT_SIGN},
        {PROOF_EQUIVOCATION, 1, ROUND, 1},
        {PROOF_EQUIVOCATION, 1, SENDER, VICTIM},
        {PROOF_EQUIVOCATION, 1, SID, 0xAB},
        {PROOF_EQUIVOCATION_EXT, 0, PROTOCOL, QRT_PRESIGN},
        {PROOF_EQUIVOCATION_EXT, 0, SID, 0xAB},
        {PROOF_MALFORMED_KEYGEN, 0, PROTOCOL, QRT_SIGN},
        {PROOF_MALFORMED_KEYGEN, 0, ROUND, 3},
        {PROOF_MALFORMED_SIGN, 0, PROTOCOL, QRT_KEYGEN},
        {PROOF_MALFORMED_SIGN, 0, PROTOCOL, QRT_ONLINE},
        {PROOF_MALFORMED_SIGN, 0, ROUND, 1},
        {PROOF_MALFORMED_SIGN, 0, ROUND, 3},
        {PROOF_MALFORMED_ASSEMBLY, 0, PROTOCOL, QRT_KEYGEN},
        {PROOF_MALFORMED_ASSEMBLY, 0, ROUND, 1},
        {PROOF_MALFORMED_ASSEMBLY, 0, ROUND, 2},
        {PROOF_MALFORMED_ONLINE, 0, PROTOCOL, QRT_KEYGEN},
        {PROOF_MALFORMED_ONLINE, 0, ROUND, 4},
        {PROOF_WEAK_KEYGEN, 0, ROUND, 2},
        {PROOF_WEAK_SIGN, 0, ROUND, 3},
        {PROOF_KG_COMMITMENT, 0, PROTOCOL, QRT_SIGN},
        {PROOF_KG_COMMITMENT, 0, ROUND, 2},
        {PROOF_KG_COMMITMENT, 1, PROTOCOL, QRT_SIGN},
        {PROOF_KG_COMMITMENT, 1, ROUND, 1},
        {PROOF_KG_COMMITMENT, 1, SID, 0xAB},
        {PROOF_KG_PROOF, 0, PROTOCOL, QRT_PRESIGN},
        {PROOF_KG_PROOF, 0, ROUND, 4},
        {PROOF_SG_COMMITMENT, 0, PROTOCOL, QRT_SIGN},
        {PROOF_SG_COMMITMENT, 0, SID, 0xAB},
        {PROOF_SG_COMMITMENT, 1, PROTOCOL, QRT_KEYGEN},
        {PROOF_SG_COMMITMENT, 1, ROUND, 3},
        {PROOF_SG_EXTENSION, 0, PROTOCOL, QRT_KEYGEN},
        {PROOF_SG_EXTENSION, 0, ROUND, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct proof *p = &proofs[cases[i].kind];

        assert_int_equal(retell(p, cases[i].which, 5, 1), answer(p)); /* nothing changed */
        if (retell(p, cases[i].which, cases[i].at, cases[i].value) != QRT_E_EVIDENCE)
            fail_msg("%s: case %zu", p->what, i);
    }
}

/* Round 1 without an ephemeral key, and zeros where it would stand. */
static void test_a_first_round_without_a_key_has_no_weak_key(void **state)
{
    const struct proof *p = &proofs[PROOF_WEAK_KEYGEN];
    uint8_t b[QRT_EVIDENCE_HEAD_BYTES + 4 + QRT_HEADER_BYTES + 64 + QRT_SIG_BYTES] = {0};
    uint8_t *wire = b + QRT_EVIDENCE_HEAD_BYTES + 4;
    struct qrt_signed m = {.header = wire, .payload = wire + QRT_HEADER_BYTES, .payload_len = 64};
    struct qrt_evidence ev;

    (void)state;
    memcpy(b, p->b, QRT_EVIDENCE_HEAD_BYTES + 4 + QRT_HEADER_BYTES);
    qrt_be32_put(wire - 4, QRT_HEADER_BYTES + 64 + QRT_SIG_BYTES);
    qrt_envelope_sign(full_ctx(), wire + QRT_HEADER_BYTES + 64, &m,
                      proof_people()->world.identity[CHEATER - 1]);
    assert_int_equal(verify(&ev, b, sizeof b), QRT_E_EVIDENCE);
}

/* The list of hashes names somebody else's extension. */
static void test_a_listed_extension_is_the_accuseds_own(void **state)
{
    const struct proof *p = &proofs[PROOF_SG_EXTENSION];
    uint8_t *b = malloc(p->len), *r1 = b + QRT_EVIDENCE_HEAD_BYTES + 4;
    uint8_t *e1 = r1 + qrt_be32_get(p->b + QRT_EVIDENCE_HEAD_BYTES) + 4;
    struct qrt_signed m = {.header = r1, .ext = r1 + QRT_HEADER_BYTES, .ext_len = 64};
    struct qrt_evidence ev;

    (void)state;
    assert_non_null(b);
    memcpy(b, p->b, p->len);
    m.payload = m.ext + 64;
    m.payload_len = 32;
    for (unsigned sender = CHEATER; sender >= VICTIM; sender--) {
        e1[9] = (uint8_t)sender;
        qrt_envelope_open_hash(full_ctx(), r1 + QRT_HEADER_BYTES + 32, e1, e1 + QRT_HEADER_BYTES,
                               2640);
        qrt_envelope_sign(full_ctx(), r1 + QRT_HEADER_BYTES + 96, &m,
                          proof_people()->world.identity[CHEATER - 1]);
        assert_int_equal(verify(&ev, b, p->len),
                         sender == CHEATER ? QRT_E_EVIDENCE_PRIVATE : QRT_E_EVIDENCE);
    }
    free(b);
}

/* ---- nobody can frame the honest ---- */

/* Everything three honest parties ever sent: two keygens, two signatures, one online. */
static struct parcels archive;
static struct world trio;

static void keep(const struct network *net)
{
    for (size_t i = 0; i < net->log.n; i++) {
        const struct parcel *p = &net->log.p[i];

        if (p->kind == P && p->round != 1)
            continue;
        if (p->kind == B && i && p->b[7] == B && net->log.p[i - 1].from == p->from &&
            net->log.p[i - 1].round == p->round && net->log.p[i - 1].kind == B)
            continue; /* the same to another receiver */
        parcels_push(&archive, p);
    }
}

static void play_everything(void)
{
    static const uint16_t pair[] = {1, 2}, other[] = {1, 3};
    static struct session s, online;
    struct network net;
    struct keyring k;

    world_init(&trio, 3);
    for (uint64_t seed = 20; seed < 22; seed++) {
        network_init(&net, 1, &fair_weather);
        session_keygen(&s, &trio, 2, seed);
        session_run(&s, &net);
        keep(&net);
        if (seed == 21)
            keyring_take(&k, &s, &net);
        network_free(&net);
    }
    for (uint64_t seed = 30; seed < 32; seed++) {
        session_sign(&s, seed == 30 ? QRT_SIGN : QRT_PRESIGN, &k, seed == 30 ? other : pair, seed);
        session_run(&s, &net);
        keep(&net);
        if (seed == 31)
            session_take_presigs(&s, &net, &online);
        network_free(&net);
    }
    session_run(&online, &net);
    keep(&net);
    network_free(&net);
    keyring_free(&k);
}

struct file {
    uint8_t b[16000];
    size_t len;
};

static void open_file(struct file *f, uint8_t code, uint16_t accused, uint16_t messages)
{
    struct qrt_wr w = qrt_wr_init(f->b, sizeof f->b);

    qrt_wr_bytes(&w, "DKE1", 4);
    qrt_wr_u8(&w, 1);
    qrt_wr_u8(&w, code);
    qrt_wr_be16(&w, accused);
    qrt_wr_bytes(&w, trio.keys[accused - 1].idpk, 32);
    qrt_wr_be16(&w, messages);
    f->len = w.len;
}

static void add(struct file *f, const struct parcel *p)
{
    qrt_be32_put(f->b + f->len, (uint32_t)p->len);
    memcpy(f->b + f->len + 4, p->b, p->len);
    f->len += 4 + p->len;
}

/* An honest extension can be shown, and be said to be wrong: such evidence proves nothing. */
static void expect_no_proof(const struct file *f, const struct parcel *a, const struct parcel *b)
{
    struct qrt_evidence ev;
    enum qrt_err e = verify(&ev, f->b, f->len);
    bool is_his = b && b->kind == P && a->from == b->from && memcmp(a->b + 16, b->b + 16, 32) == 0;

    if (e == QRT_OK || (e == QRT_E_EVIDENCE_PRIVATE && !is_his))
        fail_msg("%s against %u: round %u, kind %u, and round %u", qrt_err_name(ev.error),
                 ev.accused, a->round, a->kind, b ? b->round : 0);
}

static void test_no_single_message_of_the_honest_is_evidence_for_any_code(void **state)
{
    struct file f;

    (void)state;
    for (uint16_t accused = 1; accused <= 3; accused++)
        for (unsigned code = 0; code < 256; code++) {
            bool known = code >= 48 && code <= 54;

            open_file(&f, (uint8_t)code, accused, 0);
            expect_no_proof(&f, &archive.p[0], NULL);
            for (size_t i = 0; i < archive.n; i += known ? 1 : 11) {
                open_file(&f, (uint8_t)code, accused, 1);
                add(&f, &archive.p[i]);
                expect_no_proof(&f, &archive.p[i], NULL);
            }
        }
}

static void test_no_two_messages_of_the_honest_are_evidence_for_any_code(void **state)
{
    static const uint8_t codes[] = {32, 48, 49, 50, 51, 52, 53, 54};
    struct file f;

    (void)state;
    for (size_t c = 0; c < sizeof codes; c++)
        for (size_t i = 0; i < archive.n; i++)
            for (size_t j = 0; j < archive.n; j++) {
                if (archive.p[i].from != 1 || archive.p[j].from == 3)
                    continue;
                open_file(&f, codes[c], 1, 2);
                add(&f, &archive.p[i]);
                add(&f, &archive.p[j]);
                expect_no_proof(&f, &archive.p[i], &archive.p[j]);
                open_file(&f, codes[c], 1, 1); /* the second one goes uncounted */
                add(&f, &archive.p[i]);
                add(&f, &archive.p[j]);
                expect_no_proof(&f, &archive.p[i], NULL);
            }
}

static void test_an_extension_is_shown_but_proves_nothing(void **state)
{
    struct qrt_evidence ev;
    struct file f;
    size_t shown = 0;

    (void)state;
    for (size_t i = 0; i < archive.n; i++)
        for (size_t j = 0; j < archive.n; j++) {
            const struct parcel *r1 = &archive.p[i], *e1 = &archive.p[j];

            if (r1->kind != B || e1->kind != P)
                continue;
            open_file(&f, 32, r1->from, 2);
            add(&f, r1);
            add(&f, e1);
            if (verify(&ev, f.b, f.len) != QRT_E_EVIDENCE_PRIVATE)
                continue;
            assert_false(ev.proven);
            assert_int_equal(r1->round, 1);
            assert_int_equal(r1->from, e1->from);
            assert_memory_equal(r1->b + 16, e1->b + 16, 32);
            shown++;
        }
    assert_int_equal(shown, 4); /* two runs of two signers, one extension each way */
}

/* An abort is signed too, in the same session and round as a broadcast. */
static void test_an_abort_is_no_second_broadcast(void **state)
{
    struct parcel abort = {.from = 1};
    uint8_t wire[QRT_HEADER_BYTES + 5 + QRT_SIG_BYTES] = {0};
    struct file f;

    (void)state;
    for (size_t i = 0; i < archive.n; i++) {
        const struct parcel *p = &archive.p[i];
        struct qrt_signed covered = {.header = wire, .payload = wire + QRT_HEADER_BYTES};

        if (p->from != 1 || p->kind != B)
            continue;
        memcpy(wire, p->b, 48);
        wire[7] = QRT_KIND_ABORT;
        qrt_be32_put(wire + 12, 5);
        covered.payload_len = 5;
        qrt_envelope_sign(full_ctx(), wire + QRT_HEADER_BYTES + 5, &covered, trio.identity[0]);
        abort.b = wire;
        abort.len = sizeof wire;
        for (size_t order = 0; order < 2; order++) {
            open_file(&f, 49, 1, 2);
            add(&f, order ? &abort : p);
            add(&f, order ? p : &abort);
            expect_no_proof(&f, p, &abort);
        }
        open_file(&f, 48, 1, 1);
        add(&f, &abort);
        expect_no_proof(&f, &abort, NULL);
    }
}

/* Nor does it help to sign with one's own key in another's name. */
static void test_a_message_in_anothers_name_is_not_the_accuseds(void **state)
{
    (void)state;
    for (size_t i = 0; i < archive.n; i++) {
        struct parcel p = rig_copy(&archive.p[i], 0);
        struct qrt_header h;
        struct qrt_signed covered = {.header = p.b, .ext = p.b + QRT_HEADER_BYTES};
        struct file f;

        assert_int_equal(qrt_header_decode(&h, p.b, p.len), QRT_OK);
        if (p.kind == B && h.payload_len == 64 && h.round == 3) {
            memset(p.b + QRT_HEADER_BYTES, 0xFF, 32);
            covered.payload = covered.ext;
            covered.payload_len = 64;
            qrt_envelope_sign(full_ctx(), p.b + p.len - QRT_SIG_BYTES, &covered, trio.identity[2]);
            open_file(&f, 48, 1, 1);
            add(&f, &p);
            expect_no_proof(&f, &p, NULL);
        }
        free(p.b);
    }
}

static int make_archive(void **state)
{
    (void)state;
    play_everything();
    return 0;
}

static int free_archive(void **state)
{
    (void)state;
    parcels_free(&archive);
    return 0;
}

int main(void)
{
    const struct CMUnitTest proven[] = {
        cmocka_unit_test(test_each_cheat_is_proven_by_what_its_victim_keeps),
        cmocka_unit_test(test_a_changed_byte_proves_nothing_or_the_same),
        cmocka_unit_test(test_cut_or_longer_evidence_proves_nothing),
        cmocka_unit_test(test_other_magic_or_version_is_no_evidence),
        cmocka_unit_test(test_proofs_do_not_hold_against_anybody_else),
        cmocka_unit_test(test_a_first_round_without_a_key_has_no_weak_key),
        cmocka_unit_test(test_a_listed_extension_is_the_accuseds_own),
        cmocka_unit_test(test_messages_count_in_their_own_protocol_round_and_session),
    };
    const struct CMUnitTest framed[] = {
        cmocka_unit_test(test_no_single_message_of_the_honest_is_evidence_for_any_code),
        cmocka_unit_test(test_no_two_messages_of_the_honest_are_evidence_for_any_code),
        cmocka_unit_test(test_an_extension_is_shown_but_proves_nothing),
        cmocka_unit_test(test_an_abort_is_no_second_broadcast),
        cmocka_unit_test(test_a_message_in_anothers_name_is_not_the_accuseds),
    };
    int failed = cmocka_run_group_tests_name("evidence", proven, make_proofs, free_proofs);

    return failed + cmocka_run_group_tests_name("evidence against the honest", framed, make_archive,
                                                free_archive);
}
