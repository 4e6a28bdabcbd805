# SPDX-License-Identifier: Apache-2.0
"""What deploy.sh refuses before it does anything: what is wrong in .env, on its command line, or
done by another deploy.sh at that moment."""
import fcntl
import os
import re
import select
import shutil
import subprocess
import unittest

from deployed import LIMIT, SOURCE, Place


class Refusals(unittest.TestCase):
    """One line, exit code 1, nothing changed."""

    def setUp(self):
        self.place = Place()
        self.addCleanup(self.place.remove)

    def refused(self, *parts, command=("up",)):
        code, out, err = self.place.run(*command)
        self.assertEqual((code, out, err.count("\n")), (1, "", 1), err)
        for part in parts:
            self.assertIn(part, err)
        self.assertEqual(os.listdir(self.place.top), [".env"])

    def test_unknown_variable(self):
        self.place.write(POSTGRES_PASWORD="x")
        self.refused(self.place.env_file, "POSTGRES_PASWORD is not a variable", "POSTGRES_PASSWORD?")

    def test_placeholder_in_production(self):
        self.place.write(MPC_API_KEY="change-me")
        self.refused("MPC_API_KEY", "placeholder")
        self.place.write(POSTGRES_PASSWORD="change-me")
        self.refused("POSTGRES_PASSWORD", "placeholder", command=("infra", "up"))

    def test_missing_and_malformed(self):
        self.place.write(CRYPTO_MASTER_KEY="12")
        self.refused("CRYPTO_MASTER_KEY", "64 hex digits")
        self.place.write(POSTGRES_PASSWORD=None)
        self.refused("POSTGRES_PASSWORD")
        self.place.write(JWT_SECRET_KEY=None)
        self.refused("JWT_SECRET_KEY", command=("mpc", "up"))
        _, recipient = self.place.backup_key("backup.key")
        os.remove(os.path.join(self.place.top, "backup.key"))
        for mistyped in (recipient[3:], recipient[:-1] + ("x" if recipient[-1] != "x" else "y")):
            self.place.write(BACKUP_RECIPIENT=mistyped)
            self.refused("BACKUP_RECIPIENT is not the public text")

    def test_the_production_example_as_it_is(self):
        shutil.copy(os.path.join(SOURCE, ".env.prod.example"), self.place.env_file)
        os.chmod(self.place.env_file, 0o600)
        self.refused("placeholder of .env.example")
        with open(self.place.env_file, encoding="utf-8") as f:
            names = {line.split("=")[0] for line in f if line[0].isupper()}
        # filled in, it is all that a system needs
        self.assertEqual(names, {n for n in self.place.settings
                                 if not n.endswith("_PORT") and n != "SIGN_WAIT_S"})

    def test_no_env_file(self):
        os.remove(self.place.env_file)
        code, _, err = self.place.run("up")
        self.assertEqual(code, 1)
        self.assertIn("copy .env.prod.example", err)
        for words in (["status"], ["health"], ["backup", "file"]):
            code, out, err = self.place.run(*words)
            self.assertEqual((code, out, err.count("\n")), (1, "", 1), err)
            self.assertIn("copy .env.prod.example", err)
        self.assertEqual(os.listdir(self.place.top), [])

    def test_attack_two_commands_at_once(self):
        """Whoever has the directory is alone; what was held by one that was killed is free."""
        os.mkdir(self.place.data)
        with open(os.path.join(self.place.data, "doing"), "w", encoding="ascii") as f:
            f.write("./deploy.sh up (process 1)\n")
        held = os.open(self.place.data, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
        for words in (["up"], ["down"], ["restart"], ["mpc", "up"], ["mpc", "restart"],
                      ["infra", "up"], ["infra", "down"], ["backup", "file"],
                      ["restore", "file", "key"], ["clean", "--yes"]):
            code, out, err = self.place.run(*words)
            self.assertEqual((code, out, err.count("\n")), (1, "", 1), err)
            self.assertIn("./deploy.sh up (process 1) runs: try again", err)
            self.assertEqual(os.listdir(self.place.data), ["doing"])
        self.waits_for(held)
        self.assertEqual(self.place.run("down")[0], 0)
        self.assertEqual(os.listdir(self.place.top), [".env"])

    def waits_for(self, held):
        down = subprocess.Popen([os.path.join(SOURCE, "deploy.sh"), "down"],
                                env={**self.place.environment(), "DEPLOY_WAIT": str(LIMIT)})
        waiting = rf"-> FLOCK .*:{os.fstat(held).st_ino} "
        while down.poll() is None:
            with open("/proc/locks", encoding="ascii") as f:
                if re.search(waiting, f.read()):
                    break
            select.select([], [], [], 0.01)  # between two looks
        self.assertIsNone(down.poll())
        os.close(held)
        self.assertEqual(down.wait(LIMIT), 0)

    def test_usage(self):
        for words in (["fly"], ["infra"], ["infra", "sideways"], ["mpc", "build"], ["up", "now"],
                      ["logs", "a", "b"], ["clean", "--no"]):
            code, out, err = self.place.run(*words)
            self.assertEqual((code, out, err.count("\n")), (2, "", 1), words)


if __name__ == "__main__":
    unittest.main()
