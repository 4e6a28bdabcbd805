/* SPDX-License-Identifier: Apache-2.0 */
/* Hints of repeated requests: what is found, and that nobody can forge one. */
#include "services/account/repeat.h"

#include "system/core/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char secret[] = "a secret of more than thirty-two characters";
static const char id[] = "0c6b5d1e-8f5a-4a0e-9a52-3d1f0a6f2b11";
static const char other_id[] = "0c6b5d1e-8f5a-4a0e-9a52-3d1f0a6f2b12";

static void take(void *arg, const char *found)
{
    snprintf(arg, 64, "%s", found ? found : "none");
}

static const char *find(struct repeats *repeats, const struct repeat *repeat)
{
    static char text[64];

    strcpy(text, "no answer");
    repeat_find(repeats, repeat, take, text);
    return text;
}

static struct repeat repeat_of(const char *scope, const char *key, uint8_t request)
{
    struct repeat repeat = {.scope = scope, .idempotency_key = key};

    memset(repeat.request, request, sizeof repeat.request);
    return repeat;
}

static void test_found_is_what_was_noted_of_the_same_request(void **state)
{
    struct repeats *repeats = repeats_new(secret, NULL);
    const struct repeat noted = repeat_of("account", "key", 1),
                        other = repeat_of("account", "k", 1);
    const struct repeat moved = repeat_of("accountk", "ey", 1);
    const struct repeat changed = repeat_of("account", "key", 2);

    (void)state;
    assert_string_equal(find(repeats, &noted), "none");
    repeat_note(repeats, &noted, id);
    assert_string_equal(find(repeats, &noted), id);
    assert_string_equal(find(repeats, &other), "none");
    assert_string_equal(find(repeats, &moved), "none");
    /* the key of another request says nothing: the database tells the conflict */
    assert_string_equal(find(repeats, &changed), "none");
    repeat_note(repeats, &noted, other_id);
    assert_string_equal(find(repeats, &noted), other_id);
    repeat_note(repeats, &other, "no id");
    assert_string_equal(find(repeats, &other), "none");
    repeats_free(repeats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_is_what_was_noted_of_the_same_request),
    };

    secret_harden();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
