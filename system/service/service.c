/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a service: configuration, start, loop, stop. There is one per process, for
 * service_fault and the signals.
 *
 * Stopping: the service stops taking work, then the server lets its calls end, then everything is
 * freed and the loop runs out of handles. A timer over all of it ends the process if it hangs. */
#include "system/service/service.h"

#include "system/bus/broker.h"
#include "system/core/buffer.h"
#include "system/core/log.h"
#include "system/core/secret.h"
#include "system/db/configured.h"
#include "system/discovery/discovery.h"
#include "system/service/certificates.h"
#include "system/service/health.h"
#include "system/service/listen.h"
#include "system/service/options.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REDIS_PROGRAMS = CONFIG_ACCOUNT | CONFIG_COORDINATOR | CONFIG_ROUTER | CONFIG_PARTY_API };
enum { STOP_MS = 10000, GRACE_MS = 5000, HANG_MS = STOP_MS + GRACE_MS + 5000 };

static struct service {
    const struct service_def *def;
    struct service_host host;
    uv_loop_t loop;
    /* what def->start made */
    void *made;
    struct health *health;
    struct certificates *certificates;
    uv_signal_t term, interrupt;
    uv_async_t fault;
    /* until def->stop has told that it is done; over the whole stop */
    uv_timer_t patience, hang;
    bool has_loop, is_stopping, is_server_stopping, has_fault;
} self;

static int complain(const char *what)
{
    log_line(LOG_ERROR, what);
    return 1;
}

static bool is_ready(void *arg)
{
    const struct service *s = arg;

    return s->made && !s->is_stopping && s->def->is_ready(s->made);
}

static bool is_healthy(void *arg)
{
    const struct service *s = arg;

    return !s->has_fault;
}

/* Stopping */

static void close_handles(struct service *s)
{
    uv_close((uv_handle_t *)&s->term, NULL);
    uv_close((uv_handle_t *)&s->interrupt, NULL);
    uv_close((uv_handle_t *)&s->fault, NULL);
    uv_close((uv_handle_t *)&s->patience, NULL);
}

/* The server goes last: what the service frees may still end calls. */
static void on_server_stopped(void *arg)
{
    struct service *s = arg;

    uv_stop(&s->loop);
}

static void stop_server(void *arg)
{
    struct service *s = arg;

    if (s->is_server_stopping)
        return;
    s->is_server_stopping = true;
    uv_timer_stop(&s->patience);
    rpc_server_stop(s->host.server, GRACE_MS, on_server_stopped, s);
}

static void on_impatience(uv_timer_t *timer)
{
    log_line(LOG_WARN, "the service took too long to stop its work");
    stop_server(timer->data);
}

static void on_hang(uv_timer_t *timer)
{
    (void)timer;
    log_line(LOG_ERROR, "the service did not come to its end and is cut off");
    _exit(1);
}

static void stop(struct service *s)
{
    if (s->is_stopping)
        return;
    s->is_stopping = true;
    uv_timer_start(&s->hang, on_hang, HANG_MS, 0);
    uv_timer_start(&s->patience, on_impatience, STOP_MS, 0);
    health_stop(s->health);
    s->def->stop(s->made, stop_server, s);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct service *s = handle->data;

    log_event(LOG_INFO, "stopping", LOG_S("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"));
    stop(s);
}

static void on_fault(uv_async_t *async)
{
    stop(async->data);
}

/* Once is enough: what follows a fault is its consequence. */
void service_fault(const char *format, ...)
{
    char text[512];
    va_list args;

    if (self.has_fault)
        return;
    self.has_fault = true;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_line(LOG_ERROR, text);
    if (self.has_loop)
        uv_async_send(&self.fault);
}

/* Starting */

static void init_handles(struct service *s)
{
    uv_async_init(&s->loop, &s->fault, on_fault);
    uv_signal_init(&s->loop, &s->term);
    uv_signal_init(&s->loop, &s->interrupt);
    uv_timer_init(&s->loop, &s->patience);
    uv_timer_init(&s->loop, &s->hang);
    s->fault.data = s->term.data = s->interrupt.data = s->patience.data = s;
    s->has_loop = true;
    /* A guard that is not waited for. */
    uv_unref((uv_handle_t *)&s->hang);
}

static void allow_origins(struct rpc_server *server, const struct config *config)
{
    size_t n = config_list_n(config, "ALLOWED_ORIGINS");
    const char **origins = mem_new(n + 1, sizeof *origins);

    for (size_t i = 0; i < n; i++)
        origins[i] = config_list_item(config, "ALLOWED_ORIGINS", i);
    rpc_server_origins(server, origins, n);
    free(origins);
}

/* A front has no use for it: its own calls are not limited. */
static struct redis *make_redis(struct service *s)
{
    const struct config *config = s->host.config;
    struct redis_params params = {.loop = &s->loop};

    if (!(s->def->program & REDIS_PROGRAMS) || !*config_text(config, "REDIS_HOST"))
        return NULL;
    params.host = config_text(config, "REDIS_HOST");
    params.port = (int)config_int(config, "REDIS_PORT");
    params.password = config_text(config, "REDIS_PASSWORD");
    params.prefix = config_text(config, "REDIS_PREFIX");
    params.retry_ms = (uint32_t)config_int(config, "RETRY_DELAY_MS");
    return redis_new(&params);
}

static void make_server(struct service *s)
{
    const struct rpc_limits defaults = {0};
    const struct health_params params = {.name = s->def->health,
                                         .program = s->def->program,
                                         .is_ready = is_ready,
                                         .is_healthy = is_healthy,
                                         .arg = s};

    s->host.name = s->def->name;
    s->host.loop = &s->loop;
    s->host.redis = make_redis(s);
    access_share(s->host.access, s->host.redis);
    s->host.server = rpc_server_new(&s->loop, &defaults);
    rpc_server_guard(s->host.server, access_guard, s->host.access);
    allow_origins(s->host.server, s->host.config);
    s->health = health_new(&s->loop, s->host.server, &params);
}

/* Until it has started a signal ends the process at once: it may wait for its database, and nobody
 * waits for it. */
static bool start(struct service *s)
{
    char error[RPC_TEXT_MAX] = "";

    s->certificates = certificates_new(s->host.config);
    s->made = s->def->start(&s->host, error);
    uv_signal_start(&s->term, on_signal, SIGTERM);
    uv_signal_start(&s->interrupt, on_signal, SIGINT);
    if (s->made && listen_start(s->host.server, s->host.config, error)) {
        certificates_watch(s->certificates, &s->loop, s->host.server);
        return true;
    }
    log_line(LOG_ERROR, error);
    return false;
}

/* Everything made is freed, then the loop closes what was left to it. */
static void end(struct service *s)
{
    uv_timer_start(&s->hang, on_hang, HANG_MS, 0);
    health_stop(s->health);
    redis_close(s->host.redis);
    if (s->made)
        s->def->free(s->made);
    health_free(s->health);
    certificates_free(s->certificates);
    rpc_server_free(s->host.server);
    close_handles(s);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&s->hang, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    s->has_loop = false;
    redis_free(s->host.redis);
    if (uv_loop_close(&s->loop) != 0)
        log_line(LOG_WARN, "something of the service was not closed");
}

static int run(struct service *s)
{
    bool is_started;

    if (uv_loop_init(&s->loop) != 0)
        return complain("no descriptors for the service's loop");
    init_handles(s);
    make_server(s);
    is_started = start(s);
    if (is_started) {
        log_event(LOG_INFO, "started", LOG_S("version", QRT_VERSION));
        uv_run(&s->loop, UV_RUN_DEFAULT);
        log_line(LOG_INFO, "stopped");
    }
    end(s);
    return is_started && !s->has_fault ? 0 : 1;
}

static bool servers_check(const struct config *config, enum config_program program,
                          char error[RPC_TEXT_MAX])
{
    char fault[DB_ERROR_MAX] = "";

    if (program == CONFIG_ROUTER)
        return broker_check(config, error) && discovery_check(config, error);
    if (!(program & (CONFIG_ACCOUNT | CONFIG_COORDINATOR)) || db_configured_check(config, fault))
        return true;
    snprintf(error, RPC_TEXT_MAX, "%s", fault);
    return false;
}

static int run_configured(struct service *s, const struct config *config,
                          const struct options *options)
{
    char error[RPC_TEXT_MAX] = "";
    int code;

    log_setup(s->def->name, log_level_of(config_text(config, "LOG_LEVEL")));
    s->host.config = config;
    s->host.env_file = options->env_file;
    if (!listen_check(config, s->def->program, error) ||
        !servers_check(config, s->def->program, error))
        return complain(error);
    s->host.access = access_new(config, s->def->program, error);
    if (!s->host.access)
        return complain(error);
    if (options->check)
        code = puts("the configuration is good") < 0;
    else
        code = run(s);
    access_free(s->host.access);
    return code;
}

int service_main(int argc, char **argv, const struct service_def *def)
{
    char error[CONFIG_ERROR_MAX] = "";
    struct options options;
    struct config *config;
    int code = options_parse(&options, argc, argv, def->program);

    if (code >= 0)
        return code;
    secret_harden();
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    log_setup(def->name, LOG_INFO);
    self = (struct service){.def = def};
    config = config_load(def->program, options.env_file, error);
    if (!config)
        return complain(error);
    code = run_configured(&self, config, &options);
    config_free(config);
    return code;
}
