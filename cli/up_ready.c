/* SPDX-License-Identifier: Apache-2.0 */
/* Asking /ready over HTTP. One question is short: a process that does not answer is asked again
 * later. A signal ends the question. */
#include "up.h"

#include "signals.h"

#include "system/core/buffer.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONNECT_MS = 500, TOTAL_MS = 1000 };

struct up_asker {
    CURL *curl;
    bool has_tls;
    char ca[PATH_MAX];
};

struct up_asker *up_asker_new(const struct up_system *system)
{
    struct up_asker *asker = mem_new(1, sizeof *asker);

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !(asker->curl = curl_easy_init()))
        exit(refuse("libcurl cannot start on this machine"));
    asker->has_tls = system->has_tls;
    up_path(asker->ca, system, "tls", "ca.crt");
    return asker;
}

void up_asker_free(struct up_asker *asker)
{
    curl_easy_cleanup(asker->curl);
    free(asker);
    curl_global_cleanup();
}

static size_t drop(char *b, size_t size, size_t n, void *arg)
{
    (void)b, (void)arg;
    return size * n;
}

static int tick(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)arg, (void)a, (void)b, (void)c, (void)d;
    return signals_came();
}

bool up_ask_ready(struct up_asker *asker, int port)
{
    char url[UP_URL_MAX];
    long status = 0;
    CURLcode code;

    snprintf(url, sizeof url, "http%s://127.0.0.1:%d/ready", asker->has_tls ? "s" : "", port);
    curl_easy_reset(asker->curl);
    if (asker->has_tls)
        curl_easy_setopt(asker->curl, CURLOPT_CAINFO, asker->ca);
    curl_easy_setopt(asker->curl, CURLOPT_URL, url);
    curl_easy_setopt(asker->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(asker->curl, CURLOPT_NOPROXY, "*");
    /* a process that was started anew has another connection */
    curl_easy_setopt(asker->curl, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(asker->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(asker->curl, CURLOPT_TIMEOUT_MS, (long)TOTAL_MS);
    curl_easy_setopt(asker->curl, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(asker->curl, CURLOPT_XFERINFOFUNCTION, tick);
    curl_easy_setopt(asker->curl, CURLOPT_NOPROGRESS, 0L);
    code = curl_easy_perform(asker->curl);
    if (code == CURLE_OK)
        curl_easy_getinfo(asker->curl, CURLINFO_RESPONSE_CODE, &status);
    return status == 200;
}
