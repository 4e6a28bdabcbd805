#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""regenerate.py FILE [PREFIX]: does the model still make FILE?

Exit 0 if it does, 1 if not, 77 (skipped) if the model cannot run here.
"""
import json
import os
import subprocess
import sys
import tempfile

try:
    import cryptography  # noqa: F401  (the model needs it)
except ImportError:
    print("skipped: python3-cryptography is not installed")
    sys.exit(77)

path, prefix = sys.argv[1], sys.argv[2:3]
model = os.path.join(os.path.dirname(os.path.abspath(__file__)), "model", "gen_kats.py")
with tempfile.TemporaryDirectory() as folder:
    made = os.path.join(folder, "kats.json")
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, model, made] + prefix, check=True, env=environment)
    with open(made, encoding="ascii") as new, open(path, encoding="ascii") as old:
        new_text, old_text = new.read(), old.read()

if new_text == old_text:
    print(f"{path}: made again, byte for byte")
    sys.exit(0)
new_entries, old_entries = json.loads(new_text), json.loads(old_text)
for name in sorted(set(new_entries) | set(old_entries)):
    if new_entries.get(name) != old_entries.get(name):
        print(f"{path}: {name} differs")
sys.exit(1)
