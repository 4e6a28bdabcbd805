// SPDX-License-Identifier: Apache-2.0
// The scenario's part of sessions at the coordinator: the test's own parties join, fail, sign, hand
// in a share; the operator gives orders.
import { INVALID, NOT_FOUND, EXISTS, DENIED, STATE, IMPOSSIBLE,
  UNAUTHENTICATED, NONE, UNKNOWN, same } from "./calls.mjs";
import { Parties } from "./parties.mjs";
import * as own from "./party.mjs";
import * as curve from "./secp256k1.mjs";

export class Sessions extends Parties {
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

  async orders() {
    const operator = await own.key(own.fromHex(this.config.operator_seed));
    const account_id = own.uuid();
    const freeze = await own.order(operator, "freeze", account_id, 1);
    const { seq } = await this.ok("account.SubmitOrder", { body: own.toHex(freeze.body),
      signature: own.toHex(freeze.signature) });
    const frozen = await this.ok("coordinator.ListFreezes", {});
    this.check("what is frozen is listed",
      frozen.orders.some((o) => o.body === own.toBase64(freeze.body)), frozen.orders);
    await this.refused("coordinator.ListFreezes", { after: -1 }, this.key, INVALID,
      "invalid_field");
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
}
