/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as JSON (json_of_message) and text as JSON (json_of_text). Writing never fails: text
 * of a peer that is not UTF-8 is written up to the fault with a replacement character, a number
 * that JSON cannot hold as text. Reading messages is json_read.c. */
#include "system/rpc/json.h"

#include "system/core/buffer.h"
#include "system/core/utf8.h"
#include "system/rpc/json_field.h"

#include <math.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* jansson fails here only without memory. */
static json_t *made(json_t *json)
{
    if (json == NULL)
        abort();
    return json;
}

static json_t *of_text(const char *text)
{
    size_t len = text != NULL ? strlen(text) : 0;
    size_t good = text != NULL ? utf8_prefix(text, len) : 0;
    struct buffer fixed = {0};
    json_t *json;

    if (good == len)
        return made(json_stringn_nocheck(text != NULL ? text : "", len));
    for (size_t at = 0; at < len; at += good) {
        good = utf8_prefix(text + at, len - at);
        buffer_add(&fixed, text + at, good);
        if (at + good == len)
            break;
        buffer_text(&fixed, "\xef\xbf\xbd");
        good++;
    }
    json = made(json_stringn_nocheck((const char *)fixed.b, fixed.len));
    buffer_free(&fixed);
    return json;
}

static json_t *of_bytes(const ProtobufCBinaryData *bytes)
{
    size_t size = sodium_base64_encoded_len(bytes->len, sodium_base64_VARIANT_ORIGINAL);
    char *text = mem_new(size, 1);
    json_t *json;

    sodium_bin2base64(text, size, bytes->data, bytes->len, sodium_base64_VARIANT_ORIGINAL);
    json = made(json_stringn_nocheck(text, size - 1));
    free(text);
    return json;
}

static json_t *of_unsigned(uint64_t value)
{
    char text[24];

    if (value <= INT64_MAX)
        return made(json_integer((json_int_t)value));
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return made(json_string(text));
}

static json_t *of_real(double value)
{
    if (isnan(value))
        return made(json_string("NaN"));
    if (isinf(value))
        return made(json_string(value > 0 ? "Infinity" : "-Infinity"));
    return made(json_real(value));
}

static json_t *of_enum(const ProtobufCEnumDescriptor *descriptor, int value)
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(descriptor, value);

    return made(known != NULL ? json_string(known->name) : json_integer(value));
}

static json_t *of_value(const ProtobufCFieldDescriptor *field, const void *slot)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return made(json_integer(*(const int32_t *)slot));
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return made(json_integer(*(const int64_t *)slot));
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return made(json_integer(*(const uint32_t *)slot));
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return of_unsigned(*(const uint64_t *)slot);
    case PROTOBUF_C_TYPE_FLOAT:
        return of_real((double)*(const float *)slot);
    case PROTOBUF_C_TYPE_DOUBLE:
        return of_real(*(const double *)slot);
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)slot);
    case PROTOBUF_C_TYPE_ENUM:
        return of_enum(field->descriptor, *(const int *)slot);
    case PROTOBUF_C_TYPE_STRING:
        return of_text(*(char *const *)slot);
    case PROTOBUF_C_TYPE_BYTES:
        return of_bytes(slot);
    case PROTOBUF_C_TYPE_MESSAGE:
        return json_of_message(*(ProtobufCMessage *const *)slot);
    }
    return made(json_null());
}

/* Is there something to write in a field that stands alone? */
static bool is_present(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message)
{
    const uint8_t *base = (const uint8_t *)message;
    const void *slot = base + field->offset;

    if (json_field_is_oneof(field))
        return *(const uint32_t *)(const void *)(base + field->quantifier_offset) == field->id;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(ProtobufCMessage *const *)slot != NULL;
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(char *const *)slot;

        return text != NULL && text[0] != 0;
    }
    return field->type != PROTOBUF_C_TYPE_BYTES || ((const ProtobufCBinaryData *)slot)->len != 0;
}

static json_t *of_list(const ProtobufCFieldDescriptor *field, const uint8_t *values, size_t n)
{
    json_t *list = made(json_array());

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, of_value(field, values + i * json_field_size(field)));
    return list;
}

static void put_entry(json_t *object, const ProtobufCMessage *entry)
{
    const ProtobufCFieldDescriptor *fields = entry->descriptor->fields;
    const uint8_t *base = (const uint8_t *)entry;
    json_t *key = of_value(&fields[0], base + fields[0].offset);
    json_t *value = of_value(&fields[1], base + fields[1].offset);

    if (json_is_string(key)) {
        json_object_set_new_nocheck(object, json_string_value(key), value);
    } else {
        char *text = json_dumps(key, JSON_ENCODE_ANY);

        if (text == NULL)
            abort();
        json_object_set_new_nocheck(object, text, value);
        free(text);
    }
    json_decref(key);
}

static json_t *of_map(ProtobufCMessage *const *entries, size_t n)
{
    json_t *object = made(json_object());

    for (size_t i = 0; i < n; i++)
        put_entry(object, entries[i]);
    return object;
}

static json_t *of_repeated(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message)
{
    const uint8_t *base = (const uint8_t *)message;
    size_t n = *(const size_t *)(const void *)(base + field->quantifier_offset);
    void *const *values = (void *const *)(const void *)(base + field->offset);

    if (json_field_is_map(field))
        return of_map((ProtobufCMessage *const *)*values, n);
    return of_list(field, *values, n);
}

json_t *json_of_message(const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    json_t *object = made(json_object());

    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        json_t *value = NULL;

        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            value = of_repeated(field, message);
        else if (is_present(field, message))
            value = of_value(field, (const uint8_t *)message + field->offset);
        if (value != NULL)
            json_object_set_new_nocheck(object, field->name, value);
    }
    return object;
}

/* jansson's own words are kept: they name the place and, for a duplicate, the member. */
static void tell_fault(struct rpc_status *status, const json_error_t *error)
{
    char text[JSON_ERROR_TEXT_LENGTH + 1] = {0};

    memcpy(text, error->text, utf8_prefix(error->text, strnlen(error->text, 100)));
    for (char *c = text; *c != 0; c++)
        if ((unsigned char)*c < ' ')
            *c = '?';
    *status = rpc_error(RPC_INVALID, "invalid_json", "not valid JSON: %s (line %d, column %d)",
                        text, error->line, error->column);
}

json_t *json_of_text(const char *text, size_t len, struct rpc_status *status)
{
    const size_t flags = JSON_REJECT_DUPLICATES;
    json_error_t error;
    json_t *json = json_loadb(text, len, flags, &error);

    /* Whole numbers above 64 bits: as reals they get as far as the member that cannot take them. */
    if (json == NULL && json_error_code(&error) == json_error_numeric_overflow)
        json = json_loadb(text, len, flags | JSON_DECODE_INT_AS_REAL, &error);
    if (json == NULL) {
        tell_fault(status, &error);
        return NULL;
    }
    if (json_is_object(json))
        return json;
    json_decref(json);
    *status = rpc_error(RPC_INVALID, "invalid_json", "a JSON object is needed, {...}");
    return NULL;
}
