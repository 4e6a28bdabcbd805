/* SPDX-License-Identifier: Apache-2.0 */
/* A run's memory (round.h): the run itself, then what is public, then what is secret. The same
 * functions measure and carve, so the size a caller is told is the size used. */
#include "proto/round.h"

#include "base/assert.h"

#include <string.h>

const struct qrt_protocol_def *qrt_protocol_def(enum qrt_protocol protocol)
{
    static const struct qrt_protocol_def *const defs[] = {&qrt_keygen_def, &qrt_sign_def,
                                                          &qrt_presign_def, &qrt_online_def};

    for (size_t i = 0; i < QRT_ARRAY_LEN(defs); i++)
        if (defs[i]->id == protocol)
            return defs[i];
    return NULL;
}

const struct qrt_round_def *qrt_run_current(const struct qrt_run *run)
{
    return run->row < run->def->rounds_n ? &run->def->rounds[run->row] : NULL;
}

size_t qrt_run_payload_size(const struct qrt_run *run, uint8_t number, uint8_t kind)
{
    return qrt_payload_size(run->def->id, number, kind, run->t);
}

size_t qrt_run_outs_n(const struct qrt_run *run, const struct qrt_round_def *def, uint8_t kind)
{
    if (!def->has[kind])
        return 0;
    return kind == QRT_KIND_BROADCAST ? 1 : run->n;
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
    size_t len = qrt_run_payload_size(run, number, kind);
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
    size_t len = QRT_HEADER_BYTES + qrt_run_payload_size(run, number, kind) + QRT_TAIL_BYTES;
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
    *run = (struct qrt_run){.self = run,
                            .ctx = ctx,
                            .def = p->def,
                            .n = p->n,
                            .t = p->t,
                            .own = p->own,
                            .abort_rounds = p->def->abort_rounds};
    memcpy(run->index, p->index, p->n * sizeof *p->index);
    run->abort.b = run->abort_buf;
    layout(run, (uint8_t *)run);
}
