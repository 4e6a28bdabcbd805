/* SPDX-License-Identifier: Apache-2.0 */
/* The second round of signing from inside: shares of the key that sum to it, shares of the products
 * that fit, the record at the gate, and what is forgotten when. */
#include "math/poly.h"
#include "proto/sign.h"
#include "toy.h"

#include <stdlib.h>
#include <string.h>

static struct world world;
static struct keyring key; /* 3 of 4 */
static const uint16_t quorum[] = {1, 2, 4};

static int make_key(void **state)
{
    (void)state;
    world_init(&world, 4);
    keyring_make(&key, &world, 3, 1);
    return 0;
}

static int free_key(void **state)
{
    (void)state;
    keyring_free(&key);
    return 0;
}

/* What the three signers hold at a moment nobody else sees. */
struct sums {
    struct qrt_sc sk, r, phi, u, v;
    struct qrt_sc one; /* the second signer's part of sk */
    bool taken;
};

static void add(struct qrt_sc *sum, const struct qrt_sc *x)
{
    qrt_sc_add(sum, sum, x);
}

static const struct qrt_sign *state_of(const struct network *net, size_t i)
{
    return node_run(&net->nodes[i])->state;
}

static bool all_in_row(const struct network *net, size_t row)
{
    for (size_t i = 0; i < net->n; i++)
        if (node_run(&net->nodes[i])->row != row ||
            node_run(&net->nodes[i])->phase != QRT_PHASE_RUNNING)
            return false;
    return true;
}

/* Before each delivery: the first time that everybody is in round 2, the sums of all parts. */
static void look(void *arg, struct network *net, struct parcel *p)
{
    struct sums *s = arg;

    (void)p;
    if (!all_in_row(net, 1) || s->taken)
        return;
    s->taken = true;
    s->one = state_of(net, 1)->sk;
    for (size_t i = 0; i < net->n; i++) {
        add(&s->sk, &state_of(net, i)->sk);
        add(&s->r, &state_of(net, i)->r);
        add(&s->phi, &state_of(net, i)->phi);
    }
}

static void secret_key(struct qrt_sc *x)
{
    struct qrt_sc xs[3], s, weight;

    *x = qrt_sc_zero;
    for (size_t i = 0; i < 3; i++)
        assert_true(qrt_sc_decode(&xs[i], qrt_share_party(keyring_share(&key, 1), quorum[i])->x));
    for (size_t i = 0; i < 3; i++) {
        assert_true(qrt_sc_decode(&s, keyring_share(&key, quorum[i])->s));
        qrt_lagrange_at_zero(&weight, xs, 3, i);
        qrt_sc_mul(&s, &s, &weight);
        qrt_sc_add(x, x, &s);
    }
}

static void presign(struct network *net, struct sums *s, const uint32_t *path, size_t path_n)
{
    static struct session session;

    session_sign(&session, QRT_PRESIGN, &key, quorum, 3 + path_n);
    session.level = RUNS;
    session.path = path;
    session.path_n = path_n;
    memset(s, 0, sizeof *s);
    network_init(net, 1, &fair_weather);
    net->hook = look;
    net->hook_arg = s;
    session_run(&session, net);
    assert_true(s->taken);
}

/* Sum of sk = x + tau; u = r phi; v = (x + tau) phi, with or without a path. */
static void test_parts_sum_to_the_key_and_the_products_fit(void **state)
{
    static const uint32_t path[] = {44, 7};

    (void)state;
    for (size_t path_n = 0; path_n <= 2; path_n += 2) {
        struct network net;
        struct qrt_sc x, product;
        struct sums s;

        presign(&net, &s, path, path_n);
        secret_key(&x);
        add(&x, &((const struct qrt_sign_open *)node_run(&net.nodes[0])->open)->tau);
        assert_true(qrt_sc_equal(&s.sk, &x));
        for (size_t i = 0; i < 3; i++) {
            add(&s.u, &state_of(&net, i)->u);
            add(&s.v, &state_of(&net, i)->v);
        }
        qrt_sc_mul(&product, &s.r, &s.phi);
        assert_true(qrt_sc_equal(&product, &s.u));
        qrt_sc_mul(&product, &x, &s.phi);
        assert_true(qrt_sc_equal(&product, &s.v));
        network_free(&net);
    }
}

/* The zero-shares make every party's part of the key another one in each session. */
static void test_key_shares_are_masked_anew_in_every_session(void **state)
{
    static struct session session;
    struct sums s[2];

    (void)state;
    memset(s, 0, sizeof s);
    for (size_t k = 0; k < 2; k++) {
        struct network net;

        session_sign(&session, QRT_SIGN, &key, quorum, 20 + k);
        session.level = RUNS;
        network_init(&net, 1, &fair_weather);
        net.hook = look;
        net.hook_arg = &s[k];
        session_run(&session, &net);
        assert_true(s[k].taken);
        network_free(&net);
    }
    assert_true(qrt_sc_equal(&s[0].sk, &s[1].sk));
    assert_false(qrt_sc_equal(&s[0].one, &s[1].one));
}

static void test_the_gate_names_the_share_and_all_peers(void **state)
{
    static struct session session;
    struct network net;

    (void)state;
    session_sign(&session, QRT_SIGN, &key, quorum, 4);
    network_init(&net, 1, &fair_weather);
    session_run(&session, &net);
    for (size_t i = 0; i < 3; i++) {
        const struct note *note = node_noted(&net.nodes[i], QRT_RECORD_GATE);
        struct qrt_burn gate;
        size_t k = 0;

        assert_non_null(note);
        assert_int_equal(qrt_burn_decode(&gate, note->b, note->len), QRT_OK);
        assert_memory_equal(gate.kgid, keyring_share(&key, 1)->kgid, 32);
        assert_int_equal(gate.epoch, 0);
        assert_int_equal(gate.own, quorum[i]);
        assert_int_equal(gate.peers_n, 2);
        for (size_t j = 0; j < 3; j++)
            if (j != i)
                assert_int_equal(gate.peers[k++], quorum[j]);
    }
    network_free(&net);
}

/* ---- what is forgotten when (G.7, B.8) ---- */

static void expect_zero(const void *b, size_t len)
{
    toy_expect_all(b, len, 0);
}

static void look_for_secrets(void *arg, struct network *net, struct parcel *p)
{
    const struct qrt_run *run = node_run(&net->nodes[0]);
    const struct qrt_sign *sg = run->state;
    size_t *seen = arg;

    (void)p;
    if (run->phase != QRT_PHASE_RUNNING)
        return;
    seen[run->row]++;
    if (run->row >= 1)
        expect_zero(&sg->rng, sizeof sg->rng);
    if (run->row < 2)
        assert_false(qrt_sc_is_zero(&sg->r));
    if (run->row < 2)
        return;
    expect_zero(&sg->r, sizeof sg->r);
    expect_zero(&sg->sk, sizeof sg->sk);
    expect_zero(&sg->phi, sizeof sg->phi);
    expect_zero(&sg->u, sizeof sg->u);
    expect_zero(&sg->v, sizeof sg->v);
    expect_zero(sg->peers, (run->n - 1) * sizeof *sg->peers);
    for (size_t j = 1; j < run->n; j++)
        expect_zero(qrt_run_inbox(run, 2, QRT_KIND_PRIVATE, j) + SG_R2_PSI, 32);
}

static void test_each_secret_goes_when_its_round_is_over(void **state)
{
    static struct session session;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        size_t seen[4] = {0};
        struct network net;

        session_sign(&session, QRT_SIGN, &key, quorum, 5);
        session.level = (enum level)level;
        network_init(&net, 1, &fair_weather);
        net.hook = look_for_secrets;
        net.hook_arg = seen;
        session_run(&session, &net);
        for (size_t row = 0; row < 3; row++)
            assert_true(seen[row] > 0);
        network_free(&net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_sum_to_the_key_and_the_products_fit),
        cmocka_unit_test(test_key_shares_are_masked_anew_in_every_session),
        cmocka_unit_test(test_the_gate_names_the_share_and_all_peers),
        cmocka_unit_test(test_each_secret_goes_when_its_round_is_over),
    };

    return cmocka_run_group_tests_name("sign_multiply", tests, make_key, free_key);
}
