/* SPDX-License-Identifier: Apache-2.0 */
/* See backup.h. Fields are written and read by one list each, in the order of the layout; nothing
 * is believed before the signature was checked, which covers every byte before it. */
#include "system/vault/backup.h"

#include "system/core/fields.h"
#include "system/core/ids.h"
#include "system/core/secret.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
    MAGIC = 8,
    PARTY = 64,
    BOX = crypto_box_SEALBYTES + 32,
    TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    SIGNATURE = crypto_sign_BYTES,
    CHECK = 4,
    PUBLIC = 64 + CHECK
};
_Static_assert(MAGIC + 2 + PARTY + 32 + BACKUP_ID + 16 + 32 + 4 + 8 + BOX + 4 == BACKUP_HEAD,
               "backup.h");
_Static_assert(TAG == 16 && BACKUP_OVERHEAD == BACKUP_HEAD + TAG + SIGNATURE, "backup.h");

static const char file_magic[MAGIC] = "QBACKUP\1", receipt_magic[MAGIC] = "QRECEIP\1";
static const char text_prefix[] = "qbk1";
static const uint8_t no_nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

/* Every label ends with its zero byte, so none begins another. */
static void hash_begin(crypto_generichash_state *state, size_t len, const char *label)
{
    crypto_generichash_init(state, NULL, 0, len);
    crypto_generichash_update(state, (const uint8_t *)label, strlen(label) + 1);
}

static void hash(uint8_t *out, size_t out_len, const char *label, const uint8_t *b, size_t len)
{
    crypto_generichash_state state;

    hash_begin(&state, out_len, label);
    crypto_generichash_update(&state, b, len);
    crypto_generichash_final(&state, out, out_len);
}

/* What is signed: the purpose, and a hash of the bytes under the purpose. */
enum { SIGNED_LABEL = 24, SIGNED = SIGNED_LABEL + 64 };

static void signed_of(uint8_t out[SIGNED], const char *purpose, const uint8_t *b, size_t len)
{
    memset(out, 0, SIGNED_LABEL);
    memcpy(out, purpose, strlen(purpose));
    hash(out + SIGNED_LABEL, 64, purpose, b, len);
}

static void sign(uint8_t signature[SIGNATURE], const char *purpose, const uint8_t *b, size_t len,
                 const uint8_t secret[64])
{
    uint8_t message[SIGNED];

    signed_of(message, purpose, b, len);
    crypto_sign_detached(signature, NULL, message, sizeof message, secret);
}

static bool is_signed(const uint8_t signature[SIGNATURE], const char *purpose, const uint8_t *b,
                      size_t len, const uint8_t key[32])
{
    uint8_t message[SIGNED];

    signed_of(message, purpose, b, len);
    return crypto_sign_verify_detached(signature, message, sizeof message, key) == 0;
}

#define FILE_PURPOSE "quorate backup file"
#define RECEIPT_PURPOSE "quorate backup receipt"

/* Recipients */

static void name_recipient(struct backup_recipient *r)
{
    uint8_t both[64];

    memcpy(both, r->box, 32);
    memcpy(both + 32, r->sign, 32);
    hash(r->id, BACKUP_ID, "quorate backup recipient", both, sizeof both);
}

void backup_key_of(struct backup_key *out, const uint8_t seed[BACKUP_SEED])
{
    uint8_t *part = secret_new(32);

    hash(part, 32, "quorate backup box", seed, BACKUP_SEED);
    crypto_box_seed_keypair(out->recipient.box, out->box, part);
    hash(part, 32, "quorate backup sign", seed, BACKUP_SEED);
    crypto_sign_seed_keypair(out->recipient.sign, out->sign, part);
    secret_free(part);
    name_recipient(&out->recipient);
}

void backup_recipient_text(char out[BACKUP_TEXT], const struct backup_recipient *recipient)
{
    uint8_t b[PUBLIC], check[crypto_generichash_BYTES_MIN];

    memcpy(b, recipient->box, 32);
    memcpy(b + 32, recipient->sign, 32);
    hash(check, sizeof check, "quorate backup text", b, 64);
    memcpy(b + 64, check, CHECK);
    memcpy(out, text_prefix, sizeof text_prefix);
    sodium_bin2base64(out + sizeof text_prefix - 1, BACKUP_TEXT - (sizeof text_prefix - 1), b,
                      sizeof b, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool backup_recipient_parse(struct backup_recipient *out, const char *text)
{
    char again[BACKUP_TEXT];
    uint8_t b[PUBLIC], box[BOX];
    size_t len;

    if (strncmp(text, text_prefix, sizeof text_prefix - 1) != 0 ||
        sodium_base642bin(b, sizeof b, text + sizeof text_prefix - 1,
                          strlen(text) - (sizeof text_prefix - 1), NULL, &len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        len != sizeof b)
        return false;
    memcpy(out->box, b, 32);
    memcpy(out->sign, b + 32, 32);
    name_recipient(out);
    backup_recipient_text(again, out);
    /* nothing can be sealed to a point of small order */
    return strcmp(again, text) == 0 && crypto_box_seal(box, b, 32, out->box) == 0;
}

/* Files */

/* Up to the sealed key. */
static uint8_t *put_head(uint8_t *at, const struct backup_head *h)
{
    char party_id[PARTY] = "";

    memcpy(party_id, h->party_id, strlen(h->party_id));
    at = fields_put(at, file_magic, MAGIC);
    at = fields_put_number(at, h->kind, 1);
    at = fields_put_number(at, strlen(h->party_id), 1);
    at = fields_put(at, party_id, PARTY);
    at = fields_put(at, h->identity, 32);
    at = fields_put(at, h->recipient, BACKUP_ID);
    at = fields_put(at, h->account, 16);
    at = fields_put(at, h->kgid, 32);
    at = fields_put_number(at, h->epoch, 4);
    return fields_put_number(at, (uint64_t)h->time_ms, 8);
}

/* After magic and version; false if a field is out of range. */
static bool get_head(struct fields *f, struct backup_head *h)
{
    size_t party_len;

    h->kind = (enum backup_kind)fields_number(f, 1);
    party_len = (size_t)fields_number(f, 1);
    memset(h->party_id, 0, sizeof h->party_id);
    fields_copy(f, h->party_id, PARTY);
    fields_copy(f, h->identity, 32);
    fields_copy(f, h->recipient, BACKUP_ID);
    fields_copy(f, h->account, 16);
    fields_copy(f, h->kgid, 32);
    h->epoch = (uint32_t)fields_number(f, 4);
    h->time_ms = (int64_t)fields_number(f, 8);
    return (h->kind == BACKUP_SHARE || h->kind == BACKUP_STATE) &&
           party_len == strlen(h->party_id) && party_id_is_valid(h->party_id) && h->time_ms >= 0;
}

void backup_seal(uint8_t *out, const struct backup_making *making, const uint8_t *body, size_t len)
{
    uint8_t *at;
    struct backup_head head = *making->head;
    uint8_t *key = secret_new(crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

    crypto_aead_xchacha20poly1305_ietf_keygen(key);
    memcpy(head.recipient, making->recipient->id, BACKUP_ID);
    memcpy(head.identity, making->identity + 32, 32);
    at = put_head(out, &head);
    crypto_box_seal(at, key, 32, making->recipient->box);
    at = fields_put_number(at + BOX, len + TAG, 4);
    crypto_aead_xchacha20poly1305_ietf_encrypt(at, NULL, body, len, out, BACKUP_HEAD, NULL,
                                               no_nonce, key);
    secret_free(key);
    sign(at + len + TAG, FILE_PURPOSE, out, BACKUP_HEAD + len + TAG, making->identity);
}

static bool is_zero(const struct backup_head *h)
{
    return sodium_is_zero(h->account, sizeof h->account) &&
           sodium_is_zero(h->kgid, sizeof h->kgid) && h->epoch == 0;
}

enum backup_result backup_parse(struct backup_file *out, const uint8_t *b, size_t len)
{
    struct fields f = {b, len, false};
    size_t sealed;
    bool ok;

    *out = (struct backup_file){.b = b, .len = len};
    if (len < MAGIC || memcmp(b, file_magic, MAGIC - 1) != 0)
        return BACKUP_NOT;
    if (b[MAGIC - 1] != file_magic[MAGIC - 1])
        return BACKUP_VERSION;
    if (len <= BACKUP_OVERHEAD)
        return BACKUP_CUT;
    (void)fields_take(&f, MAGIC);
    ok = get_head(&f, &out->head);
    (void)fields_take(&f, BOX);
    sealed = (size_t)fields_number(&f, 4);
    if (sealed != len - BACKUP_HEAD - SIGNATURE || sealed - TAG > BACKUP_BODY_MAX)
        return BACKUP_CUT;
    if (!ok || (out->head.kind == BACKUP_STATE && !is_zero(&out->head)))
        return BACKUP_FIELD;
    out->body_len = sealed - TAG;
    if (!is_signed(b + len - SIGNATURE, FILE_PURPOSE, b, len - SIGNATURE, out->head.identity))
        return BACKUP_CHANGED;
    return BACKUP_OK;
}

enum backup_result backup_open(uint8_t *out, const struct backup_file *file,
                               const struct backup_key *key)
{
    const uint8_t *box = file->b + BACKUP_HEAD - 4 - BOX;
    uint8_t *file_key;
    bool ok;

    memset(out, 0, file->body_len);
    if (memcmp(file->head.recipient, key->recipient.id, BACKUP_ID) != 0)
        return BACKUP_OTHER_KEY;
    file_key = secret_new(crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
    ok = crypto_box_seal_open(file_key, box, BOX, key->recipient.box, key->box) == 0 &&
         crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, file->b + BACKUP_HEAD,
                                                    file->body_len + TAG, file->b, BACKUP_HEAD,
                                                    no_nonce, file_key) == 0;
    secret_free(file_key);
    if (!ok)
        sodium_memzero(out, file->body_len);
    return ok ? BACKUP_OK : BACKUP_CHANGED;
}

const char *backup_text(enum backup_result result)
{
    switch (result) {
    case BACKUP_OK:
        return "is a backup file";
    case BACKUP_NOT:
        return "is no backup file of a party";
    case BACKUP_VERSION:
        return "is a backup file of a version that this program does not know";
    case BACKUP_CUT:
        return "is truncated, or has bytes added: take another copy of it";
    case BACKUP_FIELD:
        return "is damaged, a field of its header is out of range: take another copy of it";
    case BACKUP_CHANGED:
        return "is damaged, not as the party signed and sealed it: take another copy of it";
    case BACKUP_OTHER_KEY:
        return "is sealed to another recipient than this key's: use that one's key";
    }
    return "cannot be read";
}

/* Receipts */

void backup_digest(uint8_t out[BACKUP_DIGEST], const uint8_t *b, size_t len)
{
    crypto_generichash(out, BACKUP_DIGEST, b, len, NULL, 0);
}

void backup_receipt_make(uint8_t out[BACKUP_RECEIPT], const struct backup_file *file,
                         const struct backup_key *key, int64_t time_ms)
{
    uint8_t digest[BACKUP_DIGEST], *at;

    backup_digest(digest, file->b, file->len);
    at = fields_put(out, receipt_magic, MAGIC);
    at = fields_put_number(at, file->head.kind, 1);
    at = fields_put(at, file->head.identity, 32);
    at = fields_put(at, key->recipient.id, BACKUP_ID);
    at = fields_put(at, file->head.kgid, 32);
    at = fields_put_number(at, file->head.epoch, 4);
    at = fields_put(at, digest, sizeof digest);
    at = fields_put_number(at, (uint64_t)time_ms, 8);
    sign(at, RECEIPT_PURPOSE, out, BACKUP_RECEIPT - SIGNATURE, key->sign);
}

bool backup_receipt_read(struct backup_receipt *out, const uint8_t *b, size_t len,
                         const struct backup_recipient *by)
{
    struct fields f = {b, len, false};
    uint8_t id[BACKUP_ID];

    *out = (struct backup_receipt){0};
    if (len != BACKUP_RECEIPT || memcmp(b, receipt_magic, MAGIC) != 0 ||
        !is_signed(b + len - SIGNATURE, RECEIPT_PURPOSE, b, len - SIGNATURE, by->sign))
        return false;
    (void)fields_take(&f, MAGIC);
    out->kind = (enum backup_kind)fields_number(&f, 1);
    fields_copy(&f, out->identity, 32);
    fields_copy(&f, id, sizeof id);
    fields_copy(&f, out->kgid, 32);
    out->epoch = (uint32_t)fields_number(&f, 4);
    fields_copy(&f, out->digest, 32);
    out->time_ms = (int64_t)fields_number(&f, 8);
    return memcmp(id, by->id, sizeof id) == 0;
}
