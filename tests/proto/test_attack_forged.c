/* SPDX-License-Identifier: Apache-2.0 */
/* Cheats that fit together (protocol.md J, M.4): the cheater computes whole messages from values of
 * his own choice, so that every earlier check passes and only the one meant for him sees him. The
 * honest forgery comes first in each group: it shows that the forger knows the protocol. */
#include "base/bytes.h"
#include "cheat.h"
#include "cheats.h"
#include "hash/transcript.h"
#include "key/share.h"
#include "math/poly.h"

#include <stdlib.h>
#include <string.h>

enum { B = QRT_KIND_BROADCAST, P = QRT_KIND_PRIVATE };
enum { VICTIM = 1, CHEATER = 2 };

static void victim_rng(const struct rig *r, struct qrt_drbg *rng)
{
    struct qrt_entropy entropy;

    session_entropy(&r->s, VICTIM, &entropy);
    qrt_drbg_start(rng, full_ctx(), entropy.seed);
}

static void encode_base(uint8_t out[33], const struct qrt_sc *k)
{
    struct qrt_pt p;

    qrt_pt_base(full_ctx(), &p, k);
    qrt_pt_encode(full_ctx(), out, &p);
}

/* ---- keygen, 2 of 2 ---- */

struct dealer {
    struct qrt_sc a[2];
    uint8_t F[66], hcc[32], rho[32];
    bool knows; /* the coefficients behind F */
};

static struct world world;

static void keygen_bench(struct rig *r, enum level level)
{
    static struct session s;

    world_init(&world, 2);
    session_keygen(&s, &world, 2, 11);
    s.level = level;
    rig_make(r, &s, VICTIM);
}

/* The victim's coefficients, which nobody should know. */
static void victim_coefficients(const struct rig *r, struct qrt_sc a[2])
{
    struct qrt_drbg rng;
    uint8_t nonce[32];

    victim_rng(r, &rng);
    qrt_drbg_scalar(&rng, full_ctx(), &a[0]);
    qrt_drbg_bytes(&rng, full_ctx(), nonce, sizeof nonce);
    qrt_drbg_scalar(&rng, full_ctx(), &a[1]);
}

static void dealer_init(struct dealer *d, uint32_t a0, uint32_t a1)
{
    memset(d, 0, sizeof *d);
    qrt_sc_set_u32(&d->a[0], a0);
    qrt_sc_set_u32(&d->a[1], a1);
    memset(d->hcc, 7, sizeof d->hcc);
    memset(d->rho, 8, sizeof d->rho);
    d->knows = true;
}

static void dealer_commit(const struct rig *r, const struct dealer *d, uint8_t payload[64])
{
    struct qrt_th th;

    memset(payload + 32, 9, 32);
    qrt_th_start(&th, full_ctx(), QRT_L_KG_COMMIT);
    qrt_th_field(&th, qrt_run_sid(node_run(&r->node)), 32);
    qrt_th_be16(&th, CHEATER);
    qrt_th_field(&th, payload + 32, 32);
    qrt_th_field(&th, d->F, sizeof d->F);
    qrt_th_field(&th, d->hcc, 32);
    qrt_th_field(&th, d->rho, 32);
    qrt_th_end(&th, payload);
}

/* z = r + e a_0 + e^2 a_1 with r = 3; without the coefficients, z is as good as any. */
static void dealer_prove(const struct dealer *d, const uint8_t ssid1[32], uint8_t T[33],
                         uint8_t z32[32])
{
    struct qrt_sc e, z, term;
    struct qrt_th th;

    qrt_sc_set_u32(&z, 3);
    encode_base(T, &z);
    qrt_th_start(&th, full_ctx(), QRT_L_KG_POK);
    qrt_th_field(&th, ssid1, 32);
    qrt_th_be16(&th, CHEATER);
    qrt_th_field(&th, d->F, sizeof d->F);
    qrt_th_field(&th, T, 33);
    qrt_th_end_scalar(&th, &e);
    qrt_sc_mul(&term, &e, &d->a[0]);
    qrt_sc_add(&z, &z, &term);
    qrt_sc_mul(&term, &d->a[1], &e);
    qrt_sc_mul(&term, &term, &e);
    qrt_sc_add(&z, &z, &term);
    qrt_sc_encode(z32, &z);
}

/* Rounds 1 and 2 as the forger deals. The victim's second round says which ssid1 it computed. */
static void deal(struct rig *r, struct dealer *d)
{
    struct parcel r1 = rig_copy(rig_plain(r, 1, B, CHEATER), 0);
    struct parcel r2 = rig_copy(rig_plain(r, 2, B, CHEATER), 0);
    struct parcel ot1 = rig_copy(rig_plain(r, 2, P, CHEATER), 0);
    const uint8_t *ssid1;

    if (d->knows)
        for (size_t m = 0; m < 2; m++)
            encode_base(d->F + 33 * m, &d->a[m]);
    rig_rewind(r, 1);
    dealer_commit(r, d, r1.b + QRT_HEADER_BYTES);
    (void)rig_give_plain(r, &r1);
    assert_non_null(rig_said(r, 2, B));
    ssid1 = rig_said(r, 2, B)->b + 48;
    memcpy(r2.b + 48, ssid1, 32);
    memcpy(ot1.b + 48, ssid1, 32);
    memcpy(r2.b + 80, d->F, 66);
    memcpy(r2.b + 146, d->hcc, 32);
    memcpy(r2.b + 178, d->rho, 32);
    dealer_prove(d, ssid1, r2.b + 210, r2.b + 243);
    r->may_say = 2;
    (void)rig_give_plain(r, &ot1);
    (void)rig_give_plain(r, &r2);
    free(ot1.b);
    free(r2.b);
    free(r1.b);
}

static void test_the_forged_dealer_passes_if_he_is_honest(void **state)
{
    struct dealer d;
    struct rig r;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        keygen_bench(&r, (enum level)level);
        dealer_init(&d, 5, 6);
        deal(&r, &d);
        assert_int_equal(qrt_run_error(node_run(&r.node)), QRT_OK);
        assert_non_null(rig_said(&r, 3, P));
        rig_free(&r);
    }
}

/* He wants pk = 4 G and takes the victim's contribution back; he cannot know his coefficient. */
static void test_attack_rogue_key_that_cancels_the_others(void **state)
{
    struct qrt_sc victim[2], four;
    struct qrt_pt wanted, minus;
    struct dealer d;
    struct rig r;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        keygen_bench(&r, (enum level)level);
        dealer_init(&d, 5, 6);
        victim_coefficients(&r, victim);
        qrt_pt_base(full_ctx(), &minus, &victim[0]);
        qrt_pt_neg(full_ctx(), &minus, &minus);
        qrt_sc_set_u32(&four, 4);
        qrt_pt_base(full_ctx(), &wanted, &four);
        qrt_pt_add(full_ctx(), &wanted, &wanted, &minus);
        qrt_pt_encode(full_ctx(), d.F, &wanted);
        encode_base(d.F + 33, &d.a[1]);
        d.knows = false;
        deal(&r, &d);
        rig_expect_failure(&r, QRT_E_KG_PROOF, CHEATER);
        rig_free(&r);
    }
}

static void test_attack_dealers_that_cancel_the_key(void **state)
{
    struct qrt_sc victim[2];
    struct dealer d;
    struct rig r;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        keygen_bench(&r, (enum level)level);
        dealer_init(&d, 5, 6);
        victim_coefficients(&r, victim);
        qrt_sc_neg(&d.a[0], &victim[0]);
        deal(&r, &d);
        rig_expect_failure(&r, QRT_E_KG_IDENTITY, 0);
        rig_free(&r);
    }
}

/* p(x_1) = 0 for the sum of both polynomials: X_1 would be the identity. */
static void test_attack_dealers_that_cancel_one_share(void **state)
{
    struct qrt_sc victim[2], sum;
    struct dealer d;
    struct rig r;

    (void)state;
    keygen_bench(&r, RUNS);
    dealer_init(&d, 5, 6);
    victim_coefficients(&r, victim);
    qrt_sc_add(&sum, &victim[0], &d.a[0]);
    qrt_sc_add(&sum, &sum, &victim[1]);
    qrt_sc_neg(&d.a[1], &sum);
    deal(&r, &d);
    rig_expect_failure(&r, QRT_E_KG_IDENTITY, 0);
    rig_free(&r);
}

/* Commitment and opening are the victim's own; the index inside them is not the cheater's. */
static void test_attack_commitment_copied_from_the_victim(void **state)
{
    struct rig r;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct parcel r1, r2;

        keygen_bench(&r, (enum level)level);
        r1 = rig_copy(rig_plain(&r, 1, B, CHEATER), 0);
        r2 = rig_copy(rig_plain(&r, 2, B, CHEATER), 0);
        rig_rewind(&r, 1);
        for (size_t i = 0; i < r.plain.n; i++)
            if (r.plain.p[i].from == VICTIM && r.plain.p[i].round == 1)
                memcpy(r1.b + 80, r.plain.p[i].b + 80, 64);
        (void)rig_give_plain(&r, &r1);
        memcpy(r2.b + 48, rig_said(&r, 2, B)->b + 48, r2.len - 48);
        r.may_say = 2;
        (void)rig_give_plain(&r, &r2);
        free(r2.b);
        r2 = rig_copy(rig_plain(&r, 2, P, CHEATER), 0);
        memcpy(r2.b + 48, rig_said(&r, 2, B)->b + 48, 32);
        (void)rig_give_plain(&r, &r2);
        rig_expect_failure(&r, QRT_E_KG_COMMITMENT, CHEATER);
        free(r2.b);
        free(r1.b);
        rig_free(&r);
    }
}

/* R_0 = -H2C(R_1): the sender's M would be the identity. */
static void test_attack_base_ot_points_that_sum_to_the_identity(void **state)
{
    struct rig r;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct parcel ot1;
        struct qrt_pt p;
        struct qrt_th th;
        uint8_t sid[32];

        keygen_bench(&r, (enum level)level);
        ot1 = rig_copy(rig_plain(&r, 2, P, CHEATER), 0);
        qrt_th_start(&th, full_ctx(), QRT_L_OT_SID);
        qrt_th_field(&th, ot1.b + 48, 32);
        qrt_th_be16(&th, CHEATER);
        qrt_th_be16(&th, VICTIM);
        qrt_th_end(&th, sid);
        qrt_ot_hash_to_curve(full_ctx(), &p, sid, 100, 0, ot1.b + 80 + 66 * 100 + 33);
        qrt_pt_neg(full_ctx(), &p, &p);
        qrt_pt_encode(full_ctx(), ot1.b + 80 + 66 * 100, &p);
        rig_attack(&r, &ot1);
        rig_expect_failure(&r, QRT_E_OT_POINT, CHEATER);
        free(ot1.b);
        rig_free(&r);
    }
}

/* ---- signing, 2 of 2 ---- */

struct signer {
    struct qrt_sc r, sk; /* what goes into the multiplication */
    uint8_t R[33], pk[33], rho[32];
    uint8_t bh1[32];
    struct qrt_rvole_alice alice; /* of the victim's E1 */
    uint8_t e2[QRT_E2_BYTES];
    struct qrt_sc c[2];
};

static struct keyring key;

static void sign_bench(struct rig *r, enum level level)
{
    static const uint16_t both[] = {VICTIM, CHEATER};
    static struct session s;

    world_init(&world, 2);
    if (!key.n)
        keyring_make(&key, &world, 2, 12);
    session_sign(&s, QRT_SIGN, &key, both, 13);
    s.level = level;
    rig_make(r, &s, VICTIM);
}

static void signer_init(struct signer *f)
{
    memset(f, 0, sizeof *f);
    qrt_sc_set_u32(&f->r, 77);
    encode_base(f->R, &f->r);
    memset(f->rho, 3, sizeof f->rho);
}

/* Round 1 with a commitment to f->R; afterwards f->bh1 is what the victim makes of it. */
static void signer_commit(struct rig *r, struct signer *f)
{
    struct parcel r1 = rig_copy(rig_plain(r, 1, B, CHEATER), 0);
    struct qrt_th th;

    qrt_th_start(&th, full_ctx(), QRT_L_SG_COMMIT);
    qrt_th_field(&th, qrt_run_sid(node_run(&r->node)), 32);
    qrt_th_be16(&th, CHEATER);
    qrt_th_field(&th, f->R, 33);
    qrt_th_field(&th, f->rho, 32);
    qrt_th_end(&th, r1.b + QRT_HEADER_BYTES);
    rig_rewind(r, 1);
    (void)rig_give_plain(r, &r1);
    (void)rig_give_plain(r, rig_plain(r, 1, P, CHEATER));
    assert_non_null(rig_said(r, 2, B));
    memcpy(f->bh1, rig_said(r, 2, B)->b + 48, 32);
    free(r1.b);
}

/* sk = lambda s - zero share (the victim has the lower index), as protocol.md G.3 and F.11 say. */
static void signer_key(const struct rig *r, struct signer *f)
{
    const struct qrt_share *share = keyring_share(&key, CHEATER);
    struct qrt_sc x[2], s, lambda, zero;
    struct qrt_th th;

    qrt_sc_set_u32(&x[0], VICTIM);
    qrt_sc_set_u32(&x[1], CHEATER);
    qrt_lagrange_at_zero(&lambda, x, 2, 1);
    assert_true(qrt_sc_decode(&s, share->s));
    qrt_th_start(&th, full_ctx(), QRT_L_SG_ZERO);
    qrt_th_field(&th, qrt_share_pair(share, VICTIM)->zs, 32);
    qrt_th_field(&th, qrt_run_sid(node_run(&r->node)), 32);
    qrt_th_field(&th, f->bh1, 32);
    qrt_th_be16(&th, VICTIM);
    qrt_th_be16(&th, CHEATER);
    qrt_th_end_scalar(&th, &zero);
    qrt_sc_mul(&f->sk, &lambda, &s);
    qrt_sc_sub(&f->sk, &f->sk, &zero);
    encode_base(f->pk, &f->sk);
}

static const struct parcel *victims_e1(const struct rig *r)
{
    for (size_t i = 0; i < r->plain.n; i++)
        if (r->plain.p[i].from == VICTIM && r->plain.p[i].round == 1 && r->plain.p[i].kind == P)
            return &r->plain.p[i];
    fail();
    return NULL;
}

static void signer_multiply(const struct rig *r, struct signer *f)
{
    const struct qrt_share_pair *pair = qrt_share_pair(keyring_share(&key, CHEATER), VICTIM);
    struct qrt_rvole_id id = {qrt_run_sid(node_run(&r->node)), CHEATER, VICTIM};
    struct qrt_rvole_scratch *scratch = malloc(qrt_rvole_scratch_size());
    const struct qrt_sc a[2] = {f->r, f->sk};
    struct qrt_rvole_alice spent;
    struct qrt_drbg rng;
    uint8_t seed[32] = {4};

    assert_int_equal(qrt_rvole_alice_check(full_ctx(), &f->alice, &id,
                                           (const uint8_t(*)[16][16])pair->alice_seeds, pair->delta,
                                           victims_e1(r)->b + QRT_HEADER_BYTES, scratch),
                     QRT_OK);
    spent = f->alice;
    qrt_drbg_start(&rng, full_ctx(), seed);
    qrt_rvole_alice(full_ctx(), f->c, f->e2, &spent, a, &rng, scratch);
    free(scratch);
}

static void signer_answer(struct rig *r, const struct signer *f)
{
    struct parcel b = rig_copy(rig_plain(r, 2, B, CHEATER), 0);
    struct parcel p = rig_copy(rig_plain(r, 2, P, CHEATER), 0);

    memcpy(b.b + 48, f->bh1, 32);
    memcpy(p.b + 48, f->bh1, 32);
    memcpy(b.b + 80, f->R, 33);
    memcpy(b.b + 113, f->pk, 33);
    memcpy(b.b + 146, f->rho, 32);
    memcpy(p.b + 80, f->e2, QRT_E2_BYTES);
    encode_base(p.b + 80 + QRT_E2_BYTES, &f->c[0]);
    encode_base(p.b + 113 + QRT_E2_BYTES, &f->c[1]);
    r->may_say = 2;
    (void)rig_give_plain(r, &p);
    (void)rig_give_plain(r, &b);
    free(p.b);
    free(b.b);
}

/* Everything in order; a test changes |f| between the steps. */
static void forge_until_key(struct rig *r, struct signer *f, enum level level)
{
    sign_bench(r, level);
    signer_init(f);
    signer_commit(r, f);
    signer_key(r, f);
}

static void test_the_forged_signer_passes_if_he_is_honest(void **state)
{
    static struct signer f;
    struct rig r;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        forge_until_key(&r, &f, (enum level)level);
        signer_multiply(&r, &f);
        signer_answer(&r, &f);
        assert_int_equal(qrt_run_error(node_run(&r.node)), QRT_OK);
        assert_non_null(rig_said(&r, 3, B));
        rig_free(&r);
    }
}

static void test_attack_another_nonce_in_the_product_than_in_the_commitment(void **state)
{
    static struct signer f;
    struct rig r;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        forge_until_key(&r, &f, (enum level)level);
        qrt_sc_add(&f.r, &f.r, &qrt_sc_one);
        signer_multiply(&r, &f);
        signer_answer(&r, &f);
        rig_expect_failure(&r, QRT_E_SG_NONCE_PRODUCT, CHEATER);
        rig_free(&r);
    }
}

static void test_attack_another_key_share_in_the_product_than_in_the_broadcast(void **state)
{
    static struct signer f;
    struct rig r;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        forge_until_key(&r, &f, (enum level)level);
        qrt_sc_add(&f.sk, &f.sk, &qrt_sc_one);
        signer_multiply(&r, &f);
        signer_answer(&r, &f);
        rig_expect_failure(&r, QRT_E_SG_KEY_PRODUCT, CHEATER);
        rig_free(&r);
    }
}

static void test_attack_another_key_share_everywhere_shows_in_the_sum(void **state)
{
    static struct signer f;
    struct rig r;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        forge_until_key(&r, &f, (enum level)level);
        qrt_sc_add(&f.sk, &f.sk, &qrt_sc_one);
        encode_base(f.pk, &f.sk);
        signer_multiply(&r, &f);
        signer_answer(&r, &f);
        rig_expect_failure(&r, QRT_E_SG_KEY_SUM, 0);
        rig_free(&r);
    }
}

static void test_attack_nonces_that_cancel(void **state)
{
    static struct signer f;
    struct rig r;

    (void)state;
    for (unsigned level = RUNS; level <= PEERS; level++) {
        struct qrt_drbg rng;

        sign_bench(&r, (enum level)level);
        signer_init(&f);
        victim_rng(&r, &rng);
        qrt_drbg_scalar(&rng, full_ctx(), &f.r);
        qrt_sc_neg(&f.r, &f.r);
        encode_base(f.R, &f.r);
        signer_commit(&r, &f);
        signer_key(&r, &f);
        signer_multiply(&r, &f);
        signer_answer(&r, &f);
        rig_expect_failure(&r, QRT_E_SG_NONCE_SUM, 0);
        rig_free(&r);
    }
}

/* M.4b: another a_0 in one row, the rest made again to fit: seen if the victim chose that row. */
static void test_attack_another_input_in_one_row_is_a_bet_on_one_choice_bit(void **state)
{
    static struct signer f;
    struct qrt_drbg rng;
    struct qrt_sc skip;
    uint8_t beta[64], rho[32];
    size_t caught = 0;
    struct rig r;

    (void)state;
    forge_until_key(&r, &f, RUNS);
    victim_rng(&r, &rng);
    qrt_drbg_scalar(&rng, full_ctx(), &skip);
    qrt_drbg_scalar(&rng, full_ctx(), &skip);
    qrt_drbg_bytes(&rng, full_ctx(), rho, sizeof rho);
    qrt_drbg_bytes(&rng, full_ctx(), beta, sizeof beta);
    for (size_t row = 0; row < 512; row += 16) {
        bool chosen = beta[row / 8] >> (row % 8) & 1;

        signer_commit(&r, &f);
        signer_multiply(&r, &f);
        cheat_e2_row(full_ctx(), f.e2, &f.alice, row);
        signer_answer(&r, &f);
        caught += chosen;
        if (chosen)
            rig_expect_failure(&r, QRT_E_SG_MULTIPLICATION, CHEATER);
        else
            assert_non_null(rig_said(&r, 3, B));
    }
    assert_true(caught > 4 && caught < 28);
    rig_free(&r);
}

static int free_key(void **state)
{
    (void)state;
    keyring_free(&key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_forged_dealer_passes_if_he_is_honest),
        cmocka_unit_test(test_attack_rogue_key_that_cancels_the_others),
        cmocka_unit_test(test_attack_dealers_that_cancel_the_key),
        cmocka_unit_test(test_attack_dealers_that_cancel_one_share),
        cmocka_unit_test(test_attack_commitment_copied_from_the_victim),
        cmocka_unit_test(test_attack_base_ot_points_that_sum_to_the_identity),
        cmocka_unit_test(test_the_forged_signer_passes_if_he_is_honest),
        cmocka_unit_test(test_attack_another_nonce_in_the_product_than_in_the_commitment),
        cmocka_unit_test(test_attack_another_key_share_in_the_product_than_in_the_broadcast),
        cmocka_unit_test(test_attack_another_key_share_everywhere_shows_in_the_sum),
        cmocka_unit_test(test_attack_nonces_that_cancel),
        cmocka_unit_test(test_attack_another_input_in_one_row_is_a_bet_on_one_choice_bit),
    };

    return cmocka_run_group_tests_name("attack_forged", tests, NULL, free_key);
}
