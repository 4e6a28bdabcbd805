/* SPDX-License-Identifier: Apache-2.0 */
/* A peer, its start and its sending side (peer.h, protocol.md B.7, K.1). peer_recv.c receives. */
#include "proto/peer.h"

#include "base/assert.h"
#include "base/ct.h"
#include "base/wipe.h"
#include "hash/sha256.h"
#include "proto/keygen.h"

#include <sodium.h>
#include <string.h>

/* ---- layout ---- */

static size_t ext_len(enum qrt_protocol protocol, size_t n)
{
    if (protocol == QRT_ONLINE)
        return 0;
    return protocol == QRT_KEYGEN ? 32 : 32 + 32 * (n - 1);
}

/* The longest broadcast: round 1 with its ext, or keygen's round 2. */
static size_t out_len(enum qrt_protocol protocol, size_t n, size_t t)
{
    size_t longest = 0;

    for (uint8_t number = 1; number <= QRT_ROUNDS_MAX; number++) {
        size_t len = qrt_wire_size(protocol, number, QRT_KIND_BROADCAST, n, t);

        longest = len > longest ? len : longest;
    }
    return longest;
}

static void layout(struct qrt_peer *peer, struct qrt_arena *a, enum qrt_protocol protocol, size_t n,
                   size_t t)
{
    peer->ext_len = ext_len(protocol, n);
    peer->links = qrt_arena_take(a, n * sizeof *peer->links);
    peer->ext = qrt_arena_take(a, n * peer->ext_len);
    for (size_t number = 1; number <= QRT_ROUNDS_MAX; number++)
        peer->sigs[number] = qrt_arena_take(a, n * sizeof *peer->sigs[number]);
    peer->out = qrt_arena_take(a, out_len(protocol, n, t));
    peer->evidence = qrt_arena_take(a, qrt_evidence_room(protocol, n, t));
    peer->run = qrt_arena_take(a, qrt_run_size(protocol, n, t));
}

static size_t head_len(void)
{
    return (sizeof(struct qrt_peer) + QRT_ALIGN - 1) / QRT_ALIGN * QRT_ALIGN;
}

size_t qrt_peer_size(enum qrt_protocol protocol, size_t n, size_t t)
{
    struct qrt_peer peer;
    struct qrt_arena a = {0};

    if (!qrt_run_size(protocol, n, t))
        return 0;
    layout(&peer, &a, protocol, n, t);
    return head_len() + a.used;
}

/* NULL if n or t is out of range. */
static struct qrt_run *prepare(struct qrt_peer *peer, const struct qrt_ctx *ctx,
                               enum qrt_protocol protocol, size_t n, size_t t)
{
    size_t size = qrt_peer_size(protocol, n, t);
    struct qrt_arena a = {.base = (uint8_t *)peer + head_len()};

    qrt_assert((uintptr_t)peer % QRT_ALIGN == 0);
    if (!size)
        return NULL;
    memset(peer, 0, size);
    peer->self = peer;
    peer->ctx = ctx;
    peer->size = size;
    layout(peer, &a, protocol, n, t);
    return peer->run;
}

/* The caller's memory is sized by the key's threshold: another number of signers must not be laid
 * out. */
static struct qrt_run *prepare_quorum(struct qrt_peer *peer, const struct qrt_ctx *ctx,
                                      enum qrt_protocol protocol,
                                      const struct qrt_sign_params *params)
{
    size_t t = params->share->t;

    return params->signers_n == t ? prepare(peer, ctx, protocol, t, t) : NULL;
}

/* ---- identities ---- */

static const uint8_t *find_key(const struct qrt_peer_params *envelope, uint16_t index)
{
    for (size_t i = 0; i < envelope->keys_n; i++)
        if (envelope->keys[i].index == index)
            return envelope->keys[i].idpk;
    return NULL;
}

/* What the roster says of position |pos|: in keygen the run's, otherwise the share's. */
static const uint8_t *roster_idk(const struct qrt_run *run, const struct qrt_share *share,
                                 size_t pos)
{
    if (!share)
        return ((const struct qrt_keygen_open *)run->open)->parties[pos].idk;
    return qrt_share_party(share, run->index[pos])->idk;
}

static bool seat(struct qrt_peer *peer, size_t pos, const uint8_t *idpk, const uint8_t *idk)
{
    uint8_t hash[32];

    if (!idpk)
        return false;
    qrt_sha256(peer->ctx, hash, idpk, 32);
    memcpy(peer->idpk[pos], idpk, 32);
    memcpy(peer->idk[pos], hash, 32);
    return memcmp(hash, idk, 32) == 0;
}

/* Every participant's identity key against the roster; the own secret key against the own. */
static enum qrt_err join(struct qrt_peer *peer, const struct qrt_peer_params *envelope,
                         const struct qrt_share *share)
{
    const struct qrt_run *run = peer->run;

    for (size_t i = 0; i < run->n; i++)
        if (!seat(peer, i, find_key(envelope, run->index[i]), roster_idk(run, share, i)))
            return QRT_E_IDENTITY;
    peer->identity = envelope->identity;
    /* libsodium's secret key ends with the public key */
    return memcmp(peer->identity + 32, peer->idpk[run->own], 32) == 0 ? QRT_OK : QRT_E_IDENTITY;
}

/* After the run's start answered |e|: identities, then the ephemeral key from |esk|, which is
 * wiped. */
static enum qrt_err begin(struct qrt_peer *peer, enum qrt_err e,
                          const struct qrt_peer_params *envelope, const struct qrt_share *share,
                          uint8_t esk[32])
{
    if (!e)
        e = join(peer, envelope, share);
    if (!e && esk) {
        memcpy(peer->esk, esk, sizeof peer->esk);
        qrt_seal_ephemeral(qrt_peer_ext(peer, peer->run->own), peer->esk);
    }
    if (esk)
        qrt_wipe(esk, 32);
    if (e)
        qrt_wipe(peer, peer->size);
    return e;
}

/* ---- starts ---- */

enum qrt_err qrt_peer_keygen(struct qrt_peer *peer, const struct qrt_ctx *ctx,
                             const struct qrt_keygen_params *params,
                             const struct qrt_peer_params *envelope, struct qrt_entropy *entropy)
{
    struct qrt_run *run = prepare(peer, ctx, QRT_KEYGEN, params->n, params->t);

    if (!run) {
        qrt_wipe(entropy, sizeof *entropy);
        return QRT_E_THRESHOLD;
    }
    return begin(peer, qrt_keygen_start(run, ctx, params, entropy->seed), envelope, NULL,
                 entropy->ephemeral);
}

enum qrt_err qrt_peer_sign(struct qrt_peer *peer, const struct qrt_ctx *ctx,
                           const struct qrt_sign_params *params,
                           const struct qrt_peer_params *envelope, struct qrt_entropy *entropy)
{
    struct qrt_run *run = prepare_quorum(peer, ctx, QRT_SIGN, params);

    if (!run) {
        qrt_wipe(entropy, sizeof *entropy);
        return QRT_E_QUORUM;
    }
    return begin(peer, qrt_sign_start(run, ctx, params, entropy->seed), envelope, params->share,
                 entropy->ephemeral);
}

enum qrt_err qrt_peer_presign(struct qrt_peer *peer, const struct qrt_ctx *ctx,
                              const struct qrt_sign_params *params,
                              const struct qrt_peer_params *envelope, struct qrt_entropy *entropy)
{
    struct qrt_run *run = prepare_quorum(peer, ctx, QRT_PRESIGN, params);

    if (!run) {
        qrt_wipe(entropy, sizeof *entropy);
        return QRT_E_QUORUM;
    }
    return begin(peer, qrt_presign_start(run, ctx, params, entropy->seed), envelope, params->share,
                 entropy->ephemeral);
}

enum qrt_err qrt_peer_online(struct qrt_peer *peer, const struct qrt_ctx *ctx,
                             const struct qrt_online_params *params,
                             const struct qrt_peer_params *envelope)
{
    size_t t = params->share->t;
    struct qrt_run *run = prepare(peer, ctx, QRT_ONLINE, t, t);

    if (!run) {
        qrt_wipe(params->presig, params->presig_len);
        return QRT_E_QUORUM;
    }
    return begin(peer, qrt_online_start(run, ctx, params), envelope, params->share, NULL);
}

enum qrt_err qrt_peer_resume(struct qrt_peer *peer, const struct qrt_ctx *ctx,
                             const struct qrt_share *share, const struct qrt_peer_params *envelope)
{
    struct qrt_run *run = prepare(peer, ctx, QRT_KEYGEN, share->n, share->t);

    if (!run)
        return QRT_E_THRESHOLD;
    return begin(peer, qrt_keygen_resume(run, ctx, share), envelope, share, NULL);
}

/* ---- what was signed beside the payload ---- */

bool qrt_peer_round_is_open(const struct qrt_peer *peer, uint8_t number)
{
    return number == 1 && peer->run->def->id != QRT_KEYGEN;
}

uint8_t *qrt_peer_ext(const struct qrt_peer *peer, size_t pos)
{
    return peer->ext + pos * peer->ext_len;
}

size_t qrt_peer_ext_len(const struct qrt_peer *peer, uint8_t number)
{
    return number == 1 ? peer->ext_len : 0;
}

uint8_t *qrt_peer_open_hash(const struct qrt_peer *peer, size_t from, size_t to)
{
    return qrt_peer_ext(peer, from) + 32 + 32 * (to < from ? to : to - 1);
}

/* Hash every open message into the own ext: they are built before the broadcast is signed. */
static void hash_open_messages(struct qrt_peer *peer)
{
    const struct qrt_run *run = peer->run;
    size_t len = qrt_payload_size(run->def->id, 1, QRT_KIND_PRIVATE, run->t);

    for (size_t j = 0; j < run->n; j++) {
        const uint8_t *b;

        if (j == run->own)
            continue;
        b = run->outs[1][QRT_KIND_PRIVATE][j].b;
        qrt_envelope_open_hash(peer->ctx, qrt_peer_open_hash(peer, run->own, j), b,
                               b + QRT_HEADER_BYTES, len);
    }
}

/* ---- sending ---- */

static void sign_message(const struct qrt_peer *peer, uint8_t sig[64], const uint8_t *b, size_t len,
                         uint8_t number)
{
    const struct qrt_signed m = {.header = b,
                                 .ext = qrt_peer_ext(peer, peer->run->own),
                                 .ext_len = qrt_peer_ext_len(peer, number),
                                 .payload = b + QRT_HEADER_BYTES,
                                 .payload_len = len - QRT_HEADER_BYTES};

    qrt_envelope_sign(peer->ctx, sig, &m, peer->identity);
}

static const struct qrt_msg *send_signed(struct qrt_peer *peer, const struct qrt_msg *msg)
{
    struct qrt_run *run = peer->run;
    bool is_abort = msg->kind == QRT_KIND_ABORT;
    size_t ext = is_abort ? 0 : qrt_peer_ext_len(peer, msg->round);
    size_t payload = msg->len - QRT_HEADER_BYTES;
    uint8_t *sig = peer->out + msg->len + ext;
    const uint8_t *own_ext = qrt_peer_ext(peer, run->own);

    if (ext && qrt_peer_round_is_open(peer, msg->round))
        hash_open_messages(peer);
    memcpy(peer->out, msg->b, QRT_HEADER_BYTES);
    memcpy(peer->out + QRT_HEADER_BYTES, own_ext, ext);
    memcpy(peer->out + QRT_HEADER_BYTES + ext, msg->b + QRT_HEADER_BYTES, payload);
    sign_message(peer, sig, msg->b, msg->len, is_abort ? 0 : msg->round);
    if (!is_abort)
        memcpy(peer->sigs[msg->round][run->own], sig, QRT_SIG_BYTES);
    peer->msg = *msg;
    peer->msg.b = peer->out;
    peer->msg.len = msg->len + ext + QRT_SIG_BYTES;
    return &peer->msg;
}

static const struct qrt_msg *send_sealed(struct qrt_peer *peer, const struct qrt_msg *msg)
{
    size_t to = qrt_run_position(peer->run, msg->to);
    struct qrt_link *link = &peer->links[to];

    qrt_assert(link->agreed); /* rounds before this one are complete */
    qrt_seal(peer->run->outs[msg->round][QRT_KIND_PRIVATE][to].b, msg->len - QRT_HEADER_BYTES,
             link->send[msg->round]);
    peer->msg = *msg;
    peer->msg.len = msg->len + QRT_TAG_BYTES;
    return &peer->msg;
}

const struct qrt_msg *qrt_peer_next(struct qrt_peer *peer)
{
    const struct qrt_msg *msg;

    qrt_assert(peer->self == peer);
    msg = qrt_run_next(peer->run);
    if (!msg)
        return NULL;
    if (msg->kind != QRT_KIND_PRIVATE)
        return send_signed(peer, msg);
    return qrt_peer_round_is_open(peer, msg->round) ? msg : send_sealed(peer, msg);
}

/* ---- the host's side ---- */

/* The pending record must hold the signature of the round-4 message that waits behind it (F.7). */
static void attest_own(struct qrt_peer *peer)
{
    struct qrt_run *run = peer->run;
    const uint8_t *b = run->outs[4][QRT_KIND_BROADCAST]->b;
    uint8_t header[QRT_HEADER_BYTES + 32], sig[64];
    struct qrt_header h;

    qrt_run_header(run, &h, 4, QRT_KIND_BROADCAST, QRT_EVERYBODY);
    qrt_header_encode(header, &h);
    memcpy(header + QRT_HEADER_BYTES, b + QRT_HEADER_BYTES, 32);
    sign_message(peer, sig, header, sizeof header, 4);
    qrt_keygen_attest(run, run->own, peer->idpk[run->own], sig);
}

static void forget_keys(struct qrt_peer *peer)
{
    qrt_wipe(peer->esk, sizeof peer->esk);
    qrt_wipe(peer->links, peer->run->n * sizeof *peer->links);
}

enum qrt_err qrt_peer_settle(struct qrt_peer *peer, enum qrt_err e)
{
    const struct qrt_record *record = qrt_run_record(peer->run);

    if (record && record->kind == QRT_RECORD_SHARE_PENDING)
        attest_own(peer);
    if (qrt_run_phase(peer->run) == QRT_PHASE_FAILED) {
        if (!peer->evidence_len)
            qrt_evidence_make(peer);
        forget_keys(peer);
    }
    return e;
}

const struct qrt_record *qrt_peer_record(const struct qrt_peer *peer)
{
    return qrt_run_record(peer->run);
}

enum qrt_err qrt_peer_confirm(struct qrt_peer *peer)
{
    qrt_assert(peer->self == peer);
    return qrt_peer_settle(peer, qrt_run_confirm(peer->run));
}

void qrt_peer_refuse(struct qrt_peer *peer)
{
    qrt_assert(peer->self == peer);
    qrt_run_refuse(peer->run);
    (void)qrt_peer_settle(peer, QRT_OK);
}

void qrt_peer_wipe(struct qrt_peer *peer)
{
    qrt_wipe(peer, peer->size);
    qrt_wipe_stack();
}

const struct qrt_run *qrt_peer_run(const struct qrt_peer *peer)
{
    return peer->run;
}

struct qrt_run *qrt_peer_run_mut(struct qrt_peer *peer)
{
    return peer->run;
}

const uint8_t *qrt_peer_evidence(const struct qrt_peer *peer, size_t *len)
{
    *len = peer->evidence_len;
    return peer->evidence_len ? peer->evidence : NULL;
}
