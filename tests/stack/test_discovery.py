# SPDX-License-Identifier: Apache-2.0
"""Who is expected, as Kubernetes has it: a router before a stand-in API server, whose every word the
real kubectl hears as well, and both must come to the same pods. Nothing of the system waits for it.
How the router keeps up with a server that forgets, cuts and refuses: tests/system/discovery."""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from support import LIMIT, SOURCE, Stack, TestCase, change_env, until

sys.path.append(os.path.join(SOURCE, "tests", "support"))
from api_server import ApiServer, endpoint  # noqa: E402

ROUTER = "message-router"
ROLES = {"server-party": "persistent", "server-party-api": "delegate"}


class Kubectl:
    """`kubectl get endpointslices -w` at the stand-in, and what it has said so far."""

    def __init__(self, api, home):
        self.lines = []
        with open(os.path.join(api.dir, "token"), encoding="ascii") as f:
            token = f.read()
        self.process = subprocess.Popen(
            ["kubectl", "get", "endpointslices", "-w", "-n", api.namespace, "-o", "json",
             "--output-watch-events", "--server", f"https://127.0.0.1:{api.port}",
             "--certificate-authority", os.path.join(api.dir, "ca.crt"), "--token", token],
            env={"HOME": home, "PATH": os.environ["PATH"], "KUBECONFIG": os.devnull},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = ""

    def pods(self, service):
        self.text += (self.process.stdout.read() or b"").decode()
        decoder, at, slices = json.JSONDecoder(), 0, {}
        while True:
            rest = self.text[at:].lstrip()
            try:
                event, end = decoder.raw_decode(rest)
            except ValueError:
                break
            at += len(self.text[at:]) - len(rest) + end
            o = event["object"]
            if event["type"] == "DELETED":
                slices.pop(o["metadata"]["name"])
            else:
                slices[o["metadata"]["name"]] = o
        return sorted({e["targetRef"]["name"] for o in slices.values()
                       if o["metadata"]["labels"]["kubernetes.io/service-name"] == service
                       for e in o["endpoints"] or [] if not e["conditions"]["terminating"]})

    def close(self):
        self.process.terminate()
        self.process.communicate(timeout=LIMIT)


class Discovery(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="quorate-api-")
        cls.addClassCleanup(shutil.rmtree, cls.root)
        cls.api = ApiServer(cls.root)
        cls.addClassCleanup(lambda: cls.api.close())
        cls.stack = Stack(edit=lambda d: change_env(
            d, ROUTER, DISCOVERY="kubernetes", KUBERNETES_API=f"127.0.0.1:{cls.api.port}",
            KUBERNETES_DIR=cls.api.dir, RETRY_DELAY_MS=20))
        cls.addClassCleanup(cls.stack.close)

    def setUp(self):
        for name in list(self.api.slices):
            self.api.delete(name)
        self.agree()

    def parties(self, role=""):
        answer = self.stack.call("GET", f"/api/v1/parties?role={role}",
                                 url=self.stack.service_url(ROUTER))
        self.assertEqual(answer.status, 200, answer)
        return answer.body

    def absent(self, service):
        body = self.parties(ROLES[service])
        self.assertEqual({a["role"] for a in body["absent"]} - {ROLES[service]}, set())
        return sorted(a["party_id"] for a in body["absent"])

    def is_up(self):
        return self.stack.metrics(ROUTER)["quorate_router_discovery_up"] == 1

    def agree(self, *more):
        """Router, API server and |more| have the same pods, of which none is a live party."""
        for service in ROLES:
            for other in more:
                until(lambda: other.pods(service) == self.api.pods(service))
            until(lambda: self.absent(service) == self.api.pods(service))
        until(self.is_up)

    def test_who_is_expected_and_not_live_is_shown(self):
        def all_live():
            live = sorted(p["party_id"] for p in self.parties("persistent")["parties"])
            return live if len(live) == 3 else None
        live = until(all_live)
        self.api.put("a", "server-party", [*live, "party-9"])
        until(lambda: self.absent("server-party") == ["party-9"])
        expected = 'quorate_router_parties_expected{role="persistent"}'
        absent = 'quorate_router_parties_absent{role="persistent"}'
        until(lambda: [self.stack.metrics(ROUTER)[m] for m in (expected, absent)] == [4, 1])
        self.assertEqual(self.absent("server-party-api"), [])
        pid = self.stack.kill(live[1], signal.SIGSTOP)
        try:
            until(lambda: self.absent("server-party") == [live[1], "party-9"])
            until(lambda: self.stack.metrics(ROUTER)[absent] == 2)
        finally:
            os.kill(pid, signal.SIGCONT)
        until(lambda: self.absent("server-party") == ["party-9"])
        self.api.put("a", "server-party", live[:1])
        until(lambda: self.absent("server-party") == [])

    def test_whatever_happens_kubectl_and_the_router_see_the_same(self):
        kubectl = Kubectl(self.api, self.root)
        self.addCleanup(kubectl.close)
        rng = random.Random(7)
        pods = [f"server-party-{i}" for i in range(40, 60)]
        self.agree(kubectl)
        for step in range(120):
            name = f"slice-{rng.randrange(6)}"
            service = sorted(ROLES)[int(name[-1]) % 2]
            if rng.random() < 0.25 and name in self.api.slices:
                self.api.delete(name)
            elif rng.random() < 0.1:
                self.api.put(name, service, None)
            else:
                some = rng.sample(pods, rng.randrange(8))
                self.api.put(name, service, [endpoint(p, terminating=rng.random() < 0.2,
                                                      ready=rng.random() < 0.5) for p in some])
            if rng.random() < 0.1:
                self.api.bookmark()
            if step % 30 == 29:
                self.agree(kubectl)

    def test_nobody_waits_for_the_api_server(self):
        self.api.put("a", "server-party", ["p-1"])
        self.agree()
        port = self.api.port
        self.api.close()
        until(lambda: not self.is_up())
        account = self.stack.create()
        self.assertEqual(self.stack.sign(account["account_id"]).status, 200)
        self.assertEqual(self.absent("server-party"), ["p-1"])  # what was known last
        self.api.open(port)
        self.api.put("a", "server-party", ["p-2"])
        self.agree()


if __name__ == "__main__":
    if not shutil.which("kubectl"):
        print("skipped: kubectl is needed")
        sys.exit(77)
    unittest.main()
