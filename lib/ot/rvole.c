/* SPDX-License-Identifier: Apache-2.0 */
/* Pads and random VOLE (protocol.md D.7, E) over the extension of ext.c.
 *
 * Row j of the extension is a correlated OT: Alice has zeta_j and zeta_j + Delta, Bob the one that
 * beta_j selects. Hashed with the row number they are pads alpha^0, alpha^1 and gamma = alpha^beta.
 * The third column carries a random a^, so that theta, drawn after all of a~, ties Alice to one
 * input for all rows.
 *
 * Scalars are reduced late: each mu row and each c_i, d_i is a sum of products reduced once, and
 * what goes into a product is not reduced before. */
#include "ot/rvole.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/ct.h"
#include "base/wipe.h"
#include "hash/transcript.h"
#include "math/bits.h"
#include "math/scalar_lazy.h"
#include "ot/ext.h"

#include <string.h>

#define W 3      /* two products and the check column */
#define BATCH 48 /* pads hashed at once: whole rows, and whole groups of 16 lanes */
#define ALICE_ROWS (BATCH / (2 * W))
#define BOB_ROWS (BATCH / W)
#define PAD_LEN 19

struct e2 {
    uint8_t nonce[32];
    uint8_t at[QRT_XI][W][32];
    uint8_t eta[32];
    uint8_t mu[32];
};
_Static_assert(sizeof(struct e2) == QRT_E2_BYTES, "layout of E2");
_Static_assert(BATCH <= QRT_FH_MANY_MAX, "one call hashes a batch");
_Static_assert(QRT_XI % ALICE_ROWS == 0 && QRT_XI % BOB_ROWS == 0, "batches divide the rows");

/* One multiplication. Secret. */
struct mul {
    /* Alice's alpha^0 must wait for theta. Row j of mu takes the place of alpha rows 0 .. j / 3,
     * which have been used by then. */
    union {
        QRT_ALIGNED(64) struct qrt_lazy alpha[QRT_XI][W];
        uint8_t mu[QRT_XI][32];
    } rows;
    QRT_ALIGNED(64) uint8_t in[BATCH][64];
    uint8_t pad[BATCH][32];
    uint8_t other[16];        /* Alice: zeta_j + Delta */
    struct qrt_sc input[W];   /* Alice: a_0, a_1, a^ */
    struct qrt_sc moved[W];   /* Alice: the same for qrt_lazy_difference_put */
    struct qrt_sc minus_eta;  /* Bob */
    struct qrt_lazy row[W];   /* Bob: d. of one row; Alice: input once more */
    struct qrt_sc_acc acc[2]; /* -c_i or d_i */
    struct qrt_sc s;
    struct qrt_sc theta[2];
    uint32_t mid[8]; /* of the pads */
    uint8_t eid2[32];
};

struct qrt_rvole_scratch {
    union {
        struct qrt_ext ext;
        struct mul mul;
    } u;
};

static struct qrt_ext *ext_of(struct qrt_rvole_scratch *scratch)
{
    qrt_assert((uintptr_t)scratch % 64 == 0);
    return &scratch->u.ext;
}

static struct mul *mul_of(struct qrt_rvole_scratch *scratch)
{
    qrt_assert((uintptr_t)scratch % 64 == 0);
    return &scratch->u.mul;
}

size_t qrt_rvole_scratch_size(void)
{
    return sizeof(struct qrt_rvole_scratch);
}

/* b = sum of beta_j g_j. */
static void gadget_sum(const struct qrt_ctx *ctx, struct qrt_sc *b, const uint8_t beta[64])
{
    struct qrt_sc_acc acc;
    struct qrt_sc g;

    qrt_sc_acc_zero(&acc);
    for (size_t j = 0; j < QRT_XI; j++) {
        qrt_sc_mask(&g, &ctx->gadget[j], qrt_mask_bit(qrt_bit_get(beta, j)));
        qrt_sc_acc_add(&acc, &g);
    }
    qrt_sc_acc_get(b, &acc);
    qrt_wipe(&acc, sizeof acc);
    qrt_wipe(&g, sizeof g);
}

void qrt_rvole_bob1(const struct qrt_ctx *ctx, struct qrt_rvole_bob *st, struct qrt_sc *b,
                    uint8_t e1[QRT_E1_BYTES], const struct qrt_rvole_id *id, const qrt_seeds seeds,
                    struct qrt_drbg *rng, struct qrt_rvole_scratch *scratch)
{
    struct qrt_e1 *m = (struct qrt_e1 *)e1;
    struct qrt_ext *x = ext_of(scratch);
    uint8_t *choice = (uint8_t *)&x->choice;

    qrt_drbg_bytes(rng, ctx, st->beta, sizeof st->beta);
    qrt_drbg_bytes(rng, ctx, m->nonce, sizeof m->nonce);
    memcpy(choice, st->beta, sizeof st->beta);
    qrt_drbg_bytes(rng, ctx, choice + sizeof st->beta, 16); /* the tail */
    qrt_ext_id(ctx, st->eid, id, m->nonce);
    memcpy(x->eid, st->eid, 32);
    qrt_ext_recv(ctx, x, m, seeds);
    qrt_bits_transpose(ctx, st->psi, (const uint8_t(*)[80])x->cols);
    gadget_sum(ctx, b, st->beta);
    qrt_public(e1, QRT_E1_BYTES, "E1 is sent");
    qrt_wipe(x, sizeof *x);
}

enum qrt_err qrt_rvole_alice_check(const struct qrt_ctx *ctx, struct qrt_rvole_alice *st,
                                   const struct qrt_rvole_id *id, const qrt_seeds seeds,
                                   const uint8_t delta[16], const uint8_t e1[QRT_E1_BYTES],
                                   struct qrt_rvole_scratch *scratch)
{
    const struct qrt_e1 *m = (const struct qrt_e1 *)e1;
    struct qrt_ext *x = ext_of(scratch);
    enum qrt_err e;

    qrt_ext_id(ctx, st->eid, id, m->nonce);
    memcpy(x->eid, st->eid, 32);
    e = qrt_ext_send(ctx, x, m, seeds, delta);
    if (e) {
        qrt_wipe(st, sizeof *st);
    } else {
        qrt_bits_transpose(ctx, st->zeta, (const uint8_t(*)[80])x->cols);
        memcpy(st->delta, delta, 16);
    }
    qrt_wipe(x, sizeof *x);
    return e;
}

/* eid2 = TH("ext/id2", eid, nonceA) and what hangs on it (D.7). */
static void mul_start(const struct qrt_ctx *ctx, struct mul *m, const uint8_t eid[32],
                      const uint8_t nonce[32])
{
    struct qrt_th th;

    qrt_th_start(&th, ctx, QRT_L_EXT_ID2);
    qrt_th_field(&th, eid, 32);
    qrt_th_field(&th, nonce, 32);
    qrt_th_end(&th, m->eid2);
    qrt_fh_mid(ctx, m->mid, QRT_L_EXT_ROW, m->eid2);
    qrt_fh_pad(m->in, PAD_LEN, BATCH);
    qrt_sc_acc_zero(&m->acc[0]);
    qrt_sc_acc_zero(&m->acc[1]);
}

/* The hash inputs of the three pads of row j: |row| || BE16 j || u8 col. */
static void pads_put(uint8_t (*in)[64], const uint8_t row[16], size_t j)
{
    for (uint8_t col = 0; col < W; col++) {
        memcpy(in[col], row, 16);
        qrt_be16_put(in[col] + 16, (uint16_t)j);
        in[col][18] = col;
    }
}

static void pads_hash(const struct qrt_ctx *ctx, struct mul *m)
{
    qrt_fh_padded(ctx, m->pad, m->mid, (const uint8_t(*)[64])m->in, BATCH);
}

/* theta_i = HS("rv/theta", eid2, LH8("rv/at", eid2, a~), u8 i). */
static void thetas(const struct qrt_ctx *ctx, struct mul *m, const struct e2 *e2)
{
    uint8_t h[32];
    struct qrt_th th;

    qrt_lh8(ctx, h, QRT_L_RV_AT, QRT_L_RV_AT_TOP, m->eid2, (const uint8_t *)e2->at, W * 32, QRT_XI);
    for (uint8_t i = 0; i < 2; i++) {
        qrt_th_start(&th, ctx, QRT_L_RV_THETA);
        qrt_th_field(&th, m->eid2, 32);
        qrt_th_field(&th, h, 32);
        qrt_th_u8(&th, i);
        qrt_th_end_scalar(&th, &m->theta[i]);
    }
}

static void products_add(const struct qrt_ctx *ctx, struct mul *m, size_t j,
                         const struct qrt_lazy r[W])
{
    qrt_lazy_acc_mul(&m->acc[0], &ctx->gadget[j], &r[0]);
    qrt_lazy_acc_mul(&m->acc[1], &ctx->gadget[j], &r[1]);
}

static void mu_hash(const struct qrt_ctx *ctx, uint8_t out[32], const struct mul *m)
{
    qrt_lh8(ctx, out, QRT_L_RV_MU, QRT_L_RV_MU_TOP, m->eid2, (const uint8_t *)m->rows.mu, 32,
            QRT_XI);
}

/* Row j of Alice from its six pads: alpha^0, and a~ = alpha^0 - alpha^1 + in. */
static void alice_row(const struct qrt_ctx *ctx, struct mul *m, uint8_t at[W][32], size_t j)
{
    const uint8_t(*pads)[32] = (const uint8_t(*)[32])(m->pad + 2 * W * (j % ALICE_ROWS));
    struct qrt_lazy *alpha = m->rows.alpha[j];

    for (size_t col = 0; col < W; col++) {
        qrt_lazy_load(&alpha[col], pads[col]);
        qrt_lazy_difference_put(at[col], &alpha[col], pads[W + col], &m->moved[col]);
    }
    products_add(ctx, m, j, alpha);
}

static void alice_rows(const struct qrt_ctx *ctx, struct mul *m, struct e2 *e2,
                       const struct qrt_rvole_alice *st)
{
    for (size_t j0 = 0; j0 < QRT_XI; j0 += ALICE_ROWS) {
        for (size_t r = 0; r < ALICE_ROWS; r++) {
            memcpy(m->other, st->zeta[j0 + r], 16);
            qrt_xor(m->other, st->delta, 16);
            pads_put(m->in + 2 * W * r, st->zeta[j0 + r], j0 + r);
            pads_put(m->in + 2 * W * r + W, m->other, j0 + r);
        }
        pads_hash(ctx, m);
        for (size_t r = 0; r < ALICE_ROWS; r++)
            alice_row(ctx, m, e2->at[j0 + r], j0 + r);
    }
}

/* eta = a^ + theta_0 a_0 + theta_1 a_1, and mu over the same sums of alpha^0. */
static void alice_check_values(const struct qrt_ctx *ctx, struct mul *m, struct e2 *e2)
{
    thetas(ctx, m, e2);
    memcpy(m->row, m->input, sizeof m->row);
    qrt_lazy_check_put(e2->eta, m->theta, m->row, &qrt_sc_zero);
    for (size_t j = 0; j < QRT_XI; j++)
        qrt_lazy_check_put(m->rows.mu[j], m->theta, m->rows.alpha[j], &qrt_sc_zero);
    mu_hash(ctx, e2->mu, m);
}

void qrt_rvole_alice(const struct qrt_ctx *ctx, struct qrt_sc c[2], uint8_t e2[QRT_E2_BYTES],
                     struct qrt_rvole_alice *st, const struct qrt_sc a[2], struct qrt_drbg *rng,
                     struct qrt_rvole_scratch *scratch)
{
    struct e2 *out = (struct e2 *)e2;
    struct mul *m = mul_of(scratch);

    qrt_drbg_bytes(rng, ctx, out->nonce, sizeof out->nonce);
    mul_start(ctx, m, st->eid, out->nonce);
    memcpy(m->input, a, 2 * sizeof a[0]);
    qrt_drbg_scalar(rng, ctx, &m->input[2]);
    for (size_t col = 0; col < W; col++)
        qrt_lazy_move(&m->moved[col], &m->input[col]);
    alice_rows(ctx, m, out, st);
    alice_check_values(ctx, m, out);
    for (size_t i = 0; i < 2; i++) {
        qrt_sc_acc_get(&c[i], &m->acc[i]);
        qrt_sc_neg(&c[i], &c[i]);
    }
    qrt_public(e2, QRT_E2_BYTES, "E2 is sent");
    qrt_wipe(st, sizeof *st);
    qrt_wipe(m, sizeof *m);
}

enum qrt_err qrt_rvole_e2_check(const uint8_t e2[QRT_E2_BYTES])
{
    const struct e2 *m = (const struct e2 *)e2;
    struct qrt_sc s;

    for (size_t v = 0; v < QRT_XI * W; v++)
        if (!qrt_sc_decode(&s, m->at[v / W][v % W]))
            return QRT_E_MALFORMED_PRIVATE;
    return qrt_sc_decode(&s, m->eta) ? QRT_OK : QRT_E_MALFORMED_PRIVATE;
}

static void decode_checked(struct qrt_sc *s, const uint8_t b[32])
{
    bool below_q = qrt_sc_decode(s, b);

    qrt_assert(below_q); /* the caller has asked qrt_rvole_e2_check */
}

/* Row j of Bob from its three pads: d. = gamma + beta_j a~, into d_i and into row j of mu. */
static void bob_row(const struct qrt_ctx *ctx, struct mul *m, const uint8_t at[W][32], size_t j,
                    uint64_t beta)
{
    const uint8_t(*pads)[32] = (const uint8_t(*)[32])(m->pad + W * (j % BOB_ROWS));

    for (size_t col = 0; col < W; col++)
        qrt_lazy_load_sum(&m->row[col], pads[col], at[col], beta);
    products_add(ctx, m, j, m->row);
    qrt_sc_mask(&m->s, &m->minus_eta, beta);
    qrt_lazy_check_put(m->rows.mu[j], m->theta, m->row, &m->s);
}

static void bob_rows(const struct qrt_ctx *ctx, struct mul *m, const struct e2 *e2,
                     const struct qrt_rvole_bob *st)
{
    for (size_t j0 = 0; j0 < QRT_XI; j0 += BOB_ROWS) {
        for (size_t r = 0; r < BOB_ROWS; r++)
            pads_put(m->in + W * r, st->psi[j0 + r], j0 + r);
        pads_hash(ctx, m);
        for (size_t j = j0; j < j0 + BOB_ROWS; j++)
            bob_row(ctx, m, e2->at[j], j, qrt_mask_bit(qrt_bit_get(st->beta, j)));
    }
}

static enum qrt_err bob2_inner(const struct qrt_ctx *ctx, struct qrt_sc d[2], struct mul *m,
                               const struct qrt_rvole_bob *st, const struct e2 *e2)
{
    uint8_t mu[32];

    mul_start(ctx, m, st->eid, e2->nonce);
    thetas(ctx, m, e2);
    decode_checked(&m->minus_eta, e2->eta);
    qrt_sc_neg(&m->minus_eta, &m->minus_eta);
    bob_rows(ctx, m, e2, st);
    mu_hash(ctx, mu, m);
    if (!qrt_ct_equal(mu, e2->mu, 32))
        return QRT_E_SG_MULTIPLICATION;
    qrt_sc_acc_get(&d[0], &m->acc[0]);
    qrt_sc_acc_get(&d[1], &m->acc[1]);
    return QRT_OK;
}

enum qrt_err qrt_rvole_bob2(const struct qrt_ctx *ctx, struct qrt_sc d[2], struct qrt_rvole_bob *st,
                            const uint8_t e2[QRT_E2_BYTES], struct qrt_rvole_scratch *scratch)
{
    struct mul *m = mul_of(scratch);
    enum qrt_err e;

    d[0] = d[1] = qrt_sc_zero;
    e = bob2_inner(ctx, d, m, st, (const struct e2 *)e2);
    qrt_wipe(st, sizeof *st);
    qrt_wipe(m, sizeof *m);
    return e;
}
