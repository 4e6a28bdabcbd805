/* SPDX-License-Identifier: Apache-2.0 */
/* A machine without implementations of its own: the portable ones are used. */
#include "base/cpu.h"

unsigned qrt_cpu_detect(void)
{
    return 0;
}
