/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP GET by libcurl, within some seconds: what health and doctor ask services. No proxy of
 * the environment is used. curl_global_init is the caller's. */
#ifndef QUORATE_CLI_HTTP_H
#define QUORATE_CLI_HTTP_H

#include "say.h"

#include "system/core/buffer.h"

#include <stdint.h>

struct http_ask {
    const char *url;
    /* one more line of its head, such as a key; NULL: none */
    const char *header;
    /* PEM files. |ca| NULL: the machine's authorities; |certificate| NULL: none is shown */
    const char *ca, *certificate, *key;
    /* for a socket of this machine of which nothing is believed: any certificate will do */
    bool trusts_all;
};

struct http_answer {
    long status;
    /* the caller's: buffer_free */
    struct buffer body;
    /* Unix time in its head; -1: none */
    int64_t date_s;
};

/* False with what libcurl says in |trouble|: there was no answer. */
bool http_get(struct http_answer *answer, const struct http_ask *ask, struct trouble *trouble);

#endif
