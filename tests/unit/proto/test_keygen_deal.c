/* SPDX-License-Identifier: Apache-2.0 */
/* Dealing: the proof of knowledge of all coefficients over small numbers, what a second round must
 * look like, what hashes bind, and what is forgotten when. */
#include "proto/keygen.h"
#include "toy.h"

#include <stdlib.h>
#include <string.h>

enum { T_MAX = 3, DEALER = 4 };

static const uint8_t ssid1[32] = {1, 2, 3};

struct dealt {
    size_t t;
    uint8_t r2[33 * T_MAX + 129];
    struct qrt_pt F[T_MAX];
};

static void put_point(uint8_t out[33], struct qrt_pt *p, const struct qrt_sc *k)
{
    qrt_pt_base(full_ctx(), p, k);
    qrt_pt_encode(full_ctx(), out, p);
}

/* F = a_m G, T = r G, z = r + sum of e^(m+1) a_m. */
static void deal(struct dealt *d, size_t t, const uint32_t *a, uint32_t r)
{
    struct qrt_sc coeff[T_MAX], e, power, term, z;
    struct qrt_pt T;

    memset(d, 0, sizeof *d);
    d->t = t;
    for (size_t m = 0; m < t; m++) {
        qrt_sc_set_u32(&coeff[m], a[m]);
        put_point(d->r2 + 33 * m, &d->F[m], &coeff[m]);
    }
    qrt_sc_set_u32(&z, r);
    put_point(d->r2 + 33 * t + KG_R2_T, &T, &z);
    qrt_keygen_challenge(full_ctx(), &e, ssid1, DEALER, d->r2, t);
    power = e;
    for (size_t m = 0; m < t; m++) {
        qrt_sc_mul(&term, &power, &coeff[m]);
        qrt_sc_add(&z, &z, &term);
        qrt_sc_mul(&power, &power, &e);
    }
    qrt_sc_encode(d->r2 + 33 * t + KG_R2_Z, &z);
}

static bool holds(const struct dealt *d)
{
    return qrt_keygen_proof_holds(full_ctx(), ssid1, DEALER, d->r2, d->F, d->t);
}

static void test_the_proof_holds_for_all_small_coefficients(void **state)
{
    struct dealt d;

    (void)state;
    for (uint32_t i = 0; i < 27; i++) {
        const uint32_t a[] = {1 + i % 3, 1 + i / 3 % 3, 1 + i / 9};

        deal(&d, 2 + i % 2, a, 1 + i % 5);
        assert_true(holds(&d));
    }
}

static void add_to_z(struct dealt *d, uint32_t n)
{
    struct qrt_sc z, k;

    assert_true(qrt_sc_decode(&z, d->r2 + 33 * d->t + KG_R2_Z));
    qrt_sc_set_u32(&k, n);
    qrt_sc_add(&z, &z, &k);
    qrt_sc_encode(d->r2 + 33 * d->t + KG_R2_Z, &z);
}

static void test_the_proof_fails_for_any_other_answer_or_nonce(void **state)
{
    static const uint32_t a[] = {1, 2, 3};
    struct dealt d;

    (void)state;
    for (size_t t = 2; t <= T_MAX; t++) {
        deal(&d, t, a, 7);
        for (uint32_t n = 0; n < 40; n++) {
            add_to_z(&d, 1);
            assert_false(holds(&d));
        }
        deal(&d, t, a, 7);
        d.r2[33 * t + KG_R2_T] ^= 1;
        assert_false(holds(&d));
    }
}

/* Every A_m counts, in its place: others with the same sum, the same swapped, one negated. */
static void test_the_proof_fails_for_any_other_commitments(void **state)
{
    static const uint32_t a[] = {1, 2, 3};
    struct dealt d, other;

    (void)state;
    for (size_t t = 2; t <= T_MAX; t++)
        for (size_t m = 0; m < t; m++) {
            size_t k = (m + 1) % t;

            deal(&d, t, a, 7);
            other = d;
            other.F[m] = d.F[k];
            assert_false(holds(&other));
            other.F[k] = d.F[m];
            assert_false(holds(&other));
            other = d;
            qrt_pt_neg(full_ctx(), &other.F[m], &d.F[m]);
            assert_false(holds(&other));
            other = d;
            other.F[m].inf = true;
            assert_false(holds(&other));
            /* the bytes are in the challenge */
            other = d;
            other.r2[33 * m] ^= 1;
            assert_false(holds(&other));
        }
}

static void test_the_proof_is_of_one_dealer_in_one_session(void **state)
{
    static const uint32_t a[] = {5, 6};
    uint8_t other[32];
    struct dealt d;

    (void)state;
    deal(&d, 2, a, 7);
    assert_true(qrt_keygen_proof_holds(full_ctx(), ssid1, DEALER, d.r2, d.F, 2));
    assert_false(qrt_keygen_proof_holds(full_ctx(), ssid1, DEALER + 1, d.r2, d.F, 2));
    for (size_t i = 0; i < 32; i += 31) {
        memcpy(other, ssid1, 32);
        other[i] ^= 1;
        assert_false(qrt_keygen_proof_holds(full_ctx(), other, DEALER, d.r2, d.F, 2));
    }
}

static void test_each_field_of_the_second_round_is_in_range(void **state)
{
    static const uint32_t a[] = {5, 6, 7};
    struct dealt d, bad;
    struct qrt_pt F[T_MAX];

    (void)state;
    for (size_t t = 2; t <= T_MAX; t++) {
        size_t z = 33 * t + KG_R2_Z;

        deal(&d, t, a, 7);
        assert_true(qrt_keygen_r2_decode(full_ctx(), F, d.r2, t));
        for (size_t m = 0; m < t; m++)
            assert_true(qrt_pt_equal(full_ctx(), &F[m], &d.F[m]));
        for (size_t m = 0; m <= t; m++) { /* A_0 .. A_{t-1}, T */
            bad = d;
            bad.r2[m < t ? 33 * m : 33 * t + KG_R2_T] = 4;
            assert_false(qrt_keygen_r2_decode(full_ctx(), F, bad.r2, t));
            if (m == t)
                assert_false(holds(&bad));
        }
        bad = d;
        memset(bad.r2 + z, 0, 32);
        assert_false(qrt_keygen_r2_decode(full_ctx(), F, bad.r2, t));
        memset(bad.r2 + z, 0xFF, 32);
        assert_false(qrt_keygen_r2_decode(full_ctx(), F, bad.r2, t));
        assert_false(holds(&bad));
    }
}

static void test_commitment_and_opening_bind_every_byte(void **state)
{
    uint8_t sid[32] = {1}, nonce[32] = {2}, r2[33 * 2 + 129] = {3}, base[32], other[32];

    (void)state;
    qrt_keygen_commitment(full_ctx(), base, sid, 7, nonce, r2, 2);
    qrt_keygen_commitment(full_ctx(), other, sid, 8, nonce, r2, 2);
    assert_memory_not_equal(base, other, 32);
    for (size_t i = 0; i < 32 + 32 + 66 + 64; i++) {
        uint8_t *at = i < 32 ? sid + i : i < 64 ? nonce + (i - 32) : r2 + (i - 64);

        *at ^= 1;
        qrt_keygen_commitment(full_ctx(), other, sid, 7, nonce, r2, 2);
        *at ^= 1;
        assert_memory_not_equal(base, other, 32);
    }
    qrt_keygen_chain_hash(full_ctx(), base, sid, 7, r2);
    qrt_keygen_chain_hash(full_ctx(), other, sid, 8, r2);
    assert_memory_not_equal(base, other, 32);
    for (size_t i = 0; i < 64; i++) {
        r2[i] ^= 1;
        qrt_keygen_chain_hash(full_ctx(), other, sid, 7, r2);
        r2[i] ^= 1;
        assert_memory_not_equal(base, other, 32);
    }
}

static void test_the_chain_code_is_everybodys_in_order(void **state)
{
    uint8_t openings[3][64] = {{1}, {2}, {3}}, base[32], other[32];

    (void)state;
    qrt_keygen_chain_code(full_ctx(), base, ssid1, (const uint8_t(*)[64])openings, 3);
    for (size_t j = 0; j < 3; j++) {
        openings[j][31] ^= 1;
        qrt_keygen_chain_code(full_ctx(), other, ssid1, (const uint8_t(*)[64])openings, 3);
        openings[j][31] ^= 1;
        assert_memory_not_equal(base, other, 32);
        openings[j][32] ^= 1; /* the blinding is no part of it */
        qrt_keygen_chain_code(full_ctx(), other, ssid1, (const uint8_t(*)[64])openings, 3);
        openings[j][32] ^= 1;
        assert_memory_equal(base, other, 32);
    }
    openings[0][0] = 2;
    openings[1][0] = 1;
    qrt_keygen_chain_code(full_ctx(), other, ssid1, (const uint8_t(*)[64])openings, 3);
    assert_memory_not_equal(base, other, 32);
}

/* ---- what is forgotten when (F.10) ---- */

static void expect_zero(const void *b, size_t len)
{
    toy_expect_all(b, len, 0);
}

static bool is_zero(const void *b, size_t len)
{
    const uint8_t *p = b;
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++)
        any |= p[i];
    return !any;
}

/* Called before each delivery; looks at party 1's run. */
static void look(void *arg, struct network *net, struct parcel *p)
{
    const struct qrt_run *run = node_run(&net->nodes[0]);
    const struct qrt_keygen *kg = run->state;
    size_t *seen = arg;

    (void)p;
    if (run->phase != QRT_PHASE_RUNNING)
        return;
    if (run->row <= 1)
        assert_false(is_zero(kg->coeff, sizeof kg->coeff));
    if (run->row >= 2) {
        expect_zero(kg->coeff, sizeof kg->coeff);
        expect_zero(&kg->ot_keys, sizeof kg->ot_keys);
        expect_zero(&kg->rng, sizeof kg->rng);
    }
    if (run->row == 2)
        assert_false(is_zero(kg->peers, (run->n - 1) * sizeof *kg->peers));
    if (run->row >= 3) {
        expect_zero(kg->peers, (run->n - 1) * sizeof *kg->peers);
        expect_zero(&kg->own_part, sizeof kg->own_part);
        for (size_t j = 1; j < run->n; j++)
            expect_zero(qrt_run_inbox(run, 3, QRT_KIND_PRIVATE, j), 128);
    }
    seen[run->row]++;
}

static void test_each_secret_goes_when_its_round_is_over(void **state)
{
    static struct world w;
    static struct session s;
    struct network net;

    (void)state;
    world_init(&w, 3);
    session_keygen(&s, &w, 2, 9);
    for (unsigned level = RUNS; level <= PEERS; level++) {
        size_t seen[5] = {0};

        s.level = (enum level)level;
        network_init(&net, 1, &fair_weather);
        net.hook = look;
        net.hook_arg = seen;
        session_run(&s, &net);
        for (size_t row = 0; row < 4; row++)
            assert_true(seen[row] > 0);
        network_free(&net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_proof_holds_for_all_small_coefficients),
        cmocka_unit_test(test_the_proof_fails_for_any_other_answer_or_nonce),
        cmocka_unit_test(test_the_proof_fails_for_any_other_commitments),
        cmocka_unit_test(test_the_proof_is_of_one_dealer_in_one_session),
        cmocka_unit_test(test_each_field_of_the_second_round_is_in_range),
        cmocka_unit_test(test_commitment_and_opening_bind_every_byte),
        cmocka_unit_test(test_the_chain_code_is_everybodys_in_order),
        cmocka_unit_test(test_each_secret_goes_when_its_round_is_over),
    };

    return cmocka_run_group_tests_name("keygen_deal", tests, NULL, NULL);
}
