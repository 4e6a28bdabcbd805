/* SPDX-License-Identifier: Apache-2.0 */
/* See dial.h. Each channel has a record in one list of the process; its timer renews the token when
 * half of its life is over, so that one late renewal costs nothing. */
#include "system/service/dial.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"
#include "system/core/log.h"
#include "system/service/certificates.h"
#include "system/service/listen.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPLICA_STEP_MS = 50, REPLICA_CAP_MS = 500 };
enum { TOKEN_LIFE_S = 600, RENEW_MS = TOKEN_LIFE_S * 1000 / 2 };

struct dialled {
    const struct service_host *host;
    const char *variable;
    struct rpc_channel *channel;
    uv_timer_t renewal;
    struct dialled *next;
};

static struct dialled *all;

static void on_state(void *arg, bool is_connected, bool gave_up)
{
    const struct dialled *d = arg;
    const char *target = config_text(d->host->config, d->variable);

    if (gave_up)
        service_fault("%s: %s could not be reached in %lld tries; see that it runs there",
                      d->variable, target, (long long)config_int(d->host->config, "RETRY_MAX"));
    else
        log_event(LOG_INFO, is_connected ? "connected" : "connection lost",
                  LOG_S("variable", d->variable), LOG_S("target", target));
}

static void renew(uv_timer_t *timer)
{
    const struct dialled *d = timer->data;
    struct token token = {.kind = TOKEN_SERVICE, .expires = clock_unix_ms() / 1000 + TOKEN_LIFE_S};
    char text[TOKEN_TEXT_MAX], header[TOKEN_TEXT_MAX + sizeof "Bearer "];

    snprintf(token.subject, sizeof token.subject, "%s", d->host->name);
    token_make(text, access_tokens(d->host->access), &token);
    snprintf(header, sizeof header, "Bearer %s", text);
    rpc_channel_authorize(d->channel, header, NULL);
    sodium_memzero(text, sizeof text);
    sodium_memzero(header, sizeof header);
}

static struct rpc_channel *open_channel(struct dialled *d)
{
    const struct config *config = d->host->config;
    const struct tls_files files =
        listen_has_tls(config) ? certificates_calls(config) : (struct tls_files){0};
    uint32_t step = (uint32_t)config_int(config, "RETRY_DELAY_MS");
    const struct rpc_channel_params params = {
        .target = config_text(config, d->variable),
        .ca = files.ca,
        .certificate = files.certificate,
        .key = files.key,
        .crl = files.crl,
        /* 2, 4, 6 ... 20 s by default */
        .retry = {.step_ms = step,
                  .cap_ms = step * 10,
                  .max = (uint32_t)config_int(config, "RETRY_MAX")},
        .state = on_state,
        .arg = d};

    return rpc_channel_new(d->host->loop, &params);
}

static struct dialled *add(const struct service_host *host, const char *variable)
{
    struct dialled *d = mem_new(1, sizeof *d);

    d->host = host;
    d->variable = variable;
    d->next = all;
    all = d;
    uv_timer_init(host->loop, &d->renewal);
    d->renewal.data = d;
    return d;
}

static void begin_renewals(struct dialled *d)
{
    renew(&d->renewal);
    uv_timer_start(&d->renewal, renew, RENEW_MS, RENEW_MS);
    uv_unref((uv_handle_t *)&d->renewal);
}

struct rpc_channel *service_dial(const struct service_host *host, const char *variable,
                                 bool with_service_token)
{
    struct dialled *d = add(host, variable);

    d->channel = open_channel(d);
    if (with_service_token)
        begin_renewals(d);
    return d->channel;
}

struct rpc_channel *service_dial_replica(const struct service_host *host,
                                         const struct service_replica *replica)
{
    struct dialled *d = add(host, replica->target);
    const struct tls_files files =
        listen_has_tls(host->config) ? certificates_calls(host->config) : (struct tls_files){0};
    const struct rpc_channel_params params = {
        .target = replica->target,
        .ca = files.ca,
        .certificate = files.certificate,
        .key = files.key,
        .crl = files.crl,
        .retry = {.step_ms = REPLICA_STEP_MS, .cap_ms = REPLICA_CAP_MS},
        .state = replica->state,
        .arg = replica->arg};

    d->channel = rpc_channel_new(host->loop, &params);
    begin_renewals(d);
    return d->channel;
}

void service_dial_recheck(void)
{
    for (const struct dialled *d = all; d; d = d->next)
        rpc_channel_recheck(d->channel);
}

static void free_record(uv_handle_t *handle)
{
    free(handle->data);
}

void service_hangup(struct rpc_channel *channel)
{
    struct dialled **at = &all;

    while (*at && (*at)->channel != channel)
        at = &(*at)->next;
    if (!channel || !*at)
        return;
    rpc_channel_free(channel);
    uv_close((uv_handle_t *)&(*at)->renewal, free_record);
    *at = (*at)->next;
}
