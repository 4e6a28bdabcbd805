/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for every key and every signature (protocol.md M.2), seen from outside. */
#include "base/bytes.h"
#include "fixture.h"
#include "key/share.h"
#include "math/poly.h"
#include "quorate/derive.h"
#include "quorate/signature.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

/* Indices and x-coordinates that are not 1, 2, 3: the largest index, q - 1, 2^255, one. */
static void odd_world(struct world *w, size_t n)
{
    static const uint16_t index[] = {2, 77, 4096, 40000, QRT_INDEX_MAX};
    static const char *const x[] = {
        "8000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000001",
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
        "00000000000000000000000000000000000000000000000000000000deadbeef",
        "00000000000000000000000100000000000000000000000000000000000000ff"};

    world_init(w, n);
    for (size_t i = 0; i < n; i++) {
        w->roster[i].index = w->keys[i].index = index[i];
        test_unhex(w->roster[i].x, 32, x[i]);
    }
}

static void read_point(struct qrt_pt *p, const uint8_t b[33])
{
    assert_true(qrt_pt_decode(full_ctx(), p, b));
}

/* The shares at |set| (a bit mask of |t| positions) are points of a polynomial through the key. */
static void expect_interpolates(const struct keyring *k, unsigned set, const uint8_t pk[33])
{
    struct qrt_sc x[NODES_MAX], sum = qrt_sc_zero, s, lambda;
    struct qrt_pt in_exponent = {.inf = true}, p;
    size_t at[NODES_MAX], n = 0;
    uint8_t b[33];

    for (size_t i = 0; i < k->n; i++)
        if (set >> i & 1) {
            assert_true(qrt_sc_decode(&x[n], k->share[0].parties[i].x));
            at[n++] = i;
        }
    for (size_t i = 0; i < n; i++) {
        qrt_lagrange_at_zero(&lambda, x, n, i);
        assert_true(qrt_sc_decode(&s, k->share[at[i]].s));
        qrt_sc_mul(&s, &s, &lambda);
        qrt_sc_add(&sum, &sum, &s);
        read_point(&p, k->share[0].parties[at[i]].X);
        qrt_pt_mul_vartime(full_ctx(), &p, &p, &lambda);
        qrt_pt_add(full_ctx(), &in_exponent, &in_exponent, &p);
    }
    qrt_pt_base(full_ctx(), &p, &sum);
    qrt_pt_encode(full_ctx(), b, &p);
    assert_int_equal(memcmp(b, pk, 33) == 0, n >= k->t);
    qrt_pt_encode(full_ctx(), b, &in_exponent);
    assert_int_equal(memcmp(b, pk, 33) == 0, n >= k->t);
}

static void expect_shares_fit(const struct keyring *k)
{
    for (size_t i = 0; i < k->n; i++) {
        const struct qrt_share *share = &k->share[i];
        struct qrt_sc s;
        struct qrt_pt p;
        uint8_t b[33];

        assert_memory_equal(share->pk, k->share[0].pk, 33);
        assert_memory_equal(share->cc, k->share[0].cc, 32);
        assert_memory_equal(share->kgid, k->share[0].kgid, 32);
        assert_memory_equal(share->keyid, k->share[0].keyid, 32);
        assert_memory_equal(share->parties, k->share[0].parties, k->n * sizeof *share->parties);
        assert_memory_equal(share->certificate, k->share[0].certificate, share->certificate_len);
        assert_int_equal(share->epoch, 0);
        assert_true(qrt_sc_decode(&s, share->s));
        qrt_pt_base(full_ctx(), &p, &s);
        qrt_pt_encode(full_ctx(), b, &p);
        assert_memory_equal(b, qrt_share_party(share, share->own)->X, 33);
    }
}

/* What Bob |i| and Alice |j| hold of each other. */
static void expect_pair_fits(const struct qrt_share *i, const struct qrt_share *j)
{
    const struct qrt_share_pair *bob = qrt_share_pair(i, j->own),
                                *alice = qrt_share_pair(j, i->own);
    static const uint8_t nothing[16];

    assert_memory_equal(bob->zs, alice->zs, 32);
    for (size_t t = 0; t < 32; t++)
        for (size_t y = 0; y < 16; y++) {
            size_t at = 256 * t + 16 * y;
            bool hidden = (size_t)(alice->delta[t / 2] >> (4 * (t % 2)) & 15) == y;

            assert_memory_equal(alice->alice_seeds + at, hidden ? nothing : bob->bob_seeds + at,
                                16);
        }
}

static void expect_key(const struct keyring *k)
{
    expect_shares_fit(k);
    for (unsigned set = 1; set < 1u << k->n; set++)
        expect_interpolates(k, set, k->share[0].pk);
    for (size_t i = 0; i < k->n; i++)
        for (size_t j = 0; j < k->n; j++)
            if (i != j)
                expect_pair_fits(&k->share[i], &k->share[j]);
}

static void test_any_t_shares_make_the_key_and_fewer_do_not(void **state)
{
    static const size_t sizes[][2] = {{2, 2}, {3, 2}, {3, 3}, {4, 2}, {4, 3}, {5, 3}, {5, 4}};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct world w;
        struct keyring k;

        world_init(&w, sizes[i][0]);
        keyring_make(&k, &w, sizes[i][1], 20 + i);
        expect_key(&k);
        keyring_free(&k);
    }
}

static void test_any_indices_and_x_coordinates_will_do(void **state)
{
    const uint16_t signers[][3] = {{2, 77, 4096}, {QRT_INDEX_MAX, 4096, 2}, {40000, 77, 2}};
    struct world w;
    struct keyring k;

    (void)state;
    odd_world(&w, 5);
    keyring_make(&k, &w, 3, 30);
    expect_key(&k);
    for (size_t i = 0; i < 3; i++) {
        struct session s;
        struct network net;
        struct qrt_sig sig;

        session_sign(&s, QRT_SIGN, &k, signers[i], 31 + i);
        network_init(&net, i, &storm);
        session_run(&s, &net);
        session_expect_signature(&s, &net, &sig);
        network_free(&net);
    }
    keyring_free(&k);
}

/* ---- signatures by one 2-of-3 key ---- */

static const uint16_t pair[] = {2, 3};

static void run_session(struct session *s, struct qrt_sig *sig)
{
    struct network net;

    network_init(&net, s->seed, &fair_weather);
    session_run(s, &net);
    session_expect_signature(s, &net, sig);
    network_free(&net);
}

/* session_expect_signature checks key, digest, low s and recovery; here both parities turn up, s is
 * never high, and nonces never come back. */
static void test_a_hundred_signatures_are_low_and_recoverable(void **state)
{
    struct qrt_sig sig[100];
    size_t odd = 0;

    (void)state;
    for (size_t i = 0; i < 100; i++) {
        struct session s;

        session_sign(&s, QRT_SIGN, &key, pair, 1000 + i);
        s.level = RUNS;
        run_session(&s, &sig[i]);
        odd += sig[i].recid & 1;
        assert_true(sig[i].recid < 2);
        assert_true(sig[i].s[0] < 0x80);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(sig[i].r, sig[j].r, 32);
    }
    assert_true(odd > 20 && odd < 80);
}

static void test_a_run_and_a_peer_make_the_same_signature(void **state)
{
    struct qrt_sig sig[2];

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct session s;

        session_sign(&s, QRT_SIGN, &key, pair, 50);
        s.level = (enum level)level;
        run_session(&s, &sig[level]);
    }
    assert_memory_equal(&sig[0], &sig[1], sizeof sig[0]);
}

static void test_children_sign_under_their_own_keys(void **state)
{
    static const uint32_t paths[][4] = {{0}, {44, 60, 0, 7}, {0x7FFFFFFF, 1, 0, 0}};
    static const size_t lengths[] = {1, 4, 2};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (unsigned level = RUNS; level <= PEERS; level++) {
            struct session s;
            struct qrt_sig sig;

            session_sign(&s, QRT_SIGN, &key, pair, 60 + i);
            s.level = (enum level)level;
            s.path = paths[i];
            s.path_n = lengths[i];
            run_session(&s, &sig);
        }
}

static void presign(struct session *s, struct session *online)
{
    struct network net;

    network_init(&net, s->seed, &fair_weather);
    session_run(s, &net);
    session_take_presigs(s, &net, online);
    network_free(&net);
}

static void test_presignatures_sign_for_the_key_its_children_and_late_children(void **state)
{
    static const uint32_t path[] = {44, 60, 3};

    (void)state;
    for (unsigned late = 0; late < 3; late++)
        for (unsigned level = RUNS; level <= PEERS; level++) {
            struct session s, online;
            struct qrt_sig sig;

            session_sign(&s, QRT_PRESIGN, &key, pair, 70 + late);
            s.level = (enum level)level;
            s.path = late == 1 ? path : NULL;
            s.path_n = late == 1 ? 3 : 0;
            presign(&s, &online);
            online.late_path = late == 2 ? path : NULL;
            online.late_path_n = late == 2 ? 3 : 0;
            run_session(&online, &sig);
        }
}

static void test_a_late_path_needs_a_presignature_of_the_key_itself(void **state)
{
    static const uint32_t path[] = {1}, hardened[] = {0x80000000u};
    struct session s, online;
    struct node node;

    (void)state;
    session_sign(&s, QRT_PRESIGN, &key, pair, 80);
    s.path = path;
    s.path_n = 1;
    presign(&s, &online);
    online.late_path = path;
    online.late_path_n = 1;
    assert_int_equal(session_start(&online, &node, 2), QRT_E_PATH);
    session_sign(&s, QRT_PRESIGN, &key, pair, 81);
    presign(&s, &online);
    online.late_path = hardened;
    online.late_path_n = 1;
    assert_int_equal(session_start(&online, &node, 2), QRT_E_PATH);
}

/* The nonce depends on message, request and key: nothing about r is fixed before they are. */
static void test_a_presignature_gives_another_nonce_for_another_message(void **state)
{
    static const uint32_t path[] = {9};
    static const uint8_t other[] = "pay somebody else";
    struct session s, online[4];
    struct qrt_sig sig[4];

    (void)state;
    session_sign(&s, QRT_PRESIGN, &key, pair, 90);
    presign(&s, &online[0]);
    for (size_t i = 1; i < 4; i++)
        online[i] = online[0]; /* which no host can do: the record is gone from the run */
    online[1].text = other;
    online[1].text_len = sizeof other;
    online[2].late_path = path;
    online[2].late_path_n = 1;
    online[3].seed = 91; /* another request */
    for (size_t i = 0; i < 4; i++) {
        run_session(&online[i], &sig[i]);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(sig[i].r, sig[j].r, 32);
    }
}

static void start_with(struct qrt_sign_params *p, const uint16_t *signers)
{
    *p = (struct qrt_sign_params){.share = keyring_share(&key, 2), .signers = signers};
    p->signers_n = 2;
    p->message = (struct qrt_message){QRT_DIGEST_LOCAL, (const uint8_t *)"", 0};
}

static void test_a_local_digest_has_exactly_32_bytes(void **state)
{
    uint8_t digest[64] = {0};
    void *memory = aligned_alloc(QRT_ALIGN, qrt_run_size(QRT_SIGN, 2, 2));
    struct qrt_sign_params p;

    (void)state;
    start_with(&p, pair);
    for (size_t len = 0; len <= sizeof digest; len++) {
        uint8_t seed[32] = {1};

        p.message = (struct qrt_message){QRT_DIGEST_LOCAL, digest, len};
        assert_int_equal(qrt_sign_start(memory, full_ctx(), &p, seed),
                         len == 32 ? QRT_OK : QRT_E_DIGEST);
    }
    qrt_run_wipe(memory);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_t_shares_make_the_key_and_fewer_do_not),
        cmocka_unit_test(test_any_indices_and_x_coordinates_will_do),
        cmocka_unit_test(test_a_hundred_signatures_are_low_and_recoverable),
        cmocka_unit_test(test_a_run_and_a_peer_make_the_same_signature),
        cmocka_unit_test(test_children_sign_under_their_own_keys),
        cmocka_unit_test(test_presignatures_sign_for_the_key_its_children_and_late_children),
        cmocka_unit_test(test_a_late_path_needs_a_presignature_of_the_key_itself),
        cmocka_unit_test(test_a_presignature_gives_another_nonce_for_another_message),
        cmocka_unit_test(test_a_local_digest_has_exactly_32_bytes),
    };

    return cmocka_run_group_tests_name("properties", tests, make_key, free_key);
}
