/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper may still ask of the operating system once it has started. */
#ifndef PARTICIPANT_SANDBOX_H
#define PARTICIPANT_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

enum { SANDBOX_ERROR_MAX = 160 };

/* Files below |directory| and no others, where the kernel can (Landlock). Holds for threads and
 * processes started afterwards: call it while there is one thread. */
void sandbox_files(const char *directory);
/* The system calls that threads, guarded memory, two sockets that are open already, and SQLite
 * need; for all threads. Opening sockets, starting programs, and looking into other processes
 * end the process, everything else is refused. False with one line in |error|. */
bool sandbox_calls(char error[SANDBOX_ERROR_MAX]);

#endif
