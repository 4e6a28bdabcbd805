/* SPDX-License-Identifier: Apache-2.0 */
/* The made-up protocol (toy.h). */
#include "toy.h"

#include "base/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { B = QRT_KIND_BROADCAST, P = QRT_KIND_PRIVATE };

struct toy toy;

static uint8_t number_of(const struct qrt_run *run)
{
    return run->def->rounds[run->row].number;
}

static void note(const struct qrt_run *run, char what)
{
    size_t n = strlen(toy.log);

    if (run == toy.watched && n + 3 < sizeof toy.log)
        snprintf(toy.log + n, sizeof toy.log - n, "%c%u", what, number_of(run));
}

/* The second party is accused. */
static enum qrt_err outcome(struct qrt_run *run, uint8_t fail_at)
{
    if (run != toy.watched || fail_at != number_of(run))
        return QRT_OK;
    return qrt_run_blame(run, 1, toy.error);
}

static enum qrt_err write_any(struct qrt_run *run)
{
    uint8_t number = number_of(run), pattern = (uint8_t)(16 * number + run->own);
    const struct qrt_round_def *round = &run->def->rounds[run->row];

    note(run, 'w');
    if (round->has[B])
        memset(qrt_run_broadcast(run, number), pattern, qrt_payload_size(QRT_KEYGEN, number, B, 2));
    for (size_t j = 0; round->has[P] && j < run->n; j++)
        if (j != run->own)
            memset(qrt_run_private(run, number, j), pattern + 128,
                   qrt_payload_size(QRT_KEYGEN, number, P, 2));
    for (size_t i = 0; i < sizeof toy.hold; i++)
        if (toy.hold[i] == number && run == toy.watched)
            qrt_run_hold(run, QRT_RECORD_GATE, run->sid, sizeof run->sid);
    return outcome(run, toy.fail_write);
}

static enum qrt_err parse_any(struct qrt_run *run)
{
    note(run, 'p');
    return outcome(run, toy.fail_parse);
}

static enum qrt_err check_any(struct qrt_run *run)
{
    uint8_t number = number_of(run);

    note(run, 'c');
    if (run->def->rounds[run->row].has[B])
        for (uint8_t later = (uint8_t)(number + 1); later <= QRT_ROUNDS_MAX; later++)
            qrt_run_broadcast_hash(run, run->echo[later], run->sid, number);
    if (outcome(run, toy.fail_check) != QRT_OK && qrt_err_class(toy.error) == QRT_CLASS_BURN)
        run->burn_len = 11;
    return outcome(run, toy.fail_check);
}

static void layout(struct qrt_run *run, struct qrt_arena *secret, struct qrt_arena *open)
{
    run->state = qrt_arena_take(secret, 1000);
    run->open = qrt_arena_take(open, 1000);
}

const struct qrt_protocol_def toy_def = {
    .id = QRT_KEYGEN,
    .rounds_n = 4,
    .abort_rounds = 3,
    .rounds = {{1, {true, false}, write_any, NULL, check_any},
               {2, {true, true}, write_any, parse_any, check_any},
               {3, {false, true}, write_any, parse_any, check_any},
               {4, {true, false}, write_any, parse_any, check_any}},
    .layout = layout,
};

const uint16_t toy_indices[TOY_N] = {5, 700, 65534};

/* Room for the real keygen of this size is room for the made-up one. */
struct qrt_run *toy_start(size_t own)
{
    struct qrt_run *run = aligned_alloc(QRT_ALIGN, qrt_run_size(QRT_KEYGEN, TOY_N, 2));
    struct qrt_run_params p = {
        .def = &toy_def, .index = toy_indices, .n = TOY_N, .t = 2, .own = own};

    qrt_run_init(run, full_ctx(), &p);
    memset(run->sid, 7, sizeof run->sid);
    memset(run->state, 0x99, 1000);
    memset(run->open, 0x77, 1000);
    return run;
}

/* ---- a tape of all that party 0 hears in a good run ---- */

struct parcels toy_tape;

static void post(struct qrt_run *runs[TOY_N], size_t from)
{
    const struct qrt_msg *m;

    while ((m = qrt_run_next(runs[from]))) {
        struct parcel p = {.from = toy_indices[from], .round = m->round, .kind = m->kind};

        p.b = malloc(m->len);
        assert_non_null(p.b);
        memcpy(p.b, m->b, m->len);
        p.len = m->len;
        for (size_t to = 0; to < TOY_N; to++) {
            if (to == from || (m->to != QRT_EVERYBODY && m->to != toy_indices[to]))
                continue;
            if (to == 0)
                parcels_push(&toy_tape, &p);
            assert_int_equal(qrt_run_recv(runs[to], p.from, p.b, p.len), QRT_OK);
        }
        free(p.b);
    }
}

int toy_make_tape(void **state)
{
    struct qrt_run *runs[TOY_N];

    (void)state;
    for (size_t i = 0; i < TOY_N; i++) {
        runs[i] = toy_start(i);
        assert_int_equal(qrt_run_begin(runs[i]), QRT_OK);
    }
    for (unsigned turn = 0; turn < 8; turn++)
        for (size_t i = 0; i < TOY_N; i++)
            post(runs, i);
    for (size_t i = 0; i < TOY_N; i++) {
        assert_int_equal(qrt_run_phase(runs[i]), QRT_PHASE_DONE);
        qrt_run_wipe(runs[i]);
        free(runs[i]);
    }
    return toy_tape.n == 2 * 5 ? 0 : -1;
}

int toy_free_tape(void **state)
{
    (void)state;
    parcels_free(&toy_tape);
    return 0;
}

int toy_reset(void **state)
{
    (void)state;
    memset(&toy, 0, sizeof toy);
    return 0;
}

const struct parcel *toy_taped(uint8_t round, uint8_t kind, uint16_t from)
{
    for (size_t i = 0; i < toy_tape.n; i++)
        if (toy_tape.p[i].round == round && toy_tape.p[i].kind == kind &&
            toy_tape.p[i].from == from)
            return &toy_tape.p[i];
    fail_msg("no such message");
    return NULL;
}

struct qrt_run *toy_begin(void)
{
    struct qrt_run *run = toy_start(0);

    toy.watched = run;
    (void)qrt_run_begin(run);
    return run;
}

enum qrt_err toy_give(struct qrt_run *run, const struct parcel *p)
{
    return qrt_run_recv(run, p->from, p->b, p->len);
}

enum qrt_err toy_give_round(struct qrt_run *run, uint8_t round)
{
    enum qrt_err e = QRT_OK;

    for (size_t i = 0; i < toy_tape.n; i++)
        if (toy_tape.p[i].round == round && (e == QRT_OK || e == QRT_E_DROP_DUPLICATE))
            e = toy_give(run, &toy_tape.p[i]);
    return e == QRT_E_DROP_DUPLICATE ? QRT_OK : e;
}

void toy_end(struct qrt_run *run)
{
    if (run->size)
        qrt_run_wipe(run);
    free(run);
}

size_t toy_drain(struct qrt_run *run)
{
    size_t n = 0;

    while (qrt_run_next(run))
        n++;
    return n;
}

void toy_expect_all(const uint8_t *b, size_t len, uint8_t value)
{
    for (size_t i = 0; i < len; i++)
        assert_int_equal(b[i], value);
}

/* One abort, then nothing; secrets gone, what is public still there. */
void toy_expect_failed(struct qrt_run *run, enum qrt_err e, uint16_t culprit, uint8_t round)
{
    const struct qrt_msg *m = qrt_run_next(run);
    struct qrt_header h;

    assert_int_equal(qrt_run_phase(run), QRT_PHASE_FAILED);
    assert_int_equal(qrt_run_error(run), e);
    assert_int_equal(qrt_run_culprit(run), culprit);
    assert_non_null(m);
    assert_int_equal(m->kind, QRT_KIND_ABORT);
    assert_int_equal(m->to, QRT_EVERYBODY);
    assert_int_equal(m->len, QRT_HEADER_BYTES + QRT_ABORT_BYTES);
    assert_int_equal(qrt_header_decode(&h, m->b, m->len), QRT_OK);
    assert_int_equal(h.round, round);
    assert_int_equal(h.receiver, QRT_EVERYBODY);
    assert_int_equal(h.payload_len, QRT_ABORT_BYTES);
    toy_expect_all(h.echo, 32, 0);
    assert_int_equal(m->b[81], qrt_err_code(e));
    assert_int_equal(m->b[82], round);
    assert_int_equal(qrt_be16_get(m->b + 83), culprit);
    assert_null(qrt_run_next(run));
    toy_expect_all(run->secret, run->secret_len, 0);
    toy_expect_all(run->open, 1000, 0x77);
    for (size_t i = 0; i < toy_tape.n; i++)
        assert_int_equal(toy_give(run, &toy_tape.p[i]), QRT_E_STATE);
    assert_int_equal(qrt_run_confirm(run), QRT_E_STATE);
    qrt_run_refuse(run);
    assert_null(qrt_run_next(run));
    assert_null(qrt_run_record(run));
    toy_end(run);
}
