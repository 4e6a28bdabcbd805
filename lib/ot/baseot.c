/* SPDX-License-Identifier: Apache-2.0 */
/* Endemic OT of Masny and Rindal on secp256k1 (protocol.md C), 128 instances for one ordered pair.
 *
 * The receiver knows the logarithm of R_c + H2C(i, c, R_{1-c}) for his choice c and of no other;
 * the sender multiplies both sums by his b. One B serves all instances (DEV-1), so every key hashes
 * instance, branch, B and both points.
 *
 * Points travel as bytes and are lifted in batches, the hashes to the curve too; a whole OT1 as
 * points would be too large for a stack. */
#include "ot/baseot.h"

#include "base/assert.h"
#include "base/ct.h"
#include "base/wipe.h"
#include "hash/transcript.h"
#include "math/scalar.h"
#include "math/sqrt.h"
#include "ot/h2c.h"

#include <string.h>

/* One instance of OT1. While the receiver works: r[0] = R_c, r[1] = R_{1-c}. */
struct pair {
    uint8_t r[2][33];
};
_Static_assert(sizeof(struct pair[QRT_OT_N]) == QRT_OT1_BYTES, "layout of OT1");
_Static_assert(QRT_OT_N == QRT_H2C_MAX,
               "a batch of hashes takes one branch of all instances, or both of half of them");

/* What a key is bound to, K excepted. */
struct key_id {
    const uint8_t *ot_sid, *b33;
    const struct pair *pair;
    uint16_t i;
    uint8_t j;
};

/* rho = TH("ot/key", ot_sid, BE16 i, u8 j, enc(B), R_0, R_1, enc(K))[0..16). */
static void key_derive(const struct qrt_ctx *ctx, uint8_t key[16], const struct key_id *id,
                       const uint8_t k33[33])
{
    struct qrt_th th;
    uint8_t digest[32];

    qrt_th_start(&th, ctx, QRT_L_OT_KEY);
    qrt_th_field(&th, id->ot_sid, 32);
    qrt_th_be16(&th, id->i);
    qrt_th_u8(&th, id->j);
    qrt_th_field(&th, id->b33, 33);
    qrt_th_field(&th, id->pair->r[0], 33);
    qrt_th_field(&th, id->pair->r[1], 33);
    qrt_th_field(&th, k33, 33);
    qrt_th_end(&th, digest);
    memcpy(key, digest, 16);
    qrt_wipe(digest, sizeof digest);
}

/* key_derive with K = k P. */
static void key_make(const struct qrt_ctx *ctx, uint8_t key[16], const struct key_id *id,
                     const struct qrt_pt *p, const struct qrt_sc *k)
{
    uint8_t k33[33];
    bool finite = qrt_pt_mul_encoded(ctx, k33, p, k);

    qrt_assert(finite); /* k was drawn from 1 .. q-1 */
    key_derive(ctx, key, id, k33);
    qrt_wipe(k33, sizeof k33);
}

/* A point nobody knows the logarithm of, by rejection (C.4 step 1). It is sent, and a rejected
 * candidate is used for nothing, so both may show. */
static void point_draw(const struct qrt_ctx *ctx, uint8_t out[33], struct qrt_drbg *rng)
{
    struct qrt_pt p;

    do {
        qrt_drbg_bytes(rng, ctx, out, 33);
        qrt_public(out, 33, "a candidate for a random point that is sent");
        out[0] = (uint8_t)(2 | (out[0] & 1));
    } while (!qrt_pt_decode(ctx, &p, out));
}

/* C.4 step 2: R_c = a G - H2C. */
static void chosen_point(const struct qrt_ctx *ctx, uint8_t out[33], const struct qrt_sc *a,
                         const struct qrt_pt *hash)
{
    struct qrt_pt r, minus;

    qrt_pt_neg(ctx, &minus, hash);
    qrt_pt_base(ctx, &r, a);
    qrt_pt_add(ctx, &r, &r, &minus);
    qrt_assert(!r.inf); /* a = log H2C: probability 2^-256, nobody can bring it about */
    qrt_public(&r, sizeof r, "both points of an instance are sent");
    qrt_pt_encode(ctx, out, &r);
}

struct receiver {
    struct qrt_h2c h; /* holds choice bits */
    const struct qrt_ctx *ctx;
    const uint8_t *ot_sid;
    const struct qrt_ot_recv *st;
    struct pair *pairs;
};

/* H2C(i, c, R_{1-c}) of all instances, or with |other| H2C(i, 1-c, R_c). Returns the passes. */
static size_t recv_hash(struct receiver *t, bool other)
{
    for (size_t i = 0; i < QRT_OT_N; i++) {
        uint64_t c = qrt_bit_get(t->st->delta, i);

        t->h.jobs[i] = (struct qrt_h2c_job){
            .point = t->pairs[i].r[!other], .i = (uint16_t)i, .j = (uint8_t)(c ^ (uint64_t)other)};
    }
    return qrt_h2c_many(t->ctx, &t->h, t->ot_sid, QRT_OT_N);
}

/* Passes of both batches of a receiver: 32 to 40 occur; more than RECV_PASSES in one of 10^9 runs.
 */
#define RECV_PASSES 44

/* C.4 steps 2 and 3. Each instance is hashed for both branches, so that the sum of tries is the
 * same for either choice; idle passes hide how the tries fell into groups, so that the whole takes
 * as long for one choice as for the other (C.6). Which try of which instance failed shows to
 * whoever watches the cache of this machine during keygen, as it does in the protocol itself:
 * SECURITY.md. */
static void recv_choose(struct receiver *t)
{
    size_t passes = recv_hash(t, false);

    for (size_t i = 0; i < QRT_OT_N; i++)
        chosen_point(t->ctx, t->pairs[i].r[0], &t->st->a[i], &t->h.out[i]);
    passes += recv_hash(t, true); /* the result is of no use */
    qrt_h2c_idle(t->ctx, &t->h, passes < RECV_PASSES ? RECV_PASSES - passes : 0);
    for (size_t i = 0; i < QRT_OT_N; i++)
        qrt_ct_swap(t->pairs[i].r[0], t->pairs[i].r[1], 33,
                    qrt_mask_bit(qrt_bit_get(t->st->delta, i)));
}

void qrt_ot_recv_start(const struct qrt_ctx *ctx, struct qrt_ot_recv *st,
                       uint8_t ot1[QRT_OT1_BYTES], const uint8_t ot_sid[32], struct qrt_drbg *rng)
{
    struct receiver t = {.ctx = ctx, .ot_sid = ot_sid, .st = st, .pairs = (struct pair *)ot1};

    qrt_drbg_bytes(rng, ctx, st->delta, sizeof st->delta);
    for (size_t i = 0; i < QRT_OT_N; i++) {
        qrt_drbg_scalar(rng, ctx, &st->a[i]);
        point_draw(ctx, t.pairs[i].r[1], rng);
    }
    recv_choose(&t);
    qrt_public(ot1, QRT_OT1_BYTES, "OT1 is sent");
    qrt_wipe(&t, sizeof t);
    qrt_wipe_stack();
}

void qrt_ot_recv_keys(const struct qrt_ctx *ctx, uint8_t keys[QRT_OT_N][16],
                      const struct qrt_ot_recv *st, const uint8_t ot_sid[32],
                      const uint8_t ot1[QRT_OT1_BYTES], const uint8_t b33[33],
                      const struct qrt_pt *b)
{
    const struct pair *pairs = (const struct pair *)ot1;

    for (size_t i = 0; i < QRT_OT_N; i++) {
        struct key_id id = {.ot_sid = ot_sid,
                            .b33 = b33,
                            .pair = &pairs[i],
                            .i = (uint16_t)i,
                            .j = (uint8_t)qrt_bit_get(st->delta, i)};

        key_make(ctx, keys[i], &id, b, &st->a[i]);
        qrt_wipe(&id, sizeof id);
    }
    qrt_wipe_stack();
}

enum qrt_err qrt_ot1_decode(const struct qrt_ctx *ctx, struct qrt_pt points[2 * QRT_OT_N],
                            const uint8_t b[QRT_OT1_BYTES])
{
    bool ok[QRT_H2C_PASS], all = true;

    for (size_t v = 0; all && v < 2 * QRT_OT_N; v += QRT_H2C_PASS) {
        qrt_curve_lift_many_vartime(ctx, points + v, ok, (const uint8_t(*)[33])b + v, QRT_H2C_PASS);
        for (size_t k = 0; k < QRT_H2C_PASS; k++)
            all = all && ok[k];
    }
    return all ? QRT_OK : QRT_E_MALFORMED_PRIVATE;
}

struct sender {
    struct qrt_h2c h;
    struct qrt_sc b;
    const struct qrt_ctx *ctx;
    const uint8_t *b33;
    const struct qrt_ot1 *ot1;
    const struct pair *pairs;
    uint8_t (*keys)[2][16];
};

/* H2C(i, j, R_{i,1-j}) of QRT_H2C_MAX / 2 instances from |i0|; job 2v + j is branch j of i0 + v. */
static void send_hash(struct sender *t, size_t i0)
{
    for (size_t v = 0; v < QRT_H2C_MAX; v++)
        t->h.jobs[v] = (struct qrt_h2c_job){.point = t->pairs[i0 + v / 2].r[1 - v % 2],
                                            .i = (uint16_t)(i0 + v / 2),
                                            .j = (uint8_t)(v % 2)};
    (void)qrt_h2c_many(t->ctx, &t->h, t->ot1->sid, QRT_H2C_MAX);
}

/* Branch |v| of a batch from |i0|: M = R + H2C, K = b M. */
static enum qrt_err send_key(struct sender *t, size_t i0, size_t v)
{
    size_t i = i0 + v / 2, j = v % 2;
    const struct key_id id = {.ot_sid = t->ot1->sid,
                              .b33 = t->b33,
                              .pair = &t->pairs[i],
                              .i = (uint16_t)i,
                              .j = (uint8_t)j};
    struct qrt_pt m;

    qrt_pt_add(t->ctx, &m, &t->ot1->points[2 * i + j], &t->h.out[v]);
    if (m.inf)
        return QRT_E_OT_POINT;
    key_make(t->ctx, t->keys[i][j], &id, &m, &t->b);
    return QRT_OK;
}

static enum qrt_err send_batch(struct sender *t, size_t i0)
{
    enum qrt_err e = QRT_OK;

    send_hash(t, i0);
    for (size_t v = 0; !e && v < QRT_H2C_MAX; v++)
        e = send_key(t, i0, v);
    return e;
}

static enum qrt_err send_all(struct sender *t)
{
    for (size_t i = 0; i < QRT_OT_N; i += QRT_H2C_MAX / 2) {
        enum qrt_err e = send_batch(t, i);

        if (e)
            return e;
    }
    return QRT_OK;
}

enum qrt_err qrt_ot_send(const struct qrt_ctx *ctx, uint8_t b33[33], uint8_t keys[QRT_OT_N][2][16],
                         const struct qrt_ot1 *ot1, struct qrt_drbg *rng)
{
    struct sender t = {
        .ctx = ctx, .b33 = b33, .ot1 = ot1, .pairs = (const struct pair *)ot1->b, .keys = keys};
    struct qrt_pt b;
    enum qrt_err e;

    qrt_drbg_scalar(rng, ctx, &t.b);
    qrt_pt_base(ctx, &b, &t.b);
    qrt_public(&b, sizeof b, "B is sent");
    qrt_pt_encode(ctx, b33, &b);
    e = send_all(&t);
    if (e) {
        qrt_wipe(b33, 33);
        qrt_wipe(keys, sizeof(uint8_t[QRT_OT_N][2][16]));
    }
    qrt_wipe(&t, sizeof t);
    qrt_wipe_stack();
    return e;
}
