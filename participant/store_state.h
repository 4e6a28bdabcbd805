/* SPDX-License-Identifier: Apache-2.0 */
/* What store.c (shares, orders, what was given) and store_burns.c share. Nobody else includes it.
 */
#ifndef PARTICIPANT_STORE_STATE_H
#define PARTICIPANT_STORE_STATE_H

#include "participant/reserve.h"
#include "participant/store.h"
#include "system/db/db.h"

struct store {
    struct db *db;
    struct reserve *reserve;
};

enum store_result store_result_of(enum db_result result);
/* The reserve's burns into the database, as far as it takes them. */
void store_move_burns(struct store *store);

#endif
