# SPDX-License-Identifier: Apache-2.0
"""docs/openapi.yaml as a judge of answers: each has the form that the file has for its path, method
and status, and nothing more. An answer of a path that the file lacks can only be an error.

Schemas are those of the file but for one thing: a reader may meet members that he does not know,
these tests may not."""
import functools
import os
import re
import urllib.parse

import jsonschema
import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
PATH = os.path.join(SOURCE, "docs", "openapi.yaml")
ACCOUNT = "account"
# The folder in services/ of the process that listens there by default.
SERVICES = {4000: ACCOUNT, 8081: "coordinator", 8082: "router", 8083: "party_api"}
VERBS = ("get", "put", "post", "delete", "patch")


@functools.cache
def document():
    with open(PATH, encoding="utf-8") as f:
        found = yaml.load(f, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    for schema in found["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return found


def follow(thing):
    """The thing itself, where there is a reference to it."""
    while "$ref" in thing:
        at = document()
        for name in thing["$ref"].removeprefix("#/").split("/"):
            at = at[name]
        thing = at
    return thing


def services(item):
    """Whose path it is."""
    return {SERVICES[urllib.parse.urlsplit(s["url"]).port]
            for s in item.get("servers", document()["servers"])}


def operations():
    """(service, verb, path, operation) of every one in the file but the pages of every service."""
    for path, item in document()["paths"].items():
        for verb in VERBS:
            if verb in item and "health" not in item[verb]["tags"]:
                for service in services(item):
                    yield service, verb.upper(), path, item[verb]


@functools.cache
def template(path):
    """The file's path for one that was asked for, or None."""
    for known in document()["paths"]:
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(known)), path):
            return known
    return None


@functools.cache
def validator(path, verb, status):
    """For the body of such an answer; None if the file has no such one."""
    if path is None:
        answer = {"$ref": "#/components/responses/NotFound"}
    elif verb not in document()["paths"][path]:
        answer = {"$ref": "#/components/responses/MethodNotAllowed"}
    else:
        answer = document()["paths"][path][verb]["responses"].get(str(status))
    if answer is None:
        return None
    content = follow(answer).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    return jsonschema.Draft202012Validator({**schema, "components": document()["components"]})


def check_event(headers, body):
    """The same of a webhook: its headers, its object."""
    hook = document()["webhooks"]["sessionFinished"]["post"]
    schemas = [(hook["requestBody"]["content"]["application/json"]["schema"], body)]
    schemas += [(p["schema"], headers.get(p["name"])) for p in hook["parameters"]]
    for schema, value in schemas:
        judge = jsonschema.Draft202012Validator({**schema, "components": document()["components"]})
        fault = jsonschema.exceptions.best_match(judge.iter_errors(value))
        assert fault is None, f"webhook: {fault.json_path}: {fault.message}"[:600]


def check(verb, target, status, body):
    """AssertionError unless the file has this answer."""
    path = urllib.parse.urlsplit(target).path
    known = template(path)
    if verb in ("HEAD", "OPTIONS"):
        return
    if status == 401:  # before anything is said of path and method
        judge = validator("/api/v1/accounts", "post", 401)
    else:
        judge = validator(known, verb.lower(), status)
    what = f"{verb} {known or path} -> {status}"
    assert judge, f"{what}: docs/openapi.yaml has no such status"
    if known is None or verb.lower() not in document()["paths"][known]:
        assert 400 <= status < 600, f"{what}: docs/openapi.yaml has no such path"
    fault = jsonschema.exceptions.best_match(judge.iter_errors(body))
    assert fault is None, f"{what}: {fault.json_path}: {fault.message}"[:600]
