/* SPDX-License-Identifier: Apache-2.0 */
/* What an x86 CPU can do, from CPUID. AVX registers count only if the operating system saves
 * them, which XCR0 tells. */
#include "base/cpu.h"

#include "base/port.h"
#include "quorate/context.h"

#include <cpuid.h>
#include <stdbool.h>

enum {
    LEAF1_ECX_PCLMUL = 1 << 1,
    LEAF1_ECX_SSSE3 = 1 << 9,
    LEAF1_ECX_SSE41 = 1 << 19,
    LEAF1_ECX_AES = 1 << 25,
    LEAF1_ECX_OSXSAVE = 1 << 27,
    LEAF1_ECX_AVX = 1 << 28,
    LEAF7_EBX_AVX2 = 1 << 5,
    LEAF7_EBX_AVX512F = 1 << 16,
    LEAF7_EBX_SHA = 1 << 29,
    LEAF7_EBX_AVX512BW = 1 << 30,
    XCR0_AVX = 0x06,   /* XMM and YMM */
    XCR0_AVX512 = 0xe6 /* and the mask registers and ZMM */
};
#define LEAF7_EBX_AVX512VL 0x80000000u /* no int */

static uint32_t xcr0_low(void)
{
    uint32_t eax, edx;

    __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    return eax;
}

static bool has(uint32_t reg, uint32_t bits)
{
    return (reg & bits) == bits;
}

static unsigned wide_registers(uint32_t ecx1, uint32_t ebx7)
{
    unsigned r = 0;
    uint32_t xcr0;

    if (!has(ecx1, LEAF1_ECX_OSXSAVE | LEAF1_ECX_AVX))
        return 0;
    xcr0 = xcr0_low();
    if (has(xcr0, XCR0_AVX) && has(ebx7, LEAF7_EBX_AVX2))
        r |= QRT_CPU_AVX2;
    if (has(xcr0, XCR0_AVX512) &&
        has(ebx7, LEAF7_EBX_AVX512F | LEAF7_EBX_AVX512BW | LEAF7_EBX_AVX512VL))
        r |= QRT_CPU_AVX512;
    return r;
}

unsigned qrt_cpu_detect(void)
{
    unsigned eax, ebx, ecx, edx, ebx7, unused_c, unused_d;
    unsigned r = 0;

    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx))
        return 0;
    if (!__get_cpuid_count(7, 0, &eax, &ebx7, &unused_c, &unused_d))
        ebx7 = 0;
    if (has(ecx, LEAF1_ECX_PCLMUL))
        r |= QRT_CPU_PCLMUL;
    if (has(ecx, LEAF1_ECX_AES))
        r |= QRT_CPU_AES;
    if (has(ecx, LEAF1_ECX_SSSE3 | LEAF1_ECX_SSE41) && has(ebx7, LEAF7_EBX_SHA))
        r |= QRT_CPU_SHA_NI;
    return r | wide_registers(ecx, ebx7);
}
