/* SPDX-License-Identifier: Apache-2.0 */
/* All-but-one OT (protocol.md D.1-D.4): 32 binary trees of depth 4 whose levels are corrected by
 * the base OT keys. The sender knows all 16 leaves of a tree, the receiver all but leaf y*.
 *
 * y* is secret and only ever a mask: the receiver expands the missing node too, from zero, and
 * clears what comes of it. Four trees go together, so that the hashes of a level fill the lanes. */
#include "ot/pprf.h"

#include "base/ct.h"
#include "base/wipe.h"
#include "hash/transcript.h"

#include <string.h>

#define DEPTH 4
#define GROUP 4 /* trees at once: their leaves fill one qrt_fh_many */
_Static_assert(GROUP *QRT_LEAVES <= QRT_FH_MANY_MAX, "one call hashes a level of a group");

struct tree_msg {
    uint8_t kappa[DEPTH - 1][2][16]; /* the corrections of levels 1, 2, 3 */
    uint8_t t[32];                   /* sum of the leaf digests */
};

struct pprf_msg {
    struct tree_msg tree[QRT_TREES];
    uint8_t digest[32];
};
_Static_assert(sizeof(struct pprf_msg) == QRT_PPRF_BYTES, "layout of the PPRF message");
_Static_assert(sizeof(qrt_seeds) == QRT_SEEDS_BYTES, "layout of the share record");

struct work {
    const struct qrt_ctx *ctx;
    uint8_t (*seeds)[QRT_LEAVES][16]; /* all trees; level d of a tree is its first 2^d slots */
    uint32_t mid_g[8], mid_leaf[8];
    uint8_t data[GROUP * QRT_LEAVES][64];
    uint8_t out[GROUP * QRT_LEAVES][32];
    struct qrt_th th; /* the digest of all leaf digests */
};

static void work_start(struct work *w, const struct qrt_ctx *ctx, const uint8_t ot_sid[32])
{
    w->ctx = ctx;
    qrt_fh_mid(ctx, w->mid_g, QRT_L_PPRF_G, ot_sid);
    qrt_fh_mid(ctx, w->mid_leaf, QRT_L_PPRF_LEAF, ot_sid);
    qrt_th_start(&w->th, ctx, QRT_L_PPRF_DIG);
    qrt_th_field(&w->th, ot_sid, 32);
    qrt_th_open(&w->th, QRT_TREES * QRT_LEAVES * 32);
}

/* out[k 2^d + y] = G of node y of level d, tree t0 + k:
 * FH("pprf/g", ot_sid, u8 tau, u8 d, BE16 y, s). */
static void hash_nodes(struct work *w, size_t t0, unsigned d)
{
    size_t n = (size_t)1 << d;

    for (size_t v = 0; v < GROUP * n; v++) {
        const uint8_t head[4] = {(uint8_t)(t0 + v / n), (uint8_t)d, 0, (uint8_t)(v % n)};

        memcpy(w->data[v], head, 4);
        memcpy(w->data[v] + 4, w->seeds[t0 + v / n][v % n], 16);
    }
    qrt_fh_many(w->ctx, w->out, w->mid_g, w->data, 20, GROUP * n);
}

/* out[16 k + y] = FH("pprf/leaf", ot_sid, u8 tau, BE16 y, s). */
static void hash_leaves(struct work *w, size_t t0)
{
    for (size_t v = 0; v < GROUP * QRT_LEAVES; v++) {
        const uint8_t head[3] = {(uint8_t)(t0 + v / QRT_LEAVES), 0, (uint8_t)(v % QRT_LEAVES)};

        memcpy(w->data[v], head, 3);
        memcpy(w->data[v] + 3, w->seeds[t0 + v / QRT_LEAVES][v % QRT_LEAVES], 16);
    }
    qrt_fh_many(w->ctx, w->out, w->mid_leaf, w->data, 19, GROUP * QRT_LEAVES);
}

/* The children of |n| nodes with these hashes; sums[side] ^= all on that side. */
static void children(uint8_t seeds[QRT_LEAVES][16], uint8_t sums[2][16],
                     const uint8_t (*hashes)[32], size_t n)
{
    for (size_t y = 0; y < n; y++) {
        memcpy(seeds[2 * y], hashes[y], 16);
        memcpy(seeds[2 * y + 1], hashes[y] + 16, 16);
        qrt_xor(sums[0], seeds[2 * y], 16);
        qrt_xor(sums[1], seeds[2 * y + 1], 16);
    }
}

/* D.2 for the trees t0 .. t0 + GROUP - 1. */
static void build_group(struct work *w, struct tree_msg *msg, const uint8_t keys[QRT_OT_N][2][16],
                        size_t t0)
{
    for (size_t k = t0; k < t0 + GROUP; k++)
        memcpy(w->seeds[k], keys[DEPTH * k], 32); /* level 1 */
    for (unsigned d = 1; d < DEPTH; d++) {
        hash_nodes(w, t0, d);
        for (size_t k = 0; k < GROUP; k++) {
            uint8_t(*kappa)[16] = msg[t0 + k].kappa[d - 1];

            memcpy(kappa, keys[DEPTH * (t0 + k) + d], 32);
            children(w->seeds[t0 + k], kappa, (const uint8_t(*)[32])(w->out + (k << d)),
                     (size_t)1 << d);
        }
    }
    hash_leaves(w, t0);
    qrt_th_part(&w->th, w->out, sizeof w->out);
    for (size_t v = 0; v < GROUP * QRT_LEAVES; v++) {
        if (v % QRT_LEAVES == 0)
            memset(msg[t0 + v / QRT_LEAVES].t, 0, 32);
        qrt_xor(msg[t0 + v / QRT_LEAVES].t, w->out[v], 32);
    }
}

void qrt_pprf_build(const struct qrt_ctx *ctx, qrt_seeds seeds, uint8_t msg[QRT_PPRF_BYTES],
                    const uint8_t ot_sid[32], const uint8_t keys[QRT_OT_N][2][16])
{
    struct pprf_msg *m = (struct pprf_msg *)msg;
    struct work w = {.seeds = seeds};

    work_start(&w, ctx, ot_sid);
    for (size_t t = 0; t < QRT_TREES; t += GROUP)
        build_group(&w, m->tree, keys, t);
    qrt_th_end(&w.th, m->digest);
    qrt_wipe(&w, sizeof w);
    qrt_public(msg, QRT_PPRF_BYTES, "the PPRF message is sent");
}

/* The receiver's side of a run over all trees. */
struct eval {
    struct work w;
    const struct tree_msg *msg;
    const uint8_t *choice;
    const uint8_t (*keys)[16];
    uint8_t missing[QRT_TREES]; /* y* of the level reached */
};

/* b = b where |mask|, else zero. */
static void keep(uint8_t *b, size_t len, uint64_t mask)
{
    for (size_t i = 0; i < len; i++)
        b[i] = (uint8_t)(b[i] & mask);
}

/* Level 1: the known node is c_0 (D.3). */
static void eval_root(struct eval *t, size_t tau)
{
    uint64_t c = qrt_bit_get(t->choice, DEPTH * tau);

    for (uint64_t side = 0; side < 2; side++) {
        memcpy(t->w.seeds[tau][side], t->keys[DEPTH * tau], 16);
        keep(t->w.seeds[tau][side], 16, qrt_mask_eq(side, c));
    }
    t->missing[tau] = (uint8_t)(1 ^ c);
}

/* Level d to d + 1, from the hashes of level d: the children of the missing node are cleared, then
 * the one on side c_d is computed from the correction (D.3). Its sister is missing from now on. */
static void eval_level(struct eval *t, uint8_t (*hashes)[32], size_t tau, unsigned d)
{
    size_t i = DEPTH * tau + d, n = (size_t)1 << d;
    uint64_t c = qrt_bit_get(t->choice, i), found = 2u * t->missing[tau] + c;
    uint8_t sums[2][16];

    for (size_t y = 0; y < n; y++)
        keep(hashes[y], 32, ~qrt_mask_eq(y, t->missing[tau]));
    memcpy(sums, t->msg[tau].kappa[d - 1], 32);
    children(t->w.seeds[tau], sums, (const uint8_t(*)[32])hashes, n);
    keep(sums[0], 16, qrt_mask_eq(c, 0));
    qrt_ct_xor_masked(sums[0], sums[1], 16, qrt_mask_bit(c));
    qrt_xor(sums[0], t->keys[i], 16);
    for (size_t y = 0; y < 2 * n; y++)
        qrt_ct_xor_masked(t->w.seeds[tau][y], sums[0], 16, qrt_mask_eq(y, found));
    t->missing[tau] = (uint8_t)(found ^ 1);
    qrt_wipe(sums, sizeof sums);
}

/* D.4: the digest of the missing leaf is T minus all others. */
static void eval_leaves(struct eval *t, uint8_t (*hashes)[32], size_t tau)
{
    uint8_t sum[32];

    memcpy(sum, t->msg[tau].t, 32);
    for (size_t y = 0; y < QRT_LEAVES; y++) {
        keep(hashes[y], 32, ~qrt_mask_eq(y, t->missing[tau]));
        qrt_xor(sum, hashes[y], 32);
    }
    for (size_t y = 0; y < QRT_LEAVES; y++)
        qrt_ct_xor_masked(hashes[y], sum, 32, qrt_mask_eq(y, t->missing[tau]));
    qrt_wipe(sum, sizeof sum);
}

static void eval_group(struct eval *t, size_t t0)
{
    for (size_t k = 0; k < GROUP; k++)
        eval_root(t, t0 + k);
    for (unsigned d = 1; d < DEPTH; d++) {
        hash_nodes(&t->w, t0, d);
        for (size_t k = 0; k < GROUP; k++)
            eval_level(t, t->w.out + (k << d), t0 + k, d);
    }
    hash_leaves(&t->w, t0);
    for (size_t k = 0; k < GROUP; k++)
        eval_leaves(t, t->w.out + QRT_LEAVES * k, t0 + k);
    qrt_th_part(&t->w.th, t->w.out, sizeof t->w.out);
}

static enum qrt_err eval_inner(struct eval *t, uint8_t delta[16], const struct pprf_msg *msg)
{
    uint8_t digest[32];

    for (size_t tau = 0; tau < QRT_TREES; tau += GROUP)
        eval_group(t, tau);
    for (size_t v = 0; v < 16; v++)
        delta[v] = (uint8_t)(t->missing[2 * v] | t->missing[2 * v + 1] << 4);
    qrt_th_end(&t->w.th, digest);
    return qrt_ct_equal(digest, msg->digest, 32) ? QRT_OK : QRT_E_OT_TREE;
}

enum qrt_err qrt_pprf_eval(const struct qrt_ctx *ctx, qrt_seeds seeds, uint8_t delta[16],
                           const uint8_t ot_sid[32], const uint8_t choice[16],
                           const uint8_t keys[QRT_OT_N][16], const uint8_t msg[QRT_PPRF_BYTES])
{
    const struct pprf_msg *m = (const struct pprf_msg *)msg;
    struct eval t = {.w.seeds = seeds, .msg = m->tree, .choice = choice, .keys = keys};
    enum qrt_err e;

    work_start(&t.w, ctx, ot_sid);
    e = eval_inner(&t, delta, m);
    if (e) {
        qrt_wipe(seeds, sizeof(qrt_seeds));
        qrt_wipe(delta, 16);
    }
    qrt_wipe(&t, sizeof t);
    return e;
}
