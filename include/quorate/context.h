/* SPDX-License-Identifier: Apache-2.0 */
/* The tables that all runs of a process share, read-only once made: label midstates, the gadget
 * vector, what this CPU can do, and the libsecp256k1 context.
 *
 *     secp256k1_context *secp = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
 *     struct qrt_ctx *ctx = aligned_alloc(QRT_ALIGN, qrt_ctx_size());
 *
 *     if (sodium_init() < 0) ...
 *     randombytes_buf(seed, 32); secp256k1_context_randomize(secp, seed);
 *     qrt_ctx_init(ctx, secp, QRT_CPU_ALL);
 *
 * A context is the library's only shared state. It holds nothing secret, is never written after
 * qrt_ctx_init, and may be used by any number of threads at once. Randomising |secp| again needs
 * all of them to pause. */
#ifndef QUORATE_CONTEXT_H
#define QUORATE_CONTEXT_H

#include "quorate/types.h"

#include <secp256k1.h>

struct qrt_ctx;

/* Bits for qrt_ctx_init's |cpu_mask|: what may be used if the CPU and the operating system have it.
 * Without a bit the portable code does the same, constant time as well: SHA-256 one block at a
 * time, AES bitsliced, GF(2^128) bit by bit. All choices give the same bytes. */
enum {
    QRT_CPU_SHA_NI = 1,
    QRT_CPU_AVX2 = 2,
    QRT_CPU_AVX512 = 4,
    QRT_CPU_AES = 8,
    QRT_CPU_PCLMUL = 16,
    QRT_CPU_ALL = 31
};

/* Bytes of a context (about 20 KiB), a multiple of QRT_ALIGN; its memory must be aligned to that.
 */
QRT_API size_t qrt_ctx_size(void);

/* Fill |ctx|. |secp| comes from secp256k1_context_create, should have been randomised
 * (secp256k1_context_randomize), is borrowed and must outlive |ctx|. libsodium must have been
 * initialised (sodium_init). |cpu_mask| is QRT_CPU_ALL; anything less is for tests and
 * measurements, the results are the same. */
QRT_API void qrt_ctx_init(struct qrt_ctx *ctx, const secp256k1_context *secp, unsigned cpu_mask);

/* The bits of QRT_CPU_ALL in use: what was asked for and is there. */
QRT_API unsigned qrt_ctx_cpu(const struct qrt_ctx *ctx);

/* The library's version, "1.2.3". Formats have versions of their own (docs/wire.md). */
QRT_API const char *qrt_version(void);

#endif
