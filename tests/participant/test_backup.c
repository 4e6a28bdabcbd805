/* SPDX-License-Identifier: Apache-2.0 */
/* Which receipts count: the keeper's thread of backups, with a front that this test plays. Each of
 * its shares has a file, and a receipt that is wrong in one way; the last one has none. */
#include "participant/backup.h"

#include "participant/store_backups.h"
#include "system/core/buffer.h"
#include "system/core/ids.h"
#include "system/core/secret.h"
#include "system/vault/backup.h"

#include <pthread.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SHARES = 8, GONE = SHARES, ALTERED_AT = 128 };
enum { OTHER_SHARE = 1, OTHER_PARTY, OTHER_RECIPIENT, ALTERED, OTHER_FILE, OTHER_KIND, MISSING };

static char directory[] = "/tmp/quorate-backup-XXXXXX";
static const char account[] = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
static uint8_t identity[64];
static struct backup_key *key, *other_key;

struct front {
    struct backup *backup;
    /* |is_last| is the writing of the last of so many states */
    bool is_right;
    size_t states;
    pthread_mutex_t lock;
    pthread_cond_t asked;
    bool is_last;
};

/* What is in the file of share |which|: this test's front keeps none. */
static void digest_of(uint8_t out[STORE_DIGEST], size_t which)
{
    const uint8_t content[] = {(uint8_t)which};

    crypto_generichash(out, STORE_DIGEST, content, sizeof content, NULL, 0);
}

static void receipt_of(uint8_t out[BACKUP_RECEIPT], size_t which, bool is_right)
{
    size_t wrong = is_right ? 0 : which;
    const uint8_t other_file = wrong == OTHER_FILE ? 1 : 0;
    const uint8_t content[] = {(uint8_t)(wrong == OTHER_SHARE ? which + 1 : which), 0};
    struct backup_file file = {.b = content, .len = (size_t)1 + other_file};

    file.head.kind = wrong == OTHER_KIND ? BACKUP_STATE : BACKUP_SHARE;
    memcpy(file.head.identity, identity + 32, 32);
    file.head.identity[0] ^= wrong == OTHER_PARTY;
    memset(file.head.kgid, (int)(wrong == OTHER_SHARE ? which + 2 : which + 1), 32);
    backup_receipt_make(out, &file, wrong == OTHER_RECIPIENT ? other_key : key, 1700000000000);
    /* in its time, which nothing is compared with */
    out[ALTERED_AT] ^= wrong == ALTERED;
}

/* The state's: without proof while the shares' are wrong, by being a share's. */
static void state_receipt(uint8_t out[BACKUP_RECEIPT], bool is_right)
{
    static const uint8_t content[] = "a state";
    struct backup_file file = {.b = content, .len = sizeof content};

    file.head.kind = is_right ? BACKUP_STATE : BACKUP_SHARE;
    memcpy(file.head.identity, identity + 32, 32);
    backup_receipt_make(out, &file, key, 1700000000000);
}

/* The number of the share whose file |name| is of; SHARES: it is the state's. */
static size_t which_of(const char *name)
{
    char text[9];
    uint8_t kgid[4];

    for (size_t i = 0; i < SHARES; i++) {
        memset(kgid, (int)(i + 1), sizeof kgid);
        hex_encode(text, kgid, sizeof kgid);
        if (strstr(name, text))
            return i;
    }
    return SHARES;
}

static void on_frame(void *arg, const Mpc__Keeper__V1__FromKeeper *frame)
{
    struct front *front = arg;
    const Mpc__Keeper__V1__BackupFile *file = frame->backup_file;
    Mpc__Keeper__V1__BackupAnswer answer = MPC__KEEPER__V1__BACKUP_ANSWER__INIT;
    uint8_t receipt[BACKUP_RECEIPT];
    size_t which = which_of(file->name);

    pthread_mutex_lock(&front->lock);
    answer.number = file->number;
    answer.found = true;
    if (file->act == MPC__KEEPER__V1__BACKUP_FILE__ACT__READ) {
        answer.found = front->is_right || which != MISSING;
        if (which == SHARES)
            state_receipt(receipt, front->is_right);
        else
            receipt_of(receipt, which, front->is_right);
        if (answer.found)
            answer.content = (ProtobufCBinaryData){sizeof receipt, receipt};
        front->is_last = which == SHARES - 1;
    }
    if (file->act == MPC__KEEPER__V1__BACKUP_FILE__ACT__PUT && front->states > 0)
        front->is_last = strstr(file->name, ".state.") != NULL && --front->states == 0;
    backup_answer(front->backup, &answer);
    pthread_cond_signal(&front->asked);
    pthread_mutex_unlock(&front->lock);
}

/* Until the last thing was asked for, the receipt of the last share if nothing else, and taken; were
 * all opened once? */
static bool look_once(struct store *store, struct front front)
{
    const Mpc__Session__V1__PartyCertificate certificate =
        MPC__SESSION__V1__PARTY_CERTIFICATE__INIT;
    const struct backup_params params = {.store = store,
                                         .identity = identity,
                                         .party_id = "party-1",
                                         .state_every_ms = front.states > 1 ? 1 : 1 << 30,
                                         .certificate = &certificate,
                                         .emit = on_frame,
                                         .emit_arg = &front};
    char recipient[BACKUP_TEXT], error[BACKUP_ERROR_MAX];
    bool is_proven;

    pthread_mutex_init(&front.lock, NULL);
    pthread_cond_init(&front.asked, NULL);
    backup_recipient_text(recipient, &key->recipient);
    pthread_mutex_lock(&front.lock);
    front.backup = backup_start(&params, recipient, error);
    assert_non_null(front.backup);
    while (!front.is_last)
        pthread_cond_wait(&front.asked, &front.lock);
    is_proven = backup_is_proven(front.backup);
    pthread_mutex_unlock(&front.lock);
    backup_stop(front.backup);
    pthread_cond_destroy(&front.asked);
    pthread_mutex_destroy(&front.lock);
    return is_proven;
}

static struct store_share share_of(size_t i)
{
    struct store_share s = {.own = 1, .purpose = 1, .sealed_len = 1};

    snprintf(s.account_id, sizeof s.account_id, "%s", account);
    snprintf(s.session_id, sizeof s.session_id, "bbbbbbbb-bbbb-4bbb-8bbb-00000000000%zu", i);
    memset(s.kgid, (int)(i + 1), 32);
    memset(s.key_id, (int)(i + 1), 32);
    s.roster = text_copy("party-1");
    s.sealed = mem_new(1, 1);
    return s;
}

static void make_active(struct store *store, struct store_share *s,
                        const struct store_sealed *given)
{
    s->status = STORE_PENDING;
    assert_int_equal(store_put_pending(store, s), STORE_OK);
    s->status = STORE_ACTIVE;
    assert_int_equal(store_activate(store, s, given), STORE_OK);
}

static void put_share(struct store *store, size_t i)
{
    struct store_share s = share_of(i);
    struct store_unbacked which = {.is_made = false};
    uint8_t digest[STORE_DIGEST];

    make_active(store, &s, NULL);
    snprintf(which.account_id, sizeof which.account_id, "%s", account);
    memcpy(which.kgid, s.kgid, 32);
    digest_of(digest, i);
    assert_int_equal(store_put_made(store, &which, digest), STORE_OK);
    store_share_free(&s);
}

static void expect_missing(struct store *store, size_t n)
{
    size_t got;

    assert_int_equal(store_count_unbacked(store, &got), STORE_OK);
    assert_int_equal(got, n);
}

static void test_only_the_right_receipt_counts(void **state)
{
    char error[STORE_ERROR_MAX];
    struct store *store = store_open(directory, error);
    struct store_unbacked next = {.is_made = false};
    bool is_proven;

    (void)state;
    assert_non_null(store);
    assert_int_equal(store_take_recipient(store, key->recipient.id, &is_proven), STORE_OK);
    for (size_t i = 0; i < SHARES; i++)
        put_share(store, i);
    expect_missing(store, SHARES);
    assert_false(look_once(store, (struct front){.is_right = false}));
    for (size_t i = 1; i < SHARES; i++) {
        struct store_unbacked last = next;

        assert_int_equal(store_next_unbacked(store, &next, true, i > 1 ? &last : NULL), STORE_OK);
        assert_int_equal(next.kgid[0], i + 1);
    }
    expect_missing(store, SHARES - 1);
    assert_true(look_once(store, (struct front){.is_right = true}));
    expect_missing(store, 0);
    store_close(store);
}

/* A row of it came back, as out of an old copy of the database. */
static void test_a_share_that_is_gone_gets_no_file(void **state)
{
    char error[STORE_ERROR_MAX];
    struct store *store = store_open(directory, error);
    struct store_share s = share_of(GONE);
    struct store_sealed given = {.sealed = s.sealed, .sealed_len = 1};
    bool is_proven;

    (void)state;
    assert_non_null(store);
    assert_int_equal(store_take_recipient(store, key->recipient.id, &is_proven), STORE_OK);
    expect_missing(store, 0);
    snprintf(given.session_id, sizeof given.session_id, "%s", s.session_id);
    make_active(store, &s, &given);
    assert_int_equal(store_forget_given(store, s.session_id), STORE_OK);
    make_active(store, &s, NULL);
    expect_missing(store, 1);
    (void)look_once(store, (struct front){.states = 1});
    expect_missing(store, 0);
    store_share_free(&s);
    store_close(store);
}

static void test_a_state_is_written_again_when_nothing_changes(void **state)
{
    char error[STORE_ERROR_MAX];
    struct store *store = store_open(directory, error);

    (void)state;
    assert_non_null(store);
    (void)look_once(store, (struct front){.states = 3});
    store_close(store);
}

static struct backup_key *make_key(uint8_t first)
{
    const uint8_t seed[BACKUP_SEED] = {first};
    struct backup_key *made = secret_new(sizeof *made);

    backup_key_of(made, seed);
    return made;
}

static int begin(void **state)
{
    uint8_t public_key[32];

    (void)state;
    secret_harden();
    crypto_sign_keypair(public_key, identity);
    key = make_key(1);
    other_key = make_key(2);
    return mkdtemp(directory) ? 0 : -1;
}

static int end(void **state)
{
    char command[64];

    (void)state;
    secret_free(key);
    secret_free(other_key);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_right_receipt_counts),
        cmocka_unit_test(test_a_share_that_is_gone_gets_no_file),
        cmocka_unit_test(test_a_state_is_written_again_when_nothing_changes),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
