/* SPDX-License-Identifier: Apache-2.0 */
/* What anybody can read off a message: the 80-byte header (protocol.md K.1), and how long the
 * message must be. For routers that cap sizes and for people who look at traffic; peers do this
 * themselves.
 *
 *   broadcast, abort   header | ext | payload | signature(64)   ext in round 1 only
 *   open private       header | payload                          its hash is in the sender's ext
 *   sealed private     header | ciphertext | tag(16)             as long as the payload, plus 16 */
#ifndef QUORATE_WIRE_H
#define QUORATE_WIRE_H

#include "quorate/types.h"

#define QRT_HEADER_BYTES 80
/* Who may read a message: all participants; one of them; all, and it ends the run. */
enum { QRT_KIND_BROADCAST = 0, QRT_KIND_PRIVATE = 1, QRT_KIND_ABORT = 2 };

/* The header's fields. |receiver| is QRT_EVERYBODY unless |kind| is private. |payload_len| counts
 * the plain payload: neither ext nor tag nor signature. |sid| names the run, the same in all its
 * messages; |echo| is a hash of the broadcasts of the round before. */
struct qrt_header {
    uint8_t protocol, profile, round, kind;
    uint16_t sender, receiver;
    uint32_t payload_len;
    uint8_t sid[32];
    uint8_t echo[32];
};

/* QRT_E_RECORD_FORMAT unless |b| starts with a header of this version: magic, a known protocol,
 * profile 1, round 1..4, kind 0..2. Nothing is authenticated. */
QRT_API QRT_MUST enum qrt_err qrt_header_decode(struct qrt_header *out, const uint8_t *b,
                                                size_t len);
/* The 80 bytes of |header|; any values. */
QRT_API void qrt_header_encode(uint8_t out[QRT_HEADER_BYTES], const struct qrt_header *header);

/* Exact payload bytes of a message, 0 if the protocol has none of that round and kind (K.2). */
QRT_API size_t qrt_payload_size(enum qrt_protocol protocol, uint8_t round, uint8_t kind, size_t t);

/* Bytes on the wire of that message in a run with |n| participants: header, what is attached to
 * it, payload, signature or tag. 0 if there is none. */
QRT_API size_t qrt_wire_size(enum qrt_protocol protocol, uint8_t round, uint8_t kind, size_t n,
                             size_t t);

#endif
