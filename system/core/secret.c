/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and processes that hold secrets. If the limit of locked memory is reached, pages may go to
 * the swap device: that is told once, and the memory stays guarded and wiped. */
#include "system/core/secret.h"

#include "system/core/log.h"

#include <errno.h>
#include <sodium.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static _Noreturn void end(const char *message)
{
    log_event(LOG_ERROR, message, LOG_S("error", strerror(errno)));
    _exit(1);
}

void secret_harden(void)
{
    const struct rlimit none = {0, 0};
    struct rlimit lock;

    if (sodium_init() < 0)
        end("libsodium cannot start on this machine");
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        end("cannot forbid core dumps");
    if (getrlimit(RLIMIT_MEMLOCK, &lock) == 0 && lock.rlim_cur != lock.rlim_max) {
        lock.rlim_cur = lock.rlim_max;
        (void)setrlimit(RLIMIT_MEMLOCK, &lock);
    }
}

/* sodium_malloc puts the end of the memory at the end of a page: a size that is a multiple of 64
 * begins at a multiple of 64. It locks, and does not tell if it could not; locking again does. */
void *secret_new(size_t len)
{
    static atomic_flag told = ATOMIC_FLAG_INIT;
    void *p = sodium_init() < 0 ? NULL : sodium_malloc(len);

    if (!p)
        end("no memory for secrets: raise RLIMIT_MEMLOCK or the memory of this process");
    memset(p, 0, len);
    if (len && mlock(p, len) != 0 && !atomic_flag_test_and_set(&told))
        log_line(LOG_WARN, "secrets may be written to swap: raise RLIMIT_MEMLOCK (ulimit -l)");
    return p;
}

void secret_free(void *p)
{
    sodium_free(p);
}
