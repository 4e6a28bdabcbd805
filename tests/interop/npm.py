# SPDX-License-Identifier: Apache-2.0
"""The npm packages that tests need: those of package-lock.json, installed once into the build
directory for all tests, which may start at the same time."""
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# Who installs nothing needs no place for it.
BUILD = os.environ.get("INTEROP_BUILD", "")
PLACE = os.path.join(BUILD, "npm")
MODULES = os.path.join(PLACE, "node_modules")
LIMIT = 300
SKIP = 77
NO_NETWORK = (r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENETWORK|"
              r"ERR_SOCKET_TIMEOUT|code E(429|5\d\d)\b")
LOCKED = ("package.json", "package-lock.json", ".npmrc")


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIP)


def is_installed():
    if not os.path.exists(os.path.join(PLACE, "complete")):
        return False
    with open(os.path.join(PLACE, "package-lock.json"), "rb") as a, \
            open(os.path.join(HERE, "package-lock.json"), "rb") as b:
        return a.read() == b.read()


def install():
    fresh = tempfile.mkdtemp(dir=BUILD)
    for name in LOCKED:
        shutil.copy(os.path.join(HERE, name), fresh)
    try:
        p = subprocess.run(["npm", "ci"], cwd=fresh, stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        skip("the npm registry does not answer")
    if p.returncode != 0:
        if re.search(NO_NETWORK, p.stderr):
            skip("the npm registry cannot be reached")
        sys.exit("npm ci failed:\n" + p.stderr)
    with open(os.path.join(fresh, "complete"), "w", encoding="ascii"):
        pass
    shutil.rmtree(PLACE, ignore_errors=True)
    os.rename(fresh, PLACE)


def install_npm():
    """Does nothing if they are there; ends the test as skipped if they cannot be had."""
    if not shutil.which("node") or not shutil.which("npm"):
        skip("node and npm are needed")
    os.makedirs(BUILD, exist_ok=True)
    # One installs, the others wait: nobody's modules are replaced while he runs with them.
    with open(os.path.join(BUILD, "npm.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_installed():
            install()
