/* SPDX-License-Identifier: Apache-2.0 */
/* Bech32 (BIP173) for "bc", witness version 0, 20 bytes: five bits a character, and a checksum that
 * is the remainder of a polynomial over GF(32). For public data. */
#include "key/bech32.h"

#include <stddef.h>
#include <string.h>

enum { PROGRAM_DIGITS = 32, DATA_DIGITS = 1 + PROGRAM_DIGITS, CHECK_DIGITS = 6, PREFIX = 3 };

static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/* The "bc" of the prefix as the checksum sees it: high bits, a zero, low bits. */
static const uint8_t prefix_digits[5] = {3, 3, 0, 2, 3};

static uint32_t push_digit(uint32_t check, uint8_t digit)
{
    static const uint32_t generator[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                          0x2a1462b3};
    uint32_t top = check >> 25;

    check = (check & 0x1ffffff) << 5 ^ digit;
    for (size_t i = 0; i < 5; i++)
        if (top >> i & 1)
            check ^= generator[i];
    return check;
}

static uint32_t checksum(const uint8_t digits[DATA_DIGITS])
{
    uint32_t check = 1;

    for (size_t i = 0; i < sizeof prefix_digits; i++)
        check = push_digit(check, prefix_digits[i]);
    for (size_t i = 0; i < DATA_DIGITS; i++)
        check = push_digit(check, digits[i]);
    for (size_t i = 0; i < CHECK_DIGITS; i++)
        check = push_digit(check, 0);
    return check ^ 1;
}

/* Bits 5i .. 5i+4 of the program, most significant first; 160 is a multiple of 5. */
static uint8_t program_digit(const uint8_t hash[20], size_t i)
{
    unsigned v = 0;

    for (size_t bit = 5 * i; bit < 5 * i + 5; bit++)
        v = v << 1 | ((unsigned)hash[bit / 8] >> (7 - bit % 8) & 1u);
    return (uint8_t)v;
}

void qrt_bech32_p2wpkh(char out[QRT_BECH32_MAX], const uint8_t hash[20])
{
    uint8_t digits[DATA_DIGITS] = {0};
    uint32_t check;
    char *p = out + PREFIX;

    for (size_t i = 0; i < PROGRAM_DIGITS; i++)
        digits[1 + i] = program_digit(hash, i);
    check = checksum(digits);
    memcpy(out, "bc1", PREFIX);
    for (size_t i = 0; i < DATA_DIGITS; i++)
        *p++ = alphabet[digits[i]];
    for (size_t i = 0; i < CHECK_DIGITS; i++)
        *p++ = alphabet[check >> 5 * (CHECK_DIGITS - 1 - i) & 31];
    *p = '\0';
}
