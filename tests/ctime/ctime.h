/* SPDX-License-Identifier: Apache-2.0 */
/* Constant-time cases (protocol.md M.7), run under valgrind's memcheck.
 *
 * A secret is memory that memcheck holds for uninitialised; it reports every branch and every
 * address that depends on such memory, also in the libraries below. A case passes if nothing was
 * reported while it ran. What is sent is declassified by the library itself (qrt_public). */
#ifndef CTIME_CTIME_H
#define CTIME_CTIME_H

#include "base/ct.h"
#include "base/ctx.h"
#include "hash/drbg.h"

#include <stdbool.h>

struct ctime_case {
    const char *name;
    void (*run)(const struct qrt_ctx *ctx);
};

/* Run |n| cases with the CPU bits of argv[1]: "portable" or "simd". Exit code of the program. */
int ctime_main(int argc, char **argv, const struct ctime_case *cases, size_t n);

/* The parts of it: a context with those CPU bits, or the end of the program if this is not
 * valgrind; and one case, true if something was reported. */
const struct qrt_ctx *ctime_start(int argc, char **argv);
bool ctime_leaks(const struct qrt_ctx *ctx, const struct ctime_case *one);

/* The same bytes in every program; public. */
void ctime_bytes(void *out, size_t len);
/* The same, then marked secret. */
void ctime_secret(void *out, size_t len);
struct qrt_sc ctime_secret_scalar(void);
/* A generator whose output is secret. */
struct qrt_drbg ctime_secret_rng(const struct qrt_ctx *ctx);

/* End the program: the case itself is broken. */
void ctime_need(bool ok, const char *what);

#endif
