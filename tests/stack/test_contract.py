# SPDX-License-Identifier: Apache-2.0
"""Every row of the HTTP contract, by curl: success, each error, each malformed field."""
import unittest
import uuid

from support import HASH, Stack, TestCase, b64, curl, patient, signature_is_valid

ADDRESSES = {"ethereum", "bitcoin_p2wpkh", "bitcoin_p2pkh", "tron"}
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


class Contract(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(patient)
        cls.account = cls.stack.create()
        cls.id = cls.account["account_id"]

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def ask(self, method, path, body=None, key=True):
        return curl(self.stack, method, path, body=body, key=key)

    # --- access ---

    def test_health_needs_no_key_and_names_the_service(self):
        self.assertEqual(self.ask("GET", "/health", key=False),
                         (200, {"service": "account", "status": "healthy"}))
        names = {"session-coordinator": "session-coordinator", "message-router": "message-router",
                 "server-party-api": "server-party-api", "party-1": "server-party"}
        for process, service in names.items():
            with self.subTest(process):
                self.assertEqual(
                    curl(self.stack, "GET", self.stack.service_url(process) + "/health", key=False),
                    (200, {"service": service, "status": "healthy"}))

    def test_without_key_or_with_a_wrong_one_it_is_401_and_says_nothing(self):
        for key in (False, "wrong", self.stack.key + "x", self.stack.key[:-1]):
            for path in ("/api/v1/accounts", f"/api/v1/accounts/{self.id}",
                         f"/api/v1/accounts/{uuid.uuid4()}", "/api/v1/mpc/sessions/nonsense"):
                status, body = self.ask("GET", path, key=key)
                self.assertEqual((status, body["error"]), (401, "unauthorized"))

    def test_unknown_path_is_404_and_wrong_method_405(self):
        self.assertError(self.ask("GET", "/api/v1/nothing"), 404)
        self.assertError(self.ask("PATCH", "/api/v1/accounts"), 405)

    # --- accounts ---

    def test_an_account_has_the_fields_of_the_contract(self):
        a = self.account
        self.assertEqual(a["status"], "active")
        self.assertEqual((a["threshold_t"], a["threshold_n"], a["key_type"]), (2, 3, "secp256k1"))
        self.assertRegex(a["account_id"], f"^{UUID}$")
        self.assertRegex(a["session_id"], f"^{UUID}$")
        self.assertRegex(a["public_key"], "^0[23][0-9a-f]{64}$")
        self.assertEqual(set(a["addresses"]), ADDRESSES)
        self.assertEqual(sorted(a["parties"]), ["party-1", "party-2", "party-3"])
        status, again = self.ask("GET", f"/api/v1/accounts/{self.id}")
        self.assertEqual((status, again), (200, a))

    def test_username_is_an_alias_of_user_id(self):
        status, body = self.ask("POST", "/api/v1/accounts", {"username": "bob"})
        self.assertEqual((status, body["user_id"]), (201, "bob"))
        status, body = self.ask("GET", "/api/v1/accounts?user_id=bob")
        self.assertEqual([a["user_id"] for a in body["accounts"]], ["bob"])

    def test_malformed_fields_of_an_account_are_400_and_named(self):
        bad = [({}, "user_id"), ({"user_id": ""}, "user_id"), ({"user_id": "x" * 256}, "user_id"),
               ({"user_id": "a\nb"}, "user_id"), ({"username": "\u202ebob"}, "user_id"),
               ({"user_id": 7}, "user_id"), ({"user_id": "u", "username": "v"}, "user_id"),
               ({"user_id": "u", "threshold_t": 1}, "threshold_t"),
               ({"user_id": "u", "threshold_t": 4}, "threshold_t"),
               ({"user_id": "u", "threshold_n": 1}, "threshold_n"),
               ({"user_id": "u", "threshold_n": 65}, "threshold_n"),
               ({"user_id": "u", "threshold_n": -3}, "threshold_n"),
               ({"user_id": "u", "threshold_n": 2.5}, "threshold_n"),
               ({"user_id": "u", "threshold_t": "2"}, "threshold_t"),
               ({"user_id": "u", "key_type": "rsa"}, "key_type"),
               ({"user_id": "u", "user_share": "yes"}, "user_share"),
               ({"user_id": "u", "user_public_key": "00"}, "user_public_key"),
               ({"user_id": "u", "user_share": "delegate"}, "user_public_key"),
               ({"user_id": "u", "user_share": "delegate", "user_public_key": "00" * 32},
                "user_public_key"),
               ({"user_id": "u", "user_share": "delegate", "user_public_key": "0g"},
                "user_public_key"),
               ({"user_id": "u", "participants": "party-1"}, "participants"),
               ({"user_id": "u", "participants": [{"party_id": ""}]}, "party_id"),
               ({"user_id": "u", "participants": [{"party_id": "party-1"}] * 2}, "participants"),
               ({"user_id": "u", "idempotency_key": "k" * 200}, "idempotency_key"),
               ({"usr_id": "u"}, "usr_id"), ({"user_id": "u", "treshold_t": 2}, "treshold_t")]
        for body, name in bad:
            with self.subTest(body=body):
                self.assertError(self.ask("POST", "/api/v1/accounts", body), 400, name)
        for text in ("", "{", "[]", "null", "7", '{"user_id":"a"} x', '{"user_id":"a","user_id":"b"}',
                     '{"user_id":"\\ud800"}', '{"user_id":"a\\u0000b"}', "{" * 100000):
            with self.subTest(text=text[:20]):
                self.assertError(self.ask("POST", "/api/v1/accounts", text), 400)

    def test_impossible_accounts_are_422(self):
        self.assertError(self.ask("POST", "/api/v1/accounts",
                                  {"user_id": "u", "threshold_n": 40, "threshold_t": 20}), 422)
        self.assertError(self.ask("POST", "/api/v1/accounts",
                                  {"user_id": "u", "threshold_n": 2, "participants": [
                                      {"party_id": "party-1"}, {"party_id": "nobody"}]}),
                         422, "nobody")

    def test_a_body_that_is_too_large_is_413(self):
        self.assertError(self.ask("POST", "/api/v1/accounts",
                                  '{"user_id":"' + "x" * 3_000_000 + '"}'), 413)

    def test_curl_shows_the_refusal_of_a_body_that_it_still_sends(self):
        body = '{"user_id":"' + "x" * 3_000_000 + '"}'
        for version in "--http1.1", "--http2-prior-knowledge":
            for key, status in (True, 413), (False, 401), ("wrong", 401):
                with self.subTest(version, key=key):
                    self.assertError(curl(self.stack, "POST", "/api/v1/accounts", version, "-H",
                                          "Expect:", body=body, key=key), status)

    def test_unknown_accounts_are_404_and_malformed_ids_400(self):
        for path in ("", "/certificate", "/signing-parties"):
            with self.subTest(path):
                self.assertError(self.ask("GET", f"/api/v1/accounts/{uuid.uuid4()}{path}"), 404)
                self.assertError(self.ask("GET", f"/api/v1/accounts/not-a-uuid{path}"), 400,
                                 "account_id")

    def test_pages_of_accounts(self):
        made = [self.stack.create(user_id="pages")["account_id"] for _ in range(3)]
        for query, last in (("limit=1", self.id), ("limit=2&user_id=pages", made[0])):
            seen, path = [], f"/api/v1/accounts?{query}"
            while path:
                status, page = self.ask("GET", path)
                self.assertEqual(status, 200)
                seen += [a["account_id"] for a in page["accounts"]]
                path = f"/api/v1/accounts?{query}&after={page['next']}" if "next" in page else None
                # One that is made meanwhile is newer than all pages to come.
                if len(seen) < 3:
                    self.stack.create(user_id="pages")
            self.assertEqual(len(seen), len(set(seen)))
            self.assertEqual([id for id in seen if id in made], made[::-1])
            self.assertIn(last, seen)
        self.assertError(self.ask("GET", "/api/v1/accounts?limit=0"), 400, "limit")
        self.assertError(self.ask("GET", "/api/v1/accounts?limit=ten"), 400, "limit")
        self.assertError(self.ask("GET", "/api/v1/accounts?after=x"), 400, "after")
        self.assertError(self.ask("GET", "/api/v1/accounts?usr=x"), 400, "usr")

    # --- signing ---

    def test_a_signature_has_the_fields_of_the_contract_and_verifies(self):
        for message in (HASH, "0x" + HASH, HASH.upper().replace("0X", "0x")):
            status, body = self.ask("POST", f"/api/v1/accounts/{self.id}/sign",
                                    {"message": message})
            self.assertEqual(status, 200, body)
            self.assertEqual(body["message_hash"], HASH)
            self.assertEqual(body["public_key"], self.account["public_key"])
            self.assertEqual(len(body["parties"]), 2)
            self.assertTrue(signature_is_valid(body))

    def test_messages_are_hashed_as_asked(self):
        want = {("sha256", "utf8", "abc"):
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                ("keccak256", "hex", "616263"):
                "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
                ("keccak256", "base64", "YWJj"):
                "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"}
        for (name, encoding, message), digest in want.items():
            status, body = self.ask("POST", f"/api/v1/accounts/{self.id}/sign",
                                    {"message": message, "hash": name,
                                     "message_encoding": encoding})
            self.assertEqual((status, body["message_hash"]), (200, digest))
            self.assertTrue(signature_is_valid(body))

    def test_a_message_of_64_kib_is_signed_and_one_byte_more_is_not(self):
        path = f"/api/v1/accounts/{self.id}/sign"
        self.assertEqual(self.ask("POST", path, {"message": "ab" * 65536, "hash": "sha256"})[0], 200)
        self.assertError(self.ask("POST", path, {"message": "ab" * 65537, "hash": "sha256"}), 400)

    def test_a_derived_key_signs(self):
        status, body = self.ask("POST", f"/api/v1/accounts/{self.id}/sign",
                                {"message": HASH, "derivation_path": "m/44/60/0"})
        self.assertEqual(status, 200, body)
        self.assertNotEqual(body["public_key"], self.account["public_key"])
        self.assertTrue(signature_is_valid(body))

    def test_malformed_fields_of_a_signature_are_400_and_named(self):
        bad = [({}, "message"), ({"message": "0x", "hash": "sha256"}, "message"),
               ({"message": "", "hash": "sha256", "message_encoding": "utf8"}, "message"),
               ({"message": "11"}, "message"), ({"message": HASH + "1"}, "message"),
               ({"message": "zz" * 32}, "message"), ({"message": 5}, "message"),
               ({"message": HASH, "hash": "md5"}, "hash"),
               ({"message": HASH, "message_encoding": "rot13"}, "message_encoding"),
               ({"message": HASH, "derivation_path": "m/44'/0"}, "derivation_path"),
               ({"message": HASH, "derivation_path": "x"}, "derivation_path"),
               ({"message": HASH, "participants": [{"party_id": "party-9"},
                                                   {"party_id": "party-1"}]}, "party-9"),
               ({"message": HASH, "participants": [{"party_id": "party-1"}]}, "participants"),
               ({"message": HASH, "intent": "00"}, "intent_signature"),
               ({"message": HASH, "mesage": HASH}, "mesage")]
        for body, name in bad:
            with self.subTest(body=body):
                self.assertError(self.ask("POST", f"/api/v1/accounts/{self.id}/sign", body), 400,
                                 name)
        self.assertError(self.ask("POST", f"/api/v1/accounts/{uuid.uuid4()}/sign",
                                  {"message": HASH}), 404)

    def test_signing_parties_are_kept_obeyed_and_deleted(self):
        path = f"/api/v1/accounts/{self.id}/signing-parties"
        self.assertEqual(self.ask("GET", path)[1]["party_ids"], [])
        status, body = self.ask("PUT", path, {"party_ids": ["party-3", "party-1"]})
        self.assertEqual((status, sorted(body["party_ids"])), (200, ["party-1", "party-3"]))
        for _ in range(3):
            status, body = self.ask("POST", f"/api/v1/accounts/{self.id}/sign", {"message": HASH})
            self.assertEqual((status, sorted(body["parties"])), (200, ["party-1", "party-3"]))
        for bad in ([], ["party-1"], ["party-1", "party-1"], ["party-1", "party-9"],
                    ["party-1", "party-2", "party-3"]):
            self.assertError(self.ask("PUT", path, {"party_ids": bad}), 400)
        self.assertEqual(self.ask("DELETE", path)[1]["party_ids"], [])

    def test_the_certificate_names_every_party_and_the_key(self):
        status, body = self.ask("GET", f"/api/v1/accounts/{self.id}/certificate")
        self.assertEqual(status, 200)
        self.assertEqual(body["public_key"], self.account["public_key"])
        self.assertEqual(body["addresses"], self.account["addresses"])
        self.assertEqual(sorted(p["party_id"] for p in body["parties"]),
                         ["party-1", "party-2", "party-3"])
        self.assertEqual(b64(body["certificate"])[:4], b"DKK1")

    # --- sessions ---

    def test_keygen_and_sign_as_sessions(self):
        status, made = self.ask("POST", "/api/v1/mpc/keygen", {
            "threshold_n": 3, "threshold_t": 2,
            "participants": [{"party_id": f"party-{i}", "device_type": "server",
                              "device_id": f"d{i}"} for i in (1, 2, 3)]})
        self.assertEqual((status, made["session_type"]), (201, "keygen"), made)
        self.assertEqual(set(made["join_tokens"]), {"party-1", "party-2", "party-3"})
        status, session = self.ask("GET", f"/api/v1/mpc/sessions/{made['session_id']}?wait=240")
        self.assertEqual((status, session["status"]), (200, "completed"))
        self.assertEqual((session["threshold_n"], session["threshold_t"], session["total_parties"],
                          session["completed_parties"]), (3, 2, 3, 3))
        status, signed = self.ask("POST", "/api/v1/mpc/sign", {
            "account_id": made["account_id"], "message_hash": HASH,
            "participants": [{"party_id": "party-1"}, {"party_id": "party-2"}]})
        self.assertIn(status, (200, 201), signed)
        self.assertEqual((signed["status"], signed["keygen_session_id"]),
                         ("completed", made["session_id"]))
        status, session = self.ask("GET", f"/api/v1/mpc/sessions/{signed['session_id']}")
        self.assertEqual((session["threshold_n"], session["threshold_t"], session["total_parties"]),
                         (3, 2, 2))
        self.assertEqual(session["signature"], signed["signature"])

    def test_a_session_that_is_not_waited_for(self):
        status, signed = self.ask("POST", "/api/v1/mpc/sign?wait=0",
                                  {"account_id": self.id, "message_hash": HASH})
        self.assertIn(status, (200, 201))
        status, session = self.ask("GET", f"/api/v1/mpc/sessions/{signed['session_id']}?wait=240")
        self.assertEqual((status, session["status"]), (200, "completed"))

    def test_invalid_account_ids_of_a_signing_session(self):
        status, body = self.ask("POST", "/api/v1/mpc/sign",
                                {"account_id": "nonsense", "message_hash": HASH})
        self.assertEqual((status, body["error"]), (400, "invalid account ID"))
        status, body = self.ask("POST", "/api/v1/mpc/sign",
                                {"account_id": str(uuid.uuid4()), "message_hash": HASH})
        self.assertEqual((status, body["error"]), (404, "invalid account ID"))
        for bad in ("", "11", "zz" * 32, None):
            self.assertError(self.ask("POST", "/api/v1/mpc/sign",
                                      {"account_id": self.id, "message_hash": bad}), 400,
                             "message_hash")

    def test_malformed_fields_of_keygen_and_signing_sessions_are_400_and_named(self):
        def named(*parties):
            return [{"party_id": p} for p in parties]
        keygen = [({"threshold_t": 1}, "threshold_t"), ({"threshold_t": 4}, "threshold_t"),
                  ({"threshold_t": 0}, "threshold_t"), ({"threshold_n": 1}, "threshold_n"),
                  ({"threshold_n": 65}, "threshold_n"), ({"threshold_n": "3"}, "threshold_n"),
                  ({"threshold_n": 3, "participants": named("party-1", "party-2")}, "participants"),
                  ({"participants": named("party-1", "party-1", "party-2")}, "party-1"),
                  ({"participants": named("party-1", "", "party-2")}, "party_id"),
                  ({"participants": named("party 1", "party-3", "party-2")}, "party_id"),
                  ({"participants": [{"partyid": "party-1"}]}, "partyid"),
                  ({"participants": ["party-1"]}, "participants"),
                  ({"user_id": "a\nb"}, "user_id"), ({"idempotency_key": "k" * 200}, "idempotency_key"),
                  ({"key_type": "secp256k1"}, "key_type")]
        sign = [({"participants": named("party-1")}, "participants"),
                ({"participants": named("party-1", "party-1")}, "party-1"),
                ({"participants": named("party-1", "party-9")}, "party-9"),
                ({"participants": {}}, "participants"), ({"message_hash": HASH + "11"}, "message_hash"),
                ({"message_hash": 7}, "message_hash"), ({"message": HASH}, "message"),
                ({"idempotency_key": "k" * 200}, "idempotency_key")]
        for path, cases, base in (("keygen", keygen, {}), ("sign", sign, {
                "account_id": self.id, "message_hash": HASH})):
            for body, name in cases:
                with self.subTest(path=path, body=body):
                    self.assertError(self.ask("POST", "/api/v1/mpc/" + path, {**base, **body}), 400,
                                     name)
            for wait in ("x", "-1", "601", "", "1.5", "1&wait=2"):
                with self.subTest(path=path, wait=wait):
                    answer = self.ask("POST", f"/api/v1/mpc/{path}?wait={wait}", base)
                    self.assertError(answer, 400, "wait")
        self.assertError(self.ask("POST", "/api/v1/mpc/keygen", {"participants": named(
            "party-1", "party-2", "nobody")}), 422, "nobody")

    def test_events_are_the_whole_story_oldest_first(self):
        status, body = self.ask("GET",
                                f"/api/v1/mpc/sessions/{self.account['session_id']}/events")
        self.assertEqual(status, 200)
        types = [e["event_type"] for e in body["events"]]
        self.assertEqual(types[0], "session_created")
        self.assertEqual(types[-1] if types[-1] != "party_completed" else "session_completed",
                         "session_completed")
        self.assertEqual(types.count("session_completed"), 1)
        self.assertEqual([e["seq"] for e in body["events"]],
                         sorted(e["seq"] for e in body["events"]))
        self.assertNotIn("join_token", str(body))

    def test_unknown_and_ended_sessions(self):
        for verb, suffix in (("GET", ""), ("GET", "/events"), ("POST", "/cancel")):
            self.assertError(self.ask(verb, f"/api/v1/mpc/sessions/{uuid.uuid4()}{suffix}"), 404)
            self.assertError(self.ask(verb, f"/api/v1/mpc/sessions/x{suffix}"), 400, "session_id")
        self.assertError(
            self.ask("POST", f"/api/v1/mpc/sessions/{self.account['session_id']}/cancel"), 409)

    # --- idempotency ---

    def test_one_idempotency_key_gives_one_account(self):
        body = {"user_id": "once", "idempotency_key": "k-" + uuid.uuid4().hex}
        first = self.ask("POST", "/api/v1/accounts", body)
        self.assertEqual(self.ask("POST", "/api/v1/accounts", body), first)
        self.assertError(self.ask("POST", "/api/v1/accounts", {**body, "user_id": "twice"}), 409)

    def test_one_idempotency_key_gives_one_signature(self):
        body = {"message": HASH, "idempotency_key": "s-" + uuid.uuid4().hex}
        path = f"/api/v1/accounts/{self.id}/sign"
        first = self.ask("POST", path, body)
        self.assertEqual(first[0], 200)
        self.assertEqual(self.ask("POST", path, body), first)
        self.assertError(self.ask("POST", path, {**body, "message": "22" * 32}), 409)


if __name__ == "__main__":
    unittest.main()
