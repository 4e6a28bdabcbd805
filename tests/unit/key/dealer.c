/* SPDX-License-Identifier: Apache-2.0 */
#include "dealer.h"

#include "base/bytes.h"
#include "hash/transcript.h"
#include "math/point.h"
#include "math/poly.h"
#include "quorate/wire.h"
#include "support.h"
#include "wire/envelope.h"

#include <sodium.h>
#include <string.h>

size_t deal_at_party(size_t row)
{
    return AT_PARTIES + 99 * row;
}

size_t deal_at_d(const struct deal *d)
{
    return AT_PARTIES + 99 * (size_t)d->n;
}

size_t deal_at_pair(const struct deal *d, size_t row)
{
    return deal_at_d(d) + 2 + 34 * (size_t)d->dealers_n + 16435 * row;
}

size_t deal_at_certificate(const struct deal *d)
{
    return deal_at_pair(d, d->n - 1u);
}

size_t deal_at_cert_row(const struct deal *d, size_t row)
{
    return deal_at_certificate(d) + 67 + 98 * row;
}

struct deal *deal_plan(void)
{
    static struct deal d;

    memset(&d, 0, sizeof d);
    d.ctx = test_ctx(QRT_CPU_ALL);
    d.n = 3;
    d.t = 2;
    d.own = 1;
    d.degree = 1;
    d.protocol = QRT_KEYGEN;
    for (uint16_t i = 0; i < DEAL_PARTIES_MAX; i++)
        d.index[i] = (uint16_t)(i + 1);
    return &d;
}

static void deal_keys(struct deal *d, struct test_rng *rng)
{
    struct qrt_sc coeff[DEAL_PARTIES_MAX], x, s;
    struct qrt_pt P;
    uint8_t b[32];

    for (size_t m = 0; m <= d->degree; m++) {
        test_rng_bytes(rng, b, 32);
        qrt_sc_reduce(&coeff[m], b);
    }
    qrt_pt_base(d->ctx, &P, &coeff[0]);
    qrt_pt_encode(d->ctx, d->pk, &P);
    test_rng_bytes(rng, d->cc, 32);
    for (size_t i = 0; i < d->n; i++) {
        qrt_sc_set_u32(&x, d->index[i]);
        qrt_poly_eval(&s, coeff, d->degree + 1, &x);
        qrt_sc_encode(d->s[i], &s);
        qrt_pt_base(d->ctx, &P, &s);
        qrt_pt_encode(d->ctx, d->X[i], &P);
    }
}

static void put_idk(struct qrt_wr *w, const struct deal *d, size_t i)
{
    uint8_t hash[32];

    crypto_hash_sha256(hash, d->identity[i] + 32, 32);
    qrt_wr_be16(w, d->index[i]);
    qrt_wr_bytes(w, hash, 32);
}

static void put_head(struct qrt_wr *w, struct deal *d)
{
    uint8_t keyid[32], suite = 1;
    struct qrt_th th;
    size_t own = 0;

    while (d->index[own] != d->own)
        own++;
    qrt_th_start(&th, d->ctx, QRT_L_KG_KEYID);
    qrt_th_field(&th, &suite, 1);
    qrt_th_field(&th, d->pk, 33);
    qrt_th_end(&th, keyid);
    qrt_wr_bytes(w, "DKS1\1\1\1", 7);
    qrt_wr_u8(w, d->flags);
    memset(qrt_wr_space(w, 32), 0x77, 32); /* kgid */
    qrt_wr_be32(w, d->epoch);
    qrt_wr_bytes(w, keyid, 32);
    qrt_wr_be64(w, 1700000000);
    qrt_wr_be16(w, d->n);
    qrt_wr_be16(w, d->t);
    qrt_wr_be16(w, d->own);
    qrt_wr_bytes(w, d->pk, 33);
    qrt_wr_bytes(w, d->cc, 32);
    qrt_wr_bytes(w, d->s[own], 32);
}

static void put_pair(struct qrt_wr *w, uint16_t index, struct test_rng *rng)
{
    uint8_t *seeds, *delta;

    qrt_wr_be16(w, index);
    qrt_wr_u8(w, 0);
    test_rng_bytes(rng, qrt_wr_space(w, 32 + 8192), 32 + 8192);
    seeds = qrt_wr_space(w, 8192);
    delta = qrt_wr_space(w, 16);
    test_rng_bytes(rng, seeds, 8192);
    test_rng_bytes(rng, delta, 16);
    for (size_t tree = 0; tree < 32; tree++) {
        size_t y = tree % 2 ? delta[tree / 2] >> 4 : delta[tree / 2] & 15;

        memset(seeds + 16 * (16 * tree + y), 0, 16);
    }
}

static void put_rows(struct qrt_wr *w, struct deal *d, struct test_rng *rng)
{
    for (size_t i = 0; i < d->n; i++) {
        put_idk(w, d, i);
        qrt_wr_zero(w, 28);
        qrt_wr_be32(w, d->index[i]);
        qrt_wr_bytes(w, d->X[i], 33);
    }
    qrt_wr_be16(w, d->dealers_n);
    for (size_t i = 0; i < d->dealers_n; i++)
        put_idk(w, d, d->n + i);
    for (size_t i = 0; i < d->n; i++)
        if (d->index[i] != d->own)
            put_pair(w, d->index[i], rng);
}

static size_t signers(const struct deal *d)
{
    return d->flags & QRT_SHARE_PENDING ? 1u : (size_t)d->n + d->dealers_n;
}

/* Rows ascending over parties and dealers; a pending record has the own row. */
static void put_certificate(struct qrt_wr *w, struct deal *d)
{
    size_t all = (size_t)d->n + d->dealers_n;
    unsigned before = 0;

    qrt_wr_u8(w, d->protocol);
    memset(qrt_wr_space(w, 32), 0x55, 32); /* ssid0 */
    memset(qrt_wr_space(w, 32), 0x66, 32); /* bh_2 */
    qrt_wr_be16(w, (uint16_t)signers(d));
    for (size_t row = 0; row < all; row++) {
        size_t next = all;

        for (size_t i = 0; i < all; i++)
            if (d->index[i] > before && (next == all || d->index[i] < d->index[next]))
                next = i;
        before = d->index[next];
        if ((d->flags & QRT_SHARE_PENDING) && before != d->own)
            continue;
        qrt_wr_be16(w, d->index[next]);
        qrt_wr_bytes(w, d->identity[next] + 32, 32);
        qrt_wr_zero(w, 64);
    }
}

static void record_conf(const struct deal *d, uint8_t conf[32])
{
    const uint8_t *r = d->record;
    struct qrt_th th;

    qrt_th_start(&th, d->ctx, d->protocol == QRT_KEYGEN ? QRT_L_KG_CONF : QRT_L_RS_CONF);
    qrt_th_field(&th, r + AT_KGID, 32);
    qrt_th_field(&th, r + deal_at_certificate(d) + 33, 32);
    qrt_th_field(&th, r + AT_PK, 33);
    qrt_th_field(&th, r + AT_CC, 32);
    qrt_th_open(&th, 33 * (size_t)d->n);
    for (size_t i = 0; i < d->n; i++)
        qrt_th_part(&th, r + deal_at_party(i) + 66, 33);
    qrt_th_end(&th, conf);
}

void deal_sign(struct deal *d)
{
    uint8_t conf[32], header[80] = "DKC1";
    struct qrt_signed m = {.header = header, .payload = conf, .payload_len = 32};
    const uint8_t *certificate = d->record + deal_at_certificate(d);

    record_conf(d, conf);
    header[4] = d->protocol;
    header[5] = 1;
    header[6] = 4;
    header[10] = header[11] = 0xff;
    header[15] = 32;
    memcpy(header + 16, certificate + 1, 64);
    for (size_t row = 0; row < signers(d); row++) {
        uint8_t *p = d->record + deal_at_cert_row(d, row);
        size_t i = 0;

        while (d->index[i] != qrt_be16_get(p))
            i++;
        memcpy(header + 8, p, 2);
        qrt_envelope_sign(d->ctx, p + 34, &m, d->identity[i]);
    }
}

void deal_make(struct deal *d)
{
    struct test_rng rng = {.state = 20};
    struct qrt_wr w;

    for (size_t i = 0; i < DEAL_PARTIES_MAX; i++) {
        uint8_t seed[32], idpk[32];

        test_rng_bytes(&rng, seed, 32);
        assert_int_equal(crypto_sign_seed_keypair(idpk, d->identity[i], seed), 0);
    }
    deal_keys(d, &rng);
    d->len = deal_at_cert_row(d, signers(d));
    assert_true(d->len <= sizeof d->record);
    w = qrt_wr_init(d->record, d->len);
    put_head(&w, d);
    put_rows(&w, d, &rng);
    put_certificate(&w, d);
    qrt_wr_end(&w);
    deal_sign(d);
}

enum qrt_err deal_open(const struct deal *d)
{
    struct qrt_share share;

    if (d->flags & QRT_SHARE_PENDING)
        return qrt_share_open_pending(&share, d->ctx, d->record, d->len);
    return qrt_share_open(&share, d->ctx, d->record, d->len);
}
