/* SPDX-License-Identifier: Apache-2.0 */
/* Threshold ECDSA (protocol.md G): signing in three rounds; or presigning in two, without a
 * message, and one broadcast online when the message is there.
 *
 * Records on the way: QRT_RECORD_GATE before the second round leaves, QRT_RECORD_BURN after a
 * failed extension check, QRT_RECORD_CONSUMED before anything that depends on the message leaves
 * an online run.
 *
 *   round 1   a commitment to the nonce share; to every peer the opening move of a multiplication
 *   round 2   the nonce share opens; to every peer the answer to his multiplication
 *   round 3   shares of numerator and denominator, from which anybody assembles the signature
 *
 * One signer sends 194 + 51 986 (t-1) bytes of payload: 52 180 for t = 2 (protocol.md K.2). The
 * signers are exactly t parties of the key, in one session with one message; nothing of a run
 * serves another. Everybody's policy decides before round 1: a participant may learn a signature
 * that the others never see, so a failed run means that a signature may exist.
 *
 * Presigning does the costly part ahead. Its result is worth as much as a key share: whoever holds
 * t of them for one id signs one message. It is used once, by the same signers, in the same epoch,
 * and it is re-randomised by a hash of message and key, so that it cannot be chosen to fit a
 * message. */
#ifndef QUORATE_SIGN_H
#define QUORATE_SIGN_H

#include "quorate/run.h"
#include "quorate/share.h"

/* What is signed. With QRT_DIGEST_LOCAL |message| is the 32-byte digest itself. */
struct qrt_message {
    enum qrt_digest digest;
    /* borrowed for the call */
    const uint8_t *b;
    size_t len;
};

/* Everything but |share| is borrowed for the call. */
struct qrt_sign_params {
    /* must outlive the run */
    const struct qrt_share *share;
    /* exactly t indices, in any order, own included */
    const uint16_t *signers;
    size_t signers_n;
    /* intent and attempt (protocol.md B.3), see qrt_intent_iid */
    uint8_t iid[32];
    /* BIP32, non-hardened; NULL: the key itself */
    const uint32_t *path;
    size_t path_n;
    /* signing only; ignored by presigning */
    struct qrt_message message;
};

/* Start a signing run in |run|, qrt_run_size(QRT_SIGN, t, t) bytes; |seed| as for keygen.
 * Class INPUT: nothing was started. QRT_E_QUORUM: not exactly t signers; QRT_E_SIGNER: one is no
 * party of the key or named twice; QRT_E_NOT_A_PARTY: the own index is missing; QRT_E_BURNED: a
 * pair with the own party is burned; QRT_E_PENDING, QRT_E_REFRESH_REQUIRED: the share must not
 * sign; QRT_E_PATH, QRT_E_DIGEST: the key or the message is not valid. CT: the share, the seeds and
 * the nonces do not show. */
QRT_API QRT_MUST enum qrt_err qrt_sign_start(struct qrt_run *run, const struct qrt_ctx *ctx,
                                             const struct qrt_sign_params *params,
                                             uint8_t seed[32]);

/* Start a presigning run, qrt_run_size(QRT_PRESIGN, t, t) bytes; |params->message| is ignored. */
QRT_API QRT_MUST enum qrt_err qrt_presign_start(struct qrt_run *run, const struct qrt_ctx *ctx,
                                                const struct qrt_sign_params *params,
                                                uint8_t seed[32]);

/* Bytes of a presignature record for threshold |t| (protocol.md G.6). */
#define QRT_PRESIG_BYTES(t) (312 + 2 * (size_t)(t))

/* Take the presignature out of a finished presigning run: a secret record of exactly
 * QRT_PRESIG_BYTES(t) bytes, for one use, in guarded memory, never in a backup. The run forgets it:
 * a second call is QRT_E_STATE. |created| is unix seconds. */
QRT_API QRT_MUST enum qrt_err qrt_presign_take(struct qrt_run *run, uint64_t created, uint8_t *out,
                                               size_t len);

/* The public part of a presignature record. |t| signers, ascending. |created| is unix seconds. */
struct qrt_presig_info {
    uint8_t suite;
    uint8_t kgid[32];
    uint32_t epoch;
    /* the presigning run's sid; pools are indexed by it */
    uint8_t id[32];
    uint16_t own;
    uint16_t t;
    uint16_t signers[QRT_PARTIES_MAX];
    /* the derived key it signs for */
    struct qrt_pubkey pk;
    uint64_t created;
};
/* Check every field of a record (protocol.md K.3) and tell its public part. The record stays
 * usable. QRT_E_RECORD_FORMAT, QRT_E_RECORD_VERSION, QRT_E_RECORD_FIELD; |out| is zeroed then. CT:
 * the secret scalars do not show, but whether they are in range does. */
QRT_API QRT_MUST enum qrt_err qrt_presig_inspect(struct qrt_presig_info *out,
                                                 const struct qrt_ctx *ctx, const uint8_t *record,
                                                 size_t len);

/* Everything but |presig| is borrowed for the call. */
struct qrt_online_params {
    /* the presignature's key and epoch; must outlive the run */
    const struct qrt_share *share;
    /* wiped before anything else happens, whatever the answer */
    uint8_t *presig;
    size_t presig_len;
    /* request nonce (protocol.md B.3), see qrt_intent_req */
    uint8_t req[32];
    struct qrt_message message;
    /* Off by default (protocol.md G.6): sign with a further child of the presignature's key. */
    const uint32_t *late_path;
    size_t late_path_n;
};

/* Use a presignature, qrt_run_size(QRT_ONLINE, t, t) bytes. The first thing the run has is
 * QRT_RECORD_CONSUMED. QRT_E_EPOCH: the presignature is of another key, epoch or party; class INPUT
 * as for qrt_sign_start otherwise, QRT_E_RECORD_FIELD or _KEY for a damaged record. The
 * presignature is gone in every case. Signers that were given different messages find out before
 * they assemble: QRT_E_ECHO. */
QRT_API QRT_MUST enum qrt_err qrt_online_start(struct qrt_run *run, const struct qrt_ctx *ctx,
                                               const struct qrt_online_params *params);

/* The signature of a finished signing or online run, verified before it is given out; otherwise
 * QRT_E_STATE and |sig| zeroed. |pk|, |digest| may be NULL: the key it verifies under, the 32 bytes
 * signed. A failed run may still have produced a signature at a peer. */
QRT_API QRT_MUST enum qrt_err qrt_sign_result(const struct qrt_run *run, struct qrt_sig *sig,
                                              struct qrt_pubkey *pk, struct qrt_hash *digest);

#endif
