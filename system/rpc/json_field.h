/* SPDX-License-Identifier: Apache-2.0 */
/* What writing and reading JSON have in common: how protobuf-c lays out a field, and the place in
 * a document that a sentence names. Internal to json*.c and message.c. */
#ifndef SYSTEM_RPC_JSON_FIELD_H
#define SYSTEM_RPC_JSON_FIELD_H

#include "system/rpc/status.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

/* "participants[2].party_id": a chain from the innermost member outwards. |index| counts in lists,
 * otherwise JSON_NO_INDEX. */
#define JSON_NO_INDEX ((size_t)-1)
enum { JSON_PLACE_MAX = 160 };
struct json_place {
    const struct json_place *up;
    const char *name;
    size_t index;
};
/* Control characters become '?', long names are cut between characters. */
void json_place_text(char out[JSON_PLACE_MAX], const struct json_place *place);

/* A sentence that begins with the place's name. Always false. */
bool json_refuse(struct rpc_status *status, const struct json_place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Bytes of one value of the field in memory. */
size_t json_field_size(const ProtobufCFieldDescriptor *field);
/* The entry of a map: repeated messages `XEntry` of key and value. */
bool json_field_is_map(const ProtobufCFieldDescriptor *field);
bool json_field_is_oneof(const ProtobufCFieldDescriptor *field);

#endif
