/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: each kind there and back, and everything that is not exactly one of ours. */
#include "system/access/token.h"
#include "system/core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <jwt.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "0123456789abcdef0123456789abcdef"
#define SESSION "6f1f9d64-3b0e-4f0c-9a53-0a1b2c3d4e5f"

static struct token_key *key;

static int set_up(void **state)
{
    (void)state;
    key = token_key_new(SECRET);
    return sodium_init() < 0;
}

static int tear_down(void **state)
{
    (void)state;
    token_key_free(key);
    return 0;
}

static int64_t now(void)
{
    return clock_unix_ms() / 1000;
}

static struct token of_kind(enum token_kind kind)
{
    struct token token = {.kind = kind, .subject = "party-1", .expires = now() + 600};

    if (kind == TOKEN_JOIN || kind == TOKEN_SESSION)
        strcpy(token.session_id, SESSION);
    if (kind == TOKEN_PARTY)
        strcpy(token.role, "persistent");
    return token;
}

static void expect_refused(const struct token_key *by, enum token_kind kind, const char *text,
                           const char *part)
{
    struct token out;
    struct rpc_status status = token_read(&out, by, kind, text);

    assert_int_equal(status.code, RPC_UNAUTHENTICATED);
    assert_non_null(strstr(status.text, part));
    assert_string_equal(out.subject, "");
}

static void test_every_kind_is_read_as_it_was_made(void **state)
{
    (void)state;
    for (int kind = TOKEN_JOIN; kind <= TOKEN_SERVICE; kind++) {
        struct token in = of_kind((enum token_kind)kind), out;
        char text[TOKEN_TEXT_MAX];

        token_make(text, key, &in);
        assert_int_equal(token_read(&out, key, in.kind, text).code, RPC_OK);
        assert_int_equal(out.kind, kind);
        assert_string_equal(out.subject, "party-1");
        assert_string_equal(out.session_id, in.session_id);
        assert_string_equal(out.role, in.role);
        assert_int_equal(strlen(out.id), 32);
        assert_string_equal(out.id, in.id);
        assert_true(out.expires == in.expires);
    }
}

static void test_no_kind_serves_as_another(void **state)
{
    (void)state;
    for (int made = TOKEN_JOIN; made <= TOKEN_SERVICE; made++)
        for (int read = TOKEN_JOIN; read <= TOKEN_SERVICE; read++) {
            struct token in = of_kind((enum token_kind)made);
            char text[TOKEN_TEXT_MAX];

            token_make(text, key, &in);
            if (made != read)
                expect_refused(key, (enum token_kind)read, text, "another kind");
        }
}

static void test_ids_are_fresh_unless_chosen(void **state)
{
    struct token a = of_kind(TOKEN_SERVICE), b = of_kind(TOKEN_SERVICE), c = of_kind(TOKEN_SERVICE);
    char text[TOKEN_TEXT_MAX];

    (void)state;
    strcpy(c.id, "00112233445566778899aabbccddeeff");
    token_make(text, key, &a);
    token_make(text, key, &b);
    token_make(text, key, &c);
    assert_string_not_equal(a.id, b.id);
    assert_string_equal(c.id, "00112233445566778899aabbccddeeff");
}

static void test_another_secret_is_refused(void **state)
{
    struct token_key *other = token_key_new("0123456789abcdef0123456789abcdeF");
    struct token in = of_kind(TOKEN_SERVICE);
    char text[TOKEN_TEXT_MAX];

    (void)state;
    token_make(text, key, &in);
    expect_refused(other, TOKEN_SERVICE, text, "not one of ours");
    token_key_free(other);
}

/* Another character at every place. The last of the signature carries bits that do not count. */
static void test_every_changed_character_is_refused(void **state)
{
    struct token in = of_kind(TOKEN_PARTY), out;
    char text[TOKEN_TEXT_MAX];

    (void)state;
    token_make(text, key, &in);
    for (size_t i = 0; i + 1 < strlen(text); i++) {
        char was = text[i];

        text[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(token_read(&out, key, TOKEN_PARTY, text).code, RPC_UNAUTHENTICATED);
        text[i] = was;
    }
    assert_int_equal(token_read(&out, key, TOKEN_PARTY, text).code, RPC_OK);
}

static void test_every_cut_is_refused(void **state)
{
    struct token in = of_kind(TOKEN_JOIN), out;
    char text[TOKEN_TEXT_MAX], cut[TOKEN_TEXT_MAX + 1];

    (void)state;
    token_make(text, key, &in);
    for (size_t n = 0; n < strlen(text); n++) {
        memcpy(cut, text, n);
        cut[n] = 0;
        assert_int_equal(token_read(&out, key, TOKEN_JOIN, cut).code, RPC_UNAUTHENTICATED);
    }
    snprintf(cut, sizeof cut, "%s.", text);
    assert_int_equal(token_read(&out, key, TOKEN_JOIN, cut).code, RPC_UNAUTHENTICATED);
}

static void test_attack_token_chooses_no_algorithm(void **state)
{
    const jwt_alg_t algs[] = {JWT_ALG_NONE, JWT_ALG_HS384, JWT_ALG_HS512};

    (void)state;
    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++) {
        bool none = algs[i] == JWT_ALG_NONE;
        jwt_t *jwt;
        char *text;

        assert_int_equal(jwt_new(&jwt), 0);
        jwt_add_grant(jwt, "typ", "service");
        jwt_add_grant(jwt, "sub", "account");
        jwt_add_grant(jwt, "jti", "00112233445566778899aabbccddeeff");
        jwt_add_grant_int(jwt, "iat", (long)now());
        jwt_add_grant_int(jwt, "exp", (long)now() + 60);
        jwt_set_alg(jwt, algs[i], none ? NULL : (const unsigned char *)SECRET, none ? 0 : 32);
        text = jwt_encode_str(jwt);
        assert_non_null(text);
        expect_refused(key, TOKEN_SERVICE, text, "malformed");
        free(text);
        jwt_free(jwt);
    }
}

static size_t base64(char *out, size_t max, const void *b, size_t len)
{
    sodium_bin2base64(out, max, b, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return strlen(out);
}

/* Signed as ours are and of the same meaning, but its header is written in another order. */
static void test_attack_header_of_another_text(void **state)
{
    static const char header[] = "{\"typ\":\"JWT\",\"alg\":\"HS256\"}";
    char claims[256], text[1024];
    uint8_t signature[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state hmac;
    size_t n;

    (void)state;
    snprintf(claims, sizeof claims,
             "{\"typ\":\"service\",\"sub\":\"account\",\"iat\":%lld,\"exp\":%lld,"
             "\"jti\":\"00112233445566778899aabbccddeeff\"}",
             (long long)now(), (long long)now() + 60);
    n = base64(text, sizeof text, header, sizeof header - 1);
    text[n++] = '.';
    n += base64(text + n, sizeof text - n, claims, strlen(claims));
    crypto_auth_hmacsha256_init(&hmac, (const uint8_t *)SECRET, 32);
    crypto_auth_hmacsha256_update(&hmac, (const uint8_t *)text, n);
    crypto_auth_hmacsha256_final(&hmac, signature);
    text[n++] = '.';
    base64(text + n, sizeof text - n, signature, sizeof signature);
    expect_refused(key, TOKEN_SERVICE, text, "malformed");
}

/* A token under our secret with these claims: |grant| is changed to |value|, NULL takes it out. */
static void read_with(const char *grant, const char *value, const char *part)
{
    jwt_t *jwt;
    char *text;
    struct token out;

    assert_int_equal(jwt_new(&jwt), 0);
    jwt_add_grant(jwt, "typ", "party");
    jwt_add_grant(jwt, "sub", "party-1");
    jwt_add_grant(jwt, "role", "persistent");
    jwt_add_grant(jwt, "jti", "00112233445566778899aabbccddeeff");
    jwt_add_grant_int(jwt, "iat", (long)now());
    jwt_add_grant_int(jwt, "exp", (long)now() + 60);
    if (grant)
        jwt_del_grants(jwt, grant);
    if (grant && value)
        assert_int_equal(jwt_add_grant(jwt, grant, value), 0);
    jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)SECRET, 32);
    text = jwt_encode_str(jwt);
    if (part)
        expect_refused(key, TOKEN_PARTY, text, part);
    else
        assert_int_equal(token_read(&out, key, TOKEN_PARTY, text).code, RPC_OK);
    free(text);
    jwt_free(jwt);
}

static void test_claims_have_exact_forms(void **state)
{
    (void)state;
    read_with(NULL, NULL, NULL);
    read_with("typ", NULL, "another kind");
    read_with("typ", "Party", "another kind");
    read_with("typ", "a word that is longer than any", "malformed");
    read_with("sub", NULL, "malformed");
    read_with("sub", "a party", "malformed");
    read_with("role", NULL, "malformed");
    read_with("role", "operator", "malformed");
    read_with("sid", SESSION, "malformed");
    read_with("jti", NULL, "malformed");
    read_with("jti", "00112233445566778899aabbccddeefg", "malformed");
    read_with("iat", NULL, "malformed");
    read_with("exp", NULL, "malformed");
    read_with("exp", "tomorrow", "malformed");
}

static void test_times_may_differ_by_thirty_seconds(void **state)
{
    struct token in = of_kind(TOKEN_SERVICE), out;
    char text[TOKEN_TEXT_MAX];
    jwt_t *jwt;
    char *ahead;

    (void)state;
    in.expires = now();
    token_make(text, key, &in);
    assert_int_equal(token_read(&out, key, TOKEN_SERVICE, text).code, RPC_OK);

    assert_int_equal(jwt_new(&jwt), 0);
    jwt_add_grant(jwt, "typ", "service");
    jwt_add_grant(jwt, "sub", "account");
    jwt_add_grant(jwt, "jti", "00112233445566778899aabbccddeeff");
    jwt_add_grant_int(jwt, "iat", (long)now() - 600);
    jwt_add_grant_int(jwt, "exp", (long)now() - 100);
    jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)SECRET, 32);
    ahead = jwt_encode_str(jwt);
    expect_refused(key, TOKEN_SERVICE, ahead, "expired 10");
    free(ahead);
    jwt_del_grants(jwt, "iat");
    jwt_del_grants(jwt, "exp");
    jwt_add_grant_int(jwt, "iat", (long)now() + 1000);
    jwt_add_grant_int(jwt, "exp", (long)now() + 2000);
    ahead = jwt_encode_str(jwt);
    expect_refused(key, TOKEN_SERVICE, ahead, "s ahead of this clock");
    free(ahead);
    jwt_free(jwt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_is_read_as_it_was_made),
        cmocka_unit_test(test_no_kind_serves_as_another),
        cmocka_unit_test(test_ids_are_fresh_unless_chosen),
        cmocka_unit_test(test_another_secret_is_refused),
        cmocka_unit_test(test_every_changed_character_is_refused),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_attack_token_chooses_no_algorithm),
        cmocka_unit_test(test_attack_header_of_another_text),
        cmocka_unit_test(test_claims_have_exact_forms),
        cmocka_unit_test(test_times_may_differ_by_thirty_seconds),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
