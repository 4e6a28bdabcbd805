# SPDX-License-Identifier: Apache-2.0
"""The processes are started one by one, by hand, in orders that are not the documented one: each
waits for those that it needs, none ends, and the system signs."""
import http.client
import json
import os
import signal
import subprocess
import unittest

from support import LIMIT, QUORATE, Stack, TestCase, change_env, signature_is_valid, until

SERVICES = os.path.join(os.path.dirname(os.path.dirname(QUORATE)), "services")
ACCOUNT, COORDINATOR, ROUTER, SHARES = ("account-service", "session-coordinator", "message-router",
                                        "server-party-api")
PARTIES = ("party-1", "party-2", "party-3")


class PortLost(Exception):
    """Somebody took a port between its choice and the start."""


class ByHand(Stack):
    """A prepared directory of which nothing runs yet."""

    def __init__(self):
        self.running = {}
        super().__init__(self.edit)

    @staticmethod
    def edit(directory):
        for name in (ACCOUNT, COORDINATOR, ROUTER, SHARES, *PARTIES):
            change_env(directory, name, RETRY_MAX=1000, RETRY_DELAY_MS=20)

    def start(self):
        with open(os.path.join(self.dir, "client.json"), encoding="utf-8") as f:
            client = json.load(f)
        self.url, self.key = client["url"], client["api_key"]

    def begin(self, name):
        """Its process listens, whoever else is there."""
        program = "server-party" if name in PARTIES else name
        with open(os.path.join(self.dir, "log", name + ".log"), "ab") as log:
            self.running[name] = subprocess.Popen(
                [os.path.join(SERVICES, "quorate-" + program), "--env-file",
                 os.path.join(self.dir, name + ".env")], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log)
        until(lambda: self.page(name, "/health") == 200)

    def page(self, name, path):
        """The status of a page; 0: it does not listen yet."""
        if self.running[name].poll() is not None:
            text = self.log(name)
            if "Address already in use" in text:
                raise PortLost
            raise AssertionError(f"{name} has ended:\n{text[-2000:]}")
        try:
            return self.call("GET", path, key=False, url=self.service_url(name)).status
        except (OSError, http.client.HTTPException):
            return 0

    def stop(self):
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        return max((process.wait(LIMIT) for process in self.running.values()), default=0)

    def remove(self):
        for process in self.running.values():
            process.kill()
            process.wait(LIMIT)
        super().remove()


class Order(TestCase):
    def live(self, stack):
        parties = stack.call("GET", "/api/v1/parties").body["parties"]
        return sum(p["live"] for p in parties)

    def start_all(self, stack, order):
        for name in order:
            if name == order[-1]:
                self.assertEqual(stack.page(ACCOUNT, "/ready"), 503, name)
            stack.begin(name)
        for name in order:
            until(lambda name=name: stack.page(name, "/ready") == 200)
        until(lambda: self.live(stack) == len(PARTIES) + 1)
        account = stack.create()["account_id"]
        self.assertTrue(signature_is_valid(stack.sign(account).body))
        for name in order:
            self.assertEqual(stack.page(name, "/ready"), 200)

    def signs(self, *order):
        while True:
            stack = ByHand()
            try:
                self.start_all(stack, order)
            except PortLost:
                stack.remove()
                continue
            except BaseException:
                stack.remove()
                raise
            stack.close()
            return

    def test_the_other_way_round(self):
        self.signs(ACCOUNT, SHARES, *PARTIES[::-1], COORDINATOR, ROUTER)

    def test_parties_first_and_the_coordinator_last(self):
        self.signs(*PARTIES, ROUTER, ACCOUNT, SHARES, COORDINATOR)


if __name__ == "__main__":
    unittest.main()
