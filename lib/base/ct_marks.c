/* SPDX-License-Identifier: Apache-2.0 */
/* The marks of secrets in an ordinary build: nothing. Their meaning is in ct_marks_valgrind.c. */
#include "base/ct.h"

void qrt_public(const void *p, size_t len, const char *why)
{
    (void)p;
    (void)len;
    (void)why;
}

void qrt_secret(const void *p, size_t len)
{
    (void)p;
    (void)len;
}
