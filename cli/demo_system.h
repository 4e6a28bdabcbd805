/* SPDX-License-Identifier: Apache-2.0 */
/* A system of its own for the length of a demo: `quorate up` as a child process. */
#ifndef QUORATE_CLI_DEMO_SYSTEM_H
#define QUORATE_CLI_DEMO_SYSTEM_H

#include "say.h"

#include <sys/types.h>

struct demo_system {
    const char *dir;
    pid_t pid;
    /* its stdout, which ends when it does */
    int out;
};

/* Start it in |dir| and wait until it is ready. On failure |trouble| is empty if `quorate up` has
 * said on stderr what is wrong. demo_system_stop is called in every case. */
bool demo_system_start(struct demo_system *system, const char *dir, struct trouble *trouble);
/* Ctrl-C for it, and wait for its end. False if that was not in order. */
bool demo_system_stop(struct demo_system *system, struct trouble *trouble);

#endif
