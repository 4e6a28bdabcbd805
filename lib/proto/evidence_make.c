/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping what a cheat signed (evidence.h, protocol.md J): messages are put together again from the
 * slots, which are public and outlive the failure, and the signatures beside them. */
#include "base/assert.h"
#include "base/bytes.h"
#include "proto/evidence.h"
#include "proto/keygen.h"
#include "proto/peer.h"

#include <string.h>

static size_t message_room(enum qrt_protocol protocol, uint8_t number, size_t n, size_t t)
{
    return 4 + qrt_wire_size(protocol, number, QRT_KIND_BROADCAST, n, t);
}

/* Rounds 1 and 2 of everybody, one more message, the context; signing: rounds 1, 2 and E1. */
size_t qrt_evidence_room(enum qrt_protocol protocol, size_t n, size_t t)
{
    size_t longest = 0, all = 0;

    for (uint8_t number = 1; number <= QRT_ROUNDS_MAX; number++) {
        size_t len = message_room(protocol, number, n, t);

        longest = len > longest ? len : longest;
        all += number <= 2 ? len : 0;
    }
    if (protocol == QRT_KEYGEN)
        all = all * n + QRT_EVIDENCE_CONTEXT_BYTES + n * QRT_EVIDENCE_PARTY_BYTES;
    else
        all += 4 + qrt_wire_size(protocol, 1, QRT_KIND_PRIVATE, n, t);
    return QRT_EVIDENCE_HEAD_BYTES + all + 2 * longest;
}

void qrt_evidence_head(struct qrt_wr *w, enum qrt_err error, uint16_t accused, const uint8_t *idpk,
                       size_t messages)
{
    qrt_wr_bytes(w, QRT_EVIDENCE_MAGIC, 4);
    qrt_wr_u8(w, QRT_EVIDENCE_VERSION);
    qrt_wr_u8(w, qrt_err_code(error));
    qrt_wr_be16(w, accused);
    qrt_wr_bytes(w, idpk, 32);
    qrt_wr_be16(w, (uint16_t)messages);
}

static struct qrt_wr open_evidence(struct qrt_peer *peer, enum qrt_err error, uint16_t accused,
                                   size_t messages)
{
    const struct qrt_run *run = peer->run;
    struct qrt_wr w = qrt_wr_init(peer->evidence, qrt_evidence_room(run->def->id, run->n, run->t));

    qrt_evidence_head(&w, error, accused, peer->idpk[qrt_run_position(run, accused)], messages);
    return w;
}

static void put_header(const struct qrt_peer *peer, struct qrt_wr *w, uint8_t number, uint8_t kind,
                       size_t from)
{
    const struct qrt_run *run = peer->run;
    uint8_t *b = qrt_wr_space(w, QRT_HEADER_BYTES);
    struct qrt_header h;

    qrt_assert(b);
    qrt_run_header(run, &h, number, kind,
                   kind == QRT_KIND_PRIVATE ? run->index[run->own] : QRT_EVERYBODY);
    h.sender = run->index[from];
    if (from != run->own)
        memcpy(h.echo, run->slots[number][kind][from].echo, sizeof h.echo);
    qrt_header_encode(b, &h);
}

/* The broadcast of position |from| as it travelled. */
static void put_message(const struct qrt_peer *peer, struct qrt_wr *w, uint8_t number, size_t from)
{
    const struct qrt_run *run = peer->run;
    size_t payload = qrt_payload_size(run->def->id, number, QRT_KIND_BROADCAST, run->t);

    put_header(peer, w, number, QRT_KIND_BROADCAST, from);
    qrt_wr_bytes(w, qrt_peer_ext(peer, from), qrt_peer_ext_len(peer, number));
    qrt_wr_bytes(w, qrt_run_inbox(run, number, QRT_KIND_BROADCAST, from), payload);
    qrt_wr_bytes(w, peer->sigs[number][from], QRT_SIG_BYTES);
}

static void put_broadcast(const struct qrt_peer *peer, struct qrt_wr *w, uint8_t number,
                          size_t from)
{
    const struct qrt_run *run = peer->run;
    size_t len = qrt_wire_size(run->def->id, number, QRT_KIND_BROADCAST, run->n, run->t);

    qrt_wr_be32(w, (uint32_t)len);
    put_message(peer, w, number, from);
}

static void put_open(const struct qrt_peer *peer, struct qrt_wr *w, size_t from)
{
    const struct qrt_run *run = peer->run;
    size_t payload = qrt_payload_size(run->def->id, 1, QRT_KIND_PRIVATE, run->t);

    qrt_wr_be32(w, (uint32_t)(QRT_HEADER_BYTES + payload));
    put_header(peer, w, 1, QRT_KIND_PRIVATE, from);
    qrt_wr_bytes(w, qrt_run_inbox(run, 1, QRT_KIND_PRIVATE, from), payload);
}

/* Taken, or sent: no signature is all zero. */
static bool is_known(const struct qrt_peer *peer, uint8_t number, size_t pos)
{
    static const uint8_t none[QRT_SIG_BYTES];

    return memcmp(peer->sigs[number][pos], none, sizeof none) != 0;
}

enum qrt_err qrt_peer_broadcast(const struct qrt_peer *peer, struct qrt_bytes *out, uint8_t round,
                                uint16_t index)
{
    const struct qrt_run *run = peer->run;
    size_t pos = qrt_run_position(run, index);
    size_t len = qrt_wire_size(run->def->id, round, QRT_KIND_BROADCAST, run->n, run->t);
    struct qrt_wr w = qrt_wr_init(out->b, out->cap);

    out->len = 0;
    if (!len || pos == run->n || !is_known(peer, round, pos))
        return QRT_E_STATE;
    if (out->cap < len)
        return QRT_E_SPACE;
    put_message(peer, &w, round, pos);
    qrt_assert(!w.failed && w.len == len);
    out->len = w.len;
    return QRT_OK;
}

/* Everything that makes the right confirmation: all of rounds 1 and 2, the openings, the roster. */
static void put_context(const struct qrt_peer *peer, struct qrt_wr *w)
{
    const struct qrt_run *run = peer->run;
    const struct qrt_keygen_open *open = run->open;

    for (size_t i = 0; i < run->n; i++) {
        put_broadcast(peer, w, 1, i);
        put_broadcast(peer, w, 2, i);
    }
    qrt_wr_be16(w, (uint16_t)run->n);
    qrt_wr_be16(w, (uint16_t)run->t);
    qrt_wr_bytes(w, open->iid, sizeof open->iid);
    for (size_t i = 0; i < run->n; i++) {
        qrt_wr_be16(w, run->index[i]);
        qrt_wr_bytes(w, peer->idpk[i], 32);
        qrt_wr_bytes(w, open->parties[i].x, 32);
        qrt_wr_bytes(w, open->openings[i], 64);
    }
}

static void close_evidence(struct qrt_peer *peer, const struct qrt_wr *w)
{
    qrt_assert(!w->failed);
    peer->evidence_len = w->len;
}

/* Rounds whose broadcasts show the cheat; 0: none. */
struct shown {
    enum qrt_err error;
    uint8_t first, second;
};

static const struct shown shown[] = {
    {QRT_E_WEAK_EPHEMERAL, 1, 0},
    {QRT_E_KG_COMMITMENT, 1, 2},
    {QRT_E_KG_PROOF, 2, 0},
    {QRT_E_SG_COMMITMENT, 1, 2},
};

static void make_shown(struct qrt_peer *peer, const struct shown *s, size_t pos)
{
    struct qrt_wr w = open_evidence(peer, s->error, peer->run->index[pos], s->second ? 2 : 1);

    put_broadcast(peer, &w, s->first, pos);
    if (s->second)
        put_broadcast(peer, &w, s->second, pos);
    close_evidence(peer, &w);
}

static void make_malformed(struct qrt_peer *peer, size_t pos)
{
    struct qrt_wr w = open_evidence(peer, QRT_E_MALFORMED_BROADCAST, peer->run->index[pos], 1);

    put_broadcast(peer, &w, qrt_run_round(peer->run), pos);
    close_evidence(peer, &w);
}

static void make_extension(struct qrt_peer *peer, size_t pos)
{
    struct qrt_wr w = open_evidence(peer, QRT_E_SG_EXTENSION, peer->run->index[pos], 2);

    put_broadcast(peer, &w, 1, pos);
    put_open(peer, &w, pos);
    close_evidence(peer, &w);
}

/* A resumed run has only the fourth round: nothing to compute the right confirmation from. */
static void make_confirmation(struct qrt_peer *peer, size_t pos)
{
    const struct qrt_run *run = peer->run;
    struct qrt_wr w;

    if (!run->slots[2][QRT_KIND_BROADCAST][pos].filled)
        return;
    w = open_evidence(peer, QRT_E_KG_CONFIRMATION, run->index[pos], 1 + 2 * run->n);
    put_broadcast(peer, &w, 4, pos);
    put_context(peer, &w);
    close_evidence(peer, &w);
}

void qrt_evidence_make(struct qrt_peer *peer)
{
    enum qrt_err error = qrt_run_error(peer->run);
    size_t pos = qrt_run_position(peer->run, qrt_run_culprit(peer->run));

    if (pos == peer->run->n)
        return;
    if (error == QRT_E_MALFORMED_BROADCAST)
        make_malformed(peer, pos);
    if (error == QRT_E_SG_EXTENSION)
        make_extension(peer, pos);
    if (error == QRT_E_KG_CONFIRMATION)
        make_confirmation(peer, pos);
    for (size_t i = 0; i < QRT_ARRAY_LEN(shown); i++)
        if (shown[i].error == error)
            make_shown(peer, &shown[i], pos);
}

void qrt_evidence_make_equivocation(struct qrt_peer *peer, const struct qrt_header *h,
                                    const uint8_t *wire, size_t len)
{
    size_t pos = qrt_run_position(peer->run, h->sender);
    struct qrt_wr w = open_evidence(peer, QRT_E_EQUIVOCATION, h->sender, 2);

    put_broadcast(peer, &w, h->round, pos);
    qrt_wr_be32(&w, (uint32_t)len);
    qrt_wr_bytes(&w, wire, len);
    close_evidence(peer, &w);
}
