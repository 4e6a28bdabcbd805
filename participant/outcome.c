/* SPDX-License-Identifier: Apache-2.0 */
/* Frames about runs. An outcome carries a key's certificate, a signature, a presignature's id, or a
 * failure: code, sentence, and what is known about who is to blame. Evidence only where the accused
 * signed what proves it. */
#include "participant/outcome.h"

#include "quorate/certificate.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/ids.h"
#include "system/core/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef Mpc__Keeper__V1__Outcome outcome_message;
typedef Mpc__Coordinator__V1__FailureOutcome failure_message;

/* Messages */

void outgoing_add(struct outgoing *out, uint16_t to, const uint8_t *b, size_t len)
{
    if (out->n == out->cap) {
        struct outgoing_message *grown;

        out->cap = out->cap ? 2 * out->cap : 8;
        grown = mem_new(out->cap, sizeof *grown);
        if (out->n > 0)
            memcpy(grown, out->messages, out->n * sizeof *grown);
        free(out->messages);
        out->messages = grown;
    }
    out->messages[out->n++] = (struct outgoing_message){to, mem_copy(b, len), len};
}

static void outgoing_free(struct outgoing *out)
{
    for (size_t i = 0; i < out->n; i++)
        free(out->messages[i].b);
    free(out->messages);
    *out = (struct outgoing){0};
}

/* The party ids of |to|: pointers into the setup. */
static size_t receivers(const struct run *run, uint16_t to, char **out)
{
    size_t n = 0;

    for (size_t i = 0; i < run->permit.n; i++) {
        uint16_t index = run->permit.indices[i];

        if (index != run->permit.own && (to == QRT_EVERYBODY || to == index))
            out[n++] = run->setup->members[i]->party_id;
    }
    return n;
}

/* A run whose pair was burned by another says nothing more. */
void outgoing_send(struct outgoing *out, struct run *run)
{
    Mpc__Keeper__V1__FromKeeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;
    Mpc__Keeper__V1__Send send = MPC__KEEPER__V1__SEND__INIT;
    Mpc__Keeper__V1__Outgoing *rows = mem_new(out->n + 1, sizeof *rows);
    Mpc__Keeper__V1__Outgoing **list = mem_new(out->n + 1, sizeof *list);
    char **names = mem_new(out->n * run->permit.n + 1, sizeof *names);

    for (size_t i = 0; i < out->n; i++) {
        mpc__keeper__v1__outgoing__init(&rows[i]);
        rows[i].to = names + i * run->permit.n;
        rows[i].n_to = receivers(run, out->messages[i].to, rows[i].to);
        rows[i].payload = (ProtobufCBinaryData){out->messages[i].len, out->messages[i].b};
        list[i] = &rows[i];
    }
    send.session_id = run->setup->session_id;
    send.attempt = run->setup->attempt;
    send.messages = list;
    send.n_messages = out->n;
    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_SEND;
    frame.send = &send;
    if (out->n > 0 && atomic_load(&run->end) != RUN_BURNED)
        keeper_emit(run->keeper, &frame);
    free(names);
    free(list);
    free(rows);
    outgoing_free(out);
}

/* Outcomes */

static void emit(struct keeper *keeper, outcome_message *outcome)
{
    Mpc__Keeper__V1__FromKeeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;

    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_OUTCOME;
    frame.outcome = outcome;
    keeper_emit(keeper, &frame);
}

static outcome_message outcome_for(const struct run *run)
{
    outcome_message outcome = MPC__KEEPER__V1__OUTCOME__INIT;

    outcome.session_id = run->setup->session_id;
    outcome.attempt = run->setup->attempt;
    return outcome;
}

static void emit_failure(struct keeper *keeper, outcome_message *outcome, failure_message *failure)
{
    atomic_fetch_add(&keeper->counts.failures, 1);
    outcome->outcome_case = MPC__KEEPER__V1__OUTCOME__OUTCOME_FAILURE;
    outcome->failure = failure;
    emit(keeper, outcome);
}

static int64_t ms_since_begin(const struct run *run)
{
    return (int64_t)(clock_steady_us() - run->began_us) / 1000;
}

static void log_failure(const struct run *run, const char *what, const char *code, const char *text)
{
    log_event(LOG_WARN, what, LOG_S("session", run->setup->session_id),
              LOG_S("trace", run->setup->trace_id), LOG_I("attempt", run->setup->attempt),
              LOG_S("type", run->setup->session_type), LOG_S("code", code), LOG_S("text", text),
              LOG_I("ms", ms_since_begin(run)));
}

static void log_success(const struct run *run, const char *what)
{
    log_event(LOG_INFO, what, LOG_S("session", run->setup->session_id),
              LOG_S("trace", run->setup->trace_id), LOG_I("attempt", run->setup->attempt),
              LOG_I("ms", ms_since_begin(run)));
}

void outcome_refused(struct keeper *keeper, const char *session_id, uint32_t attempt,
                     const struct refusal *refusal)
{
    outcome_message outcome = MPC__KEEPER__V1__OUTCOME__INIT;
    failure_message failure = MPC__COORDINATOR__V1__FAILURE_OUTCOME__INIT;

    outcome.session_id = (char *)session_id;
    outcome.attempt = attempt;
    failure.code = (char *)refusal->code;
    failure.text = (char *)refusal->text;
    failure.retry = refusal->retry;
    emit_failure(keeper, &outcome, &failure);
}

static void fail_by_host(struct run *run)
{
    if (!run->owes_burn)
        outcome_refused(run->keeper, run->setup->session_id, run->setup->attempt, &run->refusal);
    log_failure(run, "run refused", run->refusal.code, run->refusal.text);
}

/* A run of the protocol that failed, or did not end in time. */
static void fail_by_protocol(struct run *run, failure_message *failure, const char *text)
{
    outcome_message outcome = outcome_for(run);

    failure->text = (char *)text;
    failure->retry = true;
    emit_failure(run->keeper, &outcome, failure);
    log_failure(run, "run failed", failure->code, text);
}

static void fail_silent(struct run *run)
{
    failure_message failure = MPC__COORDINATOR__V1__FAILURE_OUTCOME__INIT;
    uint16_t silent[QRT_PARTIES_MAX];
    uint32_t waiting[QRT_PARTIES_MAX];
    size_t n = qrt_run_waiting_for(qrt_peer_run(run->peer), silent, QRT_PARTIES_MAX);
    char text[REFUSAL_TEXT_MAX] = "the attempt did not end in time";

    for (size_t i = 0; i < n; i++)
        waiting[i] = silent[i];
    if (n > 0)
        snprintf(text, sizeof text, "no message of round %d came in time from party %s%s",
                 qrt_run_round(qrt_peer_run(run->peer)), run_party_of(run, silent[0]),
                 n > 1 ? " and others" : "");
    failure.code = "SILENT";
    failure.waiting_for = waiting;
    failure.n_waiting_for = n;
    fail_by_protocol(run, &failure, text);
}

/* A peer's word why he ended the run: not his culprit, he tells that himself. */
static void fail_by_peer(struct run *run, const struct qrt_peer_abort *abort)
{
    failure_message failure = MPC__COORDINATOR__V1__FAILURE_OUTCOME__INIT;
    char text[REFUSAL_TEXT_MAX];

    snprintf(text, sizeof text, "party %s ended the run: %s", run_party_of(run, abort->from),
             abort->error == QRT_E_PEER_ABORT ? "for a reason unknown here"
                                              : qrt_err_text(abort->error));
    failure.code = (char *)qrt_err_name(QRT_E_PEER_ABORT);
    if (abort->error == QRT_E_SG_EXTENSION && abort->accused == run->permit.own && run->share)
        run_note_burn(run, abort->from);
    fail_by_protocol(run, &failure, text);
}

static void fail_by_check(struct run *run)
{
    const struct qrt_run *inner = qrt_peer_run(run->peer);
    enum qrt_err e = qrt_run_error(inner);
    enum qrt_class class = qrt_err_class(e);
    failure_message failure = MPC__COORDINATOR__V1__FAILURE_OUTCOME__INIT;
    uint16_t culprit = qrt_run_culprit(inner);
    char text[REFUSAL_TEXT_MAX];
    size_t len;
    const uint8_t *evidence = qrt_peer_evidence(run->peer, &len);

    snprintf(text, sizeof text, culprit ? "%s (party %s)" : "%s", qrt_err_text(e),
             culprit ? run_party_of(run, culprit) : "");
    failure.code = (char *)qrt_err_name(e);
    failure.culprit = culprit;
    if (evidence && (class == QRT_CLASS_B2 || class == QRT_CLASS_BURN))
        failure.evidence = (ProtobufCBinaryData){len, (uint8_t *)evidence};
    fail_by_protocol(run, &failure, text);
}

static void failed(struct run *run)
{
    const struct qrt_peer_abort *abort = qrt_run_peer_abort(qrt_peer_run(run->peer));

    if (run->refusal.code)
        fail_by_host(run);
    else if (abort)
        fail_by_peer(run, abort);
    else
        fail_by_check(run);
}

/* A delegate's share goes to its owner before the key counts as made. */
static void give_sealed(struct run *run)
{
    Mpc__Keeper__V1__FromKeeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;
    Mpc__Keeper__V1__SealedShare share = MPC__KEEPER__V1__SEALED_SHARE__INIT;
    struct store_sealed given;

    if (!delegate_is_active(run->keeper->delegate) ||
        store_get_sealed(run->keeper->store, &given, run->setup->session_id) != STORE_OK)
        return;
    share.session_id = run->setup->session_id;
    share.sealed = (ProtobufCBinaryData){given.sealed_len, given.sealed};
    share.public_key = (ProtobufCBinaryData){sizeof given.public_key, given.public_key};
    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_SEALED_SHARE;
    frame.sealed_share = &share;
    keeper_emit(run->keeper, &frame);
    store_sealed_free(&given);
}

void outcome_key(struct run *run, const struct qrt_share *share)
{
    Mpc__Coordinator__V1__KeyOutcome key = MPC__COORDINATOR__V1__KEY_OUTCOME__INIT;
    outcome_message outcome = outcome_for(run);
    struct qrt_bytes out = {.cap = qrt_certificate_size(share->n, share->dealers_n)};

    out.b = mem_new(1, out.cap);
    if (qrt_certificate_export(&out, share) == QRT_OK) {
        give_sealed(run);
        key.certificate = (ProtobufCBinaryData){out.len, out.b};
        outcome.outcome_case = MPC__KEEPER__V1__OUTCOME__OUTCOME_KEY;
        outcome.key = &key;
        emit(run->keeper, &outcome);
        memcpy(run->key_id, share->keyid, 32);
        run->has_key = true;
        log_success(run, "key made");
    }
    free(out.b);
}

static void made_key(struct run *run)
{
    struct refusal refusal = {0};
    const struct qrt_share *fresh =
        run->resumed ? &run->pending : qrt_keygen_share(qrt_peer_run(run->peer));
    struct share_held *held = NULL;

    /* What was stored is what counts, and it has the certificate. */
    if (fresh)
        held = shares_get(run->keeper->shares, run->permit.account_id, fresh->keyid, &refusal);
    if (held)
        outcome_key(run, &held->share);
    else
        outcome_refused(run->keeper, run->setup->session_id, run->setup->attempt, &refusal);
    shares_put(held);
}

static void made_signature(struct run *run)
{
    Mpc__Coordinator__V1__SignOutcome signature = MPC__COORDINATOR__V1__SIGN_OUTCOME__INIT;
    outcome_message outcome = outcome_for(run);
    struct qrt_sig sig;
    uint8_t b[65];

    if (qrt_sign_result(qrt_peer_run(run->peer), &sig, NULL, NULL) != QRT_OK) {
        failed(run);
        return;
    }
    memcpy(b, sig.r, 32);
    memcpy(b + 32, sig.s, 32);
    b[64] = sig.recid;
    signature.signature = (ProtobufCBinaryData){sizeof b, b};
    outcome.outcome_case = MPC__KEEPER__V1__OUTCOME__OUTCOME_SIGNATURE;
    outcome.signature = &signature;
    atomic_fetch_add(&run->keeper->counts.signatures, 1);
    if (run->protocol == QRT_ONLINE)
        atomic_fetch_add(&run->keeper->counts.signatures_online, 1);
    emit(run->keeper, &outcome);
    log_success(run, "signed");
}

static void made_presignature(struct run *run)
{
    Mpc__Coordinator__V1__PresignOutcome made = MPC__COORDINATOR__V1__PRESIGN_OUTCOME__INIT;
    outcome_message outcome = outcome_for(run);
    uint8_t id[32];
    char text[65];

    if (!run_keep_presignature(run, id)) {
        failed(run);
        return;
    }
    made.presignature_id = (ProtobufCBinaryData){sizeof id, id};
    outcome.outcome_case = MPC__KEEPER__V1__OUTCOME__OUTCOME_PRESIGNATURE;
    outcome.presignature = &made;
    emit(run->keeper, &outcome);
    hex_encode(text, id, sizeof id);
    log_event(LOG_INFO, "presignature made", LOG_S("session", run->setup->session_id),
              LOG_S("trace", run->setup->trace_id), LOG_S("presignature", text),
              LOG_I("ms", ms_since_begin(run)));
}

static void done(struct run *run)
{
    switch (run->protocol) {
    case QRT_KEYGEN:
        made_key(run);
        break;
    case QRT_SIGN:
    case QRT_ONLINE:
        made_signature(run);
        break;
    case QRT_PRESIGN:
        made_presignature(run);
        break;
    }
}

/* An end from outside, with a word. */
static void ended(struct run *run, int end)
{
    const char *id = run->keeper->rules.party_id;

    if (end == RUN_BURNED)
        refuse_for_now(&run->refusal, "BURNED", "%s", qrt_err_text(QRT_E_BURNED));
    else if (end == RUN_FROZEN)
        refuse(&run->refusal, "FROZEN", "the operator has frozen this account or the system");
    else if (run->peer) {
        fail_silent(run);
        return;
    } else if (run->policy_until_ms)
        refuse_for_now(&run->refusal, "POLICY_RETRY", "the policy of party %s did not answer", id);
    else if (delegate_is_active(run->keeper->delegate))
        refuse_for_now(&run->refusal, "NO_SHARE", "the user's share was not handed in in time");
    else
        refuse_for_now(&run->refusal, "OVERLOADED", "party %s was too busy to begin", id);
    fail_by_host(run);
}

void outcome_of(struct run *run)
{
    int end = atomic_load(&run->end);
    enum qrt_phase phase = run->peer ? qrt_run_phase(qrt_peer_run(run->peer)) : QRT_PHASE_FAILED;

    if (phase == QRT_PHASE_DONE)
        done(run);
    else if (run->refusal.code)
        fail_by_host(run);
    else if (end != RUN_GOES_ON)
        ended(run, end);
    else if (run->peer)
        failed(run);
}
