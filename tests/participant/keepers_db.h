/* SPDX-License-Identifier: Apache-2.0 */
/* The databases of keepers.h: files of SQLite; with DB_TEST_URL (tests/support/db_place.h) each seat
 * has a role and a schema of its own at that server, as `quorate db init` makes them. What is done
 * to them here is done beside a keeper, as by somebody who has its database and none of its keys;
 * it is not how a keeper comes to them. X'..' are bytes at both. */
#ifndef TEST_PARTICIPANT_KEEPERS_DB_H
#define TEST_PARTICIPANT_KEEPERS_DB_H

#include "keepers.h"
#include "system/core/buffer.h"

struct store;

/* Of seat |i|, whose directory is there: its variables are added to |settings|. */
void keepers_db_make(struct keepers *k, size_t i, struct buffer *settings);
/* Of a seat whose keeper has ended. */
void keepers_db_remove(struct keepers *k, size_t i);

/* Run statements; the rows that the last one changed. */
size_t keepers_db_run(const struct keepers *k, size_t i, const char *sql);
bool keepers_db_has(const struct keepers *k, size_t i, const char *query);
/* From now on |event| ("INSERT ON orders") fails there, or never ends. */
void keepers_db_refuse(const struct keepers *k, size_t i, const char *event);
void keepers_db_hang(const struct keepers *k, size_t i, const char *event);
/* |table| is as it was. */
void keepers_db_allow(const struct keepers *k, size_t i, const char *table);

/* What the keeper of seat |i|, which does not run, opens: store_close. */
struct store *keepers_db_store(const struct keepers *k, size_t i);

#endif
