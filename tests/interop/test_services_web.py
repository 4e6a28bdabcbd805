# SPDX-License-Identifier: Apache-2.0
"""npm grpc-web in headless Chromium calls every method of a running system that allows the page's
origin, and none of one that does not."""
import json
import os
import unittest

from browser import Site, files, need_chromium
from npm import install_npm
from services import HERE, LIMIT, PROTO, TestCase

SCRIPTS = [os.path.join(HERE, name + ".mjs") for name in (
    "scenario", "calls", "backends", "parties", "sessions", "party", "secp256k1")]
PROTOS = [os.path.join(PROTO, name) for name in os.listdir(PROTO) if name.endswith(".proto")]


class Web(TestCase):
    def visit(self, site, system, is_allowed):
        path = os.path.join(system.stack.dir, "config.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(system.description() | {"is_allowed": is_allowed}, f)
        site.server.files["/config.json"] = path
        result = site.visit("", LIMIT)
        self.assertNotIn("FAULT", result)
        self.assertTrue(result.endswith("\ndone"), result)
        return result

    def test_every_call(self):
        site = Site(files("services_web.mjs", *SCRIPTS, *PROTOS))
        self.addCleanup(site.close)
        system = self.system(ALLOWED_ORIGINS="https://elsewhere.example, " + site.origin)
        self.visit(site, system, True)
        other = Site(site.server.files)
        self.addCleanup(other.close)
        result = self.visit(other, system, False)
        self.assertIn("reads nothing", result)


if __name__ == "__main__":
    need_chromium()
    install_npm()
    unittest.main()
