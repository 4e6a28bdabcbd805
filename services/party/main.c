/* SPDX-License-Identifier: Apache-2.0 */
/* quorate-server-party: a front and its keeper, nothing more. It takes part in whatever its keeper
 * permits. Over HTTP it says only whether it lives; over gRPC the same. */
#include "participant/front_main.h"

static void *start(const struct service_host *host, char error[RPC_TEXT_MAX])
{
    (void)error;
    return front_begin(host, NULL);
}

static bool is_ready(void *service)
{
    return front_is_ready(service);
}

static void stop(void *service, void (*stopped)(void *arg), void *arg)
{
    front_stop(service, stopped, arg);
}

static void end(void *service)
{
    front_free(service);
}

int main(int argc, char **argv)
{
    static const struct service_def def = {
        .name = "server-party",
        .health = "server-party",
        .program = CONFIG_PARTY,
        .start = start,
        .is_ready = is_ready,
        .stop = stop,
        .free = end,
    };

    return front_main(argc, argv, &def);
}
