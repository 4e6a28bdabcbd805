/* SPDX-License-Identifier: Apache-2.0 */
/* A peer: a run and its envelope (protocol.md B.7), joined so that no host can get them wrong.
 *
 * Broadcasts are signed, private messages sealed or covered by a signed hash; what does not
 * authenticate is dropped, never a reason to abort, blame or burn. Use:
 *
 *     e = qrt_peer_recv(peer, wire, len);          QRT_E_AGAIN: offer it again later
 *     rec = qrt_peer_record(peer); store; qrt_peer_confirm(peer);
 *     while ((msg = qrt_peer_next(peer))) keep a copy of msg until the run ends, send it
 *
 * Everything that only reads (phase, culprit, waiting_for, results) is asked of qrt_peer_run(peer).
 * Memory of a peer holds secrets and pointers to itself; the rules of run.h hold. */
#ifndef QUORATE_PEER_H
#define QUORATE_PEER_H

#include "quorate/keygen.h"
#include "quorate/sign.h"

struct qrt_peer;

/* Bytes for a peer of |protocol|, as qrt_run_size; QRT_KEYGEN also for qrt_peer_resume. */
QRT_API size_t qrt_peer_size(enum qrt_protocol protocol, size_t n, size_t t);

struct qrt_peer_key {
    uint16_t index;
    uint8_t idpk[32]; /* Ed25519 public key; its SHA256 must be the roster's idk */
};

struct qrt_peer_params {
    const uint8_t *identity; /* own Ed25519 secret key, 64 bytes (libsodium's form); secret,
                                borrowed until the peer is wiped */
    const struct qrt_peer_key *keys; /* at least every participant's; borrowed for the call */
    size_t keys_n;
};

/* Secrets for one run, from the operating system, wiped by the start. */
struct qrt_entropy {
    uint8_t seed[32];
    uint8_t ephemeral[32];
};

/* As the starts of keygen.h and sign.h; QRT_E_IDENTITY if a key is missing or not the roster's. */
QRT_API QRT_MUST enum qrt_err qrt_peer_keygen(struct qrt_peer *peer, const struct qrt_ctx *ctx,
                                              const struct qrt_keygen_params *params,
                                              const struct qrt_peer_params *envelope,
                                              struct qrt_entropy *entropy);
QRT_API QRT_MUST enum qrt_err qrt_peer_sign(struct qrt_peer *peer, const struct qrt_ctx *ctx,
                                            const struct qrt_sign_params *params,
                                            const struct qrt_peer_params *envelope,
                                            struct qrt_entropy *entropy);
QRT_API QRT_MUST enum qrt_err qrt_peer_presign(struct qrt_peer *peer, const struct qrt_ctx *ctx,
                                               const struct qrt_sign_params *params,
                                               const struct qrt_peer_params *envelope,
                                               struct qrt_entropy *entropy);
QRT_API QRT_MUST enum qrt_err qrt_peer_online(struct qrt_peer *peer, const struct qrt_ctx *ctx,
                                              const struct qrt_online_params *params,
                                              const struct qrt_peer_params *envelope);

/* Go on after a restart from a pending share (qrt_share_open_pending): sends the very fourth-round
 * message the record holds, collects the missing ones, and ends with QRT_RECORD_SHARE as keygen
 * does. It never repeats rounds 1 to 3 (protocol.md F.7). |share| is copied. */
QRT_API QRT_MUST enum qrt_err qrt_peer_resume(struct qrt_peer *peer, const struct qrt_ctx *ctx,
                                              const struct qrt_share *share,
                                              const struct qrt_peer_params *envelope);

/* Take one message off the wire. QRT_E_AGAIN: not stored, do not acknowledge it, offer it again
 * after the next message. Class DROP: acknowledge and forget. Otherwise as qrt_run_recv. */
QRT_API QRT_MUST enum qrt_err qrt_peer_recv(struct qrt_peer *peer, const uint8_t *wire, size_t len);

/* As qrt_run_next, sealed or signed. A message is sealed once: to send it again, send the copy. */
QRT_API const struct qrt_msg *qrt_peer_next(struct qrt_peer *peer);

/* As the functions of run.h. */
QRT_API const struct qrt_record *qrt_peer_record(const struct qrt_peer *peer);
QRT_API QRT_MUST enum qrt_err qrt_peer_confirm(struct qrt_peer *peer);
QRT_API void qrt_peer_refuse(struct qrt_peer *peer);
QRT_API void qrt_peer_wipe(struct qrt_peer *peer);

QRT_API const struct qrt_run *qrt_peer_run(const struct qrt_peer *peer);
/* For qrt_presign_take. */
QRT_API struct qrt_run *qrt_peer_run_mut(struct qrt_peer *peer);

/* After a proven cheat: the signed messages and the failed check (evidence.h), or NULL. Lent until
 * the peer is wiped. */
QRT_API const uint8_t *qrt_peer_evidence(const struct qrt_peer *peer, size_t *len);

#endif
