/* SPDX-License-Identifier: Apache-2.0 */
/* Make the seeds of tests/fuzz/corpus, one of each valid thing and a few plays for the machines.
 *
 * usage: make_corpus FOLDER      The same files every time; see docs/testing.md. */
#include "fuzz.h"

#include "wire/abort.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *root;

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
    const struct qrt_share *share = &c->shares[0];

    put("share", "whole", c->records[0], c->record_len);
    put("share", "head", c->records[0], 300);
    /* Changes of a valid record: flags, threshold, own index, a point, a seed, the certificate. */
    put("share", "changed_flags", "x\0\0\7\4\0\0", 7);
    put("share", "changed_counts", "x\0\0\125\1\1\0\0\0\130\1\1\0", 13);
    put("share", "changed_point", "x\0\1\50\1\0\0", 7);
    put("share", "changed_seed", "x\0\40\0\1\0\0\0\100\1\377\7\0", 13);
    put("certificate", "whole", share->certificate, share->certificate_len);
    put("certificate", "one_missing", share->certificate, share->certificate_len - 98);
}

static void presignatures(void)
{
    struct session presign, online;

    session_init(&presign, fuzz_committee(2, 2), QRT_PRESIGN, false);
    session_init(&online, fuzz_committee(2, 2), QRT_ONLINE, false);
    if (!session_play(&presign))
        exit(1);
    session_take_presigs(&online, &presign);
    put("presig", "whole", online.presigs[0], QRT_PRESIG_BYTES(2));
    put("presig", "short", online.presigs[0], QRT_PRESIG_BYTES(2) - 1);
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
    session_free(&s);
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
    presignatures();
    intents();
    burns();
    evidence();
    signatures();
    paths();
    aborts();
    raw_messages();
    plays();
    return 0;
}
