/* SPDX-License-Identifier: Apache-2.0 */
/* Reading addresses: EIP-55, Bech32 of witness version 0 with 20 bytes (BIP173), Base58Check of a
 * version byte and 20 bytes. Public data. */
#include "address_text.h"

#include "hex.h"

#include "quorate/address.h"

#include <ctype.h>
#include <sodium.h>
#include <string.h>

/* A letter is upper case if its nibble of the hash of the lower-case digits is above 7. */
static bool eip55_is_right(const char *digits)
{
    uint8_t hash[32];
    char lower[41] = {0};

    for (size_t i = 0; i < 40; i++)
        lower[i] = (char)tolower((unsigned char)digits[i]);
    qrt_keccak256(hash, (const uint8_t *)lower, 40);
    for (size_t i = 0; i < 40; i++) {
        unsigned nibble = ((unsigned)hash[i / 2] >> (i % 2 ? 0 : 4)) & 15u;

        if (isalpha((unsigned char)digits[i]) &&
            (nibble > 7) != !!isupper((unsigned char)digits[i]))
            return false;
    }
    return true;
}

enum address_text address_text_ethereum(uint8_t out[20], const char *text)
{
    if (strncmp(text, "0x", 2) != 0 || strlen(text) != 42 || !hex_read_exact(out, 20, text))
        return ADDRESS_NONE;
    if (strpbrk(text + 2, "abcdef") && strpbrk(text + 2, "ABCDEF") && !eip55_is_right(text + 2))
        return ADDRESS_CHECKSUM;
    return ADDRESS_GOOD;
}

/* One step of BIP173's checksum, a polynomial over 32 elements. */
static uint32_t polymod(uint32_t checksum, uint32_t value)
{
    static const uint32_t generator[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                          0x2a1462b3};
    uint32_t top = checksum >> 25;

    checksum = (checksum & 0x1ffffff) << 5 ^ value;
    for (size_t i = 0; i < 5; i++)
        checksum ^= top >> i & 1 ? generator[i] : 0;
    return checksum;
}

/* "bc1", version 0, 32 digits of program, 6 of checksum. */
enum { P2WPKH_LEN = 42 };

static enum address_text check_bech32(const char *text)
{
    static const char digits[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    static const uint8_t prefix[] = {'b' >> 5, 'c' >> 5, 0, 'b' & 31, 'c' & 31};
    bool lower = false, upper = false;
    uint32_t checksum = 1;

    for (size_t i = 0; i < sizeof prefix; i++)
        checksum = polymod(checksum, prefix[i]);
    for (size_t i = 0; text[i]; i++) {
        const char *at = strchr(digits, tolower((unsigned char)text[i]));

        lower |= islower((unsigned char)text[i]) != 0;
        upper |= isupper((unsigned char)text[i]) != 0;
        if (i >= 3 && !at)
            return ADDRESS_NONE;
        if (i >= 3)
            checksum = polymod(checksum, (uint32_t)(at - digits));
    }
    if ((lower && upper) || strlen(text) != P2WPKH_LEN || tolower((unsigned char)text[3]) != 'q')
        return ADDRESS_NONE;
    return checksum == 1 ? ADDRESS_GOOD : ADDRESS_CHECKSUM;
}

/* Version, hash, four bytes of checksum. */
enum { BASE58_BYTES = 25 };

/* x = 58 x + digit; false if it does not fit. */
static bool append_digit(uint8_t x[BASE58_BYTES], unsigned digit)
{
    unsigned carry = digit;

    for (size_t i = BASE58_BYTES; i-- > 0;) {
        carry += 58u * x[i];
        x[i] = (uint8_t)carry;
        carry >>= 8;
    }
    return carry == 0;
}

/* Each zero byte in front is a digit 1, and no other digit 1 stands there. */
static bool decode_base58(uint8_t out[BASE58_BYTES], const char *text)
{
    static const char digits[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    size_t zeros = 0, ones = strspn(text, "1");

    memset(out, 0, BASE58_BYTES);
    for (; *text; text++) {
        const char *at = strchr(digits, *text);

        if (!at || !append_digit(out, (unsigned)(at - digits)))
            return false;
    }
    while (zeros < BASE58_BYTES && out[zeros] == 0)
        zeros++;
    return zeros == ones;
}

static enum address_text check_base58(const char *text)
{
    enum { BITCOIN = 0x00, TRON = 0x41 };
    uint8_t b[BASE58_BYTES], hash[32];

    if (!decode_base58(b, text) || (b[0] != BITCOIN && b[0] != TRON))
        return ADDRESS_NONE;
    crypto_hash_sha256(hash, b, BASE58_BYTES - 4);
    crypto_hash_sha256(hash, hash, sizeof hash);
    return memcmp(hash, b + BASE58_BYTES - 4, 4) == 0 ? ADDRESS_GOOD : ADDRESS_CHECKSUM;
}

enum address_text address_text_check(const char *text)
{
    uint8_t ignored[20];

    if (strncmp(text, "0x", 2) == 0)
        return address_text_ethereum(ignored, text);
    if (strncmp(text, "bc1", 3) == 0 || strncmp(text, "BC1", 3) == 0)
        return check_bech32(text);
    return check_base58(text);
}
