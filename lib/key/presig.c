/* SPDX-License-Identifier: Apache-2.0 */
/* The presignature record (protocol.md G.6), fixed layout, 312 + 2t bytes. What it holds signs
 * once; that it is used once is the run's and the host's (G.8), not the codec's. */
#include "key/presig.h"

#include "base/bytes.h"
#include "base/ct.h"
#include "base/wipe.h"
#include "math/scalar.h"

#include <string.h>

static const uint8_t magic[4] = {'D', 'K', 'P', '1'};

enum { VERSION = 1 };

static void put_scalar(struct qrt_wr *w, const struct qrt_sc *a)
{
    uint8_t *p = qrt_wr_space(w, 32);

    if (p)
        qrt_sc_encode(p, a);
}

void qrt_presig_encode(const struct qrt_ctx *ctx, uint8_t *out, const struct qrt_presig *presig)
{
    const struct qrt_presig_info *info = &presig->info;
    struct qrt_wr w = qrt_wr_init(out, QRT_PRESIG_BYTES(info->t));
    uint8_t *R;

    qrt_wr_bytes(&w, magic, sizeof magic);
    qrt_wr_u8(&w, VERSION);
    qrt_wr_u8(&w, info->suite);
    qrt_wr_bytes(&w, info->kgid, sizeof info->kgid);
    qrt_wr_be32(&w, info->epoch);
    qrt_wr_bytes(&w, info->id, sizeof info->id);
    qrt_wr_bytes(&w, presig->bh2, sizeof presig->bh2);
    qrt_wr_be16(&w, info->own);
    qrt_wr_be16(&w, info->t);
    for (size_t i = 0; i < info->t; i++)
        qrt_wr_be16(&w, info->signers[i]);
    put_scalar(&w, &presig->tau);
    qrt_wr_bytes(&w, info->pk.b, sizeof info->pk.b);
    R = qrt_wr_space(&w, 33);
    if (R)
        qrt_pt_encode(ctx, R, &presig->R);
    put_scalar(&w, &presig->phi);
    put_scalar(&w, &presig->u);
    put_scalar(&w, &presig->v);
    qrt_wr_be64(&w, info->created);
    qrt_wr_end(&w);
}

static enum qrt_err get_head(struct qrt_presig *out, struct qrt_rd *r)
{
    struct qrt_presig_info *info = &out->info;
    uint8_t version;

    if (!qrt_rd_expect(r, magic, sizeof magic))
        return QRT_E_RECORD_FORMAT;
    version = qrt_rd_u8(r);
    info->suite = qrt_rd_u8(r);
    if (r->failed)
        return QRT_E_RECORD_FORMAT;
    if (version != VERSION || info->suite != QRT_SUITE_ECDSA)
        return QRT_E_RECORD_VERSION;
    qrt_rd_copy(r, info->kgid, sizeof info->kgid);
    info->epoch = qrt_rd_be32(r);
    qrt_rd_copy(r, info->id, sizeof info->id);
    qrt_rd_copy(r, out->bh2, sizeof out->bh2);
    info->own = qrt_rd_be16(r);
    info->t = qrt_rd_be16(r);
    return r->failed ? QRT_E_RECORD_FORMAT : QRT_OK;
}

/* Ascending indices, the own one among them. */
static bool get_signers(struct qrt_presig_info *info, struct qrt_rd *r)
{
    uint16_t before = 0;
    bool has_own = false;

    for (size_t i = 0; i < info->t; i++) {
        info->signers[i] = qrt_rd_be16(r);
        if (info->signers[i] <= before || info->signers[i] > QRT_INDEX_MAX)
            return false;
        before = info->signers[i];
        has_own |= before == info->own;
    }
    return has_own;
}

static bool get_scalar(struct qrt_sc *out, struct qrt_rd *r)
{
    return qrt_sc_decode(out, qrt_rd_bytes(r, 32));
}

static bool get_numbers(struct qrt_presig *out, const struct qrt_ctx *ctx, struct qrt_rd *r)
{
    struct qrt_pt pk;

    if (!get_scalar(&out->tau, r))
        return false;
    qrt_rd_copy(r, out->info.pk.b, sizeof out->info.pk.b);
    if (!qrt_pt_decode(ctx, &pk, out->info.pk.b) ||
        !qrt_pt_decode(ctx, &out->R, qrt_rd_bytes(r, 33)))
        return false;
    return get_scalar(&out->phi, r) && !qrt_sc_is_zero(&out->phi) && get_scalar(&out->u, r) &&
           get_scalar(&out->v, r);
}

static enum qrt_err decode(struct qrt_presig *out, const struct qrt_ctx *ctx, const uint8_t *record,
                           size_t len)
{
    struct qrt_rd r = qrt_rd_init(record, len);
    enum qrt_err e = get_head(out, &r);

    if (e)
        return e;
    if (out->info.t < 2 || out->info.t > QRT_PARTIES_MAX)
        return QRT_E_RECORD_FIELD;
    if (len != QRT_PRESIG_BYTES(out->info.t))
        return QRT_E_RECORD_FORMAT;
    if (!get_signers(&out->info, &r) || !get_numbers(out, ctx, &r))
        return QRT_E_RECORD_FIELD;
    out->info.created = qrt_rd_be64(&r);
    return QRT_OK;
}

enum qrt_err qrt_presig_decode(struct qrt_presig *out, const struct qrt_ctx *ctx,
                               const uint8_t *record, size_t len)
{
    enum qrt_err e;

    memset(out, 0, sizeof *out);
    e = decode(out, ctx, record, len);
    if (e)
        qrt_wipe(out, sizeof *out);
    return e;
}

enum qrt_err qrt_presig_inspect(struct qrt_presig_info *out, const struct qrt_ctx *ctx,
                                const uint8_t *record, size_t len)
{
    struct qrt_presig presig;
    enum qrt_err e = qrt_presig_decode(&presig, ctx, record, len);

    *out = presig.info;
    qrt_wipe(&presig, sizeof presig);
    return e;
}
