/* SPDX-License-Identifier: Apache-2.0 */
/* Share files (docs/share-file.md): a share record and the party's identity key, sealed with
 * AES-256-GCM under a key that Argon2id makes of a passphrase. The header is public and
 * authenticated: everything that "inspect" shows stands there. */
#ifndef QUORATE_CLI_SHARE_FILE_H
#define QUORATE_CLI_SHARE_FILE_H

#include "say.h"

#include "quorate/share.h"

#include <jansson.h>

#define SHARE_FILE_HEADER_BYTES 220
/* 64 parties, all of them dealers, and some room. */
#define SHARE_FILE_MAX (2u << 20)
#define IDENTITY_BYTES 64 /* Ed25519 secret key as libsodium has it: seed, public key */

/* What anybody may know. */
struct share_facts {
    bool pending;
    uint8_t suite, profile, flags;
    uint16_t n, t, own;
    uint32_t epoch;
    uint64_t created;
    uint8_t keyid[32], kgid[32];
    uint8_t identity[32]; /* Ed25519 public key */
    struct qrt_pubkey pk;
};

/* How the passphrase becomes a key. */
struct share_kdf {
    uint32_t passes, memory_kib;
    uint8_t salt[16];
};

/* Secret, in guarded memory. |check| is stored: it tells a wrong passphrase from a changed file. */
struct share_key {
    struct share_kdf kdf;
    uint8_t key[32];
    uint8_t check[16];
};

/* A file taken apart; pointers lead into its bytes. */
struct share_file {
    struct share_facts facts;
    struct share_kdf kdf;
    const uint8_t *header, *check, *nonce, *sealed;
    size_t sealed_len; /* with the tag */
};

/* What is sealed. Secret, in guarded memory. */
struct share_content {
    uint8_t *b; /* identity key, then the record */
    size_t len;
};

/* |name| is what sentences call the file. */
bool share_file_parse(struct share_file *out, const uint8_t *b, size_t len, const char *name,
                      struct trouble *trouble);

/* Fresh salt, today's cost (64 MiB, 3 passes). */
void share_kdf_new(struct share_kdf *out);
bool share_key_derive(struct share_key *out, const struct share_kdf *kdf, const char *passphrase,
                      size_t len, struct trouble *trouble);

/* |out| is public: a whole file, free it with file_free. */
struct file;
void share_file_seal(struct file *out, const struct share_facts *facts, const struct share_key *key,
                     const struct share_content *content);
bool share_file_open(struct share_content *out, const struct share_file *file,
                     const struct share_key *key, const char *name, struct trouble *trouble);
void share_content_free(struct share_content *content);

/* The facts of an opened record. */
void share_facts_of(struct share_facts *out, const struct qrt_share *share,
                    const uint8_t identity_pk[32]);
json_t *share_facts_json(const struct share_facts *facts);

#endif
