/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's side of front_world.h: frames in, frames out, and proofs at once when asked. */
#include "front_world.h"

#include <stdlib.h>
#include <string.h>

static void take_frames(struct world *w)
{
    while (w->in.len >= 4) {
        size_t len = (size_t)w->in.b[0] << 24 | (size_t)w->in.b[1] << 16 | (size_t)w->in.b[2] << 8 |
                     w->in.b[3];

        if (w->in.len < 4 + len)
            return;
        assert_true(w->frames_n < FRAMES_MAX);
        w->frames[w->frames_n] = mpc__keeper__v1__to_keeper__unpack(NULL, len, w->in.b + 4);
        assert_non_null(w->frames[w->frames_n++]);
        buffer_drop(&w->in, 4 + len);
    }
}

static void prove(struct world *w, const Mpc__Keeper__V1__ProveRegistration *asked)
{
    Mpc__Keeper__V1__FromKeeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;
    Mpc__Keeper__V1__RegistrationProof proof = MPC__KEEPER__V1__REGISTRATION_PROOF__INIT;
    uint8_t b[64] = {7};

    proof.time_ms = asked->time_ms;
    proof.nonce = asked->nonce;
    proof.proof = (ProtobufCBinaryData){sizeof b, b};
    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_PROOF;
    frame.proof = &proof;
    keeper_say(w, &frame);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct world *w = handle->data;

    (void)suggested;
    *out = uv_buf_init(w->read, sizeof w->read);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct world *w = stream->data;
    size_t before = w->frames_n;

    if (n < 0) {
        w->keeper_is_shut = true;
        uv_close((uv_handle_t *)stream, NULL);
        return;
    }
    buffer_add(&w->in, b->base, (size_t)n);
    take_frames(w);
    for (; before < w->frames_n; before++)
        if (w->frames[before]->request_case == MPC__KEEPER__V1__TO_KEEPER__REQUEST_PROVE)
            prove(w, w->frames[before]->prove);
}

void world_listen(struct world *w)
{
    uv_read_start((uv_stream_t *)&w->keeper, on_alloc, on_read);
}

static void on_written(uv_write_t *request, int status)
{
    (void)status;
    free(request->data);
    free(request);
}

void keeper_say(struct world *w, const Mpc__Keeper__V1__FromKeeper *frame)
{
    size_t len = mpc__keeper__v1__from_keeper__get_packed_size(frame);
    uv_write_t *request = calloc(1, sizeof *request);
    uint8_t *b = malloc(4 + len);
    uv_buf_t buf = uv_buf_init((char *)b, (unsigned)(4 + len));

    for (int i = 0; i < 4; i++)
        b[i] = (uint8_t)(len >> (24 - 8 * i));
    mpc__keeper__v1__from_keeper__pack(frame, b + 4);
    request->data = b;
    uv_write(request, (uv_stream_t *)&w->keeper, &buf, 1, on_written);
}

void keeper_ready(struct world *w, const char *role)
{
    Mpc__Keeper__V1__FromKeeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;
    Mpc__Keeper__V1__Ready ready = MPC__KEEPER__V1__READY__INIT;
    Mpc__Session__V1__PartyCertificate certificate = MPC__SESSION__V1__PARTY_CERTIFICATE__INIT;
    uint8_t boot[16] = {1};

    ready.party_id = PARTY;
    ready.role = (char *)role;
    ready.certificate = &certificate;
    ready.boot_id = (ProtobufCBinaryData){sizeof boot, boot};
    ready.capacity = 4;
    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_READY;
    frame.ready = &ready;
    keeper_say(w, &frame);
}

void keeper_send(struct world *w, const char *session_id, uint32_t attempt, const char *payload)
{
    Mpc__Keeper__V1__FromKeeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;
    Mpc__Keeper__V1__Send send = MPC__KEEPER__V1__SEND__INIT;
    Mpc__Keeper__V1__Outgoing out = MPC__KEEPER__V1__OUTGOING__INIT, *outs[] = {&out};
    char peer[] = "server-party-2", *to[] = {peer};

    out.n_to = 1;
    out.to = to;
    out.payload = (ProtobufCBinaryData){strlen(payload), (uint8_t *)payload};
    send.session_id = (char *)session_id;
    send.attempt = attempt;
    send.n_messages = 1;
    send.messages = outs;
    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_SEND;
    frame.send = &send;
    keeper_say(w, &frame);
}

void keeper_signed(struct world *w, const char *session_id, uint32_t attempt)
{
    Mpc__Keeper__V1__FromKeeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;
    Mpc__Keeper__V1__Outcome outcome = MPC__KEEPER__V1__OUTCOME__INIT;
    Mpc__Coordinator__V1__SignOutcome sign = MPC__COORDINATOR__V1__SIGN_OUTCOME__INIT;
    uint8_t b[65] = {[31] = 9, [63] = 7};

    sign.signature = (ProtobufCBinaryData){sizeof b, b};
    outcome.session_id = (char *)session_id;
    outcome.attempt = attempt;
    outcome.outcome_case = MPC__KEEPER__V1__OUTCOME__OUTCOME_SIGNATURE;
    outcome.signature = &sign;
    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_OUTCOME;
    frame.outcome = &outcome;
    keeper_say(w, &frame);
}

const Mpc__Keeper__V1__ToKeeper *
keeper_frame(const struct world *w, Mpc__Keeper__V1__ToKeeper__RequestCase which, size_t number)
{
    for (size_t i = 0; i < w->frames_n; i++)
        if (w->frames[i]->request_case == which && number-- == 0)
            return w->frames[i];
    return NULL;
}

size_t keeper_got(const struct world *w, Mpc__Keeper__V1__ToKeeper__RequestCase which)
{
    size_t n = 0;

    for (size_t i = 0; i < w->frames_n; i++)
        n += w->frames[i]->request_case == which;
    return n;
}

void keeper_made_key(struct world *w, const char *session_id)
{
    Mpc__Keeper__V1__FromKeeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;
    Mpc__Keeper__V1__Outcome outcome = MPC__KEEPER__V1__OUTCOME__INIT;
    Mpc__Coordinator__V1__KeyOutcome key = MPC__COORDINATOR__V1__KEY_OUTCOME__INIT;

    outcome.session_id = (char *)session_id;
    outcome.outcome_case = MPC__KEEPER__V1__OUTCOME__OUTCOME_KEY;
    outcome.key = &key;
    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_OUTCOME;
    frame.outcome = &outcome;
    keeper_say(w, &frame);
}

void keeper_share(struct world *w, const char *session_id, const char *sealed)
{
    Mpc__Keeper__V1__FromKeeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;
    Mpc__Keeper__V1__SealedShare share = MPC__KEEPER__V1__SEALED_SHARE__INIT;
    uint8_t key[33] = {2, 3};

    share.session_id = (char *)session_id;
    share.sealed = (ProtobufCBinaryData){strlen(sealed), (uint8_t *)sealed};
    share.public_key = (ProtobufCBinaryData){sizeof key, key};
    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_SEALED_SHARE;
    frame.sealed_share = &share;
    keeper_say(w, &frame);
}

void keeper_share_key(struct world *w)
{
    Mpc__Keeper__V1__FromKeeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;
    Mpc__Keeper__V1__ShareKey answer = MPC__KEEPER__V1__SHARE_KEY__INIT;
    uint8_t key[32] = {0xab};

    answer.public_key = (ProtobufCBinaryData){sizeof key, key};
    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_SHARE_KEY;
    frame.share_key = &answer;
    keeper_say(w, &frame);
}

void keeper_answer(struct world *w, const char *session_id, const char *code)
{
    Mpc__Keeper__V1__FromKeeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;
    Mpc__Keeper__V1__ShareAnswer answer = MPC__KEEPER__V1__SHARE_ANSWER__INIT;

    answer.session_id = (char *)session_id;
    answer.code = (char *)code;
    answer.text = "as the keeper says";
    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_SHARE_ANSWER;
    frame.share_answer = &answer;
    keeper_say(w, &frame);
}
