/* SPDX-License-Identifier: Apache-2.0 */
/* The service of echo.proto, for the tests of the server.
 *
 * Say answers with what it got. Texts with a meaning: "hold" is answered only when the caller has
 * gone; "later" from the next turn of the loop; "fail" ends with FAILED_PRECONDITION, a sentence
 * with signs that need encoding, a session and a wait. Count sends |count| answers of |size| bytes,
 * as fast as the caller reads; 0: until he goes; "rude": without looking whether he reads.
 *
 * The guard refuses the key "wrong" and calls without x-api-key or bearer when |access| is set. */
#ifndef TESTS_RPC_ECHO_H
#define TESTS_RPC_ECHO_H

#include "system/rpc/server.h"

struct echo {
    uv_loop_t *loop;
    /* calls that handlers hold, that ended, that were told of a cancel, answers of streams */
    unsigned running, ended, cancelled, sent, drains;
};

/* Methods, routes, guard and the pages /health and /stats. */
void echo_add(struct rpc_server *server, struct echo *echo);

#endif
