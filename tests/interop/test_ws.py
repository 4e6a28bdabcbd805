# SPDX-License-Identifier: Apache-2.0
"""The npm package ws as the client of our WebSocket."""
import os
import unittest

from support import HERE, MODULES, TestCase, install_npm


class Ws(TestCase):
    def test_ws(self):
        url = "ws://" + self.our_server().target(0) + "/ws"
        self.succeeds("node", os.path.join(HERE, "ws_client.mjs"), MODULES, url)


if __name__ == "__main__":
    install_npm()
    unittest.main()
