/* SPDX-License-Identifier: Apache-2.0 */
/* Key generation: what a start refuses, what makes a session's id, the certificate's record, and
 * runs that resume from a pending share. */
#include "base/bytes.h"
#include "proto/keygen.h"
#include "toy.h"

#include <stdlib.h>
#include <string.h>

static const char order_hex[] = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

enum { MANY = QRT_PARTIES_MAX + 1 };

static struct qrt_party parties[MANY];
static struct qrt_keygen_params params;

static int reset(void **state)
{
    (void)state;
    memset(parties, 0, sizeof parties);
    for (size_t i = 0; i < MANY; i++) {
        parties[i].index = (uint16_t)(10 + i);
        qrt_party_default_x(&parties[i]);
        memset(parties[i].idk, (int)(i + 1), 32);
    }
    params = (struct qrt_keygen_params){
        .parties = parties, .n = 3, .t = 2, .own = parties[1].index, .created = 1};
    return 0;
}

/* The answer of a start. The seed is gone whatever it is; if refused, the memory was not touched.
 */
static enum qrt_err start(void)
{
    size_t size = qrt_run_size(QRT_KEYGEN, 4, 4);
    struct qrt_run *run = aligned_alloc(QRT_ALIGN, size);
    uint8_t seed[32];
    enum qrt_err e;

    assert_non_null(run);
    memset(run, 0x5A, size);
    memset(seed, 0xEE, sizeof seed);
    e = qrt_keygen_start(run, full_ctx(), &params, seed);
    toy_expect_all(seed, sizeof seed, 0);
    if (e != QRT_OK)
        toy_expect_all((const uint8_t *)run, size, 0x5A);
    else
        qrt_run_wipe(run);
    free(run);
    return e;
}

static void test_a_good_start_wipes_its_seed(void **state)
{
    (void)state;
    assert_int_equal(start(), QRT_OK);
}

static void test_default_coordinates_are_the_indices(void **state)
{
    struct qrt_party p = {.index = 0xABCD};

    (void)state;
    memset(p.x, 0xFF, sizeof p.x);
    qrt_party_default_x(&p);
    toy_expect_all(p.x, 30, 0);
    assert_int_equal(qrt_be16_get(p.x + 30), 0xABCD);
}

static void test_thresholds_out_of_range_are_refused(void **state)
{
    static const size_t wrong[][2] = {{0, 0}, {1, 1}, {3, 0},  {3, 1},  {3, 4},
                                      {0, 2}, {1, 2}, {65, 2}, {65, 65}};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        params.n = wrong[i][0];
        params.t = wrong[i][1];
        assert_int_equal(start(), QRT_E_THRESHOLD);
    }
    params.n = params.t = 2;
    assert_int_equal(start(), QRT_OK);
    params.n = params.t = 4;
    assert_int_equal(start(), QRT_OK);
}

static void test_indices_ascend_from_1_to_65534(void **state)
{
    static const uint16_t wrong[][3] = {{0, 11, 12},  {10, 11, 65535}, {10, 10, 12},
                                        {11, 10, 12}, {10, 12, 11},    {10, 11, 11},
                                        {10, 11, 0},  {65535, 1, 2},   {12, 11, 10}};
    static const uint16_t right[] = {1, 2, 65534};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        for (size_t k = 0; k < 3; k++)
            parties[k].index = wrong[i][k];
        params.own = wrong[i][1];
        assert_int_equal(start(), QRT_E_ROSTER);
    }
    for (size_t k = 0; k < 3; k++)
        parties[k].index = right[k];
    for (size_t k = 0; k < 3; k++) {
        params.own = right[k];
        assert_int_equal(start(), QRT_OK);
    }
}

static void test_coordinates_are_nonzero_distinct_and_below_the_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        (void)reset(NULL);
        memset(parties[i].x, 0, 32);
        assert_int_equal(start(), QRT_E_ROSTER);
        test_unhex(parties[i].x, 32, order_hex);
        assert_int_equal(start(), QRT_E_ROSTER);
        parties[i].x[31] += 11; /* q + 11 is party 1's 11 */
        assert_int_equal(start(), QRT_E_ROSTER);
        memset(parties[i].x, 0xFF, 32);
        assert_int_equal(start(), QRT_E_ROSTER);
        test_unhex(parties[i].x, 32, order_hex);
        parties[i].x[31]--;
        assert_int_equal(start(), QRT_OK);
        for (size_t k = 0; k < 3; k++) {
            memcpy(parties[i].x, parties[k].x, 32);
            if (k != i)
                assert_int_equal(start(), QRT_E_ROSTER);
        }
    }
}

static void test_one_identity_has_one_seat(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < i; k++) {
            (void)reset(NULL);
            memcpy(parties[i].idk, parties[k].idk, 32);
            assert_int_equal(start(), QRT_E_ROSTER);
        }
}

static void test_one_must_be_among_the_parties(void **state)
{
    static const uint16_t strangers[] = {0, 9, 13, 65535};

    (void)state;
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        params.own = strangers[i];
        assert_int_equal(start(), QRT_E_NOT_A_PARTY);
    }
}

static void test_the_session_is_the_rosters_the_thresholds_and_the_intents(void **state)
{
    uint8_t base[32], other[32], iid[32] = {5};
    struct qrt_party p[3];

    (void)state;
    memcpy(p, parties, sizeof p);
    qrt_keygen_ssid0(full_ctx(), base, p, 3, 2, iid);
    qrt_keygen_ssid0(full_ctx(), other, p, 3, 3, iid);
    assert_memory_not_equal(base, other, 32);
    qrt_keygen_ssid0(full_ctx(), other, p, 2, 2, iid);
    assert_memory_not_equal(base, other, 32);
    iid[31] ^= 1;
    qrt_keygen_ssid0(full_ctx(), other, p, 3, 2, iid);
    assert_memory_not_equal(base, other, 32);
    iid[31] ^= 1;
    for (size_t i = 0; i < 3; i++)
        for (size_t field = 0; field < 3; field++) {
            memcpy(p, parties, sizeof p);
            if (field == 0)
                p[i].index ^= 0x100;
            (field == 1 ? p[i].idk : p[i].x)[31] ^= field != 0;
            qrt_keygen_ssid0(full_ctx(), other, p, 3, 2, iid);
            assert_memory_not_equal(base, other, 32);
        }
}

/* ---- a finished key generation of two peers ---- */

static struct world world;
static struct session session;
static struct network net;
static struct qrt_share pending;

static int make_key(void **state)
{
    const struct note *note;

    (void)state;
    world_init(&world, 2);
    session_keygen(&session, &world, 2, 3);
    network_init(&net, 1, &fair_weather);
    session_run(&session, &net);
    note = node_noted(&net.nodes[0], QRT_RECORD_SHARE_PENDING);
    return note && qrt_share_open_pending(&pending, full_ctx(), note->b, note->len) == QRT_OK ? 0
                                                                                              : -1;
}

static int free_key(void **state)
{
    (void)state;
    network_free(&net);
    return 0;
}

static const struct parcel *sent(uint16_t from, uint8_t round, uint8_t kind)
{
    for (size_t i = 0; i < net.log.n; i++)
        if (net.log.p[i].from == from && net.log.p[i].round == round && net.log.p[i].kind == kind)
            return &net.log.p[i];
    fail_msg("no such message");
    return NULL;
}

static void test_the_share_is_there_when_the_run_is_done(void **state)
{
    struct session s = session;
    struct network later;

    (void)state;
    assert_non_null(qrt_keygen_share(node_run(&net.nodes[0])));
    s.seed++;
    network_init(&later, 1, &fair_weather);
    session_join(&s, &later);
    assert_null(qrt_keygen_share(node_run(&later.nodes[0])));
    later.nodes[0].refuse[QRT_RECORD_SHARE_PENDING] = true;
    network_run(&later);
    assert_null(qrt_keygen_share(node_run(&later.nodes[0]))); /* failed */
    network_free(&later);
}

static struct qrt_peer *resume(void)
{
    struct qrt_peer_params envelope = {world.identity[0], world.keys, 2};
    struct qrt_peer *peer = aligned_alloc(QRT_ALIGN, qrt_peer_size(QRT_KEYGEN, 2, 2));

    assert_non_null(peer);
    assert_int_equal(qrt_peer_resume(peer, full_ctx(), &pending, &envelope), QRT_OK);
    return peer;
}

static void end(struct qrt_peer *peer)
{
    qrt_peer_wipe(peer);
    free(peer);
}

static void expect_only_round_four(struct qrt_peer *peer)
{
    static const uint8_t earlier[][2] = {{1, 0}, {2, 0}, {2, 1}, {3, 1}};

    for (size_t i = 0; i < sizeof earlier / sizeof *earlier; i++) {
        const struct parcel *p = sent(2, earlier[i][0], earlier[i][1]);

        assert_int_equal(qrt_peer_recv(peer, p->b, p->len), QRT_E_DROP_UNEXPECTED);
        assert_int_equal(qrt_run_recv(qrt_peer_run_mut(peer), 2, p->b, p->len),
                         QRT_E_DROP_UNEXPECTED);
    }
}

/* While it waits, while the full record waits, and when all is done. */
static void test_a_resumed_run_never_hears_of_earlier_rounds(void **state)
{
    struct qrt_peer *peer = resume();
    const struct qrt_run *run = qrt_peer_run(peer);
    const struct parcel *last = sent(2, 4, 0);
    const struct qrt_msg *m;
    uint16_t who[2];

    (void)state;
    assert_int_equal(qrt_run_round(run), 4);
    assert_int_equal(qrt_run_waiting_for(run, who, 2), 1);
    assert_int_equal(who[0], 2);
    m = qrt_peer_next(peer);
    assert_non_null(m);
    assert_int_equal(m->len, sent(1, 4, 0)->len);
    assert_memory_equal(m->b, sent(1, 4, 0)->b, m->len);
    assert_null(qrt_peer_next(peer));
    expect_only_round_four(peer);
    assert_int_equal(qrt_peer_recv(peer, last->b, last->len), QRT_OK);
    assert_non_null(qrt_peer_record(peer));
    assert_int_equal(qrt_peer_record(peer)->kind, QRT_RECORD_SHARE);
    expect_only_round_four(peer);
    assert_int_equal(qrt_peer_confirm(peer), QRT_OK);
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_DONE);
    expect_only_round_four(peer);
    assert_int_equal(qrt_peer_recv(peer, last->b, last->len), QRT_OK);
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_DONE);
    assert_non_null(qrt_keygen_share(run));
    end(peer);
}

/* It is over for everybody else: an old abort must not keep the certificate from completing. */
static void test_a_resumed_run_takes_no_abort(void **state)
{
    struct qrt_peer *peer = resume();
    uint8_t b[QRT_HEADER_BYTES + QRT_ABORT_BYTES] = {0};

    (void)state;
    for (uint8_t round = 1; round <= 4; round++) {
        memcpy(b, sent(2, 4, 0)->b, 48);
        b[6] = round;
        b[7] = QRT_KIND_ABORT;
        qrt_be32_put(b + 12, QRT_ABORT_BYTES);
        b[82] = round;
        assert_int_equal(qrt_run_recv(qrt_peer_run_mut(peer), 2, b, sizeof b),
                         QRT_E_DROP_UNEXPECTED);
    }
    assert_int_equal(qrt_run_phase(qrt_peer_run(peer)), QRT_PHASE_RUNNING);
    end(peer);
}

static void test_only_a_pending_share_resumes(void **state)
{
    struct qrt_run *run = aligned_alloc(QRT_ALIGN, qrt_run_size(QRT_KEYGEN, 2, 2));
    struct qrt_share share = pending;
    uint8_t certificate[QRT_CERT_HEAD_BYTES];

    (void)state;
    share.flags = 0;
    assert_int_equal(qrt_keygen_resume(run, full_ctx(), &share), QRT_E_STATE);
    share = pending;
    share.dealers_n = 1;
    assert_int_equal(qrt_keygen_resume(run, full_ctx(), &share), QRT_E_STATE);
    share = pending;
    memcpy(certificate, pending.certificate, sizeof certificate);
    certificate[0] = 2;
    share.certificate = certificate;
    assert_int_equal(qrt_keygen_resume(run, full_ctx(), &share), QRT_E_STATE);
    assert_int_equal(qrt_keygen_resume(run, full_ctx(), &pending), QRT_OK);
    qrt_run_wipe(run);
    free(run);
}

/* With all signatures but one there is a share, and no record that claims to be complete. */
static void test_without_every_signature_there_is_no_full_record(void **state)
{
    struct qrt_run *run = aligned_alloc(QRT_ALIGN, qrt_run_size(QRT_KEYGEN, 2, 2));
    const struct parcel *last = sent(2, 4, 0);

    (void)state;
    assert_int_equal(qrt_keygen_resume(run, full_ctx(), &pending), QRT_OK);
    assert_int_equal(qrt_run_recv(run, 2, last->b, last->len - 64), QRT_OK);
    assert_null(qrt_run_record(run));
    assert_int_equal(qrt_run_phase(run), QRT_PHASE_DONE);
    assert_non_null(qrt_keygen_share(run));
    qrt_run_wipe(run);
    free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_good_start_wipes_its_seed, reset),
        cmocka_unit_test(test_default_coordinates_are_the_indices),
        cmocka_unit_test_setup(test_thresholds_out_of_range_are_refused, reset),
        cmocka_unit_test_setup(test_indices_ascend_from_1_to_65534, reset),
        cmocka_unit_test_setup(test_coordinates_are_nonzero_distinct_and_below_the_order, reset),
        cmocka_unit_test_setup(test_one_identity_has_one_seat, reset),
        cmocka_unit_test_setup(test_one_must_be_among_the_parties, reset),
        cmocka_unit_test_setup(test_the_session_is_the_rosters_the_thresholds_and_the_intents,
                               reset),
        cmocka_unit_test(test_the_share_is_there_when_the_run_is_done),
        cmocka_unit_test(test_a_resumed_run_never_hears_of_earlier_rounds),
        cmocka_unit_test(test_a_resumed_run_takes_no_abort),
        cmocka_unit_test(test_only_a_pending_share_resumes),
        cmocka_unit_test(test_without_every_signature_there_is_no_full_record),
    };

    return cmocka_run_group_tests_name("keygen", tests, make_key, free_key);
}
