/* SPDX-License-Identifier: Apache-2.0 */
/* struct qrt_ctx: plain data, filled once by qrt_ctx_init (proto/ctx.c), read by everybody. */
#ifndef QRT_BASE_CTX_H
#define QRT_BASE_CTX_H

#include "base/port.h"
#include "quorate/context.h"

#define QRT_LABELS_MAX 64
#define QRT_XI 512 /* OTs per multiplication, protocol.md A.2 */

struct qrt_sc {
    qrt_limb v[QRT_LIMBS]; /* little-endian limbs, always below q */
};

struct qrt_ctx {
    const secp256k1_context *secp;
    unsigned cpu;                          /* QRT_CPU_* bits in use */
    uint8_t label[QRT_LABELS_MAX][32];     /* T(L), protocol.md B.1 */
    uint32_t label_mid[QRT_LABELS_MAX][8]; /* SHA-256 state after the block T(L) || T(L) */
    struct qrt_sc gadget[QRT_XI];          /* protocol.md E, ordinary (not Montgomery) form */
};

#endif
