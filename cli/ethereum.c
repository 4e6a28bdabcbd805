/* SPDX-License-Identifier: Apache-2.0 */
/* EIP-1559 transactions. One table of fields makes the parser, so that a field that is missing,
 * unknown or out of range is named in the refusal. */
#include "ethereum.h"

#include "address_text.h"
#include "hex.h"
#include "rlp.h"

#include "system/core/ids.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define HEX_DIGITS "0123456789abcdefABCDEF"

/* x = 10 x + digit; false if it does not fit in 256 bits. */
static bool append_digit(uint8_t x[32], unsigned digit)
{
    unsigned carry = digit;

    for (size_t i = 32; i-- > 0;) {
        carry += 10u * x[i];
        x[i] = (uint8_t)carry;
        carry >>= 8;
    }
    return carry == 0;
}

static bool number_from_decimal(uint8_t out[32], const char *text)
{
    memset(out, 0, 32);
    if (!*text)
        return false;
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text) || !append_digit(out, (unsigned)(*text - '0')))
            return false;
    }
    return true;
}

static bool number_from_hex(uint8_t out[32], const char *digits)
{
    size_t n = strlen(digits);
    char padded[65];

    if (n == 0 || n > 64)
        return false;
    memset(padded, '0', 64 - n);
    memcpy(padded + 64 - n, digits, n + 1);
    return hex_decode(out, 32, padded);
}

/* A JSON integer, "123" or "0x7b". */
static bool number_from_json(uint8_t out[32], const json_t *value)
{
    const char *text = json_string_value(value);

    if (json_is_integer(value)) {
        json_int_t x = json_integer_value(value);

        memset(out, 0, 32);
        for (size_t i = 32; i-- > 24; x >>= 8)
            out[i] = (uint8_t)x;
        return json_integer_value(value) >= 0;
    }
    if (!text)
        return false;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        return number_from_hex(out, text + 2);
    return number_from_decimal(out, text);
}

static bool fits(const uint8_t x[32], size_t bytes)
{
    for (size_t i = 0; i < 32 - bytes; i++) {
        if (x[i])
            return false;
    }
    return true;
}

/* The table of fields. |offset| is where its 32-byte number stands; |bytes| how many may be used.
 */
struct number_field {
    const char *name;
    size_t offset;
    size_t bytes;
};

static const struct number_field number_fields[] = {
    {"chainId", offsetof(struct eth_tx, chain_id), 8},
    {"nonce", offsetof(struct eth_tx, nonce), 8},
    {"value", offsetof(struct eth_tx, value), 32},
    {"maxFeePerGas", offsetof(struct eth_tx, max_fee), 32},
    {"maxPriorityFeePerGas", offsetof(struct eth_tx, max_priority_fee), 32},
    {"gasLimit", offsetof(struct eth_tx, gas_limit), 8},
};
#define NUMBER_FIELDS_N (sizeof number_fields / sizeof number_fields[0])

static const char *const other_fields[] = {"to", "data", "accessList", "type"};

static bool is_known(const char *key)
{
    for (size_t i = 0; i < NUMBER_FIELDS_N; i++) {
        if (strcmp(key, number_fields[i].name) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof other_fields / sizeof other_fields[0]; i++) {
        if (strcmp(key, other_fields[i]) == 0)
            return true;
    }
    return false;
}

static bool parse_number(struct eth_tx *out, const struct number_field *field, const char *name,
                         const json_t *json, struct trouble *trouble)
{
    uint8_t *number = (uint8_t *)out + field->offset;
    const json_t *value = json_object_get(json, field->name);

    if (!value)
        return trouble_set(trouble, "%s: the field \"%s\" is missing", name, field->name);
    if (!number_from_json(number, value))
        return trouble_set(trouble,
                           "%s: the field \"%s\" must be a whole number that is not negative, "
                           "decimal or with 0x, of at most 256 bits",
                           name, field->name);
    if (!fits(number, field->bytes))
        return trouble_set(trouble, "%s: the field \"%s\" does not fit in %zu bits", name,
                           field->name, 8 * field->bytes);
    return true;
}

static bool parse_to(struct eth_tx *out, const char *name, const json_t *json,
                     struct trouble *trouble)
{
    const json_t *value = json_object_get(json, "to");
    const char *text = json_string_value(value);

    if (!value)
        return trouble_set(trouble, "%s: the field \"to\" is missing", name);
    if (json_is_null(value))
        return trouble_set(trouble,
                           "%s: the field \"to\" is null: making a contract is not "
                           "supported",
                           name);
    switch (text ? address_text_ethereum(out->to, text) : ADDRESS_NONE) {
    case ADDRESS_GOOD:
        return true;
    case ADDRESS_CHECKSUM:
        return trouble_set(trouble, "%s: the checksum of the address in the field \"to\" is wrong",
                           name);
    case ADDRESS_NONE:
        break;
    }
    return trouble_set(trouble, "%s: the field \"to\" is not an address: 0x and 40 hex digits",
                       name);
}

#define DATA_MAX 32768

static bool parse_data(struct eth_tx *out, const char *name, const json_t *json,
                       struct trouble *trouble)
{
    const json_t *value = json_object_get(json, "data");
    const char *text = json_string_value(value);
    uint8_t *b;
    size_t len = 0;
    bool ok, odd;

    if (!value)
        return true;
    if (!text || strncmp(text, "0x", 2) != 0)
        return trouble_set(trouble, "%s: the field \"data\" is not a string of hex with 0x", name);
    b = mem_new(1, DATA_MAX);
    ok = hex_read(b, DATA_MAX, &len, text);
    odd = strlen(text) % 2 != 0 && strspn(text + 2, HEX_DIGITS) == strlen(text + 2);
    if (ok)
        buffer_add(&out->data, b, len);
    free(b);
    if (!ok && odd)
        return trouble_set(trouble, "%s: the field \"data\" has an odd number of hex digits", name);
    if (!ok)
        return trouble_set(trouble, "%s: the field \"data\" is not hex of at most %d bytes", name,
                           DATA_MAX);
    return true;
}

static bool parse_fixed(const char *name, const json_t *json, struct trouble *trouble)
{
    const json_t *list = json_object_get(json, "accessList");
    const json_t *type = json_object_get(json, "type");
    uint8_t number[32];

    if (list && !json_is_array(list))
        return trouble_set(trouble, "%s: the field \"accessList\" must be an empty list", name);
    if (list && json_array_size(list) != 0)
        return trouble_set(trouble, "%s: an \"accessList\" that is not empty is not supported",
                           name);
    if (type && (!number_from_json(number, type) || !fits(number, 1) || number[31] != 2))
        return trouble_set(trouble, "%s: the field \"type\" must be 2 (EIP-1559)", name);
    return true;
}

static bool check_meaning(const struct eth_tx *tx, const char *name, struct trouble *trouble)
{
    static const uint8_t zero[32],
        nonce_end[32] = {[24] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    if (memcmp(tx->chain_id, zero, 32) == 0)
        return trouble_set(trouble, "%s: the field \"chainId\" must not be 0", name);
    if (memcmp(tx->gas_limit, zero, 32) == 0)
        return trouble_set(trouble, "%s: the field \"gasLimit\" must not be 0", name);
    if (memcmp(tx->nonce, nonce_end, 32) == 0)
        return trouble_set(trouble,
                           "%s: the field \"nonce\" must be less than 18446744073709551615 "
                           "(EIP-2681)",
                           name);
    if (memcmp(tx->max_priority_fee, tx->max_fee, 32) > 0)
        return trouble_set(trouble,
                           "%s: the field \"maxPriorityFeePerGas\" is larger than "
                           "\"maxFeePerGas\"",
                           name);
    return true;
}

static bool parse(struct eth_tx *out, const char *name, const json_t *json, struct trouble *trouble)
{
    const char *key;
    json_t *value;

    *out = (struct eth_tx){0};
    if (!json_is_object(json))
        return trouble_set(trouble, "%s: not a JSON object", name);
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        if (!is_known(key))
            return trouble_set(trouble, "%s: unknown field \"%s\"", name, key);
    }
    for (size_t i = 0; i < NUMBER_FIELDS_N; i++) {
        if (!parse_number(out, &number_fields[i], name, json, trouble))
            return false;
    }
    return parse_to(out, name, json, trouble) && parse_fixed(name, json, trouble) &&
           check_meaning(out, name, trouble) && parse_data(out, name, json, trouble);
}

/* Jansson's own words are for those who call it; where they would mislead others stand here. */
static bool explain_json(const char *name, const json_error_t *error, struct trouble *trouble)
{
    switch (json_error_code(error)) {
    case json_error_numeric_overflow:
        if (strncmp(error->text, "too big integer", strlen("too big integer")) == 0)
            return trouble_set(trouble,
                               "%s: line %d: write integers above 9223372036854775807 as strings, "
                               "such as \"10000000000000000000\"",
                               name, error->line);
        return trouble_set(trouble, "%s: line %d has a number that is out of range", name,
                           error->line);
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return trouble_set(trouble, "%s: line %d has a zero character (\\u0000) in a string", name,
                           error->line);
    case json_error_invalid_utf8:
        return trouble_set(trouble, "%s: line %d is not UTF-8 text", name, error->line);
    case json_error_stack_overflow:
        return trouble_set(trouble, "%s: line %d: too many lists in each other", name, error->line);
    default:
        return trouble_set(trouble, "%s: not valid JSON: line %d: %s", name, error->line,
                           error->text);
    }
}

/* What a parser would only stumble over. */
static bool check_text(const char *name, const char *text, size_t len, struct trouble *trouble)
{
    if (len == 0)
        return trouble_set(trouble, "%s is empty", name);
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        return trouble_set(trouble, "%s starts with a byte order mark: save it as plain UTF-8",
                           name);
    if (memchr(text, '\0', len))
        return trouble_set(trouble, "%s has zero bytes: save it as plain UTF-8", name);
    return true;
}

bool eth_tx_read(struct eth_tx *out, const char *name, const char *text, size_t len,
                 struct trouble *trouble)
{
    json_error_t error;
    json_t *json;
    bool ok;

    *out = (struct eth_tx){0};
    if (!check_text(name, text, len, trouble))
        return false;
    json = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!json)
        return explain_json(name, &error, trouble);
    ok = parse(out, name, json, trouble);
    json_decref(json);
    return ok;
}

void eth_tx_free(struct eth_tx *tx)
{
    buffer_free(&tx->data);
}

static void put_fields(struct buffer *items, const struct eth_tx *tx)
{
    static const struct buffer nothing;

    rlp_put_number(items, tx->chain_id, 32);
    rlp_put_number(items, tx->nonce, 32);
    rlp_put_number(items, tx->max_priority_fee, 32);
    rlp_put_number(items, tx->max_fee, 32);
    rlp_put_number(items, tx->gas_limit, 32);
    rlp_put_bytes(items, tx->to, sizeof tx->to);
    rlp_put_number(items, tx->value, 32);
    rlp_put_bytes(items, tx->data.b, tx->data.len);
    rlp_put_list(items, &nothing); /* accessList */
}

static void put_transaction(struct buffer *out, const struct buffer *items)
{
    static const uint8_t type = 0x02;

    buffer_add(out, &type, 1);
    rlp_put_list(out, items);
}

void eth_tx_unsigned(struct buffer *out, const struct eth_tx *tx)
{
    struct buffer items = {0};

    put_fields(&items, tx);
    put_transaction(out, &items);
    buffer_free(&items);
}

void eth_tx_signed(struct buffer *out, const struct eth_tx *tx, const struct qrt_sig *sig)
{
    struct buffer items = {0};
    uint8_t parity = sig->recid & 1;

    put_fields(&items, tx);
    rlp_put_number(&items, &parity, 1);
    rlp_put_number(&items, sig->r, 32);
    rlp_put_number(&items, sig->s, 32);
    put_transaction(out, &items);
    buffer_free(&items);
}
