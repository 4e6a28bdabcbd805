/* SPDX-License-Identifier: Apache-2.0 */
/* Online: one broadcast turns a presignature into a signature (protocol.md G.6, G.8). The
 * presignature is re-randomised with a public offset that depends on message and key (DEV-6), and
 * is gone, in memory and durably, before anything that depends on the message leaves. */
#include "proto/online.h"

#include "base/wipe.h"
#include "hash/transcript.h"
#include "quorate/derive.h"
#include "quorate/signature.h"

#include <string.h>

static enum qrt_err write3(struct qrt_run *run);
static enum qrt_err check3(struct qrt_run *run);
static void layout(struct qrt_run *run, struct qrt_arena *secret, struct qrt_arena *open);

const struct qrt_protocol_def qrt_online_def = {
    .id = QRT_ONLINE,
    .rounds_n = 1,
    .abort_rounds = 3,
    .rounds = {{3, {true, false}, write3, qrt_assembly_parse, check3}},
    .layout = layout,
};

static void layout(struct qrt_run *run, struct qrt_arena *secret, struct qrt_arena *open)
{
    run->state = qrt_arena_take(secret, sizeof(struct qrt_online));
    run->open = qrt_arena_take(open, sizeof(struct qrt_assembly));
}

/* ---- setup ---- */

/* pk' = pk + tau G: a damaged record must not look like a cheat of the others. */
static bool is_child(const struct qrt_ctx *ctx, const struct qrt_presig *ps,
                     const struct qrt_share *share)
{
    struct qrt_pt pk;
    uint8_t b[33];

    if (qrt_sc_is_zero(&ps->tau))
        return memcmp(ps->info.pk.b, share->pk, sizeof ps->info.pk.b) == 0;
    if (!qrt_pt_decode(ctx, &pk, share->pk))
        return false;
    qrt_pt_add_base_vartime(ctx, &pk, &pk, &ps->tau);
    if (pk.inf)
        return false;
    qrt_pt_encode(ctx, b, &pk);
    return memcmp(b, ps->info.pk.b, sizeof b) == 0;
}

static enum qrt_err check_presig(const struct qrt_ctx *ctx, const struct qrt_presig *ps,
                                 const struct qrt_share *share, size_t *own)
{
    uint16_t index[QRT_PARTIES_MAX];

    if (memcmp(ps->info.kgid, share->kgid, 32) != 0 || ps->info.epoch != share->epoch ||
        ps->info.own != share->own)
        return QRT_E_EPOCH;
    if (!is_child(ctx, ps, share))
        return QRT_E_RECORD_KEY;
    return qrt_quorum_check(share, ps->info.signers, ps->info.t, index, own);
}

/* pk'' = pk' + tau_late G. The path starts at the key itself, whose chain code the share holds, so
 * a late path needs a presignature of the key itself (tau = 0). */
static enum qrt_err late_key(struct qrt_assembly *as, struct qrt_sc *late,
                             const struct qrt_ctx *ctx, const struct qrt_online_params *p,
                             const struct qrt_presig *ps)
{
    struct qrt_child child;
    enum qrt_err e;

    as->pk = ps->info.pk;
    *late = qrt_sc_zero;
    if (!p->late_path_n)
        return QRT_OK;
    if (!qrt_sc_is_zero(&ps->tau))
        return QRT_E_PATH;
    e = qrt_derive(&child, ctx, &ps->info.pk, p->share->cc, p->late_path, p->late_path_n);
    if (e)
        return e;
    as->pk = child.pk;
    return qrt_sc_decode(late, child.tweak) ? QRT_OK : QRT_E_PATH;
}

/* delta = HS("ps/rerand", ssid, enc(R), enc(pk''), b32(tau_late), m32, req). */
static void offset(const struct qrt_ctx *ctx, struct qrt_sc *delta, const struct qrt_assembly *as,
                   const struct qrt_online *on, const uint8_t req[32])
{
    uint8_t R[33], late[32];
    struct qrt_th th;

    qrt_pt_encode(ctx, R, &on->presig.R);
    qrt_sc_encode(late, &on->late);
    qrt_th_start(&th, ctx, QRT_L_PS_RERAND);
    qrt_th_field(&th, on->presig.info.id, 32);
    qrt_th_field(&th, R, sizeof R);
    qrt_th_field(&th, as->pk.b, sizeof as->pk.b);
    qrt_th_field(&th, late, sizeof late);
    qrt_th_field(&th, as->digest.b, sizeof as->digest.b);
    qrt_th_field(&th, req, 32);
    qrt_th_end_scalar(&th, delta);
}

/* R' = R + delta G, u' = u + delta phi, v' = v + tau_late phi. A zero on the way (probability
 * 2^-256) makes the presignature useless; no run has started that could fail. */
static enum qrt_err rerandomise(const struct qrt_ctx *ctx, struct qrt_assembly *as,
                                struct qrt_online *on, const uint8_t req[32])
{
    struct qrt_presig *ps = &on->presig;
    struct qrt_sc delta, term;

    offset(ctx, &delta, as, on, req);
    if (qrt_sc_is_zero(&delta))
        return QRT_E_RECORD_FIELD;
    qrt_pt_add_base_vartime(ctx, &as->R, &ps->R, &delta);
    if (!qrt_assembly_nonce(ctx, as))
        return QRT_E_RECORD_FIELD;
    qrt_sc_mul(&term, &delta, &ps->phi);
    qrt_sc_add(&ps->u, &ps->u, &term);
    qrt_sc_mul(&term, &on->late, &ps->phi);
    qrt_sc_add(&ps->v, &ps->v, &term);
    qrt_wipe(&term, sizeof term);
    return QRT_OK;
}

/* TH("ps/online", bh_2, m32, req, b32(tau_late)): parties asked for different messages notice. */
static void online_echo(struct qrt_run *run, const struct qrt_online *on, const uint8_t req[32])
{
    const struct qrt_assembly *as = run->open;
    uint8_t late[32];
    struct qrt_th th;

    qrt_sc_encode(late, &on->late);
    qrt_th_start(&th, run->ctx, QRT_L_PS_ONLINE);
    qrt_th_field(&th, on->presig.bh2, 32);
    qrt_th_field(&th, as->digest.b, sizeof as->digest.b);
    qrt_th_field(&th, req, 32);
    qrt_th_field(&th, late, sizeof late);
    qrt_th_end(&th, run->echo[3]);
}

static enum qrt_err prepare(struct qrt_online *on, struct qrt_assembly *as, size_t *own,
                            const struct qrt_ctx *ctx, const struct qrt_online_params *p)
{
    enum qrt_err e = qrt_presig_decode(&on->presig, ctx, p->presig, p->presig_len);

    qrt_wipe(p->presig, p->presig_len); /* G.8: used from here on, whatever happens */
    if (!e)
        e = check_presig(ctx, &on->presig, p->share, own);
    if (!e)
        e = late_key(as, &on->late, ctx, p, &on->presig);
    if (!e)
        e = qrt_digest(&as->digest, ctx, p->message.digest, p->message.b, p->message.len);
    if (!e)
        e = rerandomise(ctx, as, on, p->req);
    return e;
}

static enum qrt_err start_inner(struct qrt_run *run, const struct qrt_ctx *ctx,
                                const struct qrt_online_params *params, struct qrt_online *on)
{
    struct qrt_assembly as = {0};
    struct qrt_run_params shape = {.def = &qrt_online_def};
    enum qrt_err e = prepare(on, &as, &shape.own, ctx, params);

    if (e)
        return e;
    shape.index = on->presig.info.signers;
    shape.n = on->presig.info.t;
    shape.t = on->presig.info.t;
    qrt_run_init(run, ctx, &shape);
    *(struct qrt_assembly *)run->open = as;
    *(struct qrt_online *)run->state = *on;
    memcpy(run->sid, on->presig.info.id, 32);
    online_echo(run, on, params->req);
    return qrt_run_begin(run);
}

enum qrt_err qrt_online_start(struct qrt_run *run, const struct qrt_ctx *ctx,
                              const struct qrt_online_params *params)
{
    struct qrt_online on;
    enum qrt_err e = start_inner(run, ctx, params, &on);

    qrt_wipe(&on, sizeof on);
    return e;
}

/* ---- the one round ---- */

static enum qrt_err write3(struct qrt_run *run)
{
    struct qrt_online *on = run->state;

    qrt_assembly_write(run->open, qrt_run_broadcast(run, 3), &on->presig.phi, &on->presig.u,
                       &on->presig.v);
    qrt_wipe(on, sizeof *on);
    qrt_run_hold(run, QRT_RECORD_CONSUMED, run->sid, sizeof run->sid);
    return QRT_OK;
}

static enum qrt_err check3(struct qrt_run *run)
{
    return qrt_assembly_check(run, run->open);
}
