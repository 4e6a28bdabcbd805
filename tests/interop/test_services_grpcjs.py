# SPDX-License-Identifier: Apache-2.0
"""@grpc/grpc-js calls every method of a running system."""
import os
import unittest

from npm import install_npm
from services import HERE, MODULES, TestCase


class Grpcjs(TestCase):
    def test_every_call(self):
        self.succeeds("node", "--no-warnings", os.path.join(HERE, "services_grpcjs.mjs"), MODULES,
                      self.system().describe())


if __name__ == "__main__":
    install_npm()
    unittest.main()
