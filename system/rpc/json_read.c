/* SPDX-License-Identifier: Apache-2.0 */
/* JSON and text into messages. Nothing is guessed: what does not fit its field is refused by a
 * sentence that names the member. A message that is half read when a fault is found is freed whole;
 * every state in between is one that protobuf_c_message_free_unpacked understands. */
#include "system/core/buffer.h"
#include "system/core/utf8.h"
#include "system/rpc/json.h"
#include "system/rpc/json_field.h"

#include <float.h>
#include <math.h>
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A field of the message that is being filled, and what to call it. */
struct member {
    ProtobufCMessage *message;
    const ProtobufCFieldDescriptor *field;
    struct json_place place;
};

static bool read_object(ProtobufCMessage *message, const json_t *json, const struct json_place *up,
                        struct rpc_status *status);

struct range {
    int64_t min;
    uint64_t max;
};

static struct range range_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return (struct range){0, UINT32_MAX};
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return (struct range){0, UINT64_MAX};
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return (struct range){INT64_MIN, INT64_MAX};
    default:
        return (struct range){INT32_MIN, INT32_MAX};
    }
}

/* Digits above 2^63 - 1 as text: the only form JSON libraries agree on. */
static bool unsigned_of_text(uint64_t *out, const json_t *json)
{
    const char *text = json_string_value(json);
    uint64_t value = 0;

    if (text == NULL || text[0] == 0 || strlen(text) > 20)
        return false;
    for (; *text != 0; text++) {
        uint64_t digit = (uint64_t)(*text - '0');

        if (*text < '0' || *text > '9' || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

/* Two's complement of the number, if it is a whole one in the range. 3.0 is a whole number; beyond
 * 2^53 a real no longer says which. */
static bool integer_of(uint64_t *out, struct range range, const json_t *json)
{
    const double exact = 9007199254740992.0;
    int64_t value;

    if (json_is_real(json)) {
        double real = json_real_value(json);

        if (real != floor(real) || fabs(real) > exact)
            return false;
        value = (int64_t)real;
    } else if (json_is_integer(json)) {
        value = json_integer_value(json);
    } else {
        return range.max == UINT64_MAX && unsigned_of_text(out, json);
    }
    *out = (uint64_t)value;
    return value >= range.min && (value < 0 || (uint64_t)value <= range.max);
}

static bool read_integer(const struct member *m, void *slot, const json_t *json,
                         struct rpc_status *status)
{
    struct range range = range_of(m->field->type);
    uint64_t value = 0;

    if (!integer_of(&value, range, json))
        return json_refuse(status, &m->place, "must be a whole number from %lld to %llu%s",
                           (long long)range.min, (unsigned long long)range.max,
                           range.max == UINT64_MAX ? " (as text if above 2^63-1)" : "");
    if (json_field_size(m->field) == sizeof(uint32_t))
        *(uint32_t *)slot = (uint32_t)value;
    else
        *(uint64_t *)slot = value;
    return true;
}

static bool read_real(const struct member *m, void *slot, const json_t *json,
                      struct rpc_status *status)
{
    double value = json_number_value(json);
    bool is_float = m->field->type == PROTOBUF_C_TYPE_FLOAT;

    if (!json_is_number(json) || (is_float && fabs(value) > (double)FLT_MAX))
        return json_refuse(status, &m->place, "must be a number%s",
                           is_float ? " that fits 32 bits" : "");
    if (is_float)
        *(float *)slot = (float)value;
    else
        *(double *)slot = value;
    return true;
}

static bool read_bool(const struct member *m, void *slot, const json_t *json,
                      struct rpc_status *status)
{
    if (!json_is_boolean(json))
        return json_refuse(status, &m->place, "must be true or false");
    *(protobuf_c_boolean *)slot = json_is_true(json);
    return true;
}

static bool read_enum(const struct member *m, void *slot, const json_t *json,
                      struct rpc_status *status)
{
    const ProtobufCEnumDescriptor *descriptor = m->field->descriptor;
    const ProtobufCEnumValue *value = NULL;
    struct buffer names = {0};

    if (json_is_string(json))
        value = protobuf_c_enum_descriptor_get_value_by_name(descriptor, json_string_value(json));
    if (value != NULL) {
        *(int *)slot = value->value;
        return true;
    }
    for (unsigned i = 0; i < descriptor->n_values; i++)
        buffer_printf(&names, "%s%s", i > 0 ? ", " : "", descriptor->values[i].name);
    json_refuse(status, &m->place, "must be one of %s", (const char *)names.b);
    buffer_free(&names);
    return false;
}

static bool read_text(const struct member *m, void *slot, const json_t *json,
                      struct rpc_status *status)
{
    const char *text = json_string_value(json);
    size_t len = json_string_length(json);

    if (text == NULL)
        return json_refuse(status, &m->place, "must be text");
    if (memchr(text, 0, len) != NULL)
        return json_refuse(status, &m->place, "holds a zero byte");
    if (utf8_prefix(text, len) != len)
        return json_refuse(status, &m->place, "is not valid UTF-8");
    *(char **)slot = text_copy(text);
    return true;
}

static bool read_bytes(const struct member *m, void *slot, const json_t *json,
                       struct rpc_status *status)
{
    ProtobufCBinaryData *out = slot;
    const char *text = json_string_value(json);
    size_t text_len = json_string_length(json), len = 0;
    uint8_t *b;

    if (text == NULL)
        return json_refuse(status, &m->place, "must be base64 text");
    if (text_len == 0)
        return true;
    b = mem_new(text_len / 4 * 3 + 3, 1);
    if (sodium_base642bin(b, text_len / 4 * 3 + 3, text, text_len, NULL, &len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0) {
        free(b);
        return json_refuse(status, &m->place, "must be base64 text");
    }
    *out = (ProtobufCBinaryData){.len = len, .data = b};
    return true;
}

static bool read_message(const struct member *m, void *slot, const json_t *json,
                         struct rpc_status *status)
{
    const ProtobufCMessageDescriptor *descriptor = m->field->descriptor;
    ProtobufCMessage *inner;

    if (!json_is_object(json))
        return json_refuse(status, &m->place, "must be an object, {...}");
    inner = mem_new(1, descriptor->sizeof_message);
    protobuf_c_message_init(descriptor, inner);
    *(ProtobufCMessage **)slot = inner;
    return read_object(inner, json, &m->place, status);
}

static bool read_value(const struct member *m, void *slot, const json_t *json,
                       struct rpc_status *status)
{
    switch (m->field->type) {
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return read_real(m, slot, json, status);
    case PROTOBUF_C_TYPE_BOOL:
        return read_bool(m, slot, json, status);
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(m, slot, json, status);
    case PROTOBUF_C_TYPE_STRING:
        return read_text(m, slot, json, status);
    case PROTOBUF_C_TYPE_BYTES:
        return read_bytes(m, slot, json, status);
    case PROTOBUF_C_TYPE_MESSAGE:
        return read_message(m, slot, json, status);
    default:
        return read_integer(m, slot, json, status);
    }
}

static void *slot_of(const struct member *m)
{
    return (uint8_t *)m->message + m->field->offset;
}

static void *quantifier_of(const struct member *m)
{
    return (uint8_t *)m->message + m->field->quantifier_offset;
}

/* Room for |more| values behind those that are there; unused room is zero. */
static void grow(const struct member *m, size_t more)
{
    size_t size = json_field_size(m->field), n = *(size_t *)quantifier_of(m);
    void **list = slot_of(m);
    void *grown = mem_new(n + more, size);

    if (n > 0)
        memcpy(grown, *list, n * size);
    free(*list);
    *list = grown;
}

/* The next value of a list that has room. It counts before it is filled, so that a fault inside a
 * message frees what is there; refused text and bytes are NULL, which frees as nothing. */
static bool add_value(const struct member *m, const json_t *json, struct rpc_status *status)
{
    size_t *n = quantifier_of(m);
    uint8_t *slot = *(uint8_t **)slot_of(m) + *n * json_field_size(m->field);

    (*n)++;
    return read_value(m, slot, json, status);
}

static bool read_list(struct member *m, const json_t *json, struct rpc_status *status)
{
    size_t n = json_array_size(json);

    if (!json_is_array(json))
        return json_refuse(status, &m->place, "must be a list, [...]");
    if (n == 0)
        return true;
    grow(m, n);
    for (size_t i = 0; i < n; i++) {
        m->place.index = i;
        if (!add_value(m, json_array_get(json, i), status))
            return false;
    }
    return true;
}

/* One way only to write a whole number, so that a map's keys are different numbers as well. */
static bool is_whole(const char *text)
{
    const char *digits = text + (text[0] == '-');

    return digits[0] != 0 && digits[strspn(digits, "0123456789")] == 0 &&
           (digits[0] != '0' || strcmp(text, "0") == 0);
}

/* A value of text as the field has it in JSON. What does not look like one stays text, and reading
 * refuses it in its own words. */
static json_t *json_of_word(ProtobufCType type, const char *text)
{
    json_t *json = NULL;

    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_ENUM:
        break;
    case PROTOBUF_C_TYPE_BOOL:
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
            json = json_boolean(text[0] == 't');
        break;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        if ((text[0] >= '0' && text[0] <= '9') || text[0] == '-')
            json = json_loads(text, JSON_DECODE_ANY, NULL);
        break;
    default:
        if (is_whole(text))
            json = json_loads(text, JSON_DECODE_ANY, NULL);
    }
    if (json == NULL)
        json = json_stringn_nocheck(text, strlen(text));
    if (json == NULL)
        abort();
    return json;
}

static bool read_entry(const struct member *m, const char *key, const json_t *value,
                       struct rpc_status *status)
{
    const ProtobufCMessageDescriptor *descriptor = m->field->descriptor;
    ProtobufCMessage *entry = mem_new(1, descriptor->sizeof_message);
    struct member inner = {entry, &descriptor->fields[0], {&m->place, key, JSON_NO_INDEX}};
    json_t *word = json_of_word(inner.field->type, key);
    size_t *n = quantifier_of(m);
    bool is_good;

    protobuf_c_message_init(descriptor, entry);
    (*(ProtobufCMessage ***)slot_of(m))[(*n)++] = entry;
    is_good = read_value(&inner, slot_of(&inner), word, status);
    json_decref(word);
    inner.field = &descriptor->fields[1];
    return is_good && read_value(&inner, slot_of(&inner), value, status);
}

/* jansson's iterators are not const, but they do not write. */
static json_t *walked(const json_t *json)
{
    return (json_t *)(uintptr_t)json;
}

static bool read_map(const struct member *m, const json_t *json, struct rpc_status *status)
{
    json_t *object = walked(json);

    if (!json_is_object(json))
        return json_refuse(status, &m->place, "must be an object, {...}");
    if (json_object_size(json) > 0)
        grow(m, json_object_size(json));
    for (void *i = json_object_iter(object); i != NULL; i = json_object_iter_next(object, i))
        if (!read_entry(m, json_object_iter_key(i), json_object_iter_value(i), status))
            return false;
    return true;
}

/* Names of a oneof's members exclude each other. */
static bool take_oneof(const struct member *m, struct rpc_status *status)
{
    uint32_t *chosen = quantifier_of(m);
    const ProtobufCFieldDescriptor *other;

    if (*chosen != 0 && *chosen != m->field->id) {
        other = protobuf_c_message_descriptor_get_field(m->message->descriptor, *chosen);
        return json_refuse(status, &m->place, "and %s exclude each other", other->name);
    }
    *chosen = m->field->id;
    return true;
}

static bool read_single(const struct member *m, const json_t *json, struct rpc_status *status)
{
    if (json_field_is_oneof(m->field) && !take_oneof(m, status))
        return false;
    return read_value(m, slot_of(m), json, status);
}

static bool read_member(struct member *m, const json_t *json, struct rpc_status *status)
{
    if (json_is_null(json))
        return true;
    if (json_field_is_map(m->field))
        return read_map(m, json, status);
    if (m->field->label == PROTOBUF_C_LABEL_REPEATED)
        return read_list(m, json, status);
    return read_single(m, json, status);
}

enum { NAME_MAX_LEN = 48 };

/* Levenshtein's distance; names are short, longer ones count as far away. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_LEN + 1], a_len = strlen(a), b_len = strlen(b);

    if (a_len > NAME_MAX_LEN || b_len > NAME_MAX_LEN)
        return NAME_MAX_LEN;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t swap = corner + (a[i - 1] != b[j - 1]);

            corner = row[j];
            row[j] = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;
            row[j] = swap < row[j] ? swap : row[j];
        }
    }
    return row[b_len];
}

/* Always false. A near name is offered if less than a third of it is wrong. */
static bool refuse_unknown(const ProtobufCMessageDescriptor *descriptor,
                           const struct json_place *place, struct rpc_status *status)
{
    char text[JSON_PLACE_MAX];
    size_t best = NAME_MAX_LEN;
    const char *near = NULL;

    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const char *name = descriptor->fields[i].name;
        size_t far = distance(place->name, name);

        if (far < best && far * 3 < strlen(name)) {
            best = far;
            near = name;
        }
    }
    json_place_text(text, place);
    *status = near != NULL ? rpc_error(RPC_INVALID, "unknown_field",
                                       "unknown field \"%s\"; did you mean \"%s\"?", text, near)
                           : rpc_error(RPC_INVALID, "unknown_field", "unknown field \"%s\"", text);
    return false;
}

static bool find_member(struct member *m, ProtobufCMessage *message, const char *name,
                        struct rpc_status *status)
{
    m->message = message;
    m->place.name = name;
    m->place.index = JSON_NO_INDEX;
    m->field = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    return m->field != NULL || refuse_unknown(message->descriptor, &m->place, status);
}

static bool read_object(ProtobufCMessage *message, const json_t *json, const struct json_place *up,
                        struct rpc_status *status)
{
    struct member m = {.place = {.up = up}};
    json_t *object = walked(json);

    for (void *i = json_object_iter(object); i != NULL; i = json_object_iter_next(object, i)) {
        if (!find_member(&m, message, json_object_iter_key(i), status))
            return false;
        if (!read_member(&m, json_object_iter_value(i), status))
            return false;
    }
    return true;
}

ProtobufCMessage *message_of_json(const ProtobufCMessageDescriptor *descriptor, const json_t *json,
                                  struct rpc_status *status)
{
    ProtobufCMessage *message;

    if (json != NULL && !json_is_object(json)) {
        *status = rpc_error(RPC_INVALID, "invalid_json", "a JSON object is needed, {...}");
        return NULL;
    }
    message = mem_new(1, descriptor->sizeof_message);
    protobuf_c_message_init(descriptor, message);
    if (json == NULL || read_object(message, json, NULL, status))
        return message;
    protobuf_c_message_free_unpacked(message, NULL);
    return NULL;
}

/* A value that text is about to replace. */
static void drop_value(const struct member *m)
{
    void *slot = slot_of(m);

    if (json_field_is_oneof(m->field) && *(uint32_t *)quantifier_of(m) != m->field->id)
        return;
    if (m->field->type == PROTOBUF_C_TYPE_STRING) {
        char **text = slot;

        if (*text != m->field->default_value)
            free(*text);
        *text = (char *)(uintptr_t)m->field->default_value;
    } else if (m->field->type == PROTOBUF_C_TYPE_BYTES) {
        free(((ProtobufCBinaryData *)slot)->data);
        *(ProtobufCBinaryData *)slot = (ProtobufCBinaryData){0};
    }
}

bool message_set_text(ProtobufCMessage *message, const char *field, const char *text,
                      struct rpc_status *status)
{
    struct member m = {0};
    json_t *word;
    bool is_good;

    if (!find_member(&m, message, field, status))
        return false;
    if (m.field->type == PROTOBUF_C_TYPE_MESSAGE)
        return json_refuse(status, &m.place, "cannot be given in a path or query");
    word = json_of_word(m.field->type, text);
    if (m.field->label == PROTOBUF_C_LABEL_REPEATED) {
        grow(&m, 1);
        is_good = add_value(&m, word, status);
    } else {
        drop_value(&m);
        is_good = read_single(&m, word, status);
    }
    json_decref(word);
    return is_good;
}
