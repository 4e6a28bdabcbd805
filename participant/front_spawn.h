/* SPDX-License-Identifier: Apache-2.0 */
/* How a front starts its keeper: fork and exec of the same program with --keeper, a socket pair
 * between them (descriptor 3 in the keeper). Called first thing in main, while the process has one
 * thread and no connection, so that the keeper inherits nothing else.
 *
 * The keeper reads its variables from the environment it inherits or from the same --env-file;
 * the front then overwrites the secrets among them in its own environment. */
#ifndef PARTICIPANT_FRONT_SPAWN_H
#define PARTICIPANT_FRONT_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

enum { FRONT_SPAWN_ERROR_MAX = 256 };

/* The front's end of the socket pair, and the keeper. */
struct front_child {
    int fd;
    pid_t pid;
};

/* |env_file| NULL: the keeper finds its own. The keeper gets SIGTERM when the front dies, besides
 * the end of the socket. False with one line in |error|. */
bool front_spawn(struct front_child *out, const char *program, const char *env_file,
                 char error[FRONT_SPAWN_ERROR_MAX]);
/* Overwrite and unset what only the keeper may know. */
void front_forget_secrets(void);

#endif
