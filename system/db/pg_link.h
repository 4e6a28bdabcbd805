/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to a PostgreSQL server: made, looked over, made again when it is gone. Waits grow
 * (system/core/retry.h); a fault that waiting does not mend ends the first opening at once.
 *
 * Between calls the connection is in pipeline mode. A connection that was made again has none of
 * the statements that were prepared, and what it ran before is over: the old session was ended by
 * the server before this one is given out. */
#ifndef SYSTEM_DB_PG_LINK_H
#define SYSTEM_DB_PG_LINK_H

#include "system/core/retry.h"
#include "system/db/driver.h"

#include <libpq-fe.h>

enum { PG_WRITER_BYTES = 16 };

struct pg_link {
    PGconn *c;
    /* keywords of libpq, without the password */
    char *where;
    const char *password;
    struct retry retry;
    bool is_alone;
    unsigned idle_ms;
    /* this connection's name at the server, new for each struct */
    char name[48];
    /* the schema, once it is known */
    char schema[64];
    /* eventfd: somebody is in a hurry */
    int hurry;
};

/* False with one line in |error|; link_close is due in any case. */
bool pg_link_open(struct pg_link *link, const struct db_params *params, bool writes,
                  char error[DB_ERROR_MAX]);
/* After a loss. False: the tries are used up, or link_hurry was called. */
bool pg_link_again(struct pg_link *link, char error[DB_ERROR_MAX]);
/* False: the server, or the way to it, was seen to end since. Costs no round trip: the kernel's
 * keepalive asks a silent server, and gives it up after 8 s. */
bool pg_link_is_up(struct pg_link *link);
/* From any thread. */
void pg_link_hurry(struct pg_link *link);
void pg_link_close(struct pg_link *link);

#endif
