/* SPDX-License-Identifier: Apache-2.0 */
/* Fields in memory, places in sentences. */
#include "system/rpc/json_field.h"

#include "system/core/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Add to a text that never overflows and stays UTF-8. */
static void put(char out[JSON_PLACE_MAX], const char *text)
{
    size_t at = strlen(out), room = JSON_PLACE_MAX - 1 - at, len = strnlen(text, 64);

    len = utf8_prefix(text, len < room ? len : room);
    for (size_t i = 0; i < len; i++)
        out[at + i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
    out[at + len] = 0;
}

static void put_place(char out[JSON_PLACE_MAX], const struct json_place *place)
{
    char index[32];

    if (place->up != NULL) {
        put_place(out, place->up);
        put(out, ".");
    }
    put(out, place->name);
    if (place->index == JSON_NO_INDEX)
        return;
    snprintf(index, sizeof index, "[%zu]", place->index);
    put(out, index);
}

void json_place_text(char out[JSON_PLACE_MAX], const struct json_place *place)
{
    out[0] = 0;
    put_place(out, place);
}

bool json_refuse(struct rpc_status *status, const struct json_place *place, const char *format, ...)
{
    char name[JSON_PLACE_MAX], rest[RPC_TEXT_MAX];
    va_list list;

    va_start(list, format);
    vsnprintf(rest, sizeof rest, format, list);
    va_end(list);
    json_place_text(name, place);
    *status = rpc_error(RPC_INVALID, "invalid_field", "%s %s", name, rest);
    return false;
}

size_t json_field_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return sizeof(int64_t);
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(double);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return sizeof(int32_t);
    }
}

bool json_field_is_map(const ProtobufCFieldDescriptor *field)
{
    const ProtobufCMessageDescriptor *entry = field->descriptor;
    size_t len;

    if (field->label != PROTOBUF_C_LABEL_REPEATED || field->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    len = strlen(entry->name);
    return len > 5 && strcmp(entry->name + len - 5, "Entry") == 0 && entry->n_fields == 2 &&
           strcmp(entry->fields[0].name, "key") == 0 &&
           strcmp(entry->fields[1].name, "value") == 0 &&
           entry->fields[0].type != PROTOBUF_C_TYPE_MESSAGE;
}

bool json_field_is_oneof(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}
