/* SPDX-License-Identifier: Apache-2.0 */
/* What comes in: events, messages and orders of the network, time; frames of the keeper are
 * front_frames.c's. Each becomes a fact for the session's core (front_session.h), and front_act
 * does what follows. */
#include "participant/front_state.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/metrics.h"

#include <stdlib.h>
#include <string.h>

enum {
    SWEEP_MS = 1000,
    FORGET_MS = 10000,
    /* sweeps between two questions for the keeper's figures */
    STATS_EVERY = 5,
    /* the coordinator ends a session first; this party's own clock is the last resort */
    GRACE_MS = 2000,
    /* a session that ended before it was heard of */
    UNHEARD_MS = 120000
};

/* The keeper's end. */

static void on_backup(void *arg, const Mpc__Keeper__V1__BackupAnswer *answer)
{
    front_to_keeper(arg, MPC__KEEPER__V1__TO_KEEPER__REQUEST_BACKUP_ANSWER, (void *)answer, 0);
}

static void on_written(void *arg, int64_t mark)
{
    struct front *front = arg;

    if (mark == front->sent_mark && front->dropped_mark > mark)
        mark = front->dropped_mark;
    front_link_handed(front->link, mark);
}

static void on_drained(void *arg)
{
    front_link_resume(((struct front *)arg)->link);
}

static void on_pipe_end(void *arg, const char *why)
{
    struct front *front = arg;

    if (front->is_stopping)
        front->stopped(front->stopped_arg);
    else
        front->params.fault(front->params.fault_arg, why);
}

/* The network. */

static void on_prove(void *arg, int64_t time_ms, const uint8_t nonce[16])
{
    Mpc__Keeper__V1__ProveRegistration prove = MPC__KEEPER__V1__PROVE_REGISTRATION__INIT;

    prove.time_ms = time_ms;
    prove.nonce = (ProtobufCBinaryData){.len = 16, .data = (uint8_t *)nonce};
    front_to_keeper(arg, MPC__KEEPER__V1__TO_KEEPER__REQUEST_PROVE, &prove, 0);
}

/* The state that an event ends a session in, NULL for other events. */
static const char *final_status(const char *event_type)
{
    static const char *const names[][2] = {{"session_completed", "completed"},
                                           {"session_failed", "failed"},
                                           {"session_expired", "expired"},
                                           {"session_cancelled", "cancelled"}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(event_type, names[i][0]))
            return names[i][1];
    return NULL;
}

/* An end may come before its beginning: remembered for a while, so that nothing opens then. */
static void take_end(struct front *front, const char *session_id, const char *status,
                     const char *detail)
{
    struct front_entry *entry = front_table_find(&front->table, session_id);

    if (!entry) {
        entry = front_table_add(&front->table, session_id);
        if (!entry)
            return;
        entry->forget_ms = clock_unix_ms() + UNHEARD_MS;
        front_due(front, entry->forget_ms);
    }
    front_close(front, entry, status, detail);
}

static void on_event(void *arg, const Mpc__Session__V1__SessionEvent *event)
{
    const char *status = final_status(event->event_type);
    uint8_t id[16];

    if (!id_parse(id, event->session_id))
        return;
    if (status)
        take_end(arg, event->session_id, status, event->detail);
    else if (event->setup && !strcmp(event->setup->session_id, event->session_id))
        front_invite(arg, event->setup, event->join_token);
}

static void on_order(void *arg, const Mpc__Session__V1__Order *order)
{
    front_to_keeper(arg, MPC__KEEPER__V1__TO_KEEPER__REQUEST_ORDER, (void *)order, 0);
}

/* For a run that is over: dropped, and handed when everything before it is. */
static void drop_message(struct front *front, int64_t mark)
{
    front->dropped_mark = mark;
    if (front_pipe_is_empty(front->pipe))
        front_link_handed(front->link, mark);
}

static bool on_message(void *arg, const Mpc__Router__V1__IncomingMessage *message, int64_t mark)
{
    Mpc__Keeper__V1__Deliver deliver = MPC__KEEPER__V1__DELIVER__INIT;
    struct front *front = arg;
    const struct front_entry *entry;

    if (front_pipe_is_full(front->pipe))
        return false;
    metric_add(front->metrics.received, 1);
    entry = front_table_find(&front->table, message->session_id);
    if (entry && (entry->core.has_ended ||
                  (entry->core.is_known && message->attempt < entry->core.attempt))) {
        drop_message(front, mark);
        return true;
    }
    deliver.session_id = message->session_id;
    deliver.attempt = message->attempt;
    deliver.from = message->from;
    deliver.payload = message->payload;
    front->sent_mark = mark;
    front_to_keeper(front, MPC__KEEPER__V1__TO_KEEPER__REQUEST_DELIVER, &deliver, mark);
    return true;
}

static void on_up(void *arg)
{
    front_outbox_wake(((struct front *)arg)->outbox);
}

static void on_lost(void *arg)
{
    front_outbox_resend(((struct front *)arg)->outbox);
}

static void on_fault(void *arg, const char *why)
{
    struct front *front = arg;

    front->params.fault(front->params.fault_arg, why);
}

/* Time. */

void front_due(struct front *front, int64_t at_ms)
{
    if (at_ms < front->sweep_ms)
        front->sweep_ms = at_ms;
}

static int64_t due_of(const struct front_entry *entry)
{
    if (entry->core.has_ended)
        return entry->forget_ms;
    return entry->core.is_known ? entry->deadline_ms + GRACE_MS : entry->deadline_ms;
}

/* Remnants are forgotten together, a little late: nobody waits for that. */
static int64_t sweep_of(const struct front_entry *entry)
{
    int64_t due = due_of(entry);

    return entry->core.has_ended ? (due + FORGET_MS - 1) / FORGET_MS * FORGET_MS : due;
}

static bool visit_sweep(void *arg, struct front_entry *entry)
{
    struct front *front = arg;
    int64_t now = clock_unix_ms();
    bool is_due = now >= due_of(entry);

    /* a caller's token that led nowhere leaves no trace */
    if (is_due && (entry->core.has_ended || !entry->core.is_known))
        return false;
    if (is_due)
        front_close(front, entry, "expired", "its deadline is over");
    front_due(front, sweep_of(entry));
    return true;
}

/* What has ended is not looked through again and again: only when something is due. */
static void sweep_table(struct front *front)
{
    if (clock_unix_ms() < front->sweep_ms)
        return;
    front->sweep_ms = INT64_MAX;
    front_table_each(&front->table, visit_sweep, front);
    if (front->table.all == 0)
        mem_give_back();
}

static void count_mail(struct front *front)
{
    uint64_t sent = front_outbox_sent(front->outbox);
    uint64_t resent = front_outbox_resent(front->outbox);

    metric_set(front->metrics.kept, (int64_t)front_outbox_bytes(front->outbox));
    metric_add(front->metrics.sent, (int64_t)(sent - front->sent_told));
    metric_add(front->metrics.resent, (int64_t)(resent - front->resent_told));
    front->sent_told = sent;
    front->resent_told = resent;
}

static void on_sweep(uv_timer_t *timer)
{
    Mpc__Keeper__V1__GetStats ask = MPC__KEEPER__V1__GET_STATS__INIT;
    struct front *front = timer->data;

    sweep_table(front);
    count_mail(front);
    if (front->sweeps++ % STATS_EVERY == 0)
        front_to_keeper(front, MPC__KEEPER__V1__TO_KEEPER__REQUEST_GET_STATS, &ask, 0);
}

/* Life. */

static void on_polled(void *arg)
{
    struct front *front = arg;

    if (front->host.polled)
        front->host.polled(front->host.arg);
}

static struct front_link *make_link(struct front *front, const struct front_params *params)
{
    struct front_link_params link = params->link;
    const struct front_link_watch watch = {.arg = front,
                                           .prove = on_prove,
                                           .event = on_event,
                                           .order = on_order,
                                           .message = on_message,
                                           .up = on_up,
                                           .lost = on_lost,
                                           .polled = on_polled,
                                           .fault = on_fault};

    link.loop = params->loop;
    return front_link_new(&link, &watch);
}

struct front *front_new(const struct front_params *params)
{
    struct front *front = mem_new(1, sizeof *front);
    const struct front_pipe_watch watch = {.arg = front,
                                           .frame = front_take_frame,
                                           .written = on_written,
                                           .drained = on_drained,
                                           .ended = on_pipe_end};

    front->params = *params;
    if (params->host)
        front->host = *params->host;
    front_table_init(&front->table);
    front_make_metrics(&front->metrics);
    front->link = make_link(front, params);
    front->outbox = front_outbox_new(params->loop, front->link);
    front->backup = front_backup_new(params->loop, params->backup_dir ? params->backup_dir : "",
                                     on_backup, front);
    uv_timer_init(params->loop, &front->sweep_timer);
    uv_timer_init(params->loop, &front->again_timer);
    front->sweep_timer.data = front->again_timer.data = front;
    front->handles = 2;
    uv_timer_start(&front->sweep_timer, on_sweep, SWEEP_MS, SWEEP_MS);
    front->pipe = front_pipe_new(params->loop, params->keeper_fd, &watch);
    return front;
}

void front_stop(struct front *front, void (*stopped)(void *arg), void *arg)
{
    front->is_stopping = true;
    front->stopped = stopped;
    front->stopped_arg = arg;
    if (front_pipe_has_ended(front->pipe))
        stopped(arg);
    else
        front_pipe_shut(front->pipe);
}

static void on_closed(uv_handle_t *handle)
{
    struct front *front = handle->data;

    if (--front->handles == 0)
        free(front);
}

static bool visit_drop(void *arg, struct front_entry *entry)
{
    struct front *front = arg;

    front_outbox_drop(front->outbox, &entry->mail, UINT32_MAX);
    return true;
}

void front_free(struct front *front)
{
    if (!front || front->is_freed)
        return;
    front->is_freed = true;
    front_link_free(front->link);
    front_table_each(&front->table, visit_drop, front);
    front_table_free(&front->table);
    front_outbox_free(front->outbox);
    front_backup_free(front->backup);
    front_pipe_free(front->pipe);
    uv_close((uv_handle_t *)&front->sweep_timer, on_closed);
    uv_close((uv_handle_t *)&front->again_timer, on_closed);
}

bool front_is_ready(const struct front *front)
{
    return !front->is_stopping && front_link_is_up(front->link);
}

/* For a host. */

bool front_look(const struct front *front, const char *session_id, struct front_view *out)
{
    const struct front_entry *entry = front_table_find(&front->table, session_id);

    if (!entry || (!entry->core.is_known && !entry->core.has_ended))
        return false;
    *out = (struct front_view){.setup = entry->setup,
                               .is_open = entry->core.is_open,
                               .has_ended = entry->core.has_ended,
                               .has_token = entry->core.has_token,
                               .user_key = entry->has_user_key ? entry->user_key : NULL,
                               .status = entry->status ? entry->status : "",
                               .detail = entry->detail ? entry->detail : ""};
    return true;
}

void front_poll(struct front *front)
{
    front_link_poll(front->link);
}

void front_lend(struct front *front, const char *session_id, const uint8_t *sealed, size_t len)
{
    Mpc__Keeper__V1__LendShare lend = MPC__KEEPER__V1__LEND_SHARE__INIT;

    lend.session_id = (char *)session_id;
    lend.sealed = (ProtobufCBinaryData){.len = len, .data = (uint8_t *)sealed};
    front_to_keeper(front, MPC__KEEPER__V1__TO_KEEPER__REQUEST_LEND_SHARE, &lend, 0);
}

void front_confirm(struct front *front, const char *session_id)
{
    Mpc__Keeper__V1__ConfirmShare confirm = MPC__KEEPER__V1__CONFIRM_SHARE__INIT;

    confirm.session_id = (char *)session_id;
    front_to_keeper(front, MPC__KEEPER__V1__TO_KEEPER__REQUEST_CONFIRM_SHARE, &confirm, 0);
}

const uint8_t *front_share_key(const struct front *front)
{
    return front->has_share_key ? front->share_key : NULL;
}

const char *front_party(const struct front *front)
{
    return front_link_party(front->link);
}
