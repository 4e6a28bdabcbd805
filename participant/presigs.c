/* SPDX-License-Identifier: Apache-2.0 */
/* One list, oldest first. A presignature leaves it before anything is done with it, so that no two
 * sessions can get the same one. */
#include "participant/presigs.h"

#include "system/core/be.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/secret.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct presigs {
    pthread_mutex_t lock;
    size_t pool, n;
    struct presig *first;
};

struct presig *presig_new(size_t len)
{
    struct presig *presig = mem_new(1, sizeof *presig);

    presig->record = secret_new(len);
    presig->len = len;
    return presig;
}

void presig_free(struct presig *presig)
{
    if (!presig)
        return;
    secret_free(presig->record);
    free(presig);
}

struct presigs *presigs_new(size_t pool)
{
    struct presigs *presigs = mem_new(1, sizeof *presigs);

    presigs->pool = pool;
    pthread_mutex_init(&presigs->lock, NULL);
    return presigs;
}

void presigs_free(struct presigs *presigs)
{
    if (!presigs)
        return;
    while (presigs->first) {
        struct presig *presig = presigs->first;

        presigs->first = presig->next;
        presig_free(presig);
    }
    pthread_mutex_destroy(&presigs->lock);
    free(presigs);
}

static void hash_number(crypto_hash_sha256_state *state, uint32_t v)
{
    uint8_t b[4];

    be_put(b, sizeof b, v);
    crypto_hash_sha256_update(state, b, sizeof b);
}

/* Lengths precede what they count; boot ids are 16 bytes or count as zero. */
void presigs_place(uint8_t place[32], const struct permit *permit)
{
    static const uint8_t none[16];
    const struct qrt_intent *intent = &permit->intent;
    crypto_hash_sha256_state state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, intent->keyid, 32);
    hash_number(&state, intent->path_n);
    for (size_t i = 0; i < intent->path_n; i++)
        hash_number(&state, intent->path[i]);
    hash_number(&state, (uint32_t)permit->n);
    for (size_t i = 0; i < permit->n; i++) {
        const ProtobufCBinaryData *boot = &permit->setup->members[i]->boot_id;

        hash_number(&state, permit->indices[i]);
        crypto_hash_sha256_update(&state, boot->len == 16 ? boot->data : none, 16);
    }
    crypto_hash_sha256_final(&state, place);
}

static size_t count_at(const struct presigs *presigs, const uint8_t place[32])
{
    size_t n = 0;

    for (const struct presig *p = presigs->first; p; p = p->next)
        n += memcmp(p->place, place, 32) == 0;
    return n;
}

bool presigs_keeps(const struct presigs *presigs)
{
    return presigs->pool > 0;
}

static struct presig *unlink_one(struct presigs *presigs, struct presig **at)
{
    struct presig *presig = *at;

    *at = presig->next;
    presig->next = NULL;
    presigs->n--;
    return presig;
}

/* Unlink the first that fits; |id| NULL: any. */
static struct presig *unlink_at(struct presigs *presigs, const uint8_t *id, const uint8_t place[32])
{
    for (struct presig **at = &presigs->first; *at; at = &(*at)->next) {
        struct presig *presig = *at;

        if (memcmp(presig->place, place, 32) != 0 || (id && memcmp(presig->id, id, 32) != 0))
            continue;
        return unlink_one(presigs, at);
    }
    return NULL;
}

void presigs_put(struct presigs *presigs, struct presig *presig)
{
    struct presig *oldest = NULL, **at = &presigs->first;

    pthread_mutex_lock(&presigs->lock);
    if (count_at(presigs, presig->place) >= presigs->pool)
        oldest = unlink_at(presigs, NULL, presig->place);
    else if (presigs->n >= PRESIGS_MAX)
        oldest = unlink_one(presigs, &presigs->first);
    while (*at)
        at = &(*at)->next;
    presig->next = NULL;
    presig->made_us = clock_steady_us();
    *at = presig;
    presigs->n++;
    pthread_mutex_unlock(&presigs->lock);
    presig_free(oldest);
}

struct presig *presigs_take(struct presigs *presigs, const uint8_t id[32], const uint8_t place[32])
{
    struct presig *presig;

    pthread_mutex_lock(&presigs->lock);
    presig = unlink_at(presigs, id, place);
    pthread_mutex_unlock(&presigs->lock);
    return presig;
}

void presigs_expire(struct presigs *presigs, uint64_t now_us)
{
    pthread_mutex_lock(&presigs->lock);
    while (presigs->first && presigs->first->made_us + PRESIGS_LIFE_US <= now_us)
        presig_free(unlink_one(presigs, &presigs->first));
    pthread_mutex_unlock(&presigs->lock);
}

size_t presigs_count(struct presigs *presigs)
{
    size_t n;

    pthread_mutex_lock(&presigs->lock);
    n = presigs->n;
    pthread_mutex_unlock(&presigs->lock);
    return n;
}
