/* SPDX-License-Identifier: Apache-2.0 */
/* A watcher is in its record's list until its call is finished. A caller that went away is finished
 * at once, so that a record does not wait for nobody. */
#include "services/coordinator/watch.h"

#include "services/coordinator/sweep.h"
#include "services/coordinator/view.h"
#include "system/core/buffer.h"

#include <stdlib.h>

struct watcher {
    struct coordinator *c;
    struct record *r;
    struct rpc_call *call;
    /* NULL: a stream */
    watch_answer *answer;
    int64_t until_ms;
    /* a stream that does not keep up: the next change waits for the drain */
    bool is_full, is_behind;
    struct watcher *next, **link;
};

static void unlink_watcher(struct watcher *w)
{
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    w->c->watchers_n--;
}

static void finish(struct watcher *w)
{
    unlink_watcher(w);
    if (w->answer)
        w->answer(w->c, w->call, w->r);
    else
        rpc_end(w->call);
    free(w);
}

static void cancelled(struct rpc_call *call, void *arg)
{
    struct watcher *w = arg;

    unlink_watcher(w);
    rpc_fail(call, rpc_error(RPC_CANCELLED, "cancelled", "the caller went away"));
    free(w);
}

static struct watcher *add(struct coordinator *c, struct record *r, struct rpc_call *call)
{
    struct watcher *w = mem_new(1, sizeof *w);

    w->c = c;
    w->r = r;
    w->call = call;
    w->next = r->watchers;
    w->link = &r->watchers;
    if (w->next)
        w->next->link = &w->next;
    r->watchers = w;
    c->watchers_n++;
    rpc_on_cancel(call, cancelled, w);
    sweep_wake(c);
    return w;
}

void watch_end(struct coordinator *c, struct record *r, struct rpc_call *call, watch_answer *answer,
               int64_t until_ms)
{
    struct watcher *w;

    if (r->has_ended) {
        answer(c, call, r);
        return;
    }
    w = add(c, r, call);
    w->answer = answer;
    w->until_ms = until_ms;
}

static void send_state(struct watcher *w)
{
    Mpc__Coordinator__V1__WatchSessionResponse message =
        MPC__COORDINATOR__V1__WATCH_SESSION_RESPONSE__INIT;
    struct view_session view;

    view_session(&view, w->c->ctx, &w->r->row);
    message.session = &view.message;
    w->is_behind = false;
    w->is_full = !rpc_send(w->call, &message.base);
    view_session_free(&view);
}

static void drained(struct rpc_call *call, void *arg)
{
    struct watcher *w = arg;

    (void)call;
    w->is_full = false;
    if (w->is_behind)
        send_state(w);
}

void watch_stream(struct coordinator *c, struct record *r, struct rpc_call *call)
{
    struct watcher *w = add(c, r, call);

    rpc_on_drain(call, drained, w);
    if (!r->is_settling)
        send_state(w);
    if (r->has_ended)
        finish(w);
}

void watch_changed(struct coordinator *c, struct record *r)
{
    (void)c;
    if (r->is_settling)
        return;
    for (struct watcher *w = r->watchers, *next; w; w = next) {
        next = w->next;
        w->is_behind = !w->answer;
        if (!w->answer && !w->is_full)
            send_state(w);
    }
}

void watch_settled(struct coordinator *c, struct record *r)
{
    (void)c;
    while (r->watchers) {
        struct watcher *w = r->watchers;

        if (!w->answer)
            send_state(w);
        finish(w);
    }
}

static void expire_record(struct record *r, int64_t now_ms)
{
    for (struct watcher *w = r->watchers, *next; w; w = next) {
        next = w->next;
        if (w->answer && w->until_ms && now_ms >= w->until_ms && !r->is_settling)
            finish(w);
    }
}

void watch_expire(struct coordinator *c, int64_t now_ms)
{
    if (c->watchers_n == 0)
        return;
    for (struct record *r = c->open.first; r; r = r->next)
        expire_record(r, now_ms);
}

void watch_stop(struct coordinator *c)
{
    for (struct record *r = c->open.first; r; r = r->next) {
        while (r->watchers) {
            struct watcher *w = r->watchers;
            struct rpc_call *call = w->call;
            struct rpc_status status =
                rpc_error(RPC_UNAVAILABLE, "stopping", "the coordinator stops: ask again");

            unlink_watcher(w);
            status.retry_after = 1;
            rpc_fail(call, status);
            free(w);
        }
    }
}
