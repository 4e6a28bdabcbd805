/* SPDX-License-Identifier: Apache-2.0 */
/* For every message of proto/ and for every shape: reading what was written gives the same bytes
 * on the wire. Messages are filled at random along their descriptors. Also: any single value of a
 * document turned into another type is either refused or read, never a crash. */
#include "system/rpc/json.h"

#include "account.pb-c.h"
#include "coordinator.pb-c.h"
#include "health.pb-c.h"
#include "keeper.pb-c.h"
#include "party_api.pb-c.h"
#include "router.pb-c.h"
#include "shapes.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t seed = 88172645463325252U;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static json_t *fill(const ProtobufCMessageDescriptor *descriptor);

static json_t *fill_value(const ProtobufCFieldDescriptor *f)
{
    static const char *const texts[] = {"x", "\xe2\x82\xac uro", "a \"quoted\" \\ line\n", "0x00"};
    static const char *const blobs[] = {"AA==", "AAA=", "+/+/", "AAECAwQFBgcICQoLDA0ODw=="};
    uint64_t r = draw() >> (draw() % 60);

    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        return json_string(texts[r % 4]);
    case PROTOBUF_C_TYPE_BYTES:
        return json_string(blobs[r % 4]);
    case PROTOBUF_C_TYPE_MESSAGE:
        return fill(f->descriptor);
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(r & 1);
    case PROTOBUF_C_TYPE_ENUM: {
        const ProtobufCEnumDescriptor *e = f->descriptor;

        return json_string(e->values[r % e->n_values].name);
    }
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return json_real((double)(r % 4096) / 64);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_integer((json_int_t)(r & UINT32_MAX));
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return json_integer((json_int_t)(r & INT64_MAX));
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return json_integer((json_int_t)r);
    default:
        return json_integer((int32_t)(uint32_t)r);
    }
}

static bool is_map(const ProtobufCFieldDescriptor *f)
{
    const ProtobufCMessageDescriptor *d = f->descriptor;

    return f->type == PROTOBUF_C_TYPE_MESSAGE && f->label == PROTOBUF_C_LABEL_REPEATED &&
           strstr(d->short_name, "Entry") != NULL && strcmp(d->fields[0].name, "key") == 0;
}

static json_t *fill_map(const ProtobufCFieldDescriptor *f)
{
    const ProtobufCFieldDescriptor *entry =
        ((const ProtobufCMessageDescriptor *)f->descriptor)->fields;
    json_t *object = json_object();
    char key[24];

    for (uint64_t n = draw() % 3; n > 0; n--) {
        snprintf(key, sizeof key, "%u", (unsigned)n);
        json_object_set_new(object, entry->type == PROTOBUF_C_TYPE_BOOL ? "true" : key,
                            fill_value(&entry[1]));
    }
    return object;
}

static json_t *fill_list(const ProtobufCFieldDescriptor *f)
{
    json_t *list = json_array();

    for (uint64_t n = draw() % 4; n > 0; n--)
        json_array_append_new(list, fill_value(f));
    return list;
}

/* Each field with a chance of three in four; of a oneof only one. */
static json_t *fill(const ProtobufCMessageDescriptor *descriptor)
{
    json_t *object = json_object();
    uint64_t taken = 0;

    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &descriptor->fields[i];
        uint64_t bit = (uint64_t)1 << (f->quantifier_offset / 4 % 64);

        if (draw() % 4 == 0 || ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) && (taken & bit)))
            continue;
        if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
            taken |= bit;
        json_object_set_new(object, f->name,
                            is_map(f)                               ? fill_map(f)
                            : f->label == PROTOBUF_C_LABEL_REPEATED ? fill_list(f)
                                                                    : fill_value(f));
    }
    return object;
}

static uint8_t *pack(const ProtobufCMessage *message, size_t *len)
{
    uint8_t *b = malloc(*len = protobuf_c_message_get_packed_size(message));

    assert_int_equal(protobuf_c_message_pack(message, b), *len);
    return b;
}

static ProtobufCMessage *must_read(const ProtobufCMessageDescriptor *descriptor, json_t *json)
{
    struct rpc_status status = {0};
    ProtobufCMessage *message = message_of_json(descriptor, json, &status);

    if (message == NULL)
        fail_msg("%s: %s", descriptor->name, status.text);
    return message;
}

/* JSON, message, wire, message, JSON text, message, wire: the wire is the same. */
static void trip(const ProtobufCMessageDescriptor *descriptor)
{
    json_t *json = fill(descriptor), *written;
    struct rpc_status status = {0};
    ProtobufCMessage *a = must_read(descriptor, json), *b, *c;
    size_t a_len, c_len;
    uint8_t *a_wire = pack(a, &a_len), *c_wire;
    char *text;

    b = protobuf_c_message_unpack(descriptor, NULL, a_len, a_wire);
    assert_non_null(b);
    written = json_of_message(b);
    text = json_dumps(written, JSON_COMPACT);
    json_decref(written);
    written = json_of_text(text, strlen(text), &status);
    assert_non_null(written);
    c = must_read(descriptor, written);
    c_wire = pack(c, &c_len);
    assert_int_equal(a_len, c_len);
    assert_memory_equal(a_wire, c_wire, a_len);
    protobuf_c_message_free_unpacked(a, NULL);
    protobuf_c_message_free_unpacked(b, NULL);
    protobuf_c_message_free_unpacked(c, NULL);
    free(a_wire);
    free(c_wire);
    free(text);
    json_decref(json);
    json_decref(written);
}

static const ProtobufCMessageDescriptor *const others[] = {
    &mpc__keeper__v1__to_keeper__descriptor,       &mpc__keeper__v1__from_keeper__descriptor,
    &mpc__session__v1__party_identity__descriptor, &mpc__session__v1__order_body__descriptor,
    &mpc__party_api__v1__user_share__descriptor,   &test__shapes__shapes__descriptor,
};
static const ProtobufCServiceDescriptor *const services[] = {
    &mpc__account__v1__account_service__descriptor,
    &mpc__coordinator__v1__session_coordinator__descriptor,
    &grpc__health__v1__health__descriptor,
    &mpc__party_api__v1__share_service__descriptor,
    &mpc__router__v1__message_router__descriptor,
};

static void for_all(void (*check)(const ProtobufCMessageDescriptor *), int times)
{
    for (int t = 0; t < times; t++) {
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
            check(others[i]);
        for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
            for (unsigned m = 0; m < services[i]->n_methods; m++) {
                check(services[i]->methods[m].input);
                check(services[i]->methods[m].output);
            }
    }
}

static void test_reading_undoes_writing(void **state)
{
    (void)state;
    for_all(trip, 40);
}

static json_t *odd_value(void)
{
    static const char *const odd[] = {
        "null",  "true",     "0",           "-1",
        "1.5",   "1e300",    "99999999999", "\"\"",
        "\"x\"", "\"AA==\"", "\"\\u20ac\"", "[]",
        "{}",    "[[]]",     "[null]",      "{\"a\":{\"a\":[]}}",
    };

    return json_loads(odd[draw() % (sizeof odd / sizeof odd[0])], JSON_DECODE_ANY, NULL);
}

/* Put an odd value somewhere below |json|. */
static void spoil(json_t *json)
{
    size_t n = json_is_object(json) ? json_object_size(json) : json_array_size(json);
    size_t at = n > 0 ? (size_t)draw() % n : 0;
    json_t *below;
    void *i;

    if (n == 0)
        return;
    if (json_is_array(json)) {
        below = json_array_get(json, at);
        if (json_is_object(below) && draw() % 2)
            spoil(below);
        else
            json_array_set_new(json, at, odd_value());
        return;
    }
    for (i = json_object_iter(json); at > 0; at--)
        i = json_object_iter_next(json, i);
    below = json_object_iter_value(i);
    if ((json_is_object(below) || json_is_array(below)) && draw() % 2)
        spoil(below);
    else
        json_object_iter_set_new(json, i, odd_value());
}

static void spoil_and_read(const ProtobufCMessageDescriptor *descriptor)
{
    json_t *json = fill(descriptor);
    struct rpc_status status = {0};
    ProtobufCMessage *message;

    spoil(json);
    message = message_of_json(descriptor, json, &status);
    if (message == NULL) {
        assert_int_equal(status.code, RPC_INVALID);
        assert_true(strlen(status.text) > 10);
    } else {
        protobuf_c_message_free_unpacked(message, NULL);
    }
    json_decref(json);
}

static void test_odd_values_anywhere_are_refused_or_read(void **state)
{
    (void)state;
    for_all(spoil_and_read, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading_undoes_writing),
        cmocka_unit_test(test_odd_values_anywhere_are_refused_or_read),
    };

    return cmocka_run_group_tests_name("json_trip", tests, NULL, NULL);
}
