// SPDX-License-Identifier: Apache-2.0
// The scenario's part of backends: accounts, signatures, users' shares, with an API key.
import { Calls, INVALID, NOT_FOUND, EXISTS, STATE, IMPOSSIBLE, UNKNOWN, same } from "./calls.mjs";
import * as own from "./party.mjs";
import * as curve from "./secp256k1.mjs";

export class Backends extends Calls {
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
    await this.refused("account.CreateAccount", { user_id: "u",
      participants: [{ party_id: "nobody" }, { party_id: "party-1" }, { party_id: "party-2" }] },
    key, IMPOSSIBLE, "unknown_party");

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
    const { freezes } = await this.ok("account.ListFreezes", {});
    this.check("nothing is frozen for long", Array.isArray(freezes), freezes);
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
    if (this.lend)
      await this.sign_with_share(account, (id) => this.lend(share.user_share, public_key, id));
  }

  async sign_with_share({ account_id, public_key, parties }, lend) {
    const message_hash = "44".repeat(32);
    const other = parties.find((p) => p.startsWith("party-"));
    const delegate = parties.find((p) => !p.startsWith("party-"));
    const { session_id, join_tokens } = await this.ok("account.SignSession", { account_id,
      message_hash, wait: 0, participants: [{ party_id: other }, { party_id: delegate }] });
    const user_share = await lend(session_id);
    const got = await this.ok("shares.SignWithShare", { session_id, user_share,
      join_token: join_tokens[delegate] });
    this.check("the user's share signs", got.status === "completed" &&
      curve.verify(public_key, message_hash, got.signature), got);
  }
}
