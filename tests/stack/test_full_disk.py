# SPDX-License-Identifier: Apache-2.0
"""Disks that are full: each process that stores something has a small file system of its own here,
in a mount namespace that ends with the test. The answer is one clear sentence, /ready says 503,
nothing that was acknowledged is lost, and everything goes on by itself once there is room."""
import contextlib
import os
import subprocess

from support import (Stack, TestCase, change_env, main_with_mounts, patient, read_env,
                     signature_is_valid, until)
from test_postgres import service

ACCOUNT, COORDINATOR, PARTY = "account-service", "session-coordinator", "party-3"
SIZE = 6 << 20
SECONDS = 10  # so long a keygen is tried again


class FullDisks(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.places = {}

        def edit(directory):
            for name in (ACCOUNT, COORDINATOR, PARTY):
                place = read_env(os.path.join(directory, name + ".env"))["DATA_DIR"]
                files = {}
                for f in os.listdir(place):
                    with open(os.path.join(place, f), "rb") as of:
                        files[f] = of.read()
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "none",
                                place], check=True)
                for f, content in files.items():
                    with open(os.path.join(place, f), "wb") as of:
                        of.write(content)
                cls.places[name] = place
            patient(directory)
            change_env(directory, ACCOUNT, KEYGEN_WAIT_S=SECONDS)

        cls.stack = Stack(edit)
        cls.addClassCleanup(cls.stack.close)
        cls.id = cls.stack.create()["account_id"]

    def fill(self, name):
        """Until nothing more goes in."""
        self.addCleanup(self.make_room, name)
        with open(os.path.join(self.places[name], "ballast"), "wb", buffering=0) as f:
            with contextlib.suppress(OSError):
                while True:
                    f.write(b"\1" * 4096)

    def make_room(self, name):
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(self.places[name], "ballast"))

    def ready(self, name):
        """The status; 0: nobody listens, as while a process is started again."""
        with contextlib.suppress(ConnectionError):
            return self.stack.call("GET", "/ready", url=self.stack.service_url(name),
                                   key=False).status
        return 0

    def refused(self, ask):
        """Ask until the files have no room left in themselves; what is answered then."""
        done = []

        def once():
            answer = ask()
            if answer.status in (200, 201):
                done.append(answer.body)
                return None
            return answer
        answer = until(once)
        self.assertError(answer, 503, "disk")
        self.assertIn("make room", answer.body["error"])
        self.assertEqual(answer.body["code"], "database_full")
        return done

    def signs(self):
        answer = self.stack.sign(self.id)
        self.assertEqual(answer.status, 200, answer)
        self.assertTrue(signature_is_valid(answer.body))

    def the_disk_of(self, name, ask, text):
        self.fill(name)
        done = self.refused(ask)
        self.assertEqual(self.ready(name), 503)
        self.assertEqual(self.stack.metrics(name)["quorate_ready"], 0)
        self.assertIn("make room on its disk", self.stack.log(name))
        old = self.stack.pid(name)
        self.make_room(name)
        until(lambda: self.ready(name) == 200)  # by itself: nothing is asked meanwhile
        self.assertEqual(self.stack.pid(name), old)
        self.assertIn("the disk has room again", self.stack.log(name))
        answer = until(lambda: next((a for a in [ask()] if a.status in (200, 201)), None))
        self.assertTrue(answer.body[text])
        self.signs()
        return done

    def create(self):
        return self.stack.call("POST", "/api/v1/accounts", {"user_id": "full"})

    def test_of_the_account_service(self):
        for body in self.the_disk_of(ACCOUNT, self.create, "account_id"):
            self.assertEqual(self.stack.sign(body["account_id"]).status, 200)

    def test_of_the_coordinator(self):
        for body in self.the_disk_of(COORDINATOR, lambda: self.stack.sign(self.id), "signature"):
            answer = self.stack.call("GET", f"/api/v1/mpc/sessions/{body['session_id']}")
            self.assertEqual(answer.body["status"], "completed")

    def test_of_a_party(self):
        """It makes no key meanwhile, and signs with those that it has."""
        self.fill(PARTY)
        until(self.a_keygen_that_cannot_be_stored)
        for _ in range(3):
            self.signs()
        self.assertEqual(self.stack.burned(), [])
        self.make_room(PARTY)
        until(lambda: self.create().status == 201)
        self.signs()

    def a_keygen_that_cannot_be_stored(self):
        """False: it could, or was over before the party came so far."""
        answer = self.create()
        if answer.status == 201:
            return False
        self.assertIn(answer.status, (422, 504), answer)
        path = f"/api/v1/mpc/sessions/{answer.body['session_id']}"
        ended = self.stack.call("GET", f"{path}?wait=240").body
        self.assertIn(ended["status"], ("failed", "expired"))
        events = self.stack.call("GET", path + "/events").body
        return f"party {PARTY} cannot store its share" in str(events)

    def test_a_start_without_room(self):
        """One line that names the database and says what to do, and an exit."""
        place = os.path.join(self.stack.dir, "full")
        os.mkdir(place)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", place], check=True)
        self.places["full"] = place
        self.fill("full")
        for name, program, file in ((ACCOUNT, ACCOUNT, "account.db"),
                                    (COORDINATOR, COORDINATOR, "coordinator.db"),
                                    (PARTY, "server-party", "party.db")):
            code, log = service(self.stack, name, program, DATA_DIR=place, HTTP_PORT=0, GRPC_PORT=0)
            errors = [line for line in log.splitlines() if " error " in line]
            self.assertEqual(code, 1, log)
            self.assertIn(f"database {os.path.join(place, file)}: ", errors[0])
            self.assertIn("make room on its disk", errors[0])
            # a front tells that it lost its keeper
            self.assertEqual(len(errors), 2 if name == PARTY else 1, log)
            self.assertEqual(os.path.getsize(os.path.join(place, file)), 0)

    def test_a_restart_without_room(self):
        """Whether it starts or not meanwhile: it does once there is room, and has lost nothing."""
        self.fill(ACCOUNT)
        self.refused(self.create)
        old = self.stack.kill(ACCOUNT)
        self.make_room(ACCOUNT)
        self.stack.restarted(ACCOUNT, old)
        until(lambda: self.ready(ACCOUNT) == 200)
        self.signs()


if __name__ == "__main__":
    main_with_mounts()
