/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in memory. If the system's limit of locked memory is reached, pages may be swapped;
 * they stay guarded and wiped. */
#include "secret.h"

#include "quorate/types.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

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
