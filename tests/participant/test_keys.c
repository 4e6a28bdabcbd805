/* SPDX-License-Identifier: Apache-2.0 */
/* The wrapping keys of real keepers, in their sandbox: a key changes while signatures are made, into
 * a token and out of it; what a wrong start says. */
#include "keepers.h"
#include "tests/system/vault/token.h"

#include "system/core/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define A "0700000000000000000000000000000000000000000000000000000000000000"
#define B "b700000000000000000000000000000000000000000000000000000000000000"
#define C "c700000000000000000000000000000000000000000000000000000000000000"

enum { KEYS = 3, WHO = 2 };

static struct keepers *k;
static struct job keygens[KEYS];
static uint8_t key_ids[KEYS][32], pks[KEYS][33];
static char token[] = "/tmp/quorate-token-XXXXXX", said[256];

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void run(const char *format, ...)
{
    char command[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    assert_int_equal(system(command), 0);
}

/* The keeper's settings about its keys, and no others of that kind. */
static void set(const char *lines)
{
    run("sed -i '/^CRYPTO_MASTER_KEY/d;/^VAULT=/d;/^PKCS11_KEY/d' %s/env", k->seats[WHO].directory);
    run("printf '%s' >> %s/env", lines, k->seats[WHO].directory);
}

static void restart(const char *lines)
{
    assert_int_equal(keepers_stop(k, WHO), 0);
    set(lines);
    assert_true(keepers_start(k, WHO));
}

/* What it says goes to |said|. */
static void expect_no_start(const char *lines, const char *why)
{
    char log[] = "/tmp/quorate-keys-log-XXXXXX";
    int saved = dup(2), fd = mkstemp(log), status;
    ssize_t n;

    set(lines);
    assert_true(fd >= 0 && saved >= 0);
    fflush(NULL);
    dup2(fd, 2);
    status = keepers_refuse_to_start(k, WHO);
    dup2(saved, 2);
    close(saved);
    assert_int_equal(WEXITSTATUS(status), 1);
    n = pread(fd, said, sizeof said - 1, 0);
    assert_true(n > 0);
    said[n] = '\0';
    close(fd);
    unlink(log);
    if (!strstr(said, why))
        print_error("%s\n", said);
    assert_non_null(strstr(said, why));
    /* one line */
    assert_ptr_equal(strchr(said, '\n'), said + n - 1);
}

static uint64_t left(void)
{
    keepers_sync(k, WHO);
    assert_non_null(k->last_stats);
    return k->last_stats->stats->rows_to_rewrap;
}

/* As often as the change of a key takes: what was told before is forgotten. */
static void sign_all(void)
{
    k->told_n = 0;
    for (size_t i = 0; i < KEYS; i++) {
        struct job job = keepers_sign(&keygens[i], key_ids[i], (const size_t[]){0, WHO}, 2);

        keepers_open_all(k, &job);
        keepers_play(k, &job);
        assert_true(keepers_is_signed(keepers_told(k, WHO, job.session_id, 0), &job, pks[i]));
    }
}

/* Signing goes on; a key that is made meanwhile is under the next one. */
static void change_to(const char *lines)
{
    restart(lines);
    do
        sign_all();
    while (left() > 0);
}

static void test_from_one_master_key_to_the_next(void **state)
{
    (void)state;
    change_to("CRYPTO_MASTER_KEY=" A "\\nCRYPTO_MASTER_KEY_NEXT=" B "\\n");
    assert_int_equal(keepers_stop(k, WHO), 0);
    expect_no_start("CRYPTO_MASTER_KEY=" A "\\n", "3 shares in ");
    assert_non_null(strstr(said, "set it again as the next one beside CRYPTO_MASTER_KEY"));
    expect_no_start("CRYPTO_MASTER_KEY=" C "\\n", "CRYPTO_MASTER_KEY is not the key that");
    set("CRYPTO_MASTER_KEY=" B "\\n");
    assert_true(keepers_start(k, WHO));
    sign_all();
    assert_int_equal(keepers_stop(k, WHO), 0);
    expect_no_start("CRYPTO_MASTER_KEY=" A "\\n", "CRYPTO_MASTER_KEY is not the key that");
    expect_no_start("CRYPTO_MASTER_KEY=" A "\\nCRYPTO_MASTER_KEY_NEXT=" B "\\n",
                    "but CRYPTO_MASTER_KEY_NEXT is: make that one the current key");
    expect_no_start("CRYPTO_MASTER_KEY=" B "\\nCRYPTO_MASTER_KEY_NEXT=" B "\\n",
                    "CRYPTO_MASTER_KEY_NEXT is the same key as CRYPTO_MASTER_KEY");
    set("CRYPTO_MASTER_KEY=" B "\\n");
    assert_true(keepers_start(k, WHO));
}

/* The seals of before, as after a database that was restored: nothing was rewrapped. */
static void test_with_rows_left_the_old_key_cannot_go(void **state)
{
    (void)state;
    assert_int_equal(keepers_stop(k, WHO), 0);
    party_db_run(&k->seats[WHO].db,
                 "CREATE TABLE earlier AS SELECT kgid, sealed FROM shares LIMIT 2");
    assert_true(keepers_start(k, WHO));
    change_to("CRYPTO_MASTER_KEY=" B "\\nCRYPTO_MASTER_KEY_NEXT=" C "\\n");
    assert_int_equal(keepers_stop(k, WHO), 0);
    assert_int_equal(
        party_db_run(&k->seats[WHO].db,
                     "UPDATE shares SET sealed = (SELECT sealed FROM earlier WHERE earlier.kgid ="
                     " shares.kgid) WHERE kgid IN (SELECT kgid FROM earlier)"),
        2);
    expect_no_start("CRYPTO_MASTER_KEY=" C "\\n", "2 shares in ");
    assert_non_null(strstr(said, "are still under the key before CRYPTO_MASTER_KEY"));
    assert_non_null(strstr(said, "until quorate_vault_rows_to_rewrap is 0"));
    set("CRYPTO_MASTER_KEY=" B "\\nCRYPTO_MASTER_KEY_NEXT=" C "\\n");
    assert_true(keepers_start(k, WHO));
    while (left() > 0)
        ;
    restart("CRYPTO_MASTER_KEY=" C "\\n");
    sign_all();
}

static void test_into_a_token_to_its_second_key_and_out_again(void **state)
{
    (void)state;
    change_to("CRYPTO_MASTER_KEY=" C "\\nPKCS11_KEY_LABEL_NEXT=one\\n");
    /* a master key is not asked for any more */
    restart("VAULT=pkcs11\\nPKCS11_KEY_LABEL=one\\n");
    sign_all();
    change_to("VAULT=pkcs11\\nPKCS11_KEY_LABEL=one\\nPKCS11_KEY_LABEL_NEXT=two\\n");
    restart("VAULT=pkcs11\\nPKCS11_KEY_LABEL=two\\n");
    sign_all();
    keepers_kill(k, WHO);
    expect_no_start("VAULT=pkcs11\\nPKCS11_KEY_LABEL=one\\n",
                    "PKCS11_KEY_LABEL is not the key that");
    expect_no_start("VAULT=pkcs11\\n", "PKCS11_KEY_LABEL is not set");
    expect_no_start("VAULT=pkcs11\\nPKCS11_KEY_LABEL=none\\n",
                    "the token has no AES key labelled none");
    expect_no_start("VAULT=pkcs11\\nPKCS11_KEY_LABEL=two\\nPKCS11_KEY_LABEL_NEXT=one\\n"
                    "CRYPTO_MASTER_KEY_NEXT=" B "\\n",
                    "are both set");
    expect_no_start("PKCS11_KEY_LABEL=two\\n", "CRYPTO_MASTER_KEY is not set");
    set("VAULT=pkcs11\\nPKCS11_KEY_LABEL=two\\n");
    assert_true(keepers_start(k, WHO));
    sign_all();
    change_to("VAULT=pkcs11\\nPKCS11_KEY_LABEL=two\\nCRYPTO_MASTER_KEY_NEXT=" B "\\n");
    restart("VAULT=env\\nCRYPTO_MASTER_KEY=" B "\\n");
    sign_all();
}

/* Killed with the helper at any moment of the change: both end, and it starts again. */
static void test_a_keeper_that_is_killed_goes_on_where_it_was(void **state)
{
    (void)state;
    assert_int_equal(keepers_stop(k, WHO), 0);
    set("CRYPTO_MASTER_KEY=" B "\\nPKCS11_KEY_LABEL_NEXT=one\\n");
    assert_true(keepers_start(k, WHO));
    for (uint64_t rows = left(); rows > 0; rows = left()) {
        keepers_kill(k, WHO);
        assert_true(keepers_start(k, WHO));
        sign_all();
        keepers_kill(k, WHO);
        assert_true(keepers_start(k, WHO));
        /* a life may be too short for any row, but not every one */
        while (left() >= rows)
            ;
    }
    restart("VAULT=pkcs11\\nPKCS11_KEY_LABEL=one\\n");
    sign_all();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_one_master_key_to_the_next),
        cmocka_unit_test(test_with_rows_left_the_old_key_cannot_go),
        cmocka_unit_test(test_into_a_token_to_its_second_key_and_out_again),
        cmocka_unit_test(test_a_keeper_that_is_killed_goes_on_where_it_was),
    };
    struct buffer settings = {0};
    int result;

    if (keepers_main(argc, argv, &result))
        return result;
    assert_non_null(mkdtemp(token));
    token_new(token);
    token_add_key("one", "--sensitive");
    token_add_key("two", "--sensitive");
    buffer_printf(&settings,
                  "PKCS11_MODULE=" TOKEN_MODULE "\nPKCS11_TOKEN=quorate\n"
                  "PKCS11_PIN_FILE=%s/pin\n",
                  token);
    k = keepers_new(3, &(struct keepers_options){.settings = (const char *)settings.b});
    for (size_t i = 0; i < KEYS; i++) {
        keygens[i] = keepers_keygen(k, 3, 2);
        keepers_make_key(k, &keygens[i], key_ids[i], pks[i]);
    }
    result = cmocka_run_group_tests(tests, NULL, NULL);
    keepers_free(k);
    run("rm -rf %s", token);
    buffer_free(&settings);
    return result;
}
