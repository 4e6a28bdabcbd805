/* SPDX-License-Identifier: Apache-2.0 */
/* One test for each row of the lessons, part 2, that is about the mathematics or the code: what
 * auditors and thieves found in others. test_lesson_2_R is row R; the rows about sessions and blame
 * are in test_lessons.c, those about keys and identifiers in test_lessons_keys.c. Rows that whole
 * files are about have a short test here that names them. */
#include "base/bytes.h"
#include "cheat.h"
#include "cheats.h"
#include "fixture.h"
#include "hash/transcript.h"
#include "key/share.h"
#include "quorate/derive.h"
#include "wire/envelope.h"

#include <stdlib.h>
#include <string.h>

enum { B = QRT_KIND_BROADCAST, P = QRT_KIND_PRIVATE };

static const uint16_t pair[] = {1, 2};

static void sign_bench(struct rig *r, uint64_t seed, enum level level)
{
    struct session s;

    session_sign(&s, QRT_SIGN, &key, pair, seed);
    s.level = level;
    rig_make(r, &s, 1);
}

/* ---- row 2: hash inputs that can be read in two ways ---- */

static void digest(uint8_t out[32], enum qrt_label label, const char *const *fields, size_t n)
{
    struct qrt_th th;

    qrt_th_start(&th, full_ctx(), label);
    for (size_t i = 0; i < n; i++)
        qrt_th_field(&th, fields[i], strlen(fields[i]));
    qrt_th_end(&th, out);
}

static void test_lesson_2_2_items_split_merged_or_moved_hash_differently(void **state)
{
    static const char *const lists[][4] = {{"ab", "c"},     {"a", "bc"},    {"abc"},
                                           {"", "abc"},     {"abc", ""},    {"a", "b", "c"},
                                           {"c", "ab"},     {"ab$c"},       {"ab", "$", "c"},
                                           {"ab", "", "c"}, {"", "ab", "c"}};
    static const size_t counts[] = {2, 2, 1, 2, 2, 3, 2, 1, 3, 3, 3};
    enum { LISTS = 11 };
    uint8_t out[2 * LISTS][32];

    (void)state;
    for (size_t i = 0; i < LISTS; i++) {
        digest(out[i], QRT_L_KG_COMMIT, lists[i], counts[i]);
        digest(out[LISTS + i], QRT_L_SG_COMMIT, lists[i], counts[i]);
    }
    for (size_t i = 0; i < 2 * LISTS; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(out[i], out[j], 32);
    for (unsigned i = 0; i < QRT_LABEL_COUNT; i++)
        for (unsigned j = 0; j < i; j++)
            assert_memory_not_equal(full_ctx()->label[i], full_ctx()->label[j], 32);
}

/* ---- row 3: soundness is not configurable ---- */

_Static_assert(QRT_XI == 256 + 2 * 128, "kappa + 2 lambda_s OTs per multiplication");
_Static_assert(QRT_OT_N == 128 && QRT_TREES * 4 == QRT_OT_N && QRT_LEAVES == 16, "lambda_c, k");
_Static_assert(QRT_E1_BYTES == 32 + 32 * 80 + 16 + 32, "one check value over all columns");
_Static_assert(QRT_E2_BYTES == 32 + 512 * 3 * 32 + 64, "two products, one check column");

static void test_lesson_2_3_soundness_parameters_and_sizes_are_constants(void **state)
{
    static const struct {
        enum qrt_protocol protocol;
        uint8_t round, kind;
        size_t at_2, at_3;
    } sizes[] = {
        {QRT_KEYGEN, 1, B, 64, 64},      {QRT_KEYGEN, 2, B, 195, 228},
        {QRT_KEYGEN, 2, P, 8448, 8448},  {QRT_KEYGEN, 3, B, 0, 0},
        {QRT_KEYGEN, 3, P, 4289, 4289},  {QRT_KEYGEN, 4, B, 32, 32},
        {QRT_SIGN, 1, B, 32, 32},        {QRT_SIGN, 1, P, 2640, 2640},
        {QRT_SIGN, 2, B, 98, 98},        {QRT_SIGN, 2, P, 49346, 49346},
        {QRT_SIGN, 3, B, 64, 64},        {QRT_SIGN, 3, P, 0, 0},
        {QRT_PRESIGN, 1, P, 2640, 2640}, {QRT_PRESIGN, 2, P, 49346, 49346},
        {QRT_PRESIGN, 3, B, 0, 0},       {QRT_ONLINE, 3, B, 64, 64},
        {QRT_ONLINE, 1, B, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t t = 2; t <= 3; t++)
            assert_int_equal(qrt_payload_size(sizes[i].protocol, sizes[i].round, sizes[i].kind, t),
                             t == 2 ? sizes[i].at_2 : sizes[i].at_3);
}

/* ---- rows 5 and 9: a failure that depends on a secret is final for the pair ---- */

/* A host with its stored share: starts sessions while the share allows it, applies burns. */
struct host {
    struct keyring ring;
    uint8_t *record;
    size_t checked, failed, refused, second_rounds;
};

static void host_open(struct host *h)
{
    *h = (struct host){.ring = key, .record = malloc(key.len[0])};
    memcpy(h->record, key.record[0], key.len[0]);
    assert_int_equal(qrt_share_open(&h->ring.share[0], full_ctx(), h->record, key.len[0]), QRT_OK);
}

static void host_burn(struct host *h, const struct qrt_record *burn)
{
    assert_int_equal(qrt_share_burn(h->record, key.len[0], burn->b, burn->len), QRT_OK);
    assert_int_equal(qrt_share_open(&h->ring.share[0], full_ctx(), h->record, key.len[0]), QRT_OK);
}

/* One attempt by a receiver that changes E1; |e1| is what he made of it. */
static void host_attempt(struct host *h, struct session *s, const struct parcel *b,
                         const struct parcel *e1)
{
    const struct qrt_msg *m;
    struct node node;

    if (session_start(s, &node, 1) == QRT_E_BURNED) {
        h->refused++;
        return;
    }
    (void)node_recv(&node, 2, b->b, b->len);
    (void)node_recv(&node, 2, e1->b, e1->len);
    h->checked++;
    if (node_record(&node) && node_record(&node)->kind == QRT_RECORD_BURN) {
        h->failed++;
        host_burn(h, node_record(&node));
    }
    while (node_settle(&node))
        continue;
    while ((m = node_say(&node)))
        h->second_rounds += m->round == 2 && m->kind != QRT_KIND_ABORT;
    node_free(&node);
}

/* He guesses the hidden leaf of tree after tree, sixteen guesses each, with 256 sessions. */
static void test_lesson_2_5_the_first_of_256_chosen_failures_ends_the_pair(void **state)
{
    const struct qrt_share_pair *his = qrt_share_pair(keyring_share(&key, 2), 1);
    struct host h;

    (void)state;
    host_open(&h);
    for (size_t i = 0; i < 256; i++) {
        const struct cheat_guess guess = {.tree = i / 16, .bit = 520, .guess = i % 16};
        struct qrt_rvole_id id = {NULL, 1, 2};
        struct session s;
        struct parcel e1, b;
        struct rig r;

        session_sign(&s, QRT_SIGN, &h.ring, pair, 100 + i);
        if (h.failed) {
            static const struct parcel none = {.len = 0};

            host_attempt(&h, &s, &none, &none);
            continue;
        }
        sign_bench(&r, 100 + i, PEERS);
        id.ssid = qrt_run_sid(node_run(&r.node));
        e1 = rig_copy(rig_plain(&r, 1, P, 2), 0);
        cheat_e1_guess(full_ctx(), e1.b + QRT_HEADER_BYTES, &id,
                       (const uint8_t(*)[16][16])his->bob_seeds, &guess);
        b = rig_pack(&r, rig_plain(&r, 1, B, 2), &e1);
        host_attempt(&h, &s, &b, &e1);
        free(b.b);
        free(e1.b);
        rig_free(&r);
    }
    assert_int_equal(h.failed, 1);
    assert_int_equal(h.checked + h.refused, 256);
    assert_true(h.checked <= 2); /* a guess passes with 1/16; the first two differ */
    free(h.record);
}

static void test_lesson_2_9_after_the_first_flipped_bit_no_extension_is_answered(void **state)
{
    struct host h;

    (void)state;
    host_open(&h);
    for (size_t i = 0; i < 20; i++) {
        struct session s;
        struct parcel e1, b;
        struct rig r;

        sign_bench(&r, 400 + i, PEERS);
        e1 = rig_copy(rig_plain(&r, 1, P, 2), 0);
        e1.b[QRT_HEADER_BYTES + 32 + 80 * (i % 32) + 70] ^= 2; /* one correction bit */
        b = rig_pack(&r, rig_plain(&r, 1, B, 2), &e1);
        session_sign(&s, QRT_SIGN, &h.ring, pair, 400 + i);
        host_attempt(&h, &s, &b, &e1);
        free(b.b);
        free(e1.b);
        rig_free(&r);
    }
    assert_int_equal(h.checked, 1);
    assert_int_equal(h.failed, 1);
    assert_int_equal(h.refused, 19);
    assert_int_equal(h.second_rounds, 0);
    free(h.record);
}

/* ---- row 7: the session id is in everything (test_attack_replay.c) ---- */

static void test_lesson_2_7_every_input_of_a_session_is_in_its_id(void **state)
{
    static const uint32_t path[] = {1};
    static const uint16_t sets[][2] = {{1, 2}, {1, 3}};
    uint8_t sid[9][32];
    size_t n = 0;

    (void)state;
    for (unsigned change = 0; change < 9; change++) {
        struct keyring k = key;
        struct session s;
        struct node node;

        session_sign(&s, change == 1 ? QRT_PRESIGN : QRT_SIGN, &k, sets[change == 2], 5);
        s.seed += change == 3;
        s.path = path;
        s.path_n = change == 4;
        s.text = change == 5 ? (const uint8_t *)"other" : NULL;
        s.text_len = 5;
        k.share[0].epoch = change == 6;
        k.share[0].kgid = change == 7 ? k.share[0].keyid : k.share[0].kgid;
        s.restart = change == 8; /* randomness alone is not in the id: it is known before round 1 */
        assert_int_equal(session_start(&s, &node, 1), QRT_OK);
        memcpy(sid[n++], qrt_run_sid(node_run(&node)), 32);
        node_free(&node);
    }
    for (size_t i = 0; i < 8; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(sid[i], sid[j], 32);
    assert_memory_equal(sid[8], sid[0], 32);
}

/* ---- row 8: presignatures are re-randomised with the message ---- */

static void test_lesson_2_8_a_presignature_never_shows_its_own_nonce(void **state)
{
    struct session s, online;
    struct network net;
    struct qrt_sig sig;
    uint8_t record[QRT_PRESIG_BYTES(2)];

    (void)state;
    session_sign(&s, QRT_PRESIGN, &key, pair, 8);
    network_init(&net, 1, &fair_weather);
    session_run(&s, &net);
    session_take_presigs(&s, &net, &online);
    network_free(&net);
    memcpy(record, online.presig[0], sizeof record);
    session_run(&online, &net);
    session_expect_signature(&online, &net, &sig);
    for (size_t i = 0; i + 32 <= sizeof record; i++)
        assert_memory_not_equal(record + i, sig.r, 32);
    network_free(&net);
}

/* ---- row 14: sequences of the wrong length ---- */

/* A dealer with one coefficient more or less would raise or lower the threshold. */
static void test_lesson_2_14_wrong_length_sequences_are_refused(void **state)
{
    struct session s;
    struct rig r;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        session_keygen(&s, &world, 2, 14);
        s.level = (enum level)level;
        rig_make(&r, &s, 1);
        for (int change = -33; change <= 33; change += 66) {
            const struct parcel *honest = rig_plain(&r, 2, B, 2);
            struct parcel p = rig_copy(honest, 33);

            r.what = "coefficients";
            p.len = (size_t)((long)honest->len + change);
            memmove(p.b + 80 + 66 + change, honest->b + 80 + 66, 129);
            if (change > 0)
                memcpy(p.b + 80 + 66, honest->b + 80 + 33, 33);
            qrt_be32_put(p.b + 12, (uint32_t)(p.len - QRT_HEADER_BYTES));
            rig_attack(&r, &p);
            if (level == RUNS)
                rig_expect_failure(&r, QRT_E_MALFORMED_BROADCAST, 2);
            else
                rig_expect_recovery(&r, 2);
            free(p.b);
        }
        rig_free(&r);
    }
}

/* ---- row 15: nothing a peer says ends the process ---- */

static void expect_clean_end(struct rig *r)
{
    const struct qrt_run *run = node_run(&r->node);

    if (qrt_run_phase(run) != QRT_PHASE_FAILED)
        return;
    assert_true(qrt_err_is_final(qrt_run_error(run)));
    assert_int_not_equal(qrt_run_error(run), QRT_E_INTERNAL);
    assert_true(qrt_run_culprit(run) == 0 || qrt_run_culprit(run) == 2);
}

static void garbage(struct rig *r, const struct parcel *taped, struct test_rng *rng, int how)
{
    struct parcel p = rig_copy(rig_plain(r, taped->round, taped->kind, 2), 0);
    size_t len = p.len - QRT_HEADER_BYTES;
    uint8_t *payload = p.b + QRT_HEADER_BYTES;

    if (how < 2)
        memset(payload, how ? 0xFF : 0, len);
    else if (how < 4)
        test_rng_bytes(rng, payload, len);
    else
        for (int i = 0; i < how; i++)
            payload[test_rng_below(rng, len)] = (uint8_t)test_rng_u64(rng);
    rig_attack(r, &p);
    rig_rest(r, (uint8_t)(p.round + 1), NULL);
    expect_clean_end(r);
    free(p.b);
}

static void test_lesson_2_15_no_payload_ends_the_process(void **state)
{
    struct test_rng rng = {15};
    struct session s;
    struct rig r;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++)
        for (unsigned keygen = 0; keygen < 2; keygen++) {
            if (keygen)
                session_keygen(&s, &world, 2, 15);
            else
                session_sign(&s, QRT_SIGN, &key, pair, 15);
            s.level = (enum level)level;
            rig_make(&r, &s, 1);
            r.what = "garbage";
            for (size_t i = 0; i < r.tape.n; i++)
                for (int how = 0; how < (keygen ? 6 : 12) && r.tape.p[i].from == 2; how++)
                    garbage(&r, &r.tape.p[i], &rng, how);
            rig_free(&r);
        }
}

/* ---- row 18: versions ---- */

static void test_lesson_2_18_another_version_ends_before_secrets_move(void **state)
{
    struct rig r;

    (void)state;
    sign_bench(&r, 18, PEERS);
    r.what = "version";
    rig_rewind(&r, 1);
    for (unsigned change = 0; change < 2; change++)
        for (uint8_t kind = B; kind <= P; kind++) {
            struct parcel p = rig_copy(rig_plain(&r, 1, kind, 2), 0), wire;

            if (change)
                p.b[5] = 2; /* profile */
            else
                p.b[3] = '2'; /* "DKC2" */
            wire = rig_pack(&r, &p, NULL);
            assert_int_equal(rig_give(&r, 2, wire.b, wire.len), QRT_E_DROP_FOREIGN);
            free(wire.b);
            free(p.b);
        }
    assert_int_equal(r.node.sent, 0);
    rig_expect_recovery(&r, 1);
    rig_free(&r);
}

/* ---- row 23: results of failures ---- */

static bool is_zero(const void *p, size_t len)
{
    const uint8_t *b = p;

    for (size_t i = 0; i < len; i++)
        if (b[i])
            return false;
    return true;
}

static void test_lesson_2_23_no_result_is_left_filled_by_a_failure(void **state)
{
    uint8_t *record = malloc(key.len[0]);
    struct parcel w;
    struct qrt_share share;
    struct qrt_sig sig;
    struct rig r;

    (void)state;
    sign_bench(&r, 23, PEERS);
    r.what = "wrong w";
    w = rig_copy(rig_plain(&r, 3, B, 2), 0);
    w.b[80 + 31] ^= 1;
    for (uint8_t round = 1; round <= 3; round++) {
        rig_rewind(&r, round);
        memset(&sig, 0xFF, sizeof sig);
        assert_int_equal(qrt_sign_result(node_run(&r.node), &sig, NULL, NULL), QRT_E_STATE);
        assert_true(is_zero(&sig, sizeof sig));
    }
    rig_attack(&r, &w);
    rig_expect_failure(&r, QRT_E_SG_ASSEMBLY, 0);
    memset(&sig, 0xFF, sizeof sig);
    assert_int_equal(qrt_sign_result(node_run(&r.node), &sig, NULL, NULL), QRT_E_STATE);
    assert_true(is_zero(&sig, sizeof sig));
    memcpy(record, key.record[0], key.len[0]);
    record[150] ^= 1;
    memset(&share, 0xFF, sizeof share);
    assert_int_not_equal(qrt_share_open(&share, full_ctx(), record, key.len[0]), QRT_OK);
    assert_true(is_zero(&share, sizeof share));
    free(record);
    free(w.b);
    rig_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lesson_2_2_items_split_merged_or_moved_hash_differently),
        cmocka_unit_test(test_lesson_2_3_soundness_parameters_and_sizes_are_constants),
        cmocka_unit_test(test_lesson_2_5_the_first_of_256_chosen_failures_ends_the_pair),
        cmocka_unit_test(test_lesson_2_7_every_input_of_a_session_is_in_its_id),
        cmocka_unit_test(test_lesson_2_8_a_presignature_never_shows_its_own_nonce),
        cmocka_unit_test(test_lesson_2_9_after_the_first_flipped_bit_no_extension_is_answered),
        cmocka_unit_test(test_lesson_2_14_wrong_length_sequences_are_refused),
        cmocka_unit_test(test_lesson_2_15_no_payload_ends_the_process),
        cmocka_unit_test(test_lesson_2_18_another_version_ends_before_secrets_move),
        cmocka_unit_test(test_lesson_2_23_no_result_is_left_filled_by_a_failure),
    };

    return cmocka_run_group_tests_name("lessons_findings", tests, make_key, free_key);
}
