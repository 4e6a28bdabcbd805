/* SPDX-License-Identifier: Apache-2.0 */
/* What this CPU can do, asked once when a context is made. */
#ifndef QRT_BASE_CPU_H
#define QRT_BASE_CPU_H

/* Bits QRT_CPU_* of quorate/context.h. A bit is set only if the operating system saves the
 * registers it needs. QRT_CPU_AVX512 means F, BW and VL. */
unsigned qrt_cpu_detect(void);

#endif
