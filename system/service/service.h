/* SPDX-License-Identifier: Apache-2.0 */
/* The frame that every service stands in: options, configuration, log, loop, listeners (HTTP_PORT
 * and GRPC_PORT), /health, /ready, /metrics, grpc.health.v1, signals, orderly stop.
 *
 *     quorate-<name> [--env-file FILE] [--check] [--help] [--version]
 *
 * main of a service is one call of service_main. Exit 0: stopped by a signal; 1: a fault, told in
 * one line; 2: wrong usage. */
#ifndef SYSTEM_SERVICE_SERVICE_H
#define SYSTEM_SERVICE_SERVICE_H

#include "system/access/access.h"
#include "system/cache/redis.h"
#include "system/core/config.h"
#include "system/rpc/server.h"

#include <uv.h>

/* What a service gets to start with; outlives it. */
struct service_host {
    /* service_def.name: also who this service is in its tokens */
    const char *name;
    uv_loop_t *loop;
    const struct config *config;
    /* --env-file, for a child process; NULL: not given */
    const char *env_file;
    struct rpc_server *server;
    struct access *access;
    /* for cache_share; NULL: REDIS_HOST is not set */
    struct redis *redis;
};

struct service_def {
    /* of the executable: quorate-<name>, and of the log */
    const char *name;
    /* of /health: "account", "session-coordinator", ... */
    const char *health;
    enum config_program program;
    /* Build the service and register its methods on host->server. NULL with one line in |error|. */
    void *(*start)(const struct service_host *host, char error[RPC_TEXT_MAX]);
    /* True once it can serve; asked by /ready and grpc.health. */
    bool (*is_ready)(void *service);
    /* Stop taking work, then call |stopped|. The host gives up waiting after 10 s. */
    void (*stop)(void *service, void (*stopped)(void *arg), void *arg);
    void (*free)(void *service);
};

int service_main(int argc, char **argv, const struct service_def *def);
/* From anywhere on the loop: a fault that ends the service with exit 1 and one line. It returns;
 * the service is stopped in order, as by a signal. */
void service_fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
