/* SPDX-License-Identifier: Apache-2.0 */
/* See backup_party.h. */
#include "backup_party.h"

#include "file.h"

#include "system/access/identity.h"
#include "system/core/config_file.h"
#include "system/core/key_file.h"
#include "system/core/secret.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { CERTIFICATE_MAX = 65536 };

_Static_assert(sizeof((struct trouble *)0)->text >= KEY_FILE_ERROR_MAX &&
                   sizeof((struct trouble *)0)->text >= KEYS_ERROR_MAX &&
                   sizeof((struct trouble *)0)->text >= CONFIG_ERROR_MAX,
               "takes their sentences");

static bool check_identity(const struct backup_party *party, const uint8_t identity[32],
                           struct trouble *trouble)
{
    const char *path = config_text(party->config, "IDENTITY_KEY_FILE");
    uint8_t *pair;
    bool ok;

    if (party->into == RESTORE_EMPTY && !file_exists(path))
        return true;
    pair = secret_new(KEY_FILE_PAIR);
    ok = key_file_read_pair(pair, path, trouble->text) &&
         (memcmp(pair + KEY_FILE_SEED, identity, 32) == 0 ||
          trouble_set(trouble, "%s (IDENTITY_KEY_FILE) is another identity than the backups'",
                      path));
    secret_free(pair);
    return ok;
}

static bool check_certificate(const struct backup_party *party, const struct backup_head *whose,
                              struct trouble *trouble)
{
    const char *path = config_text(party->config, "CERTIFICATE_FILE");
    Mpc__Session__V1__PartyCertificate *certificate;
    struct identity who;
    struct file file;
    bool ok;

    if (!file_exists(path))
        return true;
    if (!file_read(&file, path, CERTIFICATE_MAX, trouble))
        return false;
    certificate = mpc__session__v1__party_certificate__unpack(NULL, file.len, file.b);
    ok = certificate &&
         identity_verify(&who, certificate, config_key(party->config, "CA_KEY", 32)) &&
         strcmp(who.party_id, whose->party_id) == 0 && memcmp(who.key, whose->identity, 32) == 0;
    if (certificate)
        mpc__session__v1__party_certificate__free_unpacked(certificate, NULL);
    file_free(&file);
    return ok || trouble_set(trouble,
                             "%s (CERTIFICATE_FILE) is not the certificate of party %s with the "
                             "identity of the backups",
                             path, whose->party_id);
}

/* Another program's settings: what a party needs is not all that is wrong with them. */
static bool refuse_stranger(const char *env_file, struct trouble *trouble)
{
    char error[CONFIG_ERROR_MAX];
    struct config_file *file = config_file_read(env_file, error);
    const char *name = "IDENTITY_KEY_FILE";

    if (file && !config_file_value(file, name) && !getenv(name))
        trouble_set(trouble, "%s is no party's settings: it does not set %s", env_file, name);
    config_file_free(file);
    return false;
}

bool backup_party_open(struct backup_party *party, const char *env_file,
                       const struct backup_head *whose, struct trouble *trouble)
{
    party->config = config_load(CONFIG_KEEPER, env_file, trouble->text);
    if (!party->config)
        return refuse_stranger(env_file, trouble);
    if (!check_identity(party, whose->identity, trouble) ||
        !check_certificate(party, whose, trouble))
        return false;
    party->restore =
        restore_open(party->config, "/proc/self/exe", whose->party_id, party->into, trouble->text);
    return party->restore != NULL;
}

void backup_party_close(struct backup_party *party)
{
    restore_close(party->restore);
    config_free(party->config);
    *party = (struct backup_party){0};
}

static bool write_identity(const char *path, const uint8_t identity[64], struct trouble *trouble)
{
    enum { TEXT = 2 * KEY_FILE_SEED + 2 };
    char *text = secret_new(TEXT);
    bool ok;

    sodium_bin2hex(text, TEXT, identity, KEY_FILE_SEED);
    strcat(text, "\n");
    ok = file_write_new(path, (const uint8_t *)text, strlen(text), trouble);
    secret_free(text);
    return ok;
}

bool backup_party_files(const struct backup_party *party, const uint8_t identity[64],
                        const struct buffer *certificate, struct trouble *trouble)
{
    const char *key_path = config_text(party->config, "IDENTITY_KEY_FILE");
    const char *certificate_path = config_text(party->config, "CERTIFICATE_FILE");

    if (!file_exists(key_path) && !write_identity(key_path, identity, trouble))
        return false;
    return certificate->len == 0 || file_exists(certificate_path) ||
           file_write_new(certificate_path, certificate->b, certificate->len, trouble);
}
