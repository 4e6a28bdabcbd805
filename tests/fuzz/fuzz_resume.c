/* SPDX-License-Identifier: Apache-2.0 */
/* The machine that goes on from a pending share: party 1 of three died before the confirmations
 * came. Byte 0: bit 0 raw, the rest is one message, with bit 1 of its session; otherwise operations
 * of four bytes on the messages of that keygen: what, which, and two bytes of argument.
 *
 * Whatever came before, the run does not fail, says its own confirmation and nothing else, and when
 * the true confirmations come it is done with a share that opens (protocol.md F.7). */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { SENT_MAX = 64, SIG_BYTES = 64 };

struct sent {
    uint8_t *b;
    size_t len;
    size_t from;
    uint8_t round;
};

/* The keygen before the death: made once. */
struct past {
    struct session s;
    uint8_t *pending;
    size_t pending_len;
    struct sent sent[SENT_MAX];
    size_t n;
    struct qrt_share share;
};

static void note(struct past *p, size_t from, const struct qrt_msg *msg)
{
    struct sent *sent = &p->sent[p->n++];

    fuzz_need(p->n <= SENT_MAX);
    *sent = (struct sent){malloc(msg->len), msg->len, from, msg->round};
    memcpy(sent->b, msg->b, msg->len);
    for (size_t to = 0; to < p->s.n; to++)
        if (to != from && (msg->to == QRT_EVERYBODY || msg->to == seat_index(&p->s.seats[to])))
            (void)!seat_recv(&p->s.seats[to], seat_index(&p->s.seats[from]), msg->b, msg->len);
}

static bool live_on(struct past *p, size_t i)
{
    struct seat *seat = &p->s.seats[i];
    const struct qrt_record *record = seat_record(seat);
    const struct qrt_msg *msg;
    bool moved = record;

    if (record && i == 0 && record->kind == QRT_RECORD_SHARE_PENDING) {
        p->pending = malloc(record->len);
        p->pending_len = record->len;
        memcpy(p->pending, record->b, record->len);
    }
    (void)seat_store(seat);
    for (; (msg = seat_next(seat)); moved = true)
        note(p, i, msg);
    return moved;
}

static const struct past *past(void)
{
    static struct past p;
    bool moved = true;

    if (p.n)
        return &p;
    session_init(&p.s, fuzz_committee(3, 3), QRT_KEYGEN, true);
    fuzz_need(session_start(&p.s) == QRT_OK);
    while (moved) {
        moved = false;
        for (size_t i = 0; i < p.s.n; i++)
            moved |= live_on(&p, i);
    }
    fuzz_need(session_done(&p.s) && p.pending);
    fuzz_need(qrt_share_open_pending(&p.share, fuzz_ctx(), p.pending, p.pending_len) == QRT_OK);
    return &p;
}

static struct qrt_peer *resume(const struct past *p)
{
    const struct committee *c = p->s.c;
    struct qrt_peer_params envelope = {c->identity[0], c->keys, c->n};
    struct qrt_peer *peer = aligned_alloc(QRT_ALIGN, p->s.memory_len);

    fuzz_need(peer && qrt_peer_resume(peer, fuzz_ctx(), &p->share, &envelope) == QRT_OK);
    return peer;
}

/* The own confirmation, byte for byte as before, once. */
static void speak(struct qrt_peer *peer, const struct past *p, bool *spoke)
{
    const struct qrt_msg *msg;

    for (; (msg = qrt_peer_next(peer)); *spoke = true) {
        size_t i = 0;

        while (i < p->n && (p->sent[i].from != 0 || p->sent[i].round != 4))
            i++;
        fuzz_need(!*spoke && i < p->n && msg->len == p->sent[i].len);
        fuzz_need(memcmp(msg->b, p->sent[i].b, msg->len) == 0);
    }
}

static enum qrt_err offer(struct qrt_peer *peer, const uint8_t *b, size_t len)
{
    enum qrt_err e = qrt_peer_recv(peer, b, len);

    fuzz_need(!qrt_err_is_final(e) && qrt_run_phase(qrt_peer_run(peer)) != QRT_PHASE_FAILED);
    return e;
}

static void raw(struct qrt_peer *peer, struct fuzz_in *in, bool own_session)
{
    uint8_t *copy = malloc(in->left + !in->left);

    if (in->left)
        memcpy(copy, in->b, in->left);
    if (own_session && in->left >= QRT_HEADER_BYTES)
        memcpy(copy + 16, qrt_run_sid(qrt_peer_run(peer)), 32);
    (void)offer(peer, copy, in->left);
    free(copy);
}

/* A bit flipped, or another length: never taken. What repeats a message that was taken is well
 * whatever its signature: there is nothing to take. */
static void alter(struct qrt_peer *peer, const struct sent *sent, uint8_t what, uint16_t arg)
{
    uint8_t *copy = calloc(1, sent->len + 64);
    size_t len = sent->len, at = arg % len;
    bool repeats = (what & 1) && at >= len - SIG_BYTES;
    enum qrt_err e;

    memcpy(copy, sent->b, sent->len);
    if (what & 1)
        copy[at] ^= (uint8_t)(1u << what / 8 % 8);
    else
        len = arg & 0x8000 ? len + 1 + arg % 63 : arg % len;
    e = offer(peer, copy, len);
    fuzz_need(qrt_err_class(e) == QRT_CLASS_DROP || (repeats && e == QRT_OK));
    free(copy);
}

static void step(struct qrt_peer *peer, const struct past *p, struct fuzz_in *in)
{
    uint8_t what = fuzz_u8(in);
    const struct sent *sent = &p->sent[fuzz_u8(in) % p->n];
    uint16_t arg = fuzz_u16(in);

    switch (what % 4) {
    case 0: /* true, though perhaps of an earlier round, its own, for another, or a repetition */
        (void)offer(peer, sent->b, sent->len);
        break;
    case 3:
        if (qrt_peer_record(peer))
            fuzz_need(qrt_peer_confirm(peer) == QRT_OK);
        break;
    default:
        alter(peer, sent, what, arg);
    }
}

static void finish(struct qrt_peer *peer, const struct past *p)
{
    const struct qrt_record *record;
    struct qrt_share share;

    for (size_t i = 0; i < p->n; i++)
        if (p->sent[i].round == 4 && p->sent[i].from != 0)
            (void)offer(peer, p->sent[i].b, p->sent[i].len);
    record = qrt_peer_record(peer);
    if (record) {
        fuzz_need(record->kind == QRT_RECORD_SHARE);
        fuzz_need(qrt_share_open(&share, fuzz_ctx(), record->b, record->len) == QRT_OK);
        fuzz_need(qrt_peer_confirm(peer) == QRT_OK);
    }
    fuzz_need(qrt_run_phase(qrt_peer_run(peer)) == QRT_PHASE_DONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    uint8_t shape = fuzz_u8(&in);
    const struct past *p = past();
    struct qrt_peer *peer = resume(p);
    bool spoke = false;

    speak(peer, p, &spoke);
    if (shape & 1)
        raw(peer, &in, shape & 2);
    else
        while (in.left >= 4) {
            step(peer, p, &in);
            speak(peer, p, &spoke);
        }
    finish(peer, p);
    speak(peer, p, &spoke);
    fuzz_need(spoke);
    qrt_peer_wipe(peer);
    free(peer);
    return 0;
}
