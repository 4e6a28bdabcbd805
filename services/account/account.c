/* SPDX-License-Identifier: Apache-2.0 */
/* What the service is made of, its beginning and its end, and what it goes on with after a
 * restart. */
#include "services/account/account.h"
#include "services/account/await.h"
#include "services/account/create.h"
#include "services/account/lookup.h"
#include "services/account/routes.h"
#include "services/account/service.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/ids.h"
#include "system/core/key_file.h"
#include "system/core/log.h"
#include "system/core/secret.h"
#include "system/db/configured.h"
#include "system/service/dial.h"
#include "system/service/library.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_CACHED = 4096,
    /* rows are held on to so often; at each fifth time those that nobody holds are taken up */
    TICK_MS = 1000,
    RECONCILE_TICKS = 5, /* alone: only those that are older than a request can be */
    RECONCILE_PAGE = 100
};

static bool load_initiator(struct account_service *s, const char *path, char error[RPC_TEXT_MAX])
{
    char fault[KEY_FILE_ERROR_MAX];

    s->initiator = secret_new(KEY_FILE_PAIR);
    if (key_file_read_pair(s->initiator, path, fault))
        return true;
    snprintf(error, RPC_TEXT_MAX, "INITIATOR_KEY_FILE: %.200s", fault);
    return false;
}

static void make_metrics(struct account_service *s)
{
    s->keygens = metric_new(METRIC_COUNTER, "quorate_accounts_total", "status=\"active\"",
                            "Accounts by how their keygen ended.");
    s->keygens_failed = metric_new(METRIC_COUNTER, "quorate_accounts_total", "status=\"failed\"",
                                   "Accounts by how their keygen ended.");
    s->signatures = metric_new(METRIC_COUNTER, "quorate_signatures_total", "status=\"completed\"",
                               "Signing requests by how they ended.");
    s->signatures_failed = metric_new(METRIC_COUNTER, "quorate_signatures_total",
                                      "status=\"failed\"", "Signing requests by how they ended.");
    s->presignings = metric_new(METRIC_COUNTER, "quorate_presignings_total", "status=\"completed\"",
                                "Presignings by how they ended.");
    s->presignings_failed = metric_new(METRIC_COUNTER, "quorate_presignings_total",
                                       "status=\"failed\"", "Presignings by how they ended.");
    s->waiting = metric_new(METRIC_GAUGE, "quorate_requests_waiting", NULL,
                            "Requests that wait for a key or a signature.");
    s->keygen_time = metric_new(METRIC_HISTOGRAM, "quorate_keygen_seconds", NULL,
                                "From the request to the stored account.");
    s->sign_time = metric_new(METRIC_HISTOGRAM, "quorate_sign_seconds", NULL,
                              "From the request to the stored signature.");
}

struct reconcile {
    struct account_service *s;
    struct store_list list;
};

static void pending_found(void *arg, enum db_result result)
{
    struct reconcile *op = ((struct store_list *)arg)->owner;
    struct account_service *s = op->s;
    int64_t old_ms = clock_unix_ms() - (int64_t)(s->keygen_wait_s + 15) * 1000;
    bool takes_all = !s->is_alone || !s->has_resumed;

    for (size_t i = 0; result == DB_OK && i < op->list.accounts_n && i < op->list.limit; i++)
        if (takes_all || op->list.accounts[i].created_ms < old_ms)
            create_resume(s, &op->list.accounts[i]);
    s->has_resumed = s->has_resumed || result == DB_OK;
    free(op->list.accounts);
    free(op);
}

static void reconcile(struct account_service *s)
{
    struct reconcile *op;

    if (s->resuming > 0)
        return; /* the same accounts, still under way */
    op = mem_new(1, sizeof *op);
    *op = (struct reconcile){
        .s = s,
        .list = {
            .owner = op, .limit = RECONCILE_PAGE, .pending_only = true, .with_held = s->is_alone}};
    db_submit(s->db, DB_READ, store_list, pending_found, &op->list);
}

static void tick(uv_timer_t *timer)
{
    struct account_service *s = timer->data;

    create_hold_on(s);
    webhooks_tick(s);
    audit_tick(s);
    if (s->ticks++ % RECONCILE_TICKS == 0)
        reconcile(s);
}

static void db_lost(void *arg, const char *error)
{
    (void)arg;
    service_fault("%s", error);
}

static struct db *open_db(const struct service_host *host, char error[RPC_TEXT_MAX])
{
    const struct db_names names = {.file = "account", .schema = "account"};
    const struct db_params params = {.migrations = store_migrations,
                                     .is_alone = !db_configured_is_server(host->config),
                                     .lost = db_lost};

    return db_configured_open(host->loop, host->config, &names, &params, error);
}

static void name_replica(struct account_service *s)
{
    uint8_t random[(REPLICA_MAX - 1) / 2];

    randombytes_buf(random, sizeof random);
    hex_encode(s->replica, random, sizeof random);
}

static void *start(const struct service_host *host, char error[RPC_TEXT_MAX])
{
    struct account_service *s = mem_new(1, sizeof *s);
    const struct config *config = host->config;

    s->host = host;
    s->ctx = library_ctx();
    s->is_alone = !db_configured_is_server(config);
    name_replica(s);
    if (!load_initiator(s, config_text(config, "INITIATOR_KEY_FILE"), error))
        return NULL;
    s->webhooks = webhooks_new(config, error);
    if (!s->webhooks && config_text(config, "WEBHOOK_URL")[0])
        return NULL;
    s->db = open_db(host, error);
    if (!s->db)
        return NULL;
    if (!audit_begin(s)) {
        db_error(s->db, error);
        return NULL;
    }
    memcpy(s->ca_key, config_key(config, "CA_KEY", sizeof s->ca_key), sizeof s->ca_key);
    s->has_default_user_key = config_key(config, "USER_SHARE_PUBLIC_KEY", 32) != NULL;
    s->in_flight_max = (size_t)config_int(config, "MAX_IN_FLIGHT");
    s->keygen_wait_s = (unsigned)config_int(config, "KEYGEN_WAIT_S");
    s->sign_wait_s = (unsigned)config_int(config, "SIGN_WAIT_S");
    s->rows = cache_new(ROWS_CACHED);
    s->repeats = repeats_new(config_text(config, "JWT_SECRET_KEY"), host->redis);
    if (config_int(config, "PRESIGN_PER_MINUTE") > 0)
        s->hot = hot_new((uint32_t)config_int(config, "PRESIGN_PER_MINUTE"));
    s->coordinator = service_dial(host, "COORDINATOR_ADDR", true);
    s->router = service_dial(host, "ROUTER_ADDR", true);
    make_metrics(s);
    rpc_server_add(host->server, account_methods, account_routes, s);
    rpc_server_watch(host->server, audit_watch, s);
    uv_timer_init(host->loop, &s->reconcile);
    s->reconcile.data = s;
    uv_timer_start(&s->reconcile, tick, 0, TICK_MS);
    return s;
}

static bool is_ready(void *service)
{
    const struct account_service *s = service;

    return rpc_channel_is_connected(s->coordinator) && rpc_channel_is_connected(s->router) &&
           db_is_up(s->db);
}

static void stop(void *service, void (*stopped)(void *arg), void *arg)
{
    struct account_service *s = service;

    uv_timer_stop(&s->reconcile);
    webhooks_stop(s, stopped, arg);
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Whatever is under way ends by one of these, in this order: calls first, because their ends may
 * write rows. */
static void end(void *service)
{
    struct account_service *s = service;

    await_end_all(s);
    create_end_looks(s);
    service_hangup(s->coordinator);
    service_hangup(s->router);
    db_close(s->db);
    rpc_server_watch(s->host->server, NULL, NULL);
    cache_free(s->rows);
    repeats_free(s->repeats);
    hot_free(s->hot);
    webhooks_free(s->webhooks);
    secret_free(s->initiator);
    uv_close((uv_handle_t *)&s->reconcile, closed);
}

const struct service_def account_service = {.name = "account-service",
                                            .health = "account",
                                            .program = CONFIG_ACCOUNT,
                                            .start = start,
                                            .is_ready = is_ready,
                                            .stop = stop,
                                            .free = end};
