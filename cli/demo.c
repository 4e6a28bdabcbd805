/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate demo": three parties, each a process with a share file of its own, make a 2-of-3 key
 * through a relay that can read nothing, and each pair of them signs an Ethereum transaction. */
#include "demo.h"

#include "command.h"
#include "option.h"
#include "signals.h"

#include <stdlib.h>

static bool act(struct demo *demo, struct trouble *trouble)
{
    if (!demo_open(demo, trouble) || !demo_make_key(demo, trouble))
        return false;
    if (demo->options.dir && !demo->options.passphrase_fd)
        say("warning: nobody knows the passphrase of the share files in %s; use --passphrase-fd N "
            "to be able to sign with them later",
            demo->dir);
    demo_show_key(demo);
    for (size_t i = 0; i < demo->sets_n; i++) {
        if (!demo_sign(demo, &demo->sets[i], trouble))
            return false;
    }
    return true;
}

static bool play(struct demo *demo, struct trouble *trouble)
{
    uint16_t indices[QRT_PARTIES_MAX];
    struct crew_plan plan = {indices, demo->seats_n, demo->lock_fd, demo->options.relay_log,
                             demo->options.relay_hold};
    bool ok;

    for (size_t i = 0; i < demo->seats_n; i++)
        indices[i] = demo->seats[i].index;
    ok = crew_start(&demo->crew, &plan, trouble);
    if (ok) {
        library_open(&demo->library);
        ok = act(demo, trouble);
        library_close(&demo->library);
    }
    crew_stop(&demo->crew);
    return ok;
}

static int run(struct demo *demo)
{
    struct trouble trouble;
    int code = demo_plan(demo);
    bool ok;

    if (code != EXIT_DONE)
        return code;
    if (demo->options.trace)
        say_trace_on();
    demo_show_start(demo);
    signals_catch();
    ok = demo_enter(demo, &trouble) && play(demo, &trouble);
    if (!ok)
        demo_explain(demo, &trouble);
    demo_leave(demo);
    if (!ok)
        return refuse("%s", trouble.text);
    return demo_show_end(demo) ? EXIT_DONE : EXIT_REFUSED;
}

static void demo_free(struct demo *demo)
{
    eth_tx_free(&demo->tx);
    buffer_free(&demo->unsigned_tx);
    json_decref(demo->report);
    json_decref(demo->steps);
    json_decref(demo->signatures);
    if (demo->initiator)
        secret_free(demo->initiator);
    free(demo);
}

int command_demo(char **argv)
{
    struct demo *demo = calloc(1, sizeof *demo);
    struct demo_options *o = &demo->options;
    const struct option_row rows[] = {
        {"--dir", "DIR", NULL, &o->dir, "keep the share files there (default: a temporary one)"},
        {"--shares", "F1,F2", NULL, &o->shares, "make no key, sign with these share files"},
        {"--passphrase-fd", "N", NULL, &o->passphrase_fd,
         "read the share files' passphrase from descriptor N (default: make one, tell nobody)"},
        {"--tx", "FILE", NULL, &o->tx,
         "sign this transaction (default: a built-in copy of examples/transfer.json)"},
        {"--message-hash", "HEX", NULL, &o->message_hash, "sign these 32 bytes instead"},
        {"--signers", "1,3", NULL, &o->signers,
         "sign once, by these two parties (default: each pair signs)"},
        {"--trace", NULL, &o->trace, NULL, "tell on stderr what the processes do"},
        {"--json", NULL, &o->json, NULL, "answer in JSON"},
        {"--relay-log", "FILE", NULL, &o->relay_log, NULL},
        {"--relay-hold", "N", NULL, &o->relay_hold, NULL},
    };
    const struct options options = {
        "demo", "",
        "Make a 2-of-3 key with three processes that share no memory, joined by a relay that\n"
        "can read nothing, and sign an Ethereum transaction with each pair of the shares.\n"
        "A directory with an interrupted key generation is completed, if that is possible.\n"
        "The passphrase is everything up to the end of the descriptor, 1 to 1024 bytes; one\n"
        "newline at its end is not part of it, any other is.",
        rows, sizeof rows / sizeof rows[0]};
    size_t rest_n;
    enum options_answer answer;
    int code;

    if (!demo)
        return refuse("out of memory");
    answer = options_read(&options, argv, NULL, 0, &rest_n);
    code = answer == OPTIONS_GO ? run(demo) : options_code(answer);
    demo_free(demo);
    return code;
}
