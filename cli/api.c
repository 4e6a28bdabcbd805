/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP request after the other, by libcurl. The key goes into a header, never into an argument
 * or a message. */
#include "api.h"

#include "api_answer.h"
#include "file.h"
#include "http.h"
#include "signals.h"

#include "system/core/buffer.h"
#include "system/core/ids.h"
#include "system/core/secret.h"

#include <curl/curl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CLIENT_FILE_MAX = 16384,
    /* the longest wait that the API allows, and some more */
    TIMEOUT_S = 660,
    CONNECT_S = 10,
    ANSWER_MAX = 64 << 20,
    /* from then on it is asked who is missing */
    PATIENCE_S = 2
};

struct api {
    CURL *curl;
    char *url;
    /* certificate of the authority of https; NULL: the machine's own */
    char *ca;
    /* "X-API-Key: ...", guarded */
    char *key_header;
    /* the present one */
    const struct api_call *call;
    time_t began;
    /* of its seconds the last in which somebody was looked for; whether that is settled */
    long looked;
    bool is_told;
    struct buffer answer;
};

const char *api_dir(const struct api_options *options)
{
    return options->dir ? options->dir : "quorate-data";
}

static bool read_client(struct api *api, const char *path, struct trouble *trouble)
{
    struct file file;
    json_t *json;
    const char *url, *key, *ca;

    if (!file_read(&file, path, CLIENT_FILE_MAX, trouble)) {
        trouble_add(trouble, "; is the system running? quorate up starts it");
        return false;
    }
    json = json_loadb((const char *)file.b, file.len, 0, NULL);
    file_free(&file);
    url = json_string_value(json_object_get(json, "url"));
    key = json_string_value(json_object_get(json, "api_key"));
    ca = json_string_value(json_object_get(json, "ca"));
    if (url && key) {
        size_t len = strlen(key) + 16;

        api->ca = ca ? text_copy(ca) : NULL;
        api->url = text_copy(url);
        api->key_header = secret_new(len);
        snprintf(api->key_header, len, "X-API-Key: %s", key);
    }
    json_decref(json);
    return (api->url && api->key_header) ||
           trouble_set(trouble, "%s must hold {\"url\": ..., \"api_key\": ...}", path);
}

static size_t take(char *b, size_t size, size_t n, void *arg)
{
    struct api *api = arg;

    if (api->answer.len + size * n > ANSWER_MAX)
        return 0;
    buffer_add(&api->answer, b, size * n);
    return size * n;
}

/* Asked while the call's own request goes on; NULL: no answer, or the key may not ask. */
static json_t *peek(struct api *api, const char *path)
{
    char url[1024];
    struct http_answer answer;
    struct trouble trouble;
    json_t *json = NULL;

    snprintf(url, sizeof url, "%s%s", api->url, path);
    if (!http_get(&answer, &(struct http_ask){.url = url, .ca = api->ca, .header = api->key_header},
                  &trouble))
        return NULL;
    if (answer.status == 200)
        json = json_loadb((const char *)answer.body.b, answer.body.len, 0, NULL);
    buffer_free(&answer.body);
    return json;
}

/* A key that may not ask does not ask again. */
static void look_for(struct api *api, const struct api_call *call)
{
    char path[128];
    json_t *pool = peek(api, "/api/v1/parties"), *account = NULL, *names;

    api->is_told = !pool;
    if (!pool)
        return;
    if (call->parties) {
        names = api_list(call->parties);
    } else {
        snprintf(path, sizeof path, "/api/v1/accounts/%s", call->account);
        account = peek(api, path);
        names = json_incref(json_object_get(account, "parties"));
    }
    api->is_told = api_answer_absent(json_object_get(pool, "parties"), names);
    json_decref(names);
    json_decref(account);
    json_decref(pool);
}

static int tick(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct api *api = arg;
    const struct api_call *call = api->call;
    long seconds = (long)(time(NULL) - api->began);

    (void)a, (void)b, (void)c, (void)d;
    if (call->account && !api->is_told && seconds >= PATIENCE_S && seconds > api->looked) {
        api->looked = seconds;
        look_for(api, call);
    }
    if (call->doing && seconds > 0)
        say_progress("%s, %ld s", call->doing, seconds);
    return signals_came();
}

struct api *api_open(const struct api_options *options)
{
    struct api *api = mem_new(1, sizeof *api);
    struct trouble trouble;
    char path[PATH_MAX];

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        exit(refuse("libcurl cannot start on this machine"));
    snprintf(path, sizeof path, "%s/client.json", api_dir(options));
    if (!read_client(api, options->client ? options->client : path, &trouble)) {
        say("%s", trouble.text);
        api_close(api);
        return NULL;
    }
    api->curl = curl_easy_init();
    if (!api->curl)
        exit(refuse("out of memory"));
    signals_catch();
    return api;
}

void api_close(struct api *api)
{
    if (!api)
        return;
    if (api->curl)
        curl_easy_cleanup(api->curl);
    secret_free(api->key_header);
    buffer_free(&api->answer);
    free(api->url);
    free(api->ca);
    free(api);
    curl_global_cleanup();
}

static CURLcode perform(struct api *api, const struct api_call *call, const char *body)
{
    char url[1024];
    struct curl_slist *headers = curl_slist_append(NULL, api->key_header);
    CURLcode code;

    headers = curl_slist_append(headers, "Content-Type: application/json");
    snprintf(url, sizeof url, "%s%s", api->url, call->path);
    curl_easy_reset(api->curl);
    curl_easy_setopt(api->curl, CURLOPT_URL, url);
    curl_easy_setopt(api->curl, CURLOPT_CUSTOMREQUEST, call->verb);
    curl_easy_setopt(api->curl, CURLOPT_HTTPHEADER, headers);
    if (api->ca)
        curl_easy_setopt(api->curl, CURLOPT_CAINFO, api->ca);
    if (body)
        curl_easy_setopt(api->curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(api->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(api->curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(api->curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    curl_easy_setopt(api->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(api->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(api->curl, CURLOPT_WRITEDATA, api);
    curl_easy_setopt(api->curl, CURLOPT_XFERINFOFUNCTION, tick);
    curl_easy_setopt(api->curl, CURLOPT_XFERINFODATA, api);
    curl_easy_setopt(api->curl, CURLOPT_NOPROGRESS, 0L);
    code = curl_easy_perform(api->curl);
    curl_slist_free_all(headers);
    return code;
}

static json_t *read_answer(struct api *api, struct trouble *trouble)
{
    json_t *json = json_loadb((const char *)api->answer.b, api->answer.len, 0, NULL);
    long status = 0;

    curl_easy_getinfo(api->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300 && json_is_object(json))
        return json;
    if (!api_answer_error(trouble, json))
        trouble_set(trouble, "%s answered with HTTP status %ld", api->url, status);
    json_decref(json);
    return NULL;
}

json_t *api_try(struct api *api, const struct api_call *call, struct trouble *trouble)
{
    char *body = call->body ? json_dumps(call->body, JSON_COMPACT) : NULL;
    CURLcode code;

    json_decref(call->body);
    api->call = call;
    api->began = time(NULL);
    api->looked = 0;
    api->is_told = false;
    api->answer.len = 0;
    code = perform(api, call, body);
    say_progress_end();
    free(body);
    if (code == CURLE_OK)
        return read_answer(api, trouble);
    if (signals_came())
        trouble_set(trouble, "stopped by a signal; what was asked for may still be done");
    else
        trouble_set(trouble,
                    "the system at %s does not answer (%s); is it running? quorate up starts it",
                    api->url, curl_easy_strerror(code));
    return NULL;
}

json_t *api_ask(struct api *api, const struct api_call *call)
{
    struct trouble trouble;
    json_t *answer = api_try(api, call, &trouble);

    if (!answer)
        say("%s", trouble.text);
    return answer;
}

bool api_is_id(const char *text)
{
    uint8_t id[16];

    return id_parse(id, text);
}

bool api_are_names(const char *list)
{
    size_t len = strlen(list);

    return len > 0 && list[0] != ',' && list[len - 1] != ',' && !strstr(list, ",,") &&
           strchr(list, ',');
}

json_t *api_list(const char *list)
{
    json_t *out = json_array();

    for (size_t len; *list; list += len + (list[len] == ',')) {
        len = strcspn(list, ",");
        json_array_append_new(out, json_stringn(list, len));
    }
    return out;
}

json_t *api_participants(const char *list)
{
    json_t *out = json_array(), *names = api_list(list), *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        json_t *one = json_object();

        json_object_set(one, "party_id", name);
        json_array_append_new(out, one);
    }
    json_decref(names);
    return out;
}

const char *api_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}
