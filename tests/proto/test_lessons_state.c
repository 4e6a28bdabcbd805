/* SPDX-License-Identifier: Apache-2.0 */
/* Tests for the rows of the lessons that are about what must be complete before it is used, is used
 * once, is agreed by all, and is shared by nobody. test_lesson_P_R is row R of part P; the other
 * rows are in test_lessons.c, test_lessons_findings.c and test_lessons_keys.c. */
#include "cheats.h"
#include "fixture.h"
#include "hash/transcript.h"
#include "proto/keygen.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { B = QRT_KIND_BROADCAST, P = QRT_KIND_PRIVATE };

static const uint16_t pair[] = {1, 2};

/* ---- part 1, row 10: a presignature that came back ---- */

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

/* A host with a durable set of the ids it consumed. */
struct host {
    uint8_t ids[4][32];
    size_t n;
};

static bool is_known(const struct host *h, const struct qrt_record *record)
{
    for (size_t i = 0; i < h->n; i++)
        if (memcmp(h->ids[i], record->b, 32) == 0)
            return true;
    return false;
}

/* Start party 1; the host refuses an id it knows. True if anything but an abort left. */
static bool use(struct host *h, struct session *online)
{
    const struct qrt_record *record;
    struct node node;
    bool said;

    assert_int_equal(session_start(online, &node, 1), QRT_OK);
    record = node_record(&node);
    assert_non_null(record);
    assert_int_equal(record->kind, QRT_RECORD_CONSUMED);
    assert_int_equal(record->len, 32);
    node.refuse[QRT_RECORD_CONSUMED] = is_known(h, record);
    if (!node.refuse[QRT_RECORD_CONSUMED])
        memcpy(h->ids[h->n++], record->b, 32);
    assert_true(node_settle(&node));
    while (node_say(&node))
        continue;
    said = node.sent > 0;
    assert_int_equal(qrt_run_error(node_run(&node)), said ? QRT_OK : QRT_E_REFUSED);
    assert_int_equal(node.aborts, !said);
    node_free(&node);
    return said;
}

static void test_lesson_1_10_a_copy_of_a_used_presignature_shows_the_same_id(void **state)
{
    struct session online, copy, other;
    struct host h = {.n = 0};

    (void)state;
    presigned(&online, 1);
    presigned(&other, 2);
    copy = online;
    copy.text = (const uint8_t *)"pay twice";
    copy.text_len = 9;
    assert_true(use(&h, &online));
    for (int again = 0; again < 3; again++) {
        struct session restored = copy;

        assert_false(use(&h, &restored));
    }
    assert_true(use(&h, &other));
    assert_int_equal(h.n, 2);
}

/* ---- part 1, row 17: when is a key safe to use ---- */

/* Round 4 of one party reaches nobody. */
static void lose_confirmation(void *arg, struct network *net, struct parcel *p)
{
    const uint16_t *silent = arg;

    (void)net;
    if (p->round == 4 && p->from == *silent)
        p->len = 0;
}

static void expect_unusable(const struct node *node)
{
    const struct note *note = node_noted(node, QRT_RECORD_SHARE_PENDING);
    struct keyring pending = key;
    struct qrt_share share;
    struct session s;
    struct node signer;
    uint8_t *forged;

    assert_null(node_noted(node, QRT_RECORD_SHARE));
    assert_null(qrt_keygen_share(node_run(node)));
    assert_int_equal(qrt_run_phase(node_run(node)), QRT_PHASE_RUNNING);
    assert_non_null(note);
    assert_int_equal(qrt_share_open(&share, full_ctx(), note->b, note->len), QRT_E_PENDING);
    assert_int_equal(qrt_share_open_pending(&pending.share[0], full_ctx(), note->b, note->len),
                     QRT_OK);
    for (unsigned level = RUNS; level <= PEERS; level++) {
        session_sign(&s, level ? QRT_SIGN : QRT_PRESIGN, &pending, pair, 1);
        s.level = (enum level)level;
        assert_int_equal(session_start(&s, &signer, 1), QRT_E_PENDING);
    }
    /* without the flag it is a record that lacks signatures */
    forged = malloc(note->len);
    assert_non_null(forged);
    memcpy(forged, note->b, note->len);
    forged[7] = (uint8_t)(forged[7] & ~QRT_SHARE_PENDING);
    assert_int_equal(qrt_share_open(&share, full_ctx(), forged, note->len), QRT_E_RECORD_FORMAT);
    free(forged);
}

static void test_lesson_1_17_a_key_is_usable_only_after_all_certificates(void **state)
{
    (void)state;
    for (uint16_t silent = 2; silent <= 3; silent++) {
        const struct note *note;
        struct session s;
        struct network net;
        struct qrt_share share;
        size_t i = 0;

        session_keygen(&s, &world, 2, 17);
        network_init(&net, 1, &fair_weather);
        net.hook = lose_confirmation;
        net.hook_arg = &silent;
        session_join(&s, &net);
        network_run(&net);
        expect_unusable(&net.nodes[0]);
        while (net.log.p[i].round != 4 || net.log.p[i].from != silent || net.log.p[i].to != 1)
            i++;
        assert_int_equal(node_recv(&net.nodes[0], silent, net.log.p[i].b, net.log.p[i].len),
                         QRT_OK);
        assert_true(node_settle(&net.nodes[0]));
        note = node_noted(&net.nodes[0], QRT_RECORD_SHARE);
        assert_non_null(note);
        assert_int_equal(qrt_share_open(&share, full_ctx(), note->b, note->len), QRT_OK);
        for (size_t row = 0; row < 3; row++) { /* each of the n signatures counts */
            note->b[note->len - 1 - 98 * row] ^= 1;
            assert_int_equal(qrt_share_open(&share, full_ctx(), note->b, note->len),
                             QRT_E_RECORD_CERTIFICATE);
            note->b[note->len - 1 - 98 * row] ^= 1;
        }
        network_free(&net);
    }
}

/* ---- part 1, row 22: sessions share nothing ---- */

enum { SESSIONS = 10 };

static void make_sessions(struct session s[SESSIONS])
{
    static const uint16_t sets[][2] = {{1, 2}, {2, 3}, {1, 3}};

    for (size_t i = 0; i < SESSIONS; i++) {
        if (i % 5 == 4)
            session_keygen(&s[i], &world, 2 + i % 2, 200 + i);
        else
            session_sign(&s[i], i % 5 == 3 ? QRT_PRESIGN : QRT_SIGN, &key, sets[i % 3], 200 + i);
        s[i].level = i % 2 ? RUNS : PEERS;
    }
}

/* The same messages in the same order, and the same records. */
static bool is_same(const struct network *a, const struct network *b)
{
    bool same = a->log.n == b->log.n && a->n == b->n;

    for (size_t i = 0; same && i < a->log.n; i++)
        same = a->log.p[i].len == b->log.p[i].len && a->log.p[i].to == b->log.p[i].to &&
               memcmp(a->log.p[i].b, b->log.p[i].b, a->log.p[i].len) == 0;
    for (size_t i = 0; same && i < a->n; i++) {
        same = a->nodes[i].records_n == b->nodes[i].records_n &&
               qrt_run_phase(node_run(&a->nodes[i])) == QRT_PHASE_DONE &&
               qrt_run_phase(node_run(&b->nodes[i])) == QRT_PHASE_DONE;
        for (size_t r = 0; same && r < a->nodes[i].records_n; r++)
            same = a->nodes[i].records[r].len == b->nodes[i].records[r].len &&
                   memcmp(a->nodes[i].records[r].b, b->nodes[i].records[r].b,
                          a->nodes[i].records[r].len) == 0;
    }
    return same;
}

static void run_alone(struct session s[SESSIONS], struct network alone[SESSIONS])
{
    make_sessions(s);
    for (size_t i = 0; i < SESSIONS; i++) {
        network_init(&alone[i], i, &drizzle);
        session_run(&s[i], &alone[i]);
    }
}

static void expect_same_as_alone(struct network alone[SESSIONS], struct network many[SESSIONS])
{
    struct qrt_sig a, b;

    for (size_t i = 0; i < SESSIONS; i++) {
        assert_true(is_same(&alone[i], &many[i]));
        if (i % 5 < 3) {
            assert_int_equal(qrt_sign_result(node_run(&alone[i].nodes[0]), &a, NULL, NULL), QRT_OK);
            assert_int_equal(qrt_sign_result(node_run(&many[i].nodes[0]), &b, NULL, NULL), QRT_OK);
            assert_memory_equal(&a, &b, sizeof a);
        }
        network_free(&alone[i]);
        network_free(&many[i]);
    }
}

static void test_lesson_1_22_interleaved_runs_do_as_they_do_alone(void **state)
{
    static struct session s[SESSIONS];
    static struct network alone[SESSIONS], many[SESSIONS];
    bool moved = true;

    (void)state;
    run_alone(s, alone);
    for (size_t i = 0; i < SESSIONS; i++) {
        network_init(&many[i], i, &drizzle);
        session_join(&s[i], &many[i]);
    }
    while (moved) {
        moved = false;
        for (size_t i = 0; i < SESSIONS; i++)
            moved |= network_step(&many[i]);
    }
    expect_same_as_alone(alone, many);
}

struct worker {
    struct session *s;
    struct network *net;
    size_t n;
};

static void *work(void *arg)
{
    const struct worker *w = arg;

    for (size_t i = 0; i < w->n; i++)
        network_run(&w->net[i]);
    return NULL;
}

/* Both threads use one context and the same shares. */
static void test_lesson_1_22_runs_in_two_threads_do_as_they_do_alone(void **state)
{
    static struct session s[SESSIONS];
    static struct network alone[SESSIONS], many[SESSIONS];
    struct worker half[2];
    pthread_t thread[2];

    (void)state;
    run_alone(s, alone);
    for (size_t i = 0; i < SESSIONS; i++) {
        network_init(&many[i], i, &drizzle);
        session_join(&s[i], &many[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        half[i] = (struct worker){s + i * SESSIONS / 2, many + i * SESSIONS / 2, SESSIONS / 2};
        assert_int_equal(pthread_create(&thread[i], NULL, work, &half[i]), 0);
    }
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    expect_same_as_alone(alone, many);
}

/* ---- part 2, row 12: the id of a key generation ---- */

static void run_keygen(struct network *net, uint16_t only)
{
    struct session s;

    session_keygen(&s, &world, 2, 12);
    s.restart = only != 0;
    s.restart_only = only;
    network_init(net, 1, &fair_weather);
    session_run(&s, net);
}

static const uint8_t *kgid_of(const struct network *net)
{
    return qrt_keygen_share(node_run(&net->nodes[0]))->kgid;
}

/* The id hashes everybody's first round: one nonce, one commitment, one order. */
static void test_lesson_2_12_every_single_nonce_is_in_the_id(void **state)
{
    struct qrt_broadcasts r1 = {.n = 3, .len = 64};
    uint8_t payload[3][64], id[32];
    struct network net;

    (void)state;
    run_keygen(&net, 0);
    for (size_t i = 0; i < net.log.n; i++) {
        const struct parcel *p = &net.log.p[i];

        if (p->round == 1 && p->kind == B) /* header, ephemeral key, payload */
            memcpy(payload[p->from - 1], p->b + QRT_HEADER_BYTES + 32, 64);
    }
    for (uint16_t i = 0; i < 3; i++) {
        r1.index[i] = (uint16_t)(i + 1);
        r1.payload[i] = payload[i];
    }
    qrt_keygen_ssid1(full_ctx(), id, qrt_run_sid(node_run(&net.nodes[0])), &r1);
    assert_memory_equal(id, kgid_of(&net), 32);
    for (size_t i = 0; i < 3; i++)
        for (size_t at = 0; at < 64; at++) {
            payload[i][at] ^= 1;
            qrt_keygen_ssid1(full_ctx(), id, qrt_run_sid(node_run(&net.nodes[0])), &r1);
            assert_memory_not_equal(id, kgid_of(&net), 32);
            payload[i][at] ^= 1;
        }
    network_free(&net);
}

static void test_lesson_2_12_one_party_with_other_randomness_makes_another_id(void **state)
{
    struct network net[4];

    (void)state;
    for (uint16_t only = 0; only <= 3; only++) {
        run_keygen(&net[only], only);
        for (size_t j = 0; j < only; j++)
            assert_memory_not_equal(kgid_of(&net[only]), kgid_of(&net[j]), 32);
    }
    for (size_t i = 0; i < 4; i++)
        network_free(&net[i]);
}

/* ---- part 2, row 13: the chain code ---- */

/* Party 3 committed well and opens something else, for |to| (0: for everybody). */
struct opening {
    uint16_t to;
    size_t at;
};

static void open_otherwise(void *arg, struct network *net, struct parcel *p)
{
    const struct opening *o = arg;

    (void)net;
    if (p->from == 3 && p->round == 3 && p->kind == P && (!o->to || o->to == p->to))
        p->b[QRT_HEADER_BYTES + o->at] ^= 1;
}

static void expect_no_key(const struct network *net, uint16_t index, bool is_victim)
{
    const struct node *node = network_node((struct network *)net, index);
    const struct qrt_run *run = node_run(node);

    assert_null(node_noted(node, QRT_RECORD_SHARE));
    assert_null(qrt_keygen_share(run));
    if (!is_victim)
        return;
    assert_int_equal(qrt_run_error(run), QRT_E_KG_CHAIN_CODE);
    assert_int_equal(qrt_run_culprit(run), 3);
    assert_null(node_noted(node, QRT_RECORD_SHARE_PENDING));
}

static void test_lesson_2_13_another_opening_of_the_chain_code_makes_no_key(void **state)
{
    static const struct opening openings[] = {
        {0, KG_R3_CC}, {0, KG_R3_RC + 31}, {1, KG_R3_CC + 31}, {2, KG_R3_RC}};

    (void)state;
    for (size_t i = 0; i < sizeof openings / sizeof *openings; i++) {
        struct opening o = openings[i];
        struct session s;
        struct network net;

        session_keygen(&s, &world, 2, 13);
        s.level = RUNS; /* where nothing is sealed */
        network_init(&net, 1, &fair_weather);
        net.hook = open_otherwise;
        net.hook_arg = &o;
        session_join(&s, &net);
        network_run(&net);
        for (uint16_t index = 1; index <= 2; index++)
            expect_no_key(&net, index, !o.to || o.to == index);
        network_free(&net);
    }
}

/* ---- part 2, row 22: trees of hashes ---- */

/* Lists of rows that differ in number or in how they are grouped never hash alike: neither with
 * rows of zeros at the end, nor with the groups' digests as rows. */
static void test_lesson_2_22_trees_of_hashes_tell_their_depth_and_count(void **state)
{
    enum { ROWS = 72 };
    static uint8_t rows[ROWS][32], out[ROWS + 2][32];
    uint8_t c[32] = {1}, nodes[8][32];
    size_t n = 0;

    (void)state;
    for (size_t count = 1; count <= ROWS; count++) /* all rows are zero: only the count differs */
        qrt_lh8(full_ctx(), out[n++], QRT_L_RV_MU, QRT_L_RV_MU_TOP, c, rows[0], 32, count);
    for (size_t i = 0; i < 8; i++)
        qrt_fh(full_ctx(), nodes[i], QRT_L_RV_MU, c, rows[0], 8 * 32);
    qrt_lh8(full_ctx(), out[n++], QRT_L_RV_MU, QRT_L_RV_MU_TOP, c, nodes[0], 32, 8);
    qrt_lh8(full_ctx(), out[n++], QRT_L_RV_MU_TOP, QRT_L_RV_MU, c, nodes[0], 32, 8);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(out[i], out[j], 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lesson_1_10_a_copy_of_a_used_presignature_shows_the_same_id),
        cmocka_unit_test(test_lesson_1_17_a_key_is_usable_only_after_all_certificates),
        cmocka_unit_test(test_lesson_1_22_interleaved_runs_do_as_they_do_alone),
        cmocka_unit_test(test_lesson_1_22_runs_in_two_threads_do_as_they_do_alone),
        cmocka_unit_test(test_lesson_2_12_every_single_nonce_is_in_the_id),
        cmocka_unit_test(test_lesson_2_12_one_party_with_other_randomness_makes_another_id),
        cmocka_unit_test(test_lesson_2_13_another_opening_of_the_chain_code_makes_no_key),
        cmocka_unit_test(test_lesson_2_22_trees_of_hashes_tell_their_depth_and_count),
    };

    return cmocka_run_group_tests_name("lessons_state", tests, make_key, free_key);
}
