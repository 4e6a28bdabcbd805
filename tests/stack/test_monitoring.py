# SPDX-License-Identifier: Apache-2.0
"""What watches the system: promtool takes configuration and rules and runs the rules' own tests;
every metric that a rule or the dashboard names is one that running services show; and Prometheus
itself finds all of them by the files that deploy.sh writes."""
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.parse
import urllib.request

import yaml

from support import LIMIT, POSTGRES, RABBITMQ, SOURCE, Stack, change_env, until

sys.path.append(os.path.join(SOURCE, "tests", "support"))
from postgres import free_port  # noqa: E402
from redis import Server, program  # noqa: E402

RULES = os.path.join(SOURCE, "deploy", "prometheus")
DASHBOARD = os.path.join(SOURCE, "deploy", "grafana", "quorate.json")
NAME = re.compile(r"\b((?:quorate|process)_[a-z_]+)\b")


# What only a system with such a server shows.
ABSENT = (set() if POSTGRES else {"quorate_coordinator_leads"}) | \
    (set() if RABBITMQ else {"quorate_router_broker_up"}) | \
    (set() if program() else {"quorate_redis_up", "quorate_redis_failures_total"})


def rules():
    with open(os.path.join(RULES, "alerts.yml"), encoding="utf-8") as f:
        return [rule for group in yaml.safe_load(f)["groups"] for rule in group["rules"]]


def expressions():
    """{where: expression} of all alerts and panels."""
    found = {rule["alert"]: rule["expr"] for rule in rules()}
    with open(DASHBOARD, encoding="utf-8") as f:
        for panel in json.load(f)["panels"]:
            for target in panel.get("targets", []):
                found[f"panel {panel['title']} {target['refId']}"] = target["expr"]
    return found


@unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
class Files(unittest.TestCase):
    def promtool(self, *words, place=RULES):
        p = subprocess.run(["promtool", *words], cwd=place, capture_output=True, text=True,
                           timeout=LIMIT, check=False)
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
        return p.stdout

    def test_the_configuration(self):
        with tempfile.TemporaryDirectory() as place:
            for name in ("prometheus.yml", "alerts.yml"):
                shutil.copy(os.path.join(RULES, name), place)
            with open(os.path.join(place, "targets.json"), "w", encoding="ascii") as f:
                f.write("[]")
            shutil.copy("/etc/ssl/certs/ca-certificates.crt", os.path.join(place, "ca.crt"))
            self.promtool("check", "config", "prometheus.yml", place=place)

    def test_the_rules(self):
        self.assertIn(f"{len(rules())} rules found", self.promtool("check", "rules", "alerts.yml"))
        self.promtool("test", "rules", "alerts_test.yml")

    def test_every_rule_is_tested_firing_and_not(self):
        with open(os.path.join(RULES, "alerts_test.yml"), encoding="utf-8") as f:
            cases = [case for test in yaml.safe_load(f)["tests"] for case in
                     test["alert_rule_test"]]
        for rule in rules():
            mine = [bool(c.get("exp_alerts")) for c in cases if c["alertname"] == rule["alert"]]
            self.assertEqual(sorted(mine), [False, True], rule["alert"])
            self.assertIn(rule["labels"]["severity"], ("critical", "warning"))

    def test_the_page_names_every_alert(self):
        with open(os.path.join(SOURCE, "docs", "operations.md"), encoding="utf-8") as f:
            named = re.findall(r"(?m)^\| `(Quorate\w+)` \| (\w+) \| ", f.read())
        self.assertEqual(named, [(r["alert"], r["labels"]["severity"]) for r in rules()])


class Dashboard(unittest.TestCase):
    def test_its_form(self):
        with open(DASHBOARD, encoding="utf-8") as f:
            board = json.load(f)
        panels = board["panels"]
        self.assertEqual(len({p["id"] for p in panels}), len(panels))
        taken = set()
        for panel in panels:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                     for y in range(at["y"], at["y"] + at["h"])}
            self.assertFalse(cells & taken, panel["title"])
            taken |= cells
            if panel["type"] != "row":
                self.assertTrue(panel["targets"], panel["title"])


class Running(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.redis = None
        if program():
            cls.redis = Server()
            cls.addClassCleanup(cls.redis.remove)

        def edit(directory):
            # nobody is there; without a URL there are no such metrics
            change_env(directory, "account-service", WEBHOOK_SECRET="s" * 16,
                       WEBHOOK_URL="http://127.0.0.1:1/")
            for name in ("account-service", "message-router"):
                if cls.redis:
                    change_env(directory, name, REDIS_HOST="127.0.0.1", REDIS_PORT=cls.redis.port,
                               REDIS_PASSWORD=cls.redis.password)
        cls.stack = Stack(edit, options=["--tls"])
        cls.addClassCleanup(cls.stack.close)
        account = cls.stack.create()["account_id"]
        assert cls.stack.sign(account).status == 200
        cls.members = sorted(f[:-4] for f in os.listdir(cls.stack.dir) if f.endswith(".env"))

    def test_every_name_is_a_metric(self):
        shown = {}
        # what a keeper says of itself is asked for every few seconds
        until(lambda: "quorate_party_keys_without_backup" in self.stack.metrics("party-1"))
        for member in self.members:
            for series in self.stack.metrics(member):
                name, _, labels = series.partition("{")
                shown.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
        ours = {"member", "service", "job", "instance"}
        for where, expression in expressions().items():
            for name in NAME.findall(expression):
                self.assertEqual(name in shown, name not in ABSENT, f"{where}: {name}")
            for name, labels in re.findall(NAME.pattern + r"\{([^}]*)\}", expression):
                for label in re.findall(r"(\w+)\s*[=!]", labels):
                    self.assertIn(label, shown[name] | ours, where)

    def test_prometheus_finds_all(self):
        """The files of `deploy.sh up`, and the program itself."""
        if not shutil.which("prometheus"):
            self.skipTest("Prometheus is not installed")
        place = os.path.join(self.stack.dir, "prometheus")
        script = ('set -eu; root=$1 dir=$2; . "$root/deploy/members.sh"; '
                  'target_of() { printf "127.0.0.1:%s\\n" "$(value "$1" HTTP_PORT)"; }; '
                  'write_monitoring "$dir/prometheus"')
        subprocess.run(["bash", "-c", script, "-", SOURCE, self.stack.dir], check=True)
        config = os.path.join(place, "prometheus.yml")
        with open(config, encoding="utf-8") as f:
            text = f.read()
        with open(config, "w", encoding="utf-8") as f:  # the first questions come within a second
            f.write(text.replace("scrape_interval: 15s", "scrape_interval: 1s"))
        port = free_port()
        with open(os.path.join(self.stack.dir, "prometheus.log"), "wb") as log:
            process = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={place}/data",
                 f"--web.listen-address=127.0.0.1:{port}"],
                stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def ask(path, **query):
            with contextlib.suppress(OSError), urllib.request.urlopen(
                    f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}",
                    timeout=LIMIT) as r:
                return json.load(r)["data"]
            self.assertIsNone(process.poll())
            return None

        def all_up():
            targets = (ask("targets") or {}).get("activeTargets", [])
            return len(targets) == len(self.members) and \
                all(t["health"] == "up" for t in targets)
        until(all_up)
        self.assertEqual(sum(len(g["rules"]) for g in ask("rules")["groups"]), len(rules()))

        def ready():
            got = (ask("query", query="quorate_ready == 1") or {}).get("result", [])
            return sorted(r["metric"]["member"] for r in got)
        until(lambda: ready() == self.members)
        for where, expression in expressions().items():  # each one is a query
            self.assertIsNotNone(ask("query", query=expression.replace("$__rate_interval", "5m")),
                                 where)


if __name__ == "__main__":
    unittest.main()
