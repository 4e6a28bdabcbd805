/* SPDX-License-Identifier: Apache-2.0 */
/* Points over libsecp256k1's public API (protocol.md O.1, O.2).
 *
 * Zero scalars and the identity are answered here and never reach the library, so every call that
 * remains can fail only where its result is the identity; anything else is a bug. Results are
 * built in a local value, so |r| may be an operand. */
#include "math/point.h"

#include "base/assert.h"
#include "base/ct.h"
#include "base/wipe.h"
#include "math/scalar.h"

#include <secp256k1_ecdh.h>
#include <string.h>

static const struct qrt_pt identity = {.inf = true};

bool qrt_pt_decode(const struct qrt_ctx *ctx, struct qrt_pt *r, const uint8_t b[33])
{
    struct qrt_pt t = {.inf = false};

    if (!secp256k1_ec_pubkey_parse(ctx->secp, &t.p, b, 33)) {
        *r = identity;
        return false;
    }
    *r = t;
    return true;
}

void qrt_pt_encode(const struct qrt_ctx *ctx, uint8_t b[33], const struct qrt_pt *a)
{
    size_t len = 33;

    qrt_assert(!a->inf);
    secp256k1_ec_pubkey_serialize(ctx->secp, b, &len, &a->p, SECP256K1_EC_COMPRESSED);
}

void qrt_pt_base(const struct qrt_ctx *ctx, struct qrt_pt *r, const struct qrt_sc *k)
{
    struct qrt_pt t = {.inf = false};
    uint8_t key[32];
    int ok;

    if (qrt_sc_is_zero(k)) {
        *r = identity;
        return;
    }
    qrt_sc_encode(key, k);
    ok = secp256k1_ec_pubkey_create(ctx->secp, &t.p, key);
    qrt_wipe(key, sizeof key);
    qrt_public(&ok, sizeof ok, "true for every scalar from 1 to q-1");
    qrt_assert(ok);
    *r = t;
}

static int copy_compressed(uint8_t *out, const uint8_t *x, const uint8_t *y, void *data)
{
    (void)data;
    out[0] = (uint8_t)(2 | (y[31] & 1));
    memcpy(out + 1, x, 32);
    return 1;
}

bool qrt_pt_mul_encoded(const struct qrt_ctx *ctx, uint8_t b[33], const struct qrt_pt *p,
                        const struct qrt_sc *k)
{
    uint8_t key[32];
    int ok;

    qrt_assert(!p->inf);
    if (qrt_sc_is_zero(k)) {
        memset(b, 0, 33);
        return false;
    }
    qrt_sc_encode(key, k);
    ok = secp256k1_ecdh(ctx->secp, b, &p->p, key, copy_compressed, NULL);
    qrt_wipe(key, sizeof key);
    qrt_public(&ok, sizeof ok, "true for every scalar from 1 to q-1");
    qrt_assert(ok);
    return true;
}

void qrt_pt_mul_vartime(const struct qrt_ctx *ctx, struct qrt_pt *r, const struct qrt_pt *p,
                        const struct qrt_sc *k)
{
    struct qrt_pt t = *p;
    uint8_t key[32];
    int ok;

    if (p->inf || qrt_sc_is_zero(k)) {
        *r = identity;
        return;
    }
    qrt_sc_encode(key, k);
    ok = secp256k1_ec_pubkey_tweak_mul(ctx->secp, &t.p, key);
    qrt_assert(ok);
    *r = t;
}

void qrt_pt_add_base_vartime(const struct qrt_ctx *ctx, struct qrt_pt *r, const struct qrt_pt *p,
                             const struct qrt_sc *k)
{
    struct qrt_pt t = *p;
    uint8_t key[32];

    if (p->inf) {
        qrt_pt_base(ctx, r, k);
        return;
    }
    qrt_sc_encode(key, k); /* zero is a valid tweak */
    if (!secp256k1_ec_pubkey_tweak_add(ctx->secp, &t.p, key))
        t = identity;
    *r = t;
}

void qrt_pt_add(const struct qrt_ctx *ctx, struct qrt_pt *r, const struct qrt_pt *a,
                const struct qrt_pt *b)
{
    const secp256k1_pubkey *both[2] = {&a->p, &b->p};
    struct qrt_pt t = {.inf = false};

    if (a->inf || b->inf) {
        *r = a->inf ? *b : *a;
        return;
    }
    if (!secp256k1_ec_pubkey_combine(ctx->secp, &t.p, both, 2))
        t = identity;
    *r = t;
}

void qrt_pt_neg(const struct qrt_ctx *ctx, struct qrt_pt *r, const struct qrt_pt *a)
{
    struct qrt_pt t = *a;
    int ok;

    if (!a->inf) {
        ok = secp256k1_ec_pubkey_negate(ctx->secp, &t.p);
        qrt_assert(ok);
    }
    *r = t;
}

bool qrt_pt_equal(const struct qrt_ctx *ctx, const struct qrt_pt *a, const struct qrt_pt *b)
{
    if (a->inf || b->inf)
        return a->inf && b->inf;
    return secp256k1_ec_pubkey_cmp(ctx->secp, &a->p, &b->p) == 0;
}
