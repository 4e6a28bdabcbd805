/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate address": the addresses of a public key, or of one of its BIP32 children. */
#include "command.h"
#include "hex.h"
#include "library.h"
#include "option.h"
#include "report.h"
#include "say.h"

#include "quorate/address.h"
#include "quorate/derive.h"

#include <string.h>

struct address {
    const char *key, *chain, *path, *chain_code;
    bool json;
    struct library library;
    struct qrt_pubkey pk;
};

/* The kind named by --chain, or QRT_ADDRESS_KINDS if there is none of that name. */
static int kind_of(const char *name)
{
    int kind = 0;

    while (kind < QRT_ADDRESS_KINDS &&
           strcmp(name, qrt_address_name((enum qrt_address_kind)kind)) != 0)
        kind++;
    return kind;
}

static int derive(struct address *a)
{
    uint32_t path[QRT_PATH_MAX];
    uint8_t cc[32];
    struct qrt_child child;
    size_t path_n;

    if (!a->path && !a->chain_code)
        return EXIT_DONE;
    if (!a->path || !a->chain_code)
        return refuse_usage("--path and --chain-code go together");
    if (!hex_read_exact(cc, 32, a->chain_code))
        return refuse_usage(
            "the chain code (--chain-code) must be exactly 32 bytes, 64 hex digits");
    if (qrt_path_parse(path, &path_n, a->path) != QRT_OK)
        return refuse_usage("--path is not a path of non-hardened indices such as m/44/60/0: %s",
                            a->path);
    if (qrt_derive(&child, a->library.ctx, &a->pk, cc, path, path_n) != QRT_OK)
        return refuse("the key has no child at %s", a->path);
    a->pk = child.pk;
    return EXIT_DONE;
}

static int show(const struct address *a, int only)
{
    json_t *report = json_object();

    report_add(report, "public_key", hex_json(a->pk.b, 33));
    if (a->path)
        report_add(report, "path", json_string(a->path));
    for (int kind = 0; kind < QRT_ADDRESS_KINDS; kind++) {
        char text[QRT_ADDRESS_MAX];

        if (only != QRT_ADDRESS_KINDS && only != kind)
            continue;
        if (qrt_address(text, a->library.ctx, (enum qrt_address_kind)kind, &a->pk) != QRT_OK)
            qrt_panic(__FILE__, __LINE__);
        report_add(report, qrt_address_name((enum qrt_address_kind)kind), json_string(text));
    }
    return report_print(report, a->json) ? EXIT_DONE : EXIT_REFUSED;
}

static int run(struct address *a)
{
    int only = a->chain ? kind_of(a->chain) : QRT_ADDRESS_KINDS, code;

    if (a->chain && only == QRT_ADDRESS_KINDS)
        return refuse_usage("--chain is ethereum, bitcoin_p2wpkh, bitcoin_p2pkh or tron, not %s",
                            a->chain);
    if (!library_pubkey(&a->pk, &a->library, a->key))
        return refuse_usage("%s is not a public key: 33 or 65 bytes of hex, on the curve", a->key);
    code = derive(a);
    return code == EXIT_DONE ? show(a, only) : code;
}

int command_address(char **argv)
{
    struct address a = {0};
    const struct option_row rows[] = {
        {"--chain", "NAME", NULL, &a.chain,
         "only this: ethereum, bitcoin_p2wpkh, bitcoin_p2pkh, tron"},
        {"--path", "PATH", NULL, &a.path, "of the child at this path, such as m/44/60/0"},
        {"--chain-code", "HEX", NULL, &a.chain_code, "the key's chain code, for --path"},
        {"--json", NULL, &a.json, NULL, "answer in JSON"},
    };
    const struct options options = {"address", "PUBLIC_KEY",
                                    "Show the addresses of a secp256k1 public key.", rows,
                                    sizeof rows / sizeof rows[0]};
    size_t rest_n;
    enum options_answer answered = options_read(&options, argv, &a.key, 1, &rest_n);
    int code;

    if (answered != OPTIONS_GO)
        return options_code(answered);
    if (rest_n != 1)
        return refuse_usage("the public key is missing; see quorate address --help");
    library_open(&a.library);
    code = run(&a);
    library_close(&a.library);
    return code;
}
