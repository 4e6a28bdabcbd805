/* SPDX-License-Identifier: Apache-2.0 */
/* A whole machine under a network that the input plays.
 *
 * Byte 0: bit 0 envelope, bit 1 three signers instead of two. Then operations of four bytes: what,
 * which message in flight, and two bytes of argument. When the input is used up, everything that is
 * left is delivered in order. What must hold then:
 *
 * - with envelope, whatever was altered, the run ends well: an altered message is dropped, and the
 *   true one still comes (it is only lost if the input drops it);
 * - bare, without alterations: the same;
 * - bare, with alterations: a run may fail, and blames nobody but an end of an altered message;
 * - while a record waits, nothing is handed out. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#define FLIGHT_MAX 256

struct flight {
    size_t from, to; /* seats */
    uint8_t *b;
    size_t len;
    bool gone;
};

struct machine {
    struct session s;
    struct flight flight[FLIGHT_MAX];
    size_t n;
    bool lost;      /* a true message was dropped, or a record refused */
    bool altered;   /* an altered message was delivered */
    uint32_t marks; /* bit i: seat i is an end of one */
};

static void put(struct machine *m, size_t from, size_t to, const struct qrt_msg *msg)
{
    struct flight *f = &m->flight[m->n];

    fuzz_need(m->n < FLIGHT_MAX);
    *f = (struct flight){.from = from, .to = to, .b = malloc(msg->len), .len = msg->len};
    memcpy(f->b, msg->b, msg->len);
    m->n++;
}

static void collect_seat(struct machine *m, size_t i)
{
    struct seat *seat = &m->s.seats[i];
    const struct qrt_msg *msg;

    if (seat_record(seat))
        fuzz_need(!seat_next(seat));
    while (seat_store(seat))
        ;
    while ((msg = seat_next(seat)))
        for (size_t to = 0; to < m->s.n; to++)
            if (to != i && (msg->to == QRT_EVERYBODY || msg->to == seat_index(&m->s.seats[to])))
                put(m, i, to, msg);
}

static void collect(struct machine *m)
{
    for (size_t i = 0; i < m->s.n; i++)
        collect_seat(m, i);
}

static enum qrt_err hand_over(struct machine *m, const struct flight *f, const uint8_t *b,
                              size_t len)
{
    return seat_recv(&m->s.seats[f->to], seat_index(&m->s.seats[f->from]), b, len);
}

/* True if the message need not be offered again. */
static bool deliver(struct machine *m, struct flight *f)
{
    if (hand_over(m, f, f->b, f->len) == QRT_E_AGAIN)
        return false;
    f->gone = true;
    return true;
}

static void mark(struct machine *m, const struct flight *f)
{
    m->altered = true;
    m->marks |= 1u << f->from | 1u << f->to;
}

static void alter(struct machine *m, const struct flight *f, uint16_t where, uint8_t what)
{
    uint8_t *copy = malloc(f->len);

    memcpy(copy, f->b, f->len);
    copy[where * 7919u % f->len] ^= what;
    mark(m, f);
    (void)hand_over(m, f, copy, f->len);
    free(copy);
}

/* A length that is not the message's: shorter, or longer by zeros. On the wire that is noise; a run
 * believes its caller that the message is authentic, and blames the sender. */
static void resize(struct machine *m, const struct flight *f, uint16_t arg)
{
    size_t len = arg & 0x8000 ? f->len + 1 + arg % 64 : arg % f->len;
    uint8_t *copy = calloc(1, len + 1);
    enum qrt_err e;

    memcpy(copy, f->b, len < f->len ? len : f->len);
    mark(m, f);
    e = hand_over(m, f, copy, len);
    fuzz_need(!m->s.envelope || qrt_err_class(e) == QRT_CLASS_DROP);
    free(copy);
}

/* To the wrong party, or to its own sender. */
static void misroute(struct machine *m, const struct flight *f, uint16_t arg)
{
    struct flight wrong = *f;

    wrong.to = arg % m->s.n;
    if (wrong.to != f->to)
        (void)hand_over(m, &wrong, f->b, f->len);
}

static void step(struct machine *m, struct fuzz_in *in)
{
    uint8_t what = fuzz_u8(in), which = fuzz_u8(in);
    uint16_t arg = fuzz_u16(in);
    struct flight *f = m->n ? &m->flight[which % m->n] : NULL;

    if (!f)
        return;
    switch (what % 8) {
    case 0:
    case 1:
    case 2: /* also a repetition, if it has arrived before */
        (void)deliver(m, f);
        break;
    case 3:
        m->lost |= !f->gone;
        f->gone = true;
        break;
    case 4:
    case 5:
        alter(m, f, arg, (uint8_t)(1u << what / 8 % 8));
        break;
    case 6:
        resize(m, f, arg);
        break;
    default:
        misroute(m, f, arg);
    }
    collect(m);
}

/* Deliver the rest; messages that must wait are offered again while others move. */
static void finish(struct machine *m)
{
    bool moved = true;

    while (moved) {
        moved = false;
        for (size_t i = 0; i < m->n; i++)
            if (!m->flight[i].gone)
                moved |= deliver(m, &m->flight[i]);
        collect(m);
    }
}

static void judge(const struct machine *m)
{
    bool bare_altered = m->altered && !m->s.envelope;

    if (!m->lost && !bare_altered)
        fuzz_need(session_done(&m->s));
    for (size_t i = 0; i < m->s.n; i++) {
        const struct qrt_run *run = seat_run(&m->s.seats[i]);
        uint16_t culprit = qrt_run_culprit(run);

        if (!bare_altered)
            fuzz_need(qrt_run_phase(run) != QRT_PHASE_FAILED);
        fuzz_need(!culprit || (m->marks >> (culprit - 1) & 1));
        fuzz_need(culprit != seat_index(&m->s.seats[i]));
    }
}

static void give_presignatures(struct session *online)
{
    static uint8_t made[2][3][QRT_PRESIG_BYTES(3)];
    static bool have[2];
    size_t t = online->c->t, len = QRT_PRESIG_BYTES(t);

    if (!have[t - 2]) {
        struct session presign;

        session_init(&presign, online->c, QRT_PRESIGN, false);
        fuzz_need(session_play(&presign));
        session_take_presigs(online, &presign);
        for (size_t i = 0; i < t; i++)
            memcpy(made[t - 2][i], online->presigs[i], len);
        session_free(&presign);
        have[t - 2] = true;
    }
    for (size_t i = 0; i < t; i++)
        memcpy(online->presigs[i], made[t - 2][i], len);
}

void fuzz_machine(enum qrt_protocol protocol, const uint8_t *data, size_t size)
{
    static struct machine m;
    struct fuzz_in in = {data, size};
    uint8_t shape = fuzz_u8(&in);
    struct committee *c;

    /* Three parties making a key cost too much for each input. */
    c = (shape & 2) && protocol != QRT_KEYGEN ? fuzz_committee(3, 3) : fuzz_committee(2, 2);
    memset(&m, 0, sizeof m);
    session_init(&m.s, c, protocol, shape & 1);
    if (protocol == QRT_ONLINE)
        give_presignatures(&m.s);
    fuzz_need(session_start(&m.s) == QRT_OK);
    collect(&m);
    while (in.left >= 4)
        step(&m, &in);
    finish(&m);
    judge(&m);
    for (size_t i = 0; i < m.n; i++)
        free(m.flight[i].b);
    session_free(&m.s);
}
