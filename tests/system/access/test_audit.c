/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes of audit rows against those that docs/audit.md's Python makes, and heads as text. */
#include "system/access/audit.h"
#include "system/core/ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#define CHAIN "cccccccccccccccccccccccccccccccc"
#define LINKED "4a0d4865a7277e1d0e734118f01dbd54b10fd2dacdeddc9d4c0c269ec818518d"

static struct audit_row row(void)
{
    return (struct audit_row){
        .at_ms = 1700000000123,
        .chain = CHAIN,
        .text = {"alice", "127.0.0.1", "Sign", "obj", "sess", "done", "req", ""}};
}

static void test_a_row_has_the_hash_of_the_document(void **state)
{
    const uint8_t none[AUDIT_HASH] = {0};
    struct audit_row r = row();
    uint8_t digest[AUDIT_HASH];
    char text[65];

    (void)state;
    audit_digest(digest, &r);
    hex_encode(text, digest, sizeof digest);
    assert_string_equal(text, "ceac392bd1b8f9a65cd9663c84863f32e31f63e8987f2bdfca751ba7bd4c0c46");
    audit_link(digest, none, digest);
    hex_encode(text, digest, sizeof digest);
    assert_string_equal(text, LINKED);
}

static void test_every_text_counts_and_none_runs_into_the_next(void **state)
{
    struct audit_row r = row();
    uint8_t before[AUDIT_HASH], after[AUDIT_HASH];

    (void)state;
    audit_digest(before, &r);
    for (size_t i = 0; i < AUDIT_FIELDS; i++) {
        r = row();
        r.text[i] = "another";
        audit_digest(after, &r);
        assert_memory_not_equal(before, after, sizeof before);
    }
    r = row();
    r.text[AUDIT_OBJECT] = "objs";
    r.text[AUDIT_SESSION] = "ess";
    audit_digest(after, &r);
    assert_memory_not_equal(before, after, sizeof before);
    r = row();
    r.at_ms++;
    audit_digest(after, &r);
    assert_memory_not_equal(before, after, sizeof before);
}

static void test_heads_are_read_as_they_are_written(void **state)
{
    const char *at = CHAIN " 7 " LINKED ", 0123456789abcdef0123456789abcdef 123456789012 " LINKED;
    struct audit_head head;
    char text[AUDIT_HEAD_TEXT];

    (void)state;
    assert_true(audit_head_next(&head, &at));
    assert_string_equal(head.chain, CHAIN);
    assert_int_equal(head.seq, 7);
    audit_head_text(text, &head);
    assert_string_equal(text, CHAIN " 7 " LINKED);
    assert_true(audit_head_next(&head, &at));
    assert_int_equal(head.seq, 123456789012);
    assert_false(audit_head_next(&head, &at));
}

static void test_what_is_no_head_is_none(void **state)
{
    static const char *const wrong[] = {"", "ab 1 cd", CHAIN " x " LINKED, CHAIN " 1 ab",
                                        ("c 1 " LINKED)};
    struct audit_head head;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *at = wrong[i];

        assert_false(audit_head_next(&head, &at));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_row_has_the_hash_of_the_document),
        cmocka_unit_test(test_every_text_counts_and_none_runs_into_the_next),
        cmocka_unit_test(test_heads_are_read_as_they_are_written),
        cmocka_unit_test(test_what_is_no_head_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
