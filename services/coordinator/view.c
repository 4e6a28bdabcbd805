/* SPDX-License-Identifier: Apache-2.0 */
/* Rows and records as messages. */
#include "services/coordinator/view.h"

#include "system/core/buffer.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Messages are written with pointers to what is only read. */
static char *lend(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void view_parties(struct view_session *out, const char *parties)
{
    char *rest = out->list = text_copy(parties ? parties : ""), *party;

    out->message.parties = out->parties;
    while ((party = strsep(&rest, ",")) != NULL && out->message.n_parties < QRT_PARTIES_MAX)
        if (party[0])
            out->parties[out->message.n_parties++] = party;
}

void view_session(struct view_session *out, const struct qrt_ctx *ctx, const struct store_row *row)
{
    Mpc__Session__V1__Session *m = &out->message;

    mpc__session__v1__session__init(m);
    m->session_id = lend(row->session_id);
    m->session_type = lend(session_type_name(row->type));
    m->status = lend(session_status_name(row->status));
    m->threshold_n = row->n;
    m->threshold_t = row->t;
    m->total_parties = row->total;
    m->joined_parties = row->joined;
    m->completed_parties = row->completed;
    m->keygen_session_id = lend(row->keygen_session_id);
    m->account_id = lend(row->account_id);
    m->attempt = row->attempts_n ? row->attempts_n - 1 : 0;
    m->public_key = lend(row->public_key);
    m->message_hash = lend(row->message_hash);
    m->error = lend(row->error);
    m->error_code = lend(row->error_code);
    m->trace_id = lend(row->trace_id);
    clock_text(out->created, row->created_ms);
    clock_text(out->expires, row->deadline_ms);
    m->created_at = out->created;
    m->expires_at = out->expires;
    if (row->has_signature &&
        signature_forms(&out->signature, ctx, row->signature, sizeof row->signature))
        m->signature = &out->signature.message;
    view_parties(out, row->parties);
}

void view_session_free(struct view_session *view)
{
    free(view->list);
}

static void view_member(Mpc__Session__V1__Member *out, const struct record *r, size_t seat)
{
    const Mpc__Session__V1__Member *member = r->request->members[seat];

    mpc__session__v1__member__init(out);
    out->party_id = member->party_id;
    out->index = member->index;
    out->certificate = member->certificate;
    out->boot_id = (ProtobufCBinaryData){sizeof r->boot_ids[0], r->boot_ids[seat]};
}

/* Who takes part, and with which presignature: what makes this attempt another than the last. */
static void list_members(struct view_setup *out, const struct record *r)
{
    Mpc__Session__V1__Setup *m = &out->message;

    mpc__session__v1__setup__init(m);
    m->members = out->list;
    if (r->has_presignature)
        m->presignature_id =
            (ProtobufCBinaryData){sizeof r->presignature, (uint8_t *)(uintptr_t)r->presignature};
    for (size_t i = 0; i < r->state.seats_n; i++) {
        if (!(r->state.seats[i] & SEAT_IN))
            continue;
        view_member(&out->members[m->n_members], r, i);
        out->list[m->n_members] = &out->members[m->n_members];
        m->n_members++;
    }
}

void view_setup(struct view_setup *out, const struct record *r)
{
    Mpc__Session__V1__Setup *m = &out->message;

    list_members(out, r);
    m->session_id = lend(r->row.session_id);
    m->session_type = lend(session_type_name(r->state.type));
    m->attempt = r->state.attempts_n ? r->state.attempts_n - 1 : 0;
    m->account_id = lend(r->row.account_id);
    m->threshold_t = r->row.t;
    m->threshold_n = r->row.n;
    m->intent = r->request->intent;
    m->intent_signature = r->request->intent_signature;
    m->initiator_key = r->request->initiator_key;
    m->deadline_ms = r->state.deadline_ms;
    m->attempt_deadline_ms = r->state.attempt_deadline_ms;
    m->trace_id = lend(r->row.trace_id);
    m->user_public_key = r->request->user_public_key;
    m->user_key_signature = r->request->user_key_signature;
}

struct store_bytes view_members(const struct record *r)
{
    struct view_setup view;
    struct store_bytes bytes;

    list_members(&view, r);
    bytes.len = mpc__session__v1__setup__get_packed_size(&view.message);
    bytes.b = mem_new(bytes.len + 1, 1);
    mpc__session__v1__setup__pack(&view.message, bytes.b);
    return bytes;
}

void view_event(struct view_event *out, const struct store_event *event, const char *session_id,
                const char *trace_id)
{
    Mpc__Session__V1__SessionEvent *m = &out->message;

    mpc__session__v1__session_event__init(m);
    clock_text(out->at, event->at_ms);
    m->seq = event->seq;
    m->event_type = lend(session_event_name(event->type));
    m->session_id = lend(session_id);
    m->attempt = event->attempt;
    m->party_id = lend(event->party_id);
    m->detail = lend(event->detail);
    m->at = out->at;
    m->trace_id = lend(trace_id);
}

bool view_end(struct view_event *out, const struct store_row *row)
{
    static const enum session_event_type events[SESSION_STATUSES] = {
        [SESSION_COMPLETED] = EVENT_COMPLETED,
        [SESSION_FAILED] = EVENT_FAILED,
        [SESSION_EXPIRED] = EVENT_EXPIRED,
        [SESSION_CANCELLED] = EVENT_CANCELLED};
    struct store_event event = {.seq = row->end_seq,
                                .type = events[row->status],
                                .attempt = row->attempts_n ? row->attempts_n - 1 : 0,
                                .at_ms = row->ended_ms};

    if (!session_status_is_final(row->status))
        return false;
    view_event(out, &event, row->session_id, row->trace_id);
    out->message.party_id = lend("");
    out->message.detail = lend(row->error);
    return true;
}

/* The id follows from what the token is for: a token that is made again is the same one. */
static void token_id(char out[33], const struct record *r, uint8_t seat)
{
    char text[256];
    uint8_t hash[crypto_hash_sha256_BYTES];

    snprintf(text, sizeof text, "quorate/join/1 %s %s %u", r->row.session_id, record_party(r, seat),
             r->state.attempts_n);
    crypto_hash_sha256(hash, (const uint8_t *)text, strlen(text));
    hex_encode(out, hash, 16);
}

void view_join_token(char out[TOKEN_TEXT_MAX], const struct token_key *key, const struct record *r,
                     uint8_t seat)
{
    struct token token = {.kind = TOKEN_JOIN, .expires = r->state.deadline_ms / 1000 + 1};

    snprintf(token.session_id, sizeof token.session_id, "%s", r->row.session_id);
    snprintf(token.subject, sizeof token.subject, "%s", record_party(r, seat));
    token_id(token.id, r, seat);
    token_make(out, key, &token);
}
