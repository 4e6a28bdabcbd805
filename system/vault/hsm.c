/* SPDX-License-Identifier: Apache-2.0 */
/* The asking side. An answer that comes after its deadline has a number that nobody waits for. */
#include "system/vault/hsm.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/helper.h"
#include "system/core/ids.h"
#include "system/core/log.h"
#include "system/core/secret.h"
#include "system/vault/hsm_wire.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A token may be on a network. */
enum { START_MS = 60000, REQUEST_MS = 10000 };

struct hsm {
    int fd;
    uint8_t ids[PKCS11_KEYS_MAX][WRAPPING_ID];
    pthread_mutex_t lock;
    /* under the lock; |packet| is guarded memory of HSM_PACKET_MAX bytes */
    uint64_t number;
    uint8_t *packet;
};

struct hsm_key {
    struct wrapping base;
    struct hsm *hsm;
    uint8_t key;
};

/* The next packet into |out|; 0: none in time, or the helper is gone. */
static size_t receive(const struct hsm *hsm, uint8_t *out, uint64_t until_us)
{
    for (;;) {
        struct pollfd wait = {.fd = hsm->fd, .events = POLLIN};
        uint64_t now_us = clock_steady_us();
        ssize_t n;

        if (now_us >= until_us || poll(&wait, 1, (int)((until_us - now_us) / 1000) + 1) == 0)
            return 0;
        n = recv(hsm->fd, out, HSM_PACKET_MAX, MSG_DONTWAIT);
        if (n >= 0)
            return (size_t)n;
        if (errno != EINTR && errno != EAGAIN)
            return 0;
    }
}

static uint64_t until(int ms)
{
    return clock_steady_us() + (uint64_t)ms * 1000;
}

/* Start */

static bool send_settings(const struct hsm *hsm, const struct pkcs11_params *params)
{
    json_t *labels = json_array(), *json;
    char *text;
    bool ok;

    for (size_t i = 0; i < params->labels_n; i++)
        json_array_append_new(labels, json_string(params->labels[i]));
    json = json_pack("{s:s, s:I, s:s, s:s, s:o}", "module", params->module, "slot",
                     (json_int_t)params->slot, "token", params->token, "pin_file", params->pin_file,
                     "labels", labels);
    text = json_dumps(json, JSON_COMPACT);
    ok = text && strlen(text) <= HSM_PACKET_MAX &&
         send(hsm->fd, text, strlen(text), MSG_NOSIGNAL) > 0;
    free(text);
    json_decref(json);
    return ok;
}

/* False with one line: what the helper said, or that it said nothing. */
static bool take_ids(struct hsm *hsm, size_t n, char error[PKCS11_ERROR_MAX])
{
    size_t len = receive(hsm, hsm->packet, until(START_MS));
    json_t *json = len ? json_loadb((const char *)hsm->packet, len, 0, NULL) : NULL;
    const json_t *ids = json_object_get(json, "ids");
    const char *said = json_string_value(json_object_get(json, "error"));
    bool ok = json_array_size(ids) == n;

    for (size_t i = 0; ok && i < n; i++) {
        const char *id = json_string_value(json_array_get(ids, i));

        ok = id && hex_decode(hsm->ids[i], WRAPPING_ID, id);
    }
    if (!ok)
        snprintf(error, PKCS11_ERROR_MAX, "%s",
                 said ? said : "the helper with PKCS11_MODULE does not start");
    json_decref(json);
    return ok;
}

struct hsm *hsm_start(const char *program, const struct pkcs11_params *params,
                      char error[PKCS11_ERROR_MAX])
{
    struct hsm *hsm = mem_new(1, sizeof *hsm);

    pthread_mutex_init(&hsm->lock, NULL);
    hsm->packet = secret_new(HSM_PACKET_MAX);
    hsm->fd = helper_start(program, "--vault", SOCK_SEQPACKET, HELPER_WHOLE);
    if (hsm->fd < 0 || !send_settings(hsm, params))
        snprintf(error, PKCS11_ERROR_MAX, "the helper with PKCS11_MODULE cannot be started: %s",
                 strerror(errno));
    else if (take_ids(hsm, params->labels_n, error))
        return hsm;
    hsm_stop(hsm);
    return NULL;
}

void hsm_stop(struct hsm *hsm)
{
    if (!hsm)
        return;
    if (hsm->fd >= 0)
        close(hsm->fd);
    secret_free(hsm->packet);
    pthread_mutex_destroy(&hsm->lock);
    free(hsm);
}

int hsm_fd(const struct hsm *hsm)
{
    return hsm->fd;
}

/* Requests */

struct request {
    uint8_t what, key;
    const uint8_t *in;
    size_t in_len;
    uint8_t *out;
    size_t out_len;
    const struct wrapping_ad *ad;
};

static size_t encode(struct hsm *hsm, const struct request *r)
{
    uint8_t *b = hsm->packet;

    hsm->number++;
    memcpy(b, &hsm->number, HSM_NUMBER);
    b[HSM_NUMBER] = r->what;
    b[HSM_NUMBER + 1] = r->key;
    memcpy(b + HSM_REQUEST_HEAD, r->in, r->in_len);
    memcpy(b + HSM_REQUEST_HEAD + r->in_len, r->ad->b, r->ad->len);
    return HSM_REQUEST_HEAD + r->in_len + r->ad->len;
}

static enum vault_result decode(struct hsm *hsm, const struct request *r, size_t len)
{
    const uint8_t *b = hsm->packet;
    char text[PKCS11_ERROR_MAX];

    if (b[HSM_NUMBER] == VAULT_OK && len == HSM_ANSWER_HEAD + r->out_len) {
        memcpy(r->out, b + HSM_ANSWER_HEAD, r->out_len);
        return VAULT_OK;
    }
    if (b[HSM_NUMBER] == VAULT_DAMAGED)
        return VAULT_DAMAGED;
    snprintf(text, sizeof text, "%.*s", (int)(len - HSM_ANSWER_HEAD),
             (const char *)b + HSM_ANSWER_HEAD);
    log_line(LOG_WARN, text);
    return VAULT_AWAY;
}

/* Under the lock. */
static enum vault_result exchange(struct hsm *hsm, const struct request *r)
{
    uint64_t until_us = until(REQUEST_MS);
    size_t len = encode(hsm, r);

    if (send(hsm->fd, hsm->packet, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
        return VAULT_AWAY;
    while ((len = receive(hsm, hsm->packet, until_us)) >= HSM_ANSWER_HEAD) {
        if (memcmp(hsm->packet, &hsm->number, HSM_NUMBER) == 0)
            return decode(hsm, r, len);
    }
    log_line(LOG_WARN, "the token does not answer in time");
    return VAULT_AWAY;
}

static enum vault_result ask(struct hsm *hsm, const struct request *r)
{
    enum vault_result result;

    if (r->ad->len > HSM_PACKET_MAX - HSM_REQUEST_HEAD - WRAPPING_WRAPPED)
        return VAULT_DAMAGED;
    pthread_mutex_lock(&hsm->lock);
    result = exchange(hsm, r);
    sodium_memzero(hsm->packet, HSM_PACKET_MAX);
    pthread_mutex_unlock(&hsm->lock);
    return result;
}

static enum vault_result wrap(struct wrapping *self, uint8_t out[WRAPPING_WRAPPED],
                              const uint8_t plain[WRAPPING_PLAIN], const struct wrapping_ad *ad)
{
    const struct hsm_key *key = (const struct hsm_key *)self;
    const struct request request = {'W', key->key,         plain, WRAPPING_PLAIN,
                                    out, WRAPPING_WRAPPED, ad};

    return ask(key->hsm, &request);
}

static enum vault_result unwrap(struct wrapping *self, uint8_t out[WRAPPING_PLAIN],
                                const uint8_t wrapped[WRAPPING_WRAPPED],
                                const struct wrapping_ad *ad)
{
    const struct hsm_key *key = (const struct hsm_key *)self;
    const struct request request = {'U', key->key,       wrapped, WRAPPING_WRAPPED,
                                    out, WRAPPING_PLAIN, ad};

    memset(out, 0, WRAPPING_PLAIN);
    return ask(key->hsm, &request);
}

static void free_key(struct wrapping *self)
{
    free(self);
}

struct wrapping *hsm_wrapping(struct hsm *hsm, size_t key)
{
    static const struct wrapping_kind kind = {wrap, unwrap, free_key};
    struct hsm_key *out = mem_new(1, sizeof *out);

    out->base.kind = &kind;
    memcpy(out->base.id, hsm->ids[key], WRAPPING_ID);
    out->hsm = hsm;
    out->key = (uint8_t)key;
    return &out->base;
}
