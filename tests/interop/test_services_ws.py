# SPDX-License-Identifier: Apache-2.0
"""npm ws calls every method of a running system, and sends what it should not."""
import os
import unittest

from npm import install_npm
from services import HERE, MODULES, TestCase


class Ws(TestCase):
    def test_every_call(self):
        self.succeeds("node", "--no-warnings", os.path.join(HERE, "services_ws.mjs"), MODULES,
                      self.system().describe())


if __name__ == "__main__":
    install_npm()
    unittest.main()
