/* SPDX-License-Identifier: Apache-2.0 */
/* Time: monotonic for deadlines and durations, CPU time of this process for costs. */
#ifndef QUORATE_CLI_CLOCK_H
#define QUORATE_CLI_CLOCK_H

#include <stdint.h>

int64_t clock_now_us(void);
int64_t clock_now_ms(void);
int64_t clock_cpu_us(void);

#endif
