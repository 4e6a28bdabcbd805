/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate verify": is this signature of that message, by that key or address? */
#include "address_text.h"
#include "command.h"
#include "file.h"
#include "hex.h"
#include "library.h"
#include "option.h"
#include "report.h"
#include "say.h"

#include "quorate/address.h"
#include "quorate/signature.h"

#include <string.h>
#include <strings.h>

#define MESSAGE_FILE_MAX (64u << 20)

struct verify {
    const char *public_key, *address, *hash_hex, *message, *hash_name, *signature_hex;
    bool json;
    struct library library;
    struct qrt_hash hash;
    struct qrt_sig sig;
    bool has_recid;
    struct qrt_pubkey pk; /* given, or recovered */
};

static int check_options(const struct verify *v)
{
    if (!v->signature_hex)
        return refuse_usage("--signature is missing; see quorate verify --help");
    if (!v->public_key == !v->address)
        return refuse_usage("give one of --public-key and --address");
    if (!v->hash_hex == !v->message)
        return refuse_usage("give one of --message-hash and --message");
    if (v->hash_hex && v->hash_name)
        return refuse_usage("--hash goes with --message; a --message-hash is taken as it is");
    if (v->message && !v->hash_name)
        return refuse_usage("--message needs --hash keccak256 or --hash sha256");
    return EXIT_DONE;
}

static int digest_file(struct verify *v, enum qrt_digest digest)
{
    struct trouble trouble;
    struct file file;
    enum qrt_err e;

    if (!file_read(&file, v->message, MESSAGE_FILE_MAX, &trouble))
        return refuse("%s", trouble.text);
    e = qrt_digest(&v->hash, v->library.ctx, digest, file.b, file.len);
    file_free(&file);
    return e == QRT_OK ? EXIT_DONE : refuse("%s: %s", v->message, qrt_err_text(e));
}

static int read_hash(struct verify *v)
{
    if (v->hash_hex) {
        char got[HEX_DESCRIPTION_MAX];

        if (hex_read_exact(v->hash.b, 32, v->hash_hex))
            return EXIT_DONE;
        hex_describe(got, v->hash_hex);
        return refuse_usage("--message-hash must be exactly 32 bytes, 64 hex digits; got %s", got);
    }
    if (strcmp(v->hash_name, "keccak256") == 0)
        return digest_file(v, QRT_DIGEST_KECCAK256);
    if (strcmp(v->hash_name, "sha256") == 0)
        return digest_file(v, QRT_DIGEST_SHA256);
    return refuse_usage("--hash is keccak256 or sha256, not %s", v->hash_name);
}

static int read_signature(struct verify *v)
{
    uint8_t b[QRT_DER_MAX];
    size_t len;

    if (!hex_read(b, sizeof b, &len, v->signature_hex) ||
        qrt_sig_parse(&v->sig, v->library.ctx, b, len) != QRT_OK)
        return refuse_usage("the signature (--signature) is neither r and s (64 bytes, or 65 with "
                            "the recovery id) nor DER, in hex");
    v->has_recid = len == 65;
    return EXIT_DONE;
}

static int check_address(const struct verify *v)
{
    enum address_text answer = v->address ? address_text_check(v->address) : ADDRESS_GOOD;

    if (answer == ADDRESS_NONE)
        return refuse_usage("--address is not an address of Ethereum, Tron or Bitcoin's main "
                            "network (bc1q of 42 characters, or 1...): %s",
                            v->address);
    if (answer == ADDRESS_CHECKSUM)
        return refuse_usage("the checksum of the address (--address) is wrong: %s", v->address);
    return EXIT_DONE;
}

/* Case carries at most a checksum, which was checked, except in Base58. */
static bool is_address_of(const struct verify *v, const struct qrt_pubkey *pk)
{
    for (int kind = 0; kind < QRT_ADDRESS_KINDS; kind++) {
        char text[QRT_ADDRESS_MAX];

        if (qrt_address(text, v->library.ctx, (enum qrt_address_kind)kind, pk) != QRT_OK)
            return false;
        if (kind == QRT_ADDRESS_ETHEREUM || kind == QRT_ADDRESS_BITCOIN_P2WPKH
                ? strcasecmp(text, v->address) == 0
                : strcmp(text, v->address) == 0)
            return true;
    }
    return false;
}

/* Without a recovery id each is tried. */
static bool find_signer(struct verify *v)
{
    struct qrt_sig sig = v->sig;
    uint8_t last = v->has_recid ? v->sig.recid : 3;

    for (sig.recid = v->has_recid ? v->sig.recid : 0; sig.recid <= last; sig.recid++) {
        struct qrt_pubkey pk;

        if (qrt_sig_recover(&pk, v->library.ctx, &sig, &v->hash) != QRT_OK ||
            !is_address_of(v, &pk))
            continue;
        v->pk = pk;
        v->sig.recid = sig.recid;
        return true;
    }
    return false;
}

/* Above half the group order; such a signature is refused although its mirror image is valid. */
static bool is_high(const uint8_t s[32])
{
    static const uint8_t half[32] = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d,
                                     0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0};

    return memcmp(s, half, 32) > 0;
}

static bool recovery_id_fits(const struct verify *v)
{
    struct qrt_pubkey pk;

    return qrt_sig_recover(&pk, v->library.ctx, &v->sig, &v->hash) == QRT_OK &&
           memcmp(pk.b, v->pk.b, sizeof pk.b) == 0;
}

/* NULL if the signature is valid, otherwise why not. */
static const char *judge(struct verify *v)
{
    if (is_high(v->sig.s))
        return "s is in the upper half of its range (not low-s)";
    if (v->address && !find_signer(v))
        return "it was not made by the key of that address for that message";
    if (qrt_sig_verify(v->library.ctx, &v->sig, &v->hash, &v->pk) != QRT_OK)
        return "it was not made by that key for that message";
    if (v->has_recid && !recovery_id_fits(v))
        return "r and s are of that key, but the recovery id is not";
    return NULL;
}

static int answer(struct verify *v)
{
    const char *why = judge(v);
    json_t *report = json_object();
    bool printed;

    report_add(report, "valid", json_boolean(!why));
    report_add(report, "hash", hex_json(v->hash.b, 32));
    if (!why)
        report_add(report, "public_key", hex_json(v->pk.b, 33));
    else
        report_add(report, "reason", json_string(why));
    printed = report_print(report, v->json);
    if (why)
        return refuse("the signature is not valid: %s", why);
    return printed ? EXIT_DONE : EXIT_REFUSED;
}

static int run(struct verify *v)
{
    int code;

    if ((code = check_address(v)) != EXIT_DONE || (code = read_hash(v)) != EXIT_DONE ||
        (code = read_signature(v)) != EXIT_DONE)
        return code;
    if (v->public_key && !library_pubkey(&v->pk, &v->library, v->public_key))
        return refuse_usage(
            "--public-key is not a public key: 33 or 65 bytes of hex, on the curve");
    return answer(v);
}

int command_verify(char **argv)
{
    struct verify v = {0};
    const struct option_row rows[] = {
        {"--public-key", "HEX", NULL, &v.public_key, "whose signature it should be"},
        {"--address", "ADDRESS", NULL, &v.address, "or the address of that key"},
        {"--message-hash", "HEX", NULL, &v.hash_hex, "the 32 bytes that were signed"},
        {"--message", "FILE", NULL, &v.message, "or the message, which is hashed here"},
        {"--hash", "NAME", NULL, &v.hash_name, "with --message: keccak256 or sha256"},
        {"--signature", "HEX", NULL, &v.signature_hex, "r and s, perhaps a recovery id, or DER"},
        {"--json", NULL, &v.json, NULL, "answer in JSON"},
    };
    const struct options options = {"verify", "",
                                    "Check an ECDSA signature. Exit code 0: valid, 1: not.", rows,
                                    sizeof rows / sizeof rows[0]};
    size_t rest_n;
    enum options_answer answered = options_read(&options, argv, NULL, 0, &rest_n);
    int code;

    if (answered != OPTIONS_GO)
        return options_code(answered);
    code = check_options(&v);
    if (code != EXIT_DONE)
        return code;
    library_open(&v.library);
    code = run(&v);
    library_close(&v.library);
    return code;
}
