/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of requests: forms and ranges, nothing else. The first fault is the one that is told. */
#include "services/account/request.h"

#include "quorate/derive.h"
#include "system/access/user_key.h"
#include "system/core/buffer.h"
#include "system/core/utf8.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { WAIT_MAX_S = 600 };

static bool refuse(struct rpc_status *status, struct rpc_status fault)
{
    *status = fault;
    return false;
}

#define REFUSE(status, ...) refuse(status, rpc_error(RPC_INVALID, "invalid_field", __VA_ARGS__))

bool request_id(char out[ID_TEXT_MAX], const char *text, const char *field,
                struct rpc_status *status)
{
    uint8_t id[16];

    if (!id_parse(id, text))
        return REFUSE(status, "%s must be a UUID (version 4)", field);
    id_text(out, id);
    return true;
}

static bool check_user(const char *user_id, struct rpc_status *status)
{
    if (strlen(user_id) >= USER_ID_MAX)
        return REFUSE(status, "user_id must be at most %d bytes", USER_ID_MAX - 1);
    if (!utf8_is_plain(user_id))
        return REFUSE(status, "user_id must have no control characters, and none that turn the "
                              "direction of writing");
    return true;
}

static bool take_user(char out[USER_ID_MAX], const char *user_id, const char *username,
                      struct rpc_status *status)
{
    const char *name = user_id[0] ? user_id : username;

    if (user_id[0] && username[0] && strcmp(user_id, username) != 0)
        return REFUSE(status, "user_id and username are the same field and must not differ");
    if (!name[0])
        return REFUSE(status, "user_id must be 1 to %d bytes", USER_ID_MAX - 1);
    if (!check_user(name, status))
        return false;
    snprintf(out, USER_ID_MAX, "%s", name);
    return true;
}

/* Distinct, well-formed party ids. The strings stay the request's. */
static bool take_parties(const char **out, size_t *out_n, Mpc__Account__V1__Participant **in,
                         size_t n, struct rpc_status *status)
{
    if (n > QRT_PARTIES_MAX)
        return REFUSE(status, "participants must be at most %d", QRT_PARTIES_MAX);
    for (size_t i = 0; i < n; i++) {
        if (!party_id_is_valid(in[i]->party_id))
            return REFUSE(status,
                          "participants[%zu].party_id must be 1 to 64 letters, digits,"
                          " dots, dashes or underscores",
                          i);
        for (size_t j = 0; j < i; j++)
            if (strcmp(out[j], in[i]->party_id) == 0)
                return REFUSE(status, "participants names %s twice", out[j]);
        out[i] = in[i]->party_id;
    }
    *out_n = n;
    return true;
}

static bool take_threshold(struct request_create *out, uint32_t t, uint32_t n,
                           struct rpc_status *status)
{
    if (n < 2 || n > QRT_PARTIES_MAX)
        return REFUSE(status, "threshold_n must be a number from 2 to %d", QRT_PARTIES_MAX);
    if (t < 2 || t > n)
        return REFUSE(status, "threshold_t must be a number from 2 to threshold_n (%u)", n);
    if (out->parties_n && out->parties_n != n)
        return REFUSE(status, "participants must name exactly threshold_n (%u) parties", n);
    out->t = (uint16_t)t;
    out->n = (uint16_t)n;
    return true;
}

static bool take_idempotency(const char **out, const char *key, struct rpc_status *status)
{
    if (strlen(key) >= KEY_MAX)
        return REFUSE(status, "idempotency_key must be at most %d bytes", KEY_MAX - 1);
    *out = key;
    return true;
}

static bool take_wait(unsigned *out, bool given, uint32_t wait, unsigned fallback,
                      struct rpc_status *status)
{
    if (given && wait > WAIT_MAX_S)
        return REFUSE(status, "wait must be a number of seconds from 0 to %d", WAIT_MAX_S);
    *out = given ? wait : fallback;
    return true;
}

static bool take_delegate(struct request_create *out, const char *user_share, const char *key,
                          struct rpc_status *status)
{
    if (user_share[0] && strcmp(user_share, "none") != 0 && strcmp(user_share, "delegate") != 0)
        return REFUSE(status, "user_share must be none or delegate");
    out->delegate = strcmp(user_share, "delegate") == 0;
    if (!key[0])
        return true;
    if (!out->delegate)
        return REFUSE(status, "user_public_key is for user_share delegate only");
    out->has_user_key = hex_decode(out->user_key, sizeof out->user_key, key);
    if (!out->has_user_key)
        return REFUSE(status, "user_public_key must be 64 hex digits (X25519)");
    return user_key_is_sound(out->user_key) ||
           REFUSE(status, "user_public_key is no X25519 key: a point of small order");
}

/* The same key signs intent and user's key: without the one, the other has nothing to go with. No
 * key, and a signature: that the caller of /shares/generate names it. */
static bool take_key_signature(struct request_create *out,
                               const Mpc__Account__V1__CreateAccountRequest *in,
                               struct rpc_status *status)
{
    const char *signature = in->user_key_signature;
    bool is_needed = out->has_user_key && in->intent[0];

    if (!signature[0])
        return !is_needed || REFUSE(status, "user_key_signature is needed with user_public_key and"
                                            " intent: by the key that signed the intent");
    if (!in->intent[0] || !out->delegate)
        return REFUSE(status, "user_key_signature is for intent with user_share delegate only");
    out->has_key_signature =
        hex_decode(out->user_key_signature, sizeof out->user_key_signature, signature);
    return out->has_key_signature ||
           REFUSE(status, "user_key_signature must be 128 hex digits (Ed25519)");
}

/* A signature alone is a request that lost its intent: nobody else signs one in its place. */
static bool check_intent(const char *intent, const char *signature, struct rpc_status *status)
{
    return intent[0] || !signature[0] ||
           REFUSE(status, "intent_signature is there, but intent is missing");
}

bool request_create(struct request_create *out, const Mpc__Account__V1__CreateAccountRequest *in,
                    unsigned wait_s, struct rpc_status *status)
{
    bool has_n = in->threshold_n_given_case != 0, has_t = in->threshold_t_given_case != 0;

    *out = (struct request_create){0};
    if (in->key_type[0] && strcmp(in->key_type, "secp256k1") != 0)
        return REFUSE(status, "key_type must be secp256k1");
    return take_user(out->user_id, in->user_id, in->username, status) &&
           take_parties(out->parties, &out->parties_n, in->participants, in->n_participants,
                        status) &&
           take_threshold(out, has_t ? in->threshold_t : 2,
                          has_n ? in->threshold_n : (out->parties_n ? (uint32_t)out->parties_n : 3),
                          status) &&
           take_delegate(out, in->user_share, in->user_public_key, status) &&
           take_key_signature(out, in, status) &&
           check_intent(in->intent, in->intent_signature, status) &&
           take_idempotency(&out->idempotency_key, in->idempotency_key, status) &&
           take_wait(&out->wait_s, in->wait_given_case != 0, in->wait, wait_s, status);
}

bool request_keygen(struct request_create *out, const Mpc__Account__V1__KeygenRequest *in,
                    struct rpc_status *status)
{
    bool has_n = in->threshold_n_given_case != 0, has_t = in->threshold_t_given_case != 0;

    *out = (struct request_create){0};
    if (!check_user(in->user_id, status))
        return false;
    snprintf(out->user_id, sizeof out->user_id, "%s", in->user_id);
    return take_parties(out->parties, &out->parties_n, in->participants, in->n_participants,
                        status) &&
           take_threshold(out, has_t ? in->threshold_t : 2,
                          has_n ? in->threshold_n : (out->parties_n ? (uint32_t)out->parties_n : 3),
                          status) &&
           take_idempotency(&out->idempotency_key, in->idempotency_key, status);
}

uint8_t *request_hex(size_t *len, const char *text, size_t max, const char *field,
                     struct rpc_status *status)
{
    const char *digits = strncasecmp(text, "0x", 2) == 0 ? text + 2 : text;
    size_t n = strlen(digits);
    uint8_t *out;

    if (n % 2 != 0 || n / 2 > max || strspn(digits, "0123456789abcdefABCDEF") != n) {
        *status =
            rpc_error(RPC_INVALID, "invalid_field",
                      "%s must be an even number of hex digits, at most %zu bytes", field, max);
        return NULL;
    }
    *len = n / 2;
    out = mem_new(*len + 1, 1);
    if (hex_decode(out, *len, digits))
        return out;
    free(out);
    *status = rpc_error(RPC_INVALID, "invalid_field", "%s must be hex digits", field);
    return NULL;
}

static uint8_t *read_base64(size_t *len, const char *text, struct rpc_status *status)
{
    size_t n = strlen(text);
    uint8_t *out = mem_new(n + 1, 1);

    if (n > 4 * (QRT_MESSAGE_MAX / 3 + 1) ||
        sodium_base642bin(out, n + 1, text, n, NULL, len, NULL, sodium_base64_VARIANT_ORIGINAL) !=
            0 ||
        *len > QRT_MESSAGE_MAX) {
        free(out);
        *status = rpc_error(RPC_INVALID, "invalid_field",
                            "message must be base64 of at most %d bytes", QRT_MESSAGE_MAX);
        return NULL;
    }
    return out;
}

static uint8_t *read_utf8(size_t *len, const char *text, struct rpc_status *status)
{
    *len = strlen(text);
    if (*len <= QRT_MESSAGE_MAX)
        return mem_copy(text, *len + 1);
    *status = rpc_error(RPC_INVALID, "invalid_field", "message must be at most %d bytes",
                        QRT_MESSAGE_MAX);
    return NULL;
}

static bool read_digest(enum qrt_digest *out, const char *name, struct rpc_status *status)
{
    static const struct {
        const char *name;
        enum qrt_digest digest;
    } names[] = {{"", QRT_DIGEST_LOCAL},
                 {"none", QRT_DIGEST_LOCAL},
                 {"sha256", QRT_DIGEST_SHA256},
                 {"keccak256", QRT_DIGEST_KECCAK256}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i].name) == 0) {
            *out = names[i].digest;
            return true;
        }
    return REFUSE(status, "hash must be none, sha256 or keccak256");
}

static bool read_message(struct request_sign *out, const char *text, const char *encoding,
                         struct rpc_status *status)
{
    if (!text[0])
        return REFUSE(status, "message is missing");
    if (!encoding[0] || strcmp(encoding, "hex") == 0)
        out->message = request_hex(&out->message_len, text, QRT_MESSAGE_MAX, "message", status);
    else if (strcmp(encoding, "base64") == 0)
        out->message = read_base64(&out->message_len, text, status);
    else if (strcmp(encoding, "utf8") == 0)
        out->message = read_utf8(&out->message_len, text, status);
    else
        return REFUSE(status, "message_encoding must be hex, base64 or utf8");
    if (!out->message)
        return false;
    if (out->message_len == 0)
        return REFUSE(status, "message is empty: there is nothing to sign");
    if (out->digest == QRT_DIGEST_LOCAL && out->message_len != 32)
        return REFUSE(status, "message must be a hash of 32 bytes (64 hex digits) unless hash says"
                              " how to hash it");
    return true;
}

static bool read_path(struct request_sign *out, const char *text, struct rpc_status *status)
{
    if (!text[0] || qrt_path_parse(out->path, &out->path_n, text) == QRT_OK)
        return true;
    return REFUSE(status,
                  "derivation_path must look like m/44/60/0, not hardened, at most %d"
                  " levels",
                  QRT_PATH_MAX);
}

bool request_sign(struct request_sign *out, const Mpc__Account__V1__SignRequest *in,
                  unsigned wait_s, struct rpc_status *status)
{
    *out = (struct request_sign){0};
    return request_id(out->account_id, in->account_id, "account_id", status) &&
           read_digest(&out->digest, in->hash, status) &&
           read_message(out, in->message, in->message_encoding, status) &&
           read_path(out, in->derivation_path, status) &&
           check_intent(in->intent, in->intent_signature, status) &&
           take_parties(out->parties, &out->parties_n, in->participants, in->n_participants,
                        status) &&
           take_idempotency(&out->idempotency_key, in->idempotency_key, status) &&
           take_wait(&out->wait_s, in->wait_given_case != 0, in->wait, wait_s, status);
}

bool request_sign_session(struct request_sign *out, const Mpc__Account__V1__SignSessionRequest *in,
                          unsigned wait_s, struct rpc_status *status)
{
    uint8_t id[16];

    *out = (struct request_sign){0};
    if (!id_parse(id, in->account_id))
        return refuse(status, rpc_error(RPC_INVALID, "invalid_account_id", "invalid account ID"));
    id_text(out->account_id, id);
    out->message = request_hex(&out->message_len, in->message_hash, 32, "message_hash", status);
    if (!out->message)
        return false;
    if (out->message_len != 32)
        return REFUSE(status, "message_hash must be 64 hex digits");
    return take_parties(out->parties, &out->parties_n, in->participants, in->n_participants,
                        status) &&
           take_idempotency(&out->idempotency_key, in->idempotency_key, status) &&
           take_wait(&out->wait_s, in->wait_given_case != 0, in->wait, wait_s, status);
}

static void add_text(crypto_hash_sha256_state *hash, const char *text)
{
    crypto_hash_sha256_update(hash, (const uint8_t *)text, strlen(text) + 1);
}

void request_create_hash(uint8_t out[32], const struct request_create *req, const uint8_t *intent,
                         size_t intent_len)
{
    const uint16_t numbers[] = {req->t, req->n, req->delegate};
    crypto_hash_sha256_state hash;

    crypto_hash_sha256_init(&hash);
    add_text(&hash, req->user_id);
    crypto_hash_sha256_update(&hash, (const uint8_t *)numbers, sizeof numbers);
    crypto_hash_sha256_update(&hash, req->user_key, sizeof req->user_key);
    for (size_t i = 0; i < req->parties_n; i++)
        add_text(&hash, req->parties[i]);
    crypto_hash_sha256_update(&hash, intent, intent_len);
    crypto_hash_sha256_final(&hash, out);
}

void request_sign_hash(uint8_t out[32], const struct request_sign *req, const char *intent,
                       const char *signature)
{
    const uint64_t numbers[] = {(uint64_t)req->digest, req->message_len, req->path_n,
                                req->parties_n};
    crypto_hash_sha256_state hash;

    crypto_hash_sha256_init(&hash);
    crypto_hash_sha256_update(&hash, (const uint8_t *)numbers, sizeof numbers);
    crypto_hash_sha256_update(&hash, req->message, req->message_len);
    crypto_hash_sha256_update(&hash, (const uint8_t *)req->path, req->path_n * sizeof req->path[0]);
    add_text(&hash, req->account_id);
    for (size_t i = 0; i < req->parties_n; i++)
        add_text(&hash, req->parties[i]);
    add_text(&hash, intent);
    add_text(&hash, signature);
    crypto_hash_sha256_final(&hash, out);
}
