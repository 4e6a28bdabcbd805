/* SPDX-License-Identifier: Apache-2.0 */
/* The recipient's key: a seed as 64 hex digits; or sealed by a passphrase, "qbs1" and in base64
 * salt(16), nonce(24), and the seed in a secretbox under Argon2id (64 MiB, 3 passes) of the
 * passphrase. The file must be its owner's alone. */
#include "backup.h"

#include "pki.h"
#include "report.h"

#include "system/core/key_file.h"
#include "system/core/secret.h"

#include <sodium.h>
#include <string.h>

enum { SALT = 16, NONCE = 24, BOX = BACKUP_SEED + 16, SEALED = SALT + NONCE + BOX, TEXT = 256 };
enum { PASSES = 3, MEMORY = 64 << 20 };

static const char prefix[] = "qbs1";

_Static_assert(sizeof((struct trouble *)0)->text >= KEY_FILE_ERROR_MAX, "takes its sentences");
_Static_assert(SALT == crypto_pwhash_SALTBYTES && NONCE == crypto_secretbox_NONCEBYTES &&
                   BOX == BACKUP_SEED + crypto_secretbox_MACBYTES,
               "libsodium's sizes");

/* Guarded, the caller's. */
static uint8_t *derive(const char *passphrase, const uint8_t salt[SALT], struct trouble *trouble)
{
    uint8_t *out = secret_new(crypto_secretbox_KEYBYTES);

    if (crypto_pwhash(out, crypto_secretbox_KEYBYTES, passphrase, strlen(passphrase), salt, PASSES,
                      MEMORY, crypto_pwhash_ALG_ARGON2ID13) == 0)
        return out;
    secret_free(out);
    trouble_set(trouble, "not enough memory for Argon2id (64 MiB)");
    return NULL;
}

/* |passphrase| NULL: plain. Text in guarded memory, the caller's; NULL with |trouble|. */
static char *text_of(const uint8_t seed[BACKUP_SEED], const char *passphrase,
                     struct trouble *trouble)
{
    char *text = secret_new(TEXT);
    uint8_t b[SEALED], *key;

    if (!passphrase) {
        sodium_bin2hex(text, TEXT, seed, BACKUP_SEED);
        strcat(text, "\n");
        return text;
    }
    randombytes_buf(b, SALT + NONCE);
    key = derive(passphrase, b, trouble);
    if (!key) {
        secret_free(text);
        return NULL;
    }
    crypto_secretbox_easy(b + SALT + NONCE, seed, BACKUP_SEED, b + SALT, key);
    secret_free(key);
    strcpy(text, prefix);
    sodium_bin2base64(text + strlen(prefix), TEXT - strlen(prefix), b, sizeof b,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    strcat(text, "\n");
    return text;
}

/* A sealed seed. */
static bool unseal(uint8_t seed[BACKUP_SEED], const char *text, const char *path,
                   const char *passphrase_file, struct trouble *trouble)
{
    uint8_t b[SEALED], *key = NULL;
    char *passphrase;
    size_t len;
    bool ok;

    if (sodium_base642bin(b, sizeof b, text, strlen(text), NULL, &len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        len != sizeof b)
        return trouble_set(trouble, "%s is damaged: it is no sealed key of quorate backup key",
                           path);
    passphrase = pki_passphrase(passphrase_file, "the backup key", false, trouble);
    if (!passphrase)
        return false;
    key = derive(passphrase, b, trouble);
    secret_free(passphrase);
    if (!key)
        return false;
    ok = crypto_secretbox_open_easy(seed, b + SALT + NONCE, BOX, b + SALT, key) == 0;
    secret_free(key);
    return ok || trouble_set(trouble, "the passphrase is not the one that %s is sealed by", path);
}

static bool read_seed(uint8_t seed[BACKUP_SEED], const char *path, const char *passphrase_file,
                      struct trouble *trouble)
{
    char *text = secret_new(TEXT);
    size_t len;
    bool ok = key_file_read_text(text, TEXT, &len, path, trouble->text);

    if (ok && strncmp(text, prefix, strlen(prefix)) == 0)
        ok = unseal(seed, text + strlen(prefix), path, passphrase_file, trouble);
    else if (ok)
        ok = (sodium_hex2bin(seed, BACKUP_SEED, text, len, NULL, &len, NULL) == 0 &&
              len == BACKUP_SEED) ||
             trouble_set(trouble, "%s is no key of quorate backup key", path);
    secret_free(text);
    return ok;
}

struct backup_key *backup_key_read(const char *path, const char *passphrase_file,
                                   struct trouble *trouble)
{
    uint8_t *seed = secret_new(BACKUP_SEED);
    struct backup_key *key = NULL;

    if (read_seed(seed, path, passphrase_file, trouble)) {
        key = secret_new(sizeof *key);
        backup_key_of(key, seed);
    }
    secret_free(seed);
    return key;
}

static int report_key(const char *path, const struct backup_recipient *recipient, bool as_json)
{
    json_t *report = json_object();
    char text[BACKUP_TEXT];

    backup_recipient_text(text, recipient);
    report_add(report, "key", json_string(path));
    report_add(report, "recipient", json_string(text));
    return report_print(report, as_json) ? EXIT_DONE : EXIT_REFUSED;
}

static bool write_new(const struct backup_request *r, const uint8_t seed[BACKUP_SEED],
                      struct trouble *trouble)
{
    char *passphrase = NULL, *text;
    bool ok;

    if (r->seal || r->passphrase_file) {
        passphrase = pki_passphrase(r->passphrase_file, "the backup key", true, trouble);
        if (!passphrase)
            return false;
    }
    text = text_of(seed, passphrase, trouble);
    ok = text && file_write_new(r->out, (const uint8_t *)text, strlen(text), trouble);
    secret_free(text);
    secret_free(passphrase);
    return ok;
}

static int make(const struct backup_request *r)
{
    uint8_t *seed = secret_new(BACKUP_SEED);
    struct backup_key *key = secret_new(sizeof *key);
    struct trouble trouble;
    int code;

    randombytes_buf(seed, BACKUP_SEED);
    backup_key_of(key, seed);
    code = write_new(r, seed, &trouble) ? report_key(r->out, &key->recipient, r->json)
                                        : refuse("%s", trouble.text);
    secret_free(seed);
    secret_free(key);
    return code;
}

int backup_command_key(const struct backup_request *r)
{
    struct backup_key *key;
    struct trouble trouble;
    int code;

    if (!r->out == !r->key)
        return refuse_usage("give one of --out, for a new key, and --key");
    if (r->out)
        return make(r);
    key = backup_key_read(r->key, r->passphrase_file, &trouble);
    if (!key)
        return refuse("%s", trouble.text);
    code = report_key(r->key, &key->recipient, r->json);
    secret_free(key);
    return code;
}
