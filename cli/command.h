/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands. Each is one file with one function, which gets its own name as argv[0] and
 * returns the exit code: 0 done, 1 refused or failed, 2 usage. */
#ifndef QUORATE_CLI_COMMAND_H
#define QUORATE_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

struct command {
    const char *name;
    int (*run)(char **argv);
    const char *help;
};

extern const struct command commands[];
extern const size_t commands_n;

/* NULL if there is none of that name. */
const struct command *command_find(const char *name);
/* Has it a next word that says what to do? */
bool command_has_actions(const struct command *command);
/* Print its help page, or that of each action; the exit code. */
int command_help_of(const struct command *command);

int command_account(char **argv);
int command_address(char **argv);
int command_audit(char **argv);
int command_backup(char **argv);
int command_db(char **argv);
int command_demo(char **argv);
int command_doctor(char **argv);
int command_freeze(char **argv);
int command_health(char **argv);
int command_help(char **argv);
int command_inspect(char **argv);
int command_key(char **argv);
int command_parties(char **argv);
int command_pki(char **argv);
int command_session(char **argv);
int command_sign(char **argv);
int command_status(char **argv);
int command_unfreeze(char **argv);
int command_up(char **argv);
int command_verify(char **argv);
int command_version(char **argv);

#endif
