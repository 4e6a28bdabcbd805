/* SPDX-License-Identifier: Apache-2.0 */
/* See pause.h. By the steady clock: whoever sets the other one prolongs nothing. */
#include "participant/pause.h"

#include <time.h>

enum { MS_PER_S = 1000, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

void pause_init(struct pause *pause)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pause->woken, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&pause->lock, NULL);
    pause->is_stopped = false;
}

void pause_close(struct pause *pause)
{
    pthread_cond_destroy(&pause->woken);
    pthread_mutex_destroy(&pause->lock);
}

void pause_stop(struct pause *pause)
{
    pthread_mutex_lock(&pause->lock);
    pause->is_stopped = true;
    pthread_cond_signal(&pause->woken);
    pthread_mutex_unlock(&pause->lock);
}

bool pause_is_stopped(struct pause *pause)
{
    bool stopped;

    pthread_mutex_lock(&pause->lock);
    stopped = pause->is_stopped;
    pthread_mutex_unlock(&pause->lock);
    return stopped;
}

static struct timespec after(int ms)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / MS_PER_S;
    at.tv_nsec += (long)(ms % MS_PER_S) * NS_PER_MS;
    if (at.tv_nsec >= NS_PER_S) {
        at.tv_sec++;
        at.tv_nsec -= NS_PER_S;
    }
    return at;
}

void pause_until(struct pause *pause, int ms, bool (*is_over)(const void *arg), const void *arg)
{
    const struct timespec at = after(ms);

    while (!pause->is_stopped && !is_over(arg) &&
           pthread_cond_timedwait(&pause->woken, &pause->lock, &at) == 0)
        ;
}

static bool never(const void *arg)
{
    (void)arg;
    return false;
}

void pause_for(struct pause *pause, int ms)
{
    pthread_mutex_lock(&pause->lock);
    pause_until(pause, ms, never, NULL);
    pthread_mutex_unlock(&pause->lock);
}
