/* SPDX-License-Identifier: Apache-2.0 */
/* See lease.h. The taker steps over a row that is locked: its holder is just committing, and is
 * looked for again a moment later. */
#include "services/coordinator/lease.h"

#include <stdio.h>
#include <string.h>

struct seen {
    struct lease *lease;
    bool is_there;
};

static bool take_row(const struct db_row *row, void *arg)
{
    struct seen *seen = arg;

    db_copy_text(seen->lease->replica, sizeof seen->lease->replica, row, 0);
    db_copy_text(seen->lease->address, sizeof seen->lease->address, row, 1);
    seen->lease->fence = db_get_int(row, 2);
    seen->lease->is_over = db_get_int(row, 3) != 0;
    seen->is_there = true;
    return false;
}

#define LOOK                                                                                       \
    "SELECT replica, address, fence, CASE WHEN lease_until_ms <= now_ms() THEN 1 ELSE 0 END"       \
    " FROM leadership WHERE id = 1"

enum db_result lease_look(struct db_tx *tx, void *arg)
{
    struct seen seen = {.lease = arg};
    enum db_result result = db_query(tx, LOOK, NULL, 0, take_row, &seen);

    return result == DB_OK && !seen.is_there ? DB_REFUSED : result;
}

enum db_result lease_take(struct db_tx *tx, void *arg)
{
    struct lease *lease = arg, found = {0};
    struct seen seen = {.lease = &found};
    enum db_result result = db_query(tx, LOOK " FOR UPDATE SKIP LOCKED", NULL, 0, take_row, &seen);
    const struct db_value v[] = {db_text(lease->replica), db_text(lease->address),
                                 db_int(found.fence + 1), db_int(LEASE_MS)};

    lease->is_taken = false;
    if (result != DB_OK || !seen.is_there || !found.is_over)
        return result;
    result = db_exec(tx,
                     "UPDATE leadership SET replica = $1, address = $2, fence = $3,"
                     " lease_until_ms = now_ms() + $4 WHERE id = 1",
                     v, sizeof v / sizeof v[0], NULL);
    lease->is_taken = result == DB_OK;
    lease->fence = found.fence + 1;
    return result;
}

static enum db_result extend(struct db_tx *tx, const struct lease *lease, int64_t ms)
{
    const struct db_value v[] = {db_int(lease->fence), db_int(ms)};

    return db_must(tx,
                   "UPDATE leadership SET lease_until_ms = now_ms() + $2"
                   " WHERE id = 1 AND fence = $1",
                   v, 2);
}

enum db_result lease_renew(struct db_tx *tx, void *arg)
{
    return extend(tx, arg, LEASE_MS);
}

enum db_result lease_give_up(struct db_tx *tx, void *arg)
{
    return extend(tx, arg, 0);
}

enum db_result lease_fence(struct db_tx *tx, void *arg)
{
    const int64_t *fence = arg;
    const struct db_value v[] = {db_int(*fence)};

    return db_must(tx, "SELECT 1 FROM leadership WHERE id = 1 AND fence = $1 FOR SHARE", v, 1);
}
