/* SPDX-License-Identifier: Apache-2.0 */
/* Taking samples: CPU time of this thread, medians, and V, the time of one ecdsa_verify of
 * libsecp256k1, measured in turns with what it is compared to, so that a change of the clock rate
 * or a busy neighbour meets both. */
#ifndef BENCH_SAMPLE_H
#define BENCH_SAMPLE_H

#include "quorate/context.h"

#define SAMPLES_MAX 512

/* Something to measure. |prepare| (may be NULL) is not timed. */
struct operation {
    void (*prepare)(void *arg);
    void (*run)(void *arg);
    void *arg;
};

struct timing {
    double us, v_us;        /* medians */
    double low_us, high_us; /* 10th and 90th percentile */
    int samples;
};

/* A verification to measure V with. */
struct verifier {
    const secp256k1_context *secp;
    secp256k1_pubkey pk;
    secp256k1_ecdsa_signature sig;
    uint8_t hash[32];
};

double now_us(void);
void verifier_init(struct verifier *v, const secp256k1_context *secp);
/* |samples| rounds of: V, then each of |n| operations once (V again before each). */
void measure(struct timing *out, const struct operation *ops, size_t n, int samples,
             const struct verifier *v);

#endif
