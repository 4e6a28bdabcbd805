/* SPDX-License-Identifier: Apache-2.0 */
/* What a receiver gets: the body, and signatures as its own tools make them. */
#include "services/account/webhook_post.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void test_a_body(void **state)
{
    struct webhook hook = {.session_id = "7f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f",
                           .account_id = "6f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f",
                           .kind = "sign",
                           .status = "failed",
                           .code = "refused",
                           .error = "\"no\""};
    char *body = webhook_body(&hook, 1700000000123);

    (void)state;
    assert_string_equal(
        body, "{\"id\":\"7f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f\",\"type\":\"session.failed\","
              "\"created_at\":\"2023-11-14T22:13:20.123Z\",\"session\":{\"session_id\":"
              "\"7f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f\",\"session_type\":\"sign\","
              "\"status\":\"failed\",\"account_id\":\"6f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f\","
              "\"error_code\":\"refused\",\"error\":\"\\\"no\\\"\"}}");
    free(body);
}

/* printf '1700000000.{}' | openssl dgst -sha256 -hmac SECRET */
#define FIRST "e4f8e2ecae2295b2ddb2f0b5584c8275e226c0ebe9b3b819e70156bb67122e3e"
#define SECOND "d6497de1fff76c4ee15f3333a445cbb06a272b187df9d1ac0be1261b5a2a8934"

static void test_both_secrets_sign(void **state)
{
    const char *const secrets[] = {"0123456789abcdef", "fedcba9876543210"};
    char out[WEBHOOK_HEADER_MAX];

    (void)state;
    webhook_sign(out, "{}", 1700000000, secrets, 1);
    assert_string_equal(out, "t=1700000000,v1=" FIRST);
    webhook_sign(out, "{}", 1700000000, secrets, 2);
    assert_string_equal(out, "t=1700000000,v1=" FIRST ",v1=" SECOND);
}

static void test_plain_text_goes_to_this_machine_only(void **state)
{
    static const char *const good[] = {"https://example.org/hook",   "HTTPS://10.0.0.1:8443/",
                                       "http://127.0.0.1:9000/hook", "http://127.1.2.3",
                                       "http://localhost:9000/x",    "http://[::1]:9000/x",
                                       "http://user@127.0.0.1:9000/"};
    static const char *const bad[] = {"http://127.evil.example/",
                                      "http://127.0.0.1:x@evil.example/",
                                      "http://localhost:x@evil.example/",
                                      "http://[::1]@evil.example/",
                                      "http://localhost.evil.example/",
                                      "http://example.org/",
                                      "http://10.0.0.1/",
                                      "ftp://127.0.0.1/",
                                      "127.0.0.1:9000",
                                      "http://[::2]/",
                                      "file:///etc/passwd",
                                      "x"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!webhook_url_is_fit(good[i]))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (webhook_url_is_fit(bad[i]))
            fail_msg("%s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_body),
        cmocka_unit_test(test_both_secrets_sign),
        cmocka_unit_test(test_plain_text_goes_to_this_machine_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
