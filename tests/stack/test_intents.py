# SPDX-License-Identifier: Apache-2.0
"""Signed intents from end to end. A caller that signs its own, with the bytes of docs/wire.md made
here, gets an account that obeys nobody else: not the service that carries its requests, not another
caller, not a coordinator that lies. What the coordinator would refuse already is put before the
parties through the router, with a forged token: each party decides for itself.

The same for whom a user's share is for: the caller says it with the key of its intents, and the
delegate believes nobody else. And the policy hook of one party, which is given the message
itself."""
import base64
import hashlib
import json
import os
import re
import struct
import time
import unittest
import uuid

from doors import Door, Key, jwt, wire
from support import (LIMIT, Stack, TestCase, b64, change_env, patient, signature_is_valid,
                     until)

from sealed import key_pair, lent_share, open_box, seal  # of tests/interop, as support is

PARTIES = ("party-1", "party-2", "party-3")
DELEGATE = "server-party-api"
WITH_USER = ("party-1", "party-2", "delegate-1")
LIMIT_MS = LIMIT * 1000 // 2  # of sessions, before their intents' end
FORBIDDEN = "all of it to the moon"
POLICY = """#!/bin/sh
# Keeps what it was asked; refuses one message.
request=$(cat)
echo "$request" >> {log}
case "$request" in *{word}*) echo REJECT;; *) echo APPROVE;; esac
"""


def th(label, *fields):
    """The transcript hash of protocol.md B.1."""
    t = hashlib.sha256(b"DKC/1/" + label).digest()
    return hashlib.sha256(t + t + b"".join(struct.pack(">I", len(f)) + f for f in fields)).digest()


class Intent(dict):
    """The fields of an intent, by name; bytes() is its canonical form."""

    def __init__(self, **fields):
        super().__init__(version=1, suite=1, profile=1, purpose=1, request=uuid.uuid4().bytes,
                         keyid=b"\0" * 32, nonce=os.urandom(32),
                         deadline=int(time.time()) + LIMIT, attempts=3, t=2, parties=(1, 2, 3),
                         idk=(), path=(), digest=0, message=b"")
        self.update(fields)

    def but(self, **fields):
        return Intent(**{**self, **fields})

    def __bytes__(self):
        f = self
        return b"".join((
            b"DKI1", bytes((f["version"], f["operation"], f["suite"], f["profile"], f["purpose"])),
            f["account"], f["request"], f["keyid"], f["nonce"],
            struct.pack(">QIHH", f["deadline"], f["attempts"], f["t"], len(f["parties"])),
            *(struct.pack(">H", i) for i in f["parties"]), *f["idk"],
            struct.pack(">H", len(f["path"])), *(struct.pack(">I", i) for i in f["path"]),
            bytes((f["digest"],)), struct.pack(">I", len(f["message"])), f["message"]))


def signature(key, intent):
    return key.sign(th(b"intent/sig", bytes(intent)))


def words(key, intent):
    """The members of a request that carry it."""
    return {"intent": bytes(intent).hex(), "intent_signature": signature(key, intent).hex()}


def user_key_signature(key, intent, public):
    return key.sign(b"quorate/user-key/1\0" + hashlib.sha256(bytes(intent)).digest() + public)


class Intents(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.caller, cls.other, cls.stranger = Key(), Key(), Key()

        def edit(directory):
            cls.asked = os.path.join(directory, "policy.log")
            script = os.path.join(directory, "policy.sh")
            with open(script, "w", encoding="ascii") as f:
                f.write(POLICY.format(log=cls.asked, word=FORBIDDEN.encode().hex()))
            keys = f"{cls.caller.public.hex()},{cls.other.public.hex()}"
            for name in ("account-service", *PARTIES, DELEGATE):
                change_env(directory, name, CALLER_KEYS=keys)
            change_env(directory, "party-3", POLICY_COMMAND="sh " + script)
            patient(directory)
        cls.stack = Stack(edit)
        with open(os.path.join(cls.stack.dir, "identities.json"), encoding="ascii") as f:
            identities = json.load(f)
        cls.idk, cls.user_idk = (
            tuple(hashlib.sha256(bytes.fromhex(identities[p])).digest() for p in names)
            for names in (PARTIES, WITH_USER))
        cls.user_public, cls.user_secret = key_pair()
        with open(os.path.join(cls.stack.dir, "keys", "initiator.key"), encoding="ascii") as f:
            cls.service = Key(bytes.fromhex(f.read().strip()))
        cls.plain = cls.stack.create()["account_id"]
        answer = cls.create(cls.caller, cls.keygen())
        assert answer.status == 201, answer
        cls.account = answer.body

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    @classmethod
    def keygen(cls, **fields):
        return Intent(**{"operation": 1, "account": uuid.uuid4().bytes, "idk": cls.idk, **fields})

    @classmethod
    def create(cls, key, asked, **more):
        return cls.stack.call("POST", "/api/v1/accounts", {
            "user_id": "own", "participants": [{"party_id": p} for p in PARTIES],
            **words(key, asked), **more})

    def intent(self, **fields):
        """To sign for the account."""
        keyid = th(b"kg/keyid", b"\1", bytes.fromhex(self.account["public_key"]))
        return Intent(**{"operation": 2, "account": uuid.UUID(self.account["account_id"]).bytes,
                         "keyid": keyid, "digest": 1, "message": b"pay " + os.urandom(8), **fields})

    def sign(self, key, asked, *parties, **more):
        body = {"message": asked["message"].hex(), "hash": ("none", "sha256", "keccak256")[
            asked["digest"]], **words(key, asked), **more}
        if parties:
            body["participants"] = [{"party_id": p} for p in parties]
        return self.stack.call("POST", f"/api/v1/accounts/{self.account['account_id']}/sign", body)

    def assertSigned(self, answer):
        self.assertEqual(answer.status, 200, answer)
        self.assertTrue(signature_is_valid(answer.body))

    def refusals(self, session):
        """{party: code} of those that refused the session, as they told their logs."""
        found = {}
        for party in PARTIES:
            line = re.search(rf"session={session} .*code=(\w+)", self.stack.log(party))
            if line:
                found[party] = line[1]
        return found

    # --- whom an account obeys ---

    def test_own_intents_make_an_account_and_sign(self):
        self.assertEqual(self.account["status"], "active")
        for intent in (self.intent(), self.intent(digest=2),
                       self.intent(digest=0, message=os.urandom(32)), self.intent(path=(44, 60, 0)),
                       self.intent(parties=(2, 3)), self.intent(message=os.urandom(65536))):
            path = "m/" + "/".join(map(str, intent["path"])) if intent["path"] else "m"
            answer = self.sign(self.caller, intent, derivation_path=path)
            self.assertSigned(answer)
            allowed = {PARTIES[i - 1] for i in intent["parties"]}
            self.assertLessEqual(set(answer.body["parties"]), allowed)

    def test_every_party_refuses_what_its_caller_did_not_sign(self):
        path = f"/api/v1/accounts/{self.account['account_id']}/sign"
        for pair in (PARTIES[:2], PARTIES[1:]):
            answers = (self.stack.call("POST", path, {"message": "11" * 32, "participants": [
                           {"party_id": p} for p in pair]}),
                       self.sign(self.other, self.intent(), *pair),
                       self.stack.call("POST", "/api/v1/mpc/sign", {
                           "account_id": self.account["account_id"], "message_hash": "11" * 32,
                           "participants": [{"party_id": p} for p in pair]}))
            for answer in answers:
                self.assertError(answer, 422, "obeys only the caller whose intent made it")
            for session, *_ in self.stack.sessions("status = 'failed' ORDER BY created_ms DESC")[:3]:
                until(lambda session=session: len(self.refusals(session)) >= 1)
                self.assertEqual(set(self.refusals(session).values()), {"INITIATOR"})
        self.assertSigned(self.sign(self.caller, self.intent()))
        # and the service's key goes on to sign for accounts that it made
        self.assertEqual(self.stack.sign(self.plain).status, 200)

    def test_requests_that_differ_from_their_intents(self):
        good = self.intent()
        for intent, changes in (
                (good, {"message": b"other".hex()}), (good, {"hash": "keccak256"}),
                (good, {"derivation_path": "m/1"}), (good, {"intent": bytes(good).hex() + "00"}),
                (good, {"intent": bytes(good)[:-1].hex()}), (good, {"intent": "zz"}),
                (good, {"intent": ""}), (good, {"intent_signature": "00"}),
                (good, {"intent_signature": ""}), (good, {"intent_signature": "0" * 128}),
                (good.but(keyid=b"\1" * 32), {}), (good.but(account=os.urandom(16)), {}),
                (good.but(operation=3), {}), (good.but(deadline=int(time.time()) - 1), {}),
                (good.but(deadline=1 << 63), {}), (good.but(version=2), {})):
            answer = self.sign(self.caller, intent, **changes)
            self.assertError(answer, 400)
            self.assertRegex(answer.body["error"], "intent|deadline")
        self.assertError(self.sign(self.stranger, good), 400, "CALLER_KEYS")
        self.assertError(self.sign(self.service, good), 400, "CALLER_KEYS")
        self.assertSigned(self.sign(self.caller, good))

    def test_keygens_of_other_parties_than_the_intent_names(self):
        before = self.stack.rows("account-service", "account.db", "SELECT account_id FROM accounts")
        for intent, key in ((self.keygen(idk=(self.idk[1], self.idk[0], self.idk[2])), self.caller),
                            (self.keygen(idk=(*self.idk[:2], os.urandom(32))), self.caller),
                            (self.keygen(t=3), self.caller), (self.keygen(), self.stranger),
                            (self.keygen(parties=(1, 2), idk=self.idk[:2]), self.caller),
                            (self.keygen(deadline=int(time.time()) - 31), self.caller),
                            (self.keygen(operation=2), self.caller)):
            self.assertError(self.create(key, intent), 400, "intent")
        self.assertEqual(self.stack.rows("account-service", "account.db",
                                         "SELECT account_id FROM accounts"), before)
        answer = self.create(self.caller, self.keygen(), intent="")
        self.assertError(answer, 400, "intent is missing")
        again = self.keygen(account=uuid.UUID(self.account["account_id"]).bytes)
        self.assertError(self.create(self.caller, again), 409, "exists")

    def test_an_attempt_is_used_once(self):
        intent = self.intent()
        first = self.sign(self.caller, intent, "party-1", "party-2")
        self.assertSigned(first)
        again = self.sign(self.caller, intent, "party-1", "party-2")
        self.assertError(again, 422, "was seen in another session")
        self.assertSigned(self.sign(self.caller, intent.but(nonce=os.urandom(32)), "party-1",
                                    "party-2"))

    # --- a coordinator that lies ---

    def router_call(self, method, request):
        now = int(time.time())
        token = jwt(self.stack.env("message-router")["JWT_SECRET_KEY"], typ="service",
                    sub="session-coordinator", jti=uuid.uuid4().hex, iat=now, exp=now + 600)
        s = wire.Socket(Door(int(self.stack.env("message-router")["HTTP_PORT"]), "127.0.0.1"))
        with s.s:
            s.send({"id": 1, "method": "mpc.router.v1.MessageRouter/" + method, "request": request,
                    "metadata": {"authorization": "Bearer " + token}})
            answer = s.receive()
        self.assertIn("response", answer)
        return answer["response"]

    def members(self, names=PARTIES):
        rows = {p["party"]["party_id"]: p for p in
                self.router_call("WatchPresence", {})["presences"]}
        return {p: {"party_id": p, "index": i + 1, "certificate": rows[p]["certificate"],
                    "boot_id": rows[p]["boot_id"]} for i, p in enumerate(names)}

    def invite(self, members, key, intent, signed, attempt=0):
        """Put it before all parties, past the coordinator: two sessions of two. The session of
        each party."""
        sessions, now = {}, int(time.time() * 1000)
        b = bytes(intent)
        for pair in (PARTIES[:2], PARTIES[1:]):
            session = str(uuid.uuid4())
            setup = {"session_id": session, "session_type": "sign", "attempt": attempt,
                     "account_id": self.account["account_id"], "threshold_t": 2, "threshold_n": 3,
                     "intent": base64.b64encode(b).decode(),
                     "intent_signature": base64.b64encode(signed).decode(),
                     "initiator_key": base64.b64encode(key.public).decode(),
                     "members": [members[p] for p in pair], "deadline_ms": now + LIMIT_MS,
                     "attempt_deadline_ms": now + LIMIT_MS, "trace_id": uuid.uuid4().hex}
            event = {"seq": 1, "event_type": "session_created", "session_id": session,
                     "attempt": attempt, "trace_id": setup["trace_id"], "setup": setup}
            self.router_call("PublishSessionEvent", {
                "event": event, "to": list(pair), "deadline_ms": now + LIMIT_MS,
                "join_tokens": {p: "x" for p in pair}})
            sessions.update({p: session for p in pair if p not in sessions})
        return sessions

    def outcome(self, party, session):
        """What the keeper did with it: "run started", or the code of its refusal."""
        def told():
            for line in self.stack.log(party).splitlines():
                if f"session={session}" in line and " keeper " in line:
                    code = re.search(r"code=(\w+)", line)
                    return code[1] if code else "run started" * ("run started" in line)
            return None
        return until(told)

    def assertRefusedByAll(self, key, intent, signed, *codes, attempt=0):
        sessions = self.invite(self.present, key, intent, signed, attempt)
        got = {p: self.outcome(p, session) for p, session in sessions.items()}
        self.assertEqual(set(got), set(PARTIES))
        self.assertLessEqual(set(got.values()), set(codes), got)

    def test_lesson_1_20_no_field_of_an_intent_can_be_changed(self):
        self.present = self.members()
        good = self.intent(path=(1, 2))
        signed = signature(self.caller, good)
        changed = {"version": 2, "operation": 3, "suite": 2, "profile": 2, "purpose": 2,
                   "account": os.urandom(16), "request": uuid.uuid4().bytes,
                   "keyid": os.urandom(32), "nonce": os.urandom(32),
                   "deadline": good["deadline"] + 1, "attempts": 4, "t": 3, "parties": (2, 3),
                   "path": (1, 3), "digest": 2, "message": b"pay me", "idk": (os.urandom(32),)}
        self.assertEqual(set(changed), set(good))
        for name, value in changed.items():
            intent = good.but(**{name: value})
            with self.subTest(field=name):
                self.assertRefusedByAll(self.caller, intent, signed, "INTENT_SIGNATURE")
                self.assertRefusedByAll(self.stranger, intent, signature(self.stranger, intent),
                                        "INITIATOR")
        # what the caller itself signed and what still is not this key, this operation, this time
        for name, value, *codes in (
                ("version", 2, "INTENT_FORMAT"), ("operation", 3, "INTENT_FORMAT"),
                ("suite", 2, "INTENT_FORMAT"), ("profile", 2, "INTENT_FORMAT"),
                ("purpose", 2, "INTENT_FIELD"), ("purpose", 3, "INTENT_FORMAT"),
                ("account", os.urandom(16), "INTENT_FIELD"),
                ("keyid", b"\1" * 32, "INTENT_FIELD", "NO_SHARE", "SHARE"),
                ("deadline", int(time.time()) - 31, "INTENT_EXPIRED"),
                ("deadline", int(time.time()) + 90000, "INTENT_FIELD"),
                ("attempts", 0, "INTENT_FORMAT"), ("attempts", 17, "INTENT_FORMAT"),
                ("t", 3, "INTENT_FIELD"), ("t", 1, "INTENT_FORMAT"),
                ("parties", (1, 1), "INTENT_FORMAT"), ("parties", (3, 2, 1), "INTENT_FORMAT"),
                ("path", (1 << 31,), "INTENT_FORMAT"), ("digest", 3, "INTENT_FORMAT"),
                ("digest", 0, "INTENT_FORMAT"), ("message", b"", "INTENT_FORMAT")):
            intent = good.but(**{name: value})
            with self.subTest(signed_again=name, value=value):
                self.assertRefusedByAll(self.caller, intent, signature(self.caller, intent), *codes)
        for key in (self.service, self.other):
            intent = self.intent()
            self.assertRefusedByAll(key, intent, signature(key, intent), "INITIATOR")
        self.assertRefusedByAll(self.caller, good, signed, "INTENT_ATTEMPT", attempt=3)
        # nobody signed, and the intent is as good as ever
        self.assertEqual(self.stack.burned(), [])
        self.assertSigned(self.sign(self.caller, good, derivation_path="m/1/2"))

    def test_no_byte_of_an_intent_can_be_changed(self):
        self.present = self.members()
        good = bytes(self.intent())
        signed = signature(self.caller, good)
        waiting = []
        for i in range(len(good)):
            bad = good[:i] + bytes((good[i] ^ 1 << i % 8,)) + good[i + 1:]
            waiting.append(self.invite(self.present, self.caller, bad, signed))
            if len(waiting) == 16 or i == len(good) - 1:
                for sessions in waiting:
                    for party, session in sessions.items():
                        self.assertEqual(self.outcome(party, session), "INTENT_SIGNATURE", i)
                waiting = []

    def test_what_is_put_before_the_parties_is_what_they_would_take(self):
        """Of the two tests above: an unaltered intent is not refused."""
        members, intent = self.members(), self.intent()
        sessions = self.invite(members, self.caller, intent, signature(self.caller, intent))
        self.assertEqual(self.outcome("party-1", sessions["party-1"]), "run started")

    # --- whom a user's share is for ---

    def create_for_user(self, key, asked, **more):
        """By default the caller signs the user's key as it should be signed."""
        signed = user_key_signature(key, asked, self.user_public).hex()
        return self.create(key, asked, **{
            "participants": [{"party_id": p} for p in WITH_USER], "user_share": "delegate",
            "user_public_key": self.user_public.hex(), "user_key_signature": signed, **more})

    def test_a_callers_own_keygen_with_a_share_of_its_user(self):
        answer = self.create_for_user(self.caller, self.keygen(idk=self.user_idk))
        self.assertEqual(answer.status, 201, answer)
        account = answer.body
        self.assertEqual((account["status"], account["parties"]), ("active", list(WITH_USER)))
        share = open_box(base64.b64decode(account["encrypted_user_share"], validate=True),
                         self.user_public, self.user_secret)
        # what was handed out is a share of this key: lent, it signs what the caller asks for
        intent = self.intent(account=uuid.UUID(account["account_id"]).bytes, parties=(1, 3),
                             keyid=th(b"kg/keyid", b"\1", bytes.fromhex(account["public_key"])))
        url = self.stack.service_url(DELEGATE)
        confirmed = self.stack.call("POST", "/api/v1/shares/confirm",
                                    {"session_id": account["session_id"]}, url=url)
        self.assertEqual(confirmed.status, 200, confirmed)
        begun = self.stack.call("POST", f"/api/v1/accounts/{account['account_id']}/sign?wait=0", {
            "message": intent["message"].hex(), "hash": "sha256", **words(self.caller, intent),
            "participants": [{"party_id": p} for p in WITH_USER[::2]]})
        self.assertEqual(begun.status // 100, 2, begun)
        session = begun.body["session_id"]
        key = self.stack.call("GET", "/api/v1/shares/key", url=url)
        box = seal(lent_share(session, share), bytes.fromhex(key.body["public_key"]))
        signed = self.stack.call("POST", "/api/v1/shares/sign", {
            "session_id": session, "user_share": base64.b64encode(box).decode()}, url=url)
        self.assertEqual(signed.status, 200, signed)
        self.assertTrue(signature_is_valid({
            "signature": signed.body["signature"], "public_key": account["public_key"],
            "message_hash": hashlib.sha256(intent["message"]).hexdigest()}), signed)

    def test_users_keys_that_the_caller_did_not_sign_are_refused(self):
        asked, public = self.keygen(idk=self.user_idk), key_pair()[0]
        before = self.stack.rows("account-service", "account.db", "SELECT account_id FROM accounts")
        for changes in (
                {"user_public_key": public.hex()}, {"user_key_signature": ""},
                {"user_key_signature": user_key_signature(self.other, asked,
                                                          self.user_public).hex()},
                {"user_key_signature": user_key_signature(self.service, asked,
                                                          self.user_public).hex()},
                {"user_key_signature": user_key_signature(self.caller, self.keygen(),
                                                          self.user_public).hex()},
                {"user_key_signature": signature(self.caller, asked).hex()},
                {"user_key_signature": "00" * 63}, {"user_key_signature": "zz" * 64},
                {"user_public_key": ""}, {"user_share": "none"}):
            with self.subTest(changes):
                self.assertError(self.create_for_user(self.caller, asked, **changes), 400, "user_")
        self.assertEqual(self.stack.rows("account-service", "account.db",
                                         "SELECT account_id FROM accounts"), before)

    def test_who_names_no_users_key_signs_that_or_hears_what_to_do(self):
        for asked, signed in ((self.keygen(idk=self.user_idk), False),
                              (self.keygen(idk=self.user_idk), True)):
            word = user_key_signature(self.caller, asked, bytes(32)).hex() if signed else ""
            begun = self.create_for_user(self.caller, asked, wait=0, user_public_key="",
                                         user_key_signature=word)
            self.assertEqual(begun.status // 100, 2, begun)
            answer = self.stack.call("POST", "/api/v1/shares/generate", {
                "session_id": begun.body["session_id"], "user_public_key": self.user_public.hex()},
                url=self.stack.service_url(DELEGATE))
            if signed:
                self.assertEqual(answer.status, 200, answer)
                open_box(base64.b64decode(answer.body["user_share"], validate=True),
                         self.user_public, self.user_secret)
            else:
                self.assertError(answer, 422, "NO_USER_KEY: the key of /shares/generate needs the "
                                 "initiator's user_key_signature over 32 zero bytes; or name "
                                 "user_public_key in the account's request")

    def invite_keygen(self, members, asked, **changes):
        """Put this keygen before the delegate alone, past the coordinator. Its session."""
        session, now = str(uuid.uuid4()), int(time.time() * 1000)
        signed = user_key_signature(self.caller, asked, self.user_public)
        setup = {"session_id": session, "session_type": "keygen", "attempt": 0,
                 "account_id": str(uuid.UUID(bytes=asked["account"])), "threshold_t": 2,
                 "threshold_n": 3, "intent": base64.b64encode(bytes(asked)).decode(),
                 "intent_signature": base64.b64encode(signature(self.caller, asked)).decode(),
                 "initiator_key": base64.b64encode(self.caller.public).decode(),
                 "user_public_key": base64.b64encode(self.user_public).decode(),
                 "user_key_signature": base64.b64encode(signed).decode(),
                 "members": list(members.values()), "deadline_ms": now + LIMIT_MS,
                 "attempt_deadline_ms": now + LIMIT_MS, "trace_id": uuid.uuid4().hex}
        setup.update({k: base64.b64encode(v).decode() for k, v in changes.items()})
        event = {"seq": 1, "event_type": "session_created", "session_id": session, "attempt": 0,
                 "trace_id": setup["trace_id"], "setup": setup}
        self.router_call("PublishSessionEvent", {
            "event": event, "to": [WITH_USER[2]], "deadline_ms": now + LIMIT_MS,
            "join_tokens": {WITH_USER[2]: "x"}})
        return session

    def test_a_delegate_takes_no_users_key_from_a_coordinator_that_lies(self):
        members, public = self.members(WITH_USER), key_pair()[0]
        for changes in ({"user_public_key": public}, {"user_key_signature": b""},
                        {"user_public_key": public, "user_key_signature": self.stranger},
                        {"user_key_signature": bytes(64)}):
            asked = self.keygen(idk=self.user_idk)
            if isinstance(changes.get("user_key_signature"), Key):
                changes["user_key_signature"] = user_key_signature(self.stranger, asked, public)
            session = self.invite_keygen(members, asked, **changes)
            with self.subTest(changes):
                self.assertEqual(self.outcome(DELEGATE, session), "USER_KEY")
        session = self.invite_keygen(members, self.keygen(idk=self.user_idk))
        self.assertEqual(self.outcome(DELEGATE, session), "run started")

    # --- the policy ---

    def told(self, message):
        """What the hook was asked about |message|."""
        with open(self.asked, encoding="ascii") as f:
            rows = [json.loads(line) for line in f]
        return [row for row in rows if row.get("message") == message.encode().hex()]

    def plain_sign(self, message, *parties):
        body = {"message": message, "message_encoding": "utf8", "hash": "keccak256"}
        if parties:
            body["participants"] = [{"party_id": p} for p in parties]
        return self.stack.call("POST", f"/api/v1/accounts/{self.plain}/sign", body)

    def test_a_policy_sees_the_message_itself(self):
        message = "one to the baker " + uuid.uuid4().hex
        answer = self.plain_sign(message, "party-2", "party-3")
        self.assertSigned(answer)
        row, = self.told(message)
        self.assertEqual((row["operation"], row["account_id"], row["hash"], row["digest"]),
                         ("sign", self.plain, "keccak256", answer.body["message_hash"]))
        self.assertEqual((row["session_id"], row["initiator"], row["path"], sorted(row["parties"])),
                         (answer.body["session_id"], self.service.public.hex(), "m",
                          ["party-2", "party-3"]))

    def test_what_a_policy_rejects_its_party_does_not_sign(self):
        message = FORBIDDEN + uuid.uuid4().hex
        for pair in (("party-1", "party-3"), ("party-2", "party-3")):
            answer = self.plain_sign(message, *pair)
            self.assertError(answer, 422)
            self.assertRegex(answer.body["error"], "party-3|policy")
        self.assertEqual(len(self.told(message)), 2)
        # the others may: without it there still is a quorum, whoever was asked first
        def refused_and_signed():
            one = FORBIDDEN + uuid.uuid4().hex
            answer = self.plain_sign(one)
            self.assertSigned(answer)
            self.assertEqual(sorted(answer.body["parties"]), ["party-1", "party-2"])
            return self.told(one)
        until(refused_and_signed)


if __name__ == "__main__":
    unittest.main()
