/* SPDX-License-Identifier: Apache-2.0 */
/* Playing cheats (cheats.h). */
#include "cheats.h"

#include "base/bytes.h"
#include "wire/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char order_hex[] = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

void cheat_twist(uint8_t *field, enum twist twist)
{
    switch (twist) {
    case FLIP:
    case NEGATE:
        field[0] ^= 1;
        return;
    case LAST_BIT:
        field[31] ^= 1;
        return;
    case PREFIX_4:
    case PREFIX_6:
        field[0] = twist == PREFIX_4 ? 4 : 6;
        return;
    case OFF_CURVE:
    case X_TOO_BIG:
        memset(field + 1, twist == OFF_CURVE ? 0 : 0xFF, 32);
        return;
    case ZERO:
    case MAX:
        memset(field, twist == ZERO ? 0 : 0xFF, 32);
        return;
    case ORDER:
    case ORDER_1:
        test_unhex(field, 32, order_hex);
        field[31] = (uint8_t)(field[31] + (twist == ORDER_1));
        return;
    }
}

static uint16_t culprit_of(enum qrt_err e, uint16_t cheater)
{
    switch (qrt_err_class(e)) {
    case QRT_CLASS_B1:
    case QRT_CLASS_B2:
    case QRT_CLASS_BURN:
        return cheater;
    default:
        return 0;
    }
}

void cheats_play(struct rig *r, const struct cheat *cheats, size_t n, uint16_t cheater)
{
    for (size_t i = 0; i < n; i++) {
        const struct cheat *c = &cheats[i];
        struct parcel p = rig_copy(rig_plain(r, c->round, c->kind, cheater), 0);

        r->what = c->what;
        cheat_twist(p.b + QRT_HEADER_BYTES + c->at, c->twist);
        rig_attack(r, &p);
        r->may_say = c->says;
        rig_rest(r, (uint8_t)(c->round + 1), NULL);
        if (c->error)
            rig_expect_failure(r, c->error, culprit_of(c->error, cheater));
        else
            rig_expect_done(r);
        free(p.b);
    }
}

void cheat_lie(void *lie, struct network *net, struct parcel *p)
{
    const struct lie *l = lie;
    const struct rig signer = {.s = *l->s};
    size_t payload = qrt_payload_size(l->s->protocol, p->round, p->kind, l->s->t);
    size_t ext_len;

    (void)net;
    if (p->from != l->who || p->round != l->round || p->kind != QRT_KIND_BROADCAST ||
        (l->to && p->to != l->to) || p->copies)
        return;
    ext_len = p->len - QRT_HEADER_BYTES - payload - QRT_SIG_BYTES;
    p->b[QRT_HEADER_BYTES + ext_len + l->at] ^= 1;
    rig_sign_again(&signer, p, ext_len);
}

/* ---- lengths ---- */

static enum qrt_err malformed(uint8_t kind)
{
    return kind == QRT_KIND_BROADCAST ? QRT_E_MALFORMED_BROADCAST : QRT_E_MALFORMED_PRIVATE;
}

static const struct parcel *plain_of(const struct rig *r, const struct parcel *taped)
{
    return rig_plain(r, taped->round, taped->kind, taped->from);
}

/* The sender's first broadcast must be there for anything else to be looked at. */
static void prepare(struct rig *r, const struct parcel *taped)
{
    const struct parcel *first;

    rig_rewind(r, taped->round);
    if (taped->round != 1 || taped->kind == QRT_KIND_BROADCAST)
        return;
    first = rig_parcel(r, 1, QRT_KIND_BROADCAST, taped->from);
    (void)rig_give(r, first->from, first->b, first->len);
}

/* Give |p|, which no honest party sends. A peer drops it; what a run makes of it is |e|, or DROP if
 * |e| is QRT_OK. */
static void give_wrong(struct rig *r, const struct parcel *taped, const struct parcel *p,
                       enum qrt_err e)
{
    struct parcel wire = rig_pack(r, p, NULL);
    enum qrt_err got = rig_give(r, wire.from, wire.b, wire.len);

    if (r->s.level == RUNS && e != QRT_OK) {
        rig_expect_failure(r, e, p->from);
        prepare(r, taped);
    } else if (qrt_err_class(got) != QRT_CLASS_DROP) {
        fail_msg("%s: %s", r->what, qrt_err_name(got));
    }
    free(wire.b);
}

/* |stated| is what the header claims, |real| what follows it. */
static void wrong_length(struct rig *r, const struct parcel *taped, size_t real, size_t stated)
{
    struct parcel p = rig_copy(plain_of(r, taped), real);

    p.len = QRT_HEADER_BYTES + real;
    qrt_be32_put(p.b + 12, (uint32_t)stated);
    give_wrong(r, taped, &p, malformed(p.kind));
    free(p.b);
}

void cheats_lengths(struct rig *r)
{
    for (size_t i = 0; i < r->tape.n; i++) {
        const struct parcel *taped = &r->tape.p[i];
        size_t right = plain_of(r, taped)->len - QRT_HEADER_BYTES;
        const size_t wrong[] = {0, right - 1, right + 1, right + 33, right + 70000};
        char what[64];

        snprintf(what, sizeof what, "length of round %u, kind %u", taped->round, taped->kind);
        r->what = what;
        prepare(r, taped);
        for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
            wrong_length(r, taped, wrong[k], wrong[k]);
            wrong_length(r, taped, wrong[k], right);
            wrong_length(r, taped, right, wrong[k]);
        }
        rig_expect_recovery(r, taped->round);
        r->what = "";
    }
}

/* ---- headers ---- */

/* Another value in each field of the header; the echo is a cheat of its own. */
static const struct {
    uint8_t at, mask;
    const char *what;
} header_changes[] = {
    {0, 1, "magic"},     {3, 1, "magic"},  {4, 2, "protocol"},  {4, 7, "protocol"},
    {5, 3, "profile"},   {6, 1, "round"},  {6, 2, "round"},     {6, 7, "round"},
    {7, 1, "kind"},      {7, 2, "kind"},   {7, 8, "kind"},      {8, 1, "sender"},
    {9, 2, "sender"},    {9, 8, "sender"}, {10, 1, "receiver"}, {11, 4, "receiver"},
    {11, 1, "receiver"}, {16, 1, "sid"},   {47, 0x80, "sid"},
};

/* A run believes what came to it: a message under another round's name is that round's, malformed,
 * or the second one if that round has spoken. Everything else is foreign. */
static enum qrt_err renamed(struct rig *r, const struct parcel *taped, const struct parcel *p)
{
    uint8_t round = p->b[6], kind = p->b[7];
    bool awaited = p->b[4] == taped->b[4] && p->b[10] == taped->b[10] && kind == taped->kind &&
                   qrt_payload_size(r->s.protocol, round, kind, r->s.t) > 0;

    if (round == taped->round || round < 1 || round > RIG_ROUNDS || !awaited)
        return QRT_OK;
    if (round > taped->round)
        return malformed(kind);
    return kind == QRT_KIND_BROADCAST ? QRT_E_EQUIVOCATION : QRT_OK;
}

static void wrong_header(struct rig *r, const struct parcel *taped, size_t change)
{
    struct parcel p = rig_copy(plain_of(r, taped), 0);
    char what[64];

    snprintf(what, sizeof what, "%s of round %u, kind %u", header_changes[change].what, p.round,
             p.kind);
    r->what = what;
    p.b[header_changes[change].at] ^= header_changes[change].mask;
    give_wrong(r, taped, &p, renamed(r, taped, &p));
    free(p.b);
    r->what = "";
}

void cheats_headers(struct rig *r)
{
    for (size_t i = 0; i < r->tape.n; i++) {
        prepare(r, &r->tape.p[i]);
        for (size_t k = 0; k < sizeof header_changes / sizeof *header_changes; k++)
            wrong_header(r, &r->tape.p[i], k);
        r->what = "after wrong headers";
        rig_expect_recovery(r, r->tape.p[i].round);
    }
}

/* ---- equivocation ---- */

static void say_otherwise(struct rig *r, const struct parcel *taped, size_t at, uint8_t later)
{
    struct parcel p = rig_copy(plain_of(r, taped), 0), wire;

    p.b[at] ^= 1;
    wire = rig_pack(r, &p, NULL);
    rig_rewind(r, taped->round);
    if (later)
        rig_round(r, taped->round, NULL);
    else
        (void)rig_give(r, taped->from, taped->b, taped->len);
    r->may_say = r->node.sent;
    if (qrt_run_phase(node_run(&r->node)) == QRT_PHASE_RUNNING) {
        assert_int_equal(rig_give(r, wire.from, wire.b, wire.len), QRT_E_EQUIVOCATION);
        rig_expect_failure(r, QRT_E_EQUIVOCATION, taped->from);
    } else {
        assert_int_equal(qrt_err_class(rig_give(r, wire.from, wire.b, wire.len)), QRT_CLASS_DROP);
        rig_expect_done(r);
    }
    free(wire.b);
    free(p.b);
}

static void other_ext(struct rig *r, const struct parcel *taped)
{
    struct parcel wire = rig_copy(taped, 0);
    size_t ext_len = taped->len - plain_of(r, taped)->len - QRT_SIG_BYTES;

    if (ext_len) {
        wire.b[QRT_HEADER_BYTES + ext_len - 1] ^= 1;
        rig_sign_again(r, &wire, ext_len);
        rig_rewind(r, taped->round);
        (void)rig_give(r, taped->from, taped->b, taped->len);
        r->may_say = r->node.sent;
        assert_int_equal(rig_give(r, wire.from, wire.b, wire.len), QRT_E_EQUIVOCATION);
        rig_expect_failure(r, QRT_E_EQUIVOCATION, taped->from);
    }
    free(wire.b);
}

void cheats_equivocation(struct rig *r)
{
    r->what = "equivocation";
    for (size_t i = 0; i < r->tape.n; i++) {
        const struct parcel *taped = &r->tape.p[i];

        if (taped->kind != QRT_KIND_BROADCAST)
            continue;
        for (uint8_t later = 0; later < 2; later++) {
            say_otherwise(r, taped, QRT_HEADER_BYTES, later);
            say_otherwise(r, taped, QRT_HEADER_BYTES - 1, later); /* another echo */
        }
        if (r->s.level == PEERS)
            other_ext(r, taped);
    }
}

/* ---- in transit ---- */

static void expect_dropped(struct rig *r, const struct parcel *taped, const uint8_t *b, size_t len)
{
    enum qrt_err e = rig_give(r, taped->from, b, len);

    if (qrt_err_class(e) != QRT_CLASS_DROP)
        fail_msg("round %u, kind %u, %zu of %zu bytes: %s", taped->round, taped->kind, len,
                 taped->len, qrt_err_name(e));
}

static void bits_and_cuts(struct rig *r, const struct parcel *taped)
{
    struct parcel p = rig_copy(taped, 1);
    size_t bits = 8 * p.len, step = p.len > 1000 ? p.len / 10 : 5;

    prepare(r, taped);
    for (size_t bit = 0; bit < bits; bit += bit < 640 ? 1 : step) {
        p.b[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        expect_dropped(r, taped, p.b, p.len);
        p.b[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t len = 0; len < p.len; len += len < 200 ? 1 : step)
        expect_dropped(r, taped, p.b, len);
    expect_dropped(r, taped, p.b, p.len - 1);
    expect_dropped(r, taped, p.b, p.len + 1);
    assert_int_equal(r->node.sent, 0);
    rig_expect_recovery(r, taped->round);
    free(p.b);
}

void cheats_in_transit(struct rig *r)
{
    r->what = "in transit";
    for (size_t i = 0; i < r->tape.n; i++)
        bits_and_cuts(r, &r->tape.p[i]);
}
