// SPDX-License-Identifier: Apache-2.0
// The scenario's part of parties at the router: registration, presence, messages, events. The test
// plays them with keys of its own, which the system's authority has certified.
import { INVALID, DENIED, STATE, ABORTED, UNAUTHENTICATED, NONE, bearer, same } from "./calls.mjs";
import { Backends } from "./backends.mjs";
import * as own from "./party.mjs";

export class Parties extends Backends {
  async register(party) {
    const got = await this.ok("router.RegisterParty", await own.registration(party), NONE);
    party.token = bearer(got.party_token);
    party.router_boot_id = got.router_boot_id;
    return got;
  }

  async registration() {
    const seed = own.fromHex(this.config.ca_seed);
    this.authority = await own.key(seed);
    this.first = await own.party(this.authority, "own-1", "persistent");
    this.second = await own.party(this.authority, "own-2", "persistent");
    this.delegate = await own.party(this.authority, "own-d", "delegate");
    const { first, second } = this;
    const what = "router.RegisterParty";
    const refused = async (request, code, name) => this.refused(what, request, NONE, code, name);
    await refused({}, INVALID, "invalid_party_id");
    await refused({ ...await own.registration(first), role: "king" }, INVALID, "invalid_role");
    await refused({ ...await own.registration(first), certificate: second.certificate },
      UNAUTHENTICATED, "invalid_certificate");
    const stranger = await own.party(await own.key(), "own-1", "persistent");
    await refused(await own.registration(stranger), UNAUTHENTICATED, "invalid_certificate");
    await refused(await own.registration(first, { signer: second.identity }), UNAUTHENTICATED,
      "invalid_proof");
    await refused(await own.registration(first, { time_ms: Date.now() + 60000 }), STATE,
      "clock_skew");
    const request = await own.registration(first);
    const got = await this.ok(what, request, NONE);
    this.check("a token, a lease", got.party_token.split(".").length === 3 && got.lease_ms > 0 &&
      own.fromBase64(got.router_boot_id).length === 16 &&
      Math.abs(got.server_time_ms - Date.now()) < 30000, got);
    await refused(request, UNAUTHENTICATED, "replayed");
    for (const party of [first, second, this.delegate])
      await this.register(party);
  }

  async presence() {
    const { first, key } = this;
    const beat = { party_id: first.party_id, load: 3, time_ms: Date.now() };
    const watch = this.stream("router.WatchPresence", {}, bearer(this.config.tokens.coordinator));
    const all = await watch.until((batch) => batch.snapshot);
    const row = all.presences.find((p) => p.party.party_id === first.party_id);
    this.check("all parties with their certificates", row?.party.live && row.certificate.body ===
      own.toBase64(first.certificate.body), row);
    const got = await this.ok("router.Heartbeat", beat, first.token);
    this.check("the same router, a fresh token", got.router_boot_id === first.router_boot_id &&
      got.party_token.length > 0, got);
    const changed = await watch.until((batch) => batch.presences.some((p) =>
      p.party.party_id === first.party_id && p.party.load === 3));
    this.check("its watcher is told", !changed.snapshot, changed);
    watch.cancel();
    first.token = bearer(got.party_token);
    await this.refused("router.Heartbeat", { ...beat, party_id: "own-2" }, first.token, DENIED,
      "not_the_caller");
    await this.refused("router.Heartbeat", { ...beat, time_ms: beat.time_ms - 60000 }, first.token,
      STATE, "clock_skew");
    await this.refused("router.Heartbeat", { ...beat, party_id: "ghost" },
      bearer(this.config.tokens.ghost), STATE, "not_registered");
    const listed = await this.ok("router.GetRegisteredParties", { role: "delegate" }, first.token);
    this.check("parties by role", listed.parties.some((p) => p.party_id === "own-d") &&
      listed.parties.every((p) => p.role === "delegate"), listed);
    await this.refused("router.GetRegisteredParties", { role: "king" }, key, INVALID,
      "invalid_role");
  }

  async messages() {
    const { first, second } = this;
    const session_id = own.uuid();
    const party_id = second.party_id, router_boot_id = second.router_boot_id;
    const one = (payload, to = [party_id]) => ({ session_id, attempt: 0, to,
      payload: new TextEncoder().encode(payload) });
    const route = (...messages) => this.ok("router.RouteMessage", { from: first.party_id,
      messages }, first.token);
    const refused = (messages, code, name) => this.refused("router.RouteMessage",
      { from: first.party_id, messages }, first.token, code, name);
    const text = (message) => atob(message.payload);

    let inbox = this.stream("router.SubscribeMessages", { party_id, after: 0 }, second.token);
    const routed = await route(one("one"), one("two"));
    this.check("nothing is refused", routed.refused.length === 0, routed);
    const came = [];
    while (came.length < 2)
      came.push(...(await inbox.until(() => true)).messages);
    this.check("they come in order", same(came.map(text), ["one", "two"]) &&
      came.every((m) => m.from === first.party_id && m.session_id === session_id) &&
      came[1].seq > came[0].seq, came);
    await this.ok("router.AcknowledgeMessages", { party_id, through: came[0].seq, router_boot_id },
      second.token);
    const pending = await this.ok("router.PendingMessages", { party_id }, second.token);
    this.check("what is acknowledged is gone", same(pending.messages.map(text), ["two"]), pending);

    inbox.cancel();
    await route(one("three"));
    inbox = this.stream("router.SubscribeMessages", { party_id, after: came[1].seq,
      router_boot_id }, second.token);
    const next = await inbox.until(() => true);
    this.check("it resumes from its cursor", same(next.messages.map(text), ["three"]), next);
    const second_inbox = this.stream("router.SubscribeMessages", { party_id, after: came[1].seq,
      router_boot_id }, second.token);
    const error = await inbox.ended();
    this.check("a second subscription replaces the first", error?.name === "replaced" &&
      (error.code === undefined || error.code === ABORTED), error);
    await second_inbox.until((batch) => text(batch.messages[0]) === "three");
    second_inbox.cancel();

    const mixed = await route(one("to myself", ["own-1"]), one("four"));
    this.check("one of two is refused", mixed.refused.length === 1 &&
      mixed.refused[0].index === 0 && mixed.refused[0].code === "invalid_to", mixed);
    await refused([one("to myself", ["own-1"])], INVALID, "invalid_to");
    await refused([], INVALID, "invalid_messages");
    await refused([{ ...one("x"), session_id: "7" }], INVALID, "invalid_session_id");
    await refused([{ ...one("x"), payload: new Uint8Array(1 << 19) }], INVALID,
      "payload_too_long");
    await this.refused("router.RouteMessage", { from: "own-2", messages: [one("x")] }, first.token,
      DENIED, "not_the_caller");
    for (const method of ["SubscribeMessages", "PendingMessages", "AcknowledgeMessages",
      "SubscribeSessionEvents"])
      await this.refused("router." + method, { party_id }, first.token, DENIED, "not_the_caller");
    await this.refused("router.SubscribeMessages", { party_id, after: -1 }, second.token, INVALID,
      "invalid_cursor");
  }

  async events() {
    const { first } = this;
    const session_id = own.uuid();
    const coordinator = bearer(this.config.tokens.coordinator);
    first.events = this.stream("router.SubscribeSessionEvents", { party_id: first.party_id },
      first.token);
    await this.ok("router.PublishSessionEvent", { event: { event_type: "session_cancelled",
      session_id, detail: "for a test" }, to: [first.party_id], deadline_ms: Date.now() + 60000 },
    coordinator);
    const event = await first.events.until((e) => e.session_id === session_id);
    this.check("an event comes", event.event_type === "session_cancelled" &&
      event.detail === "for a test", event);
    await this.refused("router.PublishSessionEvent", {}, coordinator, INVALID, "invalid_event");
  }
}
