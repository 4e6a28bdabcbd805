/* SPDX-License-Identifier: Apache-2.0 */
/* Distributed key generation, t of n (protocol.md F): four rounds, no dealer, no trusted party.
 *
 * Records on the way: QRT_RECORD_SHARE_PENDING before the fourth round's message leaves; with a
 * peer (peer.h) also QRT_RECORD_SHARE, the share with the certificate of all n parties, at the end.
 *
 *   round 1   commitments, and nonces that make the session's id fresh
 *   round 2   openings, a proof that every coefficient is known; the first half of every OT setup
 *   round 3   the dealt shares, chain code parts, the second half of every OT setup
 *   round 4   a signed confirmation of public key, chain code and all public shares
 *
 * One party sends 225 + 33 t + 12 737 (n-1) bytes of payload: 25 765 for 2-of-3 (protocol.md K.2).
 * Every party works about 600 verifications for each other one (docs/performance.md).
 *
 * "t of n" counts signers: t shares sign. (Some libraries call t-1 the threshold.) A key is real
 * only when all n parties have a certificate; until then no address of it may be shown to anybody.
 */
#ifndef QUORATE_KEYGEN_H
#define QUORATE_KEYGEN_H

#include "quorate/run.h"
#include "quorate/share.h"

/* One place in the roster of a key (protocol.md B.3). */
struct qrt_party {
    uint16_t index;
    /* SHA256 of the party's Ed25519 identity public key */
    uint8_t idk[32];
    /* Shamir x-coordinate, big-endian, usually the index: qrt_party_default_x */
    uint8_t x[32];
};

/* x = index, as a 32-byte number. Other coordinates must be distinct and nonzero mod q. */
QRT_API void qrt_party_default_x(struct qrt_party *party);

struct qrt_keygen_params {
    /* n of them, indices ascending; borrowed for the call */
    const struct qrt_party *parties;
    size_t n;
    /* any t shares sign, t-1 learn nothing */
    size_t t;
    /* this party's index */
    uint16_t own;
    /* intent and attempt (protocol.md B.3), see qrt_intent_iid */
    uint8_t iid[32];
    /* unix seconds, for the share record */
    uint64_t created;
};

/* Start a run in |run|, qrt_run_size(QRT_KEYGEN, n, t) bytes. |seed| is 32 bytes of the operating
 * system's randomness, used for this run alone; it is wiped. |ctx| must outlive the run.
 * Class INPUT: nothing was started; QRT_E_THRESHOLD, QRT_E_ROSTER and QRT_E_NOT_A_PARTY say what is
 * wrong with |params|. The own round-1 message waits in qrt_run_next.
 * CT: the seed and everything drawn from it do not show. */
QRT_API QRT_MUST enum qrt_err qrt_keygen_start(struct qrt_run *run, const struct qrt_ctx *ctx,
                                               const struct qrt_keygen_params *params,
                                               uint8_t seed[32]);

/* The new share, valid until the run is wiped; only in QRT_PHASE_DONE, otherwise NULL. It can sign
 * (sign.h) but, from a run without envelope, has no certificate: qrt_share_open would refuse its
 * record. Hosts keep the record of QRT_RECORD_SHARE instead. Secret. */
QRT_API const struct qrt_share *qrt_keygen_share(const struct qrt_run *run);

#endif
