/* SPDX-License-Identifier: Apache-2.0 */
/* Key files of `quorate up`, made if they are missing. What is there is read as the services read
 * it: a regular file, its owner's alone. The text of a new one is in guarded memory only. */
#include "up.h"

#include "file.h"

#include "system/core/secret.h"

#include <sodium.h>
#include <string.h>

_Static_assert(sizeof((struct trouble *)0)->text >= KEY_FILE_ERROR_MAX, "takes its sentences");

static bool make(const char *path, struct trouble *trouble)
{
    enum { TEXT = 2 * KEY_FILE_SEED + 2 };
    uint8_t *seed = secret_new(KEY_FILE_SEED);
    char *text = secret_new(TEXT);
    bool ok;

    randombytes_buf(seed, KEY_FILE_SEED);
    sodium_bin2hex(text, TEXT, seed, KEY_FILE_SEED);
    strcat(text, "\n");
    ok = file_write_new(path, (const uint8_t *)text, strlen(text), trouble);
    secret_free(text);
    secret_free(seed);
    return ok;
}

bool up_seed(uint8_t seed[KEY_FILE_SEED], const char *path, struct trouble *trouble)
{
    return (file_exists(path) || make(path, trouble)) && key_file_read(seed, path, trouble->text);
}

bool up_pair(uint8_t pair[KEY_FILE_PAIR], const char *path, struct trouble *trouble)
{
    return (file_exists(path) || make(path, trouble)) &&
           key_file_read_pair(pair, path, trouble->text);
}
