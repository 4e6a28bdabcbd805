/* SPDX-License-Identifier: Apache-2.0 */
/* Monotonic time, for deadlines and durations. */
#ifndef QUORATE_CLI_CLOCK_H
#define QUORATE_CLI_CLOCK_H

#include <stdint.h>

int64_t clock_now_ms(void);

#endif
