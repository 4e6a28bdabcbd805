/* SPDX-License-Identifier: Apache-2.0 */
/* What a demo shows: text as it happens, or one JSON object at the end, built on the way. */
#include "demo.h"

#include "hex.h"
#include "report.h"

#include <stdio.h>
#include <string.h>

static void line(const struct demo *demo, const char *key, const json_t *value)
{
    if (demo->options.json)
        return;
    say_progress_end();
    if (json_is_integer(value))
        printf("%-18s %" JSON_INTEGER_FORMAT "\n", key, json_integer_value(value));
    else
        printf("%-18s %s\n", key, json_string_value(value));
}

/* Into |object|, and as a line. */
static void add(const struct demo *demo, json_t *object, const char *key, json_t *value)
{
    char label[32];
    size_t i = 0;

    for (; key[i] && i < sizeof label - 1; i++)
        label[i] = key[i] == '_' ? ' ' : key[i];
    label[i] = '\0';
    line(demo, label, value);
    report_add(object, key, value);
}

static void flush(const struct demo *demo)
{
    if (demo->options.json)
        return;
    (void)fflush(stdout);
    report_note(); /* said at the end */
}

void demo_show_start(struct demo *demo)
{
    demo->report = json_object();
    demo->steps = json_array();
    demo->signatures = json_array();
    if (demo->has_tx) {
        report_add(demo->report, "transaction", json_string(demo->tx_name));
        report_add(demo->report, "unsigned_transaction",
                   hex_json_0x(demo->unsigned_tx.b, demo->unsigned_tx.len));
    }
    report_add(demo->report, "message_hash", hex_json_0x(demo->hash.b, 32));
    report_add(demo->report, "resumed", json_boolean(demo->mode == DEMO_RESUME));
}

static json_t *addresses(const struct demo *demo)
{
    json_t *all = json_object();

    for (int kind = 0; kind < QRT_ADDRESS_KINDS; kind++) {
        char text[QRT_ADDRESS_MAX];

        if (qrt_address(text, demo->library.ctx, (enum qrt_address_kind)kind, &demo->key.pk) !=
            QRT_OK)
            qrt_panic(__FILE__, __LINE__);
        report_add(all, qrt_address_name((enum qrt_address_kind)kind), json_string(text));
    }
    return all;
}

static json_t *share_files(const struct demo *demo)
{
    json_t *files = json_array();

    for (size_t i = 0; i < demo->seats_n; i++)
        json_array_append_new(files, json_string(demo->seats[i].active));
    return files;
}

void demo_show_key(struct demo *demo)
{
    json_t *all = addresses(demo);
    const char *ethereum = qrt_address_name(QRT_ADDRESS_ETHEREUM);

    add(demo, demo->report, "key_id", hex_json(demo->key.keyid, 32));
    add(demo, demo->report, "public_key", hex_json(demo->key.pk.b, 33));
    add(demo, demo->report, "address", json_incref(json_object_get(all, ethereum)));
    report_add(demo->report, "addresses", all);
    report_add(demo->report, "threshold", json_integer(demo->key.t));
    report_add(demo->report, "parties", json_integer(demo->key.n));
    if (!demo->temporary) {
        report_add(demo->report, "share_files", share_files(demo));
        for (size_t i = 0; i < demo->seats_n; i++)
            line(demo, "share file",
                 json_array_get(json_object_get(demo->report, "share_files"), i));
    }
    if (!demo->options.json)
        printf("%-18s %s\n", "signs", demo->has_tx ? demo->tx_name : "a message hash");
    flush(demo);
}

static json_t *step_json(const char *name, const struct demo_cost *cost)
{
    return json_pack("{s:s,s:f,s:I,s:O}", "step", name, "ms", (double)cost->us / 1000, "bytes",
                     (json_int_t)cost->bytes, "parties", cost->parties);
}

static double cpu_ms(const struct demo_cost *cost)
{
    double sum = 0;
    size_t i;
    json_t *row;

    json_array_foreach(cost->parties, i, row) sum +=
        json_real_value(json_object_get(row, "cpu_ms"));
    return sum;
}

static void cost_line(const struct demo *demo, const char *name, const struct demo_cost *cost)
{
    if (demo->options.json)
        return;
    say_progress_end();
    if (cost->bytes)
        printf("%s: %.1f ms, %.1f ms of CPU in all parties together, %llu bytes sent\n", name,
               (double)cost->us / 1000, cpu_ms(cost), (unsigned long long)cost->bytes);
    else
        printf("%s: %.1f ms\n", name, (double)cost->us / 1000);
    flush(demo);
}

void demo_show_step(struct demo *demo, const char *name, const struct demo_cost *cost)
{
    json_array_append_new(demo->steps, step_json(name, cost));
    json_decref(cost->parties);
    cost_line(demo, name, cost);
}

static void write_set(char *out, size_t cap, const char *between, const struct signer_set *set)
{
    size_t at = 0;

    for (size_t i = 0; i < set->n && at < cap; i++)
        at += (size_t)snprintf(out + at, cap - at, "%s%u", i ? between : "", set->indices[i]);
}

static json_t *set_json(const struct signer_set *set)
{
    json_t *list = json_array();

    for (size_t i = 0; i < set->n; i++)
        json_array_append_new(list, json_integer(set->indices[i]));
    return list;
}

static void add_transaction(struct demo *demo, json_t *entry, const struct qrt_sig *sig)
{
    struct buffer raw = {0};
    uint8_t hash[32];

    eth_tx_signed(&raw, &demo->tx, sig);
    qrt_keccak256(hash, raw.b, raw.len);
    add(demo, entry, "raw_transaction", hex_json_0x(raw.b, raw.len));
    add(demo, entry, "transaction_hash", hex_json_0x(hash, 32));
    buffer_free(&raw);
}

void demo_show_signature(struct demo *demo, const struct signer_set *set, const struct qrt_sig *sig,
                         const struct demo_cost *cost)
{
    json_t *entry = json_object();
    char name[8 * QRT_PARTIES_MAX + 32] = "signature by parties ";
    uint8_t compact[64];

    write_set(name + strlen(name), sizeof name - strlen(name), " and ", set);
    if (!demo->options.json)
        printf("\n");
    cost_line(demo, name, cost);
    qrt_sig_compact(compact, sig);
    report_add(entry, "signers", set_json(set));
    add(demo, entry, "signature", hex_json_0x(compact, 64));
    report_add(entry, "r", hex_json(sig->r, 32));
    report_add(entry, "s", hex_json(sig->s, 32));
    add(demo, entry, "recovery_id", json_integer(sig->recid));
    if (demo->has_tx)
        add_transaction(demo, entry, sig);
    report_add(entry, "ms", json_real((double)cost->us / 1000));
    report_add(entry, "bytes", json_integer((json_int_t)cost->bytes));
    json_array_append_new(demo->signatures, entry);
    json_array_append_new(demo->steps, step_json(name, cost));
    json_decref(cost->parties);
    flush(demo);
}

bool demo_show_end(struct demo *demo)
{
    json_t *report = demo->report;

    report_add(report, "signatures", demo->signatures);
    report_add(report, "steps", demo->steps);
    demo->report = demo->signatures = demo->steps = NULL;
    if (demo->options.json)
        return report_print(report, true);
    json_decref(report);
    return report_flush();
}
