# SPDX-License-Identifier: Apache-2.0
"""How the commands of each document are run. A page that stands in meson.build is run there as it
is, block after block (run_page.py); what it needs before its first command is said here."""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(HERE), "support"))
import postgres as servers  # noqa: E402


def system(place):
    """A system on this machine, as `quorate up` starts it, in quorate-data."""
    place.terminal("quorate up")


def postgres(place):
    """A PostgreSQL server with TLS, empty but for its owner; the operator's files lie there."""
    files = tempfile.mkdtemp(prefix="quorate-page-tls-")
    place.at_end(lambda: shutil.rmtree(files))
    ca, key = os.path.join(files, "ca.pem"), os.path.join(files, "server.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=db",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", ca],
                   check=True, capture_output=True)
    shutil.copy(ca, place.path("ca.pem"))
    if os.geteuid() == 0:
        for path in (files, ca, key):
            shutil.chown(path, "nobody")
    server = servers.Server(["ssl=on", f"ssl_cert_file={ca}", f"ssl_key_file={key}"])
    place.at_end(server.remove)
    server.sql("DROP DATABASE " + servers.DATABASE, "postgres")
    with open(place.path("owner.password"), "w", encoding="ascii") as f:
        f.write(server.password + "\n")
    place.env.update(DB_HOST="127.0.0.1", DB_PORT=str(server.port), OWNER=servers.USER)


# What is done before the first command of a page of meson.build.
BEFORE = {
    "docs/api.md": system,
    "docs/audit.md": system,
    "docs/migration.md": system,
    "docs/postgres.md": postgres,
}

# Pages whose commands need more than that: the test that runs them, by pages.Page.
RUN_BY = {
    "docs/backup.md": "tests/stack/test_backup.py",
    "docs/certificates.md": "tests/e2e/test_pki.py",
    "docs/keys.md": "tests/stack/test_rotation.py",
    "docs/kubernetes.md": "tests/e2e/kube_pod.py",
}

# Commands that no test runs as they stand there, by how the block begins ("" is the whole page), and
# why.
NOT_RUN = {
    "docs/quickstart.md": {"make\n": "it built what the page's other commands run"},
    "README.md": {"$ make demo": "with what they print; tests/e2e/test_demo.py runs the demo"},
    "docs/operations.md": {
        "": "tests/e2e/test_deploy.py runs each command of the page, some of them go on until Ctrl-C",
    },
}
