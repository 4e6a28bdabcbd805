# SPDX-License-Identifier: Apache-2.0
"""Kubernetes objects: built by kubectl, read, checked. A check gives a list of complaints."""
import json
import os
import re
import subprocess

from support import LIMIT, QUORATE, SOURCE

try:
    import yaml
except ImportError:  # another Python than Debian's
    import sys
    sys.path.append("/usr/lib/python3/dist-packages")
    try:
        import yaml
    except ImportError:
        yaml = None

HERE = os.path.dirname(os.path.abspath(__file__))
PLACE = os.path.join(os.environ.get("E2E_BUILD", os.getcwd()), "kubernetes-models")
PROGRAMS = os.path.join(os.path.dirname(os.path.dirname(QUORATE)), "services")
NAMES = ("account-service", "message-router", "server-party", "server-party-api",
         "session-coordinator")
OVERLAYS = {"dev": "quorate-dev", "prod": "quorate"}
APP = "app.kubernetes.io/name"

# Who reaches whom: everything else is a hole. "backend" and "monitoring" are other namespaces.
GRPC = {(a, b, 50051) for b in ("session-coordinator", "message-router")
        for a in ("account-service", "session-coordinator", "server-party", "server-party-api")}
REACH = GRPC | {("backend", a, 8080) for a in NAMES if a != "server-party"} | {
    ("monitoring", a, 8080) for a in NAMES} | {("backend", "account-service", 50051)}
REDIS = ("account-service", "session-coordinator", "message-router", "server-party-api")
DEV = {("account-service", "postgres", 5432), ("session-coordinator", "postgres", 5432),
       ("message-router", "rabbitmq", 5671)} | {(a, "redis", 6379) for a in REDIS}
API_SERVER = {("message-router", "outside", port) for port in (443, 6443)}
OUTSIDE = {("message-router", 5671)} | {(a, 6379) for a in REDIS} | {
    (a, 5432) for a in NAMES if a != "message-router"}


def call(*args, **kw):
    return subprocess.run(args, capture_output=True, text=True, check=False, timeout=LIMIT, **kw)


def build(overlay):
    p = call("kubectl", "kustomize", os.path.join(SOURCE, "deploy/kubernetes/overlays", overlay))
    if p.returncode != 0 or p.stderr:
        raise AssertionError(f"kubectl kustomize {overlay}: {p.stderr}")
    return [o for o in yaml.safe_load_all(p.stdout) if o]


OWN = {("ConfigMap", "kube-root-ca.crt"): {"ca.crt": b"an authority"}}


# Reading objects


def of_kind(objects, *kinds):
    return [o for o in objects if o["kind"] in kinds]


def workloads(objects):
    return of_kind(objects, "Deployment", "StatefulSet")


def name_of(o):
    return o["kind"] + " " + o["metadata"]["name"]


def pod(o):
    return o["spec"]["template"]["spec"]


def containers(o):
    return pod(o).get("initContainers", []) + pod(o)["containers"]


def labels(o):
    return o["spec"]["template"]["metadata"]["labels"]


def selects(selector, found):
    wanted = selector.get("matchLabels", {})
    return all(found.get(k) == v for k, v in wanted.items())


def programs(objects):
    return [o for o in workloads(objects) if o["metadata"]["name"] in NAMES]


def data_of(objects, name):
    found = [o for o in of_kind(objects, "ConfigMap") if o["metadata"]["name"] == name]
    return found[0].get("data", {}) if found else None


def variables(program):
    """name -> (has a default or is optional, is secret) of what the program reads."""
    text = call(os.path.join(PROGRAMS, "quorate-" + program), "--help").stdout
    rows = re.findall(r"^  ([A-Z0-9_]+)  \((.*)\)$", text, re.M)
    return {name: ("required" not in about, bool(re.search(r"\bsecret\b", about))) for name, about in rows}


def variables_default(program, name):
    text = call(os.path.join(PROGRAMS, "quorate-" + program), "--help").stdout
    return re.search(rf"^  {name}  \(.*; default (.*)\)$", text, re.M).group(1)


def settings(objects, o, secrets):
    """The container's environment. |secrets|: (kind, name) -> data of what is not in |objects|."""
    found = {}
    c = pod(o)["containers"][0]
    for source in c.get("envFrom", []):
        found.update(data_of(objects, source["configMapRef"]["name"]) or {})
    for row in c.get("env", []):
        source = row.get("valueFrom", {})
        if "value" in row:
            found[row["name"]] = re.sub(r"\$\((\w+)\)", lambda m: found[m.group(1)], row["value"])
        elif "fieldRef" in source:
            found[row["name"]] = o["metadata"]["name"] + "-0"
        else:
            kind = "Secret" if "secretKeyRef" in source else "ConfigMap"
            ref = source.get("secretKeyRef") or source["configMapKeyRef"]
            data = secrets.get((kind, ref["name"]), {})
            if ref["key"] in data or not ref.get("optional"):
                found[row["name"]] = data[ref["key"]].decode()
    return found


# Checks


def check_schemas(objects):
    p = call("node", os.path.join(HERE, "kubernetes", "check_objects.mjs"), PLACE,
             input=json.dumps(objects))
    if p.returncode != 0:
        raise AssertionError(p.stderr)
    return json.loads(p.stdout)


def check_names(objects):
    """Everything once, in the overlay's namespace."""
    seen, bad = set(), []
    for o in objects:
        key = (o["kind"], o["metadata"]["name"])
        bad += [f"{name_of(o)}: twice"] if key in seen else []
        seen.add(key)
    spaces = {o["metadata"].get("namespace") for o in objects if o["kind"] != "Namespace"}
    names = {o["metadata"]["name"] for o in of_kind(objects, "Namespace")}
    return bad + ([f"namespaces {spaces}, not {names}"] if spaces != names else [])


def check_variables(objects):
    bad = []
    for o in programs(objects):
        known = variables(o["metadata"]["name"])
        c = pod(o)["containers"][0]
        rows = [r["name"] for r in c.get("env", [])]
        for source in c.get("envFrom", []):
            rows += data_of(objects, source["configMapRef"]["name"]) or []
        text = json.dumps(o)
        for name in rows:
            if name not in known and f"$({name})" not in text:
                bad.append(f"{name_of(o)}: {name} is no variable of it")
        elsewhere = {"CRYPTO_MASTER_KEY"} if "args" in c else set()
        for name, (optional, _) in known.items():
            if not optional and name not in rows and name not in elsewhere:
                bad.append(f"{name_of(o)}: {name} is missing")
    return bad


def check_secrets_reach(objects):
    """Whatever is secret comes from a Secret; the rest may be merged into the ConfigMaps."""
    bad = []
    for o in programs(objects):
        c = pod(o)["containers"][0]
        if "args" in c:  # a party's own file, a Secret
            continue
        given = {r["name"] for r in c.get("env", []) if "secretKeyRef" in r.get("valueFrom", {})}
        known = variables(o["metadata"]["name"])
        wanted = {n for n, (_, secret) in known.items() if secret} | {"API_KEYS"} & set(known)
        bad += [f"{name_of(o)}: {n} cannot be given" for n in wanted - given]
    return bad


def references(o):
    """(kind, name, keys) of what the pod takes from Secrets and ConfigMaps; keys None: all."""
    for c in containers(o):
        for source in c.get("envFrom", []):
            yield "ConfigMap", source["configMapRef"]["name"], None
        for row in c.get("env", []):
            for word, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
                ref = row.get("valueFrom", {}).get(word)
                if ref and not ref.get("optional"):
                    yield kind, ref["name"], [ref["key"]]
    for volume in pod(o).get("volumes", []):
        for source in [volume] + volume.get("projected", {}).get("sources", []):
            for word, kind in (("secret", "Secret"), ("configMap", "ConfigMap")):
                ref = source.get(word)
                if ref and not ref.get("optional"):
                    keys = [i["key"] for i in ref["items"]] if "items" in ref else None
                    yield kind, ref.get("secretName", ref.get("name")), keys


def check_references(objects, made):
    """|made|: what the commands of the page make. Kubernetes itself makes one in each namespace."""
    bad, made = [], {**made, **OWN}
    accounts = {o["metadata"]["name"] for o in of_kind(objects, "ServiceAccount")}
    for o in workloads(objects):
        for kind, name, keys in references(o):
            data = data_of(objects, name) if kind == "ConfigMap" else None
            data = made.get((kind, name)) if data is None else data
            if data is None:
                bad.append(f"{name_of(o)}: there is no {kind} {name}")
            bad += [f"{name_of(o)}: {kind} {name} has no {k}" for k in keys or []
                    if data is not None and k not in data]
        volumes = {v["name"] for v in pod(o).get("volumes", [])} | {
            v["metadata"]["name"] for v in o["spec"].get("volumeClaimTemplates", [])}
        mounts = {m["name"] for c in containers(o) for m in c.get("volumeMounts", [])}
        bad += [f"{name_of(o)}: volume {v}" for v in volumes ^ mounts]
        account = pod(o).get("serviceAccountName")
        if account is not None and account not in accounts:
            bad.append(f"{name_of(o)}: there is no ServiceAccount {account}")
    return bad


def check_selectors(objects):
    """Each finds exactly what it is for."""
    bad, there = [], workloads(objects)
    for o in there:
        if not selects(o["spec"]["selector"], labels(o)):
            bad.append(f"{name_of(o)}: its selector is not that of its pods")
        head = [s for s in of_kind(objects, "Service") if s["spec"].get("clusterIP") == "None"
                or o["metadata"]["name"] in ("postgres", "redis", "rabbitmq")]
        if o["kind"] == "StatefulSet" and not any(
                s["metadata"]["name"] == o["spec"]["serviceName"] and
                selects({"matchLabels": s["spec"]["selector"]}, labels(o)) for s in head):
            bad.append(f"{name_of(o)}: there is no headless Service {o['spec']['serviceName']}")
    for s in of_kind(objects, "Service"):
        found = [o for o in there if selects({"matchLabels": s["spec"]["selector"]}, labels(o))]
        ports = {p["name"] for o in found for c in containers(o) for p in c.get("ports", [])}
        if len(found) != 1:
            bad.append(f"{name_of(s)}: selects {len(found)} workloads")
        bad += [f"{name_of(s)}: no port {p['targetPort']}" for p in s["spec"]["ports"]
                if p["targetPort"] not in ports]
        role = s["metadata"]["labels"].get("quorate/role")
        if role and any(labels(o).get("quorate/role") != role for o in found):
            bad.append(f"{name_of(s)}: its pods have another role")
    for b in of_kind(objects, "PodDisruptionBudget", "NetworkPolicy"):
        selector = b["spec"].get("selector") or b["spec"].get("podSelector")
        if selector and sum(selects(selector, labels(o)) for o in there) != 1:
            bad.append(f"{name_of(b)}: does not select one workload")
    for m in of_kind(objects, "ServiceMonitor"):
        found = [s for s in of_kind(objects, "Service")
                 if selects(m["spec"]["selector"], s["metadata"]["labels"])
                 and m["spec"]["endpoints"][0]["port"] in {p["name"] for p in s["spec"]["ports"]}]
        if len(found) != 1:
            bad.append(f"{name_of(m)}: selects {len(found)} Services")
    for h in of_kind(objects, "HorizontalPodAutoscaler"):
        target = h["spec"]["scaleTargetRef"]
        found = [o for o in there if (o["apiVersion"], o["kind"], o["metadata"]["name"]) ==
                 (target["apiVersion"], target["kind"], target["name"])]
        if len(found) != 1 or "replicas" in found[0]["spec"]:
            bad.append(f"{name_of(h)}: its target is not one workload without a number of replicas")
    budgets = {b["metadata"]["name"] for b in of_kind(objects, "PodDisruptionBudget")}
    return bad + [f"{name_of(o)}: no disruption budget" for o in programs(objects)
                  if o["metadata"]["name"] not in budgets]


def number(o, port):
    if isinstance(port, int):
        return port
    return next(p["containerPort"] for c in containers(o) for p in c.get("ports", [])
                if p["name"] == port)


def peers(objects, rules, word):
    """(who, port) of a policy's rules; ports still by name."""
    for rule in rules:
        for peer in rule.get(word, []):
            spaces = peer.get("namespaceSelector", {}).get("matchLabels", {})
            if "ipBlock" in peer:
                who = ["outside"]
            elif spaces == {"quorate/backend": "true"}:
                who = ["backend"]
            elif spaces:
                who = [spaces.get("kubernetes.io/metadata.name")]
            else:
                who = [labels(o)[APP] for o in workloads(objects)
                       if selects(peer["podSelector"], labels(o))]
            yield from ((w, p["port"]) for w in who for p in rule["ports"])


def reach(objects):
    """Who reaches whom, both ends agreeing; and who reaches what is outside."""
    ins, outs = set(), set()
    for o in workloads(objects):
        me = labels(o)[APP]
        for policy in of_kind(objects, "NetworkPolicy"):
            spec = policy["spec"]
            if not selects(spec["podSelector"], labels(o)):
                continue
            ins |= {(who, me, number(o, port))
                    for who, port in peers(objects, spec.get("ingress", []), "from")}
            for who, port in peers(objects, spec.get("egress", []), "to"):
                target = [w for w in workloads(objects) if labels(w)[APP] == who]
                outs.add((me, who, number(target[0], port) if target else port))
    inside = {labels(o)[APP] for o in workloads(objects)}
    both = {r for r in ins if r in outs or r[0] not in inside}
    single = (ins - both) | {r for r in outs - both if r[1] in inside}
    return both, {r for r in outs if r[1] not in inside}, single


def check_network(objects, overlay):
    both, out, single = reach(objects)
    inside = REACH | (DEV if overlay == "dev" else set())
    outside = {(labels(o)[APP], "kube-system", 53) for o in workloads(objects)} | API_SERVER
    if overlay == "prod":
        outside |= {(a, "outside", port) for a, port in OUTSIDE}
    bad = [f"too much or too little: {r}" for r in (both ^ inside) | (out ^ outside)]
    bad += [f"only one end allows {r}" for r in single]
    deny = [p for p in of_kind(objects, "NetworkPolicy") if p["spec"] == {
        "podSelector": {}, "policyTypes": ["Ingress", "Egress"]}]
    for p in of_kind(objects, "NetworkPolicy"):
        if {t.lower() for t in p["spec"]["policyTypes"]} != set(p["spec"]) & {"ingress", "egress"} \
                and p not in deny:
            bad.append(f"{name_of(p)}: policyTypes are not its rules'")
    return bad + ([] if deny else ["nothing is denied"])


def check_addresses(objects, made):
    """Each address that a program is told is a Service, its port one of that Service's, and a rule
    lets it through."""
    bad, both = [], reach(objects)[0]
    services = {s["metadata"]["name"]: s for s in of_kind(objects, "Service")}
    for o in programs(objects):
        known = variables(o["metadata"]["name"])
        env = {"COORDINATOR_ADDR": "mpc-session-coordinator:50051",
               "ROUTER_ADDR": "mpc-message-router:50051", "POSTGRES_PORT": "5432",
               "REDIS_PORT": "6379", "RABBITMQ_PORT": "5671", **settings(objects, o, made)}
        targets = [env[n] for n in ("COORDINATOR_ADDR", "ROUTER_ADDR") if n in known]
        targets += [env["ADVERTISE_ADDR"]] if "ADVERTISE_ADDR" in env else []
        targets += [env[n + "_HOST"] + ":" + env[n + "_PORT"]
                    for n in ("POSTGRES", "REDIS", "RABBITMQ") if n + "_HOST" in env
                    and not env[n + "_HOST"].endswith(".example")]
        for target in targets:
            host, port = target.split(":")
            service = services.get(host.split(".")[-1])
            ports = {p["port"]: p["targetPort"]
                     for p in service["spec"]["ports"]} if service else {}
            if int(port) not in ports:
                bad.append(f"{name_of(o)}: {target} is no port of a Service")
                continue
            end = next(w for w in workloads(objects)
                       if selects({"matchLabels": service["spec"]["selector"]}, labels(w)))
            if (labels(o)[APP], labels(end)[APP], number(end, ports[int(port)])) not in both:
                bad.append(f"{name_of(o)}: no rule lets it reach {target}")
    return bad


def check_secrets(objects):
    """None stands in the objects."""
    bad = [name_of(o) for o in of_kind(objects, "Secret")]
    secret = {n for p in NAMES for n, (_, is_secret) in variables(p).items() if is_secret}
    for o in workloads(objects):
        for c in containers(o):
            bad += [f"{name_of(o)}: {r['name']} is written there" for r in c.get("env", [])
                    if "value" in r and (r["name"] in secret or
                                         re.search("PASS|SECRET", r["name"]))]
    for o in of_kind(objects, "ConfigMap"):
        bad += [f"{name_of(o)}: {n} is written there" for n in secret & set(o.get("data", {}))]
    return bad + re.findall(r"\b[0-9a-f]{64}\b|-----BEGIN[^-]*KEY", json.dumps(objects))


def check_hardening(objects):
    bad = []
    for o in workloads(objects):
        p, where = pod(o), name_of(o)
        security = p["securityContext"]
        rules = {"a token is mounted": p.get("automountServiceAccountToken") is False,
                 "service links": p.get("enableServiceLinks") is False,
                 "root": security.get("runAsNonRoot") is True and security.get("runAsUser", 0) > 0,
                 "seccomp": security.get("seccompProfile") == {"type": "RuntimeDefault"},
                 "a host's namespace": not {"hostNetwork", "hostPID", "hostIPC"} & set(p)}
        for c in containers(o):
            s = c.get("securityContext", {})
            rules["a writable root"] = s.get("readOnlyRootFilesystem") is True
            rules["escalation"] = s.get("allowPrivilegeEscalation") is False
            rules["capabilities"] = s.get("capabilities") == {"drop": ["ALL"]}
            rules["resources"] = "memory" in c["resources"].get("limits", {}) and \
                {"cpu", "memory"} <= set(c["resources"].get("requests", {}))
            bad += [f"{where}: {rule}" for rule, ok in rules.items() if not ok]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if o in programs(objects) and p["containers"][0][probe]["httpGet"] != {
                    "path": "/ready" if probe == "readinessProbe" else "/health", "port": "http",
                    "scheme": "HTTPS"}:
                bad.append(f"{where}: {probe}")
        bad += [f"{where}: a volume of the host" for v in p.get("volumes", []) if "hostPath" in v]
    levels = [o["metadata"]["labels"].get("pod-security.kubernetes.io/enforce")
              for o in of_kind(objects, "Namespace")]
    return bad + ([] if levels == ["restricted"] else ["the namespace enforces nothing"])


def check_discovery(objects):
    """The router may read slices, alone; each Service that it asks about is one of a role."""
    bad, services = [], {s["metadata"]["name"]: s for s in of_kind(objects, "Service")}
    told = variables_default("message-router", "DISCOVERY_SERVICES")
    router = next(o for o in programs(objects) if o["metadata"]["name"] == "message-router")
    env = data_of(objects, next(c["configMapRef"]["name"] for c in containers(router)[0]["envFrom"]
                                if c["configMapRef"]["name"].startswith("message-router")))
    for pair in env.get("DISCOVERY_SERVICES", told).split(","):
        name, role = pair.split(":")
        s = services.get(name)
        if not s or s["spec"].get("clusterIP") != "None" or \
                s["metadata"]["labels"].get("quorate/role") != role or \
                not s["spec"].get("publishNotReadyAddresses"):
            bad.append(f"{name} is no headless Service of the role {role}")
    roles = {s["metadata"]["name"] for s in services.values()
             if "quorate/role" in s["metadata"]["labels"]}
    asked = {p.split(":")[0] for p in env.get("DISCOVERY_SERVICES", told).split(",")}
    bad += [f"nobody asks about {name}" for name in roles - asked]
    mounts = {m["mountPath"]: m["name"] for m in containers(router)[0]["volumeMounts"]}
    volume = next((v for v in pod(router)["volumes"]
                   if v["name"] == mounts.get(env.get("KUBERNETES_DIR"))), {})
    sources = volume.get("projected", {}).get("sources", [])
    paths = [s["serviceAccountToken"]["path"] for s in sources if "serviceAccountToken" in s]
    paths += [i["path"] for s in sources for word in ("configMap", "downwardAPI")
              for i in s.get(word, {}).get("items", [])]
    if env.get("DISCOVERY") != "kubernetes" or sorted(paths) != ["ca.crt", "namespace", "token"]:
        bad.append("the router does not ask, or has not what it needs")
    bad += [f"{name_of(o)} has a token" for o in workloads(objects)
            if o is not router and "serviceAccountToken" in json.dumps(o)]
    rules = [r for o in of_kind(objects, "Role", "ClusterRole") for r in o["rules"]]
    if rules != [{"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"],
                  "verbs": ["list", "watch"]}]:
        bad.append("rights are not those of reading slices")
    account = pod(router)["serviceAccountName"]
    bound = [(b["kind"], b["roleRef"]["kind"], b["roleRef"]["name"], s["kind"], s["name"])
             for b in of_kind(objects, "RoleBinding", "ClusterRoleBinding") for s in b["subjects"]]
    named = [o["metadata"]["name"] for o in of_kind(objects, "Role")]
    if bound != [("RoleBinding", "Role", name, "ServiceAccount", account) for name in named]:
        bad.append("the rights are not the router's, or not its alone")
    return bad
