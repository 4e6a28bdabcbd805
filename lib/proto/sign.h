/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a signing or presigning run (protocol.md G), shared by sign.c (start, round 1),
 * sign_multiply.c (round 2 and its checks), and assemble.c (the signature; also for online.c). */
#ifndef QRT_PROTO_SIGN_H
#define QRT_PROTO_SIGN_H

#include "key/presig.h"
#include "math/scalar.h"
#include "ot/rvole.h"
#include "proto/round.h"
#include "quorate/sign.h"

/* Offsets in payloads (protocol.md G.2, G.3, G.4). */
enum { SG_R2_R = 0, SG_R2_PK = 33, SG_R2_RHO = 66 };
enum {
    SG_R2_GAMMA_U = QRT_E2_BYTES,
    SG_R2_GAMMA_V = QRT_E2_BYTES + 33,
    SG_R2_PSI = QRT_E2_BYTES + 66
};
enum { SG_R3_W = 0, SG_R3_U = 32 };

/* What makes a signature of summed w_i and u_i; public. */
struct qrt_assembly {
    struct qrt_pubkey pk;
    struct qrt_hash digest;
    struct qrt_pt R;
    struct qrt_sc r; /* x(R) mod q */
    struct qrt_sig sig;
    bool done;
};

/* Towards one peer. Secret. */
struct qrt_sign_peer {
    struct qrt_rvole_bob bob;              /* my E1 to him */
    struct qrt_sc chi;                     /* b of that instance */
    struct qrt_rvole_alice alice;          /* his E1 to me, checked */
    struct qrt_sc c[2];                    /* my shares of r_i chi_j and sk_i chi_j */
    struct qrt_pt R, pk, gamma_u, gamma_v; /* of his second round */
};

/* Secret; wiped when the run fails. */
struct qrt_sign {
    const struct qrt_share *share;
    struct qrt_drbg rng;
    struct qrt_sc r, phi, sk;
    struct qrt_sc u, v;
    struct qrt_pt own_R, own_pk;
    struct qrt_sign_peer *peers; /* by qrt_run_peer_row */
    struct qrt_rvole_scratch *scratch;
    bool taken; /* the presignature was given out */
};

/* Public; outlives a failure. */
struct qrt_sign_open {
    uint8_t kgid[32];
    uint32_t epoch;
    struct qrt_sc tau;
    uint8_t tau_bytes[32];
    struct qrt_assembly as;
};

/* What the run holds towards position |pos|, which is not the own one. */
struct qrt_sign_peer *qrt_sign_peer(const struct qrt_run *run, size_t pos);

/* Round 2 and what follows from it, sign_multiply.c. */
enum qrt_err qrt_sign_check1(struct qrt_run *run);
enum qrt_err qrt_sign_write2(struct qrt_run *run);
enum qrt_err qrt_sign_parse2(struct qrt_run *run);
enum qrt_err qrt_sign_check2(struct qrt_run *run);

/* C_i = TH("sg/commit", ssid, BE16 i, enc(R_i), rho_i) (also evidence.c). */
void qrt_sign_commitment(const struct qrt_ctx *ctx, uint8_t out[32], const uint8_t ssid[32],
                         uint16_t i, const uint8_t *r2);

/* The checks every start makes of a share and a quorum: t distinct parties of the key, none burned,
 * own included, share usable. |index| gets them ascending, |own| the position. */
enum qrt_err qrt_quorum_check(const struct qrt_share *share, const uint16_t *signers, size_t n,
                              uint16_t *index, size_t *own);

/* assemble.c: the last round of signing and of online runs. */
/* as->r from as->R; false if R is the identity or r is 0. */
bool qrt_assembly_nonce(const struct qrt_ctx *ctx, struct qrt_assembly *as);
/* w = m phi + r v into payload[0..32), u into payload[32..64). */
void qrt_assembly_write(const struct qrt_assembly *as, uint8_t payload[64],
                        const struct qrt_sc *phi, const struct qrt_sc *u, const struct qrt_sc *v);
/* The inbox of round 3: K.3, then the sum, low-s, recovery id, verification (G.5). */
enum qrt_err qrt_assembly_parse(struct qrt_run *run);
enum qrt_err qrt_assembly_check(struct qrt_run *run, struct qrt_assembly *as);

#endif
