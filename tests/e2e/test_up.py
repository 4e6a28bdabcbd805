# SPDX-License-Identifier: Apache-2.0
"""`quorate up`: its files and its ports, what is lost or damaged of them, what it refuses."""
import contextlib
import json
import os
import re
import signal
import socket
import stat
import unittest

from cryptography.hazmat.primitives.asymmetric.ed25519 import (Ed25519PrivateKey,
                                                               Ed25519PublicKey)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from up_support import NAMES, Up, free_port


class Files(Up):
    def test_first_start(self):
        p, said = self.up()
        self.assertEqual(set(said), {"url", "api_key", "dir"})
        self.assertEqual(said["dir"], os.path.realpath(self.dir))
        self.assertEqual(sorted(self.pids(p)), NAMES)
        with open(self.path("client.json"), encoding="utf-8") as f:
            self.assertEqual(json.load(f), {"url": said["url"], "api_key": said["api_key"]})
        account = self.env("account-service")
        self.assertEqual(said["url"], "http://127.0.0.1:" + account["HTTP_PORT"])
        self.assertEqual(said["api_key"], account["MPC_API_KEY"])
        self.assertRegex(said["api_key"], "^[0-9a-f]{64}$")
        for folder, folders, names in os.walk(self.dir):
            self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o700, folder)
            for name in names:
                mode = os.stat(os.path.join(folder, name)).st_mode
                self.assertEqual(stat.S_IMODE(mode), 0o600, name)
        self.assertIn("7 processes are ready", self.stop(p))

    def test_attack_secrets_of_processes_are_not_shown(self):
        p, said = self.up()
        secrets = [said["api_key"].encode(),
                   self.env("account-service")["JWT_SECRET_KEY"].encode(),
                   self.env("party-1")["CRYPTO_MASTER_KEY"].encode()]
        for pid in [p.pid, *self.pids(p).values()]:
            for part in "cmdline", "environ":
                with contextlib.suppress(PermissionError):
                    with open(f"/proc/{pid}/{part}", "rb") as f:
                        text = f.read()
                    for secret in secrets:
                        self.assertNotIn(secret, text)
        self.stop(p)

    def test_env_files(self):
        self.prepare()
        env = {name: self.env(name) for name in NAMES}
        masters = {env[n]["CRYPTO_MASTER_KEY"] for n in NAMES if "CRYPTO_MASTER_KEY" in env[n]}
        self.assertEqual(len(masters), 4)
        servers = ["account-service", "message-router", "session-coordinator"]
        self.assertEqual(len({env[n]["JWT_SECRET_KEY"] for n in servers}), 1)
        self.assertEqual(len({env[n]["CA_KEY"] for n in NAMES}), 1)
        ports = [env[n][p] for n in NAMES for p in ("HTTP_PORT", "GRPC_PORT")]
        for name in NAMES:
            self.assertEqual(env[name]["ENVIRONMENT"], "production")
            self.assertEqual((env[name]["TLS"], env[name]["LISTEN_HOST"]), ("off", "127.0.0.1"))
            is_server = name in servers
            self.assertEqual("JWT_SECRET_KEY" in env[name], is_server)
            self.assertEqual("CRYPTO_MASTER_KEY" in env[name], not is_server)
            self.assertEqual("MPC_API_KEY" in env[name], not name.startswith("party-"))
            self.assertEqual("INITIATOR_KEY_FILE" in env[name], name == "account-service")
            for variable, of in (("COORDINATOR_ADDR", "session-coordinator"),
                                 ("ROUTER_ADDR", "message-router")):
                if variable in env[name]:
                    self.assertEqual(env[name][variable], "127.0.0.1:" + env[of]["GRPC_PORT"])
        # by default the ports of the manual
        self.assertEqual(env["account-service"]["HTTP_PORT"], "4000")
        self.assertEqual(env["party-2"]["HTTP_PORT"], "8092")
        self.assertEqual(len(set(ports)), len(ports))

    def test_keys_and_certificates(self):
        self.prepare()

        def public(*names):
            with open(self.path(*names), encoding="ascii") as f:
                seed = bytes.fromhex(f.read().strip())
            key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
            return key.public_bytes(Encoding.Raw, PublicFormat.Raw)

        self.assertEqual(public("keys", "ca.key").hex(), self.env("party-1")["CA_KEY"])
        self.assertEqual(public("keys", "initiator.key").hex(),
                         self.env("party-1")["INITIATOR_KEYS"])
        self.assertEqual(public("keys", "operator.key").hex(), self.env("party-1")["OPERATOR_KEY"])

        def fields(b):
            found = {}
            while b:
                self.assertLess(b[1], 128 + 80)
                size, at = (b[1], 2) if b[1] < 128 else (b[1] - 128 + 128 * b[2], 3)
                found[b[0] >> 3] = b[at:at + size]
                b = b[at + size:]
            return found

        ca = Ed25519PublicKey.from_public_bytes(public("keys", "ca.key"))
        for name, party_id, role in (("party-1", b"party-1", b"persistent"),
                                     ("party-3", b"party-3", b"persistent"),
                                     ("server-party-api", b"delegate-1", b"delegate")):
            with open(self.env(name)["CERTIFICATE_FILE"], "rb") as f:
                certificate = fields(f.read())
            ca.verify(certificate[2], b"quorate/party-certificate/1\0" + certificate[1])
            identity = public(name, "identity.key")
            self.assertEqual(fields(certificate[1]), {1: party_id, 2: identity, 3: role})

    def test_identities_follow_the_certificates(self):
        self.prepare("--free-ports")
        right = {}
        for party_id, name in (("party-1", "party-1"), ("party-2", "party-2"),
                               ("party-3", "party-3"), ("delegate-1", "server-party-api")):
            with open(self.path(name, "identity.key"), encoding="ascii") as f:
                key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(f.read())).public_key()
            right[party_id] = key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
        for before in (None, "", json.dumps({**right, "party-1": "00" * 32})):
            if before is not None:
                with open(self.path("identities.json"), "w", encoding="utf-8") as f:
                    f.write(before)
            p, _ = self.up()
            self.stop(p)
            with open(self.path("identities.json"), encoding="utf-8") as f:
                self.assertEqual(json.load(f), right)
        certificate = self.path("party-2", "party.cert")
        with open(certificate, "rb") as f:
            good = f.read()
        for bad in (b"no certificate", good[:-1] + bytes([good[-1] ^ 1])):
            with open(certificate, "wb") as f:
                f.write(bad)
            self.assertIn(f"{certificate} is damaged", self.refused())

    def test_later_starts_change_nothing(self):
        p, said = self.up()
        self.stop(p)
        before = self.contents()
        p, again = self.up()
        self.assertEqual(said, again)
        self.stop(p)
        self.assertEqual(self.contents(), before)

    def test_first_start_that_was_cut_short(self):
        self.prepare("--free-ports")
        before = self.contents()
        # what had not been written yet, and a temporary file of the moment
        for name in ("party-3.env", "server-party-api.env", "account-service.env"):
            os.unlink(self.path(name))
        with open(self.path("party-3.env.tmp"), "w", encoding="utf-8") as f:
            f.write("half")
        jwt = self.env("message-router")["JWT_SECRET_KEY"]
        self.prepare()
        after = self.contents()
        for path, digest in before.items():
            if not path.endswith(("party-3.env", "server-party-api.env")):
                self.assertEqual(after[path], digest, path)
        self.assertEqual(self.env("account-service")["JWT_SECRET_KEY"], jwt)
        self.assertEqual(self.env("account-service")["ROUTER_ADDR"],
                         "127.0.0.1:" + self.env("message-router")["GRPC_PORT"])

    def test_what_stands_in_env_files_counts(self):
        self.prepare("--free-ports")
        port = free_port()
        path = self.path("account-service.env")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        text = re.sub("HTTP_PORT=.*", f'HTTP_PORT = {port} ', text)
        text = re.sub("MPC_API_KEY=.*", 'MPC_API_KEY="new-key, old-key"', text)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(f"HTTP_PORT = {port} ", f"HTTP_PORT={port}"))
        p, said = self.up()
        self.assertEqual((said["url"], said["api_key"]), (f"http://127.0.0.1:{port}", "new-key"))
        with open(self.path("client.json"), encoding="utf-8") as f:
            self.assertEqual(json.load(f)["api_key"], "new-key")
        self.stop(p)
        with open(path, "w", encoding="utf-8") as f:
            f.write(re.sub("MPC_API_KEY=.*", "", text))
        self.assertIn("has no MPC_API_KEY", self.refused())
        with open(path, "w", encoding="utf-8") as f:
            f.write(re.sub("HTTP_PORT.*", "HTTP_PORT=x", text))
        self.assertIn("must set HTTP_PORT and GRPC_PORT", self.refused())

    def test_parties_are_added_and_never_left_out(self):
        self.prepare("--parties", "2")
        self.assertFalse(os.path.exists(self.path("party-3.env")))
        before, known = self.contents(), self.identities()
        self.prepare("--parties", "4")
        self.prepare()
        self.assertEqual({**self.identities(), **known}, self.identities())
        self.assertGreaterEqual(set(self.identities()), {"party-1", "party-2", "party-3", "party-4"})
        self.assertEqual(self.env("party-4")["HTTP_PORT"], "8094")
        self.assertEqual(self.env("party-4")["CA_KEY"], self.env("party-1")["CA_KEY"])
        self.assertFalse(os.path.exists(self.path("party-5.env")))
        self.assertIn("none can be left out", self.refused("--parties", "3"))
        after = self.contents()
        for path, digest in before.items():
            if not path.endswith(("up.json", "identities.json")):
                self.assertEqual(after[path], digest, path)

    def identities(self):
        with open(self.path("identities.json"), encoding="utf-8") as f:
            return json.load(f)

    def test_port_base(self):
        self.prepare("--port-base", "23000", "--parties", "6")
        ports = set()
        for name in [*NAMES, "party-4", "party-5", "party-6"]:
            ports |= {int(self.env(name)["HTTP_PORT"]), int(self.env(name)["GRPC_PORT"])}
        self.assertEqual(len(ports), 20)
        self.assertLessEqual(max(ports), 23020)
        self.assertEqual(self.env("account-service")["HTTP_PORT"], "23000")
        before = self.contents()
        self.prepare("--port-base", "23000")
        self.assertEqual(self.contents(), before)
        # others, as long as nothing else stands there
        self.prepare("--port-base", "24000")
        moved = {name: self.env(name) for name in [*NAMES, "party-6"]}
        self.assertEqual(moved["account-service"]["HTTP_PORT"], "24000")
        self.assertEqual(moved["party-6"]["GRPC_PORT"], "24019")
        for env in moved.values():
            for variable, of in (("COORDINATOR_ADDR", "session-coordinator"),
                                 ("ROUTER_ADDR", "message-router")):
                if variable in env:
                    self.assertEqual(env[variable], "127.0.0.1:" + moved[of]["GRPC_PORT"])
        self.prepare("--port-base", "23000")
        self.assertEqual(self.contents(), before)

    def test_taken_port_leaves_nothing_behind(self):
        with socket.socket() as s:
            with contextlib.suppress(OSError):  # another program's will do
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", 4000))
                s.listen()
            said = self.refused()
            self.assertRegex(said, "port [0-9]+, which [a-z0-9-]+ needs, is in use by another "
                                   "program: end it, or give --port-base N or --free-ports")
            self.assertFalse(os.path.exists(self.dir))
            p, _ = self.up()
            self.stop(p)

    def test_free_ports_are_chosen_again(self):
        self.prepare("--free-ports")
        first = {name: self.env(name) for name in NAMES}
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
            self.assertLess(int(first["party-2"]["GRPC_PORT"]), max(int(f.read().split()[0]), 12001))
        # one is taken before the start, one between the choice and the start
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", int(first["message-router"]["GRPC_PORT"])))
            s.listen()
            self.fault("party-2", "robbed")
            p, _ = self.up()
            with open(self.path("party-2.robber"), encoding="ascii") as f:
                os.kill(int(f.read()), signal.SIGKILL)
            last = {name: self.env(name) for name in NAMES}
            self.stop(p)
        self.assertNotEqual(last["message-router"]["GRPC_PORT"],
                            first["message-router"]["GRPC_PORT"])
        self.assertNotEqual(last["party-2"]["HTTP_PORT"], first["party-2"]["HTTP_PORT"])
        self.assertEqual(last["party-2"]["GRPC_PORT"], first["party-2"]["GRPC_PORT"])
        for name in NAMES:
            if "ROUTER_ADDR" in last[name]:
                self.assertEqual(last[name]["ROUTER_ADDR"],
                                 "127.0.0.1:" + last["message-router"]["GRPC_PORT"])

    # --- what is lost ---

    def is_missed(self, *names):
        """Refused as long as it is away, and nothing is made in its place."""
        path = self.path(*names)
        away = os.path.join(self.root, "away")
        os.rename(path, away)
        before = self.contents()
        said = self.refused()
        self.assertTrue(said.startswith(f"quorate: {path} is missing; it held "), said)
        self.assertIn(f"restore it from a backup, or remove all of {self.dir} to begin anew", said)
        self.assertEqual(said.count("\n"), 1)
        self.assertEqual(self.contents(), before)
        self.assertFalse(os.path.exists(path))
        os.rename(away, path)

    def test_what_is_lost_is_not_made_again(self):
        p, _ = self.up()
        self.stop(p)
        for name in ("ca", "operator", "initiator", "jwt", "api"):
            self.is_missed("keys", name + ".key")
        for name in NAMES:
            self.is_missed(name + ".env")
        for name in ("party-1", "party-3", "server-party-api"):
            self.is_missed(name, "identity.key")
            self.is_missed(name, "party.cert")
            self.is_missed(name, "party.db")
        self.is_missed("account-service", "account.db")
        self.is_missed("session-coordinator", "coordinator.db")
        self.is_missed("up.json")
        p, _ = self.up()
        self.stop(p)

    def test_lost_directories(self):
        self.prepare("--free-ports")
        for name in ("account-service", "session-coordinator"):
            self.is_missed(name)
        os.rename(self.path("party-1"), self.path("gone"))
        self.assertIn(self.path("party-1") + "/identity.key is missing", self.refused())
        os.rename(self.path("gone"), self.path("party-1"))
        os.rename(self.path("keys"), self.path("gone"))
        self.assertIn(self.path("keys") + "/ca.key is missing", self.refused())
        self.assertFalse(os.path.exists(self.path("keys")))

    def test_files_of_a_directory_for_others_are_refused(self):
        self.prepare()
        p = self.path("party-1.env")
        os.chmod(p, 0o640)
        self.assertIn(f"{p} has secrets and can be read by others: chmod 600 it", self.refused())
        os.chmod(p, 0o600)
        os.chmod(self.dir, 0o755)
        self.assertIn(f"{self.dir} can be used by others: chmod 700 it", self.refused())
        os.chmod(self.dir, 0o700)
        with open(self.path("client.json"), "w", encoding="ascii") as f:
            f.write("{}")
        os.chmod(self.path("client.json"), 0o604)
        self.assertIn(f"{self.path('client.json')} can be used by others: chmod 600 it",
                      self.refused())
        os.chmod(self.path("client.json"), 0o600)
        self.prepare()

    def test_damaged_files(self):
        self.prepare("--free-ports")
        with open(self.path("keys", "ca.key"), "r+", encoding="ascii") as f:
            key = f.read()
            f.seek(0)
            f.write("zz")
        self.assertIn("must hold 64 hex digits", self.refused())
        with open(self.path("keys", "ca.key"), "w", encoding="ascii") as f:
            f.write(key)
        with open(self.path("party-1.env"), "r+", encoding="utf-8") as f:
            size = f.seek(0, os.SEEK_END)
            f.write("PARTY_CAPACITI=1\n")
            f.flush()
            self.assertIn("PARTY_CAPACITI is not a variable; did you mean PARTY_CAPACITY?",
                          self.refused())
            f.truncate(size)
        with open(self.path("up.json"), encoding="utf-8") as f:
            plan = f.read()
        for text in ("", "{", "[]", '{"dir": 1}', plan.replace("message-router", "router"),
                     plan.replace('"http_port": ', '"http_port": 9'), plan.replace("dir", "DIR"),
                     plan.replace('"party-1"', '"../party-1"')):
            with open(self.path("up.json"), "w", encoding="utf-8") as f:
                f.write(text)
            self.assertIn("is damaged", self.refused(), text)
        with open(self.path("up.json"), "w", encoding="utf-8") as f:
            f.write(plan)
        moved = self.dir + "-moved"
        os.rename(self.dir, moved)
        self.dir = moved
        self.assertIn("move it back", self.refused())

    def test_key_files_of_others_and_links_are_refused(self):
        self.prepare("--free-ports")
        for path in (self.path("keys", "ca.key"), self.path("keys", "jwt.key"),
                     self.path("party-2", "identity.key")):
            os.chmod(path, 0o640)
            self.assertIn(f"{path} can be used by others: chmod 600 it", self.refused())
            os.chmod(path, 0o600)
            os.rename(path, path + ".real")
            os.symlink(path + ".real", path)
            self.assertIn(f"cannot open {path}: it must not be a symbolic link", self.refused())
            os.rename(path + ".real", path)
        self.prepare()

    def test_usage(self):
        for options in (["--parties", "1"], ["--parties", "65"], ["--parties", "x"],
                        ["--port-base", "80"], ["--port-base", "70000"],
                        ["--port-base", "5000", "--free-ports"], ["--log-level", "loud"],
                        ["--verbose"], ["more"]):
            self.refused(*options, code=2)
        self.assertFalse(os.path.exists(self.dir))
        self.dir = os.path.join(self.root, "no", "such")
        self.assertIn("cannot make the directory", self.refused())
        os.unlink(os.path.join(self.services, "quorate-message-router"))
        self.dir = os.path.join(self.root, "data")
        self.assertIn("there is no quorate-message-router in", self.refused("--free-ports"))
        self.services = os.path.join(self.root, "none")
        self.assertIn(f"cannot use {self.services}: No such", self.refused("--free-ports"))
        self.assertFalse(os.path.exists(self.dir))


if __name__ == "__main__":
    unittest.main()
