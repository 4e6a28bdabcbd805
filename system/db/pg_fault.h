/* SPDX-License-Identifier: Apache-2.0 */
/* Why a connection could not be made, in one line that says what to do. libpq tells the server's
 * code only inside its text, and only if asked to be verbose. */
#ifndef SYSTEM_DB_PG_FAULT_H
#define SYSTEM_DB_PG_FAULT_H

#include "system/db/db.h"

#include <libpq-fe.h>

/* Writes the line. True: waiting may help; false: somebody has to change something first. */
bool pg_fault_connect(const PGconn *c, char error[DB_ERROR_MAX]);
/* The first line of a message, without blanks at its end. */
void pg_fault_line(char *out, size_t cap, const char *message);

#endif
