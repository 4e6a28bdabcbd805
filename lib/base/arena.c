/* SPDX-License-Identifier: Apache-2.0 */
/* Carving memory: every part starts at a multiple of 64 from the base, so |used| after the last
 * part is the size to ask the caller for. A total that overflows size_t is a bug. */
#include "base/arena.h"

#include "base/assert.h"

#define PART_ALIGN ((size_t)64)

void *qrt_arena_take(struct qrt_arena *a, size_t len)
{
    size_t at = a->used;

    qrt_assert(len <= SIZE_MAX - (PART_ALIGN - 1));
    len = (len + PART_ALIGN - 1) & ~(PART_ALIGN - 1);
    qrt_assert(len <= SIZE_MAX - at);
    a->used = at + len;
    return a->base ? a->base + at : NULL;
}
