/* SPDX-License-Identifier: Apache-2.0 */
/* The vectors of the sub-protocols, through lib/ headers. The file holds no seeds for them: the
 * generator draws from DRBG(SHA256(name)) with the fixed names below (gen_kats.py). Runs do
 * nothing of the kind, see runs.c. */
#include "hash/drbg.h"
#include "hash/transcript.h"
#include "kat.h"
#include "math/gf128.h"
#include "math/scalar.h"
#include "ot/rvole.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ABSENT "the file does not have it"

static const uint8_t zero[32];

static void seed_of(const struct kat *k, uint8_t seed[32], const char *name)
{
    qrt_sha256(k->ctx, seed, name, strlen(name));
}

static void rng_of(const struct kat *k, struct qrt_drbg *rng, const char *name)
{
    uint8_t seed[32];

    seed_of(k, seed, name);
    qrt_drbg_start(rng, k->ctx, seed);
}

static void scalar_is(struct kat *k, const json_t *want, const struct qrt_sc *s, const char *what)
{
    uint8_t b[32];

    qrt_sc_encode(b, s);
    kat_bytes(k, want, b, sizeof b, what);
}

static void labels(struct kat *k, const json_t *v)
{
    const char *text;
    json_t *want;

    json_object_foreach((json_t *)v, text, want)
    {
        unsigned l = 0;

        while (l < QRT_LABEL_COUNT && strcmp(qrt_label_text((enum qrt_label)l), text) != 0)
            l++;
        if (kat_check(k, l < QRT_LABEL_COUNT, "the library has no label %s", text))
            kat_bytes(k, want, k->ctx->label[l], 32, text);
    }
}

static void hash_th(struct kat *k, const json_t *v)
{
    struct qrt_th th;
    uint8_t out[32];

    qrt_th_start(&th, k->ctx, QRT_L_KG_COMMIT);
    qrt_th_field(&th, "ab", 2);
    qrt_th_field(&th, "c", 1);
    qrt_th_end(&th, out);
    kat_bytes(k, v, out, sizeof out, "TH of two fields");
}

static void hash_fh(struct kat *k, const json_t *v)
{
    uint8_t out[32];

    qrt_fh(k->ctx, out, QRT_L_EXT_ROW, zero, (const uint8_t *)"x", 1);
    kat_bytes(k, v, out, sizeof out, "FH of one byte");
}

static void hash_lh8(struct kat *k, const json_t *v)
{
    uint8_t rows[20][2] = {{0}}, out[32];

    for (uint8_t i = 0; i < 20; i++)
        rows[i][1] = i;
    qrt_lh8(k->ctx, out, QRT_L_RV_MU, QRT_L_RV_MU_TOP, zero, rows[0], 2, 20);
    kat_bytes(k, v, out, sizeof out, "LH8 of twenty rows");
}

static void hash_to_curve(struct kat *k, const json_t *v)
{
    uint8_t sid[32], g[33], out[33];
    struct qrt_pt p;
    const char *key;
    json_t *want;

    seed_of(k, sid, "kat");
    qrt_pt_base(k->ctx, &p, &qrt_sc_one);
    qrt_pt_encode(k->ctx, g, &p);
    json_object_foreach((json_t *)v, key, want)
    {
        unsigned i, j;

        if (!kat_check(k, sscanf(key, "%u,%u", &i, &j) == 2 && i < 128 && j < 2, "key %s", key))
            continue;
        qrt_ot_hash_to_curve(k->ctx, &p, sid, (uint16_t)i, (uint8_t)j, g);
        qrt_pt_encode(k->ctx, out, &p);
        kat_bytes(k, want, out, sizeof out, key);
    }
}

static void gadget(struct kat *k, const json_t *v)
{
    const char *key;
    json_t *want;

    json_object_foreach((json_t *)v, key, want)
    {
        unsigned j = QRT_XI;

        if (kat_check(k, sscanf(key, "%u", &j) == 1 && j < QRT_XI, "key %s", key))
            scalar_is(k, want, &k->ctx->gadget[j], key);
    }
}

static void gf128(struct kat *k, const json_t *v)
{
    uint8_t a[16], b[16], r[16];

    if (kat_check(k, kat_unhex(a, 16, json_object_get(v, "a")), "a is not 16 bytes") &&
        kat_check(k, kat_unhex(b, 16, json_object_get(v, "b")), "b is not 16 bytes")) {
        qrt_gf128_mul(k->ctx, r, a, b);
        kat_bytes(k, json_object_get(v, "ab"), r, 16, "a b");
    }
    memset(a, 0, sizeof a);
    memset(b, 0, sizeof b);
    a[15] = 0x80;
    b[0] = 2;
    qrt_gf128_mul(k->ctx, r, a, b);
    kat_bytes(k, json_object_get(v, "x127*x"), r, 16, "X^127 X");
}

/* One ordered pair from base OT to random VOLE; each part needs the one before it. */
struct pair {
    uint8_t sid[32];
    struct qrt_ot_recv recv;
    uint8_t ot1[QRT_OT1_BYTES], b33[33];
    uint8_t keys[QRT_OT_N][2][16], chosen[QRT_OT_N][16];
    qrt_seeds bob, alice;
    uint8_t delta[16], pprf[QRT_PPRF_BYTES];
    struct qrt_rvole_bob st_bob;
    struct qrt_rvole_alice st_alice;
    uint8_t e1[QRT_E1_BYTES], e2[QRT_E2_BYTES];
};

static void base_ot(const struct kat *k, struct pair *p)
{
    static struct qrt_pt points[2 * QRT_OT_N];
    const struct qrt_ot1 ot1 = {p->sid, p->ot1, points};
    struct qrt_drbg rng;
    struct qrt_pt b;

    seed_of(k, p->sid, "kat");
    rng_of(k, &rng, "kat-ot-recv");
    qrt_ot_recv_start(k->ctx, &p->recv, p->ot1, p->sid, &rng);
    rng_of(k, &rng, "kat-ot-send");
    if (qrt_ot1_decode(k->ctx, points, p->ot1) != QRT_OK ||
        qrt_ot_send(k->ctx, p->b33, p->keys, &ot1, &rng) != QRT_OK)
        memset(p->b33, 0, sizeof p->b33);
    if (qrt_pt_decode(k->ctx, &b, p->b33))
        qrt_ot_recv_keys(k->ctx, p->chosen, &p->recv, p->sid, p->ot1, p->b33, &b);
}

static void base_ot_is(struct kat *k, const json_t *v, struct pair *p)
{
    bool chosen = true;

    kat_bytes(k, json_object_get(v, "sid"), p->sid, 32, "sid");
    kat_bytes(k, json_object_get(v, "choice_le"), p->recv.delta, 16, "choice_le");
    kat_hashed(k, json_object_get(v, "ot1_sha"), p->ot1, sizeof p->ot1, "OT1");
    kat_bytes(k, json_object_get(v, "ot1_first66"), p->ot1, 66, "OT1's first pair");
    kat_bytes(k, json_object_get(v, "B"), p->b33, 33, "B");
    kat_hashed(k, json_object_get(v, "keys_sha"), p->keys[0][0], sizeof p->keys, "the keys");
    for (size_t j = 0; j < 2; j++)
        kat_bytes(k, json_array_get(json_object_get(v, "key0"), j), p->keys[0][j], 16, "key 0");
    for (size_t i = 0; i < QRT_OT_N; i++)
        if (memcmp(p->chosen[i], p->keys[i][p->recv.delta[i / 8] >> (i % 8) & 1], 16) != 0)
            chosen = false;
    kat_check(k, chosen, "the receiver's keys are not the sender's chosen ones");
}

static void pprf(struct kat *k, struct pair *p)
{
    const struct pair *in = p;

    qrt_pprf_build(k->ctx, p->bob, p->pprf, p->sid, in->keys);
    if (qrt_pprf_eval(k->ctx, p->alice, p->delta, p->sid, p->recv.delta, in->chosen, p->pprf) !=
        QRT_OK)
        memset(p->alice, 0xFF, sizeof p->alice);
}

static void pprf_is(struct kat *k, const json_t *v, struct pair *p)
{
    bool same = true;

    kat_number(k, json_object_get(v, "msg_len"), sizeof p->pprf, "msg_len");
    kat_hashed(k, json_object_get(v, "msg_sha"), p->pprf, sizeof p->pprf, "the message");
    kat_hashed(k, json_object_get(v, "seeds_sha"), p->bob[0][0], sizeof p->bob, "the seeds");
    kat_bytes(k, json_object_get(v, "delta_le"), p->delta, 16, "delta_le");
    for (size_t t = 0; t < QRT_TREES; t++) {
        unsigned hidden = p->delta[t / 2] >> (4 * (t % 2)) & 15;

        kat_number(k, json_array_get(json_object_get(v, "ystar"), t), hidden, "ystar");
        for (unsigned y = 0; y < QRT_LEAVES; y++)
            if (memcmp(p->alice[t][y], y == hidden ? zero : p->bob[t][y], 16) != 0)
                same = false;
    }
    kat_check(k, same, "the receiver's leaves are not the sender's");
}

static void vole_is(struct kat *k, const json_t *v, struct pair *p)
{
    const struct pair *in = p;
    struct qrt_rvole_scratch *scratch = aligned_alloc(QRT_ALIGN, qrt_rvole_scratch_size());
    struct qrt_rvole_id id = {p->sid, 1, 2};
    struct qrt_sc a[2] = {{{0}}}, b, c[2] = {{{0}}}, d[2] = {{{0}}};
    struct qrt_drbg rng;
    uint8_t b32[32];

    for (size_t i = 0; i < 2; i++)
        kat_check(k,
                  kat_unhex(b32, 32, json_array_get(json_object_get(v, "a"), i)) &&
                      qrt_sc_decode(&a[i], b32),
                  "a %zu is no scalar", i);
    rng_of(k, &rng, "kat-bob");
    qrt_rvole_bob1(k->ctx, &p->st_bob, &b, p->e1, &id, in->bob, &rng, scratch);
    kat_bytes(k, json_object_get(v, "ssid"), p->sid, 32, "ssid");
    kat_number(k, json_object_get(v, "A"), id.alice, "A");
    kat_number(k, json_object_get(v, "B"), id.bob, "B");
    kat_bytes(k, json_object_get(v, "beta_le"), p->st_bob.beta, 64, "beta_le");
    scalar_is(k, json_object_get(v, "b"), &b, "b");
    kat_number(k, json_object_get(v, "e1_len"), sizeof p->e1, "e1_len");
    kat_hashed(k, json_object_get(v, "e1_sha"), p->e1, sizeof p->e1, "E1");
    kat_bytes(k, json_object_get(v, "eid"), p->st_bob.eid, 32, "eid");
    kat_bytes(k, json_object_get(v, "psi_row0"), p->st_bob.psi[0], 16, "psi_row0");
    kat_bytes(k, json_object_get(v, "psi_row511"), p->st_bob.psi[511], 16, "psi_row511");

    rng_of(k, &rng, "kat-alice");
    if (kat_check(k,
                  qrt_rvole_alice_check(k->ctx, &p->st_alice, &id, in->alice, p->delta, p->e1,
                                        scratch) == QRT_OK,
                  "E1 fails its check")) {
        qrt_rvole_alice(k->ctx, c, p->e2, &p->st_alice, a, &rng, scratch);
        kat_check(k,
                  qrt_rvole_e2_check(p->e2) == QRT_OK &&
                      qrt_rvole_bob2(k->ctx, d, &p->st_bob, p->e2, scratch) == QRT_OK,
                  "E2 fails its check");
    }
    kat_number(k, json_object_get(v, "e2_len"), sizeof p->e2, "e2_len");
    kat_hashed(k, json_object_get(v, "e2_sha"), p->e2, sizeof p->e2, "E2");
    kat_bytes(k, json_object_get(v, "eta_mu"), p->e2 + sizeof p->e2 - 64, 64, "eta_mu");
    for (size_t i = 0; i < 2; i++) {
        scalar_is(k, json_array_get(json_object_get(v, "c"), i), &c[i], "c");
        scalar_is(k, json_array_get(json_object_get(v, "d"), i), &d[i], "d");
    }
    free(scratch);
}

/* w = m phi + r v leaves a run, v does not: recover it with phi, the seed's second scalar. */
static void recover_v(const struct kat *k, struct qrt_sc *v, const uint8_t *round3,
                      const uint8_t r32[32], const char *name)
{
    struct qrt_sc phi, m, r, w;
    struct qrt_drbg rng;
    uint8_t digest[32];

    qrt_sha256(k->ctx, digest, "hello", 5);
    rng_of(k, &rng, name);
    qrt_drbg_scalar(&rng, k->ctx, &phi);
    qrt_drbg_scalar(&rng, k->ctx, &phi);
    qrt_sc_reduce(&m, digest);
    qrt_sc_reduce(&w, round3);
    qrt_sc_reduce(&r, r32);
    qrt_sc_mul(&m, &m, &phi);
    qrt_sc_sub(&w, &w, &m);
    qrt_sc_inv(&r, &r);
    qrt_sc_mul(v, &w, &r);
}

static void two_of_two_key(const struct kat *k, struct kat_key_input *in)
{
    in->params.n = in->params.t = 2;
    qrt_sha256(k->ctx, in->params.iid, "kat-iid", 7);
    for (uint16_t i = 0; i < 2; i++) {
        char name[32];

        in->parties[i].index = (uint16_t)(i + 1);
        qrt_party_default_x(&in->parties[i]);
        snprintf(name, sizeof name, "idkey%u", i + 1u);
        seed_of(k, in->parties[i].idk, name);
        snprintf(name, sizeof name, "kat-kg-%u", i + 1u);
        seed_of(k, in->seeds[i], name);
    }
}

static void two_of_two_signing(const struct kat *k, struct kat_sign_input *in, const char *what)
{
    char name[32];

    in->params.signers_n = 2;
    seed_of(k, in->params.iid, what);
    qrt_sha256(k->ctx, in->digest, "hello", 5);
    for (uint16_t i = 0; i < 2; i++) {
        in->signers[i] = (uint16_t)(i + 1);
        snprintf(name, sizeof name, "%s-%u", what, i + 1u);
        seed_of(k, in->seeds[i], name);
    }
}

static void key_is(struct kat *k, const json_t *v, const struct kat_group *key)
{
    for (uint16_t i = 0; i < 2; i++) {
        const struct qrt_share *share = kat_share(key, (uint16_t)(i + 1));

        if (!kat_check(k, share, "no share of party %u", i + 1u))
            continue;
        kat_bytes(k, json_object_get(v, "kgid"), share->kgid, 32, "kgid");
        kat_bytes(k, json_object_get(v, "pk"), share->pk, 33, "pk");
        kat_bytes(k, json_object_get(v, "cc"), share->cc, 32, "cc");
        kat_bytes(k, json_array_get(json_object_get(v, "x"), i), share->s, 32, "x");
        kat_bytes(k, json_array_get(json_object_get(v, "X"), i), share->parties[i].X, 33, "X");
    }
    for (size_t i = 0; i < key->msg_n; i++)
        if (key->msg[i].round == 4)
            kat_bytes(k, json_object_get(v, "conf"), key->msg[i].b + 80, 32, "conf");
}

static void result_is(struct kat *k, const json_t *v, const struct kat_group *g,
                      struct qrt_sig *sig)
{
    struct qrt_pubkey pk;
    struct qrt_hash digest;

    for (size_t i = 0; i < g->n; i++) {
        if (!kat_check(k, qrt_sign_result(g->run[i], sig, &pk, &digest) == QRT_OK, "no signature"))
            continue;
        kat_bytes(k, json_object_get(v, "pk"), pk.b, 33, "pk");
        kat_bytes(k, json_object_get(v, "r"), sig->r, 32, "r");
        kat_bytes(k, json_object_get(v, "s"), sig->s, 32, "s");
        kat_number(k, json_object_get(v, "recid"), sig->recid, "recid");
    }
}

static void point_of_nonces(const struct kat *k, uint8_t out[33], const struct kat_group *g)
{
    struct qrt_pt sum = {.inf = true}, p;

    for (size_t i = 0; i < g->msg_n; i++)
        if (g->msg[i].round == 2 && g->msg[i].to == 0 &&
            qrt_pt_decode(k->ctx, &p, g->msg[i].b + 80))
            qrt_pt_add(k->ctx, &sum, &sum, &p);
    memset(out, 0, 33);
    if (!sum.inf)
        qrt_pt_encode(k->ctx, out, &sum);
}

static void signature_is(struct kat *k, const json_t *v, struct kat_group *key)
{
    struct kat_sign_input in = {.key = key};
    struct kat_group g;
    struct qrt_sig sig = {.recid = 0};
    uint8_t point[33];
    struct qrt_sc sv;

    two_of_two_signing(k, &in, "kat-sg");
    kat_check(k, kat_sign(k, &g, &in) == QRT_OK, "signing fails");
    result_is(k, v, &g, &sig);
    kat_bytes(k, json_object_get(v, "m"), in.digest, 32, "m");
    if (g.n)
        kat_bytes(k, json_object_get(v, "ssid"), qrt_run_sid(g.run[0]), 32, "ssid");
    point_of_nonces(k, point, &g);
    kat_bytes(k, json_object_get(v, "R"), point, 33, "R");
    for (size_t i = 0; i < g.msg_n; i++) {
        const struct kat_msg *m = &g.msg[i];

        if (m->round != 3)
            continue;
        kat_bytes(k, json_array_get(json_object_get(v, "u"), m->from - 1u), m->b + 112, 32, "u");
        recover_v(k, &sv, m->b + 80, sig.r, m->from == 1 ? "kat-sg-1" : "kat-sg-2");
        scalar_is(k, json_array_get(json_object_get(v, "v"), m->from - 1u), &sv, "v");
    }
    kat_group_free(&g);
}

static void presignature_is(struct kat *k, const json_t *v, struct kat_group *key)
{
    const json_t *path = json_object_get(v, "path");
    struct kat_sign_input in = {.key = key};
    struct kat_group pre, g = {0};
    struct qrt_sig sig;

    two_of_two_signing(k, &in, "kat-ps");
    for (size_t i = 0; i < json_array_size(path) && i < QRT_PATH_MAX; i++)
        in.path[in.params.path_n++] = (uint32_t)json_integer_value(json_array_get(path, i));
    if (kat_check(k, kat_presign(k, &pre, &in) == QRT_OK, "presigning fails"))
        kat_check(k, kat_online(k, &g, &pre, &in, NULL) == QRT_OK, "the online round fails");
    result_is(k, v, &g, &sig);
    kat_group_free(&g);
    kat_group_free(&pre);
}

static void tweak_is(struct kat *k, const json_t *v, const struct kat_group *key)
{
    const struct qrt_share *share = kat_share(key, 1);
    const json_t *path = json_object_get(v, "path");
    uint32_t steps[QRT_PATH_MAX];
    struct qrt_pubkey pk;
    struct qrt_child child = {0};
    size_t n = json_array_size(path);

    for (size_t i = 0; i < n && i < QRT_PATH_MAX; i++)
        steps[i] = (uint32_t)json_integer_value(json_array_get(path, i));
    if (!kat_check(k, share && n <= QRT_PATH_MAX, "no key or a long path"))
        return;
    memcpy(pk.b, share->pk, sizeof pk.b);
    kat_check(k, qrt_derive(&child, k->ctx, &pk, share->cc, steps, n) == QRT_OK, "no such child");
    kat_bytes(k, json_object_get(v, "tau"), child.tweak, 32, "tau");
    kat_bytes(k, json_object_get(v, "pk"), child.pk.b, 33, "derived pk");
}

static void two_of_two(struct kat *k)
{
    const json_t *whole = json_object_get(k->file, "e2e_2of2");
    const json_t *child = json_object_get(k->file, "presign_bip32");
    struct kat_key_input in = {.params = {.created = 1700000000}};
    struct kat_group key;
    bool made;

    k->entry = "e2e_2of2";
    two_of_two_key(k, &in);
    made = kat_check(k, kat_keygen(k, &key, &in) == QRT_OK, "key generation fails");
    if (kat_check(k, whole, ABSENT) && made) {
        key_is(k, whole, &key);
        signature_is(k, whole, &key);
    }
    k->entry = "presign_bip32";
    if (kat_check(k, child, ABSENT) && made) {
        tweak_is(k, child, &key);
        presignature_is(k, child, &key);
    }
    kat_group_free(&key);
}

static void pair_vectors(struct kat *k)
{
    static const char *const names[] = {"baseot", "pprf", "rvole"};
    static void (*const tests[])(struct kat *, const json_t *, struct pair *) = {base_ot_is,
                                                                                 pprf_is, vole_is};
    struct pair *p = calloc(1, sizeof *p);

    if (!p)
        abort();
    base_ot(k, p);
    pprf(k, p);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *v = json_object_get(k->file, names[i]);

        k->entry = names[i];
        if (kat_check(k, v, ABSENT))
            tests[i](k, v, p);
    }
    free(p);
}

void kat_layers(struct kat *k)
{
    static const struct {
        const char *name;
        void (*test)(struct kat *, const json_t *);
    } simple[] = {{"T", labels},          {"TH", hash_th},    {"FH", hash_fh}, {"LH8", hash_lh8},
                  {"h2c", hash_to_curve}, {"gadget", gadget}, {"gf128", gf128}};

    for (size_t i = 0; i < sizeof simple / sizeof *simple; i++) {
        const json_t *v = json_object_get(k->file, simple[i].name);

        k->entry = simple[i].name;
        if (kat_check(k, v, ABSENT))
            simple[i].test(k, v);
    }
    pair_vectors(k);
    two_of_two(k);
}
