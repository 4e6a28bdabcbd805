# SPDX-License-Identifier: Apache-2.0
"""Bad input: one sentence that names what is wrong and where, the right exit code, nothing on
stdout, nothing written or changed."""
import json
import os
import shutil
import tempfile
import unittest

from support import EXAMPLE, PASSPHRASE, TestCase, run

REFUSED, USAGE = 1, 2


class BadInput(TestCase):
    @classmethod
    def setUpClass(cls):
        """Two keys, copied for every test."""
        cls.keys = tempfile.mkdtemp(prefix="quorate-e2e-")
        cls.addClassCleanup(shutil.rmtree, cls.keys)
        for name in ("a", "b"):
            r = run("demo", "--dir", os.path.join(cls.keys, name), "--signers", "1,2",
                    passphrase=PASSPHRASE)
            assert r.code == 0, r.err

    def setUp(self):
        super().setUp()
        for name in ("a", "b"):
            shutil.copytree(os.path.join(self.keys, name), self.path(name))
        self.a = [None] + [self.share("a", i) for i in (1, 2, 3)]
        self.b = [None] + [self.share("b", i) for i in (1, 2, 3)]

    def refused(self, code, sentence, *args, passphrase=PASSPHRASE, prefix=""):
        """|sentence| may be a list: one of them, when it is a race which party says it."""
        before = self.tree()
        r = run(*args, passphrase=passphrase)
        allowed = [sentence] if isinstance(sentence, str) else sentence
        self.assertIn(r.err, [f"quorate: {prefix}{s}\n" for s in allowed])
        self.assertEqual((r.code, r.out), (code, ""))
        self.assertEqual(self.tree(), before)

    def shares(self, code, sentence, *files, passphrase=PASSPHRASE, prefix=""):
        self.refused(code, sentence, "demo", "--shares", ",".join(files), passphrase=passphrase,
                     prefix=prefix)

    def changed(self, source, name, offset, new):
        with open(source, "rb") as f:
            b = bytearray(f.read())
        b[offset:offset + len(new)] = new
        return self.write(name, bytes(b))

    # --- share files ---

    def test_wrong_passphrase(self):
        self.shares(REFUSED, [f"party {i}: wrong passphrase, or the header of {self.a[i]} was "
                              "changed" for i in (1, 2)],
                    self.a[1], self.a[2], passphrase=b"wrong",
                    prefix="opening the share files failed: ")

    def test_empty_passphrase(self):
        self.shares(REFUSED, "the passphrase is empty", self.a[1], self.a[2], passphrase=b"\n")

    def test_too_long_passphrase(self):
        self.shares(REFUSED, "the passphrase is longer than 1024 bytes", self.a[1], self.a[2],
                    passphrase=b"x" * 1026)

    def test_no_passphrase(self):
        self.shares(USAGE, "--shares needs the passphrase of the files: --passphrase-fd N",
                    self.a[1], self.a[2], passphrase=None)

    def test_share_of_another_key(self):
        self.shares(REFUSED, f"{self.b[2]} is a share of another key than {self.a[1]}: give "
                             "files of one key", self.a[1], self.b[2])

    def test_share_of_another_epoch(self):
        other = self.changed(self.a[2], "later.share", 20, b"\0\0\0\1")
        self.shares(REFUSED, f"{other} is of epoch 1, but {self.a[1]} is of epoch 0: shares of one "
                             "epoch sign together", self.a[1], other)

    def test_share_of_another_key_generation(self):
        other = self.changed(self.a[2], "other.share", 64, b"\0" * 32)
        self.shares(REFUSED, f"{other} comes from another key generation than {self.a[1]}: "
                             "give files of one directory",
                    self.a[1], other)

    def test_two_copies_of_the_same_party(self):
        with open(self.a[1], "rb") as f:
            copy = self.write("copy.share", f.read())
        self.shares(REFUSED, f"{self.a[1]} and {copy} are two copies of the share of party 1: "
                             "give one file of each party",
                    self.a[1], copy)

    def test_too_few_signers(self):
        self.shares(USAGE, f"the key of {self.a[1]} is signed with by exactly 2 parties, but "
                           "--shares names 1", self.a[1])
        self.refused(USAGE, "the key is signed with by exactly 2 parties, but --signers names 1",
                     "demo", "--signers", "3")

    def test_too_many_signers(self):
        self.shares(USAGE, f"the key of {self.a[1]} is signed with by exactly 2 parties, but "
                           "--shares names 3", *self.a[1:])
        self.refused(USAGE, "the key is signed with by exactly 2 parties, but --signers names 3",
                     "demo", "--signers", "1,2,3")

    def test_signers_that_are_none(self):
        self.refused(USAGE, "--signers names party 4, but the parties are 1 to 3",
                     "demo", "--signers", "1,4")
        for text in ("", "1,,2", "1,1", "one,two", "1,0", "1,2,", "-1,2"):
            self.refused(USAGE, "--signers is a list of different party numbers, such as 1,3; got "
                         + text, "demo", "--signers=" + text)

    def test_missing_share_file(self):
        gone = self.path("gone.share")
        self.shares(REFUSED, f"cannot open {gone}: No such file or directory", self.a[1], gone)

    def test_foreign_file(self):
        for name, content in (("empty", b""), ("text", b"hello"), ("long", os.urandom(40000))):
            path = self.write(name, content)
            self.shares(REFUSED, f"{path} is not a share file", self.a[1], path)

    def test_share_file_that_is_no_file(self):
        self.shares(REFUSED, f"{self.tmp} is not a regular file", self.a[1], self.tmp)

    def test_truncated_share_file(self):
        with open(self.a[2], "rb") as f:
            b = f.read()
        for n in (8, 100, 219):
            path = self.write("cut", b[:n])
            self.shares(REFUSED, f"{path} is truncated: it has only {n} bytes", self.a[1], path)
        for changed in (b[:220], b[:-1], b + b"x"):
            path = self.write("cut", changed)
            self.shares(REFUSED, f"{path} is truncated or has bytes added: it has {len(changed)} "
                                 f"bytes of {len(b)}", self.a[1], path)

    def test_share_file_of_a_later_version(self):
        path = self.changed(self.a[2], "later", 8, b"\2")
        self.shares(REFUSED, f"{path} is a share file of a version this program does not know",
                    self.a[1], path)

    def test_header_fields_out_of_range(self):
        fields = {"state": (9, b"\2"), "suite": (10, b"\x11"), "profile": (11, b"\0"),
                  "kdf": (13, b"\2"), "n": (14, b"\0\x41"), "t": (16, b"\0\1"), "own": (18, b"\0\0"),
                  "zero": (161, b"\1"), "passes": (164, b"\0\0\0\0"), "memory": (168, b"\x7f")}
        for name, (offset, new) in fields.items():
            path = self.changed(self.a[2], name, offset, new)
            self.shares(REFUSED, f"{path} is damaged: a field of its header is out of range",
                        self.a[1], path)

    def test_every_part_of_a_share_file_is_authenticated(self):
        # flags, created, identity, sealed content, tag
        for offset in (12, 31, 97, 221, 20000, 34016):
            with open(self.a[2], "rb") as f:
                b = f.read()
            path = self.changed(self.a[2], "changed", offset, bytes([b[offset] ^ 1]))
            self.shares(REFUSED, f"party 2: {path} was changed after it was sealed", self.a[1],
                        path, prefix="opening the share files failed: ")

    def test_changed_salt_or_nonce(self):
        salt = self.changed(self.a[2], "salt", 172, b"\0" * 16)
        self.shares(REFUSED, f"party 2: wrong passphrase, or the header of {salt} was changed", self.a[1], salt,
                    prefix="opening the share files failed: ")
        nonce = self.changed(self.a[2], "nonce", 204, b"\0" * 12)
        self.shares(REFUSED, f"party 2: {nonce} was changed after it was sealed", self.a[1], nonce,
                    prefix="opening the share files failed: ")

    def test_empty_name_in_shares(self):
        self.shares(USAGE, "--shares is a list of files with commas between them", self.a[1], "")

    # --- the directory ---

    def test_directory_that_already_holds_shares(self):
        self.refused(REFUSED, f"{self.path('a')} already holds the shares of a key; sign with them "
                              f"by --shares {self.a[1]},{self.a[2]} --passphrase-fd N, or name "
                              "another directory",
                     "demo", "--dir", self.path("a"))

    def test_directory_that_holds_only_some_shares(self):
        os.unlink(self.a[2])
        self.refused(REFUSED, f"{self.path('a')} already holds shares of a key, but none of party "
                              "2; bring that file back or name another directory",
                     "demo", "--dir", self.path("a"))

    def test_directory_with_shares_of_two_keys(self):
        os.rename(self.b[3], self.a[3])
        os.rename(self.a[1], self.a[1] + ".pending")
        self.refused(REFUSED, f"{self.a[3]} is a share of another key than {self.a[1]}.pending: "
                              "give files of one key",
                     "demo", "--dir", self.path("a"))

    def test_directory_with_a_share_under_another_party_s_name(self):
        os.rename(self.a[3], self.path("x"))
        os.rename(self.a[2], self.a[3])
        os.rename(self.path("x"), self.a[2] + ".pending")
        self.refused(REFUSED, f"{self.a[2]}.pending is the share of party 3, not of party 2: "
                              "put it back under its name",
                     "demo", "--dir", self.path("a"))

    def test_directory_that_is_a_file(self):
        self.refused(REFUSED, f"{self.a[1]} is not a directory: name one, or what does not exist "
                              "yet", "demo", "--dir", self.a[1])

    def test_directory_that_cannot_be_made(self):
        path = self.path("no", "such")
        self.refused(REFUSED, f"cannot make the directory {path}: No such file or directory",
                     "demo", "--dir", path)

    def test_new_directory_is_not_left_behind_after_a_refusal(self):
        self.refused(REFUSED, "the passphrase is empty", "demo", "--dir", self.path("new"),
                     passphrase=b"")

    def test_directory_with_a_comma_in_its_name(self):
        path = self.path("a,b")
        self.refused(USAGE, "--dir must have no comma in its name, because --shares could not name "
                            f"its files: {path}", "demo", "--dir", path)

    def test_links_that_lead_nowhere_are_named_as_such(self):
        path = self.path("link")
        os.symlink("nowhere", path)
        for args, kind in ((("demo", "--dir", path), "directory"), (("inspect", path), "file"),
                           (("demo", "--tx", path), "file")):
            r = run(*args)
            self.assertEqual((r.code, r.out, r.err), (1, "", f"quorate: {path} is a symbolic link to "
                                                             f"a {kind} that does not exist\n"))

    def test_a_warning_comes_only_where_there_is_something_to_warn_of(self):
        self.refused(REFUSED, f"cannot make the directory {self.path('no', 'such')}: No such file or "
                              "directory", "demo", "--dir", self.path("no", "such"), passphrase=None)
        r = run("demo", "--dir", self.path("new"), "--signers", "1,2")
        self.assertEqual((r.code, r.err), (0, "quorate: warning: nobody knows the passphrase of the "
                                              f"share files in {self.path('new')}; use "
                                              "--passphrase-fd N to be able to sign with them later\n"))

    def test_temporary_directory_that_cannot_be_used(self):
        os.environ["TMPDIR"] = self.path("none")
        self.refused(REFUSED, f"cannot make a temporary directory in {self.path('none')} (the "
                              "environment's TMPDIR): No such file or directory", "demo")

    # --- what is signed ---

    def test_message_hash_that_is_not_32_bytes(self):
        for text, got in (("", "0 bytes"), ("ab", "1 bytes"), ("ab" * 31, "31 bytes"),
                          ("0x" + "ab" * 33, "33 bytes"), ("xy" * 32, "text that is not hex"),
                          ("ab" * 31 + "a", "63 hex digits")):
            self.refused(USAGE, "the message hash (--message-hash) must be exactly 32 bytes, 64 hex "
                                f"digits; got {got}", "demo", "--message-hash", text)

    def test_transaction_that_cannot_be_read(self):
        path = self.path("none.json")
        self.refused(REFUSED, f"cannot open {path}: No such file or directory", "demo", "--tx", path)
        self.refused(REFUSED, f"{self.tmp} is not a regular file", "demo", "--tx", self.tmp)
        self.refused(USAGE, "--tx is empty: name a file", "demo", "--tx", "")

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

    def test_options_that_do_not_fit(self):
        two = f"{self.a[1]},{self.a[2]}"
        self.refused(USAGE, "--tx and --message-hash are two different things to sign",
                     "demo", "--tx", EXAMPLE, "--message-hash", "ab" * 32)
        self.refused(USAGE, "--shares names the files of all signers; --dir does not fit it",
                     "demo", "--shares", two, "--dir", self.path("c"))
        self.refused(USAGE, "--shares names the files of all signers; --signers does not fit it",
                     "demo", "--shares", two, "--signers", "1,2")

    def test_wrong_use(self):
        usage = lambda sentence, *args: self.refused(USAGE, sentence, *args, passphrase=None)
        usage("no command given; quorate help lists them")
        usage("there is no command sing; quorate help lists them", "sing")
        usage("unknown option --frob; see quorate demo --help", "demo", "--frob")
        usage("--json takes no value; see quorate demo --help", "demo", "--json=1")
        usage("--dir needs a value (DIR); see quorate demo --help", "demo", "--dir")
        usage("--tx is given twice", "demo", "--tx", "a", "--tx", "b")
        usage("x is one argument too many; see quorate demo --help", "demo", "x")
        usage("--passphrase-fd is not the number of a descriptor: x", "demo", "--passphrase-fd", "x")
        usage("descriptor 99 (--passphrase-fd) is not open for reading", "demo", "--passphrase-fd",
              "99")
        usage("descriptor 2 (--passphrase-fd) is not open for reading", "demo", "--passphrase-fd",
              "2")
        usage("--json stands where the command should: options follow the command, as in quorate demo "
              "--json", "--json", "demo")
        usage("there is no command sing; quorate help lists them", "help", "sing")
        for name in ("party", "relay"):
            usage(f"{name} is started by quorate demo, not by hand", name)

    def test_control_characters_of_a_file_name_do_not_reach_the_terminal(self):
        path = self.path("a\n\x1b[31m")
        self.refused(REFUSED, f"cannot open {self.path('a??[31m')}: No such file or directory",
                     "demo", "--tx", path)


if __name__ == "__main__":
    unittest.main()
