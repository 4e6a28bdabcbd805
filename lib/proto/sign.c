/* SPDX-License-Identifier: Apache-2.0 */
/* Signing and presigning: setup, rounds 1 and 3, results (protocol.md G.1, G.2, G.4, G.6). Round 2,
 * where the pairs multiply, is in sign_multiply.c. */
#include "proto/sign.h"

#include "base/bytes.h"
#include "base/ct.h"
#include "base/wipe.h"
#include "hash/transcript.h"
#include "quorate/derive.h"
#include "quorate/signature.h"

#include <string.h>

static enum qrt_err write1(struct qrt_run *run);
static enum qrt_err write3(struct qrt_run *run);
static enum qrt_err check3(struct qrt_run *run);
static void layout(struct qrt_run *run, struct qrt_arena *secret, struct qrt_arena *open);

const struct qrt_protocol_def qrt_sign_def = {
    .id = QRT_SIGN,
    .rounds_n = 3,
    .abort_rounds = 3,
    .rounds = {{1, {true, true}, write1, NULL, qrt_sign_check1},
               {2, {true, true}, qrt_sign_write2, qrt_sign_parse2, qrt_sign_check2},
               {3, {true, false}, write3, qrt_assembly_parse, check3}},
    .layout = layout,
};

const struct qrt_protocol_def qrt_presign_def = {
    .id = QRT_PRESIGN,
    .rounds_n = 2,
    .abort_rounds = 3,
    .rounds = {{1, {true, true}, write1, NULL, qrt_sign_check1},
               {2, {true, true}, qrt_sign_write2, qrt_sign_parse2, qrt_sign_check2}},
    .layout = layout,
};

static void layout(struct qrt_run *run, struct qrt_arena *secret, struct qrt_arena *open)
{
    struct qrt_sign *sg = qrt_arena_take(secret, sizeof *sg);
    struct qrt_sign_peer *peers = qrt_arena_take(secret, (run->n - 1) * sizeof *peers);
    void *scratch = qrt_arena_take(secret, qrt_rvole_scratch_size());

    run->open = qrt_arena_take(open, sizeof(struct qrt_sign_open));
    run->state = sg;
    if (!sg)
        return;
    sg->peers = peers;
    sg->scratch = scratch;
}

struct qrt_sign_peer *qrt_sign_peer(const struct qrt_run *run, size_t pos)
{
    const struct qrt_sign *sg = run->state;

    return &sg->peers[qrt_run_peer_row(run, pos)];
}

/* ---- setup (G.1) ---- */

/* Insert |index| into the ascending |list|; false if it is there already. */
static bool insert_sorted(uint16_t *list, size_t len, uint16_t index)
{
    while (len && list[len - 1] > index) {
        list[len] = list[len - 1];
        len--;
    }
    list[len] = index;
    return !len || list[len - 1] != index;
}

static enum qrt_err check_signer(const struct qrt_share *share, uint16_t index)
{
    if (!qrt_share_party(share, index))
        return QRT_E_SIGNER;
    if (index != share->own && qrt_share_burn_bits(share, index))
        return QRT_E_BURNED;
    return QRT_OK;
}

enum qrt_err qrt_quorum_check(const struct qrt_share *share, const uint16_t *signers, size_t n,
                              uint16_t *index, size_t *own)
{
    if (share->flags & QRT_SHARE_PENDING)
        return QRT_E_PENDING;
    if (share->flags & QRT_SHARE_REFRESH_REQUIRED)
        return QRT_E_REFRESH_REQUIRED;
    if (n != share->t)
        return QRT_E_QUORUM;
    for (size_t i = 0; i < n; i++) {
        enum qrt_err e = check_signer(share, signers[i]);

        if (e)
            return e;
        if (!insert_sorted(index, i, signers[i]))
            return QRT_E_SIGNER;
    }
    for (*own = 0; *own < n; ++*own)
        if (index[*own] == share->own)
            return QRT_OK;
    return QRT_E_NOT_A_PARTY;
}

/* ssid of G.1. */
static void session_id(struct qrt_run *run, const struct qrt_sign_open *open, const uint8_t iid[32])
{
    struct qrt_th th;

    qrt_th_start(&th, run->ctx, QRT_L_SG_SSID);
    qrt_th_u8(&th, run->def->id == QRT_SIGN ? 1 : 2);
    qrt_th_field(&th, open->kgid, 32);
    qrt_th_be32(&th, open->epoch);
    qrt_th_open(&th, 2 * run->n);
    for (size_t i = 0; i < run->n; i++)
        qrt_th_part_be16(&th, run->index[i]);
    qrt_th_field(&th, iid, 32);
    qrt_th_field(&th, open->as.pk.b, sizeof open->as.pk.b);
    qrt_th_field(&th, open->tau_bytes, 32);
    qrt_th_field(&th, open->as.digest.b, 32); /* zero in presigning */
    qrt_th_end(&th, run->sid);
}

/* Everything that can be refused, before anything is started. */
static enum qrt_err prepare(struct qrt_run_params *shape, uint16_t *index,
                            struct qrt_sign_open *open, const struct qrt_ctx *ctx,
                            const struct qrt_sign_params *p)
{
    const struct qrt_share *share = p->share;
    struct qrt_pubkey root;
    struct qrt_child child;
    enum qrt_err e = qrt_quorum_check(share, p->signers, p->signers_n, index, &shape->own);

    if (e)
        return e;
    memcpy(root.b, share->pk, sizeof root.b);
    e = qrt_derive(&child, ctx, &root, share->cc, p->path, p->path_n);
    if (e)
        return e;
    *open = (struct qrt_sign_open){.epoch = share->epoch, .as = {.pk = child.pk}};
    memcpy(open->kgid, share->kgid, sizeof open->kgid);
    memcpy(open->tau_bytes, child.tweak, sizeof child.tweak);
    if (!qrt_sc_decode(&open->tau, child.tweak))
        return QRT_E_PATH;
    if (shape->def == &qrt_presign_def)
        return QRT_OK;
    return qrt_digest(&open->as.digest, ctx, p->message.digest, p->message.b, p->message.len);
}

static enum qrt_err start(struct qrt_run *run, const struct qrt_ctx *ctx,
                          const struct qrt_protocol_def *def, const struct qrt_sign_params *params,
                          uint8_t seed[32])
{
    uint16_t index[QRT_PARTIES_MAX];
    struct qrt_run_params shape = {
        .def = def, .index = index, .n = params->signers_n, .t = params->signers_n};
    struct qrt_sign_open open;
    struct qrt_sign *sg;
    enum qrt_err e = prepare(&shape, index, &open, ctx, params);

    if (e) {
        qrt_wipe(seed, 32);
        return e;
    }
    qrt_run_init(run, ctx, &shape);
    *(struct qrt_sign_open *)run->open = open;
    sg = run->state;
    sg->share = params->share;
    session_id(run, &open, params->iid);
    qrt_drbg_start(&sg->rng, ctx, seed);
    return qrt_run_begin(run);
}

enum qrt_err qrt_sign_start(struct qrt_run *run, const struct qrt_ctx *ctx,
                            const struct qrt_sign_params *params, uint8_t seed[32])
{
    return start(run, ctx, &qrt_sign_def, params, seed);
}

enum qrt_err qrt_presign_start(struct qrt_run *run, const struct qrt_ctx *ctx,
                               const struct qrt_sign_params *params, uint8_t seed[32])
{
    return start(run, ctx, &qrt_presign_def, params, seed);
}

/* ---- round 1: commit to the nonce, start a multiplication with every peer (G.2) ---- */

void qrt_sign_commitment(const struct qrt_ctx *ctx, uint8_t out[32], const uint8_t ssid[32],
                         uint16_t i, const uint8_t *r2)
{
    struct qrt_th th;

    qrt_th_start(&th, ctx, QRT_L_SG_COMMIT);
    qrt_th_field(&th, ssid, 32);
    qrt_th_be16(&th, i);
    qrt_th_field(&th, r2 + SG_R2_R, 33);
    qrt_th_field(&th, r2 + SG_R2_RHO, 32);
    qrt_th_end(&th, out);
}

/* R_i and rho_i go straight into round 2's broadcast. */
static enum qrt_err write1(struct qrt_run *run)
{
    struct qrt_sign *sg = run->state;
    uint8_t *r2 = qrt_run_broadcast(run, 2);
    uint16_t own = run->index[run->own];

    qrt_drbg_scalar(&sg->rng, run->ctx, &sg->r);
    qrt_drbg_scalar(&sg->rng, run->ctx, &sg->phi);
    qrt_drbg_bytes(&sg->rng, run->ctx, r2 + SG_R2_RHO, 32);
    qrt_pt_base(run->ctx, &sg->own_R, &sg->r);
    qrt_public(&sg->own_R, sizeof sg->own_R, "sent in round 2");
    qrt_pt_encode(run->ctx, r2 + SG_R2_R, &sg->own_R);
    qrt_sign_commitment(run->ctx, qrt_run_broadcast(run, 1), run->sid, own, r2);
    for (size_t j = 0; j < run->n; j++) {
        const struct qrt_rvole_id id = {run->sid, run->index[j], own};
        struct qrt_sign_peer *peer;

        if (j == run->own)
            continue;
        peer = qrt_sign_peer(run, j);
        qrt_rvole_bob1(
            run->ctx, &peer->bob, &peer->chi, qrt_run_private(run, 1, j), &id,
            (const uint8_t(*)[QRT_LEAVES][16])qrt_share_pair(sg->share, run->index[j])->bob_seeds,
            &sg->rng, sg->scratch);
    }
    return QRT_OK;
}

/* ---- round 3 (G.4, G.5) ---- */

static void forget_shares(struct qrt_sign *sg)
{
    qrt_wipe(&sg->phi, sizeof sg->phi);
    qrt_wipe(&sg->u, sizeof sg->u);
    qrt_wipe(&sg->v, sizeof sg->v);
}

static enum qrt_err write3(struct qrt_run *run)
{
    struct qrt_sign *sg = run->state;
    const struct qrt_sign_open *open = run->open;

    qrt_assembly_write(&open->as, qrt_run_broadcast(run, 3), &sg->phi, &sg->u, &sg->v);
    forget_shares(sg); /* G.7: R3 sent */
    return QRT_OK;
}

static enum qrt_err check3(struct qrt_run *run)
{
    struct qrt_sign_open *open = run->open;

    return qrt_assembly_check(run, &open->as);
}

/* ---- results ---- */

enum qrt_err qrt_presign_take(struct qrt_run *run, uint64_t created, uint8_t *out, size_t len)
{
    struct qrt_sign *sg = run->state;
    const struct qrt_sign_open *open = run->open;
    struct qrt_presig ps;

    if (run->def != &qrt_presign_def || run->phase != QRT_PHASE_DONE || sg->taken)
        return QRT_E_STATE;
    if (len != QRT_PRESIG_BYTES(run->t))
        return QRT_E_SPACE;
    ps = (struct qrt_presig){.info = {.suite = QRT_SUITE_ECDSA,
                                      .epoch = open->epoch,
                                      .own = run->index[run->own],
                                      .t = (uint16_t)run->t,
                                      .pk = open->as.pk,
                                      .created = created},
                             .tau = open->tau,
                             .R = open->as.R,
                             .phi = sg->phi,
                             .u = sg->u,
                             .v = sg->v};
    memcpy(ps.info.kgid, open->kgid, 32);
    memcpy(ps.info.id, run->sid, 32);
    memcpy(ps.info.signers, run->index, run->n * sizeof *run->index);
    memcpy(ps.bh2, run->echo[3], 32);
    qrt_presig_encode(run->ctx, out, &ps);
    qrt_wipe(&ps, sizeof ps);
    forget_shares(sg); /* not the outbox: the own second round may still wait there */
    sg->taken = true;
    return QRT_OK;
}

enum qrt_err qrt_sign_result(const struct qrt_run *run, struct qrt_sig *sig, struct qrt_pubkey *pk,
                             struct qrt_hash *digest)
{
    const struct qrt_assembly *as = NULL;

    memset(sig, 0, sizeof *sig);
    if (run->def == &qrt_sign_def)
        as = &((const struct qrt_sign_open *)run->open)->as;
    if (run->def == &qrt_online_def)
        as = run->open;
    if (!as || run->phase != QRT_PHASE_DONE || !as->done)
        return QRT_E_STATE;
    *sig = as->sig;
    if (pk)
        *pk = as->pk;
    if (digest)
        *digest = as->digest;
    return QRT_OK;
}
