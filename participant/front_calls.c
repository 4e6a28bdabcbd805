/* SPDX-License-Identifier: Apache-2.0 */
/* Calls about a session, and their answers as facts for front_session.h. A call carries the
 * session's id, not the session: whatever was forgotten meanwhile is not there any more. */
#include "participant/front_state.h"

#include "system/core/buffer.h"
#include "system/core/log.h"
#include "system/core/metrics.h"

#include <stdlib.h>
#include <string.h>

enum { CALL_MS = 5000 };

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

/* Joining. */

void front_tell_joined(struct front *front, struct front_entry *entry,
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
        front_tell_joined(front, entry, &told);
}

void front_start_join(struct front *front, struct front_entry *entry)
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

void front_start_report(struct front *front, struct front_entry *entry, uint32_t attempt)
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

void front_start_submit(struct front *front, struct front_entry *entry)
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
