/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate backup": what the recipient of parties' backups does with them. */
#include "backup.h"

#include "api.h"
#include "command.h"
#include "option.h"

#include "system/core/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct action {
    const char *name, *rest, *own;
    int (*run)(const struct backup_request *request);
    const char *help;
};

static const struct action actions[] = {
    {"key", "", "--out --seal", backup_command_key,
     "Make the key that parties' backups are sealed to, in a new file (--out), or show the public\n"
     "text of one that exists (--key). The public text is BACKUP_RECIPIENT of the parties. Keep "
     "the\n"
     "file off the machines that run parties: who has it and the backups has the keys."},
    {"verify", "FILE...", "", backup_command_verify,
     "Open backups, check each as a whole, and write a receipt beside each that is sound. A party\n"
     "takes receipts from BACKUP_DIR; a share counts as backed up from then on. A directory "
     "stands\n"
     "for the *.qbk files in it."},
    {"restore", "FILE...", "--env --accept-age", backup_command_restore,
     "Put a party's shares into its empty database, sealed under the wrapping key of its settings\n"
     "(--env), with the burns and orders of its newest state, and its identity. Give all of its\n"
     "backups, and no other party's."},
    {"merge", "FILE...", "--env", backup_command_merge,
     "Add the burns and orders of a party's states to its database, of which an older copy came\n"
     "back. The party must not run. What it knows stays; of orders, what the operator signed and\n"
     "the party's own freezes are added."},
    {"drill", "FILE...", "--account", backup_command_drill,
     "Prove that backups sign: with those of enough parties of one account, make and check a real\n"
     "signature of a random message in this process. Nothing is written. A directory stands for "
     "the\n"
     "*.qbk files in it; --account chooses among several accounts. A damaged file is named and "
     "left\n"
     "out, if the others are enough."},
    {"seal", "", "--to --sign-key --out", backup_command_seal,
     "Seal what comes on standard input, a database's dump say, to a backup key's public text "
     "(--to)\n"
     "in a new file (--out), signed with a key (--sign-key). Keep the public half, shown as "
     "signed\n"
     "by, where backups are opened."},
    {"open", "FILE", "--signed-by --out --accept-age", backup_command_open,
     "Open what was sealed so, in a new file (--out), if it is signed with the key whose public\n"
     "half is given (--signed-by)."},
};

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; name && i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    }
    return NULL;
}

static enum options_answer read_options(struct backup_request *r, const struct action *action,
                                        char **argv, size_t rest_max)
{
    const struct option_row all[] = {
        {"--key", "FILE", NULL, &r->key, "the recipient's key"},
        {"--passphrase-file", "FILE", NULL, &r->passphrase_file,
         "holds the passphrase of that key (default: asked for)"},
        {"--json", NULL, &r->json, NULL, "answer in JSON"},
        {"--out", "FILE", NULL, &r->out, "the new file"},
        {"--to", "TEXT", NULL, &r->to, "public text of a backup key"},
        {"--sign-key", "FILE", NULL, &r->sign_key,
         "64 hex digits: the secret half of an Ed25519 key, as IDENTITY_KEY_FILE"},
        {"--signed-by", "KEY", NULL, &r->signed_by,
         "64 hex digits: who must have signed it, as seal showed it"},
        {"--seal", NULL, &r->seal, NULL, "seal the new key by a passphrase"},
        {"--account", "ID", NULL, &r->account, "the account whose backups are taken"},
        {"--env", "FILE", NULL, &r->env, "the party's settings"},
        {"--accept-age", NULL, &r->accept_age, NULL,
         "what happened after the newest backup given, burns too, is lost, and that is accepted"},
    };
    enum { COMMON = 3 };
    struct option_row rows[sizeof all / sizeof all[0]];
    char command[32];
    struct options options = {command, action->rest, action->help, rows, COMMON};

    snprintf(command, sizeof command, "backup %s", action->name);
    memcpy(rows, all, COMMON * sizeof rows[0]);
    for (size_t i = COMMON; i < sizeof all / sizeof all[0]; i++) {
        if (strstr(action->own, all[i].name))
            rows[options.rows_n++] = all[i];
    }
    return options_read(&options, argv, r->files, action->rest[0] ? rest_max : 0, &r->files_n);
}

static int run(const struct action *action, struct backup_request *r)
{
    if (action->rest[0] && !r->key)
        return refuse_usage("--key is missing; see quorate backup %s --help", action->name);
    if (action->rest[0] && r->files_n == 0)
        return refuse_usage("the files are missing; see quorate backup %s --help", action->name);
    if (r->account && !api_is_id(r->account))
        return refuse_usage("--account %s is no account id (a UUID)", r->account);
    umask(077);
    return action->run(r);
}

int command_backup(char **argv)
{
    const struct action *action = find_action(argv[1]);
    struct backup_request r = {0};
    enum options_answer answer;
    size_t words = 0;
    int code;

    if (!action)
        return refuse_usage(
            "say what: quorate backup key, verify, restore, merge, drill, seal or open");
    while (argv[words])
        words++;
    r.files = mem_new(words, sizeof *r.files);
    answer = read_options(&r, action, argv + 1, words);
    code = answer == OPTIONS_GO ? run(action, &r) : options_code(answer);
    free(r.files);
    return code;
}
