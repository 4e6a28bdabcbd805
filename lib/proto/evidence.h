/* SPDX-License-Identifier: Apache-2.0 */
/* The form of evidence (docs/wire.md): "DKE1", u8 version, u8 code, BE16 accused, idpk(32),
 * BE16 m, m messages as they travelled (BE32 length each); for a wrong confirmation also what it
 * takes to compute the right one: BE16 n, BE16 t, iid(32), n times BE16 i, idpk, x, cc, rc. */
#ifndef QRT_PROTO_EVIDENCE_H
#define QRT_PROTO_EVIDENCE_H

#include "base/bytes.h"
#include "quorate/evidence.h"
#include "quorate/wire.h"

#define QRT_EVIDENCE_MAGIC "DKE1"
#define QRT_EVIDENCE_VERSION 1
#define QRT_EVIDENCE_HEAD_BYTES 42
#define QRT_EVIDENCE_CONTEXT_BYTES 36
#define QRT_EVIDENCE_PARTY_BYTES 130

/* Everything before the messages, evidence_make.c. |idpk|: 32 bytes. */
void qrt_evidence_head(struct qrt_wr *w, enum qrt_err error, uint16_t accused, const uint8_t *idpk,
                       size_t messages);

/* One message of the evidence, its signature verified (broadcasts) or its hash known (E1). */
struct qrt_exhibit {
    struct qrt_header h;
    const uint8_t *wire;
    size_t len;
    const uint8_t *ext, *payload;
    size_t ext_len;
};

struct qrt_evidence_file {
    const struct qrt_ctx *ctx;
    struct qrt_evidence *out;
    struct qrt_rd rd;
    uint16_t messages;
};

/* The next broadcast, its signature verified under |idpk|. */
bool qrt_exhibit_read(struct qrt_evidence_file *f, struct qrt_exhibit *x, const uint8_t *idpk);
/* The next broadcast of the accused, of |protocol| and |round| (0: any). */
bool qrt_exhibit_read_accused(struct qrt_evidence_file *f, struct qrt_exhibit *x, uint8_t protocol,
                              uint8_t round);
bool qrt_exhibit_same_session(const struct qrt_exhibit *a, const struct qrt_exhibit *b);
/* The threshold that the length of a keygen round-2 broadcast says; 0: none. */
size_t qrt_exhibit_threshold(const struct qrt_exhibit *x);

/* evidence_confirmation.c. True: the accused signed a confirmation that is not the right one. */
bool qrt_evidence_confirmation(struct qrt_evidence_file *f);

#endif
