/* SPDX-License-Identifier: Apache-2.0 */
/* The database that the configuration names: without POSTGRES_HOST a SQLite file in DATA_DIR, with
 * it a schema at that server. The only place that knows the variables' meaning.
 *
 * The password goes to libpq and nowhere else: not into an address, a line of the log or an
 * error. */
#ifndef SYSTEM_DB_CONFIGURED_H
#define SYSTEM_DB_CONFIGURED_H

#include "system/core/config.h"
#include "system/db/db.h"

struct db_names {
    /* of the SQLite file, without its end: "account" */
    const char *file;
    /* of the schema, unless POSTGRES_SCHEMA says another; NULL: that of the role */
    const char *schema;
    /* the socket of a process that speaks to a server instead of this one; 0: none */
    int remote;
};

/* False: a file. */
bool db_configured_is_server(const struct config *config);

/* What no single variable can tell. False with one line in |error|. */
bool db_configured_check(const struct config *config, char error[DB_ERROR_MAX]);
/* db_open with url, password, retry and connections from |config|, which outlives the database;
 * the rest from |params|. */
struct db *db_configured_open(uv_loop_t *loop, const struct config *config,
                              const struct db_names *names, const struct db_params *params,
                              char error[DB_ERROR_MAX]);

#endif
