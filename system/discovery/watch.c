/* SPDX-License-Identifier: Apache-2.0 */
/* Either a fetch is under way or the timer waits for the next one. What comes of a list is
 * collected whole, of a watch line by line, both bounded. A watch that lived for less than a wait
 * counts as failed however it ended, so nothing makes this spin. */
#include "system/discovery/watch.h"

#include "system/core/buffer.h"
#include "system/core/log.h"
#include "system/rpc/fetch.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LIST_MAX = 32 << 20,
    EVENT_MAX = 8 << 20,
    LIST_MS = 30000,
    /* the server ends a watch by itself after 4 to 5 minutes; then it is given so much more */
    WATCH_S = 240,
    WATCH_SPREAD_S = 60,
    WATCH_MORE_S = 30,
    TOKEN_MAX = 16384,
    NAMESPACE_MAX = 64,
    PATH_MAX_LEN = 1024
};

struct watch {
    uv_loop_t *loop;
    struct watch_params is;
    struct slices *slices;
    uv_timer_t timer;
    struct fetch *fetch;
    /* what has come and was not taken yet */
    struct buffer in;
    uint64_t began_ms;
    int status;
    bool is_watching, is_current;
    /* the fault that was logged last; it is told once */
    char why[RPC_TEXT_MAX];
};

static void next(struct watch *watch);

bool watch_read_file(char *out, size_t cap, const char *dir, const char *name)
{
    char path[PATH_MAX_LEN];
    FILE *file = NULL;
    size_t n = 0;

    if (snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path)
        file = fopen(path, "re");
    if (file != NULL) {
        n = fread(out, 1, cap, file);
        fclose(file);
    }
    if (n == cap)
        return false;
    out[n] = 0;
    out[strcspn(out, "\r\n")] = 0;
    return out[0] != 0;
}

/* --- states --- */

static void on_timer(uv_timer_t *timer)
{
    next(timer->data);
}

static void wait_for(struct watch *watch, uint32_t ms)
{
    uv_timer_start(&watch->timer, on_timer, ms, 0);
}

static void set_current(struct watch *watch)
{
    size_t n;

    if (watch->is_current)
        return;
    watch->is_current = true;
    watch->why[0] = 0;
    slices_pods(watch->slices, &n);
    log_event(LOG_INFO, "it is known who is expected", LOG_S("service", watch->is.service),
              LOG_I("pods", n));
}

static void failed(struct watch *watch, const char *why)
{
    uint32_t ms;

    watch->is_current = false;
    if (strcmp(watch->why, why) != 0)
        log_event(LOG_WARN, "the API server does not tell who is expected; it is asked again",
                  LOG_S("service", watch->is.service), LOG_S("target", watch->is.target),
                  LOG_S("reason", why));
    snprintf(watch->why, sizeof watch->why, "%s", why);
    retry_next(&watch->is.retry, &ms);
    wait_for(watch, ms);
}

/* There is no going on from what was known. */
static void list_again(struct watch *watch, const char *why)
{
    watch->is_watching = false;
    failed(watch, why);
}

/* --- answers --- */

/* Of a refusal the server says why; |out| gets it behind the status. */
static void refusal_text(char out[RPC_TEXT_MAX], const struct watch *watch)
{
    json_t *status = json_loadb((const char *)watch->in.b, watch->in.len, 0, NULL);
    const char *message = json_string_value(json_object_get(status, "message"));

    snprintf(out, RPC_TEXT_MAX, "HTTP %d%s%.200s", watch->status, message != NULL ? ": " : "",
             message != NULL ? message : "");
    json_decref(status);
}

static void on_list_done(struct watch *watch)
{
    char why[RPC_TEXT_MAX];

    if (!slices_list(watch->slices, (const char *)watch->in.b, watch->in.len, why)) {
        failed(watch, why);
        return;
    }
    set_current(watch);
    watch->is_watching = true;
    next(watch);
}

/* The server's time for it is over. */
static void on_watch_done(struct watch *watch)
{
    if (uv_now(watch->loop) - watch->began_ms < watch->is.retry.step_ms) {
        failed(watch, "watches end as soon as they begin");
        return;
    }
    retry_success(&watch->is.retry);
    next(watch);
}

static void on_done(void *arg, int status, const char *why)
{
    struct watch *watch = arg;
    char text[RPC_TEXT_MAX];

    watch->fetch = NULL;
    watch->status = status;
    if (why != NULL) {
        failed(watch, why);
    } else if (status != 200) {
        refusal_text(text, watch);
        list_again(watch, text);
    } else if (watch->is_watching) {
        on_watch_done(watch);
    } else {
        on_list_done(watch);
    }
}

static void on_head(void *arg, int status)
{
    struct watch *watch = arg;

    watch->status = status;
    if (status == 200 && watch->is_watching)
        set_current(watch);
}

static void end_fetch(struct watch *watch)
{
    fetch_cancel(watch->fetch);
    watch->fetch = NULL;
}

/* Whole lines of |in| are events; there is no line end before |seen|. False: the watch is over. */
static bool take_lines(struct watch *watch, size_t seen)
{
    const char *text = (const char *)watch->in.b, *end;
    char why[RPC_TEXT_MAX];
    size_t at = 0;

    while ((end = memchr(text + seen, '\n', watch->in.len - seen)) != NULL) {
        seen = (size_t)(end - text) + 1;
        if (!slices_event(watch->slices, text + at, seen - 1 - at, why)) {
            end_fetch(watch);
            list_again(watch, why);
            return false;
        }
        retry_success(&watch->is.retry);
        at = seen;
    }
    buffer_drop(&watch->in, at);
    return true;
}

static void on_body(void *arg, const uint8_t *b, size_t len)
{
    struct watch *watch = arg;
    bool is_event = watch->is_watching && watch->status == 200;
    size_t seen = watch->in.len;

    buffer_add(&watch->in, b, len);
    if (is_event && !take_lines(watch, seen))
        return;
    if (watch->in.len > (is_event ? EVENT_MAX : LIST_MAX)) {
        end_fetch(watch);
        list_again(watch, "the answer is too long");
    }
}

/* --- requests --- */

static void write_path(char out[PATH_MAX_LEN], const struct watch *watch, const char *namespace,
                       unsigned seconds)
{
    int n = snprintf(out, PATH_MAX_LEN,
                     "/apis/discovery.k8s.io/v1/namespaces/%s/endpointslices"
                     "?labelSelector=kubernetes.io%%2Fservice-name%%3D%s",
                     namespace, watch->is.service);

    if (watch->is_watching)
        snprintf(out + n, PATH_MAX_LEN - (size_t)n,
                 "&watch=true&allowWatchBookmarks=true&timeoutSeconds=%u&resourceVersion=%s",
                 seconds, slices_version(watch->slices));
}

static void ask(struct watch *watch, const char *namespace, const char *token)
{
    unsigned seconds = WATCH_S + randombytes_uniform(WATCH_SPREAD_S);
    char path[PATH_MAX_LEN], ca[PATH_MAX_LEN];
    const struct fetch_params params = {
        .target = watch->is.target,
        .path = path,
        .bearer = token,
        .ca = ca,
        .deadline_ms = watch->is_watching ? (seconds + WATCH_MORE_S) * 1000 : LIST_MS,
        .head = on_head,
        .body = on_body,
        .done = on_done,
        .arg = watch};

    write_path(path, watch, namespace, seconds);
    snprintf(ca, sizeof ca, "%s/ca.crt", watch->is.dir);
    watch->fetch = fetch_start(watch->loop, &params);
}

static void next(struct watch *watch)
{
    char token[TOKEN_MAX], namespace[NAMESPACE_MAX];

    watch->in.len = 0;
    watch->status = 0;
    watch->began_ms = uv_now(watch->loop);
    if (!watch_read_file(namespace, sizeof namespace, watch->is.dir, "namespace"))
        failed(watch, "the file namespace cannot be read");
    else if (!watch_read_file(token, sizeof token, watch->is.dir, "token"))
        failed(watch, "the file token cannot be read");
    else
        ask(watch, namespace, token);
    sodium_memzero(token, sizeof token);
}

/* --- */

struct watch *watch_new(uv_loop_t *loop, const struct watch_params *params)
{
    struct watch *watch = mem_new(1, sizeof *watch);

    watch->loop = loop;
    watch->is = *params;
    watch->slices = slices_new();
    uv_timer_init(loop, &watch->timer);
    watch->timer.data = watch;
    wait_for(watch, 0);
    return watch;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void watch_free(struct watch *watch)
{
    if (watch->fetch != NULL)
        fetch_cancel(watch->fetch);
    slices_free(watch->slices);
    buffer_free(&watch->in);
    uv_close((uv_handle_t *)&watch->timer, on_closed);
}

const char *const *watch_pods(struct watch *watch, size_t *n)
{
    return slices_pods(watch->slices, n);
}

bool watch_is_current(const struct watch *watch)
{
    return watch->is_current;
}
