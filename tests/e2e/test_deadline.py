# SPDX-License-Identifier: Apache-2.0
"""A relay that goes silent ends the demo at the run's deadline, and the silent party is named. Takes
a minute, so it is in the suite of long tests."""
import os
import unittest

from support import PASSPHRASE, TestCase, run


class Deadline(TestCase):
    def test_silence_ends_at_the_deadline_and_is_blamed(self):
        r = run("demo", "--dir", self.path("key"), "--relay-hold", "13", passphrase=PASSPHRASE)
        self.assertEqual((r.code, r.err.count("\n")), (1, 1))
        self.assertRegex(r.err, r"\Aquorate: key generation failed: party [123]: no message from "
                                r"party [123] within 60 seconds\n\Z")
        self.assertFalse(os.path.exists(self.path("key")))


if __name__ == "__main__":
    unittest.main()
