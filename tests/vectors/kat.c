/* SPDX-License-Identifier: Apache-2.0 */
/* kat FILE: reproduce every known answer of FILE that this library covers.
 *
 * Prints a line for each failure, a line that counts the runs, and "N passed, M failed". Exits 0
 * only if nothing failed, every vector is there, and every run of a protocol it knows was tried:
 * there must be one, and a protocol it does not know is a failure. */
#include "kat.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *load(const char *path)
{
    json_error_t error;
    json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

    if (!json_is_object(file)) {
        fprintf(stderr, "kat: %s: %s\n", path, file ? "not an object" : error.text);
        exit(2);
    }
    return file;
}

/* Entries that neither kat_layers nor kat_runs would look at. */
static void unknown_entries(struct kat *k)
{
    static const char *const known[] = {"note",  "T",        "TH",           "FH",     "LH8",
                                        "h2c",   "gadget",   "gf128",        "baseot", "pprf",
                                        "rvole", "e2e_2of2", "presign_bip32"};
    json_t *v;

    json_object_foreach(k->file, k->entry, v)
    {
        bool found = json_object_get(v, "protocol"); /* a run, for kat_runs */

        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            found = found || strcmp(known[i], k->entry) == 0;
        if (!found)
            kat_check(k, false, "neither a run nor a vector that is known here");
    }
}

int main(int argc, char **argv)
{
    secp256k1_context *secp = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    struct qrt_ctx *ctx =
        aligned_alloc(QRT_ALIGN, (qrt_ctx_size() + QRT_ALIGN - 1) / QRT_ALIGN * QRT_ALIGN);
    struct kat k = {.ctx = ctx};
    struct kat_tally tally = {0};

    if (argc != 2) {
        fprintf(stderr, "usage: kat FILE\n");
        return 2;
    }
    if (!secp || !ctx || sodium_init() < 0)
        return 2;
    qrt_ctx_init(ctx, secp, QRT_CPU_ALL);
    k.file = load(argv[1]);
    unknown_entries(&k);
    kat_layers(&k);
    kat_runs(&k, &tally);
    printf("%zu runs in the file: %zu of %zu that are built were tried, %zu skipped\n",
           tally.known + tally.skipped, tally.tried, tally.known, tally.skipped);
    printf("%zu passed, %zu failed\n", k.passed, k.failed);
    json_decref(k.file);
    secp256k1_context_destroy(secp);
    free(ctx);
    return k.failed || !k.passed || !tally.known || tally.tried != tally.known;
}
