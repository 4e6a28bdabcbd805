/* SPDX-License-Identifier: Apache-2.0 */
/* The reader and the writer: every cut, trailing bytes, the sticky error, big-endian order. */
#include "support.h"

#include "base/bytes.h"
#include "panics.h"

#include <string.h>

/* u8 be16 be32 be64, 3 bytes, 2 expected. */
static const uint8_t record[20] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x10, 0x32,
                                   0x54, 0x76, 0x98, 0xba, 0xdc, 'a',  'b',  'c',  'o',  'k'};

struct fields {
    uint8_t a;
    uint16_t b;
    uint32_t c;
    uint64_t d;
    uint8_t text[3];
};

static bool read_fields(struct fields *f, struct qrt_rd *r)
{
    f->a = qrt_rd_u8(r);
    f->b = qrt_rd_be16(r);
    f->c = qrt_rd_be32(r);
    f->d = qrt_rd_be64(r);
    qrt_rd_copy(r, f->text, sizeof f->text);
    qrt_rd_expect(r, "ok", 2);
    return qrt_rd_end(r);
}

static void test_a_whole_record_is_read_in_big_endian_order(void **state)
{
    struct qrt_rd r = qrt_rd_init(record, sizeof record);
    struct fields f;

    (void)state;
    assert_true(read_fields(&f, &r));
    assert_int_equal(f.a, 0x01);
    assert_int_equal(f.b, 0x2345);
    assert_int_equal(f.c, 0x6789abcd);
    assert_true(f.d == 0xef1032547698badcu);
    assert_memory_equal(f.text, "abc", 3);
}

static void test_every_cut_is_an_error_and_the_missing_fields_are_zero(void **state)
{
    static const size_t end[] = {1, 3, 7, 15, 18}; /* of the fields */

    (void)state;
    for (size_t len = 0; len < sizeof record; len++) {
        struct qrt_rd r = qrt_rd_init(record, len);
        struct fields f;

        memset(&f, 0xee, sizeof f);
        assert_false(read_fields(&f, &r));
        assert_true(r.failed);
        assert_int_equal(f.a, len >= end[0] ? 0x01 : 0);
        assert_int_equal(f.b, len >= end[1] ? 0x2345 : 0);
        assert_int_equal(f.c, len >= end[2] ? 0x6789abcd : 0);
        assert_true(f.d == (len >= end[3] ? 0xef1032547698badcu : 0));
        assert_memory_equal(f.text, len >= end[4] ? "abc" : "\0\0\0", 3);
    }
}

static void test_trailing_bytes_are_an_error(void **state)
{
    uint8_t longer[sizeof record + 1] = {0};
    struct qrt_rd r = qrt_rd_init(longer, sizeof longer);
    struct fields f;

    (void)state;
    memcpy(longer, record, sizeof record);
    assert_false(read_fields(&f, &r));
    assert_false(r.failed);
    assert_int_equal(r.left, 1);
}

static void test_after_an_error_the_reader_gives_nothing_although_bytes_are_there(void **state)
{
    struct qrt_rd r = qrt_rd_init(record, sizeof record);

    (void)state;
    assert_null(qrt_rd_bytes(&r, sizeof record + 1));
    assert_int_equal(r.left, sizeof record);
    assert_int_equal(qrt_rd_u8(&r), 0);
    assert_null(qrt_rd_bytes(&r, 1));
    assert_false(qrt_rd_expect(&r, record, 1));
    assert_false(qrt_rd_end(&r));
}

static void test_unexpected_bytes_stick(void **state)
{
    struct qrt_rd r = qrt_rd_init(record, 2);

    (void)state;
    assert_false(qrt_rd_expect(&r, "\x01\x24", 2));
    assert_false(qrt_rd_end(&r));
    r = qrt_rd_init(record, 2);
    assert_true(qrt_rd_expect(&r, "\x01\x23", 2));
    assert_true(qrt_rd_end(&r));
}

static void test_nothing_can_be_read_from_nothing(void **state)
{
    struct qrt_rd r = qrt_rd_init(NULL, 0);
    uint8_t none[1] = {7};

    (void)state;
    qrt_rd_copy(&r, none, 0);
    assert_int_equal(none[0], 7);
    assert_true(qrt_rd_end(&r));
    qrt_rd_u8(&r);
    assert_false(qrt_rd_end(&r));
}

static void test_bytes_are_lent_in_place(void **state)
{
    struct qrt_rd r = qrt_rd_init(record, sizeof record);

    (void)state;
    assert_ptr_equal(qrt_rd_bytes(&r, 3), record);
    assert_ptr_equal(qrt_rd_bytes(&r, 0), record + 3);
    assert_ptr_equal(qrt_rd_bytes(&r, sizeof record - 3), record + 3);
    assert_true(qrt_rd_end(&r));
}

static void write_fields(struct qrt_wr *w)
{
    qrt_wr_u8(w, 0x01);
    qrt_wr_be16(w, 0x2345);
    qrt_wr_be32(w, 0x6789abcd);
    qrt_wr_be64(w, 0xef1032547698badcu);
    qrt_wr_bytes(w, "abc", 3);
    qrt_wr_zero(w, 2);
}

static void test_the_writer_writes_what_the_reader_reads(void **state)
{
    uint8_t b[sizeof record];
    struct qrt_wr w = qrt_wr_init(b, sizeof b);

    (void)state;
    memset(b, 0xee, sizeof b);
    write_fields(&w);
    qrt_wr_end(&w);
    assert_int_equal(w.len, sizeof record);
    assert_memory_equal(b, record, 18);
    assert_memory_equal(b + 18, "\0\0", 2);
}

static void test_every_buffer_too_small_fails_and_is_not_overrun(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < sizeof record; cap++) {
        uint8_t b[sizeof record + 1];
        struct qrt_wr w = qrt_wr_init(b, cap);

        memset(b, 0xee, sizeof b);
        write_fields(&w);
        assert_true(w.failed);
        assert_true(w.len <= cap);
        for (size_t i = w.len; i < sizeof b; i++)
            assert_int_equal(b[i], 0xee);
    }
}

static void test_after_an_error_the_writer_writes_nothing(void **state)
{
    uint8_t b[4] = {9, 9, 9, 9};
    struct qrt_wr w = qrt_wr_init(b, sizeof b);

    (void)state;
    assert_null(qrt_wr_space(&w, 5));
    assert_null(qrt_wr_space(&w, 1));
    qrt_wr_u8(&w, 1);
    assert_int_equal(w.len, 0);
    assert_memory_equal(b, "\x09\x09\x09\x09", 4);
}

static void test_space_is_lent_in_place(void **state)
{
    uint8_t b[4] = {0};
    struct qrt_wr w = qrt_wr_init(b, sizeof b);

    (void)state;
    assert_ptr_equal(qrt_wr_space(&w, 3), b);
    assert_ptr_equal(qrt_wr_space(&w, 1), b + 3);
    qrt_wr_end(&w);
}

static void end_with_room_left(void)
{
    uint8_t b[4];
    struct qrt_wr w = qrt_wr_init(b, sizeof b);

    qrt_wr_zero(&w, 3);
    qrt_wr_end(&w);
}

static void end_after_overflow(void)
{
    uint8_t b[4];
    struct qrt_wr w = qrt_wr_init(b, sizeof b);

    qrt_wr_zero(&w, 4);
    qrt_wr_zero(&w, 1);
    qrt_wr_end(&w);
}

static void test_a_buffer_not_exactly_full_at_the_end_is_a_bug(void **state)
{
    (void)state;
    assert_true(panics(end_with_room_left));
    assert_true(panics(end_after_overflow));
}

static void test_integers_survive_put_and_get_at_odd_addresses(void **state)
{
    uint8_t b[9];

    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t v = (uint64_t)1 << bit | 1;

        qrt_be64_put(b + 1, v);
        assert_true(qrt_be64_get(b + 1) == v);
        assert_int_equal(b[8 - bit / 8] >> bit % 8 & 1, 1);
        qrt_be32_put(b + 1, (uint32_t)v);
        assert_int_equal(qrt_be32_get(b + 1), (uint32_t)v);
        qrt_be16_put(b + 1, (uint16_t)v);
        assert_int_equal(qrt_be16_get(b + 1), (uint16_t)v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_record_is_read_in_big_endian_order),
        cmocka_unit_test(test_every_cut_is_an_error_and_the_missing_fields_are_zero),
        cmocka_unit_test(test_trailing_bytes_are_an_error),
        cmocka_unit_test(test_after_an_error_the_reader_gives_nothing_although_bytes_are_there),
        cmocka_unit_test(test_unexpected_bytes_stick),
        cmocka_unit_test(test_nothing_can_be_read_from_nothing),
        cmocka_unit_test(test_bytes_are_lent_in_place),
        cmocka_unit_test(test_the_writer_writes_what_the_reader_reads),
        cmocka_unit_test(test_every_buffer_too_small_fails_and_is_not_overrun),
        cmocka_unit_test(test_after_an_error_the_writer_writes_nothing),
        cmocka_unit_test(test_space_is_lent_in_place),
        cmocka_unit_test(test_a_buffer_not_exactly_full_at_the_end_is_a_bug),
        cmocka_unit_test(test_integers_survive_put_and_get_at_odd_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
