/* SPDX-License-Identifier: Apache-2.0 */
/* See signature.h. */
#include "system/service/signature.h"

#include "system/core/ids.h"

#include <string.h>

enum { SCALAR_BYTES = 32, RECID_MAX = 3 };

bool signature_forms(struct signature_forms *out, const struct qrt_ctx *ctx, const uint8_t *b,
                     size_t len)
{
    uint8_t der[QRT_DER_MAX];
    size_t der_len = 0;
    struct qrt_sig sig;

    if (len != SIGNATURE_BYTES || qrt_sig_parse(&sig, ctx, b, len) != QRT_OK)
        return false;
    qrt_sig_der(der, &der_len, ctx, &sig);
    hex_encode(out->r, b, SCALAR_BYTES);
    hex_encode(out->s, b + SCALAR_BYTES, SCALAR_BYTES);
    hex_encode(out->compact, b, SIGNATURE_BYTES - 1);
    hex_encode(out->der, der, der_len);
    mpc__session__v1__signature__init(&out->message);
    out->message.r = out->r;
    out->message.s = out->s;
    out->message.recovery_id = sig.recid;
    out->message.der = out->der;
    out->message.compact = out->compact;
    return true;
}

bool signature_verify(const struct qrt_ctx *ctx, const uint8_t b[SIGNATURE_BYTES],
                      const struct qrt_hash *hash, const struct qrt_pubkey *pk)
{
    struct qrt_pubkey maker;
    struct qrt_sig sig;

    return qrt_sig_parse(&sig, ctx, b, SIGNATURE_BYTES) == QRT_OK &&
           qrt_sig_verify(ctx, &sig, hash, pk) == QRT_OK &&
           qrt_sig_recover(&maker, ctx, &sig, hash) == QRT_OK &&
           memcmp(maker.b, pk->b, sizeof maker.b) == 0;
}

bool signature_read(uint8_t out[SIGNATURE_BYTES], const Mpc__Session__V1__Signature *message)
{
    if (!message || message->recovery_id > RECID_MAX ||
        !hex_decode(out, SCALAR_BYTES, message->r) ||
        !hex_decode(out + SCALAR_BYTES, SCALAR_BYTES, message->s))
        return false;
    out[SIGNATURE_BYTES - 1] = (uint8_t)message->recovery_id;
    return true;
}
