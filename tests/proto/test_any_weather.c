/* SPDX-License-Identifier: Apache-2.0 */
/* Messages late, twice, in any order, piece by piece: always the same results, records and
 * messages, byte for byte, as when everything comes in order. Key generation, signing, presigning
 * and the online round for n <= 7 and every t; every set of signers for n <= 5, some for 6 and 7;
 * key generation by runs without peers for n <= 4. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

static int by_bytes(const void *a, const void *b)
{
    const struct parcel *x = a, *y = b;
    size_t len = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->b, y->b, len);

    if (order)
        return order;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return (x->to > y->to) - (x->to < y->to);
}

/* Both networks carried the same messages, in whatever order. Sorts the logs. */
static void expect_same_traffic(struct network *a, struct network *b)
{
    assert_int_equal(a->log.n, b->log.n);
    qsort(a->log.p, a->log.n, sizeof *a->log.p, by_bytes);
    qsort(b->log.p, b->log.n, sizeof *b->log.p, by_bytes);
    for (size_t i = 0; i < a->log.n; i++) {
        assert_int_equal(a->log.p[i].len, b->log.p[i].len);
        assert_memory_equal(a->log.p[i].b, b->log.p[i].b, a->log.p[i].len);
    }
}

static void expect_same_records(const struct network *a, const struct network *b)
{
    for (size_t i = 0; i < a->n; i++) {
        assert_int_equal(a->nodes[i].records_n, b->nodes[i].records_n);
        for (size_t r = 0; r < a->nodes[i].records_n; r++) {
            const struct note *x = &a->nodes[i].records[r], *y = &b->nodes[i].records[r];

            assert_int_equal(x->kind, y->kind);
            assert_int_equal(x->len, y->len);
            assert_memory_equal(x->b, y->b, x->len);
        }
    }
}

/* Everybody takes everything; only a sealed message that comes twice cannot be opened twice. */
static void expect_calm_hosts(const struct network *net)
{
    for (size_t i = 0; i < net->n; i++)
        for (size_t e = 0; e < QRT_E_COUNT; e++)
            if (e != QRT_OK && e != QRT_E_AGAIN && e != QRT_E_DROP_DUPLICATE)
                assert_int_equal(net->nodes[i].answers[e], 0);
}

/* A key generation in fair weather and in foul; |k| (may be NULL) gets what came out of the foul. */
static void keygen_fair_and_foul(struct session *s, struct keyring *k)
{
    struct network fair, foul;

    network_init(&fair, 1, &fair_weather);
    network_init(&foul, 100 * s->n + 10 * s->t + s->level, &storm);
    session_run(s, &fair);
    session_run(s, &foul);
    expect_same_records(&fair, &foul);
    expect_same_traffic(&fair, &foul);
    expect_calm_hosts(&fair);
    expect_calm_hosts(&foul);
    if (k)
        keyring_take(k, s, &foul);
    network_free(&foul);
    network_free(&fair);
}

/* By peers: keys_of, below. */
static void test_keygen_by_runs_gives_the_same_shares_in_any_weather(void **state)
{
    (void)state;
    for (size_t n = 2; n <= 4; n++)
        for (size_t t = 2; t <= n; t++) {
            struct world w;
            struct session s;

            world_init(&w, n);
            session_keygen(&s, &w, t, 10 * n + t);
            s.level = RUNS;
            keygen_fair_and_foul(&s, NULL);
        }
}

/* Member |set| of the t-subsets of 1..n, as a bit mask in ascending order; false at the end. */
static bool next_set(unsigned *set, size_t n, size_t t)
{
    for (unsigned s = *set + 1; s < 1u << n; s++) {
        size_t ones = 0;

        for (size_t i = 0; i < n; i++)
            ones += s >> i & 1;
        if (ones == t) {
            *set = s;
            return true;
        }
    }
    return false;
}

static void members_of(uint16_t *signers, unsigned set)
{
    for (uint16_t i = 0; i < NODES_MAX; i++)
        if (set >> i & 1)
            *signers++ = (uint16_t)(i + 1);
}

static void sign_fair_and_foul(struct session *s, uint64_t seed)
{
    struct network fair, foul;
    struct qrt_sig a, b;

    network_init(&fair, 1, &fair_weather);
    network_init(&foul, seed, seed % 2 ? &storm : &drizzle);
    session_run(s, &fair);
    session_run(s, &foul);
    session_expect_signature(s, &fair, &a);
    session_expect_signature(s, &foul, &b);
    assert_memory_equal(&a, &b, sizeof a);
    expect_same_records(&fair, &foul);
    expect_same_traffic(&fair, &foul);
    expect_calm_hosts(&foul);
    network_free(&foul);
    network_free(&fair);
}

/* The session of |s| in |net|, then the one that uses its presignatures in |later|. */
static void presign_in(struct session *s, struct network *net, struct network *later,
                       struct qrt_sig *sig)
{
    struct session online;

    session_run(s, net);
    session_take_presigs(s, net, &online);
    session_run(&online, later);
    session_expect_signature(&online, later, sig);
    expect_calm_hosts(net);
    expect_calm_hosts(later);
}

static void presign_fair_and_foul(struct session *s, uint64_t seed)
{
    struct network fair[2], foul[2];
    struct qrt_sig a, b;

    for (size_t i = 0; i < 2; i++) {
        network_init(&fair[i], seed, &fair_weather);
        network_init(&foul[i], seed + i, &storm);
    }
    presign_in(s, &fair[0], &fair[1], &a);
    presign_in(s, &foul[0], &foul[1], &b);
    assert_memory_equal(&a, &b, sizeof a);
    for (size_t i = 0; i < 2; i++) {
        expect_same_records(&fair[i], &foul[i]);
        expect_same_traffic(&fair[i], &foul[i]);
        network_free(&foul[i]);
        network_free(&fair[i]);
    }
}

static void every_set_signs(const struct keyring *k, unsigned step)
{
    unsigned set = 0, count = 0;
    uint16_t signers[NODES_MAX];

    while (next_set(&set, k->n, k->t)) {
        uint64_t seed = 1000 * k->n + 100 * k->t + set;
        struct session s;

        if (count++ % step)
            continue;
        members_of(signers, set);
        for (unsigned level = RUNS; level <= PEERS; level++) {
            session_sign(&s, QRT_SIGN, k, signers, seed);
            s.level = (enum level)level;
            sign_fair_and_foul(&s, 2 * seed + level);
        }
        session_sign(&s, QRT_PRESIGN, k, signers, seed + 50000);
        s.level = set % 2 ? PEERS : RUNS;
        presign_fair_and_foul(&s, seed);
    }
}

/* A key of |n| for every threshold, made in any weather, and every |step|-th set of signers. */
static void keys_of(size_t n, unsigned step)
{
    for (size_t t = 2; t <= n; t++) {
        struct world w;
        struct session s;
        struct keyring k;

        world_init(&w, n);
        session_keygen(&s, &w, t, 7 * n + t);
        keygen_fair_and_foul(&s, &k);
        every_set_signs(&k, step);
        keyring_free(&k);
    }
}

static void
test_up_to_five_parties_make_keys_and_every_set_signs_the_same_in_any_weather(void **state)
{
    (void)state;
    for (size_t n = 2; n <= 5; n++)
        keys_of(n, 1);
}

static void test_six_parties_make_keys_and_sign_the_same_in_any_weather(void **state)
{
    (void)state;
    keys_of(6, 7);
}

static void test_seven_parties_make_keys_and_sign_the_same_in_any_weather(void **state)
{
    (void)state;
    keys_of(7, 16);
}

/* One signing, many storms. */
static void test_one_signature_comes_out_the_same_in_many_storms(void **state)
{
    const uint16_t signers[] = {3, 1, 2};
    struct world w;
    struct keyring k;
    struct session s;

    (void)state;
    world_init(&w, 3);
    keyring_make(&k, &w, 3, 5);
    session_sign(&s, QRT_SIGN, &k, signers, 1);
    for (uint64_t seed = 0; seed < 60; seed++) {
        s.level = seed % 3 ? PEERS : RUNS;
        sign_fair_and_foul(&s, seed);
    }
    keyring_free(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keygen_by_runs_gives_the_same_shares_in_any_weather),
        cmocka_unit_test(
            test_up_to_five_parties_make_keys_and_every_set_signs_the_same_in_any_weather),
        cmocka_unit_test(test_six_parties_make_keys_and_sign_the_same_in_any_weather),
        cmocka_unit_test(test_seven_parties_make_keys_and_sign_the_same_in_any_weather),
        cmocka_unit_test(test_one_signature_comes_out_the_same_in_many_storms),
    };

    return cmocka_run_group_tests_name("any_weather", tests, NULL, NULL);
}
