/* SPDX-License-Identifier: Apache-2.0 */
/* See delegate.h. */
#include "delegate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world *w;
struct api *api;
static struct rpc_channel *caller;
static const uint8_t *default_key;
const uint8_t key_bytes[32] = {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                               0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                               0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11};

static struct front_host make_host(struct world *at)
{
    api = api_new(&at->loop, at->server, default_key);
    return api_host(api);
}

static int start(const uint8_t *key)
{
    default_key = key;
    w = world_new("delegate", make_host);
    api->front = w->front;
    world_ready(w);
    caller = world_dial(w);
    return 0;
}

int setup(void **state)
{
    (void)state;
    return start(NULL);
}

int setup_with_key(void **state)
{
    (void)state;
    return start(key_bytes);
}

int teardown(void **state)
{
    (void)state;
    rpc_channel_free(caller);
    api_free(api);
    world_free(w);
    return 0;
}

static void on_done(void *arg, const struct rpc_status *status, const ProtobufCMessage *response)
{
    struct answer *answer = arg;

    answer->is_done = true;
    answer->status = *status;
    if (status->code != RPC_OK)
        return;
    if (response->descriptor == &mpc__party_api__v1__generate_share_response__descriptor)
        snprintf(answer->text, sizeof answer->text, "%s",
                 ((const Mpc__PartyApi__V1__GenerateShareResponse *)response)->user_share);
    else if (response->descriptor == &mpc__party_api__v1__confirm_share_response__descriptor)
        snprintf(answer->text, sizeof answer->text, "%s",
                 ((const Mpc__PartyApi__V1__ConfirmShareResponse *)response)->status);
    else if (response->descriptor == &mpc__party_api__v1__sign_with_share_response__descriptor)
        snprintf(answer->text, sizeof answer->text, "%s",
                 ((const Mpc__PartyApi__V1__SignWithShareResponse *)response)->signature->compact);
    else
        snprintf(answer->text, sizeof answer->text, "%s",
                 ((const Mpc__PartyApi__V1__GetShareKeyResponse *)response)->public_key);
}

void begin(struct answer *answer, const char *path, const ProtobufCMessage *message,
           const ProtobufCMessageDescriptor *response)
{
    const struct rpc_request request = {.path = path,
                                        .message = message,
                                        .response = response,
                                        .deadline_ms = 120000,
                                        .done = on_done,
                                        .arg = answer};

    *answer = (struct answer){0};
    rpc_start(caller, &request);
}

void generate(struct answer *answer, const char *session_id, const char *token, const char *key)
{
    Mpc__PartyApi__V1__GenerateShareRequest m = MPC__PARTY_API__V1__GENERATE_SHARE_REQUEST__INIT;

    m.session_id = (char *)session_id;
    m.join_token = (char *)token;
    m.user_public_key = (char *)key;
    begin(answer, SHARES "GenerateShare", &m.base,
          &mpc__party_api__v1__generate_share_response__descriptor);
}

void confirm(struct answer *answer, const char *session_id)
{
    Mpc__PartyApi__V1__ConfirmShareRequest m = MPC__PARTY_API__V1__CONFIRM_SHARE_REQUEST__INIT;

    m.session_id = (char *)session_id;
    begin(answer, SHARES "ConfirmShare", &m.base,
          &mpc__party_api__v1__confirm_share_response__descriptor);
}

void sign(struct answer *answer, const char *session_id, const char *token, const char *share)
{
    Mpc__PartyApi__V1__SignWithShareRequest m = MPC__PARTY_API__V1__SIGN_WITH_SHARE_REQUEST__INIT;

    m.session_id = (char *)session_id;
    m.join_token = (char *)token;
    m.user_share = (char *)share;
    begin(answer, SHARES "SignWithShare", &m.base,
          &mpc__party_api__v1__sign_with_share_response__descriptor);
}

void finish(struct answer *answer)
{
    while (!answer->is_done)
        uv_run(&w->loop, UV_RUN_ONCE);
}

void assert_refused(struct answer *answer, int http, const char *says)
{
    finish(answer);
    assert_int_equal(rpc_http_status(&answer->status), http);
    if (!strstr(answer->status.text, says))
        fail_msg("\"%s\" does not say \"%s\"", answer->status.text, says);
}

void until_keeper_got(Mpc__Keeper__V1__ToKeeper__RequestCase which, size_t n)
{
    while (keeper_got(w, which) < n)
        uv_run(&w->loop, UV_RUN_ONCE);
}

void make_key(const char *session_id)
{
    unsigned reports = w->report.came;

    keeper_share(w, session_id, "sealed");
    keeper_made_key(w, session_id);
    while (w->report.came == reports)
        uv_run(&w->loop, UV_RUN_ONCE);
    assert_int_equal(w->submit.came, 1);
    say_ended(w, "session_completed", session_id);
}
