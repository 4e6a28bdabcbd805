# SPDX-License-Identifier: Apache-2.0
"""What users of comparable systems suffered: rows of docs/lessons.md that need a system of their
own or a network that no other test plays."""
import base64
import contextlib
import itertools
import os
import signal
import socket
import threading
import time
import unittest
import uuid

from doors import ACCOUNT, COORDINATOR, ROUTER, ROUTES, SHARES
from sealed import key_pair, lent_share, open_box, seal
from support import (HASH, Proxy, Stack, TestCase, b64, change_env, install_npm, patient, read_env,
                     signature_is_valid, standing, together, until)
from test_hostile import KEYGEN, SIGN
from test_rest import FRONTS, fields_of
import test_rest

PROCESSES = (ACCOUNT, COORDINATOR, ROUTER, SHARES, *FRONTS)
TARGET = 8  # presignatures of an account and path, as account-service wants it


class Network(TestCase):
    """Row 1: a network between the parties and the router that does what a test wants."""
    clocks = {}  # process: variables

    @classmethod
    def setUpClass(cls):
        def edit(directory):
            cls.proxy = Proxy("router", directory)
            patient(directory)
            for process, variables in cls.clocks.items():
                change_env(directory, process, **variables)

        cls.stack = Stack(edit)
        cls.id = cls.stack.create()["account_id"]

    @classmethod
    def tearDownClass(cls):
        try:
            cls.stack.close()
        finally:
            cls.proxy.close()

    def tearDown(self):
        self.proxy.release()

    def assertAllHaveEnded(self):
        """Nobody signs, waits or keeps anything any more."""
        until(lambda: not self.stack.sessions("status IN ('waiting', 'ready', 'running')"))
        for party in FRONTS:
            for name in ("quorate_party_running", "quorate_party_kept_bytes"):
                until(lambda p=party, n=name: self.stack.metrics(p)[n] == 0)
        self.assertEqual(self.stack.burned(), [])


class Losses(Network):
    """Each loss costs an attempt."""
    clocks = {COORDINATOR: {"MAX_RUNNING_KEYGEN": 64}}

    def acted(self):
        return self.proxy.seen().get("acted", 0)

    def let_attempts_last(self, variable, n, work):
        """Three times as long as this machine takes for as many as will be made, without a loss."""
        begun = time.monotonic()
        together(n, work)
        took = time.monotonic() - begun
        change_env(self.stack.dir, COORDINATOR, **{variable: max(3000, int(3000 * took))})
        self.stack.restarted(COORDINATOR, self.stack.kill(COORDINATOR, signal.SIGTERM))
        until(self.stack.is_whole)

    def lose_each_once(self, variable, kinds, n, work):
        """Of all first attempts' messages, one of each kind, sender and receiver is lost. What
        work(i) gave for that many i and |n| more, which are one for each set of parties: so each
        loss is met, unless a first attempt was out of time before. Then all are made again."""
        rules = [{"protocol": protocol, "round": number, "kind": kind, "from": a, "to": b,
                  "attempt": 0, "action": "drop", "times": 1}
                 for (protocol, number, kind), (a, b) in
                 itertools.product(kinds, itertools.permutations(FRONTS, 2))]
        self.let_attempts_last(variable, len(rules) + n, work)
        before, done = self.acted(), []
        self.proxy.rules(*rules)

        def all_are_met():
            done.extend(together(len(rules) + n, work))
            return self.acted() - before == len(rules)

        until(all_are_met)
        return done

    def test_lesson_1_1_each_message_of_a_signature_is_lost_once(self):
        pairs = [[{"party_id": p} for p in pair] for pair in itertools.combinations(FRONTS, 2)]
        answers = self.lose_each_once(
            "SIGN_ATTEMPT_MS", SIGN, len(pairs), lambda i: self.stack.sign(
                self.id, uuid.uuid4().hex * 2, participants=pairs[i % 3]))
        for answer in answers:
            self.assertEqual(answer.status, 200, answer)
            self.assertTrue(signature_is_valid(answer.body), answer)
        self.assertAllHaveEnded()

    def test_lesson_1_1_each_message_of_a_keygen_is_lost_once(self):
        made = self.lose_each_once("KEYGEN_ATTEMPT_MS", KEYGEN, 1, lambda i: self.stack.create())
        for account in made:
            self.assertEqual(account["status"], "active")
        for account in made[::5]:
            self.assertEqual(self.stack.sign(account["account_id"]).status, 200)
        self.assertAllHaveEnded()


class Repeats(Network):
    clocks = {COORDINATOR: {"SIGN_ATTEMPT_MS": 3000}, ACCOUNT: {"SIGN_WAIT_S": 10}}

    def test_lesson_1_1_messages_that_come_again_move_no_deadline(self):
        """What one party needs never comes, everything else comes again and again."""
        protocol, number, kind = SIGN[2]
        self.proxy.rules({"protocol": protocol, "round": number, "kind": kind, "action": "drop"},
                         {"action": "duplicate"},
                         {"method": "SubscribeMessages", "action": "repeat"},
                         {"method": "SubscribeSessionEvents", "action": "repeat"})
        answer = self.stack.call("POST", f"/api/v1/accounts/{self.id}/sign?wait=0",
                                 {"message": HASH})
        path = "/api/v1/mpc/sessions/" + answer.body["session_id"]
        first = self.stack.call("GET", path).body
        last = self.stack.call("GET", path + "?wait=120").body
        self.assertIn(last["status"], ("failed", "expired"))
        self.assertEqual(last["expires_at"], first["expires_at"])
        self.proxy.release()
        self.assertAllHaveEnded()


class Still(TestCase):
    """A system whose parties can stand still without being taken for dead."""

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(patient)
        cls.id = cls.stack.create()["account_id"]

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def at(self, process, method, path, body=None, headers=None):
        return self.stack.call(method, path, body, url=self.stack.service_url(process),
                               headers=headers)

    def still(self, *names):
        return standing(*(self.stack.pid(name) for name in names))

    party_token = test_rest.Rest.party_token


class Twice(Still):
    """Row 2: every request that changes something, made three times: twice at the same time, and
    once more. All get the first answer, or one that says the same; an order that counted and a
    share that was used are told as that, and nothing happens again."""

    def three(self, process, method, path, body=None, headers=None):
        def ask(_):
            return self.at(process, method, path, body, headers)
        answers = [*together(2, ask), ask(0)]
        for answer in answers:
            self.assertEqual(answer.status // 100, 2, (path, answer))
        return [answer.body for answer in answers]

    def same(self, route, body=None, headers=None, **places):
        """By the whole body."""
        process, method, path = route
        a, b, c = self.three(process, method, path.format(**places), body, headers)
        self.assertEqual(a, b, route)
        self.assertEqual(a, c, route)
        return a

    def same_session(self, route, body, pick=lambda a: a, query=""):
        """By the session they name: how far it is may differ."""
        process, method, path = route
        answers = self.three(process, method, path + query, body)
        self.assertEqual(len({pick(a)["session_id"] for a in answers}), 1, answers)
        return answers[0]

    @staticmethod
    def once(**fields):
        return {"idempotency_key": uuid.uuid4().hex, **fields}

    def waiting_session(self):
        return self.same_session(
            (ACCOUNT, "POST", "/api/v1/mpc/sign"), self.once(
                account_id=self.id, message_hash=HASH,
                participants=[{"party_id": "party-1"}, {"party_id": "party-2"}]), query="?wait=0")

    def test_lesson_1_2_every_request_is_applied_twice(self):
        done = {}
        for of_process in (self.accounts, self.sessions, self.messages, self.shares):
            done.update(of_process())
        changing = {route[:3] for route in ROUTES if route[1] != "GET"}
        self.assertEqual(set(done), changing, "a route that is not tried twice here")
        self.assertEqual(self.stack.sign(self.id).status, 200)

    def accounts(self):
        base = "/api/v1/accounts"
        routes = {name: (ACCOUNT, *row.split()) for name, row in {
            "create": "POST " + base, "sign": f"POST {base}/{{account_id}}/sign",
            "set": f"PUT {base}/{{account_id}}/signing-parties",
            "delete": f"DELETE {base}/{{account_id}}/signing-parties",
            "keygen": "POST /api/v1/mpc/keygen", "start": "POST /api/v1/mpc/sign",
            "cancel": "POST /api/v1/mpc/sessions/{session_id}/cancel",
            "order": "POST /api/v1/orders"}.items()}
        user = "twice-" + uuid.uuid4().hex
        account = self.same(routes["create"], self.once(user_id=user))
        listed = self.at(ACCOUNT, "GET", f"{base}?user_id={user}").body["accounts"]
        self.assertEqual(listed, [account])
        self.assertTrue(signature_is_valid(self.same(routes["sign"], self.once(message=HASH),
                                                     account_id=account["account_id"])))
        ids = {"account_id": account["account_id"]}
        self.same(routes["set"], {"party_ids": ["party-1", "party-3"]}, **ids)
        self.same(routes["delete"], **ids)
        keygen = self.same_session(routes["keygen"], self.once(threshold_n=3, threshold_t=2))
        self.at(ACCOUNT, "GET", f"/api/v1/mpc/sessions/{keygen['session_id']}?wait=60")
        with self.still(*FRONTS):
            self.same(routes["cancel"], session_id=self.waiting_session()["session_id"])
        self.order_twice(routes["order"])
        return {route: True for route in routes.values()}

    def order_twice(self, route):
        """An order has a number: the same again is refused by it, and nothing happens."""
        code, _, err = self.stack.cli("freeze", "--account", self.id)
        self.assertEqual(code, 0, err)
        body, signature = self.stack.rows(COORDINATOR, "coordinator.db", "SELECT body, signature"
                                          " FROM orders ORDER BY seq DESC LIMIT 1")[0]
        for _ in range(2):
            answer = self.at(*route, {"body": body.hex(), "signature": signature.hex()})
            self.assertError(answer, 409, "above")
        code, _, err = self.stack.cli("unfreeze", "--account", self.id)
        self.assertEqual(code, 0, err)
        until(lambda: self.stack.sign(self.id).status == 200)

    def sessions(self):
        base = "/api/v1/sessions"
        routes = {name: (COORDINATOR, "POST", base + path) for name, path in {
            "create": "", "join": "/{session_id}/join", "ready": "/{session_id}/ready",
            "complete": "/{session_id}/complete", "cancel": "/{session_id}/cancel"}.items()}
        request = self.request_of_the_account_service()
        with self.still(*FRONTS):
            made = self.same_session(routes["create"], request, lambda a: a["session"])
            self.same(routes["cancel"], session_id=made["session"]["session_id"])
            session = self.waiting_session()
            ids = {"session_id": session["session_id"]}
            joined = self.three(COORDINATOR, "POST", routes["join"][2].format(**ids), self.once(
                party_id="party-1", join_token=session["join_tokens"]["party-1"]))
            self.assertEqual(joined[0]["setup"], joined[2]["setup"])
            proof = {"party_id": "party-1", "session_token": joined[1]["session_token"]}
            self.same(routes["ready"], proof, **ids)
            answers = self.three(COORDINATOR, "POST", routes["complete"][2].format(**ids), {
                **proof, "failure": {"code": "POLICY", "text": "not on Sundays"}})
            self.assertEqual(answers[2], {"status": "failed"})
            events = self.at(COORDINATOR, "GET", f"{base}/{session['session_id']}/events").body
            kinds = [e["event_type"] for e in events["events"]]
            for kind in ("party_joined", "session_failed"):
                self.assertEqual(kinds.count(kind), 1, kinds)
        return {route: True for route in routes.values()}

    def request_of_the_account_service(self):
        """CreateSession as the account service made it a moment ago."""
        signed = self.at(ACCOUNT, "POST", f"/api/v1/accounts/{self.id}/sign?wait=600",
                         {"message": HASH}).body
        stored = fields_of(self.stack.rows(
            COORDINATOR, "coordinator.db", "SELECT request FROM session_events"
            " WHERE request IS NOT NULL AND session_id = ?", signed["session_id"])[0][0])
        one = {number: value for number, value in stored if number not in (5, 6)}
        members = [dict(fields_of(value)) for number, value in stored if number == 5]

        def text(b):
            return base64.b64encode(b).decode()
        return self.once(
            session_type=one[1].decode(), intent=text(one[2]), intent_signature=text(one[3]),
            initiator_key=text(one[4]), public_key=one[7].decode(), message_hash=one[8].decode(),
            members=[{"party_id": m[1].decode(), "index": m[2]} for m in members],
            preferred=["party-1", "party-3"])

    def messages(self):
        """Sent again they are delivered again; receivers drop what they have (test_hostile.py)."""
        route = (ROUTER, "POST", "/api/v1/messages")
        with self.still(*FRONTS):
            session = self.waiting_session()
            self.same(route, {"from": "party-1", "messages": [
                {"session_id": session["session_id"], "to": ["party-2"],
                 "payload": base64.b64encode(b"sealed").decode()}]},
                      {"Authorization": self.party_token("party-1")})
            self.at(ACCOUNT, "POST", f"/api/v1/mpc/sessions/{session['session_id']}/cancel")
        return {route: True}

    def shares(self):
        generate, confirm, sign = ((SHARES, "POST", "/api/v1/shares/" + verb)
                                   for verb in ("generate", "confirm", "sign"))
        public, secret = key_pair()
        account = self.stack.create(user_share="delegate", user_public_key=public.hex())
        keygen = {"session_id": account["session_id"]}
        share = self.same(generate, keygen)
        self.same(confirm, keygen)
        key = self.at(SHARES, "GET", "/api/v1/shares/key").body
        begun = self.at(ACCOUNT, "POST", "/api/v1/mpc/sign?wait=0", {
            "account_id": account["account_id"], "message_hash": HASH,
            "participants": [{"party_id": p} for p in (account["parties"][0],
                                                       key["party_id"])]}).body
        lent = lent_share(begun["session_id"], open_box(b64(share["user_share"]), public, secret))
        loan = {
            "session_id": begun["session_id"],
            "user_share": base64.b64encode(seal(lent, bytes.fromhex(key["public_key"]))).decode(),
            "join_token": begun["join_tokens"][key["party_id"]]}
        signed = self.at(*sign, loan)
        self.assertIn(signed.status, (200, 409), signed)  # 409: the other party was faster
        # A share is lent once: the result is the session's, for all who come later. Who comes
        # before its end was heard of gets it here.
        again = self.at(*sign, loan)
        if again.status != 200:
            self.assertError(again, 409, "the session ")
        path = f"/api/v1/mpc/sessions/{begun['session_id']}?wait=60"
        session = self.at(ACCOUNT, "GET", path).body
        self.assertEqual(session["status"], "completed", session)
        for answer in (signed, again):
            if answer.status == 200:
                self.assertEqual(answer.body["signature"], session["signature"])
        return {generate: True, confirm: True, sign: True}


class Results(Still):
    """Rows 3 and 25, and what a failed signature tells."""

    def test_lesson_1_3_results_are_rows_that_everybody_reads_and_nobody_takes(self):
        messages = [uuid.uuid4().hex * 2 for _ in range(8)]
        with self.still(*FRONTS):
            begun = together(8, lambda i: self.at(
                ACCOUNT, "POST", f"/api/v1/accounts/{self.id}/sign?wait=0",
                {"message": messages[i]}).body["session_id"])

            def read(i):
                return self.at(ACCOUNT, "GET", f"/api/v1/mpc/sessions/{begun[i % 8]}?wait=60").body
        readers = together(24, read)
        for i, answer in enumerate([*readers, *map(read, range(8))]):
            self.assertEqual((answer["status"], answer["session_id"]), ("completed", begun[i % 8]))
            self.assertEqual(answer["signature"], readers[i % 8]["signature"])
            self.assertTrue(signature_is_valid({**answer, "message_hash": messages[i % 8]}))

    def counts(self, process, start):
        return {k: v for k, v in self.stack.metrics(process).items() if k.startswith(start)}

    def ended(self):
        return self.counts(COORDINATOR, "quorate_sessions_ended_total")

    def test_lesson_1_25_outcomes_are_counted_by_who_owns_them(self):
        """Sessions by the coordinator and nobody else; a wait that ran out is no failure."""
        for process in PROCESSES:
            self.assertEqual(bool(self.counts(process, "quorate_sessions_")),
                             process == COORDINATOR, process)
        completed = 'quorate_sessions_ended_total{type="sign",status="completed"}'
        before, requests = self.ended(), self.counts(ACCOUNT, "quorate_signatures_total")
        with self.still(*FRONTS):
            answer = self.at(ACCOUNT, "POST", f"/api/v1/accounts/{self.id}/sign?wait=1",
                             {"message": HASH})
            self.assertError(answer, 504)
            self.assertEqual(self.ended(), before)
        self.at(ACCOUNT, "GET", f"/api/v1/mpc/sessions/{answer.body['session_id']}?wait=60")
        until(lambda: self.ended() == {**before, completed: before[completed] + 1})
        self.assertEqual(self.counts(ACCOUNT, "quorate_signatures_total"), requests)

    def test_lesson_2_24_a_failed_signature_names_its_session(self):
        """Its caller can ask what became of it, and try the same message again."""
        request = {"account_id": self.id, "message_hash": HASH,
                   "idempotency_key": uuid.uuid4().hex,
                   "participants": [{"party_id": "party-1"}, {"party_id": "party-2"}]}
        with self.still(*FRONTS):
            begun = self.at(ACCOUNT, "POST", "/api/v1/mpc/sign?wait=0", request).body
            path = f"/api/v1/sessions/{begun['session_id']}"
            joined = self.at(COORDINATOR, "POST", path + "/join", {
                "party_id": "party-1", "join_token": begun["join_tokens"]["party-1"],
                "idempotency_key": uuid.uuid4().hex}).body
            self.at(COORDINATOR, "POST", path + "/complete", {
                "party_id": "party-1", "session_token": joined["session_token"],
                "failure": {"code": "POLICY", "text": "not on Sundays"}})
            answer = self.at(ACCOUNT, "POST", "/api/v1/mpc/sign", request)
            self.assertError(answer, 422, "not on Sundays")
            self.assertEqual(answer.body.get("session_id"), begun["session_id"])
        session = self.at(ACCOUNT, "GET", f"/api/v1/mpc/sessions/{begun['session_id']}").body
        self.assertEqual(session["status"], "failed")
        self.assertEqual(self.stack.sign(self.id).status, 200)


class Hole:
    """Before a port: passes everything on, until it swallows. Then connections stay open and
    nothing moves on them, for ever; new ones are taken and are as silent."""

    def __init__(self, port):
        self.upstream, self.is_open = port, True
        self.pairs, self.swallowed = [], set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self.upstream))
                except ConnectionRefusedError:
                    near.close()
                    continue
                self.pairs.append((near, far))
                if not self.is_open:
                    self.swallowed.add(near)
                for a, b in ((near, far), (far, near)):
                    threading.Thread(target=self.pump, args=(a, b, near), daemon=True).start()

    def pump(self, a, b, name):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                if name in self.swallowed:
                    return  # and nobody is told
                b.sendall(data)
        if name not in self.swallowed:
            for s in (a, b):
                with contextlib.suppress(OSError):
                    s.shutdown(socket.SHUT_RDWR)

    def swallow(self):
        self.is_open = False
        self.swallowed.update(near for near, _ in self.pairs)

    def heal(self):
        """For new connections: what was swallowed stays where it is."""
        self.is_open = True

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for pair in self.pairs:
            for s in pair:
                s.close()


class BlackHole(TestCase):
    """Row 7."""

    def setUp(self):
        self.holes = []

        def edit(directory):
            for process, variable in ((ROUTER, "ROUTER_ADDR"), (COORDINATOR, "COORDINATOR_ADDR")):
                port = int(read_env(os.path.join(directory, process + ".env"))["GRPC_PORT"])
                self.holes.append(Hole(port))
                change_env(directory, "party-1", **{variable: f"127.0.0.1:{self.holes[-1].port}"})
        self.stack = Stack(edit)
        self.id = self.stack.create()["account_id"]

    def tearDown(self):
        try:
            self.stack.close()
        finally:
            for hole in self.holes:
                hole.close()

    def test_lesson_1_7_a_party_in_a_black_hole_is_replaced_and_comes_back(self):
        pid = self.stack.pid("party-1")
        for hole in self.holes:
            hole.swallow()
        for answer in together(6, lambda i: self.stack.sign(self.id)):
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(answer.body["parties"], ["party-2", "party-3"])
            self.assertTrue(signature_is_valid(answer.body))
        until(lambda: not self.stack.is_whole())
        for hole in self.holes:
            hole.heal()
        until(self.stack.is_whole)  # by connections of its own: the old ones are silent for ever
        answer = self.stack.sign(self.id, participants=[{"party_id": "party-1"},
                                                        {"party_id": "party-2"}])
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.stack.pid("party-1"), pid)


class Pools(TestCase):
    """Rows 9 and 11: presignatures."""

    def setUp(self):
        def edit(directory):
            change_env(directory, ACCOUNT, PRESIGN_PER_MINUTE=1)
            for party in FRONTS:
                change_env(directory, party, PRESIGN_POOL=TARGET)
        self.stack = Stack(edit)
        self.addCleanup(self.stack.close)
        self.id = self.stack.create()["account_id"]
        pair = {"party_ids": ["party-1", "party-2"]}
        self.stack.call("PUT", f"/api/v1/accounts/{self.id}/signing-parties", pair)

    def coordinator(self, name):
        with contextlib.suppress(OSError):
            return self.stack.metrics(COORDINATOR)["quorate_presignatures_" + name]
        return 0

    def sign(self):
        """Again, while the coordinator starts."""
        key = uuid.uuid4().hex
        return until(lambda: self.stack.sign(self.id, idempotency_key=key).status == 200)

    def test_lesson_1_11_a_book_that_was_lost_is_made_again(self):
        """The parties hold full pools that nobody has on record: they make room."""
        for _ in range(3):
            until(lambda: self.sign() and self.coordinator("ready") >= TARGET // 2)
            self.sign()
            until(lambda: self.coordinator("used_total") >= 1)
            self.stack.restarted(COORDINATOR, self.stack.kill(COORDINATOR))

    def test_lesson_1_9_a_keeper_has_threads_that_yield(self):
        for party in FRONTS:
            tasks = f"/proc/{self.stack.pid(party + '/keeper')}/task"
            nice = []
            for task in os.listdir(tasks):
                with open(f"{tasks}/{task}/stat", encoding="ascii", errors="replace") as f:
                    nice.append(int(f.read().rsplit(")", 1)[1].split()[16]))
            self.assertGreater(max(nice), min(nice), party)
            self.assertGreaterEqual(nice.count(min(nice)), 2, "signing and the loop")


if __name__ == "__main__":
    install_npm()
    unittest.main()
