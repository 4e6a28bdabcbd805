/* SPDX-License-Identifier: Apache-2.0 */
/* What a front says to its keeper: a stream of frames. The first byte says how the stream is cut
 * and whether this front has an initiator's signature for whatever intent it shows; the rest is the
 * stream. However it is cut, the same frames come out of it; a refusal has a code and a sentence.
 */
#include "fuzz.h"

#include "participant/frames.h"
#include "participant/intake.h"
#include "participant/permit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SIGNED = 0x80 };

/* A second before the deadline of the intents in the corpus. */
static const int64_t now_ms = 1699999999000;

static uint8_t initiator_key[32], initiator_secret[64];

static struct permit_rules rules_of_the_party(void)
{
    static const uint8_t seed[32] = {1};

    crypto_sign_seed_keypair(initiator_key, initiator_secret, seed);
    return (struct permit_rules){
        .ctx = fuzz_ctx(), .party_id = "party-1", .initiators = initiator_key, .initiators_n = 1};
}

static void refuse_in_words(const struct refusal *refusal)
{
    fuzz_need(refusal->code && refusal->code[0] && refusal->text[0]);
}

/* As the keeper does, with or without a signature that holds. */
static void invite(const Mpc__Keeper__V1__Open *open, bool is_signed)
{
    struct permit_rules rules = rules_of_the_party();
    struct permit *permit = calloc(1, sizeof *permit);
    struct refusal refusal = {0};
    Mpc__Session__V1__Setup setup;
    uint8_t signature[64];

    fuzz_need(permit);
    if (open->setup) {
        setup = *open->setup;
        if (is_signed) {
            qrt_intent_sign(signature, rules.ctx, setup.intent.data, setup.intent.len,
                            initiator_secret);
            setup.intent_signature = (ProtobufCBinaryData){sizeof signature, signature};
            setup.initiator_key = (ProtobufCBinaryData){32, initiator_key};
        }
        if (!permit_intent(permit, &rules, &setup, now_ms, &refusal))
            refuse_in_words(&refusal);
        else if (!permit_boot(permit, &rules, &refusal) || !permit_keygen(permit, &rules, &refusal))
            refuse_in_words(&refusal);
        fuzz_need(is_signed || refusal.code);
    }
    free(permit);
}

static void keep(const Mpc__Keeper__V1__Deliver *deliver)
{
    struct intake_message *m = intake_message_new(deliver->attempt, deliver->from,
                                                  deliver->payload.data, deliver->payload.len);

    fuzz_need(m->len == deliver->payload.len && strlen(m->from) < sizeof m->from);
    free(m);
}

static void act(const Mpc__Keeper__V1__ToKeeper *frame, bool is_signed)
{
    if (frame->request_case == MPC__KEEPER__V1__TO_KEEPER__REQUEST_OPEN)
        invite(frame->open, is_signed);
    if (frame->request_case == MPC__KEEPER__V1__TO_KEEPER__REQUEST_DELIVER)
        keep(frame->deliver);
}

/* The frame at |at| of the stream as the format's text says it; NULL: none, or it is broken. */
static Mpc__Keeper__V1__ToKeeper *expected(const uint8_t *b, size_t len, size_t *at, bool *broken)
{
    Mpc__Keeper__V1__ToKeeper *frame;
    size_t n = 0;

    if (len - *at < 4)
        return NULL;
    for (size_t i = 0; i < 4; i++)
        n = n << 8 | b[*at + i];
    *broken = n > FRAME_MAX;
    if (*broken || len - *at - 4 < n)
        return NULL;
    frame = mpc__keeper__v1__to_keeper__unpack(NULL, n, b + *at + 4);
    *at += 4 + n;
    *broken = !frame;
    return frame;
}

static void must_be_same(const Mpc__Keeper__V1__ToKeeper *a, const Mpc__Keeper__V1__ToKeeper *b)
{
    size_t len = mpc__keeper__v1__to_keeper__get_packed_size(a);
    uint8_t *first = malloc(len + 1), *second = malloc(len + 1);

    fuzz_need(first && second && mpc__keeper__v1__to_keeper__get_packed_size(b) == len);
    mpc__keeper__v1__to_keeper__pack(a, first);
    mpc__keeper__v1__to_keeper__pack(b, second);
    fuzz_need(memcmp(first, second, len) == 0);
    free(first);
    free(second);
}

/* What is expected of the stream, as far as it was read. */
struct reader {
    struct frames *frames;
    const uint8_t *b;
    size_t at;
    bool is_signed;
};

/* All frames that are complete once |len| bytes have come. False: the end of the conversation. */
static bool take(struct reader *r, size_t len)
{
    for (;;) {
        bool broken = false, found_broken;
        Mpc__Keeper__V1__ToKeeper *want = expected(r->b, len, &r->at, &broken);
        Mpc__Keeper__V1__ToKeeper *got = frames_next(r->frames, &found_broken);

        fuzz_need(broken == found_broken && !want == !got);
        if (!got)
            return !broken;
        must_be_same(want, got);
        act(got, r->is_signed);
        mpc__keeper__v1__to_keeper__free_unpacked(want, NULL);
        mpc__keeper__v1__to_keeper__free_unpacked(got, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = {.b = data + 1};
    size_t piece, sent = 0;
    bool goes_on = true;
    int pair[2];

    if (size < 2)
        return 0;
    r.is_signed = data[0] & SIGNED;
    piece = (size_t)(data[0] & ~SIGNED) * 7 + 1;
    fuzz_need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    r.frames = frames_new(pair[0]);
    while (goes_on && sent < size - 1) {
        size_t n = size - 1 - sent < piece ? size - 1 - sent : piece;

        fuzz_need(send(pair[1], r.b + sent, n, MSG_NOSIGNAL) == (ssize_t)n);
        sent += n;
        fuzz_need(frames_fill(r.frames));
        goes_on = take(&r, sent);
    }
    close(pair[1]);
    fuzz_need(!goes_on || !frames_fill(r.frames));
    frames_free(r.frames);
    close(pair[0]);
    return 0;
}
