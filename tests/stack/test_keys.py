# SPDX-License-Identifier: Apache-2.0
"""Named API keys: `quorate key new`, what each scope opens at every service, two live values, and
the name in the audit log and the log."""
import json
import subprocess
import unittest

from doors import ACCOUNT, COORDINATOR, ROUTER, SHARES
from support import HASH, LIMIT, QUORATE, Stack, TestCase, change_env, patient, until

NOBODY = "00000000-0000-4000-8000-000000000000"
SCOPES = ("read", "sign", "create", "manage")


def new(name, scopes):
    return json.loads(subprocess.run([QUORATE, "key", "new", "--name", name, "--scopes", scopes,
                                      "--json"], check=True, capture_output=True, text=True,
                                     timeout=LIMIT).stdout)


class Keys(TestCase):
    @classmethod
    def setUpClass(cls):
        made = {scope: new("only-" + scope, scope) for scope in SCOPES}
        second = new("only-sign", "sign")
        both = new("wallet", "read+sign")
        made["sign"]["entry"] += ":" + second["digest"]
        cls.keys = {name: m["key"] for name, m in made.items()}
        cls.second, cls.both = second["key"], both["key"]
        entries = [m["entry"] for m in made.values()] + [both["entry"]]

        def edit(directory):
            patient(directory)
            for name in (ACCOUNT, COORDINATOR, ROUTER, SHARES):
                change_env(directory, name, API_KEYS=",".join(entries))
        cls.stack = Stack(edit)
        cls.account = cls.stack.create()["account_id"]

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def opens(self, scope, method, path, body=None, at=ACCOUNT):
        """This scope does; the others get a sentence that names it."""
        for name, key in self.keys.items():
            answer = self.stack.call(method, path, body, key=key, url=self.stack.service_url(at))
            if name == scope:
                self.assertNotEqual(answer.status, 401, answer)
                self.assertNotEqual(answer.body.get("code"), "missing_scope", answer)
                continue
            self.assertError(answer, 403)
            self.assertEqual((answer.body["code"], answer.body["error"]),
                             ("missing_scope", f"the API key only-{name} has not the scope that"
                              f" this call needs: {scope}"))

    def test_what_each_scope_opens(self):
        account = f"/api/v1/accounts/{self.account}"
        session = f"/api/v1/mpc/sessions/{NOBODY}"
        parties = {"party_ids": ["party-1", "party-2"]}
        for path in ("/api/v1/accounts", account, account + "/certificate",
                     account + "/signing-parties", session, session + "/events", "/api/v1/parties"):
            self.opens("read", "GET", path)
        self.opens("sign", "POST", account + "/sign", {"message": HASH})
        self.opens("sign", "POST", "/api/v1/mpc/sign", {"account_id": NOBODY, "message_hash": HASH})
        self.opens("create", "POST", "/api/v1/accounts", {"user_id": "ann"})
        self.opens("create", "POST", "/api/v1/mpc/keygen", {})
        self.opens("manage", "PUT", account + "/signing-parties", parties)

    def test_what_each_scope_opens_for_operators(self):
        account = f"/api/v1/accounts/{self.account}"
        self.opens("manage", "DELETE", account + "/signing-parties")
        self.opens("manage", "POST", f"/api/v1/mpc/sessions/{NOBODY}/cancel")
        self.opens("manage", "POST", "/api/v1/orders", {"body": "00", "signature": "00"})
        self.opens("read", "GET", "/api/v1/sessions", at=COORDINATOR)
        self.opens("manage", "POST", f"/api/v1/sessions/{NOBODY}/cancel", at=COORDINATOR)
        self.opens("manage", "POST", "/api/v1/sessions", {}, at=COORDINATOR)
        self.opens("read", "GET", "/api/v1/parties", at=ROUTER)

    def test_what_each_scope_opens_at_the_delegate(self):
        self.opens("read", "GET", "/api/v1/shares/key", at=SHARES)
        self.opens("create", "POST", "/api/v1/shares/confirm", {"session_id": NOBODY}, at=SHARES)
        self.opens("sign", "POST", "/api/v1/shares/sign", {"session_id": NOBODY}, at=SHARES)

    def test_both_values_of_a_name_are_good_and_it_is_written_down(self):
        path = f"/api/v1/accounts/{self.account}"
        for key, name in ((self.keys["sign"], "only-sign"), (self.second, "only-sign"),
                          (self.both, "wallet"), (True, "default")):
            answer = self.stack.call("POST", path + "/sign", {"message": HASH}, key=key)
            self.assertEqual(answer.status, 200, answer)
            request = answer.headers["x-request-id"]
            code, out, _ = self.stack.cli("audit", "list", "--json", "--caller", name)
            self.assertEqual(code, 0)
            self.assertIn(request, out)
            self.assertTrue([line for line in self.stack.log(ACCOUNT).splitlines()
                             if "signature finished" in line and request in line
                             and f"caller={name}" in line])
        self.assertEqual(self.stack.call("GET", path, key=self.both).status, 200)

    def test_a_key_without_the_scope_is_counted_and_written_down(self):
        name = 'quorate_auth_failures_total{reason="scope"}'
        before = self.stack.metrics(ACCOUNT)[name]
        answer = self.stack.call("DELETE", f"/api/v1/accounts/{self.account}/signing-parties",
                                 key=self.both)
        self.assertEqual(answer.status, 403)
        self.assertEqual(self.stack.metrics(ACCOUNT)[name], before + 1)
        request = answer.headers["x-request-id"]

        def row():
            _, out, _ = self.stack.cli("audit", "list", "--json", "--caller", "wallet")
            return [r for r in map(json.loads, out.splitlines()) if r["request_id"] == request]
        found, = until(row)
        self.assertEqual((found["action"], found["outcome"]),
                         ("DeleteSigningParties", "missing_scope"))

    def test_refusals(self):
        for words, sentence in (
                ((), "say what: quorate key new"),
                (("new",), "--name must be 1 to 32"),
                (("new", "--name", "Default", "--scopes", "read"), "--name must be 1 to 32"),
                (("new", "--name", "default", "--scopes", "read"), "--name must be 1 to 32"),
                (("new", "--name", "a"), "--scopes must be"),
                (("new", "--name", "a", "--scopes", "read,sign"), "--scopes must be")):
            done = subprocess.run([QUORATE, "key", *words], capture_output=True, text=True,
                                  timeout=LIMIT, check=False)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(sentence, done.stderr)

    def test_keys_are_never_the_same(self):
        made = [new("a", "read") for _ in range(3)]
        self.assertEqual(len({m["key"] for m in made}), 3)
        for m in made:
            self.assertRegex(m["key"], r"\Aqk_[0-9a-f]{64}\Z")
            self.assertEqual(m["entry"], "a:read:" + m["digest"])


if __name__ == "__main__":
    unittest.main()
