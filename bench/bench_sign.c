/* SPDX-License-Identifier: Apache-2.0 */
/* What does a signature cost, bare, with envelope, and after presigning? */
#include "bench.h"

#include <stdlib.h>

struct online {
    struct session presign, session;
};

static void online_prepare(void *arg)
{
    struct online *o = arg;

    if (!session_play(&o->presign))
        abort();
    session_take_presigs(&o->session, &o->presign);
}

static void online_run(void *arg)
{
    struct online *o = arg;

    if (!session_play(&o->session))
        abort();
}

static void online_row(struct bench *b, struct committee *c, const char *name, double must)
{
    struct online o;
    struct operation op = {online_prepare, online_run, &o};
    struct timing t;

    session_init(&o.presign, c, QRT_PRESIGN, false);
    session_init(&o.session, c, QRT_ONLINE, false);
    measure(&t, &op, 1, samples(b, 300), &b->verifier);
    report_time(&b->report, name, &t, must);
    session_free(&o.session);
    session_free(&o.presign);
}

/* The difference of two medians; what the envelope adds. */
static struct timing difference(const struct timing *with, const struct timing *without)
{
    return (struct timing){
        .us = with->us - without->us,
        .v_us = with->v_us,
        .low_us = with->low_us - without->low_us,
        .high_us = with->high_us - without->high_us,
        .samples = with->samples,
    };
}

static void two_of_three(struct bench *b)
{
    struct committee c;
    struct session run, peer, presign;
    struct timing t[3], envelope;

    committee_init(&c, b->ctx, 3, 2, 1);
    committee_make_key(&c);
    session_init(&run, &c, QRT_SIGN, false);
    session_init(&peer, &c, QRT_SIGN, true);
    session_init(&presign, &c, QRT_PRESIGN, false);
    measure(
        t,
        (struct operation[]){play_operation(&run), play_operation(&peer), play_operation(&presign)},
        3, samples(b, 300), &b->verifier);
    report_time(&b->report, "2-of-3 signature, both signers", &t[0], limit(b, 45));
    envelope = difference(&t[1], &t[0]);
    report_time(&b->report, "2-of-3 signature, envelope alone, both", &envelope, limit(b, 24));
    report_time(&b->report, "2-of-3 signature with envelope, both", &t[1], 0);
    report_time(&b->report, "2-of-3 presignature, both signers", &t[2], 0);
    online_row(b, &c, "2-of-3 online round, both signers", limit(b, 6));
    session_free(&presign);
    session_free(&peer);
    session_free(&run);
    committee_free(&c);
}

static void three_of_five(struct bench *b)
{
    struct committee c;
    struct session run;
    struct timing t;

    committee_init(&c, b->ctx, 5, 3, 2);
    committee_make_key(&c);
    session_init(&run, &c, QRT_SIGN, false);
    measure(&t, (struct operation[]){play_operation(&run)}, 1, samples(b, 100), &b->verifier);
    report_time(&b->report, "3-of-5 signature, all three", &t, limit(b, 125));
    session_free(&run);
    committee_free(&c);
}

void bench_sign(struct bench *b)
{
    two_of_three(b);
    three_of_five(b);
}
