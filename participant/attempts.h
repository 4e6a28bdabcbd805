/* SPDX-License-Identifier: Apache-2.0 */
/* Which attempts of which intents this party has begun, across the ends of its process. To begin
 * one again would be a second first message under the same session id of the protocol, which looks
 * like cheating and can be proven to anybody; what an invitation says about lives of this party is
 * nobody's word.
 *
 * Written before the first message of a run leaves, and not synced: it outlives the end of the
 * process, whatever ended it, and costs a signature no wait for a disk. A machine that loses power
 * may forget its last attempts. Any thread. */
#ifndef PARTICIPANT_ATTEMPTS_H
#define PARTICIPANT_ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct attempts;

enum { ATTEMPTS_ERROR_MAX = 256 };

/* Two files in |directory|, which no other process uses. NULL with one line in |error|. */
struct attempts *attempts_open(const char *directory, int64_t now_ms,
                               char error[ATTEMPTS_ERROR_MAX]);
void attempts_close(struct attempts *attempts);

struct attempt {
    /* SHA-256 of the intent */
    const uint8_t *intent_hash;
    uint32_t number;
    /* no invitation to it is accepted after this */
    int64_t until_ms;
};

/* This process or an earlier one began this attempt, or a later one, of this intent. In one process
 * participant/intake.h sees to it as well, but forgets by a clock that may be set back. */
bool attempts_is_old(struct attempts *attempts, const struct attempt *attempt);
/* It begins now. False: it cannot be remembered, and must not begin. */
bool attempts_begin(struct attempts *attempts, const struct attempt *attempt, int64_t now_ms);

#endif
