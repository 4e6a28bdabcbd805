/* SPDX-License-Identifier: Apache-2.0 */
/* What a server offers: methods by path, JSON routes by verb and pattern, pages. Built at start,
 * read-only once calls come. */
#ifndef SYSTEM_RPC_ROUTE_H
#define SYSTEM_RPC_ROUTE_H

#include "system/core/metrics.h"
#include "system/rpc/server.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A method with its service and its figures. */
struct offer {
    const struct rpc_method *method;
    void *service;
    struct metric *seconds, *failed;
};

struct page {
    char *path;
    rpc_page *show;
    void *arg;
};

struct json_route {
    const struct rpc_route *route;
    const struct offer *offer;
};

struct routes {
    /* sorted by path */
    struct offer **offers;
    size_t offers_n;
    struct json_route *json;
    size_t json_n;
    struct page *pages;
    size_t pages_n;
};

/* A route to a method that is not there, to a stream, or with a field its request has not, is a
 * fault of the program and ends it. */
void routes_add(struct routes *routes, const struct rpc_method *methods,
                const struct rpc_route *json, void *service);
void routes_page(struct routes *routes, const char *path, rpc_page *page, void *arg);
void routes_free(struct routes *routes);

/* |path| without the leading slash. NULL: no such method. */
const struct offer *routes_method(const struct routes *routes, const char *path);
const struct page *routes_find_page(const struct routes *routes, const char *path);

enum { ROUTE_ALLOW_MAX = 64 };

/* The route of |verb| and |path|; HEAD is GET. NULL: |allow| has the verbs that this path has, with
 * HEAD, "" if the path is unknown. */
const struct json_route *routes_json(const struct routes *routes, const char *verb,
                                     const char *path, char allow[ROUTE_ALLOW_MAX]);

/* Where a request's fields come from: path, query (NULL: none), members of the body (NULL: none).
 */
struct route_source {
    const char *path, *query;
    const json_t *body;
};

/* Set the fields that the braces of |route| name, then those of the query. The body's are set
 * already; it must not have a member that is in the path or in the query. */
bool route_fill(const struct rpc_route *route, const struct route_source *from,
                ProtobufCMessage *message, struct rpc_status *status);

#endif
