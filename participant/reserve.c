/* SPDX-License-Identifier: Apache-2.0 */
/* Places of 64 bytes, so that none crosses a sector: it is written whole or not at all. All zero is
 * an empty one. The check is against a disk's faults, not against people: whoever can write here
 * can erase the database as well. */
#include "participant/reserve.h"

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
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

struct place {
    uint8_t magic[4];
    uint8_t kgid[32];
    uint8_t epoch[4], own[2], peer[2];
    uint8_t check[20];
};
enum { CHECKED = offsetof(struct place, check) };
_Static_assert(sizeof(struct place) == 64, "no padding, and whole in a sector");

static const uint8_t magic[4] = "DKR1";

struct reserve {
    pthread_mutex_t lock;
    int fd;
    /* as they are in the file */
    struct place places[RESERVE_BURNS];
};

/* Places */

static struct place place_of(const struct store_burn *burn)
{
    struct place place;

    memcpy(place.magic, magic, sizeof magic);
    memcpy(place.kgid, burn->kgid, sizeof place.kgid);
    be_put(place.epoch, sizeof place.epoch, burn->epoch);
    be_put(place.own, sizeof place.own, burn->own);
    be_put(place.peer, sizeof place.peer, burn->peer);
    crypto_generichash(place.check, sizeof place.check, (const uint8_t *)&place, CHECKED, NULL, 0);
    return place;
}

static struct store_burn burn_of(const struct place *place)
{
    struct store_burn burn = {.epoch = (uint32_t)be_get(place->epoch, sizeof place->epoch),
                              .own = (uint16_t)be_get(place->own, sizeof place->own),
                              .peer = (uint16_t)be_get(place->peer, sizeof place->peer)};

    memcpy(burn.kgid, place->kgid, sizeof burn.kgid);
    return burn;
}

static bool is_empty(const struct place *place)
{
    return sodium_is_zero((const uint8_t *)place, sizeof *place);
}

static bool is_sound(const struct place *place)
{
    struct store_burn burn = burn_of(place);
    struct place again = place_of(&burn);

    return is_empty(place) || memcmp(place, &again, sizeof again) == 0;
}

/* Where |wanted| is, or RESERVE_BURNS. Under the lock. */
static size_t find(const struct reserve *r, const struct place *wanted)
{
    size_t i = 0;

    while (i < RESERVE_BURNS && memcmp(&r->places[i], wanted, sizeof *wanted) != 0)
        i++;
    return i;
}

/* The file */

static bool write_place(struct reserve *r, size_t i, const struct place *place)
{
    if (!disk_write(r->fd, place, sizeof *place, i * sizeof *place) || fdatasync(r->fd) != 0)
        return false;
    r->places[i] = *place;
    return true;
}

/* It gets its name when it is whole: a file that is not has lost something. */
static bool make_file(const struct reserve *r, const char *directory, const char *path)
{
    char unnamed[PATH_BYTES + sizeof ".new"];
    int fd;
    bool ok;

    snprintf(unnamed, sizeof unnamed, "%s.new", path);
    (void)unlink(unnamed);
    fd = open(unnamed, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ok = fd >= 0 && disk_write(fd, r->places, sizeof r->places, 0) && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok && rename(unnamed, path) == 0 && disk_sync_directory(directory);
}

static bool open_file(struct reserve *r, const char *directory, const char *path)
{
    r->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (r->fd < 0 && errno == ENOENT && make_file(r, directory, path))
        r->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    return r->fd >= 0;
}

static bool is_whole(struct reserve *r)
{
    struct stat st;

    return fstat(r->fd, &st) == 0 && st.st_size == (off_t)sizeof r->places &&
           pread(r->fd, r->places, sizeof r->places, 0) == (ssize_t)sizeof r->places;
}

static bool all_sound(const struct reserve *r)
{
    for (size_t i = 0; i < RESERVE_BURNS; i++) {
        if (!is_sound(&r->places[i]))
            return false;
    }
    return true;
}

struct reserve *reserve_open(const char *directory, char error[STORE_ERROR_MAX])
{
    struct reserve *r = mem_new(1, sizeof *r);
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/burns.reserve", directory);

    r->fd = -1;
    pthread_mutex_init(&r->lock, NULL);
    if (n < 0 || (size_t)n >= sizeof path) {
        snprintf(error, STORE_ERROR_MAX, "DATA_DIR: the path is too long");
    } else if (!open_file(r, directory, path)) {
        snprintf(error, STORE_ERROR_MAX, "cannot read and write %.120s: %.60s", path,
                 strerror(errno));
    } else if (!is_whole(r) || !all_sound(r)) {
        snprintf(error, STORE_ERROR_MAX,
                 "%.120s is damaged: restore it, or remove it if this party's disk was never full",
                 path);
    } else {
        return r;
    }
    reserve_close(r);
    return NULL;
}

void reserve_close(struct reserve *reserve)
{
    if (!reserve)
        return;
    if (reserve->fd >= 0)
        close(reserve->fd);
    pthread_mutex_destroy(&reserve->lock);
    free(reserve);
}

bool reserve_put(struct reserve *reserve, const struct store_burn *burn)
{
    static const struct place empty;
    struct place place = place_of(burn);
    size_t at;
    bool ok;

    pthread_mutex_lock(&reserve->lock);
    ok = find(reserve, &place) < RESERVE_BURNS;
    at = find(reserve, &empty);
    ok = ok || (at < RESERVE_BURNS && write_place(reserve, at, &place));
    pthread_mutex_unlock(&reserve->lock);
    return ok;
}

bool reserve_has(struct reserve *reserve, const struct store_burn *burn)
{
    struct place place = place_of(burn);
    bool found;

    pthread_mutex_lock(&reserve->lock);
    found = find(reserve, &place) < RESERVE_BURNS;
    pthread_mutex_unlock(&reserve->lock);
    return found;
}

void reserve_drop(struct reserve *reserve, const struct store_burn *burn)
{
    static const struct place empty;
    struct place place = place_of(burn);
    size_t at;

    pthread_mutex_lock(&reserve->lock);
    at = find(reserve, &place);
    if (at < RESERVE_BURNS)
        (void)write_place(reserve, at, &empty);
    pthread_mutex_unlock(&reserve->lock);
}

size_t reserve_list(struct reserve *reserve, struct store_burn *out, size_t cap)
{
    size_t n = 0;

    pthread_mutex_lock(&reserve->lock);
    for (size_t i = 0; i < RESERVE_BURNS; i++) {
        if (is_empty(&reserve->places[i]))
            continue;
        if (n < cap)
            out[n] = burn_of(&reserve->places[i]);
        n++;
    }
    pthread_mutex_unlock(&reserve->lock);
    return n;
}
