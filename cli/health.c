/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate health URL": does one service live, and can it serve? Needs no key: what images, scripts
 * and supervisors ask. Nothing is believed that a server with another authority says. */
#include "command.h"
#include "http.h"
#include "option.h"
#include "report.h"
#include "say.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { URL_MAX = 512 };

/* Scheme, host and port to |out|; a slash may stand behind them. */
static bool read_base(char out[URL_MAX], const char *url)
{
    const char *host = strstr(url, "://");
    size_t len = strlen(url);

    if (len >= URL_MAX || !host || !host[3] || host[3] == '/' ||
        (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0))
        return false;
    snprintf(out, URL_MAX, "%.*s", (int)(url[len - 1] == '/' ? len - 1 : len), url);
    return !strpbrk(out + (host - url) + 3, "/?#@ ");
}

static bool ask(struct http_answer *answer, const char *base, const char *path, const char *ca,
                struct trouble *trouble)
{
    char url[URL_MAX + 16];
    struct trouble why;

    snprintf(url, sizeof url, "%s%s", base, path);
    return http_get(answer, &(struct http_ask){.url = url, .ca = ca}, &why) ||
           trouble_set(trouble, "%s does not answer: %s", base, why.text);
}

static int run(const char *url, const char *ca, bool as_json)
{
    struct http_answer alive, ready = {0};
    struct trouble trouble;
    bool ok = ask(&alive, url, "/health", ca, &trouble) && ask(&ready, url, "/ready", ca, &trouble);
    json_t *said = json_loadb((const char *)alive.body.b, alive.body.len, 0, NULL), *report;
    const char *service = json_string_value(json_object_get(said, "service"));

    buffer_free(&alive.body);
    buffer_free(&ready.body);
    if (!ok || !service) {
        json_decref(said);
        return ok ? refuse("what answers at %s is no service of this system", url)
                  : refuse("%s", trouble.text);
    }
    report = json_object();
    report_add_text(report, "service", service);
    report_add(report, "status", json_string(alive.status == 200 ? "healthy" : "unhealthy"));
    report_add(report, "ready", json_boolean(ready.status == 200));
    json_decref(said);
    ok = report_print(report, as_json);
    return ok && alive.status == 200 && ready.status == 200 ? EXIT_DONE : EXIT_REFUSED;
}

int command_health(char **argv)
{
    const char *ca = NULL, *url;
    char base[URL_MAX];
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
    if (url_n != 1 || !read_base(base, url))
        return refuse_usage("name the service by scheme, host and port, as in "
                            "quorate health https://127.0.0.1:8080");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return refuse("libcurl cannot start on this machine");
    code = run(base, ca, json);
    curl_global_cleanup();
    return code;
}
