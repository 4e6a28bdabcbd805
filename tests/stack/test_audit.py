# SPDX-License-Identifier: Apache-2.0
"""The audit log (docs/audit.md): every operation is a row, and whatever is done to the rows in the
database is found."""
import contextlib
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import unittest
import urllib.parse

from support import (HASH, LIMIT, POSTGRES, SOURCE, Stack, TestCase, change_env, patient, psql,
                     until)

ACCOUNT = "account-service"
# What a row's digest is made of, behind chain, time and caller.
TEXTS = ("address", "action", "object", "session_id", "outcome", "request_id", "detail")


class Audit(TestCase):
    @classmethod
    def setUpClass(cls):
        def edit(directory):
            patient(directory)
            change_env(directory, ACCOUNT, TRUSTED_PROXIES="127.0.0.1", ALLOWED_IPS="127.0.0.0/8")
        cls.stack = Stack(edit)
        cls.account = cls.stack.create()["account_id"]

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def rows(self, *words):
        code, out, err = self.stack.cli("audit", "list", "--json", *words)
        self.assertEqual((code, err), (0, ""))
        return [json.loads(line) for line in out.splitlines()]

    def row_of(self, answer):
        """Rows that nobody waits for are there soon."""
        request = answer.headers["x-request-id"]
        found = until(lambda: [r for r in self.rows() if r["request_id"] == request])
        self.assertEqual(len(found), 1)
        return found[0]

    def verify(self, *words):
        return self.stack.cli("audit", "verify", *words)

    def whole(self, *words):
        code, out, err = self.verify("--json", *words)
        self.assertEqual((code, err), (0, ""), out)
        return json.loads(out)

    def damaged(self, sentence, *words):
        code, out, err = self.verify(*words)
        self.assertEqual(code, 1, out + err)
        self.assertRegex(err, sentence)

    def path(self, name):
        return os.path.join(self.stack.dir, name)

    # --- what is in it ---

    def expect(self, answer, status, **fields):
        self.assertEqual(answer.status, status, answer)
        row = self.row_of(answer)
        self.assertEqual({k: row[k] for k in fields}, fields)

    def test_every_operation_is_a_row(self):
        call, path = self.stack.call, f"/api/v1/accounts/{self.account}"
        nobody = "00000000-0000-4000-8000-000000000000"
        who = {"caller": "default", "address": "127.0.0.1", "object": self.account}
        signed = self.stack.sign(self.account)
        self.expect(signed, 200, action="Sign", outcome="completed",
                    session_id=signed.body["session_id"], **who)
        self.expect(call("GET", path), 200, action="GetAccount", outcome="done", **who)
        self.expect(call("PUT", path + "/signing-parties", {"party_ids": ["party-1", "party-2"]}),
                    200, action="SetSigningParties", outcome="done", **who)
        self.expect(call("POST", path + "/sign", {"message": "no hex"}), 400, action="Sign",
                    outcome="invalid_field", **who)
        begun = call("POST", path + "/sign?wait=0", {"message": HASH})
        self.expect(begun, 200, action="Sign", outcome="begun",
                    session_id=begun.body["session_id"], **who)
        self.expect(call("GET", "/api/v1/mpc/sessions/" + nobody), 404, action="GetSession",
                    outcome="session_not_found", session_id=nobody, caller="default")
        self.expect(call("GET", path, headers={"X-Forwarded-For": "127.0.0.9"}), 200,
                    action="GetAccount", outcome="done", **(who | {"address": "127.0.0.9"}))
        made = [r for r in self.rows("--about", self.account) if r["action"] == "CreateAccount"]
        self.assertEqual([(r["caller"], r["outcome"]) for r in made], [("default", "active")])
        self.whole()

    def test_refusals_are_rows_until_they_are_too_many(self):
        path = f"/api/v1/accounts/{self.account}"
        stranger = {"caller": "", "address": "127.0.0.1", "action": "GetAccount", "object": ""}
        self.expect(self.stack.call("GET", path, key="wrong"), 401, outcome="unauthorized",
                    **stranger)
        self.expect(self.stack.call("GET", path, headers={"X-Forwarded-For": "192.0.2.7"}), 403,
                    outcome="address_not_allowed", **(stranger | {"address": "192.0.2.7"}))
        got = [self.stack.call("GET", path, key="wrong").status for _ in range(40)]
        self.assertEqual(set(got), {401, 429})
        # every one that was not one too many, of which the first twenty are none
        refused = 1 + got.count(401)
        self.assertGreaterEqual(refused, 20)
        self.row_of(self.stack.call("GET", path))
        rows = [r["outcome"] for r in self.rows() if r["caller"] == ""]
        self.assertEqual(sorted(rows), ["address_not_allowed"] + ["unauthorized"] * refused)

    def test_a_list_does_not_write_on_the_terminal(self):
        bad = "\x1b]0;eve\x07"
        self.row_of(self.stack.call("GET", "/api/v1/accounts/" + urllib.parse.quote(bad)))
        code, out, _ = self.stack.cli("audit", "list")
        self.assertEqual(code, 0)
        self.assertIn("object=?]0;eve?", out)
        self.assertTrue(all(c >= " " or c == "\n" for c in out))

    # --- exports ---

    def test_an_export_is_verified_by_the_python_of_the_page(self):
        with open(os.path.join(SOURCE, "docs", "audit.md"), encoding="utf-8") as f:
            script, = re.findall(r"```python\n(.*?)```", f.read(), re.S)
        export = self.path("audit.jsonl")
        self.row_of(self.stack.sign(self.account))
        with open(export, "w", encoding="utf-8") as f:
            code, text, _ = self.stack.cli("audit", "list", "--all", "--json")
            self.assertEqual(code, 0)
            f.write(text)
        self.whole("--file", export)
        self.assertRegex(self.python(script, export), r"\A\d+ chains\n\Z")
        with open(export, "w", encoding="utf-8") as f:
            f.write(text.replace('"completed"', '"cancelled"', 1))
        self.assertIn("wrong:", self.python(script, export))
        self.damaged("it was changed", "--file", export)

    @staticmethod
    def python(script, *words):
        return subprocess.run([sys.executable, "-c", script, *words], capture_output=True,
                              text=True, timeout=LIMIT, check=True).stdout

    # --- what is done to it ---

    def sql(self, *statements):
        """As somebody who may do anything to the database."""
        if POSTGRES:
            psql(self.stack.env(ACCOUNT), "; ".join(
                ["ALTER TABLE audit_log DISABLE TRIGGER USER", *statements]))
            return
        path = os.path.join(self.stack.env(ACCOUNT)["DATA_DIR"], "account.db")
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            for word in ("update", "delete"):
                db.execute(f"DROP TRIGGER IF EXISTS audit_log_no_{word}")
            for statement in statements:
                db.execute(statement)

    def restart(self):
        old = self.stack.kill(ACCOUNT)
        self.stack.restarted(ACCOUNT, old)
        until(self.is_ready)

    def is_ready(self):
        with contextlib.suppress(OSError):
            return self.stack.call("GET", "/ready", key=False).status == 200

    def remade(self, row):
        """SQL that makes the last row of a chain another one, with the hash that belongs to it."""
        digest = hashlib.sha256()
        for text in ("quorate/audit/1", row["chain"], str(row["at_ms"]), "eve",
                     *(row[name] for name in TEXTS)):
            digest.update(len(text.encode()).to_bytes(4, "big") + text.encode())
        made = hashlib.sha256(bytes.fromhex(row["prev"]) + digest.digest()).hexdigest()
        blob = f"'\\x{made}'" if POSTGRES else f"X'{made}'"
        return (f"UPDATE audit_log SET caller = 'eve', hash = {blob}"
                f" WHERE chain = '{row['chain']}' AND seq = {row['seq']}")

    def test_whatever_is_done_to_it_is_found(self):
        self.stack.sign(self.account)
        self.restart()
        self.row_of(self.stack.sign(self.account))
        heads = self.path("heads")
        self.stack.stop()  # all rows are on the disk
        self.assertEqual(self.whole("--save-heads", heads)["chains"], 2)
        rows = self.rows("--all")
        old, new = [[r for r in rows if r["chain"] == c["chain"]] for c in
                    sorted((r for r in rows if r["seq"] == 1), key=lambda r: r["at_ms"])]
        self.assertEqual(new[0]["detail"], "{chain} {seq} {hash}".format(**old[-1]))
        signed = next(r for r in new if r["action"] == "Sign")

        def at(row):
            return f"WHERE chain = '{row['chain']}' AND seq = {row['seq']}"

        cases = [
            ("it was changed", "UPDATE audit_log SET outcome = 'failed' " + at(signed)),
            ("it was changed", f"UPDATE audit_log SET at_ms = at_ms + 1 {at(new[-1])}"),
            ("it does not follow", f"UPDATE audit_log SET prev = hash {at(signed)}"),
            (f"{old[1]['chain']}: row 3 stands where row 2 should",
             "DELETE FROM audit_log " + at(old[1])),
            ("a later chain names it: the chain was cut", "DELETE FROM audit_log " + at(old[-1])),
            ("a later chain names it", f"DELETE FROM audit_log WHERE chain = '{old[0]['chain']}'"),
            ("a later chain names another hash", self.remade(old[-1])),
        ]
        self.sql("CREATE TABLE kept AS SELECT * FROM audit_log")
        restore = ("DELETE FROM audit_log", "INSERT INTO audit_log SELECT * FROM kept")
        for sentence, statement in cases:
            self.sql(*restore, statement)
            self.damaged(sentence)
        for statement, sentence in ((self.remade(new[-1]), f"{heads} names another hash"),
                                    ("DELETE FROM audit_log " + at(new[-1]), f"{heads} names it")):
            self.sql(*restore, statement)
            self.whole()
            self.damaged(sentence, "--heads", heads)
        self.sql(*restore)
        self.whole("--heads", heads)
        self.stack.start()

    # --- wrong use ---

    def test_refusals(self):
        for words, code, sentence in (
                (("audit",), 2, "say what: quorate audit list or verify"),
                (("audit", "list", "--limit", "0"), 2, "--limit must be a number"),
                (("audit", "list", "--heads", "x"), 2, "are for quorate audit verify"),
                (("audit", "verify", "--all"), 2, "are for quorate audit list"),
                (("audit", "verify", "--env", "/nowhere"), 1, "/nowhere"),
                (("audit", "verify", "--file", "/nowhere"), 1, "/nowhere: No such file"),
                (("audit", "verify", "--file", __file__), 1, "line 1 of .* is no row"),
                (("audit", "verify", "--file", "/dev/null"), 1, "the audit log is empty"),
                (("audit", "verify", "--heads", __file__), 1, "is no list of heads")):
            got, _, err = self.stack.cli(*words)
            self.assertEqual(got, code, words)
            self.assertRegex(err, sentence)


if __name__ == "__main__":
    unittest.main()
