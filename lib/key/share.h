/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of a share record (protocol.md F.8) for those who make one: proto/keygen.
 * quorate/share.h has what readers need. */
#ifndef QRT_KEY_SHARE_H
#define QRT_KEY_SHARE_H

#include "quorate/certificate.h"

/* One row behind struct qrt_share's |pairs|: what a party holds towards party j. Secret. */
struct qrt_share_pair {
    uint8_t index[2];
    uint8_t burn;
    uint8_t zs[32];
    uint8_t bob_seeds[8192];   /* qrt_seeds: this party is Bob towards j */
    uint8_t alice_seeds[8192]; /* slot y* zero: this party is Alice towards j */
    uint8_t delta[16];
};

/* "DKC" certificate head: u8 protocol, ssid0, bh_2, BE16 m. */
#define QRT_CERT_HEAD_BYTES 67

/* The row towards |j|, or NULL. Asserts that |share| is open. */
const struct qrt_share_pair *qrt_share_pair(const struct qrt_share *share, uint16_t j);

/* Where the parts of a record under construction are. */
struct qrt_share_draft {
    uint8_t *record;
    uint8_t *flags, *pk, *cc, *s, *kgid, *keyid;
    struct qrt_share_party *parties; /* n rows */
    struct qrt_share_pair *pairs;    /* n-1 rows */
    uint8_t *certificate;            /* head, then rows */
};

struct qrt_share_head {
    uint8_t suite, profile, flags;
    uint16_t n, t, own;
    uint32_t epoch;
    uint64_t created;
};

/* Lay out a record of qrt_share_size(n, 0, n) bytes at |record|: fixed fields are written, indices
 * of |pairs| too (from |indices|, n ascending, own left out), the rest is zero and the caller's to
 * fill. */
void qrt_share_draft(struct qrt_share_draft *out, uint8_t *record,
                     const struct qrt_share_head *head, const uint16_t *indices);

/* key_id = TH("kg/keyid", u8 suite, enc(pk)). */
void qrt_share_keyid(const struct qrt_ctx *ctx, uint8_t out[32], uint8_t suite,
                     const uint8_t pk[33]);

/* conf = TH("kg/conf" or "rs/conf", kgid, bh_2, enc(pk), cc, X_1..X_n) of the record's fields;
 * |protocol| is QRT_KEYGEN or 2 (protocol.md F.7). */
void qrt_share_conf(const struct qrt_ctx *ctx, uint8_t out[32], uint8_t protocol,
                    const struct qrt_share *share, const uint8_t bh2[32]);

/* View a record in memory without the certificate and without the checks against forgery: for the
 * run that has just made it. */
void qrt_share_view(struct qrt_share *out, const uint8_t *record, size_t len);

/* A burn record ("DKB1", docs/wire.md); |peers_n| indices. Returns its length, at most
 * QRT_BURN_MAX. */
#define QRT_BURN_MAX (45 + 2 * QRT_PARTIES_MAX)
size_t qrt_burn_encode(uint8_t out[QRT_BURN_MAX], const struct qrt_burn *burn);

#endif
