/* SPDX-License-Identifier: Apache-2.0 */
/* A helper process: the same program once more, at the other end of a socket pair, which is its
 * descriptor 3. For what must not be done in a process that holds secrets. It gets the
 * standard descriptors and no others, and a SIGTERM when its starter dies. */
#ifndef SYSTEM_CORE_HELPER_H
#define SYSTEM_CORE_HELPER_H

#include <stdbool.h>

enum { HELPER_FD = 3 };

enum helper_environment {
    HELPER_EMPTY,
    /* PATH and HOME */
    HELPER_BARE,
    /* all of it but variables that are secret */
    HELPER_WHOLE
};

/* Run |program| --keeper |option|; |type| of the socket is SOCK_STREAM or SOCK_SEQPACKET. Call
 * before any thread exists. The descriptor of the starter's end, which is closed to end the helper;
 * -1 with errno. */
int helper_start(const char *program, const char *option, int type,
                 enum helper_environment environment);

#endif
