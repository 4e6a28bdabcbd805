/* SPDX-License-Identifier: Apache-2.0 */
/* One try to tell WEBHOOK_URL of an event: its body, its signatures, and the POST itself, which
 * blocks. */
#ifndef ACCOUNT_WEBHOOK_POST_H
#define ACCOUNT_WEBHOOK_POST_H

#include "services/account/webhook.h"

#include <stdatomic.h>
#include <stddef.h>

enum { WEBHOOK_SECRETS_MAX = 2, WEBHOOK_HEADER_MAX = 256, WEBHOOK_ERROR_MAX = 256 };

/* https:// to anybody, http:// to an address of this machine, as libcurl reads it. */
bool webhook_url_is_fit(const char *url);

/* Heap, the caller's. */
char *webhook_body(const struct webhook *hook, int64_t ended_ms);

/* "t=UNIX,v1=HEX[,v1=HEX]": HMAC-SHA256 of "UNIX.BODY" by each secret. */
void webhook_sign(char out[WEBHOOK_HEADER_MAX], const char *body, int64_t unix_s,
                  const char *const *secrets, size_t secrets_n);

/* A connection to the receiver that is kept between tries; one try at a time. */
void *webhook_line_new(void);
void webhook_line_free(void *line);

struct webhook_post {
    void *line;
    const char *url, *ca, *body, *signature;
    /* set from another thread: give up */
    const atomic_bool *ends;
    /* out */
    char error[WEBHOOK_ERROR_MAX];
};

/* True: the receiver said 2xx. Otherwise |error| has a line. */
bool webhook_post(struct webhook_post *post);

#endif
