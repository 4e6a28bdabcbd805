/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as bytes. One that comes from outside is decoded here and nowhere else, for protobuf-c
 * takes any bytes as text and cuts a string at a zero byte: what then is stored is another text
 * than was sent, or one that a database refuses. */
#ifndef SYSTEM_RPC_MESSAGE_H
#define SYSTEM_RPC_MESSAGE_H

#include "system/rpc/status.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

/* An own copy of |message|, with all that it points to: the caller's, who frees it by
 * protobuf_c_message_free_unpacked (or the type's own). Never NULL. */
void *message_copy(const ProtobufCMessage *message);

/* The caller's, as above. NULL with RPC_INVALID in |status|: no such message, or a string in it, at
 * any depth, that is not UTF-8 or holds a zero byte, which the sentence names. Depth is bounded by
 * the descriptors. */
void *message_of_bytes(const ProtobufCMessageDescriptor *descriptor, const uint8_t *b, size_t len,
                       struct rpc_status *status);

#endif
