/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of fixed size, each with a checksum, appended to one of two files. When most rows are of the
 * past, those that still matter are written to the other file, which then takes over. What counts
 * is the union of both, the highest attempt of each intent, so that an end of the process at any
 * point loses nothing. */
#include "participant/attempts.h"

#include "system/core/be.h"
#include "system/core/buffer.h"
#include "system/core/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUCKETS = 4096, COMPACT_ROWS = 4096, FILES = 2, PATH_BYTES = 4096 };

struct row {
    uint8_t intent_hash[32];
    uint8_t until_ms[8];
    uint8_t number[4];
    uint8_t check[crypto_shorthash_BYTES];
};
enum { CHECKED = offsetof(struct row, check) };
_Static_assert(sizeof(struct row) == CHECKED + crypto_shorthash_BYTES, "no padding");

struct entry {
    struct entry *next;
    uint8_t intent_hash[32];
    uint32_t number;
    int64_t until_ms;
};

struct attempts {
    pthread_mutex_t lock;
    struct entry *buckets[BUCKETS];
    size_t entries;
    int fds[FILES];
    /* the file that is written, its rows, and how many make a compaction worth it */
    size_t at, rows, rows_max;
};

/* Rows */

/* Against torn writes, not against people: whoever can write here can erase it as well. */
static void check_of(const struct row *row, uint8_t out[crypto_shorthash_BYTES])
{
    static const uint8_t key[crypto_shorthash_KEYBYTES] = "quorate attempt";

    crypto_shorthash(out, (const uint8_t *)row, CHECKED, key);
}

static struct row row_of(const struct entry *entry)
{
    struct row row;

    memcpy(row.intent_hash, entry->intent_hash, 32);
    be_put(row.until_ms, 8, (uint64_t)entry->until_ms);
    be_put(row.number, 4, entry->number);
    check_of(&row, row.check);
    return row;
}

/* Table; under the lock */

static struct entry **bucket_of(struct attempts *attempts, const uint8_t intent_hash[32])
{
    return &attempts->buckets[be_get(intent_hash, 4) % BUCKETS];
}

static struct entry *find(struct attempts *attempts, const uint8_t intent_hash[32])
{
    struct entry *entry = *bucket_of(attempts, intent_hash);

    while (entry && memcmp(entry->intent_hash, intent_hash, 32) != 0)
        entry = entry->next;
    return entry;
}

static struct entry *remember(struct attempts *attempts, const struct attempt *attempt)
{
    struct entry **bucket = bucket_of(attempts, attempt->intent_hash);
    struct entry *entry = find(attempts, attempt->intent_hash);

    if (!entry) {
        entry = mem_new(1, sizeof *entry);
        memcpy(entry->intent_hash, attempt->intent_hash, 32);
        entry->next = *bucket;
        *bucket = entry;
        attempts->entries++;
    }
    if (attempt->number >= entry->number) {
        entry->number = attempt->number;
        entry->until_ms = attempt->until_ms;
    }
    return entry;
}

static void expire(struct attempts *attempts, int64_t now_ms)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct entry **at = &attempts->buckets[i];

        while (*at) {
            struct entry *entry = *at;

            if (entry->until_ms >= now_ms) {
                at = &entry->next;
                continue;
            }
            *at = entry->next;
            free(entry);
            attempts->entries--;
        }
    }
}

/* Files */

/* All that is known, behind |at| rows of a file. */
static bool write_all(const struct attempts *attempts, int fd, size_t at)
{
    struct row *rows = mem_new(attempts->entries + 1, sizeof *rows);
    size_t n = 0;
    bool ok;

    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct entry *entry = attempts->buckets[i]; entry; entry = entry->next)
            rows[n++] = row_of(entry);
    }
    ok = disk_write(fd, rows, n * sizeof *rows, at * sizeof *rows);
    free(rows);
    return ok;
}

/* What still matters into the other file. It fails without harm: the present one stays. */
static bool compact(struct attempts *attempts, int64_t now_ms)
{
    size_t other = (attempts->at + 1) % FILES;
    int fd = attempts->fds[other];

    expire(attempts, now_ms);
    attempts->rows_max = attempts->rows + COMPACT_ROWS;
    if (ftruncate(fd, 0) != 0 || !write_all(attempts, fd, 0) ||
        ftruncate(attempts->fds[attempts->at], 0) != 0)
        return false;
    attempts->at = other;
    attempts->rows = attempts->entries;
    attempts->rows_max = 2 * attempts->rows + COMPACT_ROWS;
    return true;
}

/* False: it cannot be read. A row that is not whole was never answered for. */
static bool load(struct attempts *attempts, int fd)
{
    struct row row;
    uint8_t check[crypto_shorthash_BYTES];
    ssize_t n;

    for (off_t at = 0; (n = pread(fd, &row, sizeof row, at)) == (ssize_t)sizeof row; at += n) {
        const struct attempt attempt = {row.intent_hash, (uint32_t)be_get(row.number, 4),
                                        (int64_t)be_get(row.until_ms, 8)};

        check_of(&row, check);
        if (memcmp(check, row.check, sizeof check) == 0)
            (void)remember(attempts, &attempt);
    }
    return n >= 0;
}

static bool open_files(struct attempts *attempts, const char *directory)
{
    char path[PATH_BYTES];

    for (int i = 0; i < FILES; i++) {
        int n = snprintf(path, sizeof path, "%s/attempts.%d", directory, i);

        if (n < 0 || (size_t)n >= sizeof path)
            return false;
        attempts->fds[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (attempts->fds[i] < 0 || !load(attempts, attempts->fds[i]))
            return false;
    }
    return true;
}

/* After an end at any point one of the files has everything, but which? So first all of it behind
 * what the first one has, and then back to one file without what is past. */
static bool settle(struct attempts *attempts, int64_t now_ms)
{
    off_t size = lseek(attempts->fds[0], 0, SEEK_END);

    if (size < 0)
        return false;
    attempts->rows = (size_t)size / sizeof(struct row);
    return write_all(attempts, attempts->fds[0], attempts->rows) && compact(attempts, now_ms);
}

struct attempts *attempts_open(const char *directory, int64_t now_ms,
                               char error[ATTEMPTS_ERROR_MAX])
{
    struct attempts *attempts = mem_new(1, sizeof *attempts);

    pthread_mutex_init(&attempts->lock, NULL);
    for (int i = 0; i < FILES; i++)
        attempts->fds[i] = -1;
    if (open_files(attempts, directory) && settle(attempts, now_ms))
        return attempts;
    snprintf(error, ATTEMPTS_ERROR_MAX, "cannot read and write %.100s/attempts.*: %.100s",
             directory, strerror(errno));
    attempts_close(attempts);
    return NULL;
}

void attempts_close(struct attempts *attempts)
{
    if (!attempts)
        return;
    for (int i = 0; i < FILES; i++) {
        if (attempts->fds[i] >= 0)
            close(attempts->fds[i]);
    }
    expire(attempts, INT64_MAX);
    pthread_mutex_destroy(&attempts->lock);
    free(attempts);
}

bool attempts_is_old(struct attempts *attempts, const struct attempt *attempt)
{
    const struct entry *entry;
    bool is_old;

    pthread_mutex_lock(&attempts->lock);
    entry = find(attempts, attempt->intent_hash);
    is_old = entry && attempt->number <= entry->number;
    pthread_mutex_unlock(&attempts->lock);
    return is_old;
}

bool attempts_begin(struct attempts *attempts, const struct attempt *attempt, int64_t now_ms)
{
    struct row row;
    bool ok;

    pthread_mutex_lock(&attempts->lock);
    if (attempts->rows >= attempts->rows_max)
        (void)compact(attempts, now_ms);
    row = row_of(remember(attempts, attempt));
    ok = disk_write(attempts->fds[attempts->at], &row, sizeof row, attempts->rows * sizeof row);
    attempts->rows += ok;
    pthread_mutex_unlock(&attempts->lock);
    return ok;
}
