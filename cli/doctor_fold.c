/* SPDX-License-Identifier: Apache-2.0 */
/* One finding for one cause. A process that others miss, or that they wait for, is told of by its
 * own finding; theirs are left out. Something is always left: that a process is not ready is left
 * out only where a cause is told. */
#include "doctor.h"

#include "report.h"

#include "system/core/buffer.h"

#include <stdio.h>
#include <string.h>

static const char *text(const json_t *finding, const char *key)
{
    return json_string_value(json_object_get(finding, key));
}

static enum doctor_kind kind(const json_t *finding)
{
    return (enum doctor_kind)json_integer_value(json_object_get(finding, "kind"));
}

static bool is_peers(const json_t *finding)
{
    return kind(finding) == DOCTOR_PEER_AWAY || kind(finding) == DOCTOR_PEER_UNREADY;
}

static bool is_of(const json_t *finding, const char *where)
{
    return strcmp(text(finding, "where"), where) == 0;
}

/* The process at the other end says the same of itself. */
static bool is_told_there(const struct doctor *doctor, const json_t *finding)
{
    char port[24];
    const char *where;
    const json_t *other;
    size_t i;

    snprintf(port, sizeof port, "%" JSON_INTEGER_FORMAT,
             json_integer_value(json_object_get(finding, "port")));
    where = strcmp(port, "0") == 0 ? NULL : json_string_value(json_object_get(doctor->ports, port));
    json_array_foreach(doctor->findings, i, other)
    {
        bool is_down = kind(other) == DOCTOR_DOWN || kind(other) == DOCTOR_STOPPED;

        if (where && is_of(other, where) &&
            (kind(finding) == DOCTOR_PEER_AWAY ? is_down : kind(other) == DOCTOR_UNREADY))
            return true;
    }
    return false;
}

static bool has_peer(const struct doctor *doctor, const char *where)
{
    const json_t *finding;
    size_t i;

    json_array_foreach(doctor->findings, i, finding)
    {
        if (is_peers(finding) && is_of(finding, where))
            return true;
    }
    return false;
}

/* Others may wait because of it. */
static bool is_cause(const struct doctor *doctor, const json_t *finding)
{
    switch (kind(finding)) {
    case DOCTOR_DOWN:
    case DOCTOR_STOPPED:
        return true;
    case DOCTOR_UNREADY:
        return !has_peer(doctor, text(finding, "where"));
    case DOCTOR_PEER_AWAY:
    case DOCTOR_PEER_UNREADY:
        return !is_told_there(doctor, finding);
    default:
        return false;
    }
}

/* It waits for a peer, and somewhere a cause is told. */
static bool is_waiting(const struct doctor *doctor, const json_t *finding)
{
    const json_t *other;
    size_t i;

    if (!has_peer(doctor, text(finding, "where")))
        return false;
    json_array_foreach(doctor->findings, i, other)
    {
        if (is_cause(doctor, other))
            return true;
    }
    return false;
}

static bool follows(const struct doctor *doctor, const json_t *finding)
{
    if (is_peers(finding))
        return is_told_there(doctor, finding);
    return kind(finding) == DOCTOR_UNREADY && is_waiting(doctor, finding);
}

static bool is_same(const json_t *a, const json_t *b)
{
    if (kind(a) == DOCTOR_STOPPED && kind(b) == DOCTOR_STOPPED)
        return true;
    return strcmp(text(a, "what"), text(b, "what")) == 0 &&
           strcmp(text(a, "do"), text(b, "do")) == 0;
}

/* |finding| becomes one of |one|. */
static void join(json_t *one, const json_t *finding)
{
    struct buffer where = {0};

    if (kind(one) == DOCTOR_STOPPED) {
        report_add(one, "what", json_string("they do not answer"));
        report_add(one, "do",
                   json_string("start them; if they ended, the ends of their logs say "
                               "why"));
    }
    buffer_printf(&where, "%s, %s", text(one, "where"), text(finding, "where"));
    report_add(one, "where", json_stringn((const char *)where.b, where.len));
    buffer_free(&where);
}

static void add(json_t *list, json_t *finding)
{
    json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        if (is_same(one, finding)) {
            join(one, finding);
            return;
        }
    }
    json_array_append_new(list, json_copy(finding));
}

void doctor_fold(struct doctor *doctor)
{
    json_t *list = json_array(), *one;
    size_t i;

    json_array_foreach(doctor->findings, i, one)
    {
        if (!follows(doctor, one))
            add(list, one);
    }
    json_array_foreach(list, i, one)
    {
        json_object_del(one, "kind");
        json_object_del(one, "port");
    }
    json_decref(doctor->findings);
    doctor->findings = list;
}
