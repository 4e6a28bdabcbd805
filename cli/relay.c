/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate relay", the process between the parties of a demo. It reads the public header of a
 * message, finds the receiver there, and passes the message on as it is: it has no keys, verifies
 * nothing and could read nothing. It can drop, delay and repeat; the envelope answers for the
 * rest. Descriptor 3 is the control channel, 4 and up are the parties' in the order of --parties.
 *
 * --log and --hold are for tests: a copy of everything that passes, and standing still after so
 * many messages. */
#include "channel.h"
#include "command.h"
#include "option.h"
#include "party.h"
#include "say.h"

#include "quorate/wire.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

struct relay {
    struct channel control;
    struct channel links[QRT_PARTIES_MAX];
    unsigned short indices[QRT_PARTIES_MAX];
    size_t n;
    FILE *log;
    long hold;   /* -1: never */
    long passed; /* messages */
};

static bool holds(const struct relay *r)
{
    return r->hold >= 0 && r->passed >= r->hold;
}

static void note(struct relay *r, const uint8_t *b, size_t len)
{
    r->passed++;
    if (r->log && (fwrite(b, 1, len, r->log) != len || fflush(r->log) != 0))
        r->log = NULL;
    if (holds(r))
        channel_tell(&r->control,
                     json_pack("{s:s,s:i}", "tell", "held", "messages", (int)r->passed));
}

static void forward(struct relay *r, size_t from, const uint8_t *b, size_t len)
{
    struct qrt_header header;

    if (qrt_header_decode(&header, b, len) != QRT_OK)
        return;
    for (size_t i = 0; i < r->n; i++) {
        if (i == from || r->links[i].fd < 0)
            continue;
        if (header.receiver == QRT_EVERYBODY || header.receiver == r->indices[i])
            channel_put(&r->links[i], b, len);
    }
    note(r, b, len);
}

static void serve(struct relay *r, size_t from)
{
    const uint8_t *b;
    size_t len;

    while (!holds(r) && channel_take(&r->links[from], &b, &len))
        forward(r, from, b, len);
    if (r->links[from].over)
        channel_close(&r->links[from]);
}

static int run(struct relay *r)
{
    struct pollfd p[QRT_PARTIES_MAX + 1];

    for (;;) {
        p[0] = (struct pollfd){r->control.fd, channel_events(&r->control), 0};
        for (size_t i = 0; i < r->n; i++)
            p[i + 1] = (struct pollfd){r->links[i].fd, channel_events(&r->links[i]), 0};
        if (poll(p, (nfds_t)(r->n + 1), -1) < 0)
            continue;
        channel_pump(&r->control, p[0].revents);
        if (r->control.over)
            return EXIT_DONE;
        for (size_t i = 0; i < r->n; i++) {
            if (r->links[i].fd < 0)
                continue;
            channel_pump(&r->links[i], p[i + 1].revents);
            serve(r, i);
        }
    }
}

static int start(struct relay *r, const char *parties, const char *log, const char *hold)
{
    r->hold = -1;
    if (!parties || (r->n = option_indices(r->indices, QRT_PARTIES_MAX, parties)) == 0)
        return refuse_usage("relay is started by quorate demo, not by hand");
    if (hold && !option_number(&r->hold, hold, 0, 1000000))
        return refuse_usage("--hold is not a number: %s", hold);
    if (log && !(r->log = fopen(log, "wb")))
        return refuse("cannot write %s", log);
    channel_open(&r->control, PARTY_FD_CONTROL);
    for (size_t i = 0; i < r->n; i++)
        channel_open(&r->links[i], PARTY_FD_CONTROL + 1 + (int)i);
    if (r->control.over)
        return refuse_usage("relay is started by quorate demo, not by hand");
    if (holds(r))
        channel_tell(&r->control, json_pack("{s:s,s:i}", "tell", "held", "messages", 0));
    return run(r);
}

int command_relay(char **argv)
{
    static struct relay relay;
    const char *parties = NULL, *log = NULL, *hold = NULL;
    const struct option_row rows[] = {
        {"--parties", "LIST", NULL, &parties, "the parties' indices"},
        {"--log", "FILE", NULL, &log, "write every message that passes to FILE"},
        {"--hold", "N", NULL, &hold, "pass nothing on after N messages"},
    };
    const struct options options = {"relay", "", "Started by quorate demo.", rows,
                                    sizeof rows / sizeof rows[0]};
    size_t rest_n;
    enum options_answer answer = options_read(&options, argv, NULL, 0, &rest_n);

    if (answer != OPTIONS_GO)
        return answer == OPTIONS_HELPED ? EXIT_DONE : EXIT_USAGE;
    return start(&relay, parties, log, hold);
}
