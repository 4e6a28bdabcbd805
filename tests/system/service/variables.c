/* SPDX-License-Identifier: Apache-2.0 */
/* See variables.h. */
#include "variables.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>

void variables_set(void)
{
    static const struct {
        const char *name, *value;
    } all[] = {
        {"ENVIRONMENT", "production"},
        {"LOG_LEVEL", "info"},
        {"JWT_SECRET_KEY", "0123456789abcdef0123456789abcdef"},
        {"MPC_API_KEY", "key-of-the-tests"},
        {"ALLOWED_IPS", "127.0.0.0/8"},
        {"CA_KEY", "00000000000000000000000000000000000000000000000000000000000000aa"},
        {"TLS", "off"},
        {"LISTEN_HOST", "127.0.0.1"},
        {"HTTP_PORT", "0"},
        {"GRPC_PORT", "0"},
        {"ROUTER_ADDR", "127.0.0.1:1"},
        {"COORDINATOR_ADDR", "127.0.0.1:1"},
        {"RETRY_MAX", "2"},
        {"RETRY_DELAY_MS", "1"},
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        setenv(all[i].name, all[i].value, 1);
}

struct config *variables_load(enum config_program program)
{
    char error[CONFIG_ERROR_MAX];
    struct config *config = config_load(program, "/dev/null", error);

    if (!config)
        fail_msg("%s", error);
    return config;
}
