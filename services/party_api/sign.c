/* SPDX-License-Identifier: Apache-2.0 */
/* POST /shares/sign and GET /shares/key. The order is: join, lend the share to the keeper, wait for
 * its word, open the session, wait for the signature. The keeper forgets the share when the session
 * ends; here it is a sealed box that only the keeper opens. */
#include "services/party_api/api.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/service/library.h"
#include "system/service/signature.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { SIGN_WAIT_MS = 30000, AGAIN_MS = 1000 };

void share_key_handle(struct rpc_call *call, const ProtobufCMessage *message, void *service)
{
    Mpc__PartyApi__V1__GetShareKeyResponse response =
        MPC__PARTY_API__V1__GET_SHARE_KEY_RESPONSE__INIT;
    const struct api *api = service;
    const uint8_t *key = front_share_key(api->front);
    char hex[2 * API_X25519_BYTES + 1];

    (void)message;
    if (!key) {
        rpc_fail(call, rpc_error(RPC_UNAVAILABLE, "not_ready", "the keeper is not ready yet"));
        return;
    }
    hex_encode(hex, key, API_X25519_BYTES);
    response.public_key = hex;
    response.party_id = (char *)front_party(api->front);
    rpc_reply(call, &response.base);
}

static uint8_t *decode_share(struct rpc_call *call, const char *base64, size_t *len)
{
    size_t cap = strlen(base64) / 4 * 3 + 3;
    uint8_t *share = mem_new(cap, 1);

    if (*base64 && cap <= API_SHARE_MAX &&
        sodium_base642bin(share, cap, base64, strlen(base64), NULL, len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) == 0 &&
        *len > crypto_box_SEALBYTES)
        return share;
    free(share);
    rpc_fail(call, rpc_error(RPC_INVALID, "invalid_user_share",
                             "user_share must be base64 of the share, sealed to this party's key"));
    return NULL;
}

/* Joined: see that it is a signing session, then lend. */
static void lend(struct api *api, struct waiting *waiting, const Mpc__Session__V1__Setup *setup)
{
    if (!api_is_sign(setup->session_type)) {
        api_fail(api, waiting,
                 rpc_error(RPC_STATE, "wrong_session_type", "session %s signs nothing",
                           setup->session_id));
        return;
    }
    waiting->step = WAITING_FOR_KEEPER;
    front_lend(api->front, waiting->session_id, waiting->share, waiting->share_len);
    free(waiting->share);
    waiting->share = NULL;
}

void sign_handle(struct rpc_call *call, const ProtobufCMessage *message, void *service)
{
    const Mpc__PartyApi__V1__SignWithShareRequest *request =
        (const Mpc__PartyApi__V1__SignWithShareRequest *)message;
    struct api *api = service;
    struct waiting *waiting;
    struct front_view view;
    enum api_known known;
    uint8_t *share;
    size_t len;

    if (!api_session_id(call, request->session_id))
        return;
    share = decode_share(call, request->user_share, &len);
    if (!share)
        return;
    known = api_look(api, call,
                     &(struct api_asked){WAITING_SIGN, request->session_id, request->join_token},
                     &view);
    waiting = known != API_ENDED
                  ? api_wait(api, call, WAITING_SIGN, request->session_id, SIGN_WAIT_MS)
                  : NULL;
    if (!waiting) {
        free(share);
        return;
    }
    waiting->share = share;
    waiting->share_len = len;
    if (known == API_UNHEARD)
        api_await_invitation(api, waiting);
    else
        api_ask(api, waiting, request->join_token);
}

void sign_joined(struct api *api, const char *session_id, const struct rpc_status *status,
                 const Mpc__Session__V1__Setup *setup)
{
    struct waiting *waiting = api_next(api, NULL, WAITING_SIGN, session_id), *next;

    for (; waiting; waiting = next) {
        next = api_next(api, waiting, WAITING_SIGN, session_id);
        if (waiting->step != WAITING_FOR_JOIN)
            continue;
        if (status->code != RPC_OK || !setup)
            api_fail(api, waiting, api_join_error(status));
        else
            lend(api, waiting, setup);
    }
}

static struct rpc_status lend_error(const Mpc__Keeper__V1__ShareAnswer *answer)
{
    if (!strcmp(answer->code, "NO_SHARE"))
        return rpc_error(RPC_INVALID, "invalid_user_share", "user_share: %s", answer->text);
    if (!strcmp(answer->code, "OVERLOADED"))
        return rpc_error(RPC_EXHAUSTED, "overloaded", "%s", answer->text);
    return rpc_error(RPC_UNAVAILABLE, "keeper", "%s", answer->text);
}

/* The keeper answers in order: this is the answer to the first that waits for it. */
void sign_answer(struct api *api, const Mpc__Keeper__V1__ShareAnswer *answer)
{
    struct waiting *waiting = api_next(api, NULL, WAITING_SIGN, answer->session_id);

    while (waiting && waiting->step != WAITING_FOR_KEEPER)
        waiting = api_next(api, waiting, WAITING_SIGN, answer->session_id);
    if (!waiting)
        return;
    if (*answer->code) {
        api_fail(api, waiting, lend_error(answer));
        return;
    }
    waiting->step = WAITING_FOR_SESSION;
    front_release(api->front, answer->session_id, NULL);
}

static void reply_signed(struct api *api, struct waiting *waiting, struct signature_forms *forms)
{
    Mpc__PartyApi__V1__SignWithShareResponse response =
        MPC__PARTY_API__V1__SIGN_WITH_SHARE_RESPONSE__INIT;
    char session_id[ID_TEXT_MAX], status[] = "completed";

    memcpy(session_id, waiting->session_id, sizeof session_id);
    response.session_id = session_id;
    response.status = status;
    response.signature = &forms->message;
    api_reply(api, waiting, &response.base);
}

/* A failure is not the session's end: the coordinator may try again with others. */
void sign_outcome(struct api *api, const Mpc__Keeper__V1__Outcome *outcome)
{
    struct waiting *waiting = api_next(api, NULL, WAITING_SIGN, outcome->session_id), *next;
    struct signature_forms forms;

    if (!waiting || outcome->outcome_case != MPC__KEEPER__V1__OUTCOME__OUTCOME_SIGNATURE ||
        !signature_forms(&forms, library_ctx(), outcome->signature->signature.data,
                         outcome->signature->signature.len))
        return;
    for (; waiting; waiting = next) {
        next = api_next(api, waiting, WAITING_SIGN, outcome->session_id);
        reply_signed(api, waiting, &forms);
    }
}

void sign_look(struct api *api, struct waiting *waiting)
{
    waiting->step = WAITING_FOR_SIGNATURE;
    waiting->look_until_ms = clock_unix_ms() + AGAIN_MS;
    front_find(api->front, waiting->session_id, 0);
}

/* Under the key that the session names; whose key that is the caller knows. */
static bool take_signature(struct signature_forms *forms, const Mpc__Session__V1__Session *session)
{
    const struct qrt_ctx *ctx = library_ctx();
    uint8_t b[SIGNATURE_BYTES];
    struct qrt_hash hash;
    struct qrt_pubkey pk;

    return signature_read(b, session->signature) &&
           hex_decode(hash.b, sizeof hash.b, session->message_hash) &&
           hex_decode(pk.b, sizeof pk.b, session->public_key) &&
           signature_verify(ctx, b, &hash, &pk) && signature_forms(forms, ctx, b, sizeof b);
}

/* A coordinator that is away is asked again. */
void sign_found(struct api *api, struct waiting *waiting, enum front_found found,
                const Mpc__Session__V1__Session *session)
{
    struct signature_forms forms;

    if (found == FRONT_FOUND_NOBODY)
        return;
    if (session && take_signature(&forms, session))
        reply_signed(api, waiting, &forms);
    else
        api_fail(api, waiting,
                 rpc_error(RPC_DATA_LOSS, "signature_invalid",
                           "session %s is completed, and the coordinator has no signature of it"
                           " that verifies under its key",
                           waiting->session_id));
}

/* Whose share takes part gets the signature though the others were faster: from the keeper, or
 * from the coordinator if the end has stopped the keeper's run. Without that the quorum was another
 * one. */
void sign_ended(struct api *api, const char *session_id, const char *status, const char *detail)
{
    struct waiting *waiting = api_next(api, NULL, WAITING_SIGN, session_id), *next;

    for (; waiting; waiting = next) {
        next = api_next(api, waiting, WAITING_SIGN, session_id);
        if (!strcmp(status, "completed") && waiting->step == WAITING_FOR_SESSION)
            sign_look(api, waiting);
        else if (!strcmp(status, "completed"))
            api_fail(api, waiting,
                     rpc_error(RPC_STATE, "session_ended",
                               "the session was completed by others; read its signature there"));
        else
            api_fail(api, waiting,
                     rpc_error(RPC_IMPOSSIBLE, "session_failed", "the session is %s%s%s", status,
                               *detail ? ": " : "", detail));
    }
}
