# SPDX-License-Identifier: Apache-2.0
"""Bad input: one sentence that names what is wrong and where, the right exit code, nothing on
stdout, nothing written or changed."""
import json
import os
import shutil
import tempfile
import unittest

from support import EXAMPLE, PASSPHRASE, SHARE_FILES, TestCase, run

REFUSED, USAGE = 1, 2


class Refusals(TestCase):
    def refused(self, code, sentence, *args, **kw):
        before = self.tree()
        r = run(*args, **kw)
        self.assertEqual(r.err, f"quorate: {sentence}\n")
        self.assertEqual((r.code, r.out), (code, ""))
        self.assertEqual(self.tree(), before)


class ShareFiles(Refusals):
    @classmethod
    def setUpClass(cls):
        """The files of a key, copied for every test."""
        cls.shares = tempfile.mkdtemp(prefix="quorate-e2e-")
        cls.addClassCleanup(shutil.rmtree, cls.shares)
        r = run("make", cls.shares, PASSPHRASE.decode(), program=SHARE_FILES)
        assert r.code == 0, r.err

    def setUp(self):
        super().setUp()
        self.share = self.path("party-2.share")
        shutil.copy(os.path.join(self.shares, "party-2.share"), self.share)

    def not_opened(self, sentence, path, passphrase=PASSPHRASE.decode()):
        self.refused(REFUSED, sentence, "open", path, passphrase, program=SHARE_FILES)

    def not_shown(self, sentence, path):
        self.refused(REFUSED, sentence, "inspect", path)

    def changed(self, source, name, offset, new):
        with open(source, "rb") as f:
            b = bytearray(f.read())
        b[offset:offset + len(new)] = new
        return self.write(name, bytes(b))

    def test_the_right_passphrase_opens(self):
        r = run("open", self.share, PASSPHRASE.decode(), program=SHARE_FILES)
        self.assertEqual((r.code, r.err), (0, ""))

    def test_wrong_passphrase(self):
        self.not_opened(f"wrong passphrase, or the header of {self.share} was changed", self.share,
                        "wrong")

    def test_truncated_share_file(self):
        with open(self.share, "rb") as f:
            b = f.read()
        for n in (8, 100, 219):
            path = self.write("cut", b[:n])
            self.not_shown(f"{path} is truncated: it has only {n} bytes", path)
        for changed in (b[:220], b[:-1], b + b"x"):
            path = self.write("cut", changed)
            self.not_shown(f"{path} is truncated or has bytes added: it has {len(changed)} "
                           f"bytes of {len(b)}", path)

    def test_share_file_of_a_later_version(self):
        path = self.changed(self.share, "later", 8, b"\2")
        self.not_shown(f"{path} is a share file of a version this program does not know", path)

    def test_header_fields_out_of_range(self):
        fields = {"state": (9, b"\2"), "suite": (10, b"\x11"), "profile": (11, b"\0"),
                  "kdf": (13, b"\2"), "n": (14, b"\0\x41"), "t": (16, b"\0\1"), "own": (18, b"\0\0"),
                  "zero": (161, b"\1"), "passes": (164, b"\0\0\0\0"), "memory": (168, b"\x7f")}
        for name, (offset, new) in fields.items():
            path = self.changed(self.share, name, offset, new)
            self.not_shown(f"{path} is damaged: a field of its header is out of range", path)

    def test_every_part_of_a_share_file_is_authenticated(self):
        # flags, created, identity, nonce, sealed content, tag
        size = os.path.getsize(self.share)
        for offset in (12, 31, 97, 204, 221, 20000, size - 1):
            with open(self.share, "rb") as f:
                b = f.read()
            path = self.changed(self.share, "changed", offset, bytes([b[offset] ^ 1]))
            self.not_opened(f"{path} was changed after it was sealed", path)

    def test_changed_salt(self):
        path = self.changed(self.share, "salt", 172, b"\0" * 16)
        self.not_opened(f"wrong passphrase, or the header of {path} was changed", path)


class BadInput(Refusals):
    def test_files_that_are_none(self):
        gone, link = self.path("gone"), self.path("link")
        os.symlink("nowhere", link)
        for args in (("inspect",), ("demo", "--tx")):
            self.refused(REFUSED, f"cannot open {gone}: No such file or directory", *args, gone)
            self.refused(REFUSED, f"{self.tmp} is not a regular file", *args, self.tmp)
            self.refused(REFUSED, f"{link} is a symbolic link to a file that does not exist", *args,
                         link)

    # --- where a demo keeps its system ---

    def test_directory_that_is_a_file(self):
        path = self.write("file", "")
        self.refused(REFUSED, f"cannot use the directory {path}: Not a directory",
                     "demo", "--dir", path)

    def test_directory_that_cannot_be_made(self):
        path = self.path("no", "such")
        self.refused(REFUSED, f"cannot make the directory {path}: No such file or directory",
                     "demo", "--dir", path)

    def test_temporary_directory_that_cannot_be_used(self):
        os.environ["TMPDIR"] = self.path("none")
        self.refused(REFUSED, f"cannot make a temporary directory in {self.path('none')}: No such "
                              "file or directory", "demo")

    # --- what is signed ---

    def test_transaction_that_is_no_json(self):
        path = self.write("tx.json", "{\n\"chainId\": 1,\n")
        self.refused(REFUSED, f"{path}: not valid JSON: line 3: string or '}}' expected near end of "
                              "file", "demo", "--tx", path)
        self.tx_refused("{}{}", "{path}: not valid JSON: line 1: end of file expected near '{{'")
        for text in ("[]", '"text"', "7", "null"):
            self.tx_refused(text, "{path}: not a JSON object")

    def tx_refused(self, text, sentence):
        path = self.write("tx.json", text)
        self.refused(REFUSED, sentence.format(path=path), "demo", "--tx", path)

    def test_transaction_whose_text_is_unfit_is_told_without_the_parser_s_words(self):
        zero = "{path} has zero bytes: save it as plain UTF-8"
        string = "{path}: line 2 has a zero character (\\u0000) in a string"
        self.tx_refused(b"", "{path} is empty")
        self.tx_refused(b"\xef\xbb\xbf{}", "{path} starts with a byte order mark: save it as plain "
                                           "UTF-8")
        self.tx_refused(b"{\0}", zero)
        self.tx_refused("{}".encode("utf-16-le"), zero)
        self.tx_refused(b'{\n"to": "a\\u0000"}', string)
        self.tx_refused(b'{\n"a\\u0000": 1}', string)
        self.tx_refused(b'{"to": "\xff"}', "{path}: line 1 is not UTF-8 text")
        self.tx_refused("[" * 10000, "{path}: line 1: too many lists in each other")

    def test_transaction_with_an_integer_that_the_parser_cannot_take(self):
        with open(EXAMPLE, encoding="utf-8") as f:
            good = json.load(f)
        self.tx_refused(json.dumps({**good, "value": 10**19}, indent=1),
                        "{path}: line 5: write integers above 9223372036854775807 as strings, such "
                        'as "10000000000000000000"')
        self.tx_refused('{"value": -10000000000000000000}',
                        "{path}: line 1 has a number that is out of range")
        self.tx_refused('{"value": 1e999}', "{path}: line 1 has a number that is out of range")

    def test_transaction_fields_are_named(self):
        with open(EXAMPLE, encoding="utf-8") as f:
            good = json.load(f)
        number = ("must be a whole number that is not negative, decimal or with 0x, of at most 256 "
                  "bits")
        wrong = [
            ({"nonce": None}, f'the field "nonce" {number}'),
            ({"nonce": "12a"}, f'the field "nonce" {number}'),
            ({"value": ""}, f'the field "value" {number}'),
            ({"value": "0x"}, f'the field "value" {number}'),
            ({"value": -1}, f'the field "value" {number}'),
            ({"value": 1.5}, f'the field "value" {number}'),
            ({"value": str(2**256)}, f'the field "value" {number}'),
            ({"value": hex(2**256)}, f'the field "value" {number}'),
            ({"chainId": 0}, 'the field "chainId" must not be 0'),
            ({"chainId": str(2**64)}, 'the field "chainId" does not fit in 64 bits'),
            ({"gasLimit": str(2**64)}, 'the field "gasLimit" does not fit in 64 bits'),
            ({"maxPriorityFeePerGas": "30000000001"},
             'the field "maxPriorityFeePerGas" is larger than "maxFeePerGas"'),
            ({"to": "0x1234"}, 'the field "to" is not an address: 0x and 40 hex digits'),
            ({"to": 7}, 'the field "to" is not an address: 0x and 40 hex digits'),
            ({"to": good["to"].replace("d8dA", "d8DA")},
             'the checksum of the address in the field "to" is wrong'),
            ({"data": "abcd"}, 'the field "data" is not a string of hex with 0x'),
            ({"data": "0xabc"}, 'the field "data" has an odd number of hex digits'),
            ({"data": "0xax"}, 'the field "data" is not hex of at most 32768 bytes'),
            ({"data": "0x" + "00" * 32769}, 'the field "data" is not hex of at most 32768 bytes'),
            ({"accessList": [{}]}, 'an "accessList" that is not empty is not supported'),
            ({"accessList": None}, 'the field "accessList" must be an empty list'),
            ({"nonce": str(2**64 - 1)},
             'the field "nonce" must be less than 18446744073709551615 (EIP-2681)'),
            ({"gasLimit": 0}, 'the field "gasLimit" must not be 0'),
            ({"to": None}, 'the field "to" is null: making a contract is not supported'),
            ({"type": 1}, 'the field "type" must be 2 (EIP-1559)'),
            ({"gasPrice": 1}, 'unknown field "gasPrice"'),
        ]
        for change, sentence in wrong:
            path = self.write("tx.json", json.dumps({**good, **change}))
            self.refused(REFUSED, f"{path}: {sentence}", "demo", "--tx", path)
        for name in ("chainId", "nonce", "to", "value", "maxFeePerGas", "maxPriorityFeePerGas",
                     "gasLimit"):
            path = self.write("tx.json", json.dumps({k: v for k, v in good.items() if k != name}))
            self.refused(REFUSED, f'{path}: the field "{name}" is missing', "demo", "--tx", path)

    # --- the command line ---

    def test_wrong_use(self):
        for sentence, *args in (
                ("no command given; quorate help lists them",),
                ("there is no command sing; quorate help lists them", "sing"),
                ("unknown option --frob; see quorate demo --help", "demo", "--frob"),
                ("--json takes no value; see quorate demo --help", "demo", "--json=1"),
                ("--dir needs a value (DIR); see quorate demo --help", "demo", "--dir"),
                ("--dir is empty; see quorate demo --help", "demo", "--dir="),
                ("--tx is empty; see quorate demo --help", "demo", "--tx", ""),
                ("--tx is given twice", "demo", "--tx", "a", "--tx", "b"),
                ("x is one argument too many; see quorate demo --help", "demo", "x"),
                ("the file is missing; see quorate inspect --help", "inspect"),
                ("--json stands where the command should: options follow the command, as in quorate "
                 "demo --json", "--json", "demo"),
                ("there is no command sing; quorate help lists them", "help", "sing"),
                ("there is no backup foo; quorate help backup shows what there is", "help", "backup",
                 "foo")):
            self.refused(USAGE, sentence, *args)

    def test_control_characters_of_a_file_name_do_not_reach_the_terminal(self):
        path = self.path("a\n\x1b[31m")
        self.refused(REFUSED, f"cannot open {self.path('a??[31m')}: No such file or directory",
                     "demo", "--tx", path)


if __name__ == "__main__":
    unittest.main()
