/* SPDX-License-Identifier: Apache-2.0 */
/* What the authority of `quorate up` says of a party, the certificate of proto/session.proto: made
 * with its identity key, and read again for identities.json. */
#include "up.h"

#include "buffer.h"
#include "file.h"
#include "hex.h"
#include "report.h"
#include "secret.h"
#include "seed.h"

#include <session.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CERTIFICATE_MAX = 4096, IDENTITIES_MAX = 1 << 20 };
static const char prefix[] = "quorate/party-certificate/1";

static uint8_t *pack(const ProtobufCMessage *message, size_t *len)
{
    uint8_t *b = need(protobuf_c_message_get_packed_size(message) + 1);

    *len = protobuf_c_message_pack(message, b);
    return b;
}

static uint8_t *make_certificate(size_t *len, const struct up_party *party, uint8_t key[32],
                                 const uint8_t ca_seed[32])
{
    Mpc__Session__V1__PartyIdentity body = MPC__SESSION__V1__PARTY_IDENTITY__INIT;
    Mpc__Session__V1__PartyCertificate out = MPC__SESSION__V1__PARTY_CERTIFICATE__INIT;
    uint8_t signature[64], *packed;

    body.party_id = (char *)(uintptr_t)party->party_id;
    body.role = (char *)(uintptr_t)party->role;
    body.identity_key = (ProtobufCBinaryData){32, key};
    out.body.data = pack(&body.base, &out.body.len);
    seed_sign(signature, prefix, out.body.data, out.body.len, ca_seed);
    out.signature = (ProtobufCBinaryData){sizeof signature, signature};
    packed = pack(&out.base, len);
    free(out.body.data);
    return packed;
}

bool up_identity(const struct up_party *party, const uint8_t ca_seed[32], struct trouble *trouble)
{
    char path[PATH_MAX];
    uint8_t key[32], *seed = secret_alloc(SEED_BYTES);
    uint8_t *certificate;
    size_t len;
    bool ok;

    snprintf(path, sizeof path, "%s/identity.key", party->dir);
    ok = seed_read_or_make(seed, path, trouble);
    if (ok)
        seed_public(key, seed);
    secret_free(seed);
    snprintf(path, sizeof path, "%s/party.cert", party->dir);
    if (!ok || file_exists(path))
        return ok;
    certificate = make_certificate(&len, party, key, ca_seed);
    ok = file_write_new(path, certificate, len, trouble);
    free(certificate);
    return ok;
}

/* What the certificate in |path| says, into |identities|. That the authority signed it is for the
 * services to find: they end at start if not. */
static bool add_identity(json_t *identities, const char *path, struct trouble *trouble)
{
    Mpc__Session__V1__PartyCertificate *certificate;
    Mpc__Session__V1__PartyIdentity *body = NULL;
    struct file file;
    bool ok;

    if (!file_read(&file, path, CERTIFICATE_MAX, trouble))
        return false;
    certificate = mpc__session__v1__party_certificate__unpack(NULL, file.len, file.b);
    file_free(&file);
    if (certificate)
        body = mpc__session__v1__party_identity__unpack(NULL, certificate->body.len,
                                                        certificate->body.data);
    ok = body && body->party_id[0] && body->identity_key.len == 32;
    if (ok)
        report_add(identities, body->party_id, hex_json(body->identity_key.data, 32));
    if (body)
        mpc__session__v1__party_identity__free_unpacked(body, NULL);
    if (certificate)
        mpc__session__v1__party_certificate__free_unpacked(certificate, NULL);
    return ok || trouble_set(trouble, "%s is damaged: it is no certificate of a party", path);
}

static bool add_member(json_t *identities, const struct up_system *system,
                       const struct up_member *m, struct trouble *trouble)
{
    char env[PATH_MAX], path[PATH_MAX], *text = up_env_text(env, system, m, trouble);
    bool ok;

    if (!text)
        return false;
    ok = up_env_value(path, sizeof path, text, "CERTIFICATE_FILE");
    secret_free(text);
    if (!ok)
        return trouble_set(trouble, "%s must set CERTIFICATE_FILE", env);
    return add_identity(identities, path, trouble);
}

/* Nothing is written if it is there as it should be. */
static bool write_identities(const json_t *identities, const char *path, struct trouble *trouble)
{
    char *text = json_dumps(identities, JSON_INDENT(2) | JSON_SORT_KEYS);
    struct trouble unread;
    struct file file = {0};
    bool ok;

    if (!text)
        return trouble_set(trouble, "cannot write %s: a party's name is no UTF-8", path);
    ok = file_exists(path) && file_read(&file, path, IDENTITIES_MAX, &unread) &&
         file.len == strlen(text) && memcmp(file.b, text, file.len) == 0;
    file_free(&file);
    if (!ok)
        ok = file_replace(path, (const uint8_t *)text, strlen(text), trouble);
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
