/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of `quorate up --tls`: an authority like any other of `quorate pki`, which renews
 * and revokes them. They are for this machine's own addresses. */
#include "file.h"
#include "pki.h"
#include "up.h"

#include <string.h>

static const char hosts[] = "localhost,127.0.0.1,::1";

static void authority_dir(char out[PATH_MAX], const struct up_system *system)
{
    up_path(out, system, "tls", NULL);
}

bool up_tls_authority(const struct up_system *system, const uint8_t ca[KEY_FILE_PAIR],
                      struct trouble *trouble)
{
    char dir[PATH_MAX];
    const struct pki_init init = {
        .dir = dir, .name = "quorate up", .days = PKI_CA_DAYS, .authority = ca};

    authority_dir(dir, system);
    return file_exists(dir) || pki_init(&init, trouble);
}

static bool issue(const struct up_system *system, const struct pki_issue *wanted,
                  struct trouble *trouble)
{
    char dir[PATH_MAX];
    struct pki pki = {0};
    json_t *report = NULL;
    bool ok;

    authority_dir(dir, system);
    if (pki_open(&pki, dir, true, trouble))
        report = pki_issue(&pki, wanted, trouble);
    pki_close(&pki);
    ok = report != NULL;
    json_decref(report);
    return ok;
}

bool up_tls_member(const struct up_system *system, const struct up_member *m, const char *party_id,
                   struct trouble *trouble)
{
    char path[PATH_MAX], out[PATH_MAX];
    const struct pki_issue wanted = {
        .leaf = {.name = m->name, .party = party_id, .hosts = hosts, .days = PKI_LEAF_DAYS},
        .out = out};

    up_path(out, system, m->name, NULL);
    up_path(path, system, m->name, "tls.crt");
    return file_exists(path) || issue(system, &wanted, trouble);
}
