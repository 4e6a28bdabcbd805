/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of an ECDSA signature, verification, recovery. All public.
 *
 * The DER codec is strict both ways: minimal lengths, minimal integers, nothing after. 64 and 65
 * bytes are always the fixed forms; a DER signature that short has 2^-40 odds. */
#include "quorate/signature.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "math/scalar.h"

#include <secp256k1_recovery.h>
#include <string.h>

enum { TAG_SEQUENCE = 0x30, TAG_INTEGER = 0x02, ETHEREUM_V = 27 };

void qrt_sig_compact(uint8_t out[64], const struct qrt_sig *sig)
{
    memcpy(out, sig->r, 32);
    memcpy(out + 32, sig->s, 32);
}

/* Without leading zero bytes, but one in front of a high bit, and one byte for zero. */
static size_t put_integer(uint8_t out[35], const uint8_t b[32])
{
    size_t skip = 0, pad;

    while (skip < 31 && b[skip] == 0)
        skip++;
    pad = b[skip] >> 7;
    out[0] = TAG_INTEGER;
    out[1] = (uint8_t)(pad + 32 - skip);
    out[2] = 0;
    memcpy(out + 2 + pad, b + skip, 32 - skip);
    return 2 + pad + 32 - skip;
}

void qrt_sig_der(uint8_t out[QRT_DER_MAX], size_t *out_len, const struct qrt_ctx *ctx,
                 const struct qrt_sig *sig)
{
    uint8_t body[70];
    size_t len = put_integer(body, sig->r);

    (void)ctx;
    len += put_integer(body + len, sig->s);
    memset(out, 0, QRT_DER_MAX);
    out[0] = TAG_SEQUENCE;
    out[1] = (uint8_t)len;
    memcpy(out + 2, body, len);
    *out_len = 2 + len;
}

/* A positive integer of at most 32 significant bytes, in its one minimal form. */
static bool get_integer(uint8_t out[32], struct qrt_rd *r)
{
    const uint8_t tag = TAG_INTEGER;
    size_t len;
    const uint8_t *p;

    if (!qrt_rd_expect(r, &tag, 1))
        return false;
    len = qrt_rd_u8(r);
    p = qrt_rd_bytes(r, len);
    if (!p || len == 0 || p[0] >> 7 || (len > 1 && p[0] == 0 && !(p[1] >> 7)))
        return false;
    if (p[0] == 0) {
        p++;
        len--;
    }
    if (len > 32)
        return false;
    memset(out, 0, 32);
    memcpy(out + 32 - len, p, len);
    return true;
}

static bool parse_der(struct qrt_sig *out, const uint8_t *b, size_t len)
{
    const uint8_t tag = TAG_SEQUENCE;
    struct qrt_rd r = qrt_rd_init(b, len);
    size_t body;

    if (!qrt_rd_expect(&r, &tag, 1))
        return false;
    body = qrt_rd_u8(&r);
    return body == r.left && get_integer(out->r, &r) && get_integer(out->s, &r) && qrt_rd_end(&r);
}

static bool parse_fixed(struct qrt_sig *out, const uint8_t *b, size_t len)
{
    memcpy(out->r, b, 32);
    memcpy(out->s, b + 32, 32);
    if (len == 65)
        out->recid = b[64] >= ETHEREUM_V ? (uint8_t)(b[64] - ETHEREUM_V) : b[64];
    return out->recid <= 3;
}

static bool is_scalar(const uint8_t b[32])
{
    struct qrt_sc a;

    return qrt_sc_decode(&a, b) && !qrt_sc_is_zero(&a);
}

enum qrt_err qrt_sig_parse(struct qrt_sig *out, const struct qrt_ctx *ctx, const uint8_t *b,
                           size_t len)
{
    bool ok;

    (void)ctx;
    memset(out, 0, sizeof *out);
    ok = len == 64 || len == 65 ? parse_fixed(out, b, len) : parse_der(out, b, len);
    if (ok && is_scalar(out->r) && is_scalar(out->s))
        return QRT_OK;
    memset(out, 0, sizeof *out);
    return QRT_E_SIGNATURE;
}

enum qrt_err qrt_sig_verify(const struct qrt_ctx *ctx, const struct qrt_sig *sig,
                            const struct qrt_hash *hash, const struct qrt_pubkey *pk)
{
    uint8_t compact[64];
    secp256k1_ecdsa_signature s;
    secp256k1_pubkey p;

    qrt_sig_compact(compact, sig);
    if (!secp256k1_ecdsa_signature_parse_compact(ctx->secp, &s, compact) ||
        !secp256k1_ec_pubkey_parse(ctx->secp, &p, pk->b, sizeof pk->b) ||
        !secp256k1_ecdsa_verify(ctx->secp, &s, hash->b, &p))
        return QRT_E_SIGNATURE;
    return QRT_OK;
}

enum qrt_err qrt_sig_recover(struct qrt_pubkey *out, const struct qrt_ctx *ctx,
                             const struct qrt_sig *sig, const struct qrt_hash *hash)
{
    uint8_t compact[64];
    secp256k1_ecdsa_recoverable_signature s;
    secp256k1_pubkey p;
    size_t len = sizeof out->b;
    int written;

    memset(out, 0, sizeof *out);
    qrt_sig_compact(compact, sig);
    /* libsecp256k1 ends the process over a recovery id out of range. */
    if (sig->recid > 3 ||
        !secp256k1_ecdsa_recoverable_signature_parse_compact(ctx->secp, &s, compact, sig->recid) ||
        !secp256k1_ecdsa_recover(ctx->secp, &p, &s, hash->b))
        return QRT_E_SIGNATURE;
    written = secp256k1_ec_pubkey_serialize(ctx->secp, out->b, &len, &p, SECP256K1_EC_COMPRESSED);
    qrt_assert(written && len == sizeof out->b);
    return QRT_OK;
}
