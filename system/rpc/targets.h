/* SPDX-License-Identifier: Apache-2.0 */
/* Where a channel's service is: one address, or several of replicas, of which one is used at a
 * time. When it fails, the next one is tried at once; only when all have failed in a row is it a
 * failure to wait after. */
#ifndef SYSTEM_RPC_TARGETS_H
#define SYSTEM_RPC_TARGETS_H

#include <stdbool.h>
#include <stddef.h>

enum { TARGETS_MAX = 16 };

struct targets {
    char *list[TARGETS_MAX];
    size_t n, at;
    /* in a row */
    size_t failed;
};

/* From "host:port" or several with commas between; never none. More than TARGETS_MAX are left
 * out. */
void targets_init(struct targets *targets, const char *text);
void targets_free(struct targets *targets);
/* The one that is used. Lives as long as |targets|. */
const char *targets_one(const struct targets *targets);
void targets_next(struct targets *targets);
/* It failed: on to the next. True: all did. */
bool targets_failed(struct targets *targets);
void targets_succeeded(struct targets *targets);

#endif
