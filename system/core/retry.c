/* SPDX-License-Identifier: Apache-2.0 */
/* Waits: step, 2 * step, ... up to the cap, each +-20 %, so that callers do not all come at
 * once. */
#include "system/core/retry.h"

#include <sodium.h>

bool retry_next(struct retry *retry, uint32_t *wait_ms)
{
    uint64_t wait, fifth;

    if (retry->max && retry->failed >= retry->max)
        return false;
    if (retry->failed < UINT32_MAX)
        retry->failed++;
    wait = (uint64_t)retry->step_ms * retry->failed;
    if (wait > retry->cap_ms)
        wait = retry->cap_ms;
    fifth = wait / 5;
    wait = wait - fifth + randombytes_uniform((uint32_t)(2 * fifth + 1));
    *wait_ms = wait > UINT32_MAX ? UINT32_MAX : (uint32_t)wait;
    return true;
}

void retry_success(struct retry *retry)
{
    retry->failed = 0;
}
