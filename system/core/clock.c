/* SPDX-License-Identifier: Apache-2.0 */
/* Time from the system's clocks. The steady clock does not stop while the machine is busy, and is
 * never set back. */
#include "system/core/clock.h"

#include <stdio.h>
#include <time.h>

int64_t clock_unix_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t clock_steady_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int64_t clock_steady_ms(void)
{
    return (int64_t)(clock_steady_us() / 1000);
}

/* Years above 9999 do not fit the format, and years before 0 do not either: both are clamped. */
void clock_text(char out[CLOCK_TEXT_MAX], int64_t unix_ms)
{
    const int64_t least = -62167219200000, most = 253402300799999;
    int64_t clamped = unix_ms < least ? least : unix_ms > most ? most : unix_ms;
    int ms = (int)((clamped % 1000 + 1000) % 1000);
    time_t seconds = (time_t)((clamped - ms) / 1000);
    struct tm tm;
    char day[sizeof "01-31T12:00:00"];

    gmtime_r(&seconds, &tm);
    strftime(day, sizeof day, "%m-%dT%H:%M:%S", &tm);
    snprintf(out, CLOCK_TEXT_MAX, "%04d-%s.%03dZ", tm.tm_year + 1900, day, ms);
}
