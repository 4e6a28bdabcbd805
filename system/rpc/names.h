/* SPDX-License-Identifier: Apache-2.0 */
/* The names of errors that a server has said, each kept once: few, of few letters, and lent for as
 * long as the set lives. A server that invents more of them is not listened to. */
#ifndef SYSTEM_RPC_NAMES_H
#define SYSTEM_RPC_NAMES_H

#include <stddef.h>

enum { NAMES_MAX = 64 };

/* All zero is empty. */
struct names {
    char *all[NAMES_MAX];
};

/* |len| bytes and a zero byte. NULL: no name, or one too many. */
const char *names_keep(struct names *names, const char *name, size_t len);
void names_free(struct names *names);

#endif
