# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a Kubernetes API server, as far as EndpointSlices go: TLS, bearer tokens, list,
watch, resourceVersion, 410 Gone, BOOKMARK, connections cut. That it is one is shown by the real
kubectl, which lists and watches here and must see the same (tests/stack/test_discovery.py).

No API server can be had on the machines that these tests run on; what only a real one can show is
left to whoever has a cluster."""
import contextlib
import http.server
import json
import os
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

from postgres import free_port

GROUP = "discovery.k8s.io/v1"
SERVICE = "kubernetes.io/service-name"
LIMIT = 300


def status(code, reason, message):
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code}


def endpoint(pod, terminating=False, ready=True):
    """As the controller of a headless Service writes it for a pod of a StatefulSet."""
    return {"addresses": ["10.1.0.1"], "hostname": pod, "nodeName": "node-1",
            "conditions": {"ready": ready and not terminating, "serving": ready,
                           "terminating": terminating},
            "targetRef": {"kind": "Pod", "namespace": "quorate", "name": pod,
                          "uid": "00000000-0000-4000-8000-000000000000"}}


class Api:
    """The objects and their history. Everything happens under one lock."""

    def __init__(self, namespace="quorate"):
        self.namespace, self.version = namespace, 1000
        self.slices = {}  # name -> object
        self.history = []  # (version, type, object)
        self.oldest = 1000  # a watch from before this one is gone
        self.tokens = {"first-token"}
        self.refuse = None  # (code, reason) for every request
        self.watch_s = None  # how long watches last, if not as asked
        self.padding = ""  # more in each slice that is put from now on
        self.changed = threading.Condition()
        self.watches = 0  # open now
        self.seen = []  # "list" or "watch VERSION", or the status of a refusal
        self.epoch = 0  # another one ends all watches, politely; a cut is a rude one
        self.cuts = 0
        self.last = b""

    # --- what the cluster does ---

    def _store(self, kind, name, o):
        self.version += 1
        o = {**o, "metadata": {**o["metadata"], "resourceVersion": str(self.version)}}
        if kind == "DELETED":
            self.slices.pop(name)
        else:
            self.slices[name] = o
        self.history.append((self.version, kind, o))
        self.changed.notify_all()

    def put(self, name, service, pods):
        """|pods|: names or whole endpoints; None: the key that the real server writes as null."""
        ends = None if pods is None else [endpoint(p) if isinstance(p, str) else p for p in pods]
        o = {"kind": "EndpointSlice", "apiVersion": GROUP, "addressType": "IPv4",
             "metadata": {"name": name, "namespace": self.namespace,
                          "annotations": {"padding": self.padding},
                          "uid": "10000000-0000-4000-8000-000000000000",
                          "creationTimestamp": "2026-01-01T00:00:00Z",
                          "labels": {SERVICE: service}},
             "endpoints": ends, "ports": [{"name": "http", "protocol": "TCP", "port": 8080}]}
        with self.changed:
            self._store("MODIFIED" if name in self.slices else "ADDED", name, o)

    def delete(self, name):
        with self.changed:
            self._store("DELETED", name, self.slices[name])

    def forget(self):
        """History until now is compacted away: who asks to watch from an older version gets 410.
        Watches that are open have had it already."""
        with self.changed:
            self.oldest = self.version

    def bookmark(self):
        with self.changed:
            self.version += 1
            self.history.append((self.version, "BOOKMARK", None))
            self.changed.notify_all()

    def fail_watches(self, o):
        """An ERROR event to all."""
        with self.changed:
            self.version += 1
            self.history.append((self.version, "ERROR", o))
            self.changed.notify_all()

    def end_watches(self, last=b""):
        """As when their time is over, |last| being the last that they say."""
        with self.changed:
            self.last = last
            self.epoch += 1
            self.changed.notify_all()

    def cut(self):
        with self.changed:
            self.cuts += 1
            self.changed.notify_all()

    def pods(self, service):
        """What there is, by another way than a client's."""
        with self.changed:
            return sorted({e["targetRef"]["name"] for s in self.slices.values()
                           if s["metadata"]["labels"][SERVICE] == service
                           for e in s["endpoints"] or [] if not e["conditions"]["terminating"]})

    def wait(self, what):
        """Until what(self), asked whenever something happens."""
        with self.changed:
            assert self.changed.wait_for(lambda: what(self), LIMIT), "waited in vain"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def answer(self, o, code=200):
        body = json.dumps(o).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, code, reason, message):
        with self.api.changed:
            self.api.seen.append(str(code))
            self.api.changed.notify_all()
        self.answer(status(code, reason, message), code)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = {k: v[0] for k, v in urllib.parse.parse_qs(url.query).items()}
        slices = f"/apis/{GROUP}/namespaces/{self.api.namespace}/endpointslices"
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in self.api.tokens:
            self.refuse(401, "Unauthorized", "Unauthorized")
        elif self.api.refuse:
            self.refuse(*self.api.refuse, "not now")
        elif url.path == slices:
            self.slices(query)
        else:
            self.about(url.path)

    def about(self, path):
        """What kubectl asks before it asks for anything."""
        group = {"name": "discovery.k8s.io", "versions": [{"groupVersion": GROUP, "version": "v1"}],
                 "preferredVersion": {"groupVersion": GROUP, "version": "v1"}}
        known = {
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]},
            f"/apis/{GROUP}": {
                "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP,
                "resources": [{"name": "endpointslices", "singularName": "endpointslice",
                               "namespaced": True, "kind": "EndpointSlice",
                               "verbs": ["get", "list", "watch"]}]}}
        if path in known:
            self.answer(known[path])
        else:
            self.refuse(404, "NotFound", "the server could not find the requested resource")

    def slices(self, query):
        wanted = query.get("labelSelector", "").removeprefix(SERVICE + "=")

        def is_wanted(o):
            return not wanted or o["metadata"]["labels"][SERVICE] == wanted

        if query.get("watch") in ("true", "1"):
            self.watch(query, is_wanted)
            return
        with self.api.changed:
            self.api.seen.append("list")
            self.api.changed.notify_all()
            items = [{k: v for k, v in o.items() if k not in ("kind", "apiVersion")}
                     for o in self.api.slices.values() if is_wanted(o)]
            version = str(self.api.version)
        self.answer({"kind": "EndpointSliceList", "apiVersion": GROUP,
                     "metadata": {"resourceVersion": version}, "items": items})

    def chunk(self, b):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(b), b))
        self.wfile.flush()

    def watch(self, query, is_wanted):
        api = self.api
        since = int(query.get("resourceVersion") or 0)
        with api.changed:
            gone = since < api.oldest
            start = (api.epoch, api.cuts)
            end = time.monotonic() + float(query.get("timeoutSeconds", LIMIT)
                                           if api.watch_s is None else api.watch_s)
            if not gone:
                api.seen.append(f"watch {since}")
                api.watches += 1
                api.changed.notify_all()
        if gone:
            self.refuse(410, "Expired", f"too old resource version: {since} ({api.oldest})")
            return
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.events(since, start, end, is_wanted, query.get("allowWatchBookmarks") == "true")
        except OSError:
            self.close_connection = True
        finally:
            with api.changed:
                api.watches -= 1
                api.changed.notify_all()

    def events(self, since, start, end, is_wanted, bookmarks):
        api = self.api
        while True:
            with api.changed:
                api.changed.wait_for(
                    lambda: (api.epoch, api.cuts) != start or
                    any(v > since for v, _, _ in api.history), max(0, end - time.monotonic()))
                news = [h for h in api.history if h[0] > since]
                over = (api.epoch, api.cuts) != start or time.monotonic() >= end
                is_cut = api.cuts != start[1]
                last = api.last
            for version, kind, o in news:
                since = version
                if kind == "BOOKMARK":
                    o = {"kind": "EndpointSlice", "apiVersion": GROUP,
                         "metadata": {"resourceVersion": str(version)}}
                if (kind == "BOOKMARK" and bookmarks) or kind == "ERROR" or (
                        kind != "BOOKMARK" and is_wanted(o)):
                    self.chunk(json.dumps({"type": kind, "object": o}).encode() + b"\n")
            if over:
                break
        if is_cut:  # in the middle of an event
            self.wfile.write(b'40\r\n{"type":"ADDED","object"')
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        if last:
            self.chunk(last)
        self.chunk(b"")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *args):
        super().__init__(*args)
        self.all = []

    def get_request(self):
        got = super().get_request()
        self.all.append(got[0])
        return got

    def handle_error(self, request, client_address):
        pass


class ApiServer(Api):
    """Listens until close(). |dir| is as a pod finds it: token, ca.crt, namespace."""

    def __init__(self, root, **kw):
        super().__init__(**kw)
        self.root, self.dir = root, os.path.join(root, "serviceaccount")
        os.makedirs(self.dir, exist_ok=True)
        self.make_certificate()
        self.token("first-token")
        self.write("namespace", self.namespace)
        self.open(free_port())

    def write(self, name, text):
        with open(os.path.join(self.dir, name + ".new"), "w", encoding="ascii") as f:
            f.write(text)
        os.rename(os.path.join(self.dir, name + ".new"), os.path.join(self.dir, name))

    def token(self, text):
        """The only good one from now on, and the one in the file."""
        with self.changed:
            self.tokens = {text}
        self.write("token", text)

    def make_certificate(self):
        """A new authority, and a certificate of it."""
        here = {n: os.path.join(self.root, n) for n in ("ca.key", "tls.key", "tls.csr", "tls.crt",
                                                        "tls.ext")}
        ca = os.path.join(self.root, "ca.new")
        with open(here["tls.ext"], "w", encoding="ascii") as f:
            f.write("subjectAltName=DNS:kubernetes.default.svc,IP:127.0.0.1")
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        for words in (("req", "-x509", *new, "-subj", "/CN=cluster-ca", "-days", "2", "-keyout",
                       here["ca.key"], "-out", ca),
                      ("req", *new, "-subj", "/CN=kube-apiserver", "-keyout", here["tls.key"],
                       "-out", here["tls.csr"]),
                      ("x509", "-req", "-in", here["tls.csr"], "-CA", ca, "-CAkey", here["ca.key"],
                       "-CAcreateserial", "-days", "2", "-extfile", here["tls.ext"], "-out",
                       here["tls.crt"])):
            subprocess.run(["openssl", *words], check=True, capture_output=True)
        with open(ca, encoding="ascii") as f:
            self.write("ca.crt", f.read())
        self.chain = here["tls.crt"], here["tls.key"]

    def open(self, port):
        handler = type("Bound", (Handler,), {"api": self})
        self.server = Server(("127.0.0.1", port), handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.chain)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        """Nobody is let in any more, and who is in is cut off."""
        self.server.shutdown()
        self.server.server_close()
        self.cut()
        for s in self.server.all:  # also those that have not asked yet
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
