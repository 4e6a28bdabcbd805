/* SPDX-License-Identifier: Apache-2.0 */
/* While the wrapping key is changed: a thread that puts the data key of every stored share under
 * the next one, one row a transaction, and never opens a share. A row that changes meanwhile (a
 * burn, an activation) was sealed under the next key by that and stays as it is. At every moment
 * each row opens under one of the two keys; after a kill the next start goes on where this one
 * ended. */
#ifndef PARTICIPANT_REWRAP_H
#define PARTICIPANT_REWRAP_H

#include "participant/shares.h"
#include "participant/store.h"

struct rewrap;

/* |shares| seals with |vault|. Call before the sandbox. NULL: |vault| has no next key. */
struct rewrap *rewrap_start(struct store *store, const struct shares *shares,
                            const struct vault *vault);
/* Returns when the row that it is at is done. NULL is nothing. */
void rewrap_stop(struct rewrap *rewrap);
/* Rows that are still under the old key; 0 if there is nothing to do. Any thread. */
uint64_t rewrap_left(const struct rewrap *rewrap);

#endif
