/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and processes that hold secrets. */
#ifndef SYSTEM_CORE_SECRET_H
#define SYSTEM_CORE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* No core dumps, no debugger of another process, sodium_init; raise RLIMIT_MEMLOCK to its hard
 * limit. First thing in main. */
void secret_harden(void);
/* Guarded, locked memory (sodium_malloc), aligned to 64 when |len| is a multiple of it. Never NULL:
 * no memory ends the process with one line that names RLIMIT_MEMLOCK. */
void *secret_new(size_t len);
/* Wipes. NULL is nothing. */
void secret_free(void *p);

#endif
