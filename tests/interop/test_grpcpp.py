# SPDX-License-Identifier: Apache-2.0
"""grpc++ and ours, both ways."""
import os
import unittest

from support import Peer, TestCase


class Grpcpp(Peer, TestCase):
    client = (os.environ["GRPCPP_CLIENT"],)
    server = (os.environ["GRPCPP_SERVER"],)


if __name__ == "__main__":
    unittest.main()
