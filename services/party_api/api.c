/* SPDX-License-Identifier: Apache-2.0 */
/* The life of server-party-api: what the front tells, and time. */
#include "services/party_api/api.h"

#include "services/party_api/routes.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <stdlib.h>
#include <string.h>

enum { SWEEP_MS = 200 };

/* What the front tells. */

static bool on_holds(void *arg, const Mpc__Session__V1__Setup *setup)
{
    return !api_is_keygen(setup->session_type) || generate_holds(arg, setup);
}

static void on_joined(void *arg, const char *session_id, const struct rpc_status *status,
                      const Mpc__Session__V1__Setup *setup)
{
    generate_joined(arg, session_id, status, setup);
    sign_joined(arg, session_id, status, setup);
}

static void on_outcome(void *arg, const Mpc__Keeper__V1__Outcome *outcome)
{
    sign_outcome(arg, outcome);
}

static void on_share(void *arg, const Mpc__Keeper__V1__SealedShare *share)
{
    generate_share(arg, share);
}

/* A session either makes a key or signs: one of the two has calls that wait. */
static void on_answer(void *arg, const Mpc__Keeper__V1__ShareAnswer *answer)
{
    generate_answer(arg, answer);
    sign_answer(arg, answer);
}

static void on_polled(void *arg)
{
    api_polled(arg);
}

static void on_found(void *arg, const char *session_id, enum front_found found,
                     const Mpc__Session__V1__Session *session)
{
    api_found(arg, session_id, found, session);
}

static void on_ended(void *arg, const char *session_id, const char *status, const char *detail)
{
    generate_ended(arg, session_id, status, detail);
    sign_ended(arg, session_id, status, detail);
}

/* Time. */

static void fail_late(struct api *api, struct waiting *waiting)
{
    struct rpc_status late =
        rpc_error(RPC_DEADLINE, "wait_ran_out", "the wait ran out; the session goes on: ask again");

    memcpy(late.session_id, waiting->session_id, sizeof late.session_id);
    api_fail(api, waiting, late);
}

static void on_sweep(uv_timer_t *timer)
{
    struct api *api = timer->data;
    int64_t now = clock_unix_ms();
    struct waiting *next;

    kept_expire(&api->kept, now);
    for (struct waiting *waiting = api->waiting; waiting; waiting = next) {
        next = waiting->next;
        if (waiting->until_ms <= now || rpc_is_cancelled(waiting->call))
            fail_late(api, waiting);
        else if (api_is_looking(waiting) && waiting->look_until_ms <= now)
            api_fail_unheard(api, waiting);
        else if (waiting->step == WAITING_FOR_SIGNATURE && waiting->look_until_ms <= now)
            sign_look(api, waiting);
    }
}

/* Life. */

struct api *api_new(uv_loop_t *loop, struct rpc_server *server, const uint8_t *default_key)
{
    struct api *api = mem_new(1, sizeof *api);

    api->has_default_key = default_key != NULL;
    if (default_key)
        memcpy(api->default_key, default_key, sizeof api->default_key);
    uv_timer_init(loop, &api->sweep);
    api->sweep.data = api;
    uv_timer_start(&api->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    rpc_server_add(server, party_api_methods, party_api_routes, api);
    return api;
}

struct front_host api_host(struct api *api)
{
    return (struct front_host){.arg = api,
                               .holds = on_holds,
                               .joined = on_joined,
                               .outcome = on_outcome,
                               .share = on_share,
                               .answer = on_answer,
                               .polled = on_polled,
                               .found = on_found,
                               .ended = on_ended};
}

/* A share that was lent without naming an intent is good for one loan, which is over now. */
static struct rpc_status stopping(const struct waiting *waiting)
{
    if (waiting->kind == WAITING_SIGN)
        return rpc_error(RPC_UNAVAILABLE, "stopping",
                         "the service stops: begin another session, and lend the share for that");
    return rpc_error(RPC_UNAVAILABLE, "stopping", "the service stops: ask again");
}

void api_stop(struct api *api)
{
    while (api->waiting)
        api_fail(api, api->waiting, stopping(api->waiting));
}

static void on_closed(uv_handle_t *handle)
{
    struct api *api = handle->data;

    kept_free(&api->kept);
    free(api);
}

void api_free(struct api *api)
{
    api_stop(api);
    uv_close((uv_handle_t *)&api->sweep, on_closed);
}
