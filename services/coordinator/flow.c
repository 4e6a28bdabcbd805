/* SPDX-License-Identifier: Apache-2.0 */
/* Changes on their way. A database that cannot write ends the process, except for a session that
 * nobody has heard of yet: what is in memory would be wrong from then on, and a start reads the
 * truth. */
#include "services/coordinator/flow.h"

#include "services/coordinator/dispatch.h"
#include "services/coordinator/leadership.h"
#include "services/coordinator/publish.h"
#include "services/coordinator/record.h"
#include "services/coordinator/watch.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/core/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct flow *flow_new(struct coordinator *c, struct record *r)
{
    struct flow *flow = mem_new(1, sizeof *flow);

    flow->c = c;
    flow->r = r;
    flow->change = mem_new(1, sizeof *flow->change);
    flow->change->owner = flow;
    return flow;
}

void flow_drop(struct flow *flow)
{
    change_free(flow->change);
    free(flow);
}

struct rpc_status flow_database_fault(void)
{
    struct rpc_status status = rpc_error(RPC_UNAVAILABLE, "database_down",
                                         "the session database does not work: try again later");

    status.retry_after = 5;
    return status;
}

struct rpc_status flow_store_fault(const struct coordinator *c)
{
    if (!db_is_full(c->db))
        return flow_database_fault();
    return rpc_error(RPC_UNAVAILABLE, "database_full",
                     "nothing can be stored: the disk of the session database is full; its "
                     "operator has to make room");
}

void flow_set_error(struct record *r, const char *code, const char *text)
{
    snprintf(r->row.error_code, sizeof r->row.error_code, "%s", code);
    snprintf(r->row.error, sizeof r->row.error, "%s", text);
    utf8_mend(r->row.error);
}

/* Beginnings and ends are told; what is between them is for whoever looks closer. */
static enum log_level level_of(enum session_event_type type)
{
    if (type == EVENT_FAILED || type == EVENT_EXPIRED)
        return LOG_WARN;
    return type == EVENT_CREATED || type == EVENT_COMPLETED || type == EVENT_CANCELLED ? LOG_INFO
                                                                                       : LOG_DEBUG;
}

static void log_one(const struct record *r, const struct store_event *event)
{
    struct log_field fields[6] = {
        LOG_S("session", r->row.session_id), LOG_S("trace", r->row.trace_id),
        LOG_S("type", session_type_name(r->state.type)), LOG_I("attempt", event->attempt)};
    size_t n = 4;

    if (event->party_id[0])
        fields[n++] = LOG_S("party", event->party_id);
    if (event->detail[0])
        fields[n++] = LOG_S("detail", event->detail);
    log_fields(level_of(event->type), session_event_name(event->type), fields, n);
}

static void note_event(struct flow *flow, const struct store_event *event)
{
    flow->has_started = flow->has_started || event->type == EVENT_STARTED;
    if (event->type >= EVENT_COMPLETED && event->type <= EVENT_CANCELLED) {
        flow->has_ended = true;
        flow->r->row.end_seq = event->seq;
        flow->r->row.ended_ms = event->at_ms;
    }
}

static void set_detail(struct store_event *event, const char *text)
{
    snprintf(event->detail, sizeof event->detail, "%s", text);
    utf8_mend(event->detail);
}

void flow_say(struct flow *flow, const struct session_out *out, const char *detail)
{
    for (size_t i = 0; i < out->events_n; i++) {
        const struct session_event *from = &out->events[i];
        struct store_event *event = &flow->change->events[flow->change->events_n++];

        *event = (struct store_event){.seq = ++flow->c->seq,
                                      .type = from->type,
                                      .attempt = from->attempt,
                                      .at_ms = clock_unix_ms()};
        snprintf(event->party_id, sizeof event->party_id, "%s", record_party(flow->r, from->seat));
        if (detail && from->type != EVENT_JOINED && from->type != EVENT_PARTY_COMPLETED)
            set_detail(event, detail);
        note_event(flow, event);
        log_one(flow->r, event);
    }
}

static void count_end(struct coordinator *c, const struct record *r)
{
    metric_add(c->ended_by[r->state.type][r->state.status], 1);
    metric_observe_us(c->duration[coordinator_class(r->state.type)],
                      clock_steady_us() - r->started_us);
}

static void publish(struct flow *flow)
{
    const struct change *change = flow->change;

    if (flow->has_begun)
        publish_invitation(flow->c, flow->r, change->attempt.attempt);
    for (size_t i = 0; i < change->events_n; i++)
        if (change->events[i].type == EVENT_STARTED)
            publish_started(flow->c, flow->r, &change->events[i]);
    if (flow->has_ended)
        publish_end(flow->c, flow->r);
}

/* Let readers see the state as it is. */
static void show(struct record *r)
{
    struct store_row row;

    record_project(&row, r);
    store_row_free(&r->row);
    r->row = row;
}

/* The end is durable: everybody may know. */
static void settle(struct flow *flow)
{
    struct record *r = flow->r;

    show(r);
    r->is_settling = false;
    r->has_ended = true;
    record_end(flow->c, r);
    count_end(flow->c, r);
}

static void finish(struct flow *flow, enum db_result result)
{
    struct record *r = flow->r;

    if (flow->has_ended && result == DB_OK)
        settle(flow);
    if (result == DB_OK && !flow->change->existed)
        publish(flow);
    if (flow->has_ended && result == DB_OK)
        watch_settled(flow->c, r);
    if (flow->done)
        flow->done(flow->arg, flow, result);
}

bool flow_has_left(const struct coordinator *c)
{
    return c->leadership && leadership_has_left(c->leadership);
}

static void cannot_write(const struct coordinator *c)
{
    if (!flow_has_left(c))
        service_fault("the session database cannot be written");
}

static void existing_found(void *arg, enum db_result result);

static void committed(void *arg, enum db_result result)
{
    struct change *change = arg;
    struct flow *flow = change->owner;

    if (result == DB_REFUSED && change->is_new && !change->existed) {
        db_submit(flow->c->db, DB_READ, store_existing, existing_found, change);
        return;
    }
    flow->r->commits_pending--;
    if (result != DB_OK && !change->is_new) {
        cannot_write(flow->c);
        flow_drop(flow);
        return;
    }
    if (change->events_n > 0 && change->events[change->events_n - 1].seq > flow->c->committed_seq)
        flow->c->committed_seq = change->events[change->events_n - 1].seq;
    finish(flow, result);
    flow_drop(flow);
}

static void existing_found(void *arg, enum db_result result)
{
    const struct change *change = arg;

    committed(arg, result != DB_OK || change->existed ? result : DB_FAILED);
}

/* A fact that nobody waits for is written with the session's next change, or when the sweep comes:
 * one row and one index for all of them. */
static void hold(struct flow *flow)
{
    struct record *r = flow->r;
    struct change *change = flow->change;

    snprintf(change->row.session_id, sizeof change->row.session_id, "%s", r->row.session_id);
    if (r->held_last)
        r->held_last->later = change;
    else
        r->held = change;
    r->held_last = change;
    flow->change = NULL;
}

static void take_held(struct record *r, struct change *change)
{
    change->earlier = r->held;
    r->held = r->held_last = NULL;
}

static void written(void *arg, enum db_result result)
{
    struct change *change = arg;
    struct flow *flow = change->owner;

    flow->r->commits_pending--;
    if (result != DB_OK)
        cannot_write(flow->c);
    flow_drop(flow);
}

static void submit(struct flow *flow, bool durable)
{
    struct record *r = flow->r;
    struct change *change = flow->change;

    take_held(r, change);
    r->row.version++;
    record_project(&change->row, r);
    r->commits_pending++;
    db_submit(flow->c->db, durable ? DB_DURABLE : DB_LAZY, store_change,
              durable ? committed : written, change);
}

void flow_write_held(struct coordinator *c, struct record *r)
{
    if (r->held)
        submit(flow_new(c, r), false);
}

static void commit_later(struct flow *flow)
{
    struct coordinator *c = flow->c;
    struct record *r = flow->r;

    show(r);
    publish(flow);
    hold(flow);
    free(flow);
    watch_changed(c, r);
}

void flow_commit(struct flow *flow, bool must)
{
    struct coordinator *c = flow->c;
    struct record *r = flow->r;
    bool durable = must || flow->has_begun || flow->has_ended || flow->change->is_new;
    bool has_ended = flow->has_ended;

    if (!durable && !session_is_final(&r->state) && !c->is_stopping) {
        commit_later(flow);
        return;
    }
    if (has_ended)
        r->is_settling = true;
    else if (!r->is_settling)
        show(r);
    if (!durable)
        publish(flow);
    submit(flow, durable);
    if (has_ended) /* after it: what begins now has higher numbers, and is committed later */
        dispatch_released(c, r);
    else if (!r->is_new)
        watch_changed(c, r);
}
