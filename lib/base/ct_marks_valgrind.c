/* SPDX-License-Identifier: Apache-2.0 */
/* The marks of secrets for the constant-time tests (protocol.md M.7). A secret is memory that
 * valgrind holds for uninitialised, so it reports every branch and every address that depends on
 * one; what is declassified counts as initialised again. */
#include "base/ct.h"

#include <valgrind/memcheck.h>

void qrt_public(const void *p, size_t len, const char *why)
{
    (void)why; /* for the reader of the call */
    (void)VALGRIND_MAKE_MEM_DEFINED(p, len);
}

void qrt_secret(const void *p, size_t len)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(p, len);
}
