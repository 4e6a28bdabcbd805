/* SPDX-License-Identifier: Apache-2.0 */
/* See due.h. A binary heap whose items know their place. The timer may ring for nothing after its
 * wait was cleared: that is cheaper than moving it each time. */
#include "system/rpc/due.h"

#include "system/core/buffer.h"

#include <stdlib.h>
#include <string.h>

static void put(struct due_heap *heap, size_t i, struct due *due)
{
    heap->item[i] = due;
    due->place = i + 1;
}

static void sift_up(struct due_heap *heap, size_t i)
{
    struct due *due = heap->item[i];

    while (i > 0 && heap->item[(i - 1) / 2]->at_ms > due->at_ms) {
        put(heap, i, heap->item[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(heap, i, due);
}

static void sift_down(struct due_heap *heap, size_t i)
{
    struct due *due = heap->item[i];

    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < heap->n && heap->item[child + 1]->at_ms < heap->item[child]->at_ms)
            child++;
        if (child >= heap->n || heap->item[child]->at_ms >= due->at_ms)
            break;
        put(heap, i, heap->item[child]);
        i = child;
    }
    put(heap, i, due);
}

static void ring(uv_timer_t *timer);

static void arm(struct due_heap *heap)
{
    uint64_t now = uv_now(heap->timer.loop);
    uint64_t at;

    if (!heap->n || heap->item[0]->at_ms >= heap->armed_ms)
        return;
    at = heap->item[0]->at_ms;
    heap->armed_ms = at;
    uv_timer_start(&heap->timer, ring, at > now ? at - now : 0, 0);
}

static void ring(uv_timer_t *timer)
{
    struct due_heap *heap = timer->data;
    uint64_t until = uv_now(timer->loop);
    /* Bounds the round: what fires may set itself again for now. */
    size_t left = heap->n;

    /* Nothing that fires arms the timer: once, at the end. */
    heap->armed_ms = 0;
    while (heap->n && left-- && heap->item[0]->at_ms <= until) {
        struct due *due = heap->item[0];

        due_clear(heap, due);
        due->fire(due);
    }
    heap->armed_ms = UINT64_MAX;
    arm(heap);
}

void due_init(struct due_heap *heap, uv_loop_t *loop)
{
    *heap = (struct due_heap){.armed_ms = UINT64_MAX};
    uv_timer_init(loop, &heap->timer);
    heap->timer.data = heap;
}

static void grow(struct due_heap *heap)
{
    size_t cap = heap->cap ? 2 * heap->cap : 64;
    struct due **item = mem_new(cap, sizeof(struct due *));

    if (heap->n)
        memcpy(item, heap->item, heap->n * sizeof(struct due *));
    free(heap->item);
    heap->item = item;
    heap->cap = cap;
}

void due_set(struct due_heap *heap, struct due *due, uint64_t at_ms)
{
    /* Rounded up, so that what is due together rings together. */
    at_ms += DUE_SLACK_MS - 1;
    at_ms -= at_ms % DUE_SLACK_MS;
    if (due->place) {
        due->at_ms = at_ms;
        sift_down(heap, due->place - 1);
        sift_up(heap, due->place - 1);
    } else {
        if (heap->n == heap->cap)
            grow(heap);
        due->at_ms = at_ms;
        heap->item[heap->n++] = due;
        sift_up(heap, heap->n - 1);
    }
    arm(heap);
}

void due_clear(struct due_heap *heap, struct due *due)
{
    size_t i = due->place - 1;
    struct due *last;

    if (!due->place)
        return;
    due->place = 0;
    last = heap->item[--heap->n];
    if (last == due)
        return;
    put(heap, i, last);
    sift_down(heap, i);
    sift_up(heap, last->place - 1);
}

bool due_is_set(const struct due *due)
{
    return due->place > 0;
}

void due_close(struct due_heap *heap, uv_close_cb closed)
{
    free(heap->item);
    heap->item = NULL;
    heap->n = heap->cap = 0;
    uv_close((uv_handle_t *)&heap->timer, closed);
}
