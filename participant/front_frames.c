/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper says. What is about a session that is over, or about an attempt before its
 * present one, is dropped; an outcome is kept until it is acknowledged. */
#include "participant/front_state.h"

#include "system/core/buffer.h"
#include "system/core/log.h"
#include "system/core/metrics.h"
#include "system/rpc/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The router would refuse every registration. */
static bool is_own_certificate(struct front *front, const char *party_id)
{
    const char *named = front->params.tls_party;
    char why[320];

    if (!named[0] || strcmp(named, party_id) == 0)
        return true;
    snprintf(why, sizeof why,
             "GRPC_TLS_CERT is the TLS certificate of party %s, but CERTIFICATE_FILE says that "
             "this is party %s: give it its own (quorate pki issue --party %s)",
             named, party_id, party_id);
    front->params.fault(front->params.fault_arg, why);
    return false;
}

static void take_ready(struct front *front, const Mpc__Keeper__V1__Ready *ready)
{
    Mpc__Keeper__V1__GetShareKey ask = MPC__KEEPER__V1__GET_SHARE_KEY__INIT;

    if (!is_own_certificate(front, ready->party_id))
        return;
    log_event(LOG_INFO, "the keeper is ready", LOG_S("party", ready->party_id),
              LOG_S("role", ready->role));
    if (!strcmp(ready->role, "delegate"))
        front_to_keeper(front, MPC__KEEPER__V1__TO_KEEPER__REQUEST_GET_SHARE_KEY, &ask, 0);
    front_link_ready(front->link, ready);
}

static struct front_entry *find_live(struct front *front, const char *session_id)
{
    struct front_entry *entry = front_table_find(&front->table, session_id);

    return entry && !entry->core.has_ended ? entry : NULL;
}

static void take_send(struct front *front, const Mpc__Keeper__V1__Send *send)
{
    struct front_entry *entry = find_live(front, send->session_id);

    if (!entry || send->attempt != entry->core.attempt)
        return;
    for (size_t i = 0; i < send->n_messages; i++)
        front_outbox_add(front->outbox, &entry->mail, entry->id, send->attempt, send->messages[i]);
    metric_set(front->metrics.kept, (int64_t)front_outbox_bytes(front->outbox));
}

static void log_outcome(const struct front_entry *entry, const Mpc__Keeper__V1__Outcome *outcome)
{
    const bool failed = outcome->outcome_case == MPC__KEEPER__V1__OUTCOME__OUTCOME_FAILURE;
    const Mpc__Coordinator__V1__FailureOutcome *failure = failed ? outcome->failure : NULL;

    if (!failure) {
        log_event(LOG_INFO, "session done here", LOG_S("session", entry->id),
                  LOG_S("trace", entry->trace), LOG_I("attempt", outcome->attempt));
        return;
    }
    log_event(LOG_WARN, "session failed here", LOG_S("session", entry->id),
              LOG_S("trace", entry->trace), LOG_I("attempt", outcome->attempt),
              LOG_S("code", failure->code), LOG_S("error", failure->text));
}

/* Beside its report in the core. False: it has one, or there is no room. */
static bool keep_outcome(struct front_entry *entry, const Mpc__Keeper__V1__Outcome *outcome)
{
    for (uint32_t i = 0; i < entry->core.reports_n; i++) {
        if (entry->core.reports[i].attempt != outcome->attempt)
            continue;
        if (entry->outcomes[i] && entry->outcomes[i]->attempt == outcome->attempt)
            return false;
        if (entry->outcomes[i])
            mpc__keeper__v1__outcome__free_unpacked(entry->outcomes[i], NULL);
        entry->outcomes[i] = message_copy(&outcome->base);
        return true;
    }
    return false;
}

/* False: it has one of this attempt. */
static bool report_outcome(struct front *front, struct front_entry *entry,
                           const Mpc__Keeper__V1__Outcome *outcome)
{
    unsigned actions = front_session_outcome(&entry->core, outcome->attempt);

    if (!keep_outcome(entry, outcome))
        return false;
    log_outcome(entry, outcome);
    front_act(front, entry, actions);
    return true;
}

/* Once the session has ended nobody wants a report, but the host may still wait for the result. */
static void take_outcome(struct front *front, const Mpc__Keeper__V1__Outcome *outcome)
{
    struct front_entry *entry = front_table_find(&front->table, outcome->session_id);

    if (!entry || !entry->core.is_known || outcome->attempt > entry->core.attempt)
        return;
    if (!entry->core.has_ended && !report_outcome(front, entry, outcome))
        return;
    if (front->host.outcome)
        front->host.outcome(front->host.arg, outcome);
}

static void take_share(struct front *front, const Mpc__Keeper__V1__SealedShare *share)
{
    struct front_entry *entry = find_live(front, share->session_id);

    if (!entry || !share->sealed.len)
        return;
    if (!entry->share || entry->share_len != share->sealed.len ||
        memcmp(entry->share, share->sealed.data, share->sealed.len) != 0) {
        free(entry->share);
        entry->share = mem_copy(share->sealed.data, share->sealed.len);
        entry->share_len = share->sealed.len;
        front_act(front, entry, front_session_share(&entry->core));
    }
    if (front->host.share)
        front->host.share(front->host.arg, share);
}

static void take_share_key(struct front *front, const Mpc__Keeper__V1__ShareKey *key)
{
    if (key->public_key.len != sizeof front->share_key)
        return;
    memcpy(front->share_key, key->public_key.data, sizeof front->share_key);
    front->has_share_key = true;
}

void front_take_frame(void *arg, const Mpc__Keeper__V1__FromKeeper *frame)
{
    struct front *front = arg;

    switch (frame->reply_case) {
    case MPC__KEEPER__V1__FROM_KEEPER__REPLY_READY:
        take_ready(front, frame->ready);
        return;
    case MPC__KEEPER__V1__FROM_KEEPER__REPLY_SEND:
        take_send(front, frame->send);
        return;
    case MPC__KEEPER__V1__FROM_KEEPER__REPLY_OUTCOME:
        take_outcome(front, frame->outcome);
        return;
    case MPC__KEEPER__V1__FROM_KEEPER__REPLY_PROOF:
        front_link_proof(front->link, frame->proof);
        return;
    case MPC__KEEPER__V1__FROM_KEEPER__REPLY_STATS:
        front_take_stats(front, frame->stats);
        return;
    case MPC__KEEPER__V1__FROM_KEEPER__REPLY_SEALED_SHARE:
        take_share(front, frame->sealed_share);
        return;
    case MPC__KEEPER__V1__FROM_KEEPER__REPLY_SHARE_ANSWER:
        if (front->host.answer)
            front->host.answer(front->host.arg, frame->share_answer);
        return;
    case MPC__KEEPER__V1__FROM_KEEPER__REPLY_SHARE_KEY:
        take_share_key(front, frame->share_key);
        return;
    case MPC__KEEPER__V1__FROM_KEEPER__REPLY_BACKUP_FILE:
        front_backup_take(front->backup, frame->backup_file);
        return;
    default:
        return;
    }
}
