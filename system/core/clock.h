/* SPDX-License-Identifier: Apache-2.0 */
/* Time: wall clock for people and other machines, steady clock for waits. */
#ifndef SYSTEM_CORE_CLOCK_H
#define SYSTEM_CORE_CLOCK_H

#include <stdint.h>

enum { CLOCK_TEXT_MAX = 32, CLOCK_SKEW_MS = 30000 };

int64_t clock_unix_ms(void);
uint64_t clock_steady_us(void);
int64_t clock_steady_ms(void);
/* RFC 3339 in UTC with milliseconds: 2026-01-31T12:00:00.123Z. */
void clock_text(char out[CLOCK_TEXT_MAX], int64_t unix_ms);

#endif
