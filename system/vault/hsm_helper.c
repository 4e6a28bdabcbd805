/* SPDX-License-Identifier: Apache-2.0 */
/* The helper process of hsm.h: one request after the other, until its starter is gone or the token
 * is lost for good. */
#include "system/vault/hsm.h"

#include "system/core/helper.h"
#include "system/core/ids.h"
#include "system/core/log.h"
#include "system/core/secret.h"
#include "system/vault/hsm_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Texts are lent by |json|. */
static bool read_params(struct pkcs11_params *out, const json_t *json)
{
    const json_t *labels = json_object_get(json, "labels");

    out->module = json_string_value(json_object_get(json, "module"));
    out->slot = (long)json_integer_value(json_object_get(json, "slot"));
    out->token = json_string_value(json_object_get(json, "token"));
    out->pin_file = json_string_value(json_object_get(json, "pin_file"));
    out->labels_n = json_array_size(labels);
    if (!out->module || !out->token || !out->pin_file || out->labels_n > PKCS11_KEYS_MAX)
        return false;
    for (size_t i = 0; i < out->labels_n; i++) {
        out->labels[i] = json_string_value(json_array_get(labels, i));
        if (!out->labels[i])
            return false;
    }
    return true;
}

static bool say(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    bool ok = text && send(HELPER_FD, text, strlen(text), MSG_NOSIGNAL) > 0;

    free(text);
    json_decref(json);
    return ok;
}

static bool say_ids(const struct pkcs11 *pkcs11, size_t n)
{
    json_t *ids = json_array();

    for (size_t i = 0; i < n; i++) {
        char hex[2 * WRAPPING_ID + 1];

        hex_encode(hex, pkcs11_id(pkcs11, i), WRAPPING_ID);
        json_array_append_new(ids, json_string(hex));
    }
    return say(json_pack("{s:o}", "ids", ids));
}

/* The answer over the request; its length. 0: that was no request. */
static size_t answer(struct pkcs11 *pkcs11, const struct pkcs11_params *params, uint8_t *b,
                     size_t len)
{
    bool wraps = len > HSM_NUMBER && b[HSM_NUMBER] == 'W';
    size_t in_len = wraps ? WRAPPING_PLAIN : WRAPPING_WRAPPED;
    size_t out_len = wraps ? WRAPPING_WRAPPED : WRAPPING_PLAIN;
    uint8_t out[WRAPPING_WRAPPED];
    const uint8_t *in = b + HSM_REQUEST_HEAD;
    enum vault_result result;
    struct wrapping_ad ad;

    if (len < HSM_REQUEST_HEAD + in_len || b[HSM_NUMBER + 1] >= params->labels_n)
        return 0;
    ad = (struct wrapping_ad){in + in_len, len - HSM_REQUEST_HEAD - in_len};
    result = wraps ? pkcs11_wrap(pkcs11, b[HSM_NUMBER + 1], out, in, &ad)
                   : pkcs11_unwrap(pkcs11, b[HSM_NUMBER + 1], out, in, &ad);
    sodium_memzero(b + HSM_ANSWER_HEAD, HSM_PACKET_MAX - HSM_ANSWER_HEAD);
    b[HSM_NUMBER] = (uint8_t)result;
    if (result == VAULT_OK)
        memcpy(b + HSM_ANSWER_HEAD, out, out_len);
    else
        out_len = (size_t)snprintf((char *)b + HSM_ANSWER_HEAD, PKCS11_ERROR_MAX, "%s",
                                   pkcs11_error(pkcs11));
    sodium_memzero(out, sizeof out);
    return HSM_ANSWER_HEAD + out_len;
}

static void serve(struct pkcs11 *pkcs11, const struct pkcs11_params *params)
{
    uint8_t *b = secret_new(HSM_PACKET_MAX);
    ssize_t n;

    while ((n = recv(HELPER_FD, b, HSM_PACKET_MAX, 0)) > 0 || (n < 0 && errno == EINTR)) {
        size_t len = n > 0 ? answer(pkcs11, params, b, (size_t)n) : 0;

        if (len && send(HELPER_FD, b, len, MSG_NOSIGNAL) < 0)
            break;
        sodium_memzero(b, HSM_PACKET_MAX);
        if (pkcs11_is_lost(pkcs11))
            break;
    }
    secret_free(b);
}

static int run(const struct pkcs11_params *params)
{
    char error[PKCS11_ERROR_MAX];
    struct pkcs11 *pkcs11 = pkcs11_open(params, error);
    bool lost;

    if (!pkcs11) {
        (void)say(json_pack("{s:s}", "error", error));
        return 1;
    }
    if (say_ids(pkcs11, params->labels_n))
        serve(pkcs11, params);
    lost = pkcs11_is_lost(pkcs11);
    if (lost)
        log_line(LOG_ERROR, pkcs11_error(pkcs11));
    pkcs11_close(pkcs11);
    return lost ? 1 : 0;
}

int hsm_main(void)
{
    char text[HSM_PACKET_MAX];
    struct pkcs11_params params = {0};
    json_t *json;
    ssize_t n;
    int code;

    secret_harden();
    log_setup("vault", LOG_INFO);
    n = fcntl(HELPER_FD, F_SETFD, FD_CLOEXEC) == 0 ? recv(HELPER_FD, text, sizeof text, 0) : -1;
    json = n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;
    if (json && read_params(&params, json)) {
        code = run(&params);
    } else {
        log_line(LOG_ERROR, "the vault's helper is started by a keeper, not by hand");
        code = 1;
    }
    json_decref(json);
    return code;
}
