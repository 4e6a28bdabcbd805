# SPDX-License-Identifier: Apache-2.0
"""A party believes only the initiator. Here the test is the process that started it, and the relay,
and lies."""
import fcntl
import hashlib
import json
import os
import resource
import select
import socket
import struct
import time
import unittest

from support import (LIMIT, PASSPHRASE, QUORATE, Signer, TestCase, change_share_file,
                     open_share_file, parse_record, passphrase_pipe, run, spoil_bob_seeds, th)

KEYGEN, SIGN = 1, 2
MESSAGE = bytes(range(32))


class Frames:
    """One end of a socket that carries frames: length, bytes."""

    def __init__(self):
        self.socket, self.theirs = socket.socketpair()
        self.pending = b""

    def put(self, b):
        self.socket.sendall(struct.pack(">I", len(b)) + b)

    def frame(self):
        """A frame that is there already, or None."""
        if len(self.pending) < 4:
            return None
        n = 4 + struct.unpack(">I", self.pending[:4])[0]
        if len(self.pending) < n:
            return None
        frame, self.pending = self.pending[4:n], self.pending[n:]
        return frame

    def fill(self):
        """Wait for bytes."""
        b = self.socket.recv(1 << 20)
        if not b:
            raise AssertionError("the other side is gone")
        self.pending += b

    def take(self):
        """The next frame."""
        while (frame := self.frame()) is None:
            self.fill()
        return frame

    def is_ready(self):
        return bool(self.pending) or bool(select.select([self.socket], [], [], 0)[0])


class Party:
    """A process of "quorate party"."""

    def __init__(self, test, index, directory, initiator, pending=True):
        self.index, self.control, self.relay = index, Frames(), Frames()
        self.control.socket.settimeout(LIMIT)
        pipe = passphrase_pipe(PASSPHRASE)
        mine = [self.control.theirs.detach(), self.relay.theirs.detach(), pipe]
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 64) for fd in mine]
        self.pid = os.posix_spawn(QUORATE, [QUORATE, "party"], os.environ, file_actions=[
            (os.POSIX_SPAWN_DUP2, fd, 3 + i) for i, fd in enumerate(high)])
        for fd in mine + high:
            os.close(fd)
        test.addCleanup(self.end)
        active = os.path.join(directory, f"party-{index}.share")
        self.order({"do": "open", "index": index, "active": active,
                    "pending": active + ".pending" if pending else "",
                    "initiator": initiator.pk.hex()})
        self.identity = bytes.fromhex(self.hear()["identity"])

    def order(self, order):
        self.control.put(json.dumps(order).encode())

    def hear(self):
        return json.loads(self.control.take())

    def end(self):
        self.control.socket.close()
        self.relay.socket.close()
        os.waitpid(self.pid, 0)


def intent(operation, parties, idks=(), keyid=bytes(32), t=2, deadline=None, message=b"",
           attempts=1):
    """The canonical bytes of docs/wire.md; a local digest for a signature."""
    deadline = int(time.time()) + 3600 if deadline is None else deadline
    return (b"DKI1" + bytes([1, operation, 1, 1, 2]) + os.urandom(32) + keyid + os.urandom(32) +
            struct.pack(">QIHH", deadline, attempts, t, len(parties)) +
            b"".join(struct.pack(">H", i) for i in parties) + b"".join(idks) +
            struct.pack(">HBI", 0, 0, len(message)) + message)


def idk(identity):
    return hashlib.sha256(identity).digest()


class Lies(TestCase):
    def setUp(self):
        super().setUp()
        self.initiator = Signer()

    def start(self, indices, directory, pending=True):
        self.parties = [Party(self, i, directory, self.initiator, pending) for i in indices]
        self.seats = [(p.index, p.identity) for p in self.parties]

    def order(self, what, asked, seats=None, signer=None, attempt=0):
        sig = (signer or self.initiator).sign(th(b"intent/sig", asked))
        return {"do": what, "intent": asked.hex(), "signature": sig.hex(), "attempt": attempt,
                "parties": [{"index": i, "identity": pk.hex()}
                            for i, pk in (self.seats if seats is None else seats)]}

    def refused(self, sentence, order, party=0):
        self.parties[party].order(order)
        self.assertEqual(self.parties[party].hear(), {"tell": "failed", "text": sentence})
        self.assertFalse(self.parties[party].relay.is_ready())

    def play(self, order):
        """Be an honest relay until every party has told how its run ended."""
        ends, readers = {}, {}
        for p in self.parties:
            p.order(order)
            readers[p.control.socket] = (p, p.control, self.note_end)
            readers[p.relay.socket] = (p, p.relay, self.forward)
        while len(ends) < len(self.parties):
            ready, _, _ = select.select(list(readers), [], [], LIMIT)
            self.assertTrue(ready, "nothing moves")
            for s in ready:
                party, frames, use = readers[s]
                frames.fill()
                while (b := frames.frame()) is not None:
                    use(party, b, ends)
        return ends

    def note_end(self, party, b, ends):
        word = json.loads(b)
        if word["tell"] in ("key", "signature", "failed"):
            ends.setdefault(party.index, word)

    def forward(self, party, b, _):
        receiver = struct.unpack_from(">H", b, 10)[0]
        for other in self.parties:
            if other is not party and receiver in (0xffff, other.index):
                other.relay.put(b)


class Keygen(Lies):
    def setUp(self):
        super().setUp()
        self.start((1, 2, 3), self.tmp)
        self.asked = intent(KEYGEN, (1, 2, 3), [idk(pk) for _, pk in self.seats])

    def test_the_roster_is_the_one_that_the_initiator_signed(self):
        one, two, three = self.seats
        mine = Signer().pk
        another = "the order gives party {} another identity key than the intent"
        lies = [
            ([one, (2, mine), three], another.format(2)),
            ([one, two, (3, mine)], another.format(3)),
            ([(1, mine), two, three], another.format(1)),
            ([one, (2, three[1]), (3, two[1])], another.format(2)),
            ([one, two], "the order seats 2 parties, the intent 3"),
            ([one, two, three, three], "the order seats 4 parties, the intent 3"),
            ([one, two, (4, mine)], "the intent does not allow party 4"),
            ([one, one, three], "the order seats party 1 where the intent has party 2"),
            ([two, one, three], "the order seats party 2 where the intent has party 1"),
            ([], "the order names no parties, or more than 64"),
        ]
        for seats, sentence in lies:
            for party in range(3):
                self.refused(sentence, self.order("keygen", self.asked, seats), party)
        self.assertEqual(os.listdir(self.tmp), [])
        # The same order without a lie makes a key.
        ends = self.play(self.order("keygen", self.asked))
        self.assertEqual([ends[i]["tell"] for i in (1, 2, 3)], ["key"] * 3)
        for i, pk in self.seats:
            _, identity, record = open_share_file(self.path(f"party-{i}.share"), PASSPHRASE)
            self.assertEqual(identity[32:], pk)
            self.assertEqual([(row[0], row[1]) for row in parse_record(record).parties],
                             [(j, idk(other)) for j, other in self.seats])

    def test_who_passes_the_order_on_cannot_seat_anybody_in_an_intent_of_his_own(self):
        mine = Signer()
        seats = [self.seats[0], (2, mine.pk), self.seats[2]]
        forged = intent(KEYGEN, (1, 2, 3), [idk(pk) for _, pk in seats])
        self.refused("the intent is not signed by that initiator",
                     self.order("keygen", forged, seats, signer=mine))
        honest = self.order("keygen", self.asked)
        for i in (0, 5, 127, 127 + 95, len(self.asked) - 1):
            changed = bytearray(self.asked)
            changed[i] ^= 1
            self.refused("the intent is not signed by that initiator",
                         {**honest, "intent": bytes(changed).hex()})

    def test_a_party_that_is_seated_with_another_identity_takes_no_part(self):
        seats = [(1, Signer().pk), *self.seats[1:]]
        asked = intent(KEYGEN, (1, 2, 3), [idk(pk) for _, pk in seats])
        self.refused("an identity key does not match the roster",
                     self.order("keygen", asked, seats))

    def test_an_order_outside_its_intent_is_refused(self):
        idks = [idk(pk) for _, pk in self.seats]
        self.refused("the intent does not allow this attempt",
                     self.order("keygen", self.asked, attempt=1))
        self.refused("the intent does not allow this attempt",
                     self.order("keygen", self.asked, attempt=-1))
        self.refused("the intent's deadline has passed",
                     self.order("keygen", intent(KEYGEN, (1, 2, 3), idks, deadline=1)))
        self.refused("the intent asks for something else than the order",
                     self.order("keygen", intent(SIGN, (1, 2, 3), keyid=b"\1" * 32,
                                                 message=MESSAGE)))
        self.refused("not a valid intent",
                     self.order("keygen", intent(KEYGEN, (1, 2, 3), [idks[0], idks[0], idks[2]])))
        self.refused("the order has no readable intent",
                     {**self.order("keygen", self.asked), "intent": "x"})
        self.refused("there is no share to sign with", self.order("sign", self.asked))
        self.refused("an order that no party knows", {"do": "sing"})


class Sign(Lies):
    def setUp(self):
        super().setUp()
        self.keyid = bytes.fromhex(self.make_key()["key_id"])

    def asked(self, **more):
        return intent(SIGN, (1, 2, 3), keyid=self.keyid, message=MESSAGE, **more)

    def test_too_many_and_too_few_signers_are_refused(self):
        self.start((1, 2, 3), self.path("key"))
        number = "the number of signers must be exactly the key's threshold"
        for seats in (self.seats, self.seats[:1], self.seats[:1] * 64):
            self.refused(number, self.order("sign", self.asked(), seats))
        twice = [self.seats[0], self.seats[0]]
        self.refused("a signer is not a party of this key or is named twice",
                     self.order("sign", self.asked(), twice))
        self.refused("this party is not among the participants",
                     self.order("sign", self.asked(), self.seats[1:]))
        self.refused("an identity key does not match the roster",
                     self.order("sign", self.asked(), [self.seats[0], (2, Signer().pk)]))
        other = intent(SIGN, (1, 2, 3), keyid=b"\1" * 32, message=MESSAGE)
        self.refused("the intent is for another key", self.order("sign", other, self.seats[:2]))

    def test_attempts_only_go_up(self):
        self.start((1, 2), self.path("key"), pending=False)
        asked = self.asked(attempts=3)
        for attempt in (1, 2):
            order = self.order("sign", asked, attempt=attempt)
            ends = self.play(order)
            self.assertEqual([ends[i]["tell"] for i in (1, 2)], ["signature"] * 2)
            self.assertEqual(ends[1]["signature"], ends[2]["signature"])
            for again in range(attempt + 1):
                self.refused("this attempt of the intent, or a later one, was made already",
                             {**order, "attempt": again})
        self.refused("the intent does not allow this attempt", {**order, "attempt": 3})

    def test_one_run_at_a_time(self):
        self.start((1, 2), self.path("key"), pending=False)
        self.parties[0].order(self.order("sign", self.asked()))
        self.assertEqual(self.parties[0].hear(), {"tell": "round", "round": 1})
        self.parties[0].order(self.order("sign", self.asked()))
        self.assertEqual(self.parties[0].hear(), {"tell": "failed",
                                                  "text": "a run is under way already"})

    def test_a_cheat_is_burned_and_the_cheat_hears_why_the_run_ended(self):
        change_share_file(self.share("key", 2), PASSPHRASE, lambda r: spoil_bob_seeds(r, 1))
        self.start((1, 2), self.path("key"), pending=False)
        ends = self.play(self.order("sign", self.asked()))
        check = "the OT extension check failed"
        self.assertEqual((ends[1]["text"], ends[1]["error"], ends[1]["culprit"]),
                         (check, "SG_EXTENSION", 2))
        self.assertEqual((ends[2]["text"], ends[2]["error"], ends[2]["culprit"], ends[2]["echo"]),
                         (f"party 1 ended the run: {check}", "PEER_ABORT", 2, 1))
        # Party 1 has erased its side of the pair, party 2 has noted it.
        self.assertEqual([self.burn_bits(1, 2), self.burn_bits(1, 3)], [1, 0])
        self.assertEqual([self.burn_bits(2, 1), self.burn_bits(2, 3)], [2, 0])

    def burn_bits(self, party, peer):
        _, _, record = open_share_file(self.share("key", party), PASSPHRASE)
        return {pair[0]: pair[1] for pair in parse_record(record).pairs}[peer]


class Disk(TestCase):
    """What cannot be stored ends the run, at once, with a sentence, and nothing leaves."""

    def demo(self, *args):
        return run("demo", *args, passphrase=PASSPHRASE, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (4096, 4096)))

    def test_full_disk_in_a_key_generation(self):
        r = self.demo("--dir", self.path("key"))
        self.assertRegex(r.err, r"\Aquorate: key generation failed: party ([123]): cannot write "
                                r"\S+/party-\1\.share\.pending: File too large\n\Z")
        self.assertEqual((r.code, os.listdir(self.tmp)), (1, []))

    def test_active_share_that_cannot_be_written_can_be_completed_later(self):
        os.makedirs(self.path("key", "party-2.share.tmp"))
        r = run("demo", "--dir", self.path("key"), passphrase=PASSPHRASE)
        self.assertRegex(r.err, r"\Aquorate: key generation failed: party 2: "
                                rf"{self.share('key', 2)}\.tmp is in the way and cannot be replaced: "
                                r"remove it; (party-[123]\.share\.pending(, )?)+ (is|are) left in "
                                rf"{self.path('key')}: the same command with the same passphrase "
                                r"completes the key\n\Z")
        self.assertEqual(r.code, 1)
        os.rmdir(self.path("key", "party-2.share.tmp"))
        again = json.loads(run("demo", "--dir", self.path("key"), "--json",
                               passphrase=PASSPHRASE).out)
        self.assertIs(again["resumed"], True)

    def test_a_burn_that_cannot_be_stored_is_told_to_nobody(self):
        self.make_key()
        change_share_file(self.share("key", 2), PASSPHRASE, lambda r: spoil_bob_seeds(r, 1))
        before, log = self.tree(), self.path("log")
        shares = f"{self.share('key', 1)},{self.share('key', 2)}"
        r = self.demo("--shares", shares, "--trace", "--relay-log", log)
        said = [line for line in r.err.splitlines() if not line.startswith("trace: ")]
        self.assertEqual(said, ["quorate: signature failed: party 1: cannot write "
                                f"{self.share('key', 1)}: File too large"])
        with open(log, "rb") as f:
            self.assertNotRegex(f.read(), rb"DKC1\x03\x01[\x01-\x04]\x02")  # an abort's header
        os.unlink(log)
        first = self.share("key", 1) + ".evidence"
        after = self.tree()
        self.assertEqual({k: after[k] for k in before}, before)
        self.assertEqual(set(after) - set(before), {first})
        # With room on the disk the same run burns, and leaves evidence that convinces party 1 only.
        r = run("demo", "--shares", shares, passphrase=PASSPHRASE)
        evidence = first + "-2"  # the first is not replaced
        self.assertEqual(r.err, "quorate: signature failed: party 1: the OT extension check failed; "
                                f"it blames party 2 with evidence in {evidence}\n")
        shown = json.loads(run("inspect", evidence, "--json").out)
        self.assertEqual((shown["accused"], shown["error"], shown["proven"], shown["remark"]),
                         (2, "SG_EXTENSION", False, "the messages are signed, but only one party "
                                                    "can repeat the check"))
        r = run("demo", "--shares", shares, passphrase=PASSPHRASE)
        self.assertIn("the OT setup with a signer is burned; refresh the key first", r.err)


if __name__ == "__main__":
    unittest.main()
