#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A model of fleets: fitted to measured.json, compared with it, then asked about larger ones.

    model.py            the tables of README.md
    model.py --readme   puts them there, below the line that says so
    model.py --json F   what it predicts, for plot.py

Every agent does the same: it is told, asks for the serial, asks for the change, stores it, and tells its
children.  A host has cores, which work in the order of the requests, and an uplink, which sends in the order
of the requests.  What a step costs on a core comes from the measured run; so does the time in which nobody
works (the disk, mostly).  On loopback all agents are on one host; in the predictions each has its own.
"""

import argparse
import heapq
import itertools
import json
import os
import random
import statistics

HERE = os.path.dirname(os.path.abspath(__file__))


class Host:
    """Cores and an uplink; both take what is asked of them in turn."""

    def __init__(self, cores, bits=None):
        self.free = [0.0] * cores
        self.bits, self.line = bits, 0.0

    def work(self, at, seconds):
        """When it is done."""
        start = max(at, heapq.heappop(self.free))
        heapq.heappush(self.free, start + seconds)
        return start + seconds

    def send(self, at, octets):
        if self.bits is None:
            return at
        self.line = max(at, self.line) + octets * 8 / self.bits
        return self.line


class Costs:
    """Seconds on a core: of a parent for each child, and of an agent for itself; `wait`: on none."""

    def __init__(self, parent, own, wait):
        self.parent, self.own, self.wait = parent, own, wait


def simulate(tiers, costs, splay=0.0, delay=0.0, octets=0, host=None, bits=None, cores=2, seed=1,
             load_seconds=0.0):
    """One event.  {"last", "tiers": [[time, ...], ...], "root": [times at which a transfer from the root ended]}

    host: all agents are on it; else each has its own, with `cores` and an uplink of `bits` per second.
    delay: one way, seconds.  octets, load_seconds: of one transfer, and what it costs the child besides.
    """
    rng = random.Random(seed)
    queue, number = [], itertools.count()
    hosts = {}

    def at(t, f, *args):
        heapq.heappush(queue, (t, next(number), f, args))

    def host_of(node):
        if host is not None:
            return host
        if node not in hosts:
            hosts[node] = Host(cores, bits)
        return hosts[node]

    below = [children(n, above) for above, n in zip([1] + tiers[:-1], tiers)]
    done, root = [[None] * n for n in tiers], []

    def committed(t, tier, i):
        if tier >= 0:
            done[tier][i] = t
        if tier + 1 < len(tiers):
            mine = below[tier + 1][i]
            for child, wait in zip(mine, turns(rng, len(mine), splay)):
                at(t + wait, tell, tier, i, child)

    def tell(t, tier, i, child):
        t = host_of((tier, i)).work(t, costs.parent / 2)
        at(t + delay, told, tier, i, child)

    def told(t, tier, i, child):
        t = host_of((tier + 1, child)).work(t, costs.own / 2)
        # The SOA query and its answer, the three-way handshake, the request.
        at(t + 5 * delay, asked, tier, i, child)

    def asked(t, tier, i, child):
        h = host_of((tier, i))
        t = h.send(h.work(t, costs.parent / 2), octets)
        if tier == -1:
            root.append(t)
        at(t + delay, came, tier, child)

    def came(t, tier, child):
        t = host_of((tier + 1, child)).work(t, costs.own / 2 + load_seconds)
        at(t + costs.wait, committed, tier + 1, child)

    at(0.0, committed, -1, 0)
    while queue:
        t, _, f, args = heapq.heappop(queue)
        f(t, *args)
    return {"tiers": done, "last": max(max(t) for t in done), "root": sorted(root)}


def children(n, above):
    """Who belongs to whom, as fleet.parents() has it."""
    out = [[] for _ in range(above)]
    for i in range(n):
        out[i * above // n].append(i)
    return out


def turns(rng, n, splay):
    """As the daemon spreads them: one in each n-th of the time, somewhere in it, in a random order."""
    out = [(k + rng.random()) * splay / n for k in range(n)]
    rng.shuffle(out)
    return out


def peak(times, window):
    """The most that end within any window."""
    times, best, first = sorted(times), 0, 0
    for i, t in enumerate(times):
        while t - times[first] >= window:
            first += 1
        best = max(best, i - first + 1)
    return best


# ---- fitting ----

def median(values):
    return statistics.median(list(values))


def fit(measured):
    """Costs from the runs without a splay; each kind of event for itself."""
    out = {}
    for kind in ("change", "force"):
        chain, flat = find(measured, "chain", 0, kind), find(measured, "flat", 0, kind)
        parent = median(r["cpu"][0][0] / 60 for r in flat["rounds"])
        own = median(c for r in flat["rounds"] for c in r["cpu"][1])
        hop = median(r["last"] for r in chain["rounds"]) / 3
        out[kind] = Costs(parent, own, max(0.0, hop - parent - own))
    return out


def find(measured, shape, splay, kind):
    return next(r for r in measured["runs"] if (r["shape"], r["splay"], r["kind"]) == (shape, splay, kind))


def compare(measured, costs):
    """Rows: run, measured and modelled time of the last, and most transfers from the root in 100 ms."""
    rows = []
    for run in measured["runs"]:
        models = [simulate(run["tiers"], costs[run["kind"]], run["splay"], host=Host(measured["cores"]), seed=s)
                  for s in range(20)]
        last = sorted(r["last"] for r in run["rounds"])
        rows.append({
            "shape": run["shape"], "kind": run["kind"], "splay": run["splay"],
            "last": median(last), "min": last[0], "max": last[-1],
            "model": median(m["last"] for m in models),
            "model_min": min(m["last"] for m in models), "model_max": max(m["last"] for m in models),
            "peak": median(peak([s["end"] for s in r["root"]], 0.1) for r in run["rounds"]),
            "model_peak": median(peak(m["root"], 0.1) for m in models)})
    return rows


# ---- larger fleets ----

NET = {"delay": 0.015, "bits": 1e9, "cores": 2}     # 30 ms there and back, 1 Gbit/s
SMALL = {"octets": 2000}                            # a small difference
LARGE = {"octets": 41e6, "load_seconds": 0.5}       # the whole of a signed zone of a million records
SHAPES = {1000: {"flat": [1000], "two tiers": [31, 969], "three tiers": [10, 90, 900]},
          10000: {"flat": [10000], "two tiers": [100, 9900], "three tiers": [21, 441, 9538]}}


def predict(costs):
    out = []
    for n, shapes in SHAPES.items():
        for shape, tiers in shapes.items():
            for work, kind, size, splays in (("change, IXFR of 2 kB", "change", SMALL, (0, 30)),
                                             ("NOTIFY(AXFR), 41 MB", "force", LARGE, (0, 60))):
                for splay in splays:
                    m = simulate(tiers, costs[kind], splay, **NET, **size)
                    times = sorted(t for tier in m["tiers"] for t in tier)
                    out.append({"n": n, "shape": shape, "tiers": tiers, "work": work, "splay": splay,
                                "half": times[len(times) // 2], "last": m["last"],
                                "root": len(m["root"]), "peak": peak(m["root"], 1.0),
                                "root_octets": size["octets"] * len(m["root"]),
                                "curve": [round(times[int(q * (len(times) - 1) / 50)], 4) for q in range(51)]})
    return out


# ---- tables ----

BELOW = "<!-- written by model.py --readme -->\n"


def seconds(t):
    return f"{t * 1000:.0f} ms" if t < 1 else f"{t:.1f} s" if t < 120 else f"{t / 60:.0f} min"


def tables(measured, costs, predictions):
    lines = ["| event | a parent, for each child | an agent, for itself | waiting |", "|---|---|---|---|"]
    lines += [f"| {k} | {c.parent * 1e6:.0f} us | {c.own * 1e6:.0f} us | {c.wait * 1e3:.1f} ms |"
              for k, c in costs.items()]
    lines += ["", "| agents | event | splay | last agent, measured | model | most transfers from the root in 100 ms, "
              "measured | model |", "|---|---|---|---|---|---|---|"]
    for r in compare(measured, costs):
        lines.append(f"| {r['shape']} | {r['kind']} | {r['splay']:g} s | {seconds(r['last'])} "
                     f"[{seconds(r['min'])}-{seconds(r['max'])}] | {seconds(r['model'])} "
                     f"[{seconds(r['model_min'])}-{seconds(r['model_max'])}] | {r['peak']:g} | {r['model_peak']:g} |")
    lines += ["", "| secondaries | tiers | event | splay | half have it | last has it | transfers from the root | "
              "most in a second | octets from the root |", "|---|---|---|---|---|---|---|---|---|"]
    for p in predictions:
        lines.append(f"| {p['n']:,} | {p['shape']}: {' + '.join(map(str, p['tiers']))} | {p['work']} | "
                     f"{p['splay']} s | {seconds(p['half'])} | {seconds(p['last'])} | {p['root']:,} | {p['peak']:,} | "
                     f"{p['root_octets'] / 1e6:,.1f} MB |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json")
    parser.add_argument("--readme", action="store_true")
    args = parser.parse_args()
    with open(os.path.join(HERE, "measured.json")) as f:
        measured = json.load(f)
    costs = fit(measured)
    predictions = predict(costs)
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"compare": compare(measured, costs), "predict": predictions}, f)
    elif args.readme:
        path = os.path.join(HERE, "README.md")
        with open(path) as f:
            head = f.read().split(BELOW)[0]
        with open(path, "w") as f:
            f.write(head + BELOW + "\n" + tables(measured, costs, predictions) + "\n")
    else:
        print(tables(measured, costs, predictions))


if __name__ == "__main__":
    main()
