# SPDX-License-Identifier: Apache-2.0
"""Many signatures: the memory of each process is flat after the warm-up, so are its descriptors;
nothing fails, nothing is left behind. The report has the slopes."""
import os
import unittest
import uuid

from support import LONG, Stack, TestCase, change_env, patient, signature_is_valid, together, until

# Blocks of signatures; memory is read after each.
BLOCK, BLOCKS, WARM = (1000, 10, 4) if LONG else (100, 3, 1)
CLIENTS = 8
# What has ended is remembered until its deadline: a short one, so that memory is taken without it.
SIGN_WAIT_S = 5
# KiB for each 1000 signatures after the warm-up, and what an allocator may keep or give back.
SLOPE_MAX, NOISE = 128, 1024


def memory(pid):
    """Proportional set size, KiB; resident, where the kernel does not let us read that."""
    for path, field in ((f"/proc/{pid}/smaps_rollup", "Pss:"), (f"/proc/{pid}/status", "VmRSS:")):
        try:
            with open(path, encoding="ascii") as f:
                for line in f:
                    if line.startswith(field):
                        return int(line.split()[1])
        except PermissionError:
            continue
    raise AssertionError(f"no memory of {pid}")


def slope(values):
    """Least squares, per step."""
    n = len(values)
    mean_x, mean_y = (n - 1) / 2, sum(values) / n
    above = sum((x - mean_x) * (y - mean_y) for x, y in enumerate(values))
    return above / sum((x - mean_x) ** 2 for x in range(n))


class Soak(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(cls.edit)
        cls.ids = [cls.stack.create()["account_id"] for _ in range(3)]

    @staticmethod
    def edit(directory):
        if LONG:
            change_env(directory, "account-service", SIGN_WAIT_S=SIGN_WAIT_S)
        else:
            patient(directory)

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def client(self, i):
        for k in range(BLOCK // CLIENTS):
            answer = self.stack.sign(self.ids[(i + k) % len(self.ids)], uuid.uuid4().hex * 2)
            self.assertEqual(answer.status, 200, answer)
        self.assertTrue(signature_is_valid(answer.body))

    def pids(self):
        return {name: pids[0] for name, pids in self.stack.processes().items()}

    def descriptors(self):
        return {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in self.pids().items()}

    def is_quiet(self):
        """All sessions have ended everywhere, and are forgotten by the router."""
        if LONG and self.stack.metrics("message-router")["quorate_router_sessions"] > 0:
            return False
        return all(self.stack.metrics(name)["quorate_party_running"] == 0 and
                   self.stack.metrics(name)["quorate_party_kept_bytes"] == 0
                   for name in self.stack.parties())

    def test_lesson_1_4_memory_and_descriptors_are_flat(self):
        pids, taken = self.pids(), []
        for _ in range(BLOCKS):
            together(CLIENTS, self.client)
            until(self.is_quiet)
            taken.append({name: memory(pid) for name, pid in pids.items()})
            if len(taken) == WARM:
                descriptors = self.descriptors()
        self.assertEqual(self.pids(), pids, "a process was restarted")
        # no more than then, when connections of clients that had gone may still have been open
        until(lambda: all(n <= descriptors[name] for name, n in self.descriptors().items()))
        steps = len(taken) - WARM
        for name in pids:
            values = [sample[name] for sample in taken[WARM - 1:]]
            per_1000 = slope(values) * 1000 / BLOCK
            print(f"{name}: {values[0]} KiB after the warm-up, {values[-1]} KiB after {steps * BLOCK}"
                  f" more, {per_1000:.0f} KiB per 1000; {descriptors[name]} descriptors", flush=True)
            with self.subTest(name):
                if not LONG:
                    continue  # too few to tell
                self.assertLess(slope(values) * steps, SLOPE_MAX * steps * BLOCK / 1000 + NOISE)
        self.assertEqual(self.stack.burned(), [])


if __name__ == "__main__":
    unittest.main()
