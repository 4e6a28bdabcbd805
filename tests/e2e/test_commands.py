# SPDX-License-Identifier: Apache-2.0
"""verify, address, inspect, help: right answers, in text and in JSON, with the right exit code."""
import hashlib
import json
import os
import struct
import subprocess
import unittest

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from support import (PASSPHRASE, QUORATE, Signer, TestCase, open_share_file,
                     parse_record, parse_share_file, run, th)

# The generator itself, the key 1; addresses as everybody has them.
G = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
G_UNCOMPRESSED = ("0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
                  "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8")
ADDRESSES = {
    "ethereum": "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
    "bitcoin_p2wpkh": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "bitcoin_p2pkh": "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH",
    "tron": "TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC",
}
Q = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141


class Address(TestCase):
    def test_all_four_by_default(self):
        for key in (G, "0x" + G, G_UNCOMPRESSED):
            r = run("address", key, "--json")
            self.assertEqual((r.code, r.err), (0, ""))
            self.assertEqual(json.loads(r.out), {"public_key": G, **ADDRESSES})

    def test_one_chain(self):
        for chain, address in ADDRESSES.items():
            r = run("address", G, "--chain", chain, "--json")
            self.assertEqual(json.loads(r.out), {"public_key": G, chain: address})

    def test_text_holds_the_same(self):
        r = run("address", G)
        for address in ADDRESSES.values():
            self.assertIn(" " + address + "\n", r.out)

    def test_child_of_bip32(self):
        # BIP32, test vector 2: chain m and chain m/0
        parent = "03cbcaa9c98c877a26977d00825c956a238e8dddfbd322cce4f74b0b5bd6ace4a7"
        code = "60499f801b896d83179a4374aeb7822aaeaceaa0db1f85ee3e904c4defbd9689"
        child = "02fc9e5af0ac8d9b3cecfe2a888e2117ba3d089d8585886c9c826b6b22a98d12ea"
        r = run("address", parent, "--path", "m/0", "--chain-code", code, "--json")
        self.assertEqual(r.code, 0)
        self.assertEqual(json.loads(r.out)["public_key"], child)

    def test_refusals(self):
        cases = [
            (["address"], "the public key is missing; see quorate address --help"),
            (["address", "02" + "ff" * 32],
             f"02{'ff' * 32} is not a public key: 33 or 65 bytes of hex, on the curve"),
            (["address", G, "--chain", "solana"],
             "--chain is ethereum, bitcoin_p2wpkh, bitcoin_p2pkh or tron, not solana"),
            (["address", G, "--path", "m/0"], "--path and --chain-code go together"),
            (["address", G, "--path", "m/0'", "--chain-code", "00" * 32],
             "--path is not a path of non-hardened indices such as m/44/60/0: m/0'"),
            (["address", G, "--path", "m/0", "--chain-code", "00"],
             "the chain code (--chain-code) must be exactly 32 bytes, 64 hex digits"),
        ]
        for args, sentence in cases:
            r = run(*args)
            self.assertEqual((r.code, r.out, r.err), (2, "", f"quorate: {sentence}\n"))


def sign(message):
    """A signature by a library that nobody here wrote, under a new key: (report, r and s in hex).
    The recovery id is the one under which `verify` finds the key's own address."""
    key = ec.generate_private_key(ec.SECP256K1())
    digest = hashlib.sha256(message).digest()
    r, s = utils.decode_dss_signature(key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
    s = min(s, Q - s)
    point = key.public_key().public_numbers()
    public_key = f"{2 + point.y % 2:02x}{point.x:064x}"
    addresses = json.loads(run("address", public_key, "--json").out)
    del addresses["public_key"]
    recids = [i for i in range(2)
              if run("verify", "--message-hash", digest.hex(), "--signature", f"{r:064x}{s:064x}{i:02x}",
                     "--address", addresses["ethereum"]).code == 0]
    assert len(recids) == 1
    return {"message_hash": "0x" + digest.hex(), "public_key": public_key, "r": f"{r:064x}",
            "s": f"{s:064x}", "recovery_id": recids[0], "addresses": addresses,
            "address": addresses["ethereum"]}


class Verify(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.report = cls.entry = sign(b"hello")
        cls.sig = cls.entry["r"] + cls.entry["s"]

    def verify(self, *args):
        r = run("verify", "--json", *args)
        return r.code, json.loads(r.out) if r.out else None, r.err

    def test_valid_by_key_and_by_every_address(self):
        digest = self.report["message_hash"]
        key = ("--public-key", self.report["public_key"])
        wanted = {"valid": True, "hash": digest[2:], "public_key": self.report["public_key"]}
        self.assertEqual(self.verify("--message-hash", digest, "--signature", self.sig, *key),
                         (0, wanted, ""))
        for address in [*self.report["addresses"].values(), self.report["address"].lower()]:
            self.assertEqual(self.verify("--message-hash", digest, "--signature", self.sig, "--address",
                                         address), (0, wanted, ""))

    def test_message_file_and_other_forms_of_the_signature(self):
        message = self.write("hello", b"hello")
        r, s = bytes.fromhex(self.entry["r"]), bytes.fromhex(self.entry["s"])
        der = b"".join(b"\2" + bytes([len(x)]) + x
                       for x in ((b"\0" + v if v[0] & 0x80 else v.lstrip(b"\0") or b"\0")
                                 for v in (r, s)))
        forms = [self.sig, "0x" + self.sig, f"{self.sig}{self.entry['recovery_id']:02x}",
                 f"{self.sig}{27 + self.entry['recovery_id']:02x}",
                 (b"\x30" + bytes([len(der)]) + der).hex()]
        for form in forms:
            code, report, _ = self.verify("--message", message, "--hash", "sha256", "--signature",
                                          form, "--public-key", self.report["public_key"])
            self.assertEqual((code, report["valid"]), (0, True), form)

    def test_an_address_in_the_other_case_is_the_same(self):
        digest = self.report["message_hash"]
        addresses = self.report["addresses"]
        for address in ("0x" + addresses["ethereum"][2:].upper(),
                        addresses["bitcoin_p2wpkh"].upper()):
            code, _, err = self.verify("--message-hash", digest, "--signature", self.sig,
                                       "--address", address)
            self.assertEqual((code, err), (0, ""), address)

    def test_what_is_no_address_is_wrong_use(self):
        none = ("--address is not an address of Ethereum, Tron or Bitcoin's main network (bc1q of 42 "
                "characters, or 1...): ")
        checksum = "the checksum of the address (--address) is wrong: "
        cases = [(none, text) for text in (
            "x", "0x", "0x1234", ADDRESSES["ethereum"] + "0", ADDRESSES["ethereum"][:-1] + "g",
            ADDRESSES["ethereum"][2:], "0X" + ADDRESSES["ethereum"][2:],
            ADDRESSES["bitcoin_p2wpkh"][:-1] + "B", ADDRESSES["bitcoin_p2wpkh"][:-1] + "T",
            ADDRESSES["bitcoin_p2wpkh"][:-1], ADDRESSES["tron"] + "1", "1" + ADDRESSES["tron"],
            "1" + ADDRESSES["bitcoin_p2pkh"], ADDRESSES["bitcoin_p2pkh"][1:], "1", "1" * 100,
            "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",  # BIP350: taproot
            "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",  # BIP173: test network
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy")]  # a script's
        cases += [(checksum, text) for text in (
            ADDRESSES["ethereum"].replace("E5F", "e5F"),
            ADDRESSES["bitcoin_p2wpkh"][:-1] + "5",
            ADDRESSES["bitcoin_p2pkh"][:-1] + "J", ADDRESSES["tron"][:-1] + "D")]
        for sentence, text in cases:
            self.assertEqual(self.verify("--message-hash", "00" * 32, "--signature", self.sig, "--address",
                                         text), (2, None, f"quorate: {sentence}{text}\n"))

    def test_the_recovery_id_is_checked_with_a_public_key_too(self):
        reason = "r and s are of that key, but the recovery id is not"
        for bits in (1, 2):
            code, report, err = self.verify(
                "--message-hash", self.report["message_hash"], "--public-key", self.report["public_key"],
                "--signature", f"{self.sig}{self.entry['recovery_id'] ^ bits:02x}")
            self.assertEqual((code, report["valid"], report["reason"]), (1, False, reason))
            self.assertEqual(err, f"quorate: the signature is not valid: {reason}\n")

    def test_invalid_is_1_and_says_why(self):
        message = self.write("hello", b"hello!")
        key = ("--public-key", self.report["public_key"])
        digest = self.report["message_hash"]
        high = self.entry["r"] + f"{Q - int(self.entry['s'], 16):064x}"
        wrong_recid = f"{self.sig}{self.entry['recovery_id'] ^ 1:02x}"
        by_key = "it was not made by that key for that message"
        by_address = "it was not made by the key of that address for that message"
        cases = [
            (["--message", message, "--hash", "sha256", "--signature", self.sig, *key], by_key),
            (["--message", message, "--hash", "keccak256", "--signature", self.sig, *key], by_key),
            (["--message-hash", digest, "--signature", self.sig, "--public-key", G], by_key),
            (["--message-hash", digest, "--signature", high, *key],
             "s is in the upper half of its range (not low-s)"),
            (["--message-hash", digest, "--signature", self.sig,
              "--address", ADDRESSES["ethereum"]],
             by_address),
            (["--message-hash", digest, "--signature", wrong_recid,
              "--address", self.report["address"]],
             by_address),
        ]
        for args, reason in cases:
            code, report, err = self.verify(*args)
            self.assertEqual((code, report["valid"], report["reason"]), (1, False, reason))
            self.assertEqual(err, f"quorate: the signature is not valid: {reason}\n")

    def test_every_flipped_byte_is_noticed(self):
        for i in range(64):
            b = bytearray(bytes.fromhex(self.sig))
            b[i] ^= 1
            code, _, _ = self.verify("--message-hash", self.report["message_hash"],
                                     "--signature", b.hex(), "--public-key", self.report["public_key"])
            self.assertIn(code, (1, 2), i)

    def test_wrong_use(self):
        key, digest = ("--public-key", G), ("--message-hash", "00" * 32)
        sig = ("--signature", self.sig)
        cases = [
            ([], "--signature is missing; see quorate verify --help"),
            ([*sig, *digest], "give one of --public-key and --address"),
            ([*sig, *digest, *key, "--address", "x"], "give one of --public-key and --address"),
            ([*sig, *key], "give one of --message-hash and --message"),
            ([*sig, *key, *digest, "--hash", "sha256"],
             "--hash goes with --message; a --message-hash is taken as it is"),
            ([*sig, *key, "--message", "x"],
             "--message needs --hash keccak256 or --hash sha256"),
            ([*sig, *key, "--message", "x", "--hash", "md5"],
             "--hash is keccak256 or sha256, not md5"),
            ([*sig, *key, "--message-hash", "00" * 31],
             "--message-hash must be exactly 32 bytes, 64 hex digits; got 31 bytes"),
            ([*key, *digest, "--signature", "00"],
             "the signature (--signature) is neither r and s (64 bytes, or 65 with the recovery id) "
             "nor DER, in hex"),
            ([*sig, *digest, "--public-key", "02"],
             "--public-key is not a public key: 33 or 65 bytes of hex, on the curve"),
        ]
        for args, sentence in cases:
            self.assertEqual(self.verify(*args), (2, None, f"quorate: {sentence}\n"))

    def test_message_file_that_cannot_be_read_is_named(self):
        path = self.path("none")
        self.assertEqual(self.verify("--message", path, "--hash", "sha256", "--signature",
                                     self.sig, "--public-key", G),
                         (1, None, f"quorate: cannot open {path}: No such file or directory\n"))


def broadcast(signer, payload):
    """A fourth-round message of a key generation, as it travels."""
    header = b"DKC1" + bytes([1, 1, 4, 0]) + struct.pack(">HHI", 2, 0xffff, len(payload))
    header += bytes(range(32)) + bytes(range(32, 64))
    return header + payload + signer.sign(th(b"wire/sign", header, b"", payload))


class Inspect(TestCase):
    def inspect(self, path):
        r = run("inspect", path, "--json")
        self.assertEqual(r.code, 0, r.err)
        return json.loads(r.out), r.err

    def test_share_file_shows_what_its_header_says_and_nothing_else(self):
        self.make_shares()
        path = self.path("party-2.share")
        shown, err = self.inspect(path)
        self.assertEqual(err, "")
        with open(path, "rb") as f:
            file = parse_share_file(f.read())
        self.assertEqual(shown, {
            "file": path, "kind": "share file", "state": "active", "suite": "ecdsa-secp256k1",
            "party": 2, "threshold": 2, "parties": 3, "public_key": file.pk.hex(),
            "key_id": file.keyid.hex(), "kgid": file.kgid.hex(), "epoch": 0,
            "created": file.created, "imported": False, "refresh_required": False,
            "identity_key": file.identity.hex(),
            "sealed_with": "AES-256-GCM under Argon2id of a passphrase",
            "argon2_memory_kib": 65536, "argon2_passes": 3, "bytes": os.path.getsize(path)})
        shown, _ = self.inspect(self.path("party-1.share.pending"))
        self.assertEqual((shown["state"], shown["party"]), ("pending", 1))

    def test_messages(self):
        self.make_shares()
        for name, wanted in (("broadcast", ("keygen", 1, "broadcast", "signed")),
                             ("private", ("keygen", 2, "private", "sealed"))):
            shown, _ = self.inspect(self.path(name))
            self.assertEqual((shown["kind"], shown["protocol"], shown["round"], shown["delivery"],
                              shown["form"]), ("protocol message", *wanted))
        shown, _ = self.inspect(self.path("broadcast"))
        self.assertEqual((shown["receiver"], shown["payload_bytes"]), ("everybody", 64))
        with open(self.path("broadcast"), "rb") as f:
            b = f.read()
        for n in (79, 100):
            cut = self.write("cut", b[:n])
            r = run("inspect", cut)
            self.assertEqual((r.code, r.out, r.err.count("\n")), (1, "", 1))
            self.assertIn(cut, r.err)

    def test_intent(self):
        message = b"pay"
        fields = (b"DKI1" + bytes([1, 2, 1, 1, 1]) + b"\1" * 16 + b"\2" * 16 + b"\3" * 32 + b"\4" * 32 +
                  struct.pack(">QIHH3H", 1700000000, 1, 2, 3, 1, 2, 3) +
                  struct.pack(">H2I", 2, 44, 60) + struct.pack(">BI", 2, len(message)) + message)
        shown, _ = self.inspect(self.write("intent", fields))
        del shown["file"]
        self.assertEqual(shown, {
            "kind": "intent", "operation": "sign", "purpose": "transaction", "account": "01" * 16,
            "request": "02" * 16, "threshold": 2, "allowed_parties": [1, 2, 3], "attempts": 1,
            "deadline": 1700000000, "key_id": "03" * 32, "path": [44, 60], "digest": "keccak256",
            "message": message.hex()})

    def test_keygen_intent_shows_who_sits_where(self):
        idks = [bytes([n] * 32) for n in (0xa1, 0xa2)]
        fields = (b"DKI1" + bytes([1, 1, 1, 1, 2]) + b"\1" * 16 + b"\2" * 16 + bytes(32) + b"\4" * 32 +
                  struct.pack(">QIHH2H", 1700000000, 1, 2, 2, 1, 7) + b"".join(idks) + bytes(7))
        shown, _ = self.inspect(self.write("intent", fields))
        del shown["file"]
        self.assertEqual(shown, {
            "kind": "intent", "operation": "keygen", "purpose": "message", "account": "01" * 16,
            "request": "02" * 16, "threshold": 2, "allowed_parties": [1, 7], "attempts": 1,
            "deadline": 1700000000, "identity_hashes": [idk.hex() for idk in idks]})

    def test_burn_and_gate_records(self):
        for magic, kind in ((b"DKB1", "burn record"), (b"DKG1", "gate record")):
            path = self.write("record", magic + b"\1" + b"\5" * 32 + struct.pack(">I4H", 3, 1, 2, 2, 9))
            shown, err = self.inspect(path)
            self.assertEqual(shown, {"file": path, "kind": kind, "kgid": "05" * 32, "epoch": 3,
                                     "party": 1, "peers": [2, 9]})
            self.assertEqual(err, "")

    def test_presignature_shows_its_public_part_only(self):
        secrets = [bytes([n] * 32) for n in (0x51, 0x52, 0x53)]
        g = bytes.fromhex(G)
        record = (b"DKP1" + bytes([1, 1]) + b"\1" * 32 + struct.pack(">I", 3) + b"\2" * 32 +
                  b"\3" * 32 + struct.pack(">HH2H", 1, 2, 1, 3) + bytes(32) + g + g +
                  b"".join(secrets) + struct.pack(">Q", 1700000000))
        path = self.write("presignature", record)
        shown, err = self.inspect(path)
        self.assertEqual(shown, {
            "file": path, "kind": "presignature", "id": "02" * 32, "party": 1, "signers": [1, 3],
            "public_key": G, "kgid": "01" * 32, "epoch": 3, "created": 1700000000})
        self.assertEqual(err, f"quorate: warning: {path} is a presignature that is not sealed: it "
                              "must not be read by others\n")

    def test_evidence_is_verified(self):
        cheat = Signer()
        said = [broadcast(cheat, bytes([n] * 32)) for n in (1, 2)]
        head = b"DKE1" + bytes([1, 49]) + struct.pack(">H", 2) + cheat.pk
        evidence = head + struct.pack(">H", 2) + b"".join(struct.pack(">I", len(m)) + m for m in said)
        path = self.write("evidence", evidence)
        shown, _ = self.inspect(path)
        self.assertEqual(shown, {
            "file": path, "kind": "evidence of a cheat", "accused": 2,
            "identity_key": cheat.pk.hex(), "session": bytes(range(32)).hex(),
            "error": "EQUIVOCATION",
            "text": "a party signed two different broadcasts for one round", "proven": True})
        for i in (8, 50, 140, 200):
            changed = bytearray(evidence)
            changed[i] ^= 1
            r = run("inspect", self.write("changed", bytes(changed)))
            self.assertEqual((r.code, r.out, r.err.count("\n")), (1, "", 1), r.err)

    def test_foreign_and_truncated_files_are_refused(self):
        for name, content in (("empty", b""), ("text", b"hello world"), ("three", b"DKC"),
                              ("message", b"DKC1"), ("record", b"DKS1\1\1\1\0"),
                              ("presignature", b"DKP1\1\1"), ("intent", b"DKI1\1"),
                              ("evidence", b"DKE1"), ("burn", b"DKB1\1"), ("gate", b"DKG1")):
            path = self.write(name, content)
            r = run("inspect", path)
            self.assertEqual((r.code, r.out, r.err.count("\n")), (1, "", 1), r.err)
            self.assertIn(path, r.err)

    def test_unsealed_record_is_shown_without_its_secrets_and_with_a_warning(self):
        self.make_shares()
        _, _, record = open_share_file(self.path("party-3.share"), PASSPHRASE)
        path = self.write("record", record)
        shown, err = self.inspect(path)
        self.assertEqual(err, f"quorate: warning: {path} is an unsealed share record: whoever can "
                              "read it has the share\n")
        self.assertEqual((shown["kind"], shown["party"], len(shown["roster"])),
                         ("share record, not sealed", 3, 3))
        r = parse_record(record)
        text = json.dumps(shown)
        for secret in (r.s, r.cc, r.pairs[0][2], r.pairs[0][5]):
            self.assertNotIn(secret.hex(), text)


COMMANDS = ["up", "demo", "account", "sign", "session", "parties", "status", "health", "doctor",
            "freeze", "unfreeze", "key", "audit", "db", "pki", "backup", "verify", "address",
            "inspect", "help", "version"]
ACTIONS = {"account": ["create", "list", "show", "verify"], "session": ["show", "events", "cancel"],
           "backup": ["key", "verify", "restore", "merge", "drill", "seal", "open"],
           "freeze": [None, "list"], "pki": ["init", "issue", "renew", "revoke", "show"]}


class Help(TestCase):
    def test_help_and_version(self):
        r = run("help")
        self.assertEqual((r.code, r.err), (0, ""))
        listed = json.loads(run("help", "--json").out)["commands"]
        self.assertEqual([c["command"] for c in listed],
                         COMMANDS)
        for c in listed:
            self.assertIn(f"  {c['command']} ", r.out)
            self.assertIn(c["help"], r.out)
        self.assertEqual(run("--help").out, r.out)
        r = run("help", "sign", "--json")
        self.assertEqual((r.code, r.out), (2, ""))
        self.assertIn("--json is for the list of commands", r.err)
        self.assertRegex(run("help", "sign").out,
                         r"(?m)^  --backup FILE  .*; may be given several times$")
        version = json.loads(run("version", "--json").out)["version"]
        self.assertRegex(version, r"\A\d+\.\d+\.\d+\Z")
        self.assertEqual(run("--version").out, f"quorate {version}\n")

    def test_every_command_has_a_page_and_json(self):
        for command in COMMANDS:
            pages = []
            for action in ACTIONS.get(command, [None]):
                words = [command, action] if action else [command]
                r = run(*words, "--help")
                self.assertEqual((r.code, r.err), (0, ""))
                self.assertTrue(r.out.startswith(f"usage: quorate {' '.join(words)} "), r.out)
                self.assertIn("--json", r.out)
                pages.append(r.out)
                if action:
                    self.assertEqual(run("help", *words), r)
            whole = "\n".join(pages)
            if None in ACTIONS.get(command, []):  # its own page has the others behind it
                self.assertTrue(pages[0].endswith("\n" + "\n".join(pages[1:])))
                whole = pages[0]
            for words in ["help", command], [command, "--help"]:
                r = run(*words)
                self.assertEqual((r.code, r.err, r.out), (0, "", whole))

    def test_full_disk_is_noticed(self):
        for args in (["address", G], ["verify", "--help"], ["help"], ["help", "demo"],
                     ["demo"], ["demo", "--json"], ["version", "--json"]):
            with open("/dev/full", "w", encoding="ascii") as full:
                p = subprocess.run([QUORATE, *args], stdout=full, stderr=subprocess.PIPE,
                                   check=False)
            self.assertEqual(p.returncode, 1, args)
            self.assertEqual(p.stderr, b"quorate: cannot write to stdout: No space left on device\n")

    def test_closed_stdout_is_noticed(self):
        p = subprocess.run(["sh", "-c", 'exec "$0" "$@" >&-', QUORATE, "version"],
                           stderr=subprocess.PIPE, check=False)
        self.assertEqual((p.returncode, p.stderr),
                         (1, b"quorate: cannot write to stdout: Bad file descriptor\n"))


if __name__ == "__main__":
    unittest.main()
