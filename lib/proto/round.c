/* SPDX-License-Identifier: Apache-2.0 */
/* The round engine (round.h): when a round is complete, what then, and what a failure does
 * (protocol.md B.4, B.7-5, D.8, F.10). */
#include "proto/round.h"

#include "base/assert.h"
#include "base/ct.h"
#include "base/wipe.h"

#include <string.h>

/* ---- failure ---- */

void qrt_run_forget(struct qrt_run *run)
{
    qrt_wipe(run->secret, run->secret_len);
    qrt_wipe_stack();
}

void qrt_run_wipe_inbox(struct qrt_run *run, uint8_t number)
{
    size_t len = qrt_run_payload_size(run, number, QRT_KIND_PRIVATE);

    for (size_t i = 0; i < run->n; i++)
        if (i != run->own)
            qrt_wipe(run->slots[number][QRT_KIND_PRIVATE][i].payload, len);
}

static void write_abort(struct qrt_run *run)
{
    const struct qrt_round_def *def = qrt_run_current(run);
    struct qrt_header h;
    size_t last = run->def->rounds_n - 1;
    struct qrt_abort a;

    qrt_abort_of(&a, run->error, def ? def->number : run->def->rounds[last].number, run->culprit);
    qrt_run_header(run, &h, a.round, QRT_KIND_ABORT, QRT_EVERYBODY);
    qrt_header_encode(run->abort_buf, &h);
    qrt_abort_encode(run->abort_buf + QRT_HEADER_BYTES, &a);
    run->abort.waiting = true;
}

/* A broadcast that never left is no public value: it may hold shares of a signature. */
static void cancel_broadcast(struct qrt_run *run, uint8_t number)
{
    uint8_t *own = run->slots[number][QRT_KIND_BROADCAST][run->own].payload;

    if (run->outs[number][QRT_KIND_BROADCAST]->waiting)
        qrt_wipe(own, qrt_run_payload_size(run, number, QRT_KIND_BROADCAST));
}

static void cancel_output(struct qrt_run *run)
{
    for (size_t i = 0; i < run->def->rounds_n; i++) {
        const struct qrt_round_def *def = &run->def->rounds[i];

        if (def->has[QRT_KIND_BROADCAST])
            cancel_broadcast(run, def->number);
        for (uint8_t kind = 0; kind < 2; kind++)
            for (size_t p = 0; p < qrt_run_outs_n(run, def, kind); p++)
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

/* ---- progress ---- */

bool qrt_run_is_heard(const struct qrt_run *run, const struct qrt_round_def *def, size_t pos)
{
    for (uint8_t kind = 0; kind < 2; kind++)
        if (def->has[kind] && pos != run->own && !run->slots[def->number][kind][pos].filled)
            return false;
    return true;
}

static bool inbox_complete(const struct qrt_run *run, const struct qrt_round_def *def)
{
    for (size_t i = 0; i < run->n; i++)
        if (!qrt_run_is_heard(run, def, i))
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

void qrt_run_send_broadcast(struct qrt_run *run, uint8_t number)
{
    struct qrt_slot *own = &run->slots[number][QRT_KIND_BROADCAST][run->own];
    struct qrt_out *out = run->outs[number][QRT_KIND_BROADCAST];

    send_out(run, out, number, QRT_KIND_BROADCAST, QRT_EVERYBODY);
    memcpy(own->payload, out->b + QRT_HEADER_BYTES,
           qrt_run_payload_size(run, number, QRT_KIND_BROADCAST));
    own->filled = true;
}

static enum qrt_err write_round(struct qrt_run *run)
{
    const struct qrt_round_def *def = qrt_run_current(run);
    enum qrt_err e = def->write(run);

    if (e)
        return e;
    if (def->has[QRT_KIND_BROADCAST])
        qrt_run_send_broadcast(run, def->number);
    for (size_t i = 0; def->has[QRT_KIND_PRIVATE] && i < run->n; i++)
        if (i != run->own)
            send_out(run, &run->outs[def->number][QRT_KIND_PRIVATE][i], def->number,
                     QRT_KIND_PRIVATE, run->index[i]);
    return QRT_OK;
}

static enum qrt_err step(struct qrt_run *run)
{
    enum qrt_err e = digest_round(run, qrt_run_current(run));

    if (e)
        return e;
    run->row++;
    return qrt_run_current(run) ? write_round(run) : QRT_OK;
}

enum qrt_err qrt_run_advance(struct qrt_run *run)
{
    while (run->phase == QRT_PHASE_RUNNING && !run->record.kind) {
        enum qrt_err e;

        if (!qrt_run_current(run)) {
            run->phase = QRT_PHASE_DONE;
            break;
        }
        if (!inbox_complete(run, qrt_run_current(run)))
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
