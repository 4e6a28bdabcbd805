/* SPDX-License-Identifier: Apache-2.0 */
/* Checks through the library's public headers. */
#include "services/coordinator/verify.h"

#include "quorate/certificate.h"
#include "quorate/signature.h"

#include <sodium.h>
#include <string.h>

bool verify_signature(const struct coordinator *c, const struct record *r,
                      const ProtobufCBinaryData *signature)
{
    struct qrt_sig sig;
    struct qrt_hash hash;
    struct qrt_pubkey pk, maker;

    if (signature->len != SIGNATURE_LEN ||
        !hex_decode(hash.b, sizeof hash.b, r->row.message_hash) ||
        !hex_decode(pk.b, sizeof pk.b, r->row.public_key))
        return false;
    return qrt_sig_parse(&sig, c->ctx, signature->data, signature->len) == QRT_OK &&
           qrt_sig_verify(c->ctx, &sig, &hash, &pk) == QRT_OK &&
           qrt_sig_recover(&maker, c->ctx, &sig, &hash) == QRT_OK &&
           memcmp(maker.b, pk.b, sizeof pk.b) == 0;
}

static bool seats_as_intended(const struct qrt_key_certificate *key,
                              const struct qrt_intent *intent)
{
    uint8_t idk[32];

    if (key->n != intent->parties_n || key->dealers_n != 0 || key->t != intent->t)
        return false;
    for (size_t i = 0; i < key->rows_n; i++) {
        const struct qrt_cert_row *row = &key->rows[i];

        crypto_hash_sha256(idk, row->idpk, sizeof row->idpk);
        if ((row->index[0] << 8 | row->index[1]) != intent->parties[i] ||
            memcmp(idk, intent->idk[i], sizeof idk) != 0)
            return false;
    }
    return true;
}

bool verify_certificate(uint8_t result[32], char public_key[PUBLIC_KEY_MAX],
                        const struct coordinator *c, const struct record *r,
                        const ProtobufCBinaryData *certificate)
{
    struct qrt_key_certificate key;

    if (qrt_certificate_open(&key, c->ctx, certificate->data, certificate->len) != QRT_OK ||
        key.epoch != 0 || !seats_as_intended(&key, &r->intent))
        return false;
    crypto_hash_sha256(result, certificate->data, certificate->len);
    hex_encode(public_key, key.pk, 33);
    return true;
}
