/* SPDX-License-Identifier: Apache-2.0 */
/* Wrapping keys in a token, by the helper process as a keeper has it: sealing, rotation into the
 * token and out of it, every wrong start, and a token that goes away and comes back. */
#include "system/vault/hsm.h"

#include "system/core/helper.h"
#include "system/core/log.h"
#include "system/vault/hsm_wire.h"
#include "system/vault/vault.h"
#include "tests/system/vault/token.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { LEN = 100, NO_ANSWER_MS = 60000 };

static char directory[] = "/tmp/quorate-hsm-XXXXXX", pin_file[64];
static const struct vault_binding binding = {"share", "account-1", "party-1", 7};

static struct pkcs11_params params_of(const char *first, const char *second)
{
    return (struct pkcs11_params){
        .module = TOKEN_MODULE,
        .slot = -1,
        .token = "quorate",
        .pin_file = pin_file,
        .labels = {first, second},
        .labels_n = second ? 2 : 1,
    };
}

static struct hsm *start(const struct pkcs11_params *params)
{
    char error[PKCS11_ERROR_MAX] = "";
    struct hsm *hsm = hsm_start("/proc/self/exe", params, error);

    if (!hsm)
        print_error("%s\n", error);
    assert_non_null(hsm);
    return hsm;
}

static void expect_no_start(const struct pkcs11_params *params, const char *why)
{
    char error[PKCS11_ERROR_MAX] = "";

    assert_null(hsm_start("/proc/self/exe", params, error));
    if (!strstr(error, why))
        print_error("%s\n", error);
    assert_non_null(strstr(error, why));
    assert_null(strchr(error, '\n'));
    assert_null(strstr(error, TOKEN_PIN));
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(pin_file, sizeof pin_file, "%s/pin", directory);
    token_new(directory);
    token_add_key("one", "--sensitive");
    token_add_key("two", "--sensitive");
    token_add_key("open", "--sensitive --extractable");
    token_add_key("plain", "");
    token_add_key("twin", "--sensitive");
    token_add_key("twin", "--sensitive");
    token_add_key("short", "--sensitive --key-type AES:16");
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

static void expect_opens(const struct vault *vault, const uint8_t *sealed, size_t len,
                         enum vault_result expected)
{
    uint8_t out[LEN], plain[LEN];

    memset(plain, 5, LEN);
    assert_int_equal(vault_open(vault, out, &binding, sealed, len), expected);
    if (expected == VAULT_OK)
        assert_memory_equal(out, plain, LEN);
}

static void seal(const struct vault *vault, uint8_t sealed[LEN + VAULT_OVERHEAD])
{
    uint8_t plain[LEN];

    memset(plain, 5, LEN);
    assert_int_equal(vault_seal(vault, sealed, &binding, plain, LEN), VAULT_OK);
}

static void test_an_item_opens_after_a_restart_of_the_helper_and_by_no_other_key(void **state)
{
    const struct pkcs11_params params = params_of("one", NULL), other = params_of("two", NULL);
    struct hsm *hsm = start(&params);
    struct vault *vault = vault_of_keys(hsm_wrapping(hsm, 0), NULL);
    uint8_t sealed[LEN + VAULT_OVERHEAD];

    (void)state;
    seal(vault, sealed);
    expect_opens(vault, sealed, sizeof sealed, VAULT_OK);
    for (size_t i = 12; i < sizeof sealed; i += 5) {
        sealed[i] ^= 1;
        expect_opens(vault, sealed, sizeof sealed, VAULT_DAMAGED);
        sealed[i] ^= 1;
    }
    vault_free(vault);
    hsm_stop(hsm);

    hsm = start(&params);
    vault = vault_of_keys(hsm_wrapping(hsm, 0), NULL);
    expect_opens(vault, sealed, sizeof sealed, VAULT_OK);
    vault_free(vault);
    hsm_stop(hsm);

    hsm = start(&other);
    vault = vault_of_keys(hsm_wrapping(hsm, 0), NULL);
    expect_opens(vault, sealed, sizeof sealed, VAULT_OTHER_KEY);
    vault_check(vault, sealed + 4);
    expect_opens(vault, sealed, sizeof sealed, VAULT_DAMAGED);
    vault_free(vault);
    hsm_stop(hsm);
}

static struct wrapping *master(void)
{
    uint8_t key[32];

    memset(key, 1, sizeof key);
    return wrapping_master(key);
}

static void rewrap(const struct vault *vault, uint8_t sealed[LEN + VAULT_OVERHEAD])
{
    uint8_t out[LEN + VAULT_OVERHEAD + VAULT_GROWTH];
    const struct vault_item item = {sealed, LEN + VAULT_OVERHEAD};
    size_t len;

    assert_int_equal(vault_rewrap(vault, out, &len, &binding, &item), VAULT_OK);
    assert_int_equal(len, item.len);
    memcpy(sealed, out, len);
}

static void test_from_a_master_key_into_a_token_to_its_second_key_and_back(void **state)
{
    const struct pkcs11_params params = params_of("one", "two");
    struct hsm *hsm = start(&params);
    struct vault *old = vault_of_keys(master(), NULL);
    struct vault *in = vault_of_keys(master(), hsm_wrapping(hsm, 0));
    struct vault *on = vault_of_keys(hsm_wrapping(hsm, 0), hsm_wrapping(hsm, 1));
    struct vault *back = vault_of_keys(hsm_wrapping(hsm, 1), master());
    uint8_t sealed[LEN + VAULT_OVERHEAD];

    (void)state;
    seal(old, sealed);
    rewrap(in, sealed);
    expect_opens(old, sealed, sizeof sealed, VAULT_OTHER_KEY);
    expect_opens(on, sealed, sizeof sealed, VAULT_OK);
    rewrap(on, sealed);
    expect_opens(in, sealed, sizeof sealed, VAULT_OTHER_KEY);
    rewrap(back, sealed);
    expect_opens(old, sealed, sizeof sealed, VAULT_OK);
    vault_free(old);
    vault_free(in);
    vault_free(on);
    vault_free(back);
    hsm_stop(hsm);
}

static void test_each_wrong_setting_is_one_line_that_names_it(void **state)
{
    struct pkcs11_params params;

    (void)state;
    params = params_of("one", NULL);
    params.module = "/nowhere/module.so";
    expect_no_start(&params, "PKCS11_MODULE cannot be loaded: /nowhere/module.so");
    params = params_of("one", NULL);
    params.module = "libsodium.so.23";
    expect_no_start(&params, "is no PKCS#11 module");
    params = params_of("one", NULL);
    params.token = "elsewhere";
    expect_no_start(&params, "PKCS11_TOKEN: no token is named elsewhere");
    params = params_of("one", NULL);
    params.slot = 7;
    expect_no_start(&params, "PKCS11_SLOT: there is no token in slot 7");
    params = params_of("one", NULL);
    params.pin_file = "/nowhere/pin";
    expect_no_start(&params, "cannot open /nowhere/pin");
    params = params_of("none", NULL);
    expect_no_start(&params, "the token has no AES key labelled none");
    params = params_of("one", "none");
    expect_no_start(&params, "the token has no AES key labelled none");
    params = params_of("twin", NULL);
    expect_no_start(&params, "more than one AES key labelled twin");
    params = params_of("open", NULL);
    expect_no_start(&params, "the key open is extractable");
    params = params_of("plain", NULL);
    expect_no_start(&params, "the key plain is not sensitive");
    params = params_of("short", NULL);
    expect_no_start(&params, "the key short is not an AES key of 256 bits");
}

static void write_pin(const char *pin, mode_t mode)
{
    FILE *f;

    assert_int_equal(chmod(pin_file, 0600), 0);
    f = fopen(pin_file, "w");
    assert_non_null(f);
    fputs(pin, f);
    fclose(f);
    assert_int_equal(chmod(pin_file, mode), 0);
}

static void test_a_wrong_pin_and_a_pin_that_others_may_read_are_refused(void **state)
{
    const struct pkcs11_params params = params_of("one", NULL);

    (void)state;
    write_pin("wrong-pin\n", 0600);
    expect_no_start(&params, "is wrong: the token refuses it");
    write_pin("\n", 0600);
    expect_no_start(&params, "must hold one line of text");
    write_pin(TOKEN_PIN "\n", 0640);
    expect_no_start(&params, "can be used by others: chmod 600 it");
    write_pin(TOKEN_PIN "\n", 0400);
    hsm_stop(start(&params));
}

static void test_without_a_name_the_only_token_is_taken(void **state)
{
    struct pkcs11_params params = params_of("one", NULL);

    (void)state;
    params.token = "";
    hsm_stop(start(&params));
}

/* The session is lost as well: SoftHSM reads its token anew. */
static void test_a_token_that_went_away_answers_so_until_it_is_back(void **state)
{
    const struct pkcs11_params params = params_of("one", NULL);
    struct hsm *hsm = start(&params);
    struct vault *vault = vault_of_keys(hsm_wrapping(hsm, 0), NULL);
    uint8_t sealed[LEN + VAULT_OVERHEAD], more[LEN + VAULT_OVERHEAD], plain[LEN] = {0};

    (void)state;
    seal(vault, sealed);
    token_hide(directory);
    expect_opens(vault, sealed, sizeof sealed, VAULT_AWAY);
    expect_opens(vault, sealed, sizeof sealed, VAULT_AWAY);
    assert_int_equal(vault_seal(vault, more, &binding, plain, LEN), VAULT_AWAY);
    token_show(directory);
    expect_opens(vault, sealed, sizeof sealed, VAULT_OK);
    seal(vault, more);
    vault_free(vault);
    hsm_stop(hsm);
}

static void test_a_pin_that_changed_meanwhile_is_tried_once_and_ends_the_helper(void **state)
{
    const struct pkcs11_params params = params_of("one", NULL);
    struct hsm *hsm = start(&params);
    struct vault *vault = vault_of_keys(hsm_wrapping(hsm, 0), NULL);
    struct pollfd wait = {.fd = hsm_fd(hsm), .events = 0};
    uint8_t sealed[LEN + VAULT_OVERHEAD];

    (void)state;
    seal(vault, sealed);
    assert_int_equal(poll(&wait, 1, 0), 0);
    token_hide(directory);
    expect_opens(vault, sealed, sizeof sealed, VAULT_AWAY);
    token_show(directory);
    write_pin("wrong-pin\n", 0600);
    expect_opens(vault, sealed, sizeof sealed, VAULT_AWAY);
    assert_int_equal(poll(&wait, 1, NO_ANSWER_MS), 1);
    assert_true(wait.revents & POLLHUP);
    expect_opens(vault, sealed, sizeof sealed, VAULT_AWAY);
    write_pin(TOKEN_PIN "\n", 0600);
    vault_free(vault);
    hsm_stop(hsm);
}

/* Somebody's token of the same name, with a key of the same label. */
static void test_another_key_under_the_label_is_not_taken(void **state)
{
    const struct pkcs11_params params = params_of("one", NULL);
    struct hsm *hsm = start(&params);
    struct vault *vault = vault_of_keys(hsm_wrapping(hsm, 0), NULL);
    struct pollfd wait = {.fd = hsm_fd(hsm), .events = 0};
    uint8_t sealed[LEN + VAULT_OVERHEAD], plain[LEN] = {0};

    (void)state;
    seal(vault, sealed);
    token_hide(directory);
    expect_opens(vault, sealed, sizeof sealed, VAULT_AWAY);
    token_fake();
    token_add_key("one", "--sensitive");
    assert_int_equal(vault_seal(vault, sealed, &binding, plain, LEN), VAULT_AWAY);
    assert_int_equal(poll(&wait, 1, NO_ANSWER_MS), 1);
    token_unfake(directory);
    token_show(directory);
    vault_free(vault);
    hsm_stop(hsm);
}

/* A helper that answers a request twice: first as if to the one before. */
static int be_late(void)
{
    static const char ids[] = "{\"ids\":[\"0102030405060708\"]}";
    uint8_t b[HSM_PACKET_MAX];
    ssize_t n = recv(HELPER_FD, b, sizeof b, 0);

    if (n <= 0 || send(HELPER_FD, ids, strlen(ids), 0) < 0)
        return 1;
    while (recv(HELPER_FD, b, sizeof b, 0) > 0) {
        uint8_t late[HSM_ANSWER_HEAD + WRAPPING_WRAPPED] = {0}, now[sizeof late];

        memset(now, 7, sizeof now);
        memcpy(now, b, HSM_NUMBER);
        now[HSM_NUMBER] = VAULT_OK;
        if (send(HELPER_FD, late, sizeof late, 0) < 0 || send(HELPER_FD, now, sizeof now, 0) < 0)
            return 1;
    }
    return 0;
}

static void test_an_answer_that_comes_late_is_nobodys(void **state)
{
    const struct pkcs11_params params = params_of("one", NULL);
    uint8_t out[WRAPPING_WRAPPED], sevens[WRAPPING_WRAPPED];
    const uint8_t plain[WRAPPING_PLAIN] = {1};
    struct wrapping *wrapping;
    struct hsm *hsm;

    (void)state;
    setenv("LATE", "yes", 1);
    hsm = start(&params);
    unsetenv("LATE");
    wrapping = hsm_wrapping(hsm, 0);
    memset(sevens, 7, sizeof sevens);
    for (int i = 0; i < 3; i++) {
        memset(out, 0, sizeof out);
        assert_int_equal(
            wrapping->kind->wrap(wrapping, out, plain, &(struct wrapping_ad){plain, 1}), VAULT_OK);
        assert_memory_equal(out, sevens, sizeof out);
    }
    wrapping_free(wrapping);
    hsm_stop(hsm);
}

struct user {
    pthread_t thread;
    const struct vault *vault;
    bool ok;
};

static void *use(void *arg)
{
    struct user *user = arg;
    uint8_t plain[LEN], sealed[LEN + VAULT_OVERHEAD], out[LEN];

    memset(plain, (int)(uintptr_t)arg, LEN);
    user->ok = true;
    for (int i = 0; i < 50 && user->ok; i++) {
        user->ok = vault_seal(user->vault, sealed, &binding, plain, LEN) == VAULT_OK &&
                   vault_open(user->vault, out, &binding, sealed, sizeof sealed) == VAULT_OK &&
                   memcmp(out, plain, LEN) == 0;
    }
    return NULL;
}

static void test_threads_share_the_session(void **state)
{
    enum { THREADS = 4 };
    const struct pkcs11_params params = params_of("one", NULL);
    struct hsm *hsm = start(&params);
    struct vault *vault = vault_of_keys(hsm_wrapping(hsm, 0), NULL);
    struct user users[THREADS];

    (void)state;
    for (size_t i = 0; i < THREADS; i++) {
        users[i].vault = vault;
        assert_int_equal(pthread_create(&users[i].thread, NULL, use, &users[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(users[i].thread, NULL);
        assert_true(users[i].ok);
    }
    vault_free(vault);
    hsm_stop(hsm);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_item_opens_after_a_restart_of_the_helper_and_by_no_other_key),
        cmocka_unit_test(test_from_a_master_key_into_a_token_to_its_second_key_and_back),
        cmocka_unit_test(test_each_wrong_setting_is_one_line_that_names_it),
        cmocka_unit_test(test_a_wrong_pin_and_a_pin_that_others_may_read_are_refused),
        cmocka_unit_test(test_without_a_name_the_only_token_is_taken),
        cmocka_unit_test(test_a_token_that_went_away_answers_so_until_it_is_back),
        cmocka_unit_test(test_a_pin_that_changed_meanwhile_is_tried_once_and_ends_the_helper),
        cmocka_unit_test(test_another_key_under_the_label_is_not_taken),
        cmocka_unit_test(test_an_answer_that_comes_late_is_nobodys),
        cmocka_unit_test(test_threads_share_the_session),
    };

    if (argc > 2 && strcmp(argv[2], "--vault") == 0)
        return getenv("LATE") ? be_late() : hsm_main();
    (void)signal(SIGPIPE, SIG_IGN);
    log_setup("test", LOG_ERROR);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
