/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal of public data. */
#include "hex.h"

#include "buffer.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool hex_decode(uint8_t *out, size_t cap, size_t *len, const char *text)
{
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        text += 2;
    return sodium_hex2bin(out, cap, text, strlen(text), NULL, len, NULL) == 0;
}

bool hex_decode_exact(uint8_t *out, size_t len, const char *text)
{
    size_t got = 0;

    return hex_decode(out, len, &got, text) && got == len;
}

void hex_describe(char out[HEX_DESCRIPTION_MAX], const char *text)
{
    size_t n;

    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        text += 2;
    n = strspn(text, "0123456789abcdefABCDEF");
    if (text[n])
        snprintf(out, HEX_DESCRIPTION_MAX, "text that is not hex");
    else if (n % 2)
        snprintf(out, HEX_DESCRIPTION_MAX, "%zu hex digits", n);
    else
        snprintf(out, HEX_DESCRIPTION_MAX, "%zu bytes", n / 2);
}

static json_t *to_json(const char *prefix, const uint8_t *b, size_t len)
{
    size_t at = strlen(prefix);
    char *text = need(at + 2 * len + 1);
    json_t *value;

    memcpy(text, prefix, at);
    sodium_bin2hex(text + at, 2 * len + 1, b, len);
    value = json_string(text);
    free(text);
    return value;
}

json_t *hex_json(const uint8_t *b, size_t len)
{
    return to_json("", b, len);
}

json_t *hex_json_0x(const uint8_t *b, size_t len)
{
    return to_json("0x", b, len);
}

bool hex_from_json(uint8_t *out, size_t len, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text && hex_decode_exact(out, len, text);
}
