/* SPDX-License-Identifier: Apache-2.0 */
/* See api_answer.h. A word that is no field's stays as it is: the table is no grammar. */
#include "api_answer.h"

#include "api.h"

#include "system/core/buffer.h"

#include <ctype.h>
#include <string.h>

static const struct {
    const char *word, *option;
} words[] = {
    {"?wait=0", "--wait 0"},
    {"derivation_path", "--path"},
    {"idempotency_key", "--idempotency-key"},
    {"intent_signature", "--intent-signature"},
    {"participants", "--parties"},
    {"threshold_n", "N of --threshold"},
    {"threshold_t", "T of --threshold"},
    {"user_id", "--user"},
    {"user_public_key", "--user-public-key"},
    {"user_share", "--user-share"},
};

static bool is_inside(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The row of the word at |at|, -1 if none begins there. */
static int find(const char *text, size_t at)
{
    if (at > 0 && is_inside(text[at - 1]))
        return -1;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t len = strlen(words[i].word);

        if (strncmp(text + at, words[i].word, len) == 0 && !is_inside(text[at + len]))
            return (int)i;
    }
    return -1;
}

static void translate(struct trouble *trouble, const char *text)
{
    struct buffer out = {0};

    for (size_t at = 0; text[at];) {
        int row = find(text, at);

        if (row < 0) {
            buffer_add(&out, text + at++, 1);
            continue;
        }
        buffer_printf(&out, "%s", words[row].option);
        at += strlen(words[row].word);
    }
    trouble_set(trouble, "%.*s", (int)out.len, out.b ? (const char *)out.b : "");
    buffer_free(&out);
}

bool api_answer_error(struct trouble *trouble, const json_t *answer)
{
    const char *error = api_text(answer, "error"), *session = api_text(answer, "session_id");

    if (!error[0])
        return false;
    if (session[0] && strcmp(api_text(answer, "code"), "wait_over") == 0) {
        trouble_set(trouble,
                    "the wait is over, the session goes on: quorate session show %s tells its end; "
                    "asking again without the same --idempotency-key begins another",
                    session);
        return true;
    }
    translate(trouble, error);
    if (session[0])
        trouble_add(trouble, " (session %s)", session);
    return true;
}

static bool is_named(const json_t *names, const char *party)
{
    const json_t *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        if (json_is_string(name) && strcmp(json_string_value(name), party) == 0)
            return true;
    }
    return false;
}

bool api_answer_absent(const json_t *parties, const json_t *names)
{
    struct buffer absent = {0};
    size_t i, n = 0;
    const json_t *party;

    json_array_foreach(parties, i, party)
    {
        const char *name = api_text(party, "party_id");

        if (json_is_false(json_object_get(party, "live")) && is_named(names, name))
            buffer_printf(&absent, "%s%s", n++ ? ", " : "", name);
    }
    if (n > 0)
        say("still waiting: %.*s %s not live", (int)absent.len, (const char *)absent.b,
            n > 1 ? "are" : "is");
    buffer_free(&absent);
    return n > 0;
}
