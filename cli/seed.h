/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 keys as files hold them: a seed of 64 hex digits. What is signed begins with a prefix and
 * its zero byte, so that no signature serves as another. */
#ifndef QUORATE_CLI_SEED_H
#define QUORATE_CLI_SEED_H

#include "say.h"

#include <stddef.h>
#include <stdint.h>

enum { SEED_BYTES = 32 };

/* |seed| from secret_alloc. */
bool seed_read(uint8_t seed[SEED_BYTES], const char *path, struct trouble *trouble);
/* Made if the file is missing. */
bool seed_read_or_make(uint8_t seed[SEED_BYTES], const char *path, struct trouble *trouble);

void seed_public(uint8_t key[32], const uint8_t seed[SEED_BYTES]);
void seed_sign(uint8_t signature[64], const char *prefix, const uint8_t *body, size_t len,
               const uint8_t seed[SEED_BYTES]);

#endif
