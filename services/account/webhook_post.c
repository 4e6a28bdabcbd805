/* SPDX-License-Identifier: Apache-2.0 */
/* See webhook_post.h. What the receiver answers is not read, redirections are not followed, and no
 * proxy of the environment is used. */
#include "services/account/webhook_post.h"

#include "system/access/address.h"
#include "system/core/clock.h"
#include "system/core/ids.h"

#include <curl/curl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POST_MS = 10000, CONNECT_MS = 5000 };

/* An address of IPv6 stands in brackets. */
static bool is_local(char *host)
{
    size_t len = strlen(host);

    if (host[0] != '[' || host[len - 1] != ']')
        return strcmp(host, "localhost") == 0 || address_is_loopback(host);
    host[len - 1] = 0;
    return address_is_loopback(host + 1);
}

bool webhook_url_is_fit(const char *url)
{
    CURLU *parts = curl_url();
    char *scheme = NULL, *host = NULL;
    bool is_fit = parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                  curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                  curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                  (strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && is_local(host)));

    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parts);
    return is_fit;
}

static void put(json_t *object, const char *name, const char *text)
{
    if (*text)
        json_object_set_new(object, name, json_string(text));
}

char *webhook_body(const struct webhook *hook, int64_t ended_ms)
{
    json_t *body = json_object(), *session = json_object();
    char type[8 + WEBHOOK_WORD_MAX], at[CLOCK_TEXT_MAX], *text;

    snprintf(type, sizeof type, "session.%s", hook->status);
    clock_text(at, ended_ms);
    put(body, "id", hook->session_id);
    put(body, "type", type);
    put(body, "created_at", at);
    put(session, "session_id", hook->session_id);
    put(session, "session_type", hook->kind);
    put(session, "status", hook->status);
    put(session, "account_id", hook->account_id);
    put(session, "error_code", hook->code);
    put(session, "error", hook->error);
    json_object_set_new(body, "session", session);
    text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return text;
}

void webhook_sign(char out[WEBHOOK_HEADER_MAX], const char *body, int64_t unix_s,
                  const char *const *secrets, size_t secrets_n)
{
    size_t at = (size_t)snprintf(out, WEBHOOK_HEADER_MAX, "t=%lld", (long long)unix_s);
    char time[24], hex[2 * crypto_auth_hmacsha256_BYTES + 1];

    snprintf(time, sizeof time, "%lld.", (long long)unix_s);
    for (size_t i = 0; i < secrets_n; i++) {
        crypto_auth_hmacsha256_state mac;
        uint8_t tag[crypto_auth_hmacsha256_BYTES];

        crypto_auth_hmacsha256_init(&mac, (const uint8_t *)secrets[i], strlen(secrets[i]));
        crypto_auth_hmacsha256_update(&mac, (const uint8_t *)time, strlen(time));
        crypto_auth_hmacsha256_update(&mac, (const uint8_t *)body, strlen(body));
        crypto_auth_hmacsha256_final(&mac, tag);
        sodium_memzero(&mac, sizeof mac);
        hex_encode(hex, tag, sizeof tag);
        at += (size_t)snprintf(out + at, WEBHOOK_HEADER_MAX - at, ",v1=%s", hex);
    }
}

static size_t drop(char *b, size_t size, size_t n, void *arg)
{
    (void)b;
    (void)arg;
    return size * n;
}

static int watch(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return atomic_load((const atomic_bool *)arg);
}

static void set(CURL *curl, const struct webhook_post *post, struct curl_slist *head, char *error)
{
    curl_easy_setopt(curl, CURLOPT_URL, post->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)POST_MS);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    if (post->ca && *post->ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, post->ca);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, head);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post->body);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(post->body));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, (void *)(uintptr_t)post->ends);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
}

static bool run(CURL *curl, struct webhook_post *post, const char *error)
{
    CURLcode code = curl_easy_perform(curl);
    long http = 0;

    if (code != CURLE_OK) {
        snprintf(post->error, sizeof post->error, "%.200s",
                 *error ? error : curl_easy_strerror(code));
        return false;
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http);
    snprintf(post->error, sizeof post->error, "the receiver said %ld", http);
    return http >= 200 && http < 300;
}

void *webhook_line_new(void)
{
    return curl_easy_init();
}

void webhook_line_free(void *line)
{
    curl_easy_cleanup(line);
}

bool webhook_post(struct webhook_post *post)
{
    char signature[WEBHOOK_HEADER_MAX + 32], error[CURL_ERROR_SIZE] = "";
    struct curl_slist *head = curl_slist_append(NULL, "Content-Type: application/json");
    CURL *curl = post->line;
    bool ok = false;

    snprintf(signature, sizeof signature, "Quorate-Signature: %s", post->signature);
    head = curl_slist_append(head, signature);
    head = curl_slist_append(head, "Expect:");
    if (curl && head) {
        curl_easy_reset(curl);
        set(curl, post, head, error);
        ok = run(curl, post, error);
    } else {
        snprintf(post->error, sizeof post->error, "no memory to send with");
    }
    curl_slist_free_all(head);
    return ok;
}
