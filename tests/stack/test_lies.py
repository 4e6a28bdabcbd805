# SPDX-License-Identifier: Apache-2.0
"""A coordinator that was broken into: what it says to the account service is not believed."""
import unittest

from support import Proxy, Stack, TestCase, install_npm


class Lies(TestCase):
    @classmethod
    def setUpClass(cls):
        def edit(directory):
            cls.coordinator = Proxy("coordinator", directory, callers=["account-service"])

        cls.stack = Stack(edit)
        cls.account = cls.stack.create()

    @classmethod
    def tearDownClass(cls):
        try:
            cls.stack.close()
        finally:
            cls.coordinator.close()

    def tearDown(self):
        self.coordinator.rules()

    def refused(self, *rules):
        """An account is asked for and not made; the service goes on."""
        pid = self.stack.pid("account-service")
        self.coordinator.rules(*rules)
        answer = self.stack.call("POST", "/api/v1/accounts", {"user_id": "victim"})
        self.coordinator.rules()
        self.assertError(answer, 422)
        for account in self.stack.call("GET", "/api/v1/accounts?user_id=victim").body["accounts"]:
            self.assertEqual(account["status"], "failed")
            self.assertNotIn("addresses", account)
        self.assertEqual(self.stack.pid("account-service"), pid)
        self.stack.create()
        return answer.body["error"]

    def test_the_key_of_another_account_of_the_same_parties(self):
        path = f"/api/v1/accounts/{self.account['account_id']}/certificate"
        other = self.stack.call("GET", path).body["certificate"]
        error = self.refused({"method": "GetSessionStatus", "action": "lie", "certificate": other})
        self.assertIn("certificate", error)

    def test_a_certificate_that_is_none(self):
        self.refused({"method": "GetSessionStatus", "action": "lie", "certificate": "REtLMQ=="})

    def test_one_party_in_every_seat(self):
        self.refused({"method": "SelectParties", "action": "lie", "repeat": True})


if __name__ == "__main__":
    install_npm()
    unittest.main()
