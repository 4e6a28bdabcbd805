/* SPDX-License-Identifier: Apache-2.0 */
/* How many signatures does one core make in a second, with many runs side by side? Both signers
 * work on this core, so a party that has a core for itself makes twice as many. */
#include "bench.h"

#include <stdlib.h>

#define SIDE_BY_SIDE 64

static void start_all(struct session *s)
{
    for (size_t i = 0; i < SIDE_BY_SIDE; i++)
        if (session_start(&s[i]) != QRT_OK)
            abort();
}

/* One step of each in turn, until none moves. */
static void step_all(struct session *s)
{
    bool moved = true;

    while (moved) {
        moved = false;
        for (size_t i = 0; i < SIDE_BY_SIDE; i++)
            moved |= session_step(&s[i]);
    }
    for (size_t i = 0; i < SIDE_BY_SIDE; i++)
        if (!session_done(&s[i]))
            abort();
}

static double per_second(struct bench *b, struct committee *c, bool envelope)
{
    static struct session s[SIDE_BY_SIDE];
    double start, spent;
    int rounds = samples(b, 10);

    for (size_t i = 0; i < SIDE_BY_SIDE; i++)
        session_init(&s[i], c, QRT_SIGN, envelope);
    start = now_us();
    for (int i = 0; i < rounds; i++) {
        start_all(s);
        step_all(s);
    }
    spent = now_us() - start;
    for (size_t i = 0; i < SIDE_BY_SIDE; i++)
        session_free(&s[i]);
    return 1e6 * rounds * SIDE_BY_SIDE / spent;
}

void bench_throughput(struct bench *b)
{
    struct committee c;

    committee_init(&c, b->ctx, 3, 2, 4);
    committee_make_key(&c);
    report_value(&b->report, "2-of-3, 64 runs side by side, one core", per_second(b, &c, false),
                 "sig/s");
    report_value(&b->report, "2-of-3, 64 peers side by side, one core", per_second(b, &c, true),
                 "sig/s");
    committee_free(&c);
}
