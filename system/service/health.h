/* SPDX-License-Identifier: Apache-2.0 */
/* How a service tells that it lives and can serve: /health, /ready, /metrics, and
 * grpc.health.v1 (Check and Watch). None of them needs a key. */
#ifndef SYSTEM_SERVICE_HEALTH_H
#define SYSTEM_SERVICE_HEALTH_H

#include "system/core/config.h"
#include "system/rpc/server.h"

struct health;

struct health_params {
    /* of /health */
    const char *name;
    enum config_program program;
    /* can it serve now? */
    bool (*is_ready)(void *arg);
    /* false: a fault has happened, the service is about to end */
    bool (*is_healthy)(void *arg);
    void *arg;
};

/* Registers pages and methods on |server|. |params| is copied. */
struct health *health_new(uv_loop_t *loop, struct rpc_server *server,
                          const struct health_params *params);
/* Ends the watches; from then on nothing is told to be ready. */
void health_stop(struct health *health);
/* After health_stop; the struct lives until the loop has closed its timer. */
void health_free(struct health *health);

#endif
