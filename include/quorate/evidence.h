/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of a cheat: the messages that the accused signed, and the check that fails on them.
 * Anybody who knows the accused's identity key can verify it; nothing in it is secret. */
#ifndef QUORATE_EVIDENCE_H
#define QUORATE_EVIDENCE_H

#include "quorate/context.h"

struct qrt_evidence {
    enum qrt_err error; /* the check that failed */
    uint16_t accused;
    uint8_t idpk[32]; /* of the accused: compare it with the roster you trust */
    uint8_t sid[32];
    /* False only for QRT_E_SG_EXTENSION: the signatures verify, but the check itself can be
     * repeated only by the party that holds Delta (protocol.md D.8). */
    bool proven;
};

/* Verify all signatures and repeat the check. QRT_OK: the accused did sign messages that no honest
 * party sends (or see |proven|). QRT_E_EVIDENCE: proves nothing; QRT_E_RECORD_FORMAT: not evidence. */
QRT_API QRT_MUST enum qrt_err qrt_evidence_verify(struct qrt_evidence *out,
                                                  const struct qrt_ctx *ctx, const uint8_t *b,
                                                  size_t len);

#endif
