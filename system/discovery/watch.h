/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps what is known of one Service's EndpointSlices current: lists them at the API server, then
 * watches from there. A watch that ends goes on from the last word of the server; when the server
 * refuses that (410 Gone, as an answer or as an event) it lists again. What was known stays until a
 * new list is complete. Faults are retried for ever, with growing waits: nobody depends on it.
 *
 * The token and the authority are read from their files for every request, so they may rotate. */
#ifndef SYSTEM_DISCOVERY_WATCH_H
#define SYSTEM_DISCOVERY_WATCH_H

#include "system/core/retry.h"
#include "system/discovery/slices.h"

#include <stdbool.h>
#include <uv.h>

struct watch;

struct watch_params {
    /* lent as long as the watch lives */
    const char *target;  /* host:port of the API server */
    const char *dir;     /* with the files token, ca.crt and namespace */
    const char *service; /* its name */
    struct retry retry;
};

struct watch *watch_new(uv_loop_t *loop, const struct watch_params *params);
/* Its memory goes when the loop has run once more. */
void watch_free(struct watch *watch);

/* Who is behind the Service as far as it is known; lent until the loop runs. */
const char *const *watch_pods(struct watch *watch, size_t *n);
/* Is the list of now: false before the first one and while the server cannot be asked. */
bool watch_is_current(const struct watch *watch);

/* A file of |dir|, up to its first line end, in |out|. False: it cannot be read, is empty or does
 * not fit. */
bool watch_read_file(char *out, size_t cap, const char *dir, const char *name);

#endif
