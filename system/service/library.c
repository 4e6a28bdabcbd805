/* SPDX-License-Identifier: Apache-2.0 */
/* The context of context.h, and the end of a process whose library found a bug. Nothing is caught:
 * a process that holds shares must not go on after one. */
#include "system/service/library.h"

#include "system/core/log.h"

#include <pthread.h>
#include <secp256k1.h>
#include <sodium.h>
#include <stdlib.h>

static struct qrt_ctx *shared;
static pthread_once_t once = PTHREAD_ONCE_INIT;

QRT_NORETURN void qrt_panic(const char *file, int line)
{
    log_event(LOG_ERROR, "a bug was found, the process ends", LOG_S("file", file),
              LOG_I("line", line));
    abort();
}

static void make(void)
{
    secp256k1_context *secp = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    uint8_t seed[32];

    shared = aligned_alloc(QRT_ALIGN, qrt_ctx_size());
    if (!secp || !shared || sodium_init() < 0)
        abort();
    randombytes_buf(seed, sizeof seed);
    if (!secp256k1_context_randomize(secp, seed))
        abort();
    sodium_memzero(seed, sizeof seed);
    qrt_ctx_init(shared, secp, QRT_CPU_ALL);
}

const struct qrt_ctx *library_ctx(void)
{
    pthread_once(&once, make);
    return shared;
}
