/* SPDX-License-Identifier: Apache-2.0 */
/* Invitations and a host's wishes as facts for front_session.h, and its actions as frames and calls
 * (front_calls.c), at once or once more after a while. */
#include "participant/front_state.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/core/metrics.h"
#include "system/rpc/message.h"

#include <stdlib.h>
#include <string.h>

enum {
    AGAIN_STEP_MS = 100,
    AGAIN_CAP_MS = 2000,
    TICK_MS = 50,
    /* a session lives no longer than this, whatever its setup says */
    LIFE_MAX_MS = 3600000,
    BLIND_LIFE_MS = 120000
};

void front_to_keeper(struct front *front, Mpc__Keeper__V1__ToKeeper__RequestCase which,
                     void *request, int64_t mark)
{
    Mpc__Keeper__V1__ToKeeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;

    frame.request_case = which;
    /* all members of the union are pointers */
    frame.open = request;
    front_pipe_send(front->pipe, &frame, mark);
}

static void send_open(struct front *front, struct front_entry *entry)
{
    Mpc__Keeper__V1__Open open = MPC__KEEPER__V1__OPEN__INIT;

    open.setup = entry->setup;
    if (entry->has_user_key)
        open.user_public_key = (ProtobufCBinaryData){sizeof entry->user_key, entry->user_key};
    log_event(LOG_INFO, "session opened", LOG_S("session", entry->id), LOG_S("trace", entry->trace),
              LOG_S("type", entry->setup->session_type), LOG_I("attempt", entry->core.attempt));
    front_to_keeper(front, MPC__KEEPER__V1__TO_KEEPER__REQUEST_OPEN, &open, 0);
}

static void send_close(struct front *front, struct front_entry *entry)
{
    Mpc__Keeper__V1__Close close = MPC__KEEPER__V1__CLOSE__INIT;

    close.session_id = entry->id;
    front_to_keeper(front, MPC__KEEPER__V1__TO_KEEPER__REQUEST_CLOSE, &close, 0);
    front_outbox_drop(front->outbox, &entry->mail, UINT32_MAX);
}

/* Doing. */

static void count_running(struct front *front)
{
    front_link_load(front->link, front->running);
    metric_set(front->metrics.running, front->running);
}

static bool visit_again(void *arg, struct front_entry *entry)
{
    struct front *front = arg;

    if (!entry->again_ms)
        return true;
    front->due++;
    if (clock_steady_us() / 1000 < entry->again_ms)
        return true;
    entry->again_ms = 0;
    front_act(front, entry, front_session_retry(&entry->core));
    return true;
}

/* The timer of lost calls. */
static void front_again(uv_timer_t *timer)
{
    struct front *front = timer->data;

    front->due = 0;
    front_table_each(&front->table, visit_again, front);
    if (!front->due)
        uv_timer_stop(timer);
}

static void plan_again(struct front *front, struct front_entry *entry)
{
    uint32_t wait_ms;

    if (!front_session_has_due(&entry->core)) {
        entry->again_ms = 0;
        return;
    }
    if (entry->again_ms)
        return;
    entry->retry.step_ms = AGAIN_STEP_MS;
    entry->retry.cap_ms = AGAIN_CAP_MS;
    retry_next(&entry->retry, &wait_ms);
    entry->again_ms = clock_steady_us() / 1000 + wait_ms;
    if (!uv_is_active((uv_handle_t *)&front->again_timer))
        uv_timer_start(&front->again_timer, front_again, TICK_MS, TICK_MS);
}

void front_act(struct front *front, struct front_entry *entry, unsigned actions)
{
    bool is_running = front_session_is_running(&entry->core);
    uint32_t attempt;

    if (is_running != entry->counts) {
        entry->counts = is_running;
        front->running = is_running ? front->running + 1 : front->running - 1;
        count_running(front);
    }
    if (actions & FRONT_OPEN)
        send_open(front, entry);
    if (actions & FRONT_JOIN)
        front_start_join(front, entry);
    if (actions & FRONT_SUBMIT)
        front_start_submit(front, entry);
    if (actions & FRONT_REPORT)
        while (front_session_next_report(&entry->core, &attempt))
            front_start_report(front, entry, attempt);
    if (actions & FRONT_CLOSE)
        send_close(front, entry);
    plan_again(front, entry);
}

void front_close(struct front *front, struct front_entry *entry, const char *status,
                 const char *detail)
{
    unsigned actions = front_session_end(&entry->core);

    if (!(actions & FRONT_CLOSE))
        return;
    entry->status = status;
    entry->detail = text_copy(detail ? detail : "");
    if (entry->core.is_known)
        log_event(LOG_INFO, "session ended", LOG_S("session", entry->id),
                  LOG_S("trace", entry->trace), LOG_S("status", status));
    front_act(front, entry, actions);
    if (front->host.ended)
        front->host.ended(front->host.arg, entry->id, status, entry->detail);
    front_table_end(&front->table, entry);
}

/* Invitations. */

static bool is_member(const struct front *front, const Mpc__Session__V1__Setup *setup)
{
    for (size_t i = 0; i < setup->n_members; i++)
        if (!strcmp(setup->members[i]->party_id, front_link_party(front->link)))
            return true;
    return false;
}

/* A join that went out with a caller's token before any setup was known keeps token and key. */
static void take_token(struct front_entry *entry, const char *join_token)
{
    if (entry->core.join_is_blind)
        return;
    free(entry->join_token);
    entry->join_token = join_token && *join_token ? text_copy(join_token) : NULL;
    trace_new(entry->join_key);
}

static void take_setup(struct front *front, struct front_entry *entry,
                       const Mpc__Session__V1__Setup *setup)
{
    int64_t latest = clock_unix_ms() + LIFE_MAX_MS;

    if (entry->setup)
        mpc__session__v1__setup__free_unpacked(entry->setup, NULL);
    entry->setup = message_copy(&setup->base);
    entry->deadline_ms = setup->deadline_ms < latest ? setup->deadline_ms : latest;
    entry->forget_ms = entry->deadline_ms;
    front_due(front, entry->deadline_ms);
    memset(entry->trace, 0, sizeof entry->trace);
    if (strlen(setup->trace_id) == TRACE_TEXT_MAX - 1)
        memcpy(entry->trace, setup->trace_id, TRACE_TEXT_MAX);
    front_outbox_drop(front->outbox, &entry->mail, setup->attempt);
}

/* A known attempt again: it may bring the token that a hint did not have. */
static void take_repeat(struct front *front, struct front_entry *entry,
                        const Mpc__Session__V1__Setup *setup, const char *join_token)
{
    if (setup->attempt != entry->core.attempt || entry->join_token || !join_token || !*join_token)
        return;
    entry->join_token = text_copy(join_token);
    front_act(front, entry, front_session_retry(&entry->core));
}

static struct front_entry *find_or_add(struct front *front, const char *session_id)
{
    struct front_entry *entry = front_table_find(&front->table, session_id);

    if (entry)
        return entry;
    entry = front_table_add(&front->table, session_id);
    if (!entry)
        log_event(LOG_WARN, "too many sessions: an invitation is put off",
                  LOG_S("session", session_id));
    return entry;
}

void front_invite(struct front *front, const Mpc__Session__V1__Setup *setup, const char *join_token)
{
    struct front_entry *entry;
    bool held;

    if (setup->deadline_ms <= clock_unix_ms() || !is_member(front, setup))
        return;
    entry = find_or_add(front, setup->session_id);
    if (!entry || entry->core.has_ended)
        return;
    if (entry->core.is_known && setup->attempt <= entry->core.attempt) {
        take_repeat(front, entry, setup, join_token);
        return;
    }
    take_token(entry, join_token);
    take_setup(front, entry, setup);
    held = front->host.holds && front->host.holds(front->host.arg, entry->setup);
    front_act(front, entry, front_session_invited(&entry->core, setup->attempt, held));
}

/* For a host. */

static void ask_with(struct front_entry *entry, const char *join_token)
{
    if (!join_token || !*join_token || entry->core.join == FRONT_CALL_AWAY)
        return;
    free(entry->join_token);
    entry->join_token = text_copy(join_token);
    trace_new(entry->join_key);
}

bool front_ask(struct front *front, const char *session_id, const char *join_token)
{
    bool has_token = join_token && *join_token;
    struct front_entry *entry = front_table_find(&front->table, session_id);
    struct rpc_status ok = rpc_ok();

    if (!entry && has_token)
        entry = find_or_add(front, session_id);
    if (!entry || entry->core.has_ended)
        return false;
    if (!entry->deadline_ms) {
        entry->deadline_ms = entry->forget_ms = clock_unix_ms() + BLIND_LIFE_MS;
        front_due(front, entry->deadline_ms);
    }
    entry->is_asked = true;
    if (entry->core.has_token && entry->core.join == FRONT_CALL_DONE) {
        front_tell_joined(front, entry, &ok);
        return true;
    }
    ask_with(entry, join_token);
    front_act(front, entry, front_session_ask(&entry->core));
    return true;
}

void front_release(struct front *front, const char *session_id, const uint8_t *user_public_key)
{
    struct front_entry *entry = front_table_find(&front->table, session_id);

    if (!entry || entry->core.has_ended || !entry->setup)
        return;
    if (user_public_key) {
        memcpy(entry->user_key, user_public_key, sizeof entry->user_key);
        entry->has_user_key = true;
    }
    front_act(front, entry, front_session_release(&entry->core));
}
