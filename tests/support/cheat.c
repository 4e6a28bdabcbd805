/* SPDX-License-Identifier: Apache-2.0 */
/* Written from the specification with plain loops, so that it shares little with the code it
 * attacks. */
#include "cheat.h"

#include "base/bytes.h"
#include "base/ct.h"
#include "hash/transcript.h"
#include "math/gf128.h"
#include "math/scalar.h"
#include "ot/ext.h"

#include <string.h>

static void e1_challenges(const struct qrt_ctx *ctx, uint8_t chi[4][16], const uint8_t eid[32],
                          const struct qrt_e1 *e1)
{
    struct qrt_th th;
    uint8_t seed[32], digest[32];

    qrt_th_start(&th, ctx, QRT_L_EXT_CHI);
    qrt_th_field(&th, eid, 32);
    qrt_th_field(&th, e1->u, sizeof e1->u);
    qrt_th_end(&th, seed);
    for (uint8_t m = 0; m < 4; m++) {
        qrt_fh(ctx, digest, QRT_L_EXT_CHI2, seed, &m, 1);
        memcpy(chi[m], digest, 16);
    }
}

static void hash_row(const struct qrt_ctx *ctx, uint8_t out[16], const void *row,
                     const uint8_t chi[4][16])
{
    qrt_gf128_hash(ctx, (uint8_t(*)[16])out, (const uint8_t(*)[80])row, 1, chi);
}

/* x~ of |choice| and the digest over t, shifted by |error| where the guess has a one. */
static void e1_finish(const struct qrt_ctx *ctx, struct qrt_e1 *e1, const struct qrt_ext *x,
                      const uint8_t error[80], const struct cheat_guess *g)
{
    uint8_t chi[4][16], shift[16], t[QRT_EXT_COLS][16];
    const uint8_t(*c)[16] = (const uint8_t(*)[16])chi;
    struct qrt_th th;

    e1_challenges(ctx, chi, x->eid, e1);
    hash_row(ctx, e1->x, &x->choice, c);
    hash_row(ctx, shift, error, c);
    for (size_t i = 0; i < QRT_EXT_COLS; i++) {
        hash_row(ctx, t[i], &x->cols[i], c);
        if (i / 4 == g->tree && (g->guess >> (i % 4) & 1))
            qrt_xor(t[i], shift, 16);
    }
    qrt_th_start(&th, ctx, QRT_L_EXT_CHK);
    qrt_th_field(&th, x->eid, 32);
    qrt_th_field(&th, e1->x, 16);
    qrt_th_field(&th, t, sizeof t);
    qrt_th_end(&th, e1->digest);
}

void cheat_e1_guess(const struct qrt_ctx *ctx, uint8_t e1[QRT_E1_BYTES],
                    const struct qrt_rvole_id *id, const qrt_seeds seeds,
                    const struct cheat_guess *g)
{
    struct qrt_e1 *m = (struct qrt_e1 *)e1, zero;
    struct qrt_ext x;
    uint8_t error[80] = {0};

    memset(&x, 0, sizeof x);
    qrt_ext_id(ctx, x.eid, id, m->nonce);
    qrt_ext_recv(ctx, &x, &zero, seeds); /* of choice 0: u is the sum of the rows */
    qrt_xor(zero.u[0], m->u[0], 80);
    memcpy(&x.choice, zero.u[0], 80);
    error[g->bit / 8] = (uint8_t)(1 << g->bit % 8);
    qrt_xor(m->u[g->tree], error, 80);
    e1_finish(ctx, m, &x, error, g);
}

void cheat_e1_flip(uint8_t e1[QRT_E1_BYTES], size_t tree, size_t bit)
{
    ((struct qrt_e1 *)e1)->u[tree][bit / 8] ^= (uint8_t)(1 << bit % 8);
}

/* What Alice knows of an E2 she made. */
struct alice {
    const struct qrt_ctx *ctx;
    uint8_t eid2[32];
    struct qrt_sc alpha[QRT_XI][3];
    struct qrt_sc input[3];
    struct qrt_sc theta[2];
};

/* Where a~ of row j, column col stands. */
static uint8_t *at(uint8_t *e2, size_t j, size_t col)
{
    return e2 + 32 + 32 * (3 * j + col);
}

static void pad(const struct alice *a, struct qrt_sc *out, const uint8_t row[16], size_t j,
                uint8_t col)
{
    uint8_t data[19], digest[32];

    memcpy(data, row, 16);
    qrt_be16_put(data + 16, (uint16_t)j);
    data[18] = col;
    qrt_fh(a->ctx, digest, QRT_L_EXT_ROW, a->eid2, data, sizeof data);
    qrt_sc_reduce(out, digest);
}

/* The pads, and in = a~ - alpha^0 + alpha^1 from row 0. */
static void alice_recall(struct alice *a, uint8_t *e2, const struct qrt_rvole_alice *st)
{
    uint8_t other[16];

    for (size_t j = 0; j < QRT_XI; j++)
        for (uint8_t col = 0; col < 3; col++)
            pad(a, &a->alpha[j][col], st->zeta[j], j, col);
    memcpy(other, st->zeta[0], 16);
    qrt_xor(other, st->delta, 16);
    for (uint8_t col = 0; col < 3; col++) {
        struct qrt_sc s;

        pad(a, &a->input[col], other, 0, col);
        qrt_sc_sub(&a->input[col], &a->input[col], &a->alpha[0][col]);
        if (!qrt_sc_decode(&s, at(e2, 0, col)))
            qrt_panic(__FILE__, __LINE__);
        qrt_sc_add(&a->input[col], &a->input[col], &s);
    }
}

static void alice_thetas(struct alice *a, uint8_t *e2)
{
    uint8_t h[32];
    struct qrt_th th;

    qrt_lh8(a->ctx, h, QRT_L_RV_AT, QRT_L_RV_AT_TOP, a->eid2, at(e2, 0, 0), 96, QRT_XI);
    for (uint8_t i = 0; i < 2; i++) {
        qrt_th_start(&th, a->ctx, QRT_L_RV_THETA);
        qrt_th_field(&th, a->eid2, 32);
        qrt_th_field(&th, h, 32);
        qrt_th_u8(&th, i);
        qrt_th_end_scalar(&th, &a->theta[i]);
    }
}

/* r_2 + theta_0 r_0 + theta_1 r_1. */
static void theta_put(const struct alice *a, uint8_t out[32], const struct qrt_sc r[3])
{
    struct qrt_sc s = r[2], p;

    for (size_t i = 0; i < 2; i++) {
        qrt_sc_mul(&p, &a->theta[i], &r[i]);
        qrt_sc_add(&s, &s, &p);
    }
    qrt_sc_encode(out, &s);
}

void cheat_e2_row(const struct qrt_ctx *ctx, uint8_t e2[QRT_E2_BYTES],
                  const struct qrt_rvole_alice *alice, size_t row)
{
    static uint8_t mu[QRT_XI][32];
    static struct alice a;
    struct qrt_sc s, nine;
    struct qrt_th th;

    a.ctx = ctx;
    qrt_th_start(&th, ctx, QRT_L_EXT_ID2);
    qrt_th_field(&th, alice->eid, 32);
    qrt_th_field(&th, e2, 32);
    qrt_th_end(&th, a.eid2);
    alice_recall(&a, e2, alice);
    qrt_sc_set_u32(&nine, 9);
    if (!qrt_sc_decode(&s, at(e2, row, 0)))
        qrt_panic(__FILE__, __LINE__);
    qrt_sc_add(&s, &s, &nine);
    qrt_sc_encode(at(e2, row, 0), &s);
    alice_thetas(&a, e2);
    theta_put(&a, e2 + QRT_E2_BYTES - 64, a.input);
    for (size_t j = 0; j < QRT_XI; j++)
        theta_put(&a, mu[j], a.alpha[j]);
    qrt_lh8(ctx, e2 + QRT_E2_BYTES - 32, QRT_L_RV_MU, QRT_L_RV_MU_TOP, a.eid2, (const uint8_t *)mu,
            32, QRT_XI);
}

void cheat_pprf_branch(uint8_t msg[QRT_PPRF_BYTES], size_t tree, size_t depth, size_t side)
{
    msg[128 * tree + 32 * (depth - 1) + 16 * side] ^= 1;
}
