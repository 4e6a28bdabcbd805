/* SPDX-License-Identifier: Apache-2.0 */
/* The round engine (round.h, protocol.md B.4, B.7, F.10). */
#include "proto/round.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/ct.h"
#include "base/wipe.h"
#include "hash/transcript.h"
#include "wire/abort.h"

#include <string.h>

static const struct qrt_round_def *current(const struct qrt_run *run)
{
    return run->row < run->def->rounds_n ? &run->def->rounds[run->row] : NULL;
}

const struct qrt_protocol_def *qrt_protocol_def(enum qrt_protocol protocol)
{
    static const struct qrt_protocol_def *const defs[] = {&qrt_keygen_def, &qrt_sign_def,
                                                          &qrt_presign_def, &qrt_online_def};

    for (size_t i = 0; i < QRT_ARRAY_LEN(defs); i++)
        if (defs[i]->id == protocol)
            return defs[i];
    return NULL;
}

/* ---- layout ---- */

static size_t payload_size(const struct qrt_run *run, uint8_t number, uint8_t kind)
{
    return qrt_payload_size(run->def->id, number, kind, run->t);
}

/* Round-1 private messages (E1) are open on the wire and covered by a signed hash: evidence. */
static struct qrt_arena *slot_part(uint8_t number, uint8_t kind, struct qrt_arena *secret,
                                   struct qrt_arena *open)
{
    return kind == QRT_KIND_BROADCAST || number == 1 ? open : secret;
}

/* Bytes for the own place in a private row would never be used. */
static size_t byte_rows(const struct qrt_run *run, uint8_t kind)
{
    return kind == QRT_KIND_BROADCAST ? run->n : run->n - 1;
}

static void layout_slots(struct qrt_run *run, uint8_t number, uint8_t kind, struct qrt_arena *part,
                         struct qrt_arena *open)
{
    size_t len = payload_size(run, number, kind);
    struct qrt_slot *slots = qrt_arena_take(open, run->n * sizeof *slots);
    uint8_t *b = qrt_arena_take(part, byte_rows(run, kind) * len);

    run->slots[number][kind] = slots;
    for (size_t i = 0; slots && i < run->n; i++) {
        if (kind == QRT_KIND_PRIVATE && i == run->own)
            continue;
        slots[i].payload = b;
        b += len;
    }
}

static void layout_outs(struct qrt_run *run, uint8_t number, uint8_t kind, struct qrt_arena *secret,
                        struct qrt_arena *open)
{
    size_t len = QRT_HEADER_BYTES + payload_size(run, number, kind) + QRT_TAIL_BYTES;
    size_t rows = kind == QRT_KIND_BROADCAST ? 1 : run->n;
    struct qrt_out *outs = qrt_arena_take(open, rows * sizeof *outs);
    uint8_t *b = qrt_arena_take(secret, (rows == 1 ? 1 : rows - 1) * len);

    run->outs[number][kind] = outs;
    for (size_t i = 0; outs && i < rows; i++) {
        if (kind == QRT_KIND_PRIVATE && i == run->own)
            continue;
        outs[i].b = b;
        b += len;
    }
}

static void layout_kind(struct qrt_run *run, uint8_t number, uint8_t kind, struct qrt_arena *secret,
                        struct qrt_arena *open)
{
    layout_slots(run, number, kind, slot_part(number, kind, secret, open), open);
    layout_outs(run, number, kind, secret, open);
}

static void layout_parts(struct qrt_run *run, struct qrt_arena *secret, struct qrt_arena *open)
{
    for (size_t i = 0; i < run->def->rounds_n; i++) {
        const struct qrt_round_def *def = &run->def->rounds[i];

        for (uint8_t kind = 0; kind < 2; kind++)
            if (def->has[kind])
                layout_kind(run, def->number, kind, secret, open);
    }
    run->def->layout(run, secret, open);
}

/* The public part follows the run itself, the secret part follows the public one. */
static void layout(struct qrt_run *run, uint8_t *base)
{
    struct qrt_arena secret = {0}, open = {0};

    layout_parts(run, &secret, &open);
    run->secret_len = secret.used;
    run->size = (sizeof *run + QRT_ALIGN - 1) / QRT_ALIGN * QRT_ALIGN + open.used + secret.used;
    if (!base)
        return;
    open = (struct qrt_arena){.base = base + run->size - open.used - secret.used};
    secret = (struct qrt_arena){.base = base + run->size - run->secret_len};
    run->secret = secret.base;
    memset(open.base, 0, run->size - (size_t)(open.base - base));
    layout_parts(run, &secret, &open);
}

size_t qrt_run_size(enum qrt_protocol protocol, size_t n, size_t t)
{
    struct qrt_run run = {.def = qrt_protocol_def(protocol), .n = n, .t = t};

    if (!run.def || t < 2 || t > n || n > QRT_PARTIES_MAX)
        return 0;
    if (protocol != QRT_KEYGEN && n != t)
        return 0;
    layout(&run, NULL);
    return run.size;
}

void qrt_run_init(struct qrt_run *run, const struct qrt_ctx *ctx, const struct qrt_run_params *p)
{
    qrt_assert((uintptr_t)run % QRT_ALIGN == 0);
    *run = (struct qrt_run){
        .self = run, .ctx = ctx, .def = p->def, .n = p->n, .t = p->t, .own = p->own};
    memcpy(run->index, p->index, p->n * sizeof *p->index);
    run->abort.b = run->abort_buf;
    layout(run, (uint8_t *)run);
}

/* ---- failure ---- */

void qrt_run_forget(struct qrt_run *run)
{
    qrt_wipe(run->secret, run->secret_len);
    qrt_wipe_stack();
}

void qrt_run_wipe_inbox(struct qrt_run *run, uint8_t number, size_t offset, size_t len)
{
    for (size_t i = 0; i < run->n; i++)
        if (i != run->own)
            qrt_wipe(run->slots[number][QRT_KIND_PRIVATE][i].payload + offset, len);
}

static void write_abort(struct qrt_run *run)
{
    const struct qrt_round_def *def = current(run);
    struct qrt_header h;
    size_t last = run->def->rounds_n - 1;
    struct qrt_abort a;

    qrt_abort_of(&a, run->error, def ? def->number : run->def->rounds[last].number, run->culprit);
    qrt_run_header(run, &h, a.round, QRT_KIND_ABORT, QRT_EVERYBODY);
    qrt_header_encode(run->abort_buf, &h);
    qrt_abort_encode(run->abort_buf + QRT_HEADER_BYTES, &a);
    run->abort.waiting = true;
}

static size_t outs_n(const struct qrt_run *run, const struct qrt_round_def *def, uint8_t kind)
{
    if (!def->has[kind])
        return 0;
    return kind == QRT_KIND_BROADCAST ? 1 : run->n;
}

static void cancel_output(struct qrt_run *run)
{
    for (size_t i = 0; i < run->def->rounds_n; i++) {
        const struct qrt_round_def *def = &run->def->rounds[i];

        for (uint8_t kind = 0; kind < 2; kind++)
            for (size_t p = 0; p < outs_n(run, def, kind); p++)
                run->outs[def->number][kind][p].waiting = false;
    }
}

enum qrt_err qrt_run_fail(struct qrt_run *run, enum qrt_err e)
{
    qrt_assert(run->phase == QRT_PHASE_RUNNING && qrt_err_is_final(e));
    run->phase = QRT_PHASE_FAILED;
    run->error = e;
    run->record = (struct qrt_record){0};
    cancel_output(run);
    if (qrt_err_class(e) == QRT_CLASS_BURN)
        qrt_run_hold(run, QRT_RECORD_BURN, run->burn, run->burn_len);
    qrt_run_forget(run);
    if (e != QRT_E_PEER_ABORT)
        write_abort(run);
    return e;
}

enum qrt_err qrt_run_blame(struct qrt_run *run, size_t pos, enum qrt_err e)
{
    run->culprit = run->index[pos];
    return e;
}

enum qrt_err qrt_run_take_abort(struct qrt_run *run)
{
    if (run->phase != QRT_PHASE_RUNNING)
        return QRT_E_STATE;
    return qrt_run_fail(run, QRT_E_PEER_ABORT);
}

/* ---- progress ---- */

/* All that position |pos| has to say in this round is there. */
static bool is_heard(const struct qrt_run *run, const struct qrt_round_def *def, size_t pos)
{
    for (uint8_t kind = 0; kind < 2; kind++)
        if (def->has[kind] && pos != run->own && !run->slots[def->number][kind][pos].filled)
            return false;
    return true;
}

static bool inbox_complete(const struct qrt_run *run, const struct qrt_round_def *def)
{
    for (size_t i = 0; i < run->n; i++)
        if (!is_heard(run, def, i))
            return false;
    return true;
}

/* Public on both sides; a difference blames nobody (protocol.md B.4). */
static bool echo_agrees(const struct qrt_run *run, const struct qrt_round_def *def, size_t pos)
{
    for (uint8_t kind = 0; kind < 2; kind++)
        if (def->has[kind] &&
            memcmp(run->slots[def->number][kind][pos].echo, run->echo[def->number], 32) != 0)
            return false;
    return true;
}

static enum qrt_err check_echoes(const struct qrt_run *run, const struct qrt_round_def *def)
{
    for (size_t i = 0; i < run->n; i++)
        if (i != run->own && !echo_agrees(run, def, i))
            return QRT_E_ECHO;
    return QRT_OK;
}

static enum qrt_err digest_round(struct qrt_run *run, const struct qrt_round_def *def)
{
    enum qrt_err e = check_echoes(run, def);

    if (!e && def->parse)
        e = def->parse(run);
    if (!e)
        e = def->check(run);
    return e;
}

static void send_out(struct qrt_run *run, struct qrt_out *out, uint8_t number, uint8_t kind,
                     uint16_t to)
{
    struct qrt_header h;

    qrt_run_header(run, &h, number, kind, to);
    qrt_header_encode(out->b, &h);
    qrt_public(out->b + QRT_HEADER_BYTES, h.payload_len, "leaves this party");
    out->waiting = true;
}

static void send_broadcast(struct qrt_run *run, uint8_t number)
{
    struct qrt_slot *own = &run->slots[number][QRT_KIND_BROADCAST][run->own];
    struct qrt_out *out = run->outs[number][QRT_KIND_BROADCAST];

    send_out(run, out, number, QRT_KIND_BROADCAST, QRT_EVERYBODY);
    memcpy(own->payload, out->b + QRT_HEADER_BYTES, payload_size(run, number, QRT_KIND_BROADCAST));
    own->filled = true;
}

static enum qrt_err write_round(struct qrt_run *run)
{
    const struct qrt_round_def *def = current(run);
    enum qrt_err e = def->write(run);

    if (e)
        return e;
    if (def->has[QRT_KIND_BROADCAST])
        send_broadcast(run, def->number);
    for (size_t i = 0; def->has[QRT_KIND_PRIVATE] && i < run->n; i++)
        if (i != run->own)
            send_out(run, &run->outs[def->number][QRT_KIND_PRIVATE][i], def->number,
                     QRT_KIND_PRIVATE, run->index[i]);
    return QRT_OK;
}

static enum qrt_err step(struct qrt_run *run)
{
    enum qrt_err e = digest_round(run, current(run));

    if (e)
        return e;
    run->row++;
    return current(run) ? write_round(run) : QRT_OK;
}

/* As far as the inbox and a waiting record allow. */
static enum qrt_err advance(struct qrt_run *run)
{
    while (run->phase == QRT_PHASE_RUNNING && !run->record.kind) {
        enum qrt_err e;

        if (!current(run)) {
            run->phase = QRT_PHASE_DONE;
            break;
        }
        if (!inbox_complete(run, current(run)))
            break;
        e = step(run);
        qrt_wipe_stack();
        if (e)
            return qrt_run_fail(run, e);
    }
    return QRT_OK;
}

enum qrt_err qrt_run_begin(struct qrt_run *run)
{
    enum qrt_err e = write_round(run);

    qrt_wipe_stack();
    return e ? qrt_run_fail(run, e) : QRT_OK;
}

void qrt_run_hold(struct qrt_run *run, enum qrt_record_kind kind, const uint8_t *b, size_t len)
{
    run->record = (struct qrt_record){.kind = kind, .b = b, .len = len};
}

/* ---- messages in ---- */

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
    /* a resumed run has no earlier rounds */
    if (!(*slot)->filled && current(run) && h->round < current(run)->number) {
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
    return advance(run);
}

static enum qrt_err recv_abort(struct qrt_run *run, const uint8_t *payload, size_t len)
{
    struct qrt_abort a;

    if (len != QRT_ABORT_BYTES || !qrt_abort_decode(&a, payload))
        return QRT_E_DROP_UNEXPECTED;
    return qrt_run_take_abort(run);
}

/* The slot is filled: the same again is nothing new, another broadcast is a proven cheat (B.7-2).
 */
static enum qrt_err recv_again(struct qrt_run *run, size_t pos, const struct qrt_slot *slot,
                               const struct qrt_header *h, const uint8_t *payload, size_t len)
{
    bool same = len == payload_size(run, h->round, h->kind) &&
                memcmp(slot->echo, h->echo, sizeof h->echo) == 0 &&
                qrt_ct_equal(slot->payload, payload, len);

    if (same)
        return QRT_OK;
    if (h->kind == QRT_KIND_PRIVATE || run->phase != QRT_PHASE_RUNNING)
        return QRT_E_DROP_DUPLICATE;
    return qrt_run_fail(run, qrt_run_blame(run, pos, QRT_E_EQUIVOCATION));
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
        return recv_abort(run, b, len);
    if (slot->filled)
        return recv_again(run, pos, slot, &h, b, len);
    if (len != h.payload_len || len != payload_size(run, h.round, h.kind))
        return qrt_run_fail(run,
                            qrt_run_blame(run, pos,
                                          h.kind == QRT_KIND_BROADCAST ? QRT_E_MALFORMED_BROADCAST
                                                                       : QRT_E_MALFORMED_PRIVATE));
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
    h->payload_len = (uint32_t)payload_size(run, number, kind);
    memcpy(h->echo, run->echo[number], sizeof h->echo);
}

static const struct qrt_msg *lend(struct qrt_run *run, struct qrt_out *out)
{
    struct qrt_header h;

    if (!out->waiting)
        return NULL;
    out->waiting = false;
    qrt_assert(qrt_header_decode(&h, out->b, QRT_HEADER_BYTES) == QRT_OK);
    run->msg = (struct qrt_msg){.to = h.receiver,
                                .round = h.round,
                                .kind = h.kind,
                                .b = out->b,
                                .len = QRT_HEADER_BYTES + h.payload_len};
    return &run->msg;
}

const struct qrt_msg *qrt_run_next(struct qrt_run *run)
{
    const struct qrt_msg *msg = NULL;

    qrt_assert(run->self == run);
    if (run->record.kind)
        return NULL;
    if (run->abort.waiting)
        return lend(run, &run->abort);
    for (size_t i = 0; !msg && i < run->def->rounds_n; i++) {
        const struct qrt_round_def *def = &run->def->rounds[i];

        for (uint8_t kind = 0; kind < 2; kind++)
            for (size_t p = 0; !msg && p < outs_n(run, def, kind); p++)
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
    out->len = payload_size(run, number, QRT_KIND_BROADCAST);
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
    return advance(run);
}

void qrt_run_refuse(struct qrt_run *run)
{
    qrt_assert(run->self == run);
    if (run->record.kind && run->phase == QRT_PHASE_RUNNING)
        (void)qrt_run_fail(run, QRT_E_REFUSED);
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

size_t qrt_run_waiting_for(const struct qrt_run *run, uint16_t *out, size_t cap)
{
    const struct qrt_round_def *def = current(run);
    size_t found = 0;

    if (!def || run->phase != QRT_PHASE_RUNNING)
        return 0;
    for (size_t i = 0; i < run->n; i++) {
        if (is_heard(run, def, i))
            continue;
        if (found < cap)
            out[found] = run->index[i];
        found++;
    }
    return found;
}

size_t qrt_run_position(const struct qrt_run *run, uint16_t index)
{
    size_t i = 0;

    while (i < run->n && run->index[i] != index)
        i++;
    return i;
}

size_t qrt_run_peer_row(const struct qrt_run *run, size_t pos)
{
    qrt_assert(pos != run->own);
    return pos < run->own ? pos : pos - 1;
}

void qrt_run_wipe(struct qrt_run *run)
{
    qrt_wipe(run, run->size);
    qrt_wipe_stack();
}
