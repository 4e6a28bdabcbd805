# SPDX-License-Identifier: Apache-2.0
"""The Kubernetes objects of deploy/kubernetes, without a cluster.

Each overlay is built by kubectl and looked at by npm's kubernetes-models; references, selectors,
ports and rules of the network are followed from object to object. The commands of
docs/kubernetes.md are run (kubectl makes the Secrets without a server), and each program is given
exactly the settings and files that its container would get. A party then starts, as its container's
user, with its key brought to it as the init container does.

Each check gives a list of complaints, and a change that it must complain about stands beside it."""
import copy
import os
import re
import shutil
import stat
import subprocess
import sys
import unittest

from kube_checks import (APP, HERE, NAMES, OVERLAYS, PLACE, REACH, build, call, check_addresses,
                         check_discovery, check_hardening, check_names, check_network, check_references,
                         check_schemas, check_secrets, check_secrets_reach, check_selectors, check_variables, pod,
                         programs, yaml)
from kube_pod import PAGE, Pod, run_page
from support import TestCase

SKIP = 77
NO_NETWORK = r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENETWORK"


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIP)


def install():
    """The schemas, exactly those of kubernetes/package-lock.json, once."""
    lock = os.path.join(HERE, "kubernetes", "package-lock.json")
    complete = os.path.join(PLACE, "complete")
    if os.path.exists(complete):
        with open(complete, "rb") as a, open(lock, "rb") as b:
            if a.read() == b.read():
                return
    shutil.rmtree(PLACE, ignore_errors=True)
    os.makedirs(PLACE)
    for name in ("kubernetes/package.json", "kubernetes/package-lock.json", ".npmrc"):
        shutil.copy(os.path.join(HERE, name), PLACE)
    try:
        p = call("npm", "ci", cwd=PLACE, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        skip("the npm registry does not answer")
    if p.returncode != 0:
        if re.search(NO_NETWORK, p.stderr):
            skip("the npm registry cannot be reached")
        sys.exit("npm ci failed:\n" + p.stderr)
    shutil.copy(lock, complete)


def need():
    for tool in ("kubectl", "node", "npm"):
        if not shutil.which(tool):
            skip(tool + " is needed")
    if yaml is None:
        skip("python3-yaml is needed")
    found = re.search(r"Kustomize Version: v(\d+)", call("kubectl", "version", "--client").stdout)
    if not found or int(found.group(1)) < 5:
        skip("kubectl 1.27 or later is needed")


# Changes, each to one object, that a check must see


def at(objects, kind, name):
    return next(o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name))


def set_in(value, *path):
    def change(o):
        for step in path[:-1]:
            o = o[step]
        if value is None:
            del o[path[-1]]
        else:
            o[path[-1]] = value
    return change


POD = ("spec", "template", "spec")
C = POD + ("containers", 0)


class Objects(TestCase):
    objects = {name: None for name in OVERLAYS}
    made = {name: None for name in OVERLAYS}

    def both(self, check, *args):
        for overlay, objects in self.objects.items():
            rest = [{"overlay": overlay, "made": self.made[overlay]}[a] for a in args]
            with self.subTest(overlay):
                self.assertEqual(check(objects, *rest), [])

    def sees(self, check, overlay, kind, name, change, *args):
        objects = copy.deepcopy(self.objects[overlay])
        change(at(objects, kind, name))
        rest = [{"overlay": overlay, "made": self.made[overlay]}[a] for a in args]
        with self.subTest(kind + " " + name):
            self.assertNotEqual(check(objects, *rest), [])

    def test_each_object_is_as_its_schema(self):
        self.both(check_schemas)
        dev = copy.deepcopy(self.objects["dev"])
        set_in(1, *POD, "hostNetwerk")(at(dev, "Deployment", "account-service"))
        set_in("many", "spec", "replicas")(at(dev, "Deployment", "message-router"))
        set_in(None, "spec", "selector")(at(dev, "StatefulSet", "server-party"))
        set_in("apps/v3", "apiVersion")(at(dev, "StatefulSet", "redis"))
        found = check_schemas(dev)
        for name in ("account-service", "message-router", "server-party", "redis"):
            self.assertTrue([f for f in found if name in f], name)

    def test_each_object_is_there_once(self):
        self.both(check_names)
        self.sees(check_names, "prod", "Service", "mpc-message-router",
                  set_in("server-party", "metadata", "name"))
        self.sees(check_names, "prod", "Service", "mpc-message-router",
                  set_in("default", "metadata", "namespace"))

    def test_each_variable_is_the_programs(self):
        self.both(check_variables)
        self.sees(check_variables, "prod", "Deployment", "account-service",
                  set_in("CA_KEYS", *C, "env", 0, "name"))
        self.sees(check_variables, "prod", "StatefulSet", "server-party",
                  lambda o: pod(o)["containers"][0]["envFrom"].pop())

    def test_each_secret_can_be_given(self):
        self.both(check_secrets_reach)
        self.sees(check_secrets_reach, "prod", "Deployment", "account-service",
                  lambda o: pod(o)["containers"][0]["env"].remove(
                      next(r for r in pod(o)["containers"][0]["env"]
                           if r["name"] == "WEBHOOK_SECRET")))

    def test_references_resolve(self):
        self.both(check_references, "made")
        for change in (set_in("tsl", *POD, "volumes", 1, "secret", "secretName"),
                       set_in("other", *C, "envFrom", 0, "configMapRef", "name"),
                       set_in("CA", *C, "env", 0, "valueFrom", "configMapKeyRef", "key"),
                       set_in("other", *C, "volumeMounts", 0, "name"),
                       set_in("other", *POD, "serviceAccountName")):
            self.sees(check_references, "prod", "Deployment", "account-service", change, "made")

    def test_selectors_match(self):
        self.both(check_selectors)
        for kind, name, change in (
                ("Service", "mpc-message-router", set_in("router", "spec", "selector", APP)),
                ("Service", "mpc-message-router",
                 set_in("http2", "spec", "ports", 0, "targetPort")),
                ("Service", "server-party", set_in("10.0.0.1", "spec", "clusterIP")),
                ("Service", "server-party",
                 set_in("delegate", "metadata", "labels", "quorate/role")),
                ("Deployment", "message-router",
                 set_in("x", "spec", "selector", "matchLabels", APP)),
                ("PodDisruptionBudget", "server-party",
                 set_in("x", "spec", "selector", "matchLabels", APP)),
                ("PodDisruptionBudget", "server-party", set_in("x", "metadata", "name")),
                ("NetworkPolicy", "server-party",
                 set_in("x", "spec", "podSelector", "matchLabels", APP)),
                ("ServiceMonitor", "server-party-api",
                 set_in(None, "spec", "selector", "matchLabels", "quorate/role")),
                ("HorizontalPodAutoscaler", "account-service",
                 set_in("StatefulSet", "spec", "scaleTargetRef", "kind")),
                ("Deployment", "account-service", set_in(3, "spec", "replicas"))):
            self.sees(check_selectors, "prod", kind, name, change)

    def test_the_network_lets_through_what_is_needed_and_no_more(self):
        self.both(check_network, "overlay")
        self.both(check_addresses, "made")
        for name, change in (
                ("default-deny", set_in(["Ingress"], "spec", "policyTypes")),
                ("server-party", lambda o: o["spec"].pop("egress")),
                ("server-party", set_in(9090, "spec", "ingress", 0, "ports", 0, "port")),
                ("message-router", lambda o: o["spec"]["ingress"][0]["from"].pop()),
                ("server-party", lambda o: o["spec"]["ingress"][0]["from"].append(
                    {"namespaceSelector": {"matchLabels": {"quorate/backend": "true"}}})),
                ("dns", set_in([], "spec", "egress"))):
            self.sees(check_network, "prod", "NetworkPolicy", name, change, "overlay")
        self.sees(check_network, "dev", "NetworkPolicy", "redis",
                  lambda o: o["spec"]["ingress"][0]["from"].pop(), "overlay")
        for kind, name, change in (
                ("Service", "mpc-session-coordinator", set_in("coordinator", "metadata", "name")),
                ("Service", "postgres", set_in(5433, "spec", "ports", 0, "port")),
                ("NetworkPolicy", "session-coordinator",
                 lambda o: o["spec"]["ingress"][0]["from"].pop())):
            self.sees(check_addresses, "dev", kind, name, change, "made")

    def test_no_secret_is_written_there(self):
        self.both(check_secrets)
        for kind, name, change in (
                ("Deployment", "account-service",
                 lambda o: pod(o)["containers"][0]["env"].append(
                     {"name": "JWT_SECRET_KEY", "value": "x" * 32})),
                ("StatefulSet", "rabbitmq", lambda o: pod(o)["containers"][0]["env"].append(
                    {"name": "RABBITMQ_DEFAULT_PASS", "value": "x"})),
                ("Namespace", "quorate-dev", set_in("0f" * 32, "metadata", "annotations")),
                ("Namespace", "quorate-dev", set_in("Secret", "kind"))):
            self.sees(check_secrets, "dev", kind, name, change)

    def test_pods_have_no_privilege(self):
        self.both(check_hardening)
        S = C + ("securityContext",)
        for change in (set_in(True, *POD, "automountServiceAccountToken"),
                       set_in(None, *POD, "enableServiceLinks"),
                       set_in(0, *POD, "securityContext", "runAsUser"),
                       set_in(None, *POD, "securityContext", "seccompProfile"),
                       set_in(True, *POD, "hostNetwork"),
                       set_in(None, *S, "readOnlyRootFilesystem"),
                       set_in(None, *S, "allowPrivilegeEscalation"),
                       set_in(["IPC_LOCK"], *S, "capabilities", "add"),
                       set_in({}, *C, "resources", "limits"),
                       set_in("/health", *C, "readinessProbe", "httpGet", "path"),
                       set_in({"path": "/"}, *POD, "volumes", 0, "hostPath")):
            self.sees(check_hardening, "prod", "StatefulSet", "server-party", change)
        self.sees(check_hardening, "prod", "Namespace", "quorate",
                  set_in("baseline", "metadata", "labels", "pod-security.kubernetes.io/enforce"))

    def test_the_router_may_ask_who_is_expected_and_no_more(self):
        self.both(check_discovery)
        R = ("rules", 0)
        for kind, name, change in (
                ("Role", "message-router", set_in(["get", "list", "watch"], *R, "verbs")),
                ("Role", "message-router", set_in(["endpointslices", "pods"], *R, "resources")),
                ("Role", "message-router", set_in("ClusterRole", "kind")),
                ("RoleBinding", "message-router", set_in("ClusterRoleBinding", "kind")),
                ("RoleBinding", "message-router", set_in("default", "subjects", 0, "name")),
                ("RoleBinding", "message-router", set_in("admin", "roleRef", "name")),
                ("Service", "server-party",
                 set_in("delegate", "metadata", "labels", "quorate/role")),
                ("Service", "server-party", set_in(None, "spec", "publishNotReadyAddresses")),
                ("Service", "mpc-message-router",
                 set_in("temporary", "metadata", "labels", "quorate/role")),
                ("Deployment", "message-router", set_in("router", *POD, "serviceAccountName")),
                ("Deployment", "message-router",
                 lambda o: pod(o)["volumes"][-1]["projected"]["sources"].pop()),
                ("StatefulSet", "server-party", lambda o: pod(o)["volumes"].append(
                    {"name": "t", "projected": {"sources": [
                        {"serviceAccountToken": {"path": "token"}}]}}))):
            self.sees(check_discovery, "prod", kind, name, change)

    def test_the_page_names_the_rules_of_the_network(self):
        with open(PAGE, encoding="utf-8") as f:
            page = f.read()
        rows = re.findall(r"^\| (.*) \| (.*) \| (\d+(?:, \d+)*) \|$", page, re.M)
        told = set()
        for who, whom, ports in rows:
            who = who.replace("namespaces with the label `quorate/backend=true`", "backend")
            who = who.replace("the same", "backend").replace("the namespace `monitoring`",
                                                             "monitoring")
            told |= {(a.strip(), b.strip(), int(p)) for a in who.split(",")
                     for b in whom.split(",") for p in ports.split(",")}
        self.assertEqual({r for r in told if r[1] in NAMES}, REACH)


class Programs(TestCase):
    def pod(self, overlay, name):
        root = self.path(overlay + "-" + name)
        os.makedirs(root)
        os.chmod(self.tmp, 0o755)
        objects = Objects.objects[overlay]
        found = [o for o in programs(objects) if o["metadata"]["name"] == name]
        return Pod(objects, found[0], Objects.made[overlay], root)

    def test_each_program_takes_the_settings_of_its_container(self):
        for overlay in OVERLAYS:
            for name in NAMES:
                with self.subTest(overlay + " " + name):
                    one = self.pod(overlay, name)
                    one.run_init()
                    p = one.check()
                    self.assertEqual(p.returncode, 0, p.stderr)
                    self.assertIn("the configuration is good", p.stdout)
                    one.env["GRPC_TLS_CRL"] = one.here("/run/quorate/ca/crl")
                    self.assertNotEqual(one.check().returncode, 0)

    def test_a_party_starts_with_its_key_from_a_secret(self):
        for name in ("server-party", "server-party-api"):
            with self.subTest(name):
                one = self.pod("dev", name)
                one.run_init()
                one.run_init()  # as after the node's restart: what is there is replaced
                key = one.here("/run/quorate/keys/identity.key")
                self.assertEqual(stat.S_IMODE(os.lstat(key).st_mode), 0o400)
                said = one.start()
                self.assertIn("keeper ready party=" + name, said)
                mounted = one.here("/run/quorate/party/identity.key")
                said = one.start(IDENTITY_KEY_FILE=mounted)
                self.assertIn("must not be a symbolic link" if name == "server-party-api" else
                              "can be used by others", said)
                self.assertNotIn("keeper ready", said)

    def test_a_party_sees_its_own_files_only(self):
        one = self.pod("prod", "server-party")
        there = os.listdir(one.here("/run/quorate/party"))
        self.assertEqual(sorted(there), ["identity.key", "party.cert", "party.env", "tls.crt",
                                         "tls.key"])


class Page(TestCase):
    asked, site = "", []

    def test_an_overlay_of_a_sites_own(self):
        """Its settings get to the programs, its addresses into the rules of the network."""
        maps = {o["metadata"]["name"].rsplit("-", 1)[0]: o["data"]
                for o in self.site if o["kind"] == "ConfigMap"}
        self.assertEqual((maps["common"]["LOG_LEVEL"], maps["account-service"]["SIGN_WAIT_S"]),
                         ("warn", "20"))
        self.assertIn("GRPC_TLS_CRL", maps["common"])
        policy = at(self.site, "NetworkPolicy", "message-router-api-server")
        self.assertEqual([p["ipBlock"]["cidr"] for p in policy["spec"]["egress"][0]["to"]],
                         ["203.0.113.10/32", "10.96.0.1/32"])
        self.assertEqual(check_names(self.site) + check_schemas(self.site), [])

    def test_what_the_commands_name_is_there(self):
        names = {(o["kind"].lower(), o["metadata"]["name"]) for o in Objects.objects["prod"]}
        found = re.findall(r"(statefulset|deployment)/(\S+)", self.asked)
        self.assertTrue(found)
        self.assertEqual([f for f in found if f not in names], [])
        with open(PAGE, encoding="utf-8") as f:
            told = re.findall(r"(statefulset|deployment)/([a-z-]+)", f.read())
        self.assertEqual([f for f in told if f not in names], [])


def setUpModule():
    tmp = os.path.join(PLACE, "page")
    shutil.rmtree(tmp, ignore_errors=True)
    for overlay in OVERLAYS:
        Objects.objects[overlay] = build(overlay)
    made, Page.asked = run_page(tmp)
    with open(os.path.join(tmp, "site.yaml"), encoding="utf-8") as f:
        Page.site = [o for o in yaml.safe_load_all(f) if o]
    Objects.made = {overlay: made[space] for overlay, space in OVERLAYS.items()}
    shutil.rmtree(tmp)


if __name__ == "__main__":
    need()
    install()
    unittest.main()
