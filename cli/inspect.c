/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate inspect": everything public in a file. One table of kinds; what a kind shows is a list
 * of fields chosen one by one, so nothing secret is shown by accident. */
#include "backup.h"
#include "command.h"
#include "file.h"
#include "hex.h"
#include "library.h"
#include "option.h"
#include "report.h"
#include "say.h"
#include "share_file.h"

#include "quorate/evidence.h"
#include "quorate/intent.h"
#include "quorate/sign.h"
#include "quorate/wire.h"

#include <string.h>

/* a backup is the largest */
enum { FILE_MAX = BACKUP_BODY_MAX + BACKUP_OVERHEAD };
_Static_assert((size_t)FILE_MAX >= SHARE_FILE_MAX, "takes every kind");

struct subject {
    const char *path;
    struct file file;
    struct library library;
};

static json_t *named(const char *name, unsigned value)
{
    return name ? json_string(name) : json_integer(value);
}

static json_t *index_list(const uint16_t *indices, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer(indices[i]));
    return list;
}

/* --- share files --- */

static bool show_share_file(const struct subject *s, json_t *report, struct trouble *trouble)
{
    struct share_file file;

    if (!share_file_parse(&file, s->file.b, s->file.len, s->path, trouble))
        return false;
    report_add(report, "kind", json_string("share file"));
    json_object_update_new(report, share_facts_json(&file.facts));
    report_add(report, "sealed_with", json_string("AES-256-GCM under Argon2id of a passphrase"));
    report_add(report, "argon2_memory_kib", json_integer(file.kdf.memory_kib));
    report_add(report, "argon2_passes", json_integer(file.kdf.passes));
    report_add(report, "bytes", json_integer((json_int_t)s->file.len));
    return true;
}

/* --- share records, unsealed --- */

static json_t *party_list(const struct qrt_share *share)
{
    json_t *list = json_array();

    for (size_t i = 0; i < share->n; i++) {
        const struct qrt_share_party *row = &share->parties[i];
        uint16_t index = (uint16_t)(row->index[0] << 8 | row->index[1]);
        uint8_t bits = index == share->own ? 0 : qrt_share_burn_bits(share, index);

        json_array_append_new(list,
                              json_pack("{s:i,s:o,s:o,s:b}", "index", (int)index, "identity_hash",
                                        hex_json(row->idk, 32), "public_share",
                                        hex_json(row->X, 33), "burned", bits != 0));
    }
    return list;
}

static bool show_share_record(const struct subject *s, json_t *report, struct trouble *trouble)
{
    struct qrt_share share;
    enum qrt_err e = qrt_share_open(&share, s->library.ctx, s->file.b, s->file.len);
    struct share_facts facts;
    uint8_t no_identity[32] = {0};

    if (e == QRT_E_PENDING)
        e = qrt_share_open_pending(&share, s->library.ctx, s->file.b, s->file.len);
    if (e != QRT_OK)
        return trouble_set(trouble, "%s: %s", s->path, qrt_err_text(e));
    say("warning: %s is an unsealed share record: whoever can read it has the share", s->path);
    share_facts_of(&facts, &share, no_identity);
    report_add(report, "kind", json_string("share record, not sealed"));
    json_object_update_new(report, share_facts_json(&facts));
    json_object_del(report, "identity_key");
    report_add(report, "roster", party_list(&share));
    return true;
}

/* --- presignature records --- */

static bool show_presignature(const struct subject *s, json_t *report, struct trouble *trouble)
{
    struct qrt_presig_info info;
    enum qrt_err e = qrt_presig_inspect(&info, s->library.ctx, s->file.b, s->file.len);

    if (e != QRT_OK)
        return trouble_set(trouble, "%s: %s", s->path, qrt_err_text(e));
    say("warning: %s is a presignature that is not sealed: it must not be read by others", s->path);
    report_add(report, "kind", json_string("presignature"));
    report_add(report, "id", hex_json(info.id, 32));
    report_add(report, "party", json_integer(info.own));
    report_add(report, "signers", index_list(info.signers, info.t));
    report_add(report, "public_key", hex_json(info.pk.b, 33));
    report_add(report, "kgid", hex_json(info.kgid, 32));
    report_add(report, "epoch", json_integer(info.epoch));
    report_add(report, "created", json_integer((json_int_t)info.created));
    return true;
}

/* --- messages --- */

static const char *protocol_name(uint8_t protocol)
{
    switch (protocol) {
    case QRT_KEYGEN:
        return "keygen";
    case QRT_SIGN:
        return "sign";
    case QRT_PRESIGN:
        return "presign";
    case QRT_ONLINE:
        return "online";
    default:
        return NULL;
    }
}

/* How the bytes after the header are made up (protocol.md K.1). */
static const char *message_form(const struct qrt_header *h, size_t len)
{
    size_t rest = len - QRT_HEADER_BYTES;

    if (rest == h->payload_len)
        return "header and payload: not sealed, not signed";
    if (h->kind == QRT_KIND_PRIVATE)
        return rest == h->payload_len + 16 ? "sealed" : NULL;
    return rest >= h->payload_len + 64 ? "signed" : NULL;
}

static bool show_message(const struct subject *s, json_t *report, struct trouble *trouble)
{
    static const char *const kinds[] = {"broadcast", "private", "abort"};
    struct qrt_header h;
    const char *form;

    if (qrt_header_decode(&h, s->file.b, s->file.len) != QRT_OK)
        return trouble_set(trouble, "%s: its header is truncated or has fields out of range",
                           s->path);
    form = message_form(&h, s->file.len);
    if (!form)
        return trouble_set(trouble, "%s: it has %zu bytes, which do not fit its payload of %u",
                           s->path, s->file.len, h.payload_len);
    report_add(report, "kind", json_string("protocol message"));
    report_add(report, "protocol", named(protocol_name(h.protocol), h.protocol));
    report_add(report, "profile", json_integer(h.profile));
    report_add(report, "round", json_integer(h.round));
    report_add(report, "delivery", json_string(kinds[h.kind]));
    report_add(report, "sender", json_integer(h.sender));
    report_add(report, "receiver",
               named(h.receiver == QRT_EVERYBODY ? "everybody" : NULL, h.receiver));
    report_add(report, "payload_bytes", json_integer(h.payload_len));
    report_add(report, "session", hex_json(h.sid, 32));
    report_add(report, "echo", hex_json(h.echo, 32));
    report_add(report, "form", json_string(form));
    report_add(report, "bytes", json_integer((json_int_t)s->file.len));
    return true;
}

/* --- intents --- */

static const char *intent_operation(uint8_t operation)
{
    return operation == QRT_OP_KEYGEN    ? "keygen"
           : operation == QRT_OP_SIGN    ? "sign"
           : operation == QRT_OP_PRESIGN ? "presign"
                                         : NULL;
}

static const char *digest_name(uint8_t digest)
{
    return digest == QRT_DIGEST_LOCAL       ? "none: the message is a hash"
           : digest == QRT_DIGEST_SHA256    ? "sha256"
           : digest == QRT_DIGEST_KECCAK256 ? "keccak256"
                                            : NULL;
}

static json_t *path_list(const struct qrt_intent *in)
{
    json_t *list = json_array();

    for (size_t i = 0; i < in->path_n; i++)
        json_array_append_new(list, json_integer(in->path[i]));
    return list;
}

static json_t *identity_hashes(const struct qrt_intent *in)
{
    json_t *list = json_array();

    for (size_t i = 0; i < in->parties_n; i++)
        json_array_append_new(list, hex_json(in->idk[i], 32));
    return list;
}

static void add_intent_subject(json_t *report, const struct qrt_intent *in)
{
    report_add(report, "key_id", hex_json(in->keyid, 32));
    report_add(report, "path", path_list(in));
    if (in->operation != QRT_OP_SIGN)
        return;
    report_add(report, "digest", named(digest_name(in->digest), in->digest));
    report_add(report, "message", hex_json(in->message, in->message_len));
}

static bool show_intent(const struct subject *s, json_t *report, struct trouble *trouble)
{
    struct qrt_intent in;
    enum qrt_err e = qrt_intent_decode(&in, s->file.b, s->file.len);

    if (e != QRT_OK)
        return trouble_set(trouble, "%s: %s", s->path, qrt_err_text(e));
    report_add(report, "kind", json_string("intent"));
    report_add(report, "operation", named(intent_operation(in.operation), in.operation));
    report_add(report, "purpose",
               json_string(in.purpose == QRT_PURPOSE_TRANSACTION ? "transaction" : "message"));
    report_add(report, "account", hex_json(in.account, 16));
    report_add(report, "request", hex_json(in.request, 16));
    report_add(report, "threshold", json_integer(in.t));
    report_add(report, "allowed_parties", index_list(in.parties, in.parties_n));
    report_add(report, "attempts", json_integer(in.attempts));
    report_add(report, "deadline", json_integer((json_int_t)in.deadline));
    if (in.operation == QRT_OP_KEYGEN)
        report_add(report, "identity_hashes", identity_hashes(&in));
    else
        add_intent_subject(report, &in);
    return true;
}

/* --- evidence --- */

static bool show_evidence(const struct subject *s, json_t *report, struct trouble *trouble)
{
    struct qrt_evidence ev;
    enum qrt_err e = qrt_evidence_verify(&ev, s->library.ctx, s->file.b, s->file.len);

    if (e != QRT_OK && e != QRT_E_EVIDENCE_PRIVATE)
        return trouble_set(trouble, "%s: %s", s->path, qrt_err_text(e));
    report_add(report, "kind", json_string("evidence of a cheat"));
    report_add(report, "accused", json_integer(ev.accused));
    report_add(report, "identity_key", hex_json(ev.idpk, 32));
    report_add(report, "session", hex_json(ev.sid, 32));
    report_add(report, "error", json_string(qrt_err_name(ev.error)));
    report_add(report, "text", json_string(qrt_err_text(ev.error)));
    report_add(report, "proven", json_boolean(ev.proven));
    if (!ev.proven)
        report_add(report, "remark", json_string(qrt_err_text(e)));
    return true;
}

/* --- burn and gate records --- */

static bool show_burn(const struct subject *s, json_t *report, struct trouble *trouble)
{
    struct qrt_burn burn;
    enum qrt_err e = qrt_burn_decode(&burn, s->file.b, s->file.len);

    if (e != QRT_OK)
        return trouble_set(trouble, "%s: %s", s->path, qrt_err_text(e));
    report_add(report, "kind", json_string(burn.is_gate ? "gate record" : "burn record"));
    report_add(report, "kgid", hex_json(burn.kgid, 32));
    report_add(report, "epoch", json_integer(burn.epoch));
    report_add(report, "party", json_integer(burn.own));
    report_add(report, "peers", index_list(burn.peers, burn.peers_n));
    return true;
}

/* --- backups --- */

static bool show_backup(const struct subject *s, json_t *report, struct trouble *trouble)
{
    struct backup_file file;
    enum backup_result result = backup_parse(&file, s->file.b, s->file.len);

    if (result != BACKUP_OK)
        return trouble_set(trouble, "%s %s", s->path, backup_text(result));
    report_add(report, "kind",
               json_string(file.head.kind == BACKUP_SHARE ? "backup of a share"
                                                          : "backup of a party's state"));
    backup_head_add(report, &file.head);
    report_add(report, "identity_key", hex_json(file.head.identity, 32));
    report_add(report, "sealed_to", hex_json(file.head.recipient, BACKUP_ID));
    report_add(report, "remark",
               json_string("signed by that identity key; quorate backup verify opens it"));
    report_add(report, "bytes", json_integer((json_int_t)s->file.len));
    return true;
}

/* --- which of them --- */

static const struct {
    const char *magic;
    bool (*show)(const struct subject *, json_t *, struct trouble *);
} kinds[] = {
    {"QRTSHARE", show_share_file}, {"DKS1", show_share_record}, {"DKP1", show_presignature},
    {"DKC1", show_message},        {"DKI1", show_intent},       {"DKE1", show_evidence},
    {"DKB1", show_burn},           {"DKG1", show_burn},         {"QBACKUP", show_backup},
};

static bool show(const struct subject *s, json_t *report, struct trouble *trouble)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t len = strlen(kinds[i].magic);

        if (s->file.len >= len && memcmp(s->file.b, kinds[i].magic, len) == 0)
            return kinds[i].show(s, report, trouble);
    }
    return trouble_set(trouble,
                       "%s is no share file, backup, message, intent, evidence or record of "
                       "quorate, or a truncated one",
                       s->path);
}

static int run(struct subject *s, bool as_json)
{
    json_t *report = json_object();
    struct trouble trouble;

    report_add(report, "file", json_string(s->path));
    if (!show(s, report, &trouble)) {
        json_decref(report);
        return refuse("%s", trouble.text);
    }
    return report_print(report, as_json) ? EXIT_DONE : EXIT_REFUSED;
}

int command_inspect(char **argv)
{
    struct subject subject = {0};
    bool json = false;
    const struct option_row rows[] = {{"--json", NULL, &json, NULL, "answer in JSON"}};
    const struct options options = {
        "inspect", "FILE",
        "Show everything public in a share file, a backup, a message, an intent, evidence (which\n"
        "is verified), or a record. Never asks for a passphrase, never shows a secret.",
        rows, 1};
    struct trouble trouble;
    size_t rest_n;
    enum options_answer answered = options_read(&options, argv, &subject.path, 1, &rest_n);
    int code;

    if (answered != OPTIONS_GO)
        return options_code(answered);
    if (rest_n != 1)
        return refuse_usage("the file is missing; see quorate inspect --help");
    if (!file_read(&subject.file, subject.path, FILE_MAX, &trouble))
        return refuse("%s", trouble.text);
    library_open(&subject.library);
    code = run(&subject, json);
    library_close(&subject.library);
    file_free(&subject.file);
    return code;
}
