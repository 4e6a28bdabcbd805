/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of runs: sizes of every protocol and number of parties, and whole runs and peers that stay
 * within what they asked for. */
#include "proto/round.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

enum { CANARY = 4096 };

/* ---- every allocation has a canary behind it ---- */

static const uint8_t *canaries[64];
static size_t canaries_n;

void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    uint8_t *b = __real_aligned_alloc(align, size + CANARY);

    assert_non_null(b);
    memset(b, 0x5A, size);
    memset(b + size, 0xC7, CANARY);
    if (canaries_n < sizeof canaries / sizeof *canaries)
        canaries[canaries_n++] = b + size;
    return b;
}

static void expect_canaries(void)
{
    assert_true(canaries_n > 0);
    for (size_t i = 0; i < canaries_n; i++)
        for (size_t k = 0; k < CANARY; k++)
            assert_int_equal(canaries[i][k], 0xC7);
    canaries_n = 0;
}

/* ---- sizes ---- */

static const enum qrt_protocol protocols[] = {QRT_KEYGEN, QRT_SIGN, QRT_PRESIGN, QRT_ONLINE};

static void test_sizes_are_multiples_of_64_and_grow(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++)
        for (size_t n = 2; n <= 64; n++)
            for (size_t t = i ? n : 2; t <= n; t++) {
                size_t size = qrt_run_size(protocols[i], n, t);

                assert_true(size > sizeof(struct qrt_run));
                assert_int_equal(size % QRT_ALIGN, 0);
                if (i && t < 64)
                    assert_true(qrt_run_size(protocols[i], n + 1, t + 1) > size);
                if (!i && n < 64)
                    assert_true(qrt_run_size(QRT_KEYGEN, n + 1, t) > size);
                if (!i && t < n)
                    assert_true(qrt_run_size(QRT_KEYGEN, n, t + 1) > size);
            }
}

static void test_sizes_out_of_range_are_zero(void **state)
{
    static const size_t wrong[][2] = {{0, 0},  {1, 1},   {2, 0},   {2, 1},        {2, 3},
                                      {65, 2}, {65, 65}, {64, 65}, {SIZE_MAX, 2}, {2, SIZE_MAX}};

    (void)state;
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++)
            assert_int_equal(qrt_run_size(protocols[i], wrong[k][0], wrong[k][1]), 0);
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(qrt_run_size(protocols[i], 3, 2), 0);
    for (unsigned id = 0; id < 256; id++)
        if (id != QRT_KEYGEN && (id < QRT_SIGN || id > QRT_ONLINE))
            assert_int_equal(qrt_run_size((enum qrt_protocol)id, 2, 2), 0);
}

/* ---- whole runs of the real protocols stay within their memory ---- */

static void sign_within(const struct keyring *k, enum level level)
{
    static struct session s, online;
    static const uint16_t signers[] = {1, 2, 3, 4, 5};
    struct network net;
    struct qrt_sig sig;

    canaries_n = 0;
    session_sign(&s, QRT_SIGN, k, signers, 5);
    s.level = level;
    network_init(&net, 1, &drizzle);
    session_run(&s, &net);
    expect_canaries();
    network_free(&net);
    session_sign(&s, QRT_PRESIGN, k, signers, 6);
    s.level = level;
    session_run(&s, &net);
    session_take_presigs(&s, &net, &online);
    expect_canaries();
    network_free(&net);
    session_run(&online, &net);
    session_expect_signature(&online, &net, &sig);
    expect_canaries();
    network_free(&net);
}

static void test_whole_runs_stay_within_their_memory(void **state)
{
    static const size_t shapes[][2] = {{2, 2}, {3, 2}, {4, 4}};

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        static struct world w;
        static struct session s;
        struct network net;
        struct keyring k;

        canaries_n = 0;
        world_init(&w, shapes[i][0]);
        session_keygen(&s, &w, shapes[i][1], 4);
        network_init(&net, 1, &drizzle);
        session_run(&s, &net);
        expect_canaries();
        keyring_take(&k, &s, &net);
        network_free(&net);
        sign_within(&k, RUNS);
        sign_within(&k, PEERS);
        keyring_free(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_are_multiples_of_64_and_grow),
        cmocka_unit_test(test_sizes_out_of_range_are_zero),
        cmocka_unit_test(test_whole_runs_stay_within_their_memory),
    };

    return cmocka_run_group_tests_name("run_layout", tests, NULL, NULL);
}
