/* SPDX-License-Identifier: Apache-2.0 */
/* Whom the router may put into the pool: who is certified, and under his own name. */
#include "services/coordinator/pool.h"
#include "system/access/identity.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t ca[32], ca_secret[64], other_ca[32], other_ca_secret[64];

static void lost(void *arg, const char *party_id)
{
    (void)arg;
    (void)party_id;
}

/* The router says that |name| is there, with the certificate that |secret| signed for |certified|. */
static void present(struct pool *pool, const char *name, const char *certified,
                    const uint8_t secret[64])
{
    struct identity identity = {.role = "persistent"};
    Mpc__Router__V1__Party party = MPC__ROUTER__V1__PARTY__INIT;
    Mpc__Router__V1__Presence presence = MPC__ROUTER__V1__PRESENCE__INIT, *list[] = {&presence};
    Mpc__Router__V1__PresenceBatch batch = MPC__ROUTER__V1__PRESENCE_BATCH__INIT;
    uint8_t key_secret[64], *b;
    size_t len;

    strcpy(identity.party_id, certified);
    crypto_sign_keypair(identity.key, key_secret);
    b = identity_issue(&len, &identity, secret);
    presence.certificate = mpc__session__v1__party_certificate__unpack(NULL, len, b);
    free(b);
    party.party_id = (char *)(uintptr_t)name;
    party.role = (char *)(uintptr_t) "persistent";
    party.capacity = 4;
    party.live = true;
    presence.party = &party;
    batch.presences = list;
    batch.n_presences = 1;
    (void)pool_update(pool, &batch, 1000);
    mpc__session__v1__party_certificate__free_unpacked(presence.certificate, NULL);
}

static void test_a_party_without_its_certificate_is_left_out(void **state)
{
    struct pool *pool = pool_new(ca, lost, NULL);
    uint8_t key[32];

    (void)state;
    present(pool, "party-1", "party-1", other_ca_secret);
    present(pool, "party-2", "party-3", ca_secret);
    assert_null(pool_find(pool, "party-1"));
    assert_null(pool_find(pool, "party-2"));
    assert_null(pool_find(pool, "party-3"));
    present(pool, "party-1", "party-1", ca_secret);
    assert_true(pool_is_able(pool_find(pool, "party-1")));
    /* nor does one that is there get another key */
    memcpy(key, pool_find(pool, "party-1")->key, sizeof key);
    present(pool, "party-1", "party-1", other_ca_secret);
    assert_memory_equal(pool_find(pool, "party-1")->key, key, sizeof key);
    pool_free(pool);
}

enum { NOW = 1000 };

static enum pool_hint hint(struct pool *pool, const char *party_id, uint8_t account, int64_t now_ms)
{
    struct qrt_intent intent = {.account = {account}, .keyid = {account}};

    return pool_hint(pool, pool_find(pool, party_id), &intent, now_ms);
}

static void excuse(struct pool *pool, const char *party_id, uint8_t account, enum excuse excuse)
{
    struct qrt_intent intent = {.account = {account}, .keyid = {account}};

    pool_note_excuse(pool, party_id, &intent, excuse, NOW);
}

static void serve(struct pool *pool, const char *party_id, uint8_t account)
{
    struct qrt_intent intent = {.account = {account}, .keyid = {account}};

    pool_note_service(pool, party_id, &intent);
}

static struct pool *two_parties(void)
{
    struct pool *pool = pool_new(ca, lost, NULL);

    present(pool, "party-1", "party-1", ca_secret);
    present(pool, "party-2", "party-2", ca_secret);
    return pool;
}

static void test_an_excuse_holds_for_its_account_and_a_while(void **state)
{
    struct pool *pool = two_parties();

    (void)state;
    assert_int_equal(hint(pool, "party-1", 1, NOW), POOL_NOTHING);
    excuse(pool, "party-1", 1, EXCUSE_REQUEST);
    assert_int_equal(hint(pool, "party-1", 1, NOW), POOL_NOT_NOW);
    assert_int_equal(hint(pool, "party-1", 2, NOW), POOL_NOTHING);
    assert_int_equal(hint(pool, "party-2", 1, NOW), POOL_NOTHING);
    assert_int_equal(hint(pool, "party-1", 1, NOW + POOL_ACCOUNT_HINT_MS - 1), POOL_NOT_NOW);
    assert_int_equal(hint(pool, "party-1", 1, NOW + POOL_ACCOUNT_HINT_MS), POOL_NOTHING);
    pool_free(pool);
}

static void test_a_party_s_excuse_holds_for_all_accounts_and_a_while(void **state)
{
    struct pool *pool = two_parties();

    (void)state;
    excuse(pool, "party-1", 1, EXCUSE_PARTY);
    assert_int_equal(hint(pool, "party-1", 2, NOW), POOL_NOT_NOW);
    assert_int_equal(hint(pool, "party-2", 1, NOW), POOL_NOTHING);
    assert_int_equal(hint(pool, "party-1", 2, NOW + POOL_PARTY_HINT_MS), POOL_NOTHING);
    serve(pool, "party-1", 3);
    assert_int_equal(hint(pool, "party-1", 2, NOW), POOL_NOTHING);
    excuse(pool, "party-1", 1, EXCUSE_NONE);
    excuse(pool, "nobody", 1, EXCUSE_PARTY);
    serve(pool, "nobody", 1);
    assert_int_equal(hint(pool, "party-1", 1, NOW), POOL_NOTHING);
    pool_free(pool);
}

/* Until it does sign, or is another process, which may have the share again. */
static void test_who_has_no_share_has_none_as_long_as_it_lives(void **state)
{
    struct pool *pool = two_parties();

    (void)state;
    excuse(pool, "party-1", 1, EXCUSE_SHARE);
    excuse(pool, "party-1", 2, EXCUSE_SHARE);
    assert_int_equal(hint(pool, "party-1", 1, INT64_MAX - 1), POOL_HAS_NO_SHARE);
    assert_int_equal(hint(pool, "party-1", 3, NOW), POOL_NOTHING);
    assert_int_equal(hint(pool, "party-2", 1, NOW), POOL_NOTHING);
    serve(pool, "party-1", 1);
    assert_int_equal(hint(pool, "party-1", 1, NOW), POOL_NOTHING);
    assert_int_equal(hint(pool, "party-1", 2, NOW), POOL_HAS_NO_SHARE);
    pool_find(pool, "party-1")->boot_id[0] ^= 1;
    assert_int_equal(hint(pool, "party-1", 2, NOW), POOL_NOTHING);
    pool_free(pool);
}

static void test_hints_are_bounded(void **state)
{
    struct pool *pool = two_parties();
    struct qrt_intent intent = {0};
    size_t kept = 0;

    (void)state;
    for (uint32_t i = 0; i < 4 * POOL_HINTS; i++) {
        memcpy(intent.keyid, &i, sizeof i);
        pool_note_excuse(pool, "party-1", &intent, EXCUSE_SHARE, NOW);
        assert_int_equal(pool_hint(pool, pool_find(pool, "party-1"), &intent, NOW),
                         POOL_HAS_NO_SHARE);
    }
    for (uint32_t i = 0; i < 4 * POOL_HINTS; i++) {
        memcpy(intent.keyid, &i, sizeof i);
        kept += pool_hint(pool, pool_find(pool, "party-1"), &intent, NOW) != POOL_NOTHING;
    }
    assert_true(kept > POOL_HINTS / 2 && kept <= POOL_HINTS);
    pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_party_without_its_certificate_is_left_out),
        cmocka_unit_test(test_an_excuse_holds_for_its_account_and_a_while),
        cmocka_unit_test(test_a_party_s_excuse_holds_for_all_accounts_and_a_while),
        cmocka_unit_test(test_who_has_no_share_has_none_as_long_as_it_lives),
        cmocka_unit_test(test_hints_are_bounded),
    };

    if (sodium_init() < 0)
        return 1;
    crypto_sign_keypair(ca, ca_secret);
    crypto_sign_keypair(other_ca, other_ca_secret);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
