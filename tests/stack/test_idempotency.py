# SPDX-License-Identifier: Apache-2.0
"""One idempotency key, one account or signature: at the same time, one after the other, after a
caller hung up, and across restarts. A reader that comes late reads the same result."""
import http.client
import json
import socket
import unittest
import urllib.parse
import uuid

from support import HASH, Stack, TestCase, patient, signature_is_valid, together, until

AT_ONCE = 16


class Idempotency(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(patient)
        cls.id = cls.stack.create()["account_id"]
        cls.path = f"/api/v1/accounts/{cls.id}/sign"

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def same(self, answers, status):
        """All answers are one; which one."""
        for answer in answers:
            self.assertEqual((answer.status, answer.body), (status, answers[0].body))
        return answers[0].body

    def account_body(self):
        return {"user_id": "once-" + uuid.uuid4().hex, "idempotency_key": uuid.uuid4().hex}

    def post(self, path, body):
        return self.stack.call("POST", path, body)

    def again(self, path, body):
        """Also while the service starts."""
        def ask():
            try:
                answer = self.post(path, body)
            except (ConnectionError, http.client.HTTPException):
                return None
            return answer if answer.status in (200, 201) else None
        return until(ask)

    def sessions_of(self, account, kind):
        return self.stack.sessions("account_id = ? AND type = ?", account, kind)

    def accounts_of(self, user):
        return self.stack.call("GET", "/api/v1/accounts?user_id=" + user).body["accounts"]

    def test_many_at_once_make_one_account(self):
        body = self.account_body()
        made = self.same(together(AT_ONCE, lambda i: self.post("/api/v1/accounts", body)), 201)
        self.assertEqual(made["status"], "active")
        self.assertEqual(self.accounts_of(body["user_id"]), [made])
        self.assertEqual(len(self.sessions_of(made["account_id"], "keygen")), 1)

    def test_many_at_once_make_one_signature(self):
        before = len(self.sessions_of(self.id, "sign"))
        body = {"message": HASH, "idempotency_key": uuid.uuid4().hex}
        made = self.same(together(AT_ONCE, lambda i: self.post(self.path, body)), 200)
        self.assertTrue(signature_is_valid(made))
        self.assertEqual(len(self.sessions_of(self.id, "sign")), before + 1)

    def test_without_a_key_each_request_is_its_own(self):
        ids = {self.post(self.path, {"message": HASH}).body["session_id"] for _ in range(3)}
        self.assertEqual(len(ids), 3)

    def test_a_key_belongs_to_its_request_and_account(self):
        body = {"message": HASH, "idempotency_key": uuid.uuid4().hex}
        first = self.post(self.path, body)
        self.assertError(self.post(self.path, {**body, "message": "22" * 32}), 409)
        other = self.stack.create()["account_id"]
        answer = self.post(f"/api/v1/accounts/{other}/sign", body)
        self.assertEqual((answer.status, answer.body["account_id"]), (200, other))
        self.assertNotEqual(answer.body["session_id"], first.body["session_id"])

    def test_who_does_not_wait_asks_again(self):
        body = {"message": HASH, "idempotency_key": uuid.uuid4().hex}
        begun = self.post(self.path + "?wait=0", body)
        self.assertEqual(begun.status, 200)
        done = self.post(self.path, body)
        self.assertEqual(done.body["session_id"], begun.body["session_id"])
        self.assertTrue(signature_is_valid(done.body))

    def hang_up(self, path, body):
        """Send a request and do not stay for the answer."""
        url = urllib.parse.urlsplit(self.stack.url)
        text = json.dumps(body).encode()
        with socket.create_connection((url.hostname, url.port)) as s:
            s.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {self.stack.key}\r\n"
                      f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
                      .encode() + text)

    def test_callers_that_hang_up_get_their_account_later(self):
        body = self.account_body()
        for _ in range(3):
            self.hang_up("/api/v1/accounts", body)
        made = self.post("/api/v1/accounts", body)
        self.assertEqual((made.status, made.body["status"]), (201, "active"))
        self.assertEqual(self.accounts_of(body["user_id"]), [made.body])
        self.assertEqual(len(self.sessions_of(made.body["account_id"], "keygen")), 1)

    def test_callers_that_hang_up_get_their_signature_later(self):
        before = len(self.sessions_of(self.id, "sign"))
        body = {"message": HASH, "idempotency_key": uuid.uuid4().hex}
        for _ in range(3):
            self.hang_up(self.path, body)
        self.assertTrue(signature_is_valid(self.post(self.path, body).body))
        self.assertEqual(len(self.sessions_of(self.id, "sign")), before + 1)

    def test_lesson_1_3_late_readers_and_restarts(self):
        stack = self.stack
        wishes = [("/api/v1/accounts", self.account_body()),
                  (self.path, {"message": HASH, "idempotency_key": uuid.uuid4().hex})]
        made = [self.post(*wish) for wish in wishes]
        reads = [f"/api/v1/mpc/sessions/{m.body['session_id']}{more}"
                 for m in made for more in ("", "/events")]
        read = [stack.call("GET", path).body for path in reads]
        for name in ("account-service", "session-coordinator"):
            stack.restarted(name, stack.kill(name))
        for wish, first in zip(wishes, made):
            again = self.again(*wish)
            self.assertEqual((again.status, again.body), (first.status, first.body))
        for path, first in zip(reads, read):
            late = until(lambda path=path: self.found(path))
            self.assertEqual(self.settled(late), self.settled(first), path)

    def found(self, path):
        answer = self.stack.call("GET", path)
        return answer.body if answer.status == 200 else None

    @staticmethod
    def settled(body):
        """Without what may still be noted after the end: that further parties have completed."""
        if "events" in body:
            return [e for e in body["events"] if e["event_type"] != "party_completed"]
        return {k: v for k, v in body.items() if k != "completed_parties"}


if __name__ == "__main__":
    unittest.main()
