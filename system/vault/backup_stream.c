/* SPDX-License-Identifier: Apache-2.0 */
/* See backup_stream.h. */
#include "system/vault/backup_stream.h"

#include "system/core/be.h"
#include "system/core/buffer.h"
#include "system/core/disk.h"
#include "system/core/ids.h"
#include "system/core/secret.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ABYTES crypto_secretstream_xchacha20poly1305_ABYTES
#define KEYBYTES crypto_secretstream_xchacha20poly1305_KEYBYTES
#define HEADERBYTES crypto_secretstream_xchacha20poly1305_HEADERBYTES

enum {
    MAGIC = 8,
    BOX = crypto_box_SEALBYTES + KEYBYTES,
    SIGNER_AT = MAGIC + BACKUP_ID,
    TIME_AT = SIGNER_AT + crypto_sign_PUBLICKEYBYTES,
    BOX_AT = TIME_AT + 8,
    HEADER_AT = BOX_AT + BOX,
    HEAD = HEADER_AT + HEADERBYTES,
    LENGTH = 4,
    CHUNK = 64 * 1024
};

static const uint8_t magic[MAGIC] = "QSTREAM\2";
static const char signed_label[] = "quorate backup stream";

struct stream {
    crypto_secretstream_xchacha20poly1305_state state;
    uint8_t key[KEYBYTES];
    uint8_t plain[CHUNK];
};

/* The stream is in guarded memory; what is sealed need not be. */
struct pass {
    struct stream *stream;
    uint8_t head[HEAD];
    uint8_t sealed[LENGTH + CHUNK + ABYTES];
    /* of all bytes up to the signature */
    crypto_sign_state sum;
    int in, out;
    bool has_begun;
    char *error;
};

static bool fault(struct pass *pass, const char *what)
{
    snprintf(pass->error, BACKUP_STREAM_ERROR, "%s", what);
    return false;
}

/* Of the file, with what helps. */
static bool unfit(struct pass *pass, const char *what)
{
    snprintf(pass->error, BACKUP_STREAM_ERROR, "%s: take another copy of it, or another backup",
             what);
    return false;
}

static bool fault_of_system(struct pass *pass, const char *what)
{
    snprintf(pass->error, BACKUP_STREAM_ERROR, "%s: %s", what, strerror(errno));
    return false;
}

/* As many as there are, up to |len|; false: it cannot be read. */
static bool read_up_to(struct pass *pass, uint8_t *b, size_t len, size_t *got)
{
    return disk_read(pass->in, b, len, got) || fault_of_system(pass, "cannot be read");
}

/* All of them. What was read is signed. */
static bool read_signed(struct pass *pass, uint8_t *b, size_t len)
{
    size_t got;

    if (!read_up_to(pass, b, len, &got))
        return false;
    crypto_sign_update(&pass->sum, b, got);
    return got == len || unfit(pass, "is cut off");
}

static bool write_all(struct pass *pass, const uint8_t *b, size_t len)
{
    return disk_append(pass->out, b, len) || fault_of_system(pass, "cannot be written");
}

static bool write_signed(struct pass *pass, const uint8_t *b, size_t len)
{
    crypto_sign_update(&pass->sum, b, len);
    return write_all(pass, b, len);
}

/* The first chunk is bound to the head. */
static const uint8_t *bound_to(const struct pass *pass, size_t *len)
{
    *len = pass->has_begun ? 0 : HEAD;
    return pass->head;
}

/* Sealing */

static bool seal_head(struct pass *pass, const struct backup_sealing *sealing)
{
    struct stream *s = pass->stream;

    memcpy(pass->head, magic, MAGIC);
    memcpy(pass->head + MAGIC, sealing->recipient->id, BACKUP_ID);
    memcpy(pass->head + SIGNER_AT, sealing->signer + 32, crypto_sign_PUBLICKEYBYTES);
    be_put(pass->head + TIME_AT, 8, (uint64_t)sealing->time_ms);
    crypto_secretstream_xchacha20poly1305_keygen(s->key);
    if (crypto_box_seal(pass->head + BOX_AT, s->key, KEYBYTES, sealing->recipient->box) != 0)
        return fault(pass, "the recipient's key is no key");
    crypto_secretstream_xchacha20poly1305_init_push(&s->state, pass->head + HEADER_AT, s->key);
    return write_signed(pass, pass->head, HEAD);
}

static bool seal_chunk(struct pass *pass, size_t len)
{
    const uint8_t tag = len < CHUNK ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0;
    size_t bound_len;
    const uint8_t *bound = bound_to(pass, &bound_len);

    crypto_secretstream_xchacha20poly1305_push(&pass->stream->state, pass->sealed + LENGTH, NULL,
                                               pass->stream->plain, len, bound, bound_len, tag);
    be_put(pass->sealed, LENGTH, len + ABYTES);
    pass->has_begun = true;
    return write_signed(pass, pass->sealed, LENGTH + len + ABYTES);
}

/* A chunk that is not full is the last one; it may be empty. */
static bool seal_all(struct pass *pass, const struct backup_sealing *sealing)
{
    uint8_t signature[crypto_sign_BYTES];
    size_t len = CHUNK;

    if (!seal_head(pass, sealing))
        return false;
    while (len == CHUNK)
        if (!read_up_to(pass, pass->stream->plain, CHUNK, &len) || !seal_chunk(pass, len))
            return false;
    crypto_sign_final_create(&pass->sum, signature, NULL, sealing->signer);
    return write_all(pass, signature, sizeof signature);
}

/* Opening */

static bool check_signer(struct pass *pass, const uint8_t expected[crypto_sign_PUBLICKEYBYTES])
{
    char text[2 * crypto_sign_PUBLICKEYBYTES + 1];

    if (memcmp(pass->head + SIGNER_AT, expected, crypto_sign_PUBLICKEYBYTES) == 0)
        return true;
    hex_encode(text, pass->head + SIGNER_AT, crypto_sign_PUBLICKEYBYTES);
    snprintf(pass->error, BACKUP_STREAM_ERROR, "is signed by %s, which is another key", text);
    return false;
}

static bool read_head(struct pass *pass)
{
    size_t got;

    if (!read_up_to(pass, pass->head, HEAD, &got))
        return false;
    if (got < MAGIC || memcmp(pass->head, magic, MAGIC - 1) != 0)
        return unfit(pass, "is no sealed stream");
    if (pass->head[MAGIC - 1] != magic[MAGIC - 1])
        return fault(pass, "is of another version of this program");
    crypto_sign_update(&pass->sum, pass->head, HEAD);
    return got == HEAD || unfit(pass, "is cut off");
}

static bool open_head(struct pass *pass, struct backup_opening *opening)
{
    const struct backup_key *key = opening->key;
    struct stream *s = pass->stream;

    if (!read_head(pass))
        return false;
    if (memcmp(pass->head + MAGIC, key->recipient.id, BACKUP_ID) != 0)
        return fault(pass, "is sealed to another recipient: use that one's key");
    if (!check_signer(pass, opening->signer))
        return false;
    opening->time_ms = (int64_t)be_get(pass->head + TIME_AT, 8);
    if (crypto_box_seal_open(s->key, pass->head + BOX_AT, BOX, key->recipient.box, key->box) != 0 ||
        crypto_secretstream_xchacha20poly1305_init_pull(&s->state, pass->head + HEADER_AT,
                                                        s->key) != 0)
        return unfit(pass, "is damaged");
    return true;
}

/* The sealed bytes of the next chunk. */
static bool read_chunk(struct pass *pass, size_t *len)
{
    if (!read_signed(pass, pass->sealed, LENGTH))
        return false;
    *len = (size_t)be_get(pass->sealed, LENGTH);
    if (*len < ABYTES || *len > CHUNK + ABYTES)
        return unfit(pass, "is damaged");
    return read_signed(pass, pass->sealed, *len);
}

static bool open_chunk(struct pass *pass, bool *is_last)
{
    unsigned long long plain_len;
    size_t len, bound_len;
    const uint8_t *bound = bound_to(pass, &bound_len);
    uint8_t tag;

    if (!read_chunk(pass, &len))
        return false;
    if (crypto_secretstream_xchacha20poly1305_pull(&pass->stream->state, pass->stream->plain,
                                                   &plain_len, &tag, pass->sealed, len, bound,
                                                   bound_len) != 0)
        return unfit(pass, "is damaged");
    pass->has_begun = true;
    *is_last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    return write_all(pass, pass->stream->plain, (size_t)plain_len);
}

/* The signature, and the end. */
static bool open_end(struct pass *pass, const uint8_t signer[crypto_sign_PUBLICKEYBYTES])
{
    uint8_t end[crypto_sign_BYTES + 1];
    size_t got;

    if (!read_up_to(pass, end, sizeof end, &got))
        return false;
    if (got < crypto_sign_BYTES)
        return unfit(pass, "is cut off");
    if (got > crypto_sign_BYTES)
        return unfit(pass, "has something behind its end");
    return crypto_sign_final_verify(&pass->sum, end, signer) == 0 ||
           unfit(pass, "is damaged, not as it was signed");
}

static bool open_all(struct pass *pass, struct backup_opening *opening)
{
    bool is_last = false;

    if (!open_head(pass, opening))
        return false;
    while (!is_last)
        if (!open_chunk(pass, &is_last))
            return false;
    return open_end(pass, opening->signer);
}

/* Both */

static struct pass *pass_new(int in, int out, char error[BACKUP_STREAM_ERROR])
{
    struct pass *pass = mem_new(1, sizeof *pass);

    pass->stream = secret_new(sizeof *pass->stream);
    pass->in = in;
    pass->out = out;
    pass->error = error;
    crypto_sign_init(&pass->sum);
    crypto_sign_update(&pass->sum, (const uint8_t *)signed_label, sizeof signed_label);
    return pass;
}

static void pass_free(struct pass *pass)
{
    secret_free(pass->stream);
    free(pass);
}

bool backup_stream_seal(int in, int out, const struct backup_sealing *sealing,
                        char error[BACKUP_STREAM_ERROR])
{
    struct pass *pass = pass_new(in, out, error);
    bool ok = seal_all(pass, sealing);

    pass_free(pass);
    return ok;
}

bool backup_stream_open(int in, int out, struct backup_opening *opening,
                        char error[BACKUP_STREAM_ERROR])
{
    struct pass *pass = pass_new(in, out, error);
    bool ok = open_all(pass, opening);

    pass_free(pass);
    return ok;
}
