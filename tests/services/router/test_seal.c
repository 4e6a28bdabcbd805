/* SPDX-License-Identifier: Apache-2.0 */
/* Frames between routers: nobody without the key makes, reads or changes one; each number counts
 * once. */
#include "services/router/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const struct seal_head head = {
    {1, 2, 3}, {4, 5, 6}, {7, 8, 9}, UINT64_C(0x0123456789abcdef)};
static const char secret[] = "a secret of more than thirty-two characters";

static void test_what_is_sealed_opens(void **state)
{
    uint8_t key[SEAL_KEY_BYTES], *content;
    struct buffer frame = {0};
    struct seal_head got;
    size_t len;

    (void)state;
    seal_key(key, secret);
    seal_frame(&frame, key, &head, (const uint8_t *)"the content", 11);
    assert_true(open_frame(&got, &content, &len, key, frame.b, frame.len));
    assert_int_equal(len, 11);
    assert_memory_equal(content, "the content", 11);
    assert_memory_equal(got.instance, head.instance, SEAL_ID_BYTES);
    assert_memory_equal(got.address, head.address, SEAL_ID_BYTES);
    assert_memory_equal(got.to, head.to, SEAL_ID_BYTES);
    assert_true(got.number == head.number);
    free(content);
    /* the broker does not see it */
    assert_null(memmem(frame.b, frame.len, "content", 7));
    buffer_free(&frame);
}

static void test_no_byte_can_be_changed(void **state)
{
    uint8_t key[SEAL_KEY_BYTES], *content;
    struct buffer frame = {0};
    struct seal_head got;
    size_t len;

    (void)state;
    seal_key(key, secret);
    seal_frame(&frame, key, &head, (const uint8_t *)"the content", 11);
    for (size_t i = 0; i < frame.len; i++) {
        frame.b[i] ^= 0x10;
        assert_false(open_frame(&got, &content, &len, key, frame.b, frame.len));
        frame.b[i] ^= 0x10;
        assert_false(open_frame(&got, &content, &len, key, frame.b, i));
    }
    seal_key(key, "another secret of more than thirty-two characters");
    assert_false(open_frame(&got, &content, &len, key, frame.b, frame.len));
    buffer_free(&frame);
}

static void test_a_number_counts_once_in_any_order(void **state)
{
    static struct seal_window window;
    uint64_t order[3000];

    (void)state;
    for (size_t i = 0; i < 3000; i++)
        order[i] = i + 1;
    for (size_t i = 2999; i > 0; i--) {
        size_t j = randombytes_uniform((uint32_t)i + 1);
        uint64_t kept = order[i];

        order[i] = order[j];
        order[j] = kept;
    }
    for (size_t i = 0; i < 3000; i++)
        assert_true(seal_window_take(&window, order[i]));
    for (size_t i = 0; i < 3000; i++)
        assert_false(seal_window_take(&window, order[i]));
    assert_false(seal_window_take(&window, 0));
}

static void test_what_the_window_has_left_is_refused(void **state)
{
    static struct seal_window window;

    (void)state;
    assert_true(seal_window_take(&window, 1));
    assert_true(seal_window_take(&window, SEAL_WINDOW));
    assert_false(seal_window_take(&window, 1));
    assert_true(seal_window_take(&window, 2));
    assert_true(seal_window_take(&window, SEAL_WINDOW + 3));
    assert_false(seal_window_take(&window, 3));
    assert_true(seal_window_take(&window, 4));
    /* far ahead: what lies between may still come, what is before may not */
    assert_true(seal_window_take(&window, 100 * SEAL_WINDOW));
    assert_false(seal_window_take(&window, SEAL_WINDOW + 4));
    assert_true(seal_window_take(&window, 99 * SEAL_WINDOW + 1));
    assert_false(seal_window_take(&window, 99 * SEAL_WINDOW));
    assert_true(seal_window_take(&window, UINT64_MAX));
    assert_false(seal_window_take(&window, UINT64_MAX));
    assert_true(seal_window_take(&window, UINT64_MAX - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_sealed_opens),
        cmocka_unit_test(test_no_byte_can_be_changed),
        cmocka_unit_test(test_a_number_counts_once_in_any_order),
        cmocka_unit_test(test_what_the_window_has_left_is_refused),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
