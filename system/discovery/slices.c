/* SPDX-License-Identifier: Apache-2.0 */
/* See slices.h. The text is jansson's to read; what it means is checked here. */
#include "system/discovery/slices.h"

#include "system/core/buffer.h"
#include "system/core/ids.h"
#include "system/core/map.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLICE_NAME_MAX = 254, POD_NAME_MAX = 65 };

struct slice {
    char name[SLICE_NAME_MAX];
    size_t n;
    char pods[][POD_NAME_MAX];
};

struct slices {
    struct map *by_name;
    char version[SLICES_VERSION_MAX];
    /* endpoints in all of them */
    size_t endpoints_n;
    /* made from the slices when it is asked for; NULL: not yet */
    const char **pods;
    size_t pods_n;
};

static bool free_slice(void *value, void *arg)
{
    (void)arg;
    free(value);
    return true;
}

static void free_all(struct map *by_name)
{
    map_each(by_name, free_slice, NULL);
    map_free(by_name);
}

struct slices *slices_new(void)
{
    struct slices *slices = mem_new(1, sizeof *slices);

    slices->by_name = map_new();
    return slices;
}

void slices_free(struct slices *slices)
{
    free_all(slices->by_name);
    free(slices->pods);
    free(slices);
}

const char *slices_version(const struct slices *slices)
{
    return slices->version;
}

static void forget_pods(struct slices *slices)
{
    free(slices->pods);
    slices->pods = NULL;
}

/* --- from JSON --- */

static bool refuse(char why[RPC_TEXT_MAX], const char *text)
{
    snprintf(why, RPC_TEXT_MAX, "%s", text);
    return false;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

/* It becomes a part of an address. */
static bool take_version(char out[SLICES_VERSION_MAX], const json_t *object)
{
    const char *text = text_of(json_object_get(object, "metadata"), "resourceVersion");
    size_t len = strlen(text);

    if (len == 0 || len >= SLICES_VERSION_MAX || !party_id_is_valid(text))
        return false;
    memcpy(out, text, len + 1);
    return true;
}

/* The pod behind an endpoint; NULL: none that counts. */
static const char *pod_of(const json_t *endpoint)
{
    const json_t *target = json_object_get(endpoint, "targetRef");
    const char *name = text_of(target, "name");
    bool is_leaving =
        json_is_true(json_object_get(json_object_get(endpoint, "conditions"), "terminating"));

    if (is_leaving || strcmp(text_of(target, "kind"), "Pod") != 0 || !party_id_is_valid(name))
        return NULL;
    return name;
}

/* NULL: |object| is no slice. */
static struct slice *slice_of(const json_t *object)
{
    const json_t *endpoints = json_object_get(object, "endpoints");
    const char *name = text_of(json_object_get(object, "metadata"), "name");
    size_t n = json_array_size(endpoints);
    struct slice *slice;

    if (*name == 0 || strlen(name) >= SLICE_NAME_MAX || n > SLICES_ENDPOINTS_MAX)
        return NULL;
    slice = mem_new(1, sizeof *slice + n * sizeof slice->pods[0]);
    strcpy(slice->name, name);
    for (size_t i = 0; i < n; i++) {
        const char *pod = pod_of(json_array_get(endpoints, i));

        if (pod != NULL)
            strcpy(slice->pods[slice->n++], pod);
    }
    return slice;
}

/* --- lists --- */

static void drop(struct slices *slices, const char *name)
{
    struct slice *old = map_remove(slices->by_name, name);

    if (old != NULL)
        slices->endpoints_n -= old->n;
    free(old);
}

/* Takes |slice|. False: too many. */
static bool put(struct slices *slices, struct slice *slice, char why[RPC_TEXT_MAX])
{
    const struct slice *old = map_get(slices->by_name, slice->name);
    size_t others = slices->endpoints_n - (old != NULL ? old->n : 0);

    if (others + slice->n > SLICES_ENDPOINTS_MAX) {
        snprintf(why, RPC_TEXT_MAX, "the Service has more than %d endpoints", SLICES_ENDPOINTS_MAX);
        free(slice);
        return false;
    }
    drop(slices, slice->name);
    map_put(slices->by_name, slice->name, slice);
    slices->endpoints_n += slice->n;
    return true;
}

static bool put_items(struct slices *slices, const json_t *items, char why[RPC_TEXT_MAX])
{
    for (size_t i = 0; i < json_array_size(items); i++) {
        struct slice *slice = slice_of(json_array_get(items, i));

        if (slice == NULL)
            return refuse(why, "an item of the list is no EndpointSlice");
        if (!put(slices, slice, why))
            return false;
    }
    return true;
}

static bool take_list(struct slices *slices, const json_t *list, char why[RPC_TEXT_MAX])
{
    struct slices fresh = {.by_name = NULL};

    if (strcmp(text_of(list, "kind"), "EndpointSliceList") != 0 ||
        !take_version(fresh.version, list))
        return refuse(why, "the answer is no list of EndpointSlices");
    fresh.by_name = map_new();
    if (!put_items(&fresh, json_object_get(list, "items"), why)) {
        free_all(fresh.by_name);
        return false;
    }
    forget_pods(slices);
    free_all(slices->by_name);
    *slices = fresh;
    return true;
}

bool slices_list(struct slices *slices, const char *text, size_t len, char why[RPC_TEXT_MAX])
{
    json_t *list = json_loadb(text, len, 0, NULL);
    bool taken = list != NULL ? take_list(slices, list, why) : refuse(why, "the list is no JSON");

    json_decref(list);
    return taken;
}

/* --- events --- */

/* A Status instead of a slice. */
static bool refuse_error(const json_t *status, char why[RPC_TEXT_MAX])
{
    snprintf(why, RPC_TEXT_MAX, "%lld: %.200s",
             (long long)json_integer_value(json_object_get(status, "code")),
             text_of(status, "message"));
    return false;
}

static bool change(struct slices *slices, const char *type, const json_t *object,
                   char why[RPC_TEXT_MAX])
{
    struct slice *slice = slice_of(object);

    if (slice == NULL)
        return refuse(why, "the object of an event is no EndpointSlice");
    if (strcmp(type, "DELETED") != 0)
        return put(slices, slice, why);
    drop(slices, slice->name);
    free(slice);
    return true;
}

static bool take_event(struct slices *slices, const json_t *event, char why[RPC_TEXT_MAX])
{
    const json_t *object = json_object_get(event, "object");
    const char *type = text_of(event, "type");
    char version[SLICES_VERSION_MAX];

    if (strcmp(type, "ERROR") == 0)
        return refuse_error(object, why);
    if (!take_version(version, object))
        return refuse(why, "an event without a resourceVersion");
    if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0 ||
        strcmp(type, "DELETED") == 0) {
        if (!change(slices, type, object, why))
            return false;
        forget_pods(slices);
    } else if (strcmp(type, "BOOKMARK") != 0) {
        return refuse(why, "an event of an unknown type");
    }
    memcpy(slices->version, version, sizeof version);
    return true;
}

bool slices_event(struct slices *slices, const char *text, size_t len, char why[RPC_TEXT_MAX])
{
    json_t *event = json_loadb(text, len, 0, NULL);
    bool taken =
        event != NULL ? take_event(slices, event, why) : refuse(why, "an event that is no JSON");

    json_decref(event);
    return taken;
}

/* --- what is known --- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool gather(void *value, void *arg)
{
    const struct slice *slice = value;
    struct slices *slices = arg;

    for (size_t i = 0; i < slice->n; i++)
        slices->pods[slices->pods_n++] = slice->pods[i];
    return true;
}

static void make_pods(struct slices *slices)
{
    size_t n = 0;

    slices->pods = mem_new(slices->endpoints_n + 1, sizeof *slices->pods);
    slices->pods_n = 0;
    map_each(slices->by_name, gather, slices);
    qsort(slices->pods, slices->pods_n, sizeof *slices->pods, by_text);
    for (size_t i = 0; i < slices->pods_n; i++)
        if (n == 0 || strcmp(slices->pods[n - 1], slices->pods[i]) != 0)
            slices->pods[n++] = slices->pods[i];
    slices->pods_n = n;
}

const char *const *slices_pods(struct slices *slices, size_t *n)
{
    if (slices->pods == NULL)
        make_pods(slices);
    *n = slices->pods_n;
    return slices->pods;
}
