/* SPDX-License-Identifier: Apache-2.0 */
/* Signing, round 2: every ordered pair multiplies nonce and key share with the peer's mask, and
 * checks the products against what was committed (protocol.md G.3, G.4, D.8, F.11). */
#include "proto/sign.h"

#include "base/ct.h"
#include "base/wipe.h"
#include "hash/transcript.h"
#include "math/poly.h"

#include <string.h>

/* ---- the extension checks, and the gate behind them (D.6, D.8) ---- */

static size_t encode_pairs(struct qrt_run *run, const uint16_t *peers, size_t peers_n, bool is_gate)
{
    const struct qrt_sign_open *open = run->open;
    struct qrt_burn burn = {.is_gate = is_gate,
                            .epoch = open->epoch,
                            .own = run->index[run->own],
                            .peers_n = (uint16_t)peers_n};

    memcpy(burn.kgid, open->kgid, sizeof burn.kgid);
    memcpy(burn.peers, peers, peers_n * sizeof *peers);
    return qrt_burn_encode(run->burn, &burn);
}

static enum qrt_err check_extension(struct qrt_run *run, size_t j)
{
    struct qrt_sign *sg = run->state;
    const struct qrt_rvole_id id = {run->sid, run->index[run->own], run->index[j]};
    const struct qrt_share_pair *pair = qrt_share_pair(sg->share, run->index[j]);
    enum qrt_err e =
        qrt_rvole_alice_check(run->ctx, &qrt_sign_peer(run, j)->alice, &id,
                              (const uint8_t(*)[QRT_LEAVES][16])pair->alice_seeds, pair->delta,
                              qrt_run_inbox(run, 1, QRT_KIND_PRIVATE, j), sg->scratch);

    if (!e)
        return QRT_OK;
    run->burn_len = encode_pairs(run, &run->index[j], 1, false);
    return qrt_run_blame(run, j, e);
}

enum qrt_err qrt_sign_check1(struct qrt_run *run)
{
    enum qrt_err e = QRT_OK;

    for (size_t j = 0; !e && j < run->n; j++)
        if (j != run->own)
            e = check_extension(run, j);
    qrt_run_broadcast_hash(run, run->echo[2], run->sid, 1);
    return e;
}

/* The second round waits for the host to say that no pair was burned meanwhile. */
static void hold_gate(struct qrt_run *run)
{
    uint16_t peers[QRT_PARTIES_MAX];
    size_t n = 0;

    for (size_t j = 0; j < run->n; j++)
        if (j != run->own)
            peers[n++] = run->index[j];
    run->burn_len = encode_pairs(run, peers, n, true);
    qrt_run_hold(run, QRT_RECORD_GATE, run->burn, run->burn_len);
}

/* ---- round 2 (G.3) ---- */

/* zeta_i of F.11. */
static void zero_share(const struct qrt_run *run, struct qrt_sc *zeta)
{
    const struct qrt_sign *sg = run->state;
    struct qrt_sc f;

    *zeta = qrt_sc_zero;
    for (size_t j = 0; j < run->n; j++) {
        bool low = run->own < j;
        struct qrt_th th;

        if (j == run->own)
            continue;
        qrt_th_start(&th, run->ctx, QRT_L_SG_ZERO);
        qrt_th_field(&th, qrt_share_pair(sg->share, run->index[j])->zs, 32);
        qrt_th_field(&th, run->sid, 32);
        qrt_th_field(&th, run->echo[2], 32); /* bh_1 */
        qrt_th_be16(&th, run->index[low ? run->own : j]);
        qrt_th_be16(&th, run->index[low ? j : run->own]);
        qrt_th_end_scalar(&th, &f);
        if (!low)
            qrt_sc_neg(&f, &f);
        qrt_sc_add(zeta, zeta, &f);
    }
    qrt_wipe(&f, sizeof f);
}

/* The Lagrange weight of the own share in this quorum. */
static void own_weight(const struct qrt_run *run, struct qrt_sc *weight)
{
    const struct qrt_sign *sg = run->state;
    struct qrt_sc xs[QRT_PARTIES_MAX];

    for (size_t i = 0; i < run->n; i++)
        qrt_sc_reduce(&xs[i], qrt_share_party(sg->share, run->index[i])->x);
    qrt_lagrange_at_zero(weight, xs, run->n, run->own);
}

/* sk_i = lambda_i s_i + zeta_i, plus tau at the first signer. */
static void key_share(struct qrt_run *run)
{
    struct qrt_sign *sg = run->state;
    const struct qrt_sign_open *open = run->open;
    struct qrt_sc weight, zeta;

    own_weight(run, &weight);
    zero_share(run, &zeta);
    qrt_sc_reduce(&sg->sk, sg->share->s);
    qrt_sc_mul(&sg->sk, &sg->sk, &weight);
    qrt_sc_add(&sg->sk, &sg->sk, &zeta);
    if (run->own == 0)
        qrt_sc_add(&sg->sk, &sg->sk, &open->tau);
    qrt_wipe(&zeta, sizeof zeta);
}

/* k G into |out|; false if k is zero. */
static bool commit_product(const struct qrt_run *run, uint8_t out[33], const struct qrt_sc *k)
{
    struct qrt_pt p;

    qrt_pt_base(run->ctx, &p, k);
    qrt_public(&p, sizeof p, "sent in round 2");
    if (p.inf)
        return false;
    qrt_pt_encode(run->ctx, out, &p);
    return true;
}

static enum qrt_err answer(struct qrt_run *run, size_t j)
{
    struct qrt_sign *sg = run->state;
    struct qrt_sign_peer *peer = qrt_sign_peer(run, j);
    uint8_t *p = qrt_run_private(run, 2, j);
    struct {
        struct qrt_sc a[2], psi;
    } t = {.a = {sg->r, sg->sk}};
    bool nonzero;

    qrt_rvole_alice(run->ctx, peer->c, p, &peer->alice, t.a, &sg->rng, sg->scratch);
    qrt_sc_sub(&t.psi, &sg->phi, &peer->chi);
    qrt_sc_encode(p + SG_R2_PSI, &t.psi);
    nonzero = commit_product(run, p + SG_R2_GAMMA_U, &peer->c[0]) &&
              commit_product(run, p + SG_R2_GAMMA_V, &peer->c[1]);
    qrt_wipe(&t, sizeof t);
    return nonzero ? QRT_OK : QRT_E_INTERNAL;
}

enum qrt_err qrt_sign_write2(struct qrt_run *run)
{
    struct qrt_sign *sg = run->state;
    enum qrt_err e = QRT_OK;

    key_share(run);
    qrt_pt_base(run->ctx, &sg->own_pk, &sg->sk);
    qrt_public(&sg->own_pk, sizeof sg->own_pk, "sent in round 2");
    if (sg->own_pk.inf)
        return QRT_E_INTERNAL;
    qrt_pt_encode(run->ctx, qrt_run_broadcast(run, 2) + SG_R2_PK, &sg->own_pk);
    for (size_t j = 0; !e && j < run->n; j++)
        if (j != run->own)
            e = answer(run, j);
    qrt_wipe(&sg->rng, sizeof sg->rng); /* B.8 */
    hold_gate(run);
    return e;
}

/* ---- checks on the peers' round 2 (G.4) ---- */

static enum qrt_err parse_peer(struct qrt_run *run, size_t j)
{
    struct qrt_sign_peer *peer = qrt_sign_peer(run, j);
    const uint8_t *b = qrt_run_inbox(run, 2, QRT_KIND_BROADCAST, j);
    const uint8_t *p = qrt_run_inbox(run, 2, QRT_KIND_PRIVATE, j);
    struct qrt_sc psi;
    uint8_t c[32];

    qrt_secret(p + SG_R2_PSI, 32);
    if (!qrt_pt_decode(run->ctx, &peer->R, b + SG_R2_R) ||
        !qrt_pt_decode(run->ctx, &peer->pk, b + SG_R2_PK))
        return QRT_E_MALFORMED_BROADCAST;
    if (!qrt_pt_decode(run->ctx, &peer->gamma_u, p + SG_R2_GAMMA_U) ||
        !qrt_pt_decode(run->ctx, &peer->gamma_v, p + SG_R2_GAMMA_V) ||
        !qrt_sc_decode(&psi, p + SG_R2_PSI) || qrt_rvole_e2_check(p))
        return QRT_E_MALFORMED_PRIVATE;
    qrt_sign_commitment(run->ctx, c, run->sid, run->index[j], b);
    if (!qrt_ct_equal(c, qrt_run_inbox(run, 1, QRT_KIND_BROADCAST, j), sizeof c))
        return QRT_E_SG_COMMITMENT;
    return QRT_OK;
}

enum qrt_err qrt_sign_parse2(struct qrt_run *run)
{
    for (size_t j = 0; j < run->n; j++) {
        enum qrt_err e = j == run->own ? QRT_OK : parse_peer(run, j);

        if (e)
            return qrt_run_blame(run, j, e);
    }
    return QRT_OK;
}

/* What one product is checked against: P and Gamma are the peer's, chi and d ours. */
struct product {
    const struct qrt_pt *P, *gamma;
    const struct qrt_sc *chi, *d;
};

/* Both sides of chi P == d G + Gamma. */
struct equation {
    uint8_t lhs[33], rhs[33];
    struct qrt_pt sum;
};

static bool product_holds_inner(struct equation *t, const struct qrt_ctx *ctx,
                                const struct product *x)
{
    if (!qrt_pt_mul_encoded(ctx, t->lhs, x->P, x->chi))
        return false;
    qrt_pt_base(ctx, &t->sum, x->d);
    if (t->sum.inf)
        return false;
    qrt_pt_add(ctx, &t->sum, &t->sum, x->gamma);
    if (t->sum.inf)
        return false;
    qrt_pt_encode(ctx, t->rhs, &t->sum);
    return qrt_ct_equal(t->lhs, t->rhs, sizeof t->lhs);
}

/* A sum that is the identity, or d = 0, is a failed equation. */
static bool product_holds(const struct qrt_ctx *ctx, const struct product *x)
{
    struct equation t = {.sum = {.inf = true}};
    bool holds = product_holds_inner(&t, ctx, x);

    qrt_wipe(&t, sizeof t);
    return holds;
}

/* The multiplication and both product equations; then u, v and Phi grow by this peer's parts. */
static enum qrt_err check_peer(struct qrt_run *run, size_t j, struct qrt_sc *Phi)
{
    struct qrt_sign *sg = run->state;
    struct qrt_sign_peer *peer = qrt_sign_peer(run, j);
    const uint8_t *p = qrt_run_inbox(run, 2, QRT_KIND_PRIVATE, j);
    struct {
        struct qrt_sc d[2], psi;
    } t;
    const struct product u = {&peer->R, &peer->gamma_u, &peer->chi, &t.d[0]};
    const struct product v = {&peer->pk, &peer->gamma_v, &peer->chi, &t.d[1]};
    enum qrt_err e = qrt_rvole_bob2(run->ctx, t.d, &peer->bob, p, sg->scratch);

    if (!e && !product_holds(run->ctx, &u))
        e = QRT_E_SG_NONCE_PRODUCT;
    if (!e && !product_holds(run->ctx, &v))
        e = QRT_E_SG_KEY_PRODUCT;
    qrt_sc_reduce(&t.psi, p + SG_R2_PSI);
    qrt_sc_add(Phi, Phi, &t.psi);
    qrt_sc_add(&sg->u, &sg->u, &t.d[0]);
    qrt_sc_add(&sg->u, &sg->u, &peer->c[0]);
    qrt_sc_add(&sg->v, &sg->v, &t.d[1]);
    qrt_sc_add(&sg->v, &sg->v, &peer->c[1]);
    qrt_wipe(&t, sizeof t);
    return e ? qrt_run_blame(run, j, e) : QRT_OK;
}

/* Sum of pk_k = pk', R = sum of R_k. */
static enum qrt_err check_sums(struct qrt_run *run)
{
    struct qrt_sign *sg = run->state;
    struct qrt_sign_open *open = run->open;
    struct qrt_pt pk = sg->own_pk, expected;

    open->as.R = sg->own_R;
    for (size_t j = 0; j < run->n; j++) {
        if (j == run->own)
            continue;
        qrt_pt_add(run->ctx, &pk, &pk, &qrt_sign_peer(run, j)->pk);
        qrt_pt_add(run->ctx, &open->as.R, &open->as.R, &qrt_sign_peer(run, j)->R);
    }
    if (!qrt_pt_decode(run->ctx, &expected, open->as.pk.b))
        return QRT_E_INTERNAL;
    if (!qrt_pt_equal(run->ctx, &pk, &expected))
        return QRT_E_SG_KEY_SUM;
    return qrt_assembly_nonce(run->ctx, &open->as) ? QRT_OK : QRT_E_SG_NONCE_SUM;
}

/* G.7, "R2 checks passed": phi, u, v stay, everything else goes. */
static void forget_round2(struct qrt_run *run)
{
    struct qrt_sign *sg = run->state;

    qrt_wipe(&sg->r, sizeof sg->r);
    qrt_wipe(&sg->sk, sizeof sg->sk);
    qrt_wipe(sg->peers, (run->n - 1) * sizeof *sg->peers);
    qrt_run_wipe_inbox(run, 2);
}

enum qrt_err qrt_sign_check2(struct qrt_run *run)
{
    struct qrt_sign *sg = run->state;
    struct qrt_sc Phi = sg->phi, term;
    enum qrt_err e = QRT_OK;

    for (size_t j = 0; !e && j < run->n; j++)
        if (j != run->own)
            e = check_peer(run, j, &Phi);
    if (!e)
        e = check_sums(run);
    qrt_sc_mul(&term, &sg->r, &Phi); /* u_i = r_i Phi_i + ... */
    qrt_sc_add(&sg->u, &sg->u, &term);
    qrt_sc_mul(&term, &sg->sk, &Phi); /* v_i = sk_i Phi_i + ... */
    qrt_sc_add(&sg->v, &sg->v, &term);
    qrt_wipe(&Phi, sizeof Phi);
    qrt_wipe(&term, sizeof term);
    qrt_run_broadcast_hash(run, run->echo[3], run->sid, 2);
    forget_round2(run);
    return e;
}
