/* SPDX-License-Identifier: Apache-2.0 */
/* struct qrt_peer: a run and what its envelope needs (protocol.md B.7). peer.c starts and sends,
 * peer_recv.c receives, evidence_make.c keeps what a cheat signed. */
#ifndef QRT_PROTO_PEER_H
#define QRT_PROTO_PEER_H

#include "proto/round.h"
#include "quorate/peer.h"
#include "wire/envelope.h"

/* Keys towards one peer, by round number. Secret; each is wiped by the message it seals or opens.
 */
struct qrt_link {
    bool agreed;
    uint8_t send[QRT_ROUNDS_MAX + 1][32];
    uint8_t recv[QRT_ROUNDS_MAX + 1][32];
};

struct qrt_peer {
    const struct qrt_peer *self;
    const struct qrt_ctx *ctx;
    struct qrt_run *run;
    size_t size;
    const uint8_t *identity; /* the caller's, 64 bytes */
    uint8_t idpk[QRT_PARTIES_MAX][32];
    uint8_t idk[QRT_PARTIES_MAX][32];
    uint8_t esk[32];
    size_t agreed_n; /* peers whose ephemeral key has come */
    struct qrt_link *links;
    size_t ext_len;                          /* of a round-1 broadcast */
    uint8_t *ext;                            /* n rows: what each signed beside the payload */
    uint8_t (*sigs[QRT_ROUNDS_MAX + 1])[64]; /* of each broadcast taken or sent, by position */
    uint8_t *out;                            /* the broadcast being sent */
    struct qrt_msg msg;
    uint8_t *evidence;
    size_t evidence_len;
};

/* True if private messages of round |number| travel open, covered by a hash in ext. */
bool qrt_peer_round_is_open(const struct qrt_peer *peer, uint8_t number);
uint8_t *qrt_peer_ext(const struct qrt_peer *peer, size_t pos);
/* Bytes of ext in a broadcast of round |number|. */
size_t qrt_peer_ext_len(const struct qrt_peer *peer, uint8_t number);
/* Where sender |from| puts the hash of his open message to |to| in his ext. */
uint8_t *qrt_peer_open_hash(const struct qrt_peer *peer, size_t from, size_t to);

/* What follows every step of the run: the own confirmation is signed for the pending record; after
 * a failure evidence is kept and all keys go. Returns |e|. */
enum qrt_err qrt_peer_settle(struct qrt_peer *peer, enum qrt_err e);

/* evidence_make.c: room for any evidence of this run; build it after the run failed. */
size_t qrt_evidence_room(enum qrt_protocol protocol, size_t n, size_t t);
void qrt_evidence_make(struct qrt_peer *peer);
/* Two different broadcasts of one slot; |wire| is the one that came second. */
void qrt_evidence_make_equivocation(struct qrt_peer *peer, const struct qrt_header *h,
                                    const uint8_t *wire, size_t len);

#endif
