/* SPDX-License-Identifier: Apache-2.0 */
#include "system/rpc/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_http_statuses(void **state)
{
    static const int http[] = {200, 499, 500, 400, 504, 404, 409, 403, 429,
                               409, 409, 422, 501, 500, 503, 500, 401};
    struct rpc_status status = rpc_ok();

    (void)state;
    for (int code = 0; code <= 16; code++) {
        status.code = (enum rpc_code)code;
        assert_int_equal(rpc_http_status(&status), http[code]);
    }
    status.code = (enum rpc_code)17;
    assert_int_equal(rpc_http_status(&status), 500);
    status.http = 413;
    assert_int_equal(rpc_http_status(&status), 413);
}

static void test_sentences(void **state)
{
    struct rpc_status status = rpc_error(RPC_NOT_FOUND, "account_not_found", "no account %d", 7);

    (void)state;
    assert_int_equal(status.code, RPC_NOT_FOUND);
    assert_string_equal(status.name, "account_not_found");
    assert_string_equal(status.text, "no account 7");
    assert_int_equal(status.http, 0);
    assert_string_equal(status.session_id, "");
}

/* A sentence that is too long ends with a whole character. */
static void test_cut(void **state)
{
    char text[2 * RPC_TEXT_MAX];
    struct rpc_status status;

    (void)state;
    for (size_t lead = 0; lead < 4; lead++) {
        memset(text, 'x', sizeof text);
        for (size_t i = lead; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xe2\x82\xac", 3);
        text[sizeof text - 1] = 0;
        status = rpc_error(RPC_INTERNAL, "x", "%s", text);
        assert_in_range(strlen(status.text), RPC_TEXT_MAX - 4, RPC_TEXT_MAX - 1);
        assert_int_equal((strlen(status.text) - lead) % 3, 0);
        assert_memory_equal(status.text, text, strlen(status.text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_statuses),
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
