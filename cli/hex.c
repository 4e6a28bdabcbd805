/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal of public data. */
#include "hex.h"

#include "system/core/buffer.h"
#include "system/core/ids.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *digits_of(const char *text)
{
    return text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? text + 2 : text;
}

bool hex_read(uint8_t *out, size_t cap, size_t *len, const char *text)
{
    const char *digits = digits_of(text);

    *len = strlen(digits) / 2;
    return *len <= cap && hex_decode(out, *len, digits);
}

bool hex_read_exact(uint8_t *out, size_t len, const char *text)
{
    return hex_decode(out, len, digits_of(text));
}

void hex_describe(char out[HEX_DESCRIPTION_MAX], const char *text)
{
    const char *digits = digits_of(text);
    size_t n = strspn(digits, "0123456789abcdefABCDEF");

    if (digits[n])
        snprintf(out, HEX_DESCRIPTION_MAX, "text that is not hex");
    else if (n % 2)
        snprintf(out, HEX_DESCRIPTION_MAX, "%zu hex digits", n);
    else
        snprintf(out, HEX_DESCRIPTION_MAX, "%zu bytes", n / 2);
}

static json_t *to_json(const char *prefix, const uint8_t *b, size_t len)
{
    size_t at = strlen(prefix);
    char *text = mem_new(1, at + 2 * len + 1);
    json_t *value;

    memcpy(text, prefix, at);
    hex_encode(text + at, b, len);
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

    return text && hex_read_exact(out, len, text);
}
