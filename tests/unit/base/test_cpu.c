/* SPDX-License-Identifier: Apache-2.0 */
/* CPU features of x86: known bits only, and no fewer than the compiler's own detection finds. */
#include "support.h"

#include "base/cpu.h"

static void test_only_known_bits_are_reported_and_always_the_same(void **state)
{
    unsigned cpu = qrt_cpu_detect();

    (void)state;
    assert_int_equal(cpu & ~(unsigned)QRT_CPU_ALL, 0);
    assert_int_equal(qrt_cpu_detect(), cpu);
}

static void test_avx512_is_not_reported_without_avx2(void **state)
{
    unsigned cpu = qrt_cpu_detect();

    (void)state;
    assert_true(!(cpu & QRT_CPU_AVX512) || (cpu & QRT_CPU_AVX2));
}

static void test_the_compiler_finds_the_same(void **state)
{
    unsigned cpu = qrt_cpu_detect();

    (void)state;
    assert_int_equal(!(cpu & QRT_CPU_AVX2), !__builtin_cpu_supports("avx2"));
    assert_int_equal(!(cpu & QRT_CPU_AES), !__builtin_cpu_supports("aes"));
    assert_int_equal(!(cpu & QRT_CPU_PCLMUL), !__builtin_cpu_supports("pclmul"));
    assert_int_equal(!(cpu & QRT_CPU_AVX512),
                     !(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512vl")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_known_bits_are_reported_and_always_the_same),
        cmocka_unit_test(test_avx512_is_not_reported_without_avx2),
        cmocka_unit_test(test_the_compiler_finds_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
