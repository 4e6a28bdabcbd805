/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's end of the socket, with a front that a test plays: frames come out as they went in,
 * whatever the cuts; what is no frame ends the conversation; frames of several threads stay whole.
 */
#include "participant/frames.h"

#include "system/core/buffer.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

typedef Mpc__Keeper__V1__ToKeeper to_keeper;
typedef Mpc__Keeper__V1__FromKeeper from_keeper;

struct world {
    struct frames *frames;
    int keeper, front;
};

static int begin(void **state)
{
    static struct world world;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return -1;
    world = (struct world){frames_new(pair[0]), pair[0], pair[1]};
    *state = &world;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;

    frames_free(w->frames);
    close(w->keeper);
    if (w->front >= 0)
        close(w->front);
    return 0;
}

static void say(const struct world *w, const void *b, size_t len)
{
    assert_int_equal(send(w->front, b, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void hang_up(struct world *w)
{
    close(w->front);
    w->front = -1;
}

static void add_be32(struct buffer *out, uint32_t v)
{
    const uint8_t b[] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

    buffer_add(out, b, sizeof b);
}

/* A message for a session named |number|, with |len| bytes of payload. */
static void add_deliver(struct buffer *out, uint32_t number, size_t len)
{
    to_keeper frame = MPC__KEEPER__V1__TO_KEEPER__INIT;
    Mpc__Keeper__V1__Deliver deliver = MPC__KEEPER__V1__DELIVER__INIT;
    uint8_t *b, *payload = calloc(1, len + 1);
    size_t packed;

    memset(payload, (int)number, len);
    deliver.attempt = number;
    deliver.from = "party-2";
    deliver.payload = (ProtobufCBinaryData){len, payload};
    frame.request_case = MPC__KEEPER__V1__TO_KEEPER__REQUEST_DELIVER;
    frame.deliver = &deliver;
    packed = mpc__keeper__v1__to_keeper__get_packed_size(&frame);
    b = malloc(packed);
    mpc__keeper__v1__to_keeper__pack(&frame, b);
    add_be32(out, (uint32_t)packed);
    buffer_add(out, b, packed);
    free(b);
    free(payload);
}

static to_keeper *next(const struct world *w)
{
    bool broken;
    to_keeper *frame = frames_next(w->frames, &broken);

    assert_false(broken);
    return frame;
}

static void expect_none(const struct world *w)
{
    assert_null(next(w));
}

static void expect_deliver(const struct world *w, uint32_t number, size_t len)
{
    to_keeper *frame = next(w);

    assert_non_null(frame);
    assert_int_equal(frame->request_case, MPC__KEEPER__V1__TO_KEEPER__REQUEST_DELIVER);
    assert_int_equal(frame->deliver->attempt, number);
    assert_int_equal(frame->deliver->payload.len, len);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(frame->deliver->payload.data[i], (uint8_t)number);
    mpc__keeper__v1__to_keeper__free_unpacked(frame, NULL);
}

static void expect_broken(const struct world *w)
{
    bool broken;

    assert_true(frames_fill(w->frames));
    assert_null(frames_next(w->frames, &broken));
    assert_true(broken);
}

static void test_frames_come_whole_byte_by_byte(void **state)
{
    struct world *w = *state;
    struct buffer stream = {0};
    size_t first;

    add_deliver(&stream, 1, 40);
    first = stream.len;
    add_deliver(&stream, 2, 0);
    assert_true(frames_fill(w->frames)); /* nothing there: no fault */
    for (size_t i = 0; i < stream.len; i++) {
        expect_none(w);
        say(w, stream.b + i, 1);
        assert_true(frames_fill(w->frames));
        if (i + 1 == first)
            expect_deliver(w, 1, 40);
    }
    expect_deliver(w, 2, 0);
    expect_none(w);
    buffer_free(&stream);
}

static void test_many_frames_of_one_read_keep_their_order(void **state)
{
    struct world *w = *state;
    struct buffer stream = {0};

    for (uint32_t i = 0; i < 100; i++)
        add_deliver(&stream, i, i);
    say(w, stream.b, stream.len - 1);
    assert_true(frames_fill(w->frames));
    for (uint32_t i = 0; i < 99; i++)
        expect_deliver(w, i, i);
    expect_none(w);
    say(w, stream.b + stream.len - 1, 1);
    assert_true(frames_fill(w->frames));
    expect_deliver(w, 99, 99);
    expect_none(w);
    buffer_free(&stream);
}

static void *send_stream(void *arg)
{
    struct world *w = ((void **)arg)[0];
    const struct buffer *stream = ((void **)arg)[1];
    size_t at = 0;

    while (at < stream->len) {
        ssize_t n = send(w->front, stream->b + at, stream->len - at, MSG_NOSIGNAL);

        if (n <= 0)
            break;
        at += (size_t)n;
    }
    return NULL;
}

/* More than one read and than a socket holds. */
static void test_a_large_frame_comes_in_pieces(void **state)
{
    enum { LARGE = 5 << 20 };
    struct world *w = *state;
    struct buffer stream = {0};
    void *args[] = {w, &stream};
    to_keeper *frame = NULL;
    pthread_t thread;

    add_deliver(&stream, 7, LARGE);
    assert_int_equal(pthread_create(&thread, NULL, send_stream, args), 0);
    while (!frame) {
        assert_true(frames_fill(w->frames));
        frame = next(w);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(frame->deliver->payload.len, LARGE);
    assert_int_equal(frame->deliver->payload.data[LARGE - 1], 7);
    mpc__keeper__v1__to_keeper__free_unpacked(frame, NULL);
    buffer_free(&stream);
}

static void test_a_frame_that_is_too_long_ends_the_conversation(void **state)
{
    struct world *w = *state;
    struct buffer head = {0};

    add_be32(&head, FRAME_MAX + 1);
    say(w, head.b, head.len);
    expect_broken(w);
    buffer_free(&head);
}

static void test_the_longest_frame_is_waited_for(void **state)
{
    struct world *w = *state;
    struct buffer head = {0};

    add_be32(&head, FRAME_MAX);
    say(w, head.b, head.len);
    assert_true(frames_fill(w->frames));
    expect_none(w);
    buffer_free(&head);
}

static void test_what_is_no_message_ends_the_conversation(void **state)
{
    static const uint8_t noise[] = {0, 0, 0, 3, 0xff, 0xff, 0xff};
    struct world *w = *state;

    say(w, noise, sizeof noise);
    expect_broken(w);
}

/* Of a table of requests that this keeper does not know: read, and refused where it is acted on. */
static void test_a_request_of_no_kind_is_a_frame(void **state)
{
    static const uint8_t empty[] = {0, 0, 0, 0}, unknown[] = {0, 0, 0, 3, 0xfa, 0x01, 0x00};
    struct world *w = *state;

    say(w, empty, sizeof empty);
    say(w, unknown, sizeof unknown);
    assert_true(frames_fill(w->frames));
    for (size_t i = 0; i < 2; i++) {
        to_keeper *frame = next(w);

        assert_non_null(frame);
        assert_int_equal(frame->request_case, MPC__KEEPER__V1__TO_KEEPER__REQUEST__NOT_SET);
        mpc__keeper__v1__to_keeper__free_unpacked(frame, NULL);
    }
}

static void test_the_end_of_the_front_shows_after_its_last_frame(void **state)
{
    struct world *w = *state;
    struct buffer stream = {0};

    add_deliver(&stream, 3, 3);
    say(w, stream.b, stream.len);
    hang_up(w);
    assert_true(frames_fill(w->frames));
    expect_deliver(w, 3, 3);
    assert_false(frames_fill(w->frames));
    expect_none(w);
    buffer_free(&stream);
}

/* Writing */

/* Longer than what the system takes of a writer at a time. */
enum { WRITERS = 4, EACH = 20, LONG = 200000 };

struct writer {
    struct frames *frames;
    uint8_t number;
};

static void write_one(struct frames *frames, uint8_t number, uint64_t count)
{
    from_keeper frame = MPC__KEEPER__V1__FROM_KEEPER__INIT;
    Mpc__Keeper__V1__SealedShare share = MPC__KEEPER__V1__SEALED_SHARE__INIT;
    static __thread uint8_t b[LONG];
    char id[32];

    memset(b, number, sizeof b);
    snprintf(id, sizeof id, "%u %llu", number, (unsigned long long)count);
    share.session_id = id;
    share.sealed = (ProtobufCBinaryData){sizeof b, b};
    frame.reply_case = MPC__KEEPER__V1__FROM_KEEPER__REPLY_SEALED_SHARE;
    frame.sealed_share = &share;
    frames_write(frames, &frame);
}

static void *write_all(void *arg)
{
    const struct writer *writer = arg;

    for (uint64_t i = 0; i < EACH; i++)
        write_one(writer->frames, writer->number, i);
    return NULL;
}

static void read_bytes(const struct world *w, uint8_t *b, size_t len)
{
    assert_int_equal(recv(w->front, b, len, MSG_WAITALL), (ssize_t)len);
}

/* The writer's number and how many it had written before. */
static unsigned read_frame(const struct world *w, unsigned *count)
{
    static uint8_t b[LONG + 64];
    uint8_t head[4];
    from_keeper *frame;
    unsigned number;
    uint32_t len;

    read_bytes(w, head, sizeof head);
    len = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
    assert_true(len <= sizeof b);
    read_bytes(w, b, len);
    frame = mpc__keeper__v1__from_keeper__unpack(NULL, len, b);
    assert_non_null(frame);
    assert_int_equal(frame->reply_case, MPC__KEEPER__V1__FROM_KEEPER__REPLY_SEALED_SHARE);
    assert_int_equal(sscanf(frame->sealed_share->session_id, "%u %u", &number, count), 2);
    assert_int_equal(frame->sealed_share->sealed.len, LONG);
    for (size_t i = 0; i < LONG; i++) {
        if (frame->sealed_share->sealed.data[i] != number)
            fail_msg("byte %zu is another writer's", i);
    }
    mpc__keeper__v1__from_keeper__free_unpacked(frame, NULL);
    return number;
}

/* The socket holds a fraction of it: writers wait for the front, and for each other. */
static void test_frames_of_several_threads_stay_whole(void **state)
{
    struct world *w = *state;
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    unsigned seen[WRITERS] = {0};

    for (uint8_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){w->frames, i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_all, &writers[i]), 0);
    }
    for (size_t i = 0; i < WRITERS * EACH; i++) {
        unsigned count, number = read_frame(w, &count);

        assert_true(number < WRITERS);
        assert_int_equal(count, seen[number]++);
    }
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* No signal, no wait. */
static void test_writing_to_a_front_that_is_gone_does_nothing(void **state)
{
    struct world *w = *state;

    hang_up(w);
    write_one(w->frames, 1, 1);
    write_one(w->frames, 1, 2);
    assert_false(frames_fill(w->frames));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_frames_come_whole_byte_by_byte, begin, end),
        cmocka_unit_test_setup_teardown(test_many_frames_of_one_read_keep_their_order, begin, end),
        cmocka_unit_test_setup_teardown(test_a_large_frame_comes_in_pieces, begin, end),
        cmocka_unit_test_setup_teardown(test_a_frame_that_is_too_long_ends_the_conversation, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_the_longest_frame_is_waited_for, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_no_message_ends_the_conversation, begin, end),
        cmocka_unit_test_setup_teardown(test_a_request_of_no_kind_is_a_frame, begin, end),
        cmocka_unit_test_setup_teardown(test_the_end_of_the_front_shows_after_its_last_frame, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_frames_of_several_threads_stay_whole, begin, end),
        cmocka_unit_test_setup_teardown(test_writing_to_a_front_that_is_gone_does_nothing, begin,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
