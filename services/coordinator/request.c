/* SPDX-License-Identifier: Apache-2.0 */
/* Each check names the field and what it must be. A request is checked in the order type, intent,
 * members, what is signed, deadline. */
#include "services/coordinator/request.h"

#include "quorate/signature.h"
#include "services/coordinator/record.h"
#include "system/access/user_key.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How long a session may live. */
#define LIFE_MAX_MS (INT64_C(24) * 3600 * 1000)

static bool refuse(struct rpc_status *status, const char *text)
{
    *status = rpc_error(RPC_INVALID, "invalid_field", "%s", text);
    return false;
}

static bool refuse_intent(struct rpc_status *status, const char *text)
{
    *status = rpc_error(RPC_INVALID, "invalid_intent", "intent: %s", text);
    return false;
}

static bool check_intent(struct record *r, const struct coordinator *c, struct rpc_status *status)
{
    const Mpc__Coordinator__V1__CreateSessionRequest *in = r->request;
    enum qrt_err err;

    if (in->initiator_key.len != 32)
        return refuse(status, "initiator_key must be 32 bytes");
    if (in->intent_signature.len != 64)
        return refuse(status, "intent_signature must be 64 bytes");
    if (in->user_public_key.len != 0 && in->user_public_key.len != 32)
        return refuse(status, "user_public_key must be 32 bytes or absent");
    err = qrt_intent_verify(c->ctx, in->intent.data, in->intent.len, in->intent_signature.data,
                            in->initiator_key.data);
    if (err == QRT_OK)
        err = qrt_intent_decode(&r->intent, in->intent.data, in->intent.len);
    if (err != QRT_OK)
        return refuse_intent(status, qrt_err_text(err));
    return (in->user_public_key.len == 0 && in->user_key_signature.len == 0) ||
           user_key_verify(in->user_key_signature, in->intent, in->user_public_key,
                           in->initiator_key.data) ||
           refuse(status, "user_key_signature is not the initiator's for this user_public_key");
}

static bool operation_fits(enum session_type type, uint8_t operation)
{
    if (session_type_is_keygen(type))
        return operation == QRT_OP_KEYGEN;
    return operation == (session_type_is_sign(type) ? QRT_OP_SIGN : QRT_OP_PRESIGN);
}

static bool check_member(const struct record *r, size_t i, struct rpc_status *status)
{
    const Mpc__Session__V1__Member *member = r->request->members[i];

    if (!party_id_is_valid(member->party_id)) {
        *status = rpc_error(RPC_INVALID, "invalid_field",
                            "members[%zu].party_id must be 1 to 64 of a-z A-Z 0-9 . _ -", i);
        return false;
    }
    if (member->index < 1 || member->index > QRT_INDEX_MAX ||
        (i > 0 && member->index <= r->request->members[i - 1]->index))
        return refuse(status, "members must have ascending indices from 1");
    if (record_seat(r, member->party_id) != i)
        return refuse(status, "members must name each party once");
    return true;
}

/* In a keygen the members are the intent's parties; otherwise the intent's are among them. */
static bool check_parties(const struct record *r, struct rpc_status *status)
{
    const struct qrt_intent *intent = &r->intent;

    for (size_t i = 0; i < intent->parties_n; i++)
        if (record_seat_of_index(r, intent->parties[i]) == SEAT_NONE)
            return refuse_intent(status, "it names a party that is not among members");
    if (session_type_is_keygen(r->state.type) && intent->parties_n != r->request->n_members)
        return refuse_intent(status, "its parties must be exactly the members");
    return true;
}

static bool check_preferred(const struct record *r, struct rpc_status *status)
{
    const Mpc__Coordinator__V1__CreateSessionRequest *in = r->request;

    if (in->n_preferred > 0 && in->n_preferred < r->intent.t)
        return refuse(status, "preferred must name at least threshold_t parties, or none");
    for (size_t i = 0; i < in->n_preferred; i++) {
        if (record_seat(r, in->preferred[i]) == SEAT_NONE) {
            *status = rpc_error(RPC_IMPOSSIBLE, "unknown_party", "%.64s is not a party of this key",
                                in->preferred[i]);
            return false;
        }
        for (size_t j = 0; j < i; j++)
            if (strcmp(in->preferred[i], in->preferred[j]) == 0)
                return refuse(status, "preferred must name each party once");
    }
    return true;
}

static bool check_members(const struct record *r, struct rpc_status *status)
{
    size_t n = r->request->n_members;

    if (n < 2 || n > QRT_PARTIES_MAX)
        return refuse(status, "members must be 2 to 64 parties");
    for (size_t i = 0; i < n; i++)
        if (!check_member(r, i, status))
            return false;
    return check_parties(r, status) && check_preferred(r, status);
}

/* What the signature will be verified against is what the intent says. */
static bool check_signed(struct record *r, const struct coordinator *c, struct rpc_status *status)
{
    const Mpc__Coordinator__V1__CreateSessionRequest *in = r->request;
    struct qrt_hash hash;
    uint8_t key[33], told[32];

    if (!session_type_is_sign(r->state.type))
        return true;
    if (!hex_decode(key, sizeof key, in->public_key))
        return refuse(status, "public_key must be 33 bytes in hex");
    if (!hex_decode(told, sizeof told, in->message_hash))
        return refuse(status, "message_hash must be 32 bytes in hex");
    if (qrt_digest(&hash, c->ctx, (enum qrt_digest)r->intent.digest, r->intent.message,
                   r->intent.message_len) != QRT_OK ||
        memcmp(hash.b, told, sizeof told) != 0)
        return refuse_intent(status, "its message does not have the hash message_hash");
    hex_encode(r->row.public_key, key, sizeof key);
    hex_encode(r->row.message_hash, told, sizeof told);
    return true;
}

static bool check_deadline(struct record *r, int64_t now_ms, struct rpc_status *status)
{
    int64_t asked = r->request->deadline_ms, deadline = LIFE_MAX_MS + now_ms;

    if (r->intent.deadline <= INT64_MAX / 1000 && (int64_t)r->intent.deadline * 1000 < deadline)
        deadline = (int64_t)r->intent.deadline * 1000;
    if (asked < 0)
        return refuse(status, "deadline_ms must be a time in unix milliseconds");
    if (asked > 0 && asked < deadline)
        deadline = asked;
    if (deadline <= now_ms) {
        *status = rpc_error(RPC_INVALID, "deadline_passed",
                            "the deadline of the request has passed: check the clocks");
        return false;
    }
    r->row.deadline_ms = deadline;
    return true;
}

static bool check_ids(struct record *r, struct rpc_status *status)
{
    const Mpc__Coordinator__V1__CreateSessionRequest *in = r->request;
    uint8_t raw[16];

    if (in->keygen_session_id[0] && !id_parse(raw, in->keygen_session_id))
        return refuse(status, "keygen_session_id must be a UUIDv4");
    if (strlen(in->idempotency_key) >= KEY_MAX)
        return refuse(status, "idempotency_key must be at most 255 characters");
    id_text(r->row.account_id, r->intent.account);
    snprintf(r->row.keygen_session_id, sizeof r->row.keygen_session_id, "%s",
             in->keygen_session_id);
    return true;
}

static void fill(struct record *r)
{
    size_t n = r->request->n_members;
    size_t needed = session_type_is_keygen(r->state.type) ? n : r->intent.t;

    r->row.type = r->state.type;
    r->row.t = r->intent.t;
    r->row.n = (uint16_t)n;
    session_init(&r->state, r->state.type, n, needed, r->intent.attempts, r->row.deadline_ms);
}

bool request_check(struct record *r, const struct coordinator *c, int64_t now_ms,
                   struct rpc_status *status)
{
    r->state.type = session_type_of(r->request->session_type);
    if (r->state.type == SESSION_TYPES)
        return refuse(status, "session_type must be one of keygen, sign, presign,"
                              " co_managed_keygen, co_managed_sign");
    if (!check_intent(r, c, status))
        return false;
    if (!operation_fits(r->state.type, r->intent.operation))
        return refuse_intent(status, "its operation is not that of session_type");
    if (!check_ids(r, status) || !check_members(r, status) || !check_signed(r, c, status) ||
        !check_deadline(r, now_ms, status))
        return false;
    fill(r);
    return true;
}

void request_binding(uint8_t binding[32], const struct record *r)
{
    char text[512];
    int len = snprintf(text, sizeof text, "%s %s %s %s %u", session_type_name(r->state.type),
                       r->row.account_id, r->row.public_key, r->row.message_hash, r->row.t);

    crypto_hash_sha256(binding, (const uint8_t *)text, (unsigned long long)len);
}
