/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate freeze list", which command_freeze hands on. */
#ifndef QUORATE_CLI_FREEZE_LIST_H
#define QUORATE_CLI_FREEZE_LIST_H

/* argv[0] is "list"; the exit code. */
int freeze_list(char **argv);

#endif
