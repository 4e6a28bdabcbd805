/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a program that found a bug. A file of its own: a program may bring another. */
#include "quorate/error.h"

#include <stdio.h>
#include <stdlib.h>

QRT_NORETURN void qrt_panic(const char *file, int line)
{
    fprintf(stderr, "panic at %s:%d\n", file, line);
    abort();
}
