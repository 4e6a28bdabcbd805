/* SPDX-License-Identifier: Apache-2.0 */
/* The seam of broker.h, and from variables to a driver: the only place that knows their meaning.
 * The password goes to the driver and nowhere else. */
#include "system/bus/broker.h"

#include "system/bus/rabbitmq.h"
#include "system/core/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RETRY_CAP_STEPS = 10 };

bool broker_publish(struct broker *broker, const char *to, const uint8_t *b, size_t len)
{
    return broker->driver->publish(broker, to, b, len);
}

void broker_free(struct broker *broker)
{
    if (broker)
        broker->driver->free(broker);
}

static bool is_set(const struct config *config, const char *name)
{
    return config_text(config, name)[0] != '\0';
}

bool broker_is_configured(const struct config *config)
{
    return is_set(config, "RABBITMQ_HOST");
}

static bool has_tls(const struct config *config)
{
    return strcmp(config_text(config, "RABBITMQ_TLS"), "off") != 0;
}

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
           strcmp(host, "localhost") == 0;
}

static bool check_tls(const struct config *config, char error[BROKER_ERROR_MAX])
{
    const char *host = config_text(config, "RABBITMQ_HOST");
    const char *ca = config_text(config, "RABBITMQ_TLS_CA");
    const char *crl = config_text(config, "RABBITMQ_TLS_CRL");

    if (!has_tls(config) && !is_loopback(host))
        snprintf(error, BROKER_ERROR_MAX,
                 "RABBITMQ_TLS=off is allowed on loopback addresses only, RABBITMQ_HOST is %.64s: "
                 "set RABBITMQ_TLS=verify-full",
                 host);
    else if (!has_tls(config) && *crl)
        snprintf(error, BROKER_ERROR_MAX,
                 "RABBITMQ_TLS_CRL counts only with RABBITMQ_TLS: set that, or leave it out");
    else if (has_tls(config) && !*ca)
        snprintf(error, BROKER_ERROR_MAX,
                 "RABBITMQ_TLS=%s needs RABBITMQ_TLS_CA: set it to the PEM file of the authority "
                 "that certified the broker",
                 config_text(config, "RABBITMQ_TLS"));
    else if (has_tls(config) && access(ca, R_OK) != 0)
        snprintf(error, BROKER_ERROR_MAX, "RABBITMQ_TLS_CA: the file %.100s cannot be read", ca);
    else if (has_tls(config) && *crl && access(crl, R_OK) != 0)
        snprintf(error, BROKER_ERROR_MAX, "RABBITMQ_TLS_CRL: the file %.100s cannot be read", crl);
    else
        return true;
    return false;
}

bool broker_check(const struct config *config, char error[BROKER_ERROR_MAX])
{
    bool has_password = is_set(config, "RABBITMQ_PASSWORD");

    if (!broker_is_configured(config) && !has_password)
        return true;
    if (!broker_is_configured(config)) {
        snprintf(error, BROKER_ERROR_MAX,
                 "RABBITMQ_PASSWORD is set, but RABBITMQ_HOST is not: set it to the broker's "
                 "address, or leave out both to run one router alone");
        return false;
    }
    if (!has_password) {
        snprintf(error, BROKER_ERROR_MAX,
                 "RABBITMQ_PASSWORD must be set: the password of the user %.60s",
                 config_text(config, "RABBITMQ_USER"));
        return false;
    }
    return check_tls(config, error);
}

struct broker *broker_open(uv_loop_t *loop, const struct config *config, const char *family,
                           const struct broker_events *events)
{
    uint32_t step = (uint32_t)config_int(config, "RETRY_DELAY_MS");
    const struct retry retry = {.step_ms = step,
                                .cap_ms = step * RETRY_CAP_STEPS,
                                .max = (uint32_t)config_int(config, "RETRY_MAX")};
    const struct rabbit_params params = {
        .host = config_text(config, "RABBITMQ_HOST"),
        .port = (int)config_int(config, "RABBITMQ_PORT"),
        .user = config_text(config, "RABBITMQ_USER"),
        .password = config_text(config, "RABBITMQ_PASSWORD"),
        .vhost = config_text(config, "RABBITMQ_VHOST"),
        .family = family,
        .ca = has_tls(config) ? config_text(config, "RABBITMQ_TLS_CA") : NULL,
        .crl = is_set(config, "RABBITMQ_TLS_CRL") ? config_text(config, "RABBITMQ_TLS_CRL") : NULL,
        .verifies_name = strcmp(config_text(config, "RABBITMQ_TLS"), "verify-full") == 0};

    log_event(LOG_INFO, "broker", LOG_S("kind", "rabbitmq"), LOG_S("host", params.host),
              LOG_I("port", params.port), LOG_S("user", params.user), LOG_S("vhost", params.vhost),
              LOG_S("tls", config_text(config, "RABBITMQ_TLS")));
    return rabbitmq_new(loop, &params, &retry, events);
}
