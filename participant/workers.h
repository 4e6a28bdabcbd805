/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that run protocols. Signing has threads of its own; key generation and presigning share
 * others, at most half as many and at lower priority, key generation first: a burst of them never
 * keeps a signature waiting. */
#ifndef PARTICIPANT_WORKERS_H
#define PARTICIPANT_WORKERS_H

#include <stddef.h>

struct workers;

enum work_kind { WORK_SIGN, WORK_KEYGEN, WORK_PRESIGN, WORK_KINDS };

/* Part of what is worked on; queued at most once at a time. */
struct task {
    struct task *next;
    void (*work)(void *arg);
    void *arg;
};

/* |n| threads for signing; 0: as many as there are cores. */
struct workers *workers_new(size_t n);
void workers_submit(struct workers *workers, enum work_kind kind, struct task *task);
/* No task starts any more; returns when the running ones have ended. What is queued stays
 * undone. */
void workers_stop(struct workers *workers);
void workers_free(struct workers *workers);

#endif
