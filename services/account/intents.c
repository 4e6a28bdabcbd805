/* SPDX-License-Identifier: Apache-2.0 */
/* Making, signing and checking intents. Fields in the order of intent.h. */
#include "services/account/intents.h"

#include "system/access/user_key.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

void signed_intent_free(struct signed_intent *intent)
{
    free(intent->b);
    *intent = (struct signed_intent){0};
}

void signed_intent_ask(Mpc__Coordinator__V1__CreateSessionRequest *request,
                       struct signed_intent *intent, const char *type)
{
    request->session_type = (char *)type;
    request->intent = (ProtobufCBinaryData){intent->len, intent->b};
    request->intent_signature = (ProtobufCBinaryData){64, intent->signature};
    request->initiator_key = (ProtobufCBinaryData){32, intent->initiator};
    request->deadline_ms = intent->deadline_ms;
}

static bool seal(struct signed_intent *out, const struct account_service *s,
                 struct qrt_intent *intent)
{
    size_t cap = qrt_intent_size(intent);

    out->b = mem_new(cap, 1);
    if (qrt_intent_encode(intent, out->b, cap, &out->len) != QRT_OK)
        return false;
    qrt_intent_sign(out->signature, s->ctx, out->b, out->len, s->initiator);
    memcpy(out->initiator, s->initiator + 32, sizeof out->initiator);
    out->deadline_ms = (int64_t)intent->deadline * 1000;
    return true;
}

static struct qrt_intent plain(const struct account *account, uint8_t operation, unsigned wait_s)
{
    struct qrt_intent intent = {.operation = operation,
                                .suite = QRT_SUITE_ECDSA,
                                .profile = QRT_PROFILE_1,
                                .purpose = QRT_PURPOSE_TRANSACTION,
                                .deadline = (uint64_t)clock_unix_ms() / 1000 + wait_s + 1,
                                .attempts = INTENT_ATTEMPTS,
                                .t = account->t};
    bool is_uuid = id_parse(intent.account, account->account_id);

    if (!is_uuid)
        qrt_panic(__FILE__, __LINE__);
    randombytes_buf(intent.request, sizeof intent.request);
    intent.request[6] = (uint8_t)((intent.request[6] & 0x0f) | 0x40);
    intent.request[8] = (uint8_t)((intent.request[8] & 0x3f) | 0x80);
    randombytes_buf(intent.nonce, sizeof intent.nonce);
    return intent;
}

bool intent_of_keygen(struct signed_intent *out, const struct account_service *s,
                      const struct account *account, const struct intent_member *members)
{
    struct qrt_intent intent = plain(account, QRT_OP_KEYGEN, s->keygen_wait_s);

    intent.parties_n = account->n;
    for (size_t i = 0; i < account->n; i++) {
        intent.parties[i] = members[i].index;
        memcpy(intent.idk[i], members[i].idk, 32);
    }
    return seal(out, s, &intent);
}

void intent_sign_user_key(uint8_t signature[64], const struct account_service *s,
                          const struct signed_intent *intent, const uint8_t *user_key)
{
    user_key_sign(signature, intent->b, intent->len, user_key, s->initiator);
}

static bool is_named(const struct request_sign *req, const char *party_id)
{
    for (size_t i = 0; i < req->parties_n; i++)
        if (strcmp(req->parties[i], party_id) == 0)
            return true;
    return req->parties_n == 0;
}

bool intent_of_sign(struct signed_intent *out, const struct account_service *s,
                    const struct account *account, const struct request_sign *req)
{
    struct qrt_intent intent = plain(account, QRT_OP_SIGN, s->sign_wait_s);

    memcpy(intent.keyid, account->keyid, sizeof intent.keyid);
    for (size_t i = 0; i < account->parties_n; i++)
        if (is_named(req, account->parties[i].id))
            intent.parties[intent.parties_n++] = account->parties[i].index;
    intent.path_n = (uint16_t)req->path_n;
    memcpy(intent.path, req->path, sizeof intent.path);
    intent.digest = (uint8_t)req->digest;
    intent.message = req->message;
    intent.message_len = (uint32_t)req->message_len;
    return seal(out, s, &intent);
}

void intent_of_presign(struct signed_intent *out, const struct account_service *s,
                       const struct account *account, const uint32_t *path, size_t path_n)
{
    struct qrt_intent intent = plain(account, QRT_OP_PRESIGN, INTENT_PRESIGN_S);

    intent.attempts = 1;
    memcpy(intent.keyid, account->keyid, sizeof intent.keyid);
    for (size_t i = 0; i < account->parties_n; i++)
        intent.parties[intent.parties_n++] = account->parties[i].index;
    intent.path_n = (uint16_t)path_n;
    memcpy(intent.path, path, path_n * sizeof path[0]);
    seal(out, s, &intent);
}

static bool refuse(struct rpc_status *status, const char *text)
{
    *status = rpc_error(RPC_INVALID, "invalid_intent", "%s", text);
    return false;
}

static bool find_signer(struct signed_intent *out, const struct account_service *s)
{
    size_t n;
    const uint8_t *keys = config_keys(s->host->config, "CALLER_KEYS", sizeof out->initiator, &n);

    for (size_t i = 0; i < n; i++) {
        memcpy(out->initiator, keys + i * sizeof out->initiator, sizeof out->initiator);
        if (qrt_intent_verify(s->ctx, out->b, out->len, out->signature, out->initiator) == QRT_OK)
            return true;
    }
    return false;
}

bool intent_of_caller(struct signed_intent *out, struct qrt_intent *decoded,
                      const struct account_service *s, const char *intent, const char *signature,
                      struct rpc_status *status)
{
    if (!hex_decode(out->signature, sizeof out->signature, signature))
        return refuse(status, "intent_signature must be 128 hex digits (Ed25519)");
    out->b = request_hex(&out->len, intent, QRT_MESSAGE_MAX + 4096, "intent", status);
    if (!out->b)
        return false;
    if (!find_signer(out, s))
        return refuse(status, "intent_signature was not made by a key of CALLER_KEYS over these"
                              " bytes");
    if (qrt_intent_decode(decoded, out->b, out->len) != QRT_OK)
        return refuse(status, "intent is not in its canonical form (docs/wire.md)");
    /* Any 64 bits; parties take none that is more than a day ahead. */
    if (decoded->deadline > INT64_MAX / 1000)
        return refuse(status, "intent has a deadline that is too far ahead");
    out->deadline_ms = (int64_t)decoded->deadline * 1000;
    if (out->deadline_ms <= clock_unix_ms())
        return refuse(status, "intent has expired: its deadline is in the past");
    return true;
}
