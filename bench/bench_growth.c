/* SPDX-License-Identifier: Apache-2.0 */
/* How does each cost grow with t and n? Everything is for one party. */
#include "bench.h"

static struct timing per_party(struct bench *b, struct session *s, int full)
{
    struct timing t;

    measure(&t, (struct operation[]){play_operation(s)}, 1, samples(b, full), &b->verifier);
    t.us /= (double)s->n;
    t.low_us /= (double)s->n;
    t.high_us /= (double)s->n;
    return t;
}

static void keygen_row(struct bench *b, size_t n, size_t t)
{
    struct committee c;
    struct session s;
    struct timing timing;
    char name[64];

    committee_init(&c, b->ctx, n, t, 5);
    session_init(&s, &c, QRT_KEYGEN, false);
    timing = per_party(b, &s, 3);
    snprintf(name, sizeof name, "keygen %zu of %zu, per party", t, n);
    report_time(&b->report, name, &timing, 0);
    session_free(&s);
    committee_free(&c);
}

static void sign_row(struct bench *b, size_t t)
{
    struct committee c;
    struct session s;
    struct timing timing;
    char name[64];

    committee_init(&c, b->ctx, t, t, 6);
    committee_make_key(&c);
    session_init(&s, &c, QRT_SIGN, false);
    timing = per_party(b, &s, 30);
    snprintf(name, sizeof name, "signature t = %zu, per signer", t);
    report_time(&b->report, name, &timing, 0);
    session_free(&s);
    committee_free(&c);
}

void bench_growth(struct bench *b)
{
    static const size_t keygens[][2] = {{2, 2}, {3, 2}, {5, 2}, {5, 3}, {5, 5}, {7, 4}, {9, 5}};

    report_section(&b->report, "growth with t and n");
    for (size_t t = 2; t <= (b->quick ? 3 : 8); t++)
        sign_row(b, t);
    for (size_t i = 0; i < (b->quick ? 2 : sizeof keygens / sizeof keygens[0]); i++)
        keygen_row(b, keygens[i][0], keygens[i][1]);
}
