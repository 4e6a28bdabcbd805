/* SPDX-License-Identifier: Apache-2.0 */
/* Files of TLS: what is wrong with them is told in one line that names the file; whom a certificate
 * names; when it ends. */
#include "system/rpc/tls_context.h"

#include "tests/system/service/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct pki pki, other;
static char error[RPC_TEXT_MAX];

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

static void expect_good(const struct tls_files *files)
{
    struct tls_context *server = tls_context_server(files, error);
    struct tls_context *client = tls_context_client(files, error);

    assert_non_null(server);
    assert_non_null(client);
    tls_context_free(server);
    tls_context_free(client);
}

static void expect_fault(const struct tls_files *files, const char *path, const char *why)
{
    strcpy(error, "");
    assert_null(tls_context_server(files, error));
    assert_non_null(strstr(error, path));
    assert_non_null(strstr(error, why));
    strcpy(error, "");
    assert_null(tls_context_client(files, error));
    assert_non_null(strstr(error, path));
    assert_non_null(strstr(error, why));
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_files_that_cannot_be_used(void **state)
{
    const struct tls_files good = {pki.certificate, pki.key, pki.ca, pki.crl};
    struct tls_files files;

    (void)state;
    expect_good(&good);
    expect_good(&(struct tls_files){pki.certificate, pki.key, pki.ca, NULL});
    files = good, files.certificate = "/no/cert.pem";
    expect_fault(&files, "/no/cert.pem", "No such file");
    files = good, files.certificate = pki.key;
    expect_fault(&files, pki.key, "cannot use the certificate");
    files = good, files.key = "/no/key.pem";
    expect_fault(&files, "/no/key.pem", "No such file");
    files = good, files.key = other.key;
    expect_fault(&files, other.key, "is not that of the certificate");
    files = good, files.key = pki.ca;
    expect_fault(&files, pki.ca, "cannot use the private key");
    files = good, files.ca = "/no/ca.pem";
    expect_fault(&files, "/no/ca.pem", "No such file");
    files = good, files.ca = pki.key;
    expect_fault(&files, pki.key, "cannot use the CA certificate");
    files = good, files.crl = "/no/crl.pem";
    expect_fault(&files, "/no/crl.pem", "No such file");
    files = good, files.crl = pki.key;
    expect_fault(&files, pki.key, "cannot use the revocation list");
}

/* Services have nobody to ask for a passphrase. */
static void test_a_sealed_key_is_refused(void **state)
{
    const struct tls_files files = {pki.certificate, pki.key, NULL, NULL};

    (void)state;
    write_text(pki.key, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n"
                        "-----END ENCRYPTED PRIVATE KEY-----\n");
    expect_fault(&files, pki.key, "cannot use the private key");
    pki_renew(&pki, "IP:127.0.0.1", -60, 3600);
}

static void test_files_out_of_their_time(void **state)
{
    const struct tls_files files = {pki.certificate, pki.key, pki.ca, pki.crl};

    (void)state;
    pki_renew(&pki, "IP:127.0.0.1", -7200, -3600);
    expect_fault(&files, pki.certificate, "expired on ");
    assert_non_null(strstr(error, "quorate pki renew"));
    pki_renew(&pki, "IP:127.0.0.1", 3600, 7200);
    expect_fault(&files, pki.certificate, "not valid before ");
    pki_renew(&pki, "IP:127.0.0.1", -60, 3600);
    pki_revoke(&pki, false, -30);
    expect_fault(&files, pki.crl, "ended on ");
    pki_revoke(&pki, false, 3600);
    expect_good(&files);
}

static void expect_party(const char *names, const char *party)
{
    char got[TLS_PARTY_MAX];

    pki_renew(&pki, names, -60, 3600);
    tls_file_party(got, pki.certificate);
    assert_string_equal(got, party);
}

static void test_whom_a_certificate_names(void **state)
{
    char got[TLS_PARTY_MAX], names[200];

    (void)state;
    expect_party("IP:127.0.0.1", "");
    expect_party("DNS:quorate:party:a", "");
    expect_party("URI:https://example.com", "");
    expect_party("IP:127.0.0.1,URI:quorate:party:party-1", "party-1");
    expect_party("URI:https://example.com,URI:quorate:party:Party_1.a", "Party_1.a");
    /* What is no party's is nobody's. */
    expect_party("URI:quorate:party:", "?");
    expect_party("URI:quorate:party:a b", "?");
    expect_party("URI:quorate:party:a,URI:quorate:party:b", "?");
    snprintf(names, sizeof names, "URI:quorate:party:%064d", 1);
    expect_party(names, names + strlen("URI:quorate:party:"));
    snprintf(names, sizeof names, "URI:quorate:party:%065d", 1);
    expect_party(names, "?");
    pki_renew(&pki, "IP:127.0.0.1", -60, 3600);
    tls_file_party(got, "/no/cert.pem");
    assert_string_equal(got, "");
}

static void expect_end(const char *path, long in_s)
{
    int64_t left = tls_file_ends(path) - (int64_t)time(NULL);

    assert_in_range(left, in_s - 60, in_s);
}

static void test_when_files_end(void **state)
{
    (void)state;
    pki_renew(&pki, "IP:127.0.0.1", -60, 1800);
    pki_revoke(&pki, false, 900);
    expect_end(pki.ca, 3600);
    expect_end(pki.certificate, 1800);
    expect_end(pki.crl, 900);
    assert_int_equal(tls_file_ends(pki.key), 0);
    assert_int_equal(tls_file_ends("/no/cert.pem"), 0);
    pki_renew(&pki, "IP:127.0.0.1", -60, 3600);
    pki_revoke(&pki, false, 3600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_that_cannot_be_used),
        cmocka_unit_test(test_a_sealed_key_is_refused),
        cmocka_unit_test(test_files_out_of_their_time),
        cmocka_unit_test(test_whom_a_certificate_names),
        cmocka_unit_test(test_when_files_end),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
