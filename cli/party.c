/* SPDX-License-Identifier: Apache-2.0 */
/* "quorate party", one party of a demo: waits for orders and for messages, and ends when the
 * process that started it is gone. Descriptors: 3 control, 4 relay, 5 passphrase (6 holds the lock
 * on the directory, so that no other demo takes it while this process lives). */
#include "party.h"

#include "command.h"
#include "hex.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

void party_tell_failed(struct party *party, const char *text)
{
    channel_tell(&party->control, json_pack("{s:s,s:s}", "tell", "failed", "text", text));
}

static void tell_ready(struct party *party)
{
    json_t *tell =
        json_pack("{s:s,s:o}", "tell", "ready", "identity", hex_json(party->identity + 32, 32));

    channel_tell(&party->control, tell);
}

/* {"do": "open", "index": 1, "active": PATH, "pending": PATH or "", "initiator": HEX} */
static bool open_order(struct party *party, const json_t *order, struct trouble *trouble)
{
    const char *active = json_string_value(json_object_get(order, "active"));
    const char *pending = json_string_value(json_object_get(order, "pending"));

    if (!active || !pending || strlen(active) >= PATH_MAX || strlen(pending) >= PATH_MAX ||
        !hex_from_json(party->initiator, 32, order, "initiator"))
        return trouble_set(trouble, "the order to open is not readable");
    party->index = (uint16_t)json_integer_value(json_object_get(order, "index"));
    strcpy(party->active_path, active);
    strcpy(party->pending_path, pending);
    party->passphrase = secret_alloc(sizeof *party->passphrase);
    if (!passphrase_read(party->passphrase, PARTY_FD_PASSPHRASE, trouble) ||
        !party_open(party, trouble))
        return false;
    secret_free(party->passphrase);
    party->passphrase = NULL;
    tell_ready(party);
    return true;
}

static void obey(struct party *party, const json_t *order)
{
    static const struct {
        const char *name;
        bool (*run)(struct party *, const json_t *, struct trouble *);
    } orders[] = {
        {"open", open_order},
        {"keygen", party_keygen},
        {"resume", party_resume},
        {"sign", party_sign},
    };
    const char *name = json_string_value(json_object_get(order, "do"));
    struct trouble trouble = {"an order that no party knows"};

    for (size_t i = 0; name && i < sizeof orders / sizeof orders[0]; i++) {
        if (strcmp(name, orders[i].name) != 0)
            continue;
        if (party->run.peer)
            trouble_set(&trouble, "a run is under way already");
        else if (orders[i].run(party, order, &trouble))
            return;
    }
    party_tell_failed(party, trouble.text);
}

static void hear_orders(struct party *party)
{
    json_t *order;

    while ((order = channel_hear(&party->control))) {
        obey(party, order);
        json_decref(order);
    }
}

static void hear_messages(struct party *party)
{
    const uint8_t *b;
    size_t len;

    while (channel_take(&party->relay, &b, &len))
        party_inbox_put(party, b, len);
    if (party->relay.over && party->relay.fd >= 0) {
        channel_close(&party->relay);
        party_end_run(party);
        channel_tell(&party->control, json_pack("{s:s,s:s,s:b}", "tell", "failed", "text",
                                                "the relay is gone", "echo", 1));
    }
}

static int serve(struct party *party)
{
    struct pollfd p[2];

    for (;;) {
        p[0] = (struct pollfd){party->control.fd, channel_events(&party->control), 0};
        p[1] = (struct pollfd){party->relay.fd, channel_events(&party->relay), 0};
        if (poll(p, 2, party_patience(party)) < 0 && errno != EINTR)
            return EXIT_REFUSED;
        channel_pump(&party->control, p[0].revents);
        hear_orders(party);
        if (party->control.over)
            return EXIT_DONE;
        channel_pump(&party->relay, p[1].revents);
        hear_messages(party);
        party_pump(party);
    }
}

/* Everything secret is in memory from secret_alloc, which is wiped when it is freed. */
static void wipe(struct party *party)
{
    party_end_run(party);
    share_content_free(&party->content);
    if (party->key)
        secret_free(party->key);
    if (party->identity)
        secret_free(party->identity);
    if (party->passphrase)
        secret_free(party->passphrase);
    library_close(&party->library);
}

int command_party(char **argv)
{
    static struct party party;
    int code;

    channel_open(&party.control, PARTY_FD_CONTROL);
    channel_open(&party.relay, PARTY_FD_RELAY);
    if (argv[1] || party.control.over || party.relay.over)
        return refuse_usage("party is started by quorate demo, not by hand");
    library_open(&party.library);
    code = serve(&party);
    wipe(&party);
    return code;
}
