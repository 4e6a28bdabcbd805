/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate key new": an API key for a backend, and the entry of API_KEYS that lets it in. The key
 * itself is printed once and kept nowhere. */
#include "command.h"
#include "option.h"
#include "report.h"
#include "say.h"

#include "system/access/api_key.h"
#include "system/core/ids.h"
#include "system/core/secret.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RANDOM = 32, KEY_TEXT = 3 + 2 * RANDOM + 1 };

/* "qk_" and hex: easy to find where it does not belong. */
static void make(char key[KEY_TEXT])
{
    uint8_t *random = secret_new(RANDOM);

    randombytes_buf(random, RANDOM);
    memcpy(key, "qk_", 4);
    sodium_bin2hex(key + 3, KEY_TEXT - 3, random, RANDOM);
    secret_free(random);
}

static bool others_can_read(void)
{
    struct stat st;

    return fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) != 0;
}

static int run(const char *name, const char *scopes, bool as_json)
{
    char *key = secret_new(KEY_TEXT);
    char digest_text[2 * API_KEY_DIGEST + 1], entry[300];
    uint8_t digest[API_KEY_DIGEST];
    json_t *report = json_object();
    bool ok;

    make(key);
    api_key_digest(digest, key);
    hex_encode(digest_text, digest, sizeof digest);
    snprintf(entry, sizeof entry, "%s:%s:%s", name, scopes, digest_text);
    report_add(report, "key", json_string(key));
    report_add(report, "entry", json_string(entry));
    report_add(report, "digest", json_string(digest_text));
    secret_free(key);
    if (others_can_read())
        say("the key is going into a file that others can read");
    ok = report_print(report, as_json);
    if (ok && !as_json)
        say("the key is shown this once: give it to the backend; entry goes into API_KEYS, or"
            " digest behind a : at the end of the entry that %s has already",
            name);
    return ok ? EXIT_DONE : EXIT_REFUSED;
}

int command_key(char **argv)
{
    const char *name = NULL, *scopes = NULL, *word;
    bool json = false;
    const struct option_row rows[] = {
        {"--name", "NAME", NULL, &name, "who uses it: 1 to 32 of a-z 0-9 . _ -"},
        {"--scopes", "SCOPES", NULL, &scopes, "read, sign, create, manage, with + between"},
        {"--json", NULL, &json, NULL, "print a JSON object"},
    };
    const struct options options = {
        "key", "new",
        "Make an API key for a backend. The services know it by its digest, in API_KEYS; what it\n"
        "may do are its scopes: read (accounts, sessions, parties), sign, create (accounts) and\n"
        "manage (who signs, cancel, orders).",
        rows, sizeof rows / sizeof rows[0]};
    unsigned bits;
    enum options_answer answer = options_read_word(&options, argv, &word);

    if (answer != OPTIONS_GO)
        return options_code(answer);
    if (!name || !api_key_name_is_valid(name))
        return refuse_usage("--name must be 1 to 32 of a-z 0-9 . _ - and neither default, nor a "
                            "service's, nor begin with party-");
    if (!scopes || !api_key_scopes(&bits, scopes))
        return refuse_usage("--scopes must be read, sign, create or manage, with + between");
    return run(name, scopes, json);
}
