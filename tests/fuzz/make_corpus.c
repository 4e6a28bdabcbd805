/* SPDX-License-Identifier: Apache-2.0 */
/* Make the seeds of tests/fuzz/corpus, one of each valid thing and a few plays for the machines.
 *
 * usage: make_corpus FOLDER      The same files every time; see docs/testing.md. */
#include "fuzz.h"

#include "wire/abort.h"
#include "wire/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *root;

struct change {
    size_t at;
    const void *with;
    size_t run;
};

static void put(const char *harness, const char *name, const void *b, size_t len)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", root, harness);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", root, harness, name);
    f = fopen(path, "wb");
    if (!f || fwrite(b, 1, len, f) != len || fclose(f) != 0) {
        fprintf(stderr, "cannot write %s\n", path);
        exit(1);
    }
}

static void put_text(const char *harness, const char *name, const char *text)
{
    put(harness, name, text, strlen(text));
}

/* A valid thing with one field changed. */
static void put_changed(const char *harness, const char *name, const uint8_t *b, size_t len,
                        const struct change *change)
{
    uint8_t *copy = malloc(len);

    if (!copy)
        exit(1);
    memcpy(copy, b, len);
    memcpy(copy + change->at, change->with, change->run);
    put(harness, name, copy, len);
    free(copy);
}

static void headers(void)
{
    struct qrt_header h = {QRT_SIGN, QRT_PROFILE_1, 1,  QRT_KIND_BROADCAST, 1, QRT_EVERYBODY,
                           32,       {1},           {2}};
    uint8_t b[QRT_HEADER_BYTES];

    qrt_header_encode(b, &h);
    put("header", "broadcast", b, sizeof b);
    h.kind = QRT_KIND_PRIVATE;
    h.receiver = 2;
    h.payload_len = 2640;
    qrt_header_encode(b, &h);
    put("header", "private", b, sizeof b);
    put("header", "short", b, 79);
}

static void shares(void)
{
    const struct committee *c = fuzz_committee(2, 2);

    put("share", "whole", c->records[0], c->record_len);
    put("share", "head", c->records[0], 300);
    /* Changes of a valid record: flags, threshold, own index, a point, a seed, the certificate. */
    put("share", "changed_flags", "x\0\0\7\4\0\0", 7);
    put("share", "changed_counts", "x\0\0\125\1\1\0\0\0\130\1\1\0", 13);
    put("share", "changed_point", "x\0\1\50\1\0\0", 7);
    put("share", "changed_seed", "x\0\40\0\1\0\0\0\100\1\377\7\0", 13);
}

/* Rows of 98 bytes from offset 67 on (docs/wire.md). */
static void certificates(void)
{
    const struct qrt_share *share = &fuzz_committee(2, 2)->shares[0];
    const uint8_t *b = share->certificate;
    size_t len = share->certificate_len;
    uint8_t swapped[2 * 98];

    memcpy(swapped, b + 67 + 98, 98);
    memcpy(swapped + 98, b + 67, 98);
    put("certificate", "whole", b, len);
    put("certificate", "one_missing", b, len - 98);
    put_changed("certificate", "reshare", b, len, &(struct change){0, "\2", 1});
    put_changed("certificate", "other_session", b, len, &(struct change){1, "\0\0\0\0", 4});
    put_changed("certificate", "one_counted", b, len, &(struct change){65, "\0\1", 2});
    put_changed("certificate", "row_twice", b, len, &(struct change){67 + 98, b + 67, 98});
    put_changed("certificate", "rows_swapped", b, len, &(struct change){67, swapped, 2 * 98});
    put_changed("certificate", "signature_of_zeros", b, len,
                &(struct change){67 + 34, (uint8_t[64]){0}, 64});
}

/* Offsets of docs/wire.md for n = 2: pk at 79, roster at 144, d at 342, rows of signatures at 411. */
static void key_certificates(void)
{
    uint8_t b[1024];
    struct qrt_bytes out = {b, sizeof b, 0};

    if (qrt_certificate_export(&out, &fuzz_committee(2, 2)->shares[0]) != QRT_OK)
        exit(1);
    put("key_certificate", "whole", b, out.len);
    put("key_certificate", "cut", b, out.len - 98);
    put_changed("key_certificate", "three_of_two", b, out.len, &(struct change){75, "\0\3", 2});
    put_changed("key_certificate", "key_twice", b, out.len, &(struct change){79, b + 144 + 66, 33});
    put_changed("key_certificate", "one_dealer", b, out.len, &(struct change){342, "\0\1", 2});
    /* Changes of a valid one: threshold, a point, the epoch, a signature. */
    put("key_certificate", "changed_counts", "x\0\116\1\0", 5);
    put("key_certificate", "changed_point", "x\0\322\1\0", 5);
    put("key_certificate", "changed_epoch", "x\0\52\1\0", 5);
    put("key_certificate", "changed_signature", "x\1\360\1\7", 5);
}

static void presignatures(void)
{
    static const uint8_t zero[33];
    static const struct {
        const char *name;
        struct change change;
    } changes[] = {
        {"other_key", {6, zero, 32}},
        {"other_epoch", {38, "\0\0\1\0", 4}},
        {"of_another", {106, "\0\2", 2}},
        {"three_signers", {108, "\0\3", 2}},
        {"signers_backwards", {110, "\0\2\0\1", 4}},
        {"no_point", {179, zero, 33}},
        {"phi_zero", {212, zero, 32}},
        {"u_too_large",
         {244, "\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377", 16}},
    };
    struct session presign, online;

    session_init(&presign, fuzz_committee(2, 2), QRT_PRESIGN, false);
    session_init(&online, fuzz_committee(2, 2), QRT_ONLINE, false);
    if (!session_play(&presign))
        exit(1);
    session_take_presigs(&online, &presign);
    put("presig", "whole", online.presigs[0], QRT_PRESIG_BYTES(2));
    put("presig", "short", online.presigs[0], QRT_PRESIG_BYTES(2) - 1);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        put_changed("presig", changes[i].name, online.presigs[0], QRT_PRESIG_BYTES(2),
                    &changes[i].change);
    session_free(&online);
    session_free(&presign);
}

static void intents(void)
{
    struct qrt_intent intent = {
        .operation = QRT_OP_SIGN,
        .suite = QRT_SUITE_ECDSA,
        .profile = QRT_PROFILE_1,
        .purpose = QRT_PURPOSE_TRANSACTION,
        .keyid = {3},
        .nonce = {4},
        .deadline = 1700000000,
        .attempts = 3,
        .t = 2,
        .parties_n = 3,
        .parties = {1, 2, 3},
        .path_n = 2,
        .path = {44, 60},
        .digest = QRT_DIGEST_KECCAK256,
        .message_len = 5,
        .message = (const uint8_t *)"hello",
    };
    uint8_t b[512];
    size_t len;

    if (qrt_intent_encode(&intent, b, sizeof b, &len) != QRT_OK)
        exit(1);
    put("intent", "sign", b, len);
    intent = (struct qrt_intent){.operation = QRT_OP_KEYGEN,
                                 .suite = QRT_SUITE_ECDSA,
                                 .profile = QRT_PROFILE_1,
                                 .purpose = QRT_PURPOSE_TRANSACTION,
                                 .nonce = {4},
                                 .deadline = 1700000000,
                                 .attempts = 1,
                                 .t = 2,
                                 .parties_n = 2,
                                 .parties = {1, 2},
                                 .idk = {{5}, {6}}};
    if (qrt_intent_encode(&intent, b, sizeof b, &len) != QRT_OK)
        exit(1);
    put("intent", "keygen", b, len);
}

/* Burns of party 1, and what is not quite one. */
static void made_burns(const uint8_t *kgid, const uint8_t *epoch)
{
    uint8_t b[45 + 2 * 2] = "DKB1\1";

    memcpy(b + 5, kgid, 32);
    memcpy(b + 37, epoch, 4);
    memcpy(b + 41, "\0\1\0\1\0\2", 6);
    put("burn", "peer", b, 47);
    put("burn", "cut", b, 46);
    b[46] = 1;
    put("burn", "itself", b, 47);
    b[46] = 9;
    put("burn", "stranger", b, 47);
    memcpy(b + 43, "\0\2\0\3\0\2", 6);
    put("burn", "backwards", b, 49);
    memcpy(b + 43, "\0\2\0\2\0\3", 6);
    put("burn", "two_peers", b, 49);
    memcpy(b, "DKG1", 4);
    put("burn", "gate_of_two", b, 49);
}

/* The gate record of a signing run is a burn record that names the peer. */
static void burns(void)
{
    struct session s;
    const struct qrt_record *record;

    session_init(&s, fuzz_committee(2, 2), QRT_SIGN, false);
    if (session_start(&s) != QRT_OK)
        exit(1);
    /* The second seat hears the first, so it is the first to come to its gate. */
    for (const struct qrt_msg *msg; (msg = seat_next(&s.seats[0]));)
        (void)!seat_recv(&s.seats[1], 1, msg->b, msg->len);
    record = seat_record(&s.seats[1]);
    if (!record || record->kind != QRT_RECORD_GATE)
        exit(1);
    put("burn", "gate", record->b, record->len);
    made_burns(record->b + 5, record->b + 37);
    session_free(&s);
}

static void comparisons(const uint8_t *equivocation)
{
    const uint8_t *a = equivocation + 46;
    size_t len = (size_t)a[-2] << 8 | a[-1];
    uint8_t b[1024] = {1, (uint8_t)(len >> 8), (uint8_t)len};

    memcpy(b + 3, a, len);
    memcpy(b + 3 + len, a + len + 4, len);
    put("compare", "raw", b, 3 + 2 * len);
    put("compare", "as_said", "\0", 1);
    put("compare", "other_order", "\4", 1);
    put("compare", "same", "\2", 1);
    put("compare", "no_space", "\10", 1);
    put("compare", "other_key", "\20", 1);
    put("compare", "altered", "\0\10\0\144\0\15\0\377\0", 9);
    put("compare", "cut", "\0\2\0\120\0", 5);
}

/* Party 1 signs two first broadcasts for the same session. */
static void evidence(void)
{
    struct session s;
    const struct qrt_msg *msg;
    const uint8_t *b;
    size_t len;

    session_init(&s, fuzz_committee(2, 2), QRT_SIGN, true);
    if (session_start(&s) != QRT_OK)
        exit(1);
    for (int i = 0; i < 2; i++) {
        msg = seat_next(&s.seats[0]);
        while (msg && msg->kind != QRT_KIND_BROADCAST)
            msg = seat_next(&s.seats[0]);
        if (!msg)
            exit(1);
        (void)!seat_recv(&s.seats[1], 1, msg->b, msg->len);
        if (session_start_seat(&s, 0) != QRT_OK)
            exit(1);
    }
    b = qrt_peer_evidence(s.seats[1].memory, &len);
    if (!b)
        exit(1);
    put("evidence", "equivocation", b, len);
    put("evidence", "cut", b, len - 1);
    put("evidence", "cut-head", b, 35);
    comparisons(b);
    session_free(&s);
}

/* One file: |n| messages said to be a cheat of party 1. */
static void accuse(const char *name, enum qrt_err error, const struct qrt_bytes *said, size_t n)
{
    uint8_t b[4096] = "DKE1\1", *end = b + 42;

    b[5] = qrt_err_code(error);
    b[7] = 1;
    memcpy(b + 8, fuzz_committee(2, 2)->keys[0].idpk, 32);
    b[41] = (uint8_t)n;
    for (size_t i = 0; i < n; i++) {
        if ((size_t)(b + sizeof b - end) < said[i].len + 4)
            exit(1);
        *end++ = 0;
        *end++ = 0;
        *end++ = (uint8_t)(said[i].len >> 8);
        *end++ = (uint8_t)said[i].len;
        memcpy(end, said[i].b, said[i].len);
        end += said[i].len;
    }
    put("evidence", name, b, (size_t)(end - b));
}

/* Party 1 signs what it changed in a first broadcast of signing, whose payload has 32 bytes. */
static void sign_again(const struct qrt_bytes *said)
{
    uint8_t *sig = said->b + said->len - QRT_SIG_BYTES, *ext = said->b + QRT_HEADER_BYTES;
    struct qrt_signed m = {said->b, ext, (size_t)(sig - 32 - ext), sig - 32, 32};

    qrt_envelope_sign(fuzz_ctx(), sig, &m, fuzz_committee(2, 2)->identity[0]);
}

static void broadcast(struct qrt_bytes *out, const struct session *s, uint8_t round)
{
    if (qrt_peer_broadcast(s->seats[0].memory, out, round, 1) != QRT_OK)
        exit(1);
}

/* Party 1's open message of the first round. */
static void open_message(struct qrt_bytes *out, struct session *s)
{
    const struct qrt_msg *msg;

    if (session_start(s) != QRT_OK)
        exit(1);
    do
        msg = seat_next(&s->seats[0]);
    while (msg && msg->kind != QRT_KIND_PRIVATE);
    if (!msg || msg->len > out->cap)
        exit(1);
    memcpy(out->b, msg->b, msg->len);
    out->len = msg->len;
}

/* Proven, private, and honest messages of which nothing follows. */
static void cheats(void)
{
    uint8_t memory[2][3000];
    struct qrt_bytes said[2] = {{memory[0], 3000, 0}, {memory[1], 3000, 0}};
    struct session s;

    session_init(&s, fuzz_committee(2, 2), QRT_SIGN, true);
    open_message(&said[1], &s);
    broadcast(&said[0], &s, 1);
    accuse("private_extension", QRT_E_SG_EXTENSION, said, 2);
    if (!session_play(&s))
        exit(1);
    broadcast(&said[0], &s, 1);
    broadcast(&said[1], &s, 2);
    accuse("honest_commitment", QRT_E_SG_COMMITMENT, said, 2);
    accuse("honest_ephemeral", QRT_E_WEAK_EPHEMERAL, said, 1);
    accuse("honest_broadcast", QRT_E_MALFORMED_BROADCAST, &said[1], 1);
    accuse("honest_twice", QRT_E_EQUIVOCATION, said, 2);
    said[0].b[said[0].len - QRT_SIG_BYTES - 1] ^= 1;
    sign_again(&said[0]);
    accuse("commitment", QRT_E_SG_COMMITMENT, said, 2);
    memset(said[0].b + QRT_HEADER_BYTES, 0, 32);
    sign_again(&said[0]);
    accuse("weak_ephemeral", QRT_E_WEAK_EPHEMERAL, said, 1);
    session_free(&s);
}

static void signatures(void)
{
    struct session s;
    struct qrt_sig sig;
    uint8_t b[QRT_DER_MAX];
    size_t len;

    session_init(&s, fuzz_committee(2, 2), QRT_SIGN, false);
    if (!session_play(&s) || qrt_sign_result(seat_run(&s.seats[0]), &sig, NULL, NULL) != QRT_OK)
        exit(1);
    qrt_sig_compact(b, &sig);
    b[64] = sig.recid;
    put("signature", "compact", b, 64);
    put("signature", "recoverable", b, 65);
    qrt_sig_der(b, &len, fuzz_ctx(), &sig);
    put("signature", "der", b, len);
    session_free(&s);
}

static void paths(void)
{
    put_text("path", "empty", "");
    put_text("path", "root", "m");
    put_text("path", "ethereum", "m/44/60/0/0/7");
    put_text("path", "hardened", "m/44'/60h");
    put_text("path", "largest", "2147483647/2147483648");
    put_text("path", "long", "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17");
}

static void aborts(void)
{
    put("abort", "burn", "\201\40\2\0\1\1", 6);
    put("abort", "nobody", "\0\1\1\0\0\0", 6);
    put("abort", "bad_class", "\7\1\1\0\0\0", 6);
}

static void raw_messages(void)
{
    struct session s;
    const struct qrt_msg *msg;
    uint8_t b[512];

    session_init(&s, fuzz_committee(2, 2), QRT_SIGN, true);
    if (session_start(&s) != QRT_OK)
        exit(1);
    msg = seat_next(&s.seats[1]);
    if (!msg || msg->len >= sizeof b)
        exit(1);
    b[0] = 1 | 4 | 8;
    memcpy(b + 1, msg->b, msg->len);
    put("recv", "signed_broadcast", b, 1 + msg->len);
    b[0] = 1 | 8;
    put("recv", "broadcast_of_a_run", b, 1 + QRT_HEADER_BYTES + 32);
    session_free(&s);
}

/* The first message of a kind that party 2 sends in a bare run, to the machine |shape| says. */
static void bare_message(const char *name, enum qrt_protocol protocol, uint8_t shape, uint8_t kind)
{
    struct session s;
    const struct qrt_msg *msg;
    uint8_t b[4096] = {shape};

    session_init(&s, fuzz_committee(2, 2), protocol, false);
    if (session_start(&s) != QRT_OK)
        exit(1);
    do
        msg = seat_next(&s.seats[1]);
    while (msg && msg->kind != kind);
    if (!msg || msg->len >= sizeof b)
        exit(1);
    memcpy(b + 1, msg->b, msg->len);
    put("recv", name, b, 1 + msg->len);
    session_free(&s);
}

static void bare_messages(void)
{
    bare_message("keygen_broadcast", QRT_KEYGEN, 0 | 8, QRT_KIND_BROADCAST);
    bare_message("sign_private", QRT_SIGN, 1 | 8, QRT_KIND_PRIVATE);
    bare_message("presign_broadcast", QRT_PRESIGN, 2 | 8, QRT_KIND_BROADCAST);
    bare_message("in_an_envelope", QRT_KEYGEN, 0 | 4 | 8, QRT_KIND_BROADCAST);
    bare_message("from_itself", QRT_SIGN, 1 | 8 | 16, QRT_KIND_BROADCAST);
    bare_message("of_another_session", QRT_SIGN, 1, QRT_KIND_BROADCAST);
}

/* For the machine that goes on from a pending share: operations of fuzz_resume.c. */
static void resumptions(void)
{
    uint8_t b[1 + QRT_CONFIRMATION_BYTES] = {1 | 2};

    if (qrt_share_confirmation(&fuzz_committee(3, 3)->shares[0], fuzz_ctx(), 2, b + 1) != QRT_OK)
        exit(1);
    put("resume", "foreign_confirmation", b, sizeof b);
    b[0] = 1;
    put("resume", "foreign_session", b, sizeof b);
    put("resume", "nothing", "\0", 1);
    put("resume", "repeats", "\0\0\0\0\0\0\16\0\0\0\16\0\0\0\15\0\0\3\0\0\0", 21);
    put("resume", "altered", "\0\1\16\0\120\11\17\0\220\1\20\0\4", 13);
    put("resume", "cut", "\0\2\16\0\120\2\17\200\1\2\20\0\0", 13);
    put("resume", "after_the_end", "\0\0\16\0\0\0\17\0\0\0\20\0\0\3\0\0\0\1\16\0\1", 21);
}

/* Operations of machine.c, four bytes each. */
static void plays(void)
{
    static const char *const machines[] = {"keygen", "sign", "presign", "online"};
    static const char in_order[] = "\0";
    static const char backwards[] = "\1\0\5\0\0\0\4\0\0\0\3\0\0\0\2\0\0\0\1\0\0";
    static const char repeats[] = "\0\0\0\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\0\0\0";
    static const char altered[] = "\1\4\0\0\144\14\1\0\31\24\2\3\7\54\3\1\1";
    static const char altered_bare[] = "\0\0\0\0\0\0\1\0\0\14\2\0\2";
    static const char cut[] = "\1\6\0\0\10\6\1\200\3\6\2\1\1\7\0\0\0\7\1\0\1";
    static const char lost[] = "\1\3\1\0\0\0\0\0\0";
    static const char three[] = "\3\0\3\0\0\0\7\0\0\0\1\0\0\4\2\0\11\0\5\0\0";

    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        put(machines[i], "in_order", in_order, 1);
        put(machines[i], "backwards", backwards, sizeof backwards - 1);
        put(machines[i], "repeats", repeats, sizeof repeats - 1);
        put(machines[i], "altered", altered, sizeof altered - 1);
        put(machines[i], "altered_bare", altered_bare, sizeof altered_bare - 1);
        put(machines[i], "cut", cut, sizeof cut - 1);
        put(machines[i], "lost", lost, sizeof lost - 1);
        put(machines[i], "three", three, sizeof three - 1);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: make_corpus FOLDER\n");
        return 2;
    }
    root = argv[1];
    headers();
    shares();
    certificates();
    key_certificates();
    presignatures();
    intents();
    burns();
    evidence();
    cheats();
    signatures();
    paths();
    aborts();
    raw_messages();
    bare_messages();
    resumptions();
    plays();
    return 0;
}
