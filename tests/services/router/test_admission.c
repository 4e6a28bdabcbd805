/* SPDX-License-Identifier: Apache-2.0 */
/* Who may register: everything that is altered, foreign, late or repeated is refused with its own
 * sentence. */
#include "services/router/admission.h"

#include "system/access/identity.h"
#include "system/cache/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOW = 1700000000 };
#define NOW_MS (INT64_C(1000) * NOW)

static uint8_t ca[32], ca_secret[64], other_ca[32], other_ca_secret[64];
static uint8_t party[32], party_secret[64];

/* A registration with all that it points at. */
struct attempt {
    Mpc__Router__V1__RegisterPartyRequest request;
    Mpc__Session__V1__PartyCertificate *certificate;
    uint8_t boot_id[16], nonce[16], proof[64];
};

static void sign(struct attempt *a)
{
    struct registration registration = {a->request.party_id, a->request.role, a->boot_id,
                                        a->request.time_ms, a->nonce};

    registration_sign(a->proof, &registration, party_secret);
}

static struct attempt *attempt(void)
{
    struct attempt *a = calloc(1, sizeof *a);
    struct identity identity = {.party_id = "server-party-1", .role = "persistent"};
    size_t len;
    uint8_t *b;

    memcpy(identity.key, party, 32);
    b = identity_issue(&len, &identity, ca_secret);
    a->certificate = mpc__session__v1__party_certificate__unpack(NULL, len, b);
    free(b);
    mpc__router__v1__register_party_request__init(&a->request);
    randombytes_buf(a->nonce, sizeof a->nonce);
    a->request.party_id = (char *)(uintptr_t) "server-party-1";
    a->request.role = (char *)(uintptr_t) "persistent";
    a->request.version = (char *)(uintptr_t) "0.1.0";
    a->request.capacity = 64;
    a->request.certificate = a->certificate;
    a->request.boot_id.data = a->boot_id;
    a->request.boot_id.len = sizeof a->boot_id;
    a->request.nonce.data = a->nonce;
    a->request.nonce.len = sizeof a->nonce;
    a->request.proof.data = a->proof;
    a->request.proof.len = sizeof a->proof;
    a->request.time_ms = NOW_MS;
    sign(a);
    return a;
}

static void end(struct attempt *a)
{
    mpc__session__v1__party_certificate__free_unpacked(a->certificate, NULL);
    free(a);
}

static void take(void *arg, struct rpc_status status)
{
    *(struct rpc_status *)arg = status;
}

/* One router: the answer comes inside the call. */
static struct rpc_status try_from(struct admission *admission, const struct attempt *a,
                                  const char *address)
{
    struct rpc_status status = rpc_error(RPC_INTERNAL, "none", "no answer came");
    const struct admission_try try = {admission, &a->request, address, NOW_MS, take, &status};

    admission_check(&try);
    return status;
}

static struct rpc_status try_it(struct admission *admission, const struct attempt *a)
{
    return try_from(admission, a, "10.0.0.1");
}

static void refused(const struct attempt *a, enum rpc_code code, const char *name)
{
    struct admission *admission = admission_new(ca, NULL);
    struct rpc_status status = try_it(admission, a);

    assert_int_equal(status.code, code);
    assert_string_equal(status.name, name);
    assert_true(strlen(status.text) > 10);
    admission_free(admission);
}

static void test_a_genuine_registration_is_good_once(void **state)
{
    struct admission *admission = admission_new(ca, NULL);
    struct attempt *a = attempt();
    struct rpc_status status;

    (void)state;
    assert_int_equal(try_it(admission, a).code, RPC_OK);
    status = try_it(admission, a);
    assert_int_equal(status.code, RPC_UNAUTHENTICATED);
    assert_string_equal(status.name, "replayed");
    randombytes_buf(a->nonce, sizeof a->nonce);
    sign(a);
    assert_int_equal(try_it(admission, a).code, RPC_OK);
    end(a);
    admission_free(admission);
}

static void test_every_signed_field_is_bound(void **state)
{
    struct attempt *a = attempt();

    (void)state;
    a->boot_id[3] ^= 1;
    refused(a, RPC_UNAUTHENTICATED, "invalid_proof");
    a->boot_id[3] ^= 1;
    a->nonce[15] ^= 1;
    refused(a, RPC_UNAUTHENTICATED, "invalid_proof");
    a->nonce[15] ^= 1;
    a->request.time_ms++;
    refused(a, RPC_UNAUTHENTICATED, "invalid_proof");
    a->request.time_ms--;
    a->proof[0] ^= 1;
    refused(a, RPC_UNAUTHENTICATED, "invalid_proof");
    end(a);
}

static void test_the_certificate_must_be_this_authoritys_for_this_party_and_role(void **state)
{
    struct attempt *a = attempt();
    struct admission *admission;

    (void)state;
    a->request.party_id = (char *)(uintptr_t) "server-party-2";
    sign(a);
    refused(a, RPC_UNAUTHENTICATED, "invalid_certificate");
    a->request.party_id = (char *)(uintptr_t) "server-party-1";
    a->request.role = (char *)(uintptr_t) "delegate";
    sign(a);
    refused(a, RPC_UNAUTHENTICATED, "invalid_certificate");
    a->request.role = (char *)(uintptr_t) "persistent";
    sign(a);
    admission = admission_new(other_ca, NULL);
    assert_string_equal(try_it(admission, a).name, "invalid_certificate");
    admission_free(admission);
    a->certificate->body.data[5] ^= 1;
    refused(a, RPC_UNAUTHENTICATED, "invalid_certificate");
    end(a);
}

static void test_fields_are_checked_by_name(void **state)
{
    struct attempt *a = attempt();
    Mpc__Router__V1__RegisterPartyRequest good = a->request;
    char version[66];

    (void)state;
    a->request.party_id = (char *)(uintptr_t) "no spaces";
    refused(a, RPC_INVALID, "invalid_party_id");
    a->request = good;
    a->request.role = (char *)(uintptr_t) "boss";
    refused(a, RPC_INVALID, "invalid_role");
    a->request = good;
    a->request.capacity = 0;
    refused(a, RPC_INVALID, "invalid_capacity");
    a->request = good;
    memset(version, 'v', 65);
    version[65] = 0;
    a->request.version = version;
    refused(a, RPC_INVALID, "invalid_version");
    a->request.version = (char *)(uintptr_t) "1\n2";
    refused(a, RPC_INVALID, "invalid_version");
    a->request = good;
    a->request.boot_id.len = 15;
    refused(a, RPC_INVALID, "invalid_boot_id");
    a->request = good;
    a->request.nonce.len = 0;
    refused(a, RPC_INVALID, "invalid_nonce");
    a->request = good;
    a->request.proof.len = 63;
    refused(a, RPC_INVALID, "invalid_proof");
    a->request = good;
    a->request.certificate = NULL;
    refused(a, RPC_INVALID, "invalid_certificate");
    end(a);
}

static void clock_off(int64_t by_ms, const char *says)
{
    struct admission *admission = admission_new(ca, NULL);
    struct attempt *a = attempt();
    struct rpc_status status;

    a->request.time_ms = NOW_MS + by_ms;
    sign(a);
    status = try_it(admission, a);
    if (!says) {
        assert_int_equal(status.code, RPC_OK);
    } else {
        assert_int_equal(status.code, RPC_STATE);
        assert_string_equal(status.name, "clock_skew");
        assert_non_null(strstr(status.text, says));
    }
    end(a);
    admission_free(admission);
}

static void test_clocks_may_differ_by_30_s_and_the_difference_is_told(void **state)
{
    (void)state;
    clock_off(0, NULL);
    clock_off(30000, NULL);
    clock_off(-30000, NULL);
    clock_off(30001, "30.001 s ahead of");
    clock_off(-45250, "45.250 s behind");
    clock_off(INT64_MAX - NOW_MS, "ahead of");
    clock_off(INT64_MIN + 1, "behind");
}

/* A nonce that is refused for another reason is not used up, and none is remembered for strangers.
 */
static void test_a_refused_try_uses_up_nothing(void **state)
{
    struct admission *admission = admission_new(ca, NULL);
    struct attempt *a = attempt();

    (void)state;
    a->proof[0] ^= 1;
    assert_string_equal(try_it(admission, a).name, "invalid_proof");
    a->proof[0] ^= 1;
    assert_int_equal(try_it(admission, a).code, RPC_OK);
    end(a);
    admission_free(admission);
}

static void test_failures_of_one_address_are_limited_not_those_of_another(void **state)
{
    struct admission *admission = admission_new(ca, NULL);
    struct attempt *a = attempt();
    struct rpc_status status;
    int n = 0;

    (void)state;
    a->proof[0] ^= 1;
    while ((status = try_it(admission, a)).code == RPC_UNAUTHENTICATED)
        n++;
    assert_int_equal(status.code, RPC_EXHAUSTED);
    assert_true(status.retry_after > 0);
    assert_in_range(n, ADMISSION_FAILURES_BURST, 2 * ADMISSION_FAILURES_BURST);
    a->proof[0] ^= 1;
    assert_int_equal(try_it(admission, a).code, RPC_EXHAUSTED);
    assert_int_equal(try_from(admission, a, "10.0.0.2").code, RPC_OK);
    end(a);
    admission_free(admission);
}

/* A party whose clock is off tries for as long as it is; its neighbours register meanwhile. */
static void test_a_clock_that_is_off_is_no_failure(void **state)
{
    struct admission *admission = admission_new(ca, NULL);
    struct attempt *off = attempt(), *good = attempt();

    (void)state;
    off->request.time_ms = NOW_MS + 60000;
    sign(off);
    for (int i = 0; i < 2 * ADMISSION_FAILURES_BURST; i++)
        assert_string_equal(try_it(admission, off).name, "clock_skew");
    assert_int_equal(try_it(admission, good).code, RPC_OK);
    end(off);
    end(good);
    admission_free(admission);
}

/* Good ones too: each costs two signature checks. */
static void test_registrations_of_one_address_are_limited(void **state)
{
    struct admission *admission = admission_new(ca, NULL);
    struct attempt *a = attempt();
    struct rpc_status status = rpc_ok();
    size_t n = 0;

    (void)state;
    while (status.code == RPC_OK && n <= 2 * ADMISSION_BURST) {
        randombytes_buf(a->nonce, sizeof a->nonce);
        sign(a);
        status = try_it(admission, a);
        n++;
    }
    assert_string_equal(status.name, "rate_limited");
    assert_true(n > ADMISSION_BURST);
    status = try_from(admission, a, "10.0.0.2");
    assert_int_equal(status.code, RPC_OK);
    end(a);
    admission_free(admission);
}

/* In the place of cache_claim: what Redis says, if |redis_says|. */
static bool redis_says;
void __real_cache_claim(struct cache *cache, const char *key, int64_t ttl_ms, cache_claimed *done,
                        void *arg);
void __wrap_cache_claim(struct cache *cache, const char *key, int64_t ttl_ms, cache_claimed *done,
                        void *arg);
void __wrap_cache_claim(struct cache *cache, const char *key, int64_t ttl_ms, cache_claimed *done,
                        void *arg)
{
    if (redis_says)
        done(arg, CACHE_ELSEWHERE);
    else
        __real_cache_claim(cache, key, ttl_ms, done, arg);
}

static void test_a_refusal_that_only_redis_makes_is_no_failed_try(void **state)
{
    struct admission *admission = admission_new(ca, NULL);
    struct attempt *a = attempt();

    (void)state;
    redis_says = true;
    for (int i = 0; i < 2 * ADMISSION_FAILURES_BURST; i++)
        assert_string_equal(try_it(admission, a).name, "replayed");
    redis_says = false;
    assert_int_equal(try_it(admission, a).code, RPC_OK);
    end(a);
    admission_free(admission);
}

static enum rpc_code elsewhere(const struct attempt *a, bool is_new)
{
    struct admission *admission = admission_new(ca, NULL);
    enum rpc_code code = admission_check_elsewhere(admission, &a->request, is_new, NOW_MS).code;

    admission_free(admission);
    return code;
}

/* It may be old, and is not from the future. */
static void test_attack_another_router_holds_a_party_by_a_time_to_come(void **state)
{
    struct attempt *a = attempt();

    (void)state;
    a->request.time_ms = NOW_MS + 30000;
    sign(a);
    assert_int_equal(elsewhere(a, true), RPC_OK);
    a->request.time_ms = NOW_MS + 30001;
    assert_int_equal(elsewhere(a, true), RPC_UNAUTHENTICATED);
    sign(a);
    assert_int_equal(elsewhere(a, true), RPC_STATE);
    a->request.time_ms = 1;
    sign(a);
    assert_int_equal(elsewhere(a, true), RPC_OK);
    end(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_refusal_that_only_redis_makes_is_no_failed_try),
        cmocka_unit_test(test_attack_another_router_holds_a_party_by_a_time_to_come),
        cmocka_unit_test(test_a_genuine_registration_is_good_once),
        cmocka_unit_test(test_every_signed_field_is_bound),
        cmocka_unit_test(test_the_certificate_must_be_this_authoritys_for_this_party_and_role),
        cmocka_unit_test(test_fields_are_checked_by_name),
        cmocka_unit_test(test_clocks_may_differ_by_30_s_and_the_difference_is_told),
        cmocka_unit_test(test_a_refused_try_uses_up_nothing),
        cmocka_unit_test(test_failures_of_one_address_are_limited_not_those_of_another),
        cmocka_unit_test(test_a_clock_that_is_off_is_no_failure),
        cmocka_unit_test(test_registrations_of_one_address_are_limited),
    };

    if (sodium_init() < 0)
        return 1;
    crypto_sign_keypair(ca, ca_secret);
    crypto_sign_keypair(other_ca, other_ca_secret);
    crypto_sign_keypair(party, party_secret);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
