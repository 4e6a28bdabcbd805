# SPDX-License-Identifier: Apache-2.0
"""grpc++ calls every method of a running system."""
import os
import unittest

from services import TestCase


class Grpcpp(TestCase):
    def test_every_call(self):
        self.succeeds(os.environ["SERVICES_GRPCPP"], self.system().describe())


if __name__ == "__main__":
    unittest.main()
