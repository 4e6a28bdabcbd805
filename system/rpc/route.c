/* SPDX-License-Identifier: Apache-2.0 */
/* See route.h. Segments of a pattern are compared as they are; what a brace takes is
 * percent-decoded afterwards, so that an encoded slash is data and never structure. */
#include "system/rpc/route.h"

#include "system/core/buffer.h"
#include "system/core/log.h"
#include "system/rpc/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void fault(const char *what, const char *name)
{
    log_event(LOG_ERROR, "fault in the table of methods", LOG_S("what", what), LOG_S("name", name));
    abort();
}

/* Metrics keep their labels for the life of the process: one per method, whatever number of
 * servers has it. */
static const char *label_of(const char *path)
{
    static struct label {
        struct label *next;
        char *text;
    } * labels;
    struct buffer text = {0};
    struct label *label = labels;

    buffer_printf(&text, "method=\"%s\"", path);
    while (label && strcmp(label->text, (const char *)text.b) != 0)
        label = label->next;
    if (!label) {
        label = mem_new(1, sizeof *label);
        label->text = text_copy((const char *)text.b);
        label->next = labels;
        labels = label;
    }
    buffer_free(&text);
    return label->text;
}

static void *grown(void *rows, size_t n, size_t size)
{
    void *more = mem_new(n + 1, size);

    if (n)
        memcpy(more, rows, n * size);
    free(rows);
    return more;
}

/* The place of |path| among the offers, or where it belongs. */
static size_t place_of(const struct routes *routes, const char *path, bool *is_there)
{
    size_t low = 0, high = routes->offers_n;

    *is_there = false;
    while (low < high && !*is_there) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(path, routes->offers[mid]->method->path);

        *is_there = order == 0;
        if (order == 0)
            low = mid;
        else if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

static void add_method(struct routes *routes, const struct rpc_method *method, void *service)
{
    struct offer *offer = mem_new(1, sizeof *offer);
    bool is_there;
    size_t at = place_of(routes, method->path, &is_there);

    if (is_there)
        fault("method given twice", method->path);
    offer->method = method;
    offer->service = service;
    offer->seconds = metric_new(METRIC_HISTOGRAM, "quorate_rpc_seconds", label_of(method->path),
                                "Time from a call's head to its last answer.");
    offer->failed = metric_new(METRIC_COUNTER, "quorate_rpc_failed_total", label_of(method->path),
                               "Calls that ended with another status than OK.");
    routes->offers = grown(routes->offers, routes->offers_n, sizeof(struct offer *));
    memmove(routes->offers + at + 1, routes->offers + at,
            (routes->offers_n - at) * sizeof(struct offer *));
    routes->offers[at] = offer;
    routes->offers_n++;
}

/* The name in braces at |pattern|, which begins with one; 0: none. */
static size_t brace_name(const char *pattern, char *name, size_t cap)
{
    size_t len = strcspn(pattern, "}");

    if (*pattern != '{' || pattern[len] != '}' || len < 2 || len > cap)
        return 0;
    memcpy(name, pattern + 1, len - 1);
    name[len - 1] = 0;
    return len + 1;
}

enum { FIELD_NAME_MAX = 64 };

static void check_pattern(const struct rpc_route *route, const struct rpc_method *method)
{
    for (const char *at = strchr(route->pattern, '{'); at; at = strchr(at + 1, '{')) {
        char name[FIELD_NAME_MAX];

        if (!brace_name(at, name, sizeof name) ||
            !protobuf_c_message_descriptor_get_field_by_name(method->request, name))
            fault("route with an unknown field", route->pattern);
    }
}

static void add_json(struct routes *routes, const struct rpc_route *route)
{
    const struct offer *offer = routes_method(routes, route->method);

    if (!offer)
        fault("route to an unknown method", route->method);
    if (offer->method->is_stream)
        fault("JSON route to a stream", route->method);
    check_pattern(route, offer->method);
    routes->json = grown(routes->json, routes->json_n, sizeof *routes->json);
    routes->json[routes->json_n++] = (struct json_route){route, offer};
}

void routes_add(struct routes *routes, const struct rpc_method *methods,
                const struct rpc_route *json, void *service)
{
    for (; methods && methods->path; methods++)
        add_method(routes, methods, service);
    for (; json && json->verb; json++)
        add_json(routes, json);
}

void routes_page(struct routes *routes, const char *path, rpc_page *page, void *arg)
{
    routes->pages = grown(routes->pages, routes->pages_n, sizeof *routes->pages);
    routes->pages[routes->pages_n++] = (struct page){text_copy(path), page, arg};
}

void routes_free(struct routes *routes)
{
    for (size_t i = 0; i < routes->offers_n; i++)
        free(routes->offers[i]);
    for (size_t i = 0; i < routes->pages_n; i++)
        free(routes->pages[i].path);
    free(routes->offers);
    free(routes->json);
    free(routes->pages);
    *routes = (struct routes){0};
}

const struct offer *routes_method(const struct routes *routes, const char *path)
{
    bool is_there;
    size_t at = place_of(routes, path, &is_there);

    return is_there ? routes->offers[at] : NULL;
}

const struct page *routes_find_page(const struct routes *routes, const char *path)
{
    for (size_t i = 0; i < routes->pages_n; i++) {
        if (strcmp(routes->pages[i].path, path) == 0)
            return &routes->pages[i];
    }
    return NULL;
}

/* One step over both: a segment of the pattern and of the path, which a brace takes if it is not
 * empty. */
static bool same_segment(const char *pattern, size_t pattern_len, const char *path, size_t path_len)
{
    if (*pattern == '{')
        return path_len > 0;
    return pattern_len == path_len && memcmp(pattern, path, path_len) == 0;
}

static bool path_fits(const char *pattern, const char *path)
{
    while (*pattern == '/' && *path == '/') {
        size_t pattern_len = strcspn(++pattern, "/");
        size_t path_len = strcspn(++path, "/");

        if (!same_segment(pattern, pattern_len, path, path_len))
            return false;
        pattern += pattern_len;
        path += path_len;
    }
    return !*pattern && !*path;
}

static void allow(char out[ROUTE_ALLOW_MAX], const char *verb)
{
    size_t len = strlen(out);

    if (strstr(out, verb) || len + strlen(verb) + 3 > ROUTE_ALLOW_MAX)
        return;
    snprintf(out + len, ROUTE_ALLOW_MAX - len, "%s%s", len ? ", " : "", verb);
}

/* A pattern without a brace at the place where another has one is found first if it stands first
 * in the table. */
const struct json_route *routes_json(const struct routes *routes, const char *verb,
                                     const char *path, char allowed[ROUTE_ALLOW_MAX])
{
    if (strcmp(verb, "HEAD") == 0)
        verb = "GET";
    allowed[0] = 0;
    for (size_t i = 0; i < routes->json_n; i++) {
        const struct rpc_route *route = routes->json[i].route;

        if (!path_fits(route->pattern, path))
            continue;
        if (strcmp(route->verb, verb) == 0) {
            allowed[0] = 0;
            return &routes->json[i];
        }
        allow(allowed, route->verb);
        if (strcmp(route->verb, "GET") == 0)
            allow(allowed, "HEAD");
    }
    return NULL;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Fresh text, or NULL for a broken escape or a zero byte. In a query '+' is a blank. */
static char *unescape(const char *text, size_t len, bool is_query)
{
    char *out = mem_new(1, len + 1);
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '%') {
            int high = i + 2 < len ? digit(text[i + 1]) : -1;
            int low = i + 2 < len ? digit(text[i + 2]) : -1;

            if (high < 0 || low < 0 || high + low == 0) {
                free(out);
                return NULL;
            }
            c = (char)(high * 16 + low);
            i += 2;
        } else if (is_query && c == '+') {
            c = ' ';
        }
        out[n++] = c;
    }
    return out;
}

/* One request that is being filled. */
struct fill {
    const char *pattern;
    const json_t *body;
    ProtobufCMessage *message;
    struct rpc_status *status;
    /* "&name=&name=" of the parameters before */
    struct buffer seen;
};

static bool refuse(struct fill *fill, const char *name, const char *what)
{
    *fill->status = rpc_error(RPC_INVALID, "invalid_field", "%.100s %s", name, what);
    return false;
}

/* |value| is taken. */
static bool set_field(struct fill *fill, const char *name, char *value)
{
    bool is_set = value ? message_set_text(fill->message, name, value, fill->status)
                        : refuse(fill, name, "has broken percent-encoding");

    free(value);
    return is_set;
}

static bool fill_path(struct fill *fill, const char *path)
{
    const char *pattern = fill->pattern;

    while (*pattern == '/' && *path == '/') {
        char name[FIELD_NAME_MAX];
        size_t len = strcspn(++path, "/");

        if (brace_name(++pattern, name, sizeof name)) {
            if (json_object_get(fill->body, name))
                return refuse(fill, name, "is in the path and must not be in the body");
            if (!set_field(fill, name, unescape(path, len, false)))
                return false;
        }
        pattern += strcspn(pattern, "/");
        path += len;
    }
    return true;
}

/* A parameter may come once, unless it is a list, and not beside the same field of path or body. */
static bool is_given_twice(const struct fill *fill, const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(fill->message->descriptor, name);
    char brace[FIELD_NAME_MAX + 3], word[FIELD_NAME_MAX + 3];

    if (strlen(name) >= FIELD_NAME_MAX || (field && field->label == PROTOBUF_C_LABEL_REPEATED))
        return false;
    snprintf(brace, sizeof brace, "{%s}", name);
    snprintf(word, sizeof word, "&%s=", name);
    return strstr(fill->pattern, brace) || json_object_get(fill->body, name) ||
           strstr((const char *)fill->seen.b, word);
}

static bool fill_parameter(struct fill *fill, const char *text, size_t len)
{
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals ? (size_t)(equals - text) : len;
    char *name = unescape(text, name_len, true);
    bool is_set;

    if (!name)
        return refuse(fill, "a parameter's name", "has broken percent-encoding");
    if (is_given_twice(fill, name))
        is_set = refuse(fill, name, "is given twice");
    else
        is_set = set_field(fill, name,
                           equals ? unescape(equals + 1, len - name_len - 1, true) : text_copy(""));
    buffer_printf(&fill->seen, "%s=&", name);
    free(name);
    return is_set;
}

static bool fill_query(struct fill *fill, const char *query)
{
    bool is_good = true;

    buffer_text(&fill->seen, "&");
    while (is_good && *query) {
        size_t len = strcspn(query, "&");

        if (len)
            is_good = fill_parameter(fill, query, len);
        query += len + (query[len] == '&');
    }
    buffer_free(&fill->seen);
    return is_good;
}

bool route_fill(const struct rpc_route *route, const struct route_source *from,
                ProtobufCMessage *message, struct rpc_status *status)
{
    struct fill fill = {route->pattern, from->body, message, status, {0}};

    return fill_path(&fill, from->path) && (!from->query || fill_query(&fill, from->query));
}
