/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of keys as they are written: what is good, and what each mistake is told. */
#include "system/access/api_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define D1 "1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "2222222222222222222222222222222222222222222222222222222222222222"
#define D3 "3333333333333333333333333333333333333333333333333333333333333333"

static char error[RPC_TEXT_MAX];

static struct api_keys *load(const char *named, const struct config **config)
{
    struct api_keys *keys;

    setenv("ENVIRONMENT", "development", 1);
    setenv("JWT_SECRET_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("MPC_API_KEY", "first,second", 1);
    setenv("API_KEYS", named, 1);
    setenv("ALLOWED_IPS", "127.0.0.1", 1);
    setenv("CA_KEY", D1, 1);
    error[0] = 0;
    *config = config_load(CONFIG_ROUTER, "/dev/null", error);
    if (!*config)
        fail_msg("%s", error);
    keys = api_keys_new(*config, error);
    return keys;
}

static void drop(struct api_keys *keys, const struct config *config)
{
    api_keys_free(keys);
    config_free((struct config *)(uintptr_t)config);
}

static void test_values_of_the_default_key(void **state)
{
    const struct config *config;
    struct api_keys *keys = load("", &config);

    (void)state;
    assert_non_null(keys);
    assert_int_equal(api_keys_find(keys, "first")->value, 1);
    assert_int_equal(api_keys_find(keys, "second")->value, 2);
    assert_int_equal(api_keys_find(keys, "second")->scopes, SCOPE_ALL);
    assert_string_equal(api_keys_find(keys, "second")->name, "default");
    assert_null(api_keys_find(keys, "third"));
    assert_null(api_keys_find(keys, ""));
    assert_null(api_keys_find(keys, NULL));
    drop(keys, config);
}

/* SHA-256 of "signer". */
#define SIGNER "ffdcc4ba1ba029d91fb645eab1563010ee7bcfac6f321326f4eab298601b5bce"

static void test_entries_stand_behind_commas_and_blanks(void **state)
{
    static const char *const good[] = {
        "a:read:" D1 ",b:sign:" SIGNER, "a:read:" D1 " b:sign:" SIGNER,
        "  a:read:" D1 "  ,  b:sign:" D2 ":" SIGNER "  c:manage+create:" D3 " "};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const struct config *config;
        struct api_keys *keys = load(good[i], &config);

        assert_non_null(keys);
        assert_string_equal(api_keys_find(keys, "signer")->name, "b");
        assert_int_equal(api_keys_find(keys, "signer")->scopes, SCOPE_SIGN);
        assert_int_equal(api_keys_find(keys, "signer")->value, i == 2 ? 2 : 1);
        drop(keys, config);
    }
}

static void test_each_mistake_is_named(void **state)
{
    static const struct {
        const char *named, *part;
    } wrong[] = {
        {"a", "entry 1: it must be NAME:SCOPES:DIGEST"},
        {"a:read", "entry 1 (a): it must be NAME:SCOPES:DIGEST"},
        {"a:read:", "a digest is the SHA-256"},
        {"a:read:12", "a digest is the SHA-256"},
        {"a:read:" D1 "0", "a digest is the SHA-256"},
        {"a:read:" D1 ":", "a digest is the SHA-256"},
        {"a:read:" D1 ":" D2 ":" D3, "one digest, or two"},
        {"a:read:" D1 ":" D1, "its digest stands there twice"},
        {"a:read:" D1 ",b:sign:" D1, "entry 2 (b): its digest stands there twice"},
        {"a:read:" D1 ",a:sign:" D2, "entry 2 (a): the name stands there twice"},
        {":read:" D1, "a name is 1 to 32"},
        {"A:read:" D1, "a name is 1 to 32"},
        {"default:read:" D1, "a name is 1 to 32"},
        {"account-service:read:" D1, "nor a service's"},
        {"message-router:read:" D1, "nor a service's"},
        {"server-party:read:" D1, "nor a service's"},
        {"server-party-api:read:" D1, "nor a service's"},
        {"session-coordinator:read:" D1, "nor a service's"},
        {"party-1:read:" D1, "begins with party-"},
        {"a123456789012345678901234567890123:read:" D1, "a name is 1 to 32"},
        {"a::" D1, "scopes are read"},
        {"a:all:" D1, "scopes are read"},
        {"a:read+:" D1, "scopes are read"},
        {"a:read+read+sig:" D1, "scopes are read"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const struct config *config;

        assert_null(load(wrong[i].named, &config));
        if (!strstr(error, wrong[i].part) || strncmp(error, "API_KEYS", 8) != 0)
            fail_msg("%s: %s", wrong[i].named, error);
        drop(NULL, config);
    }
}

static void test_a_key_that_stands_there_itself_is_not_told(void **state)
{
    static const char *const wrong[] = {
        "hush", "hush1hush2hush3hush4", "HUSH=", "HUSH:read:" D1, "a:read:" D1 " hush", "a:hush"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const struct config *config;

        assert_null(load(wrong[i], &config));
        if (strstr(error, "hush") || strstr(error, "HUSH"))
            fail_msg("%s: %s", wrong[i], error);
        drop(NULL, config);
    }
}

static void test_names_like_others_are_good(void **state)
{
    static const char *const good[] = {"account-services", "party", "my-party-1", "defaults"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(api_key_name_is_valid(good[i]));
}

static void test_words_of_scopes(void **state)
{
    char words[API_KEY_WORDS_MAX];
    unsigned scopes;

    (void)state;
    assert_true(api_key_scopes(&scopes, "manage+read+sign+create"));
    assert_int_equal(scopes, SCOPE_ALL);
    api_key_words(words, scopes);
    assert_string_equal(words, "read or sign or create or manage");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_of_the_default_key),
        cmocka_unit_test(test_entries_stand_behind_commas_and_blanks),
        cmocka_unit_test(test_each_mistake_is_named),
        cmocka_unit_test(test_a_key_that_stands_there_itself_is_not_told),
        cmocka_unit_test(test_names_like_others_are_good),
        cmocka_unit_test(test_words_of_scopes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
