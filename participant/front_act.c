/* SPDX-License-Identifier: Apache-2.0 */
/* Actions of front_session.h as frames and calls, and the answers as facts for it. A call carries
 * the session's id, not the session: whatever was forgotten meanwhile is not there any more. */
#include "participant/front_state.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/core/metrics.h"
#include "system/rpc/message.h"

#include <stdlib.h>
#include <string.h>

enum {
    CALL_MS = 5000,
    AGAIN_STEP_MS = 100,
    AGAIN_CAP_MS = 2000,
    TICK_MS = 50,
    /* a session lives no longer than this, whatever its setup says */
    LIFE_MAX_MS = 3600000,
    BLIND_LIFE_MS = 120000
};

/* A call under way. */
struct call_ref {
    struct front *front;
    char session_id[ID_TEXT_MAX];
    uint32_t attempt;
};

static struct call_ref *new_ref(struct front *front, const struct front_entry *entry,
                                uint32_t attempt)
{
    struct call_ref *ref = mem_new(1, sizeof *ref);

    ref->front = front;
    ref->attempt = attempt;
    memcpy(ref->session_id, entry->id, sizeof ref->session_id);
    return ref;
}

/* The session of a call that has ended, NULL if it is over; frees |ref|. */
static struct front_entry *entry_of(struct call_ref *ref, struct front **front, uint32_t *attempt)
{
    struct front_entry *entry = NULL;

    *front = ref->front;
    *attempt = ref->attempt;
    if (!ref->front->is_freed)
        entry = front_table_find(&ref->front->table, ref->session_id);
    free(ref);
    return entry && !entry->core.has_ended ? entry : NULL;
}

static const char *trace_of(const struct front_entry *entry)
{
    return entry->trace[0] ? entry->trace : NULL;
}

/* Wrong state is everyday: the others were faster and the session is over. */
static void tell_refusal(const char *message, const struct front_entry *entry, uint32_t attempt,
                         const struct rpc_status *status)
{
    log_event(status->code == RPC_STATE ? LOG_DEBUG : LOG_WARN, message,
              LOG_S("session", entry->id), LOG_S("trace", entry->trace), LOG_I("attempt", attempt),
              LOG_S("error", status->text));
}

/* What came of a call, and the line if it was refused. */
struct said {
    enum front_answer answer;
    const struct rpc_status *status;
    const char *refused;
};

/* The session of an answer to a call, NULL if it is over. A refusal is told; an answer of either
 * kind ends the waiting of lost calls. */
static struct front_entry *take_answer(struct call_ref *ref, struct front **front,
                                       uint32_t *attempt, const struct said *said)
{
    struct front_entry *entry = entry_of(ref, front, attempt);

    if (!entry)
        return NULL;
    if (said->answer == FRONT_ANSWER_REFUSED)
        tell_refusal(said->refused, entry, *attempt, said->status);
    if (said->answer != FRONT_ANSWER_LOST)
        retry_success(&entry->retry);
    return entry;
}

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

/* Joining. */

static void tell_host_joined(struct front *front, struct front_entry *entry,
                             const struct rpc_status *status)
{
    if (!entry->is_asked || !front->host.joined)
        return;
    entry->is_asked = false;
    front->host.joined(front->host.arg, entry->id, status,
                       status->code == RPC_OK ? entry->setup : NULL);
}

static void take_join_reply(struct front *front, struct front_entry *entry,
                            const Mpc__Coordinator__V1__JoinSessionResponse *reply)
{
    free(entry->session_token);
    entry->session_token = text_copy(reply->session_token);
    if (reply->setup && !entry->setup && !strcmp(reply->setup->session_id, entry->id))
        front_invite(front, reply->setup, NULL);
}

static void on_joined(void *arg, enum front_answer answer, const struct rpc_status *status,
                      const ProtobufCMessage *response)
{
    struct front *front;
    uint32_t attempt;
    const struct said said = {answer, status, "joining was refused"};
    struct front_entry *entry = take_answer(arg, &front, &attempt, &said);
    struct rpc_status told = *status;

    if (!entry)
        return;
    if (answer == FRONT_ANSWER_OK)
        take_join_reply(front, entry, (const Mpc__Coordinator__V1__JoinSessionResponse *)response);
    front_act(front, entry, front_session_joined(&entry->core, answer));
    if (answer == FRONT_ANSWER_REFUSED && !entry->core.is_known)
        entry->deadline_ms = 0;
    if (answer != FRONT_ANSWER_LOST && !entry->core.has_ended)
        tell_host_joined(front, entry, &told);
}

static void start_join(struct front *front, struct front_entry *entry)
{
    Mpc__Coordinator__V1__JoinSessionRequest message =
        MPC__COORDINATOR__V1__JOIN_SESSION_REQUEST__INIT;
    struct front_link_call call = {.path = "mpc.coordinator.v1.SessionCoordinator/JoinSession",
                                   .message = &message.base,
                                   .response =
                                       &mpc__coordinator__v1__join_session_response__descriptor,
                                   .deadline_ms = CALL_MS,
                                   .trace = trace_of(entry),
                                   .done = on_joined};

    /* The setup came without its token (a late hint): the token comes by event or poll. */
    if (!entry->join_token) {
        front_act(front, entry, front_session_joined(&entry->core, FRONT_ANSWER_LOST));
        return;
    }
    call.arg = new_ref(front, entry, entry->core.attempt);
    message.session_id = entry->id;
    message.party_id = (char *)front_link_party(front->link);
    message.join_token = entry->join_token;
    message.idempotency_key = entry->join_key;
    front_link_call(front->link, &call);
}

/* Reporting. */

static void on_reported(void *arg, enum front_answer answer, const struct rpc_status *status,
                        const ProtobufCMessage *response)
{
    struct front *front;
    uint32_t attempt;
    const struct said said = {answer, status, "the report was refused"};
    struct front_entry *entry = take_answer(arg, &front, &attempt, &said);

    (void)response;
    if (!entry)
        return;
    metric_add(answer == FRONT_ANSWER_REFUSED ? front->metrics.refused : front->metrics.reports,
               answer != FRONT_ANSWER_LOST);
    front_act(front, entry, front_session_reported(&entry->core, attempt, answer));
}

static Mpc__Keeper__V1__Outcome *outcome_of(struct front_entry *entry, uint32_t attempt)
{
    for (uint32_t i = 0; i < entry->core.reports_n; i++)
        if (entry->outcomes[i] && entry->outcomes[i]->attempt == attempt)
            return entry->outcomes[i];
    return NULL;
}

static bool copy_outcome(Mpc__Coordinator__V1__ReportCompletionRequest *message,
                         const Mpc__Keeper__V1__Outcome *outcome)
{
    switch (outcome->outcome_case) {
    case MPC__KEEPER__V1__OUTCOME__OUTCOME_KEY:
        message->outcome_case = MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__OUTCOME_KEY;
        message->key = outcome->key;
        return true;
    case MPC__KEEPER__V1__OUTCOME__OUTCOME_SIGNATURE:
        message->outcome_case = MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__OUTCOME_SIGNATURE;
        message->signature = outcome->signature;
        return true;
    case MPC__KEEPER__V1__OUTCOME__OUTCOME_PRESIGNATURE:
        message->outcome_case =
            MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__OUTCOME_PRESIGNATURE;
        message->presignature = outcome->presignature;
        return true;
    case MPC__KEEPER__V1__OUTCOME__OUTCOME_FAILURE:
        message->outcome_case = MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__OUTCOME_FAILURE;
        message->failure = outcome->failure;
        return true;
    default:
        return false;
    }
}

static void start_report(struct front *front, struct front_entry *entry, uint32_t attempt)
{
    Mpc__Coordinator__V1__ReportCompletionRequest message =
        MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__INIT;
    struct front_link_call call = {
        .path = "mpc.coordinator.v1.SessionCoordinator/ReportCompletion",
        .message = &message.base,
        .response = &mpc__coordinator__v1__report_completion_response__descriptor,
        .deadline_ms = CALL_MS,
        .trace = trace_of(entry),
        .done = on_reported};
    const Mpc__Keeper__V1__Outcome *outcome = outcome_of(entry, attempt);

    if (!outcome || !copy_outcome(&message, outcome)) {
        front_session_reported(&entry->core, attempt, FRONT_ANSWER_REFUSED);
        return;
    }
    call.arg = new_ref(front, entry, attempt);
    message.session_id = entry->id;
    message.party_id = (char *)front_link_party(front->link);
    message.attempt = attempt;
    message.session_token = entry->session_token;
    front_link_call(front->link, &call);
}

static void on_submitted(void *arg, enum front_answer answer, const struct rpc_status *status,
                         const ProtobufCMessage *response)
{
    struct front *front;
    uint32_t attempt;
    const struct said said = {answer, status, "the sealed share was refused"};
    struct front_entry *entry = take_answer(arg, &front, &attempt, &said);

    (void)response;
    if (!entry)
        return;
    front_act(front, entry, front_session_submitted(&entry->core, answer));
}

static void start_submit(struct front *front, struct front_entry *entry)
{
    Mpc__Coordinator__V1__SubmitDelegateShareRequest message =
        MPC__COORDINATOR__V1__SUBMIT_DELEGATE_SHARE_REQUEST__INIT;
    struct front_link_call call = {
        .path = "mpc.coordinator.v1.SessionCoordinator/SubmitDelegateShare",
        .message = &message.base,
        .response = &mpc__coordinator__v1__submit_delegate_share_response__descriptor,
        .deadline_ms = CALL_MS,
        .trace = trace_of(entry),
        .done = on_submitted,
        .arg = new_ref(front, entry, entry->core.attempt)};

    message.session_id = entry->id;
    message.party_id = (char *)front_link_party(front->link);
    message.session_token = entry->session_token;
    message.sealed_share = (ProtobufCBinaryData){.len = entry->share_len, .data = entry->share};
    front_link_call(front->link, &call);
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
        start_join(front, entry);
    if (actions & FRONT_SUBMIT)
        start_submit(front, entry);
    if (actions & FRONT_REPORT)
        while (front_session_next_report(&entry->core, &attempt))
            start_report(front, entry, attempt);
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
        tell_host_joined(front, entry, &ok);
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
