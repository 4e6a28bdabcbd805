/* SPDX-License-Identifier: Apache-2.0 */
/* What the service is made of, its beginning and its end. */
#include "services/coordinator/coordinator.h"

#include "services/coordinator/dispatch.h"
#include "services/coordinator/measure.h"
#include "services/coordinator/orders.h"
#include "services/coordinator/publish.h"
#include "services/coordinator/record.h"
#include "services/coordinator/reload.h"
#include "services/coordinator/routes.h"
#include "services/coordinator/service.h"
#include "services/coordinator/sweep.h"
#include "services/coordinator/watch.h"
#include "system/core/buffer.h"
#include "system/db/configured.h"
#include "system/service/dial.h"
#include "system/service/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void configure(struct coordinator *c, const struct config *config)
{
    c->attempt_ms[CLASS_SIGN] = config_int(config, "SIGN_ATTEMPT_MS");
    c->attempt_ms[CLASS_KEYGEN] = config_int(config, "KEYGEN_ATTEMPT_MS");
    c->attempt_ms[CLASS_PRESIGN] = c->attempt_ms[CLASS_SIGN];
    c->running_max[CLASS_PRESIGN] = PRESIGN_RUNNING_MAX;
    c->running_max[CLASS_SIGN] = (size_t)config_int(config, "MAX_RUNNING_SIGN");
    c->running_max[CLASS_KEYGEN] = (size_t)config_int(config, "MAX_RUNNING_KEYGEN");
    c->waiting_max = (size_t)config_int(config, "MAX_WAITING");
    c->keep_ms = config_int(config, "SESSION_KEEP_DAYS") * 24 * 3600 * 1000;
    memcpy(c->ca_key, config_key(config, "CA_KEY", sizeof c->ca_key), sizeof c->ca_key);
}

static void db_lost(void *arg, const char *error)
{
    (void)arg;
    service_fault("%s", error);
}

/* Open sessions live in this process's memory: it must be the only one. */
static bool open_database(struct coordinator *c, struct store_load *load, char error[RPC_TEXT_MAX])
{
    const struct db_names names = {.file = "coordinator", .schema = "coordinator"};
    const struct db_params params = {
        .migrations = store_migrations, .is_alone = true, .lost = db_lost};
    char fault[DB_ERROR_MAX];

    c->db = db_configured_open(c->host->loop, c->host->config, &names, &params, fault);
    if (!c->db) {
        snprintf(error, RPC_TEXT_MAX, "%s", fault);
        return false;
    }
    if (db_run(c->db, DB_READ, store_load, load) == DB_OK)
        return true;
    snprintf(error, RPC_TEXT_MAX, "the session database cannot be read");
    db_close(c->db);
    return false;
}

static void begin(struct coordinator *c, const struct store_load *load)
{
    const struct service_host *host = c->host;

    c->ctx = library_ctx();
    c->tokens = access_tokens(host->access);
    c->sessions = map_new();
    c->pool = pool_new(c->ca_key, dispatch_lost, c);
    c->presig_book = presig_book_new();
    c->orders = orders_new(config_key(host->config, "OPERATOR_KEY", 32), load);
    measure_init(c);
    reload(c, load);
    sweep_start(c);
    c->router = service_dial(host, "ROUTER_ADDR", true);
    c->publisher = publisher_new(c);
    rpc_server_add(host->server, coordinator_methods, coordinator_routes, c);
}

static void *start(const struct service_host *host, char error[RPC_TEXT_MAX])
{
    struct coordinator *c = mem_new(1, sizeof *c);
    struct store_load load = {0};

    c->host = host;
    configure(c, host->config);
    if (!open_database(c, &load, error)) {
        free(c);
        return NULL;
    }
    begin(c, &load);
    store_load_free(&load);
    return c;
}

static bool is_ready(void *service)
{
    const struct coordinator *c = service;

    return !c->is_stopping && publisher_is_ready(c->publisher) && db_is_up(c->db);
}

/* Open sessions go on at the next start; whoever waits here asks again. */
static void stop(void *service, void (*stopped)(void *arg), void *arg)
{
    struct coordinator *c = service;

    c->is_stopping = true;
    sweep_stop(c);
    watch_stop(c);
    stopped(arg);
}

static void free_list(struct record_list *list)
{
    struct record *next;

    for (struct record *r = list->first; r; r = next) {
        next = r->next;
        record_free(r);
    }
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void end(void *service)
{
    struct coordinator *c = service;

    publisher_free(c->publisher);
    service_hangup(c->router);
    db_close(c->db);
    map_free(c->sessions);
    free_list(&c->open);
    free_list(&c->ended);
    pool_free(c->pool);
    presig_book_free(c->presig_book);
    orders_free(c->orders);
    uv_close((uv_handle_t *)&c->sweep, closed);
}

const struct service_def coordinator_service = {.name = "session-coordinator",
                                                .health = "session-coordinator",
                                                .program = CONFIG_COORDINATOR,
                                                .start = start,
                                                .is_ready = is_ready,
                                                .stop = stop,
                                                .free = end};
