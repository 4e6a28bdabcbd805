/* SPDX-License-Identifier: Apache-2.0 */
/* From variables to an address. See configured.h. */
#include "system/db/configured.h"

#include "system/core/buffer.h"
#include "system/core/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names in PostgreSQL have at most 63 bytes; these need no quotes in SQL. */
enum { NAME_MAX_LEN = 63, RETRY_CAP_MS = 20000 };

static bool is_set(const struct config *config, const char *name)
{
    return config_text(config, name)[0] != '\0';
}

bool db_configured_is_server(const struct config *config)
{
    return is_set(config, "POSTGRES_HOST");
}

/* A directory is that of a Unix socket. */
static bool is_local(const char *host)
{
    return host[0] == '/' || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
           strcmp(host, "localhost") == 0;
}

static bool is_name(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text) &&
           strlen(text) <= NAME_MAX_LEN && text[0] > '9';
}

static bool check_tls(const struct config *config, char error[DB_ERROR_MAX])
{
    const char *mode = config_text(config, "POSTGRES_TLS");
    const char *host = config_text(config, "POSTGRES_HOST");

    if (strcmp(mode, "off") == 0 && !is_local(host)) {
        snprintf(error, DB_ERROR_MAX,
                 "POSTGRES_TLS=off is allowed on loopback addresses only, POSTGRES_HOST is %.64s: "
                 "set POSTGRES_TLS=verify-full",
                 host);
        return false;
    }
    if (strncmp(mode, "verify", 6) == 0 && !is_set(config, "POSTGRES_TLS_CA")) {
        snprintf(error, DB_ERROR_MAX,
                 "POSTGRES_TLS=%s needs POSTGRES_TLS_CA: set it to the PEM file of the authority "
                 "that certified the server",
                 mode);
        return false;
    }
    /* libpq asks no list where it knows no authority */
    if (is_set(config, "POSTGRES_TLS_CRL") &&
        (strcmp(mode, "off") == 0 || !is_set(config, "POSTGRES_TLS_CA"))) {
        snprintf(error, DB_ERROR_MAX,
                 "POSTGRES_TLS_CRL counts only with POSTGRES_TLS and POSTGRES_TLS_CA: set them, or "
                 "leave it out");
        return false;
    }
    return true;
}

bool db_configured_check(const struct config *config, char error[DB_ERROR_MAX])
{
    if (!db_configured_is_server(config)) {
        if (!is_set(config, "POSTGRES_PASSWORD"))
            return true;
        snprintf(error, DB_ERROR_MAX,
                 "POSTGRES_PASSWORD is set, but POSTGRES_HOST is not: set it to the server's "
                 "address, or leave out both to use a file in DATA_DIR");
        return false;
    }
    if (!is_set(config, "POSTGRES_PASSWORD")) {
        snprintf(error, DB_ERROR_MAX,
                 "POSTGRES_PASSWORD must be set: the password of the role %.60s",
                 config_text(config, "POSTGRES_USER"));
        return false;
    }
    return check_tls(config, error);
}

/* A word of libpq's connection string. */
static void put(struct buffer *url, const char *word, const char *value)
{
    buffer_printf(url, " %s='", word);
    for (; *value; value++)
        buffer_printf(url, "%s%c", *value == '\'' || *value == '\\' ? "\\" : "", *value);
    buffer_text(url, "'");
}

static const char *tls_mode(const struct config *config)
{
    const char *mode = config_text(config, "POSTGRES_TLS");

    return strcmp(mode, "off") == 0 ? "disable" : mode;
}

static const char *schema_of(const struct config *config, const struct db_names *names)
{
    if (is_set(config, "POSTGRES_SCHEMA"))
        return config_text(config, "POSTGRES_SCHEMA");
    return names->schema ? names->schema : config_text(config, "POSTGRES_USER");
}

/* |schema| is a name without need of quotes. */
static void put_server(struct buffer *url, const struct config *config, const char *schema)
{
    char port[24], path[96];

    snprintf(port, sizeof port, "%lld", (long long)config_int(config, "POSTGRES_PORT"));
    snprintf(path, sizeof path, "-csearch_path=%s", schema);
    buffer_text(url, "postgres:");
    put(url, "host", config_text(config, "POSTGRES_HOST"));
    put(url, "port", port);
    put(url, "dbname", config_text(config, "POSTGRES_DB"));
    put(url, "user", config_text(config, "POSTGRES_USER"));
    put(url, "options", path);
    put(url, "sslmode", tls_mode(config));
    put(url, "sslrootcert", config_text(config, "POSTGRES_TLS_CA"));
    put(url, "sslcrl", config_text(config, "POSTGRES_TLS_CRL"));
    log_event(LOG_INFO, "database", LOG_S("kind", "postgres"),
              LOG_S("host", config_text(config, "POSTGRES_HOST")), LOG_S("port", port),
              LOG_S("name", config_text(config, "POSTGRES_DB")), LOG_S("schema", schema),
              LOG_S("role", config_text(config, "POSTGRES_USER")));
}

static bool put_url(struct buffer *url, const struct config *config, const struct db_names *names,
                    char error[DB_ERROR_MAX])
{
    const char *schema;

    if (!db_configured_is_server(config)) {
        buffer_printf(url, "sqlite:%s/%s.db", config_text(config, "DATA_DIR"), names->file);
        log_event(LOG_INFO, "database", LOG_S("kind", "sqlite"), LOG_S("file", names->file));
        return true;
    }
    schema = schema_of(config, names);
    if (!is_name(schema)) {
        snprintf(
            error, DB_ERROR_MAX,
            "%.80s is no name for a schema: set POSTGRES_SCHEMA to small letters, digits and _",
            schema);
        return false;
    }
    if (names->remote > 0)
        buffer_printf(url, "remote:%d:", names->remote);
    put_server(url, config, schema);
    return true;
}

/* What only one process may have is nothing that a server may be somebody else for. */
static bool is_proven(const struct config *config, char error[DB_ERROR_MAX])
{
    const char *host = config_text(config, "POSTGRES_HOST");

    if (!db_configured_is_server(config) || is_local(host) ||
        strcmp(config_text(config, "POSTGRES_TLS"), "require") != 0)
        return true;
    snprintf(error, DB_ERROR_MAX,
             "POSTGRES_TLS=require does not prove that %.64s is the party's server: set "
             "POSTGRES_TLS=verify-full and POSTGRES_TLS_CA",
             host);
    return false;
}

struct db *db_configured_open(uv_loop_t *loop, const struct config *config,
                              const struct db_names *names, const struct db_params *params,
                              char error[DB_ERROR_MAX])
{
    struct db_params full = *params;
    struct buffer url = {0};
    struct db *db = NULL;

    if (!db_configured_check(config, error) || (params->is_alone && !is_proven(config, error)))
        return NULL;
    full.password = config_text(config, "POSTGRES_PASSWORD");
    full.retry = (struct retry){.step_ms = (uint32_t)config_int(config, "RETRY_DELAY_MS"),
                                .cap_ms = RETRY_CAP_MS,
                                .max = (uint32_t)config_int(config, "RETRY_MAX")};
    full.connections = (size_t)config_int(config, "POSTGRES_CONNECTIONS");
    if (put_url(&url, config, names, error)) {
        full.url = (const char *)url.b;
        db = db_open(loop, &full, error);
    }
    buffer_free(&url);
    return db;
}
