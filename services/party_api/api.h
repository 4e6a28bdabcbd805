/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of server-party-api share: the delegate's front, the shares that wait for their
 * owners' word, and the calls that wait for a session. One loop, one thread.
 *
 * A call is checked, put on the list of waiting calls, and finished once: by what the front tells
 * of its session, or by time (504 with the session's id; the session goes on). */
#ifndef SERVICES_PARTY_API_API_H
#define SERVICES_PARTY_API_API_H

#include "participant/front.h"
#include "party_api.pb-c.h"
#include "services/party_api/kept.h"
#include "system/rpc/server.h"

#include <uv.h>

enum { API_X25519_BYTES = 32, API_WAITING_MAX = 4096, API_SHARE_MAX = 700 << 10 };

enum waiting_kind { WAITING_GENERATE, WAITING_CONFIRM, WAITING_SIGN };

/* Where a call stands: the front's answer to front_ask, the keeper's to a share, the session's
 * end; or before all that, with a session that was not heard of: the next poll, what the
 * coordinator knows of it, and the session's turn. */
enum waiting_step {
    WAITING_FOR_JOIN,
    WAITING_FOR_KEEPER,
    WAITING_FOR_SESSION,
    /* sign: it ended before the keeper's result came */
    WAITING_FOR_SIGNATURE,
    WAITING_FOR_INVITATION,
    WAITING_FOR_WORD,
    WAITING_FOR_TURN
};

struct waiting {
    struct waiting *next;
    struct rpc_call *call;
    enum waiting_kind kind;
    enum waiting_step step;
    char session_id[ID_TEXT_MAX];
    int64_t until_ms;
    /* WAITING_FOR_INVITATION, WAITING_FOR_WORD: when it is given up; WAITING_FOR_SIGNATURE: when
     * the coordinator is asked again */
    int64_t look_until_ms;
    /* generate: whom the share is sealed to, if the caller said so */
    bool has_user_key;
    uint8_t user_key[API_X25519_BYTES];
    /* sign: the share, sealed to the keeper, until it was lent */
    uint8_t *share;
    size_t share_len;
};

struct api {
    struct front *front;
    struct kept_list kept;
    struct waiting *waiting;
    size_t waiting_n;
    /* USER_SHARE_PUBLIC_KEY is set */
    bool has_default_key;
    uint8_t default_key[API_X25519_BYTES];
    uv_timer_t sweep;
};

/* Registers its methods and routes; |front| is set by the caller, who made it with api_host.
 * |default_key|: 32 bytes of USER_SHARE_PUBLIC_KEY, or NULL. */
struct api *api_new(uv_loop_t *loop, struct rpc_server *server, const uint8_t *default_key);
struct front_host api_host(struct api *api);
/* Calls that wait are finished; memory goes on the loop's next turn. The front was freed before. */
void api_stop(struct api *api);
void api_free(struct api *api);

/* A new waiting call, NULL after it was refused because there are too many. */
struct waiting *api_wait(struct api *api, struct rpc_call *call, enum waiting_kind kind,
                         const char *session_id, int64_t longest_ms);
/* The next call of |kind| for the session, in any step; start with NULL. The one after a finished
 * call must have been asked for before. */
struct waiting *api_next(struct api *api, struct waiting *after, enum waiting_kind kind,
                         const char *session_id);
/* Take it off the list, then finish its call. */
void api_reply(struct api *api, struct waiting *waiting, const ProtobufCMessage *response);
void api_fail(struct api *api, struct waiting *waiting, struct rpc_status status);

/* Join its session; the call may be finished inside. */
void api_ask(struct api *api, struct waiting *waiting, const char *join_token);

/* The session's id in form; false after the call was refused. */
bool api_session_id(struct rpc_call *call, const char *session_id);
/* What a caller is told when the coordinator refuses to let this party join. */
struct rpc_status api_join_error(const struct rpc_status *refused);
/* What a caller is told whose session is over, with this status. */
struct rpc_status api_over(enum waiting_kind kind, const char *status);
/* Is this session known here or reachable with a token? |view->setup| is NULL if only a token leads
 * there. */
enum api_known {
    /* it is over, and the call was refused */
    API_ENDED,
    API_KNOWN,
    /* no invitation was heard: api_await_invitation */
    API_UNHEARD
};
struct api_asked {
    enum waiting_kind kind;
    const char *session_id, *join_token;
};
enum api_known api_look(struct api *api, struct rpc_call *call, const struct api_asked *asked,
                        struct front_view *view);
/* Its session may be so new that its invitation is on the way: ask for it before saying 404. */
void api_await_invitation(struct api *api, struct waiting *waiting);
/* It waits to hear whether there is such a session, and cannot be told: 503. */
bool api_is_looking(const struct waiting *waiting);
void api_fail_unheard(struct api *api, struct waiting *waiting);
/* Invitations have been heard: calls that awaited one go on, or ask what became of theirs. */
void api_polled(struct api *api);
void api_found(struct api *api, const char *session_id, enum front_found found,
               const Mpc__Session__V1__Session *session);
bool api_is_keygen(const char *session_type);
bool api_is_sign(const char *session_type);

/* generate.c: making the user's share */
rpc_handler generate_handle, confirm_handle;
/* Its session is known, or reachable with a token; the call may be finished inside. */
void generate_begin(struct api *api, struct waiting *waiting, const struct front_view *view,
                    const char *join_token);
bool generate_holds(const struct api *api, const Mpc__Session__V1__Setup *setup);
void generate_joined(struct api *api, const char *session_id, const struct rpc_status *status,
                     const Mpc__Session__V1__Setup *setup);
void generate_share(struct api *api, const Mpc__Keeper__V1__SealedShare *share);
void generate_answer(struct api *api, const Mpc__Keeper__V1__ShareAnswer *answer);
void generate_ended(struct api *api, const char *session_id, const char *status,
                    const char *detail);

/* sign.c: signing with it */
rpc_handler sign_handle, share_key_handle;
void sign_joined(struct api *api, const char *session_id, const struct rpc_status *status,
                 const Mpc__Session__V1__Setup *setup);
void sign_answer(struct api *api, const Mpc__Keeper__V1__ShareAnswer *answer);
void sign_outcome(struct api *api, const Mpc__Keeper__V1__Outcome *outcome);
void sign_ended(struct api *api, const char *session_id, const char *status, const char *detail);
/* Ask for the signature of a session that has ended; the coordinator's answer. */
void sign_look(struct api *api, struct waiting *waiting);
void sign_found(struct api *api, struct waiting *waiting, enum front_found found,
                const Mpc__Session__V1__Session *session);

#endif
