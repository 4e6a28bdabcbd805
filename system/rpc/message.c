/* SPDX-License-Identifier: Apache-2.0 */
/* See message.h. A copy is made over the bytes: the library has no other. */
#include "system/rpc/message.h"

#include "system/core/buffer.h"

#include <stdlib.h>

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
