/* SPDX-License-Identifier: Apache-2.0 */
/* A connection that failed, in words. See pg_fault.h. */
#include "system/db/pg_fault.h"

#include <stdio.h>
#include <string.h>

enum { CODE = 5, LINE = 160 };

void pg_fault_line(char *out, size_t cap, const char *message)
{
    size_t len = strcspn(message, "\r\n");

    while (len > 0 && message[len - 1] == ' ')
        len--;
    snprintf(out, cap, "%.*s", (int)len, message);
}

/* After "FATAL:  28P01: "; without a code the text after "failed: ". */
static const char *cause_of(const char *message, char code[CODE + 1])
{
    const char *fatal = strstr(message, "FATAL:  "), *failed = strstr(message, "failed: ");

    code[0] = '\0';
    if (fatal && strlen(fatal) > 15 && fatal[8 + CODE] == ':') {
        memcpy(code, fatal + 8, CODE);
        code[CODE] = '\0';
        return fatal + 15;
    }
    return failed ? failed + strlen("failed: ") : message;
}

/* libpq speaks English here: nobody calls setlocale. */
static bool is_about_tls(const char *cause)
{
    return strstr(cause, "certificate") || strstr(cause, "does not support SSL");
}

bool pg_fault_connect(const PGconn *c, char error[DB_ERROR_MAX])
{
    char code[CODE + 1], line[LINE], server[80];
    const char *cause = cause_of(PQerrorMessage(c), code);

    pg_fault_line(line, sizeof line, cause);
    snprintf(server, sizeof server, "PostgreSQL at %.48s:%.8s", PQhost(c) ? PQhost(c) : "?",
             PQport(c) ? PQport(c) : "?");
    if (strcmp(code, "28P01") == 0)
        snprintf(error, DB_ERROR_MAX,
                 "%s refuses the password of the role %.40s: set POSTGRES_PASSWORD", server,
                 PQuser(c));
    else if (strcmp(code, "3D000") == 0)
        snprintf(error, DB_ERROR_MAX,
                 "%s has no database %.40s: make it, or set POSTGRES_DB to the one to use", server,
                 PQdb(c));
    else if (strncmp(code, "28", 2) == 0 || strcmp(code, "42501") == 0)
        snprintf(error, DB_ERROR_MAX, "%s does not let the role %.40s in: %.90s", server, PQuser(c),
                 line);
    else if (is_about_tls(line))
        snprintf(error, DB_ERROR_MAX,
                 "%s: %.110s: see POSTGRES_TLS, POSTGRES_TLS_CA and POSTGRES_TLS_CRL", server,
                 line);
    else
        return snprintf(error, DB_ERROR_MAX, "%s cannot be reached: %.130s", server, line) > 0;
    return false;
}
