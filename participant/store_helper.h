/* SPDX-License-Identifier: Apache-2.0 */
/* The process that speaks to PostgreSQL for a keeper. The keeper holds shares, so it opens no
 * connection and reads nothing from a network: it says by a socket what is to be stored
 * (system/db/remote.h). What passes there is sealed. The helper is the same program, started anew
 * with nothing of the keeper's: no key, no environment; and in a sandbox before it reads anything
 * from the network, for which it may open connections and little else. It ends with the keeper. */
#ifndef PARTICIPANT_STORE_HELPER_H
#define PARTICIPANT_STORE_HELPER_H

#include "participant/store.h"

enum { STORE_HELPER_FILES = 2 };

/* Starts |program| --keeper --store, which may read |files| ("": none): the server's authority and
 * its revocation list. Its socket; -1 with one line in |error|. */
int store_helper_start(const char *program, const char *const files[STORE_HELPER_FILES],
                       char error[STORE_ERROR_MAX]);
/* The helper's main. */
int store_helper_main(void);

#endif
