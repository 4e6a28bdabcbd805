# SPDX-License-Identifier: Apache-2.0
"""The relay learns nothing secret: what passed through it is searched for every secret of every
party."""
import json
import struct
import unittest

from support import PASSPHRASE, TestCase, open_share_file, parse_record, run

HEADER = struct.Struct(">4sBBBBHHI32s32s")


def messages(log):
    """Split the log by the public headers."""
    at = 0
    while at < len(log):
        fields = HEADER.unpack_from(log, at)
        protocol, round_, kind, payload = fields[1], fields[3], fields[4], fields[7]
        assert fields[0] == b"DKC1"
        if kind == 0:
            ext = 0
            if round_ == 1:
                ext = 32 if protocol == 1 else 64
            length = 80 + ext + payload + 64
        else:
            length = 80 + payload + (0 if protocol == 3 and round_ == 1 else 16)
        yield fields, log[at:at + length]
        at += length
    assert at == len(log)


def chunks(b, n):
    return [b[i:i + n] for i in range(0, len(b), n)]


class Relay(TestCase):
    def setUp(self):
        super().setUp()
        log = self.path("log")
        self.report = self.make_key("key", "--relay-log", log)
        with open(log, "rb") as f:
            self.log = f.read()

    def secrets(self):
        """Everything in the share files that is not public, by name."""
        found = {}
        for party in (1, 2, 3):
            _, identity, record = open_share_file(self.share("key", party), PASSPHRASE)
            r = parse_record(record)
            found[f"identity seed of {party}"] = identity[:32]
            found[f"share of {party}"] = r.s
            found["chain code"] = r.cc
            for peer, _, zs, bob, alice, delta in r.pairs:
                found[f"zero seed {party}-{peer}"] = zs
                found[f"delta {party}-{peer}"] = delta
                for i, seed in enumerate(chunks(bob, 16) + chunks(alice, 16)):
                    if seed != bytes(16):
                        found[f"seed {i} {party}-{peer}"] = seed
        return found

    def test_no_secret_passes_the_relay(self):
        secrets = self.secrets()
        self.assertGreater(len(secrets), 6 * 900)
        # One pass over the log instead of thousands: index it by 16-byte windows.
        windows = {self.log[i:i + 16] for i in range(len(self.log) - 15)}
        for name, secret in secrets.items():
            self.assertNotIn(secret[:16], windows, name)
            self.assertNotIn(secret[::-1][:16], windows, name)
        self.assertNotIn(PASSPHRASE, self.log)
        # The search does find what is there: kgid is the echo of every second-round message.
        _, _, record = open_share_file(self.share("key", 1), PASSPHRASE)
        self.assertIn(parse_record(record).kgid[:16], windows)

    def test_exactly_the_protocol_s_messages_pass(self):
        count = {}
        for fields, _ in messages(self.log):
            count[fields[1], fields[3], fields[4]] = count.get((fields[1], fields[3], fields[4]),
                                                               0) + 1
        self.assertEqual(count, {
            (1, 1, 0): 3, (1, 2, 0): 3, (1, 2, 1): 6, (1, 3, 1): 6, (1, 4, 0): 3,
            (3, 1, 0): 2, (3, 1, 1): 2, (3, 2, 0): 2, (3, 2, 1): 2, (3, 3, 0): 2})
        self.assertEqual(len(self.log), sum(step["bytes"] for step in self.report["steps"]))

    def test_private_messages_look_random(self):
        """Sealed ones have no repeated 16-byte block, within or between them."""
        seen = set()
        for fields, b in messages(self.log):
            if fields[4] != 1 or (fields[1] == 3 and fields[3] == 1):
                continue
            for block in chunks(b[80:-16], 16):
                if len(block) == 16:
                    self.assertNotIn(block, seen)
                    seen.add(block)
        self.assertGreater(len(seen), 6 * (8448 + 4289) // 16)


if __name__ == "__main__":
    unittest.main()
