/* SPDX-License-Identifier: Apache-2.0 */
/* Guarded memory for runs, used again: making it is slow (pages, locks), and runs are short and of
 * few sizes. A block that comes back was wiped by the library; what is kept is bounded. */
#ifndef PARTICIPANT_BLOCKS_H
#define PARTICIPANT_BLOCKS_H

#include <stddef.h>

struct blocks;

/* At most |keep| free blocks are kept. Thread-safe. */
struct blocks *blocks_new(size_t keep);
/* Frees what is kept; blocks that are out are their holders' (secret_free). */
void blocks_free(struct blocks *blocks);
/* |len| is a multiple of QRT_ALIGN. Content is undefined. */
void *blocks_take(struct blocks *blocks, size_t len);
/* |p| was wiped by its user. */
void blocks_give(struct blocks *blocks, void *p, size_t len);

#endif
