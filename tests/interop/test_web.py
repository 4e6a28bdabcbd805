# SPDX-License-Identifier: Apache-2.0
"""npm grpc-web in headless Chromium calls our server, from a page of another origin."""
import unittest

from browser import Site, files, need_chromium
from support import LIMIT, PROTO, TestCase, install_npm


class Web(TestCase):
    def test_grpc_web(self):
        site = Site(files("web.mjs", PROTO))
        self.addCleanup(site.close)
        result = site.visit(self.our_server().target(0), LIMIT)
        self.assertNotIn("FAULT", result)
        self.assertTrue(result.endswith("\ndone"), result)


if __name__ == "__main__":
    need_chromium()
    install_npm()
    unittest.main()
