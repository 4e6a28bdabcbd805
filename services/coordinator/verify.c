/* SPDX-License-Identifier: Apache-2.0 */
/* Checks through the library's public headers. */
#include "services/coordinator/verify.h"

#include "quorate/certificate.h"
#include "system/service/signature.h"

#include <sodium.h>

bool verify_signature(const struct coordinator *c, const struct record *r,
                      const ProtobufCBinaryData *signature)
{
    struct qrt_hash hash;
    struct qrt_pubkey pk;

    return signature->len == SIGNATURE_BYTES &&
           hex_decode(hash.b, sizeof hash.b, r->row.message_hash) &&
           hex_decode(pk.b, sizeof pk.b, r->row.public_key) &&
           signature_verify(c->ctx, signature->data, &hash, &pk);
}

bool verify_certificate(uint8_t result[32], char public_key[PUBLIC_KEY_MAX],
                        const struct coordinator *c, const struct record *r,
                        const ProtobufCBinaryData *certificate)
{
    const ProtobufCBinaryData *intent = &r->request->intent;
    struct qrt_key_certificate key;

    if (qrt_certificate_open(&key, c->ctx, certificate->data, certificate->len) != QRT_OK ||
        qrt_certificate_check_intent(&key, c->ctx, intent->data, intent->len) != QRT_OK)
        return false;
    crypto_hash_sha256(result, certificate->data, certificate->len);
    hex_encode(public_key, key.pk, 33);
    return true;
}
