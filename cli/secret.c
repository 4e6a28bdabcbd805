/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in memory. If the system's limit of locked memory is reached, pages may be swapped;
 * they stay guarded and wiped. */
#include "secret.h"

#include "signals.h"

#include "quorate/types.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

void secret_harden(void)
{
    struct rlimit none = {0, 0};

    if (sodium_init() < 0)
        exit(refuse("libsodium cannot start on this machine"));
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        exit(refuse("cannot forbid core dumps: %s", strerror(errno)));
}

/* sodium_malloc puts the end of the memory at the end of a page, so a size that is a multiple of
 * the alignment is aligned. */
void *secret_alloc(size_t len)
{
    size_t rounded = (len + QRT_ALIGN) / QRT_ALIGN * QRT_ALIGN;
    void *p = sodium_malloc(rounded);

    if (!p)
        exit(refuse("out of memory"));
    memset(p, 0, rounded);
    return p;
}

void secret_free(void *p)
{
    sodium_free(p);
}

/* Some bytes more: their number, 0 at the end, -1 if it cannot be read or a signal came. */
static ssize_t read_more(struct passphrase *out, int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    ssize_t n;

    do {
        if (signals_poll(&p, 1, -1) < 0 && signals_came())
            return -1;
        n = read(fd, out->b + out->len, sizeof out->b - out->len);
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    return n;
}

bool passphrase_read(struct passphrase *out, int fd, struct trouble *trouble)
{
    ssize_t n = 1;

    if (isatty(fd))
        say("waiting for the passphrase on descriptor %d, a terminal, which shows it; end it with "
            "Enter and Ctrl-D",
            fd);
    for (out->len = 0; n > 0 && out->len<sizeof out->b; out->len += n> 0 ? (size_t)n : 0)
        n = read_more(out, fd);
    if (signals_came())
        return trouble_set(trouble, "interrupted while the passphrase was read");
    if (n < 0)
        return trouble_set(trouble, "cannot read the passphrase from descriptor %d: %s", fd,
                           strerror(errno));
    if (fd > STDERR_FILENO)
        close(fd);
    if (out->len > 0 && out->b[out->len - 1] == '\n')
        out->len--;
    if (out->len == 0)
        return trouble_set(trouble, "the passphrase is empty");
    if (out->len > PASSPHRASE_MAX)
        return trouble_set(trouble, "the passphrase is longer than %d bytes", PASSPHRASE_MAX);
    return true;
}

void passphrase_make(struct passphrase *out)
{
    uint8_t random[32];

    randombytes_buf(random, sizeof random);
    sodium_bin2hex(out->b, sizeof out->b, random, sizeof random);
    out->len = 2 * sizeof random;
    sodium_memzero(random, sizeof random);
}

bool passphrase_write(const struct passphrase *passphrase, int fd)
{
    size_t at = 0;

    while (at < passphrase->len) {
        ssize_t n = write(fd, passphrase->b + at, passphrase->len - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    close(fd);
    return at == passphrase->len;
}
