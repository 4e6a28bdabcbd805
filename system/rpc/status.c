/* SPDX-License-Identifier: Apache-2.0 */
/* See status.h. */
#include "system/rpc/status.h"

#include "system/core/utf8.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct rpc_status rpc_error(enum rpc_code code, const char *name, const char *format, ...)
{
    struct rpc_status status = {.code = code, .name = name};
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(status.text, sizeof status.text, format, args);
    va_end(args);
    if (len >= (int)sizeof status.text)
        utf8_mend(status.text);
    return status;
}

struct rpc_status rpc_ok(void)
{
    return (struct rpc_status){.code = RPC_OK, .name = "ok"};
}

int rpc_http_status(const struct rpc_status *status)
{
    static const int usual[] = {
        [RPC_OK] = 200,        [RPC_CANCELLED] = 499,       [RPC_UNKNOWN] = 500,
        [RPC_INVALID] = 400,   [RPC_DEADLINE] = 504,        [RPC_NOT_FOUND] = 404,
        [RPC_EXISTS] = 409,    [RPC_DENIED] = 403,          [RPC_EXHAUSTED] = 429,
        [RPC_STATE] = 409,     [RPC_ABORTED] = 409,         [RPC_IMPOSSIBLE] = 422,
        [RPC_INTERNAL] = 500,  [RPC_UNIMPLEMENTED] = 501,   [RPC_UNAVAILABLE] = 503,
        [RPC_DATA_LOSS] = 500, [RPC_UNAUTHENTICATED] = 401,
    };

    if (status->http)
        return status->http;
    if ((size_t)status->code >= sizeof usual / sizeof usual[0])
        return 500;
    return usual[status->code];
}
