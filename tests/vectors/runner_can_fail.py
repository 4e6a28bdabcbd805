#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""runner_can_fail.py KAT FILE: does the runner KAT refuse what is wrong with altered copies of FILE?

Each alteration must end with an exit code that is not 0 and a line that names the entry.
"""
import copy
import json
import os
import subprocess
import sys
import tempfile


def flip(hexadecimal):
    return ("1" if hexadecimal[0] == "0" else "0") + hexadecimal[1:]


def runs(file, *protocols):
    return [name for name, v in file.items()
            if isinstance(v, dict) and v.get("protocol") in protocols]


def change_hash(file):
    name = runs(file, "sign")[0]
    file[name]["messages"][0][4] = flip(file[name]["messages"][0][4])
    return name


def change_seed(file):
    name = runs(file, "keygen")[0]
    index = next(iter(file[name]["seeds"]))
    file[name]["seeds"][index] = flip(file[name]["seeds"][index])
    return name


def change_presign_seed(file):
    name = runs(file, "presign")[0]
    index = next(iter(file[name]["seeds"]))
    file[name]["seeds"][index] = flip(file[name]["seeds"][index])
    return name


def drop_message(file):
    name = runs(file, "sign")[0]
    del file[name]["messages"][-1]
    return name


def misspell(file):
    name = runs(file, "sign")[0]
    file[name]["protocol"] = "sing"
    return name


def misspell_keygen(file):
    name = runs(file, "keygen")[0]
    file[name]["protocol"] = "keygem"
    return name


def protocol_is_no_text(file):
    name = runs(file, "sign")[0]
    file[name]["protocol"] = 3
    return name


def unknown_key(file):
    name = runs(file, "sign")[0]
    file[name]["key"] = "nobody's"
    return name


def unknown_entry(file):
    file["rvole2"] = {}
    return "rvole2"


def no_runs(file):
    for name in runs(file, "keygen", "sign", "presign", "reshare"):
        del file[name]
    return "runs"


def only_unbuilt_runs(file):
    for name in runs(file, "keygen", "sign", "presign"):
        del file[name]
    return "runs"


def absent(vector):
    def drop(file):
        del file[vector]
        return vector

    drop.__name__ = f"{vector} is missing"
    return drop


VECTORS = ["T", "TH", "FH", "LH8", "h2c", "gadget", "gf128", "baseot", "pprf", "rvole",
           "e2e_2of2", "presign_bip32"]
ALTERATIONS = [change_hash, change_seed, change_presign_seed, drop_message, misspell,
               misspell_keygen, protocol_is_no_text, unknown_key, unknown_entry, no_runs,
               only_unbuilt_runs]


def small(file):
    """|file| with one run of each kind: quicker to run, and still good."""
    wanted = [runs(file, p)[0] for p in ("keygen", "sign", "presign", "reshare")]
    return {name: v for name, v in file.items()
            if name in wanted or not (isinstance(v, dict) and "protocol" in v)}


def run(kat, file, folder):
    path = os.path.join(folder, "altered.json")
    with open(path, "w", encoding="ascii") as out:
        json.dump(file, out)
    done = subprocess.run([kat, path], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def main():
    kat, path = sys.argv[1:3]
    with open(path, encoding="ascii") as f:
        good = small(json.load(f))
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        code, said = run(kat, good, folder)
        if code != 0:
            print(f"the unaltered file fails:\n{said}")
            return 1
        for alter in ALTERATIONS + [absent(v) for v in VECTORS]:
            file = copy.deepcopy(good)
            entry = alter(file)
            code, said = run(kat, file, folder)
            caught = code == 1 and f"FAILED {entry}: " in said
            bad += not caught
            print(f"{'refused' if caught else 'NOT REFUSED'}: {alter.__name__} (exit {code})")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
