/* SPDX-License-Identifier: Apache-2.0 */
/* What a share record says without its secrets (protocol.md F.7, F.8, K.3): the checks of it, which
 * share_open.c uses for whole records, and the key certificate, which is it and nothing else:
 *
 *     head 144 | n rows of 99 | d, d dealers of 34 | certificate 67 + 98 (n + d)
 *
 * Inside, a key certificate is a struct qrt_share with nothing where secrets would be, so each
 * check exists once. Everything here is public: variable time. */
#include "key/key_certificate.h"

#include "base/bytes.h"
#include "key/certificate.h"
#include "key/share_layout.h"
#include "math/poly.h"

#include <string.h>

enum { HEAD_BYTES = 144, DEALER_BYTES = 34, VERSION = 1 };

static bool is_next_index(uint16_t index, uint16_t before)
{
    return index > before && index <= QRT_INDEX_MAX;
}

static bool read_parties(const struct qrt_share *share, const struct qrt_ctx *ctx,
                         struct qrt_key_numbers *num)
{
    uint16_t before = 0;

    for (size_t i = 0; i < share->n; i++) {
        const struct qrt_share_party *party = &share->parties[i];

        if (!is_next_index(qrt_be16_get(party->index), before) ||
            !qrt_sc_decode(&num->x[i], party->x) || !qrt_pt_decode(ctx, &num->X[i], party->X))
            return false;
        before = qrt_be16_get(party->index);
    }
    return qrt_coordinates_valid(num->x, share->n) && qrt_pt_decode(ctx, &num->pk, share->pk);
}

static bool are_dealers_valid(const struct qrt_share *share)
{
    uint16_t before = 0;

    for (size_t i = 0; i < share->dealers_n; i++) {
        uint16_t index = qrt_be16_get(share->dealers + i * DEALER_BYTES);

        if (!is_next_index(index, before) || qrt_share_party(share, index))
            return false;
        before = index;
    }
    return true;
}

/* A fresh key is epoch 0 and everybody who dealt received; only a reshare makes anything else. */
static bool is_origin_valid(const struct qrt_share *share)
{
    if (qrt_certificate_protocol(share) == QRT_KEYGEN)
        return share->epoch == 0 && share->dealers_n == 0 && !(share->flags & QRT_SHARE_IMPORTED);
    return qrt_certificate_protocol(share) == QRT_RESHARE && share->epoch > 0;
}

enum qrt_err qrt_key_check_fields(const struct qrt_share *share, const struct qrt_ctx *ctx,
                                  struct qrt_key_numbers *num)
{
    if (!read_parties(share, ctx, num) || !are_dealers_valid(share) || !is_origin_valid(share))
        return QRT_E_RECORD_FIELD;
    return QRT_OK;
}

enum qrt_err qrt_key_check_id(const struct qrt_share *share, const struct qrt_ctx *ctx)
{
    uint8_t keyid[32];

    qrt_share_keyid(ctx, keyid, share->suite, share->pk);
    return memcmp(keyid, share->keyid, sizeof keyid) == 0 ? QRT_OK : QRT_E_RECORD_KEY;
}

/* The value at |at| of the polynomial through the first |t| public shares: Lagrange at zero, with
 * all coordinates moved by |at|. */
static void interpolate(const struct qrt_ctx *ctx, struct qrt_pt *r,
                        const struct qrt_key_numbers *num, size_t t, const struct qrt_sc *at)
{
    struct qrt_sc moved[QRT_PARTIES_MAX], weight;
    struct qrt_pt term;

    r->inf = true;
    for (size_t i = 0; i < t; i++)
        qrt_sc_sub(&moved[i], &num->x[i], at);
    for (size_t i = 0; i < t; i++) {
        qrt_lagrange_at_zero(&weight, moved, t, i);
        qrt_pt_mul_vartime(ctx, &term, &num->X[i], &weight);
        qrt_pt_add(ctx, r, r, &term);
    }
}

static bool gives(const struct qrt_ctx *ctx, const struct qrt_key_numbers *num, size_t t,
                  const struct qrt_sc *at, const struct qrt_pt *want)
{
    struct qrt_pt got;

    interpolate(ctx, &got, num, t, at);
    return qrt_pt_equal(ctx, &got, want);
}

/* The first t public shares give the key at 0 and all other public shares at theirs, the first t-1
 * do not give the key: together, all n lie on one polynomial of degree exactly t-1 through it. */
enum qrt_err qrt_key_check_shares(const struct qrt_share *share, const struct qrt_ctx *ctx,
                                  const struct qrt_key_numbers *num)
{
    if (!gives(ctx, num, share->t, &qrt_sc_zero, &num->pk) ||
        gives(ctx, num, share->t - 1u, &qrt_sc_zero, &num->pk))
        return QRT_E_RECORD_KEY;
    for (size_t j = share->t; j < share->n; j++)
        if (!gives(ctx, num, share->t, &num->x[j], &num->X[j]))
            return QRT_E_RECORD_KEY;
    return QRT_OK;
}

static enum qrt_err check_all(const struct qrt_share *share, const struct qrt_ctx *ctx)
{
    struct qrt_key_numbers num;
    enum qrt_err e = qrt_key_check_fields(share, ctx, &num);

    if (!e)
        e = qrt_key_check_id(share, ctx);
    if (!e)
        e = qrt_key_check_shares(share, ctx, &num);
    return e ? e : qrt_certificate_verify(share, ctx);
}

size_t qrt_certificate_size(size_t n, size_t d)
{
    return HEAD_BYTES + n * sizeof(struct qrt_share_party) + 2 + d * DEALER_BYTES +
           QRT_CERT_HEAD_BYTES + (n + d) * sizeof(struct qrt_cert_row);
}

static void encode(struct qrt_wr *w, const struct qrt_share *share)
{
    qrt_wr_bytes(w, qrt_key_certificate_magic, sizeof qrt_key_certificate_magic);
    qrt_wr_u8(w, VERSION);
    qrt_wr_u8(w, share->suite);
    qrt_wr_u8(w, share->profile);
    qrt_wr_bytes(w, share->kgid, 32);
    qrt_wr_be32(w, share->epoch);
    qrt_wr_bytes(w, share->keyid, 32);
    qrt_wr_be16(w, share->n);
    qrt_wr_be16(w, share->t);
    qrt_wr_bytes(w, share->pk, 33);
    qrt_wr_bytes(w, share->cc, 32);
    qrt_wr_bytes(w, share->parties, share->n * sizeof(struct qrt_share_party));
    qrt_wr_be16(w, share->dealers_n);
    qrt_wr_bytes(w, share->dealers, (size_t)share->dealers_n * DEALER_BYTES);
    qrt_wr_bytes(w, share->certificate, share->certificate_len);
    qrt_wr_end(w);
}

enum qrt_err qrt_certificate_export(struct qrt_bytes *out, const struct qrt_share *share)
{
    size_t len = qrt_certificate_size(share->n, share->dealers_n);
    struct qrt_wr w;

    out->len = 0;
    if (share->flags & QRT_SHARE_PENDING)
        return QRT_E_PENDING;
    if (out->cap < len)
        return QRT_E_SPACE;
    w = qrt_wr_init(out->b, len);
    encode(&w, share);
    out->len = len;
    return QRT_OK;
}

static void lend(struct qrt_key_certificate *out, const struct qrt_share *share)
{
    out->b = share->record;
    out->len = share->record_len;
    out->suite = share->suite;
    out->profile = share->profile;
    out->n = share->n;
    out->t = share->t;
    out->dealers_n = share->dealers_n;
    out->epoch = share->epoch;
    out->kgid = share->kgid;
    out->session = share->certificate + 1;
    out->keyid = share->keyid;
    out->pk = share->pk;
    out->cc = share->cc;
    out->parties = share->parties;
    out->dealers = share->dealers;
    out->rows =
        (const struct qrt_cert_row *)(const void *)(share->certificate + QRT_CERT_HEAD_BYTES);
    out->rows_n = (size_t)share->n + share->dealers_n;
}

enum qrt_err qrt_certificate_open(struct qrt_key_certificate *out, const struct qrt_ctx *ctx,
                                  const uint8_t *b, size_t len)
{
    struct qrt_share share;
    enum qrt_err e = qrt_share_locate_public(&share, b, len);

    memset(out, 0, sizeof *out);
    if (!e)
        e = check_all(&share, ctx);
    if (!e)
        lend(out, &share);
    return e;
}

const struct qrt_cert_row *qrt_certificate_row(const struct qrt_key_certificate *certificate,
                                               uint16_t index)
{
    for (size_t i = 0; i < certificate->rows_n; i++)
        if (qrt_be16_get(certificate->rows[i].index) == index)
            return &certificate->rows[i];
    return NULL;
}
