/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting, looking the server over, waiting for it. See pg_link.h. */
#include "system/db/pg_link.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/ids.h"
#include "system/core/log.h"
#include "system/db/pg_fault.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* One try to connect; the oldest server whose every statement here was tried. */
enum { CONNECT_MS = 10000, OLDEST = 140000, STEP_MS = 2000, CAP_MS = 20000, TRIES = 10 };
enum { SILENT_MS = 60000, READS_MAX = 8 };

/* LINK_TAKEN: by another process; what this one knows of the database may not be so any more. */
enum found { LINK_UP, LINK_LATER, LINK_WRONG, LINK_TAKEN };

/* A commit is told when the disk has it. A client that is gone holds no lock for long. */
static const char session_sql[] =
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') IN ('off', 'local');"
    "SET idle_in_transaction_session_timeout = %u; SET tcp_keepalives_idle = 10;"
    "SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;"
    "SET client_min_messages = warning";

static void be_quiet(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

/* Connecting */

static PGconn *begin(const struct pg_link *link)
{
    /* Later ones win over those in |where|, which "dbname" brings. */
    const char *const words[] = {"dbname",
                                 "password",
                                 "fallback_application_name",
                                 "application_name",
                                 "client_encoding",
                                 "keepalives_idle",
                                 "keepalives_interval",
                                 "keepalives_count",
                                 "tcp_user_timeout",
                                 "target_session_attrs",
                                 "gssencmode",
                                 "passfile",
                                 NULL};
    const char *const values[] = {
        link->where, link->password, "quorate",    link->name, "UTF8",      "2", "2",
        "3",         "8000",         "read-write", "disable",  "/dev/null", NULL};

    return PQconnectStartParams(words, values, 1);
}

static bool wait_for(const PGconn *c, PostgresPollingStatusType what, uint64_t until)
{
    struct pollfd fd = {.fd = PQsocket(c),
                        .events = what == PGRES_POLLING_READING ? POLLIN : POLLOUT};
    uint64_t now = clock_steady_us();

    return now < until && poll(&fd, 1, (int)((until - now) / 1000) + 1) > 0;
}

static bool finish_connecting(PGconn *c)
{
    uint64_t until = clock_steady_us() + CONNECT_MS * 1000ULL;
    PostgresPollingStatusType what = PGRES_POLLING_WRITING;

    while (what != PGRES_POLLING_OK) {
        if (what == PGRES_POLLING_FAILED || !wait_for(c, what, until))
            return false;
        what = PQconnectPoll(c);
    }
    return true;
}

static void hang_up(struct pg_link *link)
{
    PQfinish(link->c);
    link->c = NULL;
}

/* Has a list, and is whole: libpq takes none of a file of which one part is damaged. */
static bool is_crl(const char *file)
{
    X509_STORE *store = X509_STORE_new();
    X509_LOOKUP *lookup = store ? X509_STORE_add_lookup(store, X509_LOOKUP_file()) : NULL;
    bool ok = lookup && X509_load_crl_file(lookup, file, X509_FILETYPE_PEM) > 0 &&
              X509_STORE_load_locations(store, file, NULL) == 1;

    X509_STORE_free(store);
    ERR_clear_error();
    return ok;
}

/* libpq goes on without a revocation list that it cannot use, so that is found out before. */
static bool has_its_crl(const struct pg_link *link, char error[DB_ERROR_MAX])
{
    PQconninfoOption *all = PQconninfoParse(link->where, NULL);
    bool ok = true;

    for (const PQconninfoOption *o = all; o && o->keyword; o++)
        if (strcmp(o->keyword, "sslcrl") == 0 && o->val && o->val[0] && !is_crl(o->val)) {
            snprintf(error, DB_ERROR_MAX,
                     "POSTGRES_TLS_CRL: the file %.120s cannot be read, is damaged or has no "
                     "revocation list",
                     o->val);
            ok = false;
        }
    PQconninfoFree(all);
    return ok;
}

static enum found connect_once(struct pg_link *link, char error[DB_ERROR_MAX])
{
    bool may_wait;

    hang_up(link);
    if (!has_its_crl(link, error))
        return LINK_WRONG;
    link->c = begin(link);
    if (!link->c) {
        log_line(LOG_ERROR, "no memory for a connection to the database");
        exit(1);
    }
    PQsetErrorVerbosity(link->c, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(link->c, be_quiet, NULL);
    if (PQstatus(link->c) != CONNECTION_BAD && finish_connecting(link->c)) {
        PQsetErrorVerbosity(link->c, PQERRORS_DEFAULT);
        return LINK_UP;
    }
    may_wait = pg_fault_connect(link->c, error);
    return may_wait ? LINK_LATER : LINK_WRONG;
}

/* Looking it over. Each check: LINK_UP, or why not. */

static enum found complain(struct pg_link *link, const char *what, char error[DB_ERROR_MAX])
{
    char line[120];

    pg_fault_line(line, sizeof line, PQerrorMessage(link->c));
    snprintf(error, DB_ERROR_MAX, "PostgreSQL at %.60s:%.8s: %s: %s", PQhost(link->c),
             PQport(link->c), what, line);
    return PQstatus(link->c) == CONNECTION_BAD ? LINK_LATER : LINK_WRONG;
}

/* Statements whose last gives at most one value, into |out|. */
static bool ask(struct pg_link *link, const char *sql, char *out, size_t cap)
{
    PGresult *r = PQexec(link->c, sql);
    ExecStatusType status = PQresultStatus(r);

    if (out && status == PGRES_TUPLES_OK)
        snprintf(out, cap, "%s", PQntuples(r) ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

static enum found check_server(struct pg_link *link, char error[DB_ERROR_MAX])
{
    int version = PQserverVersion(link->c);
    char value[16], set_up[sizeof session_sql + 16];

    snprintf(set_up, sizeof set_up, session_sql, link->idle_ms);
    if (version < OLDEST) {
        snprintf(
            error, DB_ERROR_MAX,
            "PostgreSQL at %.60s:%.8s is of version %d, which is too old: %d or later is needed",
            PQhost(link->c), PQport(link->c), version / 10000, OLDEST / 10000);
        return LINK_WRONG;
    }
    if (strcmp(PQparameterStatus(link->c, "server_encoding"), "UTF8") != 0) {
        snprintf(error, DB_ERROR_MAX, "the database %.60s is encoded in %.20s: make it with UTF8",
                 PQdb(link->c), PQparameterStatus(link->c, "server_encoding"));
        return LINK_WRONG;
    }
    if (!ask(link, set_up, NULL, 0) || !ask(link, "SHOW fsync", value, sizeof value))
        return complain(link, "the session cannot be set up", error);
    if (strcmp(value, "on") == 0)
        return LINK_UP;
    if (!link->is_alone) {
        log_line(LOG_WARN, "fsync is off at the PostgreSQL server: commits can be lost");
        return LINK_UP;
    }
    snprintf(error, DB_ERROR_MAX,
             "fsync is off at the PostgreSQL server at %.60s:%.8s, and commits can be lost: set it"
             " to on",
             PQhost(link->c), PQport(link->c));
    return LINK_WRONG;
}

/* The role's own schema is made if it is not there and the role may; else by an operator. */
static enum found enter_schema(struct pg_link *link, char error[DB_ERROR_MAX])
{
    char path[64], sql[192];

    if (!ask(link, "SHOW search_path", path, sizeof path) ||
        !ask(link, "SELECT current_schema()", link->schema, sizeof link->schema))
        return complain(link, "the schema is not known", error);
    if (link->schema[0])
        return LINK_UP;
    /* two at once would stand in each other's way */
    snprintf(sql, sizeof sql,
             "SELECT pg_advisory_xact_lock(hashtextextended('quorate schema', 0));"
             "CREATE SCHEMA IF NOT EXISTS %s",
             path);
    if (ask(link, sql, NULL, 0))
        return ask(link, "SELECT current_schema()", link->schema, sizeof link->schema) &&
                       link->schema[0]
                   ? LINK_UP
                   : complain(link, "the schema is not known", error);
    snprintf(
        error, DB_ERROR_MAX,
        "the database %.40s has no schema %.60s that the role %.40s may use: run quorate db init",
        PQdb(link->c), path, PQuser(link->c));
    return PQstatus(link->c) == CONNECTION_BAD ? LINK_LATER : LINK_WRONG;
}

/* The old session may still hold locks, and its last commit may still be on its way. */
static enum found end_old_session(struct pg_link *link, char error[DB_ERROR_MAX])
{
    char sql[256], gone[8];

    snprintf(sql, sizeof sql,
             "SELECT coalesce(bool_and(pg_terminate_backend(pid, 5000)), true) FROM"
             " pg_stat_activity WHERE application_name = '%s' AND pid <> pg_backend_pid()",
             link->name);
    if (!ask(link, sql, gone, sizeof gone))
        return complain(link, "the old session cannot be ended", error);
    if (strcmp(gone, "t") == 0)
        return LINK_UP;
    snprintf(error, DB_ERROR_MAX, "the old session at the PostgreSQL server does not end");
    return LINK_LATER;
}

/* Who had the schema last; written when it is claimed, under the claim's lock. */
static enum found sign(struct pg_link *link, char error[DB_ERROR_MAX])
{
    char sql[320];

    snprintf(
        sql, sizeof sql,
        "CREATE TABLE IF NOT EXISTS schema_holder (one BIGINT PRIMARY KEY, name TEXT NOT NULL);"
        "INSERT INTO schema_holder (one, name) VALUES (1, '%s')"
        " ON CONFLICT (one) DO UPDATE SET name = EXCLUDED.name",
        link->name);
    return ask(link, sql, NULL, 0) ? LINK_UP
                                   : complain(link, "the schema cannot be claimed", error);
}

/* The lock was lost with the connection: whoever held it meanwhile has signed. */
static enum found check_sign(struct pg_link *link, char error[DB_ERROR_MAX])
{
    char name[sizeof link->name] = "";

    if (!ask(link, "SELECT name FROM schema_holder WHERE one = 1", name, sizeof name))
        return complain(link, "the schema cannot be claimed", error);
    if (strcmp(name, link->name) == 0)
        return LINK_UP;
    snprintf(error, DB_ERROR_MAX, "the schema %.60s was in use by another process meanwhile",
             link->schema);
    return LINK_TAKEN;
}

static enum found claim(struct pg_link *link, bool is_first, char error[DB_ERROR_MAX])
{
    if (!link->is_alone)
        return LINK_UP;
    if (ask(link,
            "SET lock_timeout = '5s'; SELECT pg_advisory_lock(hashtextextended('quorate alone ' ||"
            " current_schema(), 0)); RESET lock_timeout",
            NULL, 0))
        return is_first ? sign(link, error) : check_sign(link, error);
    if (PQstatus(link->c) == CONNECTION_BAD)
        return complain(link, "the schema cannot be claimed", error);
    snprintf(error, DB_ERROR_MAX, "the schema %.60s is in use by another process", link->schema);
    return LINK_TAKEN;
}

static enum found find(struct pg_link *link, bool is_first, char error[DB_ERROR_MAX])
{
    enum found f = connect_once(link, error);

    if (f == LINK_UP)
        f = check_server(link, error);
    if (f == LINK_UP)
        f = enter_schema(link, error);
    if (f == LINK_UP && !is_first)
        f = end_old_session(link, error);
    if (f == LINK_UP)
        f = claim(link, is_first, error);
    if (f == LINK_UP && !PQenterPipelineMode(link->c))
        f = complain(link, "the session cannot be set up", error);
    return f;
}

/* False: somebody is in a hurry. */
static bool pause_for(struct pg_link *link, uint32_t wait_ms)
{
    struct pollfd fd = {.fd = link->hurry, .events = POLLIN};

    return poll(&fd, 1, (int)wait_ms) == 0;
}

static bool find_at_last(struct pg_link *link, bool is_first, char error[DB_ERROR_MAX])
{
    char cause[DB_ERROR_MAX];
    enum found f;
    uint32_t wait_ms;

    while ((f = find(link, is_first, cause)) != LINK_UP) {
        bool goes_on =
            f != LINK_TAKEN && (f == LINK_LATER || !is_first) && retry_next(&link->retry, &wait_ms);

        if (goes_on) {
            log_event(LOG_WARN, "the database is waited for", LOG_S("error", cause),
                      LOG_I("try", link->retry.failed), LOG_I("wait_ms", wait_ms));
            goes_on = pause_for(link, wait_ms);
        }
        if (!goes_on) {
            hang_up(link);
            snprintf(error, DB_ERROR_MAX, "%s", cause);
            return false;
        }
    }
    if (link->retry.failed > 0)
        log_line(LOG_INFO, "the database is there again");
    retry_success(&link->retry);
    return true;
}

bool pg_link_open(struct pg_link *link, const struct db_params *params, bool writes,
                  char error[DB_ERROR_MAX])
{
    uint8_t random[12];
    char hex[2 * sizeof random + 1];

    randombytes_buf(random, sizeof random);
    sodium_bin2hex(hex, sizeof hex, random, sizeof random);
    *link = (struct pg_link){.where = text_copy(params->url + strlen(db_postgres.scheme)),
                             .password = params->password,
                             .retry = params->retry,
                             .idle_ms = params->idle_ms ? params->idle_ms : SILENT_MS,
                             .is_alone = params->is_alone && writes};
    snprintf(link->name, sizeof link->name, "quorate %s", hex);
    if (link->retry.max == 0)
        link->retry = (struct retry){.step_ms = STEP_MS, .cap_ms = CAP_MS, .max = TRIES};
    link->hurry = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (link->hurry < 0) {
        snprintf(error, DB_ERROR_MAX, "no descriptor for the database");
        return false;
    }
    return find_at_last(link, true, error);
}

bool pg_link_again(struct pg_link *link, char error[DB_ERROR_MAX])
{
    log_line(LOG_WARN, "the connection to the database is lost");
    return find_at_last(link, false, error);
}

/* A server that ends says so first, and closes then. */
bool pg_link_is_up(struct pg_link *link)
{
    struct pollfd fd = {.fd = PQsocket(link->c), .events = POLLIN};

    for (unsigned i = 0; i < READS_MAX && poll(&fd, 1, 0) > 0; i++)
        if (!PQconsumeInput(link->c))
            return false;
    return PQstatus(link->c) == CONNECTION_OK;
}

void pg_link_hurry(struct pg_link *link)
{
    (void)eventfd_write(link->hurry, 1);
}

void pg_link_close(struct pg_link *link)
{
    hang_up(link);
    if (link->hurry >= 0)
        close(link->hurry);
    free(link->where);
}
