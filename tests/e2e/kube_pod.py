# SPDX-License-Identifier: Apache-2.0
"""The commands of docs/kubernetes.md, run without a cluster, and a pod's files and settings as they
would come out of them, for its programs to be started with."""
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys

from kube_checks import OVERLAYS, OWN, PROGRAMS, call, containers, pod, settings
from support import LIMIT, SOURCE

sys.path.append(os.path.join(SOURCE, "tests", "docs"))
import pages  # noqa: E402

PAGE = os.path.join(SOURCE, "docs", "kubernetes.md")
USER = 10001


# The page's commands

STAND_IN = """
# What needs no server is done by the real kubectl; the rest is written down.
case " $* " in
*" --dry-run=client "*) exec {real} "$@" ;;
*" create "*) exec {real} "$@" --dry-run=client -o json >> "{tmp}/made" ;;
*" apply -k "*) exec {real} kustomize "$3" > /dev/null ;;
*" kustomize "*) exec {real} "$@" ;;
*" apply -f - "*) grep -q '^kind: Secret$' ;;
*) echo "$*" >> "{tmp}/asked" ;;
esac
"""


def objects_in(text):
    decoder, at_, found = json.JSONDecoder(), 0, []
    while text[at_:].strip():
        one, end = decoder.raw_decode(text[at_:].lstrip())
        at_ = len(text) - len(text[at_:].lstrip()) + end
        found.append(one)
    return found


def run_page(tmp):
    """namespace -> (kind, name) -> data, as the page's commands make it."""
    shutil.copytree(os.path.join(SOURCE, "deploy/kubernetes"),
                    os.path.join(tmp, "deploy/kubernetes"))
    place = pages.Place(tmp)
    place.program("build/cli/kubectl", STAND_IN.format(real=shutil.which("kubectl"), tmp=tmp))
    for name in ("postgres-ca", "rabbitmq-ca", "webhook-ca"):
        p = call("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name,
                 "-keyout", "/dev/null", "-out", os.path.join(tmp, name + ".pem"))
        if p.returncode != 0:
            raise AssertionError(p.stderr)
    page = pages.Page("docs/kubernetes.md")
    page.run(place)
    page.all_ran()
    found = {name: {} for name in OVERLAYS.values()}
    with open(os.path.join(tmp, "made"), encoding="utf-8") as f:
        made = objects_in(f.read())
    for o in made:
        if o["kind"] == "Namespace":
            continue
        data = {k: base64.b64decode(v) if o["kind"] == "Secret" else v.encode()
                for k, v in o["data"].items()}
        found[o["metadata"]["namespace"]][(o["kind"], o["metadata"]["name"])] = data
    found["quorate-dev"] = {**found["quorate"], **found["quorate-dev"]}
    for key, data in found["quorate-dev"].items():  # as the page has it: without these lines
        found["quorate-dev"][key] = {k: re.sub(rb"POSTGRES_.*\n", b"", v) if k == "party.env" else v
                                     for k, v in data.items()}
    with open(os.path.join(tmp, "asked"), encoding="utf-8") as f:
        return found, f.read()


# A pod's files


class Pod:
    """What Kubernetes would put before the containers of |o|, under |root| instead of /."""

    def __init__(self, objects, o, made, root):
        self.o, self.root, self.name = o, root, o["metadata"]["name"] + "-0"
        self.objects, self.made = objects, {**made, **OWN}
        self.program = os.path.join(root, "quorate-" + o["metadata"]["name"])
        shutil.copy(os.path.join(PROGRAMS, os.path.basename(self.program)), self.program)
        os.chmod(root, 0o755)
        self.volumes = {v["name"]: self.volume(v) for v in pod(o)["volumes"]}
        for c in containers(o):
            for mount in c.get("volumeMounts", []):
                self.mount(mount)
        self.env = {n: self.here(v) for n, v in settings(objects, o, made).items()}
        self.env.update({"HTTP_PORT": "0", "GRPC_PORT": "0"})

    def here(self, text):
        return re.sub(r"^/(run|var)/", lambda m: self.root + m.group(0), text)

    def own(self, path):
        if os.geteuid() == 0:
            os.chown(path, USER, USER)

    def volume(self, v):
        base = os.path.join(self.root, "volumes", v["name"])
        os.makedirs(base)
        if "emptyDir" in v:
            self.own(base)
            os.chmod(base, 0o2777)
            return base
        files = {}
        for source in v.get("projected", {}).get("sources", [v]):
            if "serviceAccountToken" in source:
                files[source["serviceAccountToken"]["path"]] = b"a.token"
                continue
            for item in source.get("downwardAPI", {}).get("items", []):
                files[item["path"]] = self.o["metadata"]["namespace"].encode()
            if "downwardAPI" in source:
                continue
            word = "secret" if "secret" in source else "configMap"
            ref = source[word]
            name = ref.get("secretName", ref.get("name"))
            data = self.made.get(("Secret" if word == "secret" else "ConfigMap", name))
            if data is None and ref.get("optional"):
                continue
            for item in ref.get("items", [{"key": k, "path": k} for k in data]):
                files[item["path"]] = data[item["key"]]
        mode = v.get("projected", v.get("secret", {})).get("defaultMode", 0o644)
        return self.fill(base, files, mode)

    def fill(self, base, files, mode):
        """Files in a folder of that moment, ..data a link to it, each name a link through ..data.
        The group of the pod gets what the mode gives it."""
        moment = os.path.join(base, "..2026_11_21_00_00_00.1")
        for name, content in files.items():
            path = os.path.join(moment, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(content)
            os.chmod(path, mode)
            if os.geteuid() == 0:
                os.chown(path, 0, USER)
            elif name.endswith(".env"):  # its owner cannot be another user here
                os.chmod(path, 0o400)
        os.symlink(os.path.basename(moment), os.path.join(base, "..data"))
        for name in {n.split("/")[0] for n in files}:
            os.symlink(os.path.join("..data", name), os.path.join(base, name))
        return base

    def mount(self, mount):
        path = self.here(mount["mountPath"])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.lexists(path):
            return
        if mount["name"] not in self.volumes:  # a claim's
            os.makedirs(path)
            self.own(path)
            return
        sub = mount.get("subPathExpr", "").replace("$(POD_NAME)", self.name)
        os.symlink(os.path.realpath(os.path.join(self.volumes[mount["name"]], sub)), path)

    def command(self, *args):
        """As the container's user: without capabilities, and with little locked memory."""
        drop = ["prlimit", "--memlock=65536:65536", "--"]
        if os.geteuid() == 0:
            drop = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
                    "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"] + drop
        return drop + list(args)

    def run_init(self):
        for c in pod(self.o).get("initContainers", []):
            p = call(*self.command(*[self.here(w) for w in c["command"]]))
            if p.returncode != 0:
                raise AssertionError(p.stderr)

    def args(self):
        return [self.here(w) for w in pod(self.o)["containers"][0].get("args", [])]

    def check(self):
        return call(*self.command(self.program, *self.args(), "--check"), env=self.env, cwd="/")

    def start(self, **env):
        """Its output up to the keeper's word that it is ready, or all of it; then it is ended."""
        p = subprocess.Popen(self.command(self.program, *self.args()), env={**self.env, **env},
                             cwd="/", text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        lines = []
        for line in p.stdout:
            lines.append(line)
            if "keeper ready" in line:
                p.send_signal(signal.SIGTERM)
                break
        lines += p.stdout.readlines()
        p.stdout.close()
        p.wait(LIMIT)
        return "".join(lines)
