/* SPDX-License-Identifier: Apache-2.0 */
/* What is in backups: it comes back as it was, nothing that is cut or longer is taken, and a share
 * that is not whole, not the one that was announced or not the signer's is found. */
#include "participant/backup_body.h"

#include "committee.h"
#include "system/core/secret.h"
#include "system/service/library.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct committee committee;
static struct backup_share share;
static struct backup_head head;
static uint8_t *body;
static size_t len;

static int begin(void **state)
{
    (void)state;
    secret_harden();
    committee_init(&committee, library_ctx(), 3, 2, 7);
    committee_make_key(&committee);
    head = (struct backup_head){.kind = BACKUP_SHARE,
                                .party_id = "party-2",
                                .account = {1, 2, 3, 4, 5, 6, 0x47, 8, 0x89},
                                .epoch = committee.shares[1].epoch};
    memcpy(head.kgid, committee.shares[1].kgid, 32);
    memcpy(head.identity, committee.keys[1].idpk, 32);
    share = (struct backup_share){.identity = committee.identity[1],
                                  .row = {.session_id = "bbbbbbbb-bbbb-4bbb-8bbb-000000000001",
                                          .attempt = 3,
                                          .own = committee.shares[1].own,
                                          .purpose = 1,
                                          .has_caller = true,
                                          .caller_key = {9},
                                          .deadline_ms = 1700000000000,
                                          .intent_hash = {8},
                                          .roster = text_copy("party-1 party-2 party-3")},
                                  .record = committee.records[1],
                                  .record_len = committee.record_len};
    body = backup_share_encode(&len, &share);
    return body ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    secret_free(body);
    free(share.row.roster);
    committee_free(&committee);
    return 0;
}

static void test_a_share_comes_back_as_it_was(void **state)
{
    struct backup_share got;
    struct qrt_share opened;

    (void)state;
    assert_true(backup_share_decode(&got, &head, body, len));
    assert_null(backup_share_check(&opened, library_ctx(), &got, &head));
    assert_string_equal(got.row.account_id, "01020304-0506-4708-8900-000000000000");
    assert_string_equal(got.row.session_id, share.row.session_id);
    assert_string_equal(got.row.roster, share.row.roster);
    assert_int_equal(got.row.attempt, 3);
    assert_int_equal(got.row.own, share.row.own);
    assert_int_equal(got.row.purpose, 1);
    assert_true(got.row.has_caller);
    assert_memory_equal(got.row.caller_key, share.row.caller_key, 32);
    assert_int_equal(got.row.deadline_ms, share.row.deadline_ms);
    assert_memory_equal(got.row.intent_hash, share.row.intent_hash, 32);
    assert_memory_equal(got.identity, share.identity, 64);
    assert_int_equal(got.record_len, share.record_len);
    assert_memory_equal(got.record, share.record, share.record_len);
    store_share_free(&got.row);
}

static void test_every_cut_of_a_share_is_found(void **state)
{
    struct backup_share got;

    (void)state;
    for (size_t n = 0; n < 400; n++) {
        uint8_t *b = mem_copy(body, n);

        assert_false(backup_share_decode(&got, &head, b, n));
        free(b);
    }
    assert_false(backup_share_decode(&got, &head, body, len - 1));
    body[0] = 2;
    assert_false(backup_share_decode(&got, &head, body, len));
    body[0] = 1;
}

/* The share and what a head says of it do not belong together. */
static void expect_wrong(const struct backup_share *wrong, const struct backup_head *said,
                         const char *text)
{
    struct qrt_share opened;
    const char *why = backup_share_check(&opened, library_ctx(), wrong, said);

    assert_non_null(why);
    assert_non_null(strstr(why, text));
}

static void test_a_share_that_does_not_fit_is_found(void **state)
{
    uint8_t *record = mem_copy(committee.records[1], committee.record_len);
    struct backup_share wrong = share;
    struct backup_head said = head;

    (void)state;
    /* the secret share itself: not s times G any more */
    record[(size_t)(committee.shares[1].s - committee.records[1]) + 31] ^= 1;
    wrong.record = record;
    expect_wrong(&wrong, &head, "is not sound");
    free(record);
    said.epoch++;
    expect_wrong(&share, &said, "another share than its header says");
    said = head;
    said.kgid[0] ^= 1;
    expect_wrong(&share, &said, "another share than its header says");
    wrong = share;
    wrong.row.own++;
    expect_wrong(&wrong, &head, "another share than its header says");
}

static void test_a_share_of_another_party_is_found(void **state)
{
    struct backup_share wrong = share;
    struct backup_head said = head;

    (void)state;
    /* party 1 signs with its identity what is party 2's share */
    wrong.identity = committee.identity[0];
    memcpy(said.identity, committee.keys[0].idpk, 32);
    expect_wrong(&wrong, &said, "was not made by the party");
    /* the secret key is not that of the signature */
    expect_wrong(&wrong, &head, "was not made by the party");
}

static void make_state(struct backup_writing *w)
{
    static const uint8_t certificate[] = "a certificate", order_body[] = "an order";
    static const uint8_t signature[64] = {5};
    const struct store_burn burns[] = {{{1}, 2, 3, 4}, {{9}, 8, 7, 6}};
    const struct store_order own = {.subject = "", .serial = 4, .is_frozen = true, .is_own = true};
    const struct store_order signed_one = {.subject = "aaaaaaaa-aaaa-4aaa-8aaa-000000000001",
                                           .serial = 6,
                                           .body = order_body,
                                           .body_len = sizeof order_body,
                                           .signature = signature};

    backup_state_begin(w, 9, certificate, sizeof certificate, 12);
    backup_state_burn(w, &burns[0]);
    backup_state_burn(w, &burns[1]);
    backup_state_order(w, &own);
    backup_state_order(w, &signed_one);
    assert_true(backup_state_end(w));
}

static void test_a_state_comes_back_as_it_was(void **state)
{
    struct backup_writing w;
    struct backup_state got;

    (void)state;
    make_state(&w);
    assert_true(backup_state_decode(&got, w.out.b, w.out.len));
    assert_string_equal((const char *)got.certificate, "a certificate");
    assert_int_equal(got.serial, 9);
    assert_int_equal(got.shares_n, 12);
    assert_int_equal(got.burns_n, 2);
    assert_int_equal(got.burns[0].kgid[0], 1);
    assert_int_equal(got.burns[1].epoch, 8);
    assert_int_equal(got.burns[1].own, 7);
    assert_int_equal(got.burns[1].peer, 6);
    assert_int_equal(got.orders_n, 2);
    assert_true(got.orders[0].order.is_frozen && got.orders[0].order.is_own);
    assert_string_equal(got.orders[0].subject, "");
    assert_null(got.orders[0].order.signature);
    assert_string_equal(got.orders[1].subject, "aaaaaaaa-aaaa-4aaa-8aaa-000000000001");
    assert_int_equal(got.orders[1].order.serial, 6);
    assert_false(got.orders[1].order.is_frozen);
    assert_string_equal((const char *)got.orders[1].order.body, "an order");
    assert_int_equal(got.orders[1].order.signature[0], 5);
    backup_state_free(&got);
    buffer_free(&w.out);
}

static void test_a_state_of_the_first_layout_has_no_serial(void **state)
{
    struct backup_writing w;
    struct backup_state got;

    (void)state;
    make_state(&w);
    w.out.b[0] = 1;
    memmove(w.out.b + 1, w.out.b + 9, w.out.len - 9);
    assert_true(backup_state_decode(&got, w.out.b, w.out.len - 8));
    assert_int_equal(got.serial, 0);
    assert_int_equal(got.shares_n, 12);
    assert_int_equal(got.orders_n, 2);
    backup_state_free(&got);
    buffer_free(&w.out);
}

static void test_every_cut_of_a_state_is_found(void **state)
{
    struct backup_writing w;
    struct backup_state got;

    (void)state;
    make_state(&w);
    for (size_t n = 0; n < w.out.len; n++) {
        uint8_t *b = mem_copy(w.out.b, n);

        assert_false(backup_state_decode(&got, b, n));
        free(b);
    }
    buffer_add(&w.out, "", 1);
    assert_false(backup_state_decode(&got, w.out.b, w.out.len));
    buffer_free(&w.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_share_comes_back_as_it_was),
        cmocka_unit_test(test_every_cut_of_a_share_is_found),
        cmocka_unit_test(test_a_share_that_does_not_fit_is_found),
        cmocka_unit_test(test_a_share_of_another_party_is_found),
        cmocka_unit_test(test_a_state_comes_back_as_it_was),
        cmocka_unit_test(test_a_state_of_the_first_layout_has_no_serial),
        cmocka_unit_test(test_every_cut_of_a_state_is_found),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
