/* SPDX-License-Identifier: Apache-2.0 */
/* Fixed-size values and limits that every header shares. */
#ifndef QUORATE_TYPES_H
#define QUORATE_TYPES_H

#include "quorate/error.h"

#include <stddef.h>
#include <stdint.h>

#define QRT_PARTIES_MAX 64   /* n, protocol.md A.1 */
#define QRT_INDEX_MAX 65534  /* party indices are 1 .. QRT_INDEX_MAX */
#define QRT_EVERYBODY 0xFFFF /* the receiver of a broadcast */
#define QRT_PATH_MAX 16      /* BIP32 levels */
#define QRT_MESSAGE_MAX 65536
#define QRT_ALIGN 64 /* alignment of memory given for qrt_ctx, qrt_run and qrt_peer */

enum qrt_suite { QRT_SUITE_ECDSA = 0x01 };
enum qrt_profile { QRT_PROFILE_1 = 0x01 };
enum qrt_protocol {
    QRT_KEYGEN = 0x01,
    QRT_SIGN = 0x03,
    QRT_PRESIGN = 0x04,
    QRT_ONLINE = 0x05
};

struct qrt_hash {
    uint8_t b[32];
};

/* A point of secp256k1, compressed SEC1: 02 or 03, then x. */
struct qrt_pubkey {
    uint8_t b[33];
};

/* An ECDSA signature, r then s, big-endian, s <= (q-1)/2, with the recovery id 0..3. */
struct qrt_sig {
    uint8_t r[32];
    uint8_t s[32];
    uint8_t recid;
};

/* How the 32 signed bytes come from a message. QRT_DIGEST_LOCAL is the caller's statement that it
 * computed the digest itself: raw bytes chosen by somebody else allow forgeries (protocol.md G.1). */
enum qrt_digest { QRT_DIGEST_LOCAL, QRT_DIGEST_SHA256, QRT_DIGEST_KECCAK256 };

#endif
