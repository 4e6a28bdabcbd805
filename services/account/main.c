/* SPDX-License-Identifier: Apache-2.0 */
/* quorate-account-service. */
#include "services/account/service.h"
#include "services/account/webhook.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    /* libuv's pool: who posts webhooks, and as many again for everybody else. */
    (void)setenv("UV_THREADPOOL_SIZE", WEBHOOK_THREADS, 1);
    return service_main(argc, argv, &account_service);
}
