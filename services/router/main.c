/* SPDX-License-Identifier: Apache-2.0 */
/* quorate-message-router: see router.h. */
#include "services/router/router.h"

int main(int argc, char **argv)
{
    static const struct service_def def = {
        .name = "message-router",
        .health = "message-router",
        .program = CONFIG_ROUTER,
        .start = router_start,
        .is_ready = router_is_ready,
        .stop = router_stop,
        .free = router_free,
    };

    return service_main(argc, argv, &def);
}
