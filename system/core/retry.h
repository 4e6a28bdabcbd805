/* SPDX-License-Identifier: Apache-2.0 */
/* The one way to wait before trying again: growing waits with jitter (requirements section 2).
 * 2, 4, 6 ... 20 s for connections of a service (RETRY_MAX, RETRY_DELAY_MS); other callers set
 * their own step. */
#ifndef SYSTEM_CORE_RETRY_H
#define SYSTEM_CORE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct retry {
    /* the first wait; each one is a step longer */
    uint32_t step_ms;
    /* the longest wait */
    uint32_t cap_ms;
    /* tries before giving up; 0: never */
    uint32_t max;
    /* tries that failed since the last success */
    uint32_t failed;
};

/* One more failure: the wait before the next try, +-20 %. False: give up. */
bool retry_next(struct retry *retry, uint32_t *wait_ms);
void retry_success(struct retry *retry);

#endif
