# SPDX-License-Identifier: Apache-2.0
"""A stock library parses the signed raw transaction and recovers the sender.

ethers is installed once into the build directory, exactly the version and hashes of
package-lock.json. Without npm, or without a way to the registry, the test is skipped."""
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

from support import EXAMPLE, LIMIT, TestCase, run

HERE = os.path.dirname(os.path.abspath(__file__))
PLACE = os.path.join(os.environ.get("E2E_BUILD", os.getcwd()), "ethers")
SKIP = 77
NO_NETWORK = r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENETWORK"


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIP)


def is_installed():
    lock = os.path.join(PLACE, "package-lock.json")
    if not os.path.exists(os.path.join(PLACE, "complete")) or not os.path.exists(lock):
        return False
    with open(lock, "rb") as a, open(os.path.join(HERE, "package-lock.json"), "rb") as b:
        return a.read() == b.read()


def install():
    if not shutil.which("node") or not shutil.which("npm"):
        skip("node and npm are needed")
    if is_installed():
        return
    shutil.rmtree(PLACE, ignore_errors=True)
    os.makedirs(PLACE)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(os.path.join(HERE, name), PLACE)
    try:
        p = subprocess.run(["npm", "ci"], cwd=PLACE, stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        skip("the npm registry does not answer")
    if p.returncode != 0:
        if re.search(NO_NETWORK, p.stderr):
            skip("the npm registry cannot be reached")
        sys.exit("npm ci failed:\n" + p.stderr)
    with open(os.path.join(PLACE, "complete"), "w", encoding="ascii"):
        pass


class Ethers(TestCase):
    def check(self, fields):
        path = self.write("tx.json", json.dumps(fields))
        r = run("demo", "--json", "--tx", path)
        self.assertEqual((r.code, r.err), (0, ""))
        module = os.path.join(PLACE, "node_modules", "ethers", "lib.esm", "index.js")
        p = subprocess.run(["node", os.path.join(HERE, "check_with_ethers.mjs"), module],
                           input=json.dumps({"report": json.loads(r.out), "fields": fields}),
                           capture_output=True, text=True, check=False, timeout=LIMIT)
        self.assertEqual((p.returncode, p.stdout), (0, "the signature is right\n"), p.stderr)

    def test_the_example(self):
        with open(EXAMPLE, encoding="utf-8") as f:
            self.check(json.load(f))

    def test_other_transactions(self):
        with open(EXAMPLE, encoding="utf-8") as f:
            good = json.load(f)
        zero = {"nonce": 0, "value": 0, "maxFeePerGas": 0, "maxPriorityFeePerGas": 0, "gasLimit": 1}
        # Around the limits of RLP's short forms (55 bytes) and length bytes (256, 65536).
        for change in ([zero, {"value": str(2**256 - 1), "nonce": str(2**53 - 1)}] +
                       [{"data": "0x" + "7f" * n} for n in (1, 55, 56, 255, 256, 32768)] +
                       [{"data": "0x80"}, {"data": "0x00"}]):
            self.check({**good, **change})


if __name__ == "__main__":
    install()
    unittest.main()
