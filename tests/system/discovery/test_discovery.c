/* SPDX-License-Identifier: Apache-2.0 */
/* From variables to who is expected: what is refused, lists with and without roles. What Kubernetes
 * says is tested with a stand-in API server (stack/discovery). */
#include "system/discovery/discovery.h"

#include "system/discovery/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char error[RPC_TEXT_MAX];

static struct config *load(const char *lines)
{
    char path[] = "/tmp/quorate-discovery-XXXXXX", fault[CONFIG_ERROR_MAX];
    int fd = mkstemp(path);
    struct config *config;

    assert_true(fd >= 0);
    dprintf(fd,
            "ENVIRONMENT=development\nMPC_API_KEY=key\nALLOWED_IPS=127.0.0.1\n"
            "JWT_SECRET_KEY=0123456789012345678901234567890123456789\nCA_KEY=%064d\n%s",
            1, lines);
    close(fd);
    config = config_load(CONFIG_ROUTER, path, fault);
    unlink(path);
    if (!config)
        fail_msg("%s", fault);
    return config;
}

static bool is_good(const char *lines)
{
    struct config *config = load(lines);
    bool ok;

    error[0] = 0;
    ok = discovery_check(config, error);
    config_free(config);
    assert_int_equal(ok, error[0] == 0);
    assert_null(strchr(error, '\n'));
    return ok;
}

/* "id:role id:role" of everybody. */
static void assert_expected(const char *lines, const char *wanted)
{
    struct config *config = load(lines);
    struct discovery *discovery;
    struct expected *all;
    char text[512] = "";
    uv_loop_t loop;
    size_t n;

    assert_int_equal(uv_loop_init(&loop), 0);
    discovery = discovery_new(&loop, config);
    all = discovery_expected(discovery, &n);
    for (size_t i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s:%s", i ? " " : "",
                 all[i].id, all[i].role);
    assert_string_equal(text, wanted);
    assert_true(discovery_is_current(discovery));
    free(all);
    discovery_free(discovery);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    config_free(config);
}

static void test_by_default_nobody_is_expected(void **state)
{
    (void)state;
    assert_true(is_good(""));
    assert_expected("", "");
    assert_expected("EXPECTED_PARTIES=a\n", "");
}

static void test_a_list_has_roles_or_not(void **state)
{
    static const char lines[] =
        "DISCOVERY=static\nEXPECTED_PARTIES=b, a:delegate ,c:temporary,d:persistent\n";

    (void)state;
    assert_true(is_good(lines));
    assert_expected(lines, "b:persistent a:delegate c:temporary d:persistent");
    assert_false(is_good("DISCOVERY=static\n"));
    assert_non_null(strstr(error, "EXPECTED_PARTIES"));
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void remove_file(const char *dir, const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    unlink(path);
}

static void test_kubernetes_needs_the_files_of_an_account(void **state)
{
    static const char *const names[] = {"token", "ca.crt", "namespace"};
    char dir[] = "/tmp/quorate-account-XXXXXX", lines[128];

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(lines, sizeof lines, "DISCOVERY=kubernetes\nKUBERNETES_DIR=%s\n", dir);
    for (size_t i = 0; i < 3; i++) {
        assert_false(is_good(lines));
        assert_non_null(strstr(error, names[i]));
        write_file(dir, names[i], "\n");
        assert_false(is_good(lines));
        write_file(dir, names[i], "word\nmore");
    }
    assert_true(is_good(lines));
    snprintf(lines, sizeof lines, "DISCOVERY=static\nEXPECTED_PARTIES=a\nKUBERNETES_DIR=%s\n",
             "/nonexistent");
    assert_true(is_good(lines));
    for (size_t i = 0; i < 3; i++)
        remove_file(dir, names[i]);
    rmdir(dir);
}

static void test_services_are_bounded(void **state)
{
    (void)state;
    assert_true(is_good("DISCOVERY_SERVICES=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16\n"));
    assert_false(is_good("DISCOVERY_SERVICES=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\n"));
}

static void test_a_file_is_read_up_to_its_first_line_end(void **state)
{
    char dir[] = "/tmp/quorate-account-XXXXXX", out[8];

    (void)state;
    assert_non_null(mkdtemp(dir));
    write_file(dir, "token", "1234567");
    assert_true(watch_read_file(out, sizeof out, dir, "token"));
    assert_string_equal(out, "1234567");
    write_file(dir, "token", "12345678");
    assert_false(watch_read_file(out, sizeof out, dir, "token"));
    write_file(dir, "token", "12\r\n56");
    assert_true(watch_read_file(out, sizeof out, dir, "token"));
    assert_string_equal(out, "12");
    remove_file(dir, "token");
    assert_false(watch_read_file(out, sizeof out, dir, "token"));
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_default_nobody_is_expected),
        cmocka_unit_test(test_a_list_has_roles_or_not),
        cmocka_unit_test(test_kubernetes_needs_the_files_of_an_account),
        cmocka_unit_test(test_services_are_bounded),
        cmocka_unit_test(test_a_file_is_read_up_to_its_first_line_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
