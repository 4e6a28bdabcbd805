/* SPDX-License-Identifier: Apache-2.0 */
/* Two ends of TLS with bytes carried by hand: whole, in pieces, damaged; who trusts whom. */
#include "system/rpc/tls.h"

#include "tests/system/service/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct pki pki, other;

struct ends {
    struct tls_context *server_context, *client_context;
    struct tls *server, *client;
    /* plain text that came out at either end */
    struct buffer at_server, at_client;
    bool server_ended, client_ended;
};

static int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    pki_make(&other);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_remove(&pki);
    pki_remove(&other);
    return 0;
}

static void read_all(struct tls *tls, struct buffer *to, bool *ended)
{
    uint8_t room[1000];
    ssize_t n;

    while ((n = tls_read(tls, room, sizeof room)) > 0)
        buffer_add(to, room, (size_t)n);
    *ended = *ended || n < 0;
}

/* From one to the other, |step| bytes at a time. True if there was anything. */
static bool carry(struct tls *from, struct tls *to, struct buffer *plain, bool *ended, size_t step)
{
    struct buffer bytes = {0};
    size_t at = 0;

    tls_take(from, &bytes);
    while (at < bytes.len) {
        size_t n = bytes.len - at < step ? bytes.len - at : step;

        tls_feed(to, bytes.b + at, n);
        read_all(to, plain, ended);
        at += n;
    }
    buffer_free(&bytes);
    return at > 0;
}

static void pump(struct ends *e, size_t step)
{
    bool moved;

    read_all(e->client, &e->at_client, &e->client_ended);
    do {
        moved = carry(e->client, e->server, &e->at_server, &e->server_ended, step);
        moved |= carry(e->server, e->client, &e->at_client, &e->client_ended, step);
    } while (moved);
}

/* The server's door of open_ends: a client may show no certificate. */
static bool is_open;

static void open_ends(struct ends *e, const char *client_ca, const struct pki *trusted,
                      const struct pki *shown, const char *name)
{
    const struct tls_files files = {pki.certificate, pki.key, client_ca, NULL};
    char error[RPC_TEXT_MAX];

    *e = (struct ends){.server = NULL};
    e->server_context =
        is_open ? tls_context_server_open(&files, error) : tls_context_server(&files, error);
    e->client_context =
        tls_context_client(&(struct tls_files){shown ? shown->certificate : NULL,
                                               shown ? shown->key : NULL, trusted->ca, NULL},
                           error);
    assert_non_null(e->server_context);
    assert_non_null(e->client_context);
    e->server = tls_new(e->server_context, NULL);
    e->client = tls_new(e->client_context, name);
}

static void close_ends(struct ends *e)
{
    tls_free(e->server);
    tls_free(e->client);
    tls_context_free(e->server_context);
    tls_context_free(e->client_context);
    buffer_free(&e->at_server);
    buffer_free(&e->at_client);
}

static void test_both_ways_in_any_pieces(void **state)
{
    static const size_t steps[] = {1, 7, 100, 1 << 20};
    uint8_t *large = calloc(1, 3000000);
    struct ends e;

    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        open_ends(&e, NULL, &pki, NULL, "127.0.0.1");
        pump(&e, steps[i]);
        assert_true(tls_is_ready(e.server));
        assert_true(tls_is_ready(e.client));
        assert_string_equal(tls_alpn(e.server), "h2");
        assert_string_equal(tls_alpn(e.client), "h2");
        assert_true(tls_write(e.client, "to the server", 13));
        assert_true(tls_write(e.server, "to the client", 13));
        if (steps[i] > 1000)
            assert_true(tls_write(e.server, large, 3000000));
        pump(&e, steps[i]);
        assert_int_equal(e.at_server.len, 13);
        assert_memory_equal(e.at_server.b, "to the server", 13);
        assert_int_equal(e.at_client.len, steps[i] > 1000 ? 3000013 : 13);
        tls_close(e.client);
        pump(&e, steps[i]);
        assert_true(e.server_ended);
        assert_string_equal(tls_error(e.server), "");
        close_ends(&e);
    }
    free(large);
}

static void test_client_checks_the_server(void **state)
{
    struct ends e;

    (void)state;
    open_ends(&e, NULL, &other, NULL, "127.0.0.1");
    pump(&e, 1 << 20);
    assert_true(e.client_ended);
    assert_non_null(strstr(tls_error(e.client), "certificate"));
    assert_false(tls_is_ready(e.client));
    close_ends(&e);
    open_ends(&e, NULL, &pki, NULL, "127.0.0.2");
    pump(&e, 1 << 20);
    assert_non_null(strstr(tls_error(e.client), "certificate"));
    close_ends(&e);
    open_ends(&e, NULL, &pki, NULL, "example.com");
    pump(&e, 1 << 20);
    assert_non_null(strstr(tls_error(e.client), "certificate"));
    assert_false(tls_write(e.client, "x", 1));
    close_ends(&e);
}

static void test_server_checks_the_client(void **state)
{
    struct ends e;

    (void)state;
    open_ends(&e, pki.ca, &pki, &pki, "127.0.0.1");
    pump(&e, 1 << 20);
    assert_true(tls_is_ready(e.server));
    close_ends(&e);
    open_ends(&e, pki.ca, &pki, NULL, "127.0.0.1");
    pump(&e, 1 << 20);
    assert_true(e.server_ended);
    assert_true(tls_error(e.server)[0]);
    close_ends(&e);
    open_ends(&e, pki.ca, &pki, &other, "127.0.0.1");
    pump(&e, 1 << 20);
    assert_true(e.server_ended);
    assert_non_null(strstr(tls_error(e.server), "certificate"));
    close_ends(&e);
}

static void test_an_open_server_checks_what_is_shown(void **state)
{
    struct ends e;

    (void)state;
    is_open = true;
    open_ends(&e, pki.ca, &pki, &pki, "127.0.0.1");
    pump(&e, 1 << 20);
    assert_true(tls_is_ready(e.server));
    assert_false(tls_has_peer(e.server));
    close_ends(&e);
    open_ends(&e, pki.ca, &pki, NULL, "127.0.0.1");
    pump(&e, 1 << 20);
    assert_true(tls_is_ready(e.server));
    assert_false(tls_has_peer(e.server));
    assert_string_equal(tls_peer_party(e.server), "");
    close_ends(&e);
    open_ends(&e, pki.ca, &pki, &other, "127.0.0.1");
    pump(&e, 1 << 20);
    assert_true(e.server_ended);
    assert_non_null(strstr(tls_error(e.server), "certificate"));
    close_ends(&e);
    is_open = false;
}

/* The fault is that connection's alone: another one of the same context goes on. */
static void test_damaged_bytes(void **state)
{
    struct buffer bytes = {0};
    struct ends e, fine;

    (void)state;
    open_ends(&e, NULL, &pki, NULL, "127.0.0.1");
    open_ends(&fine, NULL, &pki, NULL, "127.0.0.1");
    pump(&e, 1 << 20);
    pump(&fine, 1 << 20);
    assert_true(tls_write(e.client, "hello", 5));
    tls_take(e.client, &bytes);
    bytes.b[bytes.len - 1] ^= 1;
    tls_feed(e.server, bytes.b, bytes.len);
    read_all(e.server, &e.at_server, &e.server_ended);
    assert_true(e.server_ended);
    assert_true(tls_error(e.server)[0]);
    assert_int_equal(e.at_server.len, 0);
    assert_true(tls_write(fine.client, "hello", 5));
    pump(&fine, 1 << 20);
    assert_int_equal(fine.at_server.len, 5);
    assert_string_equal(tls_error(fine.server), "");
    buffer_free(&bytes);
    close_ends(&e);
    close_ends(&fine);
}

static void test_plain_text_is_no_handshake(void **state)
{
    struct ends e;

    (void)state;
    open_ends(&e, NULL, &pki, NULL, "127.0.0.1");
    tls_feed(e.server, "GET / HTTP/1.1\r\n\r\n", 18);
    read_all(e.server, &e.at_server, &e.server_ended);
    assert_true(e.server_ended);
    assert_true(tls_error(e.server)[0]);
    close_ends(&e);
}

/* Both ends have |pki|'s certificate and look into its revocation list. */
static void open_listed(struct ends *e)
{
    const struct tls_files files = {pki.certificate, pki.key, pki.ca, pki.crl};
    char error[RPC_TEXT_MAX];

    *e = (struct ends){.server = NULL};
    e->server_context = tls_context_server(&files, error);
    e->client_context = tls_context_client(&files, error);
    e->server = tls_new(e->server_context, NULL);
    e->client = tls_new(e->client_context, "127.0.0.1");
}

static void test_a_revoked_certificate_is_refused(void **state)
{
    struct tls_context *newer;
    struct ends e, revoked;
    char error[RPC_TEXT_MAX];

    (void)state;
    open_listed(&e);
    pump(&e, 1 << 20);
    assert_true(tls_is_ready(e.server));
    assert_false(tls_peer_is_revoked(e.server, e.server_context));
    pki_revoke(&pki, true, 3600);
    /* A connection that is there goes on until somebody asks. */
    newer =
        tls_context_server(&(struct tls_files){pki.certificate, pki.key, pki.ca, pki.crl}, error);
    assert_non_null(newer);
    assert_true(tls_peer_is_revoked(e.server, newer));
    assert_false(tls_peer_is_revoked(e.server, e.server_context));
    tls_context_free(newer);
    open_listed(&revoked);
    pump(&revoked, 1 << 20);
    assert_non_null(strstr(tls_error(revoked.client), "revoked"));
    close_ends(&revoked);
    close_ends(&e);
    /* The server's side: its client looks into no list. */
    open_ends(&e, pki.ca, &pki, &pki, "127.0.0.1");
    tls_free(e.server);
    tls_context_free(e.server_context);
    e.server_context =
        tls_context_server(&(struct tls_files){pki.certificate, pki.key, pki.ca, pki.crl}, error);
    e.server = tls_new(e.server_context, NULL);
    pump(&e, 1 << 20);
    assert_non_null(strstr(tls_error(e.server), "revoked"));
    close_ends(&e);
    pki_revoke(&pki, false, 3600);
}

static void test_the_party_of_the_peer(void **state)
{
    struct ends e;

    (void)state;
    open_ends(&e, pki.ca, &pki, &pki, "127.0.0.1");
    assert_string_equal(tls_peer_party(e.server), "");
    pump(&e, 1 << 20);
    assert_string_equal(tls_peer_party(e.server), "");
    close_ends(&e);
    pki_renew(&pki, "IP:127.0.0.1,URI:quorate:party:party-1", -60, 3600);
    open_ends(&e, pki.ca, &pki, &pki, "127.0.0.1");
    assert_string_equal(tls_peer_party(e.server), "");
    pump(&e, 1 << 20);
    assert_string_equal(tls_peer_party(e.server), "party-1");
    close_ends(&e);
    is_open = true;
    open_ends(&e, pki.ca, &pki, &pki, "127.0.0.1");
    pump(&e, 1 << 20);
    assert_true(tls_has_peer(e.server));
    assert_string_equal(tls_peer_party(e.server), "party-1");
    close_ends(&e);
    is_open = false;
    /* A client that shows none. */
    open_ends(&e, NULL, &pki, NULL, "127.0.0.1");
    pump(&e, 1 << 20);
    assert_true(tls_is_ready(e.server));
    assert_string_equal(tls_peer_party(e.server), "");
    close_ends(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways_in_any_pieces),
        cmocka_unit_test(test_client_checks_the_server),
        cmocka_unit_test(test_server_checks_the_client),
        cmocka_unit_test(test_an_open_server_checks_what_is_shown),
        cmocka_unit_test(test_damaged_bytes),
        cmocka_unit_test(test_plain_text_is_no_handshake),
        cmocka_unit_test(test_a_revoked_certificate_is_refused),
        cmocka_unit_test(test_the_party_of_the_peer),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
