/* SPDX-License-Identifier: Apache-2.0 */
/* Which accounts sign so often that presignatures are worth their while: signatures of the last
 * minute, counted for each account and path, and for each the one presigning that may be under way.
 *
 * A table of fixed size: where two meet, the second is not counted while the first signs. That
 * costs it presignatures, never a signature. Pure: time is told. */
#ifndef ACCOUNT_HOT_H
#define ACCOUNT_HOT_H

#include "system/core/ids.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HOT_PLACES = 4096,
    /* presignings under way, of all accounts together */
    HOT_AWAY_MAX = 4,
    /* after one that failed the account waits so long for the next */
    HOT_PAUSE_MS = 10000
};

/* An account and a path. */
struct hot_name {
    uint8_t b[32];
};
void hot_name(struct hot_name *out, const char *account_id, const uint32_t *path, size_t path_n);

struct hot;

/* Hot is what signed more than |per_minute| times in the last minute. */
struct hot *hot_new(uint32_t per_minute);
void hot_free(struct hot *hot);

/* One more signature. Times are of a clock that only goes forward. */
void hot_signed(struct hot *hot, const struct hot_name *name, uint64_t now_ms);
/* True if a presigning may begin: it is under way from now on, until hot_end. */
bool hot_begin(struct hot *hot, const struct hot_name *name, uint64_t now_ms);
void hot_end(struct hot *hot, const struct hot_name *name, bool ok, uint64_t now_ms);

#endif
