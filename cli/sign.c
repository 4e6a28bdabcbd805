/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate sign": ask the system for a signature, and check it here. */
#include "api.h"
#include "command.h"
#include "file.h"
#include "hex.h"
#include "library.h"
#include "report.h"

#include "quorate/signature.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_TEXT_MAX = 512 };

struct sign {
    struct api_options api;
    const char *account, *message_hash, *message, *hash, *path, *parties, *key, *wait;
    const char *intent, *intent_signature;
};

static json_t *hex_of_file(const char *path, struct trouble *trouble)
{
    struct file file;
    json_t *text;

    if (!file_read(&file, path, QRT_MESSAGE_MAX, trouble))
        return NULL;
    text = hex_json(file.b, file.len);
    file_free(&file);
    return text;
}

static int check_usage(const struct sign *s)
{
    long wait;

    if (!s->account || !api_is_id(s->account))
        return refuse_usage("--account is missing or no account id; see quorate sign --help");
    if (!s->message_hash == !s->message)
        return refuse_usage("give one of --message-hash and --message");
    if (s->message && !s->hash)
        return refuse_usage("--message needs --hash keccak256 or --hash sha256");
    if (s->message_hash && s->hash)
        return refuse_usage("--hash goes with --message; a --message-hash is taken as it is");
    if (!s->intent != !s->intent_signature)
        return refuse_usage("--intent and --intent-signature go together");
    if (s->wait && !option_number(&wait, s->wait, 0, 600))
        return refuse_usage("--wait is a number of seconds up to 600");
    return EXIT_DONE;
}

static void add_text(json_t *body, const char *key, const char *text)
{
    if (text)
        report_add(body, key, json_string(text));
}

static json_t *make_body(const struct sign *s, struct trouble *trouble)
{
    json_t *body = json_object();
    json_t *message = s->message ? hex_of_file(s->message, trouble) : json_string(s->message_hash);

    if (!message) {
        json_decref(body);
        return NULL;
    }
    report_add(body, "message", message);
    add_text(body, "hash", s->hash);
    add_text(body, "derivation_path", s->path);
    add_text(body, "idempotency_key", s->key);
    add_text(body, "intent", s->intent);
    add_text(body, "intent_signature", s->intent_signature);
    if (s->parties)
        report_add(body, "participants", api_participants(s->parties));
    return body;
}

/* What came back verifies under the key that came with it. */
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
    answer = api_ask(api, &(struct api_call){"POST", path, body, "signing"});
    api_close(api);
    if (!answer)
        return EXIT_REFUSED;
    if (json_object_get(answer, "signature") && !signature_verifies(answer)) {
        json_decref(answer);
        return refuse("the service gave a signature that does not verify: do not use it");
    }
    return report_print(answer, s->api.json) ? EXIT_DONE : EXIT_REFUSED;
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
        {"--parties", "A,B", NULL, &s.parties, "these parties (default: any live quorum)"},
        {"--intent", "HEX", NULL, &s.intent, "an intent that you signed yourself"},
        {"--intent-signature", "HEX", NULL, &s.intent_signature, "and its signature"},
        {"--idempotency-key", "KEY", NULL, &s.key, "the same key gives the same signature"},
        {"--wait", "SECONDS", NULL, &s.wait, "how long (default: 30); 0: do not wait"},
        API_OPTION_ROWS(s.api),
    };
    const struct options options = {"sign", "",
                                    "Sign with an account's key. The signature is checked before it"
                                    " is shown.",
                                    rows, sizeof rows / sizeof rows[0]};
    size_t rest_n;
    enum options_answer answer = options_read(&options, argv, NULL, 0, &rest_n);
    int code;

    if (answer != OPTIONS_GO)
        return options_code(answer);
    code = check_usage(&s);
    return code == EXIT_DONE ? run(&s) : code;
}
