/* SPDX-License-Identifier: Apache-2.0 */
/* How a call ended. gRPC's codes are the truth; each has an HTTP status, and an error has one clear
 * sentence and a machine-readable code (requirements section 3). */
#ifndef SYSTEM_RPC_STATUS_H
#define SYSTEM_RPC_STATUS_H

/* Numbers of gRPC. */
enum rpc_code {
    RPC_OK = 0,
    RPC_CANCELLED = 1,
    RPC_UNKNOWN = 2,
    /* 400 */
    RPC_INVALID = 3,
    /* 504 */
    RPC_DEADLINE = 4,
    /* 404 */
    RPC_NOT_FOUND = 5,
    /* 409 */
    RPC_EXISTS = 6,
    /* 403 */
    RPC_DENIED = 7,
    /* 429 */
    RPC_EXHAUSTED = 8,
    /* 409: wrong state */
    RPC_STATE = 9,
    /* 409 */
    RPC_ABORTED = 10,
    /* 422: understood but impossible; out of range in gRPC's words */
    RPC_IMPOSSIBLE = 11,
    RPC_UNIMPLEMENTED = 12,
    RPC_INTERNAL = 13,
    /* 503 */
    RPC_UNAVAILABLE = 14,
    RPC_DATA_LOSS = 15,
    /* 401 */
    RPC_UNAUTHENTICATED = 16
};

enum { RPC_TEXT_MAX = 256 };

struct rpc_status {
    enum rpc_code code;
    /* HTTP status if it is not the code's usual one (413, 422 ...); 0: the usual */
    int http;
    /* "account_not_found": lower case, a constant */
    const char *name;
    char text[RPC_TEXT_MAX];
    /* the session that goes on (504), or empty */
    char session_id[37];
    /* seconds for Retry-After with 429 and 503; 0: none */
    int retry_after;
};

/* A status with a formatted sentence. */
struct rpc_status rpc_error(enum rpc_code code, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct rpc_status rpc_ok(void);
/* The HTTP status of a status. */
int rpc_http_status(const struct rpc_status *status);

#endif
