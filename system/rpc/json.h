/* SPDX-License-Identifier: Apache-2.0 */
/* JSON to protobuf and back, by protobuf-c's descriptors.
 *
 * Names are the fields' own (snake_case). Writing: empty strings, absent messages, empty bytes and
 * members of a oneof that is not set are left out; numbers, booleans and lists are always there.
 * bytes are base64, map<string, string> is an object, 64-bit integers are numbers. Reading accepts
 * null as absent; an unknown member, a wrong type, a number out of range, a duplicate member, text
 * that is not UTF-8 or holds a zero byte is refused by a sentence that names the member. Depth is
 * bounded by the descriptors. */
#ifndef SYSTEM_RPC_JSON_H
#define SYSTEM_RPC_JSON_H

#include "system/rpc/status.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

/* New reference; never NULL. */
json_t *json_of_message(const ProtobufCMessage *message);
/* A fresh message (protobuf_c_message_free_unpacked), or NULL with RPC_INVALID in |status|. */
ProtobufCMessage *message_of_json(const ProtobufCMessageDescriptor *descriptor, const json_t *json,
                                  struct rpc_status *status);
/* Set one field from text, as in a path or query. False with |status| as above. */
bool message_set_text(ProtobufCMessage *message, const char *field, const char *text,
                      struct rpc_status *status);

#endif
