/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OPERATIONS_MAX 8
#define V_REPEAT 6

struct series {
    double op[SAMPLES_MAX], v[SAMPLES_MAX];
};

double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

void verifier_init(struct verifier *v, const secp256k1_context *secp)
{
    uint8_t key[32];

    memset(key, 0x11, sizeof key);
    memset(v->hash, 0x22, sizeof v->hash);
    v->secp = secp;
    if (!secp256k1_ec_pubkey_create(secp, &v->pk, key) ||
        !secp256k1_ecdsa_sign(secp, &v->sig, v->hash, key, NULL, NULL))
        abort();
}

static double verify_us(const struct verifier *v)
{
    double start = now_us();

    for (int i = 0; i < V_REPEAT; i++)
        if (!secp256k1_ecdsa_verify(v->secp, &v->sig, v->hash, &v->pk))
            abort();
    return (now_us() - start) / V_REPEAT;
}

static double run_us(const struct operation *op)
{
    double start;

    if (op->prepare)
        op->prepare(op->arg);
    start = now_us();
    op->run(op->arg);
    return now_us() - start;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double percentile(double *values, int n, int percent)
{
    qsort(values, (size_t)n, sizeof *values, compare);
    return values[(n - 1) * percent / 100];
}

static void summarise(struct timing *out, struct series *s, int n)
{
    *out = (struct timing){
        .us = percentile(s->op, n, 50),
        .v_us = percentile(s->v, n, 50),
        .low_us = percentile(s->op, n, 10),
        .high_us = percentile(s->op, n, 90),
        .samples = n,
    };
}

void measure(struct timing *out, const struct operation *ops, size_t n, int samples,
             const struct verifier *v)
{
    static struct series series[OPERATIONS_MAX];

    if (n > OPERATIONS_MAX || samples > SAMPLES_MAX)
        abort();
    for (size_t k = 0; k < n; k++) /* caches and branch predictors get to know it */
        (void)run_us(&ops[k]);
    for (int i = 0; i < samples; i++) {
        for (size_t k = 0; k < n; k++) {
            series[k].v[i] = verify_us(v);
            series[k].op[i] = run_us(&ops[k]);
        }
    }
    for (size_t k = 0; k < n; k++)
        summarise(&out[k], &series[k], samples);
}
