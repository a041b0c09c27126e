#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Measures fleets on loopback and writes measured.json: measure.py BUILD-FOLDER [ROUNDS]

The same 60 agents as a tree of three tiers and flat under the root; a change with NOTIFY(SOA), and a
NOTIFY(AXFR) without and with a splay.  One machine runs them all: what 60 machines do at the same time
takes turns on its cores, which the model (model.py) knows.
"""

import json
import os
import shutil
import statistics
import sys
import tempfile

SPLAY = 2.0
SHAPES = {"chain": [1, 1, 1], "tree": [4, 16, 40], "flat": [60]}


def main():
    os.environ["ZONERELAY_BUILD"] = os.path.abspath(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    import fleet            # pylint: disable=import-outside-toplevel
    import lab as lab_module  # pylint: disable=import-outside-toplevel
    out = {"cores": os.cpu_count(), "rounds": rounds, "splay": SPLAY, "runs": []}
    for shape, tiers in SHAPES.items():
        for splay in (0.0, SPLAY):
            folder = tempfile.mkdtemp(prefix="zr-fleet.")
            it = lab_module.Lab(folder)
            try:
                f = fleet.Fleet(it, tiers, template={"splay": f"{splay:g}s", "forced-splay": f"{splay:g}s"})
                for kind in ("change", "force"):
                    results = [getattr(f, kind)() for _ in range(rounds)]
                    out["runs"].append({"shape": shape, "tiers": tiers, "splay": splay, "kind": kind,
                                        "rounds": results})
                    say(out["runs"][-1])
            finally:
                failures = it.close()
                shutil.rmtree(folder)
            assert not failures, failures
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "measured.json"), "w") as f:
        f.write(compact(out))


def compact(out):
    """One round a line."""
    head = {k: v for k, v in out.items() if k != "runs"}
    text = json.dumps(head)[:-1] + ', "runs": [\n'
    runs = []
    for r in out["runs"]:
        rest = json.dumps({k: v for k, v in r.items() if k != "rounds"})[:-1]
        runs.append(rest + ', "rounds": [\n' + ",\n".join(json.dumps(x) for x in r["rounds"]) + "]}")
    return text + ",\n".join(runs) + "]}\n"


def say(run):
    last = sorted(r["last"] for r in run["rounds"])
    cpu = statistics.median(sum(sum(t) for t in r["cpu"]) for r in run["rounds"])
    peak = statistics.median(peak_rate(r["root"]) for r in run["rounds"])
    print(f"{run['shape']:6} {run['kind']:7} splay {run['splay']:g} s: last {statistics.median(last):.3f} s "
          f"[{last[0]:.3f}-{last[-1]:.3f}], root serves {len(run['rounds'][0]['root'])}, most in 100 ms {peak:g}, "
          f"CPU of all {cpu:.3f} s", flush=True)


def peak_rate(served, window=0.1):
    ends = sorted(s["end"] for s in served)
    return max((sum(1 for e in ends if t <= e < t + window) for t in ends), default=0)


if __name__ == "__main__":
    main()
