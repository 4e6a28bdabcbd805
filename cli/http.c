/* SPDX-License-Identifier: Apache-2.0 */
/* See http.h. */
#include "http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 1 << 20, TOTAL_MS = 5000 };

static size_t take(char *b, size_t size, size_t n, void *arg)
{
    struct buffer *body = arg;

    if (body->len + size * n > ANSWER_MAX)
        return 0;
    buffer_add(body, b, size * n);
    return size * n;
}

static void set_trust(CURL *curl, const struct http_ask *ask)
{
    if (ask->ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, ask->ca);
    if (ask->certificate)
        curl_easy_setopt(curl, CURLOPT_SSLCERT, ask->certificate);
    if (ask->certificate)
        curl_easy_setopt(curl, CURLOPT_SSLKEY, ask->key);
    if (ask->trusts_all) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static void read_head(CURL *curl, struct http_answer *answer)
{
    struct curl_header *date;

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    answer->date_s = -1;
    if (curl_easy_header(curl, "date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK)
        answer->date_s = curl_getdate(date->value, NULL);
}

bool http_get(struct http_answer *answer, const struct http_ask *ask, struct trouble *trouble)
{
    char why[CURL_ERROR_SIZE] = "";
    struct curl_slist *head = ask->header ? curl_slist_append(NULL, ask->header) : NULL;
    CURL *curl = curl_easy_init();
    CURLcode code;

    if (!curl)
        exit(refuse("out of memory"));
    *answer = (struct http_answer){0};
    curl_easy_setopt(curl, CURLOPT_URL, ask->url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, head);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TOTAL_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer->body);
    set_trust(curl, ask);
    code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        read_head(curl, answer);
    else
        trouble_set(trouble, "%s", why[0] ? why : curl_easy_strerror(code));
    curl_easy_cleanup(curl);
    curl_slist_free_all(head);
    if (code != CURLE_OK)
        buffer_free(&answer->body);
    return code == CURLE_OK;
}
