/* SPDX-License-Identifier: Apache-2.0 */
/* What the authority of `quorate up` says of a party, the certificate of proto/session.proto: made
 * with its identity key, and read again for identities.json. */
#include "up.h"

#include "file.h"
#include "hex.h"
#include "report.h"

#include "system/access/identity.h"
#include "system/core/ids.h"
#include "system/core/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CERTIFICATE_MAX = 4096 };

bool up_identity(const struct up_party *party, const uint8_t ca[KEY_FILE_PAIR],
                 struct trouble *trouble)
{
    struct identity identity = {0};
    uint8_t *pair = secret_new(KEY_FILE_PAIR), *certificate;
    char path[PATH_MAX];
    size_t len;
    bool ok;

    snprintf(path, sizeof path, "%s/identity.key", party->dir);
    ok = up_pair(pair, path, trouble);
    memcpy(identity.key, pair + KEY_FILE_SEED, sizeof identity.key);
    secret_free(pair);
    snprintf(path, sizeof path, "%s/party.cert", party->dir);
    if (!ok || file_exists(path))
        return ok;
    snprintf(identity.party_id, sizeof identity.party_id, "%s", party->party_id);
    snprintf(identity.role, sizeof identity.role, "%s", party->role);
    certificate = identity_issue(&len, &identity, ca);
    ok = file_write_new(path, certificate, len, trouble);
    free(certificate);
    return ok;
}

/* The certificate in the file |path|. */
static bool read_certificate(struct identity *out, const char *path, const uint8_t ca[32],
                             struct trouble *trouble)
{
    Mpc__Session__V1__PartyCertificate *certificate;
    struct file file;
    bool ok;

    if (!file_read(&file, path, CERTIFICATE_MAX, trouble))
        return false;
    certificate = mpc__session__v1__party_certificate__unpack(NULL, file.len, file.b);
    file_free(&file);
    ok = identity_verify(out, certificate, ca);
    if (certificate)
        mpc__session__v1__party_certificate__free_unpacked(certificate, NULL);
    return ok ||
           trouble_set(trouble, "%s is damaged: it is no certificate of the authority in CA_KEY",
                       path);
}

/* What the certificate that |env|, the file |name|, speaks of says. */
static bool add_identity(json_t *identities, const struct config_file *env, const char *name,
                         struct trouble *trouble)
{
    const char *path = config_file_value(env, "CERTIFICATE_FILE");
    const char *ca_text = config_file_value(env, "CA_KEY");
    struct identity identity;
    uint8_t ca[32];

    if (!path || !ca_text || !hex_decode(ca, sizeof ca, ca_text))
        return trouble_set(trouble, "%s must set CERTIFICATE_FILE, and CA_KEY of 64 hex digits",
                           name);
    if (!read_certificate(&identity, path, ca, trouble))
        return false;
    report_add(identities, identity.party_id, hex_json(identity.key, sizeof identity.key));
    return true;
}

static bool add_member(json_t *identities, const struct up_system *system,
                       const struct up_member *m, struct trouble *trouble)
{
    char path[PATH_MAX];
    struct config_file *env = up_env(path, system, m, trouble);
    bool ok = env && add_identity(identities, env, path, trouble);

    config_file_free(env);
    return ok;
}

static bool write_identities(const json_t *identities, const char *path, struct trouble *trouble)
{
    char *text = json_dumps(identities, JSON_INDENT(2) | JSON_SORT_KEYS);
    bool ok;

    if (!text)
        exit(refuse("out of memory"));
    ok = file_update(path, (const uint8_t *)text, strlen(text), trouble);
    free(text);
    return ok;
}

bool up_identities(const struct up_system *system, struct trouble *trouble)
{
    json_t *identities = json_object();
    char path[PATH_MAX];
    bool ok = true;

    for (size_t i = 0; ok && i < system->n; i++) {
        if (system->members[i].kind & (UP_PARTY | UP_PARTY_API))
            ok = add_member(identities, system, &system->members[i], trouble);
    }
    up_path(path, system, "identities.json", NULL);
    ok = ok && write_identities(identities, path, trouble);
    json_decref(identities);
    return ok;
}
