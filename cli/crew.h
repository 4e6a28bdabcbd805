/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a demo, as the one that started them sees them: a relay and the parties. They
 * are started before any secret exists; each has a control channel, and each party a pipe for the
 * passphrase. Whatever happens to one of them ends the demo with one sentence. */
#ifndef QUORATE_CLI_CREW_H
#define QUORATE_CLI_CREW_H

#include "channel.h"
#include "say.h"

#include "quorate/types.h"

#include <sys/types.h>

struct member {
    char name[16]; /* "relay", "party 2" */
    uint16_t index;
    pid_t pid; /* 0: waited for */
    struct channel control;
    int passphrase_fd; /* write end; -1: none or used */
};

struct crew {
    struct member relay;
    struct member parties[QRT_PARTIES_MAX];
    size_t n;
    struct trouble echo; /* a member saw that another failed: said if nobody tells why */
    int64_t echo_until_ms;
};

struct crew_plan {
    const uint16_t *indices;
    size_t n;
    int lock_fd;            /* inherited by the parties; -1: none */
    const char *relay_log;  /* NULL, or a file: see relay.c */
    const char *relay_hold; /* NULL, or a number */
};

/* signals_catch comes first. After a failure crew_stop must be called as well. */
bool crew_start(struct crew *crew, const struct crew_plan *plan, struct trouble *trouble);

/* Wait for the next word of any member, until |deadline_ms|. False if a member failed or ended, or
 * the time is up, or a signal said to end. |from| may become the relay. |word| is the caller's. */
bool crew_hear(struct crew *crew, int64_t deadline_ms, struct member **from, json_t **word,
               struct trouble *trouble);

/* Ask all to end, end those that do not, wait for all. */
void crew_stop(struct crew *crew);

#endif
