/* SPDX-License-Identifier: Apache-2.0 */
/* Key certificates: what anybody may know and check of a key without a secret (protocol.md F.8).
 *
 * A party makes one from its active share and gives it away; whoever opens it knows that every
 * party of the roster signed the same result of the key generation: this key, this chain code,
 * these public shares. Whether the identities are the right ones is for the reader to compare,
 * with what it expected before the key was made.
 *
 *   head          "DKK1", version, suite, profile, kgid, epoch, key id, n, t, public key,
 *                 chain code
 *   n rows        index, identity hash, x-coordinate, public share
 *   dealers       those who dealt but received nothing (after a reshare)
 *   certificate   session, transcript hash, identity key and signature of every party and dealer
 *
 * 804 bytes for 2-of-3. The same key gives the same bytes at every party. The exact layout is in
 * docs/wire.md. Everything here is public and in variable time.
 */
#ifndef QUORATE_CERTIFICATE_H
#define QUORATE_CERTIFICATE_H

#include "quorate/share.h"

/* One signer: his index (big-endian), his identity key, his signature over the result. */
struct qrt_cert_row {
    uint8_t index[2];
    uint8_t idpk[32];
    uint8_t sig[64];
};

/* All pointers lead into the bytes that were opened, which must outlive this, unchanged; numbers
 * there are big-endian. */
struct qrt_key_certificate {
    const uint8_t *b;
    size_t len;
    uint8_t suite, profile;
    uint16_t n, t;
    /* dealers that received no share */
    uint16_t dealers_n;
    /* 0: a fresh key */
    uint32_t epoch;
    /* 32: the run that made the shares */
    const uint8_t *kgid;
    /* 32: the session that the signatures stand under (ssid0) */
    const uint8_t *session;
    /* 32: names the key over all epochs */
    const uint8_t *keyid;
    /* 33 */
    const uint8_t *pk;
    /* 32: chain code */
    const uint8_t *cc;
    /* n, ascending */
    const struct qrt_share_party *parties;
    /* dealers_n times 34: index, idk */
    const uint8_t *dealers;
    /* n + dealers_n, ascending */
    const struct qrt_cert_row *rows;
    size_t rows_n;
};

/* Bytes of a certificate of |n| parties with |d| dealers that received nothing. */
QRT_API size_t qrt_certificate_size(size_t n, size_t d);

/* Write the certificate of an open share. QRT_E_PENDING if not all parties have signed yet;
 * QRT_E_SPACE if it does not fit. */
QRT_API QRT_MUST enum qrt_err qrt_certificate_export(struct qrt_bytes *out,
                                                     const struct qrt_share *share);

/* Open a certificate from anywhere: exactly what qrt_share_open checks of a record's public part,
 * with the same answers. QRT_E_RECORD_FORMAT, _VERSION, _FIELD, _KEY, _CERTIFICATE; then |out| is
 * zeroed. */
QRT_API QRT_MUST enum qrt_err qrt_certificate_open(struct qrt_key_certificate *out,
                                                   const struct qrt_ctx *ctx, const uint8_t *b,
                                                   size_t len);

/* Is this the key that a keygen intent asked for? QRT_OK: these parties in these seats, this
 * threshold, and the run of one of the intent's attempts. QRT_E_RECORD_CERTIFICATE: another key,
 * even if the same parties made it, so that nobody on the way can pass off one key for another;
 * QRT_E_INTENT_FORMAT: no intent. Whether somebody signed the intent is for qrt_intent_verify. */
QRT_API QRT_MUST enum qrt_err
qrt_certificate_check_intent(const struct qrt_key_certificate *certificate,
                             const struct qrt_ctx *ctx, const uint8_t *intent, size_t len);

/* The identity key and signature of |index|; NULL if it is neither party nor dealer. */
QRT_API const struct qrt_cert_row *
qrt_certificate_row(const struct qrt_key_certificate *certificate, uint16_t index);

#endif
