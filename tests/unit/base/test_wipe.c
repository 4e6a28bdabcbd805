/* SPDX-License-Identifier: Apache-2.0 */
/* Wiping: exactly the length, and the stack that a callee left behind. */
#include "support.h"

#include "base/wipe.h"

#include <string.h>

#define LEFT 4096

static void test_exactly_the_length_becomes_zero(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 100; len++) {
        uint8_t b[101];

        memset(b, 0xee, sizeof b);
        qrt_wipe(b, len);
        for (size_t i = 0; i < sizeof b; i++)
            assert_int_equal(b[i], i < len ? 0 : 0xee);
    }
}

/* The compiler may think that the bytes at |p| are read and written here. */
static void touch(uint8_t *p)
{
    __asm__ volatile("" : : "r"(p) : "memory");
}

static QRT_NOINLINE void leave_bytes(void)
{
    uint8_t b[LEFT];

    memset(b, 0xa5, sizeof b);
    touch(b);
}

static QRT_NOINLINE size_t count_left(void)
{
    uint8_t b[LEFT];
    size_t n = 0;

    touch(b); /* deliberately not initialised: what lies here was left by others */
    for (size_t i = 0; i < sizeof b; i++)
        n += b[i] == 0xa5;
    return n;
}

/* Linked only by AddressSanitizer, which lays frames out in its own way. */
__attribute__((weak)) extern void __asan_init(void);

static void test_the_stack_below_is_overwritten(void **state)
{
    (void)state;
    if (__asan_init)
        skip();
    leave_bytes();
    assert_true(count_left() > LEFT / 2); /* or the test would see nothing */
    leave_bytes();
    qrt_wipe_stack();
    assert_true(count_left() < 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exactly_the_length_becomes_zero),
        cmocka_unit_test(test_the_stack_below_is_overwritten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
