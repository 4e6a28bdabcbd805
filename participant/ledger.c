/* SPDX-License-Identifier: Apache-2.0 */
/* Places of 64 bytes, one behind the other. What an end in the middle of a write leaves is cut at
 * the next start: a part of a place, or zeroes, at the end of the file. Nobody was told of those.
 * In memory a place is the first half of its check, in an open table that is at most half full. */
#include "participant/ledger.h"

#include "system/core/be.h"
#include "system/core/buffer.h"
#include "system/core/disk.h"
#include "system/core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, NAME = 16, SLOTS_MIN = 64, AT_ONCE = 64 };

struct place {
    uint8_t magic[4], kind;
    uint8_t body[40];
    uint8_t check[19];
};
enum { CHECKED = offsetof(struct place, check) };
_Static_assert(sizeof(struct place) == 64, "no padding");

static const uint8_t magic[4] = "DKL1";

struct ledger {
    pthread_mutex_t lock;
    int fd;
    size_t places_n, slots_n;
    uint8_t (*slots)[NAME];
    /* the disk failed: the system takes pages that it could not write for written */
    bool is_broken;
};

/* Places */

static struct place place_of(const struct ledger_fact *fact)
{
    struct place place = {.kind = (uint8_t)fact->kind};
    const struct store_burn *burn = &fact->burn;

    memcpy(place.magic, magic, sizeof magic);
    if (fact->kind == LEDGER_BURN) {
        memcpy(place.body, burn->kgid, 32);
        be_put(place.body + 32, 4, burn->epoch);
        be_put(place.body + 36, 2, burn->own);
        be_put(place.body + 38, 2, burn->peer);
    } else if (fact->kind == LEDGER_LOAN) {
        memcpy(place.body, fact->loan, 16);
    } else if (fact->kind == LEDGER_GONE) {
        memcpy(place.body, fact->gone.kgid, 32);
        be_put(place.body + 32, 4, fact->gone.epoch);
    } else {
        memcpy(place.body, fact->order.account, 16);
        be_put(place.body + 16, 8, fact->order.serial);
        place.body[24] = fact->order.is_frozen;
    }
    crypto_generichash(place.check, sizeof place.check, (const uint8_t *)&place, CHECKED, NULL, 0);
    return place;
}

static struct ledger_fact fact_of(const struct place *place)
{
    const uint8_t *b = place->body;
    struct ledger_fact fact = {.kind = (enum ledger_kind)place->kind};

    if (fact.kind == LEDGER_BURN) {
        memcpy(fact.burn.kgid, b, 32);
        fact.burn.epoch = (uint32_t)be_get(b + 32, 4);
        fact.burn.own = (uint16_t)be_get(b + 36, 2);
        fact.burn.peer = (uint16_t)be_get(b + 38, 2);
    } else if (fact.kind == LEDGER_LOAN) {
        memcpy(fact.loan, b, 16);
    } else if (fact.kind == LEDGER_GONE) {
        memcpy(fact.gone.kgid, b, 32);
        fact.gone.epoch = (uint32_t)be_get(b + 32, 4);
    } else {
        memcpy(fact.order.account, b, 16);
        fact.order.serial = be_get(b + 16, 8);
        fact.order.is_frozen = b[24] != 0;
    }
    return fact;
}

static bool is_sound(const struct place *place)
{
    struct ledger_fact fact = fact_of(place);
    struct place again = place_of(&fact);

    return place->kind >= LEDGER_BURN && place->kind <= LEDGER_GONE &&
           memcmp(place, &again, sizeof again) == 0;
}

/* The table */

/* Where |name| is, or the free slot for it. */
static size_t slot_of(const struct ledger *l, const uint8_t name[NAME])
{
    size_t at = (size_t)be_get(name, 8) & (l->slots_n - 1);

    while (!sodium_is_zero(l->slots[at], NAME) && memcmp(l->slots[at], name, NAME) != 0)
        at = (at + 1) & (l->slots_n - 1);
    return at;
}

static void grow(struct ledger *l)
{
    uint8_t(*old)[NAME] = l->slots;
    size_t old_n = l->slots_n;

    l->slots_n = old_n ? 2 * old_n : SLOTS_MIN;
    l->slots = mem_new(l->slots_n, NAME);
    for (size_t i = 0; i < old_n; i++) {
        if (!sodium_is_zero(old[i], NAME))
            memcpy(l->slots[slot_of(l, old[i])], old[i], NAME);
    }
    free(old);
}

static void note(struct ledger *l, const struct place *place)
{
    if (2 * (l->places_n + 1) > l->slots_n)
        grow(l);
    memcpy(l->slots[slot_of(l, place->check)], place->check, NAME);
    l->places_n++;
}

static bool knows(const struct ledger *l, const struct place *place)
{
    return l->slots_n > 0 && !sodium_is_zero(l->slots[slot_of(l, place->check)], NAME);
}

/* The file */

/* Places from number |at| on; less than |n|: the file ends, or cannot be read. */
static size_t read_places(int fd, struct place *out, size_t n, size_t at)
{
    size_t len = 0;
    ssize_t got;

    do {
        got =
            pread(fd, (uint8_t *)out + len, n * sizeof *out - len, (off_t)(at * sizeof *out + len));
        if (got > 0)
            len += (size_t)got;
    } while (got > 0 || (got < 0 && errno == EINTR));
    return len / sizeof *out;
}

/* How many places there are, without zeroes at the end. */
static size_t count(const struct ledger *l)
{
    off_t size = lseek(l->fd, 0, SEEK_END);
    size_t n = size < 0 ? 0 : (size_t)size / sizeof(struct place);
    struct place last;

    while (n > 0 && read_places(l->fd, &last, 1, n - 1) == 1 &&
           sodium_is_zero((const uint8_t *)&last, sizeof last))
        n--;
    return n;
}

static bool load(struct ledger *l)
{
    struct place places[AT_ONCE];
    size_t n = count(l), got = 0;

    while (l->places_n < n) {
        size_t want = n - l->places_n < AT_ONCE ? n - l->places_n : AT_ONCE;

        got = read_places(l->fd, places, want, l->places_n);
        if (got < want)
            return false;
        for (size_t i = 0; i < got; i++) {
            if (!is_sound(&places[i]))
                return false;
            note(l, &places[i]);
        }
    }
    return ftruncate(l->fd, (off_t)(n * sizeof *places)) == 0;
}

struct ledger *ledger_open(const char *directory, char error[STORE_ERROR_MAX])
{
    struct ledger *l = mem_new(1, sizeof *l);
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/ledger", directory);

    l->fd = -1;
    pthread_mutex_init(&l->lock, NULL);
    if (n >= 0 && (size_t)n < sizeof path)
        l->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->fd < 0 || !disk_sync_directory(directory)) {
        snprintf(error, STORE_ERROR_MAX, "cannot read and write %.120s/ledger: %.60s", directory,
                 strerror(errno));
    } else if (!load(l)) {
        snprintf(error, STORE_ERROR_MAX, "%.120s/ledger is damaged: restore it", directory);
    } else {
        return l;
    }
    ledger_close(l);
    return NULL;
}

void ledger_close(struct ledger *ledger)
{
    if (!ledger)
        return;
    if (ledger->fd >= 0)
        close(ledger->fd);
    pthread_mutex_destroy(&ledger->lock);
    free(ledger->slots);
    free(ledger);
}

/* A second sync would say that all is well. What may not be on the disk is cut off, so that the
 * next start does not read it out of memory and believe it. */
static void break_off(struct ledger *l)
{
    l->is_broken = true;
    log_line(LOG_ERROR, ftruncate(l->fd, (off_t)(l->places_n * sizeof(struct place))) == 0
                            ? "the disk failed to keep the ledger: it takes nothing new until the "
                              "next start"
                            : "the disk failed to keep the ledger, and to cut it: it takes nothing "
                              "new; look at the disk before the next start");
}

/* Under the lock. What a write left that failed is written over by the next. */
static bool append(struct ledger *l, const struct place *places, size_t n)
{
    if (n > 0 && (l->is_broken ||
                  !disk_write(l->fd, places, n * sizeof *places, l->places_n * sizeof *places)))
        return false;
    if (n > 0 && fdatasync(l->fd) != 0) {
        break_off(l);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        note(l, &places[i]);
    return true;
}

bool ledger_put(struct ledger *ledger, const struct ledger_fact *facts, size_t n)
{
    struct place *places = mem_new(n + 1, sizeof *places);
    size_t new_n = 0;
    bool ok;

    pthread_mutex_lock(&ledger->lock);
    for (size_t i = 0; i < n; i++) {
        places[new_n] = place_of(&facts[i]);
        new_n += !knows(ledger, &places[new_n]);
    }
    ok = append(ledger, places, new_n);
    pthread_mutex_unlock(&ledger->lock);
    free(places);
    return ok;
}

bool ledger_has(struct ledger *ledger, const struct ledger_fact *fact)
{
    struct place place = place_of(fact);
    bool found;

    pthread_mutex_lock(&ledger->lock);
    found = knows(ledger, &place);
    pthread_mutex_unlock(&ledger->lock);
    return found;
}

bool ledger_each(struct ledger *ledger, void (*each)(void *arg, const struct ledger_fact *fact),
                 void *arg)
{
    struct place place;
    bool ok = true;

    pthread_mutex_lock(&ledger->lock);
    for (size_t i = 0; ok && i < ledger->places_n; i++) {
        struct ledger_fact fact;

        ok = read_places(ledger->fd, &place, 1, i) == 1 && is_sound(&place);
        fact = fact_of(&place);
        if (ok)
            each(arg, &fact);
    }
    pthread_mutex_unlock(&ledger->lock);
    return ok;
}
