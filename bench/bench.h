/* SPDX-License-Identifier: Apache-2.0 */
/* The questions that `make bench` answers, one file each. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "committee.h"
#include "report.h"

struct bench {
    struct report report;
    struct verifier verifier;
    secp256k1_context *secp;
    struct qrt_ctx *ctx; /* of the CPU mask in turn */
    bool quick;          /* few samples: shows that it runs, not how fast */
    bool limits;         /* the CPU mask in turn is one that the limits were set for */
};

/* |full|, or fewer if quick. */
int samples(const struct bench *b, int full);
/* |must|, or none. */
double limit(const struct bench *b, double must);
/* An operation that plays |s| from start to end, and one for the online round of |s|. */
struct operation play_operation(struct session *s);

void bench_sign(struct bench *b);       /* signatures, online round, envelope */
void bench_keygen(struct bench *b);     /* 2-of-3, 5-of-9 */
void bench_throughput(struct bench *b); /* many runs side by side on one core */
void bench_growth(struct bench *b);     /* with t and n */
void bench_bytes(struct bench *b);      /* bytes of messages, of a run, of its stack */

#endif
