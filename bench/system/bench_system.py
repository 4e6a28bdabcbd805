#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The system's figures: a closed loop over HTTP against `quorate up`, all on this machine.

usage: bench_system.py QUORATE LOAD [--seconds N] [--keygens N] [--json FILE] [--commit ID]

Every figure stands beside this machine's own durable commit and the library's own CPU per
signature, measured in the same run. A limit that is missed makes the exit code 1.
"""
import argparse
import json
import os
import subprocess
import sys
import time

CLIENTS = [1, 8, 32, 64]


def load(args, *words, lines=()):
    p = subprocess.run([args.load, *map(str, words)], input="\n".join(lines) + "\n", text=True,
                       stdout=subprocess.PIPE, check=False)
    try:
        return json.loads(p.stdout)
    except ValueError:
        sys.exit(f"load {words[0]} failed")


def cpu_seconds(pid):
    """Of all its threads, as the scheduler counts it: the tick's count is too coarse for idling."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
        except FileNotFoundError:
            pass  # the thread has just ended
    return total / 1e9


def pss_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return sum(int(line.split()[1]) * 1024 for line in f if line.startswith("Pss:"))


def all_cpu(stack):
    return {f"{name}" + (f"#{i}" if i else ""): (pid, cpu_seconds(pid))
            for name, pids in stack.processes().items() for i, pid in enumerate(pids)}


def used(before, after):
    return {name: after[name][1] - before[name][1] for name in after
            if name in before and before[name][0] == after[name][0]}


def measure(args, stack, clients, accounts, base):
    before = all_cpu(stack)
    r = load(args, "sign", stack.url, clients, args.seconds, lines=[stack.key, *accounts])
    r["cpu"] = used(before, all_cpu(stack))
    r["clients"] = clients
    r["cpu_per_signature_s"] = sum(r["cpu"].values()) / max(r["done"], 1)
    r["times_library"] = r["cpu_per_signature_s"] / base["sign_cpu_s"]
    if r["errors"]:
        print(f"{r['errors']} errors, the first: {r['first_error']}", file=sys.stderr)
    return r


def idle(stack, seconds):
    before = all_cpu(stack)
    began = time.monotonic()
    time.sleep(seconds)  # doing nothing is what is measured
    took = time.monotonic() - began
    cpu = sum(used(before, all_cpu(stack)).values()) / took
    pids = [stack.process.pid] + [p for pids in stack.processes().values() for p in pids]
    return {"cpu_percent": 100 * cpu, "pss_bytes": sum(map(pss_bytes, pids)),
            "processes": len(pids)}


def ms(s):
    return f"{s * 1000:9.2f}"


def table(result):
    base = result["base"]
    print(f"durable commit of this machine   {ms(base['commit_s'])} ms (median)")
    print(f"library, CPU of one signature    {ms(base['sign_cpu_s'])} ms (both signers)")
    print(f"library, CPU of one keygen       {ms(base['keygen_cpu_s'])} ms (all three parties)")
    print("\nclients   per s    p50 ms    p95 ms    p99 ms  CPU ms  x library  errors")
    for r in result["sign"]:
        print(f"{r['clients']:7} {r['per_s']:7.0f} {ms(r['p50_s'])} {ms(r['p95_s'])} "
              f"{ms(r['p99_s'])} {1000 * r['cpu_per_signature_s']:7.2f} {r['times_library']:10.1f} "
              f"{r['errors']:7}")
    print("\nCPU per signature by process at 32 clients, microseconds")
    busy = next(r for r in result["sign"] if r["clients"] == 32)
    for name, s in sorted(busy["cpu"].items(), key=lambda x: -x[1]):
        print(f"  {name:24} {1e6 * s / max(busy['done'], 1):8.0f}")
    k = result["keygen"]
    print(f"\nkeygen over HTTP, one client: p50 {ms(k['p50_s'])} ms, p95 {ms(k['p95_s'])} ms "
          f"= {k['p50_s'] / base['keygen_cpu_s']:.2f} x the library's own")
    for name, i in (("idle", result["idle"]), ("idle, right after the load", result["idle_after"])):
        print(f"{name}: {i['cpu_percent']:.2f} % CPU, {i['pss_bytes'] / 1e6:.1f} MB PSS in "
              f"{i['processes']} processes")


def limits(result):
    """(what, value, limit, is_met) of the promises."""
    base = result["base"]
    one, busy = result["sign"][0], next(r for r in result["sign"] if r["clients"] == 32)
    bound = 3 * base["commit_s"] + 6 * base["sign_cpu_s"]
    rows = [("p50 at 1 client, ms, at most 3 commits + 6 x library", 1000 * one["p50_s"],
             1000 * bound, one["p50_s"] <= bound),
            ("signatures/s at 32 clients, at least", busy["per_s"], 150, busy["per_s"] >= 150),
            ("keygen p50 / library's own, at most", result["keygen"]["p50_s"] / base["keygen_cpu_s"],
             2.5, result["keygen"]["p50_s"] <= 2.5 * base["keygen_cpu_s"]),
            ("idle CPU, %, below", result["idle"]["cpu_percent"], 1,
             result["idle"]["cpu_percent"] < 1),
            ("idle memory, MB PSS, below", result["idle"]["pss_bytes"] / 1e6, 150,
             result["idle"]["pss_bytes"] < 150e6),
            ("errors", sum(r["errors"] for r in result["sign"]) + result["keygen"]["errors"], 0,
             not any(r["errors"] for r in result["sign"]) and not result["keygen"]["errors"])]
    print()
    for what, value, limit, ok in rows:
        print(f"{'met   ' if ok else 'MISSED'} {what}: {value:.2f}, limit {limit:.2f}")
    return all(ok for *_, ok in rows)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("quorate")
    p.add_argument("load")
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--keygens", type=int, default=15)
    p.add_argument("--idle", type=float, default=20)
    p.add_argument("--accounts", type=int, default=8)
    p.add_argument("--json")
    p.add_argument("--commit", default="unknown")
    args = p.parse_args()
    os.environ["QUORATE"] = os.path.abspath(args.quorate)
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests",
                                    "stack"))
    from support import Stack  # needs QUORATE

    stack = Stack()
    try:
        result = {"commit": args.commit, "base": load(args, "baseline", stack.dir)}
        accounts = [stack.create()["account_id"] for _ in range(args.accounts)]
        result["idle"] = idle(stack, args.idle)
        load(args, "sign", stack.url, 8, 2, lines=[stack.key, *accounts])  # warm
        result["sign"] = [measure(args, stack, n, accounts, result["base"]) for n in CLIENTS]
        result["keygen"] = load(args, "keygen", stack.url, 1, args.keygens, lines=[stack.key])
        result["idle_after"] = idle(stack, args.idle)
    finally:
        stack.close()
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        cpu = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")),
                   "unknown")
    print(f"commit {args.commit}, {os.cpu_count()} x {cpu}\n")
    table(result)
    ok = limits(result)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(result, f, indent=1)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
