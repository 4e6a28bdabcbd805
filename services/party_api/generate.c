/* SPDX-License-Identifier: Apache-2.0 */
/* POST /shares/generate and /shares/confirm. A keygen starts here when its invitation comes, unless
 * nobody has said yet whom the share is sealed to; then, and when only the caller knows of the
 * session, it starts with the call. The share is given out when the key is made, to everybody who
 * asks, the same bytes, until its owner confirms it. */
#include "services/party_api/api.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { GENERATE_WAIT_MS = 60000, CONFIRM_WAIT_MS = 10000 };

static void fail_without_key(struct api *api, struct waiting *waiting)
{
    api_fail(api, waiting,
             rpc_error(RPC_INVALID, "user_public_key_missing",
                       "user_public_key is needed: neither the session nor USER_SHARE_PUBLIC_KEY "
                       "names one"));
}

static void reply_share(struct api *api, struct waiting *waiting, const struct kept *kept)
{
    Mpc__PartyApi__V1__GenerateShareResponse response =
        MPC__PARTY_API__V1__GENERATE_SHARE_RESPONSE__INIT;
    size_t cap = sodium_base64_ENCODED_LEN(kept->sealed_len, sodium_base64_VARIANT_ORIGINAL);
    char *base64 = mem_new(cap, 1);
    char public_key[2 * KEPT_KEY_BYTES + 1];
    char session_id[ID_TEXT_MAX];

    memcpy(session_id, kept->session_id, sizeof session_id);
    sodium_bin2base64(base64, cap, kept->sealed, kept->sealed_len, sodium_base64_VARIANT_ORIGINAL);
    hex_encode(public_key, kept->public_key, KEPT_KEY_BYTES);
    response.session_id = session_id;
    response.party_id = (char *)front_party(api->front);
    response.public_key = public_key;
    response.user_share = base64;
    api_reply(api, waiting, &response.base);
    free(base64);
}

/* A share that is kept answers alone: true if it did. */
static bool answer_kept(struct api *api, struct waiting *waiting)
{
    const struct kept *kept = kept_find(&api->kept, waiting->session_id);

    if (!kept || (!kept->is_complete && !kept->is_confirmed))
        return false;
    if (kept->is_confirmed)
        api_fail(api, waiting,
                 rpc_error(RPC_STATE, "share_confirmed",
                           "the share of this session was confirmed and is no longer here"));
    else
        reply_share(api, waiting, kept);
    return true;
}

/* Whom the keeper seals this share to, as far as it is decided; NULL: by who calls first. */
static const uint8_t *recipient(const struct api *api, const struct front_view *view)
{
    const ProtobufCBinaryData *signed_key = &view->setup->user_public_key;

    if (signed_key->len == API_X25519_BYTES)
        return signed_key->data;
    return api->has_default_key ? api->default_key : view->user_key;
}

/* The session is joined or joining: see that it is a keygen and that it runs. */
static void start(struct api *api, struct waiting *waiting, const struct front_view *view)
{
    const Mpc__Session__V1__Setup *setup = view->setup;
    const uint8_t *key = recipient(api, view);

    waiting->step = WAITING_FOR_SESSION;
    if (!api_is_keygen(setup->session_type)) {
        api_fail(api, waiting,
                 rpc_error(RPC_STATE, "wrong_session_type", "session %s is no keygen",
                           setup->session_id));
    } else if (key && waiting->has_user_key &&
               memcmp(key, waiting->user_key, API_X25519_BYTES) != 0) {
        api_fail(api, waiting,
                 rpc_error(RPC_STATE, "other_user_public_key",
                           "the share of this session is sealed to another user_public_key"));
    } else if (!view->is_open) {
        if (!waiting->has_user_key && !key)
            fail_without_key(api, waiting);
        else
            front_release(api->front, waiting->session_id,
                          waiting->has_user_key ? waiting->user_key : NULL);
    }
}

static bool take_user_key(struct rpc_call *call, const char *text, uint8_t key[API_X25519_BYTES])
{
    if (!*text || hex_decode(key, API_X25519_BYTES, text))
        return true;
    rpc_fail(call, rpc_error(RPC_INVALID, "invalid_user_public_key",
                             "user_public_key must be 64 hex digits (X25519)"));
    return false;
}

void generate_begin(struct api *api, struct waiting *waiting, const struct front_view *view,
                    const char *join_token)
{
    if (view->is_open)
        start(api, waiting, view);
    else
        api_ask(api, waiting, join_token);
}

void generate_handle(struct rpc_call *call, const ProtobufCMessage *message, void *service)
{
    const Mpc__PartyApi__V1__GenerateShareRequest *request =
        (const Mpc__PartyApi__V1__GenerateShareRequest *)message;
    struct api *api = service;
    struct waiting *waiting;
    struct front_view view = {0};
    uint8_t key[API_X25519_BYTES] = {0};
    enum api_known known = API_KNOWN;
    const struct kept *kept;

    if (!api_session_id(call, request->session_id) ||
        !take_user_key(call, request->user_public_key, key))
        return;
    kept = kept_find(&api->kept, request->session_id);
    if (!kept || (!kept->is_complete && !kept->is_confirmed))
        known = api_look(
            api, call,
            &(struct api_asked){WAITING_GENERATE, request->session_id, request->join_token}, &view);
    if (known == API_ENDED)
        return;
    waiting = api_wait(api, call, WAITING_GENERATE, request->session_id, GENERATE_WAIT_MS);
    if (!waiting || answer_kept(api, waiting))
        return;
    waiting->has_user_key = *request->user_public_key != 0;
    memcpy(waiting->user_key, key, sizeof key);
    if (known == API_UNHEARD)
        api_await_invitation(api, waiting);
    else
        generate_begin(api, waiting, &view, request->join_token);
}

/* Without a key nobody could open the share; a caller may bring one. Where there is one, no caller
 * can name another. */
bool generate_holds(const struct api *api, const Mpc__Session__V1__Setup *setup)
{
    return !setup->user_public_key.len && !api->has_default_key;
}

void generate_joined(struct api *api, const char *session_id, const struct rpc_status *status,
                     const Mpc__Session__V1__Setup *setup)
{
    struct waiting *waiting = api_next(api, NULL, WAITING_GENERATE, session_id), *next;

    for (; waiting; waiting = next) {
        struct front_view view;

        next = api_next(api, waiting, WAITING_GENERATE, session_id);
        if (waiting->step != WAITING_FOR_JOIN)
            continue;
        if (status->code != RPC_OK || !setup)
            api_fail(api, waiting, api_join_error(status));
        else if (front_look(api->front, session_id, &view) && view.setup)
            start(api, waiting, &view);
    }
}

void generate_share(struct api *api, const Mpc__Keeper__V1__SealedShare *share)
{
    if (share->public_key.len != KEPT_KEY_BYTES)
        return;
    kept_put(&api->kept, share->session_id, share->sealed.data, share->sealed.len,
             share->public_key.data, clock_unix_ms());
}

void generate_ended(struct api *api, const char *session_id, const char *status, const char *detail)
{
    struct waiting *waiting = api_next(api, NULL, WAITING_GENERATE, session_id), *next;
    struct kept *kept = kept_find(&api->kept, session_id);
    bool is_complete = !strcmp(status, "completed");

    if (kept && is_complete)
        kept->is_complete = true;
    else if (kept && !kept->is_confirmed)
        kept_remove(&api->kept, session_id);
    for (; waiting; waiting = next) {
        next = api_next(api, waiting, WAITING_GENERATE, session_id);
        if (answer_kept(api, waiting))
            continue;
        if (is_complete)
            api_fail(api, waiting, api_over(WAITING_GENERATE, status));
        else
            api_fail(api, waiting,
                     rpc_error(RPC_IMPOSSIBLE, "session_failed", "the session is %s: %s", status,
                               *detail ? detail : "no share was made here"));
    }
}

/* Confirming. */

static void reply_confirmed(struct api *api, struct waiting *waiting)
{
    Mpc__PartyApi__V1__ConfirmShareResponse response =
        MPC__PARTY_API__V1__CONFIRM_SHARE_RESPONSE__INIT;
    char session_id[ID_TEXT_MAX], status[] = "confirmed";

    memcpy(session_id, waiting->session_id, sizeof session_id);
    response.session_id = session_id;
    response.status = status;
    api_reply(api, waiting, &response.base);
}

void confirm_handle(struct rpc_call *call, const ProtobufCMessage *message, void *service)
{
    const Mpc__PartyApi__V1__ConfirmShareRequest *request =
        (const Mpc__PartyApi__V1__ConfirmShareRequest *)message;
    struct api *api = service;
    const struct kept *kept;
    struct waiting *waiting;

    if (!api_session_id(call, request->session_id))
        return;
    kept = kept_find(&api->kept, request->session_id);
    if (kept && !kept->is_confirmed && !kept->is_complete) {
        rpc_fail(call, rpc_error(RPC_STATE, "session_not_complete",
                                 "the session has not ended: there is nothing to confirm yet"));
        return;
    }
    waiting = api_wait(api, call, WAITING_CONFIRM, request->session_id, CONFIRM_WAIT_MS);
    if (!waiting)
        return;
    waiting->step = WAITING_FOR_KEEPER;
    if (kept && kept->is_confirmed)
        reply_confirmed(api, waiting);
    else
        front_confirm(api->front, request->session_id);
}

static struct rpc_status confirm_error(struct api *api, const Mpc__Keeper__V1__ShareAnswer *answer)
{
    struct front_view view;

    if (strcmp(answer->code, "NO_SHARE") != 0)
        return rpc_error(RPC_UNAVAILABLE, "keeper", "%s", answer->text);
    if (front_look(api->front, answer->session_id, &view))
        return rpc_error(RPC_STATE, "no_share", "%s", answer->text);
    return rpc_error(RPC_NOT_FOUND, "session_not_found", "no share of session %s is here",
                     answer->session_id);
}

void generate_answer(struct api *api, const Mpc__Keeper__V1__ShareAnswer *answer)
{
    struct waiting *waiting = api_next(api, NULL, WAITING_CONFIRM, answer->session_id), *next;
    struct kept *kept = kept_find(&api->kept, answer->session_id);

    if (waiting && kept && !*answer->code)
        kept_confirm(kept);
    for (; waiting; waiting = next) {
        next = api_next(api, waiting, WAITING_CONFIRM, answer->session_id);
        if (*answer->code)
            api_fail(api, waiting, confirm_error(api, answer));
        else
            reply_confirmed(api, waiting);
    }
}
