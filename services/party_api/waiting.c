/* SPDX-License-Identifier: Apache-2.0 */
/* The list of waiting calls, and the checks that all of them begin with. */
#include "services/party_api/api.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <stdlib.h>
#include <string.h>

/* How long a call waits to hear whether its session exists. */
enum { LOOK_MS = 2000 };

struct waiting *api_wait(struct api *api, struct rpc_call *call, enum waiting_kind kind,
                         const char *session_id, int64_t longest_ms)
{
    struct waiting **end = &api->waiting, *waiting;
    int64_t left_ms = rpc_deadline_ms(call);

    if (api->waiting_n >= API_WAITING_MAX) {
        struct rpc_status busy =
            rpc_error(RPC_EXHAUSTED, "too_many_waiting", "too many requests wait at the moment");

        busy.retry_after = 1;
        rpc_fail(call, busy);
        return NULL;
    }
    waiting = mem_new(1, sizeof *waiting);
    waiting->call = call;
    waiting->kind = kind;
    memcpy(waiting->session_id, session_id, ID_TEXT_MAX);
    if (left_ms < 0 || left_ms > longest_ms)
        left_ms = longest_ms;
    waiting->until_ms = clock_unix_ms() + left_ms;
    while (*end)
        end = &(*end)->next;
    *end = waiting;
    api->waiting_n++;
    return waiting;
}

struct waiting *api_next(struct api *api, struct waiting *after, enum waiting_kind kind,
                         const char *session_id)
{
    struct waiting *waiting = after ? after->next : api->waiting;

    while (waiting && (waiting->kind != kind || strcmp(waiting->session_id, session_id) != 0))
        waiting = waiting->next;
    return waiting;
}

static struct rpc_call *take_off(struct api *api, struct waiting *waiting)
{
    struct waiting **at = &api->waiting;
    struct rpc_call *call = waiting->call;

    while (*at != waiting)
        at = &(*at)->next;
    *at = waiting->next;
    api->waiting_n--;
    free(waiting->share);
    free(waiting);
    return call;
}

void api_reply(struct api *api, struct waiting *waiting, const ProtobufCMessage *response)
{
    rpc_reply(take_off(api, waiting), response);
}

void api_fail(struct api *api, struct waiting *waiting, struct rpc_status status)
{
    rpc_fail(take_off(api, waiting), status);
}

void api_ask(struct api *api, struct waiting *waiting, const char *join_token)
{
    if (!front_ask(api->front, waiting->session_id, join_token))
        api_fail(api, waiting,
                 rpc_error(RPC_EXHAUSTED, "too_many_sessions",
                           "this party knows too many sessions at the moment"));
}

bool api_session_id(struct rpc_call *call, const char *session_id)
{
    uint8_t id[16];

    if (strlen(session_id) == ID_TEXT_MAX - 1 && id_parse(id, session_id))
        return true;
    rpc_fail(call, rpc_error(RPC_INVALID, "invalid_session_id", "session_id must be a UUID"));
    return false;
}

/* 401 is about API keys: a bad token is a bad field. */
struct rpc_status api_join_error(const struct rpc_status *refused)
{
    if (refused->code == RPC_UNAUTHENTICATED || refused->code == RPC_DENIED)
        return rpc_error(RPC_INVALID, "invalid_join_token", "join_token: %s", refused->text);
    if (refused->code == RPC_OK)
        return rpc_error(RPC_STATE, "session_ended", "the session is over");
    return *refused;
}

struct rpc_status api_over(enum waiting_kind kind, const char *status)
{
    if (kind == WAITING_GENERATE && strcmp(status, "completed") == 0)
        return rpc_error(RPC_STATE, "session_ended",
                         "the session is completed, and no share of it is here: one is kept for an"
                         " hour at most, and not over a restart; a repeat of the request that made"
                         " the account, with its idempotency_key, answers with the same box");
    return rpc_error(RPC_STATE, "session_ended", "the session is %s", status);
}

enum api_known api_look(struct api *api, struct rpc_call *call, const struct api_asked *asked,
                        struct front_view *view)
{
    *view = (struct front_view){0};
    if (!front_look(api->front, asked->session_id, view))
        return *asked->join_token ? API_KNOWN : API_UNHEARD;
    if (!view->has_ended)
        return API_KNOWN;
    rpc_fail(call, api_over(asked->kind, view->status));
    return API_ENDED;
}

void api_await_invitation(struct api *api, struct waiting *waiting)
{
    waiting->step = WAITING_FOR_INVITATION;
    waiting->look_until_ms = clock_unix_ms() + LOOK_MS;
    front_poll(api->front);
}

bool api_is_looking(const struct waiting *waiting)
{
    return waiting->step == WAITING_FOR_INVITATION || waiting->step == WAITING_FOR_WORD;
}

void api_fail_unheard(struct api *api, struct waiting *waiting)
{
    struct rpc_status unknown =
        rpc_error(RPC_UNAVAILABLE, "coordinator",
                  "this party has not heard of the session, and cannot ask at the moment");

    unknown.retry_after = 1;
    api_fail(api, waiting, unknown);
}

/* No invitation has come: it may not be there, not for this party, or not yet. */
static void look_it_up(struct api *api, struct waiting *waiting)
{
    waiting->step = WAITING_FOR_WORD;
    waiting->look_until_ms = clock_unix_ms() + LOOK_MS;
    front_find(api->front, waiting->session_id, 0);
}

/* True: the call is finished or in another step. False: it goes on waiting for its turn. */
static bool look_again(struct api *api, struct waiting *waiting)
{
    struct front_view view;

    if (!front_look(api->front, waiting->session_id, &view)) {
        if (waiting->step == WAITING_FOR_TURN)
            return false;
        look_it_up(api, waiting);
        return true;
    }
    waiting->step = WAITING_FOR_JOIN;
    if (view.has_ended)
        api_fail(api, waiting, api_over(waiting->kind, view.status));
    else if (waiting->kind == WAITING_GENERATE)
        generate_begin(api, waiting, &view, "");
    else
        api_ask(api, waiting, "");
    return true;
}

static bool awaits_invitation(const struct waiting *waiting)
{
    return waiting->step == WAITING_FOR_INVITATION || waiting->step == WAITING_FOR_TURN;
}

/* From the start after each change: one call's way may end others. */
void api_polled(struct api *api)
{
    struct waiting *waiting = api->waiting;

    while (waiting) {
        bool has_changed = awaits_invitation(waiting) && look_again(api, waiting);

        waiting = has_changed ? api->waiting : waiting->next;
    }
}

/* Its invitation comes when its turn does; if it ends before that, the second word says so. */
static void await_turn(struct api *api, struct waiting *waiting)
{
    int64_t left_ms = waiting->until_ms - clock_unix_ms();

    waiting->step = WAITING_FOR_TURN;
    if (left_ms > 0)
        front_find(api->front, waiting->session_id, (uint32_t)(left_ms / 1000 + 1));
}

/* That nothing changed, or that nobody says so, changes nothing for a call that waits its turn. */
static void take_word(struct api *api, struct waiting *waiting, enum front_found found,
                      const Mpc__Session__V1__Session *session)
{
    struct front_view view;
    bool awaits_turn = waiting->step == WAITING_FOR_TURN;

    if (front_look(api->front, waiting->session_id, &view))
        waiting->step = WAITING_FOR_TURN; /* the next poll takes it up */
    else if (found == FRONT_FOUND_COMING && !awaits_turn)
        await_turn(api, waiting);
    else if (found == FRONT_FOUND_NOBODY && !awaits_turn)
        api_fail_unheard(api, waiting);
    else if (found == FRONT_FOUND_COMING || found == FRONT_FOUND_NOBODY)
        return;
    else if (found == FRONT_FOUND_OVER)
        api_fail(api, waiting, api_over(waiting->kind, session->status));
    else
        api_fail(api, waiting,
                 rpc_error(RPC_NOT_FOUND, "session_not_found",
                           "this party was not invited to session %s", waiting->session_id));
}

void api_found(struct api *api, const char *session_id, enum front_found found,
               const Mpc__Session__V1__Session *session)
{
    struct waiting *waiting = api->waiting, *next;

    for (; waiting; waiting = next) {
        next = waiting->next;
        if (strcmp(waiting->session_id, session_id) != 0)
            continue;
        if (waiting->step == WAITING_FOR_SIGNATURE)
            sign_found(api, waiting, found, session);
        else if (waiting->step == WAITING_FOR_WORD || waiting->step == WAITING_FOR_TURN)
            take_word(api, waiting, found, session);
    }
}

bool api_is_keygen(const char *session_type)
{
    return !strcmp(session_type, "keygen") || !strcmp(session_type, "co_managed_keygen");
}

bool api_is_sign(const char *session_type)
{
    return !strcmp(session_type, "sign") || !strcmp(session_type, "co_managed_sign");
}
