/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a key generation (protocol.md F), shared by the files that implement its rounds:
 * keygen.c (start, rounds 1 and 4, the record), keygen_deal.c (rounds 2 and 3). */
#ifndef QRT_PROTO_KEYGEN_H
#define QRT_PROTO_KEYGEN_H

#include "key/share.h"
#include "math/poly.h"
#include "ot/pprf.h"
#include "proto/round.h"
#include "quorate/keygen.h"

/* Offsets in payloads (protocol.md F.3, F.6); F_i is 33 t bytes at 0 of round 2's broadcast. */
enum { KG_R1_NONCE = 32, KG_R2_HCC = 0, KG_R2_RHO = 32, KG_R2_T = 64, KG_R2_Z = 97 };
enum {
    KG_R3_SHARE = 0,
    KG_R3_CC = 32,
    KG_R3_RC = 64,
    KG_R3_ZC = 96,
    KG_R3_B = 128,
    KG_R3_PPRF = 161
};

/* Towards one peer. Secret. */
struct qrt_keygen_peer {
    struct qrt_ot_recv recv;
    uint8_t ot1[QRT_OT1_BYTES]; /* as sent: the keys hash it, and the outbox is sealed in place */
    struct qrt_pt theirs[2 * QRT_OT_N]; /* the points of his OT1 to us; public */
    uint8_t zc[32];
};

/* Secret; wiped when the run fails. */
struct qrt_keygen {
    struct qrt_drbg rng;
    struct qrt_sc coeff[QRT_PARTIES_MAX];
    uint8_t cc[32], rc[32];
    struct qrt_sc own_part; /* p_i(x_i) */
    struct qrt_pt *F;       /* n rows of t */
    struct qrt_pt agg[QRT_PARTIES_MAX];
    struct qrt_pt X[QRT_PARTIES_MAX];
    struct qrt_keygen_peer *peers; /* by qrt_run_peer_row */
    union {
        uint8_t send[QRT_OT_N][2][16];
        uint8_t recv[QRT_OT_N][16];
    } ot_keys; /* of the pair at hand */
    struct qrt_share_draft draft;
    struct qrt_share share; /* a view into the draft */
};

/* Public; outlives a failure as evidence. */
struct qrt_keygen_open {
    struct qrt_party parties[QRT_PARTIES_MAX];
    struct qrt_sc x[QRT_PARTIES_MAX];
    uint8_t iid[32];
    uint8_t ssid1[32];
    uint8_t bh2[32];
    uint8_t openings[QRT_PARTIES_MAX][64]; /* cc_j, rc_j */
    bool attested[QRT_PARTIES_MAX];
    struct qrt_cert_row rows[QRT_PARTIES_MAX];
};

/* Rounds 2 and 3, keygen_deal.c. */
enum qrt_err qrt_keygen_write2(struct qrt_run *run);
enum qrt_err qrt_keygen_parse2(struct qrt_run *run);
enum qrt_err qrt_keygen_check2(struct qrt_run *run);
enum qrt_err qrt_keygen_write3(struct qrt_run *run);
enum qrt_err qrt_keygen_parse3(struct qrt_run *run);
enum qrt_err qrt_keygen_check3(struct qrt_run *run);

/* Rounds 1 and 2 as anybody can check them from two signed broadcasts (also evidence.c). */
void qrt_keygen_commitment(const struct qrt_ctx *ctx, uint8_t out[32], const uint8_t ssid0[32],
                           uint16_t i, const uint8_t nonce[32], const uint8_t *r2, size_t t);
void qrt_keygen_chain_hash(const struct qrt_ctx *ctx, uint8_t out[32], const uint8_t ssid0[32],
                           uint16_t i, const uint8_t cc_rc[64]);
void qrt_keygen_challenge(const struct qrt_ctx *ctx, struct qrt_sc *e, const uint8_t ssid1[32],
                          uint16_t i, const uint8_t *r2, size_t t);
/* F.4: z G = T + sum of e^(m+1) A_m. */
bool qrt_keygen_proof_holds(const struct qrt_ctx *ctx, const uint8_t ssid1[32], uint16_t i,
                            const uint8_t *r2, const struct qrt_pt *F, size_t t);
/* K.3 for a round-2 broadcast; |F| gets t points. */
bool qrt_keygen_r2_decode(const struct qrt_ctx *ctx, struct qrt_pt *F, const uint8_t *r2, size_t t);

/* ssid0 of protocol.md F.1. */
void qrt_keygen_ssid0(const struct qrt_ctx *ctx, uint8_t out[32], const struct qrt_party *parties,
                      size_t n, size_t t, const uint8_t iid[32]);
/* ssid1 of F.2 from the round-1 broadcasts. */
void qrt_keygen_ssid1(const struct qrt_ctx *ctx, uint8_t out[32], const uint8_t ssid0[32],
                      const struct qrt_broadcasts *r1);
/* cc of F.6 from every dealer's (cc_i, rc_i). */
void qrt_keygen_chain_code(const struct qrt_ctx *ctx, uint8_t out[32], const uint8_t ssid1[32],
                           const uint8_t (*openings)[64], size_t n);

/* The envelope's part of the certificate (F.8): the verified signature of position |pos|'s round-4
 * broadcast. The own one must come before the pending record is handed out. */
void qrt_keygen_attest(struct qrt_run *run, size_t pos, const uint8_t idpk[32],
                       const uint8_t sig[64]);

/* A run that stands before round 4, from a pending record. */
enum qrt_err qrt_keygen_resume(struct qrt_run *run, const struct qrt_ctx *ctx,
                               const struct qrt_share *share);

#endif
