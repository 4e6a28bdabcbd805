/* SPDX-License-Identifier: Apache-2.0 */
/* The quorate command: finds the subcommand in a table and runs it. */
#include "command.h"
#include "say.h"

#include "system/core/log.h"
#include "system/core/secret.h"
#include "system/vault/hsm.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>

const struct command commands[] = {
    {"up", command_up, "run a whole signing system on this machine"},
    {"demo", command_demo, "start a system, make an account, sign a transaction, stop"},
    {"account", command_account, "create, list, show or verify accounts"},
    {"sign", command_sign, "sign with an account's key"},
    {"session", command_session, "show a session, its events, or cancel it"},
    {"parties", command_parties, "show the parties of the pool"},
    {"status", command_status, "is the system ready?"},
    {"health", command_health, "does one service live, and can it serve?"},
    {"doctor", command_doctor, "what is wrong with a system, and what to do"},
    {"freeze", command_freeze, "order the parties to sign nothing, for an account or anybody"},
    {"unfreeze", command_unfreeze, "end a freeze"},
    {"key", command_key, "make an API key for a backend"},
    {"audit", command_audit, "read account-service's audit log, or verify it"},
    {"db", command_db, "make a role and a schema in a PostgreSQL database"},
    {"pki", command_pki, "the operator's authority: certificates for services and parties"},
    {"backup", command_backup,
     "parties' backups: make their key, verify, restore, prove that they sign"},
    {"verify", command_verify, "check a signature"},
    {"address", command_address, "show the addresses of a public key"},
    {"inspect", command_inspect, "show everything public in a file"},
    {"help", command_help, "show this page"},
    {"version", command_version, "show the version, also --version"},
};
const size_t commands_n = sizeof commands / sizeof commands[0];

const struct command *command_find(const char *name)
{
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    for (size_t i = 0; i < commands_n; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

/* A descriptor below 3 that is closed would become that of some file. Each is opened the wrong way
 * round, so that using it fails and is told. */
static void open_standard(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
    }
}

int main(int argc, char **argv)
{
    const struct command *command;

    open_standard();
    log_setup("quorate",
              LOG_ERROR); /* of system/core: what ends the process; the rest is say.h's */
    secret_harden();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write over the limit fails and is told */
    /* the process with the token's module, which restoring into a token's wrapping key needs */
    if (argc == 3 && strcmp(argv[1], "--keeper") == 0 && strcmp(argv[2], "--vault") == 0)
        return hsm_main();
    if (argc < 2)
        return refuse_usage("no command given; quorate help lists them");
    command = command_find(argv[1]);
    if (!command && argv[1][0] == '-')
        return refuse_usage("%s stands where the command should: options follow the command, as in "
                            "quorate demo --json",
                            argv[1]);
    if (!command)
        return refuse_usage("there is no command %s; quorate help lists them", argv[1]);
    if (argc == 3 && command_has_actions(command) &&
        (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0))
        return command_help_of(command);
    return command->run(argv + 1);
}
