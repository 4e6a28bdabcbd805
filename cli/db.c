/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate db init": a role and a schema of its own for one program in a PostgreSQL database. Only
 * its hash of the password reaches the server, so no log there can have it. May be run again: what
 * is there stays, the password becomes the given one. */
#include "command.h"
#include "file.h"
#include "option.h"
#include "report.h"
#include "say.h"

#include "system/core/buffer.h"

#include <libpq-fe.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PASSWORD_MAX = 1024, NAME_LEN_MAX = 63 };

struct init {
    const char *host, *port, *database, *owner, *owner_password, *ca;
    const char *role, *password, *schema;
    bool is_plain, json;
};

/* The first line of a file; the caller wipes and frees it. */
static char *read_password(const char *path, struct trouble *trouble)
{
    struct file file;
    char *text;
    size_t len;

    if (!file_read(&file, path, PASSWORD_MAX, trouble))
        return NULL;
    for (len = 0; len < file.len && file.b[len] != '\n' && file.b[len] != '\r'; len++)
        continue;
    text = mem_new(len + 1, 1);
    memcpy(text, file.b, len);
    file_free(&file);
    if (len > 0 && strlen(text) == len)
        return text;
    sodium_memzero(text, len);
    free(text);
    trouble_set(trouble, "%s has no password in its first line", path);
    return NULL;
}

static void forget(char *password)
{
    if (!password)
        return;
    sodium_memzero(password, strlen(password));
    free(password);
}

static bool is_name(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text) &&
           strlen(text) <= NAME_LEN_MAX && text[0] > '9';
}

static PGconn *connect_owner(const struct init *o, struct trouble *trouble)
{
    char *password = read_password(o->owner_password, trouble);
    const char *const words[] = {"host",
                                 "port",
                                 "dbname",
                                 "user",
                                 "password",
                                 "sslrootcert",
                                 "sslmode",
                                 "passfile",
                                 "connect_timeout",
                                 "fallback_application_name",
                                 NULL};
    const char *const values[] = {o->host,
                                  o->port,
                                  o->database,
                                  o->owner,
                                  password,
                                  o->ca ? o->ca : "",
                                  o->is_plain ? "disable" : "verify-full",
                                  "/dev/null",
                                  "10",
                                  "quorate db init",
                                  NULL};
    PGconn *c;

    if (!password)
        return NULL;
    c = PQconnectdbParams(words, values, 0);
    forget(password);
    if (PQstatus(c) == CONNECTION_OK)
        return c;
    trouble_set(trouble, "%.*s", (int)strcspn(PQerrorMessage(c), "\n"), PQerrorMessage(c));
    PQfinish(c);
    return NULL;
}

/* As the database says it; in one transaction, so that a fault leaves nothing. */
static bool run_sql(PGconn *c, const char *sql, struct trouble *trouble)
{
    PGresult *r = PQexec(c, sql);
    ExecStatusType status = PQresultStatus(r);
    const char *line = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        trouble_set(trouble, "PostgreSQL says: %s", line ? line : "the connection was lost");
    PQclear(r);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* Names are of small letters, digits and _, so they need no quotes but against key words. The owner
 * is in the role only as long as it has to be to make the schema. He may be no superuser: those
 * rights may not even be named by who has them not, so they are taken only from who has them. */
static void put_sql(struct buffer *sql, const struct init *o, const char *secret)
{
    buffer_printf(sql,
                  "SET client_min_messages = error; BEGIN; DO $$ BEGIN IF NOT EXISTS (SELECT FROM"
                  " pg_roles WHERE rolname = '%s') THEN CREATE ROLE \"%s\"; END IF; END $$;",
                  o->role, o->role);
    buffer_printf(
        sql,
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = '%s' AND (rolsuper OR"
        " rolcreatedb OR rolcreaterole)) THEN ALTER ROLE \"%s\" NOSUPERUSER NOCREATEDB"
        " NOCREATEROLE; END IF; END $$;",
        o->role, o->role);
    buffer_printf(sql,
                  "ALTER ROLE \"%s\" LOGIN NOINHERIT PASSWORD %s;"
                  " GRANT \"%s\" TO CURRENT_USER;",
                  o->role, secret, o->role);
    buffer_printf(sql, "CREATE SCHEMA IF NOT EXISTS \"%s\" AUTHORIZATION \"%s\";", o->schema,
                  o->role);
    buffer_printf(sql,
                  "ALTER SCHEMA \"%s\" OWNER TO \"%s\"; REVOKE ALL ON SCHEMA \"%s\" FROM PUBLIC;",
                  o->schema, o->role, o->schema);
    buffer_printf(sql, "REVOKE \"%s\" FROM CURRENT_USER;", o->role);
    buffer_text(sql, "REVOKE CREATE ON SCHEMA public FROM PUBLIC;");
    buffer_printf(sql, "GRANT CONNECT ON DATABASE \"%s\" TO \"%s\"; COMMIT", o->database, o->role);
}

static bool make(PGconn *c, const struct init *o, struct trouble *trouble)
{
    char *password = read_password(o->password, trouble);
    char *hash = password ? PQencryptPasswordConn(c, password, o->role, "scram-sha-256") : NULL;
    char *secret = hash ? PQescapeLiteral(c, hash, strlen(hash)) : NULL;
    struct buffer sql = {0};
    bool ok = false;

    if (password && !secret)
        trouble_set(trouble, "the password cannot be made into a hash: %s", PQerrorMessage(c));
    if (secret) {
        put_sql(&sql, o, secret);
        ok = run_sql(c, (const char *)sql.b, trouble);
    }
    buffer_free(&sql);
    PQfreemem(secret);
    PQfreemem(hash);
    forget(password);
    return ok;
}

static int run(const struct init *o)
{
    struct trouble trouble;
    PGconn *c = connect_owner(o, &trouble);
    json_t *report;
    bool ok = c && make(c, o, &trouble);

    PQfinish(c);
    if (!ok)
        return refuse("%s", trouble.text);
    report = json_object();
    report_add(report, "database", json_string(o->database));
    report_add(report, "role", json_string(o->role));
    report_add(report, "schema", json_string(o->schema));
    return report_print(report, o->json) ? EXIT_DONE : EXIT_REFUSED;
}

static const char *either(const char *given, const char *otherwise)
{
    return given ? given : otherwise;
}

static void fill(struct init *o)
{
    o->host = either(o->host, "127.0.0.1");
    o->port = either(o->port, "5432");
    o->database = either(o->database, "mpc_system");
    o->owner = either(o->owner, "postgres");
    o->schema = either(o->schema, o->role);
}

/* Empty: nothing is wrong. */
static const char *mistake(const struct init *o)
{
    if (!o->role || !o->password || !o->owner_password)
        return "--role, --password-file and --owner-password-file are needed";
    if (!is_name(o->role) || !is_name(o->schema) || !is_name(o->database))
        return "a role, schema or database has a name of small letters, digits and _";
    if (!o->is_plain && !o->ca)
        return "--ca is needed: the authority that certified the server; or --plain on loopback";
    if (o->is_plain && o->host[0] != '/' && strncmp(o->host, "127.", 4) != 0 &&
        strcmp(o->host, "localhost") != 0 && strcmp(o->host, "::1") != 0)
        return "--plain is for a server on this machine only";
    return "";
}

int command_db(char **argv)
{
    struct init o = {0};
    const struct option_row rows[] = {
        {"--host", "HOST", NULL, &o.host, "the server (default: 127.0.0.1)"},
        {"--port", "PORT", NULL, &o.port, "its port (default: 5432)"},
        {"--database", "NAME", NULL, &o.database, "the database (default: mpc_system)"},
        {"--owner", "ROLE", NULL, &o.owner, "who may make roles and schemas (default: postgres)"},
        {"--owner-password-file", "FILE", NULL, &o.owner_password, "the owner's password"},
        {"--role", "NAME", NULL, &o.role, "the role to make: POSTGRES_USER of one program"},
        {"--password-file", "FILE", NULL, &o.password, "its password: POSTGRES_PASSWORD"},
        {"--schema", "NAME", NULL, &o.schema, "the schema to make (default: as the role)"},
        {"--ca", "FILE", NULL, &o.ca, "PEM file of the authority that certified the server"},
        {"--plain", NULL, &o.is_plain, NULL, "no TLS, for a server on this machine"},
        {"--json", NULL, &o.json, NULL, "print a JSON object"},
    };
    const struct options options = {
        "db", "init",
        "Give one program its own role and schema in a PostgreSQL database, in which no other\n"
        "program's role can read. Once for account-service (--schema account), once for\n"
        "session-coordinator (--schema coordinator), once for each party. May be run again.",
        rows, sizeof rows / sizeof rows[0]};
    const char *word;
    enum options_answer answer = options_read_word(&options, argv, &word);

    if (answer != OPTIONS_GO)
        return options_code(answer);
    fill(&o);
    if (mistake(&o)[0])
        return refuse_usage("%s", mistake(&o));
    return run(&o);
}
