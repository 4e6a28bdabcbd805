/* SPDX-License-Identifier: Apache-2.0 */
/* Three memberships of a kept message: its session's list, the list of all in the order they came
 * (for sending everything again), and the queue of those to send. A call that is under way holds a
 * reference: a session that ends meanwhile leaves the message to it.
 *
 * A batch leaves once per turn of the loop: an idle handle keeps the loop from sleeping until the
 * check handle, which runs after all input of the turn, has sent it. */
#include "participant/front_outbox.h"

#include "system/core/buffer.h"
#include "system/core/log.h"
#include "system/core/retry.h"

#include <stdlib.h>
#include <string.h>

enum { ROUTE_MS = 5000, AGAIN_STEP_MS = 100, AGAIN_CAP_MS = 2000, HANDLES = 3 };

enum place { PLACE_QUEUED, PLACE_AWAY, PLACE_SENT };

struct front_kept {
    struct front_kept *next_of_mail;
    struct front_kept *older, *newer;
    struct front_kept *next_queued;
    const char *session_id;
    uint32_t attempt;
    enum place place;
    /* dropped by its session; away and to be sent again; refused in company: goes alone */
    bool is_dead, again, alone;
    bool was_sent;
    size_t to_n;
    char **to;
    size_t len;
    uint8_t *b;
};

struct front_outbox {
    struct front_link *link;
    struct front_kept *oldest, *newest;
    struct front_kept *queue_first, *queue_last;
    size_t bytes;
    unsigned batches;
    uint64_t sent, resent;
    struct retry retry;
    bool is_waiting, is_freed;
    uv_idle_t idle;
    uv_check_t check;
    uv_timer_t again;
    unsigned handles;
};

/* One RouteMessage call. */
struct batch {
    struct front_outbox *outbox;
    size_t n;
    struct front_kept *kept[FRONT_BATCH_MESSAGES];
};

static void flush(struct front_outbox *outbox);

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void on_check(uv_check_t *check)
{
    struct front_outbox *outbox = check->data;

    uv_idle_stop(&outbox->idle);
    uv_check_stop(&outbox->check);
    flush(outbox);
}

void front_outbox_wake(struct front_outbox *outbox)
{
    if (outbox->is_freed || !outbox->queue_first)
        return;
    uv_idle_start(&outbox->idle, on_idle);
    uv_check_start(&outbox->check, on_check);
}

static void on_again(uv_timer_t *timer)
{
    struct front_outbox *outbox = timer->data;

    outbox->is_waiting = false;
    flush(outbox);
}

struct front_outbox *front_outbox_new(uv_loop_t *loop, struct front_link *link)
{
    struct front_outbox *outbox = mem_new(1, sizeof *outbox);

    outbox->link = link;
    outbox->retry = (struct retry){.step_ms = AGAIN_STEP_MS, .cap_ms = AGAIN_CAP_MS};
    uv_idle_init(loop, &outbox->idle);
    uv_check_init(loop, &outbox->check);
    uv_timer_init(loop, &outbox->again);
    outbox->idle.data = outbox->check.data = outbox->again.data = outbox;
    outbox->handles = HANDLES;
    return outbox;
}

static void on_closed(uv_handle_t *handle)
{
    struct front_outbox *outbox = handle->data;

    if (--outbox->handles == 0)
        free(outbox);
}

static void free_kept(struct front_kept *kept)
{
    for (size_t i = 0; i < kept->to_n; i++)
        free(kept->to[i]);
    free(kept->to);
    free(kept->b);
    free(kept);
}

static void enqueue(struct front_outbox *outbox, struct front_kept *kept)
{
    kept->place = PLACE_QUEUED;
    kept->again = false;
    kept->next_queued = NULL;
    if (outbox->queue_last)
        outbox->queue_last->next_queued = kept;
    else
        outbox->queue_first = kept;
    outbox->queue_last = kept;
}

/* The first of the queue, which may be dead. */
static struct front_kept *dequeue(struct front_outbox *outbox)
{
    struct front_kept *kept = outbox->queue_first;

    outbox->queue_first = kept->next_queued;
    if (!outbox->queue_first)
        outbox->queue_last = NULL;
    kept->next_queued = NULL;
    return kept;
}

void front_outbox_free(struct front_outbox *outbox)
{
    outbox->is_freed = true;
    while (outbox->queue_first)
        free_kept(dequeue(outbox));
    uv_close((uv_handle_t *)&outbox->idle, on_closed);
    uv_close((uv_handle_t *)&outbox->check, on_closed);
    uv_close((uv_handle_t *)&outbox->again, on_closed);
}

static void list_all(struct front_outbox *outbox, struct front_kept *kept)
{
    kept->older = outbox->newest;
    if (outbox->newest)
        outbox->newest->newer = kept;
    else
        outbox->oldest = kept;
    outbox->newest = kept;
}

static void unlist_all(struct front_outbox *outbox, struct front_kept *kept)
{
    if (kept->older)
        kept->older->newer = kept->newer;
    else
        outbox->oldest = kept->newer;
    if (kept->newer)
        kept->newer->older = kept->older;
    else
        outbox->newest = kept->older;
}

static struct front_kept *new_kept(const char *session_id, uint32_t attempt,
                                   const Mpc__Keeper__V1__Outgoing *message)
{
    struct front_kept *kept = mem_new(1, sizeof *kept);

    kept->session_id = session_id;
    kept->attempt = attempt;
    kept->to_n = message->n_to;
    kept->to = mem_new(message->n_to + 1, sizeof *kept->to);
    for (size_t i = 0; i < message->n_to; i++)
        kept->to[i] = text_copy(message->to[i]);
    kept->len = message->payload.len;
    kept->b = mem_copy(message->payload.data, message->payload.len);
    return kept;
}

static bool fits(struct front_outbox *outbox, struct front_mail *mail, const char *session_id,
                 size_t len)
{
    if (mail->bytes + len <= FRONT_MAIL_SESSION_MAX && outbox->bytes + len <= FRONT_MAIL_TOTAL_MAX)
        return true;
    if (!mail->was_told)
        log_event(LOG_ERROR, "too much to keep for one session: a message is dropped",
                  LOG_S("session", session_id), LOG_I("bytes", mail->bytes + len));
    mail->was_told = true;
    return false;
}

void front_outbox_add(struct front_outbox *outbox, struct front_mail *mail, const char *session_id,
                      uint32_t attempt, const Mpc__Keeper__V1__Outgoing *message)
{
    struct front_kept *kept;

    if (!message->n_to || !fits(outbox, mail, session_id, message->payload.len))
        return;
    kept = new_kept(session_id, attempt, message);
    if (mail->last)
        mail->last->next_of_mail = kept;
    else
        mail->first = kept;
    mail->last = kept;
    mail->bytes += kept->len;
    outbox->bytes += kept->len;
    list_all(outbox, kept);
    enqueue(outbox, kept);
    front_outbox_wake(outbox);
}

/* Out of its session: freed here, or by the queue or call that still holds it. */
static void forget(struct front_outbox *outbox, struct front_kept *kept)
{
    outbox->bytes -= kept->len;
    unlist_all(outbox, kept);
    kept->is_dead = true;
    kept->session_id = "";
    if (kept->place == PLACE_SENT)
        free_kept(kept);
}

void front_outbox_drop(struct front_outbox *outbox, struct front_mail *mail, uint32_t attempt)
{
    struct front_kept *next, *kept = mail->first;

    mail->first = mail->last = NULL;
    mail->bytes = 0;
    for (; kept; kept = next) {
        next = kept->next_of_mail;
        if (attempt == UINT32_MAX || kept->attempt < attempt) {
            forget(outbox, kept);
            continue;
        }
        kept->next_of_mail = NULL;
        if (mail->last)
            mail->last->next_of_mail = kept;
        else
            mail->first = kept;
        mail->last = kept;
        mail->bytes += kept->len;
    }
}

void front_outbox_resend(struct front_outbox *outbox)
{
    for (struct front_kept *kept = outbox->oldest; kept; kept = kept->newer) {
        if (kept->place == PLACE_SENT)
            enqueue(outbox, kept);
        else if (kept->place == PLACE_AWAY)
            kept->again = true;
    }
    front_outbox_wake(outbox);
}

static void wait_again(struct front_outbox *outbox)
{
    uint32_t wait_ms;

    retry_next(&outbox->retry, &wait_ms);
    if (outbox->is_waiting || outbox->is_freed)
        return;
    outbox->is_waiting = true;
    uv_timer_start(&outbox->again, on_again, wait_ms, 0);
}

/* Nobody knows whether it arrived: once more, later. */
static void settle_lost(struct batch *batch)
{
    for (size_t i = 0; i < batch->n; i++)
        enqueue(batch->outbox, batch->kept[i]);
    wait_again(batch->outbox);
}

static void give_up(struct front_kept *kept, const char *why)
{
    log_event(LOG_WARN, "the router refuses a message", LOG_S("session", kept->session_id),
              LOG_I("attempt", kept->attempt), LOG_S("error", why));
}

/* Those that were refused: a full mailbox takes more later, any other reason stays. */
static void settle_some(struct batch *batch, const Mpc__Router__V1__RouteMessageResponse *routed)
{
    for (size_t i = 0; i < routed->n_refused; i++) {
        const Mpc__Router__V1__RefusedMessage *refused = routed->refused[i];
        struct front_kept *kept;

        if (refused->index >= batch->n)
            continue;
        kept = batch->kept[refused->index];
        if (!strcmp(refused->code, "mailbox_full")) {
            kept->again = true;
            wait_again(batch->outbox);
        } else if (!kept->is_dead) {
            give_up(kept, refused->error);
        }
    }
}

static void settle_arrived(struct batch *batch, const Mpc__Router__V1__RouteMessageResponse *routed)
{
    bool is_present_boot = front_link_boot(batch->outbox->link, &routed->router_boot_id);

    retry_success(&batch->outbox->retry);
    settle_some(batch, routed);
    for (size_t i = 0; i < batch->n; i++) {
        struct front_kept *kept = batch->kept[i];

        kept->place = PLACE_SENT;
        if (kept->is_dead)
            free_kept(kept);
        else if (kept->again || !is_present_boot)
            enqueue(batch->outbox, kept);
    }
}

/* The first is refused, perhaps not all: each goes alone, so that the others arrive; one alone is
 * given up. */
static void settle_refused(struct batch *batch, const struct rpc_status *status)
{
    for (size_t i = 0; i < batch->n; i++) {
        struct front_kept *kept = batch->kept[i];

        kept->place = PLACE_SENT;
        if (kept->is_dead) {
            free_kept(kept);
        } else if (batch->n > 1) {
            kept->alone = true;
            enqueue(batch->outbox, kept);
        } else {
            give_up(kept, status->text);
        }
    }
}

static void on_routed(void *arg, enum front_answer answer, const struct rpc_status *status,
                      const ProtobufCMessage *response)
{
    const Mpc__Router__V1__RouteMessageResponse *routed =
        (const Mpc__Router__V1__RouteMessageResponse *)response;
    struct batch *batch = arg;
    struct front_outbox *outbox = batch->outbox;

    outbox->batches--;
    if (answer == FRONT_ANSWER_OK)
        settle_arrived(batch, routed);
    else if (answer == FRONT_ANSWER_LOST)
        settle_lost(batch);
    else
        settle_refused(batch, status);
    free(batch);
    if (!outbox->is_waiting)
        front_outbox_wake(outbox);
}

static void count(struct front_outbox *outbox, struct front_kept *kept)
{
    outbox->sent++;
    outbox->resent += kept->was_sent;
    kept->was_sent = true;
}

/* As many from the queue as one call takes. */
static void fill(struct front_outbox *outbox, struct batch *batch)
{
    size_t bytes = 0;

    while (outbox->queue_first && batch->n < FRONT_BATCH_MESSAGES) {
        struct front_kept *kept = outbox->queue_first;

        if (kept->is_dead) {
            free_kept(dequeue(outbox));
            continue;
        }
        if (batch->n > 0 && (kept->alone || bytes + kept->len > FRONT_BATCH_BYTES))
            return;
        batch->kept[batch->n++] = dequeue(outbox);
        kept->place = PLACE_AWAY;
        bytes += kept->len;
        count(outbox, kept);
        if (kept->alone)
            return;
    }
}

static void send_batch(struct batch *batch)
{
    Mpc__Router__V1__RouteMessageRequest message = MPC__ROUTER__V1__ROUTE_MESSAGE_REQUEST__INIT;
    Mpc__Router__V1__OutgoingMessage out[FRONT_BATCH_MESSAGES];
    Mpc__Router__V1__OutgoingMessage *refs[FRONT_BATCH_MESSAGES];
    struct front_link_call call = {.path = "mpc.router.v1.MessageRouter/RouteMessage",
                                   .message = &message.base,
                                   .response = &mpc__router__v1__route_message_response__descriptor,
                                   .deadline_ms = ROUTE_MS,
                                   .done = on_routed,
                                   .arg = batch};

    for (size_t i = 0; i < batch->n; i++) {
        const struct front_kept *kept = batch->kept[i];

        mpc__router__v1__outgoing_message__init(&out[i]);
        out[i].session_id = (char *)kept->session_id;
        out[i].attempt = kept->attempt;
        out[i].n_to = kept->to_n;
        out[i].to = kept->to;
        out[i].payload = (ProtobufCBinaryData){.len = kept->len, .data = kept->b};
        refs[i] = &out[i];
    }
    message.from = (char *)front_link_party(batch->outbox->link);
    message.n_messages = batch->n;
    message.messages = refs;
    batch->outbox->batches++;
    front_link_call(batch->outbox->link, &call);
}

static void flush(struct front_outbox *outbox)
{
    while (outbox->queue_first && outbox->batches < FRONT_BATCHES_MAX && !outbox->is_waiting &&
           front_link_is_registered(outbox->link)) {
        struct batch *batch = mem_new(1, sizeof *batch);

        batch->outbox = outbox;
        fill(outbox, batch);
        if (!batch->n) {
            free(batch);
            return;
        }
        send_batch(batch);
    }
}

size_t front_outbox_bytes(const struct front_outbox *outbox)
{
    return outbox->bytes;
}

uint64_t front_outbox_sent(const struct front_outbox *outbox)
{
    return outbox->sent;
}

uint64_t front_outbox_resent(const struct front_outbox *outbox)
{
    return outbox->resent;
}
