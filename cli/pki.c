/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate pki": the operator's authority, from the command line. */
#include "pki.h"
#include "command.h"
#include "option.h"
#include "pki_command.h"
#include "report.h"

#include "system/core/secret.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct pki_action actions[] = {
    {"init", "", pki_command_init,
     "Make the operator's authority in DIR: the CA of TLS certificates (ca.crt, ca.key), the key\n"
     "that certifies parties (authority.key; authority.pub is CA_KEY), and an empty revocation\n"
     "list (crl.pem). Keep ca.key and authority.key off the machines that run services."},
    {"issue", "NAME", pki_command_issue,
     "Make a TLS certificate and key for a service or a party: OUT/tls.crt, OUT/tls.key. A party\n"
     "(--party) gets its identity key and its certificate as well, if it has none: identity.key,\n"
     "party.cert. Nothing that exists is overwritten."},
    {"renew", "NAME", pki_command_renew,
     "Replace OUT/tls.crt and OUT/tls.key by new ones with the same names. Running services take\n"
     "them within two seconds. A party's identity key stays as it is. The old certificate stays\n"
     "good until it ends, or is revoked by its serial number."},
    {"revoke", "[NAME]", pki_command_revoke,
     "Put the certificates of NAME, or the one with --serial, on the revocation list DIR/crl.pem.\n"
     "Services whose GRPC_TLS_CRL names that file refuse them within two seconds."},
    {"show", "[NAME]", pki_command_show,
     "Show the authority and the certificates that it made, or those of NAME."},
};

static const struct pki_action *find_action(const char *name)
{
    for (size_t i = 0; name && i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    }
    return NULL;
}

static enum options_answer read_options(struct pki_request *r, const struct pki_action *action,
                                        char **argv)
{
    const struct option_row all[] = {
        {"--dir", "DIR", NULL, &r->dir, "the authority's directory (default: quorate-pki)"},
        {"--passphrase-file", "FILE", NULL, &r->passphrase_file,
         "holds the passphrase of the authority's keys (default: asked for)"},
        {"--json", NULL, &r->json, NULL, "answer in JSON"},
        {"--days", "N", NULL, &r->days, "how long it is good (default: 365; init: 3650)"},
        {"--out", "DIR", NULL, &r->out, "where the files are (default: NAME in --dir)"},
        {"--hosts", "A,B", NULL, &r->hosts, "host names and addresses (default: NAME)"},
        {"--party", "ID", NULL, &r->party, "a certificate of this party"},
        {"--role", "ROLE", NULL, &r->role, "persistent (default), delegate or temporary"},
        {"--serial", "HEX", NULL, &r->serial, "this certificate alone"},
        {"--seal", NULL, &r->seal, NULL, "seal the authority's keys by a passphrase"},
        {"--name", "TEXT", NULL, &r->ca_name, "what the authority is called"},
    };
    enum { COMMON = 3 };
    static const char *const own[] = {"init:--days --seal --name", "renew:--days --out",
                                      "issue:--days --out --hosts --party --role",
                                      "revoke:--serial", "show:"};
    struct option_row rows[sizeof all / sizeof all[0]];
    char command[32];
    struct options options = {command, action->rest, action->help, rows, COMMON};
    const char *mine = "";

    snprintf(command, sizeof command, "pki %s", action->name);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (strncmp(own[i], action->name, strlen(action->name)) == 0)
            mine = own[i];
    }
    memcpy(rows, all, COMMON * sizeof rows[0]);
    for (size_t i = COMMON; i < sizeof all / sizeof all[0]; i++) {
        if (strstr(mine, all[i].name))
            rows[options.rows_n++] = all[i];
    }
    return options_read(&options, argv, &r->name, action->rest[0] != '\0', &r->names_n);
}

int command_pki(char **argv)
{
    const struct pki_action *action = find_action(argv[1]);
    struct pki_request r = {0};
    enum options_answer answer;

    if (!action)
        return refuse_usage("say what: quorate pki init, issue, renew, revoke or show");
    answer = read_options(&r, action, argv + 1);
    if (answer != OPTIONS_GO)
        return options_code(answer);
    if (action->rest[0] && action->rest[0] != '[' && r.names_n != 1)
        return refuse_usage("the name is missing; see quorate pki %s --help", action->name);
    if (r.name && !pki_name_is_valid(r.name))
        return refuse_usage("%s cannot be a name: 1 to 64 of a-z A-Z 0-9 . _ -", r.name);
    if (!r.dir)
        r.dir = "quorate-pki";
    umask(077);
    return action->run(&r);
}
