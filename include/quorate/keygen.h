/* SPDX-License-Identifier: Apache-2.0 */
/* Distributed key generation, t of n (protocol.md F): four rounds, no dealer, no trusted party.
 *
 * Records on the way: QRT_RECORD_SHARE_PENDING before the fourth round's message leaves; with a
 * peer (peer.h) also QRT_RECORD_SHARE, the share with the certificate of all n parties, at the end.
 */
#ifndef QUORATE_KEYGEN_H
#define QUORATE_KEYGEN_H

#include "quorate/run.h"
#include "quorate/share.h"

/* One place in the roster of a key (protocol.md B.3). */
struct qrt_party {
    uint16_t index;
    uint8_t idk[32]; /* SHA256 of the party's Ed25519 identity public key */
    uint8_t x[32];   /* Shamir x-coordinate, big-endian, usually the index: qrt_party_default_x */
};

QRT_API void qrt_party_default_x(struct qrt_party *party);

struct qrt_keygen_params {
    const struct qrt_party *parties; /* n of them, indices ascending; borrowed for the call */
    size_t n;
    size_t t;         /* any t shares sign, t-1 learn nothing */
    uint16_t own;     /* this party's index */
    uint8_t iid[32];  /* intent and attempt (protocol.md B.3), see qrt_intent_iid */
    uint64_t created; /* unix seconds, for the share record */
};

/* Start a run in |run|, qrt_run_size(QRT_KEYGEN, n, t) bytes. |seed| is 32 bytes of the operating
 * system's randomness, used for this run alone; it is wiped. |ctx| must outlive the run.
 * Class INPUT: nothing was started. */
QRT_API QRT_MUST enum qrt_err qrt_keygen_start(struct qrt_run *run, const struct qrt_ctx *ctx,
                                               const struct qrt_keygen_params *params,
                                               uint8_t seed[32]);

/* The new share, valid until the run is wiped; only in QRT_PHASE_DONE, otherwise NULL. */
QRT_API const struct qrt_share *qrt_keygen_share(const struct qrt_run *run);

#endif
