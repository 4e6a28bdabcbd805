/* SPDX-License-Identifier: Apache-2.0 */
/* A short array of free blocks, searched from its end: what came back last is warm. When it is full
 * the oldest one goes, so that sizes no longer used do not stay. */
#include "participant/blocks.h"

#include "system/core/buffer.h"
#include "system/core/secret.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct block {
    void *p;
    size_t len;
};

struct blocks {
    pthread_mutex_t lock;
    struct block *free;
    size_t n, cap;
};

struct blocks *blocks_new(size_t keep)
{
    struct blocks *blocks = mem_new(1, sizeof *blocks);

    blocks->free = mem_new(keep, sizeof *blocks->free);
    blocks->cap = keep;
    pthread_mutex_init(&blocks->lock, NULL);
    return blocks;
}

void blocks_free(struct blocks *blocks)
{
    if (!blocks)
        return;
    for (size_t i = 0; i < blocks->n; i++)
        secret_free(blocks->free[i].p);
    free(blocks->free);
    pthread_mutex_destroy(&blocks->lock);
    free(blocks);
}

static struct block remove_at(struct blocks *blocks, size_t i)
{
    struct block block = blocks->free[i];

    blocks->n--;
    memmove(&blocks->free[i], &blocks->free[i + 1], (blocks->n - i) * sizeof block);
    return block;
}

void *blocks_take(struct blocks *blocks, size_t len)
{
    void *p = NULL;

    pthread_mutex_lock(&blocks->lock);
    for (size_t i = blocks->n; !p && i > 0; i--) {
        if (blocks->free[i - 1].len == len)
            p = remove_at(blocks, i - 1).p;
    }
    pthread_mutex_unlock(&blocks->lock);
    return p ? p : secret_new(len);
}

void blocks_give(struct blocks *blocks, void *p, size_t len)
{
    struct block oldest = {0};

    pthread_mutex_lock(&blocks->lock);
    if (blocks->n == blocks->cap)
        oldest = remove_at(blocks, 0);
    blocks->free[blocks->n++] = (struct block){p, len};
    pthread_mutex_unlock(&blocks->lock);
    secret_free(oldest.p);
}
