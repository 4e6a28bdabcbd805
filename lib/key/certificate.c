/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates (protocol.md F.8): checking every signature, and rebuilding a signed fourth-round
 * message for a party that lacks it (F.7).
 *
 * Nothing of the signed bytes is stored but ssid0 and bh_2: header and payload are made from the
 * record, so a record that was changed anywhere that conf covers has no valid certificate. */
#include "key/certificate.h"

#include "base/bytes.h"
#include "hash/sha256.h"
#include "key/share.h"
#include "quorate/wire.h"
#include "wire/envelope.h"

#include <string.h>

enum { CONF_BYTES = 32, DEALER_BYTES = 34, ROUND = 4, SSID0_AT = 1, BH2_AT = 33 };

_Static_assert(QRT_CONFIRMATION_BYTES == QRT_HEADER_BYTES + CONF_BYTES + QRT_SIG_BYTES,
               "a fourth-round broadcast on the wire");

uint8_t qrt_certificate_protocol(const struct qrt_share *share)
{
    return share->certificate[0];
}

static size_t rows_n(const struct qrt_share *share)
{
    return (share->certificate_len - QRT_CERT_HEAD_BYTES) / sizeof(struct qrt_cert_row);
}

static const struct qrt_cert_row *row_at(const struct qrt_share *share, size_t i)
{
    const uint8_t *rows = share->certificate + QRT_CERT_HEAD_BYTES;

    return (const struct qrt_cert_row *)(const void *)rows + i;
}

/* The 112 bytes that come before the signature: header and conf. */
static void rebuild(uint8_t out[QRT_HEADER_BYTES + CONF_BYTES], const struct qrt_share *share,
                    const uint8_t conf[CONF_BYTES], uint16_t sender)
{
    struct qrt_header header = {.protocol = qrt_certificate_protocol(share),
                                .profile = share->profile,
                                .round = ROUND,
                                .kind = QRT_KIND_BROADCAST,
                                .sender = sender,
                                .receiver = QRT_EVERYBODY,
                                .payload_len = CONF_BYTES};

    memcpy(header.sid, share->certificate + SSID0_AT, sizeof header.sid);
    memcpy(header.echo, share->certificate + BH2_AT, sizeof header.echo);
    qrt_header_encode(out, &header);
    memcpy(out + QRT_HEADER_BYTES, conf, CONF_BYTES);
}

static void record_conf(const struct qrt_ctx *ctx, uint8_t conf[CONF_BYTES],
                        const struct qrt_share *share)
{
    qrt_share_conf(ctx, conf, qrt_certificate_protocol(share), share, share->certificate + BH2_AT);
}

/* The identity hash of a receiver or of a dealer that received nothing; NULL for a stranger. */
static const uint8_t *identity_hash(const struct qrt_share *share, uint16_t index)
{
    const struct qrt_share_party *party = qrt_share_party(share, index);

    if (party)
        return party->idk;
    for (size_t i = 0; i < share->dealers_n; i++) {
        const uint8_t *dealer = share->dealers + i * DEALER_BYTES;

        if (qrt_be16_get(dealer) == index)
            return dealer + 2;
    }
    return NULL;
}

static bool is_row_valid(const struct qrt_share *share, const struct qrt_ctx *ctx,
                         const struct qrt_cert_row *row, const uint8_t conf[CONF_BYTES])
{
    uint16_t index = qrt_be16_get(row->index);
    const uint8_t *idk = identity_hash(share, index);
    uint8_t hash[32];
    uint8_t message[QRT_HEADER_BYTES + CONF_BYTES];
    struct qrt_signed m = {
        .header = message, .payload = message + QRT_HEADER_BYTES, .payload_len = CONF_BYTES};

    if (!idk)
        return false;
    qrt_sha256(ctx, hash, row->idpk, sizeof row->idpk);
    if (memcmp(hash, idk, sizeof hash) != 0)
        return false;
    rebuild(message, share, conf, index);
    return qrt_envelope_verify(ctx, row->sig, &m, row->idpk);
}

enum qrt_err qrt_certificate_verify(const struct qrt_share *share, const struct qrt_ctx *ctx)
{
    uint8_t conf[CONF_BYTES];
    uint16_t before = 0;

    record_conf(ctx, conf, share);
    if ((share->flags & QRT_SHARE_PENDING) && qrt_be16_get(row_at(share, 0)->index) != share->own)
        return QRT_E_RECORD_CERTIFICATE;
    for (size_t i = 0; i < rows_n(share); i++) {
        const struct qrt_cert_row *row = row_at(share, i);

        if (qrt_be16_get(row->index) <= before || !is_row_valid(share, ctx, row, conf))
            return QRT_E_RECORD_CERTIFICATE;
        before = qrt_be16_get(row->index);
    }
    return QRT_OK;
}

enum qrt_err qrt_share_confirmation(const struct qrt_share *share, const struct qrt_ctx *ctx,
                                    uint16_t index, uint8_t out[QRT_CONFIRMATION_BYTES])
{
    uint8_t conf[CONF_BYTES];

    for (size_t i = 0; i < rows_n(share); i++) {
        const struct qrt_cert_row *row = row_at(share, i);

        if (qrt_be16_get(row->index) != index)
            continue;
        record_conf(ctx, conf, share);
        rebuild(out, share, conf, index);
        memcpy(out + QRT_HEADER_BYTES + CONF_BYTES, row->sig, sizeof row->sig);
        return QRT_OK;
    }
    memset(out, 0, QRT_CONFIRMATION_BYTES);
    return QRT_E_SIGNER;
}
