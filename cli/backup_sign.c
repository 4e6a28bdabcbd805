/* SPDX-License-Identifier: Apache-2.0 */
/* A signature by parties that are all in this process: the same protocol as between machines, with
 * their own shares and identity keys. Nobody's policy and no freeze order is asked: whoever has t
 * backups and the key they are sealed to has the account's key. */
#include "backup.h"

#include "api.h"
#include "hex.h"
#include "library.h"
#include "report.h"

#include "quorate/certificate.h"
#include "quorate/derive.h"
#include "quorate/peer.h"
#include "quorate/signature.h"
#include "system/core/buffer.h"
#include "system/core/secret.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct signers {
    const struct backup_group *group;
    const struct backup_signing *signing;
    size_t t;
    uint16_t indices[QRT_PARTIES_MAX];
    struct qrt_peer_key keys[QRT_PARTIES_MAX];
    struct qrt_peer *peers[QRT_PARTIES_MAX];
    uint8_t iid[32];
    enum qrt_err error;
};

/* The identity keys that the key's certificate was signed with. */
static bool take_keys(struct signers *s, const struct qrt_share *share)
{
    size_t len = qrt_certificate_size(share->n, share->dealers_n);
    struct qrt_bytes b = {mem_new(1, len), len, 0};
    struct qrt_key_certificate certificate;
    bool ok = qrt_certificate_export(&b, share) == QRT_OK &&
              qrt_certificate_open(&certificate, s->group->ctx, b.b, b.len) == QRT_OK;

    for (size_t i = 0; ok && i < s->t; i++) {
        const struct qrt_cert_row *row = qrt_certificate_row(&certificate, s->indices[i]);

        ok = row != NULL;
        s->keys[i].index = s->indices[i];
        if (ok)
            memcpy(s->keys[i].idpk, row->idpk, 32);
    }
    free(b.b);
    return ok;
}

static void start(struct signers *s, size_t i)
{
    const struct backup_item *item = &s->group->items[i];
    struct qrt_sign_params what = {.share = &item->opened,
                                   .signers = s->indices,
                                   .signers_n = s->t,
                                   .path = s->signing->path,
                                   .path_n = s->signing->path_n,
                                   .message = {QRT_DIGEST_LOCAL, s->signing->digest, 32}};
    const struct qrt_peer_params who = {item->share.identity, s->keys, s->t};
    struct qrt_peer *peer = secret_new(qrt_peer_size(QRT_SIGN, s->t, s->t));
    struct qrt_entropy *entropy = secret_new(sizeof *entropy);

    memcpy(what.iid, s->iid, sizeof what.iid);
    randombytes_buf(entropy, sizeof *entropy);
    s->error = qrt_peer_sign(peer, s->group->ctx, &what, &who, entropy);
    secret_free(entropy);
    if (s->error == QRT_OK)
        s->peers[i] = peer;
    else
        secret_free(peer);
}

static void post(struct signers *s, size_t from, const struct qrt_msg *msg)
{
    for (size_t i = 0; i < s->t && s->error == QRT_OK; i++) {
        if (i != from && (msg->to == QRT_EVERYBODY || msg->to == s->indices[i]))
            s->error = qrt_peer_recv(s->peers[i], msg->b, msg->len);
    }
}

/* Records first, then messages. False: this one waits. A gate is open, since nothing else runs; a
 * burn fails the run, and nothing of it is kept. */
static bool turn(struct signers *s, size_t i)
{
    const struct qrt_record *record = qrt_peer_record(s->peers[i]);
    const struct qrt_msg *msg;

    if (record && record->kind == QRT_RECORD_GATE) {
        s->error = qrt_peer_confirm(s->peers[i]);
        return true;
    }
    if (record) {
        s->error = QRT_E_BURNED;
        qrt_peer_refuse(s->peers[i]);
        return false;
    }
    msg = qrt_peer_next(s->peers[i]);
    if (msg)
        post(s, i, msg);
    return msg != NULL;
}

static void run(struct signers *s)
{
    for (bool busy = true; busy && s->error == QRT_OK;) {
        busy = false;
        for (size_t i = 0; i < s->t; i++) {
            while (s->error == QRT_OK && turn(s, i))
                busy = true;
        }
    }
}

/* Under the account's own key, or the child that the path leads to. */
static bool is_right(const struct signers *s, const struct qrt_share *share,
                     const struct backup_signing *signing)
{
    struct qrt_pubkey pk;
    struct qrt_child child;
    struct qrt_hash hash;

    memcpy(pk.b, share->pk, sizeof pk.b);
    memcpy(hash.b, signing->digest, sizeof hash.b);
    return qrt_derive(&child, s->group->ctx, &pk, share->cc, signing->path, signing->path_n) ==
               QRT_OK &&
           memcmp(child.pk.b, signing->pk.b, sizeof child.pk.b) == 0 &&
           qrt_sig_verify(s->group->ctx, &signing->sig, &hash, &child.pk) == QRT_OK;
}

static bool take_signature(struct signers *s, struct backup_signing *signing,
                           struct trouble *trouble)
{
    if (s->error == QRT_OK)
        s->error = qrt_sign_result(qrt_peer_run(s->peers[0]), &signing->sig, &signing->pk, NULL);
    if (s->error != QRT_OK)
        return trouble_set(trouble, "these backups do not sign: %s", qrt_err_text(s->error));
    return is_right(s, &s->group->items[0].opened, signing) ||
           trouble_set(trouble, "these backups made a signature that does not verify");
}

bool backup_group_sign(const struct backup_group *group, struct backup_signing *signing,
                       struct trouble *trouble)
{
    struct signers s = {.group = group, .signing = signing, .t = group->items[0].opened.t};
    bool ok;

    randombytes_buf(s.iid, sizeof s.iid);
    for (size_t i = 0; i < s.t; i++)
        s.indices[i] = group->items[i].opened.own;
    if (!take_keys(&s, &group->items[0].opened))
        return trouble_set(trouble, "the key's certificate does not name these parties");
    for (size_t i = 0; i < s.t && s.error == QRT_OK; i++)
        start(&s, i);
    if (s.error == QRT_OK)
        run(&s);
    ok = take_signature(&s, signing, trouble);
    for (size_t i = 0; i < s.t && s.peers[i]; i++) {
        qrt_peer_wipe(s.peers[i]);
        secret_free(s.peers[i]);
    }
    return ok;
}

/* The commands */

static json_t *signature_json(const struct qrt_ctx *ctx, const struct qrt_sig *sig)
{
    json_t *json = json_object();
    uint8_t compact[64], der[QRT_DER_MAX];
    size_t der_len;

    qrt_sig_compact(compact, sig);
    qrt_sig_der(der, &der_len, ctx, sig);
    report_add(json, "r", hex_json(sig->r, 32));
    report_add(json, "s", hex_json(sig->s, 32));
    report_add(json, "recovery_id", json_integer(sig->recid));
    report_add(json, "der", hex_json(der, der_len));
    report_add(json, "compact", hex_json(compact, sizeof compact));
    return json;
}

static void say_left_out(const struct backup_group *group)
{
    const json_t *one;
    size_t i;

    json_array_foreach(group->left_out, i, one)
        say("%s; it is left out, and pairs that it says are burned are not known",
            api_text(one, "why"));
}

/* |begin| has key and account. NULL with |trouble|. */
static json_t *sign(const struct backup_paths *paths, struct backup_group *begin,
                    struct backup_signing *signing, struct trouble *trouble)
{
    struct library library;
    struct backup_group *group;
    json_t *report = NULL;

    library_open(&library);
    begin->ctx = library.ctx;
    group = backup_group_open(begin, paths, trouble);
    if (group && backup_group_sign(group, signing, trouble)) {
        say_left_out(group);
        report = backup_group_json(group);
        report_add(report, "message_hash", hex_json(signing->digest, 32));
        report_add(report, "public_key", hex_json(signing->pk.b, sizeof signing->pk.b));
        report_add(report, "signature", signature_json(library.ctx, &signing->sig));
    }
    backup_group_close(group);
    library_close(&library);
    return report;
}

json_t *backup_sign(const struct backup_request *request, struct backup_signing *signing,
                    struct trouble *trouble)
{
    struct backup_key *key = backup_key_read(request->key, request->passphrase_file, trouble);
    struct backup_group *begin = mem_new(1, sizeof *begin);
    struct backup_paths paths = {0};
    json_t *report = NULL;

    begin->key = key;
    begin->account = request->account;
    if (key && backup_paths_of(&paths, request, trouble))
        report = sign(&paths, begin, signing, trouble);
    free(begin);
    backup_paths_free(&paths);
    secret_free(key);
    return report;
}

int backup_command_drill(const struct backup_request *request)
{
    struct backup_signing signing = {0};
    struct trouble trouble;
    json_t *report;

    randombytes_buf(signing.digest, sizeof signing.digest);
    report = backup_sign(request, &signing, &trouble);
    if (!report)
        return refuse("%s", trouble.text);
    /* nobody needs a signature of nothing */
    json_object_del(report, "signature");
    json_object_del(report, "message_hash");
    report_add(report, "signs", json_true());
    return report_print(report, request->json) ? EXIT_DONE : EXIT_REFUSED;
}
