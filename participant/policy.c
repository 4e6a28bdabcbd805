/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's side of the hook. What is asked is made from the verified intent alone; it is public
 * to this party's operator. */
#include "participant/policy.h"

#include "quorate/signature.h"
#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/helper.h"
#include "system/core/ids.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MAX = 64 };

struct policy {
    const struct qrt_ctx *ctx;
    int fd, timeout_ms;
};

static bool send_settings(const struct policy *policy, const struct policy_params *params)
{
    json_t *json = json_pack("{s:s, s:s, s:i}", "command", params->command, "url", params->url,
                             "timeout_ms", params->timeout_ms);
    char *text = json_dumps(json, JSON_COMPACT);
    bool ok = text && send(policy->fd, text, strlen(text), MSG_NOSIGNAL) > 0;

    free(text);
    json_decref(json);
    return ok;
}

struct policy *policy_start(const struct policy_params *params, char error[REFUSAL_TEXT_MAX])
{
    struct policy *policy;
    int fd;

    error[0] = '\0';
    if (!params->command[0] && !params->url[0])
        return NULL;
    fd = helper_start(params->program, "--policy", SOCK_SEQPACKET, HELPER_BARE);
    if (fd >= 0) {
        policy = mem_new(1, sizeof *policy);
        *policy = (struct policy){params->ctx, fd, params->timeout_ms};
        if (send_settings(policy, params))
            return policy;
        policy_stop(policy);
    }
    snprintf(error, REFUSAL_TEXT_MAX, "the policy's helper cannot be started: %s", strerror(errno));
    return NULL;
}

/* The end of the socket is the helper's order to end; whatever it still asks ends with the keeper,
 * whose death it gets as a signal. */
void policy_stop(struct policy *policy)
{
    if (!policy)
        return;
    close(policy->fd);
    free(policy);
}

int policy_fd(const struct policy *policy)
{
    return policy->fd;
}

int policy_timeout_ms(const struct policy *policy)
{
    return policy->timeout_ms;
}

/* The request */

static json_t *hex_json(const uint8_t *b, size_t len)
{
    char *text = mem_new(2 * len + 1, 1);
    json_t *json;

    hex_encode(text, b, len);
    json = json_string(text);
    free(text);
    return json;
}

static json_t *path_json(const struct qrt_intent *intent)
{
    struct buffer text = {0};
    json_t *json;

    buffer_text(&text, "m");
    for (size_t i = 0; i < intent->path_n; i++)
        buffer_printf(&text, "/%u", intent->path[i]);
    json = json_string((const char *)text.b);
    buffer_free(&text);
    return json;
}

static json_t *parties_json(const struct permit *permit)
{
    json_t *list = json_array();

    for (size_t i = 0; i < permit->n; i++)
        json_array_append_new(list, json_string(permit->setup->members[i]->party_id));
    return list;
}

/* |digest| is what will be signed; |message| what it comes from, if the caller gave that. */
static void add_message(json_t *json, const struct qrt_ctx *ctx, const struct qrt_intent *intent)
{
    static const char *const hashes[] = {[QRT_DIGEST_LOCAL] = "none",
                                         [QRT_DIGEST_SHA256] = "sha256",
                                         [QRT_DIGEST_KECCAK256] = "keccak256"};
    bool is_digest = intent->digest == QRT_DIGEST_LOCAL;
    struct qrt_hash digest;

    if (intent->operation != QRT_OP_SIGN)
        return;
    json_object_set_new(json, "hash", json_string(hashes[intent->digest]));
    if (!is_digest)
        json_object_set_new(json, "message", hex_json(intent->message, intent->message_len));
    if (qrt_digest(&digest, ctx, (enum qrt_digest)intent->digest, intent->message,
                   intent->message_len) == QRT_OK)
        json_object_set_new(json, "digest", hex_json(digest.b, 32));
}

static char *request_text(const struct qrt_ctx *ctx, const struct permit *permit, uint64_t number)
{
    const struct qrt_intent *intent = &permit->intent;
    char deadline[CLOCK_TEXT_MAX];
    json_t *json = json_object();
    char *text;

    clock_text(deadline, (int64_t)intent->deadline * 1000);
    json_object_set_new(json, "number", json_integer((json_int_t)number));
    json_object_set_new(json, "operation", json_string(permit_operation(permit)));
    json_object_set_new(json, "account_id", json_string(permit->account_id));
    json_object_set_new(json, "session_id", json_string(permit->setup->session_id));
    json_object_set_new(json, "path", path_json(intent));
    json_object_set_new(json, "parties", parties_json(permit));
    json_object_set_new(json, "initiator", hex_json(permit->setup->initiator_key.data, 32));
    json_object_set_new(json, "deadline", json_string(deadline));
    add_message(json, ctx, intent);
    text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

bool policy_ask(struct policy *policy, uint64_t number, const struct permit *permit)
{
    char *text = request_text(policy->ctx, permit, number);
    bool ok = text && send(policy->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) > 0;

    free(text);
    return ok;
}

/* "<number> APPROVE" */
static enum policy_answer parse(char *text, uint64_t *number)
{
    char *word;

    *number = strtoull(text, &word, 10);
    if (strcmp(word, " APPROVE") == 0)
        return POLICY_APPROVE;
    return strcmp(word, " REJECT") == 0 ? POLICY_REJECT : POLICY_RETRY;
}

enum policy_answer policy_read(struct policy *policy, uint64_t *number, bool *gone)
{
    char text[ANSWER_MAX];
    ssize_t n = recv(policy->fd, text, sizeof text - 1, MSG_DONTWAIT);

    *gone = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    if (n <= 0)
        return POLICY_NONE;
    text[n] = '\0';
    return parse(text, number);
}
