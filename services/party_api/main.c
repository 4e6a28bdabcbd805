/* SPDX-License-Identifier: Apache-2.0 */
/* quorate-server-party-api: the delegate party, with an HTTP interface for its owner's backend. It
 * takes part in keygens like any party; in signing only while a user's share is lent to it. */
#include "participant/front_main.h"
#include "services/party_api/api.h"

static void *start(const struct service_host *host, char error[RPC_TEXT_MAX])
{
    const uint8_t *key = config_key(host->config, "USER_SHARE_PUBLIC_KEY", API_X25519_BYTES);
    struct api *api = api_new(host->loop, host->server, key);
    const struct front_host told = api_host(api);

    (void)error;
    api->front = front_begin(host, &told);
    return api;
}

static bool is_ready(void *service)
{
    const struct api *api = service;

    return front_is_ready(api->front) && front_share_key(api->front);
}

/* Calls that still wait are told to ask again. */
static void stop(void *service, void (*stopped)(void *arg), void *arg)
{
    struct api *api = service;

    api_stop(api);
    front_stop(api->front, stopped, arg);
}

static void end(void *service)
{
    struct api *api = service;

    front_free(api->front);
    api_free(api);
}

int main(int argc, char **argv)
{
    static const struct service_def def = {
        .name = "server-party-api",
        .health = "server-party-api",
        .program = CONFIG_PARTY_API,
        .start = start,
        .is_ready = is_ready,
        .stop = stop,
        .free = end,
    };

    return front_main(argc, argv, &def);
}
