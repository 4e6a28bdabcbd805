/* SPDX-License-Identifier: Apache-2.0 */
/* Key generation: setup, rounds 1 and 4, the share record and its certificate (protocol.md F.1,
 * F.2, F.7, F.8). Rounds 2 and 3 are in keygen_deal.c. */
#include "proto/keygen.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/ct.h"
#include "base/wipe.h"
#include "hash/transcript.h"

#include <string.h>

static enum qrt_err write1(struct qrt_run *run);
static enum qrt_err check1(struct qrt_run *run);
static enum qrt_err write4(struct qrt_run *run);
static enum qrt_err check4(struct qrt_run *run);
static void layout(struct qrt_run *run, struct qrt_arena *secret, struct qrt_arena *open);

const struct qrt_protocol_def qrt_keygen_def = {
    .id = QRT_KEYGEN,
    .rounds_n = 4,
    /* In round 4 every share is stored and confirmations have left: the certificate is worth having
     * whatever a party says then, and an old abort must not stop a resumed run (F.7). */
    .abort_rounds = 3,
    .rounds = {{1, {true, false}, write1, NULL, check1},
               {2, {true, true}, qrt_keygen_write2, qrt_keygen_parse2, qrt_keygen_check2},
               {3, {false, true}, qrt_keygen_write3, qrt_keygen_parse3, qrt_keygen_check3},
               {4, {true, false}, write4, NULL, check4}},
    .layout = layout,
};

static void layout(struct qrt_run *run, struct qrt_arena *secret, struct qrt_arena *open)
{
    struct qrt_keygen *kg = qrt_arena_take(secret, sizeof *kg);
    struct qrt_pt *F = qrt_arena_take(secret, run->n * run->t * sizeof *F);
    struct qrt_keygen_peer *peers = qrt_arena_take(secret, (run->n - 1) * sizeof *peers);
    uint8_t *record = qrt_arena_take(secret, qrt_share_size(run->n, 0, run->n));

    run->open = qrt_arena_take(open, sizeof(struct qrt_keygen_open));
    run->state = kg;
    if (!kg)
        return;
    kg->F = F;
    kg->peers = peers;
    kg->draft.record = record;
}

/* ---- setup ---- */

void qrt_party_default_x(struct qrt_party *party)
{
    memset(party->x, 0, sizeof party->x);
    qrt_be16_put(party->x + 30, party->index);
}

static void put_indices(struct qrt_th *th, const struct qrt_party *parties, size_t n)
{
    qrt_th_open(th, 2 * n);
    for (size_t i = 0; i < n; i++)
        qrt_th_part_be16(th, parties[i].index);
}

void qrt_keygen_ssid0(const struct qrt_ctx *ctx, uint8_t out[32], const struct qrt_party *parties,
                      size_t n, size_t t, const uint8_t iid[32])
{
    struct qrt_th th;

    qrt_th_start(&th, ctx, QRT_L_KG_SSID0);
    qrt_th_u8(&th, QRT_SUITE_ECDSA);
    qrt_th_u8(&th, QRT_PROFILE_1);
    qrt_th_be16(&th, (uint16_t)n);
    qrt_th_be16(&th, (uint16_t)t);
    put_indices(&th, parties, n); /* dealers */
    put_indices(&th, parties, n); /* receivers */
    qrt_th_field(&th, iid, 32);
    qrt_th_open(&th, n * (2 + 32 + 32));
    for (size_t i = 0; i < n; i++) {
        qrt_th_part_be16(&th, parties[i].index);
        qrt_th_part(&th, parties[i].idk, 32);
        qrt_th_part(&th, parties[i].x, 32);
    }
    qrt_th_field(&th, NULL, 0); /* pk_exp: a fresh key */
    qrt_th_end(&th, out);
}

/* One identity in two seats would lower the threshold. */
static bool is_seated(const struct qrt_party *parties, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (memcmp(parties[k].idk, parties[i].idk, sizeof parties[k].idk) == 0)
            return true;
    return false;
}

/* Indices ascending in range, identities distinct; x-coordinates in range, nonzero and distinct
 * (K.3). */
static enum qrt_err check_roster(struct qrt_sc *x, const struct qrt_party *parties, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool in_order = parties[i].index > (i ? parties[i - 1].index : 0);

        if (!in_order || parties[i].index > QRT_INDEX_MAX || is_seated(parties, i))
            return QRT_E_ROSTER;
        if (!qrt_sc_decode(&x[i], parties[i].x))
            return QRT_E_ROSTER;
    }
    return qrt_coordinates_valid(x, n) ? QRT_OK : QRT_E_ROSTER;
}

static enum qrt_err check_params(struct qrt_sc *x, size_t *own, const struct qrt_keygen_params *p)
{
    enum qrt_err e;

    if (p->t < 2 || p->t > p->n || p->n > QRT_PARTIES_MAX)
        return QRT_E_THRESHOLD;
    e = check_roster(x, p->parties, p->n);
    if (e)
        return e;
    for (*own = 0; *own < p->n; ++*own)
        if (p->parties[*own].index == p->own)
            return QRT_OK;
    return QRT_E_NOT_A_PARTY;
}

static void init_run(struct qrt_run *run, const struct qrt_ctx *ctx,
                     const struct qrt_party *parties, const struct qrt_run_params *shape)
{
    struct qrt_keygen_open *open;
    uint16_t index[QRT_PARTIES_MAX];
    struct qrt_run_params p = *shape;

    for (size_t i = 0; i < p.n; i++)
        index[i] = parties[i].index;
    p.def = &qrt_keygen_def;
    p.index = index;
    qrt_run_init(run, ctx, &p);
    open = run->open;
    memcpy(open->parties, parties, p.n * sizeof *parties);
}

static void draft_record(struct qrt_run *run, uint64_t created)
{
    struct qrt_keygen *kg = run->state;
    struct qrt_keygen_open *open = run->open;
    const struct qrt_share_head head = {.suite = QRT_SUITE_ECDSA,
                                        .profile = QRT_PROFILE_1,
                                        .flags = QRT_SHARE_PENDING,
                                        .n = (uint16_t)run->n,
                                        .t = (uint16_t)run->t,
                                        .own = run->index[run->own],
                                        .created = created};

    qrt_share_draft(&kg->draft, kg->draft.record, &head, run->index);
    for (size_t i = 0; i < run->n; i++) {
        memcpy(kg->draft.parties[i].idk, open->parties[i].idk, 32);
        memcpy(kg->draft.parties[i].x, open->parties[i].x, 32);
    }
}

enum qrt_err qrt_keygen_start(struct qrt_run *run, const struct qrt_ctx *ctx,
                              const struct qrt_keygen_params *params, uint8_t seed[32])
{
    struct qrt_sc x[QRT_PARTIES_MAX];
    struct qrt_run_params shape = {.n = params->n, .t = params->t};
    struct qrt_keygen_open *open;
    struct qrt_keygen *kg;
    enum qrt_err e = check_params(x, &shape.own, params);

    if (e) {
        qrt_wipe(seed, 32);
        return e;
    }
    init_run(run, ctx, params->parties, &shape);
    open = run->open;
    kg = run->state;
    memcpy(open->x, x, params->n * sizeof *x);
    memcpy(open->iid, params->iid, sizeof open->iid);
    qrt_keygen_ssid0(ctx, run->sid, open->parties, run->n, run->t, open->iid);
    draft_record(run, params->created);
    qrt_drbg_start(&kg->rng, ctx, seed);
    return qrt_run_begin(run);
}

/* ---- round 1: commit (F.2) ---- */

void qrt_keygen_commitment(const struct qrt_ctx *ctx, uint8_t out[32], const uint8_t ssid0[32],
                           uint16_t i, const uint8_t nonce[32], const uint8_t *r2, size_t t)
{
    struct qrt_th th;

    qrt_th_start(&th, ctx, QRT_L_KG_COMMIT);
    qrt_th_field(&th, ssid0, 32);
    qrt_th_be16(&th, i);
    qrt_th_field(&th, nonce, 32);
    qrt_th_field(&th, r2, 33 * t);
    qrt_th_field(&th, r2 + 33 * t + KG_R2_HCC, 32);
    qrt_th_field(&th, r2 + 33 * t + KG_R2_RHO, 32);
    qrt_th_end(&th, out);
}

void qrt_keygen_chain_hash(const struct qrt_ctx *ctx, uint8_t out[32], const uint8_t ssid0[32],
                           uint16_t i, const uint8_t cc_rc[64])
{
    struct qrt_th th;

    qrt_th_start(&th, ctx, QRT_L_KG_CCHASH);
    qrt_th_field(&th, ssid0, 32);
    qrt_th_be16(&th, i);
    qrt_th_field(&th, cc_rc, 32);
    qrt_th_field(&th, cc_rc + 32, 32);
    qrt_th_end(&th, out);
}

/* Draws and commits; F_i, hcc_i and rho_i go straight into round 2's broadcast. */
static enum qrt_err write1(struct qrt_run *run)
{
    struct qrt_keygen *kg = run->state;
    struct qrt_keygen_open *open = run->open;
    const struct qrt_ctx *ctx = run->ctx;
    uint8_t *r1 = qrt_run_broadcast(run, 1), *r2 = qrt_run_broadcast(run, 2);
    uint8_t *opening = open->openings[run->own];
    uint16_t own = run->index[run->own];

    qrt_drbg_scalar(&kg->rng, ctx, &kg->coeff[0]);
    qrt_drbg_bytes(&kg->rng, ctx, r1 + KG_R1_NONCE, 32);
    for (size_t m = 1; m < run->t; m++)
        qrt_drbg_scalar(&kg->rng, ctx, &kg->coeff[m]);
    qrt_drbg_bytes(&kg->rng, ctx, kg->cc, 32);
    qrt_drbg_bytes(&kg->rng, ctx, kg->rc, 32);
    qrt_drbg_bytes(&kg->rng, ctx, r2 + 33 * run->t + KG_R2_RHO, 32);
    for (size_t m = 0; m < run->t; m++) {
        struct qrt_pt *A = &kg->F[run->own * run->t + m];

        qrt_pt_base(ctx, A, &kg->coeff[m]);
        qrt_public(A, sizeof *A, "sent in round 2");
        qrt_pt_encode(ctx, r2 + 33 * m, A);
    }
    memcpy(opening, kg->cc, 32);
    memcpy(opening + 32, kg->rc, 32);
    qrt_keygen_chain_hash(ctx, r2 + 33 * run->t + KG_R2_HCC, run->sid, own, opening);
    qrt_keygen_commitment(ctx, r1, run->sid, own, r1 + KG_R1_NONCE, r2, run->t);
    return QRT_OK;
}

void qrt_keygen_ssid1(const struct qrt_ctx *ctx, uint8_t out[32], const uint8_t ssid0[32],
                      const struct qrt_broadcasts *r1)
{
    struct qrt_th th;

    qrt_th_start(&th, ctx, QRT_L_KG_SSID1);
    qrt_th_field(&th, ssid0, 32);
    qrt_th_open(&th, r1->n * (2 + r1->len));
    for (size_t i = 0; i < r1->n; i++) {
        qrt_th_part_be16(&th, r1->index[i]);
        qrt_th_part(&th, r1->payload[i], r1->len);
    }
    qrt_th_end(&th, out);
}

static enum qrt_err check1(struct qrt_run *run)
{
    struct qrt_keygen_open *open = run->open;
    struct qrt_broadcasts r1;

    qrt_run_broadcasts(run, &r1, 1);
    qrt_keygen_ssid1(run->ctx, open->ssid1, run->sid, &r1);
    memcpy(run->echo[2], open->ssid1, 32);
    return QRT_OK;
}

/* ---- round 4: confirm (F.7) ---- */

/* Rows of those who have attested, or the own one alone; returns the record's length. */
static size_t write_certificate(struct qrt_run *run, bool only_own)
{
    struct qrt_keygen *kg = run->state;
    struct qrt_keygen_open *open = run->open;
    uint8_t *c = kg->draft.certificate;
    uint16_t m = 0;

    c[0] = QRT_KEYGEN;
    memcpy(c + 1, run->sid, 32);
    memcpy(c + 33, open->bh2, 32);
    for (size_t i = 0; i < run->n; i++) {
        if (!open->attested[i] || (only_own && i != run->own))
            continue;
        memcpy(c + QRT_CERT_HEAD_BYTES + m * sizeof *open->rows, &open->rows[i],
               sizeof *open->rows);
        m++;
    }
    qrt_be16_put(c + 65, m);
    return qrt_share_size(run->n, 0, m);
}

static void hold_pending(struct qrt_run *run)
{
    struct qrt_keygen *kg = run->state;
    size_t len = write_certificate(run, true);

    qrt_run_hold(run, QRT_RECORD_SHARE_PENDING, kg->draft.record, len);
}

void qrt_keygen_attest(struct qrt_run *run, size_t pos, const uint8_t idpk[32],
                       const uint8_t sig[64])
{
    struct qrt_keygen_open *open = run->open;

    qrt_be16_put(open->rows[pos].index, run->index[pos]);
    memcpy(open->rows[pos].idpk, idpk, 32);
    memcpy(open->rows[pos].sig, sig, 64);
    open->attested[pos] = true;
    if (run->record.kind == QRT_RECORD_SHARE_PENDING)
        hold_pending(run);
}

/* The record of round 3 must be durable before this leaves. */
static enum qrt_err write4(struct qrt_run *run)
{
    struct qrt_keygen *kg = run->state;
    struct qrt_keygen_open *open = run->open;

    qrt_share_view(&kg->share, kg->draft.record, qrt_share_size(run->n, 0, 0));
    qrt_share_conf(run->ctx, qrt_run_broadcast(run, 4), QRT_KEYGEN, &kg->share, open->bh2);
    hold_pending(run);
    return QRT_OK;
}

static enum qrt_err check4(struct qrt_run *run)
{
    struct qrt_keygen *kg = run->state;
    const struct qrt_keygen_open *open = run->open;
    const uint8_t *own = qrt_run_inbox(run, 4, QRT_KIND_BROADCAST, run->own);
    size_t signed_n = 0, len;

    for (size_t i = 0; i < run->n; i++) {
        if (!qrt_ct_equal(qrt_run_inbox(run, 4, QRT_KIND_BROADCAST, i), own, 32))
            return qrt_run_blame(run, i, QRT_E_KG_CONFIRMATION);
        signed_n += open->attested[i];
    }
    *kg->draft.flags &= (uint8_t)~QRT_SHARE_PENDING;
    len = write_certificate(run, false);
    qrt_share_view(&kg->share, kg->draft.record, len);
    /* without an envelope there are no signatures and no record, only the share in memory */
    if (signed_n == run->n)
        qrt_run_hold(run, QRT_RECORD_SHARE, kg->draft.record, len);
    return QRT_OK;
}

const struct qrt_share *qrt_keygen_share(const struct qrt_run *run)
{
    const struct qrt_keygen *kg = run->state;

    if (run->def != &qrt_keygen_def || run->phase != QRT_PHASE_DONE)
        return NULL;
    return &kg->share;
}

/* ---- resuming from a pending record (F.7) ---- */

static void copy_roster(struct qrt_party *parties, const struct qrt_share *share)
{
    for (size_t i = 0; i < share->n; i++) {
        parties[i].index = qrt_be16_get(share->parties[i].index);
        memcpy(parties[i].idk, share->parties[i].idk, 32);
        memcpy(parties[i].x, share->parties[i].x, 32);
    }
}

/* The own row is the only one of a pending record's certificate. */
static void resume_own(struct qrt_run *run)
{
    struct qrt_keygen *kg = run->state;
    struct qrt_keygen_open *open = run->open;
    const uint8_t *c = kg->share.certificate;
    struct qrt_cert_row row;

    memcpy(run->sid, c + 1, 32);
    memcpy(open->bh2, c + 33, 32);
    memcpy(run->echo[4], open->bh2, 32);
    memcpy(&row, c + QRT_CERT_HEAD_BYTES, sizeof row);
    qrt_keygen_attest(run, run->own, row.idpk, row.sig);
    qrt_share_conf(run->ctx, qrt_run_broadcast(run, 4), QRT_KEYGEN, &kg->share, open->bh2);
    qrt_run_send_broadcast(run, 4);
}

enum qrt_err qrt_keygen_resume(struct qrt_run *run, const struct qrt_ctx *ctx,
                               const struct qrt_share *share)
{
    struct qrt_party parties[QRT_PARTIES_MAX];
    struct qrt_run_params shape = {.n = share->n, .t = share->t};
    size_t len = qrt_share_size(share->n, 0, 1);
    struct qrt_keygen *kg;

    if (!(share->flags & QRT_SHARE_PENDING) || share->dealers_n ||
        share->certificate[0] != QRT_KEYGEN)
        return QRT_E_STATE;
    copy_roster(parties, share);
    while (parties[shape.own].index != share->own)
        shape.own++;
    init_run(run, ctx, parties, &shape);
    kg = run->state;
    draft_record(run, share->created);
    memcpy(kg->draft.record, share->record, len);
    qrt_share_view(&kg->share, kg->draft.record, len);
    resume_own(run);
    run->row = 3;
    run->abort_rounds = 0;
    return QRT_OK;
}
