/* SPDX-License-Identifier: Apache-2.0 */
/* A party's share file: opened at the start, written when the library hands out a record. The
 * pending share is durable before round 4 leaves, the active one before the run is done
 * (protocol.md F.7); a share file is replaced only when a pair is burned, here or by the peer
 * (D.8). */
#include "file.h"
#include "hex.h"
#include "party.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum qrt_err view(struct qrt_share *out, const struct party *party,
                         const struct share_content *content, bool pending)
{
    const uint8_t *record = content->b + IDENTITY_BYTES;
    size_t len = content->len - IDENTITY_BYTES;

    if (pending)
        return qrt_share_open_pending(out, party->library.ctx, record, len);
    return qrt_share_open(out, party->library.ctx, record, len);
}

/* The sealed identity key is the header's and the roster's. */
static bool identity_fits(const struct qrt_share *share, const struct share_facts *facts,
                          const uint8_t *identity)
{
    const struct qrt_share_party *row = qrt_share_party(share, share->own);
    uint8_t idk[32];

    crypto_hash_sha256(idk, facts->identity, 32);
    return row && memcmp(identity + 32, facts->identity, 32) == 0 && memcmp(row->idk, idk, 32) == 0;
}

static bool check_content(struct party *party, const struct share_file *file, const char *path,
                          struct trouble *trouble)
{
    struct share_facts facts;
    enum qrt_err e = view(&party->share, party, &party->content, file->facts.pending);

    if (e != QRT_OK)
        return trouble_set(trouble, "%s: %s", path, qrt_err_text(e));
    share_facts_of(&facts, &party->share, party->content.b + 32);
    if (!share_facts_equal(&facts, &file->facts) ||
        !identity_fits(&party->share, &facts, party->content.b))
        return trouble_set(trouble, "%s: its header does not describe the share in it", path);
    party->facts = facts;
    party->has_share = true;
    return true;
}

/* One process works with a share file at a time, so that its burn bits have one reader and one
 * writer. The lock holds until the process ends; a file that was replaced between the opening and
 * the locking is refused. */
static bool lock_share(struct party *party, const char *path, struct trouble *trouble)
{
    struct stat opened, named;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return trouble_set(trouble, "cannot open %s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &opened) != 0 || stat(path, &named) != 0 ||
        opened.st_ino != named.st_ino) {
        close(fd);
        return trouble_set(trouble, "%s is in use by another quorate process: wait for its end",
                           path);
    }
    if (party->share_lock)
        close(party->share_lock);
    party->share_lock = fd;
    return true;
}

static bool unseal(struct party *party, const struct file *bytes, const char *path,
                   struct trouble *trouble)
{
    struct share_file file;

    return share_file_parse(&file, bytes->b, bytes->len, path, trouble) &&
           share_key_derive(party->key, &file.kdf, party->passphrase, trouble) &&
           share_file_open(&party->content, &file, party->key, path, trouble) &&
           check_content(party, &file, path, trouble);
}

static bool load(struct party *party, const char *path, struct trouble *trouble)
{
    struct file bytes;
    bool ok;

    if (!lock_share(party, path, trouble) || !file_read(&bytes, path, SHARE_FILE_MAX, trouble))
        return false;
    ok = unseal(party, &bytes, path, trouble);
    file_free(&bytes);
    if (!ok)
        return false;
    memcpy(party->identity, party->content.b, IDENTITY_BYTES);
    if (party->facts.own != party->index)
        return trouble_set(trouble, "%s is the share of party %u, not of party %u", path,
                           party->facts.own, party->index);
    return true;
}

static bool make_identity(struct party *party, struct trouble *trouble)
{
    struct share_kdf kdf;
    uint8_t pk[32];

    share_kdf_new(&kdf);
    crypto_sign_keypair(pk, party->identity);
    return share_key_derive(party->key, &kdf, party->passphrase, trouble);
}

bool party_open(struct party *party, struct trouble *trouble)
{
    party->key = secret_alloc(sizeof *party->key);
    party->identity = secret_alloc(IDENTITY_BYTES);
    if (file_exists(party->active_path))
        return load(party, party->active_path, trouble);
    if (party->pending_path[0] && file_exists(party->pending_path))
        return load(party, party->pending_path, trouble);
    if (!party->pending_path[0])
        return trouble_set(trouble, "cannot open %s: it does not exist", party->active_path);
    return make_identity(party, trouble);
}

static void told_stored(struct party *party, const char *path)
{
    channel_tell(&party->control, json_pack("{s:s,s:s}", "tell", "stored", "file", path));
}

static void seal_content(struct file *out, const struct party *party)
{
    share_file_seal(out, &party->facts, party->key, &party->content);
}

/* The record becomes the party's content; the old one is wiped. */
static bool take_record(struct party *party, const struct qrt_record *rec, struct trouble *trouble)
{
    struct share_content content = {secret_alloc(IDENTITY_BYTES + rec->len),
                                    IDENTITY_BYTES + rec->len};
    enum qrt_err e;

    memcpy(content.b, party->identity, IDENTITY_BYTES);
    memcpy(content.b + IDENTITY_BYTES, rec->b, rec->len);
    share_content_free(&party->content);
    party->content = content;
    e = view(&party->share, party, &party->content, rec->kind == QRT_RECORD_SHARE_PENDING);
    party->has_share = e == QRT_OK;
    if (e != QRT_OK)
        return trouble_set(trouble, "the new share is not sound: %s", qrt_err_text(e));
    share_facts_of(&party->facts, &party->share, party->identity + 32);
    return true;
}

static bool store_share(struct party *party, const struct qrt_record *rec, struct trouble *trouble)
{
    const char *path = rec->kind == QRT_RECORD_SHARE ? party->active_path : party->pending_path;
    struct file file;
    bool ok;

    if (!take_record(party, rec, trouble))
        return false;
    seal_content(&file, party);
    ok = file_write_new(path, file.b, file.len, trouble) && lock_share(party, path, trouble);
    file_free(&file);
    if (ok)
        told_stored(party, path);
    return ok;
}

/* One session at a time runs on a share, so the bits in memory are the truth. */
static bool pass_gate(const struct party *party, const struct qrt_record *rec,
                      struct trouble *trouble)
{
    struct qrt_burn gate;
    enum qrt_err e = qrt_burn_decode(&gate, rec->b, rec->len);

    if (e == QRT_OK && !gate.is_gate)
        e = QRT_E_RECORD_FORMAT;
    if (e != QRT_OK)
        return trouble_set(trouble, "%s", qrt_err_text(e));
    for (size_t i = 0; i < gate.peers_n; i++) {
        if (qrt_share_burn_bits(&party->share, gate.peers[i]) & QRT_BURN_MINE)
            return trouble_set(trouble, "%s", qrt_err_text(QRT_E_BURNED));
    }
    return true;
}

/* Replace the share file by one with the changed record |changed|, which is taken. The run still
 * looks into the old record in memory; it has ended or is about to, and nothing signs with that
 * record any more. */
static bool replace_share(struct party *party, struct share_content *changed,
                          struct trouble *trouble)
{
    struct file file;
    bool ok;

    share_file_seal(&file, &party->facts, party->key, changed);
    ok = file_replace(party->active_path, file.b, file.len, trouble);
    file_free(&file);
    share_content_free(changed);
    party->has_share = false;
    if (ok)
        told_stored(party, party->active_path);
    return ok;
}

static struct share_content copy_content(const struct party *party)
{
    struct share_content copy = {secret_alloc(party->content.len), party->content.len};

    memcpy(copy.b, party->content.b, copy.len);
    return copy;
}

static bool store_burn(struct party *party, const struct qrt_record *rec, struct trouble *trouble)
{
    struct share_content burned = copy_content(party);
    enum qrt_err e =
        qrt_share_burn(burned.b + IDENTITY_BYTES, burned.len - IDENTITY_BYTES, rec->b, rec->len);

    if (e == QRT_OK)
        return replace_share(party, &burned, trouble);
    share_content_free(&burned);
    return trouble_set(trouble, "%s", qrt_err_text(e));
}

bool party_note_burn(struct party *party, uint16_t peer, struct trouble *trouble)
{
    struct share_content noted = copy_content(party);
    enum qrt_err e =
        qrt_share_note_burn(noted.b + IDENTITY_BYTES, noted.len - IDENTITY_BYTES, peer);

    if (e == QRT_OK)
        return replace_share(party, &noted, trouble);
    share_content_free(&noted);
    return trouble_set(trouble, "%s", qrt_err_text(e));
}

bool party_store(struct party *party, const struct qrt_record *rec, struct trouble *trouble)
{
    switch (rec->kind) {
    case QRT_RECORD_SHARE_PENDING:
    case QRT_RECORD_SHARE:
        return store_share(party, rec, trouble);
    case QRT_RECORD_GATE:
        return pass_gate(party, rec, trouble);
    case QRT_RECORD_BURN:
        return store_burn(party, rec, trouble);
    case QRT_RECORD_CONSUMED:
        break;
    }
    return trouble_set(trouble, "the library asks for a record that no demo has");
}
