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

#define PASSPHRASE_MAX 1024

struct passphrase {
    size_t len;
    char b[PASSPHRASE_MAX + 1];
};

/* Read until the end of |fd|, close it, and drop one line end. |out| is from secret_alloc. False
 * if it is empty, too long or cannot be read, or a signal came (signals.h). */
bool passphrase_read(struct passphrase *out, int fd, struct trouble *trouble);
/* 32 random bytes as hex: for a key that nobody has to remember. */
void passphrase_make(struct passphrase *out);
/* All of it into |fd|, which is closed. */
bool passphrase_write(const struct passphrase *passphrase, int fd);

#endif
