/* SPDX-License-Identifier: Apache-2.0 */
/* Carving a caller's memory into parts. The same layout function measures (base NULL) and carves,
 * so the size a caller is told and the size used cannot differ. */
#ifndef QRT_BASE_ARENA_H
#define QRT_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct qrt_arena {
    uint8_t *base; /* NULL: measure only */
    size_t used;
};

/* |len| bytes aligned to 64, or NULL when measuring. */
void *qrt_arena_take(struct qrt_arena *a, size_t len);

#endif
