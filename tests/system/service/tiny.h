/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest service there is, as a process of its own. Pages without key: /get-ready makes it
 * ready, /break is a fault. GET /do needs the API key. With TINY_FAILS in the environment its start
 * fails, with TINY_DIALS it dials ROUTER_ADDR and is ready while it is connected there. */
#ifndef TESTS_SYSTEM_SERVICE_TINY_H
#define TESTS_SYSTEM_SERVICE_TINY_H

#include "tests/system/access/http.h"

#include <stdio.h>
#include <sys/types.h>

extern struct tiny_process {
    pid_t pid;
    FILE *log;
    int http, grpc;
    /* all lines so far */
    char said[16384];
} child;

/* Variables as they must be. A setup function of cmocka. */
int tiny_setup(void **state);
/* Start with one option or NULL. */
void tiny_spawn(const char *option);
/* Start and wait until it listens. */
void tiny_start(void);
/* Wait for its end: the exit status. */
int tiny_wait(void);
int tiny_run(const char *option);
/* SIGTERM, and it ends well. */
void tiny_stop(void);
int tiny_get(struct http_answer *answer, int port, const char *path, const char *headers);

#endif
