/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of a wrong confirmation (protocol.md F.7, J): the right one is computed from what all
 * parties signed in rounds 1 and 2, the chain code openings that they committed to, and the roster
 * behind ssid0. */
#include "hash/transcript.h"
#include "proto/evidence.h"
#include "proto/keygen.h"

#include <string.h>

struct context {
    size_t t;
    uint8_t iid[32];
    uint8_t ssid0[32], ssid1[32], bh2[32];
    struct qrt_party parties[QRT_PARTIES_MAX];
    const uint8_t *idpk[QRT_PARTIES_MAX];
    uint8_t openings[QRT_PARTIES_MAX][64];
    struct qrt_broadcasts r1, r2;
};

/* The context stands behind the messages, whose signatures need it. */
static bool read_context(const struct qrt_evidence_file *f, struct context *c)
{
    struct qrt_rd rd = f->rd;
    size_t n;

    for (size_t i = 0; i < f->messages; i++)
        (void)qrt_rd_bytes(&rd, qrt_rd_be32(&rd));
    n = qrt_rd_be16(&rd);
    c->t = qrt_rd_be16(&rd);
    qrt_rd_copy(&rd, c->iid, sizeof c->iid);
    if (n > QRT_PARTIES_MAX || c->t < 2 || c->t > n || f->messages != 1 + 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        c->parties[i].index = qrt_rd_be16(&rd);
        c->idpk[i] = qrt_rd_bytes(&rd, 32);
        qrt_rd_copy(&rd, c->parties[i].x, 32);
        qrt_rd_copy(&rd, c->openings[i], 64);
        if (c->idpk[i])
            qrt_sha256(f->ctx, c->parties[i].idk, c->idpk[i], 32);
    }
    c->r1 = (struct qrt_broadcasts){.n = n, .len = 64};
    c->r2 = (struct qrt_broadcasts){.n = n, .len = 33 * c->t + 129};
    return qrt_rd_end(&rd);
}

/* The broadcast of round |round| by the |i|-th party, in the session of |r4|. */
static bool read_round(struct qrt_evidence_file *f, struct context *c, struct qrt_broadcasts *b,
                       uint8_t round, size_t i)
{
    struct qrt_exhibit x;

    if (!qrt_exhibit_read(f, &x, c->idpk[i]) || x.h.protocol != QRT_KEYGEN || x.h.round != round ||
        x.h.sender != c->parties[i].index || x.h.payload_len != b->len ||
        memcmp(x.h.sid, c->ssid0, sizeof c->ssid0) != 0)
        return false;
    b->index[i] = x.h.sender;
    b->payload[i] = x.payload;
    return true;
}

static bool openings_match(const struct qrt_evidence_file *f, const struct context *c)
{
    for (size_t i = 0; i < c->r2.n; i++) {
        uint8_t hcc[32];

        qrt_keygen_chain_hash(f->ctx, hcc, c->ssid0, c->r2.index[i], c->openings[i]);
        if (memcmp(hcc, c->r2.payload[i] + 33 * c->t + KG_R2_HCC, sizeof hcc) != 0)
            return false;
    }
    return true;
}

/* The roster makes ssid0, the rounds make ssid1 and bh_2, and the accused's echo says he saw them.
 */
static bool read_rounds(struct qrt_evidence_file *f, struct context *c,
                        const struct qrt_exhibit *r4)
{
    qrt_keygen_ssid0(f->ctx, c->ssid0, c->parties, c->r1.n, c->t, c->iid);
    if (memcmp(c->ssid0, r4->h.sid, sizeof c->ssid0) != 0)
        return false;
    for (size_t i = 0; i < c->r1.n; i++)
        if (!read_round(f, c, &c->r1, 1, i) || !read_round(f, c, &c->r2, 2, i))
            return false;
    qrt_keygen_ssid1(f->ctx, c->ssid1, c->ssid0, &c->r1);
    qrt_broadcasts_hash(f->ctx, c->bh2, c->ssid1, 2, &c->r2);
    return memcmp(c->bh2, r4->h.echo, sizeof c->bh2) == 0 && openings_match(f, c);
}

/* A_m, the sum of the dealers' commitments. */
static bool aggregate(const struct qrt_evidence_file *f, const struct context *c,
                      struct qrt_pt *agg)
{
    for (size_t m = 0; m < c->t; m++) {
        agg[m] = (struct qrt_pt){.inf = true};
        for (size_t i = 0; i < c->r2.n; i++) {
            struct qrt_pt A;

            if (!qrt_pt_decode(f->ctx, &A, c->r2.payload[i] + 33 * m))
                return false;
            qrt_pt_add(f->ctx, &agg[m], &agg[m], &A);
        }
    }
    return !agg[0].inf;
}

/* conf = TH("kg/conf", ssid1, bh_2, enc(pk), cc, X_1 .. X_n). */
static bool right_confirmation(const struct qrt_evidence_file *f, const struct context *c,
                               uint8_t out[32])
{
    struct qrt_pt agg[QRT_PARTIES_MAX], X;
    uint8_t b[33], cc[32];
    struct qrt_sc x;
    struct qrt_th th;

    if (!aggregate(f, c, agg))
        return false;
    qrt_keygen_chain_code(f->ctx, cc, c->ssid1, c->openings, c->r2.n);
    qrt_pt_encode(f->ctx, b, &agg[0]);
    qrt_th_start(&th, f->ctx, QRT_L_KG_CONF);
    qrt_th_field(&th, c->ssid1, 32);
    qrt_th_field(&th, c->bh2, 32);
    qrt_th_field(&th, b, sizeof b);
    qrt_th_field(&th, cc, sizeof cc);
    qrt_th_open(&th, 33 * c->r2.n);
    for (size_t i = 0; i < c->r2.n; i++) {
        if (!qrt_sc_decode(&x, c->parties[i].x))
            return false;
        qrt_poly_eval_points_vartime(f->ctx, &X, agg, c->t, &x);
        if (X.inf)
            return false;
        qrt_pt_encode(f->ctx, b, &X);
        qrt_th_part(&th, b, sizeof b);
    }
    qrt_th_end(&th, out);
    return true;
}

bool qrt_evidence_confirmation(struct qrt_evidence_file *f)
{
    struct context c;
    struct qrt_exhibit r4;
    uint8_t conf[32];

    if (!read_context(f, &c) || !qrt_exhibit_read_accused(f, &r4, QRT_KEYGEN, 4) ||
        r4.h.payload_len != 32 || !read_rounds(f, &c, &r4) || !right_confirmation(f, &c, conf))
        return false;
    /* the context was read ahead of the messages */
    (void)qrt_rd_bytes(&f->rd, f->rd.left);
    return memcmp(conf, r4.payload, sizeof conf) != 0;
}
