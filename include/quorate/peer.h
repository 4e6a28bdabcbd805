/* SPDX-License-Identifier: Apache-2.0 */
/* A peer: a run and its envelope (protocol.md B.7), joined so that no host can get them wrong.
 *
 * Broadcasts are signed, private messages sealed or covered by a signed hash; what does not
 * authenticate is dropped, never a reason to abort, blame or burn. Use:
 *
 *     e = qrt_peer_recv(peer, wire, len);          QRT_E_AGAIN: offer it again later
 *     while ((rec = qrt_peer_record(peer))) store it, then qrt_peer_confirm(peer); if it cannot be
 *                                                  stored, qrt_peer_refuse(peer)
 *     while ((msg = qrt_peer_next(peer))) keep a copy of msg until the run ends, send it
 *
 * Everything that only reads (phase, culprit, waiting_for, results) is asked of qrt_peer_run(peer).
 * Memory of a peer holds secrets and pointers to itself; the rules of run.h hold.
 *
 * A whole signature, but for I/O:
 *
 *     struct qrt_peer *peer = sodium_malloc(qrt_peer_size(QRT_SIGN, t, t));
 *     struct qrt_sign_params what = {.share = &share, .signers = signers, .signers_n = t,
 *                                    .message = {QRT_DIGEST_KECCAK256, tx, tx_len}};
 *     struct qrt_peer_params who = {.identity = secret, .keys = keys, .keys_n = n};
 *     struct qrt_entropy entropy;
 *
 *     qrt_intent_iid(what.iid, ctx, intent, intent_len, attempt);
 *     randombytes_buf(&entropy, sizeof entropy);
 *     e = qrt_peer_sign(peer, ctx, &what, &who, &entropy);
 *     while (!e && qrt_run_phase(qrt_peer_run(peer)) == QRT_PHASE_RUNNING) {
 *         deal with qrt_peer_record(peer), send qrt_peer_next(peer), wait for a message;
 *         e = qrt_peer_recv(peer, wire, len); class WAIT and DROP are no errors here
 *     }
 *     if (!e) e = qrt_sign_result(qrt_peer_run(peer), &sig, NULL, NULL);
 *     send what qrt_peer_next still gives, then qrt_peer_wipe(peer);
 *
 * A whole program is examples/two_of_three.c. A peer knows its own messages: they are not fed back
 * to it. The memory must be aligned to QRT_ALIGN; sizes are multiples of it, so that allocators
 * that put the end of a block at the end of a page (sodium_malloc) align the start.
 *
 * Who travels how (protocol.md B.7): broadcasts are signed and public; the first private message of
 * signing travels open and is covered by a hash in the sender's signed broadcast; every other
 * private message is sealed under a key for this run, round and direction alone. Ephemeral keys
 * make recorded traffic useless to whoever gets identity keys or share records later. */
#ifndef QUORATE_PEER_H
#define QUORATE_PEER_H

#include "quorate/keygen.h"
#include "quorate/sign.h"

struct qrt_peer;

/* Bytes for a peer of |protocol|, as qrt_run_size; QRT_KEYGEN also for qrt_peer_resume. */
QRT_API size_t qrt_peer_size(enum qrt_protocol protocol, size_t n, size_t t);

/* Whom the host takes for party |index|: from its own configuration, a certifying authority or an
 * invitation, never from the network that carries the messages. */
struct qrt_peer_key {
    uint16_t index;
    /* Ed25519 public key; its SHA256 must be the roster's idk */
    uint8_t idpk[32];
};

/* The envelope's side of a start. */
struct qrt_peer_params {
    /* own Ed25519 secret key, 64 bytes in libsodium's form; borrowed until the peer is wiped */
    const uint8_t *identity;
    /* at least every participant's; borrowed for the call */
    const struct qrt_peer_key *keys;
    size_t keys_n;
};

/* Secrets for one run, 64 bytes from the operating system, wiped by the start whatever it answers.
 * Two runs with the same entropy give away the key. */
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

/* As qrt_run_next, sealed or signed, and given once: a message is sealed once, and to send it again
 * is to send the copy. |b| are the bytes for the wire; qrt_wire_size tells how many (wire.h). */
QRT_API const struct qrt_msg *qrt_peer_next(struct qrt_peer *peer);

/* As the functions of run.h; the records are those of a run, with the certificate that only the
 * envelope can collect. */
QRT_API const struct qrt_record *qrt_peer_record(const struct qrt_peer *peer);
QRT_API QRT_MUST enum qrt_err qrt_peer_confirm(struct qrt_peer *peer);
QRT_API void qrt_peer_refuse(struct qrt_peer *peer);
QRT_API void qrt_peer_wipe(struct qrt_peer *peer);

/* The run inside, for the readers of run.h and the results of keygen.h and sign.h. */
QRT_API const struct qrt_run *qrt_peer_run(const struct qrt_peer *peer);
/* The same for qrt_presign_take, which changes it. Never for qrt_run_recv and qrt_run_next. */
QRT_API struct qrt_run *qrt_peer_run_mut(struct qrt_peer *peer);

/* The broadcast of participant |index| (own included) in round |round|, as it travelled: what
 * parties exchange after QRT_E_ECHO to find out who said two things (qrt_evidence_compare). Also
 * after a failure, until the wipe. QRT_E_STATE if there is none, QRT_E_SPACE if out->cap is less
 * than qrt_wire_size says. */
QRT_API QRT_MUST enum qrt_err qrt_peer_broadcast(const struct qrt_peer *peer, struct qrt_bytes *out,
                                                 uint8_t round, uint16_t index);

/* After a proven cheat: the signed messages and the failed check (evidence.h), or NULL. Lent until
 * the peer is wiped. */
QRT_API const uint8_t *qrt_peer_evidence(const struct qrt_peer *peer, size_t *len);

#endif
