/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP API as the command calls it: where it is and with which key comes from a file that
 * `quorate up` wrote ({"url", "api_key"}, readable by its owner alone). */
#ifndef QUORATE_CLI_API_H
#define QUORATE_CLI_API_H

#include "option.h"
#include "say.h"

#include <jansson.h>

/* Options that every client command has: API_OPTION_ROWS in its table. */
struct api_options {
    const char *dir, *client;
    bool json;
};
#define API_OPTION_ROWS(o)                                                                         \
    {"--dir", "DIR", NULL, &(o).dir, "the system's directory (default: quorate-data)"},            \
        {"--client", "FILE", NULL, &(o).client,                                                    \
         "url and key of the API in JSON (default: client.json in that directory)"},               \
    {                                                                                              \
        "--json", NULL, &(o).json, NULL, "answer in JSON"                                          \
    }

struct api;

/* NULL after saying why. The caller's: api_close wipes the key. */
struct api *api_open(const struct api_options *options);
void api_close(struct api *api);

/* The directory of the options. */
const char *api_dir(const struct api_options *options);

struct api_call {
    /* "GET", "POST", "PUT", "DELETE" */
    const char *verb;
    /* "/api/v1/accounts" */
    const char *path;
    /* taken; NULL: none */
    json_t *body;
    /* shown on a terminal with the seconds while it lasts; NULL: nothing */
    const char *doing;
    /* if it takes long, it is said which of |parties| ("party-1,party-3"; NULL: the account's) are
     * not live; |account| NULL: nothing is */
    const char *account, *parties;
};

/* The answer's object, or NULL after saying the API's sentence, or why it could not be asked. */
json_t *api_ask(struct api *api, const struct api_call *call);
/* The same; what went wrong goes to |trouble|. */
json_t *api_try(struct api *api, const struct api_call *call, struct trouble *trouble);

/* Two names at least, with commas between. */
bool api_are_names(const char *list);
/* "party-1,party-3" as a list of texts, and as [{"party_id": ...}, ...]. */
json_t *api_list(const char *list);
json_t *api_participants(const char *list);

/* A UUID as the system makes them: safe in a path. */
bool api_is_id(const char *text);

/* "" if |object| has no such text. */
const char *api_text(const json_t *object, const char *key);

#endif
