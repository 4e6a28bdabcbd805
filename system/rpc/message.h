/* SPDX-License-Identifier: Apache-2.0 */
/* A message that was lent for a callback, kept for longer. */
#ifndef SYSTEM_RPC_MESSAGE_H
#define SYSTEM_RPC_MESSAGE_H

#include <protobuf-c/protobuf-c.h>

/* An own copy of |message|, with all that it points to: the caller's, who frees it by
 * protobuf_c_message_free_unpacked (or the type's own). Never NULL. */
void *message_copy(const ProtobufCMessage *message);

#endif
