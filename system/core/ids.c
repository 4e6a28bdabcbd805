/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers: 122 random bits each from libsodium, which cannot run dry. */
#include "system/core/ids.h"

#include <sodium.h>
#include <string.h>

void hex_encode(char *out, const uint8_t *b, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        *out++ = digits[b[i] >> 4];
        *out++ = digits[b[i] & 15];
    }
    *out = 0;
}

int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_decode(uint8_t *out, size_t len, const char *text)
{
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(text[0]);
        int low = high < 0 ? -1 : hex_digit(text[1]);

        if (low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    return *text == 0;
}

void id_text(char out[ID_TEXT_MAX], const uint8_t id[16])
{
    static const size_t part[] = {4, 2, 2, 2, 6};

    for (size_t i = 0; i < 5; i++) {
        hex_encode(out, id, part[i]);
        out += 2 * part[i];
        id += part[i];
        *out++ = '-';
    }
    out[-1] = 0;
}

void id_new(char out[ID_TEXT_MAX])
{
    uint8_t id[16];

    randombytes_buf(id, sizeof id);
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
    id_text(out, id);
}

bool id_parse(uint8_t out[16], const char *text)
{
    static const size_t dash[] = {8, 13, 18, 23};
    char digits[33];
    size_t n = 0;

    if (strnlen(text, ID_TEXT_MAX) != ID_TEXT_MAX - 1)
        return false;
    for (size_t i = 0; i < 4; i++) {
        if (text[dash[i]] != '-')
            return false;
    }
    for (size_t i = 0; i < ID_TEXT_MAX - 1; i++) {
        if (i != dash[0] && i != dash[1] && i != dash[2] && i != dash[3])
            digits[n++] = text[i];
    }
    digits[n] = 0;
    return hex_decode(out, 16, digits) && out[6] >> 4 == 4 && out[8] >> 6 == 2;
}

void trace_new(char out[TRACE_TEXT_MAX])
{
    uint8_t id[16];

    randombytes_buf(id, sizeof id);
    hex_encode(out, id, sizeof id);
}

bool party_id_is_valid(const char *text)
{
    size_t len = strnlen(text, 65);

    return len >= 1 && len <= 64 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}
