# SPDX-License-Identifier: Apache-2.0
"""docs/openapi.yaml is what is served: a stock validator takes it, it has every route of the
services' tables and no other, and every request and answer in it has the fields of proto/. That
answers have these forms is seen by all tests that use support.py, which asks openapi.check."""
import json
import os
import re
import subprocess
import unittest

import openapi
from openapi import document, follow, operations
from support import LIMIT, MODULES, SOURCE, install_npm

# Of two services that share a path one has a parameter and a field more.
AT_ROUTER_ALONE = {("account", "GET", "/api/v1/parties"): {"role"},
                   "mpc.account.v1.ListPartiesResponse": {"absent"}}
VALIDATE = """
const { default: parser } = await import(process.argv[1]);
try {
  await parser.validate(process.argv[2]);
  console.log("valid");
} catch (e) {
  console.log(String(e));
}
"""


def text_of(*names):
    with open(os.path.join(SOURCE, *names), encoding="utf-8") as f:
        return f.read()


def routes():
    """{(service, verb, path): (request, answer)} of services/*/routes.c; messages by name."""
    found = {}
    for service in openapi.SERVICES.values():
        text = text_of("services", service, "routes.c")
        words = dict(re.findall(r'^#define (\w+) "([^"]*)"', text, re.M))
        package = words["SERVICE"].rsplit(".", 1)[0]
        rpcs = {name: (f"{package}.{request}", answer if "." in answer else f"{package}.{answer}")
                for name, request, answer in re.findall(
                    r"rpc (\w+)\((\w+)\) returns \(([\w.]+)\)",
                    text_of("proto", service + ".proto"))}
        for verb, path, method, status in re.findall(
                r'\{ ?"(\w+)", ([^,]+), SERVICE "(\w+)", (\d+) ?\}', text):
            parts = re.findall(r'"([^"]*)"|(\w+)', path)
            whole = "".join(literal or words[name] for literal, name in parts)
            found[service, verb, whole] = (*rpcs[method], status, method)
    return found


def scopes(service):
    """{method: scope} of a service whose table names one for every method."""
    text = text_of("services", service, "routes.c")
    return {name: scope.lower() for name, scope in
            re.findall(r'METHOD\("(\w+)",[^;]*?, (\w+)\),', text) +
            re.findall(r'SERVICE "(\w+)"[^{}]*?SCOPE_(\w+)', text)}


def messages():
    """{message: {field: message or None}} of proto/."""
    found = {}
    for name in ("account", "coordinator", "party_api", "router", "session"):
        text = re.sub("//.*", "", text_of("proto", name + ".proto"))
        package = re.search(r"package ([\w.]+);", text)[1]
        for message, body in re.findall(r"^message (\w+) \{(.*?)^\}", text.replace("{}", "{\n}"),
                                        re.S | re.M):
            fields = re.findall(r"(?:repeated )?(map<.*?>|[\w.]+) (\w+) = \d+;", body)
            found[f"{package}.{message}"] = {
                field: (kind if "." in kind else f"{package}.{kind}") if kind[0].isupper() or
                "." in kind else None for kind, field in fields}
    return found


class Document(unittest.TestCase):
    maxDiff = None
    routes, messages = routes(), messages()

    def test_a_stock_validator_takes_it(self):
        install_npm()
        p = subprocess.run(["node", "--input-type=module", "-e", VALIDATE, "--",
                            os.path.join(MODULES, "@apidevtools/swagger-parser/lib/index.js"),
                            openapi.PATH], capture_output=True, text=True, timeout=LIMIT,
                           check=False)
        self.assertEqual(p.stdout.strip(), "valid", p.stderr)

    def test_it_has_every_route_and_no_other(self):
        self.assertGreater(len(self.routes), 25)
        self.assertEqual(sorted(self.routes), sorted(o[:3] for o in operations()))
        for service, verb, path, operation in operations():
            good = [s for s in operation["responses"] if s.startswith("2")]
            self.assertEqual(good, [self.routes[service, verb, path][2]], path)
        ids = [o["operationId"] for i in document()["paths"].values() for o in i.values()
               if isinstance(o, dict)]
        self.assertEqual(len(ids), len(set(ids)))

    def test_requests_have_the_fields_of_the_messages(self):
        for service, verb, path, operation in operations():
            given = [follow(p)["name"] for p in document()["paths"][path].get("parameters", []) +
                     operation.get("parameters", [])]
            body = operation.get("requestBody")
            if body:
                given += follow(body["content"]["application/json"]["schema"]).get("properties", {})
            with self.subTest(f"{verb} {path}"):
                self.assertEqual(len(given), len(set(given)))
                self.assertEqual(set(given) - AT_ROUTER_ALONE.get((service, verb, path), set()),
                                 set(self.messages[self.routes[service, verb, path][0]]))
                self.assertEqual(set(re.findall(r"\{(\w+)\}", path)),
                                 {follow(p)["name"] for p in
                                  document()["paths"][path].get("parameters", [])})

    def test_answers_have_the_fields_of_the_messages(self):
        seen = set()
        for service, verb, path, operation in operations():
            _, message, status, _ = self.routes[service, verb, path]
            schema = operation["responses"][status]["content"]["application/json"]["schema"]
            self.compare(schema, message, seen)
        for message, schema in (("CreateSessionRequest", "CreateSession"),
                                ("ReportCompletionRequest", "Complete")):
            fields = document()["components"]["schemas"][schema]["properties"]
            for name, kind in self.messages["mpc.coordinator.v1." + message].items():
                if kind:
                    self.compare(fields[name], kind, seen)
        self.assertGreater(len(seen), 25)

    def compare(self, schema, message, seen):
        """Names, and those of the messages inside."""
        schema = follow(schema)
        if schema.get("type") == "array":
            schema = follow(schema["items"])
        fields = schema.get("properties", {})
        self.assertEqual(set(fields) - AT_ROUTER_ALONE.get(message, set()),
                         set(self.messages[message]), message)
        self.assertLessEqual(set(schema.get("required", [])), set(fields), message)
        seen.add(message)
        for name, kind in self.messages[message].items():
            if kind:
                self.compare(fields[name], kind, seen)

    def test_operations_name_the_scope_of_their_key(self):
        for service in openapi.ACCOUNT, "party_api":
            known = scopes(service)
            self.assertGreater(len(known), 3)
            for owner, verb, path, operation in operations():
                if owner == service:
                    method = self.routes[service, verb, path][3]
                    self.assertEqual(operation["security"], [{"apiKey": [known[method]]}], path)

    def test_no_schema_is_without_use(self):
        text = text_of("docs", "openapi.yaml")
        for part, things in document()["components"].items():
            for name in things:
                used = (f"#/components/{part}/{name}'" in text or part == "securitySchemes" or
                        name == "MethodNotAllowed")  # of every path, for methods that it lacks
                self.assertTrue(used, name)

    def test_answers_out_of_form_are_seen(self):
        parties = {"party_id": "a", "role": "persistent", "capacity": 1, "load": 0, "live": True,
                   "last_seen": "2026-11-21T17:00:00.000Z"}
        openapi.check("GET", "/api/v1/parties", 200, {"parties": [parties]})
        error = {"error": "no", "code": "not_found", "request_id": "0" * 32}
        openapi.check("GET", "/api/v1/nothing", 404, error)
        for status, body in ((200, {"parties": [{**parties, "more": 1}]}), (200, {}),
                             (200, {"parties": [{**parties, "live": 1}]}), (404, error),
                             (400, {**error, "more": 1}), (401, error), (418, error),
                             (200, {"parties": [{**parties, "last_seen": "yesterday"}]}),
                             (503, json.dumps(error))):
            with self.subTest(body), self.assertRaises(AssertionError):
                openapi.check("GET", "/api/v1/parties?x=1", status, body)
        with self.assertRaises(AssertionError):
            openapi.check("GET", "/api/v1/nothing", 200, {})
        mine = "11111111-1111-4111-8111-111111111111"
        head = {"Quorate-Signature": "t=1,v1=" + "0" * 64}
        event = {"id": mine, "type": "session.completed", "created_at": parties["last_seen"],
                 "session": {"session_id": mine, "session_type": "sign", "status": "completed",
                             "account_id": mine}}
        openapi.check_event(head, event)
        for headers, body in (({}, event), (head, {**event, "more": 1}),
                              (head, {**event, "type": "session.waiting"})):
            with self.subTest(body), self.assertRaises(AssertionError):
                openapi.check_event(headers, body)


if __name__ == "__main__":
    unittest.main()
