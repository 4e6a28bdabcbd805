/* SPDX-License-Identifier: Apache-2.0 */
/* What every test program shares: a context, hexadecimal, a seeded generator. */
#ifndef QRT_TEST_SUPPORT_H
#define QRT_TEST_SUPPORT_H

#include "base/ctx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A context with labels (no gadget vector) that uses of this CPU what |cpu_mask| allows. Static,
 * filled again by each call. */
struct qrt_ctx *test_ctx(unsigned cpu_mask);

/* |hex| must hold exactly |len| bytes. */
void test_unhex(uint8_t *out, size_t len, const char *hex);
bool test_is_hex(const uint8_t *b, size_t len, const char *hex);

/* Reproducible bytes: the same |seed| gives the same sequence. Not for anything secret. */
struct test_rng {
    uint64_t state;
};
uint64_t test_rng_u64(struct test_rng *rng);
/* 0 .. bound-1. */
uint64_t test_rng_below(struct test_rng *rng, uint64_t bound);
void test_rng_bytes(struct test_rng *rng, uint8_t *out, size_t len);

#endif
