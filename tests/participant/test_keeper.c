/* SPDX-License-Identifier: Apache-2.0 */
/* Keepers as processes: keygen, signing, what comes early, late, twice. */
#include "keepers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct keepers *k;
static struct job keygen;
static uint8_t key_id[32], pk[33];

static void expect_signed(const struct job *job)
{
    keepers_play(k, job);
    for (size_t i = 0; i < job->members_n; i++) {
        const struct told *told = keepers_told(k, job->members[i], job->session_id, job->attempt);

        if (!keepers_is_signed(told, job, pk))
            fail_msg("keeper %zu: %s: %s", job->members[i], told->code, told->text);
    }
}

static void test_every_quorum_signs(void **state)
{
    static const size_t quorums[3][2] = {{0, 1}, {0, 2}, {1, 2}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct job job = keepers_sign(&keygen, key_id, quorums[i], 2);

        keepers_open_all(k, &job);
        expect_signed(&job);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_quorum_signs),
    };
    int result;

    if (keepers_main(argc, argv, &result))
        return result;
    k = keepers_new(3, NULL);
    keygen = keepers_keygen(k, 3, 2);
    keepers_make_key(k, &keygen, key_id, pk);
    result = cmocka_run_group_tests(tests, NULL, NULL);
    keepers_free(k);
    return result;
}
