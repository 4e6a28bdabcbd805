/* SPDX-License-Identifier: Apache-2.0 */
/* What a Kubernetes API server has said of the EndpointSlices of one Service: the pods behind it,
 * by name. Fed with lists and with the events of a watch; knows nothing of connections and time.
 *
 * A pod is there while any slice names it (targetRef) and does not call it terminating: while
 * slices are rewritten it may be in two of them, or in one for each family of addresses. Whether it
 * is ready does not matter, for who is live is told elsewhere. Names that no party can have are
 * left out. A resourceVersion is a word of the server's: it is handed back, never compared. */
#ifndef SYSTEM_DISCOVERY_SLICES_H
#define SYSTEM_DISCOVERY_SLICES_H

#include "system/rpc/status.h"

#include <stdbool.h>
#include <stddef.h>

struct slices;

enum {
    /* endpoints in all slices together */
    SLICES_ENDPOINTS_MAX = 20000,
    SLICES_VERSION_MAX = 65
};

struct slices *slices_new(void);
void slices_free(struct slices *slices);

/* The answer to a list: it replaces all that was known. False with one line in |why|: it is none,
 * and nothing changed. */
bool slices_list(struct slices *slices, const char *text, size_t len, char why[RPC_TEXT_MAX]);
/* One event of a watch. False with one line in |why|: it was no event, or the server cannot go on
 * from where this one is (410 Gone): nothing changed, and a list is needed. */
bool slices_event(struct slices *slices, const char *text, size_t len, char why[RPC_TEXT_MAX]);
/* Where to watch from; "" before the first list. */
const char *slices_version(const struct slices *slices);

/* The names of all pods, in order, each once; lent until the next list or event. */
const char *const *slices_pods(struct slices *slices, size_t *n);

#endif
