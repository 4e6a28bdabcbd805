/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of a cheat: the messages that the accused signed, and the check that fails on them.
 * Anybody who knows the accused's identity key can verify it; nothing in it is secret.
 *
 *   QRT_E_EQUIVOCATION           two broadcasts for one round of one session
 *   QRT_E_MALFORMED_BROADCAST    a field out of range
 *   QRT_E_WEAK_EPHEMERAL         an ephemeral key of small order
 *   QRT_E_KG_COMMITMENT, QRT_E_SG_COMMITMENT   an opening that does not fit its commitment
 *   QRT_E_KG_PROOF               a proof of knowledge that does not verify
 *   QRT_E_KG_CONFIRMATION        a confirmation that differs from what all messages together say
 *   QRT_E_SG_EXTENSION           the messages of a failed extension check (|proven| is false)
 *
 * Private cheats (class B1) leave none: what was sealed is not signed. Ban on evidence only, and
 * only the pair; an abort message is never evidence. */
#ifndef QUORATE_EVIDENCE_H
#define QUORATE_EVIDENCE_H

#include "quorate/context.h"

/* What verified evidence says. */
struct qrt_evidence {
    /* the check that failed */
    enum qrt_err error;
    uint16_t accused;
    /* of the accused: compare it with the roster you trust */
    uint8_t idpk[32];
    uint8_t sid[32];
    /* False only for QRT_E_SG_EXTENSION: the signatures verify, but the check itself can be
     * repeated only by the party that holds Delta (protocol.md D.8). */
    bool proven;
};

/* Verify all signatures and repeat the check.
 * QRT_OK: the accused signed messages that no honest party sends.
 * QRT_E_EVIDENCE_PRIVATE: the accused signed these messages, but they convince only the party that
 * holds Delta, because nobody else can repeat the check (protocol.md D.8); |out| is filled,
 * |proven| is false. QRT_E_EVIDENCE: proves nothing. QRT_E_RECORD_FORMAT: not evidence. |out| is
 * zeroed then. */
QRT_API QRT_MUST enum qrt_err qrt_evidence_verify(struct qrt_evidence *out,
                                                  const struct qrt_ctx *ctx, const uint8_t *b,
                                                  size_t len);

/* Two broadcasts as they travelled, and whose they are said to be. */
struct qrt_said_twice {
    const uint8_t *a, *b;
    size_t a_len, b_len;
    const uint8_t *idpk; /* 32 */
};

/* Make evidence of equivocation out of two broadcasts that different parties got
 * (qrt_peer_broadcast). QRT_OK only if the result verifies: both signed by |idpk|, for one round of
 * one session, different. QRT_E_EVIDENCE if not; QRT_E_SPACE if out->cap is less than a_len + b_len
 * + 50. */
QRT_API QRT_MUST enum qrt_err qrt_evidence_compare(struct qrt_bytes *out, const struct qrt_ctx *ctx,
                                                   const struct qrt_said_twice *said);

#endif
