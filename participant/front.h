/* SPDX-License-Identifier: Apache-2.0 */
/* The front of a party: between the network (front_link.h) and the keeper (front_pipe.h), without
 * shares and without keys. It learns of sessions by events and polls, hands each attempt to the
 * keeper once, joins, carries messages both ways, reports outcomes, and forgets a session when it
 * ends.
 * What to do for a session is front_session.h's; this does it.
 *
 * It believes nothing that it carries: the keeper checks intents and messages. The keeper's death
 * is the front's (fault); the front's death ends the keeper by the end of the socket. */
#ifndef PARTICIPANT_FRONT_H
#define PARTICIPANT_FRONT_H

#include "keeper.pb-c.h"
#include "participant/front_link.h"
#include "system/rpc/status.h"
#include "system/rpc/tls_context.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct front;

/* What the coordinator knows of a session that no invitation told of. */
enum front_found {
    /* it could not be asked, or refused to say */
    FRONT_FOUND_NOBODY,
    /* there is no such session, or others do it */
    FRONT_FOUND_NOTHING,
    /* it waits for its turn, or the invitation is on its way */
    FRONT_FOUND_COMING,
    FRONT_FOUND_OVER
};

/* What a host beyond a server party (server-party-api) decides and hears; any may be NULL.
 * Everything is lent for the call. */
struct front_host {
    void *arg;
    /* does this invitation wait for front_release? */
    bool (*holds)(void *arg, const Mpc__Session__V1__Setup *setup);
    /* how front_ask ended; |setup| NULL unless RPC_OK */
    void (*joined)(void *arg, const char *session_id, const struct rpc_status *status,
                   const Mpc__Session__V1__Setup *setup);
    /* may follow |ended|: the other parties were faster */
    void (*outcome)(void *arg, const Mpc__Keeper__V1__Outcome *outcome);
    void (*share)(void *arg, const Mpc__Keeper__V1__SealedShare *share);
    void (*answer)(void *arg, const Mpc__Keeper__V1__ShareAnswer *answer);
    /* every invitation that was there at the last front_poll has been heard */
    void (*polled)(void *arg);
    /* the answer to front_find, once for each; |session| NULL unless FRONT_FOUND_OVER. Needed by
     * who calls it */
    void (*found)(void *arg, const char *session_id, enum front_found found,
                  const Mpc__Session__V1__Session *session);
    /* |status|: completed, failed, expired, cancelled */
    void (*ended)(void *arg, const char *session_id, const char *status, const char *detail);
};

struct front_params {
    uv_loop_t *loop;
    /* the front's end of the keeper's socket pair, taken over */
    int keeper_fd;
    /* loop is set by the front */
    struct front_link_params link;
    /* cannot go on; one line. May come inside front_new's loop callbacks only */
    void (*fault)(void *arg, const char *why);
    void *fault_arg;
    /* NULL: a server party */
    const struct front_host *host;
    /* BACKUP_DIR; "" or NULL: none */
    const char *backup_dir;
    /* the party that the TLS certificate names; "": none. It must be the keeper's */
    char tls_party[TLS_PARTY_MAX];
};

struct front *front_new(const struct front_params *params);
/* Close the keeper's socket, then |stopped| when the keeper is gone. */
void front_stop(struct front *front, void (*stopped)(void *arg), void *arg);
/* Memory goes on the loop's next turns. NULL is nothing. */
void front_free(struct front *front);
/* The keeper spoke, the party is registered and subscribed, the coordinator answers. */
bool front_is_ready(const struct front *front);

/* For a host. */

/* What is known of a session; lent until the next turn of the loop. */
struct front_view {
    /* NULL after the end */
    const Mpc__Session__V1__Setup *setup;
    bool is_open, has_ended, has_token;
    /* 32 bytes, as given to front_release; or NULL */
    const uint8_t *user_key;
    /* after the end */
    const char *status, *detail;
};
/* False: neither an invitation nor an end was heard. */
bool front_look(const struct front *front, const char *session_id, struct front_view *out);
/* Ask for invitations now: host->polled follows, unless the coordinator does not answer. */
void front_poll(struct front *front);
/* Ask what the coordinator knows of a session, at once or, |wait_s|, when it has ended or so much
 * time is over: host->found, never inside this call, perhaps inside front_free. |session_id| is a
 * UUID's text. */
void front_find(struct front *front, const char *session_id, uint32_t wait_s);
/* Join a held session with |join_token|, or (NULL, "") the invited event's; the answer comes by
 * host->joined, at once if it was joined before. False: no such session and no token. */
bool front_ask(struct front *front, const char *session_id, const char *join_token);
/* A held session may open now. |user_public_key| (32 bytes) is what the user's backend gave
 * here; the keeper heeds it if neither the setup nor its configuration names one. NULL: none was
 * given. */
void front_release(struct front *front, const char *session_id, const uint8_t *user_public_key);
void front_lend(struct front *front, const char *session_id, const uint8_t *sealed, size_t len);
void front_confirm(struct front *front, const char *session_id);
/* X25519 key that a lent share is sealed to, 32 bytes; NULL until the keeper told it. */
const uint8_t *front_share_key(const struct front *front);
const char *front_party(const struct front *front);

#endif
