#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check that includes point down only (ARCHITECTURE.md).

usage: include_direction.py ROOT

lib/<layer> may include its own and earlier layers, the public headers, and a short list of system
headers; include/quorate only itself and libsecp256k1; system/<folder> its own and earlier folders and
the public headers; participant what is below it; services/<name> what is below it and itself, no other
service; cli the public headers, the messages, itself, and core, db and access of system/, its
backup*.c also how a party keeps shares.
Tests and benchmarks may include anything. Then the rules about #if: only in lib/base/port.h.
"""
import pathlib
import re
import sys

LAYERS = ["base", "math", "hash", "wire", "key", "ot", "proto"]
SYSTEM = ["core", "vault", "cache", "bus", "db", "rpc", "access", "discovery", "service"]
# The command stands above the system and makes what the services read: keys, certificates, orders, env
# files; and it reads what they wrote into databases. It needs no more of it, and of no service
# anything: it starts them and calls their doors.
CLI_SYSTEM = ["core", "db", "access"]
# Its backup*.c put a party's shares back where its keeper keeps them.
CLI_BACKUP = {"participant/backup_body.h", "participant/restore.h", "system/vault/backup.h",
              "system/vault/backup_stream.h"}
# main is also the process beside it that holds a token's module; the doctor tries a broker as the
# router does; what a party waits for stands in its log, in words that are agreed on.
CLI_ONE = {("main.c", "system/vault/hsm.h"), ("doctor_servers.c", "system/bus/rabbit_tls.h"),
           ("up_log.c", "participant/backup_log.h")}
PLAIN = {"limits.h", "stdalign.h", "stdbool.h", "stddef.h", "stdint.h", "string.h"}
LIB_SYSTEM = PLAIN | {"sodium.h", "secp256k1.h", "secp256k1_ecdh.h", "secp256k1_recovery.h"}
# Headers of the machine, for the files that Meson chooses by platform.
LIB_MACHINE = {"cpuid.h", "emmintrin.h", "immintrin.h", "tmmintrin.h", "wmmintrin.h",
               "valgrind/memcheck.h"}
PUBLIC_SYSTEM = {"stdbool.h", "stddef.h", "stdint.h", "secp256k1.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def includes(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1) == "<", found.group(2)


def lib_allows(layer, system, name):
    if system:
        return name in LIB_SYSTEM | LIB_MACHINE
    top = name.split("/")[0]
    if top == "quorate":
        return True
    return top in LAYERS and LAYERS.index(top) <= LAYERS.index(layer)


def public_allows(system, name):
    return name in PUBLIC_SYSTEM if system else name.startswith("quorate/")


def is_message(name):
    """A header that protobuf-c makes of proto/."""
    return name.endswith(".pb-c.h") and "/" not in name


def house_allows(place, name):
    """May a file of |place| ("system/rpc", "participant", "services/account") include |name|?"""
    if name.startswith("quorate/") or is_message(name):
        return True
    parts = name.split("/")
    top = place.split("/")[0]
    if parts[0] == "system" and len(parts) == 3 and parts[1] in SYSTEM:
        return top != "system" or SYSTEM.index(parts[1]) <= SYSTEM.index(place.split("/")[1])
    if parts[0] == "participant":
        return top in ("participant", "services")
    return parts[0] == "services" and "/".join(parts[:2]) == place


def check_house(root):
    """Yield one sentence for each arrow above lib/ that points up or sideways."""
    for pattern in ("system/*/*.[ch]", "participant/*.[ch]", "services/*/*.[ch]"):
        for path in sorted(root.glob(pattern)):
            place = path.parent.relative_to(root).as_posix()
            if place.startswith("system/") and place.split("/")[1] not in SYSTEM:
                yield f"{path}: {place} is not a folder of the house"
                continue
            for number, is_system, name in includes(path):
                # Their own headers are included by path from the root, with quotes.
                if not is_system and not house_allows(place, name):
                    yield f"{path}:{number}: {place} must not include {name}"


def cli_allows(path, system, name):
    folder = path.parent
    if system or name.startswith("quorate/") or is_message(name):
        return True
    if name in CLI_BACKUP:
        return path.name.startswith("backup")
    if (path.name, name) in CLI_ONE:
        return True
    parts = name.split("/")
    if parts[0] == "system":
        return len(parts) == 3 and parts[1] in CLI_SYSTEM
    made = f"output: '{name}'"  # by Meson, in the build directory
    return (folder / name).exists() or made in (folder / "meson.build").read_text(encoding="utf-8")


def check_includes(root):
    """Yield one sentence for each arrow that points the wrong way."""
    for path in sorted(root.glob("lib/*/*.[ch]")):
        layer = path.parent.name
        if layer not in LAYERS:
            yield f"{path}: lib/{layer} is not a layer"
            continue
        for number, system, name in includes(path):
            if not lib_allows(layer, system, name):
                yield f"{path}:{number}: lib/{layer} must not include {name}"
    for path in sorted(root.glob("include/quorate/*.h")):
        for number, system, name in includes(path):
            if not public_allows(system, name):
                yield f"{path}:{number}: a public header must not include {name}"
    for path in sorted(root.glob("cli/**/*.[ch]")):
        for number, system, name in includes(path):
            if not cli_allows(path, system, name):
                yield f"{path}:{number}: cli must not include {name}"


def check_conditionals(root):
    """#if in lib only in base/port.h (include guards are #ifndef at the top)."""
    for path in sorted(root.glob("lib/*/*.[ch]")):
        if path.name == "port.h" and path.parent.name == "base":
            continue
        guards = 1 if path.suffix == ".h" else 0
        lines = path.read_text(encoding="utf-8").splitlines()
        found = [n for n, line in enumerate(lines, 1) if re.match(r"\s*#\s*if", line)]
        for number in found[guards:]:
            yield f"{path}:{number}: #if belongs in lib/base/port.h, or into a file of its own"


def check_lists(root):
    """Every public header stands in include/meson.build, or it would not be installed."""
    listed = (root / "include/meson.build").read_text(encoding="utf-8")
    for path in sorted(root.glob("include/quorate/*.h")):
        if f"'quorate/{path.name}'" not in listed:
            yield f"{path}: not in include/meson.build"


def main():
    root = pathlib.Path(sys.argv[1])
    faults = [*check_includes(root), *check_house(root), *check_conditionals(root), *check_lists(root)]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
