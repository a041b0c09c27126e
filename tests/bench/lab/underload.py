#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""NOTIFY in to onward NOTIFY, an update every 0.2 s: quiet, and while a large zone comes in and goes out all the time.

underload.py [--big tld5000k] [--reps 100] [--subjects zonerelay] [--mode default]

Needs the lab (its folder in LAB, with the big zone in its data) and ZONERELAYD.  One server after the other.  The load is
AXFR after AXFR of the big zone into it, as its primary offers nothing else, and one client that takes the zone again and
again.  A sample that got no onward NOTIFY within 12 s counts as 12 s.
"""
import argparse
import importlib
import os
import sys
import threading
import time

LAB = os.environ.get("LAB", os.getcwd())
sys.path[:0] = [LAB, LAB + "/subjects", os.path.dirname(os.path.abspath(__file__))]

from labcommon import CG, CTRL, LISTEN, PRIMARY, Blaster, Ctx, Notifier, dtool, dtool_bg, dtool_wait

SMALL = "s000000.lab"
LOST_MS = 12000


class Load:
    """Transfers of the big zone, in and out, until stop()."""

    def __init__(self, c, blaster, zone):
        self.c, self.blaster, self.zone = c, blaster, zone
        self.over, self.into, self.out = False, 0, 0
        self.threads = [threading.Thread(target=f) for f in (self._into, self._out)]
        for t in self.threads:
            t.start()

    def _into(self):
        while not self.over:
            serial = self.blaster.bump(self.zone, "axfr")
            poll = dtool_bg("poll", self.c.addr, self.c.port, self.zone, serial, 120, 20000)
            n = Notifier(self.c, self.zone, serial)
            n.go()
            self.into += dtool_wait(poll)[-1]["ok"]
            n.done = True

    def _out(self):
        while not self.over:
            self.out += dtool("sink", self.c.addr, self.c.port, self.zone, 1)[-1]["ok"]
            time.sleep(0.1)

    def stop(self):
        self.over = True
        for t in self.threads:
            t.join()


def sample(c, reps):
    rows = dtool("nlat", c.addr, c.port, SMALL, *CTRL, PRIMARY[0], *LISTEN, c.addr, c.port, reps, 200, LOST_MS, 120)[:-1]
    return {k: sorted(r[k] if r[k] >= 0 else LOST_MS for r in rows) for k in ("ack_ms", "onward_ms", "served_ms")}


def show(name, when, got, more=""):
    for k, v in got.items():
        print(f"{name:10} {when:6} {k[:-3]:7} p50 {v[len(v) // 2]:8.1f}  p90 {v[len(v) * 9 // 10]:8.1f}  "
              f"p99 {v[min(len(v) - 1, len(v) * 99 // 100)]:8.1f}  most {v[-1]:8.1f} ms, {len(v)} samples{more}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--big", default="tld5000k")
    p.add_argument("--reps", type=int, default=100)
    p.add_argument("--subjects", type=lambda s: s.split(","), default=["zonerelay"])
    p.add_argument("--mode", default="default")
    a = p.parse_args()
    os.makedirs(CG, exist_ok=True)
    blaster = Blaster(big=[a.big], small=[("s", 1, 50)])
    try:
        for name in a.subjects:
            c = Ctx(importlib.import_module(name), a.mode, [a.big, SMALL], notify=[LISTEN], tag="-underload")
            c.fresh()
            try:
                polls = [dtool_bg("poll", c.addr, c.port, z, blaster.serial(z), 120, 20000) for z in c.zones]
                listener = dtool_bg("listen", *LISTEN, 15)
                c.start()
                for x in polls:
                    if not dtool_wait(x)[-1]["ok"]:
                        raise SystemExit(f"{name}: no zone")
                dtool_wait(listener)
                c.settle()
                show(name, "quiet", sample(c, a.reps))
                load = Load(c, blaster, a.big)
                time.sleep(0.5)
                got = sample(c, a.reps)
                load.stop()
                show(name, "loaded", got, f", {load.into} in, {load.out} out")
            finally:
                c.stop()
                c.destroy()
    finally:
        blaster.close()


main()
