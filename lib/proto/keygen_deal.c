/* SPDX-License-Identifier: Apache-2.0 */
/* Key generation, rounds 2 and 3: commitments open, coefficients are proved known, shares are
 * dealt, and every ordered pair sets up its OTs (protocol.md F.3 to F.6, C, D). */
#include "proto/keygen.h"

#include "base/ct.h"
#include "base/wipe.h"
#include "hash/transcript.h"

#include <string.h>

static void ot_sid(const struct qrt_run *run, uint8_t out[32], size_t alice, size_t bob)
{
    const struct qrt_keygen_open *open = run->open;
    struct qrt_th th;

    qrt_th_start(&th, run->ctx, QRT_L_OT_SID);
    qrt_th_field(&th, open->ssid1, 32);
    qrt_th_be16(&th, run->index[alice]);
    qrt_th_be16(&th, run->index[bob]);
    qrt_th_end(&th, out);
}

static struct qrt_share_pair *pair_row(const struct qrt_run *run, size_t pos)
{
    const struct qrt_keygen *kg = run->state;

    return &kg->draft.pairs[qrt_run_peer_row(run, pos)];
}

static struct qrt_keygen_peer *peer_state(const struct qrt_run *run, size_t pos)
{
    const struct qrt_keygen *kg = run->state;

    return &kg->peers[qrt_run_peer_row(run, pos)];
}

/* ---- the batched coefficient proof (F.4) ---- */

void qrt_keygen_challenge(const struct qrt_ctx *ctx, struct qrt_sc *e, const uint8_t ssid1[32],
                          uint16_t i, const uint8_t *r2, size_t t)
{
    struct qrt_th th;

    qrt_th_start(&th, ctx, QRT_L_KG_POK);
    qrt_th_field(&th, ssid1, 32);
    qrt_th_be16(&th, i);
    qrt_th_field(&th, r2, 33 * t);
    qrt_th_field(&th, r2 + 33 * t + KG_R2_T, 33);
    qrt_th_end_scalar(&th, e);
}

/* T_i and z_i = r + sum of e^(m+1) a_{i,m}. */
static void prove(struct qrt_run *run, uint8_t *r2, struct qrt_sc *r)
{
    struct qrt_keygen *kg = run->state;
    const struct qrt_keygen_open *open = run->open;
    struct qrt_sc e, power, term;
    struct qrt_pt T;

    qrt_drbg_scalar(&kg->rng, run->ctx, r);
    qrt_pt_base(run->ctx, &T, r);
    qrt_pt_encode(run->ctx, r2 + 33 * run->t + KG_R2_T, &T);
    qrt_keygen_challenge(run->ctx, &e, open->ssid1, run->index[run->own], r2, run->t);
    power = e;
    for (size_t m = 0; m < run->t; m++) {
        qrt_sc_mul(&term, &power, &kg->coeff[m]);
        qrt_sc_add(r, r, &term);
        qrt_sc_mul(&power, &power, &e);
    }
    qrt_sc_encode(r2 + 33 * run->t + KG_R2_Z, r);
    qrt_wipe(&term, sizeof term);
}

bool qrt_keygen_proof_holds(const struct qrt_ctx *ctx, const uint8_t ssid1[32], uint16_t i,
                            const uint8_t *r2, const struct qrt_pt *F, size_t t)
{
    struct qrt_sc e, z, power;
    struct qrt_pt lhs, rhs, term;

    if (!qrt_sc_decode(&z, r2 + 33 * t + KG_R2_Z) ||
        !qrt_pt_decode(ctx, &rhs, r2 + 33 * t + KG_R2_T))
        return false;
    qrt_keygen_challenge(ctx, &e, ssid1, i, r2, t);
    power = e;
    for (size_t m = 0; m < t; m++) {
        qrt_pt_mul_vartime(ctx, &term, &F[m], &power);
        qrt_pt_add(ctx, &rhs, &rhs, &term);
        qrt_sc_mul(&power, &power, &e);
    }
    qrt_pt_base(ctx, &lhs, &z);
    return qrt_pt_equal(ctx, &lhs, &rhs);
}

/* ---- round 2: open, prove, OT1 (F.3) ---- */

enum qrt_err qrt_keygen_write2(struct qrt_run *run)
{
    struct qrt_keygen *kg = run->state;
    struct qrt_sc r;

    prove(run, qrt_run_broadcast(run, 2), &r);
    qrt_wipe(&r, sizeof r);
    for (size_t j = 0; j < run->n; j++) {
        struct qrt_keygen_peer *peer;
        uint8_t sid[32];

        if (j == run->own)
            continue;
        peer = peer_state(run, j);
        ot_sid(run, sid, run->own, j);
        qrt_ot_recv_start(run->ctx, &peer->recv, peer->ot1, sid, &kg->rng);
        memcpy(qrt_run_private(run, 2, j), peer->ot1, QRT_OT1_BYTES);
    }
    return QRT_OK;
}

bool qrt_keygen_r2_decode(const struct qrt_ctx *ctx, struct qrt_pt *F, const uint8_t *r2, size_t t)
{
    struct qrt_pt T;
    struct qrt_sc z;

    for (size_t m = 0; m < t; m++)
        if (!qrt_pt_decode(ctx, &F[m], r2 + 33 * m))
            return false;
    return qrt_pt_decode(ctx, &T, r2 + 33 * t + KG_R2_T) &&
           qrt_sc_decode(&z, r2 + 33 * t + KG_R2_Z) && !qrt_sc_is_zero(&z);
}

enum qrt_err qrt_keygen_parse2(struct qrt_run *run)
{
    struct qrt_keygen *kg = run->state;

    for (size_t j = 0; j < run->n; j++) {
        const uint8_t *r2 = qrt_run_inbox(run, 2, QRT_KIND_BROADCAST, j);

        if (j == run->own)
            continue;
        if (!qrt_keygen_r2_decode(run->ctx, &kg->F[j * run->t], r2, run->t))
            return qrt_run_blame(run, j, QRT_E_MALFORMED_BROADCAST);
        if (qrt_ot1_decode(run->ctx, peer_state(run, j)->theirs,
                           qrt_run_inbox(run, 2, QRT_KIND_PRIVATE, j)))
            return qrt_run_blame(run, j, QRT_E_MALFORMED_PRIVATE);
    }
    return QRT_OK;
}

static enum qrt_err check_dealer(struct qrt_run *run, size_t j)
{
    const struct qrt_keygen *kg = run->state;
    const struct qrt_keygen_open *open = run->open;
    const uint8_t *r1 = qrt_run_inbox(run, 1, QRT_KIND_BROADCAST, j);
    const uint8_t *r2 = qrt_run_inbox(run, 2, QRT_KIND_BROADCAST, j);
    uint8_t c[32];

    qrt_keygen_commitment(run->ctx, c, run->sid, run->index[j], r1 + KG_R1_NONCE, r2, run->t);
    if (!qrt_ct_equal(c, r1, sizeof c))
        return qrt_run_blame(run, j, QRT_E_KG_COMMITMENT);
    if (!qrt_keygen_proof_holds(run->ctx, open->ssid1, run->index[j], r2, &kg->F[j * run->t],
                                run->t))
        return qrt_run_blame(run, j, QRT_E_KG_PROOF);
    return QRT_OK;
}

/* A_m, pk = A_0 and every X_j; none of the latter may be the identity (F.5). */
static enum qrt_err aggregate(struct qrt_run *run)
{
    struct qrt_keygen *kg = run->state;
    const struct qrt_keygen_open *open = run->open;

    for (size_t m = 0; m < run->t; m++) {
        kg->agg[m] = kg->F[m];
        for (size_t j = 1; j < run->n; j++)
            qrt_pt_add(run->ctx, &kg->agg[m], &kg->agg[m], &kg->F[j * run->t + m]);
    }
    if (kg->agg[0].inf)
        return QRT_E_KG_IDENTITY;
    qrt_pt_encode(run->ctx, kg->draft.pk, &kg->agg[0]);
    for (size_t j = 0; j < run->n; j++) {
        qrt_poly_eval_points_vartime(run->ctx, &kg->X[j], kg->agg, run->t, &open->x[j]);
        if (kg->X[j].inf)
            return QRT_E_KG_IDENTITY;
        qrt_pt_encode(run->ctx, kg->draft.parties[j].X, &kg->X[j]);
    }
    return QRT_OK;
}

enum qrt_err qrt_keygen_check2(struct qrt_run *run)
{
    struct qrt_keygen *kg = run->state;
    struct qrt_keygen_open *open = run->open;
    enum qrt_err e = QRT_OK;

    for (size_t j = 0; !e && j < run->n; j++)
        if (j != run->own)
            e = check_dealer(run, j);
    if (!e)
        e = aggregate(run);
    if (e)
        return e;
    memcpy(kg->draft.kgid, open->ssid1, 32);
    qrt_share_keyid(run->ctx, kg->draft.keyid, QRT_SUITE_ECDSA, kg->draft.pk);
    qrt_run_broadcast_hash(run, open->bh2, open->ssid1, 2);
    memcpy(run->echo[3], open->bh2, 32);
    memcpy(run->echo[4], open->bh2, 32);
    return QRT_OK;
}

/* ---- round 3: deal, answer OT1 (F.6) ---- */

static enum qrt_err deal_to(struct qrt_run *run, size_t j)
{
    struct qrt_keygen *kg = run->state;
    const struct qrt_keygen_open *open = run->open;
    uint8_t *p = qrt_run_private(run, 3, j);
    uint8_t sid[32];
    const struct qrt_ot1 ot1 = {sid, qrt_run_inbox(run, 2, QRT_KIND_PRIVATE, j),
                                peer_state(run, j)->theirs};
    struct qrt_sc part;
    enum qrt_err e;

    qrt_poly_eval(&part, kg->coeff, run->t, &open->x[j]);
    qrt_sc_encode(p + KG_R3_SHARE, &part);
    qrt_wipe(&part, sizeof part);
    memcpy(p + KG_R3_CC, kg->cc, 32);
    memcpy(p + KG_R3_RC, kg->rc, 32);
    memcpy(p + KG_R3_ZC, peer_state(run, j)->zc, 32);
    ot_sid(run, sid, j, run->own);
    e = qrt_ot_send(run->ctx, p + KG_R3_B, kg->ot_keys.send, &ot1, &kg->rng);
    if (e)
        return qrt_run_blame(run, j, e);
    qrt_pprf_build(run->ctx, (uint8_t(*)[QRT_LEAVES][16])pair_row(run, j)->bob_seeds,
                   p + KG_R3_PPRF, sid, (const uint8_t(*)[2][16])kg->ot_keys.send);
    return QRT_OK;
}

enum qrt_err qrt_keygen_write3(struct qrt_run *run)
{
    struct qrt_keygen *kg = run->state;
    const struct qrt_keygen_open *open = run->open;
    enum qrt_err e = QRT_OK;

    for (size_t j = 0; j < run->n; j++)
        if (j != run->own)
            qrt_drbg_bytes(&kg->rng, run->ctx, peer_state(run, j)->zc, 32);
    for (size_t j = 0; !e && j < run->n; j++)
        if (j != run->own)
            e = deal_to(run, j);
    qrt_poly_eval(&kg->own_part, kg->coeff, run->t, &open->x[run->own]);
    qrt_wipe(kg->coeff, sizeof kg->coeff); /* F.10: R3 sent */
    qrt_wipe(&kg->ot_keys, sizeof kg->ot_keys);
    qrt_wipe(&kg->rng, sizeof kg->rng);
    return e;
}

enum qrt_err qrt_keygen_parse3(struct qrt_run *run)
{
    for (size_t j = 0; j < run->n; j++) {
        const uint8_t *p = qrt_run_inbox(run, 3, QRT_KIND_PRIVATE, j);
        struct qrt_sc part;
        struct qrt_pt B;
        bool good;

        if (j == run->own)
            continue;
        qrt_secret(p + KG_R3_SHARE, 32);
        qrt_secret(p + KG_R3_ZC, 32);
        good = qrt_sc_decode(&part, p + KG_R3_SHARE) && !qrt_sc_is_zero(&part) &&
               qrt_pt_decode(run->ctx, &B, p + KG_R3_B);
        qrt_wipe(&part, sizeof part);
        if (!good)
            return qrt_run_blame(run, j, QRT_E_MALFORMED_PRIVATE);
    }
    return QRT_OK;
}

/* p_j(x_i) G against the dealer's commitments. */
static bool share_matches(const struct qrt_run *run, size_t j, const struct qrt_sc *part)
{
    const struct qrt_keygen *kg = run->state;
    const struct qrt_keygen_open *open = run->open;
    struct qrt_pt dealt, expected;

    qrt_poly_eval_points_vartime(run->ctx, &expected, &kg->F[j * run->t], run->t,
                                 &open->x[run->own]);
    qrt_pt_base(run->ctx, &dealt, part);
    qrt_public(&dealt, sizeof dealt, "equals a sum of public commitments, or the dealer cheated");
    return qrt_pt_equal(run->ctx, &dealt, &expected);
}

static enum qrt_err take_trees(struct qrt_run *run, size_t j)
{
    struct qrt_keygen *kg = run->state;
    struct qrt_share_pair *row = pair_row(run, j);
    const struct qrt_keygen_peer *peer = peer_state(run, j);
    const uint8_t *p = qrt_run_inbox(run, 3, QRT_KIND_PRIVATE, j);
    uint8_t sid[32];
    struct qrt_pt B;

    if (!qrt_pt_decode(run->ctx, &B, p + KG_R3_B))
        return QRT_E_MALFORMED_PRIVATE;
    ot_sid(run, sid, run->own, j);
    qrt_ot_recv_keys(run->ctx, kg->ot_keys.recv, &peer->recv, sid, peer->ot1, p + KG_R3_B, &B);
    return qrt_pprf_eval(run->ctx, (uint8_t(*)[QRT_LEAVES][16])row->alice_seeds, row->delta, sid,
                         peer->recv.delta, (const uint8_t(*)[16])kg->ot_keys.recv, p + KG_R3_PPRF);
}

static enum qrt_err take_deal(struct qrt_run *run, size_t j, struct qrt_sc *s)
{
    struct qrt_keygen_open *open = run->open;
    const uint8_t *p = qrt_run_inbox(run, 3, QRT_KIND_PRIVATE, j);
    const uint8_t *r2 = qrt_run_inbox(run, 2, QRT_KIND_BROADCAST, j);
    uint8_t hcc[32];
    struct qrt_sc part;
    bool good;
    enum qrt_err e;

    qrt_sc_reduce(&part, p + KG_R3_SHARE); /* in range: parse3 */
    good = share_matches(run, j, &part);
    qrt_sc_add(s, s, &part);
    qrt_wipe(&part, sizeof part);
    if (!good)
        return qrt_run_blame(run, j, QRT_E_KG_SHARE);
    memcpy(open->openings[j], p + KG_R3_CC, 64);
    qrt_keygen_chain_hash(run->ctx, hcc, run->sid, run->index[j], open->openings[j]);
    if (!qrt_ct_equal(hcc, r2 + 33 * run->t + KG_R2_HCC, sizeof hcc))
        return qrt_run_blame(run, j, QRT_E_KG_CHAIN_CODE);
    e = take_trees(run, j);
    return e ? qrt_run_blame(run, j, e) : QRT_OK;
}

/* cc = TH("kg/chaincode", ssid1, cc_1 .. cc_n). */
void qrt_keygen_chain_code(const struct qrt_ctx *ctx, uint8_t out[32], const uint8_t ssid1[32],
                           const uint8_t (*openings)[64], size_t n)
{
    struct qrt_th th;

    qrt_th_start(&th, ctx, QRT_L_KG_CHAINCODE);
    qrt_th_field(&th, ssid1, 32);
    qrt_th_open(&th, n * 32);
    for (size_t j = 0; j < n; j++)
        qrt_th_part(&th, openings[j], 32);
    qrt_th_end(&th, out);
}

/* zs = TH("kg/zseed", ssid1, BE16 lo, BE16 hi, zc_{lo->hi}, zc_{hi->lo}). */
static void zero_seed(const struct qrt_run *run, size_t j)
{
    const struct qrt_keygen_open *open = run->open;
    const uint8_t *mine = peer_state(run, j)->zc;
    const uint8_t *theirs = qrt_run_inbox(run, 3, QRT_KIND_PRIVATE, j) + KG_R3_ZC;
    bool low = run->own < j;
    struct qrt_th th;

    qrt_th_start(&th, run->ctx, QRT_L_KG_ZSEED);
    qrt_th_field(&th, open->ssid1, 32);
    qrt_th_be16(&th, run->index[low ? run->own : j]);
    qrt_th_be16(&th, run->index[low ? j : run->own]);
    qrt_th_field(&th, low ? mine : theirs, 32);
    qrt_th_field(&th, low ? theirs : mine, 32);
    qrt_th_end(&th, pair_row(run, j)->zs);
}

static enum qrt_err finish_share(struct qrt_run *run, const struct qrt_sc *s)
{
    struct qrt_keygen *kg = run->state;
    const struct qrt_keygen_open *open = run->open;
    struct qrt_pt sG;

    qrt_pt_base(run->ctx, &sG, s);
    qrt_public(&sG, sizeof sG, "equals the own public share");
    if (!qrt_pt_equal(run->ctx, &sG, &kg->X[run->own]))
        return QRT_E_INTERNAL;
    qrt_sc_encode(kg->draft.s, s);
    qrt_keygen_chain_code(run->ctx, kg->draft.cc, open->ssid1, (const uint8_t(*)[64])open->openings,
                          run->n);
    for (size_t j = 0; j < run->n; j++)
        if (j != run->own)
            zero_seed(run, j);
    qrt_wipe(kg->peers, (run->n - 1) * sizeof *kg->peers); /* F.10: R3 complete */
    qrt_wipe(&kg->own_part, sizeof kg->own_part);
    qrt_wipe(&kg->ot_keys, sizeof kg->ot_keys);
    qrt_run_wipe_inbox(run, 3);
    return QRT_OK;
}

enum qrt_err qrt_keygen_check3(struct qrt_run *run)
{
    struct qrt_keygen *kg = run->state;
    struct qrt_sc s = kg->own_part;
    enum qrt_err e = QRT_OK;

    for (size_t j = 0; !e && j < run->n; j++)
        if (j != run->own)
            e = take_deal(run, j, &s);
    if (!e)
        e = finish_share(run, &s);
    qrt_wipe(&s, sizeof s);
    return e;
}
