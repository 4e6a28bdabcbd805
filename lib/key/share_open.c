/* SPDX-License-Identifier: Apache-2.0 */
/* Judging a share record on load (protocol.md F.8 last paragraph, K.3), in this order: fields, the
 * secret against its public share, the public shares against the key, the certificate. What needs
 * no secret is checked by key_certificate.c and certificate.c, for key certificates too.
 *
 * What no check can see: created, the flags imported and refresh-required, zs, the seeds that are
 * not required to be zero. They are protected by the seal of whoever stores the record.
 * CT: the share, the seeds and Delta (so y*) do not show; that a check failed, and which, does. */
#include "quorate/share.h"

#include "base/bytes.h"
#include "base/ct.h"
#include "base/wipe.h"
#include "key/certificate.h"
#include "key/key_certificate.h"
#include "key/share.h"
#include "key/share_layout.h"
#include "math/point.h"
#include "math/scalar.h"

#include <string.h>

enum { TREES = 32, LEAVES = 16, SEED_BYTES = 16 };
enum {
    KNOWN_FLAGS = QRT_SHARE_IMPORTED | QRT_SHARE_REFRESH_REQUIRED | QRT_SHARE_PENDING,
    KNOWN_BURNS = QRT_BURN_MINE | QRT_BURN_THEIRS
};

/* The seed at y* of every tree is zero. Every slot is read, under a mask. */
static bool is_missing_leaf_zero(const struct qrt_share_pair *pair)
{
    uint8_t set = 0;

    for (size_t tree = 0; tree < TREES; tree++) {
        uint8_t y = (uint8_t)(pair->delta[tree / 2] >> 4 * (tree % 2)) & 15;

        for (size_t leaf = 0; leaf < LEAVES; leaf++) {
            const uint8_t *seed = pair->alice_seeds + (tree * LEAVES + leaf) * SEED_BYTES;
            uint8_t mask = (uint8_t)qrt_mask_eq(leaf, y);

            for (size_t b = 0; b < SEED_BYTES; b++)
                set |= seed[b] & mask;
        }
    }
    return qrt_ct_is_zero(&set, 1);
}

/* A burned Alice role is erased, and an erased one is burned: zero seeds would hide nothing. */
static bool is_alice_valid(const struct qrt_share_pair *pair)
{
    bool no_seeds = qrt_ct_is_zero(pair->alice_seeds, sizeof pair->alice_seeds);

    if (pair->burn & QRT_BURN_MINE)
        return no_seeds && qrt_ct_is_zero(pair->delta, sizeof pair->delta);
    return !no_seeds && is_missing_leaf_zero(pair);
}

static bool are_pairs_valid(const struct qrt_share *share)
{
    const struct qrt_share_pair *pair = (const struct qrt_share_pair *)(const void *)share->pairs;

    for (size_t i = 0; i < share->n; i++) {
        uint16_t index = qrt_be16_get(share->parties[i].index);

        if (index == share->own)
            continue;
        if (qrt_be16_get(pair->index) != index || (pair->burn & ~KNOWN_BURNS) ||
            !is_alice_valid(pair))
            return false;
        pair++;
    }
    return true;
}

static enum qrt_err check_fields(const struct qrt_share *share, const struct qrt_ctx *ctx,
                                 struct qrt_key_numbers *num)
{
    enum qrt_err e = qrt_key_check_fields(share, ctx, num);

    if (e)
        return e;
    if ((share->flags & ~KNOWN_FLAGS) || !qrt_share_party(share, share->own) ||
        !are_pairs_valid(share))
        return QRT_E_RECORD_FIELD;
    return qrt_key_check_id(share, ctx);
}

struct secret {
    struct qrt_sc s;
    struct qrt_pt S;
};

static enum qrt_err check_secret_inner(struct secret *t, const struct qrt_share *share,
                                       const struct qrt_ctx *ctx)
{
    uint8_t S[33];

    if (!qrt_sc_decode(&t->s, share->s) || qrt_sc_is_zero(&t->s))
        return QRT_E_RECORD_FIELD;
    qrt_pt_base(ctx, &t->S, &t->s);
    qrt_public(&t->S, sizeof t->S, "a public share");
    qrt_pt_encode(ctx, S, &t->S);
    if (memcmp(S, qrt_share_party(share, share->own)->X, sizeof S) != 0)
        return QRT_E_RECORD_SHARE;
    return QRT_OK;
}

static enum qrt_err check_secret(const struct qrt_share *share, const struct qrt_ctx *ctx)
{
    struct secret t = {0};
    enum qrt_err e = check_secret_inner(&t, share, ctx);

    qrt_wipe(&t, sizeof t);
    qrt_wipe_stack();
    return e;
}

static enum qrt_err check_all(const struct qrt_share *share, const struct qrt_ctx *ctx)
{
    struct qrt_key_numbers num;
    enum qrt_err e = check_fields(share, ctx, &num);

    if (!e)
        e = check_secret(share, ctx);
    if (!e)
        e = qrt_key_check_shares(share, ctx, &num);
    return e ? e : qrt_certificate_verify(share, ctx);
}

enum qrt_err qrt_share_open(struct qrt_share *share, const struct qrt_ctx *ctx,
                            const uint8_t *record, size_t len)
{
    enum qrt_err e = qrt_share_locate(share, record, len);

    if (!e)
        e = share->flags & QRT_SHARE_PENDING ? QRT_E_PENDING : check_all(share, ctx);
    if (e)
        memset(share, 0, sizeof *share);
    return e;
}

enum qrt_err qrt_share_open_pending(struct qrt_share *share, const struct qrt_ctx *ctx,
                                    const uint8_t *record, size_t len)
{
    enum qrt_err e = qrt_share_locate(share, record, len);

    if (!e)
        e = share->flags & QRT_SHARE_PENDING ? check_all(share, ctx) : QRT_E_RECORD_FIELD;
    if (e)
        memset(share, 0, sizeof *share);
    return e;
}
