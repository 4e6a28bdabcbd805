/* SPDX-License-Identifier: Apache-2.0 */
/* The first word of a party about an attempt counts; a repeat is acknowledged. Whatever comes after
 * the end is acknowledged and recorded: a session that has failed or expired stays so, also if a
 * signature comes later, because its caller was told; the log then says that one exists. What a
 * party says of a key is acknowledged when it is durable. */
#include "services/coordinator/report.h"

#include "services/coordinator/dispatch.h"
#include "services/coordinator/orders.h"
#include "services/coordinator/party_calls.h"
#include "services/coordinator/presig_stock.h"
#include "services/coordinator/record.h"
#include "services/coordinator/store_read.h"
#include "services/coordinator/verify.h"
#include "services/coordinator/watch.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/core/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVIDENCE_MAX = 1 << 18, PRESIGNATURE_ID_LEN = 32 };

/* A report on its way through the checks. */
struct report {
    struct coordinator *c;
    struct record *r;
    struct rpc_call *call;
    const Mpc__Coordinator__V1__ReportCompletionRequest *in;
    uint8_t seat;
    struct store_report row;
    struct flow *flow;
    struct session_out out;
};

static void acknowledge(struct coordinator *c, struct rpc_call *call, struct record *r)
{
    Mpc__Coordinator__V1__ReportCompletionResponse m =
        MPC__COORDINATOR__V1__REPORT_COMPLETION_RESPONSE__INIT;

    (void)c;
    m.status = (char *)(uintptr_t)session_status_name(r->row.status);
    rpc_reply(call, &m.base);
}

/* Now, or with the end that is being written. */
static void answer(struct coordinator *c, struct rpc_call *call, struct record *r)
{
    if (r->is_settling)
        watch_end(c, r, call, acknowledge, 0);
    else
        acknowledge(c, call, r);
}

static void stored(void *arg, struct flow *flow, enum db_result result)
{
    if (result == DB_OK)
        answer(flow->c, arg, flow->r);
    else
        rpc_fail(arg, flow_store_fault(flow->c));
}

/* Every party's report of a key counts, and a party does not make one again that was acknowledged:
 * it is durable first. Of a signature any party's is enough. */
static bool waits_for_disk(const struct record *r)
{
    return session_type_is_keygen(r->state.type) && !session_is_final(&r->state);
}

static void commit(struct report *report)
{
    struct flow *flow = report->flow;
    bool waits = waits_for_disk(report->r);

    if (waits) {
        flow->done = stored;
        flow->arg = report->call;
    }
    flow_commit(flow, waits);
    if (!waits)
        answer(report->c, report->call, report->r);
}

static void note(struct report *report)
{
    struct change *change = report->flow->change;

    record_note_report(report->r, &report->row);
    change->has_report = true;
    change->report = report->row;
    commit(report);
}

static void over(struct report *report, const char *code, const char *reason)
{
    if (report->out.attempt_over)
        dispatch_attempt_over(report->flow, code, reason);
}

/* Whom the party waited for in vain. */
static uint64_t waited_for(const struct record *r,
                           const Mpc__Coordinator__V1__FailureOutcome *failure)
{
    uint64_t seats = 0;

    for (size_t i = 0; i < failure->n_waiting_for; i++) {
        uint8_t seat = record_seat_of_index(r, failure->waiting_for[i]);

        if (seat != SEAT_NONE)
            seats |= UINT64_C(1) << seat;
    }
    return seats;
}

/* May it be asked again? As the party says; and who refuses for a freeze that has just ended will
 * read of that. */
static bool is_passing(const struct report *report)
{
    const Mpc__Coordinator__V1__FailureOutcome *f = report->in->failure;

    return f->retry ||
           (strcmp(f->code, "FROZEN") == 0 &&
            orders_thawed(report->c->orders, report->r->row.account_id, clock_unix_ms()));
}

static void take_failure(struct report *report)
{
    const Mpc__Coordinator__V1__FailureOutcome *f = report->in->failure;
    bool retry = is_passing(report);
    struct store_report *row = &report->row;
    struct session_failure failure = {.attempt = report->in->attempt,
                                      .seat = report->seat,
                                      .culprit = record_seat_of_index(report->r, f->culprit),
                                      .waited = waited_for(report->r, f),
                                      .retry = retry,
                                      .excuse = excuse_of(f->code, retry, f->culprit != 0)};
    char reason[ERROR_TEXT_MAX];

    snprintf(row->code, sizeof row->code, "%s", f->code[0] ? f->code : "FAILED");
    snprintf(row->text, sizeof row->text, "%s", f->text);
    utf8_mend(row->code);
    utf8_mend(row->text);
    row->culprit = (uint16_t)(f->culprit <= QRT_INDEX_MAX ? f->culprit : 0);
    row->retry = retry;
    if (f->evidence.len <= EVIDENCE_MAX)
        row->evidence = store_bytes_copy(f->evidence.data, f->evidence.len);
    snprintf(reason, sizeof reason, "%.64s: %s: %.140s", record_party(report->r, report->seat),
             row->code, row->text);
    (void)session_failed(&report->r->state, &report->out, &failure);
    if (report->r->state.type != SESSION_PRESIGN) /* of that a party may do none at all */
        pool_note_excuse(report->c->pool, record_party(report->r, report->seat), &report->r->intent,
                         failure.excuse, clock_unix_ms());
    over(report, row->code, reason);
    note(report);
}

/* A party that reports what does not verify is treated as one that refused. */
static void take_false_report(struct report *report, const char *what)
{
    const struct session_failure failure = {
        .attempt = report->in->attempt, .seat = report->seat, .culprit = SEAT_NONE, .retry = false};
    struct rpc_call *call = report->call;
    char reason[ERROR_TEXT_MAX];

    snprintf(report->row.code, sizeof report->row.code, "INVALID_RESULT");
    snprintf(report->row.text, sizeof report->row.text, "%s", what);
    snprintf(reason, sizeof reason, "%.64s reported a result that does not verify",
             record_party(report->r, report->seat));
    (void)session_failed(&report->r->state, &report->out, &failure);
    over(report, "INVALID_RESULT", reason);
    record_note_report(report->r, &report->row);
    report->flow->change->has_report = true;
    report->flow->change->report = report->row;
    flow_commit(report->flow, false);
    rpc_fail(call, rpc_error(RPC_INVALID, "invalid_result", "%s", what));
}

/* The other signers' reports have the bytes that were verified with the first. */
static bool is_known(const struct record *r, const ProtobufCBinaryData *signature)
{
    return r->row.has_signature && signature->len == sizeof r->row.signature &&
           memcmp(signature->data, r->row.signature, signature->len) == 0;
}

static void take_signature(struct report *report)
{
    struct record *r = report->r;
    const ProtobufCBinaryData *signature = &report->in->signature->signature;
    const char *detail = session_is_final(&r->state) && r->state.status != SESSION_COMPLETED
                             ? "a valid signature came after the session had ended"
                             : NULL;

    if (!session_type_is_sign(r->state.type) ||
        (!is_known(r, signature) && !verify_signature(report->c, r, signature))) {
        take_false_report(report, "signature does not verify under the session's key and hash");
        return;
    }
    if (session_signed(&r->state, &report->out, report->seat, report->in->attempt)) {
        if (report->out.ended) {
            memcpy(r->row.signature, signature->data, sizeof r->row.signature);
            r->row.has_signature = true;
        }
        flow_say(report->flow, &report->out, NULL);
        pool_note_service(report->c->pool, record_party(r, report->seat), &r->intent);
        if (detail && report->flow->change->events_n > 0)
            snprintf(report->flow->change->events[0].detail, ERROR_TEXT_MAX, "%s", detail);
    }
    note(report);
}

/* A keygen's or a presigning's part of the result; |public_key| may be NULL. Nobody reads of a key
 * before all have confirmed it. */
static void take_made(struct report *report, const uint8_t result[32], const char *public_key)
{
    struct record *r = report->r;
    char reason[ERROR_TEXT_MAX];

    report->row.has_result = true;
    memcpy(report->row.result, result, sizeof report->row.result);
    if (session_made(&r->state, &report->out, report->seat, report->in->attempt, result))
        flow_say(report->flow, &report->out, NULL);
    if (report->out.ended && public_key)
        snprintf(r->row.public_key, sizeof r->row.public_key, "%s", public_key);
    snprintf(reason, sizeof reason, "%.64s reported another result than the parties before it",
             record_party(r, report->seat));
    over(report, "RESULTS_DIFFER", reason);
    note(report);
}

static void take_key(struct report *report)
{
    struct record *r = report->r;
    const ProtobufCBinaryData *certificate = &report->in->key->certificate;
    char public_key[PUBLIC_KEY_MAX];
    uint8_t result[32];

    if (!session_type_is_keygen(r->state.type) ||
        !verify_certificate(result, public_key, report->c, r, certificate)) {
        take_false_report(report, "certificate does not verify, or is not of the intent's parties");
        return;
    }
    if (!session_is_final(&r->state) && report->in->attempt + 1 == r->state.attempts_n)
        report->flow->change->certificate = store_bytes_copy(certificate->data, certificate->len);
    take_made(report, result, public_key);
}

static void take_presignature(struct report *report)
{
    const ProtobufCBinaryData *id = &report->in->presignature->presignature_id;

    if (report->r->state.type != SESSION_PRESIGN || id->len != PRESIGNATURE_ID_LEN) {
        take_false_report(report, "presignature_id must be 32 bytes, in a session that presigns");
        return;
    }
    take_made(report, id->data, NULL);
    if (report->out.ended)
        presig_stock_put(report->c, report->r);
}

/* The first may be on its way to the disk. */
static void take_repeat(struct report *report)
{
    if (waits_for_disk(report->r) && report->r->commits_pending > 0) {
        report->flow = flow_new(report->c, report->r);
        commit(report);
    } else {
        answer(report->c, report->call, report->r);
    }
}

static void take(struct report *report)
{
    report->flow = flow_new(report->c, report->r);
    switch (report->in->outcome_case) {
    case MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__OUTCOME_KEY:
        take_key(report);
        break;
    case MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__OUTCOME_SIGNATURE:
        take_signature(report);
        break;
    case MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__OUTCOME_PRESIGNATURE:
        take_presignature(report);
        break;
    default:
        take_failure(report);
        break;
    }
}

/* A signature is worth a look even from a party that has given the attempt up before. */
static bool is_repeat(const struct record *r,
                      const Mpc__Coordinator__V1__ReportCompletionRequest *in)
{
    const struct store_report *before = record_report(r, in->party_id, in->attempt);

    return before &&
           (!before->code[0] ||
            in->outcome_case != MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__OUTCOME_SIGNATURE);
}

/* A report of a session that is not in memory: recorded, if the party had a part in it. */
struct late {
    struct coordinator *c;
    struct rpc_call *call;
    struct store_late *row;
};

static void late_stored(void *arg, enum db_result result)
{
    (void)result; /* a note about a session that has ended: the next start does not need it */
    free(arg);
}

static struct rpc_status not_a_member(void)
{
    return rpc_error(RPC_DENIED, "not_invited", "this party does not take part in the session");
}

static struct rpc_status no_such_attempt(uint32_t attempt)
{
    return rpc_error(RPC_INVALID, "invalid_field",
                     "attempt: the session has not come to attempt %u", attempt);
}

/* Is it one of |list|, comma separated? */
static bool is_listed(const char *list, const char *party_id)
{
    size_t len = strlen(party_id);

    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, party_id, len) == 0 && (at[len] == ',' || !at[len]))
            return true;
    }
    return false;
}

static struct rpc_status check_late(const struct late *late, const struct store_get *get)
{
    if (!get->found)
        return rpc_error(RPC_NOT_FOUND, "session_not_found", "there is no session %.40s",
                         get->session_id);
    if (!is_listed(get->row.everybody, late->row->report.party_id))
        return not_a_member();
    if (late->row->report.attempt >= get->row.attempts_n)
        return no_such_attempt(late->row->report.attempt);
    return rpc_ok();
}

static void take_late(struct late *late, const struct store_get *get)
{
    Mpc__Coordinator__V1__ReportCompletionResponse m =
        MPC__COORDINATOR__V1__REPORT_COMPLETION_RESPONSE__INIT;

    log_event(LOG_INFO, "a report came after the end", LOG_S("session", get->session_id),
              LOG_S("trace", get->row.trace_id), LOG_S("party", late->row->report.party_id));
    db_submit(late->c->db, DB_LAZY, store_late, late_stored, late->row);
    late->row = NULL;
    m.status = (char *)(uintptr_t)session_status_name(get->row.status);
    rpc_reply(late->call, &m.base);
}

static void old_session_read(void *arg, enum db_result result)
{
    struct store_get *get = arg;
    struct late *late = get->owner;
    struct rpc_status status = result == DB_OK ? check_late(late, get) : flow_database_fault();

    if (status.code == RPC_OK)
        take_late(late, get);
    else
        rpc_fail(late->call, status);
    free(late->row);
    free(late);
    store_get_free(get);
}

static struct store_late *late_row(const Mpc__Coordinator__V1__ReportCompletionRequest *in)
{
    struct store_late *row = mem_new(1, sizeof *row);
    bool failed =
        in->outcome_case == MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__OUTCOME_FAILURE;

    snprintf(row->session_id, sizeof row->session_id, "%s", in->session_id);
    snprintf(row->report.party_id, sizeof row->report.party_id, "%s", in->party_id);
    snprintf(row->report.code, sizeof row->report.code, "%s", failed ? in->failure->code : "");
    snprintf(row->report.text, sizeof row->report.text, "%s", failed ? in->failure->text : "");
    row->report.attempt = in->attempt;
    row->at_ms = clock_unix_ms();
    return row;
}

static void ask_late(struct coordinator *c, struct rpc_call *call,
                     const Mpc__Coordinator__V1__ReportCompletionRequest *in)
{
    struct store_get *get = mem_new(1, sizeof *get);
    struct late *late = mem_new(1, sizeof *late);

    *late = (struct late){c, call, late_row(in)};
    get->owner = late;
    snprintf(get->session_id, sizeof get->session_id, "%s", in->session_id);
    db_submit(c->db, DB_READ, store_get, old_session_read, get);
}

static struct rpc_status check(const struct coordinator *c, struct rpc_call *call,
                               const Mpc__Coordinator__V1__ReportCompletionRequest *in)
{
    struct rpc_status status =
        party_token_check(c, call, in->session_token, in->session_id, in->party_id);

    if (status.code == RPC_OK &&
        in->outcome_case == MPC__COORDINATOR__V1__REPORT_COMPLETION_REQUEST__OUTCOME__NOT_SET)
        status = rpc_error(RPC_INVALID, "invalid_field",
                           "one of key, signature, presignature, failure must be there");
    return status;
}

void report_completion(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct coordinator *c = service;
    struct report report = {.c = c, .call = call, .in = (const void *)request};
    struct rpc_status status = check(c, call, report.in);
    struct record *r = record_find(c, report.in->session_id);

    if (status.code != RPC_OK) {
        rpc_fail(call, status);
        return;
    }
    if (!r) {
        ask_late(c, call, report.in);
        return;
    }
    report.r = r;
    report.seat = record_seat(r, report.in->party_id);
    if (report.seat == SEAT_NONE || !(r->state.seats[report.seat] & SEAT_EVER)) {
        rpc_fail(call, not_a_member());
    } else if (report.in->attempt >= r->state.attempts_n) {
        rpc_fail(call, no_such_attempt(report.in->attempt));
    } else if (is_repeat(r, report.in)) {
        take_repeat(&report);
    } else {
        snprintf(report.row.party_id, sizeof report.row.party_id, "%s", report.in->party_id);
        report.row.attempt = report.in->attempt;
        take(&report);
    }
}
