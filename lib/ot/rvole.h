/* SPDX-License-Identifier: Apache-2.0 */
/* OT extension and random VOLE for one ordered pair (protocol.md D.5-D.7, E): Bob gets b and d,
 * Alice with inputs a_0, a_1 gets c, and c_i + d_i = a_i b. */
#ifndef QRT_OT_RVOLE_H
#define QRT_OT_RVOLE_H

#include "hash/drbg.h"
#include "ot/pprf.h"
#include "quorate/error.h"

#define QRT_E1_BYTES 2640
#define QRT_E2_BYTES 49248

/* ctx->gadget (protocol.md E); labels must be initialised. */
void qrt_gadget_init(struct qrt_ctx *ctx);

/* The session and the pair an instance is bound to. */
struct qrt_rvole_id {
    const uint8_t *ssid; /* 32 */
    uint16_t alice, bob;
};

/* What Bob keeps between E1 and E2. Secret. */
struct qrt_rvole_bob {
    uint8_t beta[64];
    uint8_t eid[32];
    uint8_t psi[QRT_XI][16];
};

/* What Alice keeps of a checked E1. Secret. */
struct qrt_rvole_alice {
    uint8_t eid[32];
    uint8_t zeta[QRT_XI][16];
    uint8_t delta[16];
};

/* Working memory of the functions below, aligned to 64 bytes (asserted), wiped by each before it
 * returns; too large for a stack. */
struct qrt_rvole_scratch;
size_t qrt_rvole_scratch_size(void);

/* Bob: draw beta, nonceB, tail; write E1; |b| = sum of beta_j g_j. CT. */
void qrt_rvole_bob1(const struct qrt_ctx *ctx, struct qrt_rvole_bob *st, struct qrt_sc *b,
                    uint8_t e1[QRT_E1_BYTES], const struct qrt_rvole_id *id, const qrt_seeds seeds,
                    struct qrt_drbg *rng, struct qrt_rvole_scratch *scratch);

/* Alice: the check of D.6. QRT_E_SG_EXTENSION: burn the pair; then |st| is zero. CT in seeds,
 * delta. */
QRT_MUST enum qrt_err qrt_rvole_alice_check(const struct qrt_ctx *ctx, struct qrt_rvole_alice *st,
                                            const struct qrt_rvole_id *id, const qrt_seeds seeds,
                                            const uint8_t delta[16], const uint8_t e1[QRT_E1_BYTES],
                                            struct qrt_rvole_scratch *scratch);

/* Alice: draw nonceA and a^; write E2; c[0], c[1]. Wipes |st|. CT. */
void qrt_rvole_alice(const struct qrt_ctx *ctx, struct qrt_sc c[2], uint8_t e2[QRT_E2_BYTES],
                     struct qrt_rvole_alice *st, const struct qrt_sc a[2], struct qrt_drbg *rng,
                     struct qrt_rvole_scratch *scratch);

/* K.3 for E2: QRT_E_MALFORMED_PRIVATE unless every a~ and eta is below q. */
QRT_MUST enum qrt_err qrt_rvole_e2_check(const uint8_t e2[QRT_E2_BYTES]);

/* Bob: QRT_E_SG_MULTIPLICATION if mu does not match, then d is zero. |e2| has passed e2_check.
 * Wipes |st|: a second answer for the same beta would be an oracle for it. CT. */
QRT_MUST enum qrt_err qrt_rvole_bob2(const struct qrt_ctx *ctx, struct qrt_sc d[2],
                                     struct qrt_rvole_bob *st, const uint8_t e2[QRT_E2_BYTES],
                                     struct qrt_rvole_scratch *scratch);

#endif
