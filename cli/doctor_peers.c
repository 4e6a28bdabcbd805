/* SPDX-License-Identifier: Apache-2.0 */
/* The process itself, by /ready and /metrics of its HTTP_PORT, and those that it calls, shown its
 * own certificate, as it would. Of its own socket no certificate is checked: that is done from
 * files, and the name may be meant for others. */
#include "doctor.h"

#include "http.h"
#include "up.h"

#include "system/access/address.h"
#include "system/core/buffer.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URL_SIZE = 512, REASON_SIZE = 512 };

static const char *scheme(const struct doctor *doctor)
{
    return doctor_is(doctor, "TLS", "off") ? "http" : "https";
}

static bool is_any(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static void own_url(char url[URL_SIZE], const struct doctor *doctor, const char *path)
{
    const char *host = doctor_text(doctor, "LISTEN_HOST");
    bool is_v6 = strchr(host, ':') != NULL && !is_any(host);

    snprintf(url, URL_SIZE, "%s://%s%s%s:%lld%s", scheme(doctor), is_v6 ? "[" : "",
             is_any(host) ? "127.0.0.1" : host, is_v6 ? "]" : "",
             (long long)doctor_int(doctor, "HTTP_PORT"), path);
}

/* The value of a metric without labels; -1: there is none. */
static double metric_of(const struct buffer *text, const char *name)
{
    size_t len = strlen(name);
    const char *end = (const char *)text->b + text->len;

    for (const char *at = (const char *)text->b; at && at < end;) {
        const char *next = memchr(at, '\n', (size_t)(end - at));

        if (!next)
            return -1;
        if ((size_t)(next - at) > len && strncmp(at, name, len) == 0 && at[len] == ' ')
            return strtod(at + len, NULL);
        at = next + 1;
    }
    return -1;
}

/* In the log that `quorate up` gives it, next to its configuration. */
static bool log_path(char path[PATH_MAX], const struct doctor *doctor)
{
    const char *slash = doctor->env_file ? strrchr(doctor->env_file, '/') : NULL;
    int n = snprintf(path, PATH_MAX, "%.*s/log/%s.log", slash ? (int)(slash - doctor->env_file) : 1,
                     slash ? doctor->env_file : ".", doctor->where);

    return n > 0 && n < PATH_MAX;
}

/* One that it would take, of this machine; 0: nobody has them. */
static int held_port(const struct doctor *doctor)
{
    static const char *const names[] = {"HTTP_PORT", "GRPC_PORT"};
    const char *host = doctor_text(doctor, "LISTEN_HOST");

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int port = (int)doctor_int(doctor, names[i]);

        if (port && (is_any(host) || address_is_loopback(host)) && !up_port_is_free(port))
            return port;
    }
    return 0;
}

static void find_held(struct doctor *doctor, const char *url, int port, const char *who)
{
    doctor->kind = DOCTOR_DOWN;
    doctor_check(doctor, false,
                 "see which program listens there (ss -ltnp) and end it, then start this one",
                 "it does not answer at %s: port %d is held by %s", url, port, who);
    doctor->kind = DOCTOR_PLAIN;
}

static void find_dead(struct doctor *doctor, const char *url, const char *trouble)
{
    char reason[REASON_SIZE], log[PATH_MAX];
    int port = held_port(doctor);

    if (port) {
        find_held(doctor, url, port, "another program, or by itself, hanging");
        return;
    }
    doctor->kind = log_path(log, doctor) && up_log_reason(reason, sizeof reason, log)
                       ? DOCTOR_DOWN
                       : DOCTOR_STOPPED;
    if (doctor->kind == DOCTOR_DOWN)
        doctor_check(doctor, false, "correct that, then start it", "it does not answer at %s: %s",
                     url, reason);
    else
        doctor_check(doctor, false, "start it; if it ended, the end of its log says why",
                     "it does not answer at %s (%s)", url, trouble);
    doctor->kind = DOCTOR_PLAIN;
}

static void check_metrics(struct doctor *doctor)
{
    struct http_answer answer;
    struct trouble trouble = {""};
    char url[URL_SIZE];
    double without, redis;

    own_url(url, doctor, "/metrics");
    if (!http_get(&answer, &(struct http_ask){.url = url, .trusts_all = true}, &trouble))
        return;
    without = metric_of(&answer.body, "quorate_party_keys_without_backup");
    doctor_check(doctor, without <= 0,
                 doctor_text(doctor, "BACKUP_RECIPIENT")[0]
                     ? "verify the files of BACKUP_DIR (quorate backup verify)"
                     : "set BACKUP_RECIPIENT and BACKUP_DIR (quorate backup key makes the first)",
                 "of its keys %.0f have no verified backup", without);
    redis = metric_of(&answer.body, "quorate_redis_up");
    doctor_check(doctor, redis != 0, "see REDIS_HOST and REDIS_PASSWORD, and the server's log",
                 "it runs without Redis");
    buffer_free(&answer.body);
}

/* Told by its log, or else by what is missing. */
static bool waits_for_receipt(const struct doctor *doctor)
{
    char log[PATH_MAX];
    struct buffer pattern = {0};
    glob_t found = {0};
    bool has_receipt;

    if (!doctor_is(doctor, "BACKUP_REQUIRED", "true"))
        return false;
    buffer_printf(&pattern, "%s/*.state.qbk.receipt", doctor_text(doctor, "BACKUP_DIR"));
    has_receipt = glob((const char *)pattern.b, 0, NULL, &found) == 0;
    globfree(&found);
    buffer_free(&pattern);
    return !has_receipt || (log_path(log, doctor) && up_log_waits(log, -1));
}

static void find_unready(struct doctor *doctor)
{
    if (waits_for_receipt(doctor)) {
        doctor_check(doctor, false,
                     "verify its backups (quorate backup verify) and have the receipts in "
                     "BACKUP_DIR",
                     "it serves once there is a receipt of its backups (BACKUP_REQUIRED)");
        return;
    }
    doctor->kind = DOCTOR_UNREADY;
    doctor_check(
        doctor, false,
        "see what else is found, and its log: it waits for a server or a peer, or its disk "
        "is full",
        "it runs, but is not ready");
    doctor->kind = DOCTOR_PLAIN;
}

/* What services call themselves. */
static const struct {
    enum config_program program;
    const char *name;
} services[] = {
    {CONFIG_ACCOUNT, "account"},
    {CONFIG_COORDINATOR, "session-coordinator"},
    {CONFIG_ROUTER, "message-router"},
    {CONFIG_PARTY, "server-party"},
    {CONFIG_PARTY_API, "server-party-api"},
};

/* Who answered, unless it is |program|: another service, or another program. NULL: it is. */
static const char *other_than(const struct http_answer *answer, enum config_program program)
{
    json_t *said = json_loadb((const char *)answer->body.b, answer->body.len, 0, NULL);
    const char *name = json_string_value(json_object_get(said, "service"));
    const char *other = name ? NULL : "another program";

    for (size_t i = 0; name && i < sizeof services / sizeof services[0]; i++)
        if (!(services[i].program & program) && strcmp(services[i].name, name) == 0)
            other = services[i].name;
    json_decref(said);
    return other;
}

static void check_self(struct doctor *doctor)
{
    struct http_answer answer;
    struct trouble trouble = {""};
    const char *other;
    char url[URL_SIZE];
    bool ok;

    if (doctor_int(doctor, "HTTP_PORT") == 0)
        return;
    own_url(url, doctor, "/ready");
    ok = http_get(&answer, &(struct http_ask){.url = url, .trusts_all = true}, &trouble);
    if (!ok) {
        find_dead(doctor, url, trouble.text);
        return;
    }
    other = other_than(&answer, doctor->program);
    if (other) {
        buffer_free(&answer.body);
        find_held(doctor, url, (int)doctor_int(doctor, "HTTP_PORT"), other);
        return;
    }
    if (answer.status == 200)
        doctor->checks++;
    else
        find_unready(doctor);
    buffer_free(&answer.body);
    check_metrics(doctor);
}

/* The port, if the address is this machine's own; 0: another's. */
static long local_port(const char *target)
{
    const char *colon = strrchr(target, ':');
    char host[URL_SIZE];

    snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - target) : 0, target);
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 || address_is_loopback(host)
               ? atol(colon + 1)
               : 0;
}

/* Where |program| should be. */
static void check_peer(struct doctor *doctor, const char *variable, const char *target,
                       enum config_program program)
{
    bool has_tls = !doctor_is(doctor, "TLS", "off");
    struct http_ask ask = {0};
    struct http_answer answer;
    struct trouble trouble = {""};
    const char *other;
    char url[URL_SIZE];
    bool ok;

    snprintf(url, sizeof url, "%s://%s/ready", scheme(doctor), target);
    ask.url = url;
    if (has_tls) {
        ask.ca = doctor_text(doctor, "GRPC_TLS_CA");
        ask.certificate = doctor_text(doctor, "GRPC_TLS_CERT");
        ask.key = doctor_text(doctor, "GRPC_TLS_KEY");
    }
    ok = http_get(&answer, &ask, &trouble);
    other = ok ? other_than(&answer, program) : NULL;
    if (other)
        trouble_set(&trouble, "%s answers there", other);
    doctor->port = local_port(target);
    doctor->kind = ok && !other ? DOCTOR_PEER_UNREADY : DOCTOR_PEER_AWAY;
    doctor_check(
        doctor, ok && !other,
        "see that it runs, that the address is right, that nothing between refuses it, and "
        "that its certificate is for this name",
        "%s %s cannot be reached: %s", variable, target, trouble.text);
    if (ok && !other)
        doctor_check(doctor, answer.status == 200, "see its log: it cannot serve now",
                     "%s %s answers, but is not ready", variable, target);
    doctor->kind = DOCTOR_PLAIN;
    if (!ok)
        return;
    if (answer.date_s >= 0)
        doctor_check_clock(doctor, target, answer.date_s * 1000);
    buffer_free(&answer.body);
}

/* One address, or several. */
static void check_peers(struct doctor *doctor, const char *variable, enum config_program program)
{
    const char *list = doctor_text(doctor, variable);

    while (*list) {
        size_t len = strcspn(list, ", ");
        char target[URL_SIZE / 2];

        snprintf(target, sizeof target, "%.*s", (int)len, list);
        if (len > 0)
            check_peer(doctor, variable, target, program);
        list += len + (list[len] != '\0');
    }
}

void doctor_peers(struct doctor *doctor)
{
    check_self(doctor);
    check_peers(doctor, "COORDINATOR_ADDR", CONFIG_COORDINATOR);
    check_peers(doctor, "ROUTER_ADDR", CONFIG_ROUTER);
}
