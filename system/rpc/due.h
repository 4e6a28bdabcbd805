/* SPDX-License-Identifier: Apache-2.0 */
/* Many waits on one timer: a heap by time. Setting and clearing costs no system call; what is due
 * fires up to DUE_SLACK_MS late, so that waits that end together wake the process once.
 *
 * A wait is part of what waits: it must be cleared before that is freed. */
#ifndef SYSTEM_RPC_DUE_H
#define SYSTEM_RPC_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { DUE_SLACK_MS = 20 };

struct due {
    /* uv_now's milliseconds */
    uint64_t at_ms;
    /* place in the heap + 1; 0: not waiting */
    size_t place;
    /* called once per setting, on the loop; may set and clear anything */
    void (*fire)(struct due *due);
};

struct due_heap {
    uv_timer_t timer;
    struct due **item;
    size_t n, cap;
    /* when the timer rings; UINT64_MAX: not armed */
    uint64_t armed_ms;
};

void due_init(struct due_heap *heap, uv_loop_t *loop);
/* Moves a wait that is set already. */
void due_set(struct due_heap *heap, struct due *due, uint64_t at_ms);
void due_clear(struct due_heap *heap, struct due *due);
bool due_is_set(const struct due *due);
/* |closed| when the timer is closed; the heap must live until then. */
void due_close(struct due_heap *heap, uv_close_cb closed);

#endif
