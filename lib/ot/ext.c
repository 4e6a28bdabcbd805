/* SPDX-License-Identifier: Apache-2.0 */
/* SoftSpoken OT extension, k = 4 (protocol.md D.5, D.6).
 *
 * In tree tau both sides need, for each bit b of the leaf number, the sum of the rows whose number
 * has that bit: odd_b, and the sum of all: total. Bob's column is V_b = odd_b. Alice's numbering
 * is x ^ y*: her sum is odd_b if bit b of y* is 0 and total - odd_b if it is 1, and that bit is
 * Delta_{4 tau + b}. So W_b = odd_b + Delta (u + total), and the row of the missing leaf, made from
 * the zero slot like any other, drops out: with Delta = 0 it is not in odd_b, with Delta = 1 it is
 * in odd_b and in total. No index and no branch depends on y*.
 *
 * The check is the corrected one of SoftSpoken, not KOS15's (protocol.md N-5). A failed check has
 * told Bob something about Delta: the pair is burned (D.8). */
#include "ot/ext.h"

#include "base/ct.h"
#include "base/wipe.h"
#include "hash/prg.h"
#include "hash/transcript.h"
#include "math/gf128.h"
#include "ot/rvole.h"

#include <string.h>

#define K 4 /* levels of a tree */

_Static_assert(sizeof(struct qrt_e1) == QRT_E1_BYTES, "layout of E1");
_Static_assert(sizeof(struct qrt_ext_row) == 80, "rows are handed on as bytes");

void qrt_ext_id(const struct qrt_ctx *ctx, uint8_t eid[32], const struct qrt_rvole_id *id,
                const uint8_t nonce[32])
{
    struct qrt_th th;

    qrt_th_start(&th, ctx, QRT_L_EXT_ID);
    qrt_th_field(&th, id->ssid, 32);
    qrt_th_be16(&th, id->alice);
    qrt_th_be16(&th, id->bob);
    qrt_th_field(&th, nonce, 32);
    qrt_th_end(&th, eid);
}

/* D.5: one AES key per tree. */
static void tree_keys(const struct qrt_ctx *ctx, struct qrt_ext *x)
{
    uint32_t mid[8];
    uint8_t data[QRT_TREES][64];

    for (size_t tau = 0; tau < QRT_TREES; tau++)
        data[tau][0] = (uint8_t)tau;
    qrt_fh_mid(ctx, mid, QRT_L_EXT_PRG, x->eid);
    qrt_fh_many(ctx, x->key, mid, data, 1, QRT_TREES);
}

/* x->rows[0..16) of one tree. */
static void tree_rows(const struct qrt_ctx *ctx, struct qrt_ext *x, size_t tau,
                      const uint8_t seeds[QRT_LEAVES][16])
{
    qrt_prg_tree(ctx, (uint8_t(*)[80])x->rows, x->key[tau], seeds);
}

static void row_add(struct qrt_ext_row *r, const struct qrt_ext_row *a, const struct qrt_ext_row *b)
{
    for (size_t k = 0; k < 10; k++)
        r->w[k] = a->w[k] ^ b->w[k];
}

/* odd[b] = sum of the rows x with bit b; rows[0] = sum of all. Neighbours are added level by level,
 * so bit b of the original number is bit 0 of the number at level b (protocol.md L.3-4). */
static void fold(struct qrt_ext_row odd[K], struct qrt_ext_row rows[QRT_LEAVES])
{
    for (size_t b = 0; b < K; b++) {
        size_t n = (size_t)QRT_LEAVES >> b;

        odd[b] = rows[1];
        for (size_t y = 3; y < n; y += 2)
            row_add(&odd[b], &odd[b], &rows[y]);
        for (size_t y = 0; y < n / 2; y++)
            row_add(&rows[y], &rows[2 * y], &rows[2 * y + 1]);
    }
}

/* chi_m, from everything that precedes them (D.6-3). */
static void challenges(const struct qrt_ctx *ctx, struct qrt_ext *x, const struct qrt_e1 *e1)
{
    struct qrt_th th;
    uint8_t seed[32], digest[32];

    qrt_th_start(&th, ctx, QRT_L_EXT_CHI);
    qrt_th_field(&th, x->eid, 32);
    qrt_th_field(&th, e1->u, sizeof e1->u);
    qrt_th_end(&th, seed);
    for (uint8_t m = 0; m < 4; m++) {
        qrt_fh(ctx, digest, QRT_L_EXT_CHI2, seed, &m, 1);
        memcpy(x->chi[m], digest, 16);
    }
}

static void hash_rows(const struct qrt_ctx *ctx, uint8_t (*out)[16], const struct qrt_ext *x,
                      const struct qrt_ext_row *rows, size_t n)
{
    qrt_gf128_hash(ctx, out, (const uint8_t(*)[80])rows, n, x->chi);
}

/* dig = TH("ext/chk", eid, x~, t_0 .. t_127) (D.6-5). */
static void check_digest(const struct qrt_ctx *ctx, uint8_t out[32], const struct qrt_ext *x,
                         const uint8_t xt[16])
{
    struct qrt_th th;

    qrt_th_start(&th, ctx, QRT_L_EXT_CHK);
    qrt_th_field(&th, x->eid, 32);
    qrt_th_field(&th, xt, 16);
    qrt_th_field(&th, x->t, sizeof x->t);
    qrt_th_end(&th, out);
}

void qrt_ext_recv(const struct qrt_ctx *ctx, struct qrt_ext *x, struct qrt_e1 *e1,
                  const qrt_seeds seeds)
{
    tree_keys(ctx, x);
    for (size_t tau = 0; tau < QRT_TREES; tau++) {
        tree_rows(ctx, x, tau, seeds[tau]);
        fold(&x->cols[K * tau], x->rows);
        row_add(&x->rows[0], &x->rows[0], &x->choice);
        memcpy(e1->u[tau], &x->rows[0], 80);
    }
    challenges(ctx, x, e1);
    hash_rows(ctx, &e1->x, x, &x->choice, 1);
    hash_rows(ctx, x->t, x, x->cols, QRT_EXT_COLS);
    check_digest(ctx, e1->digest, x, e1->x);
}

/* W of one tree, once x->rows[0] holds u + total. */
static void add_where_delta(struct qrt_ext *x, size_t tau, const uint8_t delta[16])
{
    for (size_t i = K * tau; i < K * (tau + 1); i++)
        qrt_ct_xor_masked((uint8_t *)&x->cols[i], (const uint8_t *)&x->rows[0], 80,
                          qrt_mask_bit(qrt_bit_get(delta, i)));
}

enum qrt_err qrt_ext_send(const struct qrt_ctx *ctx, struct qrt_ext *x, const struct qrt_e1 *e1,
                          const qrt_seeds seeds, const uint8_t delta[16])
{
    uint8_t digest[32];

    tree_keys(ctx, x);
    for (size_t tau = 0; tau < QRT_TREES; tau++) {
        tree_rows(ctx, x, tau, seeds[tau]);
        fold(&x->cols[K * tau], x->rows);
        qrt_xor((uint8_t *)&x->rows[0], e1->u[tau], 80);
        add_where_delta(x, tau, delta);
    }
    challenges(ctx, x, e1);
    hash_rows(ctx, x->t, x, x->cols, QRT_EXT_COLS);
    for (size_t i = 0; i < QRT_EXT_COLS; i++)
        qrt_ct_xor_masked(x->t[i], e1->x, 16, qrt_mask_bit(qrt_bit_get(delta, i)));
    check_digest(ctx, digest, x, e1->x);
    return qrt_ct_equal(digest, e1->digest, 32) ? QRT_OK : QRT_E_SG_EXTENSION;
}
