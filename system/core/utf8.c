/* SPDX-License-Identifier: Apache-2.0 */
/* See utf8.h. Most text is ASCII: that is looked at by words. */
#include "system/core/utf8.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the character at |b|, 0 if it is none: RFC 3629, shortest form, no surrogates. */
static size_t character_len(const uint8_t *b, size_t len)
{
    size_t n = b[0] < 0x80 ? 1 : b[0] < 0xc2 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;

    if (b[0] == 0 || n == 0 || n > len || b[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((b[i] & 0xc0) != 0x80)
            return 0;
    if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) ||
        (b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f))
        return 0;
    return n;
}

/* Bytes of whole words of eight at the beginning that are ASCII without a zero byte. */
static size_t ascii_words(const uint8_t *b, size_t len)
{
    const uint64_t low = UINT64_C(0x0101010101010101), high = low << 7;
    size_t at = 0;
    uint64_t word;

    for (; len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, b + at, sizeof word);
        if ((word | (word - low)) & high)
            break;
    }
    return at;
}

size_t utf8_prefix(const char *text, size_t len)
{
    const uint8_t *b = (const uint8_t *)text;
    size_t at = 0, n;

    do {
        at += ascii_words(b + at, len - at);
        n = at < len ? character_len(b + at, len - at) : 0;
        at += n;
    } while (n != 0);
    return at;
}

void utf8_mend(char *text)
{
    text[utf8_prefix(text, strlen(text))] = '\0';
}

/* The character of |n| bytes at |b|. */
static uint32_t character(const uint8_t *b, size_t n)
{
    uint32_t c = n == 1 ? b[0] : b[0] & (0x7fU >> n);

    for (size_t i = 1; i < n; i++)
        c = c << 6 | (b[i] & 0x3fU);
    return c;
}

static bool steers(uint32_t c)
{
    static const uint32_t ranges[][2] = {{0, 0x1f},        {0x7f, 0x9f},     {0x61c, 0x61c},
                                         {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}};

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    return false;
}

bool utf8_is_plain(const char *text)
{
    const uint8_t *b = (const uint8_t *)text;
    size_t len = strlen(text), n;

    for (size_t at = 0; at < len; at += n) {
        n = character_len(b + at, len - at);
        if (!n || steers(character(b + at, n)))
            return false;
    }
    return true;
}
