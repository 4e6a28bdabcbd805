/* SPDX-License-Identifier: Apache-2.0 */
/* SoftHSM2 and OpenSC by their commands. */
#include "tests/system/vault/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

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

void token_fake(void)
{
    run("softhsm2-util --init-token --free --label quorate --pin " TOKEN_PIN
        " --so-pin 12345678 > /dev/null");
}

void token_unfake(const char *directory)
{
    run("rm -r %s/tokens/*", directory);
}

void token_new(const char *directory)
{
    char path[256];

    snprintf(path, sizeof path, "%s/softhsm2.conf", directory);
    run("mkdir %s/tokens && printf 'directories.tokendir = %s/tokens\\nlog.level = ERROR\\n' > %s",
        directory, directory, path);
    setenv("SOFTHSM2_CONF", path, 1);
    token_fake();
    run("umask 077 && echo " TOKEN_PIN " > %s/pin", directory);
}

void token_add_key(const char *label, const char *options)
{
    run("pkcs11-tool --module " TOKEN_MODULE " --token-label quorate --login --pin " TOKEN_PIN
        " --keygen --key-type AES:32 --label %s %s > /dev/null 2>&1",
        label, options);
}

void token_hide(const char *directory)
{
    run("mv %s/tokens %s/away && mkdir %s/tokens", directory, directory, directory);
}

void token_show(const char *directory)
{
    run("rmdir %s/tokens && mv %s/away %s/tokens", directory, directory, directory);
}
