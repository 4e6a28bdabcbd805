/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between compilers and machines. The only header of lib/ with #if. */
#ifndef QRT_BASE_PORT_H
#define QRT_BASE_PORT_H

#include <stddef.h>
#include <stdint.h>

/* QRT_FORCE_LIMB32 is for tests: the arithmetic of a 32-bit machine on any machine. */
#if defined(__SIZEOF_INT128__) && !defined(QRT_FORCE_LIMB32)
typedef uint64_t qrt_limb;
__extension__ typedef unsigned __int128 qrt_dlimb;
#define QRT_LIMB_BITS 64
#define QRT_LIMBS_OF(word) (word)
#else
typedef uint32_t qrt_limb;
typedef uint64_t qrt_dlimb;
#define QRT_LIMB_BITS 32
#define QRT_LIMBS_OF(word) (qrt_limb)(word), (qrt_limb)((uint64_t)(word) >> 32)
#endif
/* QRT_LIMBS_OF: the limbs of a constant of 64 bits, low one first, in an initialiser. */
#define QRT_LIMBS (256 / QRT_LIMB_BITS)

#if defined(__x86_64__) || defined(__i386__)
#define QRT_X86 1
#else
#define QRT_X86 0
#endif

#define QRT_NOINLINE __attribute__((noinline))
#define QRT_INLINE static inline __attribute__((always_inline))
/* Before a loop of few rounds that must be unrolled wholly. */
#if defined(__clang__)
#define QRT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define QRT_UNROLL _Pragma("GCC unroll 32")
#endif
#define QRT_ALIGNED(n) __attribute__((aligned(n)))

/* *r = a + b + carry; the carry, 0 or 1. gcc does not find the instruction that x86 has for it in a
 * sum of qrt_dlimb. */
#if defined(__x86_64__) && QRT_LIMB_BITS == 64
QRT_INLINE qrt_limb qrt_limb_add(qrt_limb *r, qrt_limb a, qrt_limb b, qrt_limb carry)
{
    unsigned long long sum;
    unsigned char out = __builtin_ia32_addcarryx_u64((unsigned char)carry, a, b, &sum);

    *r = sum;
    return out;
}
#else
QRT_INLINE qrt_limb qrt_limb_add(qrt_limb *r, qrt_limb a, qrt_limb b, qrt_limb carry)
{
    qrt_dlimb t = (qrt_dlimb)a + b + carry;

    *r = (qrt_limb)t;
    return (qrt_limb)(t >> QRT_LIMB_BITS);
}
#endif

#define QRT_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
