/* SPDX-License-Identifier: Apache-2.0 */
/* The actions of "quorate pki": what was asked for, and who does it. */
#ifndef QUORATE_CLI_PKI_COMMAND_H
#define QUORATE_CLI_PKI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

struct pki_request {
    /* what is no option, NULL if there is none */
    const char *name;
    size_t names_n;
    const char *dir, *passphrase_file, *days, *out, *hosts, *party, *role, *serial, *ca_name;
    bool json, seal;
};

struct pki_action {
    const char *name, *rest;
    int (*run)(const struct pki_request *request);
    const char *help;
};

/* Each returns the exit code. */
int pki_command_init(const struct pki_request *request);
int pki_command_issue(const struct pki_request *request);
int pki_command_renew(const struct pki_request *request);
int pki_command_revoke(const struct pki_request *request);
int pki_command_show(const struct pki_request *request);

#endif
