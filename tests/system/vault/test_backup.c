/* SPDX-License-Identifier: Apache-2.0 */
/* Backup files and receipts: they come back as they were made, by the recipient's key alone, and
 * no changed, cut or longer one is taken for whole. */
#include "system/vault/backup.h"

#include "system/core/buffer.h"
#include "system/core/secret.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BODY = 300, FILE_LEN = BODY + BACKUP_OVERHEAD };

static struct backup_key key, other;
static uint8_t identity[64], body[BODY], made[FILE_LEN];
static struct backup_head head = {.kind = BACKUP_SHARE,
                                  .party_id = "party-1",
                                  .account = {1, 2},
                                  .kgid = {3, 4},
                                  .epoch = 7,
                                  .time_ms = 1700000000123};

static void make(uint8_t out[FILE_LEN])
{
    const struct backup_making making = {&head, &key.recipient, identity};

    backup_seal(out, &making, body, BODY);
}

static int begin(void **state)
{
    uint8_t seed[32] = {9}, public_key[32];

    (void)state;
    secret_harden();
    backup_key_of(&key, seed);
    seed[0] = 8;
    backup_key_of(&other, seed);
    crypto_sign_seed_keypair(public_key, identity, seed);
    randombytes_buf(body, sizeof body);
    make(made);
    return 0;
}

/* Parses and opens; the body is compared. */
static enum backup_result read_back(const uint8_t *b, size_t len, const struct backup_key *with)
{
    struct backup_file file;
    enum backup_result result = backup_parse(&file, b, len);
    uint8_t *out;

    if (result != BACKUP_OK)
        return result;
    out = secret_new(file.body_len);
    result = backup_open(out, &file, with);
    if (result == BACKUP_OK) {
        assert_int_equal(file.body_len, BODY);
        assert_memory_equal(out, body, BODY);
    } else {
        assert_true(sodium_is_zero(out, file.body_len));
    }
    secret_free(out);
    return result;
}

static void test_a_file_opens_with_the_recipients_key_alone(void **state)
{
    struct backup_file file;

    (void)state;
    assert_int_equal(read_back(made, FILE_LEN, &key), BACKUP_OK);
    assert_int_equal(read_back(made, FILE_LEN, &other), BACKUP_OTHER_KEY);
    assert_int_equal(backup_parse(&file, made, FILE_LEN), BACKUP_OK);
    assert_int_equal(file.head.kind, BACKUP_SHARE);
    assert_string_equal(file.head.party_id, "party-1");
    assert_memory_equal(file.head.identity, identity + 32, 32);
    assert_memory_equal(file.head.recipient, key.recipient.id, BACKUP_ID);
    assert_memory_equal(file.head.account, head.account, 16);
    assert_memory_equal(file.head.kgid, head.kgid, 32);
    assert_int_equal(file.head.epoch, 7);
    assert_int_equal(file.head.time_ms, 1700000000123);
}

static void test_two_files_of_one_body_have_nothing_in_common(void **state)
{
    uint8_t again[FILE_LEN];

    (void)state;
    make(again);
    assert_memory_not_equal(again + BACKUP_HEAD, made + BACKUP_HEAD, BODY);
}

static void test_every_flipped_bit_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < FILE_LEN; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            uint8_t b[FILE_LEN];
            enum backup_result result;

            memcpy(b, made, sizeof b);
            b[i] ^= (uint8_t)(1U << bit);
            result = read_back(b, sizeof b, &key);
            assert_int_not_equal(result, BACKUP_OK);
            assert_string_not_equal(backup_text(result), backup_text(BACKUP_OK));
        }
    }
}

static void test_every_cut_is_found_and_so_is_a_byte_more(void **state)
{
    uint8_t *longer = mem_new(1, FILE_LEN + 1);

    (void)state;
    memcpy(longer, made, FILE_LEN);
    assert_int_equal(read_back(longer, FILE_LEN + 1, &key), BACKUP_CUT);
    free(longer);
    for (size_t len = 0; len < FILE_LEN; len++) {
        uint8_t *b = mem_copy(made, len);
        enum backup_result want = len < 8 ? BACKUP_NOT : BACKUP_CUT;

        assert_int_equal(read_back(b, len, &key), want);
        free(b);
    }
}

static void test_a_later_version_is_named(void **state)
{
    uint8_t b[FILE_LEN];

    (void)state;
    memcpy(b, made, sizeof b);
    b[7] = 2;
    assert_int_equal(read_back(b, sizeof b, &key), BACKUP_VERSION);
}

/* A party that signs nonsense itself. */
static void test_fields_out_of_range_are_refused_though_they_are_signed(void **state)
{
    const struct backup_head right = head;
    uint8_t b[FILE_LEN];

    (void)state;
    head.kind = (enum backup_kind)3;
    make(b);
    assert_int_equal(read_back(b, sizeof b, &key), BACKUP_FIELD);
    head = right;
    strcpy(head.party_id, "../etc");
    make(b);
    assert_int_equal(read_back(b, sizeof b, &key), BACKUP_FIELD);
    head = right;
    head.kind = BACKUP_STATE;
    make(b);
    assert_int_equal(read_back(b, sizeof b, &key), BACKUP_FIELD);
    head = right;
}

static void test_a_recipient_is_told_by_its_text(void **state)
{
    char text[BACKUP_TEXT], wrong[BACKUP_TEXT + 1];
    struct backup_recipient got;

    (void)state;
    backup_recipient_text(text, &key.recipient);
    assert_int_equal(strlen(text), BACKUP_TEXT - 1);
    assert_true(backup_recipient_parse(&got, text));
    assert_memory_equal(&got, &key.recipient, sizeof got);
    for (size_t i = 0; i < strlen(text); i++) {
        strcpy(wrong, text);
        wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
        assert_false(backup_recipient_parse(&got, wrong));
        strcpy(wrong, text);
        wrong[i] = '\0';
        assert_false(backup_recipient_parse(&got, wrong));
    }
    snprintf(wrong, sizeof wrong, "%sA", text);
    assert_false(backup_recipient_parse(&got, wrong));
    memset(&got, 0, sizeof got); /* a point of small order */
    backup_recipient_text(wrong, &got);
    assert_false(backup_recipient_parse(&got, wrong));
}

static void test_a_receipt_is_the_recipients_and_of_this_file(void **state)
{
    uint8_t receipt[BACKUP_RECEIPT], digest[32];
    struct backup_file file;
    struct backup_receipt got;

    (void)state;
    assert_int_equal(backup_parse(&file, made, FILE_LEN), BACKUP_OK);
    backup_receipt_make(receipt, &file, &key, 1700000000999);
    assert_true(backup_receipt_read(&got, receipt, sizeof receipt, &key.recipient));
    crypto_generichash(digest, sizeof digest, made, FILE_LEN, NULL, 0);
    assert_int_equal(got.kind, BACKUP_SHARE);
    assert_memory_equal(got.identity, identity + 32, 32);
    assert_memory_equal(got.kgid, head.kgid, 32);
    assert_int_equal(got.epoch, 7);
    assert_memory_equal(got.digest, digest, 32);
    assert_int_equal(got.time_ms, 1700000000999);
    assert_false(backup_receipt_read(&got, receipt, sizeof receipt, &other.recipient));
    assert_false(backup_receipt_read(&got, receipt, sizeof receipt - 1, &key.recipient));
    for (size_t i = 0; i < sizeof receipt; i++) {
        receipt[i] ^= 1;
        assert_false(backup_receipt_read(&got, receipt, sizeof receipt, &key.recipient));
        receipt[i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_opens_with_the_recipients_key_alone),
        cmocka_unit_test(test_two_files_of_one_body_have_nothing_in_common),
        cmocka_unit_test(test_every_flipped_bit_is_found),
        cmocka_unit_test(test_every_cut_is_found_and_so_is_a_byte_more),
        cmocka_unit_test(test_a_later_version_is_named),
        cmocka_unit_test(test_fields_out_of_range_are_refused_though_they_are_signed),
        cmocka_unit_test(test_a_recipient_is_told_by_its_text),
        cmocka_unit_test(test_a_receipt_is_the_recipients_and_of_this_file),
    };

    return cmocka_run_group_tests(tests, begin, NULL);
}
