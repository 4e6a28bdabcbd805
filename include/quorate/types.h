/* SPDX-License-Identifier: Apache-2.0 */
/* Fixed-size values and limits that every header shares.
 *
 * Conventions of all headers:
 *   - arguments stand in the order machine or context, out, in/out, in; a length follows its array;
 *   - |const| means borrowed for the call, unless the comment says for longer;
 *   - what a function lends out is valid until the next call on the same object;
 *   - sizes are size_t and in bytes, _n counts items, numbers in byte arrays are big-endian;
 *   - a "CT" line says what of a secret may show in a call's timing; no line: nothing secret
 * enters;
 *   - outputs of a call that failed are zero, never half filled.
 */
#ifndef QUORATE_TYPES_H
#define QUORATE_TYPES_H

#include "quorate/error.h"

#include <stddef.h>
#include <stdint.h>

/* Parties of a key: 2 <= t <= n <= QRT_PARTIES_MAX (protocol.md A.1). */
#define QRT_PARTIES_MAX 64
/* A party index is 1 .. QRT_INDEX_MAX, fixed by the roster, and need not be dense. */
#define QRT_INDEX_MAX 65534
/* The receiver of a broadcast. */
#define QRT_EVERYBODY 0xFFFF
/* BIP32 levels below the group key. */
#define QRT_PATH_MAX 16
/* Bytes of a message that an intent carries. */
#define QRT_MESSAGE_MAX 65536
/* Alignment of the memory given for qrt_ctx, qrt_run and qrt_peer, in bytes. */
#define QRT_ALIGN 64

/* What a key signs with, and the parameters of the protocols (protocol.md A.2). Both stand in every
 * record and message; a value that is not listed is refused. */
enum qrt_suite { QRT_SUITE_ECDSA = 0x01 };
enum qrt_profile { QRT_PROFILE_1 = 0x01 };
/* As in the message header (protocol.md K.1). */
enum qrt_protocol { QRT_KEYGEN = 0x01, QRT_SIGN = 0x03, QRT_PRESIGN = 0x04, QRT_ONLINE = 0x05 };

/* A SHA-256 or Keccak-256 digest. */
struct qrt_hash {
    uint8_t b[32];
};

/* A point of secp256k1, compressed SEC1: 02 or 03, then x. */
struct qrt_pubkey {
    uint8_t b[33];
};

/* A caller's buffer for a result: |cap| bytes at |b|, of which |len| are written. */
struct qrt_bytes {
    uint8_t *b;
    size_t cap;
    size_t len;
};

/* An ECDSA signature, r then s, big-endian, s <= (q-1)/2, with the recovery id 0..3. */
struct qrt_sig {
    uint8_t r[32];
    uint8_t s[32];
    uint8_t recid;
};

/* How the 32 signed bytes come from a message. QRT_DIGEST_LOCAL is the caller's statement that it
 * computed the digest itself: raw bytes chosen by somebody else allow forgeries (protocol.md G.1).
 */
enum qrt_digest { QRT_DIGEST_LOCAL, QRT_DIGEST_SHA256, QRT_DIGEST_KECCAK256 };

#endif
