# SPDX-License-Identifier: Apache-2.0
"""What deploy.sh and its unit of systemd say, against the programs: each variable can be set."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from deployed import BUILD, LIMIT, SOURCE


class Variables(unittest.TestCase):
    """Each variable of a program can be set in .env, or deploy.sh sets it."""
    # of another place: files that an image has, and what only Kubernetes has
    elsewhere = {"POLICY_COMMAND", "PKCS11_MODULE", "PKCS11_PIN_FILE", "KUBERNETES_DIR"}

    def setUp(self):
        self.all = set()
        for name in ("account-service", "session-coordinator", "message-router", "server-party",
                     "server-party-api"):
            p = subprocess.run([os.path.join(BUILD, "services", "quorate-" + name), "--help"],
                               capture_output=True, text=True, timeout=LIMIT, check=True)
            self.all |= set(re.findall(r"(?m)^  ([A-Z0-9_]+)  \(", p.stdout))
        self.own = set(re.search(r'(?s)\nown="(.*?)"', self.text("deploy/members.sh")).group(1).split())

    @staticmethod
    def text(name):
        with open(os.path.join(SOURCE, name), encoding="utf-8") as f:
            return f.read()

    def test_what_cannot_be_set_in_the_file_is_set_for_the_process(self):
        self.assertGreater(len(self.own), 25)
        self.assertLessEqual(self.own, self.all)
        made = self.text("cli/up_files.c") + self.text("cli/up_plan.c")
        # one coordinator, on loopback: nobody needs its address, and one HTTP port is enough
        for name in self.own - {"ADVERTISE_ADDR", "HTTP_PORT_ALSO"}:
            in_both = all(re.search(rf"(?<![A-Z_]){name}=", self.text(f"deploy/{way}.sh") +
                                    self.text("deploy/members.sh"))
                          for way in ("native", "containers"))
            self.assertTrue(f'"{name}"' in made or in_both, name)

    def test_files_are_brought_into_the_containers(self):
        named = {n for n in self.all if re.search(r"_(FILE|CA|CRL|DIR|MODULE|COMMAND|CERT)$", n)}
        self.assertGreater(len(named), 15)
        containers, page = self.text("deploy/containers.sh"), self.text("docs/operations.md")
        for name in named - self.elsewhere:
            self.assertTrue(re.search(rf"(?<![A-Z_]){name}=", containers) or name == "BACKUP_DIR", name)
        for name in self.elsewhere:
            self.assertIn(f"`{name}`", page)


class Unit(unittest.TestCase):
    """deploy/systemd/quorate.service, as far as that shows without a machine that systemd runs."""
    path = os.path.join(SOURCE, "deploy", "systemd", "quorate.service")

    def test_it_does_what_deploy_does(self):
        with open(self.path, encoding="utf-8") as f:
            rows = re.findall(r"(?m)^(\w+)=(.*)$", f.read())
        self.assertLessEqual({("ExecStart", "/opt/quorate/deploy.sh up"),
                              ("ExecStop", "/opt/quorate/deploy.sh down"),
                              ("PIDFile", "/opt/quorate/quorate-data/up.pid"),
                              ("SuccessExitStatus", "3")}, set(rows))

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_systemd_reads_it(self):
        with open(self.path, encoding="utf-8") as f:
            text = f.read().replace("/opt/quorate/", SOURCE + "/")
        for more, good in (("", True), ("[Service]\nRestart=sometimes\n", False)):
            with tempfile.TemporaryDirectory() as place:
                path = os.path.join(place, "quorate.service")
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text + more)
                p = subprocess.run(["systemd-analyze", "verify", "--man=no", path],
                                   capture_output=True, text=True, timeout=LIMIT, check=False)
            told = [line for line in p.stderr.splitlines() if "quorate.service" in line]
            self.assertEqual(not told, good, p.stderr)


if __name__ == "__main__":
    unittest.main()
