/* SPDX-License-Identifier: Apache-2.0 */
/* How many bytes travel, and how much memory does a run take? Counted, not computed: what the seats
 * handed out. */
#include "bench.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define STACK (1u << 20)
#define PAINT 0xa5

static size_t sent(struct committee *c, enum qrt_protocol protocol, bool envelope)
{
    struct session s;
    size_t bytes;

    session_init(&s, c, protocol, envelope);
    if (!session_play(&s))
        abort();
    bytes = s.seats[0].sent;
    session_free(&s);
    return bytes;
}

static size_t sent_online(struct committee *c, bool envelope)
{
    struct session presign, online;
    size_t bytes;

    session_init(&presign, c, QRT_PRESIGN, false);
    session_init(&online, c, QRT_ONLINE, envelope);
    if (!session_play(&presign))
        abort();
    session_take_presigs(&online, &presign);
    if (!session_play(&online))
        abort();
    bytes = online.seats[0].sent;
    session_free(&online);
    session_free(&presign);
    return bytes;
}

/* protocol.md K.1 and K.2. */
static void messages(struct report *r, struct committee *c, const char *what)
{
    size_t n = c->n, t = c->t;
    char name[64];
    const struct {
        const char *name;
        size_t value, must;
    } rows[] = {
        {"keygen, payload", sent(c, QRT_KEYGEN, false), 225 + 33 * t + 12737 * (n - 1)},
        {"keygen, with envelope", sent(c, QRT_KEYGEN, true), 689 + 33 * t + 12929 * (n - 1)},
        {"signature, payload", sent(c, QRT_SIGN, false), 194 + 51986 * (t - 1)},
        {"signature, with envelope", sent(c, QRT_SIGN, true), 658 + 52194 * (t - 1)},
        {"presignature, payload", sent(c, QRT_PRESIGN, false), 130 + 51986 * (t - 1)},
        {"presignature, with envelope", sent(c, QRT_PRESIGN, true), 450 + 52194 * (t - 1)},
        {"online, payload", sent_online(c, false), 64},
        {"online, with envelope", sent_online(c, true), 208},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(name, sizeof name, "%s %s", what, rows[i].name);
        report_count(r, name, rows[i].value, rows[i].must, false);
    }
}

static void *play_thread(void *arg)
{
    return session_play(arg) ? arg : NULL;
}

/* Play |s| on a painted stack and see how far the paint is gone. */
static size_t stack_used(struct session *s)
{
    pthread_attr_t attr;
    pthread_t thread;
    uint8_t *stack = aligned_alloc(4096, STACK);
    size_t untouched = 0;
    void *done;

    memset(stack, PAINT, STACK);
    pthread_attr_init(&attr);
    pthread_attr_setstack(&attr, stack, STACK);
    if (pthread_create(&thread, &attr, play_thread, s) != 0 || pthread_join(thread, &done) != 0 ||
        !done)
        abort();
    while (untouched < STACK && stack[untouched] == PAINT)
        untouched++;
    pthread_attr_destroy(&attr);
    free(stack);
    return STACK - untouched;
}

static void memory(struct report *r, struct committee *c)
{
    struct session run, peer;

    session_init(&run, c, QRT_SIGN, false);
    session_init(&peer, c, QRT_SIGN, true);
    report_count(r, "memory of a 2-of-3 signing run", run.memory_len, 256 * 1024, true);
    report_value(r, "memory of a 2-of-3 signing peer", (double)peer.memory_len, "B");
    report_value(r, "stack of a 2-of-3 signing run", (double)stack_used(&run), "B");
    report_value(r, "memory of a context", (double)qrt_ctx_size(), "B");
    report_value(r, "memory of a 2-of-3 keygen run", (double)qrt_run_size(QRT_KEYGEN, 3, 2), "B");
    report_value(r, "memory of a 33-of-64 keygen run", (double)qrt_run_size(QRT_KEYGEN, 64, 33),
                 "B");
    report_value(r, "share record of 2-of-3", (double)c->record_len, "B");
    session_free(&peer);
    session_free(&run);
}

void bench_bytes(struct bench *b)
{
    struct committee three, five;

    committee_init(&three, b->ctx, 3, 2, 7);
    committee_init(&five, b->ctx, 5, 3, 8);
    committee_make_key(&three);
    committee_make_key(&five);
    report_section(&b->report, "bytes that one party sends, and memory");
    messages(&b->report, &three, "2-of-3");
    messages(&b->report, &five, "3-of-5");
    memory(&b->report, &three);
    committee_free(&five);
    committee_free(&three);
}
