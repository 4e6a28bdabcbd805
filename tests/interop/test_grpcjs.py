# SPDX-License-Identifier: Apache-2.0
"""@grpc/grpc-js and ours, both ways."""
import os
import unittest

from support import HERE, MODULES, PROTO, Peer, TestCase, install_npm


class Grpcjs(Peer, TestCase):
    client = ("node", os.path.join(HERE, "grpcjs_client.mjs"), MODULES, PROTO)
    server = ("node", os.path.join(HERE, "grpcjs_server.mjs"), MODULES, PROTO)


if __name__ == "__main__":
    install_npm()
    unittest.main()
