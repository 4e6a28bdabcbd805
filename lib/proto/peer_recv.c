/* SPDX-License-Identifier: Apache-2.0 */
/* A peer's receiving side: the five steps of protocol.md B.7, in that order. What does not
 * authenticate is dropped and leaves no trace; only authentic messages reach the run. */
#include "proto/peer.h"

#include "base/assert.h"
#include "base/ct.h"
#include "base/wipe.h"
#include "proto/keygen.h"

#include <string.h>

/* One message off the wire, taken apart by the sizes the session expects. */
struct incoming {
    struct qrt_header h;
    struct qrt_slot *slot; /* NULL: an abort */
    size_t pos;            /* the sender's */
    const uint8_t *wire, *ext, *payload, *sig;
    size_t ext_len;
};

/* ---- step 1: is it a message of this session at all ---- */

static enum qrt_err take_apart(struct qrt_peer *peer, struct incoming *in, const uint8_t *wire,
                               size_t len)
{
    const struct qrt_run *run = peer->run;
    enum qrt_protocol protocol = run->def->id;
    enum qrt_err e;

    if (qrt_header_decode(&in->h, wire, len))
        return QRT_E_DROP_FOREIGN;
    e = qrt_run_find(peer->run, &in->h, &in->slot, &in->pos);
    if (e)
        return e;
    if (in->h.payload_len != qrt_payload_size(protocol, in->h.round, in->h.kind, run->t) ||
        len != qrt_wire_size(protocol, in->h.round, in->h.kind, run->n, run->t))
        return QRT_E_DROP_UNEXPECTED;
    in->wire = wire;
    in->ext = wire + QRT_HEADER_BYTES;
    in->ext_len = in->h.kind == QRT_KIND_BROADCAST ? qrt_peer_ext_len(peer, in->h.round) : 0;
    in->payload = in->ext + in->ext_len;
    in->sig = in->payload + in->h.payload_len;
    return QRT_OK;
}

static bool is_signed(const struct qrt_peer *peer, const struct incoming *in)
{
    const struct qrt_signed m = {.header = in->wire,
                                 .ext = in->ext,
                                 .ext_len = in->ext_len,
                                 .payload = in->payload,
                                 .payload_len = in->h.payload_len};

    return qrt_envelope_verify(peer->ctx, in->sig, &m, peer->idpk[in->pos]);
}

/* ---- step 2: the slot is filled already ---- */

static bool is_same_broadcast(const struct qrt_peer *peer, const struct incoming *in)
{
    return memcmp(in->slot->echo, in->h.echo, sizeof in->h.echo) == 0 &&
           memcmp(in->slot->payload, in->payload, in->h.payload_len) == 0 &&
           memcmp(qrt_peer_ext(peer, in->pos), in->ext, in->ext_len) == 0;
}

static enum qrt_err take_again(struct qrt_peer *peer, const struct incoming *in)
{
    struct qrt_run *run = peer->run;
    size_t len = (size_t)(in->sig - in->wire) + QRT_SIG_BYTES;
    enum qrt_err e = qrt_run_not_now(run);

    if (in->h.kind == QRT_KIND_PRIVATE)
        return QRT_E_DROP_DUPLICATE;
    if (is_same_broadcast(peer, in))
        return QRT_OK;
    if (!is_signed(peer, in))
        return QRT_E_DROP_UNAUTHENTIC;
    if (e)
        return e;
    qrt_evidence_make_equivocation(peer, &in->h, in->wire, len);
    return qrt_run_fail(run, qrt_run_blame(run, in->pos, QRT_E_EQUIVOCATION));
}

/* ---- step 3: authenticate ---- */

/* Keys of all sealed rounds in both directions; the rest of the agreement is erased. */
static bool agree(struct qrt_peer *peer, size_t pos)
{
    const struct qrt_run *run = peer->run;
    struct qrt_link *link = &peer->links[pos];
    const struct qrt_seal_side own = {run->index[run->own], peer->idk[run->own],
                                      qrt_peer_ext(peer, run->own)};
    const struct qrt_seal_side other = {run->index[pos], peer->idk[pos], qrt_peer_ext(peer, pos)};
    uint8_t prk[32];
    bool good =
        qrt_seal_agree(peer->ctx, prk, peer->esk, &own, &other, run->sid, (uint8_t)run->def->id);

    for (size_t i = 0; good && i < run->def->rounds_n; i++) {
        uint8_t number = run->def->rounds[i].number;

        if (!run->def->rounds[i].has[QRT_KIND_PRIVATE] || qrt_peer_round_is_open(peer, number))
            continue;
        qrt_seal_key(link->send[number], prk, number, own.index, other.index);
        qrt_seal_key(link->recv[number], prk, number, other.index, own.index);
    }
    link->agreed = good;
    qrt_wipe(prk, sizeof prk);
    if (++peer->agreed_n == run->n - 1)
        qrt_wipe(peer->esk, sizeof peer->esk);
    return good;
}

static enum qrt_err take_signed(struct qrt_peer *peer, const struct incoming *in)
{
    struct qrt_run *run = peer->run;

    if (!is_signed(peer, in))
        return QRT_E_DROP_UNAUTHENTIC;
    if (!in->slot)
        return qrt_run_take_abort(run, &in->h, in->payload, in->h.payload_len);
    memcpy(qrt_peer_ext(peer, in->pos), in->ext, in->ext_len);
    memcpy(peer->sigs[in->h.round][in->pos], in->sig, QRT_SIG_BYTES);
    if (in->ext_len && !agree(peer, in->pos)) {
        memcpy(in->slot->payload, in->payload, in->h.payload_len); /* for the evidence */
        memcpy(in->slot->echo, in->h.echo, sizeof in->slot->echo);
        return qrt_run_fail(run, qrt_run_blame(run, in->pos, QRT_E_WEAK_EPHEMERAL));
    }
    if (run->def->id == QRT_KEYGEN && in->h.round == 4)
        qrt_keygen_attest(run, in->pos, peer->idpk[in->pos], in->sig);
    return qrt_run_fill(run, in->slot, &in->h, in->payload);
}

static enum qrt_err take_open(struct qrt_peer *peer, const struct incoming *in)
{
    const struct qrt_run *run = peer->run;
    uint8_t hash[32];

    if (!run->slots[1][QRT_KIND_BROADCAST][in->pos].filled)
        return QRT_E_AGAIN;
    qrt_envelope_open_hash(peer->ctx, hash, in->wire, in->payload, in->h.payload_len);
    if (memcmp(hash, qrt_peer_open_hash(peer, in->pos, run->own), sizeof hash) != 0)
        return QRT_E_DROP_UNAUTHENTIC;
    return qrt_run_fill(peer->run, in->slot, &in->h, in->payload);
}

static enum qrt_err take_sealed(struct qrt_peer *peer, const struct incoming *in)
{
    struct qrt_link *link = &peer->links[in->pos];

    if (!link->agreed)
        return QRT_E_AGAIN;
    if (!qrt_open(in->slot->payload, in->wire, in->h.payload_len, link->recv[in->h.round]))
        return QRT_E_DROP_UNAUTHENTIC;
    qrt_public(in->slot->payload, in->h.payload_len, "parsed; the protocols mark what is secret");
    return qrt_run_fill(peer->run, in->slot, &in->h, in->slot->payload);
}

static enum qrt_err take(struct qrt_peer *peer, const struct incoming *in)
{
    if (in->slot && in->slot->filled)
        return take_again(peer, in);
    if (in->h.kind != QRT_KIND_PRIVATE)
        return take_signed(peer, in);
    return qrt_peer_round_is_open(peer, in->h.round) ? take_open(peer, in) : take_sealed(peer, in);
}

enum qrt_err qrt_peer_recv(struct qrt_peer *peer, const uint8_t *wire, size_t len)
{
    struct incoming in;
    enum qrt_err e;

    qrt_assert(peer->self == peer);
    if (qrt_run_phase(peer->run) == QRT_PHASE_FAILED)
        return QRT_E_STATE;
    e = take_apart(peer, &in, wire, len);
    if (e)
        return e;
    return qrt_peer_settle(peer, take(peer, &in));
}
