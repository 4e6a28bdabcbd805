/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate sign": ask the system for a signature, and check it here; or, with backups of enough
 * parties, make it here without any system. */
#include "api.h"
#include "backup.h"
#include "command.h"
#include "file.h"
#include "hex.h"
#include "library.h"
#include "report.h"

#include "quorate/address.h"
#include "quorate/derive.h"
#include "quorate/signature.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_TEXT_MAX = 512 };

struct sign {
    struct api_options api;
    const char *account, *message_hash, *message, *hash, *path, *parties, *key, *wait;
    const char *intent, *intent_signature;
    const char *backups[OPTION_REPEATS], *backup_key, *passphrase_file;
    /* what is to be signed; not known if the service has to refuse the request */
    uint8_t digest[32];
    bool has_digest;
};

/* The file's bytes in hex, and what the parties have to make of them. */
static json_t *take_message(struct sign *s, struct trouble *trouble)
{
    struct file file;
    json_t *text;

    if (!file_read(&file, s->message, QRT_MESSAGE_MAX, trouble))
        return NULL;
    if (file.len == 0) {
        file_free(&file);
        trouble_set(trouble, "%s is empty: a message has one byte at least", s->message);
        return NULL;
    }
    s->has_digest = true;
    if (strcmp(s->hash, "sha256") == 0)
        crypto_hash_sha256(s->digest, file.b, file.len);
    else
        qrt_keccak256(s->digest, file.b, file.len);
    text = hex_json(file.b, file.len);
    file_free(&file);
    return text;
}

static json_t *take_hash(struct sign *s)
{
    s->has_digest = hex_read_exact(s->digest, sizeof s->digest, s->message_hash);
    return json_string(s->message_hash);
}

static bool hash_is_known(const char *name)
{
    return strcmp(name, "sha256") == 0 || strcmp(name, "keccak256") == 0;
}

static int check_backups(const struct sign *s)
{
    if (!s->backups[0] && (s->backup_key || s->passphrase_file))
        return refuse_usage("--key and --passphrase-file go with --backup");
    if (s->backups[0] && !s->backup_key)
        return refuse_usage("--backup needs --key: the key that the backups are sealed to");
    if (s->backups[0] && (s->parties || s->intent || s->wait || s->key))
        return refuse_usage("with --backup nobody is asked: --parties, --intent, --wait and "
                            "--idempotency-key do not go with it");
    return EXIT_DONE;
}

/* What is signed, with which key. */
static int check_subject(const struct sign *s)
{
    uint8_t digest[32];
    uint32_t path[QRT_PATH_MAX];
    size_t path_n;

    if (!s->message_hash == !s->message)
        return refuse_usage("give one of --message-hash and --message");
    if (s->message && (!s->hash || !hash_is_known(s->hash)))
        return refuse_usage("--message needs --hash keccak256 or --hash sha256");
    if (s->message_hash && s->hash)
        return refuse_usage("--hash goes with --message; a --message-hash is taken as it is");
    if (s->message_hash && !hex_read_exact(digest, sizeof digest, s->message_hash))
        return refuse_usage("--message-hash must be 32 bytes in hex, 64 digits");
    if (s->path && qrt_path_parse(path, &path_n, s->path) != QRT_OK)
        return refuse_usage("--path must look like m/44/60/0, not hardened, at most %d levels",
                            QRT_PATH_MAX);
    return EXIT_DONE;
}

static int check_usage(const struct sign *s)
{
    long wait;

    /* backups name their account; if they are of several, it chooses */
    if (!s->account && !s->backups[0])
        return refuse_usage("--account is missing; see quorate sign --help");
    if (s->account && !api_is_id(s->account))
        return refuse_usage("--account %s is no account id (a UUID)", s->account);
    if (!s->intent != !s->intent_signature)
        return refuse_usage("--intent and --intent-signature go together");
    if (s->wait && !option_number(&wait, s->wait, 0, 600))
        return refuse_usage("--wait is a number of seconds up to 600");
    if (s->parties && !api_are_names(s->parties))
        return refuse_usage("--parties takes two names or more with commas between");
    return EXIT_DONE;
}

static json_t *make_body(struct sign *s, struct trouble *trouble)
{
    json_t *body = json_object();
    json_t *message = s->message ? take_message(s, trouble) : take_hash(s);

    if (!message) {
        json_decref(body);
        return NULL;
    }
    report_add(body, "message", message);
    report_add_text(body, "hash", s->hash);
    report_add_text(body, "derivation_path", s->path);
    report_add_text(body, "idempotency_key", s->key);
    report_add_text(body, "intent", s->intent);
    report_add_text(body, "intent_signature", s->intent_signature);
    if (s->parties)
        report_add(body, "participants", api_participants(s->parties));
    return body;
}

static bool is_what_was_asked(const struct sign *s, const json_t *answer)
{
    uint8_t hash[32];

    return s->has_digest && hex_from_json(hash, sizeof hash, answer, "message_hash") &&
           memcmp(s->digest, hash, sizeof hash) == 0;
}

/* It verifies under the key that came with it. */
static bool signature_verifies(const json_t *answer)
{
    struct library library;
    struct qrt_sig sig;
    struct qrt_pubkey pk;
    struct qrt_hash hash;
    uint8_t compact[64];
    bool ok;

    library_open(&library);
    ok = hex_from_json(compact, sizeof compact, json_object_get(answer, "signature"), "compact") &&
         hex_from_json(pk.b, sizeof pk.b, answer, "public_key") &&
         hex_from_json(hash.b, sizeof hash.b, answer, "message_hash") &&
         qrt_sig_parse(&sig, library.ctx, compact, sizeof compact) == QRT_OK &&
         qrt_sig_verify(library.ctx, &sig, &hash, &pk) == QRT_OK;
    library_close(&library);
    return ok;
}

static bool check_answer(const struct sign *s, const json_t *answer, struct trouble *trouble)
{
    if (!is_what_was_asked(s, answer))
        return trouble_set(trouble,
                           "the service gave a signature of another message: do not use it");
    return signature_verifies(answer) ||
           trouble_set(trouble, "the service gave a signature that does not verify: do not use it");
}

static int run(struct sign *s)
{
    char path[PATH_TEXT_MAX];
    struct trouble trouble;
    json_t *body = make_body(s, &trouble), *answer;
    struct api *api;

    if (!body)
        return refuse("%s", trouble.text);
    api = api_open(&s->api);
    if (!api) {
        json_decref(body);
        return EXIT_REFUSED;
    }
    snprintf(path, sizeof path, "/api/v1/accounts/%s/sign%s%s", s->account, s->wait ? "?wait=" : "",
             s->wait ? s->wait : "");
    answer = api_ask(api, &(struct api_call){.verb = "POST",
                                             .path = path,
                                             .body = body,
                                             .doing = "signing",
                                             .account = s->account,
                                             .parties = s->parties});
    api_close(api);
    if (!answer)
        return EXIT_REFUSED;
    if (json_object_get(answer, "signature") && !check_answer(s, answer, &trouble)) {
        json_decref(answer);
        return refuse("%s", trouble.text);
    }
    return report_print(answer, s->api.json) ? EXIT_DONE : EXIT_REFUSED;
}

/* Offline. */

static bool prepare(struct sign *s, struct backup_signing *signing, uint32_t path[QRT_PATH_MAX],
                    struct trouble *trouble)
{
    json_t *message = s->message ? take_message(s, trouble) : take_hash(s);

    if (!message)
        return false;
    json_decref(message);
    memcpy(signing->digest, s->digest, sizeof signing->digest);
    signing->path = path;
    return qrt_path_parse(path, &signing->path_n, s->path ? s->path : "") == QRT_OK ||
           trouble_set(trouble, "--path %s: %s", s->path, qrt_err_text(QRT_E_PATH));
}

static int run_offline(struct sign *s)
{
    struct backup_request request = {.files = s->backups,
                                     .account = s->account,
                                     .key = s->backup_key,
                                     .passphrase_file = s->passphrase_file};
    struct backup_signing signing = {0};
    uint32_t path[QRT_PATH_MAX];
    struct trouble trouble;
    json_t *report = NULL;

    while (s->backups[request.files_n])
        request.files_n++;
    if (prepare(s, &signing, path, &trouble))
        report = backup_sign(&request, &signing, &trouble);
    if (!report)
        return refuse("%s", trouble.text);
    return report_print(report, s->api.json) ? EXIT_DONE : EXIT_REFUSED;
}

int command_sign(char **argv)
{
    struct sign s = {0};
    const struct option_row rows[] = {
        {"--account", "ID", NULL, &s.account, "the account whose key signs"},
        {"--message-hash", "HEX", NULL, &s.message_hash, "the 32 bytes to sign"},
        {"--message", "FILE", NULL, &s.message, "the message, which the parties hash themselves"},
        {"--hash", "NAME", NULL, &s.hash, "with --message: keccak256 or sha256"},
        {"--path", "PATH", NULL, &s.path, "sign with the child key at this path"},
        {"--parties", "A,B", NULL, &s.parties,
         "as many of these as sign: t of a t-of-n account's (default: any live quorum)"},
        {"--intent", "HEX", NULL, &s.intent, "an intent that you signed yourself"},
        {"--intent-signature", "HEX", NULL, &s.intent_signature, "and its signature"},
        {"--idempotency-key", "KEY", NULL, &s.key,
         "the same key gives the same signature; without one a repeat signs anew"},
        {"--wait", "SECONDS", NULL, &s.wait,
         "how long (default: 30), while the session may go on longer; 0: do not wait"},
        {"--backup", "FILE...", NULL, s.backups,
         "sign here with this backup, or a directory of them; one for each party, up to 64"},
        {"--key", "FILE", NULL, &s.backup_key, "with --backup: the key that they are sealed to"},
        {"--passphrase-file", "FILE", NULL, &s.passphrase_file,
         "holds the passphrase of that key (default: asked for)"},
        API_OPTION_ROWS(s.api),
    };
    const struct options options = {"sign", "",
                                    "Sign with an account's key. The signature is checked before it"
                                    " is shown. With --backup\nno system is asked: enough parties'"
                                    " backups sign in this process.",
                                    rows, sizeof rows / sizeof rows[0]};
    size_t rest_n;
    enum options_answer answer = options_read(&options, argv, NULL, 0, &rest_n);
    int code;

    if (answer != OPTIONS_GO)
        return options_code(answer);
    code = check_backups(&s);
    if (code == EXIT_DONE)
        code = check_usage(&s);
    if (code == EXIT_DONE)
        code = check_subject(&s);
    if (code != EXIT_DONE)
        return code;
    return s.backups[0] ? run_offline(&s) : run(&s);
}
