/* SPDX-License-Identifier: Apache-2.0 */
/* What the service is made of, its beginning and its end. */
#include "services/coordinator/coordinator.h"

#include "services/coordinator/dispatch.h"
#include "services/coordinator/flow.h"
#include "services/coordinator/gate.h"
#include "services/coordinator/leadership.h"
#include "services/coordinator/measure.h"
#include "services/coordinator/orders.h"
#include "services/coordinator/publish.h"
#include "services/coordinator/record.h"
#include "services/coordinator/reload.h"
#include "services/coordinator/routes.h"
#include "services/coordinator/service.h"
#include "services/coordinator/sweep.h"
#include "services/coordinator/unlisted.h"
#include "services/coordinator/watch.h"
#include "system/core/buffer.h"
#include "system/db/configured.h"
#include "system/service/dial.h"
#include "system/service/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* After its leaving a replica may well be shut out by the next one. */
static void db_lost(void *arg, const char *error)
{
    const struct coordinator *c = arg;

    if (!flow_has_left(c))
        service_fault("%s", error);
}

/* Open sessions live in one process's memory: that of the only one, or of the one that leads. */
static bool open_database(struct coordinator *c, char error[RPC_TEXT_MAX])
{
    const struct db_names names = {.file = "coordinator", .schema = "coordinator"};
    const struct db_params params = {.migrations = store_migrations,
                                     .is_alone = !db_configured_is_server(c->host->config),
                                     .idle_ms = LEASE_MS,
                                     .lost = db_lost,
                                     .lost_arg = c};
    char fault[DB_ERROR_MAX];

    c->db = db_configured_open(c->host->loop, c->host->config, &names, &params, fault);
    if (!c->db) {
        snprintf(error, RPC_TEXT_MAX, "%s", fault);
        return false;
    }
    return true;
}

/* What every replica has. */
static void prepare(struct coordinator *c)
{
    c->ctx = library_ctx();
    c->tokens = access_tokens(c->host->access);
    c->sessions = map_new();
    c->pool = pool_new(c->ca_key, dispatch_lost, c);
    c->presig_book = presig_book_new();
    measure_init(c);
}

/* From here on the sessions are this process's. */
static void lead(struct coordinator *c, const struct store_load *load)
{
    c->orders = orders_new(config_key(c->host->config, "OPERATOR_KEY", 32), load);
    reload(c, load);
    sweep_start(c);
    c->router = service_dial(c->host, "ROUTER_ADDR", true);
    c->publisher = publisher_new(c);
    c->leads = true;
}

static bool lead_now(struct coordinator *c)
{
    struct store_load load = {0};
    bool is_read = db_run(c->db, DB_READ, store_load, &load) == DB_OK;

    if (is_read)
        lead(c, &load);
    store_load_free(&load);
    return is_read;
}

/* Replicas */

static void loaded(void *arg, enum db_result result)
{
    struct store_load *load = arg;
    struct coordinator *c = load->owner;

    if (result != DB_OK) {
        service_fault("the session database cannot be read");
    } else if (!c->is_stopping) {
        lead(c, load);
        gate_pump(c->gate);
    }
    store_load_free(load);
    free(load);
}

static void takes(void *arg)
{
    struct coordinator *c = arg;
    struct store_load *load = mem_new(1, sizeof *load);

    gate_follow(c->gate, NULL);
    load->owner = c;
    db_submit(c->db, DB_READ, store_load, loaded, load);
}

static void is_sure(void *arg)
{
    gate_pump(((struct coordinator *)arg)->gate);
}

static void follows(void *arg, const char *address)
{
    gate_follow(((struct coordinator *)arg)->gate, address);
}

/* Where the others reach this one. A name that this host has is only as good as their resolver. */
static bool own_address(char out[LEASE_ADDRESS_MAX], const struct config *config,
                        char error[RPC_TEXT_MAX])
{
    const char *host = config_text(config, "LISTEN_HOST");
    char name[LEASE_ADDRESS_MAX - 8] = "";

    if (config_text(config, "ADVERTISE_ADDR")[0]) {
        snprintf(out, LEASE_ADDRESS_MAX, "%s", config_text(config, "ADVERTISE_ADDR"));
        return true;
    }
    if (config_int(config, "GRPC_PORT") == 0) {
        snprintf(error, RPC_TEXT_MAX,
                 "ADVERTISE_ADDR must be set when GRPC_PORT is 0: other replicas need to know it");
        return false;
    }
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        (void)gethostname(name, sizeof name - 1);
    else
        snprintf(name, sizeof name, strchr(host, ':') ? "[%s]" : "%s", host);
    snprintf(out, LEASE_ADDRESS_MAX, "%s:%lld", name, (long long)config_int(config, "GRPC_PORT"));
    return true;
}

/* The gate is there before anybody who leads can be heard of. */
static bool join_replicas(struct coordinator *c, char error[RPC_TEXT_MAX])
{
    struct leadership_params params = {.loop = c->host->loop,
                                       .db = c->db,
                                       .takes = takes,
                                       .is_sure = is_sure,
                                       .follows = follows,
                                       .arg = c};
    char address[LEASE_ADDRESS_MAX];

    if (!own_address(address, c->host->config, error))
        return false;
    params.address = c->address = text_copy(address);
    lease_key(c->lease_key, config_text(c->host->config, "JWT_SECRET_KEY"));
    params.key = c->lease_key;
    c->leadership = leadership_new(&params);
    if (c->leadership && (!leadership_leads(c->leadership) || lead_now(c))) {
        c->gate = gate_new(c);
        return true;
    }
    snprintf(error, RPC_TEXT_MAX, "the session database cannot be read");
    return false;
}

static bool begin(struct coordinator *c, char error[RPC_TEXT_MAX])
{
    prepare(c);
    if (db_configured_is_server(c->host->config))
        return join_replicas(c, error);
    if (lead_now(c)) {
        rpc_server_add(c->host->server, coordinator_methods, coordinator_routes, c);
        return true;
    }
    snprintf(error, RPC_TEXT_MAX, "the session database cannot be read");
    return false;
}

static void end(void *service);

static void *start(const struct service_host *host, char error[RPC_TEXT_MAX])
{
    struct coordinator *c = mem_new(1, sizeof *c);

    c->host = host;
    configure(c, host->config);
    uv_timer_init(host->loop, &c->sweep);
    c->sweep.data = c;
    if (open_database(c, error) && begin(c, error))
        return c;
    end(c);
    return NULL;
}

static bool is_ready(void *service)
{
    const struct coordinator *c = service;

    if (c->is_stopping || !db_is_up(c->db))
        return false;
    return c->leads ? publisher_is_ready(c->publisher) : gate_reaches(c->gate);
}

/* Open sessions go on at the next start, or at another replica; whoever waits here asks again. */
static void stop(void *service, void (*stopped)(void *arg), void *arg)
{
    struct coordinator *c = service;

    c->is_stopping = true;
    if (c->leads)
        sweep_stop(c);
    watch_stop(c);
    unlisted_expire(c, INT64_MAX);
    if (!c->leadership) {
        stopped(arg);
        return;
    }
    c->leads = false;
    leadership_leave(c->leadership, stopped, arg);
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

    c->is_ending = true;
    gate_free(c->gate);
    publisher_free(c->publisher);
    service_hangup(c->router);
    if (c->db)
        db_close(c->db);
    leadership_free(c->leadership);
    free(c->address);
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
