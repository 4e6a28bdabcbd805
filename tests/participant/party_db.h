/* SPDX-License-Identifier: Apache-2.0 */
/* Where a party of a test has its rows: a file of SQLite in its directory; with DB_TEST_URL
 * (tests/support/db_place.h) a schema of its own at that server, of a role of its own, as
 * `quorate db init` makes them. What is done to them here is done beside the party, as by somebody
 * who has its database and none of its keys. X'..' are bytes at both. */
#ifndef TEST_PARTICIPANT_PARTY_DB_H
#define TEST_PARTICIPANT_PARTY_DB_H

#include "system/core/buffer.h"

#include <stdbool.h>
#include <stddef.h>

struct store;

struct party_db {
    char directory[128];
    /* of a server; "" if it is SQLite */
    char role[40];
};

/* |directory| is there. */
void party_db_make(struct party_db *db, const char *directory);
/* Nobody uses it any more. A file goes with its directory. */
void party_db_remove(const struct party_db *db);
/* The variables that name it, as lines of an env file. */
void party_db_settings(const struct party_db *db, struct buffer *lines);
/* As a party opens it, but for the helper process: store_close. The test fails if that does not
 * succeed. */
struct store *party_db_open(const struct party_db *db);

/* Run statements; the rows that the last one changed. */
size_t party_db_run(const struct party_db *db, const char *sql);
bool party_db_has(const struct party_db *db, const char *query);
/* From now on |event| ("INSERT ON orders") fails there, or never ends: the last one said. */
void party_db_refuse(const struct party_db *db, const char *event);
void party_db_hang(const struct party_db *db, const char *event);
/* |table| is as it was. */
void party_db_allow(const struct party_db *db, const char *table);

#endif
