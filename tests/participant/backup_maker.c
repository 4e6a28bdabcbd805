/* SPDX-License-Identifier: Apache-2.0 */
/* Backup files for tests, as a party writes them, of two keys that are made here: a 2-of-3 key of
 * party-1, party-2 and party-3, and the next one of the same parties.
 *
 *   backup_maker DIRECTORY RECIPIENT
 *
 *   N.qbk          party N's share of the first key
 *   1.state.qbk    party 1's state: nothing is burned
 *   1.burned.qbk   party 1's state: its pair with party 2 is burned
 *   2.says.qbk     party 2's state: the pair of parties 1 and 3 is burned, which is not its own
 *   1.ahead.qbk, 1.now.qbk, 1.last.qbk
 *                  party 1's states with the serials 2, 3 and 4: of next year, now, long ago
 *   forged.identity.qbk, forged.name.qbk, forged.key.qbk
 *                  states that say they are party 1's, signed by party 2's identity: its certificate
 *                  fits, is of another party, is of another identity
 *   3.burned.qbk   party 3's share, its pair with party 1 is burned in the share itself
 *   2.epoch.qbk    party 2's share of a sharing of epoch EPOCH, of the first key's account; dealt,
 *                  since no protocol run of this library makes one
 *   2.kgid.qbk     party 2's share of the second key, of the first one's account
 *   2.account.qbk  the same share, of another account
 *   old.qbs        a stream of long ago, signed with party 1's identity; signer: its public half */
#include "committee.h"
#include "key/certificate.h"
#include "participant/backup_body.h"
#include "system/access/identity.h"
#include "system/core/be.h"
#include "system/core/clock.h"
#include "system/core/ids.h"
#include "system/core/secret.h"
#include "system/vault/backup_stream.h"
#include "tests/unit/key/dealer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PARTIES = 3, EPOCH = 7 };
static const int64_t long_ago_ms = 1700000000000;

struct maker {
    const char *directory;
    struct backup_recipient recipient;
    struct committee committee;
};

/* A party's record and identity key; lent. */
struct piece {
    const uint8_t *record;
    size_t len;
    const uint8_t *identity;
};

static struct piece piece_of(const struct maker *m, size_t i)
{
    const struct committee *c = &m->committee;

    return (struct piece){c->records[i], c->record_len, c->identity[i]};
}

static void fail(const char *path)
{
    fprintf(stderr, "cannot write %s\n", path);
    exit(1);
}

static void put(const struct maker *m, const char *name, const struct backup_making *making,
                const uint8_t *body, size_t len)
{
    uint8_t *b = mem_new(1, len + BACKUP_OVERHEAD);
    char path[4096];
    FILE *f;

    backup_seal(b, making, body, len);
    snprintf(path, sizeof path, "%s/%s.qbk", m->directory, name);
    f = fopen(path, "wb");
    if (!f || fwrite(b, 1, len + BACKUP_OVERHEAD, f) != len + BACKUP_OVERHEAD || fclose(f) != 0)
        fail(path);
    free(b);
}

/* Of nothing: what it says of itself is what counts. */
static void put_stream(const struct maker *m)
{
    const uint8_t *identity = m->committee.identity[0];
    const struct backup_sealing sealing = {&m->recipient, identity, long_ago_ms};
    char path[4096], error[BACKUP_STREAM_ERROR], signer[65];
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC), out;
    FILE *f;

    snprintf(path, sizeof path, "%s/old.qbs", m->directory);
    out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (!backup_stream_seal(in, out, &sealing, error) || close(out) != 0)
        fail(path);
    close(in);
    hex_encode(signer, identity + 32, 32);
    snprintf(path, sizeof path, "%s/signer", m->directory);
    f = fopen(path, "w");
    if (!f || fputs(signer, f) < 0 || fclose(f) != 0)
        fail(path);
}

static void begin(struct backup_head *head, enum backup_kind kind, unsigned party,
                  const uint8_t *identity)
{
    *head = (struct backup_head){.kind = kind, .time_ms = long_ago_ms};
    snprintf(head->party_id, sizeof head->party_id, "party-%u", party);
    memcpy(head->identity, identity + 32, 32);
}

static void put_share(const struct maker *m, const char *name, uint8_t account, struct piece p)
{
    uint16_t own = (uint16_t)be_get(p.record + AT_OWN, 2);
    struct backup_share what = {.identity = p.identity,
                                .row = {.session_id = "bbbbbbbb-bbbb-4bbb-8bbb-000000000001",
                                        .own = own,
                                        .roster = text_copy("party-1 party-2 party-3")},
                                .record = p.record,
                                .record_len = p.len};
    struct backup_head head;
    const struct backup_making making = {&head, &m->recipient, p.identity};
    uint8_t *body;
    size_t len;

    begin(&head, BACKUP_SHARE, own, p.identity);
    head.account[0] = account;
    head.account[6] = 0x40;
    head.account[8] = 0x80;
    head.epoch = (uint32_t)be_get(p.record + AT_EPOCH, 4);
    memcpy(head.kgid, p.record + AT_KGID, 32);
    body = backup_share_encode(&len, &what);
    put(m, name, &making, body, len);
    secret_free(body);
    free(what.row.roster);
}

/* A state with party 1's name in its head, or |party|'s; of long ago and without a burn unless it says so. */
struct stating {
    const char *name;
    const struct store_burn *burn;
    uint64_t serial;
    int64_t time_ms;
    unsigned party;
};

/* By party |by|, with the certificate of |named|. */
static void put_state_of(const struct maker *m, const struct stating *s, size_t by,
                         const struct identity *named)
{
    const uint8_t *identity = m->committee.identity[by];
    struct backup_writing w;
    uint8_t *certificate;
    size_t len;
    struct backup_head head;
    const struct backup_making making = {&head, &m->recipient, identity};

    begin(&head, BACKUP_STATE, s->party ? s->party : 1, identity);
    if (s->time_ms)
        head.time_ms = s->time_ms;
    certificate = identity_issue(&len, named, identity);
    backup_state_begin(&w, s->serial, certificate, len, 1);
    free(certificate);
    if (s->burn)
        backup_state_burn(&w, s->burn);
    if (!backup_state_end(&w))
        abort();
    put(m, s->name, &making, w.out.b, w.out.len);
    buffer_free(&w.out);
}

static struct identity identity_of(const struct maker *m, unsigned party, size_t by)
{
    struct identity who = {.role = "persistent"};

    snprintf(who.party_id, sizeof who.party_id, "party-%u", party);
    memcpy(who.key, m->committee.identity[by] + 32, sizeof who.key);
    return who;
}

/* Of party 1. */
static void put_state(const struct maker *m, const struct stating *s)
{
    const struct identity who = identity_of(m, 1, 0);

    put_state_of(m, s, 0, &who);
}

/* Serials and clocks that do not agree. */
static void put_serials(const struct maker *m)
{
    const int64_t now = clock_unix_ms(), year = INT64_C(365) * 24 * 3600 * 1000;

    put_state(m, &(struct stating){.name = "1.ahead", .serial = 2, .time_ms = now + year});
    put_state(m, &(struct stating){.name = "1.now", .serial = 3, .time_ms = now});
    put_state(m, &(struct stating){.name = "1.last", .serial = 4});
}

/* Whoever knows the recipient's public text can seal, and names himself as he likes. */
static void put_forged(const struct maker *m)
{
    struct identity who = identity_of(m, 1, 1);

    put_state_of(m, &(struct stating){.name = "forged.identity"}, 1, &who);
    who = identity_of(m, 2, 1);
    put_state_of(m, &(struct stating){.name = "forged.name"}, 1, &who);
    who = identity_of(m, 1, 0);
    put_state_of(m, &(struct stating){.name = "forged.key"}, 1, &who);
}

/* Of a pair that is not the own one. */
static void put_others_burn(const struct maker *m)
{
    const struct qrt_share *share = &m->committee.shares[0];
    const struct identity who = identity_of(m, 2, 1);
    struct store_burn burned = {.epoch = share->epoch, .own = 1, .peer = 3};

    memcpy(burned.kgid, share->kgid, 32);
    put_state_of(m, &(struct stating){.name = "2.says", .burn = &burned, .party = 2}, 1, &who);
}

/* A burn record of docs/wire.md. */
static void burn(uint8_t *record, const struct maker *m, size_t i, uint16_t peer)
{
    const struct qrt_share *share = &m->committee.shares[i];
    uint8_t b[47] = {'D', 'K', 'B', '1', 1};

    memcpy(b + 5, share->kgid, 32);
    be_put(b + 37, 4, share->epoch);
    be_put(b + 41, 2, share->own);
    be_put(b + 43, 2, 1);
    be_put(b + 45, 2, peer);
    if (qrt_share_burn(record, m->committee.record_len, b, sizeof b) != QRT_OK)
        abort();
}

static void put_first(struct maker *m)
{
    const struct committee *c = &m->committee;
    struct store_burn burned = {.epoch = c->shares[0].epoch, .own = 1, .peer = 2};
    uint8_t *record = mem_copy(c->records[2], c->record_len);
    char name[8];

    for (size_t i = 0; i < PARTIES; i++) {
        snprintf(name, sizeof name, "%zu", i + 1);
        put_share(m, name, 1, piece_of(m, i));
    }
    memcpy(burned.kgid, c->shares[0].kgid, 32);
    put_state(m, &(struct stating){.name = "1.state"});
    put_state(m, &(struct stating){.name = "1.burned", .burn = &burned});
    put_serials(m);
    put_forged(m);
    put_others_burn(m);
    burn(record, m, 2, 1);
    put_share(m, "3.burned", 1, (struct piece){record, c->record_len, c->identity[2]});
    free(record);
}

static void put_second(struct maker *m)
{
    struct deal *d = deal_plan();

    put_share(m, "2.account", 2, piece_of(m, 1));
    put_share(m, "2.kgid", 1, piece_of(m, 1));
    d->own = 2;
    d->protocol = QRT_RESHARE;
    d->epoch = EPOCH;
    deal_make(d);
    put_share(m, "2.epoch", 1, (struct piece){d->record, d->len, d->identity[1]});
}

int main(int argc, char **argv)
{
    struct maker m = {.directory = argc == 3 ? argv[1] : ""};

    if (argc != 3 || !backup_recipient_parse(&m.recipient, argv[2])) {
        fprintf(stderr, "usage: backup_maker DIRECTORY RECIPIENT\n");
        return 2;
    }
    secret_harden();
    committee_init(&m.committee, deal_plan()->ctx, PARTIES, 2, 7);
    committee_make_key(&m.committee);
    put_first(&m);
    put_stream(&m);
    for (size_t i = 0; i < PARTIES; i++) {
        free(m.committee.records[i]);
        m.committee.records[i] = NULL;
    }
    committee_make_key(&m.committee);
    put_second(&m);
    committee_free(&m.committee);
    return 0;
}
