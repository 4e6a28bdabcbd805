/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of every length about a chunk's edge come back; any byte changed, anything cut off or
 * added, and any other key or signer is noticed. */
#include "system/vault/backup_stream.h"

#include "system/core/disk.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ANOTHER ": take another copy of it, or another backup"

enum { CHUNK = 64 * 1024, ROOM = 3 * CHUNK, SIGNATURE = 64, MADE = 1700000000 };

static struct backup_key ours, others;
static uint8_t signer[64], other_signer[64];
static uint8_t plain[ROOM], sealed[ROOM + 1024], opened[ROOM];
static char error[BACKUP_STREAM_ERROR];

static int set_up(void **state)
{
    uint8_t seed[BACKUP_SEED] = {1};

    (void)state;
    backup_key_of(&ours, seed);
    seed[0] = 2;
    backup_key_of(&others, seed);
    crypto_sign_seed_keypair(signer + 32, signer, seed);
    seed[0] = 3;
    crypto_sign_seed_keypair(other_signer + 32, other_signer, seed);
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 131 >> 3);
    return 0;
}

/* A file without a name that holds |len| bytes, at its beginning. */
static int file_of(const uint8_t *b, size_t len)
{
    char path[] = "/tmp/quorate-stream-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    unlink(path);
    assert_true(disk_write(fd, b, len, 0));
    return fd;
}

static size_t take(int fd, uint8_t *b, size_t cap)
{
    ssize_t n = pread(fd, b, cap, 0);

    assert_true(n >= 0);
    close(fd);
    return (size_t)n;
}

static size_t seal(size_t len)
{
    const struct backup_sealing sealing = {&ours.recipient, signer, MADE};
    int in = file_of(plain, len), out = file_of(NULL, 0);

    assert_true(backup_stream_seal(in, out, &sealing, error));
    close(in);
    return take(out, sealed, sizeof sealed);
}

static bool open_as(size_t sealed_len, struct backup_opening *opening, size_t *len)
{
    int in = file_of(sealed, sealed_len), out = file_of(NULL, 0);
    bool ok = backup_stream_open(in, out, opening, error);

    close(in);
    *len = take(out, opened, sizeof opened);
    return ok;
}

static bool open_it(size_t sealed_len, const struct backup_key *key, size_t *len)
{
    struct backup_opening opening = {key, signer + 32, -1};

    return open_as(sealed_len, &opening, len);
}

static void test_any_length_comes_back(void **state)
{
    static const size_t lens[] = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, ROOM};
    size_t n, sealed_len;

    (void)state;
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        sealed_len = seal(lens[i]);
        assert_true(open_it(sealed_len, &ours, &n));
        assert_int_equal(n, lens[i]);
        assert_memory_equal(opened, plain, n);
    }
}

static void test_another_key_opens_nothing(void **state)
{
    size_t n, sealed_len = seal(10);

    (void)state;
    assert_false(open_it(sealed_len, &others, &n));
    assert_string_equal(error, "is sealed to another recipient: use that one's key");
    /* nor under our name */
    memcpy(sealed + 8, others.recipient.id, BACKUP_ID);
    assert_false(open_it(sealed_len, &others, &n));
    assert_string_equal(error, "is damaged" ANOTHER);
    assert_int_equal(n, 0);
}

static void test_it_says_when_it_was_made(void **state)
{
    struct backup_opening opening = {&ours, signer + 32, -1};
    size_t n;

    (void)state;
    assert_true(open_as(seal(10), &opening, &n));
    assert_int_equal(opening.time_ms, MADE);
}

/* Whoever has the recipient's text can seal. */
static void test_another_signer_is_refused(void **state)
{
    const struct backup_sealing sealing = {&ours.recipient, other_signer, MADE};
    int in = file_of(plain, 10), out = file_of(NULL, 0);
    size_t n, sealed_len;

    (void)state;
    assert_true(backup_stream_seal(in, out, &sealing, error));
    close(in);
    sealed_len = take(out, sealed, sizeof sealed);
    assert_false(open_it(sealed_len, &ours, &n));
    assert_non_null(strstr(error, "is signed by "));
    assert_non_null(strstr(error, "which is another key"));
    assert_int_equal(n, 0);
}

/* Who knows the stream's key, as its recipient does, does not have its signer's. */
static void test_another_signature_is_refused(void **state)
{
    enum { LABEL = sizeof "quorate backup stream" };
    size_t n, sealed_len = seal(10);
    crypto_sign_state sum;

    (void)state;
    crypto_sign_init(&sum);
    crypto_sign_update(&sum, (const uint8_t *)"quorate backup stream", LABEL);
    crypto_sign_update(&sum, sealed, sealed_len - SIGNATURE);
    assert_int_equal(crypto_sign_final_verify(&sum, sealed + sealed_len - SIGNATURE, signer + 32),
                     0);
    crypto_sign_init(&sum);
    crypto_sign_update(&sum, (const uint8_t *)"quorate backup stream", LABEL);
    crypto_sign_update(&sum, sealed, sealed_len - SIGNATURE);
    crypto_sign_final_create(&sum, sealed + sealed_len - SIGNATURE, NULL, other_signer);
    assert_false(open_it(sealed_len, &ours, &n));
    assert_string_equal(error, "is damaged, not as it was signed" ANOTHER);
}

static void test_any_changed_byte_is_noticed(void **state)
{
    size_t n, sealed_len = seal(100);

    (void)state;
    for (size_t i = 0; i < sealed_len; i++) {
        sealed[i] ^= 0x10;
        assert_false(open_it(sealed_len, &ours, &n));
        assert_int_equal(n, i < sealed_len - SIGNATURE ? 0 : 100);
        sealed[i] ^= 0x10;
    }
    assert_true(open_it(sealed_len, &ours, &n));
}

static void test_any_cut_is_noticed(void **state)
{
    size_t n, sealed_len = seal(CHUNK + 5);

    (void)state;
    for (size_t len = 0; len < sealed_len; len += len < 200 || len > CHUNK ? 1 : 1021)
        assert_false(open_it(len, &ours, &n));
    assert_string_equal(error, "is cut off" ANOTHER);
    sealed[sealed_len] = 0;
    assert_false(open_it(sealed_len + 1, &ours, &n));
    assert_string_equal(error, "has something behind its end" ANOTHER);
}

static void test_chunks_keep_their_order(void **state)
{
    enum { HEAD = 168, STEP = 4 + CHUNK + 17 };
    uint8_t *first = sealed + HEAD, *swap = malloc(STEP);
    size_t n, sealed_len = seal(2 * CHUNK + 5);

    (void)state;
    memcpy(swap, first, STEP);
    memcpy(first, first + STEP, STEP);
    memcpy(first + STEP, swap, STEP);
    assert_false(open_it(sealed_len, &ours, &n));
    assert_string_equal(error, "is damaged" ANOTHER);
    free(swap);
}

static void test_a_disk_that_is_full(void **state)
{
    const struct backup_sealing sealing = {&ours.recipient, signer, MADE};
    int in = file_of(plain, 10), out = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)state;
    assert_false(backup_stream_seal(in, out, &sealing, error));
    assert_non_null(strstr(error, "cannot be written: "));
    close(out);
    assert_false(backup_stream_seal(-1, in, &sealing, error));
    assert_non_null(strstr(error, "cannot be read: "));
    close(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_length_comes_back),
        cmocka_unit_test(test_another_key_opens_nothing),
        cmocka_unit_test(test_it_says_when_it_was_made),
        cmocka_unit_test(test_another_signer_is_refused),
        cmocka_unit_test(test_another_signature_is_refused),
        cmocka_unit_test(test_any_changed_byte_is_noticed),
        cmocka_unit_test(test_any_cut_is_noticed),
        cmocka_unit_test(test_chunks_keep_their_order),
        cmocka_unit_test(test_a_disk_that_is_full),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, set_up, NULL);
}
