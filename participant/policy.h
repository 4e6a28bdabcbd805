/* SPDX-License-Identifier: Apache-2.0 */
/* The hook that may veto a session before its first message: a program or a URL, asked by a helper
 * process that was started before the keeper's sandbox and holds no secret.
 *
 * Keeper and helper share a socket pair of packets: one request, one answer, matched by number. The
 * helper asks several at a time; a request that finds the socket full is not sent and counts as
 * RETRY. Only a clear APPROVE approves. */
#ifndef PARTICIPANT_POLICY_H
#define PARTICIPANT_POLICY_H

#include "participant/permit.h"

#include <stdbool.h>
#include <stdint.h>

struct policy;

enum policy_answer { POLICY_NONE, POLICY_APPROVE, POLICY_REJECT, POLICY_RETRY };

struct policy_params {
    const struct qrt_ctx *ctx;
    /* one of them is "" or both: then there is no policy and no helper */
    const char *command, *url;
    int timeout_ms;
    /* path of the executable whose --keeper --policy is the helper */
    const char *program;
};

/* Start the helper. Call before any thread exists. NULL if there is no policy, or with one line in
 * |error| if it could not be started. */
struct policy *policy_start(const struct policy_params *params, char error[REFUSAL_TEXT_MAX]);
/* Ends the helper. */
void policy_stop(struct policy *policy);

/* The descriptor to poll; policy_read when it can be read. */
int policy_fd(const struct policy *policy);
int policy_timeout_ms(const struct policy *policy);
/* Ask about |permit| under |number|. False: not asked. Any thread. */
bool policy_ask(struct policy *policy, uint64_t number, const struct permit *permit);
/* The next answer, without waiting; POLICY_NONE: none now. |*gone|: the helper has ended. */
enum policy_answer policy_read(struct policy *policy, uint64_t *number, bool *gone);

/* The helper's main: `<exe> --keeper --policy`, the socket on descriptor 3. */
int policy_main(void);

#endif
