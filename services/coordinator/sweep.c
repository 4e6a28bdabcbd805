/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines are looked at ten times a second while a session is open: a walk over some thousand
 * records costs less than as many timers. An idle coordinator looks once a second. */
#include "services/coordinator/sweep.h"

#include "services/coordinator/dispatch.h"
#include "services/coordinator/flow.h"
#include "services/coordinator/presig_stock.h"
#include "services/coordinator/record.h"
#include "services/coordinator/unlisted.h"
#include "services/coordinator/watch.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUSY_MS = 100, IDLE_MS = 1000, DELETE_EVERY_MS = 600000, DELETE_BATCH = 1000 };

/* Who the attempt waited for in vain. */
static const char *explain_timeout(char *out, size_t size, const struct record *r)
{
    struct buffer text = {0};

    for (uint8_t i = 0; i < r->state.seats_n; i++)
        if ((r->state.seats[i] & SEAT_IN) && !(r->state.seats[i] & (SEAT_JOINED | SEAT_DONE)))
            buffer_printf(&text, "%s%s", text.len ? ", " : "", record_party(r, i));
    if (text.len)
        snprintf(out, size, "%s did not join in time", (const char *)text.b);
    else
        snprintf(out, size, "the parties did not finish in time");
    buffer_free(&text);
    return out;
}

static void expire(struct flow *flow, const struct session_out *out)
{
    struct record *r = flow->r;
    char text[ERROR_TEXT_MAX * 2], why[ERROR_TEXT_MAX];

    snprintf(why, sizeof why, "%s", r->reason);
    if (r->is_blocked && r->resume_ms == 0)
        dispatch_explain(why, flow->c, r);
    else if (r->is_queued && !r->reason[0])
        snprintf(why, sizeof why, "it was still waiting for its turn");
    else if (!why[0])
        explain_timeout(why, sizeof why, r);
    snprintf(text, sizeof text, "the session reached its deadline: %s", why);
    flow_set_error(r, "session_expired", text);
    flow_say(flow, out, r->row.error);
}

static void look(struct coordinator *c, struct record *r, int64_t now_ms)
{
    struct session_out out;
    struct flow *flow;
    char reason[ERROR_TEXT_MAX];
    bool all_joined = r->state.joined_n == r->state.needed;

    if (r->is_new || r->is_settling || now_ms < session_next_ms(&r->state) ||
        !session_timer(&r->state, &out, now_ms))
        return;
    flow = flow_new(c, r);
    if (out.ended)
        expire(flow, &out);
    else
        dispatch_attempt_over(flow, all_joined ? "TIMEOUT" : "SILENT",
                              explain_timeout(reason, sizeof reason, r));
    flow_commit(flow, false);
}

static void look_at_all(struct coordinator *c, int64_t now_ms)
{
    struct record *next;

    for (struct record *r = c->open.first; r; r = next) {
        next = r->next;
        flow_write_held(c, r);
        look(c, r, now_ms);
    }
}

static void delete_old(struct coordinator *c, int64_t now_ms);

static void deleted(void *arg, enum db_result result)
{
    struct store_sweep *sweep = arg;
    struct coordinator *c = sweep->owner;
    bool more = result == DB_OK && sweep->deleted >= DELETE_BATCH;

    if (result == DB_OK && sweep->deleted > 0)
        log_event(LOG_INFO, "old sessions deleted", LOG_I("sessions", sweep->deleted));
    free(sweep);
    c->is_sweeping = false;
    if (more && !c->is_stopping)
        delete_old(c, clock_unix_ms());
}

static void delete_old(struct coordinator *c, int64_t now_ms)
{
    struct store_sweep *sweep = mem_new(1, sizeof *sweep);

    c->is_sweeping = true;
    c->swept_ms = now_ms;
    sweep->owner = c;
    sweep->before_ms = now_ms - c->keep_ms;
    db_submit(c->db, DB_LAZY, store_sweep, deleted, sweep);
}

static void tick(uv_timer_t *timer)
{
    struct coordinator *c = timer->data;
    int64_t now = clock_unix_ms();

    pool_expire(c->pool, now);
    metric_set(c->parties_live, (int64_t)pool_live_n(c->pool));
    look_at_all(c, now);
    dispatch_resume(c, now);
    watch_expire(c, now);
    unlisted_expire(c, now);
    record_expire(c, now);
    presig_stock_expire(c, now);
    if (!c->is_sweeping && now - c->swept_ms >= DELETE_EVERY_MS)
        delete_old(c, now);
    if (c->open.n == 0 && c->unlisted_n == 0 && uv_timer_get_repeat(timer) != IDLE_MS)
        uv_timer_start(timer, tick, IDLE_MS, IDLE_MS);
}

void sweep_start(struct coordinator *c)
{
    uv_timer_start(&c->sweep, tick, BUSY_MS, BUSY_MS);
}

void sweep_wake(struct coordinator *c)
{
    if (uv_timer_get_repeat(&c->sweep) != BUSY_MS)
        uv_timer_start(&c->sweep, tick, BUSY_MS, BUSY_MS);
}

void sweep_stop(struct coordinator *c)
{
    for (struct record *r = c->open.first; r; r = r->next)
        flow_write_held(c, r);
    uv_timer_stop(&c->sweep);
}
