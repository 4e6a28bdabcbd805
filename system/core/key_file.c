/* SPDX-License-Identifier: Apache-2.0 */
/* Seeds and texts in files. No stdio: its buffer would keep the text on the heap. The text is in
 * guarded memory only. The mode is looked at in the open file, so that nobody can put another in
 * between. */
#include "system/core/key_file.h"

#include "system/core/disk.h"
#include "system/core/ids.h"
#include "system/core/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The digits, some white space, and one byte more that shows that the file is longer. */
enum { TEXT_MAX = 2 * KEY_FILE_SEED + 64 };

static bool fault(char error[KEY_FILE_ERROR_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool fault(char error[KEY_FILE_ERROR_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(error, KEY_FILE_ERROR_MAX, format, args);
    va_end(args);
    return false;
}

/* O_NONBLOCK: a pipe that nobody writes to must not hold up the start. */
static int open_own(const char *path, char error[KEY_FILE_ERROR_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat info;
    bool ok = fd >= 0;

    if (!ok)
        (void)fault(error, "cannot open %s: %s", path,
                    errno == ELOOP ? "it must not be a symbolic link" : strerror(errno));
    else if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        ok = fault(error, "%s is not a regular file", path);
    else if ((info.st_mode & 077) != 0)
        ok = fault(error, "%s can be used by others: chmod 600 it", path);
    if (!ok && fd >= 0)
        close(fd);
    return ok ? fd : -1;
}

/* Without the white space at its end. False: too long, or no text. */
static bool trim(char *text, size_t cap, size_t *len)
{
    if (*len == cap || memchr(text, 0, *len))
        return false;
    while (*len > 0 && strchr(" \t\r\n", text[*len - 1]))
        --*len;
    text[*len] = 0;
    return true;
}

static bool decode(uint8_t seed[KEY_FILE_SEED], char *text, size_t len)
{
    return trim(text, TEXT_MAX, &len) && hex_decode(seed, KEY_FILE_SEED, text);
}

bool key_file_read(uint8_t seed[KEY_FILE_SEED], const char *path, char error[KEY_FILE_ERROR_MAX])
{
    int fd = open_own(path, error);
    char *text;
    size_t len;
    bool ok;

    memset(seed, 0, KEY_FILE_SEED);
    if (fd < 0)
        return false;
    text = secret_new(TEXT_MAX);
    if (!disk_read(fd, text, TEXT_MAX, &len))
        ok = fault(error, "%s cannot be read: %s", path, strerror(errno));
    else
        ok = decode(seed, text, len) || fault(error, "%s must hold 64 hex digits", path);
    close(fd);
    secret_free(text);
    if (!ok)
        memset(seed, 0, KEY_FILE_SEED);
    return ok;
}

bool key_file_read_pair(uint8_t pair[KEY_FILE_PAIR], const char *path,
                        char error[KEY_FILE_ERROR_MAX])
{
    uint8_t *seed = secret_new(KEY_FILE_SEED), public_key[crypto_sign_PUBLICKEYBYTES];
    bool ok = key_file_read(seed, path, error);

    memset(pair, 0, KEY_FILE_PAIR);
    if (ok)
        crypto_sign_seed_keypair(public_key, pair, seed);
    secret_free(seed);
    return ok;
}

bool key_file_read_text(char *out, size_t cap, size_t *len, const char *path,
                        char error[KEY_FILE_ERROR_MAX])
{
    int fd = open_own(path, error);
    bool ok;

    *len = 0;
    sodium_memzero(out, cap);
    if (fd < 0)
        return false;
    if (!disk_read(fd, out, cap, len))
        ok = fault(error, "%s cannot be read: %s", path, strerror(errno));
    else
        ok = (trim(out, cap, len) && *len > 0) ||
             fault(error, "%s must hold one line of text, and not more than %zu bytes", path,
                   cap - 1);
    close(fd);
    if (!ok)
        sodium_memzero(out, cap);
    return ok;
}
