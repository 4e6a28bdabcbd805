# SPDX-License-Identifier: Apache-2.0
"""The REST rows of coordinator, router and server-party-api, by curl, and of the account service
what needs a system in a special state: parties or a service that stand still.

"Stand still" is SIGSTOP, seen in /proc before anything is asked; the lease is long, so that the
system waits for who stands still as long as a test looks. Callers without a good key come from
addresses of their own: failed tries are counted by address."""
import base64
import itertools
import time
import unittest
import uuid

from doors import ACCOUNT, COORDINATOR, OPEN, PARTY_ONLY, ROUTER, ROUTES, SHARES, jwt
from sealed import key_pair, lent_share, open_box, seal
from support import (HASH, Stack, TestCase, b64, change_env, curl, patient, signature_is_valid,
                     standing, state_of, until)

FRONTS = ("party-1", "party-2", "party-3")
TRACE = "0123456789abcdef" * 2
SESSION_FIELDS = {"session_id", "session_type", "status", "threshold_n", "threshold_t",
                  "total_parties", "joined_parties", "completed_parties", "created_at",
                  "expires_at"}
sources = (f"127.1.{i // 250}.{i % 250 + 1}" for i in itertools.count())


def fields_of(b):
    """[(number, value)] of a protocol buffer."""
    def varint(at):
        n = shift = 0
        while True:
            n |= (b[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if b[at - 1] < 128:
                return n, at

    found, at = [], 0
    while at < len(b):
        tag, at = varint(at)
        if tag & 7 == 0:
            value, at = varint(at)
        else:
            n, at = varint(at)
            value, at = b[at:at + n], at + n
        found.append((tag >> 3, value))
    return found


class Rest(TestCase):
    @classmethod
    def setUpClass(cls):
        def edit(directory):
            for name in (ACCOUNT, COORDINATOR, ROUTER, SHARES):
                change_env(directory, name, ALLOWED_IPS="127.0.0.1,::1,127.1.0.0/16")
            patient(directory)
        cls.stack = Stack(edit)
        cls.account = cls.stack.create()
        cls.id = cls.account["account_id"]
        status, cls.signed = cls.at(ACCOUNT, "POST", f"/api/v1/accounts/{cls.id}/sign",
                                    {"message": HASH}, headers={"x-request-id": TRACE})
        assert status == 200, cls.signed
        cls.session = cls.signed["session_id"]

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    @classmethod
    def at(cls, process, method, path, body=None, key=True, headers=None):
        words = [w for k, v in (headers or {}).items() for w in ("-H", f"{k}: {v}")]
        if key is not True:
            words += ["--interface", next(sources)]
        return curl(cls.stack, method, cls.stack.service_url(process) + path, *words, body=body,
                    key=key)

    def still(self, *names):
        return standing(*(self.stack.pid(name) for name in names))

    def waiting_session(self, **fields):
        """A signing session of parties 1 and 2, which have to stand still: what /mpc/sign said."""
        status, made = self.at(ACCOUNT, "POST", "/api/v1/mpc/sign?wait=0", {
            "account_id": self.id, "message_hash": HASH,
            "participants": [{"party_id": "party-1"}, {"party_id": "party-2"}], **fields})
        self.assertEqual((status, made["status"]), (201, "waiting"), made)
        return made

    def party_token(self, party):
        now = int(time.time())
        return "Bearer " + jwt(self.stack.env(COORDINATOR)["JWT_SECRET_KEY"], typ="party",
                               sub=party, role="persistent", jti=uuid.uuid4().hex, iat=now,
                               exp=now + 600)

    # --- every route ---

    def test_every_route_refuses_a_caller_without_key(self):
        for process, method, path, rpc in ROUTES:
            path = path.replace("{account_id}", self.id).replace("{session_id}", self.session)
            for key in (False, "wrong"):
                with self.subTest(process=process, path=path, method=method, key=key):
                    body = {"session_id": self.session} if method != "GET" else None
                    answer = self.at(process, method, path, None if "{" in path or rpc in OPEN
                                     else body, key=key)
                    if rpc in OPEN:
                        # Their proof is the token in the message, and there is none.
                        self.assertIn(answer[0], (400, 401))
                    else:
                        self.assertError(answer, 401, "unauthorized")
                        self.assertEqual(answer[1]["error"], "unauthorized")

    def test_every_route_refuses_other_methods_bodies_that_are_no_json_and_unknown_fields(self):
        verbs = {}
        for process, method, path, _ in ROUTES:
            verbs.setdefault((process, path), set()).add(method)
        for (process, path), known in verbs.items():
            url = path.replace("{account_id}", self.id).replace("{session_id}", self.session)
            with self.subTest(process=process, path=url):
                status, body = self.at(process, "PATCH", url)
                self.assertError((status, body), 405, "PATCH")
                self.assertTrue(all(verb in body["error"] for verb in known), body)
            for method in known - {"GET", "DELETE"}:
                rpc = next(r[3] for r in ROUTES if r[:3] == (process, method, path))
                headers = {}
                if rpc in PARTY_ONLY:
                    headers = {"Authorization": self.party_token("party-1")}
                with self.subTest(process=process, path=url, method=method):
                    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
                        status, body = curl(
                            self.stack, method, self.stack.service_url(process) + url, "-H",
                            "Content-Type:" + kind, "--data-binary", "{}",
                            *(w for k, v in headers.items() for w in ("-H", f"{k}: {v}")))
                        self.assertError((status, body), 415, "application/json")
                    self.assertError(self.at(process, method, url, {"hovercraft": 1},
                                             headers=headers), 400, "hovercraft")
                    self.assertError(self.at(process, method, url, "{", headers=headers), 400)
        for process in (ACCOUNT, COORDINATOR, ROUTER, SHARES):
            self.assertError(self.at(process, "GET", "/api/v1/nothing"), 404)
            self.assertError(self.at(process, "GET", "/api/v2/sessions"), 404)

    def test_ready_and_metrics_need_no_key(self):
        names = {ACCOUNT: "account", COORDINATOR: COORDINATOR, ROUTER: ROUTER, SHARES: SHARES,
                 "party-1": "server-party"}
        for process, name in names.items():
            with self.subTest(process):
                until(lambda p=process: self.at(p, "GET", "/ready", key=False)[0] == 200)
                self.assertEqual(self.at(process, "GET", "/ready", key=False),
                                 (200, {"service": name, "status": "ready"}))
                status, text = self.at(process, "GET", "/metrics", key=False)
                self.assertEqual(status, 200)
                self.assertIn("# TYPE quorate_rpc_seconds histogram", text)
                for path in ("/health", "/ready", "/metrics"):
                    self.assertError(self.at(process, "POST", path, {}, key=False), 405)

    # --- coordinator ---

    def test_sessions_are_listed_and_read(self):
        status, body = self.at(COORDINATOR, "GET", f"/api/v1/sessions/{self.session}")
        self.assertEqual(status, 200)
        session = body["session"]
        self.assertLessEqual(SESSION_FIELDS, set(session))
        self.assertEqual((session["status"], session["session_type"], session["threshold_n"],
                          session["threshold_t"], session["total_parties"]),
                         ("completed", "sign", 3, 2, 2))
        self.assertEqual(session["signature"], self.signed["signature"])
        status, body = self.at(COORDINATOR, "GET", f"/api/v1/sessions?account_id={self.id}")
        self.assertEqual(status, 200)
        self.assertIn(self.session, [s["session_id"] for s in body["sessions"]])
        self.assertEqual({s["account_id"] for s in body["sessions"]}, {self.id})
        seen, after = [], ""
        while True:
            status, body = self.at(COORDINATOR, "GET",
                                   f"/api/v1/sessions?limit=1&status=completed&after={after}")
            self.assertEqual(status, 200)
            if not body["sessions"]:
                break
            self.assertEqual([s["status"] for s in body["sessions"]], ["completed"])
            after = body["sessions"][0]["session_id"]
            seen.append(after)
        self.assertEqual(len(seen), len(set(seen)))
        self.assertIn(self.session, seen)
        for query, name in (("status=done", "status"), ("account_id=x", "account_id"),
                            ("after=x", "after"), ("limit=1001", "limit"), ("limit=x", "limit"),
                            ("what=1", "what"), ("status=failed&status=failed", "status")):
            with self.subTest(query):
                self.assertError(self.at(COORDINATOR, "GET", "/api/v1/sessions?" + query), 400,
                                 name)
        self.assertError(self.at(COORDINATOR, "GET",
                                 f"/api/v1/sessions/{self.session}?wait=601"), 400, "wait")

    def test_unknown_sessions_and_malformed_ids_of_the_coordinator(self):
        for method, suffix in (("GET", ""), ("GET", "/events"), ("POST", "/cancel")):
            path = f"/api/v1/sessions/{uuid.uuid4()}{suffix}"
            self.assertError(self.at(COORDINATOR, method, path), 404, path.split("/")[4])
            self.assertError(self.at(COORDINATOR, method, f"/api/v1/sessions/x{suffix}"), 400,
                             "session_id")
        self.assertError(self.at(COORDINATOR, "POST", f"/api/v1/sessions/{self.session}/cancel"),
                         409, "has ended: completed")
        self.assertError(self.at(COORDINATOR, "GET",
                                 f"/api/v1/sessions/{self.session}/events?limit=1001"), 400,
                         "limit")

    def test_events_of_a_session_in_pages(self):
        path = f"/api/v1/sessions/{self.session}/events"
        status, body = self.at(COORDINATOR, "GET", path)
        self.assertEqual(status, 200)
        events = body["events"]
        self.assertEqual(events[0]["event_type"], "session_created")
        self.assertEqual({e["session_id"] for e in events}, {self.session})
        status, body = self.at(COORDINATOR, "GET",
                               f"{path}?limit=1&after={events[0]['seq']}")
        self.assertEqual((status, body["events"]), (200, events[1:2]))
        self.assertNotIn("join_token", str(events))
        for process, where in ((COORDINATOR, path), (ACCOUNT, path.replace("/v1", "/v1/mpc")),
                               (ACCOUNT, "/api/v1/freezes")):
            for bad in ("-1", "x", "9223372036854775808"):
                self.assertError(self.at(process, "GET", f"{where}?after={bad}"), 400, "after")

    def test_a_session_is_made_of_a_signed_intent(self):
        # One that the account service has signed a moment ago: its deadline is not far.
        status, signed = self.at(ACCOUNT, "POST", f"/api/v1/accounts/{self.id}/sign?wait=600",
                                 {"message": HASH})
        self.assertEqual(status, 200, signed)
        stored = fields_of(self.stack.rows(COORDINATOR, "coordinator.db",
                                           "SELECT request FROM session_events WHERE request IS NOT NULL"
                                           " AND session_id = ?",
                                           signed["session_id"])[0][0])
        one = {number: value for number, value in stored if number not in (5, 6)}
        members = []
        for number, value in stored:
            if number == 5:
                m = dict(fields_of(value))
                members.append({"party_id": m[1].decode(), "index": m[2]})

        def text(b):
            return base64.b64encode(b).decode()
        request = {"session_type": one[1].decode(), "intent": text(one[2]),
                   "intent_signature": text(one[3]), "initiator_key": text(one[4]),
                   "members": members, "preferred": ["party-1", "party-3"],
                   "public_key": one[7].decode(), "message_hash": one[8].decode(),
                   "idempotency_key": "again-" + uuid.uuid4().hex, "want_tokens": True}
        with self.still(*FRONTS):
            status, made = self.at(COORDINATOR, "POST", "/api/v1/sessions", request)
            self.assertEqual(status, 201, made)
            self.assertEqual((made["session"]["status"], made["existed"]), ("waiting", False))
            self.assertEqual(set(made["join_tokens"]), {"party-1", "party-3"})
            status, again = self.at(COORDINATOR, "POST", "/api/v1/sessions", request)
            self.assertEqual((status, again["existed"]), (201, True))
            self.assertEqual(again["session"]["session_id"], made["session"]["session_id"])
            session_id = made["session"]["session_id"]
            status, ended = self.at(COORDINATOR, "POST", f"/api/v1/sessions/{session_id}/cancel")
            self.assertEqual((status, ended["session"]["status"]), (200, "cancelled"))
            self.assertEqual(self.at(COORDINATOR, "POST", f"/api/v1/sessions/{session_id}/cancel"),
                             (200, ended))
        broken = text(bytes([one[2][0] ^ 1]) + one[2][1:])
        bad = [({"session_type": "export"}, "session_type"), ({"session_type": ""}, "session_type"),
               ({"session_type": "keygen"}, "intent"), ({"intent": broken}, "intent"),
               ({"intent": "!!"}, "intent"), ({"intent_signature": "00"}, "intent_signature"),
               ({"initiator_key": ""}, "initiator_key"), ({"members": members[:1]}, "members"),
               ({"members": members[::-1]}, "members"),
               ({"members": [{**m, "party_id": "party-1"} for m in members]}, "members"),
               ({"members": [{**members[0], "party_id": "a b"}] + members[1:]}, "party_id"),
               ({"preferred": ["party-1"]}, "preferred"), ({"public_key": "02"}, "public_key"),
               ({"message_hash": "22" * 32}, "message_hash"), ({"deadline_ms": -1}, "deadline_ms"),
               ({"deadline_ms": 1}, "deadline"), ({"keygen_session_id": "x"}, "keygen_session_id"),
               ({"user_public_key": "AAAA"}, "user_public_key"),
               ({"idempotency_key": "k" * 256}, "idempotency_key")]
        for change, name in bad:
            with self.subTest(change=change):
                self.assertError(self.at(COORDINATOR, "POST", "/api/v1/sessions",
                                         {**request, **change}), 400, name)
        self.assertError(self.at(COORDINATOR, "POST", "/api/v1/sessions",
                                 {**request, "preferred": ["party-1", "nobody"]}), 422, "nobody")

    def test_join_ready_and_complete(self):
        with self.still(*FRONTS):
            made = self.waiting_session()
            session_id, tokens = made["session_id"], made["join_tokens"]
            self.assertEqual(set(tokens), {"party-1", "party-2"})
            path = f"/api/v1/sessions/{session_id}"
            join = {"party_id": "party-1", "join_token": tokens["party-1"],
                    "idempotency_key": uuid.uuid4().hex}
            self.assertError(self.at(COORDINATOR, "POST", path + "/join",
                                     {**join, "idempotency_key": "short"}), 400, "idempotency_key")
            self.assertError(self.at(COORDINATOR, "POST", path + "/join",
                                     {**join, "session_id": session_id}), 400, "session_id")
            self.assertError(self.at(COORDINATOR, "POST", path + "/join",
                                     {**join, "join_token": "x"}), 401)
            self.assertError(self.at(COORDINATOR, "POST", path + "/join",
                                     {**join, "party_id": "party-2"}), 403, "another party")
            self.assertError(self.at(COORDINATOR, "POST", f"/api/v1/sessions/{uuid.uuid4()}/join",
                                     join), 403, "another session")
            status, joined = self.at(COORDINATOR, "POST", path + "/join", join, key=False)
            self.assertEqual((status, joined["setup"]["session_id"]), (200, session_id))
            self.assertEqual([m["party_id"] for m in joined["setup"]["members"]],
                             ["party-1", "party-2"])
            self.assertEqual(self.at(COORDINATOR, "POST", path + "/join", join)[0], 200)
            self.assertError(self.at(COORDINATOR, "POST", path + "/join",
                                     {**join, "idempotency_key": uuid.uuid4().hex}), 409,
                             "used already")
            status, body = self.at(ACCOUNT, "GET", f"/api/v1/mpc/sessions/{session_id}")
            self.assertEqual((status, body["status"], body["joined_parties"]), (200, "waiting", 1))

            proof = {"party_id": "party-1", "session_token": joined["session_token"]}
            for verb, more in (("/ready", {}), ("/complete", {"failure": {"code": "POLICY"}})):
                self.assertError(self.at(COORDINATOR, "POST", path + verb,
                                         {**proof, **more, "party_id": ""}), 400, "party_id")
                self.assertError(self.at(COORDINATOR, "POST", path + verb,
                                         {**proof, **more, "party_id": "party-2"}), 403)
                self.assertError(self.at(COORDINATOR, "POST", path + verb,
                                         {**proof, **more, "session_token": tokens["party-1"]}),
                                 401)
            self.assertEqual(self.at(COORDINATOR, "POST", path + "/ready", proof),
                             (200, {"status": "waiting"}))
            self.assertError(self.at(COORDINATOR, "POST", path + "/complete", proof), 400,
                             "signature")
            self.assertError(self.at(COORDINATOR, "POST", path + "/complete",
                                     {**proof, "attempt": 7, "failure": {"code": "POLICY"}}),
                             400, "attempt")
            # The participants are fixed: without this one there is no signature.
            failure = {**proof, "failure": {"code": "POLICY", "text": "not on Sundays"}}
            status, body = self.at(COORDINATOR, "POST", path + "/complete", failure)
            self.assertEqual(status, 200, body)
            status, body = self.at(COORDINATOR, "GET", path + "?wait=60")
            self.assertEqual((status, body["session"]["status"]), (200, "failed"), body)
            self.assertIn("not on Sundays", body["session"]["error"])
            self.assertEqual(self.at(COORDINATOR, "POST", path + "/complete", failure),
                             (200, {"status": "failed"}))
            for verb, more in (("/join", join), ("/cancel", {})):
                self.assertError(self.at(COORDINATOR, "POST", path + verb, more), 409,
                                 "has ended: failed")
        self.assertEqual(self.stack.sign(self.id).status, 200)

    # --- router ---

    def test_parties_of_the_router(self):
        status, body = self.at(ROUTER, "GET", "/api/v1/parties")
        self.assertEqual(status, 200)
        roles = {p["party_id"]: p["role"] for p in body["parties"]}
        self.assertLessEqual({(name, "persistent") for name in FRONTS}, set(roles.items()))
        self.assertIn("delegate", roles.values())
        for party in body["parties"]:
            self.assertTrue(party["live"] and party["last_seen"] and party["capacity"], party)
        status, body = self.at(ROUTER, "GET", "/api/v1/parties?role=persistent")
        self.assertEqual((status, {p["party_id"] for p in body["parties"]}), (200, set(FRONTS)))
        self.assertError(self.at(ROUTER, "GET", "/api/v1/parties?role=king"), 400, "role")
        self.assertError(self.at(ROUTER, "GET", "/api/v1/parties?rule=x"), 400, "rule")

    def test_messages_of_the_router_are_parties_alone(self):
        payload = base64.b64encode(b"sealed").decode()
        with self.still(*FRONTS):
            made = self.waiting_session()
            message = {"session_id": made["session_id"], "to": ["party-2"], "payload": payload}
            body = {"from": "party-1", "messages": [message]}
            pending = "/api/v1/messages/pending?party_id=party-2&after=0"
            self.assertError(self.at(ROUTER, "POST", "/api/v1/messages", body), 401)
            self.assertError(self.at(ROUTER, "GET", pending), 401)
            one, two = ({"Authorization": self.party_token(p)} for p in ("party-1", "party-2"))

            def post(**change):
                return self.at(ROUTER, "POST", "/api/v1/messages", {**body, **change}, headers=one)
            status, answer = post()
            self.assertEqual((status, answer["refused"]), (200, []))
            status, batch = self.at(ROUTER, "GET", pending, headers=two)
            self.assertEqual(status, 200)
            mine = [m for m in batch["messages"] if m["session_id"] == made["session_id"]]
            self.assertEqual([(m["from"], m["payload"]) for m in mine], [("party-1", payload)])
            status, batch = self.at(ROUTER, "GET", pending[:-1] + str(mine[0]["seq"]), headers=two)
            self.assertEqual((status, batch["messages"]), (200, []))

            self.assertError(self.at(ROUTER, "GET", pending, headers=one), 403, "party_id")
            self.assertError(post(**{"from": "party-2"}), 403, "from")
            self.assertError(post(messages=[{**message, "to": ["party-3"]}]), 403, "party-3")
            self.assertError(post(messages=[]), 400, "messages")
            for change, name in (({"session_id": "x"}, "session_id"), ({"payload": ""}, "payload"),
                                 ({"to": []}, "to "), ({"to": ["party-1"]}, "to "),
                                 ({"to": ["party-2", "party-2"]}, "party-2"),
                                 ({"payload": "!"}, "payload")):
                self.assertError(post(messages=[{**message, **change}]), 400, name)
            self.assertError(self.at(ROUTER, "GET", pending[:-1] + "-1", headers=two), 400, "after")
            self.assertError(self.at(ROUTER, "GET", pending[:-1] + "x", headers=two), 400, "after")
            nobody = {"Authorization": self.party_token("party-9")}
            self.assertError(self.at(ROUTER, "GET", pending.replace("-2", "-9"), headers=nobody),
                             409, "party-9 is not registered")
            self.at(ACCOUNT, "POST", f"/api/v1/mpc/sessions/{made['session_id']}/cancel")

    # --- server-party-api ---

    def test_a_share_is_made_confirmed_and_lent(self):
        public, secret = key_pair()
        status, made = self.at(ACCOUNT, "POST", "/api/v1/accounts", {
            "user_id": "with-share", "user_share": "delegate", "user_public_key": public.hex()})
        self.assertEqual((status, made["status"]), (201, "active"), made)
        keygen = {"session_id": made["session_id"]}
        status, share = self.at(SHARES, "POST", "/api/v1/shares/generate", keygen)
        self.assertEqual((status, share["public_key"]), (200, made["public_key"]), share)
        self.assertEqual(share["user_share"], made["encrypted_user_share"])
        for _ in range(2):
            self.assertEqual(self.at(SHARES, "POST", "/api/v1/shares/confirm", keygen),
                             (200, {**keygen, "status": "confirmed"}))
        self.assertError(self.at(SHARES, "POST", "/api/v1/shares/generate", keygen), 409,
                         "confirmed and is no longer here")

        status, key = self.at(SHARES, "GET", "/api/v1/shares/key")
        self.assertEqual((status, key["party_id"]), (200, share["party_id"]))
        status, begun = self.at(ACCOUNT, "POST", "/api/v1/mpc/sign?wait=0", {
            "account_id": made["account_id"], "message_hash": HASH,
            "participants": [{"party_id": p} for p in (made["parties"][0], key["party_id"])]})
        self.assertEqual(status, 201, begun)
        lent = lent_share(begun["session_id"], open_box(b64(share["user_share"]), public, secret))
        lent = base64.b64encode(seal(lent, bytes.fromhex(key["public_key"]))).decode()
        sign = {"session_id": begun["session_id"], "user_share": lent,
                "join_token": begun["join_tokens"][key["party_id"]]}
        self.assertError(self.at(SHARES, "POST", "/api/v1/shares/generate",
                                 {k: sign[k] for k in ("session_id", "join_token")}), 409,
                         "is no keygen")
        status, signed = self.at(SHARES, "POST", "/api/v1/shares/sign", sign)
        self.assertEqual((status, signed["status"]), (200, "completed"), signed)
        self.assertTrue(signature_is_valid({**signed, "public_key": made["public_key"],
                                            "message_hash": HASH}))
        status, session = self.at(ACCOUNT, "GET",
                                  f"/api/v1/mpc/sessions/{begun['session_id']}?wait=60")
        self.assertEqual((status, session["signature"]), (200, signed["signature"]))

    def test_refusals_of_server_party_api(self):
        nowhere = {"session_id": str(uuid.uuid4())}
        share = base64.b64encode(bytes(100)).decode()
        for verb, more in (("generate", {}), ("confirm", {}), ("sign", {"user_share": share})):
            path = "/api/v1/shares/" + verb
            with self.subTest(verb):
                self.assertError(self.at(SHARES, "POST", path, {**nowhere, **more}), 404,
                                 nowhere["session_id"])
                for bad in ("", "x", None):
                    self.assertError(self.at(SHARES, "POST", path, {**more, "session_id": bad}),
                                     400, "session_id")
                self.assertError(self.at(SHARES, "POST", path, more), 400, "session_id")
        for verb, more in (("generate", {}), ("sign", {"user_share": share})):
            self.assertError(self.at(SHARES, "POST", "/api/v1/shares/" + verb,
                                     {**nowhere, **more, "join_token": "x"}), 400, "join_token")
        for bad in ("", "00", "zz" * 32, 7):
            if bad != "":
                self.assertError(self.at(SHARES, "POST", "/api/v1/shares/generate",
                                         {**nowhere, "user_public_key": bad}), 400,
                                 "user_public_key")
            self.assertError(self.at(SHARES, "POST", "/api/v1/shares/sign",
                                     {**nowhere, "user_share": bad}), 400, "user_share")
        self.assertError(self.at(SHARES, "GET", "/api/v1/shares/key?x=1"), 400, "x")

    # --- account-service, with the parties or the coordinator standing still ---

    def test_a_session_that_waits_is_cancelled_and_its_caller_told(self):
        with self.still(*FRONTS):
            made = self.waiting_session()
            path = f"/api/v1/mpc/sessions/{made['session_id']}"
            status, body = self.at(ACCOUNT, "POST", path + "/cancel")
            self.assertEqual((status, body["status"]), (200, "cancelled"), body)
            self.assertEqual(self.at(ACCOUNT, "POST", path + "/cancel"), (200, body))
            status, body = self.at(ACCOUNT, "GET", path + "?wait=60")
            self.assertEqual((status, body["status"]), (200, "cancelled"))
            status, body = self.at(ACCOUNT, "GET", path + "/events")
            self.assertEqual(body["events"][-1]["event_type"], "session_cancelled")

    def test_a_wait_that_ran_out_is_504_with_the_session(self):
        with self.still(*FRONTS):
            answer = self.at(ACCOUNT, "POST", f"/api/v1/accounts/{self.id}/sign?wait=1",
                             {"message": HASH})
            self.assertError(answer, 504, "the session goes on")
            self.assertEqual(answer[1]["code"], "wait_over")
            session_id = answer[1]["session_id"]
            status, body = self.at(ACCOUNT, "GET", f"/api/v1/mpc/sessions/{session_id}")
            self.assertEqual((status, body["status"]), (200, "waiting"))
            status, body = self.at(ACCOUNT, "GET", f"/api/v1/mpc/sessions/{session_id}?wait=1")
            self.assertEqual((status, body["status"]), (200, "waiting"))
        status, body = self.at(ACCOUNT, "GET", f"/api/v1/mpc/sessions/{session_id}?wait=60")
        self.assertEqual((status, body["status"]), (200, "completed"), body)

    def test_an_account_that_is_not_waited_for(self):
        with self.still(*FRONTS):
            status, made = self.at(ACCOUNT, "POST", "/api/v1/accounts?wait=0", {"user_id": "later"})
            self.assertEqual((status, made["status"]), (201, "pending"), made)
            self.assertNotIn("public_key", made)
            self.assertNotIn("addresses", made)
            for method, suffix, body in (("POST", "/sign", {"message": HASH}),
                                         ("GET", "/certificate", None)):
                self.assertError(self.at(ACCOUNT, method,
                                         f"/api/v1/accounts/{made['account_id']}{suffix}", body),
                                 409, "pending, not active")
        status, session = self.at(ACCOUNT, "GET",
                                  f"/api/v1/mpc/sessions/{made['session_id']}?wait=60")
        self.assertEqual((status, session["status"]), (200, "completed"), session)
        account = until(lambda: next((a for a in [self.at(
            ACCOUNT, "GET", "/api/v1/accounts/" + made["account_id"])[1]]
                                      if a["status"] == "active"), None))
        self.assertEqual(account["public_key"], session["public_key"])

    def test_a_coordinator_that_does_not_answer_is_503_or_504(self):
        """Which of them is whether the missing answer or the missing ping is seen first."""
        with self.still(COORDINATOR):
            answer = self.at(ACCOUNT, "POST", f"/api/v1/accounts/{self.id}/sign?wait=1",
                             {"message": HASH})
            self.assertIn((answer[0], answer[1]["code"]),
                          {(503, "unavailable"), (504, "deadline")})
            self.assertError(answer, answer[0])
        until(lambda: self.stack.sign(self.id).status == 200)

    def test_a_coordinator_that_is_away_is_503(self):
        with standing(self.stack.process.pid):  # which would start it again
            old = self.stack.kill(COORDINATOR)
            until(lambda: state_of(old) == "Z")
            answer = self.at(ACCOUNT, "GET", f"/api/v1/mpc/sessions/{self.session}")
            self.assertError(answer, 503, "cannot be reached")
            until(lambda: self.at(ACCOUNT, "GET", "/ready", key=False) ==
                  (503, {"service": "account", "status": "not_ready"}))
            self.assertEqual(self.at(ACCOUNT, "GET", "/health", key=False)[0], 200)
            self.assertEqual(self.at(ACCOUNT, "GET", f"/api/v1/accounts/{self.id}"),
                             (200, self.account))
        self.stack.restarted(COORDINATOR, old)
        until(lambda: self.at(ACCOUNT, "GET", "/ready", key=False)[0] == 200)
        until(lambda: self.stack.sign(self.id).status == 200)

    # --- one id for a request, everywhere ---

    def test_the_callers_request_id_is_everywhere(self):
        def lines(process, program):
            return [line for line in self.stack.log(process).splitlines()
                    if "trace=" + TRACE in line and f" {program} " in line]
        for process in (ACCOUNT, COORDINATOR, ROUTER):
            until(lambda p=process: lines(p, p))
        for party in self.signed["parties"]:
            for program in ("server-party", "keeper"):
                found = until(lambda p=party, q=program: lines(p, q))
                self.assertIn("session=" + self.session, found[0])
        # and there is no other: a line about the session is of its request
        for process in (ACCOUNT, COORDINATOR, ROUTER, SHARES, *FRONTS):
            for line in self.stack.log(process).splitlines():
                self.assertTrue("session=" + self.session not in line or "trace=" + TRACE in line,
                                line)
        for process, path in ((ACCOUNT, "/api/v1/mpc"), (COORDINATOR, "/api/v1")):
            status, body = self.at(process, "GET", f"{path}/sessions/{self.session}/events")
            self.assertEqual((status, {e["trace_id"] for e in body["events"]}), (200, {TRACE}))
        status, body = self.at(ACCOUNT, "GET", "/api/v1/nothing", headers={"x-request-id": TRACE})
        self.assertEqual((status, body["request_id"]), (404, TRACE))
        status, body = self.at(ACCOUNT, "GET", "/api/v1/nothing", headers={"x-request-id": "mine"})
        self.assertRegex(body["request_id"], "^[0-9a-f]{32}$")


if __name__ == "__main__":
    unittest.main()
