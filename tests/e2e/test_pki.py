# SPDX-License-Identifier: Apache-2.0
"""quorate pki: what it makes is what stock programs take, nothing is overwritten, nothing is left
half done, keys are nobody else's."""
import json
import os
import stat
import subprocess
import sys
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from support import LIMIT, QUORATE, SOURCE, TestCase, run

sys.path.append(os.path.join(SOURCE, "tests", "docs"))
import pages  # noqa: E402


def openssl(*args):
    p = subprocess.run(["openssl", *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                       timeout=LIMIT, check=False)
    return p.returncode, p.stdout + p.stderr


class Pki(TestCase):
    def setUp(self):
        super().setUp()
        self.ca = self.path("ca")

    def pki(self, *args, code=0):
        """The answer, or what was said."""
        r = run("pki", *args, "--dir", self.ca, "--json")
        self.assertEqual(r.code, code, r)
        if code == 0:
            self.assertEqual(r.err, "")
            return json.loads(r.out)
        self.assertEqual(r.out, "")
        self.assertRegex(r.err, r"\Aquorate: [^\n]+\n\Z")
        return r.err

    def certificate(self, path):
        with open(path, "rb") as f:
            return x509.load_pem_x509_certificate(f.read())

    def verify(self, path):
        return openssl("verify", "-x509_strict", "-CAfile", self.path("ca", "ca.crt"), "-CRLfile",
                       self.path("ca", "crl.pem"), "-crl_check", path)

    def assertRefusedUnchanged(self, words, text, *args, code=1):
        before = self.tree()
        self.assertIn(text, self.pki(words, *args, code=code))
        self.assertEqual(self.tree(), before)


class Making(Pki):
    def test_an_authority(self):
        made = self.pki("init", "--name", "The Operator", "--days", "400")
        self.assertEqual(made["name"], "The Operator")
        self.assertFalse(made["sealed"])
        self.assertEqual(sorted(os.listdir(self.ca)),
                         ["authority.key", "authority.pub", "ca.crt", "ca.key", "crl.pem", "issued"])
        for base, _, files in os.walk(self.ca):
            self.assertEqual(stat.S_IMODE(os.stat(base).st_mode), 0o700)
            for name in files:
                self.assertEqual(stat.S_IMODE(os.stat(os.path.join(base, name)).st_mode), 0o600)
        ca = self.certificate(made["ca"])
        self.assertEqual(ca.subject, ca.issuer)
        self.assertTrue(ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
        self.assertEqual((ca.not_valid_after - ca.not_valid_before).days, 400)
        self.assertGreater(ca.serial_number.bit_length(), 120)
        code, text = openssl("crl", "-in", made["crl"], "-CAfile", made["ca"], "-noout", "-text")
        self.assertEqual(code, 0, text)
        self.assertIn("verify OK", text)
        self.assertIn("No Revoked Certificates", text)
        # The authority of identity keys: its public half is the one that is told.
        with open(self.path("ca", "authority.key"), "rb") as f:
            key = serialization.load_pem_private_key(f.read(), None)
        self.assertIsInstance(key, ed25519.Ed25519PrivateKey)
        raw = key.public_key().public_bytes(serialization.Encoding.Raw,
                                            serialization.PublicFormat.Raw)
        self.assertEqual(made["ca_key"], raw.hex())
        with open(self.path("ca", "authority.pub"), encoding="ascii") as f:
            self.assertEqual(f.read(), raw.hex() + "\n")

    def test_a_service(self):
        self.pki("init")
        made = self.pki("issue", "router", "--hosts", "router,*.internal,127.0.0.1,::1", "--days",
                        "30")
        self.assertNotIn("party", made)
        self.assertEqual(sorted(os.listdir(self.path("ca", "router"))), ["tls.crt", "tls.key"])
        c = self.certificate(made["certificate"])
        names = c.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(names.get_values_for_type(x509.DNSName), ["router", "*.internal"])
        self.assertEqual([str(a) for a in names.get_values_for_type(x509.IPAddress)],
                         ["127.0.0.1", "::1"])
        self.assertEqual(names.get_values_for_type(x509.UniformResourceIdentifier), [])
        self.assertEqual(c.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value, "router")
        usage = c.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual(set(usage), {ExtendedKeyUsageOID.SERVER_AUTH,
                                      ExtendedKeyUsageOID.CLIENT_AUTH})
        self.assertEqual((c.not_valid_after - c.not_valid_before).days, 30)
        self.assertEqual(made["serial"], f"{c.serial_number:X}")
        with open(made["key"], "rb") as f:
            key = serialization.load_pem_private_key(f.read(), None)
        self.assertEqual(key.public_key().public_numbers(), c.public_key().public_numbers())
        self.assertEqual(self.verify(made["certificate"])[0], 0)

    def test_a_party_and_its_renewal(self):
        self.pki("init")
        made = self.pki("issue", "p1", "--party", "party-1", "--role", "delegate", "--hosts",
                        "p1.example")
        c = self.certificate(made["certificate"])
        names = c.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(names.get_values_for_type(x509.UniformResourceIdentifier),
                         ["quorate:party:party-1"])
        self.assertEqual(made["party"], "party-1")
        with open(made["party_certificate"], "rb") as f:
            certificate = f.read()
        with open(made["identity_key"], encoding="ascii") as f:
            seed = f.read()
        key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
        raw = key.public_key().public_bytes(serialization.Encoding.Raw,
                                            serialization.PublicFormat.Raw)
        for part in (b"party-1", b"delegate", raw):
            self.assertIn(part, certificate)
        before = self.tree()
        again = self.pki("renew", "p1", "--days", "10")
        after = self.tree()
        changed = {os.path.relpath(p, self.ca) for p in after if before.get(p) != after[p]}
        self.assertEqual(changed, {"p1/tls.crt", "p1/tls.key", f"issued/{again['serial']}.crt"})
        self.assertEqual(again["replaced_serial"], made["serial"])
        n = self.certificate(again["certificate"])
        self.assertEqual(n.extensions.get_extension_for_class(x509.SubjectAlternativeName).value,
                         names)
        self.assertNotEqual(n.public_key().public_numbers(), c.public_key().public_numbers())
        self.assertEqual(self.verify(again["certificate"])[0], 0)

    def test_an_identity_key_is_kept(self):
        self.pki("init")
        first = self.pki("issue", "p1", "--party", "party-1")
        identity = [self.tree()[first[k]] for k in ("identity_key", "party_certificate")]
        for name in ("tls.crt", "tls.key"):
            os.unlink(self.path("ca", "p1", name))
        again = self.pki("issue", "p1", "--party", "party-1")
        self.assertEqual(identity,
                         [self.tree()[again[k]] for k in ("identity_key", "party_certificate")])
        for name in ("tls.crt", "tls.key"):
            os.unlink(self.path("ca", "p1", name))
        # It is not another party's, and not in another role.
        for words in (["--party", "party-2"], ["--party", "party-1", "--role", "delegate"]):
            self.assertRefusedUnchanged("issue", "party.cert is not this authority's", "p1", *words)

    def test_a_certificate_ends_with_its_authority(self):
        self.pki("init", "--days", "5")
        made = self.pki("issue", "a", "--days", "3650")
        self.assertEqual(self.certificate(made["certificate"]).not_valid_after,
                         self.certificate(made["ca"]).not_valid_after)

    def test_revocation(self):
        self.pki("init")
        made = {name: self.pki("issue", name) for name in ("a", "b")}
        renewed = self.pki("renew", "a")
        revoked = self.pki("revoke", "--serial", made["a"]["serial"].lower())
        self.assertEqual(revoked["revoked"], [made["a"]["serial"]])
        self.assertEqual(self.verify(renewed["certificate"])[0], 0)
        old = self.path("ca", "issued", made["a"]["serial"] + ".crt")
        self.assertIn("certificate revoked", self.verify(old)[1])
        self.assertEqual(self.pki("revoke", "a")["revoked"], [renewed["serial"]])
        for path in (old, renewed["certificate"]):
            self.assertIn("certificate revoked", self.verify(path)[1])
        self.assertEqual(self.verify(made["b"]["certificate"])[0], 0)
        shown = {c["serial"]: c["status"] for c in self.pki("show")["certificates"]}
        self.assertEqual(shown, {made["a"]["serial"]: "revoked", renewed["serial"]: "revoked",
                                 made["b"]["serial"]: "in force"})
        self.assertEqual([c["name"] for c in self.pki("show", "b")["certificates"]], ["b"])
        self.assertRefusedUnchanged("revoke", "no certificate of a is in force", "a")
        self.assertRefusedUnchanged("revoke", "has the serial number AB", "--serial", "AB")
        _, text = openssl("crl", "-in", self.path("ca", "crl.pem"), "-noout", "-crlnumber")
        self.assertRegex(text, r"(?i)crlnumber=0x0*3\n")


class Refusing(Pki):
    def test_nothing_is_overwritten(self):
        self.pki("init")
        self.pki("issue", "a")
        self.assertRefusedUnchanged("init", "nothing is overwritten")
        self.assertRefusedUnchanged("issue", "tls.crt exists", "a")
        os.unlink(self.path("ca", "a", "tls.crt"))
        self.assertRefusedUnchanged("issue", "tls.key exists", "a")

    def test_a_directory_with_something_else(self):
        os.mkdir(self.ca)
        self.pki("init")
        self.ca = self.path("other")
        os.mkdir(self.ca)
        self.write("other/file", "mine")
        self.assertRefusedUnchanged("init", "nothing is overwritten")

    def test_nothing_is_left_half_done(self):
        self.pki("init")
        out = self.path("out")
        os.mkdir(out)
        os.mkdir(self.path("out", "party.cert.tmp"))  # the last of the files cannot be written
        self.assertRefusedUnchanged("issue", "party.cert.tmp is in the way", "a", "--party", "a",
                                    "--out", out)
        made = self.pki("issue", "b")
        os.mkdir(made["certificate"] + ".tmp")
        self.assertRefusedUnchanged("renew", "tls.crt.tmp is in the way", "b")

    def test_wrong_usage(self):
        self.pki("init")
        for words in (["issue"], ["issue", "a/b"], ["issue", "."], ["issue", "issued"],
                      ["issue", "x" * 65], ["issue", "a", "--days", "0"],
                      ["issue", "a", "--days", "36501"], ["issue", "a", "--role", "delegate"],
                      ["issue", "a", "--party", "a", "--role", "boss"],
                      ["issue", "a", "--party", "a b"], ["revoke"],
                      ["revoke", "a", "--serial", "AB"], ["revoke", "--serial", "xyz"],
                      ["issue", "a", "--seal"], ["init", "--hosts", "a"], ["sign"]):
            self.assertRefusedUnchanged(words[0], "", *words[1:], code=2)
        for words in (["issue", "a", "--hosts", "a b"], ["issue", "a", "--hosts", ",a"],
                      ["issue", "a", "--hosts", "a" * 300]):
            self.assertRefusedUnchanged(words[0], "host name", *words[1:])

    def test_there_is_no_authority(self):
        for words in (["issue", "a"], ["renew", "a"], ["revoke", "a"], ["show"]):
            self.assertRefusedUnchanged(words[0], "holds no authority", *words[1:])

    def test_damaged_files(self):
        self.pki("init")
        self.pki("issue", "a")
        other = self.path("other")
        self.assertEqual(run("pki", "init", "--dir", other).code, 0)
        for name, words, text in (
                ("ca.key", ["issue", "b"], "ca.key"), ("authority.key", ["issue", "b", "--party", "b"],
                                                       "authority.key"),
                ("crl.pem", ["revoke", "a"], "crl.pem is damaged"),
                ("crl.pem", ["show"], "crl.pem is damaged"), ("ca.crt", ["show"], "ca.crt"),
                ("a/tls.crt", ["renew", "a"], "tls.crt is no certificate")):
            path = self.path("ca", name)
            with open(path, "rb") as f:
                content = f.read()
            self.write(os.path.join("ca", name), "nothing")
            self.assertRefusedUnchanged(words[0], text, *words[1:])
            self.write(os.path.join("ca", name), content)
        # Of another authority.
        for name, words, text in (("ca.key", ["issue", "b"], "is not the key of ca.crt"),
                                  ("crl.pem", ["revoke", "a"], "crl.pem is damaged")):
            path = self.path("ca", name)
            with open(path, "rb") as f:
                content = f.read()
            with open(os.path.join(other, name), "rb") as f:
                self.write(os.path.join("ca", name), f.read())
            self.assertRefusedUnchanged(words[0], text, *words[1:])
            self.write(os.path.join("ca", name), content)
        self.ca = other
        self.assertRefusedUnchanged("renew", "is not a certificate of the authority", "a", "--out",
                                    self.path("ca", "a"))


class Sealed(Pki):
    def setUp(self):
        super().setUp()
        self.passphrase = self.write("passphrase", "correct horse battery\n")

    def test_by_a_file(self):
        made = self.pki("init", "--passphrase-file", self.passphrase)
        self.assertTrue(made["sealed"])
        for name in ("ca.key", "authority.key"):
            with open(self.path("ca", name), "rb") as f:
                text = f.read()
            self.assertIn(b"BEGIN ENCRYPTED PRIVATE KEY", text)
            key = serialization.load_pem_private_key(text, b"correct horse battery")
            self.assertIsNotNone(key)
        self.pki("issue", "a", "--party", "a", "--passphrase-file", self.passphrase)
        self.pki("renew", "a", "--passphrase-file", self.passphrase)
        self.pki("revoke", "a", "--passphrase-file", self.passphrase)
        self.pki("show")  # needs no key

    def test_wrong_or_missing(self):
        self.pki("init", "--passphrase-file", self.passphrase)
        wrong = self.write("wrong", "incorrect horse")
        self.assertRefusedUnchanged("issue", "the passphrase does not open", "a",
                                    "--passphrase-file", wrong)
        self.assertRefusedUnchanged("issue", "no such file".capitalize(), "a", "--passphrase-file",
                                    self.path("none"))
        p = subprocess.run([QUORATE, "pki", "issue", "a", "--dir", self.ca], capture_output=True,
                           stdin=subprocess.DEVNULL, start_new_session=True, timeout=LIMIT,
                           check=False)
        self.assertEqual(p.returncode, 1)
        self.assertIn(b"no terminal", p.stderr)

    def test_a_short_one_is_refused(self):
        self.assertRefusedUnchanged("init", "8 to", "--passphrase-file", self.write("s", "short"))

    def test_on_a_terminal(self):
        self.assertEqual(self.on_terminal(["init", "--seal"], b"tiny\n", 1), 1)
        self.assertFalse(os.path.exists(self.ca))
        self.assertEqual(self.on_terminal(["init", "--seal"], b"on a terminal\n", 2), 0)
        self.assertEqual(self.on_terminal(["issue", "a"], b"on a terminal\n", 1), 0)
        self.assertEqual(self.on_terminal(["issue", "b"], b"on a different one\n", 1), 1)
        self.assertFalse(os.path.exists(self.path("ca", "b")))

    def on_terminal(self, words, typed, times):
        """The exit code of a command that asks |times|."""
        pid, fd = os.forkpty()
        if pid == 0:
            os.execv(QUORATE, [QUORATE, "pki", *words, "--dir", self.ca])
        seen = b""
        for i in range(times):
            while seen.count(b"Passphrase of the authority: ") + seen.count(b"once more: ") <= i:
                seen += os.read(fd, 1000)
            os.write(fd, typed)
        try:
            while True:
                part = os.read(fd, 1000)
                seen += part
                if not part:
                    break
        except OSError:
            pass
        self.assertNotIn(typed.strip(), seen)  # no echo
        os.close(fd)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Page(Pki):
    def test_every_command_of_the_page(self):
        """docs/certificates.md, from its first command to its last."""
        page = pages.Page("docs/certificates.md")
        page.run(pages.Place(self.tmp))
        page.all_ran()
        self.ca = self.path("authority")
        shown = {}
        for c in self.pki("show")["certificates"]:
            shown.setdefault(c["name"], []).append(c["status"])
        names = ["account-service", "message-router", "party-1", "party-2", "party-3",
                 "server-party-api", "session-coordinator"]
        self.assertEqual(sorted(shown), names)
        self.assertEqual({k: sorted(v) for k, v in shown.items() if k.startswith("party-")},
                         {"party-1": ["in force"] * 2, "party-2": ["in force", "revoked"],
                          "party-3": ["revoked"]})
        code, text = openssl("verify", "-CAfile", self.path("own-ca.crt"), self.path("router.crt"))
        self.assertEqual(code, 0, text)


if __name__ == "__main__":
    unittest.main()
