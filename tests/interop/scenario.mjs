// SPDX-License-Identifier: Apache-2.0
// Every call of every service, as it succeeds and as it is refused, over any transport. A transport
// is an object with
//
//   call(process, path, metadata, request)          a promise of {value} or {error: {code, name}}
//   stream(process, path, metadata, request, to)    calls to.push(message), to.end(error); returns
//                                                   how to cancel it
//
// where messages have bytes in base64 and numbers as numbers, |code| is gRPC's (undefined: the
// transport has none) and |name| the x-error-code. The test plays parties and initiator with keys
// of its own, which the system's authority has certified.
import * as own from "./party.mjs";
import * as curve from "./secp256k1.mjs";

const INVALID = 3, NOT_FOUND = 5, EXISTS = 6, DENIED = 7, STATE = 9, ABORTED = 10, IMPOSSIBLE = 11;
const UNAUTHENTICATED = 16;
const NONE = {};
const UNKNOWN = "00000000-0000-4000-8000-000000000000";
// Who may call these is proven by the message.
const PROVEN = ["RegisterParty", "JoinSession", "MarkPartyReady", "ReportCompletion",
  "SubmitDelegateShare"];
const bearer = (token) => ({ authorization: "Bearer " + token });
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// Bytes as base64, everywhere in a request.
function plain(x) {
  if (x instanceof Uint8Array)
    return own.toBase64(x);
  if (Array.isArray(x))
    return x.map(plain);
  if (x === null || typeof x !== "object")
    return x;
  return Object.fromEntries(Object.entries(x).map(([name, value]) => [name, plain(value)]));
}

// Messages of a stream in the order they came.
class Stream {
  constructor() {
    this.queue = [];
    this.wake = () => {};
  }
  push(value) {
    this.queue.push({ value });
    this.wake();
  }
  end(error) {
    this.queue.push({ error, end: true });
    this.wake();
  }
  async next() {
    while (!this.queue.length)
      await new Promise((go) => { this.wake = go; });
    return this.queue[0].end ? this.queue[0] : this.queue.shift();
  }
  // The first message that fits.
  async until(fits) {
    for (;;) {
      const { value, error, end } = await this.next();
      if (end)
        throw new Error("the stream ended: " + JSON.stringify(error));
      if (fits(value))
        return value;
    }
  }
  async ended() {
    let got = {};
    while (!got.end)
      got = await this.next();
    return got.error;
  }
}

export class Scenario {
  // |config| as services.py describes it; |more.reseal| opens a user's share and seals it again.
  constructor(transport, config, more = {}) {
    Object.assign(this, { transport, config, ...more });
    this.key = { "x-api-key": config.api_key };
    this.lines = [];
    this.faults = 0;
    this.covered = { ok: new Set(), refused: new Set() };
  }

  check(what, right, got) {
    this.lines.push(`${right ? "ok" : "FAULT"} ${what}`);
    if (right)
      return;
    this.faults++;
    this.lines.push("    " + JSON.stringify(got)?.slice(0, 600));
  }

  // "router.Heartbeat", or "health.Check@party-1"
  find(what) {
    const [, service, method, process] = /^(\w+)\.(\w+)@?(.*)$/.exec(what);
    const row = this.config.services[service];
    return { process: process || row.process, path: `${row.name}/${method}`,
      is_stream: row.methods[method].is_stream, name: `${service}.${method}` };
  }

  ask(what, request, auth) {
    const { process, path } = this.find(what);
    return this.transport.call(process, path, auth, plain(request));
  }

  async ok(what, request, auth = this.key) {
    const got = await this.ask(what, request, auth);
    this.check(what, got.value !== undefined, got.error);
    if (!got.value)
      throw new Error(`${what} failed, and the rest needs it: ${JSON.stringify(got.error)}`);
    this.covered.ok.add(this.find(what).name);
    return got.value;
  }

  stream(what, request, auth) {
    const { process, path, name } = this.find(what);
    const to = new Stream();
    to.cancel = this.transport.stream(process, path, auth, plain(request), to);
    this.covered.ok.add(name); // every stream that is opened is read from
    return to;
  }

  async refusal(what, request, auth) {
    const { process, path, is_stream } = this.find(what);
    if (!is_stream)
      return (await this.ask(what, request, auth)).error;
    const to = new Stream();
    this.transport.stream(process, path, auth, plain(request), to);
    return (await to.next()).error;
  }

  async refused(what, request, auth, code, name) {
    const error = await this.refusal(what, request, auth);
    this.check(`${what} is refused: ${name}`, error?.name === name &&
      (error.code === undefined || error.code === code), error);
    this.covered.refused.add(this.find(what).name);
  }

  // For what another process has to hear of first.
  async until(what, request, auth, fits) {
    for (;;) {
      const got = await this.ask(what, request, auth);
      if (got.value && fits(got.value))
        return this.ok(what, request, auth);
    }
  }

  rpcs() {
    return Object.entries(this.config.services).flatMap(([service, { methods }]) =>
      Object.keys(methods).map((method) => `${service}.${method}`));
  }

  // ---- who may call ----

  async strangers() {
    for (const what of this.rpcs())
      if (!what.startsWith("health.") && !PROVEN.includes(what.split(".")[1]))
        await this.refused(what, {}, NONE, UNAUTHENTICATED, "unauthorized");
    await this.refused("account.ListAccounts", {}, { "x-api-key": "no" }, UNAUTHENTICATED,
      "unauthorized");
    await this.refused("router.Heartbeat", {}, bearer("a.b.c"), UNAUTHENTICATED, "unauthorized");
    // A key is no token, a token of one kind none of another.
    await this.refused("router.Heartbeat", {}, this.key, UNAUTHENTICATED, "unauthorized");
    await this.refused("router.WatchPresence", {}, bearer(this.config.tokens.ghost),
      UNAUTHENTICATED, "unauthorized");
    await this.refused("router.WatchPresence", {}, bearer(this.config.tokens.account), DENIED,
      "not_the_coordinator");
    await this.refused("router.PublishSessionEvent", {}, bearer(this.config.tokens.account), DENIED,
      "not_the_coordinator");
  }

  async health() {
    for (const [process, name] of Object.entries(this.config.processes)) {
      for (const service of name ? ["", name] : [""]) {
        const got = await this.ok("health.Check@" + process, { service }, NONE);
        this.check("it serves", got.status === "SERVING", got);
        const watch = this.stream("health.Watch@" + process, { service }, NONE);
        const { value } = await watch.next();
        this.check("its watcher is told so", value?.status === "SERVING", value);
        watch.cancel();
      }
      await this.refused("health.Check@" + process, { service: "no.such" }, NONE, NOT_FOUND,
        "service_not_found");
      const watch = this.stream("health.Watch@" + process, { service: "no.such" }, NONE);
      const { value } = await watch.next();
      this.check("its watcher learns that it is not there", value?.status === "SERVICE_UNKNOWN",
        value);
      watch.cancel();
    }
  }

  // ---- backends ----

  async accounts() {
    const user_id = own.uuid();
    const key = this.key;
    const request = { user_id, idempotency_key: own.uuid() };
    const account = await this.ok("account.CreateAccount", request);
    const account_id = account.account_id;
    this.check("the account is active", account.status === "active" &&
      /^0[23][0-9a-f]{64}$/.test(account.public_key) && account.parties.length === 3 &&
      /^0x/.test(account.addresses.ethereum), account);
    const again = await this.ok("account.CreateAccount", request);
    this.check("the same request is the same account", again.account_id === account_id, again);
    await this.refused("account.CreateAccount", { ...request, threshold_t: 3 }, key, EXISTS,
      "idempotency_conflict");
    await this.refused("account.CreateAccount", {}, key, INVALID, "invalid_field");
    await this.refused("account.CreateAccount", { user_id: "u", participants: [{ party_id: "nobody" },
      { party_id: "party-1" }, { party_id: "party-2" }] }, key, IMPOSSIBLE, "unknown_party");

    const list = await this.ok("account.ListAccounts", { user_id });
    this.check("it is listed", list.accounts.length === 1 &&
      list.accounts[0].account_id === account_id, list);
    await this.refused("account.ListAccounts", { limit: 0 }, key, INVALID, "invalid_field");
    const got = await this.ok("account.GetAccount", { account_id });
    this.check("it is read", got.public_key === account.public_key, got);
    const certificate = await this.ok("account.GetCertificate", { account_id });
    this.check("its certificate", certificate.public_key === account.public_key &&
      certificate.parties.length === 3 && certificate.certificate.length > 0, certificate);
    for (const method of ["GetAccount", "GetCertificate", "GetSigningParties",
      "DeleteSigningParties"]) {
      await this.refused("account." + method, { account_id: UNKNOWN }, key, NOT_FOUND,
        "account_not_found");
      await this.refused("account." + method, { account_id: "7" }, key, INVALID, "invalid_field");
    }
    await this.signatures(account);
    await this.signing_parties(account);
    await this.sessions(account);
    await this.refused("account.SubmitOrder", { body: "no", signature: "" }, key, INVALID,
      "invalid_field");
    const parties = await this.ok("account.ListParties", {});
    this.check("the pool is listed", parties.parties.some((p) => p.party_id === "party-1" &&
      p.role === "persistent" && p.live && p.capacity > 0), parties);
  }

  async signatures({ account_id, public_key }) {
    const message = "grüß dich";
    const hash = own.toHex(await own.sha256(new TextEncoder().encode(message)));
    const request = { account_id, message, message_encoding: "utf8", hash: "sha256",
      idempotency_key: own.uuid() };
    const got = await this.ok("account.Sign", request);
    this.check("the signature is the key's", got.message_hash === hash &&
      got.public_key === public_key && got.parties.length === 2 && got.status === "completed" &&
      got.signature.compact === got.signature.r + got.signature.s &&
      curve.verify(public_key, hash, got.signature), got);
    const again = await this.ok("account.Sign", request);
    this.check("the same request is the same signature", same(again.signature, got.signature),
      again);
    await this.refused("account.Sign", { ...request, message: "another" }, this.key, EXISTS,
      "idempotency_conflict");
    await this.refused("account.Sign", { account_id, message: "ab" }, this.key, INVALID,
      "invalid_field");
    await this.refused("account.Sign", { account_id: UNKNOWN, message: hash }, this.key, NOT_FOUND,
      "account_not_found");
    await this.refused("account.Sign", { account_id, message: hash, intent: "00",
      intent_signature: "00" }, this.key, INVALID, "invalid_intent");
  }

  async signing_parties({ account_id, parties }) {
    const party_ids = parties.slice(1).sort();
    const set = await this.ok("account.SetSigningParties", { account_id, party_ids });
    const got = await this.ok("account.GetSigningParties", { account_id });
    this.check("they are set", same([...set.party_ids].sort(), party_ids) &&
      same([...got.party_ids].sort(), party_ids), got);
    const signed = await this.ok("account.Sign", { account_id, message: "0x" + "22".repeat(32) });
    this.check("and sign", same([...signed.parties].sort(), party_ids), signed);
    const left = await this.ok("account.DeleteSigningParties", { account_id });
    this.check("they are gone", left.party_ids.length === 0, left);
    await this.refused("account.SetSigningParties", { account_id, party_ids: ["party-1"] },
      this.key, INVALID, "invalid_field");
    await this.refused("account.SetSigningParties", { account_id: UNKNOWN, party_ids }, this.key,
      NOT_FOUND, "account_not_found");
  }

  async sessions(account) {
    const { account_id } = account;
    const key = this.key;
    const keygen = await this.ok("account.Keygen", { threshold_n: 2, threshold_t: 2,
      participants: [{ party_id: "party-1" }, { party_id: "party-2" }] });
    this.check("a keygen with tokens", keygen.session_type === "keygen" &&
      same(Object.keys(keygen.join_tokens).sort(), ["party-1", "party-2"]), keygen);
    await this.refused("account.Keygen", { threshold_n: 2, threshold_t: 3 }, key, INVALID,
      "invalid_field");
    const made = await this.ok("account.GetSession", { session_id: keygen.session_id, wait: 60 });
    this.check("it completes", made.status === "completed" && made.completed_parties === 2 &&
      /^0[23]/.test(made.public_key), made);
    const message_hash = "33".repeat(32);
    const signed = await this.ok("account.SignSession", { account_id, message_hash });
    this.check("a signing session", signed.keygen_session_id === account.session_id &&
      signed.status === "completed" &&
      curve.verify(account.public_key, message_hash, signed.signature), signed);
    await this.refused("account.SignSession", { account_id: "7", message_hash }, key, INVALID,
      "invalid_account_id");
    await this.refused("account.SignSession", { account_id: UNKNOWN, message_hash }, key, NOT_FOUND,
      "account_not_found");
    const { session_id } = signed;
    const got = await this.ok("account.GetSession", { session_id });
    this.check("it is read", got.session_type === "sign" && got.total_parties === 2 &&
      got.threshold_n === 3 && same(got.signature, signed.signature), got);
    const { events } = await this.ok("account.ListSessionEvents", { session_id });
    // A party that was slower may follow the end.
    this.check("its events", events[0]?.event_type === "session_created" &&
      events.some((e) => e.event_type === "session_completed"), events);
    const rest = await this.ok("account.ListSessionEvents", { session_id, after: events[0].seq });
    this.check("its events after the first", same(rest.events[0], events[1]), rest);
    await this.refused("account.CancelSession", { session_id }, key, STATE, "session_ended");
    for (const method of ["GetSession", "ListSessionEvents", "CancelSession"]) {
      await this.refused("account." + method, { session_id: UNKNOWN }, key, NOT_FOUND,
        "session_not_found");
      await this.refused("account." + method, { session_id: "7" }, key, INVALID, "invalid_field");
    }
    await this.refused("account.GetSession", { session_id, wait: 601 }, key, INVALID,
      "invalid_field");
  }

  // The user's share: made, fetched, confirmed, and handed back in to sign.
  async shares() {
    const key = this.key;
    const user = this.config.user;
    const { public_key, party_id } = await this.ok("shares.GetShareKey", {});
    this.check("the key for shares", /^[0-9a-f]{64}$/.test(public_key), public_key);
    const made = await this.ok("account.CreateAccount", { user_id: own.uuid(), wait: 0,
      user_share: "delegate", user_public_key: user.public_key });
    const { account_id, session_id } = made;
    // Its invitation may still be on its way.
    const share = await this.until("shares.GenerateShare", { session_id,
      user_public_key: user.public_key }, key, () => true);
    this.check("a share", share.party_id === party_id && share.user_share.length > 1000,
      share.party_id);
    const account = await this.until("account.GetAccount", { account_id }, key,
      (x) => x.status !== "pending");
    this.check("of the account's key", account.status === "active" &&
      account.public_key === share.public_key && account.parties.includes(party_id), account);
    await this.refused("shares.SignWithShare", { session_id, user_share: "?" }, key, INVALID,
      "invalid_user_share");
    const confirmed = await this.ok("shares.ConfirmShare", { session_id });
    this.check("it is confirmed", confirmed.status === "confirmed", confirmed);
    await this.refused("shares.GenerateShare", { session_id }, key, STATE, "share_confirmed");
    await this.refused("shares.GenerateShare", { session_id: UNKNOWN }, key, NOT_FOUND,
      "session_not_found");
    await this.refused("shares.GenerateShare", { session_id: UNKNOWN, join_token: "a.b.c" }, key,
      INVALID, "invalid_join_token");
    await this.refused("shares.GenerateShare", { session_id, user_public_key: "00" }, key, INVALID,
      "invalid_user_public_key");
    await this.refused("shares.ConfirmShare", { session_id: UNKNOWN }, key, NOT_FOUND,
      "session_not_found");
    await this.refused("shares.ConfirmShare", { session_id: "7" }, key, INVALID,
      "invalid_session_id");
    if (this.reseal)
      await this.sign_with_share(account, await this.reseal(share.user_share, public_key));
  }

  async sign_with_share({ account_id, public_key, parties }, user_share) {
    const message_hash = "44".repeat(32);
    const other = parties.find((p) => p.startsWith("party-"));
    const delegate = parties.find((p) => !p.startsWith("party-"));
    const { session_id, join_tokens } = await this.ok("account.SignSession", { account_id,
      message_hash, wait: 0, participants: [{ party_id: other }, { party_id: delegate }] });
    const got = await this.ok("shares.SignWithShare", { session_id, user_share,
      join_token: join_tokens[delegate] });
    this.check("the user's share signs", got.status === "completed" &&
      curve.verify(public_key, message_hash, got.signature), got);
  }

  // ---- parties ----

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
    this.check("one of two is refused", mixed.refused.length === 1 && mixed.refused[0].index === 0 &&
      mixed.refused[0].code === "invalid_to", mixed);
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

  // ---- sessions with the test's own parties ----

  members(...parties) {
    return parties.map((p, i) => ({ party_id: p.party_id, index: i + 1,
      certificate: p.certificate }));
  }

  // CreateSession's request.
  async request(operation, parties, more = {}) {
    const initiator = this.initiator ??= await own.key();
    const { message, ...rest } = more;
    return { session_type: operation === own.KEYGEN ? "keygen" : "sign", want_tokens: true,
      members: this.members(...parties), ...rest,
      ...await own.intent(initiator, { operation, account_id: own.uuid(), t: parties.length,
        identities: parties.map((p) => p.identity), message }) };
  }

  async join(party, session_id, join_token) {
    const request = { session_id, party_id: party.party_id, join_token,
      idempotency_key: own.uuid() };
    const got = await this.ok("coordinator.JoinSession", request, NONE);
    return { request, setup: got.setup, attempt: 0, session_id, party_id: party.party_id,
      session_token: got.session_token };
  }

  // What MarkPartyReady and ReportCompletion want of a joined party.
  said(joined, more = {}) {
    const { session_id, party_id, session_token } = joined;
    return { session_id, party_id, session_token, attempt: 0, ...more };
  }

  async selection() {
    const ask = { threshold_t: 2, threshold_n: 2, party_ids: ["own-1", "own-2"] };
    const what = "coordinator.SelectParties";
    const got = await this.until(what, ask, this.key, () => true);
    this.check("those that are named", same(got.members.map((m) => m.party_id), ask.party_ids) &&
      got.members[0].certificate.body === own.toBase64(this.first.certificate.body), got);
    await this.until(what, { threshold_t: 2, threshold_n: 2, user_share: "delegate",
      party_ids: ["own-1", "own-d"] }, this.key, () => true);
    await this.refused(what, { threshold_t: 1, threshold_n: 2 }, this.key, INVALID,
      "invalid_threshold");
    await this.refused(what, { ...ask, party_ids: ["own-1", "nobody"] }, this.key, IMPOSSIBLE,
      "unknown_party");
    await this.refused(what, { ...ask, party_ids: ["own-1", "own-d"] }, this.key, IMPOSSIBLE,
      "wrong_role");
  }

  // A keygen that a party gives up.
  async failure() {
    const { first, second, key } = this;
    const request = await this.request(own.KEYGEN, [first, second], {
      idempotency_key: own.uuid() });
    const what = "coordinator.CreateSession";
    await this.refused(what, {}, key, INVALID, "invalid_field");
    await this.refused(what, { ...request, intent_signature: new Uint8Array(64) }, key, INVALID,
      "invalid_intent");
    await this.refused(what, { ...request, members: this.members(second, first) }, key, INVALID,
      "invalid_intent");
    const made = await this.ok(what, request);
    const { session_id, account_id } = made.session;
    this.check("it exists, with tokens", !made.existed &&
      same(Object.keys(made.join_tokens).sort(), ["own-1", "own-2"]), made);
    const again = await this.ok(what, request);
    this.check("the same request is the same session", again.existed &&
      again.session.session_id === session_id, again);
    await this.refused(what, { ...await this.request(own.KEYGEN, [first, second]),
      idempotency_key: request.idempotency_key }, key, EXISTS, "idempotency_conflict");

    const watch = this.stream("coordinator.WatchSession", { session_id }, key);
    await watch.until((m) => m.session.session_id === session_id);
    const tokens = await this.invitations(session_id, made.join_tokens);
    const joined = await this.joining(session_id, tokens);
    await this.reports(session_id, joined);
    const { session } = await watch.until((m) => m.session.status === "failed");
    this.check("it has failed", session.joined_parties === 2 && session.error_code === "policy",
      session);
    this.check("and the stream ends", await watch.ended() === undefined);
    await this.after_failure(session_id, account_id);
  }

  // By the stream and by the poll; the tokens are those that the creator got.
  async invitations(session_id, tokens) {
    const { first, second } = this;
    const event = await first.events.until((e) => e.session_id === session_id);
    this.check("an invitation with the whole setup", event.event_type === "session_created" &&
      event.setup.members.length === 2 && event.setup.threshold_t === 2 &&
      event.join_token.length > 0, event);
    const what = "coordinator.ListInvitations";
    const polled = await this.ok(what, { party_id: "own-2" }, second.token);
    const found = polled.events.find((e) => e.session_id === session_id);
    this.check("the same by a poll", found?.event_type === "session_created" &&
      found.setup.intent === event.setup.intent && polled.cursor >= found.seq, polled);
    const later = await this.ok(what, { party_id: "own-2", after: polled.cursor,
      after_order: polled.order_cursor }, second.token);
    this.check("nothing after the cursor", later.events.length === 0, later);
    await this.refused(what, { party_id: "own-1" }, second.token, DENIED, "wrong_party");
    const claims = (token) => atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
    const id = (token) => JSON.parse(claims(token)).jti;
    this.check("each has the creator's token", id(event.join_token) === id(tokens["own-1"]) &&
      id(found.join_token) === id(tokens["own-2"]), tokens);
    return { "own-1": event.join_token, "own-2": found.join_token };
  }

  async joining(session_id, tokens) {
    const { first, second, delegate } = this;
    const what = "coordinator.JoinSession";
    const joined = await this.join(first, session_id, tokens["own-1"]);
    const again = await this.ok(what, joined.request, NONE);
    this.check("a repeat gets the same answer", same(again.setup, joined.setup) &&
      joined.setup.session_id === session_id, again);
    const refused = (more, code, name) =>
      this.refused(what, { ...joined.request, ...more }, NONE, code, name);
    await refused({ idempotency_key: own.uuid() }, EXISTS, "join_token_used");
    await refused({ idempotency_key: "short" }, INVALID, "invalid_field");
    await refused({ join_token: "" }, UNAUTHENTICATED, "unauthorized");
    await refused({ join_token: joined.session_token }, UNAUTHENTICATED, "unauthorized");
    await refused({ session_id: UNKNOWN }, DENIED, "wrong_session");
    await refused({ party_id: delegate.party_id }, DENIED, "wrong_party");
    const other = await this.join(second, session_id, tokens["own-2"]);
    return [joined, other];
  }

  async reports(session_id, [joined, other]) {
    const mark = "coordinator.MarkPartyReady", report = "coordinator.ReportCompletion";
    for (const party of [joined, other]) {
      const got = await this.ok(mark, this.said(party), NONE);
      this.check("its status is told", ["waiting", "ready", "running"].includes(got.status), got);
    }
    for (const what of [mark, report]) {
      await this.refused(what, this.said(joined, { session_token: "" }), NONE, UNAUTHENTICATED,
        "unauthorized");
      await this.refused(what, this.said(joined, { party_id: "own-2" }), NONE, DENIED,
        "wrong_party");
      await this.refused(what, { session_id }, NONE, INVALID, "invalid_field");
    }
    const failure = { code: "POLICY", text: "not today", retry: false };
    await this.refused(report, this.said(joined), NONE, INVALID, "invalid_field");
    await this.refused(report, this.said(joined, { attempt: 7, failure }), NONE, INVALID,
      "invalid_field");
    const got = await this.ok(report, this.said(joined, { failure }), NONE);
    this.check("the failure is the end", got.status === "failed", got);
    const again = await this.ok(report, this.said(joined, { failure }), NONE);
    this.check("a repeat is acknowledged", again.status === "failed", again);
  }

  async after_failure(session_id, account_id) {
    const { first, second, key } = this;
    const end = await first.events.until((e) => e.session_id === session_id &&
      e.event_type === "session_failed");
    this.check("parties are told", end.detail.includes("not today"), end);
    const what = "coordinator.ListSessionEvents";
    const { events } = await this.ok(what, { session_id }, first.token);
    const types = events.map((e) => e.event_type);
    this.check("the log has it all", types[0] === "session_created" &&
      types.filter((t) => t === "party_joined").length === 2 &&
      types.at(-1) === "session_failed", types);
    const rest = await this.ok(what, { session_id, after: events[0].seq, limit: 1 });
    this.check("the log after a cursor", rest.events.length === 1 &&
      rest.events[0].seq === events[1].seq, rest);
    const status = await this.ok("coordinator.GetSessionStatus", { session_id, wait: 1 });
    this.check("it is failed for all readers", status.session.status === "failed" &&
      status.session.error.includes("not today"), status);
    const listed = await this.ok("coordinator.ListSessions", { account_id, status: "failed" });
    this.check("it is listed", same(listed.sessions.map((s) => s.session_id), [session_id]),
      listed);
    await this.refused("coordinator.ListSessions", { status: "odd" }, key, INVALID,
      "invalid_field");
    await this.refused("coordinator.CancelSession", { session_id }, key, STATE, "session_ended");
    const joined = { session_id, from: first.party_id };
    const late = await this.ok("router.RouteMessage", { from: joined.from, messages: [{ session_id,
      attempt: 0, to: [second.party_id], payload: new Uint8Array(4) }] }, first.token);
    this.check("messages of an ended session are dropped", late.refused.length === 0, late);
    for (const method of ["GetSessionStatus", "ListSessionEvents", "WatchSession",
      "CancelSession"]) {
      await this.refused("coordinator." + method, { session_id: UNKNOWN }, key, NOT_FOUND,
        "session_not_found");
      await this.refused("coordinator." + method, { session_id: "7" }, key, INVALID,
        "invalid_field");
    }
  }

  // A signature that the test's own parties make, under a key of the test.
  async signature() {
    const { first, second, delegate, key } = this;
    const secret = own.toHex(own.random(32));
    const message = "pay";
    const message_hash = own.toHex(await own.sha256(new TextEncoder().encode(message)));
    const request = await this.request(own.SIGN, [first, second], {
      message, message_hash, public_key: curve.publicOf(secret) });
    const what = "coordinator.CreateSession";
    await this.refused(what, { ...request, message_hash: "55".repeat(32) }, key, INVALID,
      "invalid_intent");
    const made = await this.ok(what, request);
    const { session_id } = made.session;
    await first.events.until((e) => e.session_id === session_id); // the router knows its members
    await this.refused("router.RouteMessage", { from: delegate.party_id, messages: [{ session_id,
      attempt: 0, to: ["own-1"], payload: new Uint8Array(4) }] }, delegate.token, DENIED,
    "not_a_member");
    const watch = this.stream("coordinator.WatchSession", { session_id }, first.token);
    const joined = await this.join(first, session_id, made.join_tokens["own-1"]);
    await this.refused("coordinator.SubmitDelegateShare", this.share(joined), NONE, DENIED,
      "not_a_delegate");
    const { r, s, recovery_id } = curve.sign(secret, message_hash, own.toHex(own.random(32)));
    const signature = own.join(own.fromHex(r), own.fromHex(s), [recovery_id]);
    const got = await this.ok("coordinator.ReportCompletion",
      this.said(joined, { signature: { signature } }), NONE);
    this.check("the first signature is the end", got.status === "completed", got);
    const { session } = await watch.until((m) => m.session.status === "completed");
    this.check("it is everybody's", session.signature.r === r && session.signature.s === s &&
      session.signature.recovery_id === recovery_id && session.message_hash === message_hash,
    session);
    await this.false_signature();
  }

  async false_signature() {
    const { first, second } = this;
    const message_hash = own.toHex(await own.sha256(new TextEncoder().encode("x")));
    const request = await this.request(own.SIGN, [first, second], { message: "x", message_hash,
      public_key: curve.publicOf("01".repeat(32)) });
    const { session, join_tokens } = await this.ok("coordinator.CreateSession", request);
    const joined = await this.join(first, session.session_id, join_tokens["own-1"]);
    await this.refused("coordinator.ReportCompletion", this.said(joined, {
      signature: { signature: new Uint8Array(65).fill(1) } }), NONE, INVALID, "invalid_result");
    await this.refused("coordinator.JoinSession", joined.request, NONE, STATE, "session_ended");
  }

  share({ session_id, party_id, session_token }) {
    return { session_id, party_id, session_token, sealed_share: new Uint8Array(100) };
  }

  async delegation() {
    const { first, delegate } = this;
    const what = "coordinator.SubmitDelegateShare";
    const { session, join_tokens } = await this.ok("coordinator.CreateSession",
      await this.request(own.KEYGEN, [first, delegate]));
    const { session_id } = session;
    const joined = await this.join(delegate, session_id, join_tokens["own-d"]);
    await this.refused(what, { ...this.share(joined), session_token: "" }, NONE, UNAUTHENTICATED,
      "unauthorized");
    await this.refused(what, { ...this.share(joined), sealed_share: new Uint8Array() }, NONE,
      INVALID, "invalid_field");
    await this.ok(what, this.share(joined), NONE);
    const got = await this.ok("coordinator.CancelSession", { session_id });
    this.check("it is cancelled", got.session.status === "cancelled", got);
    await this.refused(what, this.share(joined), NONE, STATE, "session_ended");
    const keygen = await this.ok("account.Keygen", { threshold_n: 2, threshold_t: 2,
      participants: [{ party_id: "own-1" }, { party_id: "own-2" }] });
    const cancelled = await this.ok("account.CancelSession", { session_id: keygen.session_id });
    this.check("by the account service too", cancelled.status === "cancelled", cancelled);
  }

  // ---- the operator ----

  async orders() {
    const operator = await own.key(own.fromHex(this.config.operator_seed));
    const account_id = own.uuid();
    const freeze = await own.order(operator, "freeze", account_id, 1);
    const { seq } = await this.ok("account.SubmitOrder", { body: own.toHex(freeze.body),
      signature: own.toHex(freeze.signature) });
    const what = "coordinator.SubmitOrder";
    await this.refused(what, { order: freeze }, this.key, STATE, "order_too_old");
    const thaw = { order: await own.order(operator, "unfreeze", account_id, 2) };
    const next = await this.ok(what, thaw);
    this.check("orders are numbered", next.seq > seq, next);
    const stranger = { order: await own.order(await own.key(), "freeze", account_id, 3) };
    await this.refused(what, stranger, this.key, DENIED, "order_not_signed");
    const polled = await this.ok("coordinator.ListInvitations", { party_id: "own-1",
      after_order: seq }, this.first.token);
    this.check("parties are told", polled.orders.length === 1 &&
      polled.orders[0].body === own.toBase64(thaw.order.body), polled.orders);
  }

  coverage() {
    // Nothing to refuse: who may watch health is everybody, and of what is not there it says so.
    const harmless = ["health.Watch"];
    const lacks = this.rpcs().filter((x) => !this.covered.ok.has(x) &&
      !(x === "shares.SignWithShare" && !this.reseal));
    this.check("every call has succeeded once", lacks.length === 0, lacks);
    const kind = this.rpcs().filter((x) => !this.covered.refused.has(x) && !harmless.includes(x));
    this.check("every call was refused once", kind.length === 0, kind);
  }

  // True if all is right; this.lines has a line for each check.
  async run() {
    try {
      for (const part of ["strangers", "health", "shares", "accounts", "registration", "presence",
        "messages", "events", "selection", "failure", "signature", "delegation", "orders",
        "coverage"])
        await this[part]();
    } catch (e) {
      this.check("to the end", false, e.stack);
    }
    return this.faults === 0;
  }
}
