/* SPDX-License-Identifier: Apache-2.0 */
/* Room on the disk for burns that the ledger does not take, as when the disk is full: one file of
 * fixed size in the party's directory, whose blocks were written when it was made. A burn is
 * written over them, so it needs no new room, and waits there until the database and the ledger
 * have it.
 *
 * A file system that never writes in place (btrfs, ZFS) may need room all the same. A file with
 * something else in it is not opened: a burn may be what cannot be read. Any thread. */
#ifndef PARTICIPANT_RESERVE_H
#define PARTICIPANT_RESERVE_H

#include "participant/store.h"

struct reserve;

enum { RESERVE_BURNS = 64 };

/* The file in |directory|, made if it is not there. NULL with one line in |error|. */
struct reserve *reserve_open(const char *directory, char error[STORE_ERROR_MAX]);
void reserve_close(struct reserve *reserve);

/* Durable when it returns. False: no place is left, or the disk fails. */
bool reserve_put(struct reserve *reserve, const struct store_burn *burn);
bool reserve_has(struct reserve *reserve, const struct store_burn *burn);
/* The database and the ledger have it. If it cannot be wiped it stays, which does no harm. */
void reserve_drop(struct reserve *reserve, const struct store_burn *burn);
/* What is there: their number, the first |cap| of them in |out|. */
size_t reserve_list(struct reserve *reserve, struct store_burn *out, size_t cap);

#endif
