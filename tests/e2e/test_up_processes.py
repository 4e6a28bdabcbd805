# SPDX-License-Identifier: Apache-2.0
"""`quorate up`: its processes, how they start, end and are started again, and what they log."""
import os
import re
import select
import signal
import socket
import unittest

from up_support import LIMIT, NAMES, Up, children, is_alive, until


class Processes(Up):
    def test_one_directory_one_system(self):
        p, _ = self.up()
        self.assertIn("another quorate up runs in", self.refused())
        self.stop(p)

    def test_port_in_use(self):
        self.prepare("--free-ports")
        with socket.socket() as s:
            port = int(self.env("party-2")["GRPC_PORT"])
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            s.listen()
            self.assertIn(f"port {port}, which party-2 needs, is in use", self.refused())

    def test_what_dies_is_started_again(self):
        p, _ = self.up()
        before = self.pids(p)
        os.kill(before["party-2"], signal.SIGKILL)
        os.kill(before["message-router"], signal.SIGTERM)
        killed = {before["party-2"], before["message-router"]}

        def all_run_anew():
            pids = self.pids(p)
            return len(pids) == 7 and not killed & set(pids.values()) and pids

        after = until(all_run_anew)
        for name in set(NAMES) - {"party-2", "message-router"}:
            self.assertEqual(before[name], after[name])
        said = self.stop(p)
        self.assertEqual(len(re.findall("^quorate: party-2 was killed by signal 9; it is started "
                                        "again in 0.1 s", said, re.M)), 1, said)
        self.assertIn("quorate: message-router ended with exit code 0; it is started again", said)

    def test_killed_up_leaves_nobody_behind(self):
        p, _ = self.up()
        pids = list(self.pids(p).values())
        self.assertEqual(len(pids), 7)
        p.kill()
        p.wait(LIMIT)
        until(lambda: not any(map(is_alive, pids)))
        # and the same directory goes on at once
        p, _ = self.up()
        self.stop(p)

    def test_signals_stop_all(self):
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            p, _ = self.up()
            pids = list(self.pids(p).values())
            p.send_signal(sig)
            self.assertEqual(p.wait(LIMIT), 0)
            self.assertFalse(any(map(is_alive, pids)))

    def test_signal_while_starting(self):
        self.prepare("--free-ports")
        self.fault("party-3", "unready")
        p = self.start()
        until(lambda: len(self.pids(p)) == 7)
        pids = list(self.pids(p).values())
        p.send_signal(signal.SIGTERM)
        self.assertEqual(p.wait(LIMIT), 0)
        self.assertEqual(p.stdout.read(), "")
        self.assertFalse(any(map(is_alive, pids)))

    def test_needed_process_that_never_comes_up(self):
        self.prepare("--free-ports")
        for name in ("account-service", "session-coordinator", "message-router"):
            self.fault(name, "die")
            p = self.start()
            self.assertEqual(p.wait(LIMIT), 1)
            said = p.stderr.read().splitlines()
            self.assertEqual(said[-1], f"quorate: {name} cannot start: the stand-in was told to die"
                                       f" (its log: {self.path('log', name + '.log')})")
            self.assertEqual(p.stdout.read(), "")
            self.assertEqual(children(p.pid), [])
            with open(self.path("log", name + ".log"), encoding="utf-8") as f:
                self.assertEqual(f.read().count("told to die"), 5)
            os.unlink(self.path(name + ".fault"))

    def test_party_that_never_comes_up(self):
        self.prepare("--free-ports")
        self.fault("party-1", "die")
        p, _ = self.up()
        said = self.said_until(p, "Ctrl-C")
        self.assertIn("quorate: party-1 is not running: the stand-in was told to die (its log: "
                      f"{self.path('log', 'party-1.log')}); it is tried again, with growing waits\n"
                      "quorate: 2 of 3 parties can run: accounts that need more than 2 to sign "
                      "cannot\n", said)
        self.assertIn("quorate: 6 of 7 processes are ready; Ctrl-C stops them\n", said)
        # another one: nobody can sign
        self.fault("party-2", "die")
        os.kill(self.pids(p)["party-2"], signal.SIGKILL)
        said = self.said_until(p, "no account")
        self.assertIn("party-2 is not running: the stand-in was told to die", said)
        self.assertIn("1 of 3 parties can run: no account can sign, each needs 2 parties or more",
                      said)
        os.unlink(self.path("party-1.fault"))
        os.unlink(self.path("party-2.fault"))
        self.assertEqual({p.stderr.readline(), p.stderr.readline()},
                         {f"quorate: {name} runs now\n" for name in ("party-1", "party-2")})
        self.assertEqual(sorted(self.pids(p)), NAMES)
        self.assertEqual(self.stop(p), "")

    def test_parties_that_wait_for_a_receipt_are_not_waited_for(self):
        self.prepare("--free-ports")
        for name in ("party-1", "party-2"):
            with open(self.path(name + ".env"), "a", encoding="utf-8") as f:
                f.write(f"BACKUP_DIR=/backups/{name}\n")
            self.fault(name, "receipt")
        p, _ = self.up()
        said = self.said_until(p, "Ctrl-C")
        self.assertEqual(said, (
            "quorate: party-1, party-2: they serve once there are receipts of their backups "
            "(BACKUP_REQUIRED): quorate backup verify --key FILE /backups/party-1 /backups/party-2\n"
            "quorate: 5 of 7 processes are ready; Ctrl-C stops them\n"))
        for name in ("party-1", "party-2"):
            os.unlink(self.path(name + ".fault"))
        self.assertEqual({p.stderr.readline(), p.stderr.readline()},
                         {f"quorate: {name} runs now\n" for name in ("party-1", "party-2")})
        self.assertEqual(self.stop(p), "")
        # what they have made is missed from now on
        os.remove(self.path("party-1", "party.db"))
        self.assertIn("party.db", self.refused())

    def test_not_ready_yet(self):
        self.prepare("--free-ports")
        self.fault("account-service", "unready")
        p = self.start("--json")
        asked = self.path("account-service.asked")
        until(lambda: os.path.exists(asked) and os.stat(asked).st_size >= 5)
        # the others are ready by now, and nothing is printed
        self.assertEqual(select.select([p.stdout], [], [], 0)[0], [])
        os.unlink(self.path("account-service.fault"))
        self.assertIn('"url"', p.stdout.readline() + p.stdout.readline())
        self.stop(p)

    def test_deaf_process_is_killed(self):
        self.prepare("--free-ports")
        self.fault("party-1", "deaf")
        p, _ = self.up()
        pids = self.pids(p)
        os.kill(pids["party-2"], signal.SIGSTOP)
        said = self.stop(p)
        for name in ("party-1", "party-2"):
            self.assertIn(f"{name} did not end in 15 s and is killed", said)
        self.assertFalse(any(map(is_alive, pids.values())))

    def test_logs(self):
        self.prepare("--free-ports")
        log = self.path("log", "party-1.log")
        with open(log, "w", encoding="ascii") as f:
            f.write("old\n" + "x" * (16 << 20))
        with open(self.path("log", "party-2.log"), "w", encoding="ascii") as f:
            f.write("kept\n")
        p, _ = self.up("--log-level", "warn")
        self.stop(p)
        with open(log, encoding="ascii") as f:
            self.assertEqual(f.read(), "started with log level warn\n")
        with open(log + ".1", encoding="ascii") as f:
            self.assertEqual(f.read(4), "old\n")
        with open(self.path("log", "party-2.log"), encoding="ascii") as f:
            self.assertEqual(f.read(), "kept\nstarted with log level warn\n")

    def test_environment_of_the_caller_does_not_leak_in(self):
        os.environ["HTTP_PORT"] = "1"
        os.environ["LOG_LEVEL"] = "debug"
        try:
            p, _ = self.up()
            self.stop(p)
        finally:
            del os.environ["HTTP_PORT"], os.environ["LOG_LEVEL"]
        with open(self.path("log", "party-2.log"), encoding="ascii") as f:
            self.assertEqual(f.read(), "started with log level of the file\n")


if __name__ == "__main__":
    unittest.main()
