/* SPDX-License-Identifier: Apache-2.0 */
/* Presence by leases, on a clock that the test owns. */
#include "services/router/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEASE_MS = 3000, NEWS_MAX = 64 };

/* What was told, in order: "a live 3". */
static char news[NEWS_MAX][96];
static size_t news_n;

static void changed(const struct party *party, void *arg)
{
    assert_ptr_equal(arg, news);
    assert_true(news_n < NEWS_MAX);
    snprintf(news[news_n++], sizeof news[0], "%s %s %u", party->id, party->live ? "live" : "gone",
             party->load);
}

static struct registry *fresh(void)
{
    news_n = 0;
    return registry_new(LEASE_MS, changed, news);
}

static struct moment at(unsigned ms)
{
    return (struct moment){1000000 + (int64_t)ms, (uint64_t)(5000 + ms) * 1000};
}

static enum registered enter(struct registry *r, const char *id, const char *role, uint8_t boot,
                             struct moment now)
{
    Mpc__Router__V1__RegisterPartyRequest request = MPC__ROUTER__V1__REGISTER_PARTY_REQUEST__INIT;
    Mpc__Session__V1__PartyCertificate certificate = MPC__SESSION__V1__PARTY_CERTIFICATE__INIT;
    uint8_t nonce[16] = {3}, proof[64] = {4}, boot_id[16] = {boot}, body[] = "body",
            signature[64] = {1};

    certificate.body.data = body;
    certificate.body.len = sizeof body;
    certificate.signature.data = signature;
    certificate.signature.len = sizeof signature;
    request.party_id = (char *)(uintptr_t)id;
    request.role = (char *)(uintptr_t)role;
    request.version = (char *)(uintptr_t) "1.2";
    request.capacity = 64;
    request.certificate = &certificate;
    request.boot_id.data = boot_id;
    request.boot_id.len = sizeof boot_id;
    request.nonce = (ProtobufCBinaryData){sizeof nonce, nonce};
    request.proof = (ProtobufCBinaryData){sizeof proof, proof};
    return registry_register(r, &request, now);
}

/* What router |home| says: the registration of enter(), but of |time_ms| and |nonce|. */
static enum elsewhere_result hear(struct registry *r, const char *home, int64_t time_ms,
                                  uint8_t nonce, bool *is_unproven)
{
    Mpc__Router__V1__RegisterPartyRequest request = MPC__ROUTER__V1__REGISTER_PARTY_REQUEST__INIT;
    Mpc__Session__V1__PartyCertificate certificate = MPC__SESSION__V1__PARTY_CERTIFICATE__INIT;
    Mpc__Router__V1__PartyHere here = MPC__ROUTER__V1__PARTY_HERE__INIT;
    const struct elsewhere elsewhere = {home, "this one", 1, &here};
    uint8_t nonces[16] = {nonce}, proof[64] = {4}, boot_id[16] = {1}, body[] = "body",
            signature[64] = {1};

    certificate.body = (ProtobufCBinaryData){sizeof body, body};
    certificate.signature = (ProtobufCBinaryData){sizeof signature, signature};
    request.party_id = (char *)(uintptr_t) "a";
    request.role = (char *)(uintptr_t) "persistent";
    request.version = (char *)(uintptr_t) "1.2";
    request.certificate = &certificate;
    request.time_ms = time_ms;
    request.boot_id = (ProtobufCBinaryData){sizeof boot_id, boot_id};
    request.nonce = (ProtobufCBinaryData){sizeof nonces, nonces};
    request.proof = (ProtobufCBinaryData){sizeof proof, proof};
    here.registration = &request;
    here.claim = UINT64_MAX;
    here.live = true;
    *is_unproven = registry_is_unproven(r, &elsewhere);
    return registry_take(r, &elsewhere, at(0));
}

/* Whatever number a router puts beside it. */
static void test_of_two_registrations_the_one_that_was_signed_later_counts(void **state)
{
    struct registry *r = fresh();
    bool is_unproven;

    (void)state;
    enter(r, "a", "persistent", 1, at(0));
    assert_int_equal(hear(r, "z", 0, 3, &is_unproven), ELSEWHERE_OUTDATED); /* repeated */
    assert_false(is_unproven);
    assert_int_equal(hear(r, "z", -1, 9, &is_unproven), ELSEWHERE_OUTDATED);
    assert_int_equal(hear(r, "z", 0, 2, &is_unproven), ELSEWHERE_OUTDATED);
    assert_int_equal(hear(r, "b", 5, 3, &is_unproven), ELSEWHERE_MOVED);
    assert_true(is_unproven); /* the proof that is known is of another time */
    assert_int_equal(hear(r, "z", 4, 9, &is_unproven), ELSEWHERE_IGNORED);
    assert_int_equal(hear(r, "z", 5, 3, &is_unproven), ELSEWHERE_IGNORED);
    assert_int_equal(hear(r, "c", 5, 4, &is_unproven), ELSEWHERE_TAKEN);
    assert_true(is_unproven);
    registry_free(r);
}

static void said(size_t i, const char *what)
{
    assert_true(i < news_n);
    assert_string_equal(news[i], what);
}

static void test_a_party_is_live_for_its_lease_and_not_longer(void **state)
{
    struct registry *r = fresh();

    (void)state;
    registry_tick(r, at(0));
    assert_int_equal(enter(r, "a", "persistent", 1, at(0)), REGISTERED);
    assert_int_equal(registry_live_n(r), 1);
    for (unsigned ms = 300; ms < LEASE_MS; ms += 300)
        registry_tick(r, at(ms));
    assert_true(registry_party(r, "a")->live);
    registry_tick(r, at(LEASE_MS - 1));
    assert_true(registry_party(r, "a")->live);
    registry_tick(r, at(LEASE_MS));
    assert_false(registry_party(r, "a")->live);
    assert_int_equal(registry_live_n(r), 0);
    registry_tick(r, at(LEASE_MS + 300));
    assert_int_equal(news_n, 2);
    said(0, "a live 0");
    said(1, "a gone 0");
    registry_free(r);
}

static void test_a_heartbeat_renews_tells_load_and_brings_back(void **state)
{
    struct registry *r = fresh();

    (void)state;
    enter(r, "a", "persistent", 1, at(0));
    assert_non_null(registry_heartbeat(r, "a", 0, at(1000)));
    assert_int_equal(news_n, 1); /* nothing new */
    assert_non_null(registry_heartbeat(r, "a", 7, at(2000)));
    said(1, "a live 7");
    for (unsigned ms = 2000; ms <= 2000 + LEASE_MS; ms += 300)
        registry_tick(r, at(ms));
    registry_tick(r, at(2000 + LEASE_MS));
    said(2, "a gone 7");
    assert_non_null(registry_heartbeat(r, "a", 7, at(6000)));
    said(3, "a live 7");
    assert_int_equal(registry_party(r, "a")->last_seen_ms, at(6000).unix_ms);
    registry_free(r);
}

static void test_who_did_not_register_has_no_heartbeat(void **state)
{
    struct registry *r = fresh();

    (void)state;
    assert_null(registry_heartbeat(r, "a", 0, at(0)));
    assert_int_equal(news_n, 0);
    registry_free(r);
}

static void test_another_boot_id_is_a_restart(void **state)
{
    struct registry *r = fresh();

    (void)state;
    assert_int_equal(enter(r, "a", "persistent", 1, at(0)), REGISTERED);
    registry_heartbeat(r, "a", 5, at(100));
    assert_int_equal(enter(r, "a", "persistent", 1, at(200)), REGISTERED);
    assert_int_equal(registry_party(r, "a")->load, 5);
    assert_int_equal(enter(r, "a", "persistent", 2, at(300)), REGISTERED_RESTARTED);
    assert_int_equal(registry_party(r, "a")->load, 0);
    assert_int_equal(registry_party(r, "a")->boot_id[0], 2);
    assert_int_equal(registry_live_n(r), 1);
    registry_free(r);
}

/* A router that was stopped wakes up with all leases over; the heartbeats of that time are in its
 * sockets. */
static void test_time_in_which_the_router_stood_still_is_held_against_nobody(void **state)
{
    struct registry *r = fresh();

    (void)state;
    registry_tick(r, at(0));
    enter(r, "a", "persistent", 1, at(0));
    registry_tick(r, at(300));
    registry_tick(r, at(60300));
    assert_true(registry_party(r, "a")->live);
    for (unsigned ms = 60600; ms < 60300 + LEASE_MS; ms += 300)
        registry_tick(r, at(ms));
    assert_false(registry_party(r, "a")->live); /* it was silent for a lease of running time */
    registry_free(r);
}

static void test_lists_are_by_id_and_role(void **state)
{
    struct registry *r = fresh();
    const struct party **list;
    size_t n;

    (void)state;
    enter(r, "c", "persistent", 1, at(0));
    enter(r, "a", "delegate", 1, at(0));
    enter(r, "b", "persistent", 1, at(0));
    list = registry_list(r, "", &n);
    assert_int_equal(n, 3);
    assert_string_equal(list[0]->id, "a");
    assert_string_equal(list[2]->id, "c");
    free(list);
    list = registry_list(r, "persistent", &n);
    assert_int_equal(n, 2);
    assert_string_equal(list[0]->id, "b");
    free(list);
    registry_free(r);
}

static void test_who_is_gone_for_a_day_is_forgotten(void **state)
{
    struct registry *r = fresh();
    unsigned day = 86400000;

    (void)state;
    registry_tick(r, at(0));
    enter(r, "a", "persistent", 1, at(0));
    for (unsigned ms = 0; ms < day; ms += 1000)
        registry_tick(r, at(ms));
    assert_non_null(registry_party(r, "a"));
    registry_tick(r, at(day));
    assert_null(registry_party(r, "a"));
    assert_int_equal(news_n, 2);
    registry_free(r);
}

static void test_the_number_of_parties_is_bounded(void **state)
{
    struct registry *r = fresh();
    char id[16];

    (void)state;
    for (int i = 0; i < PARTIES_MAX; i++) {
        snprintf(id, sizeof id, "p%d", i);
        assert_int_equal(enter(r, id, "persistent", 1, at(0)), REGISTERED);
        news_n = 0;
    }
    assert_int_equal(enter(r, "one-more", "persistent", 1, at(0)), REGISTERED_FULL);
    assert_int_equal(enter(r, "p0", "persistent", 2, at(0)), REGISTERED_RESTARTED);
    registry_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_two_registrations_the_one_that_was_signed_later_counts),
        cmocka_unit_test(test_a_party_is_live_for_its_lease_and_not_longer),
        cmocka_unit_test(test_a_heartbeat_renews_tells_load_and_brings_back),
        cmocka_unit_test(test_who_did_not_register_has_no_heartbeat),
        cmocka_unit_test(test_another_boot_id_is_a_restart),
        cmocka_unit_test(test_time_in_which_the_router_stood_still_is_held_against_nobody),
        cmocka_unit_test(test_lists_are_by_id_and_role),
        cmocka_unit_test(test_who_is_gone_for_a_day_is_forgotten),
        cmocka_unit_test(test_the_number_of_parties_is_bounded),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
