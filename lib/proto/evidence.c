/* SPDX-License-Identifier: Apache-2.0 */
/* Verifying evidence (evidence.h, protocol.md J): first every signature, then the check itself is
 * repeated. What an honest party may have sent proves nothing. */
#include "proto/evidence.h"

#include "base/bytes.h"
#include "base/port.h"
#include "hash/sha256.h"
#include "math/scalar.h"
#include "proto/keygen.h"
#include "proto/sign.h"
#include "wire/envelope.h"

#include <sodium.h>
#include <string.h>

bool qrt_exhibit_read(struct qrt_evidence_file *f, struct qrt_exhibit *x, const uint8_t *idpk)
{
    struct qrt_signed m;

    x->len = qrt_rd_be32(&f->rd);
    x->wire = qrt_rd_bytes(&f->rd, x->len);
    if (!x->wire || qrt_header_decode(&x->h, x->wire, x->len) || x->h.kind != QRT_KIND_BROADCAST ||
        x->h.receiver != QRT_EVERYBODY || x->len < QRT_HEADER_BYTES + QRT_SIG_BYTES ||
        x->h.payload_len > x->len - QRT_HEADER_BYTES - QRT_SIG_BYTES)
        return false;
    x->ext_len = x->len - QRT_HEADER_BYTES - x->h.payload_len - QRT_SIG_BYTES;
    x->ext = x->wire + QRT_HEADER_BYTES;
    x->payload = x->ext + x->ext_len;
    m = (struct qrt_signed){.header = x->wire,
                            .ext = x->ext,
                            .ext_len = x->ext_len,
                            .payload = x->payload,
                            .payload_len = x->h.payload_len};
    return qrt_envelope_verify(f->ctx, x->payload + x->h.payload_len, &m, idpk);
}

bool qrt_exhibit_read_accused(struct qrt_evidence_file *f, struct qrt_exhibit *x, uint8_t protocol,
                              uint8_t round)
{
    if (!qrt_exhibit_read(f, x, f->out->idpk) || x->h.sender != f->out->accused)
        return false;
    memcpy(f->out->sid, x->h.sid, sizeof f->out->sid);
    return (!protocol || x->h.protocol == protocol) && (!round || x->h.round == round);
}

bool qrt_exhibit_same_session(const struct qrt_exhibit *a, const struct qrt_exhibit *b)
{
    return a->h.protocol == b->h.protocol && memcmp(a->h.sid, b->h.sid, sizeof a->h.sid) == 0;
}

static bool is_signing(const struct qrt_exhibit *x)
{
    return x->h.protocol == QRT_SIGN || x->h.protocol == QRT_PRESIGN;
}

size_t qrt_exhibit_threshold(const struct qrt_exhibit *x)
{
    size_t t = x->h.payload_len >= 129 ? (x->h.payload_len - 129) / 33 : 0;

    return t >= 2 && t <= QRT_PARTIES_MAX && x->h.payload_len == 33 * t + 129 ? t : 0;
}

/* ---- the checks; true: no honest party signs this ---- */

static bool equivocation(struct qrt_evidence_file *f)
{
    struct qrt_exhibit a, b;

    if (!qrt_exhibit_read_accused(f, &a, 0, 0) ||
        !qrt_exhibit_read_accused(f, &b, a.h.protocol, a.h.round))
        return false;
    return qrt_exhibit_same_session(&a, &b) &&
           (a.len != b.len || memcmp(a.wire, b.wire, a.len - QRT_SIG_BYTES) != 0);
}

static bool malformed_points(const struct qrt_ctx *ctx, const uint8_t *b)
{
    struct qrt_pt p;

    return !qrt_pt_decode(ctx, &p, b + SG_R2_R) || !qrt_pt_decode(ctx, &p, b + SG_R2_PK);
}

static bool malformed_scalars(const uint8_t *b)
{
    struct qrt_sc x;

    return !qrt_sc_decode(&x, b + SG_R3_W) || !qrt_sc_decode(&x, b + SG_R3_U);
}

static bool malformed(struct qrt_evidence_file *f)
{
    struct qrt_exhibit x;
    struct qrt_pt F[QRT_PARTIES_MAX];
    size_t t;

    if (!qrt_exhibit_read_accused(f, &x, 0, 0))
        return false;
    t = qrt_exhibit_threshold(&x);
    if (x.h.protocol == QRT_KEYGEN && x.h.round == 2 && t)
        return !qrt_keygen_r2_decode(f->ctx, F, x.payload, t);
    if (is_signing(&x) && x.h.round == 2 && x.h.payload_len == 98)
        return malformed_points(f->ctx, x.payload);
    if (x.h.protocol != QRT_KEYGEN && x.h.round == 3 && x.h.payload_len == 64)
        return malformed_scalars(x.payload);
    return false;
}

/* Any scalar shows a key of small order: the shared secret is zero. */
static bool weak_ephemeral(struct qrt_evidence_file *f)
{
    static const uint8_t scalar[32] = {8};
    uint8_t ss[32];
    struct qrt_exhibit x;

    if (!qrt_exhibit_read_accused(f, &x, 0, 1) || x.ext_len < 32)
        return false;
    return crypto_scalarmult(ss, scalar, x.ext) != 0;
}

static bool keygen_commitment(struct qrt_evidence_file *f)
{
    struct qrt_exhibit r1, r2;
    uint8_t c[32];
    size_t t;

    if (!qrt_exhibit_read_accused(f, &r1, QRT_KEYGEN, 1) ||
        !qrt_exhibit_read_accused(f, &r2, QRT_KEYGEN, 2) || !qrt_exhibit_same_session(&r1, &r2))
        return false;
    t = qrt_exhibit_threshold(&r2);
    if (!t || r1.h.payload_len != 64)
        return false;
    qrt_keygen_commitment(f->ctx, c, r1.h.sid, f->out->accused, r1.payload + KG_R1_NONCE,
                          r2.payload, t);
    return memcmp(c, r1.payload, sizeof c) != 0;
}

/* The challenge hashes ssid1, which the accused signed as his echo. */
static bool keygen_proof(struct qrt_evidence_file *f)
{
    struct qrt_exhibit r2;
    struct qrt_pt F[QRT_PARTIES_MAX];
    size_t t;

    if (!qrt_exhibit_read_accused(f, &r2, QRT_KEYGEN, 2))
        return false;
    t = qrt_exhibit_threshold(&r2);
    if (!t || !qrt_keygen_r2_decode(f->ctx, F, r2.payload, t))
        return false;
    return !qrt_keygen_proof_holds(f->ctx, r2.h.echo, f->out->accused, r2.payload, F, t);
}

static bool sign_commitment(struct qrt_evidence_file *f)
{
    struct qrt_exhibit r1, r2;
    uint8_t c[32];

    if (!qrt_exhibit_read_accused(f, &r1, 0, 1) ||
        !qrt_exhibit_read_accused(f, &r2, r1.h.protocol, 2) ||
        !qrt_exhibit_same_session(&r1, &r2) || !is_signing(&r1) || r1.h.payload_len != 32 ||
        r2.h.payload_len != 98)
        return false;
    qrt_sign_commitment(f->ctx, c, r1.h.sid, f->out->accused, r2.payload);
    return memcmp(c, r1.payload, sizeof c) != 0;
}

/* The hash of E1 is among those that the accused signed; the check itself needs Delta. */
static bool sign_extension(struct qrt_evidence_file *f)
{
    struct qrt_exhibit r1;
    struct qrt_header h;
    uint8_t hash[32];
    bool is_listed = false;
    size_t len;
    const uint8_t *e1;

    if (!qrt_exhibit_read_accused(f, &r1, 0, 1) || !is_signing(&r1))
        return false;
    len = qrt_rd_be32(&f->rd);
    e1 = qrt_rd_bytes(&f->rd, len);
    if (!e1 || qrt_header_decode(&h, e1, len) || h.sender != f->out->accused ||
        h.kind != QRT_KIND_PRIVATE || h.round != 1 || len != QRT_HEADER_BYTES + QRT_E1_BYTES)
        return false;
    qrt_envelope_open_hash(f->ctx, hash, e1, e1 + QRT_HEADER_BYTES, QRT_E1_BYTES);
    for (size_t o = 32; o + 32 <= r1.ext_len; o += 32)
        is_listed |= memcmp(r1.ext + o, hash, sizeof hash) == 0;
    return is_listed;
}

/* ---- the file ---- */

struct check {
    enum qrt_err error;
    uint16_t messages; /* 0: any number */
    bool (*fails)(struct qrt_evidence_file *f);
};

static const struct check checks[] = {
    {QRT_E_EQUIVOCATION, 2, equivocation},
    {QRT_E_MALFORMED_BROADCAST, 1, malformed},
    {QRT_E_WEAK_EPHEMERAL, 1, weak_ephemeral},
    {QRT_E_KG_COMMITMENT, 2, keygen_commitment},
    {QRT_E_KG_PROOF, 1, keygen_proof},
    {QRT_E_SG_COMMITMENT, 2, sign_commitment},
    {QRT_E_SG_EXTENSION, 2, sign_extension},
    {QRT_E_KG_CONFIRMATION, 0, qrt_evidence_confirmation},
};

static enum qrt_err judge(struct qrt_evidence_file *f)
{
    for (size_t i = 0; i < QRT_ARRAY_LEN(checks); i++) {
        const struct check *c = &checks[i];

        if (c->error != f->out->error || (c->messages && c->messages != f->messages))
            continue;
        if (!c->fails(f) || !qrt_rd_end(&f->rd))
            return QRT_E_EVIDENCE;
        return f->out->proven ? QRT_OK : QRT_E_EVIDENCE_PRIVATE;
    }
    return QRT_E_EVIDENCE;
}

enum qrt_err qrt_evidence_verify(struct qrt_evidence *out, const struct qrt_ctx *ctx,
                                 const uint8_t *b, size_t len)
{
    struct qrt_evidence_file f = {.ctx = ctx, .out = out, .rd = qrt_rd_init(b, len)};
    enum qrt_err e;

    memset(out, 0, sizeof *out);
    (void)qrt_rd_expect(&f.rd, QRT_EVIDENCE_MAGIC, 4);
    if (qrt_rd_u8(&f.rd) != QRT_EVIDENCE_VERSION)
        return QRT_E_RECORD_FORMAT;
    out->error = qrt_err_of_code(qrt_rd_u8(&f.rd));
    out->accused = qrt_rd_be16(&f.rd);
    qrt_rd_copy(&f.rd, out->idpk, sizeof out->idpk);
    f.messages = qrt_rd_be16(&f.rd);
    out->proven = out->error != QRT_E_SG_EXTENSION;
    e = f.rd.failed ? QRT_E_RECORD_FORMAT : judge(&f);
    if (e && e != QRT_E_EVIDENCE_PRIVATE)
        memset(out, 0, sizeof *out);
    return e;
}

/* Long enough for both, then judged like anybody's. */
enum qrt_err qrt_evidence_compare(struct qrt_bytes *out, const struct qrt_ctx *ctx,
                                  const struct qrt_said_twice *said)
{
    struct qrt_wr w = qrt_wr_init(out->b, out->cap);
    struct qrt_header h;
    struct qrt_evidence judged;

    out->len = 0;
    if (qrt_header_decode(&h, said->a, said->a_len))
        return QRT_E_EVIDENCE;
    qrt_evidence_head(&w, QRT_E_EQUIVOCATION, h.sender, said->idpk, 2);
    qrt_wr_be32(&w, (uint32_t)said->a_len);
    qrt_wr_bytes(&w, said->a, said->a_len);
    qrt_wr_be32(&w, (uint32_t)said->b_len);
    qrt_wr_bytes(&w, said->b, said->b_len);
    if (w.failed)
        return QRT_E_SPACE;
    if (qrt_evidence_verify(&judged, ctx, out->b, w.len))
        return QRT_E_EVIDENCE;
    out->len = w.len;
    return QRT_OK;
}
