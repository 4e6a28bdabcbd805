# SPDX-License-Identifier: Apache-2.0
"""The demo from end to end: its report, its files, and that the shares are shares of that key."""
import json
import os
import stat
import unittest

from support import EXAMPLE, PASSPHRASE, TestCase, Watched, open_share_file, parse_record, run

# protocol.md K.1, per party
KEYGEN_BYTES = 26613
KEYGEN_RECEIVED_BYTES = 2 * (240 + 339 + 176) + 2 * (8544 + 4385)
SIGN_BYTES = 52852

P = 2**256 - 2**32 - 977
Q = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141
G = (0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798,
     0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8)


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if a != b:
            return None
        m = 3 * a[0] * a[0] * pow(2 * a[1], -1, P)
    else:
        m = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (m * m - a[0] - b[0]) % P
    return x, (m * (a[0] - x) - a[1]) % P


def multiply(k, point=G):
    result = None
    for bit in bin(k % Q)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def compressed(point):
    return bytes([2 + point[1] % 2]) + point[0].to_bytes(32, "big")


def verify(pk_x_parity, digest, r, s):
    y = pow((pk_x_parity[1] ** 3 + 7) % P, (P + 1) // 4, P)
    if y % 2 != pk_x_parity[0] % 2:
        y = P - y
    w = pow(s, -1, Q)
    point = add(multiply(digest * w % Q), multiply(r * w % Q, (pk_x_parity[1], y)))
    return point[0] % Q == r


def strip0x(text):
    assert text.startswith("0x")
    return text[2:]


class Demo(TestCase):
    def check_signature(self, report, entry):
        pk = bytes.fromhex(report["public_key"])
        r, s = int(entry["r"], 16), int(entry["s"], 16)
        digest = int(strip0x(report["message_hash"]), 16)
        self.assertTrue(verify((pk[0], int.from_bytes(pk[1:], "big")), digest, r, s))
        self.assertLessEqual(s, (Q - 1) // 2)
        self.assertEqual(strip0x(entry["signature"]), entry["r"] + entry["s"])
        self.assertIn(entry["recovery_id"], (0, 1, 2, 3))
        self.assertGreater(entry["ms"], 0)
        self.assertEqual(entry["bytes"], 2 * SIGN_BYTES)
        v = ["verify", "--hash", report["message_hash"], "--signature", entry["signature"]]
        self.assertEqual(run(*v, "--public-key", report["public_key"]).code, 0)
        self.assertEqual(run(*v, "--address", report["address"]).code, 0)

    def check_steps(self, report):
        names = [step["step"] for step in report["steps"]]
        self.assertEqual(names, ["start of the parties", "key generation",
                                 "signature by parties 1 and 2", "signature by parties 1 and 3",
                                 "signature by parties 2 and 3"])
        sent = [0, KEYGEN_BYTES, SIGN_BYTES, SIGN_BYTES, SIGN_BYTES]
        received = [0, KEYGEN_RECEIVED_BYTES, SIGN_BYTES, SIGN_BYTES, SIGN_BYTES]
        # A party that does not sign gets the six broadcasts, and nothing else: it drops them later.
        dropped = [[0] * 3, [0] * 3, [0, 0], [0, 6], [6, 0]]
        for i, step in enumerate(report["steps"]):
            self.assertGreater(step["ms"], 0)
            self.assertEqual(step["bytes"], sent[i] * len(step["parties"]))
            for party, drops in zip(step["parties"], dropped[i]):
                self.assertEqual(set(party), {"party", "bytes_sent", "bytes_received",
                                              "messages_dropped", "cpu_ms"})
                self.assertEqual((party["bytes_sent"], party["bytes_received"],
                                  party["messages_dropped"]), (sent[i], received[i], drops))

    def test_every_field_of_the_report_is_there_and_true(self):
        r = run("demo", "--json")
        self.assertEqual((r.code, r.err), (0, ""))
        report = json.loads(r.out)
        self.assertEqual(set(report), {
            "transaction", "unsigned_transaction", "message_hash", "resumed", "key_id",
            "public_key", "address", "addresses", "threshold", "parties", "signatures", "steps"})
        self.assertEqual(report["transaction"], "examples/transfer.json")
        self.assertEqual((report["threshold"], report["parties"]), (2, 3))
        self.assertIs(report["resumed"], False)
        self.assertEqual(len(report["key_id"]), 64)
        self.assertEqual(report["address"], report["addresses"]["ethereum"])
        address = run("address", report["public_key"], "--json")
        self.assertEqual(json.loads(address.out), {"public_key": report["public_key"],
                                                   **report["addresses"]})
        self.check_steps(report)
        self.assertEqual([e["signers"] for e in report["signatures"]], [[1, 2], [1, 3], [2, 3]])
        for entry in report["signatures"]:
            self.assertEqual(set(entry), {"signers", "signature", "r", "s", "recovery_id",
                                          "raw_transaction", "transaction_hash", "ms", "bytes"})
            self.assertTrue(entry["raw_transaction"].startswith("0x02"))
            self.check_signature(report, entry)

    def test_without_json_the_same_things_are_lines(self):
        r = run("demo", "--signers", "2,3")
        self.assertEqual((r.code, r.err), (0, ""))
        for start in ("key generation: ", "public key ", "address ", "signature by parties 2 and 3: ",
                      "signature ", "raw transaction ", "transaction hash "):
            self.assertEqual(len([l for l in r.out.splitlines() if l.startswith(start)]),
                             2 if start == "signature " else 1, start)

    def test_a_temporary_directory_is_removed(self):
        r = run("demo", "--signers", "1,2")
        self.assertEqual(r.code, 0)
        self.assertEqual(os.listdir(self.tmp), [])

    def test_share_files_are_private_and_nothing_else_is_left(self):
        self.make_key()
        names = sorted(os.listdir(self.path("key")))
        self.assertEqual(names, ["party-1.share", "party-2.share", "party-3.share"])
        for name in names:
            mode = os.stat(self.path("key", name)).st_mode
            self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_any_two_share_files_hold_shares_of_the_key_and_one_does_not(self):
        report = self.make_key()
        opened = [open_share_file(self.share("key", i), PASSPHRASE) for i in (1, 2, 3)]
        records = [parse_record(record) for _, _, record in opened]
        pk = bytes.fromhex(report["public_key"])
        for (file, identity, _), record in zip(opened, records):
            self.assertEqual((file.pk, record.pk), (pk, pk))
            self.assertEqual(file.keyid.hex(), report["key_id"])
            self.assertEqual((file.keyid, file.kgid, file.own), (record.keyid, record.kgid,
                                                                 record.own))
            self.assertEqual(identity[32:], file.identity)
            self.assertNotEqual(compressed(multiply(int.from_bytes(record.s, "big"))), pk)
        for i, j in ((0, 1), (0, 2), (1, 2)):
            xi, xj = records[i].own, records[j].own
            si, sj = (int.from_bytes(records[k].s, "big") for k in (i, j))
            key = (si * xj * pow(xj - xi, -1, Q) + sj * xi * pow(xi - xj, -1, Q)) % Q
            self.assertEqual(compressed(multiply(key)), pk)

    def test_share_files_sign_again_each_pair_in_any_order(self):
        report = self.make_key()
        for i, j in ((1, 2), (3, 1), (2, 3)):
            r = run("demo", "--shares", f"{self.share('key', i)},{self.share('key', j)}", "--json",
                    passphrase=PASSPHRASE)
            self.assertEqual((r.code, r.err), (0, ""))
            again = json.loads(r.out)
            self.assertEqual(again["public_key"], report["public_key"])
            self.assertEqual(again["signatures"][0]["signers"], sorted((i, j)))
            self.check_signature(again, again["signatures"][0])

    def test_signing_does_not_change_the_share_files(self):
        self.make_key()
        before = self.tree()
        r = run("demo", "--shares", f"{self.share('key', 1)},{self.share('key', 2)}",
                passphrase=PASSPHRASE)
        self.assertEqual(r.code, 0)
        self.assertEqual(self.tree(), before)

    def test_a_message_hash_is_signed_instead_of_a_transaction(self):
        digest = "ab" * 32
        report = self.make_key("key", "--message-hash", digest)
        self.assertEqual(strip0x(report["message_hash"]), digest)
        self.assertNotIn("transaction", report)
        self.assertNotIn("raw_transaction", report["signatures"][0])
        self.check_signature(report, report["signatures"][0])

    def test_the_example_in_the_program_is_the_file(self):
        built_in = json.loads(run("demo", "--json", "--signers", "1,2").out)
        read = json.loads(run("demo", "--json", "--signers", "1,2", "--tx", EXAMPLE).out)
        self.assertEqual(built_in["unsigned_transaction"], read["unsigned_transaction"])

    def test_any_working_directory_will_do(self):
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.tmp)
        r = run("demo", "--json", "--signers", "1,2")
        self.assertEqual((r.code, r.err), (0, ""))
        # A relative name is the user's own, and is named if it is not there.
        r = run("demo", "--tx", "examples/transfer.json")
        self.assertEqual((r.code, r.err), (1, "quorate: cannot open examples/transfer.json: No such "
                                              "file or directory\n"))
        r = run("demo", "--dir", "key", "--signers", "1,2", passphrase=PASSPHRASE)
        self.assertEqual((r.code, r.err), (0, ""))
        self.assertEqual(os.listdir(self.tmp), ["key"])

    def test_numbers_may_be_integers_decimal_or_hexadecimal_strings(self):
        with open(EXAMPLE, encoding="utf-8") as f:
            fields = json.load(f)
        as_hex = {k: hex(int(fields[k])) for k in ("chainId", "nonce", "value", "maxFeePerGas",
                                                   "maxPriorityFeePerGas", "gasLimit")}
        tx = self.write("tx.json", json.dumps({**fields, **as_hex}))
        one = json.loads(run("demo", "--json", "--signers", "1,2", "--tx", tx).out)
        two = json.loads(run("demo", "--json", "--signers", "1,2").out)
        self.assertEqual(one["unsigned_transaction"], two["unsigned_transaction"])

    def test_the_largest_numbers_of_a_transaction(self):
        with open(EXAMPLE, encoding="utf-8") as f:
            fields = json.load(f)
        tx = self.write("tx.json", json.dumps({**fields, "nonce": str(2**64 - 2), "gasLimit":
                                               2**63 - 1, "value": hex(2**256 - 1)}))
        r = run("demo", "--json", "--signers", "1,2", "--tx", tx)
        self.assertEqual((r.code, r.err), (0, ""))
        unsigned = json.loads(r.out)["unsigned_transaction"]
        for number in ("88fffffffffffffffe", "887fffffffffffffff", "a0" + "ff" * 32):
            self.assertIn(number, unsigned)

    def test_two_demos_in_one_directory_do_not_mix(self):
        first = Watched("--dir", self.path("key"), "--relay-hold", "3", passphrase=PASSPHRASE)
        first.until_line("relay holds after 3")
        second = run("demo", "--dir", self.path("key"), passphrase=PASSPHRASE)
        self.assertEqual(second.code, 1)
        self.assertEqual(second.err, f"quorate: {self.path('key')} is in use by another quorate "
                                     "demo: wait for its end\n")
        first.kill("relay")
        self.assertEqual(first.end().code, 1)

    def test_secrets_are_not_in_arguments_or_environment_of_any_process(self):
        w = Watched("--dir", self.path("key"), "--relay-hold", "0", passphrase=PASSPHRASE)
        w.until_count("tells ready", 3)
        for pid in w.pids.values():
            for name in ("cmdline", "environ"):
                try:
                    with open(f"/proc/{pid}/{name}", "rb") as f:
                        self.assertNotIn(PASSPHRASE, f.read())
                except PermissionError:
                    pass  # not dumpable: nobody can read it
        w.kill("main")
        w.end()

    def test_processes_cannot_be_dumped(self):
        w = Watched("--relay-hold", "0")
        w.until_count("tells ready", 3)
        self.assertEqual(len(w.pids), 5)
        for pid in w.pids.values():
            with open(f"/proc/{pid}/limits", encoding="ascii") as f:
                core = [l for l in f if l.startswith("Max core file size")]
            self.assertEqual(core[0].split()[4:6], ["0", "0"])
            self.assertEqual(os.stat(f"/proc/{pid}/environ").st_uid, 0)
        w.kill("main")
        w.end()


if __name__ == "__main__":
    unittest.main()
