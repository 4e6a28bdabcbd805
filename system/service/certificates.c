/* SPDX-License-Identifier: Apache-2.0 */
/* See certificates.h. A change is looked for in what stat says of each file. It counts once nothing
 * has changed for one look more: certificate and key are two files, and between the first and the
 * second they do not fit each other. What was tried is not tried again until it changes, so that a
 * broken file is told once. */
#include "system/service/certificates.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/core/metrics.h"
#include "system/service/dial.h"
#include "system/service/listen.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LOOK_MS = 1000, FILES = 6 };

static const struct {
    const char *variable, *label;
} files[FILES] = {
    {"TLS_CERT", "file=\"TLS_CERT\""},           {"TLS_KEY", NULL},
    {"GRPC_TLS_CERT", "file=\"GRPC_TLS_CERT\""}, {"GRPC_TLS_KEY", NULL},
    {"GRPC_TLS_CA", "file=\"GRPC_TLS_CA\""},     {"GRPC_TLS_CRL", "file=\"GRPC_TLS_CRL\""},
};

/* All zero: there is none. */
struct look {
    struct {
        uint64_t device, inode, size;
        struct timespec modified, changed;
    } file[FILES];
};

struct certificates {
    const struct config *config;
    struct rpc_server *server;
    /* what was tried last, and what was seen last */
    struct look tried, seen;
    char party[TLS_PARTY_MAX];
    struct metric *ends[FILES];
    uv_timer_t timer;
    uv_signal_t hangup;
    unsigned handles;
    /* what was tried last was not good */
    bool is_bad;
};

static const char *file_or_null(const struct config *config, const char *variable)
{
    const char *file = config_text(config, variable);

    return file[0] ? file : NULL;
}

struct rpc_tls certificates_http(const struct config *config)
{
    return (struct rpc_tls){.certificate = config_text(config, "TLS_CERT"),
                            .key = config_text(config, "TLS_KEY"),
                            .client_ca = config_text(config, "GRPC_TLS_CA"),
                            .crl = file_or_null(config, "GRPC_TLS_CRL"),
                            .is_open = true};
}

struct rpc_tls certificates_grpc(const struct config *config)
{
    return (struct rpc_tls){.certificate = config_text(config, "GRPC_TLS_CERT"),
                            .key = config_text(config, "GRPC_TLS_KEY"),
                            .client_ca = config_text(config, "GRPC_TLS_CA"),
                            .crl = file_or_null(config, "GRPC_TLS_CRL")};
}

struct tls_files certificates_calls(const struct config *config)
{
    return (struct tls_files){.certificate = config_text(config, "GRPC_TLS_CERT"),
                              .key = config_text(config, "GRPC_TLS_KEY"),
                              .ca = config_text(config, "GRPC_TLS_CA"),
                              .crl = file_or_null(config, "GRPC_TLS_CRL")};
}

static bool are_set(const struct config *config, char error[RPC_TEXT_MAX])
{
    for (size_t i = 0; i < FILES; i++) {
        if (config_text(config, files[i].variable)[0] ||
            strcmp(files[i].variable, "GRPC_TLS_CRL") == 0)
            continue;
        snprintf(error, RPC_TEXT_MAX, "%s is not set; it must name a PEM file", files[i].variable);
        return false;
    }
    return true;
}

/* |variables|: those that |files| come from. */
static bool are_good(const struct tls_files *those, const char *variables, char error[RPC_TEXT_MAX])
{
    char why[RPC_TEXT_MAX];
    struct tls_context *context = tls_context_server(those, why);

    tls_context_free(context);
    if (!context)
        snprintf(error, RPC_TEXT_MAX, "%s: %.220s", variables, why);
    return context != NULL;
}

bool certificates_check(const struct config *config, char error[RPC_TEXT_MAX])
{
    const struct rpc_tls http = certificates_http(config);
    const struct tls_files open = {.certificate = http.certificate, .key = http.key};
    const struct tls_files calls = certificates_calls(config);

    return are_set(config, error) && are_good(&open, "TLS_CERT, TLS_KEY", error) &&
           are_good(&calls, "GRPC_TLS_*", error);
}

void certificates_party(char out[TLS_PARTY_MAX], const struct config *config)
{
    out[0] = 0;
    if (listen_has_tls(config))
        tls_file_party(out, config_text(config, "GRPC_TLS_CERT"));
}

static void look(struct look *out, const struct config *config)
{
    struct stat info;

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < FILES; i++) {
        const char *path = config_text(config, files[i].variable);

        if (!path[0] || stat(path, &info) != 0)
            continue;
        out->file[i].device = info.st_dev;
        out->file[i].inode = info.st_ino;
        out->file[i].size = (uint64_t)info.st_size;
        out->file[i].modified = info.st_mtim;
        out->file[i].changed = info.st_ctim;
    }
}

static void measure(struct certificates *c)
{
    for (size_t i = 0; i < FILES; i++) {
        if (c->ends[i])
            metric_set(c->ends[i], tls_file_ends(config_text(c->config, files[i].variable)));
    }
}

struct certificates *certificates_new(const struct config *config)
{
    struct certificates *c;

    if (!listen_has_tls(config))
        return NULL;
    c = mem_new(1, sizeof *c);
    c->config = config;
    look(&c->tried, config);
    c->seen = c->tried;
    certificates_party(c->party, config);
    for (size_t i = 0; i < FILES; i++) {
        if (files[i].label && config_text(config, files[i].variable)[0])
            c->ends[i] =
                metric_new(METRIC_GAUGE, "quorate_tls_certificate_expiry_seconds", files[i].label,
                           "Unix time at which what the file holds ends; 0: unknown.");
    }
    measure(c);
    return c;
}

/* A party does not become another one while it runs. */
static bool is_same_party(const struct certificates *c, char error[RPC_TEXT_MAX])
{
    char party[TLS_PARTY_MAX];

    certificates_party(party, c->config);
    if (strcmp(party, c->party) == 0)
        return true;
    snprintf(error, RPC_TEXT_MAX, "GRPC_TLS_CERT: the certificate names party \"%s\", not \"%s\"",
             party, c->party);
    return false;
}

/* Files that were not good are read again and again, for why may pass with time; that is said once.
 * Their revocation list counts all the same. */
static void reload(struct certificates *c, bool is_asked)
{
    char error[RPC_TEXT_MAX], ends[CLOCK_TEXT_MAX];
    const struct look before = c->tried;

    look(&c->tried, c->config);
    c->seen = c->tried;
    is_asked = is_asked || memcmp(&before, &c->tried, sizeof before) != 0;
    c->is_bad = !is_same_party(c, error) || !rpc_server_reload(c->server, error);
    if (c->is_bad)
        rpc_server_recheck(c->server);
    if (is_asked || !c->is_bad)
        service_dial_recheck();
    if (c->is_bad && is_asked)
        log_event(LOG_WARN, "the new TLS files are not good: the old ones stay in use",
                  LOG_S("error", error));
    if (c->is_bad)
        return;
    measure(c);
    clock_text(ends, tls_file_ends(config_text(c->config, "GRPC_TLS_CERT")) * 1000);
    log_event(LOG_INFO, "TLS files were read again", LOG_S("grpc_certificate_ends", ends));
}

static void on_timer(uv_timer_t *timer)
{
    struct certificates *c = timer->data;
    struct look now;
    bool is_settled;

    look(&now, c->config);
    is_settled = memcmp(&now, &c->seen, sizeof now) == 0;
    c->seen = now;
    if (is_settled && (c->is_bad || memcmp(&now, &c->tried, sizeof now) != 0))
        reload(c, false);
}

static void on_hangup(uv_signal_t *hangup, int number)
{
    (void)number;
    reload(hangup->data, true);
}

void certificates_watch(struct certificates *c, uv_loop_t *loop, struct rpc_server *server)
{
    if (!c)
        return;
    c->server = server;
    c->handles = 2;
    c->timer.data = c->hangup.data = c;
    uv_timer_init(loop, &c->timer);
    uv_signal_init(loop, &c->hangup);
    uv_timer_start(&c->timer, on_timer, LOOK_MS, LOOK_MS);
    uv_signal_start(&c->hangup, on_hangup, SIGHUP);
    uv_unref((uv_handle_t *)&c->timer);
    uv_unref((uv_handle_t *)&c->hangup);
}

static void on_closed(uv_handle_t *handle)
{
    struct certificates *c = handle->data;

    if (--c->handles == 0)
        free(c);
}

void certificates_free(struct certificates *c)
{
    if (!c)
        return;
    if (c->handles == 0) {
        free(c);
        return;
    }
    uv_close((uv_handle_t *)&c->timer, on_closed);
    uv_close((uv_handle_t *)&c->hangup, on_closed);
}
