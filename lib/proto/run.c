/* SPDX-License-Identifier: Apache-2.0 */
/* A run as its caller sees it (quorate/run.h): messages in, messages out, records, readers. */
#include "proto/round.h"

#include "base/assert.h"
#include "base/ct.h"
#include "base/wipe.h"
#include "hash/transcript.h"

#include <string.h>

/* ---- messages in ---- */

static bool is_behind(const struct qrt_run *run, uint8_t number)
{
    const struct qrt_round_def *def = qrt_run_current(run);

    return !def || number < def->number;
}

enum qrt_err qrt_run_find(struct qrt_run *run, const struct qrt_header *h, struct qrt_slot **slot,
                          size_t *pos)
{
    uint16_t receiver = h->kind == QRT_KIND_PRIVATE ? run->index[run->own] : QRT_EVERYBODY;

    *slot = NULL;
    *pos = qrt_run_position(run, h->sender);
    if (h->protocol != (uint8_t)run->def->id || memcmp(h->sid, run->sid, sizeof run->sid) != 0)
        return QRT_E_DROP_FOREIGN;
    if (*pos == run->n || *pos == run->own || h->receiver != receiver)
        return QRT_E_DROP_FOREIGN;
    if (h->kind == QRT_KIND_ABORT)
        return QRT_OK;
    if (!run->slots[h->round][h->kind])
        return QRT_E_DROP_UNEXPECTED;
    *slot = &run->slots[h->round][h->kind][*pos];
    /* only a resumed run has rounds behind it that were never heard */
    if (!(*slot)->filled && is_behind(run, h->round)) {
        *slot = NULL;
        return QRT_E_DROP_UNEXPECTED;
    }
    return QRT_OK;
}

enum qrt_err qrt_run_fill(struct qrt_run *run, struct qrt_slot *slot, const struct qrt_header *h,
                          const uint8_t *payload)
{
    qrt_assert(run->self == run && !slot->filled);
    if (payload != slot->payload)
        memcpy(slot->payload, payload, h->payload_len);
    memcpy(slot->echo, h->echo, sizeof slot->echo);
    slot->filled = true;
    return qrt_run_advance(run);
}

/* What a party says of its end reaches the host as his word, and nobody is blamed for it (J). */
enum qrt_err qrt_run_take_abort(struct qrt_run *run, const struct qrt_header *h,
                                const uint8_t *payload, size_t len)
{
    struct qrt_abort a;
    enum qrt_err said;

    if (len != QRT_ABORT_BYTES || !qrt_abort_decode(&a, payload) || h->round > run->abort_rounds)
        return QRT_E_DROP_UNEXPECTED;
    if (run->phase != QRT_PHASE_RUNNING || run->record.kind)
        return qrt_run_not_now(run);
    said = qrt_err_of_code(a.code);
    run->peer_abort = (struct qrt_peer_abort){.from = h->sender,
                                              .error = said ? said : QRT_E_PEER_ABORT,
                                              .round = a.round,
                                              .accused = a.accused};
    return qrt_run_fail(run, QRT_E_PEER_ABORT);
}

enum qrt_err qrt_run_not_now(const struct qrt_run *run)
{
    if (run->phase != QRT_PHASE_RUNNING)
        return QRT_E_DROP_DUPLICATE;
    return run->record.kind ? QRT_E_AGAIN : QRT_OK;
}

/* The slot is filled: the same again is nothing new, another broadcast is a proven cheat (B.7-2).
 */
static enum qrt_err recv_again(struct qrt_run *run, size_t pos, const struct qrt_slot *slot,
                               const struct qrt_header *h, const uint8_t *payload, size_t len)
{
    enum qrt_err e = qrt_run_not_now(run);

    if (h->kind == QRT_KIND_PRIVATE)
        return QRT_E_DROP_DUPLICATE;
    if (len == qrt_run_payload_size(run, h->round, h->kind) &&
        memcmp(slot->echo, h->echo, sizeof h->echo) == 0 &&
        memcmp(slot->payload, payload, len) == 0)
        return QRT_OK;
    return e ? e : qrt_run_fail(run, qrt_run_blame(run, pos, QRT_E_EQUIVOCATION));
}

/* An authenticated message of a wrong length is its sender's fault (B.6). */
static enum qrt_err wrong_length(struct qrt_run *run, size_t pos, uint8_t kind)
{
    enum qrt_err e = qrt_run_not_now(run);

    if (e)
        return e;
    return qrt_run_fail(run, qrt_run_blame(run, pos,
                                           kind == QRT_KIND_BROADCAST ? QRT_E_MALFORMED_BROADCAST
                                                                      : QRT_E_MALFORMED_PRIVATE));
}

enum qrt_err qrt_run_recv(struct qrt_run *run, uint16_t from, const uint8_t *b, size_t len)
{
    struct qrt_header h;
    struct qrt_slot *slot;
    size_t pos;
    enum qrt_err e;

    qrt_assert(run->self == run);
    if (run->phase == QRT_PHASE_FAILED)
        return QRT_E_STATE;
    if (qrt_header_decode(&h, b, len) || h.sender != from)
        return QRT_E_DROP_FOREIGN;
    e = qrt_run_find(run, &h, &slot, &pos);
    if (e)
        return e;
    b += QRT_HEADER_BYTES;
    len -= QRT_HEADER_BYTES;
    if (h.kind == QRT_KIND_ABORT)
        return qrt_run_take_abort(run, &h, b, len);
    if (slot->filled)
        return recv_again(run, pos, slot, &h, b, len);
    if (len != h.payload_len || len != qrt_run_payload_size(run, h.round, h.kind))
        return wrong_length(run, pos, h.kind);
    return qrt_run_fill(run, slot, &h, b);
}

/* ---- messages out ---- */

void qrt_run_header(const struct qrt_run *run, struct qrt_header *h, uint8_t number, uint8_t kind,
                    uint16_t to)
{
    *h = (struct qrt_header){.protocol = (uint8_t)run->def->id,
                             .profile = QRT_PROFILE_1,
                             .round = number,
                             .kind = kind,
                             .sender = run->index[run->own],
                             .receiver = to,
                             .payload_len = QRT_ABORT_BYTES};
    memcpy(h->sid, run->sid, sizeof h->sid);
    if (kind == QRT_KIND_ABORT)
        return;
    h->payload_len = (uint32_t)qrt_run_payload_size(run, number, kind);
    memcpy(h->echo, run->echo[number], sizeof h->echo);
}

static const struct qrt_msg *lend(struct qrt_run *run, struct qrt_out *out)
{
    struct qrt_header h;

    if (!out->waiting)
        return NULL;
    out->waiting = false;
    run->lent = out;
    qrt_assert(qrt_header_decode(&h, out->b, QRT_HEADER_BYTES) == QRT_OK);
    run->msg = (struct qrt_msg){.to = h.receiver,
                                .round = h.round,
                                .kind = h.kind,
                                .b = out->b,
                                .len = QRT_HEADER_BYTES + h.payload_len};
    return &run->msg;
}

/* What was lent last has been sent; plain private messages hold shares (F.10, G.7). */
static void forget_lent(struct qrt_run *run)
{
    if (run->lent && run->msg.kind == QRT_KIND_PRIVATE)
        qrt_wipe(run->lent->b, run->msg.len + QRT_TAIL_BYTES);
    run->lent = NULL;
}

const struct qrt_msg *qrt_run_next(struct qrt_run *run)
{
    const struct qrt_msg *msg = NULL;

    qrt_assert(run->self == run);
    forget_lent(run);
    if (run->record.kind)
        return NULL;
    if (run->abort.waiting)
        return lend(run, &run->abort);
    for (size_t i = 0; !msg && i < run->def->rounds_n; i++) {
        const struct qrt_round_def *def = &run->def->rounds[i];

        for (uint8_t kind = 0; kind < 2; kind++)
            for (size_t p = 0; !msg && p < qrt_run_outs_n(run, def, kind); p++)
                msg = lend(run, &run->outs[def->number][kind][p]);
    }
    return msg;
}

uint8_t *qrt_run_broadcast(struct qrt_run *run, uint8_t number)
{
    return run->outs[number][QRT_KIND_BROADCAST]->b + QRT_HEADER_BYTES;
}

uint8_t *qrt_run_private(struct qrt_run *run, uint8_t number, size_t pos)
{
    return run->outs[number][QRT_KIND_PRIVATE][pos].b + QRT_HEADER_BYTES;
}

const uint8_t *qrt_run_inbox(const struct qrt_run *run, uint8_t number, uint8_t kind, size_t pos)
{
    return run->slots[number][kind][pos].payload;
}

void qrt_run_broadcasts(const struct qrt_run *run, struct qrt_broadcasts *out, uint8_t number)
{
    out->n = run->n;
    out->len = qrt_run_payload_size(run, number, QRT_KIND_BROADCAST);
    for (size_t i = 0; i < run->n; i++) {
        out->index[i] = run->index[i];
        out->payload[i] = qrt_run_inbox(run, number, QRT_KIND_BROADCAST, i);
    }
}

void qrt_broadcasts_hash(const struct qrt_ctx *ctx, uint8_t out[32], const uint8_t ssid[32],
                         uint8_t number, const struct qrt_broadcasts *b)
{
    struct qrt_th th;

    qrt_th_start(&th, ctx, QRT_L_BCAST);
    qrt_th_field(&th, ssid, 32);
    qrt_th_u8(&th, number);
    qrt_th_open(&th, b->n * 34);
    for (size_t i = 0; i < b->n; i++) {
        uint8_t hash[32];

        qrt_sha256(ctx, hash, b->payload[i], b->len);
        qrt_th_part_be16(&th, b->index[i]);
        qrt_th_part(&th, hash, sizeof hash);
    }
    qrt_th_end(&th, out);
}

void qrt_run_broadcast_hash(const struct qrt_run *run, uint8_t out[32], const uint8_t ssid[32],
                            uint8_t number)
{
    struct qrt_broadcasts b;

    qrt_run_broadcasts(run, &b, number);
    qrt_broadcasts_hash(run->ctx, out, ssid, number, &b);
}

/* ---- the host's side ---- */

const struct qrt_record *qrt_run_record(const struct qrt_run *run)
{
    return run->record.kind ? &run->record : NULL;
}

enum qrt_err qrt_run_confirm(struct qrt_run *run)
{
    qrt_assert(run->self == run);
    if (!run->record.kind)
        return QRT_E_STATE;
    run->record = (struct qrt_record){0};
    return qrt_run_advance(run);
}

void qrt_run_refuse(struct qrt_run *run)
{
    qrt_assert(run->self == run);
    if (!run->record.kind)
        return;
    if (run->phase == QRT_PHASE_RUNNING) {
        (void)qrt_run_fail(run, QRT_E_REFUSED);
        return;
    }
    run->record =
        (struct qrt_record){0}; /* a burn that is not durable: not even the abort leaves */
    run->abort.waiting = false;
}

enum qrt_phase qrt_run_phase(const struct qrt_run *run)
{
    return run->phase;
}

enum qrt_err qrt_run_error(const struct qrt_run *run)
{
    return run->error;
}

uint16_t qrt_run_culprit(const struct qrt_run *run)
{
    return run->culprit;
}

uint8_t qrt_run_round(const struct qrt_run *run)
{
    size_t last = run->def->rounds_n - 1;

    return run->def->rounds[run->row < last ? run->row : last].number;
}

const uint8_t *qrt_run_sid(const struct qrt_run *run)
{
    return run->sid;
}

const struct qrt_peer_abort *qrt_run_peer_abort(const struct qrt_run *run)
{
    return run->peer_abort.from ? &run->peer_abort : NULL;
}

size_t qrt_run_waiting_for(const struct qrt_run *run, uint16_t *out, size_t cap)
{
    const struct qrt_round_def *def = qrt_run_current(run);
    size_t found = 0;

    if (!def || run->phase != QRT_PHASE_RUNNING || run->record.kind)
        return 0;
    for (size_t i = 0; i < run->n; i++) {
        if (qrt_run_is_heard(run, def, i))
            continue;
        if (found < cap)
            out[found] = run->index[i];
        found++;
    }
    return found;
}

void qrt_run_wipe(struct qrt_run *run)
{
    qrt_wipe(run, run->size);
    qrt_wipe_stack();
}
