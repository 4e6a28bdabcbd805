/* SPDX-License-Identifier: Apache-2.0 */
/* A key generation across restarts (protocol.md F.7). A pending share sends its stored fourth round
 * again and waits for the others'; an active one is told, and everybody's confirmation given out.
 *
 * Whoever lacks confirmations says his own twice. The second copy is a question, if he hands it in
 * himself: a party that is still running answers with its own confirmation, one that is done with
 * everybody's. Confirmations are signed and public. Two that are done take each other's answers for
 * questions: answers are bounded for each asker, so that this takes none from a third. */
#include "participant/run.h"

#include "participant/outcome.h"
#include "quorate/wire.h"
#include "system/core/log.h"

#include <string.h>

/* Answers to one party of a key generation. */
enum { ANSWERS_EACH = 4 };

static bool damaged(const struct run *run, struct refusal *refusal)
{
    return refuse_for_now(refusal, "STORAGE", "the share of party %s is damaged: restore it",
                          run->keeper->rules.party_id);
}

void run_give_confirmations(struct run *run, const struct qrt_share *share, const char *to)
{
    struct outgoing out = {0};
    uint8_t b[QRT_CONFIRMATION_BYTES];

    for (size_t i = 0; i < run->permit.n; i++) {
        uint16_t receiver = run->permit.indices[i];

        if (receiver == share->own || (to && strcmp(run_party_of(run, receiver), to) != 0))
            continue;
        for (size_t j = 0; j < run->permit.n; j++) {
            uint16_t index = run->permit.indices[j];

            if (index != receiver &&
                qrt_share_confirmation(share, run->keeper->rules.ctx, index, b) == QRT_OK)
                outgoing_add(&out, receiver, b, sizeof b);
        }
    }
    outgoing_send(&out, run);
}

/* The share is complete: tell it, and help those that it may have left behind. */
static bool tell_active(struct run *run, const struct store_share *row, uint8_t *record, size_t len)
{
    struct share_held *held = shares_open(run->keeper->shares, row, record, len);

    if (!held)
        return false;
    run_give_confirmations(run, &held->share, NULL);
    outcome_key(run, &held->share);
    shares_put(held);
    return true;
}

/* The own confirmation once more: peers that took the first copy for the missing one, or had it
 * before, now know that theirs are missing here. */
static void ask_again(struct run *run)
{
    struct outgoing out = {0};

    if (run->state != RUN_GOING || !run->has_confirmation)
        return;
    outgoing_add(&out, QRT_EVERYBODY, run->confirmation, sizeof run->confirmation);
    outgoing_send(&out, run);
}

/* Takes |record| over. */
static bool go_on(struct run *run, const struct store_share *row, uint8_t *record, size_t len,
                  bool *done)
{
    if (row->status == STORE_ACTIVE) {
        *done = tell_active(run, row, record, len);
        if (*done)
            run_finish(run);
        return *done;
    }
    run->pending_record = record;
    if (qrt_share_open_pending(&run->pending, run->keeper->rules.ctx, record, len) != QRT_OK)
        return false;
    run->resumed = true;
    run_begin_peer(run);
    ask_again(run);
    *done = true;
    return true;
}

/* Made by this very intent: who may use it, and to whom it is given, is what the intent's initiator
 * said. The store keeps shares under the session, which the intent does not name. */
static bool of_this_intent(const struct run *run, const struct store_share *row)
{
    const struct permit *permit = &run->permit;

    return strcmp(row->account_id, permit->account_id) == 0 && row->own == permit->own &&
           memcmp(row->intent_hash, permit->intent_hash, 32) == 0 &&
           row->has_caller == permit->is_caller &&
           (!row->has_caller || memcmp(row->caller_key, run->setup->initiator_key.data, 32) == 0);
}

bool run_resume(struct run *run, struct refusal *refusal, bool *done)
{
    struct keeper *keeper = run->keeper;
    struct store_share row;
    enum store_result found =
        store_get_made(keeper->store, &row, run->setup->session_id, run->setup->attempt);
    uint8_t *record;
    size_t len;
    bool ok;

    if (found == STORE_NONE)
        return false;
    if (found == STORE_FAILED)
        return refuse_for_now(refusal, "STORAGE", "party %s cannot read its shares",
                              keeper->rules.party_id);
    if (!of_this_intent(run, &row)) {
        store_share_free(&row);
        return refuse(refusal, "INTENT_FIELD", "this session made a key by another intent");
    }
    record = shares_unseal(keeper->shares, &row, &len, refusal);
    ok = record && go_on(run, &row, record, len, done);
    store_share_free(&row);
    if (!record)
        return false;
    if (ok)
        log_event(LOG_INFO, "key generation resumed", LOG_S("session", run->setup->session_id),
                  LOG_S("trace", run->setup->trace_id), LOG_I("attempt", run->setup->attempt));
    return ok || damaged(run, refusal);
}

/* A confirmation of a member, as its header says; QRT_EVERYBODY: none. */
static uint16_t confirms(const struct intake_message *m)
{
    struct qrt_header header;

    if (m->len != QRT_CONFIRMATION_BYTES || qrt_header_decode(&header, m->b, m->len) != QRT_OK ||
        header.protocol != QRT_KEYGEN || header.round != 4 || header.kind != QRT_KIND_BROADCAST)
        return QRT_EVERYBODY;
    return header.sender;
}

/* To the i-th member. */
static void answer(struct run *run, size_t i)
{
    uint16_t asker = run->permit.indices[i];
    struct refusal refusal = {0};
    struct outgoing out = {0};
    struct share_held *held;

    if (run->answers[i] >= ANSWERS_EACH)
        return;
    run->answers[i]++;
    if (!run->has_key) {
        outgoing_add(&out, asker, run->confirmation, sizeof run->confirmation);
        outgoing_send(&out, run);
        return;
    }
    held = shares_get(run->keeper->shares, run->permit.account_id, run->key_id, &refusal);
    if (held)
        run_give_confirmations(run, &held->share, run_party_of(run, asker));
    shares_put(held);
}

void run_hear_confirmation(struct run *run, const struct intake_message *message)
{
    uint16_t sender = confirms(message);

    for (size_t i = 0; i < run->permit.n; i++) {
        uint64_t bit = UINT64_C(1) << i;

        if (run->permit.indices[i] != sender || sender == run->permit.own)
            continue;
        if (strcmp(message->from, run->setup->members[i]->party_id) == 0 &&
            (run->has_key || ((run->confirmed_from & bit) && run->has_confirmation)))
            answer(run, i);
        run->confirmed_from |= bit;
    }
}
