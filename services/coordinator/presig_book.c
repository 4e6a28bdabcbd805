/* SPDX-License-Identifier: Apache-2.0 */
/* An array, oldest first. It is walked once for a signature; at its bound that is some
 * microseconds. */
#include "services/coordinator/presig_book.h"

#include "system/core/be.h"
#include "system/core/buffer.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    /* of the presignature's key and its signers */
    uint8_t place[32];
    struct presig presig;
    int64_t made_ms;
};

struct presig_book {
    size_t n;
    struct entry entries[PRESIG_BOOK_MAX];
};

static void hash_number(crypto_hash_sha256_state *state, uint32_t v)
{
    uint8_t b[4];

    be_put(b, sizeof b, v);
    crypto_hash_sha256_update(state, b, sizeof b);
}

void presig_book_key(uint8_t key[32], const struct qrt_intent *intent)
{
    crypto_hash_sha256_state state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, intent->account, sizeof intent->account);
    crypto_hash_sha256_update(&state, intent->keyid, sizeof intent->keyid);
    hash_number(&state, intent->purpose);
    hash_number(&state, intent->t);
    hash_number(&state, intent->path_n);
    for (size_t i = 0; i < intent->path_n; i++)
        hash_number(&state, intent->path[i]);
    crypto_hash_sha256_final(&state, key);
}

static void place_of(uint8_t place[32], const struct presig *presig)
{
    crypto_hash_sha256_state state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, presig->key, sizeof presig->key);
    for (size_t i = 0; i < presig->signers_n; i++) {
        const struct presig_signer *signer = &presig->signers[i];

        /* the end of the text separates */
        crypto_hash_sha256_update(&state, (const uint8_t *)signer->party_id,
                                  strlen(signer->party_id) + 1);
        crypto_hash_sha256_update(&state, signer->boot_id, sizeof signer->boot_id);
    }
    crypto_hash_sha256_final(&state, place);
}

struct presig_book *presig_book_new(void)
{
    return mem_new(1, sizeof(struct presig_book));
}

void presig_book_free(struct presig_book *book)
{
    if (!book)
        return;
    for (size_t i = 0; i < book->n; i++)
        free(book->entries[i].presig.signers);
    free(book);
}

static void unlink_at(struct presig_book *book, size_t at)
{
    book->n--;
    memmove(&book->entries[at], &book->entries[at + 1], (book->n - at) * sizeof book->entries[0]);
}

static void forget(struct presig_book *book, size_t at)
{
    free(book->entries[at].presig.signers);
    unlink_at(book, at);
}

/* One more of |place| has to fit. */
static void make_room(struct presig_book *book, const uint8_t place[32])
{
    size_t n = 0, oldest = 0;

    for (size_t i = book->n; i-- > 0;) {
        if (memcmp(book->entries[i].place, place, 32) != 0)
            continue;
        n++;
        oldest = i;
    }
    if (n >= PRESIG_BOOK_PLACE_MAX)
        forget(book, oldest);
    else if (book->n >= PRESIG_BOOK_MAX)
        forget(book, 0);
}

bool presig_book_put(struct presig_book *book, const struct presig *presig, int64_t now_ms)
{
    struct entry entry = {.presig = *presig, .made_ms = now_ms};

    for (size_t i = 0; i < book->n; i++)
        if (memcmp(book->entries[i].presig.id, presig->id, sizeof presig->id) == 0)
            return false;
    place_of(entry.place, presig);
    make_room(book, entry.place);
    entry.presig.signers = mem_copy(presig->signers, presig->signers_n * sizeof presig->signers[0]);
    book->entries[book->n++] = entry;
    return true;
}

/* The worst of its signers. */
static enum presig_state state_of(const struct presig *presig, presig_look *look, void *arg)
{
    enum presig_state worst = PRESIG_FITS;

    for (size_t i = 0; i < presig->signers_n && worst != PRESIG_GONE; i++) {
        enum presig_state state = look(&presig->signers[i], arg);

        if (state > worst)
            worst = state;
    }
    return worst;
}

bool presig_book_take(struct presig_book *book, struct presig *out, const uint8_t key[32],
                      presig_look *look, void *arg)
{
    for (size_t i = book->n; i-- > 0;) {
        enum presig_state state;

        if (memcmp(book->entries[i].presig.key, key, 32) != 0)
            continue;
        state = state_of(&book->entries[i].presig, look, arg);
        if (state == PRESIG_FITS) {
            *out = book->entries[i].presig;
            unlink_at(book, i);
            return true;
        }
        if (state == PRESIG_GONE)
            forget(book, i);
    }
    return false;
}

void presig_book_expire(struct presig_book *book, presig_look *look, void *arg, int64_t now_ms)
{
    for (size_t i = book->n; i-- > 0;) {
        const struct entry *entry = &book->entries[i];

        if (now_ms - entry->made_ms >= PRESIG_BOOK_LIFE_MS ||
            state_of(&entry->presig, look, arg) == PRESIG_GONE)
            forget(book, i);
    }
}

size_t presig_book_count(const struct presig_book *book, const uint8_t *key)
{
    size_t n = 0;

    if (!key)
        return book->n;
    for (size_t i = 0; i < book->n; i++)
        n += memcmp(book->entries[i].presig.key, key, 32) == 0;
    return n;
}
