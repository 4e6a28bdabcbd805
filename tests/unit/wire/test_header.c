/* SPDX-License-Identifier: Apache-2.0 */
/* The header, field by field and value by value, and the sizes of K.1 and K.2. */
#include "support.h"

#include "base/port.h"
#include "quorate/wire.h"

#include <string.h>

static const char golden[] = "444b4331"
                             "03"
                             "01"
                             "02"
                             "01"
                             "0102"
                             "fffe"
                             "0000c0c2"
                             "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
                             "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f";

static struct qrt_header example(void)
{
    struct qrt_header h = {.protocol = QRT_SIGN,
                           .profile = 1,
                           .round = 2,
                           .kind = QRT_KIND_PRIVATE,
                           .sender = 0x0102,
                           .receiver = 0xfffe,
                           .payload_len = 49346};

    for (size_t i = 0; i < 32; i++) {
        h.sid[i] = (uint8_t)(0x20 + i);
        h.echo[i] = (uint8_t)(0x40 + i);
    }
    return h;
}

static void test_the_header_has_the_layout_of_the_specification(void **state)
{
    struct qrt_header h = example();
    uint8_t b[QRT_HEADER_BYTES];

    (void)state;
    qrt_header_encode(b, &h);
    assert_true(test_is_hex(b, sizeof b, golden));
}

static void test_every_field_is_read_back(void **state)
{
    struct qrt_header h, want = example();
    uint8_t b[QRT_HEADER_BYTES + 1] = {0};

    (void)state;
    test_unhex(b, QRT_HEADER_BYTES, golden);
    assert_int_equal(qrt_header_decode(&h, b, sizeof b), QRT_OK);
    assert_int_equal(h.protocol, want.protocol);
    assert_int_equal(h.profile, want.profile);
    assert_int_equal(h.round, want.round);
    assert_int_equal(h.kind, want.kind);
    assert_int_equal(h.sender, want.sender);
    assert_int_equal(h.receiver, want.receiver);
    assert_int_equal(h.payload_len, want.payload_len);
    assert_memory_equal(h.sid, want.sid, 32);
    assert_memory_equal(h.echo, want.echo, 32);
}

static void test_every_cut_is_refused(void **state)
{
    struct qrt_header h;
    uint8_t b[QRT_HEADER_BYTES];

    (void)state;
    test_unhex(b, sizeof b, golden);
    for (size_t len = 0; len < sizeof b; len++)
        assert_int_equal(qrt_header_decode(&h, b, len), QRT_E_RECORD_FORMAT);
    assert_int_equal(qrt_header_decode(&h, b, sizeof b), QRT_OK);
}

static void set_byte(size_t at, bool (*allowed)(unsigned))
{
    struct qrt_header h;
    uint8_t b[QRT_HEADER_BYTES];

    test_unhex(b, sizeof b, golden);
    for (unsigned v = 0; v < 256; v++) {
        b[at] = (uint8_t)v;
        assert_int_equal(qrt_header_decode(&h, b, sizeof b),
                         allowed(v) ? QRT_OK : QRT_E_RECORD_FORMAT);
    }
}

static bool is_protocol(unsigned v)
{
    return v == 1 || v == 3 || v == 4 || v == 5;
}

static bool is_one(unsigned v)
{
    return v == 1;
}

static bool is_round(unsigned v)
{
    return v >= 1 && v <= 4;
}

static bool is_kind(unsigned v)
{
    return v <= 2;
}

static bool is_d(unsigned v)
{
    return v == 'D';
}

static bool is_ascii_one(unsigned v)
{
    return v == '1';
}

static void test_every_value_out_of_range_is_refused(void **state)
{
    (void)state;
    set_byte(0, is_d);
    set_byte(3, is_ascii_one);
    set_byte(4, is_protocol);
    set_byte(5, is_one);
    set_byte(6, is_round);
    set_byte(7, is_kind);
}

struct size {
    enum qrt_protocol protocol;
    uint8_t round, kind;
    size_t t, payload;
};

static void test_payload_sizes_are_those_of_k2(void **state)
{
    static const struct size sizes[] = {
        {QRT_KEYGEN, 1, 0, 2, 64},     {QRT_KEYGEN, 2, 0, 2, 195},   {QRT_KEYGEN, 2, 0, 3, 228},
        {QRT_KEYGEN, 2, 0, 64, 2241},  {QRT_KEYGEN, 2, 1, 2, 8448},  {QRT_KEYGEN, 3, 1, 2, 4289},
        {QRT_KEYGEN, 4, 0, 2, 32},     {QRT_SIGN, 1, 0, 2, 32},      {QRT_SIGN, 1, 1, 2, 2640},
        {QRT_SIGN, 2, 0, 2, 98},       {QRT_SIGN, 2, 1, 2, 49346},   {QRT_SIGN, 3, 0, 2, 64},
        {QRT_PRESIGN, 1, 0, 2, 32},    {QRT_PRESIGN, 1, 1, 2, 2640}, {QRT_PRESIGN, 2, 0, 2, 98},
        {QRT_PRESIGN, 2, 1, 2, 49346}, {QRT_ONLINE, 3, 0, 2, 64},
    };
    size_t found = 0;

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(sizes); i++)
        assert_int_equal(
            qrt_payload_size(sizes[i].protocol, sizes[i].round, sizes[i].kind, sizes[i].t),
            sizes[i].payload);
    for (unsigned p = 0; p < 256; p++)
        for (unsigned r = 0; r < 256; r++)
            for (uint8_t kind = 0; kind < 2; kind++)
                found += qrt_payload_size((enum qrt_protocol)p, (uint8_t)r, kind, 2) != 0;
    assert_int_equal(found, QRT_ARRAY_LEN(sizes) - 2); /* three of the rows are one message */
}

static void test_an_abort_is_five_bytes_in_every_round_and_nowhere_else(void **state)
{
    (void)state;
    for (unsigned p = 0; p < 256; p++)
        for (unsigned r = 0; r < 256; r++) {
            bool exists = is_protocol(p) && is_round(r);
            enum qrt_protocol protocol = (enum qrt_protocol)p;

            assert_int_equal(qrt_payload_size(protocol, (uint8_t)r, 2, 2), exists ? 5 : 0);
            assert_int_equal(qrt_wire_size(protocol, (uint8_t)r, 2, 3, 2), exists ? 149 : 0);
        }
    assert_int_equal(qrt_payload_size(QRT_SIGN, 1, 3, 2), 0);
}

/* What one party sends: each broadcast once, each private message to n - 1 peers. */
static void add_up(enum qrt_protocol protocol, size_t n, size_t t, size_t *payload, size_t *wire)
{
    *payload = *wire = 0;
    for (uint8_t round = 1; round <= 4; round++)
        for (uint8_t kind = 0; kind < 2; kind++) {
            size_t copies = kind == QRT_KIND_PRIVATE ? n - 1 : 1;

            *payload += copies * qrt_payload_size(protocol, round, kind, t);
            *wire += copies * qrt_wire_size(protocol, round, kind, n, t);
        }
}

static void test_totals_are_those_of_k1_and_k2(void **state)
{
    static const struct {
        enum qrt_protocol protocol;
        size_t n, t, payload, wire;
    } totals[] = {
        {QRT_KEYGEN, 3, 2, 25765, 26613},  {QRT_KEYGEN, 5, 3, 51272, 52504},
        {QRT_SIGN, 2, 2, 52180, 52852},    {QRT_SIGN, 3, 3, 104166, 105046},
        {QRT_PRESIGN, 2, 2, 52116, 52644}, {QRT_PRESIGN, 3, 3, 104102, 104838},
        {QRT_ONLINE, 2, 2, 64, 208},       {QRT_ONLINE, 3, 3, 64, 208},
    };

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(totals); i++) {
        size_t payload, wire;

        add_up(totals[i].protocol, totals[i].n, totals[i].t, &payload, &wire);
        assert_int_equal(payload, totals[i].payload);
        assert_int_equal(wire, totals[i].wire);
    }
}

static void test_counts_out_of_range_have_no_size(void **state)
{
    (void)state;
    assert_int_equal(qrt_payload_size(QRT_KEYGEN, 2, 0, 1), 0);
    assert_int_equal(qrt_payload_size(QRT_KEYGEN, 2, 0, 65), 0);
    assert_int_equal(qrt_payload_size(QRT_KEYGEN, 2, 0, SIZE_MAX), 0);
    assert_int_equal(qrt_wire_size(QRT_KEYGEN, 1, 0, 2, 3), 0);
    assert_int_equal(qrt_wire_size(QRT_KEYGEN, 1, 0, 65, 2), 0);
    assert_int_equal(qrt_wire_size(QRT_KEYGEN, 1, 0, 1, 1), 0);
    assert_true(qrt_wire_size(QRT_KEYGEN, 1, 0, 64, 64) == 80 + 32 + 64 + 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_header_has_the_layout_of_the_specification),
        cmocka_unit_test(test_every_field_is_read_back),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_every_value_out_of_range_is_refused),
        cmocka_unit_test(test_payload_sizes_are_those_of_k2),
        cmocka_unit_test(test_an_abort_is_five_bytes_in_every_round_and_nowhere_else),
        cmocka_unit_test(test_totals_are_those_of_k1_and_k2),
        cmocka_unit_test(test_counts_out_of_range_have_no_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
