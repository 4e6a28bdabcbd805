# SPDX-License-Identifier: Apache-2.0
"""Tokens, registrations, clocks: what is forged, used up, of another kind or out of time is
refused, and has no effect (doors.py)."""
import base64
import contextlib
import re
import time
import unittest
import uuid

from doors import (ACCOUNT, COORDINATOR, OTHER_ID, ROUTER, Door, Doors, Key, authority, b64url,
                   certify, field, jwt, registration, wire)
from support import HASH, LIMIT, standing, until


class Proofs(Doors):
    coordinator = "mpc.coordinator.v1.SessionCoordinator/"
    router = "mpc.router.v1.MessageRouter/"

    def forgeries(self, make):
        """(what, token, code of the refusal): all that is not a good token of make(**changes)."""
        now, good = int(time.time()), make()
        first, body, signature = good.split(".")
        other = b64url(b'{"alg":"none","typ":"JWT"}')
        yield "other secret", make(secret="x" * 64), "unauthorized"
        yield "empty secret", make(secret=""), "unauthorized"
        yield "alg none", f"{other}.{body}.", "unauthorized"
        yield "alg none, signed", f"{other}.{body}.{signature}", "unauthorized"
        yield "no signature", f"{first}.{body}.", "unauthorized"
        yield "cut", good[:-1], "unauthorized"
        yield "longer", good + "A", "unauthorized"
        yield "HS512", make(header='{"alg":"HS512","typ":"JWT"}', digest="sha512"), "unauthorized"
        yield "HS256, other head", make(header='{"typ":"JWT","alg":"HS256"}'), "unauthorized"
        yield "changed", f"{first}.{b64url(b'{}')}.{signature}", "unauthorized"
        yield "expired", make(now=now - 10000), "token_expired"
        yield "of the future", make(iat=now + 100, exp=now + 700), "clock_skew"
        yield "no times", make(iat="x", exp=None), "unauthorized"
        yield "no id", make(jti=""), "unauthorized"
        yield "no subject", make(sub=""), "unauthorized"
        yield "subject of other form", make(sub="../party-1"), "unauthorized"
        yield "no token", "x", "unauthorized"
        yield "long", "A" * 5000, "unauthorized"

    def token(self, kind, session, party="party-2", secret=None, now=None, **claims):
        """A join or session token."""
        now = int(time.time()) if now is None else now
        return jwt(self.secret if secret is None else secret, **{
            "typ": kind, "sub": party, "sid": session, "jti": uuid.uuid4().hex, "iat": now,
            "exp": now + 600, **claims})

    def waiting_session(self):
        """One that waits for party-2, which is stopped until the test is over; party-1 has joined."""
        still = contextlib.ExitStack()
        self.addCleanup(still.close)
        still.enter_context(standing(*map(self.stack.pid, ("party-2/keeper", "party-2"))))
        answer = self.ask(ACCOUNT, "POST", "/api/v1/mpc/sign?wait=0", {
            "account_id": self.id, "message_hash": HASH,
            "participants": [{"party_id": "party-1"}, {"party_id": "party-2"}]})
        self.assertEqual(answer.status, 201, answer)
        path = "/api/v1/mpc/sessions/" + answer.body["session_id"]
        until(lambda: self.ask(ACCOUNT, "GET", path).body["joined_parties"] == 1)
        return answer.body["session_id"], answer.body["join_tokens"]

    def finish(self, session):
        """It goes on as if nothing had been, and gives a signature."""
        self.doCleanups()
        answer = self.ask(ACCOUNT, "GET", f"/api/v1/mpc/sessions/{session}?wait=120")
        self.assertEqual(answer.body["status"], "completed", answer)
        self.expect_sessions()

    def session_calls(self, session, token, party="party-2"):
        """The four calls with a token in the message, by route and by WebSocket: errors."""
        path = f"/api/v1/sessions/{session}"
        request = {"party_id": party, "session_token": token}
        failure = {**request, "failure": {"code": "SILENT", "text": "x"}}
        for verb, body in (("ready", request), ("complete", failure)):
            answer = self.ask(COORDINATOR, "POST", f"{path}/{verb}", body, key=None)
            yield answer.status, answer.body
        for method, body in (("MarkPartyReady", request), ("ReportCompletion", failure),
                             ("SubmitDelegateShare", {**request, "sealed_share": "AAAA"})):
            got = self.socket_call(COORDINATOR, self.coordinator + method,
                                   {"session_id": session, **body})
            yield None, got.get("error", got)

    def join_calls(self, session, token, party="party-2"):
        body = {"party_id": party, "join_token": token, "idempotency_key": uuid.uuid4().hex}
        answer = self.ask(COORDINATOR, "POST", f"/api/v1/sessions/{session}/join", body, key=None)
        yield answer.status, answer.body
        got = self.socket_call(COORDINATOR, self.coordinator + "JoinSession",
                               {"session_id": session, **body})
        yield None, got.get("error", got)

    def assertRefused(self, answers, code, status=401):
        for http, body in answers:
            self.assertEqual((http or status, body.get("code")), (status, code), body)
            if status == 401:
                self.assertEqual(body["error"], "unauthorized")

    def test_tokens_of_sessions(self):
        session, real = self.waiting_session()
        self.assertEqual(real["party-2"].split(".")[0], b64url(b'{"alg":"HS256","typ":"JWT"}'))
        for kind, calls in (("join", self.join_calls), ("session", self.session_calls)):
            for there in (session, OTHER_ID):  # what exists makes no difference
                for what, token, code in self.forgeries(
                        lambda there=there, kind=kind, **c: self.token(kind, there, **c)):
                    with self.subTest(what, kind=kind, session=there):
                        self.assertRefused(calls(there, token), code)
                for other in {"join", "session", "party", "service", "x"} - {kind}:
                    token = self.token(other, there) if other in ("join", "session", "x") else \
                        self.party_token("party-2") if other == "party" else self.service_token()
                    self.assertRefused(calls(there, token), "unauthorized")
            self.assertRefused(calls(session, self.token(kind, OTHER_ID)), "wrong_session", 403)
            self.assertRefused(calls(session, self.token(kind, session, "party-3")),
                               "wrong_party", 403)
            self.assertRefused(calls(session, self.token(kind, session, "party-9"), "party-9"),
                               "not_invited", 403)
        self.assertRefused(self.join_calls(session, self.token("join", session, "party-3"),
                                           "party-3"), "not_invited", 403)
        # the token of party-1 was used by party-1
        self.assertRefused(self.join_calls(session, real["party-1"], "party-1"),
                           "join_token_used", 409)
        # what this test makes is a token: only its contents were wrong
        ready = next(self.session_calls(session, self.token("session", session, "party-1"),
                                        "party-1"))
        self.assertEqual(ready[0], 200, ready)
        self.finish(session)

    def test_bad_tokens_in_messages_are_counted_limited_and_told(self):
        """As bad API keys are (test_bad_input.py)."""
        name = 'quorate_auth_failures_total{reason="token"}'
        mine, before = next(Door.fresh), self.stack.metrics(COORDINATOR)[name]
        got = [self.ask(COORDINATOR, "POST", f"/api/v1/sessions/{self.session}/join",
                        {"party_id": "party-1", "join_token": f"no.such.token{i}",
                         "idempotency_key": uuid.uuid4().hex}, key=None, source=mine)
               for i in range(40)]
        self.assertEqual({a.status for a in got[:20]}, {401})
        self.assertError(got[-1], 429)
        self.assertGreaterEqual(int(got[-1].headers["Retry-After"]), 1)
        self.assertEqual(self.stack.metrics(COORDINATOR)[name] - before, 40)
        token = self.token("session", self.session, "party-1")
        good = self.ask(COORDINATOR, "POST", f"/api/v1/sessions/{self.session}/ready",
                        {"party_id": "party-1", "session_token": token}, key=None, source=mine)
        self.assertEqual((good.status, good.body["code"]), (409, "session_ended"))
        told = [line for line in self.stack.log(COORDINATOR).splitlines()
                if "a caller was refused" in line and mine in line]
        self.assertIn(len(told), range(20, 40))
        self.assertNotIn("no.such.token", self.stack.log(COORDINATOR))

    def test_the_difference_of_clocks_is_named(self):
        now = int(time.time())
        for claims, sentence in (({"iat": now + 400, "exp": now + 700}, r"(3\d\d|400) s ahead"),
                                 ({"iat": now - 700, "exp": now - 100}, r"expired [1-4]\d\d s ago")):
            body = b"".join(field(i + 1, v) for i, v in enumerate((
                self.session, "party-1", self.token("join", self.session, "party-1", **claims),
                "k" * 16)))
            code, text = self.web(COORDINATOR, self.coordinator + "JoinSession",
                                  wire.message(body))
            self.assertEqual(code, 16)
            self.assertRegex(text.replace("%20", " "), sentence)

    def party_calls(self, token, party="party-1"):
        """Calls of a party with its token in the head, by route and by WebSocket."""
        head_line = {"Authorization": "Bearer " + token}
        for verb, path, body in (
                ("POST", "/api/v1/messages", {"from": party, "messages": [
                    {"session_id": self.session, "to": ["party-2"], "payload": "AAAA"}]}),
                ("GET", f"/api/v1/messages/pending?party_id={party}", None)):
            answer = self.ask(ROUTER, verb, path, body, key=None, headers=head_line)
            yield answer.status, answer.body
        for process, method, request in (
                (ROUTER, self.router + "Heartbeat", {"time_ms": int(time.time() * 1000)}),
                (ROUTER, self.router + "SubscribeMessages", {}),
                (ROUTER, self.router + "SubscribeSessionEvents", {}),
                (ROUTER, self.router + "AcknowledgeMessages", {"through": 1 << 40}),
                (COORDINATOR, self.coordinator + "ListInvitations", {})):
            got = self.socket_call(process, method, {"party_id": party, **request},
                                   authorization="Bearer " + token)
            yield None, got.get("error", got)

    def test_tokens_of_parties(self):
        for what, token, code in self.forgeries(lambda **c: self.party_token(**c)):
            with self.subTest(what):
                self.assertRefused(self.party_calls(token), code)
        for token in (self.token("join", self.session, "party-1"), self.service_token(),
                      self.token("session", self.session, "party-1"),
                      self.party_token(role="king"), self.party_token(sid=self.session)):
            self.assertRefused(self.party_calls(token), "unauthorized")
        for status, body in self.party_calls(self.party_token("party-3")):
            self.assertIn(body["code"], ("not_the_caller", "wrong_party"))
            self.assertIn(status, (403, None))
        # parties that nobody knows
        for i, (_, body) in enumerate(self.party_calls(self.party_token("party-77"), "party-77")):
            if i < 6:
                self.assertEqual(body["code"], "not_registered")
                self.assertIn("party-77", body["error"])
        # what is a service's is no party's
        for method in ("PublishSessionEvent", "WatchPresence"):
            got = self.socket_call(ROUTER, self.router + method, {},
                                   authorization="Bearer " + self.party_token())
            self.assertEqual(got["error"]["code"], "unauthorized")
            for what, token, code in self.forgeries(
                    lambda secret=None, now=None, **c: self.party_token(
                        "session-coordinator", secret, now, **{"typ": "service", "role": "", **c})):
                got = self.socket_call(ROUTER, self.router + method, {},
                                       authorization="Bearer " + token)
                self.assertEqual(got["error"]["code"], code, what)
            token = self.service_token(sub="account-service")
            got = self.socket_call(ROUTER, self.router + method, {},
                                   authorization="Bearer " + token)
            self.assertEqual(got["error"]["code"], "not_the_coordinator")
        # nor does any token open what is for keys
        for token in (self.party_token(), self.service_token()):
            self.assertUnauthorized(self.ask(ACCOUNT, "GET", "/api/v1/accounts", key=None,
                                             headers={"Authorization": "Bearer " + token}))

    def test_heartbeats_whose_clock_is_off(self):
        for off, word in ((-31000, "behind"), (45000, "ahead")):
            got = self.socket_call(ROUTER, self.router + "Heartbeat", {
                "party_id": "party-1", "time_ms": int(time.time() * 1000) + off},
                authorization="Bearer " + self.party_token())["error"]
            self.assertClock(got, word, off)

    def assertClock(self, error, word, off):
        self.assertEqual(error["code"], "clock_skew", error)
        self.assertRegex(error["error"], rf"\d+\.\d\d\d s {word}.* at most 30 s")
        apart = float(re.search(r"([\d.]+) s " + word, error["error"])[1])
        self.assertTrue(30 < apart and abs(apart - abs(off) / 1000) < LIMIT, apart)

    # --- registration ---

    def assertRegistration(self, request, code):
        got = self.socket_call(ROUTER, self.router + "RegisterParty", request)
        if code is None:
            self.assertIn("response", got)
            return got["response"]
        self.assertEqual(got["error"]["code"], code, got)
        return got["error"]

    def test_registrations(self):
        ca = authority(self.stack)
        key, stranger = Key(), Key()
        good = certify(ca, "party-88", key.public)
        bad = b"\0" * 64
        for request, code in (
                (registration(key, certify(stranger, "party-88", key.public)),
                 "invalid_certificate"),
                (registration(key, {**good, "signature": base64.b64encode(bad).decode()}),
                 "invalid_certificate"),
                (registration(key, good, party="party-1"), "invalid_certificate"),
                (registration(key, good, role="persistent"), "invalid_certificate"),
                (registration(key, None), "invalid_certificate"),
                (registration(stranger, good), "invalid_proof"),
                (registration(key, good, proof=base64.b64encode(bad).decode()), "invalid_proof"),
                (registration(key, good, nonce="A" * 21 + "Q=="), "invalid_proof"),
                (registration(key, good, time_ms=int(time.time() * 1000) + 1), "invalid_proof"),
                (registration(key, certify(ca, "party-88", b"\1" + b"\0" * 31)),
                 "invalid_certificate"),
                (registration(key, good, nonce="AAAA"), "invalid_nonce"),
                (registration(key, good, boot_id=""), "invalid_boot_id"),
                (registration(key, good, capacity=0), "invalid_capacity"),
                (registration(key, good, version="x" * 500), "invalid_version"),
                (registration(key, good, party="a/b"), "invalid_party_id")):
            self.assertRegistration(request, code)
        for off, word in ((-31000, "behind"), (45000, "ahead")):
            self.assertClock(self.assertRegistration(registration(key, good, off=off),
                                                     "clock_skew"),
                             word, off)
        parties = self.ask(ROUTER, "GET", "/api/v1/parties").body["parties"]
        self.assertNotIn("party-88", [p["party_id"] for p in parties])
        # the same, rightly made, is taken: once
        request = registration(key, good, off=-20000)
        self.assertIn("party_token", self.assertRegistration(request, None))
        self.assertRegistration(request, "replayed")
        self.assertRegistration({**request, "capacity": 1000}, "replayed")

    def test_registrations_that_fail_are_limited(self):
        mine, request = next(Door.fresh), registration(Key(), None)
        codes = []
        for _ in range(60):
            s = wire.Socket(Door(self.doors[ROUTER][0].port, mine))
            with s.s:
                s.send({"id": 1, "method": self.router + "RegisterParty", "request": request})
                codes.append(s.receive()["error"]["code"])
        self.assertEqual((codes[0], codes[-1]), ("invalid_certificate", "rate_limited"))


if __name__ == "__main__":
    unittest.main()
