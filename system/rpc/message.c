/* SPDX-License-Identifier: Apache-2.0 */
/* See message.h. Strings are checked on the wire, before protobuf-c copies them: after that a zero
 * byte cannot be told from the end. Whatever the walk does not understand is refused, so that it
 * never sees less than protobuf-c. A copy is made over the bytes: the library has no other. */
#include "system/rpc/message.h"

#include "system/core/buffer.h"
#include "system/core/utf8.h"
#include "system/rpc/json_field.h"

#include <stdlib.h>
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_LENGTH = 2, WIRE_32 = 5, VARINT_MAX = 10 };

void *message_copy(const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *b = mem_new(len + 1, 1);
    ProtobufCMessage *copy;

    protobuf_c_message_pack(message, b);
    copy = protobuf_c_message_unpack(message->descriptor, NULL, len, b);
    free(b);
    if (!copy)
        abort(); /* no memory: what was packed here is in form */
    return copy;
}

struct wire {
    const uint8_t *b;
    size_t left;
};

static bool skip(struct wire *in, uint64_t n)
{
    if (n > in->left)
        return false;
    in->b += n;
    in->left -= (size_t)n;
    return true;
}

static bool take_varint(struct wire *in, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < VARINT_MAX && i < in->left; i++) {
        *out |= (uint64_t)(in->b[i] & 0x7f) << (7 * i);
        if (!(in->b[i] & 0x80))
            return skip(in, i + 1);
    }
    return false;
}

static bool skip_value(struct wire *in, unsigned type)
{
    uint64_t value;

    switch (type) {
    case WIRE_VARINT:
        return take_varint(in, &value);
    case WIRE_64:
        return skip(in, 8);
    case WIRE_32:
        return skip(in, 4);
    default:
        return false;
    }
}

static bool text_is_good(const struct wire *text, const struct json_place *place,
                         struct rpc_status *status)
{
    if (utf8_prefix((const char *)text->b, text->left) == text->left)
        return true;
    return json_refuse(status, place,
                       memchr(text->b, 0, text->left) ? "must not hold a zero byte"
                                                      : "is not valid UTF-8");
}

static bool walk(const ProtobufCMessageDescriptor *descriptor, struct wire in,
                 const struct json_place *up, struct rpc_status *status)
{
    while (in.left > 0) {
        const ProtobufCFieldDescriptor *field;
        uint64_t tag, len;
        struct wire value;

        if (!take_varint(&in, &tag) || tag >> 3 > UINT32_MAX)
            return false;
        if ((tag & 7) != WIRE_LENGTH) {
            if (!skip_value(&in, tag & 7))
                return false;
            continue;
        }
        if (!take_varint(&in, &len) || len > in.left)
            return false;
        value = (struct wire){in.b, (size_t)len};
        (void)skip(&in, len);
        field = protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(tag >> 3));
        if (field) {
            const struct json_place place = {up, field->name, JSON_NO_INDEX};

            if (field->type == PROTOBUF_C_TYPE_STRING && !text_is_good(&value, &place, status))
                return false;
            if (field->type == PROTOBUF_C_TYPE_MESSAGE &&
                !walk(field->descriptor, value, &place, status))
                return false;
        }
    }
    return true;
}

void *message_of_bytes(const ProtobufCMessageDescriptor *descriptor, const uint8_t *b, size_t len,
                       struct rpc_status *status)
{
    ProtobufCMessage *message = NULL;

    *status =
        rpc_error(RPC_INVALID, "bad_message", "the message is not a valid %s", descriptor->name);
    if (walk(descriptor, (struct wire){b, len}, NULL, status))
        message = protobuf_c_message_unpack(descriptor, NULL, len, b);
    return message;
}
