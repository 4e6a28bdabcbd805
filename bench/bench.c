/* SPDX-License-Identifier: Apache-2.0 */
/* `make bench`: every row of docs/performance.md.
 *
 * usage: bench [--quick] [--json FILE] [--commit NAME]
 *
 * The protocols run three times: with all this CPU can do, as a CPU without SHA-NI and AVX-512
 * would (the limits are for such a one), and with no special instructions at all. */
#include "bench.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct options {
    const char *json, *commit;
    bool quick;
};

int samples(const struct bench *b, int full)
{
    return b->quick ? (full + 99) / 100 : full;
}

double limit(const struct bench *b, double must)
{
    return b->limits ? must : 0;
}

static void play(void *arg)
{
    if (!session_play(arg))
        abort();
}

struct operation play_operation(struct session *s)
{
    return (struct operation){.run = play, .arg = s};
}

static bool parse(struct options *o, int argc, char **argv)
{
    *o = (struct options){.commit = "unknown"};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0)
            o->quick = true;
        else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc)
            o->json = argv[++i];
        else if (strcmp(argv[i], "--commit") == 0 && i + 1 < argc)
            o->commit = argv[++i];
        else
            return false;
    }
    return true;
}

static secp256k1_context *make_secp(void)
{
    secp256k1_context *secp = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    uint8_t seed[32];

    randombytes_buf(seed, sizeof seed);
    if (!secp256k1_context_randomize(secp, seed))
        abort();
    return secp;
}

static const char *cpu_bits(unsigned bits)
{
    static const char *const names[] = {"SHA-NI", "AVX2", "AVX-512", "AES", "PCLMUL"};
    static char text[64];

    text[0] = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (bits >> i & 1)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", text[0] ? " " : "",
                     names[i]);
    return text[0] ? text : "nothing special";
}

static void bench_mask(struct bench *b, unsigned mask, const char *title)
{
    qrt_ctx_init(b->ctx, b->secp, mask);
    report_section(&b->report, title);
    bench_sign(b);
    bench_keygen(b);
    bench_throughput(b);
}

static void bench_all(struct bench *b)
{
    b->limits = true;
    bench_mask(b, QRT_CPU_ALL, "all that this CPU can do");
    bench_growth(b);
    bench_bytes(b);
    bench_mask(b, QRT_CPU_AVX2 | QRT_CPU_AES | QRT_CPU_PCLMUL, "without SHA-NI and AVX-512");
    b->limits = false;
    bench_mask(b, 0, "portable code only");
}

int main(int argc, char **argv)
{
    struct options o;
    struct bench b = {0};

    if (!parse(&o, argc, argv)) {
        fprintf(stderr, "usage: bench [--quick] [--json FILE] [--commit NAME]\n");
        return 2;
    }
    if (sodium_init() < 0)
        return 1;
    b.quick = o.quick;
    b.secp = make_secp();
    b.ctx = aligned_alloc(QRT_ALIGN, (qrt_ctx_size() + QRT_ALIGN - 1) / QRT_ALIGN * QRT_ALIGN);
    qrt_ctx_init(b.ctx, b.secp, QRT_CPU_ALL);
    verifier_init(&b.verifier, b.secp);
    if (!report_open(&b.report, o.json, o.commit, cpu_bits(qrt_ctx_cpu(b.ctx)))) {
        fprintf(stderr, "cannot write %s\n", o.json);
        return 1;
    }
    bench_all(&b);
    report_close(&b.report);
    free(b.ctx);
    secp256k1_context_destroy(b.secp);
    return b.report.wrong ? 1 : 0;
}
