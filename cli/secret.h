/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in memory: guarded pages that are locked, wiped when freed and left out of core dumps. */
#ifndef QUORATE_CLI_SECRET_H
#define QUORATE_CLI_SECRET_H

#include "say.h"

#include <stddef.h>
#include <stdint.h>

/* First thing in main: libsodium, no core dumps, no ptrace by others of the same user. */
void secret_harden(void);

/* Zeroed memory, aligned to QRT_ALIGN. */
void *secret_alloc(size_t len);
void secret_free(void *p);

#endif
