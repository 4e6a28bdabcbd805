/* SPDX-License-Identifier: Apache-2.0 */
/* The rest of a thread that works from time to time, which a stop ends at once. */
#ifndef PARTICIPANT_PAUSE_H
#define PARTICIPANT_PAUSE_H

#include <pthread.h>
#include <stdbool.h>

/* |lock| and |woken| are the user's too, for what else he waits for. */
struct pause {
    pthread_mutex_t lock;
    pthread_cond_t woken;
    /* under |lock|; never false again */
    bool is_stopped;
};

void pause_init(struct pause *pause);
/* Nobody uses it any more. */
void pause_close(struct pause *pause);
void pause_stop(struct pause *pause);
bool pause_is_stopped(struct pause *pause);
/* Until it is stopped or |ms| are over. */
void pause_for(struct pause *pause, int ms);
/* The same, or until |is_over|, which is asked under |lock| whenever |woken| is signalled. Under
 * |lock|. */
void pause_until(struct pause *pause, int ms, bool (*is_over)(const void *arg), const void *arg);

#endif
