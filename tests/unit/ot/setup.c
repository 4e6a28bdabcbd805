/* SPDX-License-Identifier: Apache-2.0 */
#include "setup.h"

#include "base/ct.h"
#include "hash/sha256.h"
#include "ot/baseot.h"

#include <jansson.h>
#include <string.h>

static const json_t *kat_find(const char *group, const char *name)
{
    static json_t *kats;

    if (!kats)
        kats = json_load_file(OT_KATS, 0, NULL);
    assert_non_null(kats);
    return json_object_get(json_object_get(kats, group), name);
}

const char *kat_text(const char *group, const char *name)
{
    const char *s = json_string_value(kat_find(group, name));

    assert_non_null(s);
    return s;
}

const char *kat_item(const char *group, const char *name, size_t i)
{
    const char *s = json_string_value(json_array_get(kat_find(group, name), i));

    assert_non_null(s);
    return s;
}

int kat_int(const char *group, const char *name, size_t i)
{
    const json_t *v = json_array_get(kat_find(group, name), i);

    assert_true(json_is_integer(v));
    return (int)json_integer_value(v);
}

void setup_drbg(const struct qrt_ctx *ctx, struct qrt_drbg *rng, const char *name)
{
    uint8_t seed[32];

    qrt_sha256(ctx, seed, name, strlen(name));
    qrt_drbg_start(rng, ctx, seed);
}

void setup_sid(const struct qrt_ctx *ctx, uint8_t sid[32])
{
    qrt_sha256(ctx, sid, "kat", 3);
}

void assert_sha(const struct qrt_ctx *ctx, const void *b, size_t len, const char *hex)
{
    uint8_t digest[32];

    qrt_sha256(ctx, digest, b, len);
    assert_true(test_is_hex(digest, 32, hex));
}

void setup_send(const struct qrt_ctx *ctx, uint8_t b33[33], uint8_t both[QRT_OT_N][2][16],
                const struct qrt_ot1 *ot1, struct qrt_drbg *rng)
{
    static struct qrt_pt points[2 * QRT_OT_N];
    const struct qrt_ot1 whole = {ot1->sid, ot1->b, points};

    assert_int_equal(qrt_ot1_decode(ctx, points, ot1->b), QRT_OK);
    assert_int_equal(qrt_ot_send(ctx, b33, both, &whole, rng), QRT_OK);
}

void setup_kat_pair(const struct qrt_ctx *ctx, struct pair_seeds *p)
{
    static uint8_t ot1[QRT_OT1_BYTES], msg[QRT_PPRF_BYTES];
    uint8_t sid[32], b33[33], both[QRT_OT_N][2][16], keys[QRT_OT_N][16];
    struct qrt_ot_recv recv;
    struct qrt_drbg rng;
    struct qrt_pt b;

    setup_sid(ctx, sid);
    setup_drbg(ctx, &rng, "kat-ot-recv");
    qrt_ot_recv_start(ctx, &recv, ot1, sid, &rng);
    setup_drbg(ctx, &rng, "kat-ot-send");
    setup_send(ctx, b33, both, &(struct qrt_ot1){.sid = sid, .b = ot1}, &rng);
    assert_true(qrt_pt_decode(ctx, &b, b33));
    qrt_ot_recv_keys(ctx, keys, &recv, sid, ot1, b33, &b);
    qrt_pprf_build(ctx, p->bob, msg, sid, (const uint8_t(*)[2][16])both);
    assert_int_equal(
        qrt_pprf_eval(ctx, p->alice, p->delta, sid, recv.delta, (const uint8_t(*)[16])keys, msg),
        QRT_OK);
}

void setup_pair_delta(struct pair_seeds *p, struct test_rng *rng, const uint8_t delta[16])
{
    test_rng_bytes(rng, (uint8_t *)p->bob, sizeof p->bob);
    memcpy(p->alice, p->bob, sizeof p->alice);
    memcpy(p->delta, delta, 16);
    for (size_t tau = 0; tau < QRT_TREES; tau++)
        memset(p->alice[tau][delta[tau / 2] >> 4 * (tau % 2) & 15], 0, 16);
}

void setup_pair(struct pair_seeds *p, struct test_rng *rng)
{
    uint8_t delta[16];

    test_rng_bytes(rng, delta, sizeof delta);
    setup_pair_delta(p, rng, delta);
}
