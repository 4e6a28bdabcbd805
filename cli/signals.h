/* SPDX-License-Identifier: Apache-2.0 */
/* SIGINT, SIGTERM and SIGHUP of a command that has something to tidy up: they are noted, and end
 * every wait that is made through signals_poll. */
#ifndef QUORATE_CLI_SIGNALS_H
#define QUORATE_CLI_SIGNALS_H

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

/* From now on the signals are only noted. */
void signals_catch(void);
bool signals_came(void);

/* fork(2). In the child the signals end the process again, from its first instruction on: none is
 * noted there and lost by exec. */
pid_t signals_fork(void);

/* poll(2). If a signal came, before or during the wait, -1 with errno EINTR. */
int signals_poll(struct pollfd *fds, nfds_t n, int timeout_ms);

#endif
