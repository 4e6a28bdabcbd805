/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in files: the seed of a signing key as 64 hex digits; a PIN. */
#ifndef SYSTEM_CORE_KEY_FILE_H
#define SYSTEM_CORE_KEY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEY_FILE_ERROR_MAX = 512, KEY_FILE_SEED = 32, KEY_FILE_PAIR = 64 };

/* The seed in the file at |path|: 64 hex digits of either case, white space may follow. The file
 * must be a regular one, no symbolic link, and its owner's alone. What was read is wiped; |seed|
 * should be the caller's guarded memory (system/core/secret.h). False: |seed| is all zero and
 * |error| one sentence that names the path. */
bool key_file_read(uint8_t seed[KEY_FILE_SEED], const char *path, char error[KEY_FILE_ERROR_MAX]);
/* The same; |pair| is the Ed25519 key pair of the seed as libsodium has it: the seed, then the
 * public key. */
bool key_file_read_pair(uint8_t pair[KEY_FILE_PAIR], const char *path,
                        char error[KEY_FILE_ERROR_MAX]);
/* A text, such as a PIN, without the white space after it: 1 to |cap| - 1 bytes and a zero byte in
 * |out|, guarded memory of |cap| bytes. The same of the file. */
bool key_file_read_text(char *out, size_t cap, size_t *len, const char *path,
                        char error[KEY_FILE_ERROR_MAX]);

#endif
