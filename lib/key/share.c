/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of a share record (protocol.md F.8): where everything is, for reader and maker, and
 * the two hashes that tie a record together, key_id and conf.
 *
 *     head 187 | n rows of 99 | d, d dealers of 34 | n-1 pairs of 16,435 | certificate 67 + 98 m
 *
 * Rows are structs of bytes, so they are used in place. Judging a record is share_open.c's. */
#include "key/share.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/port.h"
#include "hash/transcript.h"
#include "key/certificate.h"
#include "key/share_layout.h"

#include <string.h>

static const uint8_t magic[4] = {'D', 'K', 'S', '1'};
const uint8_t qrt_key_certificate_magic[4] = {'D', 'K', 'K', '1'};

enum { VERSION = 1, HEAD_BYTES = 187, DEALER_BYTES = 34 };

_Static_assert(sizeof(struct qrt_share_party) == 99, "a roster row");
_Static_assert(sizeof(struct qrt_share_pair) == 16435, "a pair row");
_Static_assert(sizeof(struct qrt_cert_row) == 98, "a certificate row");

size_t qrt_share_size(size_t n, size_t d, size_t m)
{
    return HEAD_BYTES + n * sizeof(struct qrt_share_party) + 2 + d * DEALER_BYTES +
           (n - 1) * sizeof(struct qrt_share_pair) + QRT_CERT_HEAD_BYTES +
           m * sizeof(struct qrt_cert_row);
}

static enum qrt_err read_kind(struct qrt_share *s, struct qrt_rd *r, const uint8_t expected[4])
{
    uint8_t version;

    if (!qrt_rd_expect(r, expected, sizeof magic))
        return QRT_E_RECORD_FORMAT;
    version = qrt_rd_u8(r);
    s->suite = qrt_rd_u8(r);
    s->profile = qrt_rd_u8(r);
    if (r->failed)
        return QRT_E_RECORD_FORMAT;
    if (version != VERSION || s->suite != QRT_SUITE_ECDSA || s->profile != QRT_PROFILE_1)
        return QRT_E_RECORD_VERSION;
    return QRT_OK;
}

static enum qrt_err check_counts(const struct qrt_share *s, const struct qrt_rd *r)
{
    if (r->failed)
        return QRT_E_RECORD_FORMAT;
    if (s->t < 2 || s->t > s->n || s->n > QRT_PARTIES_MAX)
        return QRT_E_RECORD_FIELD;
    return QRT_OK;
}

static enum qrt_err read_head(struct qrt_share *s, struct qrt_rd *r)
{
    enum qrt_err e = read_kind(s, r, magic);

    if (e)
        return e;
    s->flags = qrt_rd_u8(r);
    s->kgid = qrt_rd_bytes(r, 32);
    s->epoch = qrt_rd_be32(r);
    s->keyid = qrt_rd_bytes(r, 32);
    s->created = qrt_rd_be64(r);
    s->n = qrt_rd_be16(r);
    s->t = qrt_rd_be16(r);
    s->own = qrt_rd_be16(r);
    s->pk = qrt_rd_bytes(r, 33);
    s->cc = qrt_rd_bytes(r, 32);
    s->s = qrt_rd_bytes(r, 32);
    return check_counts(s, r);
}

static enum qrt_err read_public_head(struct qrt_share *s, struct qrt_rd *r)
{
    enum qrt_err e = read_kind(s, r, qrt_key_certificate_magic);

    if (e)
        return e;
    s->kgid = qrt_rd_bytes(r, 32);
    s->epoch = qrt_rd_be32(r);
    s->keyid = qrt_rd_bytes(r, 32);
    s->n = qrt_rd_be16(r);
    s->t = qrt_rd_be16(r);
    s->pk = qrt_rd_bytes(r, 33);
    s->cc = qrt_rd_bytes(r, 32);
    return check_counts(s, r);
}

static enum qrt_err read_roster(struct qrt_share *s, struct qrt_rd *r)
{
    s->parties = (const struct qrt_share_party *)(const void *)qrt_rd_bytes(
        r, s->n * sizeof(struct qrt_share_party));
    s->dealers_n = qrt_rd_be16(r);
    if (s->dealers_n > QRT_PARTIES_MAX)
        return QRT_E_RECORD_FIELD;
    s->dealers = qrt_rd_bytes(r, (size_t)s->dealers_n * DEALER_BYTES);
    return r->failed ? QRT_E_RECORD_FORMAT : QRT_OK;
}

static enum qrt_err read_pairs(struct qrt_share *s, struct qrt_rd *r)
{
    s->pairs = qrt_rd_bytes(r, (s->n - 1u) * sizeof(struct qrt_share_pair));
    return r->failed ? QRT_E_RECORD_FORMAT : QRT_OK;
}

/* The head's m must be the number that the record demands, and the rest must be its m rows. */
static enum qrt_err read_certificate(struct qrt_share *s, struct qrt_rd *r)
{
    size_t rows = s->flags & QRT_SHARE_PENDING ? 1u : (size_t)s->n + s->dealers_n;
    const uint8_t *head = qrt_rd_bytes(r, QRT_CERT_HEAD_BYTES);

    if (!head || qrt_be16_get(head + QRT_CERT_HEAD_BYTES - 2) != rows)
        return QRT_E_RECORD_FORMAT;
    (void)qrt_rd_bytes(r, rows * sizeof(struct qrt_cert_row));
    s->certificate = head;
    s->certificate_len = QRT_CERT_HEAD_BYTES + rows * sizeof(struct qrt_cert_row);
    return qrt_rd_end(r) ? QRT_OK : QRT_E_RECORD_FORMAT;
}

static enum qrt_err read_body(struct qrt_share *s, struct qrt_rd *r)
{
    enum qrt_err e = read_head(s, r);

    if (!e)
        e = read_roster(s, r);
    return e ? e : read_pairs(s, r);
}

enum qrt_err qrt_share_locate(struct qrt_share *out, const uint8_t *record, size_t len)
{
    struct qrt_rd r = qrt_rd_init(record, len);
    enum qrt_err e;

    memset(out, 0, sizeof *out);
    out->record = record;
    out->record_len = len;
    e = read_body(out, &r);
    return e ? e : read_certificate(out, &r);
}

enum qrt_err qrt_share_locate_public(struct qrt_share *out, const uint8_t *b, size_t len)
{
    struct qrt_rd r = qrt_rd_init(b, len);
    enum qrt_err e;

    memset(out, 0, sizeof *out);
    out->record = b;
    out->record_len = len;
    e = read_public_head(out, &r);
    if (!e)
        e = read_roster(out, &r);
    return e ? e : read_certificate(out, &r);
}

void qrt_share_view(struct qrt_share *out, const uint8_t *record, size_t len)
{
    struct qrt_rd r = qrt_rd_init(record, len);
    enum qrt_err e;

    memset(out, 0, sizeof *out);
    out->record = record;
    out->record_len = len;
    e = read_body(out, &r);
    qrt_assert(e == QRT_OK);
    out->certificate = r.p;
    out->certificate_len = r.left;
}

static void put_head(struct qrt_wr *w, const struct qrt_share_head *head,
                     struct qrt_share_draft *out)
{
    qrt_wr_bytes(w, magic, sizeof magic);
    qrt_wr_u8(w, VERSION);
    qrt_wr_u8(w, head->suite);
    qrt_wr_u8(w, head->profile);
    out->flags = qrt_wr_space(w, 1);
    *out->flags = head->flags;
    out->kgid = qrt_wr_space(w, 32);
    qrt_wr_be32(w, head->epoch);
    out->keyid = qrt_wr_space(w, 32);
    qrt_wr_be64(w, head->created);
    qrt_wr_be16(w, head->n);
    qrt_wr_be16(w, head->t);
    qrt_wr_be16(w, head->own);
    out->pk = qrt_wr_space(w, 33);
    out->cc = qrt_wr_space(w, 32);
    out->s = qrt_wr_space(w, 32);
}

/* The index of every row; |pairs| leaves the own one out. */
static void put_indices(struct qrt_share_draft *out, const struct qrt_share_head *head,
                        const uint16_t *indices)
{
    size_t row = 0;

    for (size_t i = 0; i < head->n; i++) {
        qrt_be16_put(out->parties[i].index, indices[i]);
        if (indices[i] == head->own)
            continue;
        qrt_assert(row < head->n - 1u);
        qrt_be16_put(out->pairs[row++].index, indices[i]);
    }
}

void qrt_share_draft(struct qrt_share_draft *out, uint8_t *record,
                     const struct qrt_share_head *head, const uint16_t *indices)
{
    size_t n = head->n;
    size_t len = qrt_share_size(n, 0, n);
    struct qrt_wr w = qrt_wr_init(record, len);

    qrt_assert(n >= 2 && n <= QRT_PARTIES_MAX);
    memset(record, 0, len);
    out->record = record;
    put_head(&w, head, out);
    out->parties = (struct qrt_share_party *)(void *)qrt_wr_space(&w, n * sizeof *out->parties);
    qrt_wr_be16(&w, 0);
    out->pairs = (struct qrt_share_pair *)(void *)qrt_wr_space(&w, (n - 1) * sizeof *out->pairs);
    out->certificate = qrt_wr_space(&w, QRT_CERT_HEAD_BYTES + n * sizeof(struct qrt_cert_row));
    qrt_wr_end(&w);
    put_indices(out, head, indices);
}

const struct qrt_share_party *qrt_share_party(const struct qrt_share *share, uint16_t index)
{
    for (size_t i = 0; i < share->n; i++)
        if (qrt_be16_get(share->parties[i].index) == index)
            return &share->parties[i];
    return NULL;
}

const struct qrt_share_pair *qrt_share_pair(const struct qrt_share *share, uint16_t j)
{
    const struct qrt_share_pair *rows = (const struct qrt_share_pair *)(const void *)share->pairs;

    qrt_assert(share->record);
    for (size_t i = 0; i + 1 < share->n; i++)
        if (qrt_be16_get(rows[i].index) == j)
            return &rows[i];
    return NULL;
}

uint8_t qrt_share_burn_bits(const struct qrt_share *share, uint16_t j)
{
    const struct qrt_share_pair *pair = qrt_share_pair(share, j);

    if (pair)
        return pair->burn;
    return j == share->own ? 0 : QRT_BURN_MINE | QRT_BURN_THEIRS;
}

void qrt_share_keyid(const struct qrt_ctx *ctx, uint8_t out[32], uint8_t suite,
                     const uint8_t pk[33])
{
    struct qrt_th th;

    qrt_th_start(&th, ctx, QRT_L_KG_KEYID);
    qrt_th_u8(&th, suite);
    qrt_th_field(&th, pk, 33);
    qrt_th_end(&th, out);
}

void qrt_share_conf(const struct qrt_ctx *ctx, uint8_t out[32], uint8_t protocol,
                    const struct qrt_share *share, const uint8_t bh2[32])
{
    struct qrt_th th;

    qrt_assert(protocol == QRT_KEYGEN || protocol == QRT_RESHARE);
    qrt_th_start(&th, ctx, protocol == QRT_KEYGEN ? QRT_L_KG_CONF : QRT_L_RS_CONF);
    qrt_th_field(&th, share->kgid, 32);
    qrt_th_field(&th, bh2, 32);
    qrt_th_field(&th, share->pk, 33);
    qrt_th_field(&th, share->cc, 32);
    qrt_th_open(&th, (size_t)share->n * 33);
    for (size_t i = 0; i < share->n; i++)
        qrt_th_part(&th, share->parties[i].X, 33);
    qrt_th_end(&th, out);
}
