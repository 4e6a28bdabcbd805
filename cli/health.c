/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate health URL": does one service live, and can it serve? Needs no key: what images, scripts
 * and supervisors ask. Nothing is believed that a server with another authority says. */
#include "command.h"
#include "option.h"
#include "report.h"
#include "say.h"

#include "system/core/buffer.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URL_MAX = 512, ANSWER_MAX = 65536, TOTAL_MS = 5000 };

static size_t take(char *b, size_t size, size_t n, void *arg)
{
    struct buffer *answer = arg;

    if (answer->len + size * n > ANSWER_MAX)
        return 0;
    buffer_add(answer, b, size * n);
    return size * n;
}

static bool is_bare(const char *url)
{
    const char *host = strstr(url, "://");

    return strlen(url) < URL_MAX && host && host[3] && !strpbrk(host + 3, "/?#@ ") &&
           (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0);
}

/* The HTTP status of |base||path|, 0 and |trouble| if there was none. */
static long ask(struct buffer *answer, const char *base, const char *path, const char *ca,
                struct trouble *trouble)
{
    CURL *curl = curl_easy_init();
    char url[URL_MAX + 16];
    long status = 0;
    CURLcode code;

    if (!curl)
        exit(refuse("out of memory"));
    snprintf(url, sizeof url, "%s%s", base, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    if (ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TOTAL_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    else
        trouble_set(trouble, "%s does not answer: %s", base, curl_easy_strerror(code));
    curl_easy_cleanup(curl);
    return status;
}

static int run(const char *url, const char *ca, bool as_json)
{
    struct buffer answer = {0}, rest = {0};
    struct trouble trouble;
    long alive = ask(&answer, url, "/health", ca, &trouble), ready;
    json_t *said = json_loadb((const char *)answer.b, answer.len, 0, NULL), *report;
    const char *service = json_string_value(json_object_get(said, "service"));
    bool ok;

    ready = alive ? ask(&rest, url, "/ready", ca, &trouble) : 0;
    buffer_free(&answer);
    buffer_free(&rest);
    if (!alive || !ready || !service) {
        json_decref(said);
        return alive && ready ? refuse("what answers at %s is no service of this system", url)
                              : refuse("%s", trouble.text);
    }
    report = json_object();
    report_add_text(report, "service", service);
    report_add(report, "status", json_string(alive == 200 ? "healthy" : "unhealthy"));
    report_add(report, "ready", json_boolean(ready == 200));
    json_decref(said);
    ok = report_print(report, as_json);
    return ok && alive == 200 && ready == 200 ? EXIT_DONE : EXIT_REFUSED;
}

int command_health(char **argv)
{
    const char *ca = NULL, *url;
    bool json = false;
    const struct option_row rows[] = {
        {"--ca", "FILE", NULL, &ca, "PEM file of the authority of https (default: the machine's)"},
        {"--json", NULL, &json, NULL, "answer in JSON"},
    };
    const struct options options = {"health", "URL",
                                    "Is the service at URL, like https://127.0.0.1:8080, healthy "
                                    "and ready? Exit code 1 unless\n"
                                    "it is both.",
                                    rows, sizeof rows / sizeof rows[0]};
    size_t url_n;
    enum options_answer answer = options_read(&options, argv, &url, 1, &url_n);
    int code;

    if (answer != OPTIONS_GO)
        return options_code(answer);
    if (url_n != 1 || !is_bare(url))
        return refuse_usage("name the service by scheme, host and port, as in "
                            "quorate health https://127.0.0.1:8080");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return refuse("libcurl cannot start on this machine");
    code = run(url, ca, json);
    curl_global_cleanup();
    return code;
}
