/* SPDX-License-Identifier: Apache-2.0 */
/* Counting, comparing with JSON, and one line for each failure. */
#include "hash/sha256.h"
#include "kat.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool kat_check(struct kat *k, bool ok, const char *what, ...)
{
    va_list args;

    if (ok) {
        k->passed++;
        return true;
    }
    k->failed++;
    printf("FAILED %s: ", k->entry);
    va_start(args, what);
    vprintf(what, args);
    va_end(args);
    printf("\n");
    return false;
}

void kat_bytes(struct kat *k, const json_t *want, const uint8_t *b, size_t len, const char *what)
{
    const char *hex = json_string_value(want);
    bool same = hex && strlen(hex) == 2 * len;

    for (size_t i = 0; same && i < len; i++) {
        char two[3];

        snprintf(two, sizeof two, "%02x", b[i]);
        same = strncmp(hex + 2 * i, two, 2) == 0;
    }
    kat_check(k, same, "%s is not the file's", what);
}

void kat_hashed(struct kat *k, const json_t *want, const uint8_t *b, size_t len, const char *what)
{
    uint8_t hash[32];

    qrt_sha256(k->ctx, hash, b, len);
    kat_bytes(k, want, hash, sizeof hash, what);
}

void kat_number(struct kat *k, const json_t *want, uint64_t got, const char *what)
{
    kat_check(k, json_is_integer(want) && (uint64_t)json_integer_value(want) == got,
              "%s is not the file's", what);
}

bool kat_unhex(uint8_t *out, size_t len, const json_t *v)
{
    const char *hex = json_string_value(v);
    size_t got = 0;

    memset(out, 0, len);
    return hex && sodium_hex2bin(out, len, hex, strlen(hex), NULL, &got, NULL) == 0 && got == len;
}

const json_t *kat_at(const json_t *object, unsigned index)
{
    char key[16];

    snprintf(key, sizeof key, "%u", index);
    return json_object_get(object, key);
}
