/* SPDX-License-Identifier: Apache-2.0 */
/* Threshold ECDSA (protocol.md G): signing in three rounds; or presigning in two, without a message,
 * and one broadcast online when the message is there.
 *
 * Records on the way: QRT_RECORD_GATE before the second round leaves, QRT_RECORD_BURN after a
 * failed extension check, QRT_RECORD_CONSUMED before anything that depends on the message leaves
 * an online run. */
#ifndef QUORATE_SIGN_H
#define QUORATE_SIGN_H

#include "quorate/run.h"
#include "quorate/share.h"

/* What is signed. With QRT_DIGEST_LOCAL |message| is the 32-byte digest itself. */
struct qrt_message {
    enum qrt_digest digest;
    const uint8_t *b; /* borrowed for the call */
    size_t len;
};

struct qrt_sign_params {
    const struct qrt_share *share; /* must outlive the run */
    const uint16_t *signers;       /* exactly t indices, in any order, own included */
    size_t signers_n;
    uint8_t iid[32];      /* intent and attempt (protocol.md B.3), see qrt_intent_iid */
    const uint32_t *path; /* BIP32, non-hardened; NULL: the key itself */
    size_t path_n;
    struct qrt_message message; /* signing only; ignored by presigning */
};

/* Start a signing run in |run|, qrt_run_size(QRT_SIGN, t, t) bytes; |seed| as for keygen.
 * Class INPUT (quorum, burned pair, path, digest): nothing was started.
 * CT: the share, the seeds and the nonces do not show. */
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
QRT_API QRT_MUST enum qrt_err qrt_presign_take(struct qrt_run *run, uint64_t created,
                                               uint8_t *out, size_t len);

/* The public part of a presignature record. */
struct qrt_presig_info {
    uint8_t suite;
    uint8_t kgid[32];
    uint32_t epoch;
    uint8_t id[32]; /* the presigning run's sid; pools are indexed by it */
    uint16_t own;
    uint16_t t;
    uint16_t signers[QRT_PARTIES_MAX];
    struct qrt_pubkey pk; /* the derived key it signs for */
    uint64_t created;
};
QRT_API QRT_MUST enum qrt_err qrt_presig_inspect(struct qrt_presig_info *out,
                                                 const struct qrt_ctx *ctx, const uint8_t *record,
                                                 size_t len);

struct qrt_online_params {
    const struct qrt_share *share; /* the presignature's key and epoch; must outlive the run */
    uint8_t *presig;               /* wiped before anything else happens, whatever the answer */
    size_t presig_len;
    uint8_t req[32]; /* request nonce (protocol.md B.3), see qrt_intent_req */
    struct qrt_message message;
    /* Off by default (protocol.md G.6): sign with a further child of the presignature's key. */
    const uint32_t *late_path;
    size_t late_path_n;
};

/* Use a presignature, qrt_run_size(QRT_ONLINE, t, t) bytes. The first thing the run has is
 * QRT_RECORD_CONSUMED. */
QRT_API QRT_MUST enum qrt_err qrt_online_start(struct qrt_run *run, const struct qrt_ctx *ctx,
                                               const struct qrt_online_params *params);

/* The signature of a finished signing or online run, verified before it is given out; otherwise
 * QRT_E_STATE and |sig| zeroed. |pk|, |digest| may be NULL: the key it verifies under, the 32 bytes
 * signed. A failed run may still have produced a signature at a peer (lessons.md, cb-mpc 94). */
QRT_API QRT_MUST enum qrt_err qrt_sign_result(const struct qrt_run *run, struct qrt_sig *sig,
                                              struct qrt_pubkey *pk, struct qrt_hash *digest);

#endif
