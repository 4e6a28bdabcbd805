/* SPDX-License-Identifier: Apache-2.0 */
/* See broker.h. librabbitmq connects, resolves, logs in and writes by blocking calls, so the whole
 * connection lives on a thread of its own: a slow or stopped broker holds up that thread, never the
 * loop. Its non-blocking pieces cover reading alone.
 *
 * Messages go to the thread in |out|, what happens comes back in |news|; both, and the counts, are
 * under |lock|. Each connection has a number: what was meant for another one is dropped, since its
 * publisher hears of the end of that. What was sent stays in |sent|, in the order of its tags,
 * until the broker confirms it.
 *
 * A thread that hangs in a connection to a broker that says nothing is not waited for at the end:
 * the memory belongs to it and to the loop, and goes with the later of the two. */
#include "system/bus/rabbitmq.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 1000, LINGER_MS = 1000, STOP_S = 2, TURN_MESSAGES = 32 };

struct message {
    struct message *next;
    /* "": to all */
    char to[BROKER_ADDRESS_MAX];
    uint64_t connection, tag;
    size_t len;
    uint8_t *b;
};

enum happening { HAPPENED_UP, HAPPENED_DOWN, HAPPENED_GAVE_UP, HAPPENED_FRAME, HAPPENED_REFUSED };

struct news {
    struct news *next;
    enum happening what;
    bool is_gone;
    uint64_t connection, tag;
    uint8_t *b;
    size_t len;
    char text[BROKER_ERROR_MAX];
};

struct rabbitmq {
    struct broker base;
    struct broker_events events;
    struct rabbit_params params;
    struct retry retry;
    uv_async_t async;
    int wake;

    pthread_mutex_t lock;
    pthread_cond_t ended;
    struct message *out, **out_end;
    struct news *news, **news_end;
    /* taken and not confirmed */
    size_t pending_bytes, pending_n;
    /* frames that the loop has done with */
    uint64_t done_connection, done_tag;
    /* the socket while there is one, else -1 */
    int fd;
    bool is_stopping, has_ended;
    /* the thread and the loop */
    atomic_int owners;

    /* the thread's */
    struct rabbit *rabbit;
    uint64_t connection, tags, acknowledged;
    struct message *sent, **sent_end;
    int64_t linger_ms;

    /* the loop's; 0: not connected */
    uint64_t loop_connection;
};

/* --- the thread --- */

static void free_message(struct message *message)
{
    free(message->b);
    free(message);
}

static void free_news(struct news *news)
{
    free(news->b);
    free(news);
}

static void tell(struct rabbitmq *r, enum happening what, struct news from)
{
    struct news *news = mem_new(1, sizeof *news);
    bool is_late;

    *news = from;
    news->what = what;
    news->connection = r->connection;
    news->next = NULL;
    pthread_mutex_lock(&r->lock);
    /* the loop closes its handle after that */
    is_late = r->is_stopping;
    if (!is_late) {
        *r->news_end = news;
        r->news_end = &news->next;
        uv_async_send(&r->async);
    }
    pthread_mutex_unlock(&r->lock);
    if (is_late)
        free_news(news);
}

static void tell_text(struct rabbitmq *r, enum happening what, const char *text, bool is_gone)
{
    struct news news = {.is_gone = is_gone};

    snprintf(news.text, sizeof news.text, "%s", text);
    tell(r, what, news);
}

static bool is_stopping(struct rabbitmq *r)
{
    bool is;

    pthread_mutex_lock(&r->lock);
    is = r->is_stopping;
    pthread_mutex_unlock(&r->lock);
    return is;
}

static void set_fd(struct rabbitmq *r, int fd)
{
    pthread_mutex_lock(&r->lock);
    r->fd = fd;
    pthread_mutex_unlock(&r->lock);
}

/* Until the socket has something, the loop wants something, or the time is over. */
static void wait_for(struct rabbitmq *r, int wait_ms)
{
    struct pollfd fds[2] = {{.fd = r->wake, .events = POLLIN},
                            {.fd = r->rabbit ? rabbit_fd(r->rabbit) : -1, .events = POLLIN}};
    uint64_t count;

    if (poll(fds, 2, wait_ms) > 0 && fds[0].revents && read(r->wake, &count, sizeof count) < 0)
        return;
}

static void release(struct rabbitmq *r, struct message *message)
{
    pthread_mutex_lock(&r->lock);
    r->pending_bytes -= message->len;
    r->pending_n--;
    pthread_mutex_unlock(&r->lock);
    free_message(message);
}

/* The broker's word about one message, or about all up to it. */
static void settle(struct rabbitmq *r, const struct rabbit_event *event)
{
    struct message **at = &r->sent;

    while (*at && (*at)->tag <= event->tag) {
        struct message *message = *at;

        if (!event->multiple && message->tag != event->tag) {
            at = &message->next;
            continue;
        }
        *at = message->next;
        if (!*at)
            r->sent_end = at;
        if (event->news == RABBIT_REFUSED && message->to[0])
            tell_text(r, HAPPENED_REFUSED, message->to, false);
        release(r, message);
    }
}

/* All that has come. False: the connection is over. */
static bool read_all(struct rabbitmq *r, char why[BROKER_ERROR_MAX])
{
    struct rabbit_event event;

    do {
        rabbit_step(r->rabbit, &event, why);
        if (event.news == RABBIT_FRAME)
            tell(r, HAPPENED_FRAME,
                 (struct news){.tag = event.tag, .b = event.b, .len = event.len});
        else if (event.news == RABBIT_RETURNED)
            tell_text(r, HAPPENED_REFUSED, event.to, true);
        else if (event.news == RABBIT_CONFIRMED || event.news == RABBIT_REFUSED)
            settle(r, &event);
    } while (event.more && event.news != RABBIT_DOWN);
    return event.news != RABBIT_DOWN;
}

static struct message *take_out(struct rabbitmq *r)
{
    struct message *message;

    pthread_mutex_lock(&r->lock);
    message = r->out;
    if (message)
        r->out = message->next;
    if (!r->out)
        r->out_end = &r->out;
    pthread_mutex_unlock(&r->lock);
    return message;
}

static bool send_one(struct rabbitmq *r, struct message *message, char why[BROKER_ERROR_MAX])
{
    bool ok;

    if (message->connection != r->connection) {
        release(r, message);
        return true;
    }
    ok = rabbit_publish(r->rabbit, message->to[0] ? message->to : NULL, message->b, message->len,
                        why);
    free(message->b);
    message->b = NULL;
    message->tag = ++r->tags;
    message->next = NULL;
    *r->sent_end = message;
    r->sent_end = &message->next;
    return ok;
}

static bool send_all(struct rabbitmq *r, char why[BROKER_ERROR_MAX])
{
    struct message *message;

    /* what the broker says meanwhile is read now and then, so that neither waits for the other */
    for (size_t n = 1; (message = take_out(r)) != NULL; n++)
        if (!send_one(r, message, why) || (n % TURN_MESSAGES == 0 && !read_all(r, why)))
            return false;
    return true;
}

static bool acknowledge(struct rabbitmq *r, char why[BROKER_ERROR_MAX])
{
    uint64_t done;

    pthread_mutex_lock(&r->lock);
    done = r->done_connection == r->connection ? r->done_tag : 0;
    pthread_mutex_unlock(&r->lock);
    if (done <= r->acknowledged)
        return true;
    r->acknowledged = done;
    return rabbit_acknowledge(r->rabbit, done, why);
}

/* What was taken before the end is sent and confirmed, if that does not take long. */
static bool may_end(struct rabbitmq *r)
{
    bool has_out;

    if (!is_stopping(r))
        return false;
    pthread_mutex_lock(&r->lock);
    has_out = r->out != NULL;
    pthread_mutex_unlock(&r->lock);
    if (!r->linger_ms)
        r->linger_ms = clock_steady_ms() + LINGER_MS;
    return (!has_out && !r->sent) || clock_steady_ms() >= r->linger_ms;
}

static void serve(struct rabbitmq *r, char why[BROKER_ERROR_MAX])
{
    while (send_all(r, why) && read_all(r, why) && acknowledge(r, why)) {
        if (may_end(r))
            return;
        wait_for(r, is_stopping(r) ? LINGER_MS / 10 : LOOK_MS);
    }
}

static void forget_sent(struct rabbitmq *r)
{
    struct message *message;

    while ((message = r->sent) != NULL) {
        r->sent = message->next;
        release(r, message);
    }
    r->sent_end = &r->sent;
}

/* One connection from beginning to end. False: it did not come about. */
static bool live(struct rabbitmq *r, char why[BROKER_ERROR_MAX])
{
    char address[BROKER_ADDRESS_MAX];

    r->rabbit = rabbit_open(&r->params, address, why);
    if (!r->rabbit)
        return false;
    r->connection++;
    r->tags = r->acknowledged = 0;
    set_fd(r, rabbit_fd(r->rabbit));
    tell_text(r, HAPPENED_UP, address, false);
    serve(r, why);
    set_fd(r, -1);
    rabbit_close(r->rabbit);
    r->rabbit = NULL;
    forget_sent(r);
    return true;
}

/* False: that was the last try. */
static bool wait_to_retry(struct rabbitmq *r, const char *why)
{
    uint32_t wait_ms;
    int64_t until_ms;

    if (!retry_next(&r->retry, &wait_ms)) {
        tell_text(r, HAPPENED_GAVE_UP, why, false);
        return false;
    }
    tell_text(r, HAPPENED_DOWN, why, false);
    until_ms = clock_steady_ms() + wait_ms;
    while (!is_stopping(r) && clock_steady_ms() < until_ms)
        wait_for(r, (int)(until_ms - clock_steady_ms()) + 1);
    return true;
}

static void free_texts(struct rabbit_params *p)
{
    char *password = (char *)(uintptr_t)p->password;

    sodium_memzero(password, strlen(password));
    free(password);
    free((void *)(uintptr_t)p->host);
    free((void *)(uintptr_t)p->user);
    free((void *)(uintptr_t)p->vhost);
    free((void *)(uintptr_t)p->family);
    free((void *)(uintptr_t)p->ca);
}

/* One of the two owners goes. */
static void leave(struct rabbitmq *r)
{
    struct message *message;
    struct news *news;

    if (atomic_fetch_sub(&r->owners, 1) > 1)
        return;
    while ((message = take_out(r)) != NULL)
        free_message(message);
    while ((news = r->news) != NULL) {
        r->news = news->next;
        free_news(news);
    }
    close(r->wake);
    pthread_cond_destroy(&r->ended);
    pthread_mutex_destroy(&r->lock);
    free_texts(&r->params);
    free(r);
}

static void *run(void *arg)
{
    struct rabbitmq *r = arg;
    char why[BROKER_ERROR_MAX] = "";

    while (!is_stopping(r)) {
        int64_t since_ms = clock_steady_ms();
        bool was_up = live(r, why);

        /* A connection that held is made again at once; a short one counts as a failure. */
        if (was_up && clock_steady_ms() - since_ms >= (int64_t)r->retry.step_ms) {
            retry_success(&r->retry);
            tell_text(r, HAPPENED_DOWN, why, false);
        } else if (!is_stopping(r) && !wait_to_retry(r, why)) {
            break;
        }
    }
    pthread_mutex_lock(&r->lock);
    r->has_ended = true;
    pthread_cond_signal(&r->ended);
    pthread_mutex_unlock(&r->lock);
    leave(r);
    return NULL;
}

/* --- the loop --- */

static void wake_thread(struct rabbitmq *r)
{
    const uint64_t one = 1;

    /* a full counter wakes, too */
    if (write(r->wake, &one, sizeof one) < 0)
        return;
}

static void done_with(struct rabbitmq *r, const struct news *news)
{
    pthread_mutex_lock(&r->lock);
    r->done_connection = news->connection;
    r->done_tag = news->tag;
    pthread_mutex_unlock(&r->lock);
    wake_thread(r);
}

static void happen(struct rabbitmq *r, const struct news *news)
{
    const struct broker_events *e = &r->events;

    switch (news->what) {
    case HAPPENED_UP:
        r->loop_connection = news->connection;
        e->up(e->arg, news->text);
        break;
    case HAPPENED_DOWN:
    case HAPPENED_GAVE_UP:
        r->loop_connection = 0;
        e->down(e->arg, news->what == HAPPENED_GAVE_UP, news->text);
        break;
    case HAPPENED_FRAME:
        e->frame(e->arg, news->b, news->len);
        done_with(r, news);
        break;
    case HAPPENED_REFUSED:
        e->refused(e->arg, news->text, news->is_gone);
        break;
    }
}

static void on_news(uv_async_t *async)
{
    struct rabbitmq *r = async->data;
    struct news *list, *next;

    pthread_mutex_lock(&r->lock);
    list = r->news;
    r->news = NULL;
    r->news_end = &r->news;
    pthread_mutex_unlock(&r->lock);
    for (; list; list = next) {
        next = list->next;
        /* freed by one of its own events: nothing more is told */
        if (!uv_is_closing((uv_handle_t *)async))
            happen(r, list);
        free_news(list);
    }
}

static bool publish(struct broker *broker, const char *to, const uint8_t *b, size_t len)
{
    struct rabbitmq *r = (struct rabbitmq *)broker;
    struct message *message;
    bool fits;

    if (!r->loop_connection || len > BROKER_FRAME_MAX)
        return false;
    pthread_mutex_lock(&r->lock);
    fits = r->pending_n < BROKER_PENDING_FRAMES && r->pending_bytes + len <= BROKER_PENDING_MAX;
    pthread_mutex_unlock(&r->lock);
    if (!fits)
        return false;
    message = mem_new(1, sizeof *message);
    message->connection = r->loop_connection;
    message->b = mem_copy(b, len);
    message->len = len;
    snprintf(message->to, sizeof message->to, "%s", to ? to : "");
    pthread_mutex_lock(&r->lock);
    r->pending_n++;
    r->pending_bytes += len;
    *r->out_end = message;
    r->out_end = &message->next;
    pthread_mutex_unlock(&r->lock);
    wake_thread(r);
    return true;
}

/* The thread may hang in a write to a broker that reads nothing: its socket is ended under it. One
 * that hangs in a connection that has not come about is left behind. */
static void end_thread(struct rabbitmq *r)
{
    struct timespec until;
    int status = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_S;
    pthread_mutex_lock(&r->lock);
    r->is_stopping = true;
    wake_thread(r);
    while (!r->has_ended && status == 0)
        status = pthread_cond_timedwait(&r->ended, &r->lock, &until);
    if (!r->has_ended && r->fd >= 0)
        shutdown(r->fd, SHUT_RDWR);
    pthread_mutex_unlock(&r->lock);
}

static void on_closed(uv_handle_t *handle)
{
    leave(handle->data);
}

static void free_rabbitmq(struct broker *broker)
{
    struct rabbitmq *r = (struct rabbitmq *)broker;

    end_thread(r);
    uv_close((uv_handle_t *)&r->async, on_closed);
}

static struct rabbit_params copy_params(const struct rabbit_params *from)
{
    struct rabbit_params p = *from;

    p.host = text_copy(from->host);
    p.user = text_copy(from->user);
    p.password = text_copy(from->password);
    p.vhost = text_copy(from->vhost);
    p.family = text_copy(from->family);
    p.ca = from->ca ? text_copy(from->ca) : NULL;
    return p;
}

struct broker *rabbitmq_new(uv_loop_t *loop, const struct rabbit_params *params,
                            const struct retry *retry, const struct broker_events *events)
{
    static const struct broker_driver driver = {publish, free_rabbitmq};
    struct rabbitmq *r = mem_new(1, sizeof *r);
    pthread_t thread;

    r->base.driver = &driver;
    r->events = *events;
    r->params = copy_params(params);
    r->retry = *retry;
    r->out_end = &r->out;
    r->news_end = &r->news;
    r->sent_end = &r->sent;
    r->fd = -1;
    atomic_init(&r->owners, 2);
    r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->ended, NULL);
    uv_async_init(loop, &r->async, on_news);
    r->async.data = r;
    if (r->wake < 0 || pthread_create(&thread, NULL, run, r) != 0 || pthread_detach(thread) != 0) {
        fprintf(stderr, "no thread for the connection to RabbitMQ: %s\n", strerror(errno));
        abort();
    }
    return &r->base;
}
