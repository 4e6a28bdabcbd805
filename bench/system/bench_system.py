#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The system's figures: a closed loop over HTTP, all on this machine.

usage: bench_system.py QUORATE LOAD [--seconds N] [--rounds N] [--systems KIND ...] [--keygens N]
                       [--idle N] [--accounts N] [--json FILE] [--commit ID]

Every figure stands beside this machine's own durable commit and the library's own CPU per
signature, measured in the same run. Systems (systems.py) are all up during the whole run and
measured in turns; told is the median of the rounds, a ratio is the median of each round's ratio.
Where others use the machine, too, whoever has more processes gets more of it: then the ratio of CPU
per signature is the one to believe.
Without PostgreSQL, Redis and RabbitMQ on this machine only the embedded system is measured. A limit
that is missed makes the exit code 1.
"""
import argparse
import json
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS, BUSY = [1, 8, 32, 64], 32
SHARE = 0.6  # of the embedded system's signatures, at BUSY clients


def load(args, *words, lines=()):
    try:
        return json.loads(systems.load(args.load, *words, lines=lines))
    except ValueError:
        sys.exit(f"load {words[0]} failed")


def pss_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return sum(int(line.split()[1]) * 1024 for line in f if line.startswith("Pss:"))


def measure(args, system, clients):
    """One round."""
    before = system.cpu()
    r = load(args, "sign", system.stack.url, clients, args.seconds,
             lines=[system.stack.key, *system.accounts])
    r["cpu"] = systems.used(before, system.cpu())
    if r["errors"]:
        print(f"{system.kind}: {r['errors']} errors, the first: {r['first_error']}",
              file=sys.stderr)
    return r


def middle(rounds, clients, base):
    """One row of a table out of several rounds."""
    def median(name):
        return statistics.median(r[name] for r in rounds)

    done = max(sum(r["done"] for r in rounds), 1)
    names = sorted({name for r in rounds for name in r["cpu"]})
    cpu = {name: sum(r["cpu"].get(name, 0) for r in rounds) / done for name in names}
    row = {name: median(name) for name in ("per_s", "p50_s", "p95_s", "p99_s")}
    row.update(clients=clients, rounds=rounds, cpu_per_signature_s=sum(cpu.values()), cpu=cpu,
               errors=sum(r["errors"] for r in rounds),
               times_library=sum(cpu.values()) / base["sign_cpu_s"])
    return row


def in_turns(args, all_systems, clients, base):
    """{kind: row}; the rounds stand beside each other."""
    rounds = {system.kind: [] for system in all_systems}
    for i in range(args.rounds):
        for system in all_systems[i % len(all_systems):] + all_systems[:i % len(all_systems)]:
            rounds[system.kind].append(measure(args, system, clients))
    return {kind: middle(found, clients, base) for kind, found in rounds.items()}


def idle(system, seconds):
    before = system.cpu()
    began = time.monotonic()
    time.sleep(seconds)  # doing nothing is what is measured
    took = time.monotonic() - began
    cpu = sum(systems.used(before, system.cpu()).values()) / took
    pids = [system.stack.process.pid] + [p for pids in system.processes().values() for p in pids]
    return {"cpu_percent": 100 * cpu, "pss_bytes": sum(map(pss_bytes, pids)),
            "processes": len(pids)}


def ratios(result, kind, clients=BUSY):
    """Of each round: signatures per second against those of the embedded system."""
    return [a["per_s"] / b["per_s"] for a, b in zip(row_of(result, kind, clients)["rounds"],
                                                    row_of(result, "embedded", clients)["rounds"])]


def row_of(result, kind, clients=BUSY):
    return next(r for r in result["sign"][kind] if r["clients"] == clients)


def ms(s):
    return f"{s * 1000:9.2f}"


def table_of_processes(result):
    kinds = list(result["sign"])
    cpu = {kind: row_of(result, kind)["cpu"] for kind in kinds}
    names = sorted({name for kind in kinds for name in cpu[kind]},
                   key=lambda name: -max(cpu[kind].get(name, 0) for kind in kinds))
    print(f"\nCPU per signature by process at {BUSY} clients, microseconds")
    print(f"  {'':30}" + "".join(f"{kind:>10}" for kind in kinds))
    for name in names + ["all"]:
        print(f"  {name:30}" + "".join(
            f"{1e6 * (sum(cpu[k].values()) if name == 'all' else cpu[k].get(name, 0)):10.0f}"
            for k in kinds))


def table(result):
    base = result["base"]
    print(f"durable commit of this machine   {ms(base['commit_s'])} ms (median)")
    print(f"library, CPU of one signature    {ms(base['sign_cpu_s'])} ms (both signers)")
    print(f"library, CPU of one keygen       {ms(base['keygen_cpu_s'])} ms (all three parties)")
    for kind, rows in result["sign"].items():
        print(f"\n{kind}\nclients   per s    p50 ms    p95 ms    p99 ms  CPU ms  x library  errors")
        for r in rows:
            print(f"{r['clients']:7} {r['per_s']:7.0f} {ms(r['p50_s'])} {ms(r['p95_s'])} "
                  f"{ms(r['p99_s'])} {1000 * r['cpu_per_signature_s']:7.2f} "
                  f"{r['times_library']:10.1f} {r['errors']:7}")
    for kind in list(result["sign"])[1:]:
        print(f"\n{kind}, share of the embedded system's signatures per second: " + ", ".join(
            f"{100 * statistics.median(ratios(result, kind, n)):.0f} % at {n}" for n in CLIENTS))
        cpu = [row_of(result, k)["cpu_per_signature_s"] for k in ("embedded", kind)]
        print(f"{kind}, the same share if CPU alone decided: {100 * cpu[0] / cpu[1]:.0f} % at {BUSY}")
    table_of_processes(result)
    k = result["keygen"]
    print(f"\nkeygen over HTTP, embedded, one client: p50 {ms(k['p50_s'])} ms, p95 "
          f"{ms(k['p95_s'])} ms = {k['p50_s'] / base['keygen_cpu_s']:.2f} x the library's own")
    for name, i in (("idle", result["idle"]), ("idle, right after the load", result["idle_after"])):
        print(f"{name}, embedded: {i['cpu_percent']:.2f} % CPU, {i['pss_bytes'] / 1e6:.1f} MB PSS "
              f"in {i['processes']} processes")


def limits(result):
    """(what, value, limit, is_met) of the promises."""
    base = result["base"]
    one, busy = row_of(result, "embedded", 1), row_of(result, "embedded")
    bound = 3 * base["commit_s"] + 6 * base["sign_cpu_s"]
    errors = (sum(r["errors"] for rows in result["sign"].values() for r in rows) +
              result["keygen"]["errors"])
    rows = [("p50 at 1 client, ms, at most 3 commits + 6 x library", 1000 * one["p50_s"],
             1000 * bound, one["p50_s"] <= bound),
            (f"signatures/s at {BUSY} clients, at least", busy["per_s"], 150, busy["per_s"] >= 150),
            ("keygen p50 / library's own, at most", result["keygen"]["p50_s"] / base["keygen_cpu_s"],
             2.5, result["keygen"]["p50_s"] <= 2.5 * base["keygen_cpu_s"]),
            ("idle CPU, %, below", result["idle"]["cpu_percent"], 1,
             result["idle"]["cpu_percent"] < 1),
            ("idle memory, MB PSS, below", result["idle"]["pss_bytes"] / 1e6, 150,
             result["idle"]["pss_bytes"] < 150e6),
            ("errors", errors, 0, errors == 0)]
    for kind in list(result["sign"])[1:]:
        share = statistics.median(ratios(result, kind))
        rows.append((f"{kind}: share of the embedded figure at {BUSY} clients, at least", share,
                     SHARE, share >= SHARE))
    print()
    for what, value, limit, ok in rows:
        print(f"{'met   ' if ok else 'MISSED'} {what}: {value:.2f}, limit {limit:.2f}")
    return all(ok for *_, ok in rows)


def run(args):
    kinds = [k for k in systems.KINDS if k in args.systems]
    if not systems.are_installed() and len(kinds) > 1:
        print("PostgreSQL, Redis and RabbitMQ are not all installed: the embedded system alone")
        kinds = kinds[:1]
    embedded = systems.System("embedded", args.accounts)
    running = [embedded]
    try:
        result = {"commit": args.commit, "base": load(args, "baseline", embedded.stack.dir),
                  "idle": idle(embedded, args.idle), "sign": {kind: [] for kind in kinds}}
        for kind in kinds[1:]:
            running.append(systems.System(kind, args.accounts))
        for system in running:  # warm
            load(args, "sign", system.stack.url, 8, 2, lines=[system.stack.key, *system.accounts])
        for clients in CLIENTS:
            for kind, row in in_turns(args, running, clients, result["base"]).items():
                result["sign"][kind].append(row)
        while len(running) > 1:
            running.pop().close()
        result["keygen"] = load(args, "keygen", embedded.stack.url, 1, args.keygens,
                                lines=[embedded.stack.key])
        result["idle_after"] = idle(embedded, args.idle)
    finally:
        while running:
            running.pop().close()
    return result


def main():
    p = argparse.ArgumentParser()
    p.add_argument("quorate")
    p.add_argument("load")
    p.add_argument("--seconds", type=float, default=4)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--keygens", type=int, default=15)
    p.add_argument("--idle", type=float, default=20)
    p.add_argument("--accounts", type=int, default=8)
    p.add_argument("--systems", nargs="+", default=["embedded", "servers", "replicas"])
    p.add_argument("--json")
    p.add_argument("--commit", default="unknown")
    args = p.parse_args()
    result = run(args)
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


os.environ["QUORATE"] = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
for folder in ("stack", "support"):
    sys.path.append(os.path.join(HERE, "..", "..", "tests", folder))
import systems  # noqa: E402: needs QUORATE and the path

if __name__ == "__main__":
    sys.exit(main())
