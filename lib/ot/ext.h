/* SPDX-License-Identifier: Apache-2.0 */
/* The OT extension with its consistency check (protocol.md D.5, D.6): from 32 trees to 128 columns
 * of 640 bits, V at the receiver (Bob) and W at the sender (Alice), column i of W = column i of V
 * plus, where Delta_i = 1, the choice vector. Internal to ot/: the pads and the products are
 * rvole.h. */
#ifndef QRT_OT_EXT_H
#define QRT_OT_EXT_H

#include "ot/pprf.h"

#define QRT_EXT_COLS 128

struct qrt_rvole_id;

/* E1. */
struct qrt_e1 {
    uint8_t nonce[32];
    uint8_t u[QRT_TREES][80];
    uint8_t x[16];
    uint8_t digest[32];
};

/* 640 bits, bit i of byte 0 first: the words are there for speed only, never for their value. */
struct qrt_ext_row {
    uint64_t w[10];
};

/* One extension. The caller gives |eid|, and Bob |choice|; the result is |cols|. Secret. */
struct qrt_ext {
    QRT_ALIGNED(64) struct qrt_ext_row cols[QRT_EXT_COLS];
    QRT_ALIGNED(64) struct qrt_ext_row rows[QRT_LEAVES];
    QRT_ALIGNED(64) uint8_t t[QRT_EXT_COLS][16];
    struct qrt_ext_row choice;
    uint8_t key[QRT_TREES][32];
    uint8_t chi[4][16];
    uint8_t eid[32];
};

/* eid = TH("ext/id", ssid, BE16 Alice, BE16 Bob, nonceB). */
void qrt_ext_id(const struct qrt_ctx *ctx, uint8_t eid[32], const struct qrt_rvole_id *id,
                const uint8_t nonce[32]);

/* Bob, D.6-1 to 5: V, and E1 but for its nonce. CT. */
void qrt_ext_recv(const struct qrt_ctx *ctx, struct qrt_ext *x, struct qrt_e1 *e1,
                  const qrt_seeds seeds);
/* Alice: W if E1 passes the check of D.6-2, otherwise QRT_E_SG_EXTENSION, and then |x| must be
 * wiped unread. CT in the seeds and |delta|. */
QRT_MUST enum qrt_err qrt_ext_send(const struct qrt_ctx *ctx, struct qrt_ext *x,
                                   const struct qrt_e1 *e1, const qrt_seeds seeds,
                                   const uint8_t delta[16]);

#endif
