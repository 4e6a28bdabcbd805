/* SPDX-License-Identifier: Apache-2.0 */
/* What does making a key cost? */
#include "bench.h"

static struct timing keygen(struct bench *b, size_t n, size_t t, int full)
{
    struct committee c;
    struct session run;
    struct timing timing;

    committee_init(&c, b->ctx, n, t, 3);
    session_init(&run, &c, QRT_KEYGEN, false);
    measure(&timing, (struct operation[]){play_operation(&run)}, 1, samples(b, full), &b->verifier);
    session_free(&run);
    committee_free(&c);
    return timing;
}

void bench_keygen(struct bench *b)
{
    struct timing t = keygen(b, 3, 2, 15);

    report_time(&b->report, "2-of-3 keygen, all three parties", &t, limit(b, 4000));
    t = keygen(b, 9, 5, 3);
    t.us /= 9;
    t.low_us /= 9;
    t.high_us /= 9;
    report_time(&b->report, "5-of-9 keygen, per party", &t, limit(b, 6500));
}
