/* SPDX-License-Identifier: Apache-2.0 */
/* The envelope as pure functions (protocol.md B.7, K.1): sign, verify, agree on keys, seal, open.
 * Which message needs what, and in which order a receiver checks, is proto/peer.c's. */
#ifndef QRT_WIRE_ENVELOPE_H
#define QRT_WIRE_ENVELOPE_H

#include "base/ctx.h"
#include "quorate/wire.h"

#include <stdbool.h>

#define QRT_SIG_BYTES 64
#define QRT_TAG_BYTES 16

/* What a broadcast's signature covers; |header| is the 80 encoded bytes. */
struct qrt_signed {
    const uint8_t *header;
    const uint8_t *ext;
    size_t ext_len;
    const uint8_t *payload;
    size_t payload_len;
};

/* Ed25519 over TH("wire/sign", header, ext, payload). |identity|: 64 bytes, secret. */
void qrt_envelope_sign(const struct qrt_ctx *ctx, uint8_t sig[QRT_SIG_BYTES],
                       const struct qrt_signed *m, const uint8_t identity[64]);
bool qrt_envelope_verify(const struct qrt_ctx *ctx, const uint8_t sig[QRT_SIG_BYTES],
                         const struct qrt_signed *m, const uint8_t idpk[32]);

/* TH("wire/open", header, payload): what the ext of a round-1 broadcast says of an open message. */
void qrt_envelope_open_hash(const struct qrt_ctx *ctx, uint8_t out[32],
                            const uint8_t header[QRT_HEADER_BYTES], const uint8_t *payload,
                            size_t len);

/* One side of a pair's key agreement; everything public. */
struct qrt_seal_side {
    uint16_t index;
    const uint8_t *idk; /* 32 */
    const uint8_t *ek;  /* 32 */
};

void qrt_seal_ephemeral(uint8_t ek[32], const uint8_t esk[32]);

/* PRK of the pair (B.7). False if the shared secret is zero: |peer|'s key is of small order; then
 * |prk| is zero. |sid|: 32 bytes. CT in |esk| and |prk|. */
bool qrt_seal_agree(const struct qrt_ctx *ctx, uint8_t prk[32], const uint8_t esk[32],
                    const struct qrt_seal_side *own, const struct qrt_seal_side *peer,
                    const uint8_t *sid, uint8_t protocol);

/* K of one message: this pair, this round, this direction. */
void qrt_seal_key(uint8_t key[32], const uint8_t prk[32], uint8_t round, uint16_t sender,
                  uint16_t receiver);

/* Seal in place: |wire| is header(80), |len| bytes of plaintext, room for the tag. |key| is wiped
 * before the cipher runs: a key seals one message. */
void qrt_seal(uint8_t *wire, size_t len, uint8_t key[32]);

/* Open header(80), ciphertext (|len| plaintext bytes), tag into |payload|. False: nothing
 * authentic; |payload| is zeroed and the key kept. True: the key is wiped. */
bool qrt_open(uint8_t *payload, const uint8_t *wire, size_t len, uint8_t key[32]);

#endif
