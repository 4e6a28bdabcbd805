# SPDX-License-Identifier: Apache-2.0
"""A watch before a stand-in API server that forgets, refuses, cuts, and talks nonsense: what is known
stays until there is something newer, and comes right by itself."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "..", "support"))
from api_server import ApiServer, status  # noqa: E402

PROBE = os.environ["WATCH_PROBE"]
LIMIT = 60  # nothing here takes more than a second
SERVICE = "server-party"


class Probe:
    """The watch and the last that it told."""

    def __init__(self, api, retry_ms=20):
        self.process = subprocess.Popen(
            [PROBE, f"127.0.0.1:{api.port}", api.dir, SERVICE, str(retry_ms)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.changed = threading.Condition()
        self.told, self.log = [], ""
        self.threads = [threading.Thread(target=work, daemon=True)
                        for work in (self.read, self.read_log)]
        for t in self.threads:
            t.start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.told.append(json.loads(line))
                self.changed.notify_all()

    def read_log(self):
        for line in self.process.stderr:
            with self.changed:
                self.log += line
                self.changed.notify_all()

    def wait(self, what):
        with self.changed:
            assert self.changed.wait_for(what, LIMIT), (self.told[-3:], self.log[-1000:])

    def last(self):
        return self.told[-1] if self.told else {"current": False, "pods": []}

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(LIMIT)
        for t in self.threads:
            t.join(LIMIT)
        self.process.stdout.close()
        self.process.stderr.close()
        return code


class Watch(unittest.TestCase):
    def setUp(self):
        root = tempfile.mkdtemp(prefix="quorate-watch-")
        self.addCleanup(shutil.rmtree, root)
        self.api = ApiServer(root)
        self.addCleanup(lambda: self.api.close())
        self.api.put("a", SERVICE, ["p-1"])
        self.probe = Probe(self.api)
        self.addCleanup(lambda: self.assertEqual(self.probe.close(), 0))
        self.knows("p-1")

    def knows(self, *pods):
        self.probe.wait(lambda: self.probe.last() == {"current": True, "pods": list(pods)})

    def is_lost(self):
        """It says that it cannot ask, and what it knew last."""
        self.probe.wait(lambda: not self.probe.last()["current"])
        self.assertEqual(self.probe.last()["pods"], ["p-1"])

    def says(self, text):
        self.probe.wait(lambda: text in self.probe.log)

    def asked(self, n, *words):
        """|words| came to the API server after the first |n| requests."""
        self.api.wait(lambda api: all(any(s.startswith(w) for s in api.seen[n:]) for w in words))

    def seen(self):
        with self.api.changed:
            return len(self.api.seen)

    def test_events_arrive(self):
        self.asked(0, "watch")
        self.api.put("b", SERVICE, ["p-2", "p-1"])
        self.knows("p-1", "p-2")
        self.api.put("c", "another-service", ["p-3"])
        self.api.delete("a")
        self.api.put("b", SERVICE, ["p-2"])
        self.knows("p-2")
        self.api.delete("b")
        self.knows()
        self.assertEqual(self.api.seen.count("list"), 1)

    def test_a_watch_that_ends_goes_on_from_the_last_word(self):
        self.asked(0, "watch")
        self.api.put("c", "another-service", ["p-3"])
        self.api.bookmark()
        bookmark = self.api.version
        self.api.forget()
        n = self.seen()
        self.api.end_watches()
        self.asked(n, f"watch {bookmark}")
        self.assertNotIn("list", self.api.seen[n:])
        self.api.put("a", SERVICE, ["p-4"])
        self.knows("p-4")
        self.assertNotIn("list", self.api.seen[n:])

    def test_an_old_version_is_refused_and_listed_again(self):
        self.asked(0, "watch")
        self.api.put("c", "another-service", ["p-3"])  # nothing of it is told here
        self.api.forget()
        n = self.seen()
        self.api.end_watches()
        self.asked(n, "410", "list")
        self.api.put("a", SERVICE, ["p-5"])
        self.knows("p-5")

    def test_an_error_is_listed_again(self):
        for code in (410, 500):
            self.asked(0, "watch")
            n = self.seen()
            self.api.fail_watches(status(code, "Expired", "of that version nothing is known"))
            self.asked(n, "list", "watch")
            self.knows("p-1")
            self.says(f"{code}: of that version")

    def test_nonsense_is_listed_again_and_changes_nothing(self):
        for last in (b"{}\n", b"[]\n", b"\n", b"nonsense\n", b"\xff\x00\n",
                     b'{"type":"ADDED","object":{"metadata":{"resourceVersion":"1&x="}}}\n'):
            self.asked(0, "watch")
            n = self.seen()
            self.api.end_watches(last)
            self.asked(n, "list", "watch")
            self.knows("p-1")
        self.assertEqual({tuple(t["pods"]) for t in self.probe.told} - {()}, {("p-1",)})

    def test_half_an_event_is_none(self):
        self.asked(0, "watch")
        n = self.seen()
        event = {"type": "DELETED", "object": self.api.slices["a"]}
        self.api.end_watches(json.dumps(event).encode())  # without a line's end
        self.asked(n, "watch")
        self.knows("p-1")

    def test_a_connection_that_is_cut_is_made_again(self):
        for i in range(3):
            self.asked(0, "watch")
            n = self.seen()
            self.api.cut()
            self.asked(n, "watch")
            self.api.put("a", SERVICE, [f"p-{i}"])
            self.knows(f"p-{i}")
            self.assertNotIn("list", self.api.seen[n:])

    def test_the_token_rotates(self):
        self.asked(0, "watch")
        n = self.seen()
        self.api.token("second-token")
        self.api.end_watches()
        self.asked(n, "watch")
        self.assertNotIn("401", self.api.seen[n:])
        with self.api.changed:
            self.api.tokens = {"third-token"}  # the file is late
        self.api.end_watches()
        self.is_lost()
        self.asked(n, "401")
        self.says("HTTP 401: Unauthorized")
        self.assertNotIn("second-token", self.probe.log)
        self.api.write("token", "third-token")
        self.knows("p-1")

    def test_without_its_files_it_asks_nothing(self):
        for name in ("token", "namespace"):
            self.asked(0, "watch")
            path = os.path.join(self.api.dir, name)
            os.rename(path, path + ".kept")
            n = self.seen()
            self.api.end_watches()
            self.is_lost()
            self.says(f"the file {name} cannot be read")
            self.assertEqual(self.api.seen[n:], [])
            os.rename(path + ".kept", path)
            self.knows("p-1")
            self.asked(n, "watch")

    def test_the_authority_rotates_and_another_one_is_not_believed(self):
        self.asked(0, "watch")
        port = self.api.port
        with open(os.path.join(self.api.dir, "ca.crt"), encoding="ascii") as f:
            old = f.read()
        self.api.close()
        self.api.make_certificate()
        with open(os.path.join(self.api.dir, "ca.crt"), encoding="ascii") as f:
            new = f.read()
        self.api.write("ca.crt", old)
        n = self.seen()
        self.api.open(port)
        self.says("the peer's certificate is refused")
        self.is_lost()
        self.assertEqual(self.api.seen[n:], [])
        self.api.write("ca.crt", new)
        self.knows("p-1")

    def test_a_server_that_is_away_or_refuses(self):
        self.asked(0, "watch")
        with self.api.changed:
            self.api.refuse = (403, "Forbidden")
        self.api.end_watches()
        self.is_lost()
        self.says("HTTP 403: not now")
        self.api.refuse = None
        self.knows("p-1")
        port = self.api.port
        self.api.close()
        self.is_lost()
        self.api.open(port)
        self.api.put("a", SERVICE, ["p-6"])
        self.knows("p-6")

    def test_watches_that_end_at_once_are_begun_with_pauses(self):
        self.assertEqual(self.probe.close(), 0)
        n = self.seen()
        self.probe = Probe(self.api, 1000)  # at once is what takes less than that
        self.knows("p-1")
        self.asked(n, "watch")
        with self.api.changed:
            self.api.watch_s = 0
        self.api.end_watches()
        self.says("watches end as soon as they begin")
        with self.api.changed:
            self.api.watch_s = None
        self.api.put("a", SERVICE, ["p-7"])
        self.knows("p-7")

    def test_what_is_too_long_is_not_taken(self):
        self.asked(0, "watch")
        self.api.padding = "x" * (9 << 20)
        self.api.put("b", SERVICE, ["p-2"])
        self.says("the answer is too long")
        self.knows("p-1", "p-2")  # by a list, which may be longer than an event
        self.api.padding *= 4
        self.api.put("b", SERVICE, ["p-3"])
        self.probe.wait(lambda: not self.probe.last()["current"])
        n = self.seen()
        self.asked(n, "list")
        self.asked(n + 1, "list")
        self.assertEqual(self.probe.last()["pods"], ["p-1", "p-2"])
        self.api.padding = ""
        self.api.put("b", SERVICE, ["p-4"])
        self.knows("p-1", "p-4")


if __name__ == "__main__":
    unittest.main()
