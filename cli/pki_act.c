/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate pki init", "issue" and "renew": checks what was asked for, does it, answers. */
#include "option.h"
#include "pki.h"
#include "pki_command.h"
#include "report.h"

#include "system/core/ids.h"
#include "system/core/secret.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { DAYS_MAX = 36500, CA_NAME_MAX = 64 };

static bool read_days(long *out, const char *text, long by_default)
{
    *out = by_default;
    if (!text || option_number(out, text, 1, DAYS_MAX))
        return true;
    say("--days must be a number from 1 to %d", DAYS_MAX);
    return false;
}

static int finish(json_t *report, const struct pki_request *r, const struct trouble *trouble)
{
    if (!report)
        return refuse("%s", trouble->text);
    return report_print(report, r->json) ? EXIT_DONE : EXIT_REFUSED;
}

/* A name of its own, so that two authorities that are trusted at a time are told apart. */
static void default_name(char out[CA_NAME_MAX])
{
    snprintf(out, CA_NAME_MAX, "Quorate authority %08x", (unsigned)randombytes_random());
}

static json_t *init_answer(const char *dir, bool is_sealed, struct trouble *trouble)
{
    char path[PKI_PATH_MAX];
    struct pki pki = {0};
    json_t *report = NULL;

    if (pki_open(&pki, dir, false, trouble)) {
        report = pki_authority_json(&pki, trouble);
        if (report) {
            pki_path(path, dir, "ca.crt", NULL);
            report_add(report, "ca", json_string(path));
            pki_path(path, dir, "crl.pem", NULL);
            report_add(report, "crl", json_string(path));
            report_add(report, "sealed", json_boolean(is_sealed));
        }
    }
    pki_close(&pki);
    return report;
}

int pki_command_init(const struct pki_request *r)
{
    char name[CA_NAME_MAX];
    struct pki_init init = {.dir = r->dir, .name = r->ca_name ? r->ca_name : name};
    struct trouble trouble;
    char *passphrase = NULL;
    json_t *report = NULL;

    if (!read_days(&init.days, r->days, PKI_CA_DAYS))
        return EXIT_USAGE;
    if (r->ca_name && strlen(r->ca_name) >= CA_NAME_MAX)
        return refuse_usage("--name is longer than %d bytes", CA_NAME_MAX - 1);
    default_name(name);
    if (r->seal || r->passphrase_file) {
        passphrase = pki_passphrase(r->passphrase_file, PKI_AUTHORITY, true, &trouble);
        if (!passphrase)
            return refuse("%s", trouble.text);
    }
    init.passphrase = passphrase;
    if (pki_init(&init, &trouble))
        report = init_answer(r->dir, passphrase != NULL, &trouble);
    secret_free(passphrase);
    return finish(report, r, &trouble);
}

static bool role_is_good(const struct pki_request *r)
{
    if (r->role && !r->party) {
        say("--role goes with --party");
        return false;
    }
    if (r->party && !party_id_is_valid(r->party)) {
        say("%s is no party id: 1 to 64 of a-z A-Z 0-9 . _ -", r->party);
        return false;
    }
    if (!r->role || strcmp(r->role, "persistent") == 0 || strcmp(r->role, "delegate") == 0 ||
        strcmp(r->role, "temporary") == 0)
        return true;
    say("--role must be persistent, delegate or temporary");
    return false;
}

/* Where the files are. */
static void out_of(char out[PKI_PATH_MAX], const struct pki_request *r)
{
    if (r->out)
        snprintf(out, PKI_PATH_MAX, "%s", r->out);
    else
        pki_path(out, r->dir, r->name, NULL);
}

int pki_command_issue(const struct pki_request *r)
{
    struct pki pki = {.passphrase_file = r->passphrase_file};
    char out[PKI_PATH_MAX];
    struct pki_issue issue = {.leaf = {r->name, r->party, r->hosts, 0}, .out = out};
    struct trouble trouble;
    json_t *report = NULL;

    if (!role_is_good(r) || !read_days(&issue.leaf.days, r->days, PKI_LEAF_DAYS))
        return EXIT_USAGE;
    if (r->party)
        issue.role = r->role ? r->role : "persistent";
    out_of(out, r);
    if (pki_open(&pki, r->dir, true, &trouble))
        report = pki_issue(&pki, &issue, &trouble);
    pki_close(&pki);
    return finish(report, r, &trouble);
}

int pki_command_renew(const struct pki_request *r)
{
    struct pki pki = {.passphrase_file = r->passphrase_file};
    char out[PKI_PATH_MAX];
    struct trouble trouble;
    json_t *report = NULL;
    long days;

    if (!read_days(&days, r->days, PKI_LEAF_DAYS))
        return EXIT_USAGE;
    out_of(out, r);
    if (pki_open(&pki, r->dir, true, &trouble))
        report = pki_renew(&pki, out, days, &trouble);
    pki_close(&pki);
    return finish(report, r, &trouble);
}
