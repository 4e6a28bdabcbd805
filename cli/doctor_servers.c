/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL, Redis and RabbitMQ, asked with a process's own role and password. Without
 * POSTGRES_HOST the database is a file in DATA_DIR. */
#include "doctor.h"

#include "say.h"

#include "system/access/address.h"
#include "system/bus/rabbit_tls.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { WAIT_S = 5, VERSION_MIN = 130000, PERCENT_TAKEN = 90 };

/* PostgreSQL */

static const char *port_of(char port[24], const struct doctor *doctor, const char *variable)
{
    snprintf(port, 24, "%lld", (long long)doctor_int(doctor, variable));
    return port;
}

static PGconn *connect_postgres(struct doctor *doctor)
{
    const char *tls = doctor_text(doctor, "POSTGRES_TLS");
    char port[24];
    const char *const words[] = {
        "host",   "port",    "dbname",          "user",     "password", "sslrootcert",
        "sslcrl", "sslmode", "connect_timeout", "passfile", NULL};
    const char *const values[] = {doctor_text(doctor, "POSTGRES_HOST"),
                                  port_of(port, doctor, "POSTGRES_PORT"),
                                  doctor_text(doctor, "POSTGRES_DB"),
                                  doctor_text(doctor, "POSTGRES_USER"),
                                  doctor_text(doctor, "POSTGRES_PASSWORD"),
                                  doctor_text(doctor, "POSTGRES_TLS_CA"),
                                  doctor_text(doctor, "POSTGRES_TLS_CRL"),
                                  strcmp(tls, "off") == 0 ? "disable" : tls,
                                  "5",
                                  "/dev/null",
                                  NULL};
    PGconn *c = PQconnectdbParams(words, values, 0);
    bool ok = PQstatus(c) == CONNECTION_OK;

    doctor_check(doctor, ok,
                 "see that the server runs, and POSTGRES_HOST, _PORT, _DB, _USER, _PASSWORD, _TLS",
                 "PostgreSQL: %s", PQerrorMessage(c));
    if (ok)
        return c;
    PQfinish(c);
    return NULL;
}

static const char *schema_of(const struct doctor *doctor)
{
    const char *schema = doctor_text(doctor, "POSTGRES_SCHEMA");

    if (schema[0])
        return schema;
    if (doctor->program & CONFIG_ACCOUNT)
        return "account";
    return doctor->program & CONFIG_COORDINATOR ? "coordinator"
                                                : doctor_text(doctor, "POSTGRES_USER");
}

static void check_setting(struct doctor *doctor, const char *name, const char *value)
{
    doctor_check(doctor, strcmp(value, "off") != 0,
                 "set it to on in the server's configuration: without it a crash of the server "
                 "loses what was acknowledged",
                 "PostgreSQL runs with %s=off", name);
}

static void read_answer(struct doctor *doctor, const PGresult *r, const char *schema)
{
    static const char *const settings[] = {"fsync", "full_page_writes", "synchronous_commit"};
    long used = atol(PQgetvalue(r, 0, 5)), most = atol(PQgetvalue(r, 0, 6));

    for (int i = 0; i < 3; i++)
        check_setting(doctor, settings[i], PQgetvalue(r, 0, i));
    doctor_check_clock(doctor, "PostgreSQL", atoll(PQgetvalue(r, 0, 3)));
    doctor_check(doctor, strcmp(PQgetvalue(r, 0, 4), "t") == 0,
                 "start the process once: it makes its tables; if they were there, see "
                 "POSTGRES_SCHEMA",
                 "the schema %s has no tables of this program", schema);
    doctor_check(doctor, used * 100 < most * PERCENT_TAKEN,
                 "raise max_connections, or lower POSTGRES_CONNECTIONS",
                 "PostgreSQL has %ld of its %ld connections in use", used, most);
}

static void check_postgres(struct doctor *doctor)
{
    static const char sql[] =
        "SELECT current_setting('fsync'), current_setting('full_page_writes'),"
        " current_setting('synchronous_commit'),"
        " (extract(epoch FROM clock_timestamp()) * 1000)::bigint,"
        " to_regclass($1 || '.schema_migrations') IS NOT NULL,"
        " (SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL),"
        " current_setting('max_connections')";
    const char *schema = schema_of(doctor);
    PGconn *c = connect_postgres(doctor);
    PGresult *r = c ? PQexecParams(c, sql, 1, NULL, &schema, NULL, NULL, 0) : NULL;

    if (!c)
        return;
    doctor_check(doctor, PQserverVersion(c) >= VERSION_MIN, "use version 13 or a later one",
                 "PostgreSQL has version %d", PQserverVersion(c) / 10000);
    if (PQresultStatus(r) == PGRES_TUPLES_OK)
        read_answer(doctor, r, schema);
    else
        doctor_find(doctor, "see the server's log", "PostgreSQL: %s", PQerrorMessage(c));
    PQclear(r);
    PQfinish(c);
}

/* A file, which a running process has locked: it is not opened here. */

static const char *file_of(const struct doctor *doctor)
{
    if (doctor->program & CONFIG_ACCOUNT)
        return "account.db";
    return doctor->program & CONFIG_COORDINATOR ? "coordinator.db" : "party.db";
}

static void check_file(struct doctor *doctor)
{
    char path[4096];
    struct stat st;
    bool is_there;

    snprintf(path, sizeof path, "%s/%s", doctor_text(doctor, "DATA_DIR"), file_of(doctor));
    is_there = stat(path, &st) == 0;
    doctor_check(doctor, is_there,
                 "start the process once if it is new; otherwise restore it from a backup, or "
                 "correct DATA_DIR",
                 "there is no database %s", path);
    if (is_there)
        doctor_check(doctor, (st.st_mode & 077) == 0, "chmod 600 it", "others may read %s", path);
}

/* Redis */

/* As its program judges (system/service/listen.c), which may not be installed here. */
static bool is_redis_fit(const struct doctor *doctor)
{
    const char *host = doctor_text(doctor, "REDIS_HOST");

    return strcmp(host, "localhost") == 0 || address_is_loopback(host) ||
           doctor_is(doctor, "REDIS_PLAINTEXT", "true");
}

/* The server's clock: seconds, and millionths of one. */
static void check_redis_clock(struct doctor *doctor, const redisReply *reply)
{
    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[0]->type == REDIS_REPLY_STRING)
        doctor_check_clock(doctor, "Redis", atoll(reply->element[0]->str) * 1000);
}

static redisReply *ask_redis(redisContext *c, const char *one, const char *two)
{
    return two ? redisCommand(c, "%s %s", one, two) : redisCommand(c, "%s", one);
}

static bool redis_says(struct doctor *doctor, redisContext *c, const char *one, const char *two)
{
    redisReply *reply = ask_redis(c, one, two);
    bool ok = reply && reply->type != REDIS_REPLY_ERROR;

    doctor_check(doctor, ok, "see REDIS_PASSWORD, and the server's log", "Redis: %s",
                 reply ? reply->str : c->errstr);
    check_redis_clock(doctor, reply);
    if (reply)
        freeReplyObject(reply);
    return ok;
}

static void check_redis(struct doctor *doctor)
{
    const struct timeval wait = {WAIT_S, 0};
    const char *host = doctor_text(doctor, "REDIS_HOST"),
               *password = doctor_text(doctor, "REDIS_PASSWORD");
    int port = (int)doctor_int(doctor, "REDIS_PORT");
    redisContext *c;
    bool ok = is_redis_fit(doctor);

    doctor_check(doctor, ok, "set REDIS_PLAINTEXT=true if the network to it is the operator's own",
                 "REDIS_HOST is %s, and nothing that goes there is encrypted", host);
    if (!ok)
        return;
    c = redisConnectWithTimeout(host, port, wait);
    ok = c && !c->err;
    doctor_check(doctor, ok,
                 "see that it runs, and REDIS_HOST and REDIS_PORT; until then replicas do not "
                 "share limits",
                 "Redis at %s:%d: %s", host, port, c ? c->errstr : "no memory");
    if (ok && redisSetTimeout(c, wait) == REDIS_OK &&
        (!password[0] || redis_says(doctor, c, "AUTH", password)))
        redis_says(doctor, c, "TIME", NULL);
    if (c)
        redisFree(c);
}

/* RabbitMQ */

static amqp_socket_t *rabbit_socket(const struct doctor *doctor, amqp_connection_state_t c,
                                    char why[BROKER_ERROR_MAX])
{
    const char *mode = doctor_text(doctor, "RABBITMQ_TLS");
    const char *crl = doctor_text(doctor, "RABBITMQ_TLS_CRL");
    const struct rabbit_tls tls = {
        .ca = doctor_text(doctor, "RABBITMQ_TLS_CA"),
        .crl = crl[0] ? crl : NULL,
        .host = strcmp(mode, "verify-full") == 0 ? doctor_text(doctor, "RABBITMQ_HOST") : NULL};

    return strcmp(mode, "off") == 0 ? amqp_tcp_socket_new(c) : rabbit_tls_socket(c, &tls, why);
}

static void check_login(struct doctor *doctor, amqp_connection_state_t c)
{
    const char *user = doctor_text(doctor, "RABBITMQ_USER");
    amqp_rpc_reply_t reply =
        amqp_login(c, doctor_text(doctor, "RABBITMQ_VHOST"), 0, AMQP_DEFAULT_FRAME_SIZE, 0,
                   AMQP_SASL_METHOD_PLAIN, user, doctor_text(doctor, "RABBITMQ_PASSWORD"));

    doctor_check(doctor, reply.reply_type == AMQP_RESPONSE_NORMAL,
                 "see RABBITMQ_USER, RABBITMQ_PASSWORD and RABBITMQ_VHOST",
                 "RabbitMQ refused the login of user %s", user);
}

static void check_rabbitmq(struct doctor *doctor)
{
    const struct timeval wait = {WAIT_S, 0};
    const char *host = doctor_text(doctor, "RABBITMQ_HOST");
    int port = (int)doctor_int(doctor, "RABBITMQ_PORT"), status;
    amqp_connection_state_t c = amqp_new_connection();
    char why[BROKER_ERROR_MAX] = "out of memory";
    amqp_socket_t *socket = c ? rabbit_socket(doctor, c, why) : NULL;

    if (!c)
        exit(refuse("%s", why));
    amqp_set_handshake_timeout(c, &wait);
    amqp_set_rpc_timeout(c, &wait);
    status = socket ? amqp_socket_open_noblock(socket, host, port, &wait) : AMQP_STATUS_NO_MEMORY;
    doctor_check(doctor, status == AMQP_STATUS_OK,
                 "see that it runs, and RABBITMQ_HOST, RABBITMQ_PORT and RABBITMQ_TLS",
                 "RabbitMQ at %s:%d: %s", host, port, socket ? amqp_error_string2(status) : why);
    if (status == AMQP_STATUS_OK)
        check_login(doctor, c);
    amqp_destroy_connection(c);
}

void doctor_servers(struct doctor *doctor)
{
    if (doctor_text(doctor, "POSTGRES_HOST")[0])
        check_postgres(doctor);
    else if (doctor_text(doctor, "DATA_DIR")[0])
        check_file(doctor);
    if (doctor_text(doctor, "REDIS_HOST")[0])
        check_redis(doctor);
    if (doctor_text(doctor, "RABBITMQ_HOST")[0])
        check_rabbitmq(doctor);
}
