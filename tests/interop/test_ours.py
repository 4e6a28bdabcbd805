# SPDX-License-Identifier: Apache-2.0
"""Our client and our server: the same cases as with stock libraries."""
import unittest

from support import CLIENT, SERVER, Peer, TestCase


class Ours(Peer, TestCase):
    client = (CLIENT,)
    server = (SERVER,)
    mutual = 2


if __name__ == "__main__":
    unittest.main()
