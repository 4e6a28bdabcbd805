/* SPDX-License-Identifier: Apache-2.0 */
/* Carving: measured and carved sizes agree, parts are aligned and do not overlap. */
#include "support.h"

#include "base/arena.h"
#include "panics.h"

static const size_t lens[] = {1, 64, 0, 65, 63, 128, 1000};

static size_t lay_out(struct qrt_arena *a, uint8_t *parts[QRT_ARRAY_LEN(lens)])
{
    for (size_t i = 0; i < QRT_ARRAY_LEN(lens); i++)
        parts[i] = qrt_arena_take(a, lens[i]);
    return a->used;
}

static void test_measuring_gives_no_memory_and_the_same_size_as_carving(void **state)
{
    static QRT_ALIGNED(64) uint8_t mem[4096];
    struct qrt_arena measure = {0}, carve = {.base = mem};
    uint8_t *parts[QRT_ARRAY_LEN(lens)];
    size_t size = lay_out(&measure, parts);

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(lens); i++)
        assert_null(parts[i]);
    assert_int_equal(size, 64 + 64 + 0 + 128 + 64 + 128 + 1024);
    assert_int_equal(lay_out(&carve, parts), size);
}

static void test_parts_are_aligned_and_disjoint(void **state)
{
    static QRT_ALIGNED(64) uint8_t mem[4096];
    struct qrt_arena a = {.base = mem};
    uint8_t *parts[QRT_ARRAY_LEN(lens)];

    (void)state;
    lay_out(&a, parts);
    assert_ptr_equal(parts[0], mem);
    for (size_t i = 0; i < QRT_ARRAY_LEN(lens); i++) {
        assert_int_equal((uintptr_t)parts[i] % 64, 0);
        if (i > 0)
            assert_true(parts[i] >= parts[i - 1] + lens[i - 1]);
    }
}

static void take_too_much_at_once(void)
{
    struct qrt_arena a = {0};

    qrt_arena_take(&a, SIZE_MAX - 10);
}

static void take_too_much_in_sum(void)
{
    struct qrt_arena a = {0};

    qrt_arena_take(&a, SIZE_MAX / 2);
    qrt_arena_take(&a, SIZE_MAX / 2 + 1);
}

static void test_a_total_beyond_size_t_is_a_bug(void **state)
{
    (void)state;
    assert_true(panics(take_too_much_at_once));
    assert_true(panics(take_too_much_in_sum));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measuring_gives_no_memory_and_the_same_size_as_carving),
        cmocka_unit_test(test_parts_are_aligned_and_disjoint),
        cmocka_unit_test(test_a_total_beyond_size_t_is_a_bug),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
