/* SPDX-License-Identifier: Apache-2.0 */
/* What a process of a party may still ask of the operating system once it has started: the keeper,
 * which has secrets and no network, and a client, which has a network and no secrets. */
#ifndef PARTICIPANT_SANDBOX_H
#define PARTICIPANT_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

enum { SANDBOX_ERROR_MAX = 160 };

/* Files below |directory| and no others, where the kernel can (Landlock). Holds for threads and
 * processes started afterwards: call it while there is one thread. False: the kernel cannot, and
 * files are what the user of the process may open. */
bool sandbox_files(const char *directory);
/* The system calls that threads, guarded memory, two sockets that are open already, and SQLite
 * need; for all threads. Opening sockets, starting programs, and looking into other processes
 * end the process, everything else is refused. False with one line in |error|. */
bool sandbox_calls(char error[SANDBOX_ERROR_MAX]);

/* The same two for a client: it reads |files| ("": none), what the system says of names and TLS,
 * and programs' libraries; it writes no file. A file that is replaced later is another one, which
 * it does not read. */
bool sandbox_client_files(const char *const files[], size_t n);
/* It may open connections, and takes none. */
bool sandbox_client_calls(char error[SANDBOX_ERROR_MAX]);

#endif
