# SPDX-License-Identifier: Apache-2.0
"""Certificates for a PostgreSQL server in tests: an authority of the operator's, what it certifies
and what it revokes, made by the openssl command."""
import os
import pwd
import subprocess


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def authority(directory, name):
    """A CA's certificate and key."""
    crt, key = (os.path.join(directory, f"{name}.{kind}") for kind in ("crt", "key"))
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2", "-subj", f"/CN={name}", "-keyout", key, "-out", crt)
    return crt, key


def revocations(directory, ca, crt):
    """Two lists of the authority: without and with that certificate."""
    conf = os.path.join(directory, "ca.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write(f"[ca]\ndefault_ca=own\n[own]\ndatabase={conf}.revoked\ndefault_md=sha256\n"
                "default_crl_days=2\n")
    with open(conf + ".revoked", "w", encoding="ascii"):
        pass
    words = ("ca", "-config", conf, "-cert", ca[0], "-keyfile", ca[1])
    lists = [os.path.join(directory, name + ".crl") for name in ("none", "server")]
    openssl(*words, "-gencrl", "-out", lists[0])
    openssl(*words, "-revoke", crt)
    openssl(*words, "-gencrl", "-out", lists[1])
    return lists


def certify(directory, ca, san):
    """The server's certificate and key, which its owner alone may read."""
    crt, key, csr, more = (os.path.join(directory, "server." + kind)
                           for kind in ("crt", "key", "csr", "ext"))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            "/CN=server", "-keyout", key, "-out", csr)
    with open(more, "w", encoding="ascii") as f:
        f.write(f"subjectAltName={san}\n")
    openssl("x509", "-req", "-in", csr, "-CA", ca[0], "-CAkey", ca[1], "-CAcreateserial", "-days",
            "2", "-extfile", more, "-out", crt)
    os.chmod(key, 0o600)
    if os.geteuid() == 0:
        who = pwd.getpwnam("nobody")
        for path in (crt, key):
            os.chown(path, who.pw_uid, who.pw_gid)
    return crt, key
